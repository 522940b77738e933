//! A Chat Completions stream, put together to a turn.
//!
//! The format is spoken by many servers that differ in what they leave out, so this is lenient wherever the meaning is certain.

use serde_json::{Map, Value, json};

use super::response::{stop_reason, usage};
use crate::format::{Delta, FormatError, Names};
use crate::message::{Arguments, Block, Citation, StopReason, ToolCall, Turn, Usage};

/// Puts the chunks of a stream together.
#[derive(Debug)]
pub struct Assembler {
    names: Names,
    id: Option<String>,
    model: String,
    text: String,
    refusal: String,
    citations: Vec<Citation>,
    reasoning: String,
    /// The field that thinking came in; it goes back in the same.
    reasoning_field: Option<&'static str>,
    /// `OpenRouter`'s form of thinking, with its signatures.
    reasoning_details: Vec<Value>,
    calls: Vec<Partial>,
    usage: Usage,
    stop: Option<StopReason>,
    /// The end of the stream was announced.
    ended: bool,
}

/// A call as far as it has arrived.
#[derive(Debug, Default)]
struct Partial {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

impl Assembler {
    /// For the answer to a request with tools of these names.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            id: None,
            model: String::new(),
            text: String::new(),
            refusal: String::new(),
            citations: Vec::new(),
            reasoning: String::new(),
            reasoning_field: None,
            reasoning_details: Vec::new(),
            calls: Vec::new(),
            usage: Usage::default(),
            stop: None,
            ended: false,
        }
    }

    /// Takes the data of one event, and returns what is new to show.
    pub fn push(&mut self, data: &str) -> Result<Vec<Delta>, FormatError> {
        if data.trim_start().starts_with("[DONE]") {
            self.end();
            return Ok(Vec::new());
        }
        let chunk: Value = serde_json::from_str(data)
            .map_err(|error| FormatError::Malformed(format!("an event is not JSON: {error}")))?;
        self.take(&chunk)
    }

    /// The server says that nothing follows.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether nothing follows.
    pub fn is_done(&self) -> bool {
        self.ended
    }

    pub(super) fn take(&mut self, chunk: &Value) -> Result<Vec<Delta>, FormatError> {
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return Err(provider_error(error));
        }
        if self.id.is_none() {
            self.id = non_empty(&chunk["id"]).map(str::to_owned);
        }
        if self.model.is_empty() {
            non_empty(&chunk["model"])
                .unwrap_or_default()
                .clone_into(&mut self.model);
        }
        if chunk["usage"].is_object() {
            self.usage = usage(&chunk["usage"]);
        }
        let mut shown = Vec::new();
        let choices = chunk["choices"].as_array().into_iter().flatten();
        for choice in choices.filter(|choice| choice["index"].as_u64().unwrap_or(0) == 0) {
            // A whole answer has `message` where a chunk has `delta`.
            for key in ["delta", "message"] {
                if choice[key].is_object() {
                    self.delta(&choice[key], &mut shown);
                }
            }
            if let Some(word) = non_empty(&choice["finish_reason"]) {
                self.stop = Some(stop_reason(word));
            }
        }
        Ok(shown)
    }

    fn delta(&mut self, delta: &Value, shown: &mut Vec<Delta>) {
        for field in ["reasoning_content", "reasoning"] {
            if let Some(text) = non_empty(&delta[field]) {
                // A server that sends both says the same in both.
                if *self.reasoning_field.get_or_insert(field) == field {
                    self.reasoning += text;
                    shown.push(Delta::Reasoning(text.to_owned()));
                }
            }
        }
        for detail in delta["reasoning_details"].as_array().into_iter().flatten() {
            merge_detail(&mut self.reasoning_details, detail);
        }
        let text = content_text(&delta["content"]);
        if !text.is_empty() {
            self.text += &text;
            shown.push(Delta::Text(text));
        }
        if let Some(text) = non_empty(&delta["refusal"]) {
            self.refusal += text;
            shown.push(Delta::Text(text.to_owned()));
        }
        for note in delta["annotations"].as_array().into_iter().flatten() {
            self.citations.extend(citation(note));
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.call(call);
        }
    }

    fn call(&mut self, delta: &Value) {
        let index = delta["index"].as_u64();
        let id = non_empty(&delta["id"]).unwrap_or_default();
        let function = &delta["function"];
        let name = non_empty(&function["name"]).unwrap_or_default();
        let position = self.position(index, id, name);
        let call = &mut self.calls[position];
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        // Some servers repeat the name with every piece of the arguments.
        if call.name != name {
            call.name += name;
        }
        match &function["arguments"] {
            Value::String(piece) => call.arguments += piece,
            Value::Null => {}
            // Not the format, but clear.
            whole => call.arguments = whole.to_string(),
        }
    }

    /// The call that a piece belongs to, made when there is none yet.
    fn position(&mut self, index: Option<u64>, id: &str, name: &str) -> usize {
        let same_id = |call: &Partial| !id.is_empty() && call.id == id;
        let found = match index {
            Some(_) => self.calls.iter().rposition(|call| call.index == index),
            None => self.calls.iter().rposition(same_id).or_else(|| {
                self.calls
                    .len()
                    .checked_sub(1)
                    .filter(|_| id.is_empty() && name.is_empty())
            }),
        };
        // Some servers number every call 0: another id with a name of its own is another call.
        let found = found.filter(|&position| {
            let call = &self.calls[position];
            id.is_empty() || name.is_empty() || call.id.is_empty() || call.id == id
        });
        found.unwrap_or_else(|| {
            self.calls.push(Partial {
                index,
                ..Partial::default()
            });
            self.calls.len() - 1
        })
    }

    /// The turn, when all of it has arrived.
    pub fn finish(self) -> Result<Turn, FormatError> {
        let said_something = !self.text.is_empty() || !self.calls.is_empty();
        let stop = match self.stop {
            Some(stop) => stop,
            // Some servers give no reason, but do say that it was all.
            None if self.ended && said_something => StopReason::Done,
            None => return Err(FormatError::Truncated),
        };
        let mut blocks = Vec::new();
        if !self.reasoning.is_empty() || !self.reasoning_details.is_empty() {
            let mut opaque = Map::new();
            if let Some(field) = self.reasoning_field {
                opaque.insert(field.to_owned(), json!(self.reasoning));
            }
            if !self.reasoning_details.is_empty() {
                opaque.insert(
                    "reasoning_details".to_owned(),
                    Value::Array(self.reasoning_details),
                );
            }
            blocks.push(Block::Reasoning {
                text: self.reasoning,
                opaque: Some(Value::Object(opaque)),
            });
        }
        let refused = !self.refusal.is_empty();
        if !self.text.is_empty() {
            blocks.push(Block::Text {
                text: self.text,
                citations: self.citations,
                opaque: None,
            });
        }
        if refused {
            blocks.push(Block::text(self.refusal));
        }
        let last = self.calls.len().saturating_sub(1);
        for (position, call) in self.calls.into_iter().enumerate() {
            let cut_off = position == last && stop == StopReason::Length;
            blocks.push(Block::ToolCall(call.finish(&self.names, cut_off)));
        }
        Ok(Turn {
            model: self.model,
            blocks,
            stop: if refused { StopReason::Refusal } else { stop },
            usage: self.usage,
            stop_detail: None,
            response_id: self.id,
        })
    }
}

