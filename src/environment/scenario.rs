//! The scenario convention over MCP: how a task is posed, answered and graded on the wire.
//!
//! Source: `DESIGN` §3 and the behaviour of Python hud 5, with which it is compatible in both directions.

use serde_json::{Map, Value};

use super::api::{Argument, Prompt, ScenarioInfo};
use crate::event::{Evaluation, SubScore};
use crate::mcp::{PromptInfo, PromptResult};
use crate::message::{Block, Content, Message, Role, StopReason, Turn, Usage};

/// The hidden tool that stores the answer.
pub(super) const SUBMIT_TOOL: &str = "_hud_submit";

/// The scenario behind a prompt, if it is one: scenarios are called `environment:scenario`.
pub(super) fn from_prompt(prompt: &PromptInfo) -> Option<(String, ScenarioInfo)> {
    let (environment, name) = prompt.name.split_once(':')?;
    let described = prompt.meta.get("arguments").and_then(Value::as_array);
    let arguments = prompt
        .arguments
        .iter()
        .map(|(name, required)| {
            let meta = described.and_then(|described| {
                described
                    .iter()
                    .find(|argument| argument["name"].as_str() == Some(name))
            });
            argument(name, *required, meta)
        })
        .collect();
    let strings = |key: &str| {
        prompt
            .meta
            .get(key)
            .and_then(Value::as_array)
            .map(|values| {
                values
                    .iter()
                    .filter_map(|value| value.as_str().map(str::to_owned))
                    .collect()
            })
            .unwrap_or_default()
    };
    Some((
        environment.to_owned(),
        ScenarioInfo {
            name: name.to_owned(),
            description: prompt
                .description
                .strip_prefix("[Setup]")
                .unwrap_or(&prompt.description)
                .trim()
                .to_owned(),
            arguments,
            chat: prompt.meta.get("chat").and_then(Value::as_bool) == Some(true),
            required_env_vars: strings("required_env_vars"),
        },
    ))
}

/// An argument as `_meta.arguments` or the worker describes it: `{name, required, default?, type | inputSchema}`.
pub(super) fn argument(name: &str, required: bool, meta: Option<&Value>) -> Argument {
    let schema = meta.and_then(|meta| {
        meta.get("inputSchema").cloned().or_else(|| {
            meta.get("type")
                .map(|kind| serde_json::json!({"type": kind}))
        })
    });
    Argument {
        name: name.to_owned(),
        required: meta
            .and_then(|meta| meta.get("required"))
            .and_then(Value::as_bool)
            .unwrap_or(required),
        schema,
        default: meta.and_then(|meta| meta.get("default")).cloned(),
    }
}

/// Arguments as MCP carries them: strings as they are, everything else as JSON.
pub(super) fn encode_arguments(args: &Map<String, Value>) -> Map<String, Value> {
    args.iter()
        .map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (name.clone(), Value::String(text))
        })
        .collect()
}

/// The prompt of a setup.
pub(super) fn prompt(result: PromptResult) -> Prompt {
    let roles: Vec<Role> = result
        .meta
        .get("hud/roles")
        .and_then(|roles| serde_json::from_value(roles.clone()).ok())
        .unwrap_or_default();
    let mut messages: Vec<Message> = Vec::new();
    for (index, (role, content)) in result.messages.into_iter().enumerate() {
        // MCP's prompts know no system role; our workers name it beside the messages.
        let role = roles.get(index).copied().unwrap_or(role);
        match (role, messages.last_mut()) {
            (Role::User, Some(Message::User { content: last }))
            | (Role::System, Some(Message::System { content: last })) => last.push(content),
            (Role::Assistant, Some(Message::Assistant { turn })) => {
                turn.blocks.push(assistant_block(content));
            }
            (Role::User, _) => messages.push(Message::User {
                content: vec![content],
            }),
            (Role::System, _) => messages.push(Message::System {
                content: vec![content],
            }),
            (Role::Assistant, _) => messages.push(Message::Assistant {
                turn: Turn {
                    model: String::new(),
                    blocks: vec![assistant_block(content)],
                    stop: StopReason::Done,
                    stop_detail: None,
                    usage: Usage::default(),
                    response_id: None,
                },
            }),
        }
    }
    Prompt {
        messages,
        returns_schema: result.meta.get("returns_schema").cloned(),
        enable_citations: result.meta.get("enable_citations").and_then(Value::as_bool)
            == Some(true),
    }
}

