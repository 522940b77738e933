//! What a Chat Completions answer says, in our words.

use serde_json::Value;

use super::Assembler;
use crate::format::{FormatError, Names};
use crate::message::{StopReason, Turn, Usage};

/// A whole answer (of a server that does not stream) as a turn.
pub fn turn(answer: &Value, names: Names) -> Result<Turn, FormatError> {
    let mut assembler = Assembler::new(names);
    if answer["choices"].as_array().is_none_or(Vec::is_empty) && answer["error"].is_null() {
        return Err(FormatError::Malformed(
            "the list `choices` is missing".to_owned(),
        ));
    }
    assembler.take(answer)?;
    assembler.end();
    assembler.finish()
}

pub(super) fn stop_reason(word: &str) -> StopReason {
    match word {
        "stop" | "end_turn" | "eos" => StopReason::Done,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        "length" => StopReason::Length,
        "content_filter" => StopReason::Refusal,
        other => StopReason::Other(other.to_owned()),
    }
}

pub(super) fn usage(usage: &Value) -> Usage {
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    let input = &usage["prompt_tokens_details"];
    let reasoning = count(&usage["completion_tokens_details"]["reasoning_tokens"]);
    let mut own = Usage {
        input_tokens: count(&usage["prompt_tokens"]),
        output_tokens: count(&usage["completion_tokens"]),
        // DeepSeek's name for it is the second one.
        cache_read_tokens: count(&input["cached_tokens"])
            .max(count(&usage["prompt_cache_hit_tokens"])),
        cache_write_tokens: count(&input["cache_write_tokens"]),
        reasoning_tokens: reasoning,
    };
    // xAI leaves thinking out of `completion_tokens`; the total tells.
    if reasoning > 0 && own.total() + reasoning == count(&usage["total_tokens"]) {
        own.output_tokens += reasoning;
    }
    own
}
