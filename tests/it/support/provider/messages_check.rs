//! Checks a Messages request as Anthropic does. Fields are those of the SDK's `*_param.py` types; the wording of refusals is the
//! real one where it is known.
//!
//! Stricter than the real API in four points, because nothing this project sends needs them: a last assistant message (prefill) and
//! messages with the role `system` are refused for every model, a tool result must be in the very next message even where the API
//! would merge several user messages, and server tools are not played.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::check::{Checked, Reader, Refusal, is_name, refuse, schema_error};
use super::conversation::Api;
use super::messages_blocks::{Breakpoints, check_block, check_text_block};

const READ: Reader = Reader(Api::Messages);

const BODY: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "cache_control",
    "container",
    "diagnostics",
    "inference_geo",
    "metadata",
    "output_config",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "user_profile_id",
    "workspace_id",
];

/// The thinking that this server has signed, to recognise it when it comes back.
#[derive(Default)]
pub(super) struct Signed {
    /// Signature to text.
    pub(super) blocks: HashMap<String, String>,
    /// The id of a tool call to the thinking blocks, `(text, signature)`, of the turn that made it.
    pub(super) turns: HashMap<String, Vec<(String, String)>>,
}

/// The API's version, which the client names: `2026-10-21` took the sampling parameters away, documents in assistant messages, and
/// citations in user messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// `2023-06-01` and before.
    Old,
    /// `2026-10-21`.
    Current,
}

/// Checks the headers that the API reads, and says which version the client speaks. `header` looks one up by its lower-case name.
pub(super) fn check_headers<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    key: Option<&str>,
) -> Checked<Version> {
    let sent = header("x-api-key")
        .or_else(|| header("authorization").and_then(|value| value.strip_prefix("Bearer ")));
    match sent {
        None | Some("") => {
            return Err(Refusal::new(
                401,
                "authentication_error",
                "x-api-key header is required",
            ));
        }
        Some(sent) if key.is_some_and(|key| key != sent) => {
            return Err(Refusal::new(
                401,
                "authentication_error",
                "invalid x-api-key",
            ));
        }
        Some(_) => {}
    }
    match header("anthropic-version") {
        None => refuse("anthropic-version: header is required"),
        Some("2023-01-01" | "2023-06-01") => Ok(Version::Old),
        Some("2026-10-21") => Ok(Version::Current),
        Some(other) => refuse(format!(
            "anthropic-version: \"{other}\" is not a valid version"
        )),
    }
}

/// Checks the body.
pub(super) fn check_body(body: &Value, api_version: Version, signed: &Signed) -> Checked {
    let body = READ.object(body, "body")?;
    READ.only(body, "", BODY)?;
    let model = READ.required_text(body, "", "model")?;
    let max_tokens = READ.count(READ.required(body, "", "max_tokens")?, "max_tokens")?;
    READ.flag(body, "", "stream")?;
    if let Some(metadata) = body.get("metadata") {
        READ.only(READ.object(metadata, "metadata")?, "metadata", &["user_id"])?;
    }
    if let Some(sequences) = body.get("stop_sequences") {
        for (index, sequence) in READ.list(sequences, "stop_sequences")?.iter().enumerate() {
            let path = READ.item("stop_sequences", index);
            if READ.text(sequence, &path)?.trim().is_empty() {
                return refuse("stop_sequences: each stop sequence must contain non-whitespace");
            }
        }
    }
    let sampling = ["temperature", "top_p", "top_k"]
        .into_iter()
        .find(|field| body.contains_key(*field));
    if let Some(field) = sampling.filter(|_| api_version == Version::Current) {
        return refuse(format!("{field}: Extra inputs are not permitted"));
    }
    let version = claude_version(model);
    check_sampling(body, version)?;
    check_output_config(body)?;
    let thinks = check_thinking(body, version, max_tokens)?;
    let mut breakpoints = Breakpoints::default();
    if let Some(control) = body
        .get("cache_control")
        .filter(|control| !control.is_null())
    {
        breakpoints.add(control, "cache_control")?;
    }
    let tools = check_tools(body, &mut breakpoints)?;
    check_tool_choice(body, tools.as_ref(), thinks)?;
    match body.get("system") {
        None | Some(Value::String(_)) => {}
        Some(blocks) => {
            for (index, block) in READ.list(blocks, "system")?.iter().enumerate() {
                check_text_block(
                    block,
                    &READ.item("system", index),
                    &mut breakpoints,
                    "system",
                )?;
            }
        }
    }
    check_messages(body, tools.is_some(), thinks, &mut breakpoints, signed)?;
    breakpoints.finish()
}

