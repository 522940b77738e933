//! A copy that serves a session: what is under way in it, and what it says.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::RelayedCopy;
use super::call::{Call, Ending};
use super::offer::Offer;
use super::session::Session;
use super::wire::{self, RpcError, code};
use crate::mcp::passage::{Answer, Passage, PassageEvents};

/// How long a request of our own may take.
const OWN_REQUEST: Duration = Duration::from_secs(30);

/// How long user code that was interrupted may take to stop. Our worker kills its own copies a little earlier.
const STOP: Duration = Duration::from_secs(4);

/// A copy, attached to one session.
pub(super) struct Attachment {
    pub(super) copy: Arc<dyn RelayedCopy>,
    pub(super) version: u64,
    passage: Arc<dyn Passage>,
    session: Weak<Session>,
    calls: Mutex<HashMap<u64, Arc<Call>>>,
    /// Requests of our own.
    own: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    /// Requests that keep it open.
    leases: AtomicUsize,
    /// No request comes any more.
    retired: AtomicBool,
    dead: AtomicBool,
    idle: Notify,
    offer: Mutex<Option<Arc<Offer>>>,
    /// Counts how often the copy said that a list has changed.
    changes: AtomicUsize,
}

/// Keeps a copy open for one request.
pub(super) struct Lease(Arc<Attachment>);

impl std::ops::Deref for Lease {
    type Target = Arc<Attachment>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.0.leases.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Attachment {
    pub(super) fn new(copy: Arc<dyn RelayedCopy>, session: &Arc<Session>) -> Arc<Self> {
        let attachment = Arc::new(Self {
            version: copy.version(),
            passage: copy.client().passage(),
            copy,
            session: Arc::downgrade(session),
            calls: Mutex::default(),
            own: Mutex::default(),
            leases: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            idle: Notify::new(),
            offer: Mutex::default(),
            changes: AtomicUsize::new(0),
        });
        let weak = Arc::downgrade(&attachment);
        attachment.passage.attach(weak);
        attachment
    }

    /// Keeps it open for a request. The session's lock is held, so it cannot be retired in between.
    pub(super) fn lease(self: &Arc<Self>) -> Lease {
        self.leases.fetch_add(1, Ordering::AcqRel);
        Lease(Arc::clone(self))
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire) || self.passage.is_closed()
    }

    pub(super) fn passage(&self) -> &Arc<dyn Passage> {
        &self.passage
    }

    /// Sends a call. `false` when the copy is gone and nothing was sent.
    pub(super) fn start(&self, call: &Arc<Call>, params: &str) -> bool {
        locked(&self.calls).insert(call.key, Arc::clone(call));
        if self.is_dead() || !self.passage.request(call.key, &call.method, params) {
            // Whoever takes it out of the map ends it; when that was the connection's end, the call has its answer.
            return locked(&self.calls).remove(&call.key).is_none();
        }
        true
    }

    /// Takes a call out; only one who gets it may end it.
    pub(super) fn take(&self, key: u64) -> Option<Arc<Call>> {
        locked(&self.calls).remove(&key)
    }

    /// A call that is under way.
    pub(super) fn call(&self, key: u64) -> Option<Arc<Call>> {
        locked(&self.calls).get(&key).cloned()
    }

    /// The calls that are under way.
    pub(super) fn running(&self) -> Vec<Arc<Call>> {
        locked(&self.calls).values().cloned().collect()
    }

    /// A request of our own.
    pub(super) async fn ask(&self, method: &str, params: &str) -> Result<Box<RawValue>, RpcError> {
        let id = self.passage.next_id();
        let (sender, receiver) = oneshot::channel();
        locked(&self.own).insert(id, sender);
        let gone = || RpcError::new(code::INTERNAL_ERROR, "the environment's copy is gone");
        if self.is_dead() || !self.passage.request(id, method, params) {
            locked(&self.own).remove(&id);
            return Err(gone());
        }
        let answer = tokio::time::timeout(OWN_REQUEST, receiver).await;
        locked(&self.own).remove(&id);
        match answer {
            Ok(Ok(Answer::Result(result))) => Ok(result),
            Ok(Ok(Answer::Error(error))) => Err(RpcError::read(&error)),
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err(RpcError::new(
                code::INTERNAL_ERROR,
                format!("the environment's copy did not answer `{method}`"),
            )),
        }
    }

    /// Stops a call that runs too long: its client gets `words`, and the copy is interrupted. A copy whose code does not stop is closed.
    pub(super) async fn stop(self: Arc<Self>, key: u64, words: &str) {
        let Some(call) = self.take(key) else {
            return;
        };
        let (sender, stopped) = oneshot::channel();
        locked(&self.own).insert(key, sender);
        self.copy.interrupt();
        let content = serde_json::json!([{"type": "text", "text": words}]);
        let result = wire::raw(&serde_json::json!({"content": content, "isError": true}));
        call.end(Ending::Answer(Answer::Result(result)));
        drop(call);
        if tokio::time::timeout(STOP, stopped).await.is_err() && !self.is_dead() {
            tracing::warn!("{words}, but its code does not stop; its copy is closed");
            self.copy.close().await;
        }
        locked(&self.own).remove(&key);
    }

