//! Our conversation as a Messages request.

use serde_json::{Map, Value, json};

use super::cache;
use crate::format::content::{Part, hidden};
use crate::format::structured;
use crate::format::{Conversation, Names};
use crate::message::{
    Arguments, Block, Content, Message, Settings, Thinking, Tool, ToolChoice, ToolResult, Turn,
};

/// The API wants a number; this is what Python hud sends.
pub const DEFAULT_MAX_TOKENS: u32 = 16_384;

/// The body of a streaming request.
pub fn request(conversation: &Conversation<'_>, names: &Names) -> Value {
    let mut body = json!({
        "model": conversation.model,
        "max_tokens": max_tokens(conversation.settings),
        "stream": true,
    });
    let settings = conversation.settings;
    let own = conversation.tools.iter().map(|tool| tool_json(tool, names));
    let hosted = settings
        .hosted_tools
        .iter()
        .map(|hosted| hosted.json.clone());
    let tools: Vec<Value> = own.chain(hosted).collect();
    let has_tools = !tools.is_empty();
    if has_tools {
        body["tools"] = Value::Array(tools);
    }
    let (system, messages) = split_system(conversation);
    if !system.is_empty() {
        body["system"] = Value::Array(system);
    }
    for (key, value) in [
        ("temperature", json!(settings.temperature)),
        ("top_p", json!(settings.top_p)),
        ("top_k", json!(settings.top_k)),
        ("thinking", thinking(settings)),
        ("output_config", output_config(settings)),
        ("service_tier", json!(settings.service_tier)),
    ] {
        if !value.is_null() {
            body[key] = value;
        }
    }
    if has_tools {
        let choice = tool_choice(settings, names);
        if !choice.is_null() {
            body["tool_choice"] = choice;
        }
    }
    body["messages"] = Value::Array(messages_json(messages, names, settings.citations));
    if settings.cache {
        cache::mark(&mut body, settings.cache_ttl.as_deref());
    }
    settings.add_extra(&mut body);
    body
}

/// Output tokens of a request. Thinking counts among them, so a budget comes on top of what is left for words.
fn max_tokens(settings: &Settings) -> u32 {
    settings.max_tokens.unwrap_or(match settings.thinking {
        Some(Thinking::Budget(budget)) => budget.saturating_add(DEFAULT_MAX_TOKENS),
        _ => DEFAULT_MAX_TOKENS,
    })
}

fn thinking(settings: &Settings) -> Value {
    let mut json = match settings.thinking {
        None => return Value::Null,
        Some(Thinking::Disabled) => return json!({"type": "disabled"}),
        Some(Thinking::BetweenTools) => return json!({"type": "between_tools"}),
        Some(Thinking::Adaptive) => json!({"type": "adaptive"}),
        Some(Thinking::Budget(tokens)) => json!({"type": "enabled", "budget_tokens": tokens}),
    };
    if let Some(show) = settings.show_thoughts {
        json["display"] = json!(if show { "summarized" } else { "omitted" });
    }
    json
}

fn output_config(settings: &Settings) -> Value {
    match settings.effort {
        Some(effort) => json!({"effort": effort.as_str()}),
        None => Value::Null,
    }
}

fn tool_choice(settings: &Settings, names: &Names) -> Value {
    let mut json = match &settings.tool_choice {
        None if settings.parallel_tool_calls == Some(false) => json!({"type": "auto"}),
        None => return Value::Null,
        Some(ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::Required) => json!({"type": "any"}),
        Some(ToolChoice::None) => return json!({"type": "none"}),
        Some(ToolChoice::Tool(name)) => json!({"type": "tool", "name": names.wire(name)}),
    };
    if settings.parallel_tool_calls == Some(false) {
        json["disable_parallel_tool_use"] = json!(true);
    }
    json
}

