//! From settings to a job that can run: tasks, model, environments, each checked before the next costs anything.

mod before_start;
mod checks;
mod model;
mod record;
mod running;
mod source;

pub(super) use checks::{missing, parameters, scenario, unknown};
pub(super) use model::{JudgePlace, Keys, agent_type, judge, resolve as resolve_model};
pub(super) use record::record;
pub(super) use running::Job;
pub(super) use source::Source;
