//! Writes turns as `OpenAI` does over Responses: a response, or the events of one (`response_stream_event.py` of the SDK).

use serde_json::{Value, json};

use super::reply::{Ids, pieces};
use super::responses_check::Kept;
use super::script::{Part, Stop, Tokens, Turn};

/// A turn with its ids, ready to be written in either way.
pub(super) struct Answer {
    id: String,
    model: String,
    previous: Value,
    store: bool,
    items: Vec<Value>,
    status: &'static str,
    incomplete: Value,
    tokens: Tokens,
}

/// A fixed time: nothing may depend on it.
const CREATED: u64 = 1_790_000_000;

impl Answer {
    /// Gives the turn its ids, and keeps it as the end of `conversation` when the client lets it be kept.
    pub(super) fn new(
        turn: &Turn,
        model: &str,
        body: &Value,
        conversation: &[Value],
        ids: &Ids,
        kept: &mut Kept,
    ) -> Self {
        let incomplete = match turn.stop {
            Some(Stop::MaxTokens | Stop::ContextWindow) => json!({"reason": "max_output_tokens"}),
            _ => Value::Null,
        };
        let status = if incomplete.is_null() {
            "completed"
        } else {
            "incomplete"
        };
        let mut items = Vec::new();
        for part in &turn.parts {
            items.push(match part {
                Part::Reasoning(text) => {
                    let encrypted = ids.next("gAAAAencrypted");
                    kept.encrypted.insert(encrypted.clone());
                    json!({
                        "id": ids.next("rs"),
                        "type": "reasoning",
                        "summary": [{"type": "summary_text", "text": text}],
                        "content": null,
                        "encrypted_content": encrypted,
                        "status": null,
                    })
                }
                Part::Text(text) if turn.stop == Some(Stop::Refusal) => {
                    message(ids, status, json!({"type": "refusal", "refusal": text}))
                }
                Part::Text(text) => message(
                    ids,
                    status,
                    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
                ),
                Part::Cited { text, url, title } => message(
                    ids,
                    status,
                    json!({
                        "type": "output_text",
                        "text": text,
                        "annotations": [{
                            "type": "url_citation", "url": url, "title": title,
                            "start_index": 0, "end_index": text.chars().count(),
                        }],
                        "logprobs": [],
                    }),
                ),
                Part::Call { name, arguments } => json!({
                    "id": ids.next("fc"),
                    "type": "function_call",
                    "status": status,
                    "call_id": ids.next("call"),
                    "name": name,
                    "arguments": arguments,
                }),
                Part::Item(item) => {
                    let mut item = item.clone();
                    item["id"] = json!(ids.next("item"));
                    if item["call_id"].is_null() && item["type"].as_str().is_some_and(has_call_id) {
                        item["call_id"] = json!(ids.next("call"));
                    }
                    item
                }
            });
        }
        let id = ids.next("resp");
        let store = body["store"] != false;
        if store {
            let all = conversation.iter().chain(&items).cloned().collect();
            kept.conversations.insert(id.clone(), all);
        }
        Self {
            id,
            model: model.to_owned(),
            previous: body["previous_response_id"].clone(),
            store,
            items,
            status,
            incomplete,
            tokens: turn.tokens,
        }
    }

    /// The whole response.
    pub(super) fn body(&self) -> Value {
        self.response(self.status, &self.items, true)
    }

    /// The server-sent events of a stream, each with its blank line.
    pub(super) fn events(&self) -> Vec<String> {
        let begun = self.response("in_progress", &[], false);
        let mut events = vec![
            json!({"type": "response.created", "response": begun}),
            json!({"type": "response.in_progress", "response": begun}),
        ];
        for (index, item) in self.items.iter().enumerate() {
            Self::item_events(index, item, &mut events);
        }
        let last = if self.status == "completed" {
            "response.completed"
        } else {
            "response.incomplete"
        };
        events.push(json!({"type": last, "response": self.body()}));
        events
            .into_iter()
            .enumerate()
            .map(|(number, mut event)| {
                event["sequence_number"] = json!(number);
                format!(
                    "event: {}\ndata: {event}\n\n",
                    event["type"].as_str().unwrap_or_default()
                )
            })
            .collect()
    }

