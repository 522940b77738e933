//! Checks a Responses request as `OpenAI` does. Fields are those of the SDK's `response_create_params.py` and `response_input_item_param.py`; the
//! wording of refusals is the real one where it is known.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::chat_check::{
    bad_name, check_data_url, empty_list, is_reasoning_model, parameters_error,
};
use super::check::{Checked, Reader, Refusal, is_name};
use super::conversation::Api;

const READ: Reader = Reader(Api::Responses);

const BODY: &[&str] = &[
    "access_programs",
    "background",
    "context_management",
    "conversation",
    "image",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

const INCLUDE: &[&str] = &[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
];

/// What the server has kept of its answers.
#[derive(Default)]
pub(super) struct Kept {
    /// Every item of the conversation that ended with the response of this id, that response's own included.
    pub(super) conversations: HashMap<String, Vec<Value>>,
    /// Every `encrypted_content` that was sent.
    pub(super) encrypted: HashSet<String>,
    /// The server has lost everything, or never keeps anything.
    pub(super) forgets: bool,
}

/// Checks the body, and returns every item of the conversation that it continues.
pub(super) fn check_body(body: &Value, kept: &Kept) -> Checked<Vec<Value>> {
    let body = READ.object(body, "body")?;
    READ.only(body, "", BODY)?;
    let model = READ.required_text(body, "", "model")?;
    check_limits(body, model)?;
    READ.flag(body, "", "stream")?;
    READ.flag(body, "", "store")?;
    if let Some(instructions) = body.get("instructions") {
        READ.text(instructions, "instructions")?;
    }
    if let Some(include) = body.get("include") {
        for (index, what) in READ.list(include, "include")?.iter().enumerate() {
            READ.one_of(what, &format!("include[{index}]"), INCLUDE)?;
        }
    }
    check_reasoning(body, model)?;
    let tools = check_tools(body)?;
    check_tool_choice(body, &tools)?;
    let mut conversation = previous(body, kept)?;
    match READ.required(body, "", "input")? {
        Value::String(text) => conversation
            .push(serde_json::json!({"type": "message", "role": "user", "content": text})),
        input => {
            for (index, item) in READ.list(input, "input")?.iter().enumerate() {
                check_item(item, &format!("input[{index}]"), kept)?;
                conversation.push(item.clone());
            }
        }
    }
    check_pairing(&conversation)?;
    Ok(conversation)
}

fn previous(body: &Map<String, Value>, kept: &Kept) -> Checked<Vec<Value>> {
    let Some(id) = body.get("previous_response_id").filter(|id| !id.is_null()) else {
        return Ok(Vec::new());
    };
    let id = READ.text(id, "previous_response_id")?;
    if !id.starts_with("resp_") {
        return Err(Refusal::invalid(format!(
            "Invalid 'previous_response_id': '{id}'. Expected an ID that begins with 'resp'."
        ))
        .param("previous_response_id")
        .code("invalid_value"));
    }
    match kept.conversations.get(id).filter(|_| !kept.forgets) {
        Some(items) => Ok(items.clone()),
        None => Err(
            Refusal::invalid(format!("Previous response with id '{id}' not found."))
                .param("previous_response_id")
                .code("previous_response_not_found"),
        ),
    }
}

fn check_limits(body: &Map<String, Value>, model: &str) -> Checked {
    let set = |field: &str| body.get(field).filter(|value| !value.is_null());
    if let Some(value) = set("max_output_tokens") {
        let count = READ.count(value, "max_output_tokens")?;
        if count < 16 {
            return Err(Refusal::invalid(format!(
                "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got {count} instead."
            ))
            .param("max_output_tokens")
            .code("integer_below_min_value"));
        }
    }
    READ.number(body, "temperature", 0.0, 2.0)?;
    READ.number(body, "top_p", 0.0, 1.0)?;
    if is_reasoning_model(model) {
        let thinks = body
            .get("reasoning")
            .is_none_or(|own| own["effort"] != "none");
        for field in ["temperature", "top_p"] {
            if thinks && set(field).is_some() {
                return Err(Refusal::invalid(format!(
                    "Unsupported parameter: '{field}' is not supported with this model."
                ))
                .param(field)
                .code("unsupported_parameter"));
            }
        }
    }
    if let Some(truncation) = set("truncation") {
        READ.one_of(truncation, "truncation", &["auto", "disabled"])?;
    }
    if let Some(key) = set("prompt_cache_key") {
        let key = READ.text(key, "prompt_cache_key")?;
        if key.len() > 64 {
            return Err(Refusal::invalid(format!(
                "Invalid 'prompt_cache_key': string too long. Expected a string with maximum length 64, but got a string with length {} instead.",
                key.len()
            ))
            .param("prompt_cache_key")
            .code("string_above_max_length"));
        }
    }
    if let Some(text) = set("text") {
        let text = READ.object(text, "text")?;
        READ.only(text, "text", &["format", "verbosity"])?;
        if let Some(verbosity) = text.get("verbosity") {
            READ.one_of(verbosity, "text.verbosity", &["low", "medium", "high"])?;
        }
    }
    Ok(())
}

fn check_reasoning(body: &Map<String, Value>, model: &str) -> Checked {
    let encrypted = body
        .get("include")
        .and_then(Value::as_array)
        .is_some_and(|list| {
            list.iter()
                .any(|what| what == "reasoning.encrypted_content")
        });
    if encrypted && !is_reasoning_model(model) {
        return Err(
            Refusal::invalid("Encrypted content is not supported with this model.")
                .param("include"),
        );
    }
    let Some(reasoning) = body.get("reasoning").filter(|own| !own.is_null()) else {
        return Ok(());
    };
    let reasoning = READ.object(reasoning, "reasoning")?;
    READ.only(
        reasoning,
        "reasoning",
        &["context", "effort", "generate_summary", "mode", "summary"],
    )?;
    if let Some(effort) = reasoning.get("effort") {
        if !is_reasoning_model(model) {
            return Err(Refusal::invalid(
                "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
            )
            .param("reasoning.effort")
            .code("unsupported_parameter"));
        }
        let levels = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
        READ.one_of(effort, "reasoning.effort", &levels)?;
    }
    if let Some(summary) = reasoning.get("summary") {
        READ.one_of(
            summary,
            "reasoning.summary",
            &["auto", "concise", "detailed"],
        )?;
    }
    Ok(())
}

/// The names of the functions.
fn check_tools(body: &Map<String, Value>) -> Checked<HashSet<String>> {
    let mut names = HashSet::new();
    let Some(tools) = body.get("tools").filter(|tools| !tools.is_null()) else {
        return Ok(names);
    };
    for (index, tool) in READ.list(tools, "tools")?.iter().enumerate() {
        let path = format!("tools[{index}]");
        let tool = READ.object(tool, &path)?;
        let kinds = [
            "function",
            "web_search",
            "web_search_preview",
            "file_search",
            "code_interpreter",
            "computer",
            "computer_use_preview",
            "shell",
            "apply_patch",
            "local_shell",
            "image_generation",
            "mcp",
            "custom",
            "tool_search",
            "namespace",
        ];
        let kind = READ.one_of(
            READ.required(tool, &path, "type")?,
            &format!("{path}.type"),
            &kinds,
        )?;
        match kind {
            "function" => {
                let name = check_function(tool, &path)?;
                if !names.insert(name.to_owned()) {
                    return Err(Refusal::invalid(format!(
                        "Duplicate function name: '{name}'. Function names must be unique."
                    )));
                }
            }
            "computer_use_preview" => {
                for field in ["display_height", "display_width"] {
                    READ.count(
                        READ.required(tool, &path, field)?,
                        &format!("{path}.{field}"),
                    )?;
                }
                READ.one_of(
                    READ.required(tool, &path, "environment")?,
                    &format!("{path}.environment"),
                    &["windows", "mac", "linux", "ubuntu", "browser"],
                )?;
                if body.get("truncation").is_none_or(|own| own != "auto") {
                    return Err(Refusal::invalid(
                        "Invalid value: 'truncation' must be 'auto' with the computer_use_preview tool.",
                    )
                    .param("truncation"));
                }
            }
            "computer" | "apply_patch" => READ.only(tool, &path, &["type", "allowed_callers"])?,
            "shell" => READ.only(tool, &path, &["type", "environment", "allowed_callers"])?,
            "code_interpreter" => {
                READ.required(tool, &path, "container")?;
            }
            _ => {}
        }
    }
    Ok(names)
}

fn check_function<'a>(tool: &'a Map<String, Value>, path: &str) -> Checked<&'a str> {
    let known = [
        "type",
        "name",
        "description",
        "parameters",
        "strict",
        "defer_loading",
        "allowed_callers",
        "output_schema",
        "async",
    ];
    READ.only(tool, path, &known)?;
    let name = READ.required_text(tool, path, "name")?;
    if !is_name(name, "_-", 64) {
        return bad_name(&format!("{path}.name"));
    }
    let parameters = READ.required(tool, path, "parameters")?;
    READ.object(parameters, &format!("{path}.parameters"))?;
    READ.required(tool, path, "strict")?;
    let strict = READ.flag(tool, path, "strict")?;
    let problem = parameters_error(parameters).or_else(|| {
        strict
            .then(|| strict_error(parameters, &mut Vec::new(), 0))
            .flatten()
    });
    if let Some(problem) = problem {
        return Err(
            Refusal::invalid(format!("Invalid schema for function '{name}': {problem}"))
                .param(format!("{path}.parameters"))
                .code("invalid_function_parameters"),
        );
    }
    Ok(name)
}

