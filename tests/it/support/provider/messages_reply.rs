//! Writes turns as Anthropic does: a message, or the events of one (`raw_message_stream_event.py` of the SDK).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::messages_check::Signed;
use super::reply::{Ids, pieces};
use super::script::{Part, Stop, Tokens, Turn};

/// A turn with its ids, ready to be written in either way.
pub(super) struct Message {
    id: String,
    model: String,
    blocks: Vec<Block>,
    stop_reason: &'static str,
    tokens: Tokens,
}

enum Block {
    Text(String),
    Cited {
        text: String,
        citation: Value,
    },
    /// A block of a tool that the provider ran.
    Item(Value),
    Thinking {
        text: String,
        signature: String,
    },
    ToolUse {
        id: String,
        name: String,
        arguments: String,
    },
}

impl Message {
    /// Gives the turn its ids, and remembers what was signed.
    pub(super) fn new(turn: &Turn, model: &str, ids: &Ids, signed: &mut Signed) -> Self {
        let mut blocks = Vec::new();
        let mut thoughts = Vec::new();
        for part in &turn.parts {
            blocks.push(match part {
                Part::Text(text) => Block::Text(text.clone()),
                Part::Cited { text, url, title } => Block::Cited {
                    text: text.clone(),
                    citation: json!({
                        "type": "web_search_result_location", "url": url, "title": title,
                        "cited_text": "the page says so", "encrypted_index": "aW5kZXg=",
                    }),
                },
                Part::Item(block) => Block::Item(block.clone()),
                Part::Call { name, arguments } => Block::ToolUse {
                    id: ids.next("toolu"),
                    name: name.clone(),
                    arguments: arguments.clone(),
                },
                Part::Reasoning(text) => {
                    let signature = STANDARD.encode(ids.next("signed by the stand-in"));
                    thoughts.push((text.clone(), signature.clone()));
                    Block::Thinking {
                        text: text.clone(),
                        signature,
                    }
                }
            });
        }
        signed.blocks.extend(
            thoughts
                .iter()
                .map(|(text, signature)| (signature.clone(), text.clone())),
        );
        let mut calls = false;
        for block in &blocks {
            if let Block::ToolUse { id, .. } = block {
                calls = true;
                if !thoughts.is_empty() {
                    signed.turns.insert(id.clone(), thoughts.clone());
                }
            }
        }
        let stop_reason = match turn.stop {
            Some(Stop::MaxTokens) => "max_tokens",
            Some(Stop::Refusal) => "refusal",
            Some(Stop::ContextWindow) => "model_context_window_exceeded",
            Some(Stop::Pause) => "pause_turn",
            None if calls => "tool_use",
            None => "end_turn",
        };
        Self {
            id: ids.next("msg"),
            model: model.to_owned(),
            blocks,
            stop_reason,
            tokens: turn.tokens,
        }
    }

    /// The whole message; or why the API could never send it.
    pub(super) fn body(&self) -> Result<Value, String> {
        let mut content = Vec::new();
        for block in &self.blocks {
            content.push(match block {
                Block::Text(text) => json!({"type": "text", "text": text, "citations": null}),
                Block::Cited { text, citation } => json!({"type": "text", "text": text, "citations": [citation]}),
                Block::Item(block) => block.clone(),
                Block::Thinking { text, signature } => json!({"type": "thinking", "thinking": text, "signature": signature}),
                Block::ToolUse { id, name, arguments } => {
                    let input: Value = serde_json::from_str(arguments)
                        .ok()
                        .filter(Value::is_object)
                        .ok_or("the script has malformed arguments, which Messages can only send in a stream")?;
                    json!({"type": "tool_use", "id": id, "name": name, "input": input, "caller": {"type": "direct"}})
                }
            });
        }
        let mut message = self.envelope(&content, self.tokens.output);
        message["stop_reason"] = self.stop_reason.into();
        message["stop_details"] = self.stop_details();
        if self.tokens.reasoning > 0 {
            message["usage"]["output_tokens_details"] =
                json!({"thinking_tokens": self.tokens.reasoning});
        }
        Ok(message)
    }

