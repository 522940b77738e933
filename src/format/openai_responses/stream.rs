//! A Responses stream, put together to a turn.
//!
//! Its last event holds the whole response, but some servers leave the output out of that, so the items are kept as they are completed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Toolbox;
use super::response::{finished, provider_error};
use crate::format::{Delta, FormatError};
use crate::message::Turn;

/// Puts the events of a stream together.
#[derive(Debug)]
pub struct Assembler {
    toolbox: Toolbox,
    /// Completed items, by their place in the output.
    items: BTreeMap<u64, Value>,
    /// What the last event said of the response.
    response: Option<Value>,
}

impl Assembler {
    /// For the answer to a request with these tools.
    pub fn new(toolbox: Toolbox) -> Self {
        Self {
            toolbox,
            items: BTreeMap::new(),
            response: None,
        }
    }

    /// Takes the data of one event, and returns what is new to show.
    pub fn push(&mut self, data: &str) -> Result<Vec<Delta>, FormatError> {
        // Not of this API, but some servers that speak it end their streams so.
        if data.trim_start().starts_with("[DONE]") {
            return Ok(Vec::new());
        }
        let mut event: Value = serde_json::from_str(data)
            .map_err(|error| FormatError::Malformed(format!("an event is not JSON: {error}")))?;
        let delta = |event: &Value| event["delta"].as_str().unwrap_or_default().to_owned();
        match event["type"].as_str().unwrap_or_default() {
            "response.output_text.delta" | "response.refusal.delta" => {
                return Ok(vec![Delta::Text(delta(&event))]);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                return Ok(vec![Delta::Reasoning(delta(&event))]);
            }
            "response.output_item.done" => {
                let index = event["output_index"]
                    .as_u64()
                    .unwrap_or(self.items.len() as u64);
                self.items.insert(index, event["item"].take());
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                self.response = Some(event["response"].take());
            }
            "error" => {
                // Some servers put the error into a field of its own.
                let error = match &event["error"] {
                    Value::Null => &event,
                    error => error,
                };
                return Err(provider_error(error));
            }
            // The beginnings of items and parts, their whole texts again, and whatever will be added.
            _ => {}
        }
        Ok(Vec::new())
    }

    /// Whether nothing follows.
    pub fn is_done(&self) -> bool {
        self.response.is_some()
    }

    /// The turn, when all of it has arrived.
    pub fn finish(self) -> Result<Turn, FormatError> {
        let response = self.response.ok_or(FormatError::Truncated)?;
        let output = response["output"]
            .as_array()
            .filter(|items| !items.is_empty());
        match output {
            Some(items) => finished(&response, items, &self.toolbox),
            None => {
                let items: Vec<Value> = self.items.into_values().collect();
                finished(&response, &items, &self.toolbox)
            }
        }
    }
}

#[cfg(test)]
mod tests;
