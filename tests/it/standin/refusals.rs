//! Every rule of the providers, broken once: the stand-in must refuse with the provider's status, in its JSON, and remember it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::{ask, send};
use crate::support::provider::{Api, Provider, Script, When, turn};

/// A change of a good request, and what the refusal must say.
type Case = (fn(&mut Value), &'static str);

#[track_caller]
fn refuses(api: Api, good: &Value, cases: &[Case]) {
    let server = Provider::start(Script::new().on(When::any(), turn().text("fine")));
    let accepted = ask(&server, api, good);
    let status = accepted.status;
    let answer = accepted.text();
    assert_eq!(
        status, 200,
        "it must be good before it is changed: {answer}"
    );
    for (index, (change, expected)) in cases.iter().enumerate() {
        let mut body = good.clone();
        change(&mut body);
        let response = ask(&server, api, &body);
        let status = response.status;
        let answer = response.json();
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(
            status == 400 && message.contains(expected),
            "case {index}: expected {expected:?}, got {status} {answer}\nfor {body}"
        );
        match api {
            Api::Messages => assert_eq!(
                (&answer["type"], &answer["error"]["type"]),
                (&json!("error"), &json!("invalid_request_error"))
            ),
            Api::Chat => assert_eq!(answer["error"]["type"], "invalid_request_error"),
        }
    }
    let violations = server.violations();
    assert_eq!(violations.len(), cases.len());
    assert!(
        violations
            .iter()
            .zip(cases)
            .all(|(violation, (_, expected))| violation.contains(expected))
    );
}

#[track_caller]
fn accepts(api: Api, good: &Value, changes: &[fn(&mut Value)]) {
    let server = Provider::start(Script::new().on(When::any(), turn().text("fine")));
    for (index, change) in changes.iter().enumerate() {
        let mut body = good.clone();
        change(&mut body);
        let response = ask(&server, api, &body);
        let status = response.status;
        assert_eq!(
            (status, response.text().contains("error")),
            (200, false),
            "case {index}"
        );
    }
}

const PNG: &[u8] = &[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0];

fn messages_request() -> Value {
    json!({
        "model": "claude-sonnet-4-6",
        "max_tokens": 2000,
        "system": [{"type": "text", "text": "Be terse."}],
        "tools": [
            {"name": "look", "description": "Look.", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}},
            {"name": "go", "input_schema": {"type": "object"}},
        ],
        "messages": [
            {"role": "user", "content": "Look around."},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "you"}},
                    {"type": "tool_use", "id": "toolu_2", "name": "go", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_2", "content": "", "is_error": false},
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "content": [
                            {"type": "text", "text": "seen"},
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": STANDARD.encode(PNG)}},
                        ],
                    },
                    {"type": "text", "text": "And now?"},
                ],
            },
        ],
    })
}

/// The source of the image in the good request.
fn source(body: &mut Value) -> &mut Value {
    &mut body["messages"][2]["content"][1]["content"][1]["source"]
}

