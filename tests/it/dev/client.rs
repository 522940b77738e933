//! Clients of a running `hud dev`: plain HTTP, and one session of MCP up to 2025-11-25, byte for byte as such a client speaks.

use serde_json::{Value, json};

/// What a server answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) text: String,
}

impl Answer {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map_or("", |(_, value)| value)
    }
}

/// Sends `METHOD PATH` to `base` with headers and a body.
pub(super) async fn send(base: &str, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let url = format!("{base}{path}");
    let client = hud::http::client_for(&url);
    let mut request = match method {
        "GET" => client.get(&url),
        "POST" => client.post(&url).body(body.to_owned()),
        "DELETE" => client.delete(&url),
        other => panic!("{other}"),
    };
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request
        .send()
        .await
        .unwrap_or_else(|error| panic!("{line}: {error}"));
    Answer {
        status: response.status().as_u16(),
        headers: response
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = value.to_str().unwrap_or_default();
                (name.as_str().to_owned(), value.to_owned())
            })
            .collect(),
        text: response.text().await.unwrap(),
    }
}

/// One session.
pub(super) struct Session {
    base: String,
    id: String,
}

impl Session {
    /// Initialises.
    pub(super) async fn open(base: &str) -> Self {
        let mut session = Self {
            base: base.to_owned(),
            id: String::new(),
        };
        let answer = session
            .post(
                &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {},
                    "clientInfo": {"name": "test", "version": "0"},
                }}),
            )
            .await;
        session.id = answer.header("mcp-session-id").to_owned();
        assert!(!session.id.is_empty(), "no session: {}", answer.text);
        session
            .post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
        session
    }

    /// The answer to a request: its `result`, or the whole message when it is an error.
    pub(super) async fn ask(&self, method: &str, params: Value) -> Value {
        let answer = self
            .post(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
            .await;
        assert_eq!(answer.status, 200, "{method}: {}", answer.text);
        let message = message(&answer.text);
        message.get("result").cloned().unwrap_or(message)
    }

    /// The text of a tool's answer.
    pub(super) async fn call(&self, name: &str, arguments: Value) -> String {
        let params = json!({"name": name, "arguments": arguments});
        let result = self.ask("tools/call", params).await;
        match result["content"][0]["text"].as_str() {
            Some(text) => text.to_owned(),
            None => result.to_string(),
        }
    }

    async fn post(&self, body: &Value) -> Answer {
        let mut headers = vec![
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
            ("mcp-protocol-version", "2025-11-25"),
        ];
        if !self.id.is_empty() {
            headers.push(("mcp-session-id", &self.id));
        }
        send(&self.base, "POST /mcp", &headers, &body.to_string()).await
    }
}

/// The response in a body of JSON or of events.
fn message(text: &str) -> Value {
    if let Ok(message) = serde_json::from_str(text) {
        return message;
    }
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?.trim()).ok())
        .find(|message| message.get("id").is_some())
        .unwrap_or_else(|| panic!("no response in {text}"))
}
