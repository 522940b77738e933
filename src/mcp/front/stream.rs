//! Server-sent events: what one client reads, message by message.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio_util::sync::CancellationToken;

use super::listening::Listener;
use super::requests::Running;
use super::rounds::{self, Step};
use super::server::RelayServer;
use super::session::Session;

/// Proxies and clients close what is silent for too long.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A call that a client waits for. When it is dropped before the end, the client has gone: since MCP 2026-07-28 that cancels the call; before,
/// it does not.
pub(super) struct Reader {
    server: Arc<RelayServer>,
    running: Running,
    ended: bool,
}

impl Reader {
    pub(super) fn new(server: &Arc<RelayServer>, running: Running) -> Self {
        Self {
            server: Arc::clone(server),
            running,
            ended: false,
        }
    }

    /// The session of the older era that the call belongs to.
    pub(super) fn session(&self) -> Option<Arc<Session>> {
        let call = &self.running.call;
        (!call.dress().is_stateless()).then(|| Arc::clone(&call.session))
    }

    /// Fires when the server closes.
    pub(super) fn closing(&self) -> CancellationToken {
        self.server.closing().clone()
    }

    /// What comes next; `None` when the call has ended without an answer.
    pub(super) async fn next(&mut self) -> Option<Step> {
        if self.ended {
            return None;
        }
        let step = rounds::next(
            &self.running.call,
            &self.server.suspended,
            &self.running.print,
        )
        .await;
        self.ended = !matches!(step, Some(Step::Message(_)));
        step
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.ended && self.running.call.dress().is_stateless() {
            self.running.call.cancel("the client has gone");
        }
    }
}

/// One event.
pub(super) fn event(text: &str) -> Bytes {
    event_with("", text)
}

/// One event, with `id` (a line, or nothing) before it. Line breaks can only stand between the values of JSON, and would end the event.
pub(super) fn event_with(id: &str, text: &str) -> Bytes {
    let mut event = String::with_capacity(id.len() + text.len() + 24);
    event.push_str(id);
    if !text.is_empty() {
        event.push_str("event: message\n");
    }
    event.push_str("data: ");
    if text.contains(['\n', '\r']) {
        event.extend(text.chars().filter(|c| !matches!(c, '\n' | '\r')));
    } else {
        event.push_str(text);
    }
    event.push_str("\n\n");
    event.into()
}

/// A response of events.
pub(super) fn response(events: BoxStream<'static, Bytes>) -> Response {
    let body = Body::from_stream(events.map(Ok::<_, Infallible>));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-transform"),
    );
    // Tells proxies not to collect events before they send them.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The events of a call, `first` before all others.
pub(super) fn call(reader: Reader, first: Option<String>) -> BoxStream<'static, Bytes> {
    let rest = stream::unfold(reader, |mut reader| async move {
        let closing = reader.closing();
        let next = tokio::select! {
            next = tokio::time::timeout(KEEP_ALIVE, reader.next()) => next,
            () = closing.cancelled() => Ok(None),
        };
        match next {
            Err(_) => Some((Bytes::from_static(b": still working\n\n"), reader)),
            Ok(Some(Step::Message(text) | Step::End { text, .. })) => Some((event(&text), reader)),
            Ok(None) => None,
        }
    });
    let first = stream::iter(first.map(|text| event(&text)));
    first.chain(rest).boxed()
}

/// The events of a session that belong to no call.
pub(super) fn session(server: &RelayServer, session: Arc<Session>) -> BoxStream<'static, Bytes> {
    struct Reading {
        session: Arc<Session>,
        replaced: CancellationToken,
        closing: CancellationToken,
        greeted: bool,
    }
    impl Drop for Reading {
        fn drop(&mut self) {
            self.session.stop_reading(&self.replaced);
        }
    }
    let reading = Reading {
        replaced: session.start_reading(),
        session,
        closing: server.closing().clone(),
        greeted: false,
    };
    stream::unfold(reading, |mut reading| async move {
        if !reading.greeted {
            // The headers leave with the first bytes; a client should not wait for them until something happens.
            reading.greeted = true;
            return Some((Bytes::from_static(b": open\n\n"), reading));
        }
        let next = tokio::select! {
            next = tokio::time::timeout(KEEP_ALIVE, reading.session.stream.next()) => next,
            () = reading.replaced.cancelled() => Ok(None),
            () = reading.closing.cancelled() => Ok(None),
        };
        match next {
            Err(_) => Some((Bytes::from_static(b": still here\n\n"), reading)),
            Ok(text) => text.map(|text| (event(&text), reading)),
        }
    })
    .boxed()
}

/// The events of a listener.
pub(super) fn listener(
    server: &RelayServer,
    session: Arc<Session>,
    listener: Arc<Listener>,
) -> BoxStream<'static, Bytes> {
    struct Listening {
        session: Arc<Session>,
        listener: Arc<Listener>,
        closing: CancellationToken,
    }
    impl Drop for Listening {
        fn drop(&mut self) {
            self.session.remove_listener(&self.listener);
        }
    }
    let listening = Listening {
        session,
        listener,
        closing: server.closing().clone(),
    };
    stream::unfold(listening, |listening| async move {
        let next = tokio::select! {
            next = tokio::time::timeout(KEEP_ALIVE, listening.listener.queue.next()) => next,
            () = listening.closing.cancelled() => {
                listening.listener.finish();
                Ok(listening.listener.queue.next().await)
            }
        };
        match next {
            Err(_) => Some((Bytes::from_static(b": still here\n\n"), listening)),
            Ok(text) => text.map(|text| (event(&text), listening)),
        }
    })
    .boxed()
}