#[test]
fn messages_top_level() {
    refuses(
        Api::Messages,
        &messages_request(),
        &[
            (
                |body| body["stop"] = json!(["x"]),
                "stop: Extra inputs are not permitted",
            ),
            (
                |body| drop(body.as_object_mut().unwrap().remove("model")),
                "model: Field required",
            ),
            (
                |body| drop(body.as_object_mut().unwrap().remove("max_tokens")),
                "max_tokens: Field required",
            ),
            (
                |body| body["max_tokens"] = json!(0),
                "max_tokens: Input should be greater than or equal to 1",
            ),
            (
                |body| body["max_tokens"] = json!(-1),
                "max_tokens: Input should be a valid integer",
            ),
            (
                |body| body["max_tokens"] = json!("9"),
                "max_tokens: Input should be a valid integer",
            ),
            (
                |body| body["stream"] = json!("yes"),
                "stream: Input should be a valid boolean",
            ),
            (
                |body| body["metadata"] = json!({"user": "x"}),
                "metadata.user: Extra inputs",
            ),
            (
                |body| body["stop_sequences"] = json!([" "]),
                "each stop sequence must contain non-whitespace",
            ),
            (
                |body| body["temperature"] = json!(1.5),
                "temperature: range: 0..1",
            ),
            (
                |body| body["temperature"] = json!("hot"),
                "temperature: Input should be a valid number",
            ),
            (
                |body| (body["temperature"], body["top_p"]) = (json!(0.5), json!(0.5)),
                "`temperature` and `top_p` cannot both be specified",
            ),
            (
                |body| {
                    (body["model"], body["temperature"]) = (json!("claude-sonnet-5-5"), json!(0.5))
                },
                "`temperature` is deprecated for this model",
            ),
            (
                |body| body["output_config"] = json!({"effort": "most"}),
                "output_config.effort: Input should be 'low'",
            ),
            (
                |body| {
                    body["output_config"] =
                        json!({"format": {"type": "json_schema", "schema": {"type": "thing"}}})
                },
                "output_config.format.schema:",
            ),
            (
                |body| body["system"] = json!(7),
                "system: Input should be a valid list",
            ),
            (
                |body| body["system"] = json!([{"type": "text", "text": ""}]),
                "system: text content blocks must be non-empty",
            ),
            (
                |body| body["system"] = json!([{"type": "image"}]),
                "system.0.type: Input should be 'text'",
            ),
        ],
    );
    accepts(
        Api::Messages,
        &messages_request(),
        &[
            |body| body["temperature"] = json!(0.0),
            |body| (body["model"], body["temperature"]) = (json!("claude-opus-5-5"), json!(1.0)),
            |body| body["system"] = json!("Be terse."),
            |body| body["thinking"] = json!({"type": "adaptive", "display": "summarized"}),
            |body| {
                body["tool_choice"] =
                    json!({"type": "tool", "name": "go", "disable_parallel_tool_use": true})
            },
        ],
    );
}

#[test]
fn messages_thinking_settings() {
    refuses(
        Api::Messages,
        &messages_request(),
        &[
            (
                |body| body["thinking"] = json!({"type": "on"}),
                "thinking.type: Input should be 'adaptive'",
            ),
            (
                |body| body["thinking"] = json!({"type": "enabled"}),
                "thinking.budget_tokens: Field required",
            ),
            (
                |body| body["thinking"] = json!({"type": "enabled", "budget_tokens": 10}),
                "greater than or equal to 1024",
            ),
            (
                |body| body["thinking"] = json!({"type": "enabled", "budget_tokens": 2000}),
                "`max_tokens` must be greater than",
            ),
            (
                |body| body["thinking"] = json!({"type": "disabled", "budget_tokens": 2000}),
                "Extra inputs",
            ),
            (
                |body| {
                    (body["model"], body["thinking"]) = (
                        json!("claude-opus-5"),
                        json!({"type": "enabled", "budget_tokens": 1500}),
                    )
                },
                "not supported for this model",
            ),
            (
                |body| {
                    (body["model"], body["thinking"]) = (
                        json!("claude-haiku-4-5-20251001"),
                        json!({"type": "adaptive"}),
                    )
                },
                "adaptive thinking is not supported on this model",
            ),
            (
                |body| {
                    (body["thinking"], body["tool_choice"]) =
                        (json!({"type": "adaptive"}), json!({"type": "any"}))
                },
                "Thinking may not be enabled when tool_choice forces tool use",
            ),
        ],
    );
}

