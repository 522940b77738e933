//! Our conversation as a Chat Completions request.

use serde_json::{Map, Value, json};

use crate::format::content::{Part, hidden};
use crate::format::structured;
use crate::format::{Conversation, Names};
use crate::message::{
    Arguments, Block, Content, Effort, Message, Tool, ToolChoice, ToolResult, Turn,
};

/// Where servers put thinking.
const REASONING_FIELDS: &[&str] = &["reasoning_content", "reasoning", "reasoning_details"];

/// How a server calls the bound of output tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokensField {
    /// `max_completion_tokens`: `OpenAI`'s reasoning models refuse the older name.
    MaxCompletionTokens,
    /// `max_tokens`: what all others know.
    MaxTokens,
}

/// The body of a streaming request.
pub fn request(
    conversation: &Conversation<'_>,
    names: &Names,
    max_tokens_field: MaxTokensField,
) -> Value {
    let mut body = json!({
        "model": conversation.model,
        "messages": messages_json(conversation, names),
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    // An empty list is an error to some servers.
    if !conversation.tools.is_empty() {
        body["tools"] = conversation
            .tools
            .iter()
            .map(|tool| tool_json(tool, names))
            .collect();
    }
    if let Some(tokens) = conversation.settings.max_tokens {
        let field = match max_tokens_field {
            MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
            MaxTokensField::MaxTokens => "max_tokens",
        };
        body[field] = json!(tokens);
    }
    let settings = conversation.settings;
    let effort = settings.effort.map(Effort::as_str);
    for (key, value) in [
        ("temperature", json!(settings.temperature)),
        ("top_p", json!(settings.top_p)),
        // Not `OpenAI`'s, but known to most other servers.
        ("top_k", json!(settings.top_k)),
        ("reasoning_effort", json!(effort)),
        ("verbosity", json!(settings.verbosity)),
        ("service_tier", json!(settings.service_tier)),
        ("store", json!(settings.store)),
    ] {
        if !value.is_null() {
            body[key] = value;
        }
    }
    if !conversation.tools.is_empty() {
        if let Some(parallel) = settings.parallel_tool_calls {
            body["parallel_tool_calls"] = json!(parallel);
        }
        if let Some(choice) = &settings.tool_choice {
            body["tool_choice"] = match choice {
                ToolChoice::Auto => json!("auto"),
                ToolChoice::Required => json!("required"),
                ToolChoice::None => json!("none"),
                ToolChoice::Tool(name) => {
                    json!({"type": "function", "function": {"name": names.wire(name)}})
                }
            };
        }
    }
    settings.add_extra(&mut body);
    body
}

fn tool_json(tool: &Tool, names: &Names) -> Value {
    let mut function = json!({"name": names.wire(&tool.name)});
    if !tool.description.trim().is_empty() {
        function["description"] = json!(tool.description);
    }
    let mut schema = match &tool.input_schema {
        Value::Object(schema) => schema.clone(),
        _ => Map::new(),
    };
    schema.entry("type").or_insert_with(|| json!("object"));
    if schema["type"] == "object" {
        // `OpenAI` refuses an object schema without it.
        schema.entry("properties").or_insert_with(|| json!({}));
    }
    function["parameters"] = Value::Object(schema);
    json!({"type": "function", "function": function})
}

fn messages_json(conversation: &Conversation<'_>, names: &Names) -> Vec<Value> {
    let mut out = Vec::new();
    let mut system: Vec<String> = conversation.system.map(str::to_owned).into_iter().collect();
    let mut rest = conversation.messages;
    while let [Message::System { content }, tail @ ..] = rest {
        system.push(Content::join_text(content));
        rest = tail;
    }
    system.retain(|text| !text.trim().is_empty());
    if !system.is_empty() {
        out.push(json!({"role": "system", "content": system.join("\n\n")}));
    }
    // Parts of user messages that follow each other: templates of open models want roles to alternate.
    let mut user: Vec<Value> = Vec::new();
    for message in rest {
        if let Message::User { content } = message {
            user.extend(Part::of_all(content).map(part_json));
            continue;
        }
        flush(&mut user, &mut out);
        match message {
            Message::User { .. } => {}
            Message::System { content } => {
                out.push(json!({"role": "system", "content": Content::join_text(content)}));
            }
            Message::Assistant { turn } => out.push(turn_json(turn, names)),
            Message::Tools { results } => {
                for result in results {
                    out.push(result_json(result, &mut user));
                }
            }
        }
    }
    flush(&mut user, &mut out);
    out
}

fn flush(parts: &mut Vec<Value>, out: &mut Vec<Value>) {
    if parts.is_empty() {
        return;
    }
    let parts = std::mem::take(parts);
    // Plain text is what every server understands; lists of parts are not.
    let texts: Option<Vec<&str>> = parts.iter().map(|part| part["text"].as_str()).collect();
    let content = match texts {
        Some(texts) => json!(texts.join("\n\n")),
        None => Value::Array(parts),
    };
    out.push(json!({"role": "user", "content": content}));
}

fn part_json(part: Part<'_>) -> Value {
    match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image { data, mime_type } => json!({
            "type": "image_url",
            "image_url": {"url": format!("data:{mime_type};base64,{data}")},
        }),
        Part::Pdf { data, title } => json!({
            "type": "file",
            "file": {
                "filename": title.rsplit('/').next().unwrap_or(title),
                "file_data": format!("data:application/pdf;base64,{data}"),
            },
        }),
        Part::Audio { data, mime_type } => match mime_type {
            "audio/wav" | "audio/x-wav" | "audio/wave" => {
                json!({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}})
            }
            "audio/mpeg" | "audio/mp3" => {
                json!({"type": "input_audio", "input_audio": {"data": data, "format": "mp3"}})
            }
            other => json!({"type": "text", "text": hidden("a recording", other)}),
        },
    }
}

