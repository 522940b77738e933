//! Checks a Chat Completions request as `OpenAI` does. Fields are those of the SDK's `completion_create_params.py` and
//! `chat_completion_*_param.py`; the wording of refusals is the real one where it is known.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::check::{Checked, Reader, Refusal, is_name, refuse, schema_error};
use super::conversation::Api;
use super::image;

const READ: Reader = Reader(Api::Chat);

const BODY: &[&str] = &[
    "messages",
    "model",
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// The largest image, as bytes.
const MAX_IMAGE: usize = 20 * 1024 * 1024;

/// Checks the headers that the API reads. `header` looks one up by its lower-case name.
pub(super) fn check_headers<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    key: Option<&str>,
) -> Checked {
    match header("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
        None | Some("") => Err(Refusal::new(
            401,
            "invalid_request_error",
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        )),
        Some(sent) if key.is_some_and(|key| key != sent) => {
            Err(
                Refusal::new(401, "invalid_request_error", "Incorrect API key provided.")
                    .code("invalid_api_key"),
            )
        }
        Some(_) => Ok(()),
    }
}

/// Checks the body. `reasons` says that this server sends `reasoning_content`, as compatible servers do, and so takes it back.
pub(super) fn check_body(body: &Value, reasons: bool) -> Checked {
    let body = READ.object(body, "body")?;
    READ.only(body, "", BODY)?;
    let model = READ.required_text(body, "", "model")?;
    check_limits(body, model)?;
    let streams = match body.get("stream") {
        None | Some(Value::Null) => false,
        Some(_) => READ.flag(body, "", "stream")?,
    };
    if let Some(options) = body
        .get("stream_options")
        .filter(|options| !options.is_null())
    {
        if !streams {
            return Err(Refusal::invalid(
                "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            )
            .param("stream_options"));
        }
        let options = READ.object(options, "stream_options")?;
        READ.only(
            options,
            "stream_options",
            &["include_usage", "include_obfuscation"],
        )?;
        READ.flag(options, "stream_options", "include_usage")?;
    }
    if let Some(effort) = body
        .get("reasoning_effort")
        .filter(|effort| !effort.is_null())
    {
        READ.one_of(
            effort,
            "reasoning_effort",
            &["none", "minimal", "low", "medium", "high", "xhigh", "max"],
        )?;
    }
    let tools = check_tools(body)?;
    check_tool_use(body, tools.as_ref())?;
    check_messages(body, reasons)
}

/// Whether the model is of the families that reason, which take neither `max_tokens` nor a temperature.
pub(super) fn is_reasoning_model(model: &str) -> bool {
    let mut chars = model.chars();
    let o_series =
        chars.next() == Some('o') && chars.next().is_some_and(|digit| digit.is_ascii_digit());
    let gpt = model
        .strip_prefix("gpt-")
        .and_then(|rest| rest.split(['-', '.']).next())
        .and_then(|major| major.parse::<u32>().ok());
    o_series || gpt.is_some_and(|major| major >= 5)
}

fn check_limits(body: &Map<String, Value>, model: &str) -> Checked {
    let set = |field: &str| body.get(field).filter(|value| !value.is_null());
    for field in ["max_tokens", "max_completion_tokens"] {
        if let Some(value) = set(field) {
            READ.count(value, field)?;
        }
    }
    if set("max_tokens").is_some() && set("max_completion_tokens").is_some() {
        return refuse(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
        );
    }
    READ.number(body, "temperature", 0.0, 2.0)?;
    READ.number(body, "top_p", 0.0, 1.0)?;
    READ.number(body, "frequency_penalty", -2.0, 2.0)?;
    READ.number(body, "presence_penalty", -2.0, 2.0)?;
    if set("n").is_some_and(|count| count != 1) {
        return refuse("the stand-in plays one choice: 'n' must be 1");
    }
    if is_reasoning_model(model) {
        if set("max_tokens").is_some() {
            return Err(Refusal::invalid(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            )
            .param("max_tokens")
            .code("unsupported_parameter"));
        }
        for field in ["temperature", "top_p"] {
            if let Some(value) = set(field).filter(|value| value.as_f64() != Some(1.0)) {
                return Err(Refusal::invalid(format!(
                    "Unsupported value: '{field}' does not support {value} with this model. Only the default (1) value is supported."
                ))
                .param(field)
                .code("unsupported_value"));
            }
        }
    }
    Ok(())
}

/// The names of the tools, or nothing when the field is absent.
fn check_tools(body: &Map<String, Value>) -> Checked<Option<HashSet<String>>> {
    let Some(tools) = body.get("tools").filter(|tools| !tools.is_null()) else {
        return Ok(None);
    };
    let tools = READ.list(tools, "tools")?;
    if tools.is_empty() {
        return empty_list("tools");
    }
    if tools.len() > 128 {
        return Err(Refusal::invalid(format!(
            "Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length {} instead.",
            tools.len()
        ))
        .param("tools")
        .code("array_above_max_length"));
    }
    let mut names = HashSet::new();
    for (index, tool) in tools.iter().enumerate() {
        let path = format!("tools[{index}]");
        let tool = READ.object(tool, &path)?;
        READ.only(tool, &path, &["type", "function"])?;
        READ.one_of(
            READ.required(tool, &path, "type")?,
            &format!("{path}.type"),
            &["function"],
        )?;
        let path = format!("{path}.function");
        let function = READ.object(READ.required(tool, &path, "function")?, &path)?;
        READ.only(
            function,
            &path,
            &["name", "description", "parameters", "strict"],
        )?;
        let name = READ.required_text(function, &path, "name")?;
        if !is_name(name, "_-", 64) {
            return bad_name(&format!("{path}.name"));
        }
        if !names.insert(name.to_owned()) {
            return refuse(format!(
                "Duplicate function name: '{name}'. Function names must be unique."
            ));
        }
        if let Some(description) = function.get("description") {
            READ.text(description, &format!("{path}.description"))?;
        }
        if let Some(parameters) = function.get("parameters") {
            READ.object(parameters, &format!("{path}.parameters"))?;
            if let Some(problem) = parameters_error(parameters) {
                return Err(Refusal::invalid(format!(
                    "Invalid schema for function '{name}': {problem}"
                ))
                .param(format!("{path}.parameters"))
                .code("invalid_function_parameters"));
            }
        }
    }
    Ok(Some(names))
}

/// What is wrong with the parameters of a function.
pub(super) fn parameters_error(schema: &Value) -> Option<String> {
    let kind = schema.get("type");
    if kind.is_none_or(|kind| kind != "object") {
        let shown = kind.and_then(Value::as_str).unwrap_or("None");
        return Some(format!(
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{shown}\"'."
        ));
    }
    if ["oneOf", "anyOf", "allOf", "enum", "not"]
        .iter()
        .any(|word| schema.get(*word).is_some())
    {
        return Some("schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level.".to_owned());
    }
    schema_error(schema).or_else(|| array_without_items(schema, &mut Vec::new()))
}

/// The real API refuses arrays that do not say of what, however deep.
fn array_without_items(schema: &Value, context: &mut Vec<String>) -> Option<String> {
    if schema.get("type").is_some_and(|kind| kind == "array") && schema.get("items").is_none() {
        let quoted = context
            .iter()
            .map(|step| format!("'{step}'"))
            .collect::<Vec<_>>();
        return Some(format!(
            "In context=({}), array schema missing items.",
            quoted.join(", ")
        ));
    }
    for holder in ["properties", "$defs", "definitions"] {
        for (key, inner) in schema
            .get(holder)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            context.extend([holder.to_owned(), key.clone()]);
            let found = array_without_items(inner, context);
            context.truncate(context.len() - 2);
            if found.is_some() {
                return found;
            }
        }
    }
    for holder in ["anyOf", "oneOf", "allOf"] {
        for (index, inner) in schema
            .get(holder)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            context.extend([holder.to_owned(), index.to_string()]);
            let found = array_without_items(inner, context);
            context.truncate(context.len() - 2);
            if found.is_some() {
                return found;
            }
        }
    }
    let items = schema.get("items")?;
    context.push("items".to_owned());
    let found = array_without_items(items, context);
    context.pop();
    found
}

