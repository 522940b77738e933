//! The staged checks of `hud debug`: starts, initializes, lists, calls a tool, plays a scenario, holds ten sessions at once, ends.
//!
//! Each stage stands alone: it has a time, and when it fails a reason, the end of the log and a hint. Nothing waits but for what it checks.
//! Knows no flags; what is found is handed to the caller, one [`Check`] after the other.

mod hints;
mod leftovers;
mod list;
mod report;
mod run;
mod sample;
mod scenario;
mod sessions;
mod stage;
mod tool;

pub(in crate::cli) use report::{has_failed, json_check, json_summary, line, summary};
pub(in crate::cli) use run::{Plan, run};
pub(in crate::cli) use stage::Check;
