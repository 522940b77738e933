//! Checks a generateContent request as Google does. Fields are those that the SDK's converters (`_GenerateContentParameters_to_mldev`) write; the
//! wording of refusals is the real one where it is known.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::check::{Checked, Refusal, is_name, schema_error};
use super::image;

const BODY: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "safetySettings",
    "cachedContent",
    "labels",
    "serviceTier",
    "continuationToken",
];

const GENERATION: &[&str] = &[
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "responseLogprobs",
    "logprobs",
    "presencePenalty",
    "frequencyPenalty",
    "seed",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "mediaResolution",
    "speechConfig",
    "thinkingConfig",
    "imageConfig",
];

const TOOLS: &[&str] = &[
    "functionDeclarations",
    "googleSearch",
    "googleSearchRetrieval",
    "googleMaps",
    "codeExecution",
    "computerUse",
    "fileSearch",
    "urlContext",
    "mcpServers",
];

/// Keywords that `parametersJsonSchema` takes.
const SCHEMA: &[&str] = &[
    "$id",
    "$defs",
    "$ref",
    "$anchor",
    "type",
    "format",
    "title",
    "description",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "oneOf",
    "properties",
    "additionalProperties",
    "required",
    "propertyOrdering",
];

/// Fields of which a part has exactly one.
const DATA: &[&str] = &[
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
];

/// What stands for a signature that was never there.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Keys below which names are the user's own.
const FREE: &[&str] = &[
    "args",
    "response",
    "parametersJsonSchema",
    "responseJsonSchema",
    "partMetadata",
];

/// `value` with its fields in camel case: the API takes both spellings, as every API that is made of protocol buffers does.
pub(super) fn camel(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| {
                let mut words = key.split('_');
                let first = words.next().unwrap_or_default().to_owned();
                let name = words.fold(first, |name, word| {
                    let (head, tail) = word.split_at(word.len().min(1));
                    name + &head.to_ascii_uppercase() + tail
                });
                let is_free = FREE.contains(&name.as_str());
                (name, if is_free { value } else { camel(value) })
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(camel).collect(),
        other => other,
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "INVALID_ARGUMENT", message)
}

/// Checks the headers that the API reads. `header` looks one up by its lower-case name.
pub(super) fn check_headers<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    key: Option<&str>,
) -> Checked {
    let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    match header("x-goog-api-key").or(bearer) {
        None | Some("") => Err(Refusal::new(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
        )),
        Some(sent) if key.is_some_and(|key| key != sent) => {
            Err(invalid("API key not valid. Please pass a valid API key.").code("API_KEY_INVALID"))
        }
        Some(_) => Ok(()),
    }
}

/// Checks the body. `signed` are the signatures that were sent.
pub(super) fn check_body(body: &Value, model: &str, signed: &HashSet<String>) -> Checked {
    let body = object(body, "")?;
    only(body, BODY, "")?;
    if let Some(instruction) = body.get("systemInstruction") {
        check_parts(instruction, "system_instruction", signed)?;
    }
    check_generation(body, model)?;
    let names = check_tools(body)?;
    check_tool_config(body, &names)?;
    check_contents(body, model, signed)
}

fn object<'a>(value: &'a Value, path: &str) -> Checked<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| {
        invalid(format!(
            "Invalid value at '{path}' (type.googleapis.com/google.ai.generativelanguage.v1beta.GenerateContentRequest), expected an object"
        ))
    })
}

fn list<'a>(value: &'a Value, path: &str) -> Checked<&'a [Value]> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| invalid(format!("Invalid value at '{path}', expected a list")))
}

fn only(map: &Map<String, Value>, known: &[&str], path: &str) -> Checked {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let place = if path.is_empty() {
                String::new()
            } else {
                format!(" at '{path}'")
            };
            Err(invalid(format!(
                "Invalid JSON payload received. Unknown name \"{key}\"{place}: Cannot find field."
            )))
        }
    }
}