fn check_tool_use(body: &Map<String, Value>, tools: Option<&HashSet<String>>) -> Checked {
    for field in ["tool_choice", "parallel_tool_calls"] {
        if body.contains_key(field) && tools.is_none() {
            return Err(Refusal::invalid(format!(
                "Invalid value for '{field}': '{field}' is only allowed when 'tools' are specified."
            ))
            .param(field));
        }
    }
    READ.flag(body, "", "parallel_tool_calls")?;
    match body.get("tool_choice") {
        None => Ok(()),
        Some(choice @ Value::String(_)) => {
            READ.one_of(choice, "tool_choice", &["none", "auto", "required"])?;
            Ok(())
        }
        Some(choice) => {
            let choice = READ.object(choice, "tool_choice")?;
            READ.only(choice, "tool_choice", &["type", "function"])?;
            READ.one_of(
                READ.required(choice, "tool_choice", "type")?,
                "tool_choice.type",
                &["function"],
            )?;
            let path = "tool_choice.function";
            let function = READ.object(READ.required(choice, "tool_choice", "function")?, path)?;
            let name = READ.required_text(function, path, "name")?;
            if tools.is_some_and(|tools| !tools.contains(name)) {
                return Err(Refusal::invalid(format!("Invalid value for 'tool_choice': no function named '{name}' was specified in the 'tools' parameter."))
                    .param("tool_choice"));
            }
            Ok(())
        }
    }
}

