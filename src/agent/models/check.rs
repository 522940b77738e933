//! Whether a model takes the settings that it would be sent: asked before the first request, which would be refused.

use super::facts::{Facts, SamplingRule, ThinkingMode};
use crate::message::{Effort, Settings, Thinking, ToolChoice};

/// A setting that the model refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The setting's key.
    pub key: &'static str,
    /// Why, and what it takes instead, as a lowercase fragment.
    pub why: String,
}

/// What a model of which `facts` are known refuses of `settings`. What is not known is not refused.
pub fn check(facts: &Facts, settings: &Settings) -> Vec<Refused> {
    let mut refused = Vec::new();
    let mut refuse = |key, why: String| refused.push(Refused { key, why });
    if let (Some(most), Some(tokens)) = (facts.max_output, settings.max_tokens)
        && tokens > most
    {
        refuse(
            "max_tokens",
            format!("the model writes at most {most} tokens"),
        );
    }
    if let (Some(levels), Some(effort)) = (&facts.effort, settings.effort)
        && !levels.contains(&effort)
    {
        refuse(
            "reasoning_effort",
            takes(levels.iter().map(|level| level.as_str())),
        );
    }
    if let (Some(modes), Some(thinking)) = (&facts.thinking, settings.thinking)
        && !modes.contains(&ThinkingMode::of(thinking))
    {
        refuse("thinking", takes(modes.iter().map(|mode| mode.as_str())));
    }
    let sampled = [
        (
            "temperature",
            settings
                .temperature
                .is_some_and(|value| (value - 1.0).abs() > f64::EPSILON),
        ),
        ("top_p", settings.top_p.is_some()),
        ("top_k", settings.top_k.is_some()),
    ];
    for (key, set) in sampled {
        if !set {
            continue;
        }
        match facts.sampling {
            Some(SamplingRule::No) => {
                refuse(key, "the model has no sampling settings".to_owned());
            }
            Some(SamplingRule::UnlessThinking) if thinks(facts, settings) => {
                refuse(
                    key,
                    format!(
                        "the model takes it only while it does not think{}",
                        how_not_to(facts)
                    ),
                );
            }
            Some(SamplingRule::Yes | SamplingRule::UnlessThinking) | None => {}
        }
    }
    if facts.forced_tools == Some(false)
        && matches!(
            settings.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Tool(_))
        )
    {
        refuse(
            "tool_choice",
            "the model takes only auto and none".to_owned(),
        );
    }
    refused
}

/// Whether the model thinks with these settings.
fn thinks(facts: &Facts, settings: &Settings) -> bool {
    match (settings.thinking, settings.effort) {
        (Some(Thinking::Disabled), _) | (None, Some(Effort::None)) => false,
        (Some(_), _) => true,
        (None, _) => facts.thinks.unwrap_or(false),
    }
}

fn how_not_to(facts: &Facts) -> String {
    let has_none = facts
        .effort
        .as_ref()
        .is_some_and(|levels| levels.contains(&Effort::None));
    let can_disable = facts
        .thinking
        .as_ref()
        .is_some_and(|modes| modes.contains(&ThinkingMode::Disabled));
    if has_none {
        " (`reasoning_effort=none`)".to_owned()
    } else if can_disable {
        " (`thinking=disabled`)".to_owned()
    } else {
        String::new()
    }
}

fn takes<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    if words.is_empty() {
        "the model has no such setting".to_owned()
    } else {
        format!("the model takes {}", words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::models::ModelTable;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "literals read better at the call"
    )]
    fn check(model: &str, settings: Settings, expected: &[(&str, &str)]) {
        let refused = super::check(&ModelTable::embedded().facts(model), &settings);
        let refused: Vec<(&str, &str)> = refused
            .iter()
            .map(|refused| (refused.key, refused.why.as_str()))
            .collect();
        assert_eq!(refused, expected, "{model}");
    }

    fn none() -> Settings {
        Settings::default()
    }

    #[test]
    fn what_a_model_refuses_is_known_before() {
        let cold = || Settings {
            temperature: Some(0.0),
            ..none()
        };
        check(
            "claude-opus-5-5",
            cold(),
            &[("temperature", "the model has no sampling settings")],
        );
        check("claude-sonnet-4-6", cold(), &[]);
        check(
            "claude-sonnet-4-6",
            Settings {
                thinking: Some(Thinking::Adaptive),
                ..cold()
            },
            &[(
                "temperature",
                "the model takes it only while it does not think (`thinking=disabled`)",
            )],
        );
        check(
            "gpt-5.4",
            cold(),
            &[(
                "temperature",
                "the model takes it only while it does not think (`reasoning_effort=none`)",
            )],
        );
        check(
            "gpt-5.4",
            Settings {
                effort: Some(Effort::None),
                ..cold()
            },
            &[],
        );
        check("gpt-4.1", cold(), &[]);
        check("an-unknown-model", cold(), &[]);
        // The default is what every model has anyway.
        check(
            "claude-opus-5-5",
            Settings {
                temperature: Some(1.0),
                ..none()
            },
            &[],
        );
    }

    #[test]
    fn efforts_ways_and_bounds() {
        check(
            "claude-opus-4-6",
            Settings {
                effort: Some(Effort::XHigh),
                max_tokens: Some(200_000),
                ..none()
            },
            &[
                ("max_tokens", "the model writes at most 128000 tokens"),
                ("reasoning_effort", "the model takes low, medium, high, max"),
            ],
        );
        check(
            "gpt-4o",
            Settings {
                effort: Some(Effort::Low),
                ..none()
            },
            &[("reasoning_effort", "the model has no such setting")],
        );
        check(
            "claude-opus-5-5",
            Settings {
                thinking: Some(Thinking::Budget(2000)),
                tool_choice: Some(ToolChoice::Required),
                ..none()
            },
            &[
                ("thinking", "the model takes adaptive"),
                ("tool_choice", "the model takes only auto and none"),
            ],
        );
    }
}
