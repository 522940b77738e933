//! The server: all sessions, the source of their copies, and what is done in the background.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::value::RawValue;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::attachment::{Attachment, Lease};
use super::rounds::Suspended;
use super::scenario::Role;
use super::session::{ClientFacts, Kind, Session};
use super::wire::{self, RpcError, code};
use super::{CallReport, CopySource, Limits, RelayedCopy, VersionChange};
use crate::mcp::Client;

/// How a front treats its clients.
#[derive(Clone, Copy, Debug)]
pub struct FrontOptions {
    /// Bounds of what clients may use.
    pub limits: Limits,
    /// How long calls in flight may go on in a copy of an older version.
    pub drain: Duration,
    /// A tool that runs longer is stopped; `None` lets it run.
    pub tool_timeout: Option<Duration>,
}

impl Default for FrontOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            drain: Duration::from_secs(10),
            tool_timeout: None,
        }
    }
}

/// A request that a copy works on.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningCall {
    /// The MCP method.
    pub method: String,
    /// The tool, the prompt, or the address of the resource.
    pub name: String,
    /// The client's session; `shared` for requests of the stateless era that name none.
    pub session: String,
    /// For how long.
    pub running: Duration,
}

/// What clients of ours connect to.
pub struct RelayServer {
    source: Arc<dyn CopySource>,
    options: FrontOptions,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    shared: Arc<Session>,
    pub(super) suspended: Suspended,
    chores: mpsc::UnboundedSender<BoxFuture<'static, ()>>,
    closing: CancellationToken,
}

