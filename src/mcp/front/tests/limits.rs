//! What the front refuses, bounds and ends.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use futures::StreamExt as _;
use serde_json::json;

use super::client::Caller;
use super::played::Front;
use crate::mcp::front::{FrontOptions, Limits};

fn limited(limits: Limits) -> Front {
    Front::with(FrontOptions {
        limits,
        ..FrontOptions::default()
    })
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_is_read() {
    let front = limited(Limits {
        body_bytes: 1000,
        ..Limits::default()
    });
    let caller = Caller::legacy(&front).await;
    let mut headers = caller.headers("");
    let answer = caller.post(headers.clone(), "x".repeat(1001)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    // Announced: nothing of it is asked for.
    headers.insert("content-length", HeaderValue::from_static("100000000"));
    let unread =
        futures::stream::poll_fn(|_| -> std::task::Poll<Option<Result<Vec<u8>, String>>> {
            panic!("the body was read")
        });
    let answer = caller
        .post(headers.clone(), Body::from_stream(unread))
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    // Not announced: reading stops at the limit.
    headers.remove("content-length");
    let mut chunks = 0;
    let endless = futures::stream::repeat_with(move || {
        chunks += 1;
        assert!(chunks < 20, "reading did not stop");
        Ok::<_, String>(vec![b' '; 100])
    });
    let answer = caller
        .post(headers, Body::from_stream(endless.boxed()))
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        answer.last().await["error"]["message"],
        "the request has more than 1000 bytes, the most that this server takes"
    );
}

#[tokio::test]
async fn what_is_no_message_is_refused_with_the_code_for_it() {
    let front = Front::new();
    let caller = Caller::legacy(&front).await;
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("{}", -32600),
        ("3", -32600),
        ("[1,2]", -32600),
        ("[]", -32600),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":3}}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#,
            -32600,
        ),
    ] {
        let answer = caller.post(caller.headers(""), body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.last().await["error"]["code"], code, "{body}");
    }
}