/// The version in a model's name: `claude-sonnet-4-6` is (4, 6), `claude-sonnet-5` is (5, 0).
fn claude_version(model: &str) -> Option<(u32, u32)> {
    let mut numbers = model
        .split('-')
        .map(|part| part.parse::<u32>().ok())
        .skip_while(Option::is_none);
    let major = numbers.next().flatten()?;
    let minor = numbers.next().flatten().filter(|minor| *minor < 100);
    Some((major, minor.unwrap_or(0)))
}

/// Models since Opus 4.7 take only the default temperature; those since 4.1 take one of two sampling parameters.
fn check_sampling(body: &Map<String, Value>, version: Option<(u32, u32)>) -> Checked {
    for field in ["temperature", "top_p", "top_k"] {
        let set = body.get(field).filter(|value| !value.is_null());
        let is_default = field != "top_k" && set.and_then(Value::as_f64) == Some(1.0);
        if set.is_some() && !is_default && version.is_some_and(|version| version >= (4, 7)) {
            return refuse(format!("`{field}` is deprecated for this model."));
        }
    }
    READ.number(body, "temperature", 0.0, 1.0)?;
    READ.number(body, "top_p", 0.0, 1.0)?;
    READ.number(body, "top_k", 0.0, f64::INFINITY)?;
    let both = body.contains_key("temperature") && body.contains_key("top_p");
    if both && version.is_some_and(|version| version >= (4, 1)) {
        return refuse(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        );
    }
    Ok(())
}

fn check_output_config(body: &Map<String, Value>) -> Checked {
    let Some(config) = body.get("output_config") else {
        return Ok(());
    };
    let config = READ.object(config, "output_config")?;
    READ.only(config, "output_config", &["effort", "format"])?;
    if let Some(effort) = config.get("effort").filter(|effort| !effort.is_null()) {
        READ.one_of(
            effort,
            "output_config.effort",
            &["low", "medium", "high", "xhigh", "max"],
        )?;
    }
    if let Some(format) = config.get("format").filter(|format| !format.is_null()) {
        let format = READ.object(format, "output_config.format")?;
        READ.only(format, "output_config.format", &["type", "schema"])?;
        READ.one_of(
            READ.required(format, "output_config.format", "type")?,
            "output_config.format.type",
            &["json_schema"],
        )?;
        if let Some(error) =
            schema_error(READ.required(format, "output_config.format", "schema")?)
        {
            return refuse(format!("output_config.format.schema: {error}"));
        }
    }
    Ok(())
}

/// Whether the model was told to think.
fn check_thinking(
    body: &Map<String, Value>,
    version: Option<(u32, u32)>,
    max_tokens: u64,
) -> Checked<bool> {
    let Some(config) = body.get("thinking") else {
        return Ok(false);
    };
    let config = READ.object(config, "thinking")?;
    let types = ["adaptive", "between_tools", "disabled", "enabled"];
    let known: &[&str] = match READ.one_of(
        READ.required(config, "thinking", "type")?,
        "thinking.type",
        &types,
    )? {
        "enabled" => {
            if version.is_some_and(|version| version >= (4, 7)) {
                return refuse(
                    "thinking.type: \"enabled\" is not supported for this model; use \"adaptive\" and `output_config.effort`",
                );
            }
            let budget = READ.count(
                READ.required(config, "thinking", "budget_tokens")?,
                "thinking.budget_tokens",
            )?;
            if budget < 1024 {
                return refuse(
                    "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
                );
            }
            if budget >= max_tokens {
                return refuse("`max_tokens` must be greater than `thinking.budget_tokens`.");
            }
            &["type", "budget_tokens", "display"]
        }
        "adaptive" => {
            if version.is_some_and(|version| version < (4, 6)) {
                return refuse("adaptive thinking is not supported on this model");
            }
            &["type", "display"]
        }
        _ => {
            READ.only(config, "thinking", &["type"])?;
            return Ok(false);
        }
    };
    READ.only(config, "thinking", known)?;
    Ok(true)
}

