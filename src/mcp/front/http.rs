//! Streamable HTTP: one address for both eras. Up to 2025-11-25 a client posts requests and answers to a session, reads what belongs to no request
//! with GET, and ends the session with DELETE; since 2026-07-28 it only posts requests.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request as HttpRequest;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures::stream::{self, BoxStream, StreamExt as _};
use serde_json::value::RawValue;

use super::call::Registry;
use super::era::{self, RequestMeta};
use super::headers;
use super::requests::{Reply, Request};
use super::resume;
use super::rounds::Step;
use super::server::RelayServer;
use super::session::Session;
use super::stream as events;
use super::stream::Reader;
use super::wire::{self, Id, Incoming, Members, RpcError, code};

/// An answer that takes longer becomes a stream, so that the connection does not look dead to proxies.
const SOON: Duration = Duration::from_secs(1);

/// More messages than this in one body are refused.
const MAX_BATCH: usize = 100;

impl RelayServer {
    /// Answers a request to the MCP endpoint. Who may send it has been checked before.
    pub async fn handle(self: Arc<Self>, request: HttpRequest) -> Response {
        let (parts, body) = request.into_parts();
        let headers = parts.headers;
        match parts.method {
            Method::POST => self.post(&headers, body).await,
            Method::GET => self.get(&headers).await,
            Method::DELETE => self.session_of(&headers, None).map(|session| {
                self.end_session(session.id());
                status(StatusCode::OK)
            }),
            _ => Err(not_allowed()),
        }
        .unwrap_or_else(Refusal::into_response)
    }

    async fn get(&self, headers: &HeaderMap) -> Result<Response, Refusal> {
        if !accepts(headers, "text/event-stream") {
            return Err(refused(
                StatusCode::NOT_ACCEPTABLE,
                "a stream is `text/event-stream`, and the client does not accept that",
            ));
        }
        let session = self.session_of(headers, None)?;
        let last = headers
            .get("last-event-id")
            .and_then(|value| value.to_str().ok());
        if let Some(last) = last {
            // An error would make a browser ask for the same again and again.
            let rest = resume::after(&session, last).await;
            let rest = rest.unwrap_or_else(|| stream::empty().boxed());
            return Ok(events::response(rest));
        }
        Ok(events::response(events::session(self, session)))
    }

    /// The session that the headers name.
    fn session_of(&self, headers: &HeaderMap, id: Option<&Id>) -> Result<Arc<Session>, Refusal> {
        check_legacy_version(headers, id)?;
        let Some(named) = headers
            .get(headers::SESSION)
            .and_then(|value| value.to_str().ok())
        else {
            let words =
                "the header `Mcp-Session-Id` is missing: a session begins with `initialize`";
            return Err(failed(
                StatusCode::BAD_REQUEST,
                id,
                code::INVALID_REQUEST,
                words,
            ));
        };
        self.find_session(named)
            .filter(|session| session.version().is_some())
            .ok_or_else(|| {
                // The status tells clients to initialise again.
                let words = "there is no such session; it may have ended or expired";
                failed(StatusCode::NOT_FOUND, id, code::INVALID_REQUEST, words)
            })
    }