#[tokio::test]
async fn headers_of_http() {
    let front = Front::new();
    let caller = Caller::legacy(&front).await;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    for (name, value, status) in [
        ("accept", "application/json", 406),
        ("accept", "*/*", 200),
        ("content-type", "text/plain", 415),
        ("content-type", "application/json; charset=utf-8", 200),
        ("mcp-protocol-version", "1999-01-01", 400),
        ("mcp-protocol-version", "2025-03-26", 200),
        ("mcp-session-id", "unknown", 404),
    ] {
        let mut headers = caller.headers("");
        headers.insert(name, HeaderValue::from_static(value));
        let answer = caller.post(headers, ping.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {value}");
    }
    let mut headers = caller.headers("");
    headers.remove("mcp-session-id");
    let answer = caller.post(headers, ping).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let answer = caller.send("PUT", caller.headers(""), Body::empty()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_newer_era_checks_its_headers_and_has_no_sessions() {
    let front = Front::new();
    let mut caller = Caller::stateless(&front);
    let call = json!({"name": "version", "arguments": {}});
    let body = |caller: &Caller| {
        let mut params = call.clone();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": caller.version,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params}).to_string()
    };
    for (name, value) in [
        ("mcp-method", Some("tools/list")),
        ("mcp-method", None),
        ("mcp-name", Some("other")),
        ("mcp-name", None),
        ("mcp-protocol-version", Some("2025-11-25")),
        ("mcp-protocol-version", None),
    ] {
        let mut headers = caller.headers("tools/call");
        headers.insert("mcp-name", HeaderValue::from_static("version"));
        headers.remove(name);
        if let Some(value) = value {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let answer = caller.post(headers, body(&caller)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name} {value:?}");
        let answer = answer.last().await;
        assert_eq!(answer["error"]["code"], -32020, "{name} {value:?}");
        assert_eq!(answer["id"], 5);
    }
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
    ] {
        let answer = caller.request(method, json!({})).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method}");
    }
    for method in ["GET", "DELETE"] {
        let answer = caller.send(method, caller.headers(""), Body::empty()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    caller.version = "2030-01-01";
    let answer = caller.request("tools/list", json!({})).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let error = &answer.last().await["error"];
    assert_eq!(error["code"], -32022);
    assert_eq!(error["data"]["requested"], "2030-01-01");
}

#[tokio::test]
async fn headers_that_repeat_arguments_are_checked() {
    let front = Front::new();
    let caller = Caller::stateless(&front);
    for (header, argument, code) in [
        (Some("eu"), json!({"region": "eu"}), json!(-32602)),
        (Some("eu"), json!({"region": "us"}), json!(-32020)),
        (None, json!({"region": "eu"}), json!(-32020)),
        (None, json!({}), json!(-32602)),
    ] {
        let mut headers = caller.headers("tools/call");
        headers.insert("mcp-name", HeaderValue::from_static("by_region"));
        if let Some(header) = header {
            headers.insert("mcp-param-region", HeaderValue::from_static(header));
        }
        let params = json!({
            "name": "by_region",
            "arguments": argument,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": caller.version,
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        });
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let answer = caller.post(headers, body.to_string()).await.last().await;
        // The copy knows no such tool, which shows that the request reached it.
        assert_eq!(answer["error"]["code"], code, "{header:?} {argument}");
    }
}

#[tokio::test]
async fn sessions_are_counted_and_end_when_they_are_deleted() {
    let front = limited(Limits {
        sessions: 2,
        ..Limits::default()
    });
    let mut first = Caller::legacy(&front).await;
    let _second = Caller::legacy(&front).await;
    first.served_by().await;
    let mut third = Caller::stateless(&front);
    third.version = "2025-11-25";
    let params = json!({"protocolVersion": "2025-11-25"});
    let refused = third.request("initialize", params).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    let mut named = Caller::stateless(&front);
    let answer = named.set_up("e:s").await;
    assert_eq!(
        answer["error"]["message"],
        "there are 2 open sessions already; finish one, or wait"
    );
    let answer = first.send("DELETE", first.headers(""), Body::empty()).await;
    assert_eq!(answer.status, StatusCode::OK);
    front.source.copy(0).until_closed().await;
    let answer = first.request("ping", json!({})).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    Caller::legacy(&front).await;
    assert_eq!(front.server.sessions(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_ends_but_not_one_that_is_in_use() {
    let front = limited(Limits {
        idle: Duration::from_mins(1),
        ..Limits::default()
    });
    let mut idle = Caller::legacy(&front).await;
    let mut listening = Caller::legacy(&front).await;
    let mut busy = Caller::legacy(&front).await;
    for caller in [&mut idle, &mut listening, &mut busy] {
        caller.served_by().await;
    }
    let stream = listening.listen().await;
    let waiting = busy
        .request("tools/call", json!({"name": "wait", "arguments": {}}))
        .await;
    tokio::time::advance(Duration::from_mins(3)).await;
    front.source.copy(0).until_closed().await;
    assert_eq!(front.server.sessions(), 2);
    assert_eq!(
        idle.request("ping", json!({})).await.status,
        StatusCode::NOT_FOUND
    );
    drop(stream);
    front.source.copy(2).release();
    waiting.last().await;
    tokio::time::advance(Duration::from_mins(3)).await;
    front.source.copy(1).until_closed().await;
    front.source.copy(2).until_closed().await;
    assert_eq!(front.server.sessions(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_runs_too_long_is_stopped_and_its_session_goes_on() {
    let front = Front::with(FrontOptions {
        tool_timeout: Some(Duration::from_secs(5)),
        ..FrontOptions::default()
    });
    let mut caller = Caller::legacy(&front).await;
    caller.served_by().await;
    let copy = front.source.copy(0);
    let waiting = caller.request("tools/call", json!({"name": "wait", "arguments": {}}));
    let answer = waiting.await.last().await;
    assert_eq!(
        answer["result"],
        json!({
            "content": [{"type": "text", "text": "the tool `wait` was stopped: it ran longer than 5.0s"}],
            "isError": true,
        })
    );
    assert_eq!(
        copy.interrupts.load(std::sync::atomic::Ordering::Acquire),
        1
    );
    // It stopped: the copy stays.
    copy.release();
    assert_eq!(caller.served_by().await, 1);
    assert_eq!(front.source.opened(), 1);
    // It does not stop: a fresh copy takes over.
    let mut other = Caller::legacy(&front).await;
    other.call("wait", json!({})).await;
    front.source.copy(1).until_closed().await;
    assert_eq!(other.served_by().await, 1);
    assert_eq!(front.source.opened(), 3);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_left_and_the_others_go_on() {
    let front = Front::new();
    let mut lazy = Caller::stateless(&front);
    lazy.capabilities = json!({});
    let params = json!({
        "name": "flood",
        "arguments": {},
        "_meta": {"io.modelcontextprotocol/logLevel": "debug"},
    });
    let unread = lazy.request("tools/call", params).await;
    // Its call is cancelled when more than a bounded amount waits for it.
    front
        .source
        .copy(0)
        .hears_method("notifications/cancelled")
        .await;
    assert_eq!(lazy.served_by().await, 1);
    let read = unread.all().await;
    assert!(read.len() < 1025, "{}", read.len());
    assert!(read.iter().all(|message| message.get("result").is_none()));
}

#[tokio::test]
async fn batches_are_for_the_version_that_has_them() {
    let front = Front::new();
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "version"}},
        {"jsonrpc": "2.0", "id": 3},
    ])
    .to_string();
    let old = Caller::legacy_with(&front, "2025-03-26", json!({})).await;
    let mut answers = old.post(old.headers(""), batch.clone()).await.all().await;
    answers.sort_by_key(|answer| answer["id"].as_i64());
    let seen: Vec<_> = answers
        .iter()
        .map(|answer| (answer["id"].clone(), answer.get("result").is_some()))
        .collect();
    assert_eq!(
        seen,
        [(json!(1), true), (json!(2), true), (json!(3), false)]
    );
    let notes = json!([{"jsonrpc": "2.0", "method": "notifications/initialized"}]);
    assert_eq!(old.tell(notes).await, StatusCode::ACCEPTED);
    let new = Caller::legacy(&front).await;
    let answer = new.post(new.headers(""), batch).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn closing_ends_streams_calls_and_copies() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    caller.served_by().await;
    let stream = caller.listen().await;
    let waiting = caller.request("tools/call", json!({"name": "wait", "arguments": {}}));
    let copy = front.source.copy(0);
    let (waiting, ()) = tokio::join!(waiting, async {
        copy.hears(|heard| heard["params"]["name"] == "wait").await;
        front.server.close().await;
    });
    assert_eq!(stream.all().await, [json!(null); 0]);
    assert!(waiting.last().await.get("result").is_none());
    assert!(*copy.closed.borrow());
    let mut late = Caller::stateless(&front);
    let answer = late.call("version", json!({})).await;
    assert_eq!(answer["error"]["code"], -32000);
}