/// What about a schema strict mode refuses, in the words of the API.
fn strict_error(schema: &Value, context: &mut Vec<String>, depth: usize) -> Option<String> {
    let place = |context: &[String]| {
        let quoted: Vec<String> = context.iter().map(|step| format!("'{step}'")).collect();
        format!("In context=({}), ", quoted.join(", "))
    };
    let Some(map) = schema.as_object() else {
        return Some(format!("{}schema must be an object.", place(context)));
    };
    if depth > 10 {
        return Some("schema is nested too deeply.".to_owned());
    }
    let allowed = [
        "type",
        "title",
        "description",
        "enum",
        "const",
        "anyOf",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "$ref",
        "$defs",
        "definitions",
        "pattern",
        "format",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minItems",
        "maxItems",
    ];
    if let Some(word) = map.keys().find(|key| !allowed.contains(&key.as_str())) {
        return Some(format!("{}'{word}' is not permitted.", place(context)));
    }
    if map.contains_key("$ref") {
        if map.len() > 1 {
            return Some(format!(
                "{}$ref cannot have keywords beside it.",
                place(context)
            ));
        }
        return None;
    }
    let is_object = map.get("type").is_some_and(|own| {
        own == "object"
            || own
                .as_array()
                .is_some_and(|list| list.iter().any(|one| one == "object"))
    });
    if is_object {
        if map.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Some(format!(
                "{}'additionalProperties' is required to be supplied and to be false.",
                place(context)
            ));
        }
        let empty = Map::new();
        let properties = map
            .get("properties")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        let required = map.get("required").and_then(Value::as_array);
        for name in properties.keys() {
            if !required.is_some_and(|list| list.iter().any(|own| own == name)) {
                return Some(format!(
                    "{}'required' is required to be supplied and to be an array including every key in properties. Missing '{name}'.",
                    place(context)
                ));
            }
        }
    }
    let kinds = ["type", "anyOf", "enum", "const"];
    if !kinds.iter().any(|key| map.contains_key(*key)) {
        return Some(format!("{}schema must have a 'type' key.", place(context)));
    }
    for holder in ["properties", "$defs", "definitions"] {
        for (key, inner) in map
            .get(holder)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            context.extend([holder.to_owned(), key.clone()]);
            let found = strict_error(inner, context, depth + 1);
            context.truncate(context.len() - 2);
            if found.is_some() {
                return found;
            }
        }
    }
    for inner in map
        .get("anyOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .chain(map.get("items"))
    {
        if let Some(found) = strict_error(inner, context, depth + 1) {
            return Some(found);
        }
    }
    None
}

