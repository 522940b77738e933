//! Our conversation as input items.

use serde_json::{Value, json};

use super::Toolbox;
use crate::format::content::{Part, hidden};
use crate::format::structured;
use crate::message::{Arguments, Block, Content, Message, ToolCall, ToolResult, Turn};

/// Types of items that a model's turn may hold beside text, reasoning and function calls: tools that the provider ran, and its own compactions. They
/// go back as they came.
const OPAQUE: &[&str] = &[
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "tool_search_call",
    "tool_search_output",
    "mcp_call",
    "mcp_list_tools",
    "mcp_approval_request",
    "compaction",
    "program",
    "program_output",
];

/// The items of `messages`.
pub(super) fn items(messages: &[Message], toolbox: &Toolbox) -> Vec<Value> {
    let mut out = Vec::new();
    for message in messages {
        match message {
            Message::User { content } => push_message(&mut out, "user", content),
            Message::System { content } => push_message(&mut out, "developer", content),
            Message::Assistant { turn } => turn_items(turn, toolbox, &mut out),
            Message::Tools { results } => out.extend(results.iter().map(output_item)),
        }
    }
    out
}

fn push_message(out: &mut Vec<Value>, role: &str, content: &[Content]) {
    let content: Vec<Value> = Part::of_all(content).map(part_json).collect();
    if !content.is_empty() {
        out.push(json!({"type": "message", "role": role, "content": content}));
    }
}

fn turn_items(turn: &Turn, toolbox: &Toolbox, out: &mut Vec<Value>) {
    for block in &turn.blocks {
        match block {
            Block::Text { text, opaque, .. } if !text.is_empty() => {
                // Without its id a message needs no reasoning item before it, which may not have been kept.
                let mut item = json!({"type": "message", "role": "assistant", "content": text});
                if let Some(phase) = opaque.as_ref().and_then(|own| own.get("phase")) {
                    item["phase"] = phase.clone();
                }
                match out.last_mut() {
                    Some(last) if continues(last, &item) => {
                        let whole =
                            format!("{}{text}", last["content"].as_str().unwrap_or_default());
                        last["content"] = json!(whole);
                    }
                    _ => out.push(item),
                }
            }
            Block::Text { .. } => {}
            Block::Reasoning { opaque, .. } => {
                // Without its content the server would have to have kept it, and other providers' thinking is refused.
                out.extend(opaque.clone().filter(|item| {
                    item["type"] == "reasoning"
                        && (item["encrypted_content"].is_string() || item["content"].is_array())
                }));
            }
            Block::Opaque { value } => {
                let kind = value["type"].as_str().unwrap_or_default();
                if OPAQUE.contains(&kind) {
                    out.push(value.clone());
                }
            }
            Block::ToolCall(call) => out.push(call_item(call, toolbox)),
        }
    }
}

/// Whether `item` is more of the message `last`: providers split one text at citations.
fn continues(last: &Value, item: &Value) -> bool {
    last["role"] == "assistant" && last["content"].is_string() && last["phase"] == item["phase"]
}

fn call_item(call: &ToolCall, toolbox: &Toolbox) -> Value {
    let arguments = match &call.arguments {
        Arguments::Object { value } => Value::Object(value.clone()).to_string(),
        // Some servers parse the history; what was wrong is in the result.
        Arguments::Malformed { .. } => "{}".to_owned(),
    };
    let mut item = json!({
        "type": "function_call",
        "call_id": call.id,
        "name": toolbox.names.wire(&call.name),
        "arguments": arguments,
    });
    for key in ["namespace", "caller"] {
        if let Some(value) = call.opaque.as_ref().and_then(|own| own.get(key)) {
            item[key] = value.clone();
        }
    }
    item
}

fn output_item(result: &ToolResult) -> Value {
    let mut parts: Vec<Value> = Part::of_all(&result.content).map(part_json).collect();
    parts.extend(structured::extra_text(result).map(|text| text_json(&text)));
    // The API has no flag for a failure.
    if result.is_error {
        match parts.first_mut() {
            Some(first)
                if first["text"]
                    .as_str()
                    .is_some_and(|text| !text.starts_with("Error")) =>
            {
                let text = format!("Error: {}", first["text"].as_str().unwrap_or_default());
                *first = text_json(&text);
            }
            Some(first) if first["text"].is_string() => {}
            _ => parts.insert(0, text_json("Error: the tool failed without a word")),
        }
    }
    let texts: Option<Vec<&str>> = parts.iter().map(|part| part["text"].as_str()).collect();
    let output = match texts {
        Some(texts) if texts.is_empty() => json!("(no output)"),
        Some(texts) => json!(texts.join("\n")),
        None => Value::Array(parts),
    };
    json!({"type": "function_call_output", "call_id": result.call_id, "output": output})
}

fn part_json(part: Part<'_>) -> Value {
    match part {
        Part::Text(text) => text_json(&text),
        Part::Image { data, mime_type } => json!({
            "type": "input_image",
            "detail": "auto",
            "image_url": format!("data:{mime_type};base64,{data}"),
        }),
        Part::Pdf { data, title } => json!({
            "type": "input_file",
            "filename": title.rsplit('/').next().unwrap_or(title),
            "file_data": format!("data:application/pdf;base64,{data}"),
        }),
        Part::Audio { mime_type, .. } => text_json(&hidden("a recording", mime_type)),
    }
}

fn text_json(text: &str) -> Value {
    json!({"type": "input_text", "text": text})
}
