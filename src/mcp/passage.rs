//! Requests that pass a connection unread: what a client of ours asked goes to a server as it came, and the answer back.
//!
//! A [`Client`](super::Client) understands what it sends and receives; the front only carries it, and must lose no field that it does not
//! know. So the front's requests share the client's connection, with ids of their own, and stay JSON text on both ways.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use rmcp::model::{
    ClientNotification, ClientRequest, CustomNotification, CustomRequest, ErrorCode, ErrorData,
    RequestId,
};
use rmcp::service::{Peer, PeerRequestOptions, RoleClient, ServiceError};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::line_writer::LineWriter;

/// The first id of a request that passes. The client's own count up from 0 and never come here; it still fits 32 bits, which some servers
/// assume.
const FIRST_ID: u64 = 1_000_000_000;

/// How a request ended: the `result` or the `error` member of the answer, as it came.
#[derive(Debug)]
pub(super) enum Answer {
    Result(Box<RawValue>),
    Error(Box<RawValue>),
}

/// Takes what arrives on a connection for the requests that passed it. Called from the task that reads the connection, in the order of
/// arrival; must not block.
pub(super) trait PassageEvents: Send + Sync + 'static {
    /// The answer to the request `id`.
    fn answered(&self, id: u64, answer: Answer);
    /// A notification.
    fn told(&self, method: &str, params: Option<&RawValue>);
    /// A request, to be answered with [`Passage::reply`] under the same id.
    fn asked(&self, id: &RawValue, method: &str, params: Option<&RawValue>);
    /// The connection is gone; nothing more will arrive.
    fn closed(&self);
}

/// A connection that lets requests pass.
pub(super) trait Passage: Send + Sync + 'static {
    /// A new id.
    fn next_id(&self) -> u64;
    /// Sends a request, with its parameters as JSON text; its answer goes to [`PassageEvents::answered`]. `false` when the connection is gone and nothing was sent.
    fn request(&self, id: u64, method: &str, params: &str) -> bool;
    /// Sends a notification.
    fn notify(&self, method: &str, params: &str);
    /// Answers a request of the server.
    fn reply(&self, id: &RawValue, answer: &Answer);
    /// From now on `events` takes what arrives. Held weakly, because it holds the connection.
    fn attach(&self, events: Weak<dyn PassageEvents>);
    /// Whether the connection is gone.
    fn is_closed(&self) -> bool;
}

/// Whether a message with this method is for whoever is attached; the others are between the client and the server.
fn passes(method: &str) -> bool {
    !method.starts_with("hud/") && method != "ping"
}

/// The passage of a connection that speaks JSON lines.
pub(super) struct LinePassage {
    writer: LineWriter,
    events: OnceLock<Weak<dyn PassageEvents>>,
    next: AtomicU64,
    closed: AtomicBool,
}

/// What tells messages apart. Everything else stays text.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

impl LinePassage {
    pub(super) fn new(writer: LineWriter) -> Arc<Self> {
        Arc::new(Self {
            writer,
            events: OnceLock::new(),
            next: AtomicU64::new(FIRST_ID),
            closed: AtomicBool::new(false),
        })
    }

    fn events(&self) -> Option<Arc<dyn PassageEvents>> {
        self.events.get()?.upgrade()
    }

    /// Whether the line was for the attached one, and has been handed over.
    pub(super) fn take(&self, line: &[u8]) -> bool {
        let Some(events) = self.events() else {
            return false;
        };
        let Ok(head) = serde_json::from_slice::<Head<'_>>(line) else {
            return false;
        };
        match (head.method, head.id) {
            (Some(method), None) if passes(&method) => events.told(&method, head.params),
            (Some(method), Some(id)) if passes(&method) => events.asked(id, &method, head.params),
            (Some(_), _) | (None, None) => return false,
            (None, Some(id)) => {
                let Some(id) = own_id(id) else {
                    return false;
                };
                let answer = match (head.result, head.error) {
                    (_, Some(error)) => Answer::Error(error.to_owned()),
                    (Some(result), None) => Answer::Result(result.to_owned()),
                    (None, None) => return false,
                };
                events.answered(id, answer);
            }
        }
        true
    }

    /// Whether `id` is that of a request that passed, whose answer cannot be read; it then ends with `message`.
    pub(super) fn fail(&self, id: &str, message: &str) -> bool {
        let own = id.parse().ok().filter(|id| *id >= FIRST_ID);
        let (Some(id), Some(events)) = (own, self.events()) else {
            return false;
        };
        events.answered(id, error_answer(ErrorCode::INTERNAL_ERROR.0, message));
        true
    }

    /// The connection is gone.
    pub(super) fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel)
            && let Some(events) = self.events()
        {
            events.closed();
        }
    }
}

