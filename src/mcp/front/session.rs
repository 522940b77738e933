//! A client's session, or the shared one of all requests that name none: which copy it is attached to, and what its client is told.

mod asking;
mod telling;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::CallReport;
use super::attachment::{Attachment, Lease};
use super::call::{Call, Ending, Event, Purpose, Registry};
use super::level::Level;
use super::listening::Listener;
use super::queue::{Bounds, Queue};
use super::resume::Streams;
use super::scenario::{self, Role};
use super::server::RelayServer;
use super::wire::{Id, RpcError, code};
use super::{CallOutcome, VersionChange};
use crate::mcp::ClientEvents;

/// What waits for a client that has no stream open. List changes and the like; the newest matter most.
const UNREAD: Bounds = Bounds {
    items: 64,
    bytes: 256 * 1024,
};

/// Why a copy is gone, when nothing more is known.
const ENDED: &str = "the environment's process ended";

/// What kind of session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Begun with `initialize`, up to 2025-11-25.
    Connection,
    /// Opened by the setup of a scenario and named in `_meta`, since 2026-07-28.
    Named,
    /// That of every request without a session, since 2026-07-28.
    Shared,
}

/// What a client said of itself in `initialize`.
#[derive(Clone, Debug)]
pub(super) struct ClientFacts {
    pub(super) version: &'static str,
    pub(super) capabilities: Value,
    pub(super) info: Option<Value>,
}

/// A session.
pub(super) struct Session {
    id: String,
    kind: Kind,
    server: Weak<RelayServer>,
    /// Up to 2025-11-25.
    client: Option<ClientFacts>,
    state: Mutex<State>,
    /// One copy is opened at a time.
    pub(super) opening: tokio::sync::Mutex<()>,
    /// What the client is told or asked outside of its calls.
    pub(super) stream: Queue<String>,
    /// Whoever reads that stream; a later reader takes it over.
    reader: Mutex<Option<CancellationToken>>,
    pub(super) calls: Arc<Registry>,
    /// What the client has been asked.
    asks: Mutex<HashMap<Id, Asked>>,
    next_ask: AtomicU64,
    /// Streams of its calls that can be taken up again.
    pub(super) streams: Streams,
    next_stream: AtomicU64,
    listeners: Mutex<Vec<Arc<Listener>>>,
}

struct State {
    attachment: Option<Arc<Attachment>>,
    /// Set up on the attachment, and not graded.
    scenario: Option<String>,
    /// Setups that are under way.
    setting_up: usize,
    /// Set up once, but its copy died.
    lost: Option<Lost>,
    /// Lists that have changed since the session was bound to its version.
    untold: Option<VersionChange>,
    level: Option<Level>,
    subscriptions: BTreeSet<String>,
    used: Instant,
    closed: bool,
}

struct Lost {
    scenario: String,
    why: String,
}

struct Asked {
    attachment: Weak<Attachment>,
    /// The copy's id for it.
    id: Box<RawValue>,
    /// The call on whose stream it was asked.
    call: Option<u64>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whom a copy is told that it serves.
struct Behind {
    capabilities: Value,
    info: Option<Value>,
}

impl ClientEvents for Behind {
    fn capabilities(&self) -> Option<Value> {
        Some(self.capabilities.clone())
    }

    fn client_info(&self) -> Option<Value> {
        self.info.clone()
    }
}

impl Session {
    pub(super) fn new(
        id: String,
        kind: Kind,
        client: Option<ClientFacts>,
        server: Weak<RelayServer>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            kind,
            server,
            client,
            state: Mutex::new(State {
                attachment: None,
                scenario: None,
                setting_up: 0,
                lost: None,
                untold: None,
                level: None,
                subscriptions: BTreeSet::new(),
                used: Instant::now(),
                closed: false,
            }),
            opening: tokio::sync::Mutex::default(),
            stream: Queue::new(UNREAD),
            reader: Mutex::default(),
            calls: Arc::default(),
            asks: Mutex::default(),
            next_ask: AtomicU64::new(0),
            streams: Streams::default(),
            next_stream: AtomicU64::new(0),
            listeners: Mutex::default(),
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name in reports.
    pub(super) fn label(&self) -> &str {
        if self.kind == Kind::Shared {
            "shared"
        } else {
            &self.id
        }
    }

    /// The version that was agreed on, up to 2025-11-25.
    pub(super) fn version(&self) -> Option<&'static str> {
        self.client.as_ref().map(|client| client.version)
    }

    pub(super) fn report(&self, report: &CallReport) {
        if let Some(server) = self.server.upgrade() {
            server.observe(report);
        }
    }

    /// Whom a copy for it is told that it serves.
    pub(super) fn events(&self) -> Arc<dyn ClientEvents> {
        let everything = || {
            // Each request of the newer era says by itself what its client can do.
            serde_json::json!({
                "sampling": {"tools": {}},
                "elicitation": {"form": {}, "url": {}},
                "roots": {"listChanged": true},
            })
        };
        Arc::new(match &self.client {
            Some(client) => Behind {
                capabilities: client.capabilities.clone(),
                info: client.info.clone(),
            },
            None => Behind {
                capabilities: everything(),
                info: None,
            },
        })
    }