fn check_messages(body: &Map<String, Value>, reasons: bool) -> Checked {
    let messages = READ.list(READ.required(body, "", "messages")?, "messages")?;
    if messages.is_empty() {
        return empty_list("messages");
    }
    // The calls of the assistant turn before, that still wait for their tool message.
    let mut pending: Vec<String> = Vec::new();
    let mut answered: Vec<String> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let path = format!("messages[{index}]");
        let object = READ.object(message, &path)?;
        let roles = ["system", "assistant", "user", "tool", "developer"];
        let role = READ.one_of(
            READ.required(object, &path, "role")?,
            &format!("{path}.role"),
            &roles,
        )?;
        if role == "tool" {
            READ.only(object, &path, &["role", "content", "tool_call_id"])?;
            check_content(
                READ.required(object, &path, "content")?,
                &format!("{path}.content"),
                &["text"],
            )?;
            let id = READ
                .required_text(object, &path, "tool_call_id")?
                .to_owned();
            let param = format!("messages.[{index}].role");
            if pending.is_empty() && answered.is_empty() {
                return Err(Refusal::invalid(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
                )
                .param(param));
            }
            if answered.contains(&id) {
                return Err(Refusal::invalid(format!(
                    "Duplicate value for 'tool_call_id' of '{id}' in message[{index}]"
                ))
                .param(param));
            }
            let Some(at) = pending.iter().position(|call| *call == id) else {
                return Err(Refusal::invalid(format!(
                    "Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message."
                ))
                .param(format!("messages.[{index}].tool_call_id")));
            };
            pending.remove(at);
            answered.push(id);
            continue;
        }
        check_answered(&pending, index)?;
        answered.clear();
        match role {
            "assistant" => pending = check_assistant(object, &path, reasons)?,
            "user" => {
                READ.only(object, &path, &["role", "content", "name"])?;
                let kinds = [
                    "text",
                    "image_url",
                    "input_audio",
                    "refusal",
                    "audio",
                    "file",
                ];
                check_content(
                    READ.required(object, &path, "content")?,
                    &format!("{path}.content"),
                    &kinds,
                )?;
            }
            _ => {
                READ.only(object, &path, &["role", "content", "name"])?;
                check_content(
                    READ.required(object, &path, "content")?,
                    &format!("{path}.content"),
                    &["text"],
                )?;
            }
        }
    }
    check_answered(&pending, messages.len())
}

/// Refuses when calls wait for an answer that the message at `index` is not.
fn check_answered(pending: &[String], index: usize) -> Checked {
    if pending.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        pending.join(", ")
    ))
    .param(format!("messages.[{index}].role")))
}

