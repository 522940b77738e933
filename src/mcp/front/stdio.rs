//! One client over a byte stream, one message a line: it started us, and we are its own.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::call::Registry;
use super::era::{self, RequestMeta};
use super::http::notified;
use super::listening::Listener;
use super::requests::{Reply, Request};
use super::rounds::Step;
use super::server::RelayServer;
use super::session::Session;
use super::stream::Reader;
use super::wire::{self, Id, Incoming, Members, RpcError, code};

/// What may wait to be written. Whoever has more to say waits for the client.
const UNWRITTEN: usize = 256;

struct Connection {
    server: Arc<RelayServer>,
    out: mpsc::Sender<String>,
    session: Option<Arc<Session>>,
    /// Requests of the era without sessions.
    calls: Arc<Registry>,
    listeners: Arc<Mutex<Listeners>>,
    answering: JoinSet<()>,
}

/// Those that listen, by the ids of their requests.
type Listeners = HashMap<Id, (Arc<Session>, Arc<Listener>)>;

enum Line {
    Text(Vec<u8>),
    TooLong,
}

impl RelayServer {
    /// Serves one client over a byte stream, until it closes its end or `stop` fires. What it asked before it left is answered still.
    ///
    /// # Errors
    /// In words, when reading or writing fails.
    pub async fn serve_stream<R, W>(
        self: Arc<Self>,
        read: R,
        write: W,
        stop: CancellationToken,
    ) -> Result<(), String>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (out, unwritten) = mpsc::channel(UNWRITTEN);
        let mut connection = Connection {
            server: Arc::clone(&self),
            out,
            session: None,
            calls: Arc::default(),
            listeners: Arc::default(),
            answering: JoinSet::new(),
        };
        let mut writing = JoinSet::new();
        writing.spawn(put_lines(write, unwritten));
        let mut lines = Lines {
            read: BufReader::new(read),
            limit: self.options().limits.body_bytes,
            line: Vec::new(),
            too_long: false,
        };
        let outcome = loop {
            tokio::select! {
                () = stop.cancelled() => break Ok(()),
                () = self.closing().cancelled() => break Ok(()),
                // The client does not read any more.
                _ = writing.join_next() => break Ok(()),
                Some(_) = connection.answering.join_next() => {}
                line = lines.next() => match line {
                    Ok(Some(line)) => connection.line(line).await,
                    Ok(None) => {
                        connection.finish().await;
                        break Ok(());
                    }
                    Err(error) => break Err(format!("reading from the client failed: {error}")),
                },
            }
        };
        if let Some(session) = &connection.session {
            self.end_session(session.id());
        }
        drop(connection);
        // What is queued is written, unless the client does not take it.
        let written = async { while writing.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(self.options().drain, written).await;
        outcome
    }
}

/// Reads lines, none longer than `limit`.
struct Lines<R> {
    read: BufReader<R>,
    limit: usize,
    line: Vec<u8>,
    too_long: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The next line; `None` at the end. Cancel-safe: what was read of a line is kept in `self`.
    async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let available = self.read.fill_buf().await?;
            if available.is_empty() {
                let line = std::mem::take(&mut self.line);
                return Ok((!line.is_empty()).then_some(Line::Text(line)));
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let take = end.unwrap_or(available.len());
            if self.line.len() + take > self.limit {
                self.too_long = true;
                self.line = Vec::new();
            }
            if !self.too_long {
                self.line.extend_from_slice(&available[..take]);
            }
            let consumed = end.map_or(take, |end| end + 1);
            self.read.consume(consumed);
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                return Ok(Some(if std::mem::take(&mut self.too_long) {
                    Line::TooLong
                } else {
                    Line::Text(line)
                }));
            }
        }
    }
}

/// Writes lines until nobody sends any more, or writing fails.
async fn put_lines<W: AsyncWrite + Unpin>(mut write: W, mut lines: mpsc::Receiver<String>) {
    while let Some(first) = lines.recv().await {
        let mut batch = String::with_capacity(first.len() + 1);
        let mut next = Some(first);
        while let Some(line) = next {
            // Line breaks can only stand between the values of JSON.
            batch.extend(line.chars().filter(|c| !matches!(c, '\n' | '\r')));
            batch.push('\n');
            next = lines.try_recv().ok();
        }
        let put = async {
            write.write_all(batch.as_bytes()).await?;
            write.flush().await
        };
        if let Err(error) = put.await {
            tracing::debug!("writing to the client failed: {error}");
            return;
        }
    }
}

impl Connection {
    async fn say(&self, text: String) {
        // A client that has closed its end hears nothing more.
        let _ = self.out.send(text).await;
    }

