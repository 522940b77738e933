//! What a job will do, fully resolved and validated before anything starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Judge;
use crate::agent::ModelSource;
use crate::environment::Environments;
use crate::task::{AgentConfig, Task};
use crate::util::backoff::Backoff;

/// Bounds of one rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Wall time of a whole rollout; the loop is ended in time for grading. `None` is unbounded.
    pub rollout_timeout: Option<Duration>,
    /// Wall time of connect, of setup, of submit plus grade, each.
    pub phase_timeout: Duration,
    /// Wall time of one tool call.
    pub tool_timeout: Duration,
    /// Wall time of one model call.
    pub model_timeout: Duration,
    /// Tokens of one rollout.
    pub rollout_tokens: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rollout_timeout: None,
            // Setting up may build fixtures or start services; a hung one should still end within a coffee break.
            phase_timeout: Duration::from_mins(5),
            tool_timeout: Duration::from_mins(2),
            // Thinking models take minutes for one answer.
            model_timeout: Duration::from_mins(10),
            rollout_tokens: None,
        }
    }
}

/// A job.
#[derive(Clone)]
pub struct Plan {
    /// Id and name of the run directory.
    pub job: String,
    /// The job's name.
    pub name: String,
    /// Tasks, each run `group` times.
    pub tasks: Vec<Task>,
    /// Repeats of each task.
    pub group: u32,
    /// The model.
    pub model: ModelSource,
    /// Makes model calls on behalf of graders; `None` refuses them.
    pub judge: Option<Arc<Judge>>,
    /// How failed model calls are made again.
    pub retry: Backoff,
    /// The model as the user named it.
    pub model_name: String,
    /// The agent type.
    pub agent_type: String,
    /// Agent settings below each task's own (flag, environment, task file, `hud.toml`, default already combined).
    pub agent: AgentConfig,
    /// Rollouts at once.
    pub max_concurrent: usize,
    /// The job's seed.
    pub seed: u64,
    /// Bounds of each rollout.
    pub limits: Limits,
    /// A reward above this is a success.
    pub success_threshold: f64,
    /// Where the environments of the tasks come from.
    pub environments: Arc<Environments>,
    /// The run directory, as it is shown.
    pub directory: PathBuf,
    /// For readers of the run: settings without secrets, versions, the tasks.
    pub record: Value,
}
