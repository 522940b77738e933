//! Scenarios, prompts and evaluations as text for people and as JSON for programs.

use serde_json::{Map, Value, json};

use crate::environment::{Argument, Prompt, ScenarioInfo};
use crate::event::Evaluation;
use crate::message::{Content, Message};
use crate::util::text;

/// `trivia:initials(company: string, year: integer = 2026)  what it is about`.
pub(super) fn line(environment: &str, scenario: &ScenarioInfo) -> String {
    let arguments: Vec<String> = scenario.arguments.iter().map(argument).collect();
    let mut line = format!("{environment}:{}({})", scenario.name, arguments.join(", "));
    if scenario.chat {
        line.push_str("  [chat]");
    }
    if !scenario.description.trim().is_empty() {
        line.push_str("  ");
        line.push_str(&text::one_line(&scenario.description, 100));
    }
    text::strip_control(&line)
}

fn argument(argument: &Argument) -> String {
    let mut text = argument.name.clone();
    if let Some(kind) = argument
        .schema
        .as_ref()
        .and_then(|schema| schema["type"].as_str())
    {
        text.push_str(": ");
        text.push_str(kind);
    }
    match &argument.default {
        Some(default) => format!("{text} = {default}"),
        None if argument.required => text,
        None => format!("{text}?"),
    }
}

/// The same as one object.
pub(super) fn json(environment: &str, scenario: &ScenarioInfo) -> Value {
    let arguments: Vec<Value> = scenario
        .arguments
        .iter()
        .map(|argument| {
            let mut object = Map::from_iter([
                ("name".to_owned(), json!(argument.name)),
                ("required".to_owned(), json!(argument.required)),
            ]);
            if let Some(schema) = &argument.schema {
                object.insert("schema".to_owned(), schema.clone());
            }
            if let Some(default) = &argument.default {
                object.insert("default".to_owned(), default.clone());
            }
            Value::Object(object)
        })
        .collect();
    json!({
        "environment": environment,
        "name": scenario.name,
        "description": scenario.description,
        "arguments": arguments,
        "chat": scenario.chat,
        "required_env_vars": scenario.required_env_vars,
    })
}

