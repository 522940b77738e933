//! Writes turns as `OpenAI` does: a completion, or its chunks (`chat_completion_chunk.py` of the SDK).

use serde_json::{Value, json};

use super::reply::{Ids, pieces};
use super::script::{Part, Stop, Tokens, Turn};

/// A turn with its ids, ready to be written in either way.
pub(super) struct Completion {
    id: String,
    model: String,
    reasoning: String,
    text: String,
    annotations: Vec<Value>,
    refuses: bool,
    calls: Vec<Call>,
    finish_reason: &'static str,
    tokens: Tokens,
}

struct Call {
    id: String,
    name: String,
    arguments: String,
}

/// What the client asked of its stream.
#[derive(Clone, Copy)]
pub(super) struct StreamOptions {
    pub(super) usage: bool,
    pub(super) obfuscation: bool,
}

impl StreamOptions {
    pub(super) fn read(body: &Value) -> Self {
        let options = &body["stream_options"];
        Self {
            usage: options["include_usage"] == true,
            obfuscation: options["include_obfuscation"] != false,
        }
    }
}

/// A fixed time: nothing may depend on it.
const CREATED: u64 = 1_790_000_000;

impl Completion {
    /// Gives the turn its ids.
    pub(super) fn new(turn: &Turn, model: &str, ids: &Ids) -> Self {
        let (mut reasoning, mut text, mut calls) = (String::new(), String::new(), Vec::new());
        let mut annotations = Vec::new();
        for part in &turn.parts {
            match part {
                Part::Reasoning(piece) => reasoning += piece,
                Part::Text(piece) => text += piece,
                Part::Cited {
                    text: piece,
                    url,
                    title,
                } => {
                    annotations.push(json!({"type": "url_citation", "url_citation": {
                        "url": url, "title": title,
                        "start_index": text.chars().count(),
                        "end_index": text.chars().count() + piece.chars().count(),
                    }}));
                    text += piece;
                }
                // It has no items of its own.
                Part::Item(_) => {}
                Part::Call { name, arguments } => {
                    calls.push(Call {
                        id: ids.next("call"),
                        name: name.clone(),
                        arguments: arguments.clone(),
                    });
                }
            }
        }
        let finish_reason = match turn.stop {
            Some(Stop::MaxTokens | Stop::ContextWindow) => "length",
            Some(Stop::Refusal | Stop::Pause) => "stop",
            None if calls.is_empty() => "stop",
            None => "tool_calls",
        };
        Self {
            id: ids.next("chatcmpl"),
            model: model.to_owned(),
            reasoning,
            text,
            annotations,
            refuses: turn.stop == Some(Stop::Refusal),
            calls,
            finish_reason,
            tokens: turn.tokens,
        }
    }

    /// The whole completion.
    pub(super) fn body(&self) -> Value {
        let said = if self.text.is_empty() {
            Value::Null
        } else {
            self.text.clone().into()
        };
        let (content, refusal) = if self.refuses {
            (Value::Null, said)
        } else {
            (said, Value::Null)
        };
        let mut message = json!({"role": "assistant", "content": content, "refusal": refusal, "annotations": self.annotations});
        if !self.reasoning.is_empty() {
            message["reasoning_content"] = self.reasoning.clone().into();
        }
        if !self.calls.is_empty() {
            message["tool_calls"] = self.calls.iter().map(|call| {
                json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
            }).collect();
        }
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": CREATED,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason}],
            "usage": self.usage(),
            "service_tier": "default",
            "system_fingerprint": "fp_stand_in",
        })
    }

    /// The server-sent events of a stream, each with its blank line, up to `[DONE]`.
    pub(super) fn events(&self, options: StreamOptions) -> Vec<String> {
        let field = if self.refuses { "refusal" } else { "content" };
        let first_content = if self.text.is_empty() {
            Value::Null
        } else {
            "".into()
        };
        let mut deltas =
            vec![json!({"role": "assistant", "content": first_content, "refusal": null})];
        deltas.extend(
            pieces(&self.reasoning)
                .into_iter()
                .map(|piece| json!({"reasoning_content": piece})),
        );
        deltas.extend(
            pieces(&self.text)
                .into_iter()
                .map(|piece| json!({field: piece})),
        );
        if !self.annotations.is_empty() {
            deltas.push(json!({"annotations": self.annotations}));
        }
        for (index, call) in self.calls.iter().enumerate() {
            let start = json!({"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}});
            deltas.push(json!({"tool_calls": [start]}));
            deltas.extend(pieces(&call.arguments).into_iter().map(
                |piece| json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}),
            ));
        }
        let mut events: Vec<_> = deltas
            .iter()
            .map(|delta| self.chunk(delta, None, options))
            .collect();
        events.push(self.chunk(&json!({}), Some(self.finish_reason), options));
        if options.usage {
            let mut last = self.envelope();
            last["choices"] = json!([]);
            last["usage"] = self.usage();
            events.push(event(&last.to_string()));
        }
        events.push(event("[DONE]"));
        events
    }

    fn chunk(&self, delta: &Value, finish_reason: Option<&str>, options: StreamOptions) -> String {
        let mut chunk = self.envelope();
        chunk["choices"] =
            json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}]);
        if options.usage {
            chunk["usage"] = Value::Null;
        }
        if options.obfuscation {
            chunk["obfuscation"] = "x7Kq".into();
        }
        event(&chunk.to_string())
    }

    fn envelope(&self) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": "fp_stand_in",
        })
    }

    fn usage(&self) -> Value {
        let prompt = self.tokens.input + self.tokens.cache_read + self.tokens.cache_write;
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": self.tokens.output,
            "total_tokens": prompt + self.tokens.output,
            "prompt_tokens_details": {"cached_tokens": self.tokens.cache_read, "audio_tokens": 0, "cache_write_tokens": self.tokens.cache_write},
            "completion_tokens_details": {
                "reasoning_tokens": self.tokens.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        })
    }
}

/// The error that ends a stream.
pub(super) fn error_event() -> String {
    event(
        r#"{"error":{"message":"The server is currently overloaded with other requests.","type":"server_error","param":null,"code":null}}"#,
    )
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}