fn check_tool_choice(body: &Map<String, Value>, names: &HashSet<String>) -> Checked {
    match body.get("tool_choice") {
        None | Some(Value::Null) => Ok(()),
        Some(choice @ Value::String(_)) => {
            READ.one_of(choice, "tool_choice", &["none", "auto", "required"])?;
            if choice == "required" && body.get("tools").is_none() {
                return Err(Refusal::invalid(
                    "Tool choice 'required' must be specified with 'tools' parameter.",
                )
                .param("tool_choice"));
            }
            Ok(())
        }
        Some(choice) => {
            let choice = READ.object(choice, "tool_choice")?;
            if choice.get("type").is_some_and(|own| own == "function") {
                let name = READ.required_text(choice, "tool_choice", "name")?;
                if !names.contains(name) {
                    return Err(Refusal::invalid(format!(
                        "Tool choice '{name}' not found in 'tools' parameter."
                    ))
                    .param("tool_choice"));
                }
            }
            Ok(())
        }
    }
}

fn check_item(item: &Value, path: &str, kept: &Kept) -> Checked {
    let object = READ.object(item, path)?;
    let kind = match object.get("type") {
        None => "message",
        Some(kind) => READ.text(kind, &format!("{path}.type"))?,
    };
    match kind {
        "message" => check_message(object, path),
        "function_call" => {
            READ.only(
                object,
                path,
                &["type", "id", "call_id", "name", "arguments", "status", "namespace", "caller", "async"],
            )?;
            READ.required_text(object, path, "call_id")?;
            if !is_name(READ.required_text(object, path, "name")?, "_-", 64) {
                return bad_name(&format!("{path}.name"));
            }
            READ.required_text(object, path, "arguments")?;
            Ok(())
        }
        "function_call_output" => {
            READ.only(
                object,
                path,
                &["type", "id", "call_id", "output", "status", "name", "namespace", "caller"],
            )?;
            READ.required_text(object, path, "call_id")?;
            check_content(
                READ.required(object, path, "output")?,
                &format!("{path}.output"),
                &["input_text", "input_image", "input_file"],
            )
        }
        "reasoning" => check_reasoning_item(object, path, kept),
        "computer_call_output" => {
            READ.only(
                object,
                path,
                &["type", "id", "call_id", "output", "acknowledged_safety_checks", "status"],
            )?;
            READ.required_text(object, path, "call_id")?;
            let path = format!("{path}.output");
            let output = READ.object(READ.required(object, &path, "output")?, &path)?;
            READ.one_of(
                READ.required(output, &path, "type")?,
                &format!("{path}.type"),
                &["computer_screenshot"],
            )?;
            check_data_url(READ.required_text(output, &path, "image_url")?, &path)
        }
        "shell_call_output" => {
            READ.required_text(object, path, "call_id")?;
            let path = format!("{path}.output");
            for (index, chunk) in READ.list(READ.required(object, &path, "output")?, &path)?.iter().enumerate() {
                let path = format!("{path}[{index}]");
                let chunk = READ.object(chunk, &path)?;
                READ.only(chunk, &path, &["stdout", "stderr", "outcome"])?;
                READ.required_text(chunk, &path, "stdout")?;
                READ.required_text(chunk, &path, "stderr")?;
                let outcome = READ.object(READ.required(chunk, &path, "outcome")?, &path)?;
                READ.one_of(READ.required(outcome, &path, "type")?, &path, &["exit", "timeout"])?;
            }
            Ok(())
        }
        "apply_patch_call_output" => {
            READ.required_text(object, path, "call_id")?;
            READ.one_of(
                READ.required(object, path, "status")?,
                &format!("{path}.status"),
                &["completed", "failed"],
            )?;
            Ok(())
        }
        "computer_call" | "shell_call" | "apply_patch_call" | "web_search_call" | "code_interpreter_call"
        | "file_search_call" | "compaction" | "tool_search_call" | "tool_search_output" | "mcp_call" => {
            match object.iter().find(|(_, value)| value.is_null()) {
                Some((key, _)) => Err(Refusal::invalid(format!(
                    "Invalid type for '{path}.{key}': expected an object, but got null instead."
                ))
                .param(format!("{path}.{key}"))),
                None => Ok(()),
            }
        }
        other => Err(Refusal::invalid(format!(
            "Invalid value: '{other}'. Supported values are: 'message', 'reasoning', 'function_call', 'function_call_output' and others."
        ))
        .param(format!("{path}.type"))
        .code("invalid_value")),
    }
}