fn own_id(id: &RawValue) -> Option<u64> {
    id.get().parse().ok().filter(|id| *id >= FIRST_ID)
}

fn error_answer(code: i32, message: &str) -> Answer {
    let error = serde_json::json!({"code": code, "message": message});
    Answer::Error(to_raw_value(&error).unwrap_or_default())
}

impl Passage for LinePassage {
    fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn request(&self, id: u64, method: &str, params: &str) -> bool {
        let mut line = String::with_capacity(params.len() + 80);
        line.push_str("{\"jsonrpc\":\"2.0\",\"id\":");
        line.push_str(&id.to_string());
        push_method(&mut line, method, params);
        !self.is_closed() && self.writer.send(line.into_bytes())
    }

    fn notify(&self, method: &str, params: &str) {
        let mut line = String::with_capacity(params.len() + 64);
        line.push_str("{\"jsonrpc\":\"2.0\"");
        push_method(&mut line, method, params);
        // A connection that is gone needs to be told nothing.
        let _ = self.writer.send(line.into_bytes());
    }

    fn reply(&self, id: &RawValue, answer: &Answer) {
        let (member, body) = match answer {
            Answer::Result(body) => ("result", body),
            Answer::Error(body) => ("error", body),
        };
        let id = id.get();
        let mut line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"{member}\":");
        push_one_line(&mut line, body.get());
        line.push_str("}\n");
        let _ = self.writer.send(line.into_bytes());
    }

    fn attach(&self, events: Weak<dyn PassageEvents>) {
        // Set once: a connection serves one session of the front.
        let _ = self.events.set(events);
        if self.closed.load(Ordering::Acquire)
            && let Some(events) = self.events()
        {
            events.closed();
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire) || self.writer.is_closed()
    }
}

fn push_method(line: &mut String, method: &str, params: &str) {
    line.push_str(",\"method\":");
    line.push_str(&Value::from(method).to_string());
    line.push_str(",\"params\":");
    push_one_line(line, params);
    line.push_str("}\n");
}

/// Appends JSON text without its line breaks, which can only stand between values.
fn push_one_line(line: &mut String, json: &str) {
    if json.contains(['\n', '\r']) {
        line.extend(json.chars().filter(|c| !matches!(c, '\n' | '\r')));
    } else {
        line.push_str(json);
    }
}

/// The passage of a connection over HTTP, where rmcp holds the transport: text becomes rmcp's messages and back.
pub(super) struct PeerPassage {
    peer: Peer<RoleClient>,
    inbound: Arc<PeerInbound>,
    next: AtomicU64,
    /// Requests whose answers have not arrived; ended with the passage.
    tasks: Mutex<JoinSet<()>>,
}

/// What the connection's handler shares with the passage.
#[derive(Default)]
pub(super) struct PeerInbound {
    events: OnceLock<Weak<dyn PassageEvents>>,
    asks: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    next: AtomicU64,
    /// The requests that are under way: rmcp gives them ids and progress tokens of its own.
    running: Mutex<HashMap<u64, (RequestId, Value)>>,
}

impl PeerInbound {
    fn events(&self) -> Option<Arc<dyn PassageEvents>> {
        self.events.get()?.upgrade()
    }

    /// Hands a notification over. `false` when nobody is attached.
    pub(super) fn tell(&self, method: &str, mut params: Value) -> bool {
        let Some(events) = self.events() else {
            return false;
        };
        if method == "notifications/progress"
            && let Ok(running) = self.running.lock()
            && let Some((id, _)) = running
                .iter()
                .find(|(_, (_, token))| *token == params["progressToken"])
        {
            params["progressToken"] = Value::from(*id);
        }
        events.told(method, to_raw_value(&params).ok().as_deref());
        true
    }

    /// Hands a request over and waits for its answer; `None` when nobody is attached.
    pub(super) async fn ask(
        &self,
        method: &str,
        params: &Value,
    ) -> Option<Result<Value, ErrorData>> {
        let events = self.events()?;
        let id = format!("\"ask-{}\"", self.next.fetch_add(1, Ordering::Relaxed));
        let raw = RawValue::from_string(id.clone()).ok()?;
        let (sender, receiver) = oneshot::channel();
        self.asks.lock().ok()?.insert(id, sender);
        events.asked(&raw, method, to_raw_value(params).ok().as_deref());
        drop(events);
        let gone = || ErrorData::internal_error("the client is gone", None);
        Some(match receiver.await {
            Ok(Answer::Result(result)) => serde_json::from_str(result.get()).map_err(|_| gone()),
            Ok(Answer::Error(error)) => {
                Err(serde_json::from_str(error.get()).unwrap_or_else(|_| gone()))
            }
            Err(_) => Err(gone()),
        })
    }

