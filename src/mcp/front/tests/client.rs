//! Clients of both eras that speak HTTP without a socket.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::mcp::front::RelayServer;

use super::played::Front;

/// An answer, of which the body may still be on its way.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: axum::body::BodyDataStream,
    text: String,
    messages: VecDeque<Value>,
    /// The id of the last event.
    pub(super) event: Option<String>,
}

impl Answer {
    /// The next message; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Some(message);
            }
            if !self.fill().await {
                if self.text.is_empty() {
                    return None;
                }
                let text = std::mem::take(&mut self.text);
                return Some(serde_json::from_str(&text).unwrap_or_else(|_| json!(text)));
            }
        }
    }

    /// Reads on. `false` at the end.
    pub(super) async fn fill(&mut self) -> bool {
        let Some(chunk) = self.body.next().await else {
            return false;
        };
        let chunk = chunk.unwrap();
        self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((event, rest)) = self.text.split_once("\n\n") {
            let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            let data = line("data: ").filter(|data| !data.is_empty());
            self.messages
                .extend(data.map(|data| serde_json::from_str(data).unwrap()));
            self.event = line("id: ").map(str::to_owned).or(self.event.take());
            self.text = rest.to_owned();
        }
        true
    }

    /// All messages to the end.
    pub(super) async fn all(mut self) -> Vec<Value> {
        let mut all = Vec::new();
        while let Some(message) = self.next().await {
            all.push(message);
        }
        all
    }

    /// The last message.
    pub(super) async fn last(self) -> Value {
        self.all().await.pop().unwrap_or_default()
    }
}

/// A client; of the older era when it has a session.
pub(super) struct Caller {
    server: Arc<RelayServer>,
    pub(super) session: Option<String>,
    pub(super) version: &'static str,
    pub(super) capabilities: Value,
    next: i64,
}

impl Caller {
    /// A client of the older era, initialised.
    pub(super) async fn legacy(front: &Front) -> Self {
        Self::legacy_with(front, "2025-11-25", json!({})).await
    }

    pub(super) async fn legacy_with(
        front: &Front,
        version: &'static str,
        capabilities: Value,
    ) -> Self {
        let mut caller = Self {
            server: Arc::clone(&front.server),
            session: None,
            version,
            capabilities,
            next: 0,
        };
        let params = json!({
            "protocolVersion": version,
            "capabilities": caller.capabilities,
            "clientInfo": {"name": "test", "version": "0"},
        });
        let answer = caller.request("initialize", params).await;
        assert_eq!(answer.status, StatusCode::OK);
        let session = answer.headers["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let result = &answer.last().await["result"];
        assert_eq!(result["instructions"], "Count well.");
        caller.session = Some(session);
        caller
    }

    /// A client of the era without sessions.
    pub(super) fn stateless(front: &Front) -> Self {
        Self {
            server: Arc::clone(&front.server),
            session: None,
            version: "2026-07-28",
            capabilities: json!({}),
            next: 0,
        }
    }

    pub(super) fn is_stateless(&self) -> bool {
        self.version >= "2026-07-28"
    }

    /// A request with every header it needs.
    pub(super) async fn request(&mut self, method: &str, params: Value) -> Answer {
        self.next += 1;
        let id = self.next;
        self.request_as(json!(id), method, params).await
    }

    pub(super) async fn request_as(&self, id: Value, method: &str, mut params: Value) -> Answer {
        let mut headers = self.headers(method);
        if self.is_stateless() {
            if let Some(name) = params.get("name").or_else(|| params.get("uri")) {
                let name = HeaderValue::from_str(name.as_str().unwrap()).unwrap();
                headers.insert("mcp-name", name);
            }
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!(self.version);
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        }
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.post(headers, body.to_string()).await
    }

    pub(super) fn headers(&self, method: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        headers.insert("content-type", value("application/json"));
        headers.insert("accept", value("application/json, text/event-stream"));
        if self.is_stateless() {
            headers.insert("mcp-protocol-version", value(self.version));
            headers.insert("mcp-method", value(method));
        } else if let Some(session) = &self.session {
            headers.insert("mcp-protocol-version", value(self.version));
            headers.insert("mcp-session-id", value(session));
        }
        headers
    }

    pub(super) async fn post(&self, headers: HeaderMap, body: impl Into<Body>) -> Answer {
        self.send("POST", headers, body.into()).await
    }

    pub(super) async fn send(&self, method: &str, headers: HeaderMap, body: Body) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri("/mcp")
            .body(body)
            .unwrap();
        *request.headers_mut() = headers;
        let response = Arc::clone(&self.server).handle(request).await;
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.into_data_stream(),
            text: String::new(),
            messages: VecDeque::new(),
            event: None,
        }
    }

    /// A message without an answer.
    pub(super) async fn tell(&self, message: Value) -> StatusCode {
        let headers = self.headers("");
        self.post(headers, message.to_string()).await.status
    }

    /// Opens the session's own stream.
    pub(super) async fn listen(&self) -> Answer {
        self.send("GET", self.headers(""), Body::empty()).await
    }

    /// Calls a tool; the whole answer.
    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        self.request("tools/call", params).await.last().await
    }

    /// The text of a tool's result.
    pub(super) async fn text(&mut self, tool: &str) -> String {
        let answer = self.call(tool, json!({})).await;
        answer["result"]["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }

    /// The version that serves it.
    pub(super) async fn served_by(&mut self) -> u64 {
        self.text("version").await.parse().unwrap()
    }

    pub(super) async fn set_up(&mut self, scenario: &str) -> Value {
        let params = json!({"name": scenario, "arguments": {}});
        self.request("prompts/get", params).await.last().await
    }

    pub(super) async fn grade(&mut self, scenario: &str) -> Value {
        let answer = self
            .request("resources/read", json!({"uri": scenario}))
            .await;
        answer.last().await
    }
}
