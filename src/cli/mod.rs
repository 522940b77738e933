//! The command line: the outermost layer, the only one that knows flags, environment variables and exit codes.
//!
//! - **stdout is data, stderr is talk.** What a command was asked for (a report, a prompt, an evaluation, a completion script) goes to
//!   stdout. Progress, notices, warnings and errors go to stderr. With `--json` stdout is JSON or JSON Lines and nothing else.
//! - **Exit codes** are the ones of [`ExitCode`], and no others (a program run through the hidden `__child` has its own).
//! - **An error is told once**, as `error: what, where`, with `hint:` lines that say what to do.
//! - **A broken pipe is quiet**: `hud … | head` ends with 0 and no word.
//! - **Nothing is asked**: every command runs without a terminal.
//!
//! Three steps: `args` (what was typed), `settings` (what it means, with files and environment variables), `commands` (what is done).
//! The program is a function of its [`Invocation`], so it can run twice in one process.

mod analysis;
mod args;
mod build_progress;
mod check;
mod child;
mod commands;
mod context;
mod dev;
mod discovery;
mod exit_code;
mod failure;
mod inspector;
mod interrupt;
mod job;
mod kept_session;
mod logging;
mod reach;
mod remote_scenario;
mod repl;
mod run;
mod scenario_text;
mod schema;
mod secrets;
mod settings;
mod target;

pub use child::CHILD_COMMAND;
pub use exit_code::ExitCode;
pub use run::{Invocation, main, run};
