//! The agent's settings, layer by layer: each key comes from the highest layer that sets it.

use crate::config::{Origin, Setting};
use crate::task::{AgentConfig, Steps, Task};

/// One layer.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Layer {
    /// What it sets.
    pub(in crate::cli) config: AgentConfig,
    /// Where a key of it was written.
    pub(in crate::cli) source: Source,
}

/// Where a layer comes from.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Source {
    /// A flag for each key (`--max-steps`).
    Flags,
    /// `-c KEY=VALUE`.
    Overrides,
    /// Anything that has one origin for all keys.
    One(Origin),
}

impl Source {
    fn origin(&self, key: &str) -> Origin {
        match self {
            Self::Flags => Origin::Flag(flag(key)),
            Self::Overrides => Origin::Flag(format!("-c {key}")),
            Self::One(origin) => origin.clone(),
        }
    }

    fn is_typed(&self) -> bool {
        matches!(
            self,
            Self::Flags | Self::Overrides | Self::One(Origin::Flag(_))
        )
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

/// The combination of all layers, highest first.
pub(in crate::cli) fn combined(layers: &[Layer]) -> AgentConfig {
    layers.iter().fold(AgentConfig::default(), |above, layer| {
        above.or(&layer.config)
    })
}

/// Each key that some layer sets, as text, with its origin; in the order of help.
pub(in crate::cli) fn origins(layers: &[Layer]) -> Vec<(&'static str, Setting<String>)> {
    entries(&combined(layers))
        .into_iter()
        .filter_map(|(key, value)| {
            let value = value?;
            let layer = layers
                .iter()
                .find(|layer| get(&layer.config, key).is_some())?;
            Some((
                key,
                Setting {
                    value,
                    origin: layer.source.origin(key),
                },
            ))
        })
        .collect()
}

/// A sentence for each key that was typed and that tasks set otherwise: `--max-steps 30 does not apply to 3 tasks that set it`.
pub(in crate::cli) fn not_applied(layers: &[Layer], tasks: &[Task]) -> Vec<String> {
    let typed = AgentConfig::default();
    entries(&typed)
        .into_iter()
        .filter_map(|(key, _)| {
            let layer = layers
                .iter()
                .find(|layer| get(&layer.config, key).is_some())?;
            let value = get(&layer.config, key)?;
            let setters = tasks
                .iter()
                .filter_map(|task| get(&task.agent, key))
                .filter(|own| *own != value)
                .count();
            if !layer.source.is_typed() || setters == 0 {
                return None;
            }
            let tasks = match setters {
                1 => "1 task that sets it".to_owned(),
                count => format!("{count} tasks that set it"),
            };
            let origin = layer.source.origin(key);
            Some(match (&layer.source, &origin) {
                (Source::Overrides, _) => format!("`-c {key}={value}` does not apply to {tasks}"),
                (_, Origin::Flag(flag)) if value == "true" => {
                    format!("`{flag}` does not apply to {tasks}")
                }
                (Source::Flags, Origin::Flag(_)) if value == "false" => {
                    format!("`--no-{}` does not apply to {tasks}", key.replace('_', "-"))
                }
                (_, Origin::Flag(flag)) => format!("`{flag} {value}` does not apply to {tasks}"),
                (_, origin) => format!("`{key}` from {origin} does not apply to {tasks}"),
            })
        })
        .collect()
}

/// The keys that both layers set.
pub(in crate::cli) fn both_set(one: &AgentConfig, other: &AgentConfig) -> Vec<&'static str> {
    entries(one)
        .into_iter()
        .filter(|(key, value)| value.is_some() && get(other, key).is_some())
        .map(|(key, _)| key)
        .collect()
}

fn get(config: &AgentConfig, key: &str) -> Option<String> {
    entries(config)
        .into_iter()
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| value)
}

/// Every key with its value as text.
fn entries(config: &AgentConfig) -> Vec<(&'static str, Option<String>)> {
    // Without `..`, so that a new setting cannot be forgotten here.
    let AgentConfig {
        max_steps,
        system_prompt,
        allowed_tools,
        disallowed_tools,
        append_setup_output,
        auto_respond,
        timeout_seconds,
        tool_timeout_seconds,
        model_timeout_seconds,
        max_tokens,
        temperature,
        top_p,
    } = config;
    let list = |names: &Option<Vec<String>>| names.as_ref().map(|names| names.join(","));
    fn text<T: ToString>(value: &Option<T>) -> Option<String> {
        value.as_ref().map(ToString::to_string)
    }
    vec![
        (
            "max_steps",
            max_steps.map(|steps| match steps {
                Steps::AtMost(count) => count.to_string(),
                Steps::Unlimited => "-1".to_owned(),
            }),
        ),
        ("system_prompt", system_prompt.clone()),
        ("allowed_tools", list(allowed_tools)),
        ("disallowed_tools", list(disallowed_tools)),
        ("append_setup_output", text(append_setup_output)),
        ("auto_respond", text(auto_respond)),
        ("timeout_seconds", text(timeout_seconds)),
        ("tool_timeout_seconds", text(tool_timeout_seconds)),
        ("model_timeout_seconds", text(model_timeout_seconds)),
        ("max_tokens", text(max_tokens)),
        ("temperature", text(temperature)),
        ("top_p", text(top_p)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::settings::testing::task;

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
                Source::One(Origin::Default),
            ),
        ]);
        assert_eq!(
            combined(&layers),
            AgentConfig {
                temperature: Some(0.5),
                ..steps(3)
            }
        );
        let setting = |value: &str, origin| Setting {
            value: value.to_owned(),
            origin,
        };
        assert_eq!(
            origins(&layers),
            [
                (
                    "max_steps",
                    setting("3", Origin::Flag("-c max_steps".to_owned()))
                ),
                ("temperature", setting("0.5", Origin::Default)),
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
        check(vec![(steps(30), Source::One(Origin::Default))], &[]);
        let respond = |value| AgentConfig {
            auto_respond: Some(value),
            ..AgentConfig::default()
        };
        check(
            vec![(respond(false), Source::Flags)],
            &["`--no-auto-respond` does not apply to 1 task that sets it"],
        );
        check(
            vec![(
                respond(true),
                Source::One(Origin::Flag("--full".to_owned())),
            )],
            &["`--full` does not apply to 2 tasks that set it"],
        );
    }

    #[test]
    fn a_key_set_twice_is_found() {
        assert_eq!(both_set(&steps(1), &steps(2)), ["max_steps"]);
        assert_eq!(
            both_set(&steps(1), &AgentConfig::default()),
            Vec::<&str>::new()
        );
    }
}