    /// The server-sent events of a stream, each with its blank line.
    pub(super) fn events(&self) -> Vec<String> {
        // The first event counts the tokens of the first piece only, so that whoever reads it as the sum is found out.
        let mut events = vec![event(
            &json!({"type": "message_start", "message": self.envelope(&[], 1)}),
        )];
        for (index, block) in self.blocks.iter().enumerate() {
            let (start, deltas) = match block {
                Block::Text(text) => (
                    json!({"type": "text", "text": ""}),
                    pieces(text)
                        .into_iter()
                        .map(|piece| json!({"type": "text_delta", "text": piece}))
                        .collect::<Vec<_>>(),
                ),
                Block::Cited { text, citation } => {
                    let mut deltas: Vec<_> = pieces(text)
                        .into_iter()
                        .map(|piece| json!({"type": "text_delta", "text": piece}))
                        .collect();
                    deltas.push(json!({"type": "citations_delta", "citation": citation}));
                    (json!({"type": "text", "text": "", "citations": []}), deltas)
                }
                Block::Item(block) => (block.clone(), Vec::new()),
                Block::Thinking { text, signature } => {
                    let mut deltas: Vec<_> = pieces(text)
                        .into_iter()
                        .map(|piece| json!({"type": "thinking_delta", "thinking": piece}))
                        .collect();
                    deltas.push(json!({"type": "signature_delta", "signature": signature}));
                    (
                        json!({"type": "thinking", "thinking": "", "signature": ""}),
                        deltas,
                    )
                }
                Block::ToolUse {
                    id,
                    name,
                    arguments,
                } => {
                    // The first piece is empty, and for a call without arguments it stays the only one.
                    let mut deltas = vec![json!({"type": "input_json_delta", "partial_json": ""})];
                    if arguments != "{}" {
                        deltas.extend(pieces(arguments).into_iter().map(
                            |piece| json!({"type": "input_json_delta", "partial_json": piece}),
                        ));
                    }
                    (
                        json!({"type": "tool_use", "id": id, "name": name, "input": {}, "caller": {"type": "direct"}}),
                        deltas,
                    )
                }
            };
            events.push(event(
                &json!({"type": "content_block_start", "index": index, "content_block": start}),
            ));
            if index == 0 {
                events.push(event(&json!({"type": "ping"})));
            }
            events.extend(deltas.iter().map(|delta| {
                event(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
            }));
            events.push(event(
                &json!({"type": "content_block_stop", "index": index}),
            ));
        }
        let mut usage = json!({
            "input_tokens": self.tokens.input,
            "cache_creation_input_tokens": self.tokens.cache_write,
            "cache_read_input_tokens": self.tokens.cache_read,
            "output_tokens": self.tokens.output,
        });
        if self.tokens.reasoning > 0 {
            usage["output_tokens_details"] = json!({"thinking_tokens": self.tokens.reasoning});
        }
        events.push(event(&json!({
            "type": "message_delta",
            "delta": {"stop_reason": self.stop_reason, "stop_sequence": null, "stop_details": self.stop_details()},
            "usage": usage,
        })));
        events.push(event(&json!({"type": "message_stop"})));
        events
    }

    fn envelope(&self, content: &[Value], output: u64) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": null,
            "stop_sequence": null,
            "stop_details": null,
            "usage": {
                "input_tokens": self.tokens.input,
                "cache_creation_input_tokens": self.tokens.cache_write,
                "cache_read_input_tokens": self.tokens.cache_read,
                "cache_creation": {"ephemeral_5m_input_tokens": self.tokens.cache_write, "ephemeral_1h_input_tokens": 0},
                "output_tokens": output,
                "service_tier": "standard",
                "inference_geo": "not_available",
            },
        })
    }

    fn stop_details(&self) -> Value {
        if self.stop_reason == "refusal" {
            json!({"type": "refusal", "category": null, "explanation": null})
        } else {
            Value::Null
        }
    }
}

/// The error that ends a stream.
pub(super) fn error_event() -> String {
    event(&json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}))
}

fn event(data: &Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap_or_default()
    )
}