impl Partial {
    fn finish(self, names: &Names, cut_off: bool) -> ToolCall {
        // A call without id gets one from the loop, which knows all ids of the conversation.
        let arguments = if cut_off && self.arguments.trim().is_empty() {
            // Nothing at all is how a call without arguments looks; one that was cut off must not be taken for that.
            Arguments::Malformed {
                raw: self.arguments,
                error: "missing: the limit of output tokens was reached before them".to_owned(),
            }
        } else {
            Arguments::parse(&self.arguments)
        };
        ToolCall {
            id: self.id,
            name: names.ours(&self.name),
            arguments,
            opaque: None,
        }
    }
}

/// An annotation that cites: `OpenAI`'s search models and `OpenRouter` send these.
fn citation(note: &Value) -> Option<Citation> {
    let own = &note["url_citation"];
    let text = |key: &str| own[key].as_str().map(str::to_owned);
    Some(Citation {
        kind: note["type"].as_str()?.to_owned(),
        source: text("url")?,
        title: text("title"),
        cited_text: text("content"),
        span: own["start_index"].as_u64().zip(own["end_index"].as_u64()),
        provider: note.clone(),
    })
}

fn non_empty(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// The text of `content`: a string, or a list of parts of which those with text count.
fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

/// Adds a piece of `reasoning_details`: pieces of one type and index that follow each other are one detail, whose texts grow.
fn merge_detail(details: &mut Vec<Value>, piece: &Value) {
    let continues = details
        .last()
        .is_some_and(|last| last["type"] == piece["type"] && last["index"] == piece["index"]);
    let (true, Some(Value::Object(last)), Value::Object(piece)) =
        (continues, details.last_mut(), piece)
    else {
        details.push(piece.clone());
        return;
    };
    for (key, value) in piece {
        match (last.get_mut(key), value) {
            (Some(Value::String(text)), Value::String(more))
                if matches!(key.as_str(), "text" | "summary" | "data") =>
            {
                text.push_str(more);
            }
            (_, Value::Null) => {}
            _ => {
                last.insert(key.clone(), value.clone());
            }
        }
    }
}

fn provider_error(error: &Value) -> FormatError {
    let word = |key: &str| match &error[key] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    FormatError::Provider {
        code: word("code").or_else(|| word("type")),
        message: word("message")
            .or_else(|| error.as_str().map(str::to_owned))
            .unwrap_or_else(|| error.to_string()),
    }
}

#[cfg(test)]
mod tests;