    fn item_events(index: usize, item: &Value, events: &mut Vec<Value>) {
        let item_id = &item["id"];
        let mut added = item.clone();
        let kind = item["type"].as_str().unwrap_or_default();
        match kind {
            "message" => added["content"] = json!([]),
            "reasoning" => {
                added["summary"] = json!([]);
                // What is sent here is not to be used: it may be incomplete.
                added["encrypted_content"] = json!("incomplete");
            }
            "function_call" => added["arguments"] = json!(""),
            _ => {}
        }
        if added.get("status").is_some_and(Value::is_string) {
            added["status"] = json!("in_progress");
        }
        events.push(
            json!({"type": "response.output_item.added", "output_index": index, "item": added}),
        );
        let mut push = |kind: &str, mut more: Value| {
            more["type"] = json!(kind);
            more["item_id"] = item_id.clone();
            more["output_index"] = json!(index);
            events.push(more);
        };
        match kind {
            "message" => {
                let part = &item["content"][0];
                let (field, event) = if part["type"] == "refusal" {
                    ("refusal", "response.refusal")
                } else {
                    ("text", "response.output_text")
                };
                let text = part[field].as_str().unwrap_or_default();
                let mut empty = part.clone();
                empty[field] = json!("");
                push(
                    "response.content_part.added",
                    json!({"content_index": 0, "part": empty}),
                );
                for piece in pieces(text) {
                    push(
                        &format!("{event}.delta"),
                        json!({"content_index": 0, "delta": piece, "logprobs": []}),
                    );
                }
                for (number, note) in part["annotations"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .enumerate()
                {
                    push(
                        "response.output_text.annotation.added",
                        json!({"content_index": 0, "annotation_index": number, "annotation": note}),
                    );
                }
                push(
                    &format!("{event}.done"),
                    json!({"content_index": 0, field: text, "logprobs": []}),
                );
                push(
                    "response.content_part.done",
                    json!({"content_index": 0, "part": part}),
                );
            }
            "reasoning" => {
                let text = item["summary"][0]["text"].as_str().unwrap_or_default();
                let part = |text: &str| json!({"type": "summary_text", "text": text});
                push(
                    "response.reasoning_summary_part.added",
                    json!({"summary_index": 0, "part": part("")}),
                );
                for piece in pieces(text) {
                    push(
                        "response.reasoning_summary_text.delta",
                        json!({"summary_index": 0, "delta": piece}),
                    );
                }
                push(
                    "response.reasoning_summary_text.done",
                    json!({"summary_index": 0, "text": text}),
                );
                push(
                    "response.reasoning_summary_part.done",
                    json!({"summary_index": 0, "part": part(text)}),
                );
            }
            "function_call" => {
                let arguments = item["arguments"].as_str().unwrap_or_default();
                for piece in pieces(arguments) {
                    push(
                        "response.function_call_arguments.delta",
                        json!({"delta": piece}),
                    );
                }
                push(
                    "response.function_call_arguments.done",
                    json!({"arguments": arguments, "name": item["name"]}),
                );
            }
            _ => {}
        }
        events.push(
            json!({"type": "response.output_item.done", "output_index": index, "item": item}),
        );
    }

    fn response(&self, status: &str, output: &[Value], with_usage: bool) -> Value {
        let input = self.tokens.input + self.tokens.cache_read + self.tokens.cache_write;
        let usage = json!({
            "input_tokens": input,
            "input_tokens_details": {"cached_tokens": self.tokens.cache_read, "cache_write_tokens": self.tokens.cache_write},
            "output_tokens": self.tokens.output,
            "output_tokens_details": {"reasoning_tokens": self.tokens.reasoning},
            "total_tokens": input + self.tokens.output,
        });
        json!({
            "id": self.id,
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": if status == "incomplete" { self.incomplete.clone() } else { Value::Null },
            "instructions": null,
            "max_output_tokens": null,
            "max_tool_calls": null,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": self.previous,
            "prompt_cache_key": null,
            "reasoning": {"effort": null, "summary": null},
            "safety_identifier": null,
            "service_tier": "default",
            "store": self.store,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}, "verbosity": "medium"},
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": 0,
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": if with_usage { usage } else { Value::Null },
            "user": null,
            "metadata": {},
        })
    }
}

fn has_call_id(kind: &str) -> bool {
    matches!(kind, "computer_call" | "shell_call" | "apply_patch_call")
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "literals read better at the call"
)]
fn message(ids: &Ids, status: &str, part: Value) -> Value {
    json!({
        "id": ids.next("msg"),
        "type": "message",
        "status": status,
        "role": "assistant",
        "phase": "final_answer",
        "content": [part],
    })
}

/// The error that ends a stream.
pub(super) fn error_event() -> String {
    "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"The server is currently overloaded with other requests.\",\"param\":null,\"sequence_number\":7}\n\n".to_owned()
}
