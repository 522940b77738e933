//! `hud init`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Arguments of `hud init`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hud init demo                       A blank environment in ./demo
  hud init quiz --template trivia     A lookup tool and graded questions
  hud init shop --template sqlite --dir ~/work
  hud init desk --template organized  Room to grow: tools/, scenarios/, setup/, evaluate/

The files are built in: no network is needed.")]
pub(in crate::cli) struct InitArgs {
    /// Name of the environment and of the folder that is created
    pub(in crate::cli) name: String,
    /// What to start from
    #[arg(short, long, visible_alias = "preset", value_enum, default_value_t = Template::Blank)]
    pub(in crate::cli) template: Template,
    /// Create the folder in here
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(in crate::cli) dir: PathBuf,
    /// Overwrite files that exist
    #[arg(short, long)]
    pub(in crate::cli) force: bool,
}

/// The built-in templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Template {
    /// One tool, one scenario
    Blank,
    /// Questions about facts that a tool can look up
    Trivia,
    /// A conversation
    Chat,
    /// A database that each rollout gets fresh
    Sqlite,
    /// A folder for each of tools, scenarios, setup and evaluation
    Organized,
}

impl Template {
    /// Its folder in `templates/`.
    pub(in crate::cli) fn folder(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Trivia => "trivia",
            Self::Chat => "chat",
            Self::Sqlite => "sqlite",
            Self::Organized => "organized",
        }
    }
}
