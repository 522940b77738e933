//! The routes over a backend in memory, without a socket.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use super::{Backend, CallError, Guard, Status, routes};
use crate::message::Tool;
use crate::serve::access::Token;

struct Echo;

#[async_trait]
impl Backend for Echo {
    fn identity(&self) -> (String, String) {
        ("shop".to_owned(), "2".to_owned())
    }

    async fn tools(&self) -> Result<Vec<Tool>, String> {
        Ok(vec![Tool {
            name: "echo".to_owned(),
            description: "Says it again.".to_owned(),
            input_schema: json!({"type": "object"}),
            output_schema: None,
            source: None,
            meta: Map::new(),
        }])
    }

    async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<Value, CallError> {
        match arguments.get("do").and_then(Value::as_str) {
            Some("fail") => {
                Ok(json!({"content": [{"type": "text", "text": "no"}], "isError": true}))
            }
            Some("refuse") => Err(CallError::Refused("refused".to_owned())),
            Some("die") => Err(CallError::Unavailable("died".to_owned())),
            Some("hang") => Err(CallError::Timeout("hangs".to_owned())),
            _ if name == "_nothing" => Err(CallError::Unknown("unknown".to_owned())),
            _ => Ok(json!({"content": [], "structuredContent": arguments})),
        }
    }
}

struct Fixed(Value);

impl Status for Fixed {
    fn health(&self) -> Value {
        self.0.clone()
    }

    fn log_tail(&self, lines: usize) -> String {
        format!("{lines} lines")
    }
}

fn app(token: Option<&str>, status: &str) -> Router {
    let guard = Guard {
        token: token.map(Token::new),
        body_bytes: 100,
    };
    routes(
        Arc::new(Echo),
        Arc::new(Fixed(json!({"status": status}))),
        &guard,
    )
}

/// Sends `METHOD PATH` with headers and a body; status and body.
async fn send(app: Router, line: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder()
        .method(method.parse::<Method>().unwrap())
        .uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app
        .oneshot(request.body(Body::from(body.to_owned())).unwrap())
        .await
        .unwrap();
    let code = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (code, String::from_utf8_lossy(&bytes).into_owned())
}

async fn check_call(path: &str, body: &str, code: u16, answer: Value) {
    let (got, text) = send(app(None, "ok"), &format!("POST {path}"), &[], body).await;
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((got, body), (code, answer), "{path}");
}

#[tokio::test]
async fn calls_answer_results_and_errors_as_json() {
    check_call(
        "/api/tools/echo",
        r#"{"a": 1}"#,
        200,
        json!({"content": [], "structured_content": {"a": 1}, "meta": null}),
    )
    .await;
    check_call(
        "/api/tools/echo",
        "",
        200,
        json!({"content": [], "structured_content": {}, "meta": null}),
    )
    .await;
    check_call(
        "/api/tools/_hud_submit",
        "",
        200,
        json!({"content": [], "structured_content": {}, "meta": null}),
    )
    .await;
    let error = |words: &str| json!({ "error": words });
    check_call("/api/tools/echo", r#"{"do": "fail"}"#, 400, error("no")).await;
    check_call(
        "/api/tools/echo",
        r#"{"do": "refuse"}"#,
        400,
        error("refused"),
    )
    .await;
    check_call("/api/tools/echo", r#"{"do": "die"}"#, 503, error("died")).await;
    check_call("/api/tools/echo", r#"{"do": "hang"}"#, 504, error("hangs")).await;
    check_call("/api/tools/_nothing", "", 404, error("unknown")).await;
    check_call(
        "/api/tools/ecko",
        "",
        404,
        error("there is no tool `ecko`; did you mean 'echo'?"),
    )
    .await;
    check_call(
        "/api/tools/echo",
        "[1]",
        400,
        error("the body must be the tool's arguments: expected a JSON object, got an array"),
    )
    .await;
    check_call(
        "/api/tools/echo",
        &"x".repeat(101),
        413,
        error("the body is larger than 100 bytes, or ended early"),
    )
    .await;
    let (code, _) = send(app(None, "ok"), "GET /api/tools/echo", &[], "").await;
    assert_eq!(code, 405);
}

#[tokio::test]
async fn health_logs_and_descriptions() {
    let check = async |line: &str, status: &str, code: u16, text: &str| {
        let (got, body) = send(app(None, status), line, &[], "").await;
        assert_eq!(got, code, "{line}: {body}");
        assert!(body.contains(text), "{line}: {body}");
    };
    check("GET /health", "ok", 200, r#"{"status":"ok"}"#).await;
    check("GET /health", "degraded", 200, "degraded").await;
    check("GET /health", "failed", 503, "failed").await;
    check("GET /logs", "ok", 200, "100 lines").await;
    check("GET /logs?tail=7", "ok", 200, "7 lines").await;
    check("GET /logs?tail=x", "ok", 400, "must be a number").await;
    check("GET /openapi.json", "ok", 200, r#""/api/tools/echo""#).await;
    check("GET /docs", "ok", 200, "<!doctype html>").await;
}

#[tokio::test]
async fn the_token_opens_all_but_health_and_the_empty_page() {
    let check = async |line: &str, header: &str, code: u16| {
        let (got, body) = send(
            app(Some("s3cret"), "ok"),
            line,
            &[("authorization", header)],
            "",
        )
        .await;
        assert_eq!(got, code, "{line} {header}: {body}");
        assert!(!body.contains("s3cret"));
    };
    for line in ["POST /api/tools/echo", "GET /openapi.json", "GET /logs"] {
        check(line, "", 401).await;
        check(line, "Bearer wrong", 401).await;
        check(line, "Bearer s3cret", 200).await;
    }
    check("GET /health", "", 200).await;
    check("GET /docs", "", 200).await;
}
