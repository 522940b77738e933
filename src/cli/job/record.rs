//! What the run directory keeps about how a job was started: settings with their origins, versions, the tasks. No secrets.

use serde_json::{Value, json};

use crate::cli::settings::{Row, as_json};
use crate::task::Task;

/// The `plan` of `job.json`.
pub(in crate::cli) fn record(
    settings: &[Row],
    tasks: &[Task],
    source: &str,
    success_threshold: f64,
) -> Value {
    json!({
        // Read back when a job that was killed is summarised.
        "success_threshold": success_threshold,
        "version": env!("CARGO_PKG_VERSION"),
        "source": source,
        "settings": as_json(settings),
        "tasks": tasks.iter().map(Task::to_record).collect::<Vec<_>>(),
    })
}