    async fn post(self: &Arc<Self>, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
        if !accepts(headers, "application/json") || !accepts(headers, "text/event-stream") {
            return Err(refused(
                StatusCode::NOT_ACCEPTABLE,
                "the client must accept `application/json` and `text/event-stream`",
            ));
        }
        if !is_json(headers) {
            return Err(refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body must be `application/json`",
            ));
        }
        let bytes = self.read(headers, body).await?;
        let body = wire::body(&bytes)
            .map_err(|error| json_error(StatusCode::BAD_REQUEST, None, &error))?;
        match body {
            wire::Body::One(raw) => self.one(headers, raw).await,
            wire::Body::Batch(batch) => self.batch(headers, &batch).await,
        }
    }

    /// Reads a body, no more of it than is allowed.
    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
        let limit = self.options().limits.body_bytes;
        let too_large = || {
            let words =
                format!("the request has more than {limit} bytes, the most that this server takes");
            refused(StatusCode::PAYLOAD_TOO_LARGE, &words)
        };
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        axum::body::to_bytes(body, limit).await.map_err(|error| {
            // The reader names the limit by its type only.
            if std::error::Error::source(&error)
                .is_some_and(|source| source.to_string().contains("limit"))
            {
                too_large()
            } else {
                refused(
                    StatusCode::BAD_REQUEST,
                    &format!("the body broke off: {error}"),
                )
            }
        })
    }

    async fn one(
        self: &Arc<Self>,
        headers: &HeaderMap,
        raw: &RawValue,
    ) -> Result<Response, Refusal> {
        let message = wire::message(raw)
            .map_err(|(id, error)| json_error(StatusCode::BAD_REQUEST, id.as_ref(), &error))?;
        match message {
            Incoming::Request { id, method, params } => {
                let invalid =
                    |error: RpcError| json_error(StatusCode::BAD_REQUEST, Some(&id), &error);
                let params = Members::read(params, "`params`").map_err(invalid)?;
                let meta = params.get("_meta").map(ToOwned::to_owned);
                let meta = Members::read(meta.as_deref(), "`_meta`").map_err(invalid)?;
                let modern = meta.get(era::VERSION_KEY).is_some()
                    || has_modern_header(headers)
                    || method == "server/discover";
                if modern {
                    self.stateless(headers, &id, &method, params, &meta).await
                } else {
                    self.in_session(headers, id, &method, params).await
                }
            }
            Incoming::Notification { method, params } => {
                if !has_modern_header(headers) {
                    let session = self.session_of(headers, None)?;
                    notified(&session, &session.calls, &method, params);
                }
                // Since 2026-07-28 there is nothing that a client could notify over HTTP.
                Ok(status(StatusCode::ACCEPTED))
            }
            Incoming::Answer { id, result } => {
                let session = self.session_of(headers, None)?;
                session.answered(&id, result);
                // An answer to what is not asked any more is none of the client's fault.
                Ok(status(StatusCode::ACCEPTED))
            }
        }
    }

    async fn stateless(
        self: &Arc<Self>,
        headers: &HeaderMap,
        id: &Id,
        method: &str,
        params: Members<'_>,
        meta: &Members<'_>,
    ) -> Result<Response, Refusal> {
        let invalid = |error: RpcError| json_error(StatusCode::BAD_REQUEST, Some(id), &error);
        if let Some(version) = meta.text(era::VERSION_KEY) {
            headers::check_version(headers, &version).map_err(invalid)?;
        }
        let read = RequestMeta::read(meta).map_err(invalid)?;
        if read.is_modern() {
            headers::check(headers, method, &params).map_err(invalid)?;
        }
        let request = Request {
            id: id.clone(),
            method,
            params,
            registry: None,
            headers: read.is_modern().then_some(headers),
        };
        let reply = self.stateless_request(request, read).await;
        Ok(self.respond(reply, stateless_status).await)
    }

    async fn in_session(
        self: &Arc<Self>,
        headers: &HeaderMap,
        id: Id,
        method: &str,
        params: Members<'_>,
    ) -> Result<Response, Refusal> {
        if method == "initialize" {
            check_legacy_version(headers, Some(&id))?;
            return self.begin(headers, &id, &params);
        }
        let session = self.session_of(headers, Some(&id))?;
        let request = Request {
            id,
            method,
            params,
            registry: Some(Arc::clone(&session.calls)),
            headers: None,
        };
        let reply = self.session_request(&session, request).await;
        // Up to 2025-11-25 the status says only that there is an answer.
        Ok(self.respond(reply, |_| StatusCode::OK).await)
    }

    fn begin(
        self: &Arc<Self>,
        headers: &HeaderMap,
        id: &Id,
        params: &Members<'_>,
    ) -> Result<Response, Refusal> {
        // One process sets a scenario up and the next grades it: Python hud 5's `hud scenario` initialises again, and names the session
        // that it wants to go on with. A session that has ended is no reason to refuse a new one.
        let taken_up = headers
            .get(headers::SESSION)
            .and_then(|value| self.find_session(value.to_str().ok()?))
            .filter(|session| session.version().is_some());
        let (session, result) = self.initialize(params, taken_up).map_err(|error| {
            let status = match error.code {
                code::UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::BAD_REQUEST,
            };
            json_error(status, Some(id), &error)
        })?;
        let mut response = json(StatusCode::OK, wire::result(id, &result));
        if let Ok(value) = HeaderValue::from_str(session.id()) {
            response.headers_mut().insert(headers::SESSION, value);
        }
        Ok(response)
    }

    async fn respond(
        self: &Arc<Self>,
        reply: Reply,
        status_of: impl Fn(Option<i32>) -> StatusCode,
    ) -> Response {
        let running = match reply {
            Reply::Done { text, code } => return json(status_of(code), text),
            Reply::Listening(session, listener) => {
                return events::response(events::listener(self, session, listener));
            }
            Reply::Running(running) => running,
        };
        let mut reader = Reader::new(self, running);
        let closing = self.closing().clone();
        let first = tokio::select! {
            first = tokio::time::timeout(SOON, reader.next()) => first,
            () = closing.cancelled() => Ok(None),
        };
        match first {
            Ok(Some(Step::End { text, code })) => json(status_of(code), text),
            // Cancelled: a stream that ends without an answer.
            Ok(None) => events::response(stream::empty().boxed()),
            Ok(Some(Step::Message(text))) => events::response(stream_of(reader, Some(text))),
            Err(_) => events::response(stream_of(reader, None)),
        }
    }

    /// Several messages in one body, as MCP 2025-03-26 allows, and no other version.
    async fn batch(
        self: &Arc<Self>,
        headers: &HeaderMap,
        batch: &[&RawValue],
    ) -> Result<Response, Refusal> {
        let refuse =
            |words: &str| failed(StatusCode::BAD_REQUEST, None, code::INVALID_REQUEST, words);
        if has_modern_header(headers) {
            return Err(refuse(
                "MCP 2026-07-28 has no batches: send one message in each request",
            ));
        }
        let session = self.session_of(headers, None)?;
        if session.version() != Some(era::BATCHES) {
            return Err(refuse(
                "batches were removed with MCP 2025-06-18: send one message in each request",
            ));
        }
        if batch.is_empty() || batch.len() > MAX_BATCH {
            return Err(refuse(&format!(
                "a batch has between 1 and {MAX_BATCH} messages"
            )));
        }
        let mut streams = Vec::new();
        for raw in batch {
            let done = |text: String| stream::iter([events::event(&text)]).boxed();
            match wire::message(raw) {
                Err((id, error)) => streams.push(done(wire::error(id.as_ref(), &error))),
                Ok(Incoming::Notification { method, params }) => {
                    notified(&session, &session.calls, &method, params);
                }
                Ok(Incoming::Answer { id, result }) => {
                    session.answered(&id, result);
                }
                Ok(Incoming::Request { id, method, params }) => {
                    let reply = match Members::read(params, "`params`") {
                        Err(error) => Reply::error(&id, &error),
                        Ok(params) => {
                            let request = Request {
                                id,
                                method: &method,
                                params,
                                registry: Some(Arc::clone(&session.calls)),
                                headers: None,
                            };
                            self.session_request(&session, request).await
                        }
                    };
                    match reply {
                        Reply::Done { text, .. } => streams.push(done(text)),
                        Reply::Running(running) => {
                            streams.push(stream_of(Reader::new(self, running), None));
                        }
                        // Only the newer era has it.
                        Reply::Listening(..) => {}
                    }
                }
            }
        }
        if streams.is_empty() {
            return Ok(status(StatusCode::ACCEPTED));
        }
        Ok(events::response(stream::select_all(streams).boxed()))
    }
}

