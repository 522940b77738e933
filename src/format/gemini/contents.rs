//! Our conversation as contents.

use serde_json::{Map, Value, json};

use super::Toolbox;
use crate::format::content::{Part, hidden};
use crate::format::structured;
use crate::message::{Arguments, Block, Content, Message, ToolCall, ToolResult, Turn};

/// What stands for a thought signature that was never there: the API checks that the first call of each step has one, and takes this for a call
/// that another model made. See <https://ai.google.dev/gemini-api/docs/thought-signatures>.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Fields of parts that the provider's own tools write, which go back as they came.
const OPAQUE: &[&str] = &[
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
    "inlineData",
    "fileData",
];

/// The contents of `messages`: turns of `user` and `model`, never two of one side in a row.
pub(super) fn contents(messages: &[Message], toolbox: &Toolbox, signs: bool) -> Vec<Value> {
    let mut out: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in messages {
        let (role, parts) = match message {
            Message::User { content } => ("user", Part::of_all(content).map(part_json).collect()),
            // The API has a system instruction at the beginning only.
            Message::System { content } => {
                let text = Content::join_text(content);
                let text = format!("<system-message>\n{text}\n</system-message>");
                ("user", vec![json!({"text": text})])
            }
            Message::Assistant { turn } => ("model", turn_parts(turn, toolbox, signs)),
            Message::Tools { results } => ("user", results_parts(results, toolbox)),
        };
        if parts.is_empty() {
            continue;
        }
        match out.last_mut() {
            Some((last, all)) if *last == role => all.extend(parts),
            _ => out.push((role, parts)),
        }
    }
    out.into_iter()
        .map(|(role, parts)| json!({"role": role, "parts": parts}))
        .collect()
}

fn turn_parts(turn: &Turn, toolbox: &Toolbox, signs: bool) -> Vec<Value> {
    let mut parts = Vec::new();
    let mut calls = 0;
    for block in &turn.blocks {
        match block {
            Block::Text { text, opaque, .. } => {
                let signature = signature(opaque.as_ref());
                if !text.is_empty() || signature.is_some() {
                    parts.push(signed(json!({"text": text}), signature));
                }
            }
            Block::Reasoning { text, opaque } => {
                // Thoughts of another provider are none of this one's.
                let own = opaque.as_ref().filter(|own| own["thought"] == true);
                if let Some(own) = own {
                    let part = json!({"text": text, "thought": true});
                    parts.push(signed(part, signature(Some(own))));
                }
            }
            Block::Opaque { value } => {
                if OPAQUE.iter().any(|key| value.get(*key).is_some()) {
                    parts.push(value.clone());
                }
            }
            Block::ToolCall(call) => {
                let own = signature(call.opaque.as_ref());
                let signature = match own {
                    // Only the first call of a step has one.
                    None if signs && calls == 0 => Some(json!(NO_SIGNATURE)),
                    own => own,
                };
                calls += 1;
                parts.push(signed(call_part(call, toolbox), signature));
            }
        }
    }
    parts
}

fn call_part(call: &ToolCall, toolbox: &Toolbox) -> Value {
    let arguments = match &call.arguments {
        Arguments::Object { value } => value.clone(),
        // Arguments must be an object; what was wrong with them is in the result.
        Arguments::Malformed { .. } => Map::new(),
    };
    json!({"functionCall": {
        "id": call.id,
        "name": toolbox.names.wire(&call.name),
        "args": arguments,
    }})
}

fn signature(opaque: Option<&Value>) -> Option<Value> {
    opaque?.get("thoughtSignature").cloned()
}

fn signed(mut part: Value, signature: Option<Value>) -> Value {
    if let Some(signature) = signature {
        part["thoughtSignature"] = signature;
    }
    part
}

fn results_parts(results: &[ToolResult], toolbox: &Toolbox) -> Vec<Value> {
    let mut parts: Vec<Value> = Vec::new();
    for result in results {
        let mut texts = Vec::new();
        let mut media = Vec::new();
        for part in Part::of_all(&result.content) {
            match part {
                Part::Text(text) => texts.push(text),
                Part::Audio { mime_type, .. } => texts.push(hidden("a recording", mime_type)),
                Part::Image { data, mime_type } => media.push(inline(mime_type, data)),
                Part::Pdf { data, .. } => media.push(inline("application/pdf", data)),
            }
        }
        let text = texts.join("\n");
        let key = if result.is_error { "error" } else { "output" };
        // The structured result says it best where the text only repeats it.
        let value = match &result.structured {
            Some(structured) if !result.is_error && structured::extra_text(result).is_none() => {
                structured.clone()
            }
            Some(structured) => json!({"text": text, "structured": structured}),
            None if text.is_empty() && result.is_error => json!("the tool failed without a word"),
            None => json!(text),
        };
        let mut response = json!({
            "id": result.call_id,
            "name": toolbox.names.wire(&result.name),
            "response": {key: value},
        });
        if !media.is_empty() {
            response["parts"] = Value::Array(media);
        }
        parts.push(json!({"functionResponse": response}));
    }
    parts
}

fn part_json(part: Part<'_>) -> Value {
    match part {
        Part::Text(text) => json!({"text": text}),
        Part::Image { data, mime_type } | Part::Audio { data, mime_type } => {
            inline(mime_type, data)
        }
        Part::Pdf { data, .. } => inline("application/pdf", data),
    }
}

fn inline(mime_type: &str, data: &str) -> Value {
    json!({"inlineData": {"mimeType": mime_type, "data": data}})
}