#[test]
fn messages_tools() {
    refuses(
        Api::Messages,
        &messages_request(),
        &[
            (
                |body| body["tools"][0]["name"] = json!("look at"),
                "tools.0.custom.name: String should match pattern",
            ),
            (
                |body| body["tools"][0]["name"] = json!("x".repeat(129)),
                "tools.0.custom.name: String should match pattern",
            ),
            (
                |body| body["tools"][1]["name"] = json!("look"),
                "Tool names must be unique",
            ),
            (
                |body| body["tools"][0]["parameters"] = json!({}),
                "tools.0.custom.parameters: Extra inputs",
            ),
            (
                |body| {
                    drop(
                        body["tools"][0]
                            .as_object_mut()
                            .unwrap()
                            .remove("input_schema"),
                    )
                },
                "input_schema: Field required",
            ),
            (
                |body| body["tools"][0]["input_schema"] = json!({}),
                "input_schema.type: Field required",
            ),
            (
                |body| body["tools"][0]["input_schema"]["type"] = json!("array"),
                "input_schema.type: Input should be 'object'",
            ),
            (
                |body| body["tools"][0]["input_schema"]["anyOf"] = json!([{}]),
                "does not support oneOf, allOf, or anyOf",
            ),
            (
                |body| body["tools"][0]["input_schema"]["properties"]["ä"] = json!({}),
                "Property keys should match pattern",
            ),
            (
                |body| body["tools"][0]["input_schema"]["properties"]["at"]["type"] = json!("str"),
                "JSON schema is invalid",
            ),
            (
                |body| body["tools"][0]["input_schema"]["required"] = json!("at"),
                "JSON schema is invalid",
            ),
            (
                |body| {
                    body["tools"][0]["input_schema"]["properties"]["at"] =
                        json!({"$ref": "#/$defs/X"})
                },
                "JSON schema is invalid",
            ),
            (
                |body| body["tools"][0]["type"] = json!("bash_20250124"),
                "plays no server tools",
            ),
            (
                |body| body["tool_choice"] = json!("auto"),
                "tool_choice: Input should be a valid dictionary",
            ),
            (
                |body| body["tool_choice"] = json!({"type": "must"}),
                "tool_choice.type: Input should be",
            ),
            (
                |body| body["tool_choice"] = json!({"type": "tool", "name": "fly"}),
                "Tool 'fly' not found",
            ),
            (
                |body| drop(body.as_object_mut().unwrap().remove("tools")),
                "Requests which include `tool_use` or `tool_result` blocks must define tools",
            ),
        ],
    );
}

#[test]
fn messages_roles_and_pairing() {
    refuses(
        Api::Messages,
        &messages_request(),
        &[
            (
                |body| body["messages"] = json!([]),
                "at least one message is required",
            ),
            (
                |body| body["messages"][0]["role"] = json!("system"),
                "Unexpected role \"system\"",
            ),
            (
                |body| body["messages"][0]["role"] = json!("tool"),
                "messages.0.role: Input should be 'user' or 'assistant'",
            ),
            (
                |body| body["messages"][0]["name"] = json!("x"),
                "messages.0.name: Extra inputs",
            ),
            (
                |body| drop(body["messages"].as_array_mut().unwrap().remove(0)),
                "first message must use the \"user\" role",
            ),
            (
                |body| body["messages"].as_array_mut().unwrap().truncate(2),
                "does not support assistant message prefill",
            ),
            (
                |body| body["messages"][0]["content"] = json!(""),
                "messages.0: all messages must have non-empty content",
            ),
            (
                |body| body["messages"][0]["content"] = json!([]),
                "messages.0: all messages must have non-empty content",
            ),
            (
                |body| body["messages"][0]["content"] = json!("  \n"),
                "must contain non-whitespace text",
            ),
            (
                |body| body["messages"][1]["content"][0]["text"] = json!(""),
                "text content blocks must be non-empty",
            ),
            (
                |body| {
                    drop(
                        body["messages"][2]["content"]
                            .as_array_mut()
                            .unwrap()
                            .remove(0),
                    )
                },
                "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_2",
            ),
            (
                |body| body["messages"][2]["content"] = json!("well?"),
                "without `tool_result` blocks immediately after: toolu_1, toolu_2",
            ),
            (
                |body| {
                    body["messages"]
                        .as_array_mut()
                        .unwrap()
                        .insert(2, json!({"role": "assistant", "content": "hm"}))
                },
                "`tool_use` ids were found without `tool_result`",
            ),
            (
                |body| body["messages"][2]["content"][0]["tool_use_id"] = json!("toolu_9"),
                "unexpected `tool_use_id` found in `tool_result` blocks: toolu_9",
            ),
            (
                |body| body["messages"][2]["content"][0]["tool_use_id"] = json!("toolu_1"),
                "each tool_use must have a single result",
            ),
            (
                |body| {
                    body["messages"][2]["content"]
                        .as_array_mut()
                        .unwrap()
                        .rotate_right(1)
                },
                "`tool_result` blocks must come first",
            ),
            (
                |body| body["messages"][1]["content"][2]["id"] = json!("toolu_1"),
                "`tool_use` ids must be unique",
            ),
            (
                |body| body["messages"][1]["content"][2]["id"] = json!("a b"),
                "tool_use.id: String should match pattern",
            ),
            (
                |body| body["messages"][1]["content"][2]["name"] = json!(""),
                "tool_use.name: String should match pattern",
            ),
            (
                |body| body["messages"][1]["content"][2]["input"] = json!("{}"),
                "tool_use.input: Input should be a valid dictionary",
            ),
            (
                |body| body["messages"][1]["content"][2]["arguments"] = json!({}),
                "arguments: Extra inputs",
            ),
        ],
    );
}

