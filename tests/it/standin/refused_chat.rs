//! The rules of `OpenAI` Chat Completions, each broken once.

#![expect(
    clippy::semicolon_if_nothing_returned,
    reason = "each change is one expression, so that a case stays a line"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::send;
use super::refused::{PNG, accepts, refuses};
use crate::support::provider::{Api, Provider, Script, When, turn};

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
