//! `job.json` and `summary.json`.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::numbers::seconds;
use crate::event::{JobStarted, JobSummary};
use crate::message::Usage;

/// `job.json`: what the job was going to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the same fields as `event::JobStarted`")]
pub struct JobRecord {
    /// [`Self::FORMAT`].
    pub format: String,
    /// Of this format.
    pub version: u32,
    pub job: String,
    pub name: String,
    /// When, in RFC 3339.
    pub started: String,
    pub model: String,
    pub agent: String,
    pub tasks: usize,
    pub group: u32,
    pub rollouts: usize,
    pub max_concurrent: usize,
    pub seed: u64,
    #[serde(default)]
    pub plan: Value,
}

impl JobRecord {
    /// Name and version.
    pub const FORMAT: (&str, u32) = ("hud.job", 1);

    /// The record of a job that starts at `started`.
    pub fn new(event: &JobStarted, started: String) -> Self {
        Self {
            format: Self::FORMAT.0.to_owned(),
            version: Self::FORMAT.1,
            job: event.job.clone(),
            name: event.name.clone(),
            started,
            model: event.model.clone(),
            agent: event.agent.clone(),
            tasks: event.tasks,
            group: event.group,
            rollouts: event.rollouts,
            max_concurrent: event.max_concurrent,
            seed: event.seed,
            plan: event.plan.clone(),
        }
    }

    /// The event again. The directory is where the record lies now: runs may be moved and mailed.
    pub fn into_event(self, directory: &Path) -> JobStarted {
        JobStarted {
            job: self.job,
            name: self.name,
            model: self.model,
            agent: self.agent,
            tasks: self.tasks,
            group: self.group,
            rollouts: self.rollouts,
            max_concurrent: self.max_concurrent,
            seed: self.seed,
            directory: directory.to_owned(),
            plan: self.plan,
        }
    }
}

/// `summary.json`: the numbers of a job that ended. The keys of the published summary, and what it leaves out after them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the same fields as `event::JobSummary`")]
pub struct SummaryRecord {
    pub job: String,
    pub rollouts: usize,
    pub graded: usize,
    /// Rollouts without a grade: kind to count, in the order in which summaries list them.
    pub failed: Map<String, Value>,
    pub mean_reward: Option<f64>,
    pub stderr: Option<f64>,
    pub success_rate: Option<f64>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cost_usd: Option<f64>,
    #[serde(with = "seconds")]
    pub duration_s: Duration,
    pub directory: String,
    /// [`Self::FORMAT`].
    pub format: String,
    /// Of this format.
    pub version: u32,
    pub interrupted: bool,
    pub usage: Usage,
}

impl SummaryRecord {
    /// Name and version.
    pub const FORMAT: (&str, u32) = ("hud.summary", 1);

    /// The record of a job that ended.
    pub fn new(event: &JobSummary) -> Self {
        Self {
            job: event.job.clone(),
            rollouts: event.rollouts,
            graded: event.graded,
            failed: event
                .failed
                .iter()
                .map(|(kind, count)| (kind.clone(), Value::from(*count)))
                .collect(),
            mean_reward: event.mean_reward,
            stderr: event.stderr,
            success_rate: event.success_rate,
            input_tokens: event.usage.input_tokens,
            output_tokens: event.usage.output_tokens,
            cost_usd: event.cost_usd,
            duration_s: event.duration,
            directory: event.directory.display().to_string(),
            format: Self::FORMAT.0.to_owned(),
            version: Self::FORMAT.1,
            interrupted: event.interrupted,
            usage: event.usage,
        }
    }

    /// The event again. The directory is where the record lies now.
    pub fn into_event(self, directory: &Path) -> JobSummary {
        JobSummary {
            job: self.job,
            rollouts: self.rollouts,
            graded: self.graded,
            failed: self
                .failed
                .into_iter()
                .map(|(kind, count)| (kind, count.as_u64().unwrap_or(0) as usize))
                .collect(),
            mean_reward: self.mean_reward,
            stderr: self.stderr,
            success_rate: self.success_rate,
            usage: self.usage,
            cost_usd: self.cost_usd,
            duration: self.duration_s,
            directory: directory.to_owned(),
            interrupted: self.interrupted,
        }
    }
}
