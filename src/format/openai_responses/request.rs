//! Our conversation as a Responses request.

use serde_json::{Map, Value, json};

use super::Toolbox;
use super::items::items;
use crate::format::Conversation;
use crate::message::{Content, Message, Settings, ToolChoice};

/// Which part of the conversation is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span<'a> {
    /// All of it.
    Whole,
    /// What came after the answer of this id, which the server has kept.
    After(&'a str),
}

/// The id of the last answer of this API in the conversation, and what was said since; `None` when there is none, or when the conversation was
/// edited since (`response_id` is gone).
pub fn chainable(messages: &[Message]) -> Option<(&str, &[Message])> {
    let position = messages
        .iter()
        .rposition(|message| matches!(message, Message::Assistant { .. }))?;
    let (before, since) = messages.split_at(position + 1);
    match before.last() {
        Some(Message::Assistant { turn }) => {
            let id = turn.response_id.as_deref()?;
            id.starts_with("resp").then_some((id, since))
        }
        _ => None,
    }
}

/// The body of a streaming request. `reasons` says that the model thinks, so that its thoughts are asked for in a form that can be sent back.
pub fn request(
    conversation: &Conversation<'_>,
    toolbox: &Toolbox,
    span: Span<'_>,
    reasons: bool,
) -> Value {
    let settings = conversation.settings;
    let (instructions, rest) = instructions(conversation);
    let mut body = json!({"model": conversation.model, "stream": true});
    if !instructions.is_empty() {
        body["instructions"] = json!(instructions);
    }
    if !toolbox.json.is_empty() {
        body["tools"] = json!(toolbox.json);
    }
    match span {
        Span::Whole => body["input"] = Value::Array(items(rest, toolbox)),
        Span::After(id) => {
            let since = chainable(rest).map_or(rest, |(_, since)| since);
            body["previous_response_id"] = json!(id);
            body["input"] = Value::Array(items(since, toolbox));
        }
    }
    let mut include = Vec::new();
    if reasons {
        include.push("reasoning.encrypted_content");
    }
    if settings.citations && hosts_search(settings) {
        include.push("web_search_call.action.sources");
    }
    if !include.is_empty() {
        body["include"] = json!(include);
    }
    put_settings(&mut body, settings, toolbox);
    settings.add_extra(&mut body);
    body
}

fn hosts_search(settings: &Settings) -> bool {
    settings.hosted_tools.iter().any(|hosted| {
        let kind = hosted.json["type"].as_str();
        kind.is_some_and(|kind| kind.starts_with("web_search"))
    })
}

fn put_settings(body: &mut Value, settings: &Settings, toolbox: &Toolbox) {
    for (key, value) in [
        ("max_output_tokens", json!(settings.max_tokens)),
        ("temperature", json!(settings.temperature)),
        ("top_p", json!(settings.top_p)),
        ("parallel_tool_calls", json!(settings.parallel_tool_calls)),
        ("truncation", json!(settings.truncation)),
        ("service_tier", json!(settings.service_tier)),
        ("store", json!(settings.store)),
        ("prompt_cache_key", json!(settings.cache_key)),
    ] {
        if !value.is_null() {
            body[key] = value;
        }
    }
    if let Some(verbosity) = &settings.verbosity {
        body["text"] = json!({"verbosity": verbosity});
    }
    if let Some(ttl) = settings.cache_ttl.as_ref().filter(|_| settings.cache) {
        body["prompt_cache_options"] = json!({"ttl": ttl});
    }
    let mut reasoning = Map::new();
    if let Some(effort) = settings.effort {
        reasoning.insert("effort".to_owned(), json!(effort.as_str()));
    }
    if settings.show_thoughts == Some(true) {
        reasoning.insert("summary".to_owned(), json!("auto"));
    }
    if !reasoning.is_empty() {
        body["reasoning"] = Value::Object(reasoning);
    }
    if let Some(choice) = settings
        .tool_choice
        .as_ref()
        .filter(|_| !toolbox.json.is_empty())
    {
        body["tool_choice"] = match choice {
            ToolChoice::Auto => json!("auto"),
            ToolChoice::Required => json!("required"),
            ToolChoice::None => json!("none"),
            ToolChoice::Tool(name) => {
                json!({"type": "function", "name": toolbox.names.wire(name)})
            }
        };
    }
}

/// The system prompt with the system messages that lead the conversation, and the rest of the conversation.
fn instructions<'a>(conversation: &Conversation<'a>) -> (String, &'a [Message]) {
    let mut texts: Vec<String> = conversation.system.map(str::to_owned).into_iter().collect();
    let mut rest = conversation.messages;
    while let [Message::System { content }, tail @ ..] = rest {
        texts.push(Content::join_text(content));
        rest = tail;
    }
    texts.retain(|text| !text.trim().is_empty());
    (texts.join("\n\n"), rest)
}

#[cfg(test)]
mod tests;
