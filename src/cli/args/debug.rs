//! `hud debug`.

use clap::Args;

use super::{KeyValue, ReachArgs};

/// Arguments of `hud debug`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Phases: 1 start, 2 initialize, 3 list, 4 tool, 5 scenario, 6 sessions (ten at once), 7 shutdown.
Exit code 5 when a check failed.

Examples:
  hud debug                                         env.py, or the environment of the folder's task file
  hud debug tasks.yaml                              With the scenario of its first task
  hud debug env.py --call lookup --args '{\"company\":\"HUD\"}'
  hud debug env.py --scenario initials --arg company=HUD --answer JR
  hud debug http://127.0.0.1:8765/mcp --max-phase 3
  hud debug --json -- node server.js | jq 'select(.status == \"failed\")'")]
pub(in crate::cli) struct DebugArgs {
    /// The environment.
    #[command(flatten)]
    pub(in crate::cli) reach: ReachArgs,
    /// Stop after this phase
    #[arg(short = 'p', long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u8).range(1..=7))]
    pub(in crate::cli) max_phase: u8,
    /// The tool to call [default: one annotated as read-only whose arguments can be made up]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) call: Option<String>,
    /// Its arguments, as a JSON object
    #[arg(short, long, value_name = "JSON", requires = "call")]
    pub(in crate::cli) args: Option<String>,
    /// The scenario to set up and grade [default: that of the first task, else one that needs no arguments]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) scenario: Option<String>,
    /// An argument of the scenario (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub(in crate::cli) arg: Vec<KeyValue>,
    /// The answer to submit [default: empty]
    #[arg(short = 'A', long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(in crate::cli) answer: Option<String>,
    /// One JSON object for each check, and a summary
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
