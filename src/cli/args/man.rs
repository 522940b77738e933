//! `hud man`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `hud man`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hud man | man -l -                  Read the page of hud
  hud man --dir ~/.local/share/man/man1
                                      Write a page for every command")]
pub(in crate::cli) struct ManArgs {
    /// Write the pages of all commands into this folder instead of printing the page of hud
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) dir: Option<PathBuf>,
}
