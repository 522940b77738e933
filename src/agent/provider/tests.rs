//! The providers against a server on loopback: what they send, and what they make of answers.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::agent::testing::{request, tool};
use crate::agent::{Delta, Model, ModelError, ModelErrorKind, Request};
use crate::format::openai_chat::MaxTokensField;
use crate::http::testing::{Server, answer, stream};
use crate::message::Turn;

const ANTHROPIC: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"m","model":"claude-x","usage":{"input_tokens":3}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}

event: message_stop
data: {"type":"message_stop"}

"#;

const CHAT: &str = r#"data: {"id":"c","model":"gpt-x","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}

data: {"id":"c","model":"gpt-x","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}

data: {"id":"c","model":"gpt-x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}

data: [DONE]

"#;

fn endpoint(base_url: String) -> Endpoint {
    Endpoint {
        base_url,
        key: Secret::new("sk-secret"),
        key_variable: "X_API_KEY",
        is_gateway: true,
    }
}

/// Both providers, at `url` plus the usual `/v1`.
fn providers(url: &str) -> [Box<dyn Model>; 2] {
    let chat = endpoint(format!("{url}/v1"));
    [
        Box::new(Anthropic::new("m", endpoint(url.to_owned()))),
        Box::new(OpenAiChat::new("m", chat, MaxTokensField::MaxTokens)),
    ]
}

fn full_request() -> Request {
    Request {
        tools: vec![tool("f")],
        trace_id: Some("t1".to_owned()),
        ..request()
    }
}

async fn respond(model: &dyn Model) -> (Result<Turn, ModelError>, Vec<String>) {
    let mut deltas = Vec::new();
    let mut on_delta = |delta| {
        if let Delta::Text(text) = delta {
            deltas.push(text);
        }
    };
    let turn = model.respond(&full_request(), &mut on_delta).await;
    (turn, deltas)
}

#[tokio::test]
async fn a_streamed_answer() {
    for (index, body) in [ANTHROPIC, CHAT].into_iter().enumerate() {
        // Some servers send CRLF.
        for body in [body.to_owned(), body.replace('\n', "\r\n")] {
            let server = Server::start(vec![stream(&body)]).await;
            let (turn, deltas) = respond(&*providers(&server.url())[index]).await;
            let turn = turn.unwrap();
            assert_eq!((turn.text().as_str(), turn.usage.total()), ("Hello", 5));
            assert_eq!(deltas, ["Hel", "lo"]);
        }
    }
}

#[tokio::test]
async fn what_is_sent() {
    let lines = [
        "POST /v1/messages HTTP/1.1",
        "POST /v1/chat/completions HTTP/1.1",
    ];
    for (index, body) in [ANTHROPIC, CHAT].into_iter().enumerate() {
        let server = Server::start(vec![stream(body)]).await;
        respond(&*providers(&server.url())[index]).await.0.unwrap();
        let sent = &server.requests()[0];
        assert_eq!(sent.line, lines[index]);
        assert_eq!(sent.header("authorization"), Some("Bearer sk-secret"));
        assert_eq!(sent.header("trace-id"), Some("t1"));
        let version = (index == 0).then_some("2026-10-21");
        assert_eq!(sent.header("anthropic-version"), version);
        let body: Value = serde_json::from_str(&sent.body).unwrap();
        assert_eq!(body["stream"], json!(true));
    }
}

#[tokio::test]
async fn anthropic_takes_either_base_url_and_an_older_version_for_sampling() {
    let server = Server::start(vec![stream(ANTHROPIC)]).await;
    let model = Anthropic::new("m", endpoint(format!("{}/v1/", server.url())));
    let mut request = full_request();
    request.settings.temperature = Some(0.0);
    model.respond(&request, &mut |_| {}).await.unwrap();
    let sent = &server.requests()[0];
    assert_eq!(sent.line, "POST /v1/messages HTTP/1.1");
    assert_eq!(sent.header("anthropic-version"), Some("2023-06-01"));
}

#[tokio::test]
async fn servers_that_do_not_stream() {
    let bodies = [
        json!({"id": "m", "model": "x", "stop_reason": "end_turn", "content": [{"type": "text", "text": "Hi"}]}),
        json!({"id": "c", "model": "x", "choices": [{"finish_reason": "stop", "message": {"content": "Hi"}}]}),
    ];
    for (index, body) in bodies.iter().enumerate() {
        let json = ["content-type: application/json"];
        let server = Server::start(vec![answer(200, &json, &body.to_string())]).await;
        let (turn, deltas) = respond(&*providers(&server.url())[index]).await;
        assert_eq!(turn.unwrap().text(), "Hi");
        assert_eq!(deltas, ["Hi"]);
    }
}

#[tokio::test]
async fn failures_have_their_kind() {
    let limited = answer(
        429,
        &["retry-after: 7"],
        "{\"error\":{\"message\":\"slow\"}}",
    );
    let cases = [
        (limited, ModelErrorKind::RateLimit, Some(7)),
        (answer(500, &[], ""), ModelErrorKind::Server, None),
        (
            answer(401, &[], "sk-secret"),
            ModelErrorKind::Authentication,
            None,
        ),
        // The stream is complete as HTTP, but its turn is not.
        (
            stream("data: {\"type\":\"ping\"}\n\n"),
            ModelErrorKind::Server,
            None,
        ),
        (stream("data: oops\n\n"), ModelErrorKind::Server, None),
        (
            stream(
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n",
            ),
            ModelErrorKind::RateLimit,
            None,
        ),
        // The connection breaks.
        (
            stream(ANTHROPIC)[..200].to_owned(),
            ModelErrorKind::Network,
            None,
        ),
        (String::new(), ModelErrorKind::Network, None),
    ];
    for (raw, kind, seconds) in cases {
        for index in 0..2 {
            let server = Server::start(vec![raw.clone()]).await;
            let (turn, _) = respond(&*providers(&server.url())[index]).await;
            let error = turn.unwrap_err();
            // An error event of one format may say less in the other.
            let code_is_foreign = index == 1 && raw.contains("event: error");
            assert!(error.kind == kind || code_is_foreign, "{raw}: {error:?}");
            assert_eq!(error.retry_after, seconds.map(Duration::from_secs));
            assert!(!error.message.contains("sk-secret"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_closed_port_is_a_network_error() {
    let url = Server::start(Vec::new()).await.closed().await;
    for model in providers(&url) {
        let error = respond(&*model).await.0.unwrap_err();
        assert_eq!(error.kind, ModelErrorKind::Network);
        let first = error.message.lines().next().unwrap();
        assert!(
            first.contains("cannot connect to") && first.contains(&url),
            "{first}"
        );
    }
}

#[test]
fn keys_are_not_printed() {
    let model = Anthropic::new("m", endpoint("http://h".to_owned()));
    assert!(format!("{model:?}").contains("[hidden]"));
    assert!(!format!("{model:?}").contains("sk-secret"));
}