    /// What the copy lists, asked once; again after it said that a list has changed.
    pub(super) async fn offer(&self) -> Result<Arc<Offer>, RpcError> {
        let known = locked(&self.offer).clone();
        if let Some(offer) = known {
            return Ok(offer);
        }
        let before = self.changes.load(Ordering::Acquire);
        let offer = Arc::new(Offer::ask(self).await?);
        if self.changes.load(Ordering::Acquire) == before {
            *locked(&self.offer) = Some(Arc::clone(&offer));
        }
        Ok(offer)
    }

    /// Closes the copy when nothing is under way in it any more, at the latest after `drain`, or when the server closes.
    pub(super) async fn retire(self: Arc<Self>, drain: Duration, closing: CancellationToken) {
        self.retired.store(true, Ordering::Release);
        let drained = async {
            loop {
                let released = self.idle.notified();
                tokio::pin!(released);
                // Registered before the look at the count, so no release is missed.
                released.as_mut().enable();
                if self.leases.load(Ordering::Acquire) == 0 {
                    return;
                }
                released.await;
            }
        };
        let ended = tokio::select! {
            ended = tokio::time::timeout(drain, drained) => ended,
            () = closing.cancelled() => Ok(()),
        };
        if ended.is_err() {
            let words = format!(
                "stopped: version {} was replaced, and this was still running {} later",
                self.version,
                crate::util::time::human(drain)
            );
            self.end_all(&words);
        }
        self.copy.close().await;
    }

    /// Closes the copy at once.
    pub(super) async fn close(&self) {
        self.retired.store(true, Ordering::Release);
        self.copy.close().await;
        self.end_all("the session was closed");
    }

    /// Ends what is under way with an error.
    fn end_all(&self, words: &str) {
        let calls: Vec<_> = locked(&self.calls).drain().map(|(_, call)| call).collect();
        for call in calls {
            let error = RpcError::new(code::INTERNAL_ERROR, words);
            call.end(Ending::Failed(error));
        }
    }

    /// The call that a message of the copy belongs to: the one it names, else the only one that runs.
    fn call_of(&self, params: Option<&RawValue>) -> Option<Arc<Call>> {
        #[derive(serde::Deserialize)]
        struct Params {
            #[serde(rename = "_meta", default)]
            meta: Option<Meta>,
        }
        #[derive(serde::Deserialize)]
        struct Meta {
            #[serde(rename = "hud/request", default)]
            request: Option<u64>,
        }
        let named = params
            .and_then(|params| serde_json::from_str::<Params>(params.get()).ok())
            .and_then(|params| params.meta?.request);
        let calls = locked(&self.calls);
        match named {
            Some(key) => calls.get(&key).cloned(),
            None if calls.len() == 1 => calls.values().next().cloned(),
            None => None,
        }
    }
}

impl PassageEvents for Attachment {
    fn answered(&self, id: u64, answer: Answer) {
        if let Some(call) = self.take(id) {
            call.end(Ending::Answer(answer));
            return;
        }
        let own = locked(&self.own).remove(&id);
        if let Some(waiting) = own {
            // Whoever asked may have stopped waiting.
            let _ = waiting.send(answer);
        }
    }

    fn told(&self, method: &str, params: Option<&RawValue>) {
        let Some(session) = self.session.upgrade() else {
            return;
        };
        match method {
            "notifications/progress" => {
                #[derive(serde::Deserialize)]
                struct Progress {
                    #[serde(rename = "progressToken")]
                    token: u64,
                }
                let token = params
                    .and_then(|params| serde_json::from_str::<Progress>(params.get()).ok())
                    .map(|progress| progress.token);
                let call = token.and_then(|token| locked(&self.calls).get(&token).cloned());
                if let (Some(call), Some(params)) = (call, params) {
                    call.progress(params);
                }
            }
            "notifications/message" => match self.call_of(params) {
                Some(call) => call.log(params),
                None => session.log(params),
            },
            "notifications/cancelled" => session.ask_withdrawn(self, params),
            _ => {
                if method.ends_with("/list_changed") {
                    self.changes.fetch_add(1, Ordering::AcqRel);
                    *locked(&self.offer) = None;
                }
                session.told(method, params);
            }
        }
    }

    fn asked(&self, id: &RawValue, method: &str, params: Option<&RawValue>) {
        let refuse = |error: &RpcError| self.passage.reply(id, &Answer::Error(error.raw()));
        let Some(session) = self.session.upgrade() else {
            refuse(&RpcError::new(code::INTERNAL_ERROR, "the client is gone"));
            return;
        };
        let outcome = match self.call_of(params) {
            Some(call) => call.asked(&session, id, method, params),
            None => session.asked(self, id, method, params),
        };
        if let Err(error) = outcome {
            refuse(&error);
        }
    }

    fn closed(&self) {
        self.dead.store(true, Ordering::Release);
        let calls: Vec<_> = locked(&self.calls).drain().map(|(_, call)| call).collect();
        locked(&self.own).clear();
        if self.retired.load(Ordering::Acquire) {
            for call in calls {
                let error = RpcError::new(code::INTERNAL_ERROR, "the session was closed");
                call.end(Ending::Failed(error));
            }
            return;
        }
        if let Some(session) = self.session.upgrade() {
            session.copy_died(self, calls);
        }
    }
}