fn check_message(object: &Map<String, Value>, path: &str) -> Checked {
    READ.only(
        object,
        path,
        &["type", "id", "role", "content", "status", "phase"],
    )?;
    let role = READ.one_of(
        READ.required(object, path, "role")?,
        &format!("{path}.role"),
        &["user", "assistant", "system", "developer"],
    )?;
    if let Some(phase) = object.get("phase") {
        READ.one_of(
            phase,
            &format!("{path}.phase"),
            &["commentary", "final_answer"],
        )?;
    }
    let kinds: &[&str] = if role == "assistant" {
        &["output_text", "refusal"]
    } else {
        &["input_text", "input_image", "input_file"]
    };
    check_content(
        READ.required(object, path, "content")?,
        &format!("{path}.content"),
        kinds,
    )
}

fn check_reasoning_item(object: &Map<String, Value>, path: &str, kept: &Kept) -> Checked {
    READ.only(
        object,
        path,
        &[
            "type",
            "id",
            "summary",
            "content",
            "encrypted_content",
            "status",
        ],
    )?;
    READ.required_text(object, path, "id")?;
    READ.list(
        READ.required(object, path, "summary")?,
        &format!("{path}.summary"),
    )?;
    let content = READ.required_text(object, path, "encrypted_content")?;
    if !kept.encrypted.contains(content) {
        return Err(Refusal::invalid(
            "The encrypted content could not be verified. Reason: Encrypted content could not be decrypted or parsed.",
        )
        .code("invalid_encrypted_content"));
    }
    Ok(())
}

