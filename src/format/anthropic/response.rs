//! What a Messages answer says, in our words.

use serde_json::Value;

use super::Assembler;
use crate::format::{FormatError, Names};
use crate::message::{Citation, StopReason, Turn, Usage};

/// A whole answer (of a server that does not stream) as a turn.
pub fn turn(answer: &Value, names: Names) -> Result<Turn, FormatError> {
    Assembler::whole(answer, names)?.finish()
}

pub(super) fn stop_reason(word: &str) -> StopReason {
    match word {
        "end_turn" | "stop_sequence" => StopReason::Done,
        "tool_use" => StopReason::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
        "refusal" => StopReason::Refusal,
        "pause_turn" => StopReason::Paused,
        other => StopReason::Other(other.to_owned()),
    }
}

/// Which policy a refusal is for, and why.
pub(super) fn stop_detail(details: &Value) -> Option<String> {
    let words: Vec<&str> = ["category", "explanation"]
        .iter()
        .filter_map(|key| details[*key].as_str())
        .collect();
    (!words.is_empty()).then(|| words.join(": "))
}

/// A citation of any of the API's kinds: places in documents, in search results, on the web.
pub(super) fn citation(own: &Value) -> Citation {
    let text = |key: &str| own[key].as_str().map(str::to_owned);
    let number = own["document_index"]
        .as_u64()
        .map(|index| format!("document {index}"));
    Citation {
        kind: text("type").unwrap_or_default(),
        source: text("url")
            .or_else(|| text("source"))
            .or_else(|| text("file_id"))
            .or(number)
            .unwrap_or_default(),
        title: text("title").or_else(|| text("document_title")),
        cited_text: text("cited_text"),
        // The API splits a text where a citation begins and ends, so it is about all of its block.
        span: None,
        provider: own.clone(),
    }
}

/// Token counts as they arrive: the numbers of a later event replace those of an earlier one, and what it leaves out stays.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    fresh: u64,
    cache_read: u64,
    cache_write: u64,
    output: u64,
    thinking: u64,
}

impl Counts {
    pub(super) fn update(&mut self, usage: &Value) {
        let details = &usage["output_tokens_details"];
        for (count, value) in [
            (&mut self.fresh, &usage["input_tokens"]),
            (&mut self.cache_read, &usage["cache_read_input_tokens"]),
            (&mut self.cache_write, &usage["cache_creation_input_tokens"]),
            (&mut self.output, &usage["output_tokens"]),
            (&mut self.thinking, &details["thinking_tokens"]),
        ] {
            if let Some(value) = value.as_u64() {
                *count = value;
            }
        }
    }

    /// The API counts fresh, written and read input apart; ours is their sum.
    pub(super) fn usage(self) -> Usage {
        Usage {
            input_tokens: self.fresh + self.cache_read + self.cache_write,
            output_tokens: self.output,
            cache_read_tokens: self.cache_read,
            cache_write_tokens: self.cache_write,
            reasoning_tokens: self.thinking,
        }
    }
}