/// The events of a call. Those of a session can be taken up again.
fn stream_of(reader: Reader, first: Option<String>) -> BoxStream<'static, Bytes> {
    match reader.session() {
        Some(session) => resume::call(&session, reader, first),
        None => events::call(reader, first),
    }
}

/// A notification of a client with a session.
pub(super) fn notified(
    session: &Session,
    calls: &Registry,
    method: &str,
    params: Option<&RawValue>,
) {
    session.touch();
    match method {
        "notifications/initialized" => {}
        "notifications/cancelled" => {
            let Ok(params) = Members::read(params, "params") else {
                return;
            };
            if let Some(call) = params
                .get("requestId")
                .and_then(|id| calls.find(&Id::of(id)))
            {
                let reason = params.text("reason").unwrap_or_default();
                call.cancel(&reason);
            }
        }
        _ => session.notified(method, params),
    }
}

/// Since 2026-07-28 proxies read the outcome from the status.
fn stateless_status(error: Option<i32>) -> StatusCode {
    match error {
        Some(code::METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(
            code::HEADER_MISMATCH
            | code::MISSING_CAPABILITY
            | code::UNSUPPORTED_VERSION
            | code::INVALID_REQUEST,
        ) => StatusCode::BAD_REQUEST,
        Some(code::UNAVAILABLE) => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) | None => StatusCode::OK,
    }
}

