//! The connection to one program, as one of its clients or several use it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::connection::ProgramStreams;
use super::line::{Line, LineReader, Read, members, raw, refusal, with_member, with_token};
use crate::mcp::{LineDiagnostics, McpError};

/// Lines to a client; its end of them.
pub(super) type ToClient = mpsc::UnboundedSender<String>;

/// What we tell a program that we are. What a client of it cannot do, it refuses when it is asked.
const INITIALIZE: &str = concat!(
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","#,
    r#""capabilities":{"sampling":{},"elicitation":{},"roots":{"listChanged":true}},"#,
    r#""clientInfo":{"name":"hud","version":""#,
    env!("CARGO_PKG_VERSION"),
    "\"}}}\n"
);

const INITIALIZED: &str = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";

/// A request that the program has not answered yet.
struct Call {
    client: u64,
    to: ToClient,
    /// The id that the client gave it.
    id: Box<RawValue>,
    /// The token of progress that the client gave it.
    token: Option<Box<RawValue>>,
}

#[derive(Default)]
struct State {
    /// Ids for the program; 0 was `initialize`.
    last_id: u64,
    calls: HashMap<u64, Call>,
    clients: BTreeMap<u64, ToClient>,
    initialized: Option<oneshot::Sender<Result<Box<RawValue>, McpError>>>,
    /// The program is gone.
    closed: bool,
}

/// A running program.
pub(super) struct Link {
    out: mpsc::UnboundedSender<String>,
    state: Mutex<State>,
    /// What it answered to `initialize`.
    initialized: std::sync::OnceLock<Box<RawValue>>,
}

impl Link {
    /// Initialises the program behind the streams. `tasks` gets what must run as long as the link does.
    pub(super) async fn open(
        streams: ProgramStreams,
        timeout: Duration,
        tasks: &mut JoinSet<()>,
    ) -> Result<Arc<Self>, McpError> {
        let (out, lines) = mpsc::unbounded_channel();
        let (sender, answer) = oneshot::channel();
        let link = Arc::new(Self {
            out,
            state: Mutex::new(State {
                initialized: Some(sender),
                ..State::default()
            }),
            initialized: std::sync::OnceLock::new(),
        });
        tasks.spawn(write_lines(streams.write, lines));
        tasks.spawn(Arc::clone(&link).read_lines(streams.read, streams.diagnostics));
        link.send(INITIALIZE.to_owned());
        let closed = McpError::Closed { detail: None };
        let result = tokio::time::timeout(timeout, answer)
            .await
            .map_err(|_| McpError::Timeout { after: timeout })?
            .map_err(|_| closed)??;
        let _ = link.initialized.set(result);
        link.send(INITIALIZED.to_owned());
        Ok(link)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, line: String) {
        // The writer ends only with the program.
        let _ = self.out.send(line);
    }

    /// Lets `client` hear what the program says to all. `false` when it is gone.
    pub(super) fn join(&self, client: u64, to: ToClient) -> bool {
        let mut state = self.state();
        if state.closed {
            return false;
        }
        state.clients.insert(client, to);
        true
    }

    /// `client` hears nothing more but the answers it waits for.
    pub(super) fn leave(&self, client: u64) {
        self.state().clients.remove(&client);
    }

