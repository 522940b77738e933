//! The agent's settings, layer by layer: each key comes from the highest layer that sets it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::Origin;
use crate::task::{AgentConfig, Task};

/// One layer.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Layer {
    /// What it sets.
    pub(in crate::cli) config: AgentConfig,
    /// Where it was written.
    pub(in crate::cli) source: Source,
}

/// Where a layer comes from.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Source {
    /// A flag for each key (`--max-steps`).
    Flags,
    /// `-c KEY=VALUE`.
    Overrides,
    /// `--full`.
    Full,
    /// One place for all keys: a task file's `agent:`, the defaults.
    Below(Origin),
    /// A place for each key: a section of `hud.toml`.
    Keys(BTreeMap<String, Origin>),
}

impl Source {
    /// What was typed to set `key` to `value`; `None` when it was not typed.
    fn typed(&self, key: &str, value: &str) -> Option<String> {
        match self {
            Self::Flags => Some(match value {
                "true" => flag(key),
                "false" => flag(key).replace("--", "--no-"),
                _ => format!("{} {value}", flag(key)),
            }),
            Self::Overrides => Some(format!("-c {key}={value}")),
            Self::Full => Some("--full".to_owned()),
            Self::Below(_) | Self::Keys(_) => None,
        }
    }

    fn label(&self, key: &str) -> String {
        match self {
            Self::Flags => format!("flag {}", flag(key)),
            Self::Overrides => format!("flag -c {key}"),
            Self::Full => "flag --full".to_owned(),
            Self::Below(origin) => origin.to_string(),
            Self::Keys(origins) => origins
                .get(key)
                .map_or_else(String::new, ToString::to_string),
        }
    }
}

/// The flag that sets `key`.
pub(super) fn flag(key: &str) -> String {
    let name = match key {
        "tool_timeout_seconds" => "tool-timeout".to_owned(),
        "model_timeout_seconds" => "model-timeout".to_owned(),
        _ => key.replace('_', "-"),
    };
    format!("--{name}")
}

/// A setting of the agent, for `--show-config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct AgentRow {
    /// Its key.
    pub(in crate::cli) key: String,
    /// Its value as text.
    pub(in crate::cli) value: String,
    /// Where it came from.
    pub(in crate::cli) origin: String,
}

/// The combination of all layers, highest first.
pub(in crate::cli) fn combined(layers: &[Layer]) -> AgentConfig {
    layers.iter().fold(AgentConfig::default(), |above, layer| {
        above.or(&layer.config)
    })
}

/// Each key that some layer sets, with its origin.
pub(in crate::cli) fn origins(layers: &[Layer]) -> Vec<AgentRow> {
    entries(&combined(layers))
        .into_iter()
        .filter_map(|(key, value)| {
            let layer = highest(layers, &key)?;
            let origin = layer.source.label(&key);
            Some(AgentRow { key, value, origin })
        })
        .collect()
}

/// A sentence for each key that was typed and that tasks set otherwise: `--max-steps 30 does not apply to 3 tasks that set it`.
pub(in crate::cli) fn not_applied(layers: &[Layer], tasks: &[Task]) -> Vec<String> {
    entries(&combined(layers))
        .into_iter()
        .filter_map(|(key, value)| {
            let typed = highest(layers, &key)?.source.typed(&key, &value)?;
            let others = tasks
                .iter()
                .filter_map(|task| get(&task.agent, &key))
                .filter(|own| *own != value)
                .count();
            match others {
                0 => None,
                1 => Some(format!("`{typed}` does not apply to 1 task that sets it")),
                count => Some(format!(
                    "`{typed}` does not apply to {count} tasks that set it"
                )),
            }
        })
        .collect()
}

/// What was typed of `keys`, as it was typed.
pub(in crate::cli) fn typed(layers: &[Layer], keys: &[&str]) -> Vec<String> {
    entries(&combined(layers))
        .into_iter()
        .filter(|(key, _)| keys.contains(&key.as_str()))
        .filter_map(|(key, value)| {
            let typed = highest(layers, &key)?.source.typed(&key, &value)?;
            Some(format!("`{typed}`"))
        })
        .collect()
}

/// The keys that both layers set.
pub(in crate::cli) fn both_set(one: &AgentConfig, other: &AgentConfig) -> Vec<String> {
    entries(one)
        .into_iter()
        .map(|(key, _)| key)
        .filter(|key| get(other, key).is_some())
        .collect()
}

fn highest<'a>(layers: &'a [Layer], key: &str) -> Option<&'a Layer> {
    layers
        .iter()
        .find(|layer| get(&layer.config, key).is_some())
}

/// Every key that is set, with its value as text.
fn entries(config: &AgentConfig) -> Vec<(String, String)> {
    config
        .to_json()
        .into_iter()
        .map(|(key, value)| (key, text(&value)))
        .collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(names) => names.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn get(config: &AgentConfig, key: &str) -> Option<String> {
    config.to_json().get(key).map(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::settings::testing::task;
    use crate::task::Steps;

    fn steps(count: u32) -> AgentConfig {
        AgentConfig {
            max_steps: Some(Steps::AtMost(count)),
            ..AgentConfig::default()
        }
    }

    fn layers(configs: Vec<(AgentConfig, Source)>) -> Vec<Layer> {
        configs
            .into_iter()
            .map(|(config, source)| Layer { config, source })
            .collect()
    }

    #[test]
    fn the_highest_layer_that_sets_a_key_wins() {
        let layers = layers(vec![
            (AgentConfig::default(), Source::Flags),
            (steps(3), Source::Overrides),
            (
                AgentConfig {
                    temperature: Some(0.5),
                    ..steps(4)
                },
                Source::Below(Origin::Default),
            ),
        ]);
        assert_eq!(
            combined(&layers),
            AgentConfig {
                temperature: Some(0.5),
                ..steps(3)
            }
        );
        let row = |key: &str, value: &str, origin: &str| AgentRow {
            key: key.to_owned(),
            value: value.to_owned(),
            origin: origin.to_owned(),
        };
        assert_eq!(
            origins(&layers),
            [
                row("max_steps", "3", "flag -c max_steps"),
                row("temperature", "0.5", "default"),
            ]
        );
    }

    #[test]
    fn a_flag_that_tasks_override_is_told_once() {
        let check = |configs: Vec<(AgentConfig, Source)>, expected: &[&str]| {
            let tasks = [Some(5), Some(6), None, Some(30)].map(|count| {
                let mut task = task("a");
                task.agent = count.map(steps).unwrap_or_default();
                task.agent.auto_respond = count.map(|count| count == 5);
                task
            });
            assert_eq!(not_applied(&layers(configs), &tasks), expected);
        };
        check(
            vec![(steps(30), Source::Flags)],
            &["`--max-steps 30` does not apply to 2 tasks that set it"],
        );
        check(
            vec![(steps(30), Source::Overrides)],
            &["`-c max_steps=30` does not apply to 2 tasks that set it"],
        );
        check(vec![(steps(30), Source::Below(Origin::Default))], &[]);
        let respond = |value| AgentConfig {
            auto_respond: Some(value),
            ..AgentConfig::default()
        };
        check(
            vec![(respond(false), Source::Flags)],
            &["`--no-auto-respond` does not apply to 1 task that sets it"],
        );
        check(
            vec![(respond(true), Source::Full)],
            &["`--full` does not apply to 2 tasks that set it"],
        );
    }

    #[test]
    fn a_key_set_twice_is_found() {
        assert_eq!(both_set(&steps(1), &steps(2)), ["max_steps"]);
        assert!(both_set(&steps(1), &AgentConfig::default()).is_empty());
    }
}