/// The names of the tools, or nothing when the field is absent.
fn check_tools(
    body: &Map<String, Value>,
    breakpoints: &mut Breakpoints,
) -> Checked<Option<HashSet<String>>> {
    let Some(tools) = body.get("tools") else {
        return Ok(None);
    };
    let mut names = HashSet::new();
    for (index, tool) in READ.list(tools, "tools")?.iter().enumerate() {
        let path = format!("tools.{index}.custom");
        let tool = READ.object(tool, &path)?;
        if tool
            .get("type")
            .is_some_and(|kind| !kind.is_null() && kind != "custom")
        {
            return refuse(format!(
                "tools.{index}.type: the stand-in plays no server tools"
            ));
        }
        let known = [
            "name",
            "description",
            "input_schema",
            "type",
            "cache_control",
            "strict",
            "allowed_callers",
            "defer_loading",
            "eager_input_streaming",
            "input_examples",
        ];
        READ.only(tool, &path, &known)?;
        let name = READ.required_text(tool, &path, "name")?;
        if !is_name(name, "_-", 128) {
            return refuse(format!(
                "{path}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            ));
        }
        if !names.insert(name.to_owned()) {
            return refuse("tools: Tool names must be unique.");
        }
        if let Some(description) = tool.get("description") {
            READ.text(description, &format!("{path}.description"))?;
        }
        check_input_schema(
            READ.required(tool, &path, "input_schema")?,
            &format!("{path}.input_schema"),
        )?;
        breakpoints.add_of(tool, &path)?;
    }
    Ok(Some(names))
}

fn check_input_schema(schema: &Value, path: &str) -> Checked {
    let object = READ.object(schema, path)?;
    if READ.required(object, path, "type")? != "object" {
        return refuse(format!("{path}.type: Input should be 'object'"));
    }
    if ["oneOf", "allOf", "anyOf"]
        .iter()
        .any(|word| object.contains_key(*word))
    {
        return refuse(format!(
            "{path}: input_schema does not support oneOf, allOf, or anyOf at the top level"
        ));
    }
    if let Some(properties) = object
        .get("properties")
        .filter(|properties| !properties.is_null())
    {
        let properties = READ.object(properties, &format!("{path}.properties"))?;
        if properties.keys().any(|key| !is_name(key, "_.-", 64)) {
            return refuse(format!(
                "{path}.properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{{1,64}}$'"
            ));
        }
    }
    if let Some(error) = schema_error(schema) {
        return refuse(format!(
            "{path}: JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12): {error}"
        ));
    }
    Ok(())
}

fn check_tool_choice(
    body: &Map<String, Value>,
    tools: Option<&HashSet<String>>,
    thinks: bool,
) -> Checked {
    let Some(choice) = body.get("tool_choice") else {
        return Ok(());
    };
    let choice = READ.object(choice, "tool_choice")?;
    let kind = READ.one_of(
        READ.required(choice, "tool_choice", "type")?,
        "tool_choice.type",
        &["auto", "any", "tool", "none"],
    )?;
    let known: &[&str] = match kind {
        "tool" => &["type", "name", "disable_parallel_tool_use"],
        "none" => &["type"],
        _ => &["type", "disable_parallel_tool_use"],
    };
    READ.only(choice, "tool_choice", known)?;
    let Some(tools) = tools.filter(|tools| !tools.is_empty()) else {
        return refuse("tool_choice may only be specified while providing tools");
    };
    if kind == "tool" {
        let name = READ.required_text(choice, "tool_choice", "name")?;
        if !tools.contains(name) {
            return refuse(format!("Tool '{name}' not found in provided tools"));
        }
    }
    if thinks && matches!(kind, "any" | "tool") {
        return refuse("Thinking may not be enabled when tool_choice forces tool use.");
    }
    Ok(())
}

/// A `tool_use` that waits for its result, in the order of the calls.
type Pending = Vec<String>;

fn check_messages(
    body: &Map<String, Value>,
    has_tools: bool,
    thinks: bool,
    breakpoints: &mut Breakpoints,
    signed: &Signed,
) -> Checked {
    let messages = READ.list(READ.required(body, "", "messages")?, "messages")?;
    if messages.is_empty() {
        return refuse("messages: at least one message is required");
    }
    let last_assistant = messages
        .iter()
        .rposition(|message| message["role"] == "assistant");
    let mut pending: Pending = Vec::new();
    let mut seen = HashSet::new();
    for (index, message) in messages.iter().enumerate() {
        let path = format!("messages.{index}");
        let object = READ.object(message, &path)?;
        READ.only(object, &path, &["role", "content"])?;
        let role = READ.required_text(object, &path, "role")?;
        if role == "system" {
            return refuse(format!(
                "{path}: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role."
            ));
        }
        READ.one_of(
            &object["role"],
            &format!("{path}.role"),
            &["user", "assistant"],
        )?;
        if index == 0 && role != "user" {
            return refuse("messages: first message must use the \"user\" role");
        }
        let text;
        let blocks = match READ.required(object, &path, "content")? {
            Value::String(content) => {
                text = [serde_json::json!({"type": "text", "text": content})];
                if content.is_empty() {
                    return refuse(format!(
                        "{path}: all messages must have non-empty content except for the optional final assistant message"
                    ));
                }
                &text[..]
            }
            content => READ.list(content, &format!("{path}.content"))?,
        };
        if blocks.is_empty() {
            return refuse(format!(
                "{path}: all messages must have non-empty content except for the optional final assistant message"
            ));
        }
        let mut results = Vec::new();
        let mut calls = Vec::new();
        for (at, block) in blocks.iter().enumerate() {
            let path = format!("{path}.content.{at}");
            let kind = READ
                .required_text(READ.object(block, &path)?, &path, "type")?
                .to_owned();
            check_block(block, &kind, role, &path, breakpoints, signed)?;
            match kind.as_str() {
                "tool_use" => calls.push(block["id"].as_str().unwrap_or_default().to_owned()),
                "tool_result" => {
                    let id = block["tool_use_id"].as_str().unwrap_or_default().to_owned();
                    if !pending.contains(&id) {
                        return refuse(format!(
                            "{path}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                        ));
                    }
                    if results.contains(&id) {
                        return refuse(format!(
                            "{path}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}"
                        ));
                    }
                    if at != results.len() {
                        return refuse(format!(
                            "{path}: `tool_result` blocks must come first in the content of a message"
                        ));
                    }
                    results.push(id);
                }
                _ => {}
            }
        }
        let missing: Vec<_> = pending
            .iter()
            .filter(|id| !results.contains(id))
            .cloned()
            .collect();
        if !missing.is_empty() {
            return refuse(format!(
                "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
                index - 1,
                missing.join(", ")
            ));
        }
        if let Some(twice) = calls.iter().find(|id| !seen.insert((*id).clone())) {
            return refuse(format!("messages: `tool_use` ids must be unique: {twice}"));
        }
        if (!calls.is_empty() || !results.is_empty()) && !has_tools {
            return refuse(
                "Requests which include `tool_use` or `tool_result` blocks must define tools",
            );
        }
        pending = calls;
        if Some(index) == last_assistant {
            check_latest_thinking(
                blocks,
                &path,
                thinks && !pending.is_empty(),
                &pending,
                signed,
            )?;
        }
    }
    if messages
        .last()
        .is_some_and(|message| message["role"] == "assistant")
    {
        return refuse(
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        );
    }
    Ok(())
}

/// The latest assistant turn must hold the thinking that was signed for it, unchanged and first.
fn check_latest_thinking(
    blocks: &[Value],
    path: &str,
    thinks: bool,
    calls: &[String],
    signed: &Signed,
) -> Checked {
    let first = blocks[0]["type"].as_str().unwrap_or_default();
    if thinks
        && !matches!(first, "thinking" | "redacted_thinking")
        && calls.iter().any(|id| signed.turns.contains_key(id))
    {
        return refuse(format!(
            "{path}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
        ));
    }
    let Some(original) = calls.iter().find_map(|id| signed.turns.get(id)) else {
        return Ok(());
    };
    let sent: Vec<_> = blocks
        .iter()
        .filter(|block| block["type"] == "thinking")
        .map(|block| {
            let text = |field: &str| block[field].as_str().unwrap_or_default().to_owned();
            (text("thinking"), text("signature"))
        })
        .collect();
    if sent != *original {
        return refuse(format!(
            "{path}.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must remain as they were in the original response."
        ));
    }
    Ok(())
}
