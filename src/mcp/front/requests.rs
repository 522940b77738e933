//! What each request of a client does: answered here, or passed on to a copy.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::HeaderMap;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::call::{Call, NewCall, Registry};
use super::dress::{self, Dress};
use super::era::{self, RequestMeta};
use super::headers;
use super::listening::{Filter, Listener};
use super::rounds::{self, Answers, Print};
use super::scenario::{self, Role};
use super::server::RelayServer;
use super::session::{ClientFacts, Kind, Session};
use super::wire::{self, Id, Members, RpcError, code};

/// A copy that is gone before it got the request is replaced this often.
const ATTEMPTS: usize = 3;

/// What a request came to.
pub(super) enum Reply {
    /// It is answered: the text, and the code when it is an error.
    Done { text: String, code: Option<i32> },
    /// A copy works on it.
    Running(Running),
    /// It listens.
    Listening(Arc<Session>, Arc<Listener>),
}

/// A call, and what its retry must have in common with it.
pub(super) struct Running {
    pub(super) call: Arc<Call>,
    pub(super) print: Print,
}

/// A request with its parameters taken apart.
pub(super) struct Request<'a> {
    pub(super) id: Id,
    pub(super) method: &'a str,
    pub(super) params: Members<'a>,
    pub(super) registry: Option<Arc<Registry>>,
    /// Where arguments may be repeated in headers.
    pub(super) headers: Option<&'a HeaderMap>,
}

impl Reply {
    fn of(id: &Id, outcome: Result<String, RpcError>) -> Self {
        match outcome {
            Ok(result) => Self::Done {
                text: wire::result(id, &result),
                code: None,
            },
            Err(error) => Self::error(id, &error),
        }
    }

    pub(super) fn error(id: &Id, error: &RpcError) -> Self {
        Self::Done {
            text: wire::error(Some(id), error),
            code: Some(error.code),
        }
    }
}

fn method_not_found(method: &str) -> RpcError {
    RpcError::new(
        code::METHOD_NOT_FOUND,
        format!("there is no method `{method}`"),
    )
}

/// The tool, prompt or resource that a request is about.
fn name_of(method: &str, params: &Members<'_>) -> String {
    let text = |members: &Members<'_>| {
        ["name", "uri"]
            .iter()
            .find_map(|key| members.text(key).map(|text| text.into_owned()))
    };
    let name = if method == "completion/complete" {
        params
            .get_as::<Members<'_>>("ref")
            .and_then(|target| text(&target))
    } else {
        text(params)
    };
    name.unwrap_or_default()
}

impl RelayServer {
    /// Opens a session for a client that initialises, or lets it take up one that it has named, which keeps what was agreed in it; gives the
    /// result of `initialize`.
    pub(super) fn initialize(
        self: &Arc<Self>,
        params: &Members<'_>,
        taken_up: Option<Arc<Session>>,
    ) -> Result<(Arc<Session>, String), RpcError> {
        let Some(wanted) = params.text("protocolVersion") else {
            return Err(RpcError::new(
                code::INVALID_PARAMS,
                "initialize needs `protocolVersion`",
            ));
        };
        let version = era::negotiated(&wanted);
        let facts = ClientFacts {
            version,
            capabilities: params
                .get_as("capabilities")
                .filter(Value::is_object)
                .unwrap_or_else(|| json!({})),
            info: params.get_as("clientInfo").filter(Value::is_object),
        };
        let session = match taken_up {
            Some(session) => session,
            None => self.open_session(Kind::Connection, Some(facts))?,
        };
        let version = session.version().unwrap_or(version);
        let mut result = json!({
            "protocolVersion": version,
            "capabilities": dress::capabilities(),
            "serverInfo": serde_json::from_str::<Value>(self.identity().get()).unwrap_or_default(),
        });
        if let Some(instructions) = self.source().identity().instructions {
            result["instructions"] = json!(instructions);
        }
        Ok((session, result.to_string()))
    }

