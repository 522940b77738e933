//! One request of a client that a copy works on: what the copy says meanwhile, what it asks, and how it ends.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::attachment::{Attachment, Lease};
use super::dress::Dress;
use super::era;
use super::level::Level;
use super::queue::{Bounds, Ended, Queue};
use super::session::Session;
use super::wire::{self, Id, Members, RpcError, code};
use super::{CallOutcome, CallReport};
use crate::mcp::passage::Answer;

/// What may wait for a client that reads slower than its tool talks.
const BOUNDS: Bounds = Bounds {
    items: 1024,
    bytes: 8 * 1024 * 1024,
};

/// What becomes of the session when a call has ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Purpose {
    /// Nothing.
    Plain,
    /// The scenario is set up, when it succeeded.
    Setup(String),
    /// The scenario is over.
    Grade,
    /// The address is subscribed, when it succeeded.
    Subscribe(String),
    /// The address is no longer subscribed.
    Unsubscribe(String),
}

/// How a call ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// The copy has answered.
    Answer(Answer),
    /// It could not.
    Failed(RpcError),
    /// It is gone; why, as far as that is known.
    Died(String),
    /// The client cancelled it or went away.
    Cancelled,
}

/// What its client gets.
#[derive(Debug)]
pub(super) enum Event {
    /// A notification or, up to 2025-11-25, a request.
    Message(String),
    /// The answer, and the code when it is an error.
    End { text: String, code: Option<i32> },
}

/// A question that waits for the client's retry (MCP 2026-07-28).
#[derive(Debug)]
pub(super) struct Question {
    /// The copy's id for it.
    pub(super) id: Box<RawValue>,
    /// The client's name for it.
    pub(super) key: String,
    pub(super) method: String,
    pub(super) params: Box<RawValue>,
}

/// Calls by the ids that their client gave them.
#[derive(Default)]
pub(super) struct Registry(Mutex<HashMap<Id, Weak<Call>>>);

impl Registry {
    pub(super) fn add(&self, id: &Id, call: &Arc<Call>) {
        locked(&self.0).insert(id.clone(), Arc::downgrade(call));
    }

    fn remove(&self, id: &Id) {
        locked(&self.0).remove(id);
    }

    pub(super) fn find(&self, id: &Id) -> Option<Arc<Call>> {
        locked(&self.0).get(id)?.upgrade()
    }

    pub(super) fn all(&self) -> Vec<Arc<Call>> {
        locked(&self.0).values().filter_map(Weak::upgrade).collect()
    }
}

/// A request under way.
pub(super) struct Call {
    /// Its id towards the copy.
    pub(super) key: u64,
    pub(super) method: String,
    /// The tool, prompt or address; empty for others.
    pub(super) name: String,
    pub(super) purpose: Purpose,
    pub(super) begun: Instant,
    pub(super) session: Arc<Session>,
    dress: Dress,
    state: Mutex<State>,
    pub(super) queue: Queue<Event>,
}

struct State {
    id: Id,
    progress: Option<Box<RawValue>>,
    lease: Option<Lease>,
    registry: Option<Arc<Registry>>,
    /// Answers that came with the request, before anything was asked.
    prepared: HashMap<String, Box<RawValue>>,
    questions: Vec<Question>,
    /// Questions so far, to name those that have no name.
    asked: usize,
    /// Since when the copy works without waiting for the client.
    working_since: Instant,
}

