//! What a response says, in our words.

use serde_json::{Map, Value, json};

use super::Toolbox;
use crate::format::FormatError;
use crate::message::{Arguments, Block, Citation, StopReason, ToolCall, Turn, Usage};

/// Codes of a failed response that mean: the provider will not, not: it could not.
const POLICY: &[&str] = &[
    "bio_policy",
    "misalignment_policy_violation",
    "image_content_policy_violation",
    "content_policy_violation",
];

/// A whole response as a turn.
pub fn turn(response: &Value, toolbox: &Toolbox) -> Result<Turn, FormatError> {
    let items = response["output"].as_array().ok_or_else(|| {
        let missing = || FormatError::Malformed("the list `output` is missing".to_owned());
        match &response["error"] {
            Value::Null => missing(),
            error => provider_error(error),
        }
    })?;
    finished(response, items, toolbox)
}

/// The turn of a response that ended with `items`.
pub(super) fn finished(
    response: &Value,
    items: &[Value],
    toolbox: &Toolbox,
) -> Result<Turn, FormatError> {
    let error = &response["error"];
    let mut stop = StopReason::Done;
    let mut stop_detail = None;
    match response["status"].as_str().unwrap_or("completed") {
        "failed" | "cancelled" if is_policy(error) => {
            stop = StopReason::Refusal;
            stop_detail = error["message"].as_str().map(str::to_owned);
        }
        "failed" | "cancelled" => return Err(provider_error(error)),
        "incomplete" => {
            let reason = response["incomplete_details"]["reason"]
                .as_str()
                .unwrap_or("incomplete");
            stop = match reason {
                "max_output_tokens" => StopReason::Length,
                "content_filter" => {
                    stop_detail = Some(reason.to_owned());
                    StopReason::Refusal
                }
                other => StopReason::Other(other.to_owned()),
            };
        }
        _ => {}
    }
    let mut blocks = Vec::new();
    let mut refused = false;
    for item in items {
        refused |= push_item(item, toolbox, stop == StopReason::Length, &mut blocks);
    }
    if stop == StopReason::Done {
        if refused {
            stop = StopReason::Refusal;
        } else if blocks
            .iter()
            .any(|block| matches!(block, Block::ToolCall(_)))
        {
            stop = StopReason::ToolCalls;
        }
    }
    let text = |key: &str| response[key].as_str().map(str::to_owned);
    Ok(Turn {
        model: text("model").unwrap_or_default(),
        blocks,
        stop,
        stop_detail,
        usage: usage(&response["usage"]),
        response_id: text("id"),
    })
}

/// Adds what an item says; whether it is a refusal.
fn push_item(item: &Value, toolbox: &Toolbox, cut_off: bool, blocks: &mut Vec<Block>) -> bool {
    let mut refused = false;
    match item["type"].as_str().unwrap_or_default() {
        "message" => {
            let phase = item.get("phase").filter(|phase| !phase.is_null());
            for part in item["content"].as_array().into_iter().flatten() {
                refused |= part["type"] == "refusal";
                let text = part["text"].as_str().or(part["refusal"].as_str());
                blocks.push(Block::Text {
                    text: text.unwrap_or_default().to_owned(),
                    citations: citations(&part["annotations"]),
                    opaque: phase.map(|phase| json!({"phase": phase})),
                });
            }
        }
        "reasoning" => {
            let texts: Vec<&str> = ["summary", "content"]
                .iter()
                .filter_map(|key| item[*key].as_array())
                .flatten()
                .filter_map(|part| part["text"].as_str())
                .collect();
            blocks.push(Block::Reasoning {
                text: texts.join("\n\n"),
                opaque: Some(without_nulls(item)),
            });
        }
        "function_call" => blocks.push(Block::ToolCall(function_call(item, toolbox, cut_off))),
        _ => blocks.push(Block::Opaque {
            value: without_nulls(item),
        }),
    }
    refused
}

fn function_call(item: &Value, toolbox: &Toolbox, cut_off: bool) -> ToolCall {
    let text = |key: &str| item[key].as_str().unwrap_or_default();
    let name = toolbox.names.ours(text("name"));
    let raw = text("arguments");
    let arguments = if cut_off && raw.trim().is_empty() {
        // Nothing at all is how a call without arguments looks; one that was cut off must not be taken for that.
        Arguments::Malformed {
            raw: raw.to_owned(),
            error: "missing: the limit of output tokens was reached before them".to_owned(),
        }
    } else {
        toolbox.arguments(&name, raw)
    };
    let kept: Map<String, Value> = ["namespace", "caller"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), item.get(key)?.clone())))
        .filter(|(_, value)| !value.is_null())
        .collect();
    ToolCall {
        id: text("call_id").to_owned(),
        name,
        arguments,
        opaque: (!kept.is_empty()).then_some(Value::Object(kept)),
    }
}

fn citations(annotations: &Value) -> Vec<Citation> {
    let list = annotations.as_array().into_iter().flatten();
    list.filter(|own| own["type"] != "file_path")
        .map(|own| {
            let text = |key: &str| own[key].as_str().map(str::to_owned);
            let span = own["start_index"].as_u64().zip(own["end_index"].as_u64());
            Citation {
                kind: text("type").unwrap_or_default(),
                source: text("url").or_else(|| text("file_id")).unwrap_or_default(),
                title: text("title").or_else(|| text("filename")),
                cited_text: None,
                span,
                provider: own.clone(),
            }
        })
        .collect()
}

pub(super) fn usage(usage: &Value) -> Usage {
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    let input = &usage["input_tokens_details"];
    Usage {
        input_tokens: count(&usage["input_tokens"]),
        output_tokens: count(&usage["output_tokens"]),
        cache_read_tokens: count(&input["cached_tokens"]),
        cache_write_tokens: count(&input["cache_write_tokens"]),
        reasoning_tokens: count(&usage["output_tokens_details"]["reasoning_tokens"]),
    }
}

fn is_policy(error: &Value) -> bool {
    error["code"]
        .as_str()
        .is_some_and(|code| POLICY.contains(&code))
}

pub(super) fn provider_error(error: &Value) -> FormatError {
    let text = |key: &str| error[key].as_str().map(str::to_owned);
    FormatError::Provider {
        code: text("code").or_else(|| text("type").filter(|kind| kind != "error")),
        message: text("message").unwrap_or_else(|| match error {
            Value::Null => "the response failed without a word".to_owned(),
            error => error.to_string(),
        }),
    }
}

/// Items come with fields that are null, which the same API refuses in a request.
fn without_nulls(item: &Value) -> Value {
    match item {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        other => other.clone(),
    }
}