fn has_modern_header(headers: &HeaderMap) -> bool {
    headers
        .get(headers::VERSION)
        .and_then(|value| value.to_str().ok())
        .is_some_and(era::is_modern)
}

/// The version in the header of a request with a session; one without is of a client older than the header.
fn check_legacy_version(headers: &HeaderMap, id: Option<&Id>) -> Result<(), Refusal> {
    if has_modern_header(headers) {
        return Err(not_allowed());
    }
    let Some(version) = headers.get(headers::VERSION) else {
        return Ok(());
    };
    let version = version.to_str().unwrap_or_default();
    if era::is_legacy(version) {
        return Ok(());
    }
    Err(json_error(
        StatusCode::BAD_REQUEST,
        id,
        &era::unsupported(version),
    ))
}

/// Whether `Accept` covers a type. A client that says nothing accepts everything.
fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    let (kind, _) = wanted.split_once('/').unwrap_or((wanted, ""));
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .any(|range| {
            range == "*/*"
                || range.eq_ignore_ascii_case(wanted)
                || range
                    .split_once('/')
                    .is_some_and(|(given, sub)| sub == "*" && given.eq_ignore_ascii_case(kind))
        })
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn not_allowed() -> Refusal {
    refused(
        StatusCode::METHOD_NOT_ALLOWED,
        "since MCP 2026-07-28 there are no sessions and no streams besides those of requests: use POST",
    )
}

fn json(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// A request that is not answered, but refused.
struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    fn into_response(self) -> Response {
        let mut response = json(self.status, self.text);
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            let methods = HeaderValue::from_static("GET, POST, DELETE");
            response.headers_mut().insert(header::ALLOW, methods);
        }
        response
    }
}

fn json_error(status: StatusCode, id: Option<&Id>, error: &RpcError) -> Refusal {
    Refusal {
        status,
        text: wire::error(id, error),
    }
}

fn failed(status: StatusCode, id: Option<&Id>, code: i32, words: &str) -> Refusal {
    json_error(status, id, &RpcError::new(code, words))
}

/// A refusal before anything of the body was read.
fn refused(status: StatusCode, words: &str) -> Refusal {
    failed(status, None, code::INVALID_REQUEST, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_headers() {
        let check = |value: Option<&str>, json: bool, events: bool| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::ACCEPT, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(accepts(&headers, "application/json"), json, "{value:?}");
            assert_eq!(accepts(&headers, "text/event-stream"), events, "{value:?}");
        };
        check(None, true, true);
        check(Some("*/*"), true, true);
        check(Some("application/json, text/event-stream"), true, true);
        check(Some("application/json;q=0.9"), true, false);
        check(Some("text/*"), false, true);
        check(Some("text/html"), false, false);
    }

    #[test]
    fn statuses_of_the_newer_era() {
        for (code, status) in [
            (None, 200),
            (Some(code::INVALID_PARAMS), 200),
            (Some(code::METHOD_NOT_FOUND), 404),
            (Some(code::MISSING_CAPABILITY), 400),
            (Some(code::UNAVAILABLE), 503),
        ] {
            assert_eq!(stateless_status(code).as_u16(), status);
        }
    }
}
