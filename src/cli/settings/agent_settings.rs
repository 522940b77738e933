//! The agent's settings from all layers below the tasks' own.

use crate::config::Origin;
use crate::task::{AgentConfig, Steps, Task};

use super::agent_layers::{self, AgentRow, Layer, Source};

/// What every rollout's agent gets unless its task says otherwise.
#[derive(Clone, Debug)]
pub(in crate::cli) struct AgentSettings {
    layers: Vec<Layer>,
}

impl AgentSettings {
    /// From the layers that were typed, the task file's, the project's (for the agent's type), and the defaults.
    pub(in crate::cli) fn new(
        typed: &[Layer],
        task_file: Option<Layer>,
        project: Vec<Layer>,
    ) -> Self {
        let defaults = Layer {
            config: AgentConfig {
                max_steps: Some(Steps::AtMost(10)),
                auto_respond: Some(false),
                append_setup_output: Some(true),
                // A tool that takes longer hangs more often than it works.
                tool_timeout_seconds: Some(120.0),
                // Thinking models take minutes for one answer.
                model_timeout_seconds: Some(600.0),
                ..AgentConfig::default()
            },
            source: Source::Below(Origin::Default),
        };
        let layers = typed
            .iter()
            .cloned()
            .chain(task_file)
            .chain(project)
            .chain([defaults])
            .collect();
        Self { layers }
    }

    /// All layers as one.
    pub(in crate::cli) fn combined(&self) -> AgentConfig {
        agent_layers::combined(&self.layers)
    }

    /// Each key with its origin.
    pub(in crate::cli) fn origins(&self) -> Vec<AgentRow> {
        agent_layers::origins(&self.layers)
    }

    /// A sentence for each flag that tasks override.
    pub(in crate::cli) fn not_applied(&self, tasks: &[Task]) -> Vec<String> {
        agent_layers::not_applied(&self.layers, tasks)
    }
}
