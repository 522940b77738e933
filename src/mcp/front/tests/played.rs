//! Copies that are played: what a worker would do, under the control of a test.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::mcp::front::{
    CallReport, CopySource, FrontOptions, Identity, RelayServer, RelayedCopy, VersionChange,
};
use crate::mcp::{Client, ClientEvents, LineDiagnostics};

/// A source whose versions a test counts up.
pub(super) struct Source {
    version: AtomicU64,
    changes: broadcast::Sender<VersionChange>,
    pub(super) copies: Mutex<Vec<Arc<Copy>>>,
    pub(super) reports: Mutex<Vec<CallReport>>,
    /// Opening fails with these words.
    pub(super) broken: Mutex<Option<String>>,
    /// Copies know nothing but tools.
    pub(super) bare: AtomicBool,
}

/// A copy, and what it was told.
pub(super) struct Copy {
    client: Client,
    pub(super) version: u64,
    /// Every message that arrived.
    pub(super) heard: watch::Receiver<Vec<Value>>,
    /// What a test makes it say.
    says: mpsc::UnboundedSender<Value>,
    /// How many calls of `wait` may end.
    released: watch::Sender<usize>,
    pub(super) closed: watch::Sender<bool>,
    pub(super) interrupts: AtomicU64,
    server: AbortHandle,
    _tasks: JoinSet<()>,
}

impl Source {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            version: AtomicU64::new(1),
            changes: broadcast::channel(256).0,
            copies: Mutex::default(),
            reports: Mutex::default(),
            broken: Mutex::default(),
            bare: AtomicBool::new(false),
        })
    }

    /// A new version, in which the tools differ.
    pub(super) fn reload(&self) {
        self.change(true, false, false);
    }

    pub(super) fn change(&self, tools: bool, prompts: bool, resources: bool) {
        let version = self.version.fetch_add(1, Ordering::AcqRel) + 1;
        let change = VersionChange {
            version,
            tools,
            prompts,
            resources,
        };
        let _ = self.changes.send(change);
    }

    pub(super) fn copy(&self, index: usize) -> Arc<Copy> {
        Arc::clone(&self.copies.lock().unwrap()[index])
    }

    pub(super) fn opened(&self) -> usize {
        self.copies.lock().unwrap().len()
    }

    /// Versions of the copies that are open.
    pub(super) fn open(&self) -> Vec<u64> {
        let copies = self.copies.lock().unwrap();
        copies
            .iter()
            .filter(|copy| !*copy.closed.borrow())
            .map(|copy| copy.version)
            .collect()
    }

    pub(super) fn take_reports(&self) -> Vec<CallReport> {
        std::mem::take(&mut self.reports.lock().unwrap())
    }
}

#[async_trait]
impl CopySource for Source {
    fn identity(&self) -> Identity {
        Identity {
            name: "e".to_owned(),
            version: "1".to_owned(),
            instructions: Some("Count well.".to_owned()),
        }
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn changes(&self) -> Option<broadcast::Receiver<VersionChange>> {
        Some(self.changes.subscribe())
    }

    async fn open(&self, events: Arc<dyn ClientEvents>) -> Result<Arc<dyn RelayedCopy>, String> {
        if let Some(words) = self.broken.lock().unwrap().clone() {
            return Err(words);
        }
        let version = self.version();
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (heard, hearing) = watch::channel(Vec::new());
        let (says, to_say) = mpsc::unbounded_channel();
        let (released, releasing) = watch::channel(0);
        let played = Played {
            version,
            heard,
            releasing,
            bare: self.bare.load(Ordering::Acquire),
            asks: Arc::default(),
        };
        let mut tasks = JoinSet::new();
        let server = tasks.spawn(played.run(theirs, to_say));
        let (read, write) = tokio::io::split(ours);
        let client = Client::over_stream(read, write, events, LineDiagnostics::default())
            .await
            .map_err(|error| error.to_string())?;
        let copy = Arc::new(Copy {
            client,
            version,
            heard: hearing,
            says,
            released,
            closed: watch::channel(false).0,
            interrupts: AtomicU64::new(0),
            server,
            _tasks: tasks,
        });
        self.copies.lock().unwrap().push(Arc::clone(&copy));
        Ok(Arc::new(Shown(copy)))
    }

    fn observe(&self, call: &CallReport) {
        self.reports.lock().unwrap().push(call.clone());
    }
}

/// What the front sees of a copy.
struct Shown(Arc<Copy>);

#[async_trait]
impl RelayedCopy for Shown {
    fn client(&self) -> &Client {
        &self.0.client
    }