/// The value of `anthropic-beta`, when the request needs one: thinking between tool calls is on by itself where it is adaptive, and an older
/// feature where it has a budget.
pub fn betas(conversation: &Conversation<'_>) -> Option<&'static str> {
    let budget = matches!(conversation.settings.thinking, Some(Thinking::Budget(_)));
    (budget && !conversation.tools.is_empty()).then_some("interleaved-thinking-2025-05-14")
}

/// The API version that `conversation` must be sent with. The one of 2026 knows no sampling parameters and answers 400 to them, so a request that
/// has some is sent as one of 2023; models that take none still refuse it, with a message that says so.
/// See <https://platform.claude.com/docs/en/api/versioning>.
pub fn version(conversation: &Conversation<'_>) -> &'static str {
    let settings = conversation.settings;
    if settings.temperature.is_some() || settings.top_p.is_some() || settings.top_k.is_some() {
        "2023-06-01"
    } else {
        "2026-10-21"
    }
}

fn tool_json(tool: &Tool, names: &Names) -> Value {
    let mut json = json!({"name": names.wire(&tool.name)});
    if !tool.description.trim().is_empty() {
        json["description"] = json!(tool.description);
    }
    let mut schema = match &tool.input_schema {
        Value::Object(schema) => schema.clone(),
        _ => Map::new(),
    };
    schema.entry("type").or_insert_with(|| json!("object"));
    json["input_schema"] = Value::Object(schema);
    json
}

/// The system prompt with the system messages that lead the conversation, and the rest of the conversation.
fn split_system<'a>(conversation: &Conversation<'a>) -> (Vec<Value>, &'a [Message]) {
    let mut blocks = Vec::new();
    blocks.extend(
        conversation
            .system
            .and_then(|text| Part::text(text.to_owned()))
            .map(block),
    );
    let mut rest = conversation.messages;
    while let [Message::System { content }, tail @ ..] = rest {
        let text = Content::join_text(content);
        blocks.extend(Part::text(text).map(block));
        rest = tail;
    }
    (blocks, rest)
}

/// Messages in turns: what follows each other on one side becomes one message, results first, as the API demands.
fn messages_json(messages: &[Message], names: &Names, cites: bool) -> Vec<Value> {
    let mut out: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in messages {
        let (role, blocks) = match message {
            Message::User { content } => {
                let blocks = Part::of_all(content).map(|part| cited(block(part), cites));
                ("user", blocks.collect())
            }
            // Only some models take system messages here, so all get it as what they can read.
            Message::System { content } => {
                let text = Content::join_text(content);
                let text = format!("<system-message>\n{text}\n</system-message>");
                ("user", vec![block(Part::Text(text))])
            }
            Message::Assistant { turn } => ("assistant", turn_json(turn, names)),
            Message::Tools { results } => ("user", results_json(results, cites)),
        };
        if blocks.is_empty() {
            continue;
        }
        match out.last_mut() {
            Some((last, content)) if *last == role => content.extend(blocks),
            _ => out.push((role, blocks)),
        }
    }
    out.into_iter()
        .map(|(role, content)| json!({"role": role, "content": content}))
        .collect()
}

fn turn_json(turn: &Turn, names: &Names) -> Vec<Value> {
    turn.blocks
        .iter()
        .filter_map(|own| match own {
            Block::Text { text, opaque, .. } => {
                let mut json = Part::text(text.clone()).map(block)?;
                // What was cited from the web can only be cited again by what the API gave for that.
                if let Some(citations) = opaque.as_ref().and_then(|own| own.get("citations")) {
                    json["citations"] = citations.clone();
                }
                Some(json)
            }
            // Any other thinking is another provider's, which this one would refuse.
            Block::Reasoning { opaque, .. } => opaque.clone().filter(|block| {
                block["type"] == "thinking" || block["type"] == "redacted_thinking"
            }),
            Block::Opaque { value } => is_own(value).then(|| value.clone()),
            Block::ToolCall(call) => {
                let input = match &call.arguments {
                    Arguments::Object { value } => value.clone(),
                    // An input must be an object; what was wrong with it is in the result.
                    Arguments::Malformed { .. } => Map::new(),
                };
                Some(json!({
                    "type": "tool_use",
                    "id": call.id,
                    "name": names.wire(&call.name),
                    "input": input,
                }))
            }
        })
        .collect()
}

/// Whether a block is of this API's own tools. Other providers' are refused.
fn is_own(block: &Value) -> bool {
    let kind = block["type"].as_str().unwrap_or_default();
    kind.ends_with("_tool_result")
        || kind.ends_with("_tool_use")
        || ["container_upload", "compaction", "fallback"].contains(&kind)
}

/// A document that may be cited: of all documents of a request, or of none.
fn cited(mut block: Value, cites: bool) -> Value {
    if cites && block["type"] == "document" {
        block["citations"] = json!({"enabled": true});
    }
    block
}

/// All results, then whatever could not be in one.
fn results_json(results: &[ToolResult], cites: bool) -> Vec<Value> {
    let mut blocks = Vec::new();
    let mut after = Vec::new();
    for result in results {
        let mut content: Vec<Value> = Vec::new();
        for part in Part::of_all(&result.content) {
            // The API refuses anything but text in a result that is an error.
            if result.is_error && !matches!(part, Part::Text(_)) {
                after.push(block(Part::Text(format!(
                    "From the failed call `{}` of `{}`:",
                    result.call_id, result.name
                ))));
                after.push(block(part));
            } else {
                content.push(match part {
                    // Only documents can be cited.
                    Part::Text(text) if cites && !result.is_error => cited(
                        json!({
                            "type": "document",
                            "source": {"type": "text", "media_type": "text/plain", "data": text},
                            "title": result.name,
                        }),
                        true,
                    ),
                    part => cited(block(part), cites),
                });
            }
        }
        content.extend(structured::extra_text(result).map(|text| block(Part::Text(text))));
        let mut json = json!({"type": "tool_result", "tool_use_id": result.call_id});
        if result.is_error {
            if content.is_empty() {
                content.push(block(Part::Text(
                    "the tool failed without a word".to_owned(),
                )));
            }
            json["is_error"] = json!(true);
        }
        if !content.is_empty() {
            json["content"] = Value::Array(content);
        }
        blocks.push(json);
    }
    blocks.append(&mut after);
    blocks
}

fn block(part: Part<'_>) -> Value {
    match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image { data, mime_type } => json!({
            "type": "image",
            "source": {"type": "base64", "media_type": mime_type, "data": data},
        }),
        Part::Pdf { data, title } => json!({
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": data},
            "title": title,
        }),
        Part::Audio { mime_type, .. } => {
            json!({"type": "text", "text": hidden("a recording", mime_type)})
        }
    }
}

#[cfg(test)]
mod tests;