    /// A request of a session, up to 2025-11-25.
    pub(super) async fn session_request(
        self: &Arc<Self>,
        session: &Arc<Session>,
        request: Request<'_>,
    ) -> Reply {
        session.touch();
        let id = request.id.clone();
        let params = &request.params;
        match request.method {
            "ping" => Reply::of(&id, Ok("{}".to_owned())),
            "initialize" => Reply::error(
                &id,
                &RpcError::new(code::INVALID_REQUEST, "the session is initialised already"),
            ),
            "logging/setLevel" => {
                let level = params.get("level").ok_or_else(|| {
                    RpcError::new(code::INVALID_PARAMS, "logging/setLevel needs `level`")
                });
                let outcome = level.and_then(era::level_of).map(|level| {
                    session.set_level(level);
                    "{}".to_owned()
                });
                Reply::of(&id, outcome)
            }
            "server/discover" | "subscriptions/listen" => {
                Reply::error(&id, &method_not_found(request.method))
            }
            _ => {
                self.pass_on(
                    session,
                    request,
                    Dress::Session,
                    Answers::new(),
                    String::new(),
                )
                .await
            }
        }
    }

    /// A request of the era without sessions.
    pub(super) async fn stateless_request(
        self: &Arc<Self>,
        request: Request<'_>,
        meta: RequestMeta,
    ) -> Reply {
        let id = request.id.clone();
        let outcome = match request.method {
            "server/discover" => Ok(Reply::of(&id, self.discover(meta))),
            "subscriptions/listen" if meta.is_modern() => self.listen(&request, &meta).await,
            // They went with the sessions.
            "initialize"
            | "ping"
            | "logging/setLevel"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "subscriptions/listen" => Err(method_not_found(request.method)),
            _ => self.stateless_call(request, meta).await,
        };
        outcome.unwrap_or_else(|error| Reply::error(&id, &error))
    }

    fn discover(&self, meta: RequestMeta) -> Result<String, RpcError> {
        let mut result = json!({
            "supportedVersions": era::supported(),
            "capabilities": dress::capabilities(),
        });
        if let Some(instructions) = self.source().identity().instructions {
            result["instructions"] = json!(instructions);
        }
        let dress = Dress::Stateless {
            // Whatever version asks, this answer is of the newest.
            meta: RequestMeta {
                version: era::MODERN.to_owned(),
                ..meta
            },
            server: self.identity(),
            opened: None,
        };
        dress.result(
            "server/discover",
            &wire::raw(&result),
            &super::call::Purpose::Plain,
        )
    }

    /// The session that a request of the era without sessions names, else the shared one.
    fn named_session(&self, meta: &RequestMeta) -> Result<Arc<Session>, RpcError> {
        match &meta.session {
            None => Ok(Arc::clone(self.shared_session())),
            Some(id) => self
                .find_session(id)
                .filter(|session| session.kind() == Kind::Named)
                .ok_or_else(|| {
                    RpcError::new(
                        code::INVALID_PARAMS,
                        format!("there is no session `{id}`; it may have ended or expired"),
                    )
                }),
        }
    }

    async fn listen(
        self: &Arc<Self>,
        request: &Request<'_>,
        meta: &RequestMeta,
    ) -> Result<Reply, RpcError> {
        let filter = Filter::read(&request.params)?;
        let session = self.named_session(meta)?;
        let listener = Arc::new(Listener::new(request.id.clone(), filter));
        session.add_listener(&listener);
        // What changes while a copy runs is said by the copy. Without one, new versions are told all the same.
        let before = session.attachment();
        if let Ok(lease) = self.lease(&session, &Role::None).await
            && before.is_some_and(|before| Arc::ptr_eq(&before, &lease))
        {
            // A fresh copy has been told already.
            for address in &listener.filter.addresses {
                let params = json!({"uri": address}).to_string();
                let passage = lease.passage();
                passage.request(passage.next_id(), "resources/subscribe", &params);
            }
        }
        Ok(Reply::Listening(session, listener))
    }

    async fn stateless_call(
        self: &Arc<Self>,
        mut request: Request<'_>,
        meta: RequestMeta,
    ) -> Result<Reply, RpcError> {
        let rounds = matches!(
            request.method,
            "tools/call" | "prompts/get" | "resources/read"
        );
        let mut answers = Answers::new();
        let named = meta.session.clone().unwrap_or_default();
        if rounds {
            answers = rounds::answers(&request.params)?;
            if let Some(state) = request.params.get("requestState") {
                let state: String = serde_json::from_str(state.get()).map_err(|_| {
                    RpcError::new(code::INVALID_PARAMS, "`requestState` must be a string")
                })?;
                return self.retry(request, &state, answers, named);
            }
            request.params.remove("inputResponses");
        }
        let (session, opened) = match scenario::role(request.method, &request.params) {
            Role::Setup(_) if meta.session.is_none() => {
                let session = self.open_session(Kind::Named, None)?;
                let id = session.id().to_owned();
                (session, Some(id))
            }
            _ => (self.named_session(&meta)?, None),
        };
        let dress = Dress::Stateless {
            meta,
            server: self.identity(),
            opened: opened.clone(),
        };
        let reply = self.pass_on(&session, request, dress, answers, named).await;
        if let (Some(opened), Reply::Done { .. }) = (opened, &reply) {
            self.end_session(&opened);
        }
        Ok(reply)
    }