/// The ids of the calls that the message makes.
fn check_assistant(object: &Map<String, Value>, path: &str, reasons: bool) -> Checked<Vec<String>> {
    let mut known = vec![
        "role",
        "content",
        "name",
        "refusal",
        "audio",
        "annotations",
        "function_call",
        "tool_calls",
    ];
    if reasons {
        known.push("reasoning_content");
    }
    READ.only(object, path, &known)?;
    let mut ids = Vec::new();
    if let Some(calls) = object.get("tool_calls").filter(|calls| !calls.is_null()) {
        let path = format!("{path}.tool_calls");
        let calls = READ.list(calls, &path)?;
        if calls.is_empty() {
            return empty_list(&path);
        }
        for (index, call) in calls.iter().enumerate() {
            let path = READ.item(&path, index);
            let call = READ.object(call, &path)?;
            READ.only(call, &path, &["id", "type", "function"])?;
            READ.one_of(
                READ.required(call, &path, "type")?,
                &format!("{path}.type"),
                &["function"],
            )?;
            let id = READ.required_text(call, &path, "id")?;
            if id.len() > 40 {
                return Err(Refusal::invalid(format!(
                    "Invalid '{path}.id': string too long. Expected a string with maximum length 40, but got a string with length {} instead.",
                    id.len()
                ))
                .param(format!("{path}.id"))
                .code("string_above_max_length"));
            }
            if ids.iter().any(|other| other == id) {
                return refuse(format!(
                    "Duplicate value for 'tool_call_id' of '{id}' in '{path}'"
                ));
            }
            ids.push(id.to_owned());
            let path = format!("{path}.function");
            let function = READ.object(READ.required(call, &path, "function")?, &path)?;
            READ.only(function, &path, &["name", "arguments"])?;
            if !is_name(READ.required_text(function, &path, "name")?, "_-", 64) {
                return bad_name(&format!("{path}.name"));
            }
            READ.required_text(function, &path, "arguments")?;
        }
    }
    match object.get("content") {
        None | Some(Value::Null) if ids.is_empty() => {
            return Err(Refusal::invalid(
                "Invalid value for 'content': expected a string, got null.",
            )
            .param(format!("{path}.content")));
        }
        None | Some(Value::Null) => {}
        Some(content) => check_content(content, &format!("{path}.content"), &["text", "refusal"])?,
    }
    Ok(ids)
}

/// A string, or parts of the kinds allowed here.
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
            "text" => {
                READ.only(object, &path, &["type", "text", "prompt_cache_breakpoint"])?;
                READ.required_text(object, &path, "text")?;
            }
            "image_url" => {
                READ.only(
                    object,
                    &path,
                    &["type", "image_url", "prompt_cache_breakpoint"],
                )?;
                check_image(
                    READ.required(object, &path, "image_url")?,
                    &format!("{path}.image_url"),
                )?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_image(image: &Value, path: &str) -> Checked {
    let object = READ.object(image, path)?;
    READ.only(object, path, &["url", "detail"])?;
    if let Some(detail) = object.get("detail") {
        READ.one_of(
            detail,
            &format!("{path}.detail"),
            &["auto", "low", "high", "original"],
        )?;
    }
    check_data_url(
        READ.required_text(object, path, "url")?,
        &format!("{path}.url"),
    )
}

/// A picture as a data URL, or a URL of one.
pub(super) fn check_data_url(url: &str, path: &str) -> Checked {
    let bad =
        |message: String, code: &'static str| Err(Refusal::invalid(message).param(path).code(code));
    let Some(data) = url.strip_prefix("data:") else {
        if url.starts_with("https://") || url.starts_with("http://") {
            return Ok(());
        }
        return bad(
            format!(
                "Invalid '{path}'. Expected a valid URL, but got a value with an invalid format."
            ),
            "invalid_value",
        );
    };
    let Some((claimed, data)) = data.split_once(";base64,") else {
        return bad(
            format!(
                "Invalid '{path}'. Expected a base64-encoded data URL with an image MIME type (e.g. 'data:image/png;base64,…'), but got unsupported MIME type."
            ),
            "invalid_value",
        );
    };
    let unsupported = "You uploaded an unsupported image. Please make sure your image has of one the following formats: ['png', 'jpeg', 'gif', 'webp'].";
    if !["image/png", "image/jpeg", "image/gif", "image/webp"].contains(&claimed) {
        return bad(unsupported.to_owned(), "invalid_image_format");
    }
    let Ok(bytes) = image::decode(data) else {
        return bad("Invalid base64 image_url.".to_owned(), "invalid_base64");
    };
    if bytes.len() > MAX_IMAGE {
        return bad(
            format!(
                "Invalid image: {} bytes exceed the maximum of {MAX_IMAGE} bytes.",
                bytes.len()
            ),
            "image_too_large",
        );
    }
    match image::media_type(&bytes) {
        None => bad(unsupported.to_owned(), "invalid_image_format"),
        Some(found) if found != claimed => bad(
            format!("The image data is {found}, but the data URL says {claimed}."),
            "invalid_image_format",
        ),
        Some(_) => Ok(()),
    }
}

pub(super) fn empty_list<T>(path: &str) -> Checked<T> {
    Err(Refusal::invalid(format!(
        "Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead."
    ))
    .param(path)
    .code("empty_array"))
}

pub(super) fn bad_name<T>(path: &str) -> Checked<T> {
    Err(Refusal::invalid(format!(
        "Invalid '{path}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
    ))
    .param(path)
    .code("invalid_value"))
}