fn assistant_block(content: Content) -> Block {
    match content {
        Content::Text { text } => Block::text(text),
        // No provider takes pictures from an assistant; the words at least say that there was one.
        Content::Image { mime_type, .. } => Block::text(format!("[image {mime_type}]")),
        Content::Audio { mime_type, .. } => Block::text(format!("[audio {mime_type}]")),
        Content::Resource { uri, text, .. } => {
            Block::text(text.unwrap_or_else(|| format!("[resource {uri}]")))
        }
        Content::ResourceLink { uri, .. } => Block::text(format!("[resource {uri}]")),
        Content::Other { value } => Block::text(value.to_string()),
    }
}

/// The grade in the JSON of a scenario's resource.
///
/// # Errors
/// In words: not a grade, or a grader that failed. Neither is a reward.
pub(super) fn evaluation(json: &str) -> Result<Evaluation, String> {
    let value: Value = serde_json::from_str(json)
        .map_err(|error| format!("the grade is not valid JSON: {error}"))?;
    let Some(object) = value.as_object() else {
        return Err("the grade is not a JSON object".to_owned());
    };
    let content = object
        .get("content")
        .and_then(Value::as_str)
        .map(str::to_owned);
    if object.get("isError").and_then(Value::as_bool) == Some(true) {
        let words = content.unwrap_or_else(|| "it gave no reason".to_owned());
        return Err(format!("the grader failed: {words}"));
    }
    let reward = object
        .get("reward")
        .and_then(Value::as_f64)
        .filter(|reward| reward.is_finite())
        .ok_or("the grade has no finite number `reward`")?;
    let subscores = object
        .get("subscores")
        .and_then(Value::as_array)
        .map(|list| {
            list.iter()
                .filter_map(|score| {
                    Some(SubScore {
                        name: score.get("name")?.as_str()?.to_owned(),
                        weight: score.get("weight").and_then(Value::as_f64).unwrap_or(1.0),
                        value: score.get("value").and_then(Value::as_f64)?,
                    })
                })
                .collect()
        })
        .unwrap_or_default();
    Ok(Evaluation {
        reward,
        done: object.get("done").and_then(Value::as_bool).unwrap_or(true),
        content,
        info: object
            .get("info")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default(),
        subscores,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_travel_as_strings_and_only_strings_stay_bare() {
        let args = json!({"a": "x", "b": "1", "c": 1, "d": [1, "y"], "e": null, "f": true});
        assert_eq!(
            Value::Object(encode_arguments(args.as_object().unwrap())),
            json!({"a": "x", "b": "1", "c": "1", "d": "[1,\"y\"]", "e": "null", "f": "true"})
        );
    }

    #[test]
    fn a_grade_is_a_finite_number_or_an_error() {
        let check = |json: &str| evaluation(json).map(|evaluation| evaluation.reward);
        assert_eq!(check(r#"{"reward": 0.5}"#), Ok(0.5));
        assert_eq!(check(r#"{"reward": -1, "done": false}"#), Ok(-1.0));
        for (json, error) in [
            ("[]", "the grade is not a JSON object"),
            (r#"{"score": 1}"#, "the grade has no finite number `reward`"),
            (
                r#"{"reward": null}"#,
                "the grade has no finite number `reward`",
            ),
            (
                r#"{"reward": 0.0, "isError": true, "content": "boom"}"#,
                "the grader failed: boom",
            ),
        ] {
            assert_eq!(check(json), Err(error.to_owned()));
        }
    }

    #[test]
    fn roles_of_a_prompt_are_kept_and_neighbours_joined() {
        let result = PromptResult {
            messages: vec![
                (Role::User, Content::text("be brief")),
                (Role::User, Content::text("hi")),
                (Role::User, Content::text("there")),
                (Role::Assistant, Content::text("hello")),
                (Role::User, Content::text("2+2?")),
            ],
            meta: json!({"hud/roles": ["system", "user", "user", "assistant", "user"]})
                .as_object()
                .unwrap()
                .clone(),
        };
        let kinds: Vec<String> = prompt(result)
            .messages
            .iter()
            .map(|message| match message {
                Message::System { content } => format!("system {}", content.len()),
                Message::User { content } => format!("user {}", content.len()),
                Message::Assistant { turn } => format!("assistant {}", turn.text()),
                Message::Tools { .. } => "tools".to_owned(),
            })
            .collect();
        assert_eq!(kinds, ["system 1", "user 2", "assistant hello", "user 1"]);
    }
}