#[test]
fn messages_blocks() {
    refuses(
        Api::Messages,
        &messages_request(),
        &[
            (
                |body| body["messages"][2]["content"][0]["type"] = json!("tool_output"),
                "Input tag 'tool_output'",
            ),
            (
                |body| body["messages"][2]["content"][2]["type"] = json!("tool_use"),
                "`tool_use` blocks can only be in `assistant` messages",
            ),
            (
                |body| body["messages"][1]["content"][0] = json!({"type": "image"}),
                "`image` blocks can only be in `user` messages",
            ),
            (
                |body| body["messages"][2]["content"][2]["citations"] = json!([{"type": "x"}]),
                "citations: Extra inputs",
            ),
            (
                |body| body["messages"][2]["content"][0]["is_error"] = json!(true),
                "content cannot be empty if `is_error` is true",
            ),
            (
                |body| body["messages"][2]["content"][1]["is_error"] = json!(true),
                "all content must be type `text` if `is_error` is true",
            ),
            (
                |body| body["messages"][2]["content"][1]["is_error"] = json!(1),
                "is_error: Input should be a valid boolean",
            ),
            (
                |body| body["messages"][2]["content"][1]["content"][0]["text"] = json!(""),
                "text content blocks must be non-empty",
            ),
            (
                |body| body["messages"][2]["content"][1]["content"][0]["type"] = json!("audio"),
                "Input tag 'audio'",
            ),
            (
                |body| source(body)["media_type"] = json!("image/svg+xml"),
                "media_type: Input should be 'image/jpeg'",
            ),
            (
                |body| source(body)["media_type"] = json!("image/jpeg"),
                "specified using the image/jpeg media type, but the image appears to be a image/png image",
            ),
            (
                |body| source(body)["data"] = json!("***"),
                "Invalid base64 data",
            ),
            (
                |body| source(body)["data"] = json!("data:image/png;base64,AAAA"),
                "Invalid base64 data",
            ),
            (
                |body| source(body)["data"] = json!(STANDARD.encode("not an image")),
                "Could not process image",
            ),
            (
                |body| {
                    let mut large = PNG.to_vec();
                    large.resize(4 * 1024 * 1024, 0);
                    source(body)["data"] = json!(STANDARD.encode(large));
                },
                "image exceeds 5 MB maximum: 5592408 bytes > 5242880 bytes",
            ),
            (
                |body| source(body)["url"] = json!("https://x"),
                "source.base64.url: Extra inputs",
            ),
        ],
    );
}

#[test]
fn messages_cache_breakpoints() {
    refuses(
        Api::Messages,
        &messages_request(),
        &[
            (
                |body| {
                    let mark = json!({"type": "ephemeral"});
                    body["cache_control"] = mark.clone();
                    body["tools"][1]["cache_control"] = mark.clone();
                    body["system"][0]["cache_control"] = mark.clone();
                    body["messages"][1]["content"][1]["cache_control"] = mark.clone();
                    body["messages"][2]["content"][1]["content"][0]["cache_control"] = mark;
                },
                "A maximum of 4 blocks with cache_control may be provided. Found 5.",
            ),
            (
                |body| {
                    body["tools"][1]["cache_control"] = json!({"type": "ephemeral"});
                    body["system"][0]["cache_control"] = json!({"type": "ephemeral", "ttl": "1h"});
                },
                "ttl='1h' cache_control block must not come after a ttl='5m'",
            ),
            (
                |body| body["system"][0]["cache_control"] = json!({"type": "forever"}),
                "cache_control.type: Input should be 'ephemeral'",
            ),
            (
                |body| {
                    body["system"][0]["cache_control"] = json!({"type": "ephemeral", "ttl": "1d"})
                },
                "ttl: Input should be '5m' or '1h'",
            ),
            (
                |body| {
                    body["system"][0] =
                        json!({"type": "text", "text": "", "cache_control": {"type": "ephemeral"}})
                },
                "cache_control cannot be set for empty text blocks",
            ),
        ],
    );
}

