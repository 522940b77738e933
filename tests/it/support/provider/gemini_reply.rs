//! Writes turns as Google does: one answer, or a stream of answers that each hold the next parts.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::reply::{Ids, pieces};
use super::script::{Part, Stop, Tokens, Turn};

/// A turn, ready to be written in either way.
pub(super) struct Content {
    id: String,
    model: String,
    parts: Vec<Value>,
    notes: Value,
    finish_reason: &'static str,
    finish_message: Option<String>,
    tokens: Tokens,
}

impl Content {
    /// Signs the turn's thoughts, and remembers what was signed.
    pub(super) fn new(turn: &Turn, model: &str, ids: &Ids, signed: &mut HashSet<String>) -> Self {
        let mut parts = Vec::new();
        let mut notes = json!({});
        let mut sign = || {
            let signature = STANDARD.encode(ids.next("signed by the stand-in"));
            signed.insert(signature.clone());
            signature
        };
        let thinks = turn
            .parts
            .iter()
            .any(|part| matches!(part, Part::Reasoning(_)));
        let always = model.starts_with("gemini-3");
        let mut calls = 0;
        for part in &turn.parts {
            match part {
                Part::Reasoning(text) => parts.push(json!({"text": text, "thought": true})),
                Part::Text(text) => parts.push(json!({"text": text})),
                Part::Cited { text, url, title } => {
                    parts.push(json!({"text": text}));
                    notes = json!({"groundingMetadata": {
                        "webSearchQueries": ["q"],
                        "groundingChunks": [{"web": {"uri": url, "title": title}}],
                        "groundingSupports": [{
                            "segment": {"endIndex": text.len(), "text": text},
                            "groundingChunkIndices": [0],
                        }],
                    }});
                }
                Part::Call { name, arguments } => {
                    let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
                    let mut part = json!({"functionCall": {"id": ids.next("fn"), "name": name, "args": arguments}});
                    // The first of a step is signed.
                    if calls == 0 && (thinks || always) {
                        part["thoughtSignature"] = json!(sign());
                    }
                    calls += 1;
                    parts.push(part);
                }
                Part::Item(part) => parts.push(part.clone()),
            }
        }
        // Thoughts without a call are signed at the end of the text.
        if calls == 0 && thinks {
            parts.push(json!({"text": "", "thoughtSignature": sign()}));
        }
        // The API reads calls itself, and says so when it cannot.
        let malformed = turn.parts.iter().find_map(|part| match part {
            Part::Call { arguments, .. } if serde_json::from_str::<Value>(arguments).is_err() => {
                Some(format!("Malformed function call: {arguments}"))
            }
            _ => None,
        });
        if malformed.is_some() {
            parts.retain(|part| part["functionCall"].is_null());
        }
        let finish_reason = match turn.stop {
            _ if malformed.is_some() => "MALFORMED_FUNCTION_CALL",
            Some(Stop::MaxTokens | Stop::ContextWindow) => "MAX_TOKENS",
            Some(Stop::Refusal) => "SAFETY",
            Some(Stop::Pause) | None => "STOP",
        };
        Self {
            id: ids.next("response"),
            model: model.to_owned(),
            parts,
            notes,
            finish_reason,
            finish_message: malformed,
            tokens: turn.tokens,
        }
    }

    /// The whole answer.
    pub(super) fn body(&self) -> Value {
        self.answer(&self.parts, true)
    }

    /// The server-sent events of a stream, each with its blank line.
    pub(super) fn events(&self) -> Vec<String> {
        let mut chunks: Vec<Value> = Vec::new();
        for part in &self.parts {
            let text = part["text"].as_str().unwrap_or_default();
            if text.is_empty() {
                chunks.push(part.clone());
                continue;
            }
            for piece in pieces(text) {
                let mut chunk = part.clone();
                chunk["text"] = json!(piece);
                chunks.push(chunk);
            }
        }
        let mut events: Vec<Value> = chunks
            .iter()
            .map(|part| self.answer(std::slice::from_ref(part), false))
            .collect();
        events.push(self.answer(&[], true));
        // The real API ends its lines like this.
        events
            .iter()
            .map(|event| format!("data: {event}\r\n\r\n"))
            .collect()
    }

    fn answer(&self, parts: &[Value], last: bool) -> Value {
        let mut candidate = json!({"index": 0});
        if !parts.is_empty() {
            candidate["content"] = json!({"role": "model", "parts": parts});
        }
        if last {
            candidate["finishReason"] = json!(self.finish_reason);
            if let Some(message) = &self.finish_message {
                candidate["finishMessage"] = json!(message);
            }
            for (key, value) in self.notes.as_object().into_iter().flatten() {
                candidate[key] = value.clone();
            }
        }
        let prompt = self.tokens.input + self.tokens.cache_read + self.tokens.cache_write;
        let mut usage =
            json!({"promptTokenCount": prompt, "totalTokenCount": prompt + self.tokens.output});
        if last {
            usage["candidatesTokenCount"] = json!(self.tokens.output - self.tokens.reasoning);
            if self.tokens.reasoning > 0 {
                usage["thoughtsTokenCount"] = json!(self.tokens.reasoning);
            }
            if self.tokens.cache_read > 0 {
                usage["cachedContentTokenCount"] = json!(self.tokens.cache_read);
            }
        }
        json!({
            "candidates": [candidate],
            "usageMetadata": usage,
            "modelVersion": self.model,
            "responseId": self.id,
        })
    }
}

/// The error that ends a stream.
pub(super) fn error_event() -> String {
    "data: {\"error\":{\"code\":503,\"message\":\"The model is overloaded. Please try again later.\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n".to_owned()
}