fn check_content(content: &Value, path: &str, kinds: &[&str]) -> Checked {
    if content.is_string() {
        return Ok(());
    }
    let parts = READ.list(content, path)?;
    if parts.is_empty() {
        return empty_list(path);
    }
    for (index, part) in parts.iter().enumerate() {
        let path = READ.item(path, index);
        let object = READ.object(part, &path)?;
        let kind = READ.one_of(
            READ.required(object, &path, "type")?,
            &format!("{path}.type"),
            kinds,
        )?;
        match kind {
            "input_text" => {
                READ.only(object, &path, &["type", "text", "prompt_cache_breakpoint"])?;
                READ.required_text(object, &path, "text")?;
            }
            "input_image" => {
                READ.only(
                    object,
                    &path,
                    &[
                        "type",
                        "detail",
                        "image_url",
                        "file_id",
                        "prompt_cache_breakpoint",
                    ],
                )?;
                check_data_url(
                    READ.required_text(object, &path, "image_url")?,
                    &format!("{path}.image_url"),
                )?;
            }
            "input_file" => {
                READ.only(
                    object,
                    &path,
                    &[
                        "type",
                        "detail",
                        "file_data",
                        "file_id",
                        "file_url",
                        "filename",
                        "prompt_cache_breakpoint",
                    ],
                )?;
                if object.contains_key("file_data") {
                    READ.required_text(object, &path, "filename")?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Every call has one output, and every output a call before it.
fn check_pairing(items: &[Value]) -> Checked {
    let mut open: Vec<&str> = Vec::new();
    for item in items {
        let kind = item["type"].as_str().unwrap_or_default();
        let id = item["call_id"].as_str().unwrap_or_default();
        match kind {
            "function_call" | "computer_call" | "shell_call" | "apply_patch_call" => open.push(id),
            "function_call_output"
            | "computer_call_output"
            | "shell_call_output"
            | "apply_patch_call_output" => {
                let Some(at) = open.iter().position(|own| *own == id) else {
                    return Err(Refusal::invalid(format!(
                        "No tool call found for function call output with call_id {id}."
                    ))
                    .param("input"));
                };
                open.remove(at);
            }
            _ => {}
        }
    }
    match open.first() {
        None => Ok(()),
        Some(id) => Err(
            Refusal::invalid(format!("No tool output found for function call {id}."))
                .param("input"),
        ),
    }
}
