//! `-c KEY=VALUE`: settings of the agent, typed by their key. Every one applies or is an error.

use std::path::Path;

use serde_json::Value;

use crate::agent::provider::AgentType;
use crate::cli::args::KeyValue;
use crate::cli::failure::Failure;
use crate::task::{self, AGENT_CONFIG_KEYS, AgentConfig, Location, Steps};
use crate::util::suggest::did_you_mean;

/// What `-c` set, in all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cli) struct Overrides {
    /// Settings of the agent.
    pub(super) agent: AgentConfig,
    /// `-c model=NAME`.
    pub(super) model: Option<String>,
    /// `-c base_url=URL`.
    pub(super) base_url: Option<String>,
    /// `TYPE.KEY` as typed, with its type: an error unless that is the agent's type.
    scoped: Vec<(AgentType, String)>,
}

impl Overrides {
    /// Reads all of them; a later one of the same key wins. All mistakes are reported at once.
    pub(super) fn parse(pairs: &[KeyValue]) -> Result<Self, Failure> {
        let mut overrides = Self::default();
        let mut mistakes = Vec::new();
        let mut agent: Vec<(String, Value, Location)> = Vec::new();
        for KeyValue { key, value } in pairs {
            match overrides.name(key) {
                Ok("model") => overrides.model = Some(value.clone()),
                Ok("base_url") => overrides.base_url = Some(value.clone()),
                Ok(name) => {
                    agent.retain(|(earlier, ..)| earlier != name);
                    // Every mistake names its key, so all of them may have the same place.
                    let place = Location::of_file(Path::new("-c"));
                    agent.push((name.to_owned(), typed(name, value), place));
                }
                Err(mistake) => mistakes.push(format!("-c {key}: {mistake}")),
            }
        }
        match task::file::agent_config("the agent's settings", agent) {
            Ok(agent) => overrides.agent = agent,
            Err(errors) => mistakes.extend(errors.errors.iter().map(ToString::to_string)),
        }
        let is_unknown = |mistake: &String| {
            mistake.contains("unknown field") && !mistake.contains("did you mean")
        };
        if mistakes.iter().any(is_unknown) {
            mistakes.push(format!(
                "hint: settings of the agent are {}, model, base_url",
                AGENT_CONFIG_KEYS.join(", ")
            ));
        }
        if mistakes.is_empty() {
            Ok(overrides)
        } else {
            Err(Failure::usage(mistakes.join("\n")))
        }
    }

    /// An error when something was set for another type of agent.
    pub(in crate::cli) fn check_type(&self, agent_type: AgentType) -> Result<(), Failure> {
        match self.scoped.iter().find(|(scope, _)| *scope != agent_type) {
            None => Ok(()),
            Some((scope, key)) => Err(Failure::usage(format!(
                "-c {key} does not apply: the agent is `{agent_type}`, not `{}`\nhint: leave `{}.` out to set it for any agent",
                scope.as_str(),
                scope.as_str(),
            ))),
        }
    }

    /// The key without its namespace, which is remembered when it is the type of an agent.
    fn name<'k>(&mut self, key: &'k str) -> Result<&'k str, String> {
        match key.split_once('.') {
            None => Ok(key),
            Some(("agent", name)) => Ok(name),
            Some((scope, name)) => {
                let scope = scope.parse::<AgentType>().map_err(|_| {
                    format!(
                        "unknown type of agent `{scope}`{}",
                        choices(scope, types().chain(["agent"]))
                    )
                })?;
                self.scoped.push((scope, key.to_owned()));
                Ok(name)
            }
        }
    }
}

fn types() -> impl Iterator<Item = &'static str> {
    AgentType::ALL.into_iter().map(AgentType::as_str)
}

/// The nearest of `names`, or all of them when none is near.
fn choices<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match did_you_mean(word, names.iter().copied()) {
        nearest if nearest.is_empty() => format!("; there are {}", names.join(", ")),
        nearest => nearest,
    }
}

/// What was typed as the kind of value that `key` takes. What does not fit stays text, for the check to refuse.
fn typed(key: &str, text: &str) -> Value {
    let json = || {
        let text = text.trim();
        let lowercase = text.to_ascii_lowercase();
        serde_json::from_str(if matches!(lowercase.as_str(), "true" | "false") {
            &lowercase
        } else {
            text
        })
        .unwrap_or_else(|_| Value::String(text.to_owned()))
    };
    match key {
        "system_prompt" => Value::String(text.to_owned()),
        "allowed_tools" | "disallowed_tools" if !text.trim_start().starts_with('[') => text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect(),
        _ => json(),
    }
}