fn turn_json(turn: &Turn, names: &Names) -> Value {
    let calls: Vec<Value> = turn
        .tool_calls()
        .map(|call| {
            let arguments = match &call.arguments {
                Arguments::Object { value } => Value::Object(value.clone()).to_string(),
                // Servers parse the history to put it into the model's template, and fail on what is no JSON.
                Arguments::Malformed { .. } => "{}".to_owned(),
            };
            json!({
                "id": call.id,
                "type": "function",
                "function": {"name": names.wire(&call.name), "arguments": arguments},
            })
        })
        .collect();
    let text = turn.text();
    let mut message = json!({"role": "assistant"});
    if calls.is_empty() {
        message["content"] = json!(text);
    } else {
        message["content"] = if text.is_empty() {
            Value::Null
        } else {
            json!(text)
        };
        message["tool_calls"] = Value::Array(calls);
    }
    for block in &turn.blocks {
        // Thinking goes back under the name it came by, to the servers that sent it: some need it to go on after a tool call.
        if let Block::Reasoning {
            opaque: Some(Value::Object(fields)),
            ..
        } = block
        {
            for key in REASONING_FIELDS {
                if let Some(value) = fields.get(*key) {
                    message[*key] = value.clone();
                }
            }
        }
    }
    message
}

/// A result as a `tool` message, which takes text only. Its pictures go to `after`, each with a label, for the user message that follows all
/// results of the turn.
fn result_json(result: &ToolResult, after: &mut Vec<Value>) -> Value {
    let mut texts = Vec::new();
    let mut pictures = 0;
    for part in Part::of_all(&result.content) {
        match part {
            Part::Text(text) => texts.push(text),
            Part::Image { .. } => {
                pictures += 1;
                let label = format!(
                    "image {pictures} of `{}` (call {})",
                    result.name, result.call_id
                );
                texts.push(format!("[{label}: in the next user message]"));
                after.push(json!({"type": "text", "text": format!("{label}:")}));
                after.push(part_json(part));
            }
            Part::Pdf { title, .. } => {
                texts.push(hidden(&format!("the file {title}"), "application/pdf"));
            }
            Part::Audio { mime_type, .. } => texts.push(hidden("a recording", mime_type)),
        }
    }
    texts.extend(structured::extra_text(result));
    let mut text = texts.join("\n");
    if text.is_empty() {
        text.push_str("(no output)");
    }
    // The format has no flag for a failure.
    if result.is_error && !text.starts_with("Error") {
        text.insert_str(0, "Error: ");
    }
    json!({"role": "tool", "tool_call_id": result.call_id, "content": text})
}

#[cfg(test)]
mod tests;