#[test]
fn messages_headers() {
    let server = Provider::start(
        Script::new()
            .on(When::any(), turn().text("fine"))
            .only_key("sk-right"),
    );
    let body = messages_request();
    let current = ("anthropic-version", "2026-10-21");
    let old = ("anthropic-version", "2023-06-01");
    let check = |headers: &[(&str, &str)], body: &str, status: u16, message: &str| {
        let response = send(&server, "/v1/messages", headers, body);
        assert_eq!(response.status, status, "{message}");
        assert!(response.text().contains(message), "{message}");
    };
    let good = body.to_string();
    check(&[("x-api-key", "sk-right"), current], &good, 200, "fine");
    check(
        &[("authorization", "Bearer sk-right"), old],
        &good,
        200,
        "fine",
    );
    check(&[old], &good, 401, "x-api-key header is required");
    check(
        &[("x-api-key", "sk-wrong"), old],
        &good,
        401,
        "invalid x-api-key",
    );
    check(
        &[("x-api-key", "sk-right")],
        &good,
        400,
        "anthropic-version: header is required",
    );
    check(
        &[
            ("x-api-key", "sk-right"),
            ("anthropic-version", "2024-01-01"),
        ],
        &good,
        400,
        "not a valid version",
    );
    check(
        &[
            ("x-api-key", "sk-right"),
            old,
            ("content-type", "text/plain"),
        ],
        &good,
        400,
        "content-type",
    );
    check(
        &[("x-api-key", "sk-right"), old],
        "{",
        400,
        "not valid JSON",
    );
    // The current version has no sampling parameters, not even with their defaults.
    let mut warm = body;
    warm["temperature"] = json!(1.0);
    check(
        &[("x-api-key", "sk-right"), old],
        &warm.to_string(),
        200,
        "fine",
    );
    check(
        &[("x-api-key", "sk-right"), current],
        &warm.to_string(),
        400,
        "temperature: Extra inputs are not permitted",
    );
    assert_eq!(server.violations().len(), 7);
}

#[test]
fn messages_thinking_must_come_back_unchanged() {
    let script = Script::turns([
        turn()
            .reasoning("I should look.")
            .text("Wait.")
            .call("look", json!({"at": "you"})),
        turn().text("done"),
    ]);
    let server = Provider::start(script);
    let mut body = messages_request();
    body["messages"].as_array_mut().unwrap().truncate(1);
    body["thinking"] = json!({"type": "adaptive"});
    let answer = ask(&server, Api::Messages, &body).json();
    let content = answer["content"].as_array().unwrap().clone();
    let result =
        json!([{"type": "tool_result", "tool_use_id": content[2]["id"], "content": "seen"}]);
    let next = |change: fn(&mut Vec<Value>)| {
        let mut content = content.clone();
        change(&mut content);
        let mut body = body.clone();
        let messages = body["messages"].as_array_mut().unwrap();
        messages.push(json!({"role": "assistant", "content": content}));
        messages.push(json!({"role": "user", "content": result}));
        let answer = ask(&server, Api::Messages, &body).json();
        answer["error"]["message"]
            .as_str()
            .unwrap_or("accepted")
            .to_owned()
    };
    assert_eq!(next(|_| {}), "accepted");
    assert_eq!(
        next(|content| content[0]["thinking"] = json!("I should look!")),
        "messages.1.content.0: Invalid `signature` in `thinking` block"
    );
    assert_eq!(
        next(|content| content[0]["signature"] = json!("")),
        "messages.1.content.0: Invalid `signature` in `thinking` block"
    );
    let dropped = next(|content| drop(content.remove(0)));
    assert!(
        dropped.contains("Expected `thinking` or `redacted_thinking`, but found `text`"),
        "{dropped}"
    );
    let doubled = next(|content| content.insert(0, content[0].clone()));
    assert!(
        doubled.contains("in the latest assistant message cannot be modified"),
        "{doubled}"
    );
    let moved = next(|content| content.swap(0, 1));
    assert!(moved.contains("Expected `thinking`"), "{moved}");
    assert_eq!(server.violations().len(), 5);
}