    fn version(&self) -> u64 {
        self.0.version
    }

    fn interrupt(&self) {
        self.0.interrupts.fetch_add(1, Ordering::AcqRel);
    }

    async fn why_ended(&self) -> Option<String> {
        Some(
            "the environment's process was ended by SIGSEGV\nthe end of its log:\n    secret"
                .to_owned(),
        )
    }

    async fn close(&self) {
        self.0.client.close(Duration::from_secs(1)).await;
        self.0.closed.send_replace(true);
    }
}

impl Copy {
    /// Lets `wait` return, once more.
    pub(super) fn release(&self) {
        self.released.send_modify(|count| *count += 1);
    }

    /// Its process ends.
    pub(super) fn kill(&self) {
        self.server.abort();
    }

    /// Sends a message of its own.
    pub(super) fn say(&self, message: Value) {
        self.says.send(message).unwrap();
    }

    /// Waits until it has been closed.
    pub(super) async fn until_closed(&self) {
        let mut closed = self.closed.subscribe();
        closed.wait_for(|closed| *closed).await.unwrap();
    }

    /// Waits for a message for which `wanted` holds.
    pub(super) async fn hears(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut heard = self.heard.clone();
        let seen = heard
            .wait_for(|messages| messages.iter().any(&wanted))
            .await
            .unwrap();
        seen.iter()
            .rev()
            .find(|message| wanted(message))
            .unwrap()
            .clone()
    }

    pub(super) async fn hears_method(&self, method: &str) -> Value {
        self.hears(|message| message["method"] == method).await
    }
}

/// The server side of a copy.
#[derive(Clone)]
struct Played {
    version: u64,
    heard: watch::Sender<Vec<Value>>,
    releasing: watch::Receiver<usize>,
    bare: bool,
    /// Questions by their ids.
    asks: Arc<Mutex<HashMap<String, tokio::sync::oneshot::Sender<Value>>>>,
}

impl Played {
    async fn run(self, stream: DuplexStream, mut to_say: mpsc::UnboundedReceiver<Value>) {
        let (read, mut write) = tokio::io::split(stream);
        let (out, mut outgoing) = mpsc::unbounded_channel::<Value>();
        let mut lines = BufReader::new(read).lines();
        let mut calls = JoinSet::new();
        loop {
            let message = tokio::select! {
                line = lines.next_line() => {
                    let Ok(Some(line)) = line else { return };
                    let message: Value = serde_json::from_str(&line).unwrap();
                    self.heard.send_modify(|heard| heard.push(message.clone()));
                    if message.get("method").is_none() {
                        let asked = self.asks.lock().unwrap().remove(&message["id"].to_string());
                        if let Some(asked) = asked {
                            let _ = asked.send(message);
                        }
                    } else if message.get("id").is_some() {
                        calls.spawn(self.clone().answer(message, out.clone()));
                    }
                    continue;
                }
                Some(message) = to_say.recv() => message,
                Some(message) = outgoing.recv() => message,
                Some(_) = calls.join_next() => continue,
            };
            let line = format!("{message}\n");
            if write.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn answer(self, request: Value, out: mpsc::UnboundedSender<Value>) {
        let id = request["id"].clone();
        let outcome = self.outcome(&request, &out).await;
        let message = match outcome {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err((code, words)) => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": words}})
            }
        };
        let _ = out.send(message);
    }

    async fn outcome(
        &self,
        request: &Value,
        out: &mpsc::UnboundedSender<Value>,
    ) -> Result<Value, (i32, String)> {
        let params = &request["params"];
        let method = request["method"].as_str().unwrap();
        let unknown = || Err((-32601, format!("Method not found: {method}")));
        match method {
            "initialize" => Ok(json!({
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "played", "version": "1"},
            })),
            "tools/list" => Ok(json!({"tools": [
                {"name": "version", "inputSchema": {"type": "object"}},
                {"name": "by_region", "inputSchema": {"type": "object", "properties": {
                    "region": {"type": "string", "x-mcp-header": "Region"},
                }}},
            ]})),
            "tools/call" => self.tool(request, out).await,
            _ if self.bare => unknown(),
            "prompts/list" => Ok(json!({"prompts": [{"name": "e:s"}, {"name": "plain"}]})),
            "prompts/get" => match params["name"].as_str() {
                Some("e:s" | "s" | "plain") => Ok(json!({"messages": [{
                    "role": "user",
                    "content": {"type": "text", "text": format!("version {}", self.version)},
                }]})),
                Some("e:failing") => Err((-32000, "setup raised".to_owned())),
                _ => Err((-32602, "no such scenario".to_owned())),
            },
            "resources/read" => match params["uri"].as_str() {
                Some(uri @ ("e:s" | "s")) => {
                    let grade = json!({"reward": self.version});
                    Ok(json!({"contents": [{"uri": uri, "text": grade.to_string()}]}))
                }
                Some(uri) => Err((-32002, format!("Resource not found: {uri}"))),
                None => Err((-32602, "no uri".to_owned())),
            },
            "completion/complete" => Ok(json!({"completion": {"values": ["a", "b"]}})),
            "resources/subscribe" | "resources/unsubscribe" | "logging/setLevel" => Ok(json!({})),
            "vendor/method" => Ok(json!({"echo": params})),
            _ => unknown(),
        }
    }

