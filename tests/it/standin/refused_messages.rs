//! The rules of Anthropic Messages, each broken once.

#![expect(
    clippy::semicolon_if_nothing_returned,
    reason = "each change is one expression, so that a case stays a line"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::{ask, send};
use super::refused::{PNG, accepts, refuses};
use crate::support::provider::{Api, Provider, Script, When, turn};

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