fn chat_request() -> Value {
    json!({
        "model": "gpt-4o",
        "max_tokens": 100,
        "stream": false,
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {"at": {"type": "array", "items": {"type": "string"}}}}}},
            {"type": "function", "function": {"name": "go"}},
        ],
        "messages": [
            {"role": "system", "content": "Be terse."},
            {"role": "user", "content": "Look around."},
            {
                "role": "assistant",
                "content": null,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": [\"you\"]}"}},
                    {"id": "call_2", "type": "function", "function": {"name": "go", "arguments": "not JSON"}},
                ],
            },
            {"role": "tool", "tool_call_id": "call_2", "content": ""},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "seen"}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "And now?"},
                    {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", STANDARD.encode(PNG)), "detail": "low"}},
                ],
            },
        ],
    })
}

fn url(body: &mut Value) -> &mut Value {
    &mut body["messages"][5]["content"][1]["image_url"]["url"]
}

#[test]
fn chat_top_level() {
    refuses(
        Api::Chat,
        &chat_request(),
        &[
            (
                |body| body["system"] = json!("x"),
                "Unrecognized request argument supplied: system",
            ),
            (
                |body| drop(body.as_object_mut().unwrap().remove("model")),
                "Missing required parameter: 'model'.",
            ),
            (
                |body| body["max_tokens"] = json!(0),
                "Invalid 'max_tokens': integer below minimum value",
            ),
            (
                |body| body["max_tokens"] = json!(1.5),
                "Invalid type for 'max_tokens': expected an integer, but got a decimal instead.",
            ),
            (
                |body| body["max_completion_tokens"] = json!(5),
                "at the same time is not supported",
            ),
            (
                |body| body["model"] = json!("o3"),
                "Unsupported parameter: 'max_tokens' is not supported with this model",
            ),
            (
                |body| body["model"] = json!("gpt-5.2-mini"),
                "Unsupported parameter: 'max_tokens' is not supported with this model",
            ),
            (
                |body| {
                    body.as_object_mut().unwrap().remove("max_tokens");
                    (body["model"], body["temperature"]) = (json!("gpt-6-astra"), json!(0.2));
                },
                "Unsupported value: 'temperature' does not support 0.2 with this model",
            ),
            (
                |body| body["temperature"] = json!(3),
                "Invalid 'temperature': value out of range",
            ),
            (
                |body| body["stream_options"] = json!({"include_usage": true}),
                "'stream_options' parameter is only allowed when 'stream' is enabled",
            ),
            (
                |body| {
                    (body["stream"], body["stream_options"]) = (json!(true), json!({"usage": true}))
                },
                "Unknown parameter: 'stream_options.usage'.",
            ),
            (
                |body| body["stream"] = json!("true"),
                "Invalid type for 'stream': expected a boolean",
            ),
            (
                |body| body["reasoning_effort"] = json!("some"),
                "Invalid value: 'some'. Supported values are: 'none'",
            ),
            (
                |body| body["messages"] = json!([]),
                "Invalid 'messages': empty array",
            ),
            (
                |body| body["messages"] = json!("hi"),
                "Invalid type for 'messages': expected an array, but got a string instead.",
            ),
        ],
    );
    accepts(
        Api::Chat,
        &chat_request(),
        &[
            |body| {
                (body["stream"], body["stream_options"]) =
                    (json!(true), json!({"include_usage": true}))
            },
            |body| {
                (
                    body["temperature"],
                    body["seed"],
                    body["parallel_tool_calls"],
                ) = (json!(0), json!(1), json!(false))
            },
            |body| body["tool_choice"] = json!({"type": "function", "function": {"name": "go"}}),
            |body| body["messages"][0]["role"] = json!("developer"),
            |body| (body["model"], body["max_tokens"]) = (json!("llama-3.3-70b"), json!(null)),
        ],
    );
}