    async fn tool(
        &self,
        request: &Value,
        out: &mpsc::UnboundedSender<Value>,
    ) -> Result<Value, (i32, String)> {
        let params = &request["params"];
        let id = &request["id"];
        let text = |text: String| Ok(json!({"content": [{"type": "text", "text": text}]}));
        let note = |method: &str, params: Value| {
            let _ = out.send(json!({"jsonrpc": "2.0", "method": method, "params": params}));
        };
        match params["name"].as_str().unwrap_or_default() {
            "version" => text(self.version.to_string()),
            "wait" => {
                let mut releasing = self.releasing.clone();
                let _ = releasing.wait_for(|count| *count > 0).await;
                text(self.version.to_string())
            }
            "echo" => Ok(json!({
                "content": [],
                "structuredContent": params["arguments"],
                "vendor/field": {"kept": 1.50},
                "_meta": params["_meta"],
            })),
            "fail" => Ok(json!({"content": [{"type": "text", "text": "boom"}], "isError": true})),
            "progress" => {
                for step in 1..=3 {
                    note(
                        "notifications/progress",
                        json!({"progressToken": params["_meta"]["progressToken"], "progress": step}),
                    );
                }
                text("done".to_owned())
            }
            "log" => {
                for level in ["debug", "info", "error"] {
                    note(
                        "notifications/message",
                        json!({"level": level, "data": level, "_meta": {"hud/request": id}}),
                    );
                }
                text("done".to_owned())
            }
            "flood" => {
                for _ in 0..3000 {
                    note(
                        "notifications/message",
                        json!({"level": "info", "data": "x".repeat(8000), "_meta": {"hud/request": id}}),
                    );
                }
                text("done".to_owned())
            }
            "ask" => {
                let questions = params["arguments"]["questions"].as_array().unwrap();
                let answers =
                    futures::future::join_all(questions.iter().enumerate().map(
                        |(index, question)| self.ask(format!("{id}-{index}"), id, question, out),
                    ));
                let mut given = Vec::new();
                for answer in answers.await {
                    if answer["error"]["code"] == -32021 {
                        return Err((-32021, answer["error"]["message"].to_string()));
                    }
                    given.push(answer["result"].clone());
                }
                Ok(json!({"content": [], "structuredContent": {"answers": given}}))
            }
            "_hud_submit" => text("submitted".to_owned()),
            name => Err((-32602, format!("unknown tool {name}"))),
        }
    }

    async fn ask(
        &self,
        ours: String,
        call: &Value,
        question: &Value,
        out: &mpsc::UnboundedSender<Value>,
    ) -> Value {
        let id = json!(ours);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.asks.lock().unwrap().insert(id.to_string(), sender);
        let mut params = question["params"].clone();
        params["_meta"] = json!({"hud/request": call});
        if let Some(key) = question.get("key") {
            params["_meta"]["hud/key"] = key.clone();
        }
        let _ = out.send(
            json!({"jsonrpc": "2.0", "id": id, "method": question["method"], "params": params}),
        );
        receiver.await.unwrap_or_default()
    }
}

/// A front over `source`, with its janitor.
pub(super) struct Front {
    pub(super) server: Arc<RelayServer>,
    pub(super) source: Arc<Source>,
    _janitor: JoinSet<()>,
}

impl Front {
    pub(super) fn new() -> Self {
        Self::with(FrontOptions::default())
    }

    pub(super) fn with(options: FrontOptions) -> Self {
        let source = Source::new();
        let (server, janitor) = RelayServer::new(source.clone(), options);
        let mut tasks = JoinSet::new();
        tasks.spawn(janitor.run());
        Self {
            server,
            source,
            _janitor: tasks,
        }
    }
}
