//! What a generateContent answer says, in our words.

use serde_json::Value;

use super::{Assembler, Toolbox};
use crate::format::FormatError;
use crate::message::{Citation, StopReason, Turn, Usage};

/// Reasons that mean that the model, or a filter before or behind it, will not.
const REFUSALS: &[&str] = &[
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "LANGUAGE",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
    "ESCALATION",
    "PUP_LIMITED_DISABLED",
    "JAILBREAK",
];

/// A whole answer as a turn.
pub fn turn(answer: &Value, toolbox: &Toolbox) -> Result<Turn, FormatError> {
    let mut assembler = Assembler::new(toolbox.clone());
    assembler.take(answer)?;
    assembler.finish()
}

/// What a finish reason means; `Err` where the answer is none and asking again may give one.
pub(super) fn stop_reason(word: &str, message: Option<&str>) -> Result<StopReason, FormatError> {
    Ok(match word {
        "STOP" => StopReason::Done,
        "MAX_TOKENS" => StopReason::Length,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" => StopReason::MalformedCall,
        "MALFORMED_RESPONSE" | "MISSING_THOUGHT_SIGNATURE" => {
            return Err(FormatError::Provider {
                code: Some(word.to_owned()),
                message: message.unwrap_or("the answer is unusable").to_owned(),
            });
        }
        word if REFUSALS.contains(&word) => StopReason::Refusal,
        other => StopReason::Other(other.to_ascii_lowercase()),
    })
}

pub(super) fn usage(usage: &Value) -> Usage {
    let count = |key: &str| usage[key].as_u64().unwrap_or_default();
    Usage {
        input_tokens: count("promptTokenCount") + count("toolUsePromptTokenCount"),
        output_tokens: count("candidatesTokenCount") + count("thoughtsTokenCount"),
        cache_read_tokens: count("cachedContentTokenCount"),
        // Google's caching writes by itself and bills no writing.
        cache_write_tokens: 0,
        reasoning_tokens: count("thoughtsTokenCount"),
    }
}

/// What a candidate's text rests on. Spans of grounding count bytes of the whole text, which `text` is; ours count its characters.
pub(super) fn citations(candidate: &Value, text: &str) -> Vec<Citation> {
    let grounding = &candidate["groundingMetadata"];
    let chunks = grounding["groundingChunks"].as_array();
    let mut found = Vec::new();
    for support in grounding["groundingSupports"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let segment = &support["segment"];
        let offset = |key: &str| chars_before(text, segment[key].as_u64().unwrap_or_default());
        let span = segment["endIndex"]
            .as_u64()
            .map(|_| (offset("startIndex"), offset("endIndex")));
        for index in support["groundingChunkIndices"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let chunk = index
                .as_u64()
                .and_then(|index| chunks?.get(usize::try_from(index).ok()?));
            if let Some(chunk) = chunk {
                found.push(grounded(chunk, span));
            }
        }
    }
    if found.is_empty() {
        found.extend(
            chunks
                .into_iter()
                .flatten()
                .map(|chunk| grounded(chunk, None)),
        );
    }
    for source in candidate["citationMetadata"]["citationSources"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let span = source["endIndex"].as_u64().map(|end| {
            let start = source["startIndex"].as_u64().unwrap_or_default();
            (chars_before(text, start), chars_before(text, end))
        });
        found.push(Citation {
            kind: "citation_source".to_owned(),
            source: source["uri"].as_str().unwrap_or_default().to_owned(),
            title: source["title"].as_str().map(str::to_owned),
            cited_text: None,
            span,
            provider: source.clone(),
        });
    }
    found
}

fn grounded(chunk: &Value, span: Option<(u64, u64)>) -> Citation {
    let place = ["web", "retrievedContext", "maps"]
        .iter()
        .map(|key| &chunk[*key])
        .find(|place| !place.is_null())
        .unwrap_or(&Value::Null);
    Citation {
        kind: "grounding".to_owned(),
        source: place["uri"].as_str().unwrap_or_default().to_owned(),
        title: place["title"].as_str().map(str::to_owned),
        cited_text: place["text"].as_str().map(str::to_owned),
        span,
        provider: chunk.clone(),
    }
}

fn chars_before(text: &str, bytes: u64) -> u64 {
    let end = usize::try_from(bytes).unwrap_or(usize::MAX).min(text.len());
    text.char_indices().take_while(|(at, _)| *at < end).count() as u64
}
