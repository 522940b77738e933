//! Streams that a client takes up again after its connection was lost (up to 2025-11-25): events have ids, and those after the last one that arrived
//! are sent once more.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::rounds::Step;
use super::session::Session;
use super::stream::{KEEP_ALIVE, Reader};

/// What is kept of a stream that has been sent.
const MAX_EVENTS: usize = 64;
const MAX_BYTES: usize = 256 * 1024;

/// How long a stream that has ended can be taken up: its client may not have noticed yet that the end did not arrive.
const KEPT: Duration = Duration::from_mins(1);

/// How long the connection before may take to let go of a stream.
const LETTING_GO: Duration = Duration::from_secs(2);

/// How many ended streams a session keeps.
const MAX_ENDED: usize = 8;

/// The streams of a session's calls.
#[derive(Default)]
pub(super) struct Streams(Mutex<HashMap<u64, Arc<CallStream>>>);

/// A call's events: those that were sent, and those to come.
struct CallStream {
    key: u64,
    state: tokio::sync::Mutex<State>,
    /// Fires when another connection takes it over.
    replaced: Mutex<CancellationToken>,
    ended: Mutex<Option<Instant>>,
}

struct State {
    reader: Reader,
    first: Option<String>,
    /// Whether an empty event comes first, so that there is an id to begin again from.
    primes: bool,
    next: u64,
    sent: VecDeque<(u64, Bytes)>,
    bytes: usize,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Streams {
    /// Forgets streams that ended a while ago.
    pub(super) fn expire(&self) {
        let mut streams = locked(&self.0);
        streams.retain(|_, stream| {
            let ended = *locked(&stream.ended);
            ended.is_none_or(|ended| ended.elapsed() < KEPT)
        });
        if streams.is_empty() {
            *streams = HashMap::new();
        }
    }

    fn add(&self, stream: &Arc<CallStream>) {
        let mut streams = locked(&self.0);
        let mut ended: Vec<(Instant, u64)> = streams
            .iter()
            .filter_map(|(key, stream)| Some(((*locked(&stream.ended))?, *key)))
            .collect();
        if ended.len() >= MAX_ENDED {
            ended.sort_unstable();
            for (_, key) in &ended[..=ended.len() - MAX_ENDED] {
                streams.remove(key);
            }
        }
        streams.insert(stream.key, Arc::clone(stream));
    }

    fn find(&self, key: u64) -> Option<Arc<CallStream>> {
        locked(&self.0).get(&key).cloned()
    }
}

/// The events of a call, `first` before all others.
pub(super) fn call(
    session: &Arc<Session>,
    reader: Reader,
    first: Option<String>,
) -> BoxStream<'static, Bytes> {
    let key = session.next_stream();
    let stream = Arc::new(CallStream {
        key,
        state: tokio::sync::Mutex::new(State {
            reader,
            first,
            // Clients of older versions would take it for a broken message.
            primes: session.version() == Some("2025-11-25"),
            next: 0,
            sent: VecDeque::new(),
            bytes: 0,
        }),
        replaced: Mutex::new(CancellationToken::new()),
        ended: Mutex::new(None),
    });
    session.streams.add(&stream);
    events(stream, VecDeque::new())
}

/// The events after `last`, an id that we gave; `None` when its stream is not known any more.
pub(super) async fn after(session: &Session, last: &str) -> Option<BoxStream<'static, Bytes>> {
    let (key, number) = last.split_once('.')?;
    let (key, number): (u64, u64) = (key.parse().ok()?, number.parse().ok()?);
    let stream = session.streams.find(key)?;
    std::mem::take(&mut *locked(&stream.replaced)).cancel();
    let missed = {
        // The connection before lets go as soon as it is told; one that cannot be told must not hold this one up.
        let letting_go = stream.state.lock();
        let state = tokio::time::timeout(LETTING_GO, letting_go).await.ok()?;
        let missed = state.sent.iter().filter(|(sent, _)| *sent > number);
        missed.map(|(_, event)| event.clone()).collect()
    };
    Some(events(stream, missed))
}

fn events(stream: Arc<CallStream>, missed: VecDeque<Bytes>) -> BoxStream<'static, Bytes> {
    let replaced = locked(&stream.replaced).clone();
    stream::unfold(
        (stream, replaced, missed),
        |(stream, replaced, mut missed)| async move {
            let event = match missed.pop_front() {
                Some(event) => Some(event),
                None => {
                    tokio::select! {
                        event = stream.next() => event,
                        () = replaced.cancelled() => None,
                    }
                }
            };
            event.map(|event| (event, (stream, replaced, missed)))
        },
    )
    .boxed()
}

impl CallStream {
    /// The next event. Cancel-safe: an event that was taken is also kept.
    async fn next(&self) -> Option<Bytes> {
        if locked(&self.ended).is_some() {
            return None;
        }
        let mut state = self.state.lock().await;
        if std::mem::take(&mut state.primes) {
            return Some(self.sent(&mut state, ""));
        }
        if let Some(first) = state.first.take() {
            return Some(self.sent(&mut state, &first));
        }
        let closing = state.reader.closing();
        let step = tokio::select! {
            step = tokio::time::timeout(KEEP_ALIVE, state.reader.next()) => step,
            () = closing.cancelled() => Ok(None),
        };
        match step {
            Err(_) => Some(Bytes::from_static(b": still working\n\n")),
            Ok(Some(Step::Message(text))) => Some(self.sent(&mut state, &text)),
            Ok(Some(Step::End { text, .. })) => {
                *locked(&self.ended) = Some(Instant::now());
                Some(self.sent(&mut state, &text))
            }
            Ok(None) => {
                *locked(&self.ended) = Some(Instant::now());
                None
            }
        }
    }

    fn sent(&self, state: &mut State, text: &str) -> Bytes {
        let id = format!("id: {}.{}\n", self.key, state.next);
        let event = super::stream::event_with(&id, text);
        state.bytes += event.len();
        state.sent.push_back((state.next, event.clone()));
        while state.sent.len() > MAX_EVENTS || (state.bytes > MAX_BYTES && state.sent.len() > 1) {
            if let Some((_, dropped)) = state.sent.pop_front() {
                state.bytes -= dropped.len();
            }
        }
        state.next += 1;
        event
    }
}