    fn set_running(&self, id: u64, known: Option<(RequestId, Value)>) {
        if let Ok(mut running) = self.running.lock() {
            match known {
                Some(known) => running.insert(id, known),
                None => running.remove(&id),
            };
        }
    }
}

impl PeerPassage {
    pub(super) fn new(peer: Peer<RoleClient>, inbound: Arc<PeerInbound>) -> Arc<Self> {
        Arc::new(Self {
            peer,
            inbound,
            next: AtomicU64::new(FIRST_ID),
            tasks: Mutex::default(),
        })
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(mut tasks) = self.tasks.lock() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }
}

/// The request as the type that rmcp has for it; with no other does it add what HTTP needs.
fn typed(method: &str, params: &str) -> ClientRequest {
    let params: Option<Value> = serde_json::from_str(params).ok();
    let message = serde_json::json!({"method": method, "params": params});
    serde_json::from_value(message)
        .unwrap_or_else(|_| ClientRequest::CustomRequest(CustomRequest::new(method, params)))
}

async fn answer_of(
    peer: &Peer<RoleClient>,
    inbound: &PeerInbound,
    id: u64,
    request: ClientRequest,
) -> Option<Answer> {
    let outcome = async {
        let handle = peer
            .send_cancellable_request(request, PeerRequestOptions::no_options())
            .await?;
        let token = serde_json::to_value(&handle.progress_token).unwrap_or_default();
        inbound.set_running(id, Some((handle.id.clone(), token)));
        handle.await_response().await
    }
    .await;
    inbound.set_running(id, None);
    match outcome {
        Ok(result) => to_raw_value(&result).map(Answer::Result).ok(),
        Err(ServiceError::McpError(error)) => to_raw_value(&error).map(Answer::Error).ok(),
        Err(error) => Some(error_answer(
            ErrorCode::INTERNAL_ERROR.0,
            &format!("the environment's server failed: {error}"),
        )),
    }
}

impl Passage for PeerPassage {
    fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn request(&self, id: u64, method: &str, params: &str) -> bool {
        if self.is_closed() {
            return false;
        }
        let request = typed(method, params);
        let peer = self.peer.clone();
        let inbound = Arc::clone(&self.inbound);
        self.spawn(async move {
            let answer = answer_of(&peer, &inbound, id, request).await;
            if let (Some(events), Some(answer)) = (inbound.events(), answer) {
                events.answered(id, answer);
            }
        });
        true
    }

    fn notify(&self, method: &str, params: &str) {
        let mut params: Option<Value> = serde_json::from_str(params).ok();
        if method == "notifications/cancelled"
            && let Some(params) = params.as_mut()
            && let Some(id) = params["requestId"].as_u64()
            && let Ok(running) = self.inbound.running.lock()
            && let Some((theirs, _)) = running.get(&id)
        {
            params["requestId"] = serde_json::to_value(theirs).unwrap_or_default();
        }
        let peer = self.peer.clone();
        let message = serde_json::json!({"method": method, "params": params});
        let notification = serde_json::from_value(message).unwrap_or_else(|_| {
            ClientNotification::CustomNotification(CustomNotification::new(method, params))
        });
        self.spawn(async move {
            // A connection that is gone needs to be told nothing.
            let _ = peer.send_notification(notification).await;
        });
    }

    fn reply(&self, id: &RawValue, answer: &Answer) {
        let waiting = self
            .inbound
            .asks
            .lock()
            .ok()
            .and_then(|mut asks| asks.remove(id.get()));
        let answer = match answer {
            Answer::Result(body) => Answer::Result(body.clone()),
            Answer::Error(body) => Answer::Error(body.clone()),
        };
        if let Some(waiting) = waiting {
            // The server may have given up on it.
            let _ = waiting.send(answer);
        }
    }

    fn attach(&self, events: Weak<dyn PassageEvents>) {
        let _ = self.inbound.events.set(events);
    }

    fn is_closed(&self) -> bool {
        self.peer.is_transport_closed()
    }
}