fn check_generation(body: &Map<String, Value>, model: &str) -> Checked {
    let Some(config) = body.get("generationConfig") else {
        return Ok(());
    };
    let config = object(config, "generation_config")?;
    only(config, GENERATION, "generation_config")?;
    for (field, low, high) in [("temperature", 0.0, 2.0), ("topP", 0.0, 1.0)] {
        if let Some(value) = config.get(field) {
            let fits = value
                .as_f64()
                .is_some_and(|value| (low..=high).contains(&value));
            if !fits {
                return Err(invalid(format!(
                    "Unable to submit request because it has a {field} value of {value} but the supported range is from {low} (inclusive) to {high} (inclusive). Update the value and try again."
                )));
            }
        }
    }
    for field in ["maxOutputTokens", "topK"] {
        if config
            .get(field)
            .is_some_and(|value| value.as_u64().is_none_or(|count| count == 0))
        {
            return Err(invalid(format!(
                "Invalid value at 'generation_config.{field}'"
            )));
        }
    }
    let Some(thinking) = config.get("thinkingConfig") else {
        return Ok(());
    };
    let path = "generation_config.thinking_config";
    let thinking = object(thinking, path)?;
    only(
        thinking,
        &["includeThoughts", "thinkingBudget", "thinkingLevel"],
        path,
    )?;
    if thinking.contains_key("thinkingLevel") {
        if thinking.contains_key("thinkingBudget") {
            return Err(invalid(
                "You can only set only one of thinking budget and thinking level.",
            ));
        }
        if model.starts_with("gemini-2") {
            return Err(invalid("Thinking level is not supported for this model."));
        }
        let levels = ["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"];
        if !levels
            .iter()
            .any(|level| thinking["thinkingLevel"] == *level)
        {
            return Err(invalid(format!(
                "Invalid value at '{path}.thinking_level' (type.googleapis.com/google.ai.generativelanguage.v1beta.ThinkingConfig.ThinkingLevel), {}",
                thinking["thinkingLevel"]
            )));
        }
    }
    Ok(())
}

fn check_tools(body: &Map<String, Value>) -> Checked<HashSet<String>> {
    let mut names = HashSet::new();
    for (index, tool) in list(
        body.get("tools").unwrap_or(&Value::Array(Vec::new())),
        "tools",
    )?
    .iter()
    .enumerate()
    {
        let path = format!("tools[{index}]");
        let tool = object(tool, &path)?;
        only(tool, TOOLS, &path)?;
        let Some(declarations) = tool.get("functionDeclarations") else {
            continue;
        };
        for (index, declaration) in list(declarations, &path)?.iter().enumerate() {
            let path = format!("{path}.function_declarations[{index}]");
            let declaration = object(declaration, &path)?;
            only(
                declaration,
                &[
                    "name",
                    "description",
                    "parameters",
                    "parametersJsonSchema",
                    "response",
                    "responseJsonSchema",
                    "behavior",
                ],
                &path,
            )?;
            let name = declaration
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !begins || !is_name(name, "_.:-", 128) {
                return Err(invalid(format!(
                    "Invalid function name at {path}.name: Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 128."
                )));
            }
            if !names.insert(name.to_owned()) {
                return Err(invalid(format!(
                    "Duplicate function declaration found: {name}"
                )));
            }
            if let Some(schema) = declaration.get("parametersJsonSchema") {
                check_schema(schema, &format!("{path}.parameters_json_schema"), true)?;
            }
        }
    }
    Ok(names)
}

fn check_schema(schema: &Value, path: &str, top: bool) -> Checked {
    let map = object(schema, path)?;
    only(map, SCHEMA, path)?;
    if top {
        if map.get("type").is_none_or(|kind| kind != "object") {
            return Err(invalid(format!(
                "{path}: the schema must describe an object"
            )));
        }
        if let Some(problem) = schema_error(schema) {
            return Err(invalid(format!("{path}: {problem}")));
        }
    }
    if map.contains_key("$ref") && map.keys().any(|key| !key.starts_with('$')) {
        return Err(invalid(format!(
            "{path}: no other properties may be set beside $ref"
        )));
    }
    if let Some(words) = map.get("enum") {
        let fits = |word: &Value| word.is_string() || word.is_number();
        if !list(words, path)?.iter().all(fits) {
            return Err(invalid(format!("{path}.enum: only strings and numbers")));
        }
    }
    for holder in ["properties", "$defs"] {
        for (key, inner) in map
            .get(holder)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            check_schema(inner, &format!("{path}.{holder}[{key}]"), false)?;
        }
    }
    for holder in ["anyOf", "oneOf", "prefixItems"] {
        for inner in map
            .get(holder)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            check_schema(inner, &format!("{path}.{holder}"), false)?;
        }
    }
    for holder in ["items", "additionalProperties"] {
        if let Some(inner) = map.get(holder).filter(|inner| inner.is_object()) {
            check_schema(inner, &format!("{path}.{holder}"), false)?;
        }
    }
    Ok(())
}