/// A number of steps as typed: `-1` is no limit.
pub(super) fn steps(number: i64) -> Result<Steps, String> {
    match u32::try_from(number) {
        Ok(number) if number > 0 => Ok(Steps::AtMost(number)),
        _ if number == -1 => Ok(Steps::Unlimited),
        _ => Err(format!(
            "expected at least 1, or -1 for no limit, got {number}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::words;

    fn parse(pairs: &[&str]) -> Result<Overrides, String> {
        let pairs: Vec<KeyValue> = pairs.iter().map(|pair| pair.parse().unwrap()).collect();
        Overrides::parse(&pairs).map_err(|failure| words(&failure).unwrap())
    }

    fn check(pairs: &[&str], expected: &AgentConfig) {
        assert_eq!(parse(pairs).unwrap().agent, *expected, "{pairs:?}");
    }

    #[test]
    fn each_key_has_its_type() {
        let none = AgentConfig::default;
        check(&[], &none());
        check(
            &["max_steps=3"],
            &AgentConfig {
                max_steps: Some(Steps::AtMost(3)),
                ..none()
            },
        );
        check(
            &["max_steps=3", "agent.max_steps=-1"],
            &AgentConfig {
                max_steps: Some(Steps::Unlimited),
                ..none()
            },
        );
        check(
            &["system_prompt=be = brief"],
            &AgentConfig {
                system_prompt: Some("be = brief".to_owned()),
                ..none()
            },
        );
        check(
            &["allowed_tools=a, b*", r#"disallowed_tools=["c,d"]"#],
            &AgentConfig {
                allowed_tools: Some(vec!["a".to_owned(), "b*".to_owned()]),
                disallowed_tools: Some(vec!["c,d".to_owned()]),
                ..none()
            },
        );
        check(
            &["append_setup_tool=True", "auto_respond=false"],
            &AgentConfig {
                append_setup_output: Some(true),
                auto_respond: Some(false),
                ..none()
            },
        );
        check(
            &[
                "timeout_seconds=1.5",
                "tool_timeout_seconds=2",
                "model_timeout_seconds=3",
            ],
            &AgentConfig {
                timeout_seconds: Some(1.5),
                tool_timeout_seconds: Some(2.0),
                model_timeout_seconds: Some(3.0),
                ..none()
            },
        );
        check(
            &["claude.max_tokens=10", "claude.temperature=0", "top_p=0.9"],
            &AgentConfig {
                max_tokens: Some(10),
                temperature: Some(0.0),
                top_p: Some(0.9),
                ..none()
            },
        );
    }

    #[test]
    fn mistakes_are_told_all_at_once() {
        let error = parse(&[
            "max_step=3",
            "zzz=3",
            "clade.top_p=1",
            "top_p=high",
            "max_tokens=0",
        ])
        .unwrap_err();
        insta::assert_snapshot!(error, @r"
        -c clade.top_p: unknown type of agent `clade`; did you mean 'claude'?
        -c: unknown field 'max_step' in the agent's settings; did you mean 'max_steps'?
        -c: unknown field 'zzz' in the agent's settings
        -c: 'top_p' in the agent's settings must be a number above 0, at most 1, not the string 'high'
        -c: 'max_tokens' in the agent's settings must be a whole number of at least 1, not 0
        hint: settings of the agent are max_steps, system_prompt, allowed_tools, disallowed_tools, append_setup_output, append_setup_tool, auto_respond, timeout_seconds, tool_timeout_seconds, model_timeout_seconds, max_tokens, temperature, top_p, model, base_url
        ");
    }

    #[test]
    fn a_setting_of_another_agent_is_an_error() {
        let overrides = parse(&["claude.top_p=1", "agent.top_p=1"]).unwrap();
        assert!(overrides.check_type(AgentType::Claude).is_ok());
        let error = words(&overrides.check_type(AgentType::Oracle).unwrap_err()).unwrap();
        assert_eq!(
            error,
            "-c claude.top_p does not apply: the agent is `oracle`, not `claude`\nhint: leave `claude.` out to set it for any agent"
        );
    }

    #[test]
    fn model_and_base_url_may_be_set() {
        let overrides = parse(&["claude.model=m", "base_url=http://x"]).unwrap();
        assert_eq!(
            (overrides.model.as_deref(), overrides.base_url.as_deref()),
            (Some("m"), Some("http://x"))
        );
    }
}