#[test]
fn chat_tools() {
    refuses(
        Api::Chat,
        &chat_request(),
        &[
            (
                |body| body["tools"] = json!([]),
                "Invalid 'tools': empty array",
            ),
            (
                |body| body["tools"] = vec![body["tools"][0].clone(); 129].into(),
                "Invalid 'tools': array too long",
            ),
            (
                |body| body["tools"][0]["type"] = json!("tool"),
                "Invalid value: 'tool'. Supported values are: 'function'.",
            ),
            (
                |body| body["tools"][0]["name"] = json!("look"),
                "Unknown parameter: 'tools[0].name'.",
            ),
            (
                |body| body["tools"][0]["function"]["input_schema"] = json!({}),
                "Unknown parameter: 'tools[0].function.input_schema'.",
            ),
            (
                |body| body["tools"][0]["function"]["name"] = json!("a.b"),
                "Invalid 'tools[0].function.name': string does not match pattern",
            ),
            (
                |body| body["tools"][0]["function"]["name"] = json!("x".repeat(65)),
                "Invalid 'tools[0].function.name'",
            ),
            (
                |body| body["tools"][1]["function"]["name"] = json!("look"),
                "Duplicate function name: 'look'",
            ),
            (
                |body| body["tools"][0]["function"]["parameters"] = json!({}),
                "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'.",
            ),
            (
                |body| body["tools"][0]["function"]["parameters"]["oneOf"] = json!([{}]),
                "not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level",
            ),
            (
                |body| {
                    body["tools"][0]["function"]["parameters"]["properties"]["at"] =
                        json!({"type": "array"})
                },
                "Invalid schema for function 'look': In context=('properties', 'at'), array schema missing items.",
            ),
            (
                |body| {
                    body["tools"][0]["function"]["parameters"]["properties"]["at"] =
                        json!({"type": "list"})
                },
                "Invalid schema for function 'look':",
            ),
            (
                |body| body["tool_choice"] = json!("any"),
                "Invalid value: 'any'. Supported values are: 'none', 'auto', 'required'.",
            ),
            (
                |body| {
                    body["tool_choice"] = json!({"type": "function", "function": {"name": "fly"}})
                },
                "no function named 'fly' was specified in the 'tools' parameter",
            ),
            (
                |body| {
                    body.as_object_mut().unwrap().remove("tools");
                    body["tool_choice"] = json!("auto");
                },
                "'tool_choice' is only allowed when 'tools' are specified",
            ),
            (
                |body| {
                    body.as_object_mut().unwrap().remove("tools");
                    body["parallel_tool_calls"] = json!(true);
                },
                "'parallel_tool_calls' is only allowed when 'tools' are specified",
            ),
        ],
    );
}

#[test]
fn chat_roles_and_pairing() {
    refuses(
        Api::Chat,
        &chat_request(),
        &[
            (
                |body| body["messages"][0]["role"] = json!("robot"),
                "Invalid value: 'robot'. Supported values are: 'system'",
            ),
            (
                |body| body["messages"][1]["cache_control"] = json!({}),
                "Unknown parameter: 'messages[1].cache_control'.",
            ),
            (
                |body| body["messages"][2]["reasoning_content"] = json!("hm"),
                "Unknown parameter: 'messages[2].reasoning_content'.",
            ),
            (
                |body| body["messages"][3]["name"] = json!("go"),
                "Unknown parameter: 'messages[3].name'.",
            ),
            (
                |body| drop(body["messages"].as_array_mut().unwrap().remove(3)),
                "The following tool_call_ids did not have response messages: call_2",
            ),
            (
                |body| body["messages"].as_array_mut().unwrap().truncate(3),
                "The following tool_call_ids did not have response messages: call_1, call_2",
            ),
            (
                |body| body["messages"].as_array_mut().unwrap().swap(4, 5),
                "The following tool_call_ids did not have response messages: call_1",
            ),
            (
                |body| drop(body["messages"].as_array_mut().unwrap().remove(2)),
                "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'",
            ),
            (
                |body| body["messages"][3]["tool_call_id"] = json!("call_9"),
                "'tool_call_id' of 'call_9' not found in 'tool_calls'",
            ),
            (
                |body| body["messages"][4]["tool_call_id"] = json!("call_2"),
                "Duplicate value for 'tool_call_id' of 'call_2'",
            ),
            (
                |body| {
                    drop(
                        body["messages"][3]
                            .as_object_mut()
                            .unwrap()
                            .remove("tool_call_id"),
                    )
                },
                "Missing required parameter: 'messages[3].tool_call_id'.",
            ),
            (
                |body| body["messages"][2]["tool_calls"] = json!([]),
                "Invalid 'messages[2].tool_calls': empty array",
            ),
            (
                |body| {
                    drop(
                        body["messages"][2]
                            .as_object_mut()
                            .unwrap()
                            .remove("tool_calls"),
                    )
                },
                "Invalid value for 'content': expected a string, got null.",
            ),
            (
                |body| body["messages"][2]["tool_calls"][0]["id"] = json!("c".repeat(41)),
                "string too long. Expected a string with maximum length 40",
            ),
            (
                |body| body["messages"][2]["tool_calls"][1]["id"] = json!("call_1"),
                "Duplicate value for 'tool_call_id'",
            ),
            (
                |body| body["messages"][2]["tool_calls"][0]["index"] = json!(0),
                "Unknown parameter: 'messages[2].tool_calls[0].index'.",
            ),
            (
                |body| body["messages"][2]["tool_calls"][0]["function"]["name"] = json!(""),
                "Invalid 'messages[2].tool_calls[0].function.name'",
            ),
            (
                |body| body["messages"][2]["tool_calls"][0]["function"]["arguments"] = json!({}),
                "Invalid type for 'messages[2].tool_calls[0].function.arguments': expected a string, but got an object instead.",
            ),
        ],
    );
}

