//! A client's session, or the shared one of all requests that name none: which copy it is attached to, and what its client is told.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::CallReport;
use super::attachment::{Attachment, Lease};
use super::call::{self, Call, Ending, Event, Purpose, Registry};
use super::era;
use super::level::Level;
use super::listening::Listener;
use super::queue::{Bounds, Queue};
use super::scenario::{self, Role};
use super::server::RelayServer;
use super::wire::{self, Id, Members, RpcError, code};
use super::{CallOutcome, VersionChange};
use crate::mcp::ClientEvents;
use crate::mcp::passage::Answer;

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
                why.lines().next().unwrap_or_default().clone_into(&mut lost.why);
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

    // -- what the client is told ---------------------------------------------------------------------

    /// Whether its client reads the stream.
    fn is_heard(&self) -> bool {
        locked(&self.reader).is_some()
    }

    /// A new reader of the stream; the token fires when another takes over. A connection that died without a word must not swallow what its
    /// successor waits for.
    pub(super) fn start_reading(&self) -> CancellationToken {
        let token = CancellationToken::new();
        let before = locked(&self.reader).replace(token.clone());
        if let Some(before) = before {
            before.cancel();
        }
        token
    }

    /// The reader with that token has gone.
    pub(super) fn stop_reading(&self, token: &CancellationToken) {
        if !token.is_cancelled() {
            *locked(&self.reader) = None;
        }
        self.touch();
    }

    /// The level below which the client wants no log messages. Until it says so it gets all.
    pub(super) fn level(&self) -> Level {
        locked(&self.state).level.unwrap_or(Level::Debug)
    }

    pub(super) fn set_level(&self, level: Level) {
        let attachment = {
            let mut state = locked(&self.state);
            state.level = Some(level);
            state.attachment.clone()
        };
        if let Some(attachment) = attachment {
            let passage = attachment.passage();
            let params = serde_json::json!({"level": level.name()});
            // As in `prime`: a copy without logging has none for this client.
            passage.request(passage.next_id(), "logging/setLevel", &params.to_string());
        }
    }

    /// Tells the client which lists differ in a new version, and lets go of the old one; later, while a scenario binds it to its own.
    pub(super) fn version_changed(&self, change: &VersionChange) {
        let mut state = locked(&self.state);
        if state.is_bound() {
            let untold = state.untold.get_or_insert(VersionChange {
                version: change.version,
                tools: false,
                prompts: false,
                resources: false,
            });
            untold.version = change.version;
            untold.tools |= change.tools;
            untold.prompts |= change.prompts;
            untold.resources |= change.resources;
            return;
        }
        // A client that asks for nothing must not keep the old version from its end.
        let old = state
            .attachment
            .take_if(|attachment| attachment.version < change.version);
        drop(state);
        self.replaced(old, Some(change.clone()));
    }

    fn announce(&self, change: &VersionChange) {
        for (differs, list) in [
            (change.tools, "tools"),
            (change.prompts, "prompts"),
            (change.resources, "resources"),
        ] {
            if differs {
                self.told(&format!("notifications/{list}/list_changed"), None);
            }
        }
    }

    /// Whether a new version matters to it before its next request: updates of resources come from the copy.
    pub(super) fn wants_updates(&self) -> bool {
        !locked(&self.state).subscriptions.is_empty()
            || locked(&self.listeners)
                .iter()
                .any(|listener| !listener.filter.addresses.is_empty())
    }

    /// Passes on a notification that belongs to no call.
    pub(super) fn told(&self, method: &str, params: Option<&RawValue>) {
        let params = params.map_or_else(wire::empty, ToOwned::to_owned);
        for listener in locked(&self.listeners).iter() {
            listener.tell(method, &params);
        }
        if self.kind != Kind::Connection {
            return;
        }
        if method == "notifications/resources/updated" {
            let updated = Members::read(Some(&params), "params").unwrap_or_default();
            let subscribed = updated
                .text("uri")
                .is_some_and(|uri| locked(&self.state).subscriptions.contains(uri.as_ref()));
            if !subscribed {
                return;
            }
        }
        let text = wire::notification(method, params.get());
        // Several changes that nobody has heard of yet are one.
        if method.ends_with("/list_changed") && self.stream.holds(|waiting| *waiting == text) {
            return;
        }
        self.tell(text);
    }

    fn tell(&self, text: String) {
        let bytes = text.len();
        self.stream.push_latest(text, bytes);
    }

    /// A log message that belongs to no call.
    pub(super) fn log(&self, params: Option<&RawValue>) {
        if self.kind == Kind::Connection
            && let Some(params) = params
            && let Some(text) = call::log_message(params, Some(self.level()))
        {
            self.tell(text);
        }
    }

    pub(super) fn add_listener(&self, listener: &Arc<Listener>) {
        locked(&self.listeners).push(Arc::clone(listener));
    }

    pub(super) fn remove_listener(&self, listener: &Arc<Listener>) {
        locked(&self.listeners).retain(|known| !Arc::ptr_eq(known, listener));
        self.touch();
        let Some(attachment) = self.attachment() else {
            return;
        };
        for address in &listener.filter.addresses {
            let wanted = locked(&self.listeners)
                .iter()
                .any(|other| other.filter.addresses.contains(address));
            if !wanted {
                let passage = attachment.passage();
                let params = serde_json::json!({"uri": address}).to_string();
                passage.request(passage.next_id(), "resources/unsubscribe", &params);
            }
        }
    }

    // -- what the client is asked --------------------------------------------------------------------

    /// The request that asks the client, with an id of ours.
    pub(super) fn register_ask(
        &self,
        attachment: &Arc<Attachment>,
        id: &RawValue,
        method: &str,
        params: &RawValue,
        call: Option<u64>,
    ) -> Result<String, RpcError> {
        let members = Members::read(Some(params), "params")?;
        let nothing = Value::Null;
        let capabilities = self
            .client
            .as_ref()
            .map_or(&nothing, |client| &client.capabilities);
        if let Some(required) = era::missing_capability(capabilities, method, &members) {
            return Err(era::cannot_ask(method, &required));
        }
        let ours = format!("\"ask-{}\"", self.next_ask.fetch_add(1, Ordering::Relaxed));
        let asked = Asked {
            attachment: Arc::downgrade(attachment),
            id: id.to_owned(),
            call,
        };
        let raw = RawValue::from_string(ours.clone()).unwrap_or_default();
        locked(&self.asks).insert(Id::of(&raw), asked);
        Ok(wire::request(&ours, method, params.get()))
    }

    /// Whether the client has been asked something for a call, and has not answered.
    pub(super) fn waits_for_client(&self, call: u64) -> bool {
        locked(&self.asks)
            .values()
            .any(|asked| asked.call == Some(call))
    }

    /// A call has ended, and with it what its client was asked for it.
    pub(super) fn forget_asks(&self, attachment: &Arc<Attachment>, call: u64) {
        locked(&self.asks).retain(|_, asked| {
            asked.call != Some(call)
                || !std::ptr::eq(asked.attachment.as_ptr(), Arc::as_ptr(attachment))
        });
    }

    /// A question that belongs to no call.
    pub(super) fn asked(
        &self,
        attachment: &Attachment,
        id: &RawValue,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<(), RpcError> {
        let current = self
            .attachment()
            .filter(|current| std::ptr::eq(Arc::as_ptr(current), attachment));
        let (Some(current), Kind::Connection, true) = (current, self.kind, self.is_heard()) else {
            return Err(RpcError::new(
                code::INVALID_REQUEST,
                format!(
                    "`{method}` belongs to no request of the client, and it has no stream open"
                ),
            ));
        };
        let params = params.map_or_else(wire::empty, ToOwned::to_owned);
        let (_, params) = call::question(&params)?;
        let text = self.register_ask(&current, id, method, &params, None)?;
        self.tell(text);
        Ok(())
    }

    /// The client's answer to a question. `false` when nothing was asked under that id.
    pub(super) fn answered(&self, id: &Id, result: Result<&RawValue, &RawValue>) -> bool {
        self.touch();
        let Some(asked) = locked(&self.asks).remove(id) else {
            return false;
        };
        if let Some(attachment) = asked.attachment.upgrade() {
            let answer = match result {
                Ok(result) => Answer::Result(result.to_owned()),
                Err(error) => Answer::Error(error.to_owned()),
            };
            attachment.passage().reply(&asked.id, &answer);
            if let Some(call) = asked.call.and_then(|key| attachment.call(key)) {
                call.answered();
            }
        }
        true
    }

    /// The copy does not want an answer any more.
    pub(super) fn ask_withdrawn(&self, attachment: &Attachment, params: Option<&RawValue>) {
        let Ok(members) = Members::read(params, "params") else {
            return;
        };
        let Some(theirs) = members.get("requestId") else {
            return;
        };
        for call in attachment.running() {
            if call.withdraw(theirs) {
                return;
            }
        }
        let mut asks = locked(&self.asks);
        let found = asks
            .iter()
            .find(|(_, asked)| asked.id.get() == theirs.get())
            .map(|(id, asked)| (id.clone(), asked.call));
        let Some((ours, call)) = found else {
            return;
        };
        asks.remove(&ours);
        drop(asks);
        let params = format!("{{\"requestId\":{}}}", ours.json());
        let text = wire::notification("notifications/cancelled", &params);
        match call.and_then(|key| attachment.call(key)) {
            Some(call) => call.tell(text),
            None => self.tell(text),
        }
    }

    /// A notification of the client, passed on to its copy.
    pub(super) fn notified(&self, method: &str, params: Option<&RawValue>) {
        self.touch();
        if let Some(attachment) = self.attachment() {
            let params = params.map_or("{}", RawValue::get);
            attachment.passage().notify(method, params);
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
