//! A generateContent stream, put together to a turn: each event is an answer that holds the next parts.

use serde_json::{Map, Value, json};

use super::Toolbox;
use super::response::{citations, stop_reason, usage};
use crate::format::{Delta, FormatError};
use crate::message::{Arguments, Block, Citation, StopReason, ToolCall, Turn, Usage};

/// Puts the events of a stream together.
#[derive(Debug)]
pub struct Assembler {
    toolbox: Toolbox,
    id: Option<String>,
    model: String,
    parts: Vec<Value>,
    usage: Usage,
    stop: Option<StopReason>,
    stop_detail: Option<String>,
    /// The parts of the candidate that are not content: grounding and citations.
    notes: Value,
}

impl Assembler {
    /// For the answer to a request with these tools.
    pub fn new(toolbox: Toolbox) -> Self {
        Self {
            toolbox,
            id: None,
            model: String::new(),
            parts: Vec::new(),
            usage: Usage::default(),
            stop: None,
            stop_detail: None,
            notes: json!({}),
        }
    }

    /// Takes the data of one event, and returns what is new to show.
    pub fn push(&mut self, data: &str) -> Result<Vec<Delta>, FormatError> {
        let event: Value = serde_json::from_str(data)
            .map_err(|error| FormatError::Malformed(format!("an event is not JSON: {error}")))?;
        self.take(&event)
    }

    /// Nothing in the stream says that it is over: usage may follow the finish reason.
    pub fn is_done(&self) -> bool {
        false
    }

    pub(super) fn take(&mut self, answer: &Value) -> Result<Vec<Delta>, FormatError> {
        if answer["error"].is_object() {
            return Err(provider_error(&answer["error"]));
        }
        let text = |key: &str| answer[key].as_str().map(str::to_owned);
        self.id = text("responseId").or(self.id.take());
        if let Some(model) = text("modelVersion") {
            self.model = model;
        }
        if answer["usageMetadata"].is_object() {
            self.usage = usage(&answer["usageMetadata"]);
        }
        let feedback = &answer["promptFeedback"];
        if let Some(reason) = feedback["blockReason"].as_str() {
            self.stop = Some(StopReason::Refusal);
            let said = feedback["blockReasonMessage"].as_str();
            self.stop_detail = Some(detail(&format!("the prompt was blocked: {reason}"), said));
        }
        let candidate = &answer["candidates"][0];
        let mut shown = Vec::new();
        for part in candidate["content"]["parts"]
            .as_array()
            .into_iter()
            .flatten()
        {
            shown.extend(self.part(part));
        }
        for key in ["groundingMetadata", "citationMetadata"] {
            if candidate[key].is_object() {
                self.notes[key] = candidate[key].clone();
            }
        }
        if let Some(word) = candidate["finishReason"].as_str() {
            let said = candidate["finishMessage"].as_str();
            let stop = stop_reason(word, said)?;
            if matches!(stop, StopReason::Refusal | StopReason::MalformedCall) {
                self.stop_detail = Some(detail(word, said));
            }
            self.stop = Some(stop);
        }
        Ok(shown)
    }

    fn part(&mut self, part: &Value) -> Option<Delta> {
        let is_thought = part["thought"] == true;
        let Some(text) = part["text"].as_str() else {
            self.parts.push(part.clone());
            return None;
        };
        let merges = self.parts.last().is_some_and(|last| {
            last["text"].is_string()
                && last["thought"] == part["thought"]
                // What is signed is complete.
                && last.get("thoughtSignature").is_none()
        });
        match self.parts.last_mut() {
            Some(last) if merges => {
                let whole = format!("{}{text}", last["text"].as_str().unwrap_or_default());
                last["text"] = json!(whole);
                if let Some(signature) = part.get("thoughtSignature") {
                    last["thoughtSignature"] = signature.clone();
                }
            }
            _ => self.parts.push(part.clone()),
        }
        let text = text.to_owned();
        match (text.is_empty(), is_thought) {
            (true, _) => None,
            (false, true) => Some(Delta::Reasoning(text)),
            (false, false) => Some(Delta::Text(text)),
        }
    }