    // -- which copy --------------------------------------------------------------------------------

    /// Whether nothing used it for `idle`, nothing is under way, and nobody reads its stream.
    pub(super) fn is_idle(&self, idle: Duration) -> bool {
        let state = locked(&self.state);
        !self.is_heard()
            && locked(&self.listeners).is_empty()
            && state.used.elapsed() >= idle
            && state
                .attachment
                .as_ref()
                .is_none_or(|attachment| attachment.running().is_empty())
    }

    pub(super) fn touch(&self) {
        locked(&self.state).used = Instant::now();
    }

    /// The copy it is attached to.
    pub(super) fn attachment(&self) -> Option<Arc<Attachment>> {
        locked(&self.state).attachment.clone()
    }

    /// The calls that are under way.
    pub(super) fn running(&self) -> Vec<Arc<Call>> {
        self.attachment()
            .map(|attachment| attachment.running())
            .unwrap_or_default()
    }

    /// The attached copy, when a request may go to it while the source's version is `now`.
    pub(super) fn try_lease(&self, now: u64, role: &Role) -> Option<Lease> {
        let mut state = locked(&self.state);
        state.used = Instant::now();
        let attachment = state.attachment.clone()?;
        if attachment.is_dead() {
            return None;
        }
        // A new setup replaces the old scenario, and so it goes to the new version; only others are held back.
        let replaces = matches!(role, Role::Setup(_)) && state.setting_up == 0;
        let bound = state.is_bound() && !replaces;
        if attachment.version < now && !bound {
            return None;
        }
        Some(state.lease(&attachment, role))
    }

    /// The attached copy, whatever its version, when it lives.
    pub(super) fn lease_old(&self, role: &Role) -> Option<Lease> {
        let mut state = locked(&self.state);
        let attachment = state.attachment.clone()?;
        (!attachment.is_dead()).then(|| state.lease(&attachment, role))
    }

    /// Attaches a fresh copy, unless a scenario is set up on the old one: then the new copy is only for the setup that may replace it, and
    /// takes over when that succeeds.
    ///
    /// # Errors
    /// Gives the copy back when the session has ended.
    pub(super) fn attach(
        self: &Arc<Self>,
        attachment: Arc<Attachment>,
        role: &Role,
    ) -> Result<Lease, Arc<Attachment>> {
        self.prime(&attachment);
        let mut state = locked(&self.state);
        if state.closed {
            return Err(attachment);
        }
        let old = state.attachment.clone().filter(|old| !old.is_dead());
        if old.is_some() && state.is_bound() {
            return Ok(state.lease(&attachment, role));
        }
        let replaced = state.attachment.replace(Arc::clone(&attachment));
        if replaced.as_ref().is_some_and(|replaced| replaced.is_dead())
            && let Some(scenario) = state.scenario.take()
        {
            state.lost = Some(Lost {
                scenario,
                why: ENDED.to_owned(),
            });
        }
        let lease = state.lease(&attachment, role);
        let untold = state.untold.take();
        drop(state);
        self.replaced(replaced, untold);
        Ok(lease)
    }

    /// The old copy is closed when its calls have ended, and the client learns what has changed.
    fn replaced(&self, old: Option<Arc<Attachment>>, untold: Option<VersionChange>) {
        if let (Some(old), Some(server)) = (old, self.server.upgrade()) {
            let drain = server.options().drain;
            server.later(old.retire(drain, server.closing().clone()));
        }
        if let Some(untold) = untold {
            self.announce(&untold);
        }
    }

    /// Says to a fresh copy what its client had said to the one before.
    fn prime(&self, attachment: &Attachment) {
        let (level, mut addresses) = {
            let state = locked(&self.state);
            (state.level, state.subscriptions.clone())
        };
        for listener in locked(&self.listeners).iter() {
            addresses.extend(listener.filter.addresses.iter().cloned());
        }
        let say = |method: &str, params: Value| {
            let passage = attachment.passage();
            // Nobody waits for the answer: a copy that has no logging or no subscriptions has none for this client.
            passage.request(passage.next_id(), method, &params.to_string());
        };
        if let Some(level) = level {
            say(
                "logging/setLevel",
                serde_json::json!({"level": level.name()}),
            );
        }
        for address in addresses {
            say("resources/subscribe", serde_json::json!({"uri": address}));
        }
    }