fn check_tool_config(body: &Map<String, Value>, names: &HashSet<String>) -> Checked {
    let Some(config) = body.get("toolConfig") else {
        return Ok(());
    };
    let config = object(config, "tool_config")?;
    only(
        config,
        &[
            "functionCallingConfig",
            "retrievalConfig",
            "includeServerSideToolInvocations",
        ],
        "tool_config",
    )?;
    let Some(calling) = config.get("functionCallingConfig") else {
        return Ok(());
    };
    let calling = object(calling, "tool_config.function_calling_config")?;
    only(
        calling,
        &["mode", "allowedFunctionNames"],
        "tool_config.function_calling_config",
    )?;
    for name in calling
        .get("allowedFunctionNames")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if !name.as_str().is_some_and(|name| names.contains(name)) {
            return Err(invalid(format!(
                "Allowed function names should be a subset of the declared functions; {name} is none."
            )));
        }
    }
    Ok(())
}

fn check_contents(body: &Map<String, Value>, model: &str, signed: &HashSet<String>) -> Checked {
    let contents = list(body.get("contents").unwrap_or(&Value::Null), "contents")?;
    if contents.is_empty() {
        return Err(invalid(
            "* GenerateContentRequest.contents: contents is not specified\n",
        ));
    }
    // Calls of the model's turn before, which the next turn must answer.
    let mut open: Vec<(String, String)> = Vec::new();
    // The last thing that the user said, not a tool: signatures are checked from there on.
    let turn_starts = contents
        .iter()
        .rposition(|content| {
            content["role"] != "model"
                && content["parts"].as_array().is_some_and(|parts| {
                    parts.iter().any(|part| part["functionResponse"].is_null())
                })
        })
        .unwrap_or(0);
    for (index, content) in contents.iter().enumerate() {
        let path = format!("contents[{index}]");
        let map = object(content, &path)?;
        only(map, &["role", "parts"], &path)?;
        let role = map.get("role").and_then(Value::as_str).unwrap_or("user");
        if !["user", "model"].contains(&role) {
            return Err(invalid("Please use a valid role: user, model."));
        }
        let parts = check_parts(content, &path, signed)?;
        let calls: Vec<&Value> = parts
            .iter()
            .map(|part| &part["functionCall"])
            .filter(|call| !call.is_null())
            .collect();
        let responses: Vec<&Value> = parts
            .iter()
            .map(|part| &part["functionResponse"])
            .filter(|response| !response.is_null())
            .collect();
        if role == "model" {
            if !responses.is_empty() {
                return Err(invalid(
                    "Please ensure that function response turn comes immediately after a function call turn.",
                ));
            }
            if !calls.is_empty() && index == 0 {
                return Err(invalid(
                    "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
                ));
            }
            let first = parts.iter().find(|part| part["functionCall"].is_object());
            if let Some(first) = first
                && model.starts_with("gemini-3")
                && index > turn_starts
                && first.get("thoughtSignature").is_none()
            {
                let name = first["functionCall"]["name"].as_str().unwrap_or_default();
                return Err(invalid(format!(
                    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call `{name}`, position {index}."
                )));
            }
            unanswered(&open)?;
            open = calls.iter().map(|call| named(call)).collect();
        } else {
            if !responses.is_empty() && responses.len() != open.len() {
                return Err(invalid(
                    "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
                ));
            }
            if responses.is_empty() {
                unanswered(&open)?;
            }
            for response in responses {
                let own = named(response);
                let Some(at) = open.iter().position(|call| *call == own) else {
                    return Err(invalid(format!(
                        "Function response `{}` with id `{}` answers no function call.",
                        own.0, own.1
                    )));
                };
                open.remove(at);
            }
        }
    }
    if contents.last().is_some_and(|last| last["role"] == "model") {
        return Err(invalid("Please ensure that the last turn is a user turn."));
    }
    unanswered(&open)
}