/// What a call is made of.
pub(super) struct NewCall {
    pub(super) id: Id,
    pub(super) method: String,
    pub(super) name: String,
    pub(super) purpose: Purpose,
    pub(super) session: Arc<Session>,
    pub(super) dress: Dress,
    pub(super) progress: Option<Box<RawValue>>,
    pub(super) prepared: HashMap<String, Box<RawValue>>,
    pub(super) registry: Option<Arc<Registry>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Call {
    pub(super) fn new(key: u64, lease: Lease, new: NewCall) -> Arc<Self> {
        let state = State {
            id: new.id,
            progress: new.progress,
            lease: Some(lease),
            registry: new.registry,
            prepared: new.prepared,
            questions: Vec::new(),
            asked: 0,
            working_since: Instant::now(),
        };
        let call = Arc::new(Self {
            key,
            method: new.method,
            name: new.name,
            purpose: new.purpose,
            begun: Instant::now(),
            session: new.session,
            dress: new.dress,
            state: Mutex::new(state),
            queue: Queue::new(BOUNDS),
        });
        let state = locked(&call.state);
        if let Some(registry) = &state.registry {
            registry.add(&state.id, &call);
        }
        drop(state);
        call
    }

    /// The copy it runs in, until it has ended.
    pub(super) fn attachment(&self) -> Option<Arc<Attachment>> {
        locked(&self.state)
            .lease
            .as_ref()
            .map(|lease| Arc::clone(lease))
    }

    /// The id under which its client knows it.
    pub(super) fn id(&self) -> Id {
        locked(&self.state).id.clone()
    }

    pub(super) fn dress(&self) -> &Dress {
        &self.dress
    }

    // -- what the copy says ------------------------------------------------------------------------

    fn push(&self, message: String) {
        let bytes = message.len();
        if !self.dress.is_stateless() {
            // Its client may come back for it; then the latest matter most, and the answer most of all.
            self.queue.push_latest(Event::Message(message), bytes);
        } else if !self.queue.push(Event::Message(message), bytes) {
            // Its client does not read, and closing the stream is how such a request is cancelled.
            self.cancel("the client does not read");
        }
    }

    /// A message for its client.
    pub(super) fn tell(&self, message: String) {
        self.push(message);
    }

    /// A notification of progress; `params` carry our token.
    pub(super) fn progress(&self, params: &RawValue) {
        let Some(token) = locked(&self.state).progress.clone() else {
            return;
        };
        if let Ok(mut members) = Members::read(Some(params), "params") {
            members.set("progressToken", Cow::Owned(token));
            self.push(wire::notification(
                "notifications/progress",
                &members.json(),
            ));
        }
    }

    /// A log message.
    pub(super) fn log(&self, params: Option<&RawValue>) {
        let wanted = match &self.dress {
            Dress::Stateless { meta, .. } => meta.log_level,
            Dress::Session => Some(self.session.level()),
        };
        if let Some(params) = params
            && let Some(text) = log_message(params, wanted)
        {
            self.push(text);
        }
    }

    /// A question of the copy on behalf of this call.
    pub(super) fn asked(
        &self,
        session: &Arc<Session>,
        id: &RawValue,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<(), RpcError> {
        let params = params.map_or_else(wire::empty, ToOwned::to_owned);
        let (key, params) = question(&params)?;
        match &self.dress {
            Dress::Session => {
                let Some(attachment) = self.attachment() else {
                    return Err(RpcError::new(code::INVALID_REQUEST, "the call has ended"));
                };
                let text =
                    session.register_ask(&attachment, id, method, &params, Some(self.key))?;
                self.push(text);
                Ok(())
            }
            Dress::Stateless { meta, .. } => {
                if !matches!(
                    method,
                    "sampling/createMessage" | "elicitation/create" | "roots/list"
                ) {
                    return Err(RpcError::new(
                        code::METHOD_NOT_FOUND,
                        format!("clients cannot be asked `{method}`"),
                    ));
                }
                if !meta.is_modern() {
                    return Err(RpcError::new(
                        code::INVALID_REQUEST,
                        "a request of an older version without a session cannot be answered in rounds",
                    ));
                }
                let members = Members::read(Some(&params), "params")?;
                if let Some(required) =
                    era::missing_capability(&meta.capabilities, method, &members)
                {
                    return Err(era::cannot_ask(method, &required));
                }
                self.suspend_for(id, key, method, params.clone());
                Ok(())
            }
        }
    }

    fn suspend_for(&self, id: &RawValue, key: Option<String>, method: &str, params: Box<RawValue>) {
        let mut state = locked(&self.state);
        state.asked += 1;
        let mut key = key.unwrap_or_else(|| format!("input-{}", state.asked));
        while state.questions.iter().any(|question| question.key == key) {
            state.asked += 1;
            key = format!("input-{}", state.asked);
        }
        let prepared = state.prepared.remove(&key);
        if let Some(prepared) = prepared {
            let lease = state.lease.as_ref().map(|lease| Arc::clone(lease));
            drop(state);
            if let Some(attachment) = lease {
                attachment.passage().reply(id, &Answer::Result(prepared));
            }
            return;
        }
        state.questions.push(Question {
            id: id.to_owned(),
            key,
            method: method.to_owned(),
            params,
        });
        drop(state);
        self.queue.wake();
    }

    /// The copy does not want an answer any more.
    pub(super) fn withdraw(&self, id: &RawValue) -> bool {
        let mut state = locked(&self.state);
        let before = state.questions.len();
        state
            .questions
            .retain(|question| question.id.get() != id.get());
        state.questions.len() < before
    }

    // -- questions and their answers ---------------------------------------------------------------

    /// How many questions wait for the client.
    pub(super) fn open_questions(&self) -> usize {
        locked(&self.state).questions.len()
    }

    /// Looks at the questions that wait for the client.
    pub(super) fn with_questions<T>(&self, look: impl FnOnce(&[Question]) -> T) -> T {
        look(&locked(&self.state).questions)
    }

    /// Goes on for the client's retry, with the answers that it has.
    pub(super) fn resume(
        self: &Arc<Self>,
        id: Id,
        progress: Option<Box<RawValue>>,
        mut answers: HashMap<String, Box<RawValue>>,
    ) {
        let mut state = locked(&self.state);
        if let Some(registry) = state.registry.clone() {
            registry.remove(&state.id);
            registry.add(&id, self);
        }
        state.id = id;
        state.progress = progress;
        state.working_since = Instant::now();
        let lease = state.lease.as_ref().map(|lease| Arc::clone(lease));
        let mut given = Vec::new();
        state.questions.retain_mut(|question| {
            let Some(answer) = answers.remove(&question.key) else {
                return true;
            };
            given.push((question.id.clone(), answer));
            false
        });
        drop(state);
        if let Some(attachment) = lease {
            for (id, answer) in given {
                attachment.passage().reply(&id, &Answer::Result(answer));
            }
        }
    }

    /// For how long the copy has worked since the client last gave it something to work on.
    pub(super) fn working(&self) -> Duration {
        locked(&self.state).working_since.elapsed()
    }

    /// The client has answered a question.
    pub(super) fn answered(&self) {
        locked(&self.state).working_since = Instant::now();
    }

    // -- the end -----------------------------------------------------------------------------------

    /// It was never sent.
    pub(super) fn abandon(&self) {
        let mut state = locked(&self.state);
        state.lease = None;
        let registry = state.registry.take();
        let id = state.id.clone();
        drop(state);
        if let Some(registry) = registry {
            registry.remove(&id);
        }
    }

    /// Tells the copy to stop, and ends the call.
    pub(super) fn cancel(&self, reason: &str) {
        let Some(attachment) = self.attachment() else {
            return;
        };
        let Some(call) = attachment.take(self.key) else {
            return;
        };
        let params = serde_json::json!({"requestId": self.key, "reason": reason});
        attachment
            .passage()
            .notify("notifications/cancelled", &params.to_string());
        call.end(Ending::Cancelled);
    }

    /// Ends the call. Only who has taken it out of its attachment may do so, and so it happens once.
    pub(super) fn end(&self, ending: Ending) {
        let mut state = locked(&self.state);
        let lease = state.lease.take();
        let registry = state.registry.take();
        let id = state.id.clone();
        state.questions.clear();
        drop(state);
        if let Some(registry) = registry {
            registry.remove(&id);
        }
        let (event, outcome) = self.rendered(&id, ending);
        let version = lease.as_ref().map_or(0, |lease| lease.version);
        if let Some(lease) = &lease {
            self.session.forget_asks(lease, self.key);
            self.session
                .call_ended(lease, &self.purpose, &outcome, event.as_ref());
        }
        if self.reaches_user_code() {
            self.session.report(&CallReport {
                method: self.method.clone(),
                name: self.name.clone(),
                session: self.session.label().to_owned(),
                version,
                took: self.begun.elapsed(),
                outcome,
            });
        }
        match event {
            Some(event) => self.queue.push_last(event),
            None => self.queue.end(),
        }
    }

    fn reaches_user_code(&self) -> bool {
        matches!(
            self.method.as_str(),
            "tools/call" | "prompts/get" | "resources/read" | "completion/complete"
        )
    }

    fn rendered(&self, id: &Id, ending: Ending) -> (Option<Event>, CallOutcome) {
        let error = match ending {
            Ending::Cancelled => return (None, CallOutcome::Cancelled),
            Ending::Answer(Answer::Result(result)) => {
                let outcome = outcome_of(&self.method, &result);
                let result = self.dress.result(&self.method, &result, &self.purpose);
                return match result {
                    Ok(result) => {
                        let text = wire::result(id, &result);
                        (Some(Event::End { text, code: None }), outcome)
                    }
                    Err(error) => (
                        Some(self.failed(id, &error)),
                        CallOutcome::Failed(error.message),
                    ),
                };
            }
            Ending::Answer(Answer::Error(error)) => RpcError::read(&error),
            Ending::Failed(error) => error,
            Ending::Died(why) => {
                // What follows the first line comes from its log, which is not every client's business.
                let first = why.lines().next().unwrap_or_default();
                let error = RpcError::new(code::INTERNAL_ERROR, first);
                return (Some(self.failed(id, &error)), CallOutcome::Failed(why));
            }
        };
        if let Some(nothing) = nothing_offered(&self.method, &error) {
            let result = self.dress.result(&self.method, &nothing, &self.purpose);
            if let Ok(result) = result {
                let text = wire::result(id, &result);
                return (Some(Event::End { text, code: None }), CallOutcome::Ok);
            }
        }
        let outcome = CallOutcome::Failed(error.message.clone());
        (Some(self.failed(id, &error)), outcome)
    }

    fn failed(&self, id: &Id, error: &RpcError) -> Event {
        let error = self.dress.error(error);
        Event::End {
            text: wire::error(Some(id), &error),
            code: Some(error.code),
        }
    }

    /// What is there for its client now; `Err` at the end.
    pub(super) fn try_next(&self) -> Result<Option<Event>, Ended> {
        self.queue.try_next()
    }
}

/// A log message as the client gets it, when it wants one of that level.
pub(super) fn log_message(params: &RawValue, wanted: Option<Level>) -> Option<String> {
    let mut members = Members::read(Some(params), "params").ok()?;
    let level: Level = members.get_as("level")?;
    if level < wanted? {
        return None;
    }
    without_our_meta(&mut members);
    Some(wire::notification("notifications/message", &members.json()))
}

/// Takes the worker's own keys out of `_meta`; they are between it and us.
fn without_our_meta(members: &mut Members<'_>) -> Option<String> {
    let meta = members.remove("_meta")?;
    let mut meta: Members<'_> = serde_json::from_str(meta.get()).ok()?;
    meta.remove("hud/request");
    let key = meta
        .remove("hud/key")
        .and_then(|key| serde_json::from_str(key.get()).ok());
    if !meta.is_empty() {
        members.set("_meta", Cow::Owned(meta.raw()));
    }
    key
}

/// A question's key, when its author gave it one, and what the client is asked.
pub(super) fn question(params: &RawValue) -> Result<(Option<String>, Box<RawValue>), RpcError> {
    let mut members = Members::read(Some(params), "params")?;
    let key = without_our_meta(&mut members);
    Ok((key, members.raw()))
}

/// A list of a copy that does not know the method is empty: the front announces what some version of the environment may have.
fn nothing_offered(method: &str, error: &RpcError) -> Option<Box<RawValue>> {
    if error.code != code::METHOD_NOT_FOUND {
        return None;
    }
    let nothing = match method {
        "tools/list" => r#"{"tools":[]}"#,
        "prompts/list" => r#"{"prompts":[]}"#,
        "resources/list" => r#"{"resources":[]}"#,
        "resources/templates/list" => r#"{"resourceTemplates":[]}"#,
        "completion/complete" => r#"{"completion":{"values":[]}}"#,
        "logging/setLevel" => "{}",
        _ => return None,
    };
    RawValue::from_string(nothing.to_owned()).ok()
}

/// Whether a result says that the tool failed, and its words.
fn outcome_of(method: &str, result: &RawValue) -> CallOutcome {
    if method != "tools/call" || !result.get().contains("\"isError\"") {
        return CallOutcome::Ok;
    }
    let Ok(members) = Members::read(Some(result), "result") else {
        return CallOutcome::Ok;
    };
    if members.get_as::<bool>("isError") != Some(true) {
        return CallOutcome::Ok;
    }
    let content: Vec<Value> = members.get_as("content").unwrap_or_default();
    let words: Vec<&str> = content
        .iter()
        .filter_map(|block| block["text"].as_str())
        .collect();
    CallOutcome::ToolError(words.join("\n"))
}
