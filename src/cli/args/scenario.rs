//! `hud scenario`, also spelled `hud task`.

#![expect(
    clippy::doc_markdown,
    reason = "the comments are help texts, in which backticks would be shown"
)]

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ReachArgs, Seconds};

/// Arguments of `hud scenario`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hud scenario list
  hud scenario setup initials --args '{\"company\":\"HUD\"}'
  hud scenario run initials --args '{\"company\":\"HUD\"}' --answer JR
  hud scenario grade ceo-hud --env tasks.yaml --answer-file answer.txt
  hud scenario setup initials --url http://127.0.0.1:8765/mcp --args '{\"company\":\"HUD\"}'
  hud scenario grade initials --url http://127.0.0.1:8765/mcp --answer JR

Each command works on a fresh copy of the environment and closes it. At a URL, setup leaves the session open \
(in .hud/sessions/, readable only for you), and grade takes it up.")]
pub(in crate::cli) struct ScenarioArgs {
    /// What to do.
    #[command(subcommand)]
    pub(in crate::cli) command: ScenarioCommand,
}

/// What to do with a scenario.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum ScenarioCommand {
    /// List the scenarios with their arguments
    List(ListArgs),
    /// Set a scenario up and print its prompt; at a URL the session waits for grade
    #[command(visible_alias = "start")]
    Setup(SetupArgs),
    /// Submit an answer and print the evaluation as JSON; at a URL to what setup left, elsewhere after a setup
    Grade(GradeArgs),
    /// Set a scenario up, submit an answer and print the evaluation as JSON, with the prompt on stderr
    Run(GradeArgs),
    /// Try an environment at a prompt: call its tools, run its scenarios by hand
    Shell(ShellArgs),
}

/// Arguments of `hud scenario shell`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hud scenario shell                              env.py of this folder
  hud scenario shell --url http://127.0.0.1:8765/mcp
  hud scenario shell -- node server.js
  printf 'run initials company=HUD\\nanswer JR\\n' | hud scenario shell

At the prompt, `help` lists the commands and Tab completes names, arguments and values. Arguments that are not given are asked for. From a pipe, \
commands are read line by line; answers are on stdout, and the first command that fails ends it.")]
pub(in crate::cli) struct ShellArgs {
    /// The environment.
    #[command(flatten)]
    pub(in crate::cli) reach: ReachArgs,
    /// The same as SOURCE, for a server that runs already
    #[arg(short, long, value_name = "URL", conflicts_with_all = ["source", "config", "command"])]
    pub(in crate::cli) url: Option<String>,
}

/// Arguments of `hud scenario list`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hud scenario list
  hud scenario list tasks.yaml
  hud scenario list --env http://127.0.0.1:8765/mcp --json")]
pub(in crate::cli) struct ListArgs {
    /// The same as --env
    #[arg(value_name = "SOURCE", conflicts_with_all = ["source", "url"])]
    pub(in crate::cli) position: Option<String>,
    /// The environment.
    #[command(flatten)]
    pub(in crate::cli) target: TargetArgs,
    /// One JSON object per scenario
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Arguments of `hud scenario setup`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hud scenario setup initials --args '{\"company\":\"HUD\"}'
  hud scenario setup ceo-hud --env tasks.yaml
  hud scenario setup initials --url http://127.0.0.1:8765/mcp --args '{\"company\":\"HUD\"}'")]
pub(in crate::cli) struct SetupArgs {
    /// Scenario, or the slug of a task when the source is a task file
    pub(in crate::cli) name: String,
    /// Arguments of the scenario, as a JSON object
    #[arg(short, long, value_name = "JSON")]
    pub(in crate::cli) args: Option<String>,
    /// The environment.
    #[command(flatten)]
    pub(in crate::cli) target: TargetArgs,
    /// The whole prompt as JSON, roles included
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Arguments of `hud scenario grade` and `run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hud scenario run initials --args '{\"company\":\"HUD\"}' --answer JR
  hud scenario grade ceo-hud --env tasks.yaml --answer-file answer.txt
  hud scenario grade initials --url http://127.0.0.1:8765/mcp --answer JR")]
pub(in crate::cli) struct GradeArgs {
    /// Scenario, or the slug of a task when the source is a task file
    pub(in crate::cli) name: String,
    /// Arguments of the scenario, as a JSON object
    #[arg(short, long, value_name = "JSON")]
    pub(in crate::cli) args: Option<String>,
    /// What to submit.
    #[command(flatten)]
    pub(in crate::cli) answer: AnswerArgs,
    /// The environment.
    #[command(flatten)]
    pub(in crate::cli) target: TargetArgs,
    /// The model for graders that judge with one [default: the grader's own]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) judge_model: Option<String>,
    /// On one line
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// The answer to submit; none is the empty answer.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct AnswerArgs {
    /// The answer to submit [default: empty]
    #[arg(
        short = 'A',
        long,
        value_name = "TEXT",
        conflicts_with = "answer_file",
        allow_hyphen_values = true
    )]
    pub(in crate::cli) answer: Option<String>,
    /// Read the answer from a file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) answer_file: Option<PathBuf>,
}

/// The environment to drive.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct TargetArgs {
    /// Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder's task file]
    #[arg(
        short = 's',
        long = "env",
        visible_alias = "source",
        value_name = "SOURCE"
    )]
    pub(in crate::cli) source: Option<String>,
    /// A server that runs already: the URL of its MCP endpoint
    #[arg(short, long, value_name = "URL", conflicts_with = "source")]
    pub(in crate::cli) url: Option<String>,
    /// The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]
    #[arg(long, value_name = "TOKEN")]
    pub(in crate::cli) api_key: Option<String>,
    /// The Python interpreter [default: the project's .venv, $VIRTUAL_ENV, python3]
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) python: Option<PathBuf>,
    /// Time of each phase, such as 90, 90s or 5m
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub(in crate::cli) timeout: Seconds,
}
