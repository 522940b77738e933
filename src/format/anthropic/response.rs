//! What a Messages answer says, in our words.

use serde_json::Value;

use super::Assembler;
use crate::format::{FormatError, Names};
use crate::message::{StopReason, Turn, Usage};

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