#[test]
fn chat_content() {
    refuses(
        Api::Chat,
        &chat_request(),
        &[
            (
                |body| body["messages"][1]["content"] = json!(null),
                "Invalid type for 'messages[1].content': expected an array, but got null instead.",
            ),
            (
                |body| body["messages"][1]["content"] = json!([]),
                "Invalid 'messages[1].content': empty array",
            ),
            (
                |body| body["messages"][0]["content"] = body["messages"][5]["content"].clone(),
                "Invalid value: 'image_url'. Supported values are: 'text'.",
            ),
            (
                |body| body["messages"][4]["content"] = body["messages"][5]["content"].clone(),
                "Invalid value: 'image_url'. Supported values are: 'text'.",
            ),
            (
                |body| body["messages"][5]["content"][0]["type"] = json!("input_text"),
                "Invalid value: 'input_text'",
            ),
            (
                |body| body["messages"][5]["content"][1]["image_url"] = json!("x"),
                "expected an object, but got a string instead",
            ),
            (
                |body| body["messages"][5]["content"][1]["image_url"]["detail"] = json!("max"),
                "Invalid value: 'max'",
            ),
            (
                |body| *url(body) = json!("image.png"),
                "Expected a valid URL",
            ),
            (
                |body| *url(body) = json!("data:image/png,AAAA"),
                "Expected a base64-encoded data URL",
            ),
            (
                |body| *url(body) = json!("data:image/svg+xml;base64,AAAA"),
                "You uploaded an unsupported image",
            ),
            (
                |body| *url(body) = json!("data:image/png;base64,*"),
                "Invalid base64 image_url",
            ),
            (
                |body| *url(body) = json!("data:image/png;base64,AAAA"),
                "You uploaded an unsupported image",
            ),
            (
                |body| {
                    *url(body) = json!(format!("data:image/gif;base64,{}", STANDARD.encode(PNG)))
                },
                "The image data is image/png, but the data URL says image/gif",
            ),
        ],
    );
}

#[test]
fn chat_headers() {
    let server = Provider::start(
        Script::new()
            .on(When::any(), turn().text("fine"))
            .only_key("sk-right"),
    );
    let body = chat_request().to_string();
    let check = |path: &str, headers: &[(&str, &str)], status: u16, message: &str| {
        let response = send(&server, path, headers, &body);
        assert_eq!(response.status, status, "{message}");
        assert!(response.text().contains(message), "{message}");
    };
    check(
        "/chat/completions",
        &[("authorization", "Bearer sk-right")],
        200,
        "fine",
    );
    check(
        "/v1/chat/completions",
        &[],
        401,
        "You didn't provide an API key",
    );
    check(
        "/v1/chat/completions",
        &[("x-api-key", "sk-right")],
        401,
        "You didn't provide an API key",
    );
    check(
        "/v1/chat/completions",
        &[("authorization", "Bearer sk-wrong")],
        401,
        "invalid_api_key",
    );
    assert_eq!(server.violations().len(), 3);
}