    /// Continues a suspended call.
    fn retry(
        &self,
        request: Request<'_>,
        state: &str,
        answers: Answers,
        session: String,
    ) -> Result<Reply, RpcError> {
        let print = print(request.method, &request.params, session);
        let call = self.suspended.take(state, &print, &answers)?;
        let progress = progress_token(&request.params);
        call.resume(request.id, progress, answers);
        Ok(Reply::Running(Running { call, print }))
    }

    /// Sends a request to the session's copy.
    async fn pass_on(
        self: &Arc<Self>,
        session: &Arc<Session>,
        request: Request<'_>,
        dress: Dress,
        answers: Answers,
        named: String,
    ) -> Reply {
        let id = request.id.clone();
        if request.method.starts_with("hud/") {
            // Between a worker and whoever runs it.
            return Reply::error(&id, &method_not_found(request.method));
        }
        let print = print(request.method, &request.params, named);
        match self.start(session, request, dress, answers).await {
            Ok(call) => Reply::Running(Running { call, print }),
            Err(error) => Reply::error(&id, &error),
        }
    }

    async fn start(
        self: &Arc<Self>,
        session: &Arc<Session>,
        request: Request<'_>,
        dress: Dress,
        answers: Answers,
    ) -> Result<Arc<Call>, RpcError> {
        let Request {
            id,
            method,
            mut params,
            registry,
            headers,
        } = request;
        let name = name_of(method, &params);
        let progress = progress_token(&params);
        let mut role = scenario::role(method, &params);
        for _ in 0..ATTEMPTS {
            let mut lease = self.lease(session, &role).await?;
            if method == "prompts/get" && role == Role::None {
                // A worker takes a scenario's short name too.
                // A server that cannot say what it lists has no scenarios of ours.
                let offer = lease.offer().await.unwrap_or_default();
                if let Some(full) = offer.scenario(&name) {
                    role = Role::Setup(full.to_owned());
                    drop(lease);
                    lease = self.lease(session, &role).await?;
                }
            }
            if let Some(headers) = headers
                && method == "tools/call"
            {
                let offer = lease.offer().await.unwrap_or_default();
                let annotated = offer.headers(&name);
                if !annotated.is_empty() {
                    let arguments: Value = params.get_as("arguments").unwrap_or_default();
                    headers::check_params(headers, annotated, &arguments)?;
                }
            }
            let purpose = session.purpose(method, &name, role.clone())?;
            let key = lease.passage().next_id();
            if progress.is_some() {
                set_progress_token(&mut params, key);
            }
            let attachment = Arc::clone(&lease);
            let call = Call::new(
                key,
                lease,
                NewCall {
                    id: id.clone(),
                    method: method.to_owned(),
                    name: name.clone(),
                    purpose,
                    session: Arc::clone(session),
                    dress: dress.clone(),
                    progress: progress.clone(),
                    prepared: answers.clone(),
                    registry: registry.clone(),
                },
            );
            if attachment.start(&call, &params.json()) {
                return Ok(call);
            }
            call.abandon();
            if matches!(role, Role::Setup(_)) {
                session.setup_not_sent();
            }
        }
        Err(RpcError::new(
            code::INTERNAL_ERROR,
            "the environment's copies end before they take a request",
        ))
    }
}

fn print(method: &str, params: &Members<'_>, session: String) -> Print {
    Print {
        method: method.to_owned(),
        name: name_of(method, params),
        session,
        arguments: params.get_as("arguments").unwrap_or_default(),
    }
}

/// The token under which the client wants to hear of progress.
fn progress_token(params: &Members<'_>) -> Option<Box<RawValue>> {
    let meta: Members<'_> = params.get_as("_meta")?;
    let token = meta.get("progressToken")?;
    (token.get() != "null").then(|| token.to_owned())
}

/// Towards the copy, every call has a token of its own: clients choose theirs without knowing of each other.
fn set_progress_token(params: &mut Members<'_>, token: u64) {
    let changed = {
        let mut meta: Members<'_> = params.get_as("_meta").unwrap_or_default();
        meta.set("progressToken", Cow::Owned(wire::raw(&token)));
        meta.raw()
    };
    params.set("_meta", Cow::Owned(changed));
}