    async fn line(&mut self, line: Line) {
        let bytes = match line {
            Line::Text(bytes) => bytes,
            Line::TooLong => {
                let limit = self.server.options().limits.body_bytes;
                let words = format!("the message has more than {limit} bytes");
                let error = RpcError::new(code::INVALID_REQUEST, words);
                return self.say(wire::error(None, &error)).await;
            }
        };
        if bytes.trim_ascii().is_empty() {
            return;
        }
        match wire::body(&bytes) {
            Ok(wire::Body::One(raw)) => self.message(raw).await,
            Ok(wire::Body::Batch(batch)) => {
                let version = self.session.as_ref().and_then(|session| session.version());
                if version == Some(era::BATCHES) {
                    for raw in batch {
                        self.message(raw).await;
                    }
                } else {
                    let words = "send one message in each line: only MCP 2025-03-26 has batches";
                    let error = RpcError::new(code::INVALID_REQUEST, words);
                    self.say(wire::error(None, &error)).await;
                }
            }
            Err(error) => self.say(wire::error(None, &error)).await,
        }
    }

    async fn message(&mut self, raw: &RawValue) {
        match wire::message(raw) {
            Err((id, error)) => self.say(wire::error(id.as_ref(), &error)).await,
            Ok(Incoming::Request { id, method, params }) => {
                let reply = self.request(&id, &method, params).await;
                self.reply(id, reply.unwrap_or_else(|error| *error)).await;
            }
            Ok(Incoming::Notification { method, params }) => self.notification(&method, params),
            Ok(Incoming::Answer { id, result }) => {
                if let Some(session) = &self.session {
                    session.answered(&id, result);
                }
            }
        }
    }

    async fn request(
        &mut self,
        id: &Id,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<Reply, Box<Reply>> {
        let failed = |error: RpcError| Box::new(Reply::error(id, &error));
        let params = Members::read(params, "`params`").map_err(failed)?;
        let meta = params.get("_meta").map(ToOwned::to_owned);
        let meta = Members::read(meta.as_deref(), "`_meta`").map_err(failed)?;
        let modern = meta.get(era::VERSION_KEY).is_some() || method == "server/discover";
        let registry = match &self.session {
            Some(session) if !modern => Arc::clone(&session.calls),
            Some(_) | None => Arc::clone(&self.calls),
        };
        let request = |params| Request {
            id: id.clone(),
            method,
            params,
            registry: Some(registry),
            headers: None,
        };
        if modern {
            let read = RequestMeta::read(&meta).map_err(failed)?;
            let request = request(params);
            return Ok(self.server.stateless_request(request, read).await);
        }
        if let Some(session) = &self.session {
            let request = request(params);
            return Ok(self.server.session_request(session, request).await);
        }
        if method != "initialize" {
            return Err(failed(RpcError::new(
                code::INVALID_REQUEST,
                "the first request must be `initialize`, or say its version in `_meta`",
            )));
        }
        let (session, result) = self.server.initialize(&params, None).map_err(failed)?;
        let out = self.out.clone();
        let reading = session.start_reading();
        let stream = Arc::clone(&session);
        self.answering.spawn(async move {
            while let Some(text) = stream.stream.next().await {
                if out.send(text).await.is_err() {
                    break;
                }
            }
            stream.stop_reading(&reading);
        });
        self.session = Some(session);
        Ok(Reply::Done {
            text: wire::result(id, &result),
            code: None,
        })
    }

    async fn reply(&mut self, id: Id, reply: Reply) {
        let out = self.out.clone();
        match reply {
            Reply::Done { text, .. } => self.say(text).await,
            Reply::Running(running) => {
                let mut reader = Reader::new(&self.server, running);
                self.answering.spawn(async move {
                    while let Some(Step::Message(text) | Step::End { text, .. }) =
                        reader.next().await
                    {
                        if out.send(text).await.is_err() {
                            return;
                        }
                    }
                });
            }
            Reply::Listening(session, listener) => {
                let listeners = Arc::clone(&self.listeners);
                let entry = (Arc::clone(&session), Arc::clone(&listener));
                lock(&listeners).insert(id.clone(), entry);
                self.answering.spawn(async move {
                    while let Some(text) = listener.queue.next().await {
                        if out.send(text).await.is_err() {
                            break;
                        }
                    }
                    session.remove_listener(&listener);
                    lock(&listeners).remove(&id);
                });
            }
        }
    }

    fn notification(&self, method: &str, params: Option<&RawValue>) {
        let cancelled = (method == "notifications/cancelled")
            .then(|| {
                Members::read(params, "params")
                    .ok()?
                    .get("requestId")
                    .map(Id::of)
            })
            .flatten();
        if let Some(id) = cancelled {
            if let Some((_, listener)) = lock(&self.listeners).get(&id) {
                listener.queue.end();
                return;
            }
            if let Some(call) = self.calls.find(&id) {
                call.cancel("the client cancelled it");
                return;
            }
        }
        if let Some(session) = &self.session {
            notified(session, &session.calls, method, params);
        }
    }

    /// The client has closed its end; what it asked is answered still, within the time of a drain.
    async fn finish(&mut self) {
        for (_, (_, listener)) in lock(&self.listeners).drain() {
            listener.queue.end();
        }
        if let Some(session) = &self.session {
            session.stream.end();
        }
        let answered = async { while self.answering.join_next().await.is_some() {} };
        let drain = self.server.options().drain;
        let _ = tokio::time::timeout(drain, answered).await;
        let rest: Vec<_> = self.calls.all();
        for call in rest {
            call.cancel("the client has gone");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