    /// The turn, when all of it has arrived.
    pub fn finish(self) -> Result<Turn, FormatError> {
        let Some(mut stop) = self.stop else {
            return Err(FormatError::Truncated);
        };
        let whole: String = self
            .parts
            .iter()
            .filter(|part| part["thought"] != true)
            .filter_map(|part| part["text"].as_str())
            .collect();
        let mut notes = citations(&self.notes, &whole);
        let mut before = 0;
        let mut blocks = Vec::new();
        for part in self.parts {
            blocks.push(block(part, &self.toolbox, &mut notes, &mut before));
        }
        let calls = blocks
            .iter()
            .any(|block| matches!(block, Block::ToolCall(_)));
        if calls && stop == StopReason::Done {
            stop = StopReason::ToolCalls;
        }
        Ok(Turn {
            model: self.model,
            blocks,
            stop,
            stop_detail: self.stop_detail,
            usage: self.usage,
            response_id: self.id,
        })
    }
}

/// A part as a block. `notes` are the citations that are still to be given to a block, `before` the characters of the text so far.
fn block(part: Value, toolbox: &Toolbox, notes: &mut Vec<Citation>, before: &mut u64) -> Block {
    let signature = part.get("thoughtSignature").cloned();
    if let Some(text) = part["text"].as_str() {
        if part["thought"] == true {
            let mut opaque = json!({"thought": true});
            if let Some(signature) = signature {
                opaque["thoughtSignature"] = signature;
            }
            return Block::Reasoning {
                text: text.to_owned(),
                opaque: Some(opaque),
            };
        }
        let end = *before + text.chars().count() as u64;
        let citations = own_citations(notes, *before, end);
        *before = end;
        return Block::Text {
            text: text.to_owned(),
            citations,
            opaque: signature.map(|signature| json!({"thoughtSignature": signature})),
        };
    }
    let call = &part["functionCall"];
    if call.is_object() {
        let name = call["name"].as_str().unwrap_or_default();
        return Block::ToolCall(ToolCall {
            // A call without id gets one from the loop, which knows all ids of the conversation.
            id: call["id"].as_str().unwrap_or_default().to_owned(),
            name: toolbox.names.ours(name),
            arguments: match &call["args"] {
                Value::Object(value) => Arguments::Object {
                    value: value.clone(),
                },
                Value::Null => Arguments::Object { value: Map::new() },
                other => Arguments::parse(&other.to_string()),
            },
            opaque: signature.map(|signature| json!({"thoughtSignature": signature})),
        });
    }
    Block::Opaque { value: part }
}

/// Takes the citations that begin in the characters from `start` to `end`, with spans within those.
fn own_citations(notes: &mut Vec<Citation>, start: u64, end: u64) -> Vec<Citation> {
    let (own, rest): (Vec<Citation>, Vec<Citation>) = notes.drain(..).partition(|note| {
        note.span
            .is_none_or(|(from, _)| (start..end.max(start + 1)).contains(&from))
    });
    *notes = rest;
    own.into_iter()
        .map(|note| Citation {
            span: note
                .span
                .map(|(from, to)| (from - start, to.min(end).saturating_sub(start))),
            ..note
        })
        .collect()
}

fn detail(word: &str, said: Option<&str>) -> String {
    match said {
        Some(said) => format!("{word}: {said}"),
        None => word.to_owned(),
    }
}

fn provider_error(error: &Value) -> FormatError {
    FormatError::Provider {
        code: error["status"]
            .as_str()
            .map(str::to_owned)
            .or_else(|| error["code"].as_u64().map(|code| code.to_string())),
        message: error["message"]
            .as_str()
            .map_or_else(|| error.to_string(), str::to_owned),
    }
}

#[cfg(test)]
mod tests;
