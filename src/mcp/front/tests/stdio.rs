//! One client over a byte stream.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::played::Front;
use crate::mcp::front::{FrontOptions, Limits};

struct Stream {
    lines: tokio::io::Lines<BufReader<ReadHalf<DuplexStream>>>,
    write: WriteHalf<DuplexStream>,
    running: JoinSet<Result<(), String>>,
}

impl Stream {
    fn open(front: &Front) -> Self {
        let (ours, theirs) = tokio::io::duplex(1024 * 1024);
        let (read, write) = tokio::io::split(theirs);
        let server = Arc::clone(&front.server);
        let mut running = JoinSet::new();
        running.spawn(server.serve_stream(read, write, CancellationToken::new()));
        let (read, write) = tokio::io::split(ours);
        Self {
            lines: BufReader::new(read).lines(),
            write,
            running,
        }
    }

    async fn say(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.write.write_all(line.as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        let line = self.lines.next_line().await.unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }

    async fn ask(&mut self, id: i64, method: &str, params: Value) -> Value {
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await;
        self.hear().await
    }

    async fn initialize(&mut self) {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
        let hello = self.ask(0, "initialize", params).await;
        assert_eq!(hello["result"]["protocolVersion"], "2025-11-25");
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
    }
}

fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

#[tokio::test]
async fn the_older_era_and_its_changes() {
    let front = Front::new();
    let mut stream = Stream::open(&front);
    let early = stream.ask(9, "tools/list", json!({})).await;
    assert_eq!(early["error"]["code"], -32600);
    stream.initialize().await;
    let call = json!({"name": "version", "arguments": {}});
    let answer = stream.ask(1, "tools/call", call.clone()).await;
    assert_eq!(answer["result"]["content"][0]["text"], "1");
    front.source.reload();
    assert_eq!(
        stream.hear().await["method"],
        "notifications/tools/list_changed"
    );
    let answer = stream.ask(2, "tools/call", call).await;
    assert_eq!(answer["result"]["content"][0]["text"], "2");
}

#[tokio::test]
async fn the_newer_era_listens_and_cancels() {
    let front = Front::new();
    let mut stream = Stream::open(&front);
    let discovered = stream.ask(1, "server/discover", modern(json!({}))).await;
    assert_eq!(discovered["result"]["supportedVersions"][0], "2026-07-28");
    let filter = modern(json!({"notifications": {"toolsListChanged": true}}));
    let acknowledged = stream.ask(2, "subscriptions/listen", filter).await;
    assert_eq!(
        acknowledged["method"],
        "notifications/subscriptions/acknowledged"
    );
    let wait = modern(json!({"name": "wait", "arguments": {}}));
    let request = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": wait});
    stream.say(&request).await;
    let copy = front.source.copy(0);
    copy.hears(|heard| heard["params"]["name"] == "wait").await;
    for id in [2, 3] {
        let params = json!({"requestId": id});
        let method = "notifications/cancelled";
        stream
            .say(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
            .await;
    }
    copy.hears_method("notifications/cancelled").await;
    front.source.reload();
    // Neither the cancelled call nor the ended listener says anything more.
    let call = modern(json!({"name": "version", "arguments": {}}));
    let answer = stream.ask(4, "tools/call", call).await;
    assert_eq!(answer["id"], 4);
    assert_eq!(answer["result"]["content"][0]["text"], "2");
}

#[tokio::test]
async fn what_was_asked_is_answered_though_the_client_has_closed_its_end() {
    let front = Front::new();
    let mut stream = Stream::open(&front);
    stream.initialize().await;
    let params = json!({"name": "wait", "arguments": {}});
    stream
        .say(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}))
        .await;
    stream.write.shutdown().await.unwrap();
    while front.source.opened() == 0 {
        tokio::task::yield_now().await;
    }
    let copy = front.source.copy(0);
    copy.hears(|heard| heard["params"]["name"] == "wait").await;
    copy.release();
    assert_eq!(stream.hear().await["result"]["content"][0]["text"], "1");
    assert_eq!(stream.lines.next_line().await.unwrap(), None);
    assert_eq!(stream.running.join_next().await.unwrap().unwrap(), Ok(()));
    copy.until_closed().await;
}

#[tokio::test]
async fn lines_that_are_no_messages_get_errors_and_the_next_is_read() {
    let front = Front::with(FrontOptions {
        limits: Limits {
            body_bytes: 1000,
            ..Limits::default()
        },
        ..FrontOptions::default()
    });
    let mut stream = Stream::open(&front);
    let long = format!("\"{}\"\n", "x".repeat(5000));
    for (line, code) in [
        ("not json\n", -32700),
        ("[]\n", -32600),
        (long.as_str(), -32600),
    ] {
        stream.write.write_all(line.as_bytes()).await.unwrap();
        assert_eq!(stream.hear().await["error"]["code"], code, "{line:.20}");
    }
    stream.write.write_all(b"\n\r\n").await.unwrap();
    stream.initialize().await;
}