    /// What a request is for, when it may be done: what needs a scenario whose copy died is an error.
    pub(super) fn purpose(
        &self,
        method: &str,
        name: &str,
        role: Role,
    ) -> Result<Purpose, RpcError> {
        let state = locked(&self.state);
        let needs = match &role {
            Role::Submit(scenario) | Role::Grade(scenario) => Some(scenario),
            Role::None | Role::Setup(_) => None,
        };
        if let (Some(lost), Some(wanted)) = (&state.lost, needs)
            && scenario::same(&lost.scenario, wanted)
        {
            return Err(RpcError::new(
                code::INTERNAL_ERROR,
                format!(
                    "the scenario `{}` is lost: {}\nhint: set it up again",
                    lost.scenario, lost.why
                ),
            ));
        }
        let active = state.scenario.as_deref();
        Ok(match role {
            Role::Setup(scenario) => Purpose::Setup(scenario),
            Role::Grade(uri) if active.is_some_and(|active| scenario::same(active, &uri)) => {
                Purpose::Grade
            }
            Role::Grade(_) | Role::Submit(_) | Role::None => match method {
                "resources/subscribe" => Purpose::Subscribe(name.to_owned()),
                "resources/unsubscribe" => Purpose::Unsubscribe(name.to_owned()),
                _ => Purpose::Plain,
            },
        })
    }

    /// A setup was prepared, but never sent.
    pub(super) fn setup_not_sent(&self) {
        let mut state = locked(&self.state);
        state.setting_up = state.setting_up.saturating_sub(1);
    }

    /// A call has ended; `event` is what its client gets.
    pub(super) fn call_ended(
        &self,
        lease: &Lease,
        purpose: &Purpose,
        outcome: &CallOutcome,
        event: Option<&Event>,
    ) {
        let ok = *outcome == CallOutcome::Ok;
        let mut state = locked(&self.state);
        state.used = Instant::now();
        match purpose {
            Purpose::Subscribe(address) if ok => {
                state.subscriptions.insert(address.clone());
            }
            Purpose::Unsubscribe(address) => {
                state.subscriptions.remove(address);
            }
            Purpose::Subscribe(_) | Purpose::Plain => {}
            Purpose::Setup(scenario) => {
                state.setting_up = state.setting_up.saturating_sub(1);
                let current = state
                    .attachment
                    .as_ref()
                    .is_some_and(|current| Arc::ptr_eq(current, lease));
                if ok {
                    state.scenario = Some(scenario.clone());
                    state.lost = None;
                    if !current && !state.closed {
                        let old = state.attachment.replace(Arc::clone(lease));
                        let untold = state.untold.take();
                        drop(state);
                        self.replaced(old, untold);
                    }
                    return;
                }
                // A refusal of the arguments comes before the old scenario is touched; any other failure has ended it.
                let refused = matches!(
                    event,
                    Some(Event::End {
                        code: Some(code::INVALID_PARAMS),
                        ..
                    })
                );
                if current && !refused {
                    state.scenario = None;
                }
                drop(state);
                if !current {
                    self.replaced(Some(Arc::clone(lease)), None);
                }
                self.finish_named();
            }
            Purpose::Grade => {
                state.scenario = None;
                drop(state);
                self.finish_named();
            }
        }
    }

    /// A session that a setup opened ends with its scenario.
    fn finish_named(&self) {
        if self.kind == Kind::Named
            && let Some(server) = self.server.upgrade()
        {
            server.end_session(&self.id);
        }
    }

    /// The attached copy is gone, and `calls` were under way in it.
    pub(super) fn copy_died(self: &Arc<Self>, attachment: &Attachment, calls: Vec<Arc<Call>>) {
        let mut state = locked(&self.state);
        let current = state
            .attachment
            .as_ref()
            .filter(|current| std::ptr::eq(Arc::as_ptr(current), attachment))
            .cloned();
        if current.is_some() {
            state.attachment = None;
            if let Some(scenario) = state.scenario.take() {
                state.lost = Some(Lost {
                    scenario,
                    why: ENDED.to_owned(),
                });
            }
        }
        drop(state);
        let copy = Arc::clone(&attachment.copy);
        let session = Arc::clone(self);
        let finish = async move {
            let why = copy.why_ended().await;
            let why = why.unwrap_or_else(|| ENDED.to_owned());
            if let Some(lost) = &mut locked(&session.state).lost
                && current.is_some()
            {
                why.lines()
                    .next()
                    .unwrap_or_default()
                    .clone_into(&mut lost.why);
            }
            for call in calls {
                call.end(Ending::Died(why.clone()));
            }
            copy.close().await;
        };
        if let Some(server) = self.server.upgrade() {
            server.later(finish);
        }
    }

    /// Ends the session: nothing more is told, and its copy is closed.
    pub(super) async fn close(&self) {
        let attachment = {
            let mut state = locked(&self.state);
            state.closed = true;
            state.attachment.take()
        };
        self.stream.end();
        for listener in locked(&self.listeners).drain(..) {
            listener.finish();
        }
        if let Some(attachment) = attachment {
            attachment.close().await;
        }
    }
}

impl State {
    /// Whether a scenario binds it to its version.
    fn is_bound(&self) -> bool {
        self.scenario.is_some() || self.setting_up > 0
    }

    fn lease(&mut self, attachment: &Arc<Attachment>, role: &Role) -> Lease {
        if matches!(role, Role::Setup(_)) {
            self.setting_up += 1;
        }
        attachment.lease()
    }
}
