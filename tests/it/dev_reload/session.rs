//! A session of MCP up to 2025-11-25 over HTTP, with what its server tells beside its answers.

use futures::StreamExt as _;
use serde_json::{Value, json};

/// One session.
pub(super) struct Session {
    url: String,
    id: String,
}

/// What a server answered: the session that it opened, the status and the body.
struct Answer {
    session: Option<String>,
    status: u16,
    text: String,
}

impl Session {
    /// Initialises.
    pub(super) async fn open(url: &str) -> Self {
        let mut session = Self {
            url: url.to_owned(),
            id: String::new(),
        };
        let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        }});
        session.id = session.post(&initialize).await.unwrap().session.unwrap();
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        session.post(&initialized).await.unwrap();
        session
    }

    async fn post(&self, body: &Value) -> Result<Answer, Value> {
        let failed = |error: hud::http::ClientError| json!(format!("{error:?}"));
        let mut request = hud::http::client_for(&self.url)
            .post(&self.url)
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2025-11-25")
            .body(body.to_string());
        if !self.id.is_empty() {
            request = request.header("mcp-session-id", &self.id);
        }
        let response = request.send().await.map_err(failed)?;
        let session = response.headers().get("mcp-session-id");
        Ok(Answer {
            session: session.map(|id| id.to_str().unwrap().to_owned()),
            status: response.status().as_u16(),
            text: response.text().await.map_err(failed)?,
        })
    }

    /// The `result` of a request, or its `error`.
    pub(super) async fn ask(&self, method: &str, params: Value) -> Result<Value, Value> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let Answer { status, text, .. } = self.post(&body).await?;
        let answer = message(&text).ok_or_else(|| json!(format!("{status}: {text}")))?;
        answer
            .get("result")
            .cloned()
            .ok_or_else(|| answer["error"].clone())
    }

    /// The text of a tool's answer.
    pub(super) async fn call(&self, name: &str, arguments: Value) -> Result<String, Value> {
        let params = json!({"name": name, "arguments": arguments});
        let result = self.ask("tools/call", params).await?;
        match (&result["isError"], result["content"][0]["text"].as_str()) {
            (Value::Bool(true), _) | (_, None) => Err(result),
            (_, Some(text)) => Ok(text.to_owned()),
        }
    }

    /// What the server tells the session: each message as it comes.
    pub(super) async fn listen(&self) -> tokio::sync::mpsc::UnboundedReceiver<Value> {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let response = hud::http::client_for(&self.url)
            .get(&self.url)
            .header("accept", "text/event-stream")
            .header("mcp-protocol-version", "2025-11-25")
            .header("mcp-session-id", &self.id)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), 200);
        tokio::task::spawn(async move {
            let mut text = String::new();
            let mut chunks = response.bytes_stream();
            while let Some(Ok(chunk)) = chunks.next().await {
                text.push_str(&String::from_utf8_lossy(&chunk));
                while let Some(end) = text.find("\n\n") {
                    let event: String = text.drain(..end + 2).collect();
                    let data = event.lines().find_map(|line| line.strip_prefix("data:"));
                    let message = data.and_then(|data| serde_json::from_str(data.trim()).ok());
                    if let Some(message) = message {
                        let _ = sender.send(message);
                    }
                }
            }
        });
        receiver
    }
}

/// The answer in a body of JSON or of events.
fn message(text: &str) -> Option<Value> {
    if let Ok(message) = serde_json::from_str(text) {
        return Some(message);
    }
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?.trim()).ok())
        .find(|message| message.get("id").is_some())
}