fn named(value: &Value) -> (String, String) {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    (text("name"), text("id"))
}

fn unanswered(open: &[(String, String)]) -> Checked {
    if open.is_empty() {
        return Ok(());
    }
    Err(invalid(
        "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
    ))
}

fn check_parts<'a>(
    content: &'a Value,
    path: &str,
    signed: &HashSet<String>,
) -> Checked<&'a [Value]> {
    let parts = list(&content["parts"], &format!("{path}.parts"))?;
    if parts.is_empty() {
        return Err(invalid(format!(
            "* GenerateContentRequest.{path}.parts: contents.parts must not be empty.\n"
        )));
    }
    for (index, part) in parts.iter().enumerate() {
        let path = format!("{path}.parts[{index}]");
        let map = object(part, &path)?;
        let known = [
            DATA,
            &[
                "thought",
                "thoughtSignature",
                "videoMetadata",
                "mediaResolution",
                "partMetadata",
            ],
        ]
        .concat();
        only(map, &known, &path)?;
        let data: Vec<&str> = DATA
            .iter()
            .copied()
            .filter(|key| map.contains_key(*key))
            .collect();
        let [kind] = data[..] else {
            return Err(invalid(format!(
                "* GenerateContentRequest.{path}.data: required oneof field 'data' must have one initialized field\n"
            )));
        };
        if let Some(signature) = map.get("thoughtSignature") {
            // Both alphabets of base64 are taken.
            let signature = signature.as_str().unwrap_or_default();
            let signature = &*signature.replace('-', "+").replace('_', "/");
            let is_stand_in = signature == NO_SIGNATURE.replace('_', "/");
            if !is_stand_in && (STANDARD.decode(signature).is_err() || !signed.contains(signature))
            {
                return Err(invalid("Corrupted thought signature."));
            }
        }
        check_data(kind, &map[kind], &path)?;
    }
    Ok(parts)
}

fn check_data(kind: &str, data: &Value, path: &str) -> Checked {
    match kind {
        "text" if !data.is_string() => Err(invalid(format!(
            "Invalid value at '{path}.text' (TYPE_STRING)"
        ))),
        "inlineData" => check_blob(data, path),
        "functionCall" => {
            let call = object(data, path)?;
            only(
                call,
                &["id", "name", "args"],
                &format!("{path}.function_call"),
            )?;
            object(call.get("args").unwrap_or(&Value::Object(Map::new())), path)?;
            Ok(())
        }
        "functionResponse" => {
            let response = object(data, path)?;
            only(
                response,
                &[
                    "id",
                    "name",
                    "response",
                    "parts",
                    "willContinue",
                    "scheduling",
                ],
                &format!("{path}.function_response"),
            )?;
            if !response.get("name").is_some_and(Value::is_string) {
                return Err(invalid(format!(
                    "* GenerateContentRequest.{path}.function_response.name: Name cannot be empty.\n"
                )));
            }
            object(response.get("response").unwrap_or(&Value::Null), path)?;
            for part in response
                .get("parts")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let part = object(part, path)?;
                only(
                    part,
                    &["inlineData", "fileData"],
                    &format!("{path}.function_response.parts"),
                )?;
                if let Some(blob) = part.get("inlineData") {
                    check_blob(blob, path)?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_blob(data: &Value, path: &str) -> Checked {
    let blob = object(data, path)?;
    only(
        blob,
        &["mimeType", "data", "displayName"],
        &format!("{path}.inline_data"),
    )?;
    let text = |key: &str| blob.get(key).and_then(Value::as_str).unwrap_or_default();
    let Ok(bytes) = image::decode(text("data")) else {
        return Err(invalid(format!(
            "Invalid value at '{path}.inline_data.data' (TYPE_BYTES), Base64 decoding failed"
        )));
    };
    let claimed = text("mimeType");
    if claimed.starts_with("image/") && image::media_type(&bytes) != Some(claimed) {
        return Err(invalid(
            "Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
        ));
    }
    if claimed.is_empty() {
        return Err(invalid(format!(
            "{path}.inline_data.mime_type: must be set"
        )));
    }
    Ok(())
}