/// Does the work of a server that no client waits for: closes copies, ends what is idle, tells clients of new versions. Runs until
/// [`RelayServer::close`].
pub struct Janitor {
    server: Arc<RelayServer>,
    chores: mpsc::UnboundedReceiver<BoxFuture<'static, ()>>,
    changes: Option<broadcast::Receiver<VersionChange>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RelayServer {
    /// A server without sessions, and the janitor that must run beside it.
    pub fn new(source: Arc<dyn CopySource>, options: FrontOptions) -> (Arc<Self>, Janitor) {
        let (chores, receiver) = mpsc::unbounded_channel();
        let changes = source.changes();
        let server = Arc::new_cyclic(|server| Self {
            source,
            options,
            sessions: Mutex::default(),
            shared: Session::new(new_id(), Kind::Shared, None, server.clone()),
            suspended: Suspended::default(),
            chores,
            closing: CancellationToken::new(),
        });
        let janitor = Janitor {
            server: Arc::clone(&server),
            chores: receiver,
            changes,
        };
        (server, janitor)
    }

    /// How many sessions are open.
    pub fn sessions(&self) -> usize {
        locked(&self.sessions).len()
    }

    /// What copies work on now, the longest first.
    pub fn running(&self) -> Vec<RunningCall> {
        let mut sessions: Vec<_> = locked(&self.sessions).values().cloned().collect();
        sessions.push(Arc::clone(&self.shared));
        let mut running: Vec<RunningCall> = sessions
            .iter()
            .flat_map(|session| {
                session.running().into_iter().map(|call| RunningCall {
                    method: call.method.clone(),
                    name: call.name.clone(),
                    session: session.label().to_owned(),
                    running: call.begun.elapsed(),
                })
            })
            .collect();
        running.sort_by_key(|call| std::cmp::Reverse(call.running));
        running
    }

    /// The copy (of the current version) that requests without a session act on. It stays open as long as the answer is held.
    ///
    /// # Errors
    /// In words, when it does not start.
    pub async fn shared(self: &Arc<Self>) -> Result<Arc<dyn RelayedCopy>, String> {
        match self.lease(&self.shared, &Role::None).await {
            Ok(lease) => Ok(Arc::new(Held(lease))),
            Err(error) => Err(error.message),
        }
    }

    /// Reports a call that reached user code by another way than MCP.
    pub fn observe(&self, call: &CallReport) {
        self.source.observe(call);
    }

    pub(super) fn options(&self) -> &FrontOptions {
        &self.options
    }

    pub(super) fn source(&self) -> &dyn CopySource {
        self.source.as_ref()
    }

    pub(super) fn shared_session(&self) -> &Arc<Session> {
        &self.shared
    }

    /// Fires when the server closes.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// `{"name", "version"}` of the environment.
    pub(super) fn identity(&self) -> Arc<RawValue> {
        let identity = self.source.identity();
        wire::raw(&serde_json::json!({"name": identity.name, "version": identity.version})).into()
    }

    /// Does `chore` in the background.
    pub(super) fn later(&self, chore: impl Future<Output = ()> + Send + 'static) {
        // Without a janitor the server is closed, and its copies with it.
        let _ = self.chores.send(Box::pin(chore));
    }

    // -- sessions ----------------------------------------------------------------------------------

    pub(super) fn find_session(&self, id: &str) -> Option<Arc<Session>> {
        locked(&self.sessions).get(id).cloned()
    }

    /// Opens a session.
    ///
    /// # Errors
    /// When there are too many, or the server is closing.
    pub(super) fn open_session(
        self: &Arc<Self>,
        kind: Kind,
        client: Option<ClientFacts>,
    ) -> Result<Arc<Session>, RpcError> {
        if self.closing.is_cancelled() {
            return Err(RpcError::new(code::UNAVAILABLE, "the server is closing"));
        }
        let mut sessions = locked(&self.sessions);
        let limit = self.options.limits.sessions;
        if sessions.len() >= limit {
            return Err(RpcError::new(
                code::UNAVAILABLE,
                format!("there are {limit} open sessions already; finish one, or wait"),
            ));
        }
        let session = Session::new(new_id(), kind, client, Arc::downgrade(self));
        sessions.insert(session.id().to_owned(), Arc::clone(&session));
        Ok(session)
    }

    /// Ends a session; its copy is closed in the background. `false` when there is none.
    pub(super) fn end_session(&self, id: &str) -> bool {
        let Some(session) = locked(&self.sessions).remove(id) else {
            return false;
        };
        self.later(async move { session.close().await });
        true
    }

    fn expire(&self) {
        let idle = self.options.limits.idle;
        let expired: Vec<String> = locked(&self.sessions)
            .values()
            .filter(|session| session.is_idle(idle))
            .map(|session| session.id().to_owned())
            .collect();
        for id in expired {
            self.end_session(&id);
        }
        let sessions: Vec<_> = locked(&self.sessions).values().cloned().collect();
        for session in sessions {
            session.streams.expire();
        }
        for call in self.suspended.expired() {
            call.cancel("the client did not come back with the answers");
        }
    }

    /// Stops tools that run longer than they may.
    fn stop_overdue(&self, limit: Duration) {
        let mut sessions: Vec<_> = locked(&self.sessions).values().cloned().collect();
        sessions.push(Arc::clone(&self.shared));
        for call in sessions.iter().flat_map(|session| session.running()) {
            let waits = call.open_questions() > 0 || call.session.waits_for_client(call.key);
            if call.method != "tools/call" || waits || call.working() < limit {
                continue;
            }
            if let Some(attachment) = call.attachment() {
                let words = format!(
                    "the tool `{}` was stopped: it ran longer than {}",
                    call.name,
                    crate::util::time::human(limit)
                );
                self.later(async move { attachment.stop(call.key, &words).await });
            }
        }
    }

    // -- copies ------------------------------------------------------------------------------------

    /// The copy for a request: the attached one, or a fresh one of the current version when there is none, it has died, or it is older and
    /// no scenario binds the session to it.
    pub(super) async fn lease(
        self: &Arc<Self>,
        session: &Arc<Session>,
        role: &Role,
    ) -> Result<Lease, RpcError> {
        if let Some(lease) = session.try_lease(self.source.version(), role) {
            return Ok(lease);
        }
        let _opening = session.opening.lock().await;
        if let Some(lease) = session.try_lease(self.source.version(), role) {
            return Ok(lease);
        }
        let ended = || RpcError::new(code::UNAVAILABLE, "the session has ended");
        if self.closing.is_cancelled() {
            return Err(ended());
        }
        match self.source.open(session.events()).await {
            Ok(copy) => {
                let attachment = Attachment::new(copy, session);
                session.attach(attachment, role).map_err(|unused| {
                    self.later(async move { unused.close().await });
                    ended()
                })
            }
            // An older version that lives serves better than an error.
            Err(words) => session
                .lease_old(role)
                .ok_or_else(|| RpcError::new(code::INTERNAL_ERROR, words)),
        }
    }

    fn version_changed(self: &Arc<Self>, change: &VersionChange) {
        let mut sessions: Vec<_> = locked(&self.sessions).values().cloned().collect();
        sessions.push(Arc::clone(&self.shared));
        for session in sessions {
            session.version_changed(change);
            if session.wants_updates() {
                let server = Arc::clone(self);
                self.later(async move {
                    if let Err(error) = server.lease(&session, &Role::None).await {
                        tracing::debug!("no copy of the new version: {}", error.message);
                    }
                });
            }
        }
    }

    /// Ends every session and closes every copy.
    pub async fn close(&self) {
        self.closing.cancel();
        let mut sessions: Vec<_> = locked(&self.sessions)
            .drain()
            .map(|(_, session)| session)
            .collect();
        sessions.push(Arc::clone(&self.shared));
        futures::future::join_all(sessions.iter().map(|session| session.close())).await;
    }
}

impl Janitor {
    /// Works until the server closes, and what is left of its work then.
    pub async fn run(mut self) {
        let idle = self.server.options.limits.idle;
        // Often enough that an idle session does not live much longer than it should.
        let tick = (idle / 4).clamp(Duration::from_millis(50), Duration::from_secs(15));
        let mut tick = tokio::time::interval(tick);
        let limit = self.server.options.tool_timeout;
        let mut overdue = limit.map(|limit| {
            let every = (limit / 4).clamp(Duration::from_millis(20), Duration::from_secs(1));
            tokio::time::interval(every)
        });
        let mut working = JoinSet::new();
        loop {
            tokio::select! {
                () = self.server.closing.cancelled() => break,
                Some(chore) = self.chores.recv() => {
                    working.spawn(chore);
                }
                Some(_) = working.join_next() => {}
                change = next_change(&mut self.changes) => self.server.version_changed(&change),
                _ = tick.tick() => self.server.expire(),
                limit = next_look(&mut overdue, limit) => self.server.stop_overdue(limit),
            }
        }
        while let Ok(chore) = self.chores.try_recv() {
            working.spawn(chore);
        }
        while working.join_next().await.is_some() {}
    }
}

/// When tools that run too long are looked for; never, when they may.
async fn next_look(look: &mut Option<tokio::time::Interval>, limit: Option<Duration>) -> Duration {
    match (look, limit) {
        (Some(look), Some(limit)) => {
            look.tick().await;
            limit
        }
        (_, _) => std::future::pending().await,
    }
}

/// The next change of version. Changes that came faster than they were read are told as one that changed everything.
async fn next_change(changes: &mut Option<broadcast::Receiver<VersionChange>>) -> VersionChange {
    loop {
        let Some(receiver) = changes else {
            return std::future::pending().await;
        };
        match receiver.recv().await {
            Ok(change) => return change,
            Err(broadcast::error::RecvError::Lagged(_)) => {
                return VersionChange {
                    version: 0,
                    tools: true,
                    prompts: true,
                    resources: true,
                };
            }
            Err(broadcast::error::RecvError::Closed) => *changes = None,
        }
    }
}

/// 122 random bits.
pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// A copy that stays open as long as this is held.
struct Held(Lease);

#[async_trait]
impl RelayedCopy for Held {
    fn client(&self) -> &Client {
        self.0.copy.client()
    }

    fn version(&self) -> u64 {
        self.0.version
    }

    fn interrupt(&self) {
        self.0.copy.interrupt();
    }

    /// Whoever holds it does not own it.
    async fn close(&self) {}
}
