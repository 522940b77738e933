//! A Messages stream, put together to a turn.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::response::{Counts, citation, stop_detail, stop_reason};
use crate::format::{Delta, FormatError, Names};
use crate::message::{Arguments, Block, StopReason, ToolCall, Turn};

/// Puts the events of a stream together.
#[derive(Debug)]
pub struct Assembler {
    names: Names,
    id: Option<String>,
    model: String,
    /// By index: the order of the answer.
    blocks: BTreeMap<u64, Partial>,
    counts: Counts,
    /// Sent when every block is complete.
    stop: Option<StopReason>,
    stop_detail: Option<String>,
    /// The end of the stream was announced.
    ended: bool,
}

/// A block as far as it has arrived: what `content_block_start` said, and what was streamed since.
#[derive(Debug)]
struct Partial {
    start: Value,
    /// Of text and thinking.
    text: String,
    signature: String,
    /// Of text, in the API's own JSON.
    citations: Vec<Value>,
    /// Of inputs of tools.
    json: String,
}

impl Assembler {
    /// For the answer to a request with tools of these names.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            id: None,
            model: String::new(),
            blocks: BTreeMap::new(),
            counts: Counts::default(),
            stop: None,
            stop_detail: None,
            ended: false,
        }
    }

    /// An assembler that has received a whole answer.
    pub(super) fn whole(answer: &Value, names: Names) -> Result<Self, FormatError> {
        let mut own = Self::new(names);
        if answer["type"] == "error" {
            return Err(provider_error(&answer["error"]));
        }
        let content = answer["content"]
            .as_array()
            .ok_or_else(|| FormatError::Malformed("the list `content` is missing".to_owned()))?;
        own.start_message(answer);
        for (index, block) in (0..).zip(content) {
            own.start_block(index, block);
        }
        own.stop = answer["stop_reason"].as_str().map(stop_reason);
        own.stop_detail = stop_detail(&answer["stop_details"]);
        Ok(own)
    }

    /// Takes the data of one event, and returns what is new to show.
    pub fn push(&mut self, data: &str) -> Result<Vec<Delta>, FormatError> {
        let event: Value = serde_json::from_str(data)
            .map_err(|error| FormatError::Malformed(format!("an event is not JSON: {error}")))?;
        let index = event["index"].as_u64().unwrap_or_default();
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => {
                self.start_message(&event["message"]);
                Ok(Vec::new())
            }
            "content_block_start" => Ok(self.start_block(index, &event["content_block"])),
            "content_block_delta" => Ok(self.delta(index, &event["delta"])),
            "message_delta" => {
                if let Some(word) = event["delta"]["stop_reason"].as_str() {
                    self.stop = Some(stop_reason(word));
                    self.stop_detail = stop_detail(&event["delta"]["stop_details"]);
                }
                self.counts.update(&event["usage"]);
                Ok(Vec::new())
            }
            "message_stop" => {
                self.ended = true;
                Ok(Vec::new())
            }
            "error" => Err(provider_error(&event["error"])),
            // `content_block_stop`, `ping`, and whatever will be added: the API reserves the right to.
            _ => Ok(Vec::new()),
        }
    }

    /// Whether nothing follows.
    pub fn is_done(&self) -> bool {
        self.ended
    }

    fn start_message(&mut self, message: &Value) {
        let text = |key: &str| message[key].as_str().map(str::to_owned);
        self.id = text("id");
        self.model = text("model").unwrap_or_default();
        self.counts.update(&message["usage"]);
    }

    fn start_block(&mut self, index: u64, block: &Value) -> Vec<Delta> {
        let text = |key: &str| block[key].as_str().unwrap_or_default().to_owned();
        let kind = block["type"].as_str().unwrap_or_default();
        let partial = Partial {
            text: match kind {
                "text" => text("text"),
                "thinking" => text("thinking"),
                _ => String::new(),
            },
            signature: text("signature"),
            citations: block["citations"].as_array().cloned().unwrap_or_default(),
            json: String::new(),
            start: block.clone(),
        };
        let shown = shown(kind, &partial.text);
        self.blocks.insert(index, partial);
        shown
    }

    fn delta(&mut self, index: u64, delta: &Value) -> Vec<Delta> {
        let Some(block) = self.blocks.get_mut(&index) else {
            return Vec::new();
        };
        let text = |key: &str| delta[key].as_str().unwrap_or_default();
        match text("type") {
            "text_delta" => {
                block.text += text("text");
                shown("text", text("text"))
            }
            "thinking_delta" => {
                block.text += text("thinking");
                shown("thinking", text("thinking"))
            }
            "signature_delta" => {
                text("signature").clone_into(&mut block.signature);
                Vec::new()
            }
            "citations_delta" => {
                block.citations.push(delta["citation"].clone());
                Vec::new()
            }
            "input_json_delta" => {
                block.json += text("partial_json");
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// The turn, when all of it has arrived.
    pub fn finish(self) -> Result<Turn, FormatError> {
        let Some(stop) = self.stop else {
            return Err(FormatError::Truncated);
        };
        let last = self.blocks.len().saturating_sub(1);
        let blocks = self
            .blocks
            .into_values()
            .enumerate()
            .map(|(position, block)| {
                let cut_off = position == last && stop == StopReason::Length;
                block.finish(&self.names, cut_off)
            })
            .collect();
        Ok(Turn {
            model: self.model,
            blocks,
            stop,
            usage: self.counts.usage(),
            stop_detail: self.stop_detail,
            response_id: self.id,
        })
    }
}

impl Partial {
    fn finish(self, names: &Names, cut_off: bool) -> Block {
        let Self {
            mut start,
            text,
            signature,
            citations,
            json,
        } = self;
        match start["type"].as_str().unwrap_or_default() {
            "text" => Block::Text {
                text,
                citations: citations.iter().map(citation).collect(),
                opaque: (!citations.is_empty()).then(|| json!({"citations": citations})),
            },
            "thinking" => {
                start["thinking"] = json!(text);
                start["signature"] = json!(signature);
                Block::Reasoning {
                    text,
                    opaque: Some(start),
                }
            }
            "redacted_thinking" => Block::Reasoning {
                text: String::new(),
                opaque: Some(start),
            },
            "tool_use" => {
                let field = |key: &str| start[key].as_str().unwrap_or_default();
                Block::ToolCall(ToolCall {
                    id: field("id").to_owned(),
                    name: names.ours(field("name")),
                    arguments: arguments(json, &start["input"], cut_off),
                    opaque: None,
                })
            }
            _ => {
                if let Ok(input) = serde_json::from_str::<Value>(&json) {
                    start["input"] = input;
                }
                Block::Opaque { value: start }
            }
        }
    }
}

/// The arguments of a call: streamed, or given whole at its start.
fn arguments(streamed: String, whole: &Value, cut_off: bool) -> Arguments {
    let whole = match whole {
        Value::Object(map) if !map.is_empty() => whole.to_string(),
        Value::Null | Value::Object(_) => String::new(),
        other => other.to_string(),
    };
    let raw = if streamed.is_empty() { whole } else { streamed };
    if cut_off && raw.trim().is_empty() {
        // Nothing at all is how a call without arguments looks; one that was cut off must not be taken for that.
        return Arguments::Malformed {
            raw,
            error: "missing: the limit of output tokens was reached before them".to_owned(),
        };
    }
    Arguments::parse(&raw)
}

fn shown(kind: &str, text: &str) -> Vec<Delta> {
    match kind {
        _ if text.is_empty() => Vec::new(),
        "text" => vec![Delta::Text(text.to_owned())],
        "thinking" => vec![Delta::Reasoning(text.to_owned())],
        _ => Vec::new(),
    }
}

fn provider_error(error: &Value) -> FormatError {
    FormatError::Provider {
        code: error["type"].as_str().map(str::to_owned),
        message: error["message"]
            .as_str()
            .map_or_else(|| error.to_string(), str::to_owned),
    }
}

#[cfg(test)]
mod tests;