    /// `client` is gone: what the program does for it is cancelled.
    pub(super) fn forget(&self, client: u64) {
        self.leave(client);
        let mut orphans = Vec::new();
        self.state().calls.retain(|id, call| {
            let is_orphan = call.client == client;
            if is_orphan {
                orphans.push(*id);
            }
            !is_orphan
        });
        for id in orphans {
            let params = serde_json::json!({"requestId": id, "reason": "the client left"});
            self.send(format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{params}}}\n"
            ));
        }
    }

    /// Passes on what `client` said.
    pub(super) fn client_said(&self, client: u64, to: &ToClient, line: &Line<'_>) {
        match (line.id, line.method.as_deref()) {
            (Some(id), Some("initialize")) => {
                let result = self.initialized.get().map_or("{}", |result| result.get());
                let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n");
                let _ = to.send(answer);
            }
            (Some(id), Some(_)) => self.request(client, to, id, line),
            (None, Some("notifications/cancelled")) => self.cancel(client, line),
            (None, Some(method)) if method != "notifications/initialized" => {
                self.send(line.compose(None, line.params.map(RawValue::get)));
            }
            // The answer to a question of the program, which knows the id.
            (Some(id), None) => self.send(line.with_id(id.get())),
            (None, _) => {}
        }
    }

    fn request(&self, client: u64, to: &ToClient, id: &RawValue, line: &Line<'_>) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        state.last_id += 1;
        let own = state.last_id;
        let (params, token) = match with_token(line.params, own) {
            Some((params, token)) => (Some(params), Some(token)),
            None => (None, None),
        };
        let call = Call {
            client,
            to: to.clone(),
            id: id.to_owned(),
            token,
        };
        state.calls.insert(own, call);
        drop(state);
        let params = params.as_deref().or(line.params.map(RawValue::get));
        self.send(line.compose(Some(&own.to_string()), params));
    }

    fn cancel(&self, client: u64, line: &Line<'_>) {
        let cancelled = members(line.params);
        let Some(id) = cancelled.get("requestId") else {
            return;
        };
        let own = self
            .state()
            .calls
            .iter()
            .find(|(_, call)| call.client == client && call.id.get() == id.get())
            .map(|(own, _)| *own);
        if let Some(own) = own.and_then(raw) {
            self.send(line.compose(None, Some(&with_member(line.params, "requestId", own))));
        }
    }

    async fn read_lines(
        self: Arc<Self>,
        read: impl AsyncRead + Send + Unpin + 'static,
        diagnostics: LineDiagnostics,
    ) {
        let mut read = LineReader::new(read);
        loop {
            match read.next().await {
                Ok(Read::Line(text)) if text.trim().is_empty() => {}
                Ok(Read::Line(text)) => match Line::parse(&text) {
                    Some(line) => self.program_said(&line),
                    None => diagnostics.push(text.as_bytes()),
                },
                Ok(Read::TooLong(beginning)) => self.too_long(&beginning),
                Ok(Read::End) | Err(_) => break,
            }
        }
        let mut state = self.state();
        state.closed = true;
        state.calls.clear();
        state.clients.clear();
        state.initialized = None;
    }

    /// Passes on what the program said.
    fn program_said(&self, line: &Line<'_>) {
        match (line.id, line.method.as_deref()) {
            (Some(id), None) => self.answered(id, line),
            (Some(id), Some("ping")) => {
                self.send(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n"));
            }
            (Some(id), Some(_)) => match self.busy_with() {
                Some(to) => {
                    let _ = to.send(line.with_id(id.get()));
                }
                None => self.send(refusal(
                    id.get(),
                    "several clients share this process, and MCP does not tell which one is asked\nhint: give each its own with --isolation spawn",
                )),
            },
            (None, Some("notifications/progress")) => self.progressed(line),
            (None, Some(method)) => {
                let text = line.compose(None, line.params.map(RawValue::get));
                let only = Some(()).filter(|()| method == "notifications/message");
                match only.and_then(|()| self.busy_with()) {
                    Some(to) => {
                        let _ = to.send(text);
                    }
                    None => self.tell_all(&text),
                }
            }
            (None, None) => {}
        }
    }

    fn answered(&self, id: &RawValue, line: &Line<'_>) {
        let Ok(own) = id.get().parse::<u64>() else {
            return;
        };
        let mut state = self.state();
        if own == 0
            && let Some(waiting) = state.initialized.take()
        {
            let answer = match (line.result, line.error) {
                (Some(result), _) => Ok(result.to_owned()),
                (None, error) => Err(initialize_failed(error)),
            };
            let _ = waiting.send(answer);
        } else if let Some(call) = state.calls.remove(&own) {
            // It may be gone by now.
            let _ = call.to.send(line.with_id(call.id.get()));
        }
    }

    fn progressed(&self, line: &Line<'_>) {
        let params = members(line.params);
        let own = params
            .get("progressToken")
            .and_then(|token| token.get().parse::<u64>().ok());
        let state = self.state();
        let Some(call) = own.and_then(|own| state.calls.get(&own)) else {
            return;
        };
        if let Some(token) = &call.token {
            let params = with_member(line.params, "progressToken", token.clone());
            let _ = call.to.send(line.compose(None, Some(&params)));
        }
    }

    fn too_long(&self, beginning: &str) {
        // Servers write the id before the result, or the request is ended by its own time limit.
        let own = beginning.split_once("\"id\"").and_then(|(_, rest)| {
            let rest = rest.trim_start().strip_prefix(':')?.trim_start();
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..digits].parse::<u64>().ok()
        });
        let call = own.and_then(|own| self.state().calls.remove(&own));
        if let Some(call) = call {
            let limit = crate::mcp::MAX_LINE / (1024 * 1024);
            let words = format!("the answer is too long; at most {limit} MiB are accepted");
            let _ = call.to.send(refusal(call.id.get(), &words));
        }
    }

    /// The one client that the program is busy with; when it is busy with none, the one that there is.
    fn busy_with(&self) -> Option<ToClient> {
        let state = self.state();
        let busy: BTreeSet<u64> = state.calls.values().map(|call| call.client).collect();
        match (busy.len(), state.clients.len()) {
            (1, _) => state.calls.values().next().map(|call| call.to.clone()),
            (0, 1) => state.clients.values().next().cloned(),
            _ => None,
        }
    }

    fn tell_all(&self, line: &str) {
        for to in self.state().clients.values() {
            let _ = to.send(line.to_owned());
        }
    }
}

fn initialize_failed(error: Option<&RawValue>) -> McpError {
    let value: serde_json::Value = error
        .and_then(|error| serde_json::from_str(error.get()).ok())
        .unwrap_or_default();
    McpError::Rpc {
        code: value["code"]
            .as_i64()
            .and_then(|code| i32::try_from(code).ok())
            .unwrap_or(-32603),
        message: value["message"]
            .as_str()
            .unwrap_or("it refused to initialize")
            .to_owned(),
        data: value.get("data").cloned(),
    }
}

async fn write_lines(
    mut write: impl AsyncWrite + Unpin,
    mut lines: mpsc::UnboundedReceiver<String>,
) {
    while let Some(line) = lines.recv().await {
        if write.write_all(line.as_bytes()).await.is_err() || write.flush().await.is_err() {
            return;
        }
    }
}