/// The prompt for people: a single message of the user as it is, of a conversation each message under its role. What is not text is named:
/// `[image image/png]`.
pub(super) fn prompt_text(prompt: &Prompt) -> String {
    if let [Message::User { content }] = prompt.messages.as_slice() {
        return content_text(content);
    }
    prompt
        .messages
        .iter()
        .map(|message| match message {
            Message::System { content } => format!("[system]\n{}", content_text(content)),
            Message::User { content } => format!("[user]\n{}", content_text(content)),
            Message::Assistant { turn } => format!("[assistant]\n{}", turn.text()),
            Message::Tools { results } => {
                let texts: Vec<String> = results
                    .iter()
                    .map(|result| content_text(&result.content))
                    .collect();
                format!("[tool]\n{}", texts.join("\n"))
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn content_text(content: &[Content]) -> String {
    content
        .iter()
        .map(|content| match content {
            Content::Text { text } => text.clone(),
            Content::Image { mime_type, .. } => format!("[image {mime_type}]"),
            Content::Audio { mime_type, .. } => format!("[audio {mime_type}]"),
            Content::Resource { uri, text, .. } => match text {
                Some(text) => format!("[file {uri}]\n{text}"),
                None => format!("[file {uri}]"),
            },
            Content::ResourceLink { uri, name, .. } => format!("[link {name} {uri}]"),
            Content::Other { value } => format!(
                "[{}]",
                value.get("type").and_then(Value::as_str).unwrap_or("?")
            ),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// `{"messages": [{"role", "content"}], "returns_schema", "enable_citations"}`.
pub(super) fn prompt_json(prompt: &Prompt) -> Value {
    let messages: Vec<Value> = prompt
        .messages
        .iter()
        .map(|message| match message {
            Message::System { content } => json!({"role": "system", "content": content}),
            Message::User { content } => json!({"role": "user", "content": content}),
            Message::Assistant { turn } => {
                json!({"role": "assistant", "content": [Content::text(turn.text())]})
            }
            Message::Tools { results } => json!({"role": "tool", "content": results}),
        })
        .collect();
    json!({
        "messages": messages,
        "returns_schema": prompt.returns_schema,
        "enable_citations": prompt.enable_citations,
    })
}

/// The grade in the form of the scenario convention.
pub(super) fn evaluation_json(evaluation: &Evaluation) -> Value {
    let Evaluation {
        reward,
        done,
        content,
        info,
        subscores,
    } = evaluation;
    let subscores: Vec<Value> = subscores
        .iter()
        .map(|score| json!({"name": score.name, "weight": score.weight, "value": score.value}))
        .collect();
    json!({
        "reward": reward,
        "done": done,
        "content": content,
        "info": info,
        "isError": false,
        "subscores": subscores,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SubScore;

    fn scenario() -> ScenarioInfo {
        let argument = |name: &str, required, schema, default| Argument {
            name: name.to_owned(),
            required,
            schema,
            default,
        };
        ScenarioInfo {
            name: "initials".to_owned(),
            description: "Ask for\ninitials".to_owned(),
            arguments: vec![
                argument("company", true, Some(json!({"type": "string"})), None),
                argument(
                    "year",
                    false,
                    Some(json!({"type": "integer"})),
                    Some(json!(2026)),
                ),
                argument("hint", false, None, None),
            ],
            chat: false,
            required_env_vars: vec!["DATABASE_URL".to_owned()],
        }
    }

    #[test]
    fn a_scenario_is_one_line() {
        assert_eq!(
            line("trivia", &scenario()),
            "trivia:initials(company: string, year: integer = 2026, hint?)  Ask for initials"
        );
        assert_eq!(
            json("trivia", &scenario()),
            json!({
                "environment": "trivia",
                "name": "initials",
                "description": "Ask for\ninitials",
                "arguments": [
                    {"name": "company", "required": true, "schema": {"type": "string"}},
                    {"name": "year", "required": false, "schema": {"type": "integer"}, "default": 2026},
                    {"name": "hint", "required": false},
                ],
                "chat": false,
                "required_env_vars": ["DATABASE_URL"],
            })
        );
    }

    #[test]
    fn a_grade_has_the_form_of_the_convention() {
        let evaluation = Evaluation {
            reward: 0.5,
            done: true,
            content: Some("half".to_owned()),
            info: Map::new(),
            subscores: vec![SubScore {
                name: "a".to_owned(),
                weight: 1.0,
                value: 0.5,
            }],
        };
        assert_eq!(
            evaluation_json(&evaluation),
            json!({
                "reward": 0.5,
                "done": true,
                "content": "half",
                "info": {},
                "isError": false,
                "subscores": [{"name": "a", "weight": 1.0, "value": 0.5}],
            })
        );
    }

    #[test]
    fn a_prompt_shows_roles_and_what_is_not_text() {
        let check = |messages: Vec<Message>, expected: &str| {
            let prompt = Prompt {
                messages,
                returns_schema: None,
                enable_citations: false,
            };
            assert_eq!(prompt_text(&prompt), expected);
        };
        let user = |content: Vec<Content>| Message::User { content };
        let image = Content::Image {
            data: "AAAA".to_owned(),
            mime_type: "image/png".to_owned(),
        };
        check(
            vec![user(vec![Content::text("What is this?"), image])],
            "What is this?\n[image image/png]",
        );
        check(
            vec![
                Message::System {
                    content: vec![Content::text("Be brief.")],
                },
                user(vec![Content::text("Hi")]),
            ],
            "[system]\nBe brief.\n[user]\nHi",
        );
    }
}
