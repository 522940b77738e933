//! The agent's settings from all layers below the tasks' own.

use crate::agent::provider::AgentType;
use crate::cli::failure::Failure;
use crate::config::Origin;
use crate::task::{AgentConfig, Steps, Task};

use super::agent_layers::{self, AgentRow, Layer, Source};

/// Settings of which only a model can make something.
const SAMPLING: [&str; 3] = ["max_tokens", "temperature", "top_p"];

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

    /// Checks that what was typed can be applied by an agent of this type.
    pub(in crate::cli) fn check_applies(&self, agent: AgentType) -> Result<(), Failure> {
        if !matches!(agent, AgentType::Oracle | AgentType::Scripted) {
            return Ok(());
        }
        match agent_layers::typed(&self.layers, &SAMPLING).as_slice() {
            [] => Ok(()),
            typed => Err(Failure::usage(format!(
                "{} cannot be applied: the agent `{agent}` calls no model",
                typed.join(", ")
            ))),
        }
    }

    /// A sentence for each flag that tasks override.
    pub(in crate::cli) fn not_applied(&self, tasks: &[Task]) -> Vec<String> {
        agent_layers::not_applied(&self.layers, tasks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::words;

    #[test]
    fn settings_of_a_model_need_one() {
        let check = |agent: AgentType, source: Source, expected: Option<&str>| {
            let config = AgentConfig {
                temperature: Some(0.5),
                top_p: Some(0.9),
                max_steps: Some(Steps::AtMost(3)),
                ..AgentConfig::default()
            };
            let settings = AgentSettings::new(&[Layer { config, source }], None, Vec::new());
            let got = settings.check_applies(agent).err();
            let got = got.and_then(|failure| words(&failure));
            assert_eq!(got.as_deref(), expected, "{agent}");
        };
        check(
            AgentType::Oracle,
            Source::Overrides,
            Some(
                "`-c temperature=0.5`, `-c top_p=0.9` cannot be applied: the agent `oracle` calls no model",
            ),
        );
        check(AgentType::Claude, Source::Overrides, None);
        // A file may be for several agents.
        check(AgentType::Oracle, Source::Below(Origin::Default), None);
    }
}
