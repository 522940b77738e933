//! The server: one thread with its own runtime, so that tests with and without a runtime can use it.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::chat_reply::{Completion, StreamOptions};
use super::check::Refusal;
use super::conversation::{Api, Conversation};
use super::gemini_reply::Content;
use super::messages_check::Signed;
use super::messages_reply::Message;
use super::reply::{Ids, fault_error};
use super::responses_check::Kept;
use super::responses_reply::Answer;
use super::script::{Break, Fault, Part, Reply, Script, Turn};
use super::{
    chat_check, chat_reply, gemini_check, gemini_reply, messages_check, messages_reply,
    responses_check, responses_reply,
};

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Closes the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the script drops this connection")]
struct Dropped;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The headers, by their lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body; null when it is not JSON.
    pub body: Value,
}

impl Captured {
    /// The value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The stand-in. Dropping it stops it, and fails the test when it saw violations that nobody asked for.
pub struct Provider {
    address: SocketAddr,
    state: Arc<State>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

struct State {
    script: Script,
    ids: Ids,
    signed: Mutex<Signed>,
    /// What was kept of answers over Responses.
    kept: Mutex<Kept>,
    /// Every thought signature of Gemini.
    thoughts: Mutex<HashSet<String>>,
    /// Whether any reasoning was sent over Chat Completions.
    reasons: AtomicBool,
    requests: Mutex<Vec<Captured>>,
    violations: Mutex<Vec<String>>,
    asked: AtomicBool,
    in_flight: AtomicUsize,
    refused_busy: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Provider {
    /// Starts a stand-in on a free port.
    pub fn start(script: Script) -> Self {
        let state = Arc::new(State {
            ids: Ids::default(),
            signed: Mutex::default(),
            kept: Mutex::new(Kept {
                forgets: script.forgets,
                ..Kept::default()
            }),
            thoughts: Mutex::default(),
            reasons: AtomicBool::new(false),
            requests: Mutex::default(),
            violations: Mutex::default(),
            asked: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            refused_busy: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            script,
        });
        let stop = CancellationToken::new();
        let (send_address, address) = mpsc::channel();
        let (shared, stopped) = (Arc::clone(&state), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
                send_address.send(listener.local_addr().unwrap()).unwrap();
                // Dropping the connections at the end also ends those that hang.
                let mut connections = JoinSet::new();
                tokio::select! {
                    () = accept(&listener, &shared, &mut connections) => {}
                    () = stopped.cancelled() => {}
                }
            });
        });
        Self {
            address: address.recv().unwrap(),
            state,
            stop,
            thread: Some(thread),
        }
    }

    /// `http://127.0.0.1:PORT`, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A key that the stand-in takes.
    pub fn key(&self) -> &str {
        self.state.script.key.as_deref().unwrap_or("sk-stand-in")
    }

    /// What was wrong with the requests so far, one line each. Asking makes it the test's business to look.
    pub fn violations(&self) -> Vec<String> {
        self.state.asked.store(true, Ordering::SeqCst);
        self.state.violations.lock().unwrap().clone()
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Captured> {
        self.state.requests.lock().unwrap().clone()
    }

    /// Stops the server: every connection closes, and new ones are refused.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// How many requests were answered 429 because of [`Script::at_once`].
    #[expect(
        dead_code,
        reason = "the limit of requests for each provider is tested with it"
    )]
    pub fn refused_busy(&self) -> usize {
        self.state.refused_busy.load(Ordering::SeqCst)
    }

    /// The most requests that were being answered at the same time.
    pub fn most_in_flight(&self) -> usize {
        self.state.most_in_flight.load(Ordering::SeqCst)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let violations = self.state.violations.lock().unwrap();
        let unseen = !violations.is_empty() && !self.state.asked.load(Ordering::SeqCst);
        assert!(
            !unseen || std::thread::panicking(),
            "the provider refused requests:\n{}",
            violations.join("\n")
        );
    }
}

async fn accept(listener: &TcpListener, state: &Arc<State>, connections: &mut JoinSet<()>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        // Without this, small chunks wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(state);
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, &state));
            // A client that goes away, or a connection that the script drops, ends here.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Counts a request while it is answered. It lives in the body of the response.
struct InFlight(Arc<State>);

impl InFlight {
    fn new(state: &Arc<State>) -> Self {
        let now = state.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_in_flight.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(state))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn answer(request: Request<Incoming>, state: &Arc<State>) -> Result<Response<Body>, Dropped> {
    let in_flight = InFlight::new(state);
    let (head, body) = request.into_parts();
    let bytes = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let path = head.uri.path().to_owned();
    let body: Result<Value, _> = serde_json::from_slice(&bytes);
    let number = {
        let mut requests = state.requests.lock().unwrap();
        requests.push(Captured {
            method: head.method.to_string(),
            path: path.clone(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| {
                    (
                        name.to_string(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect(),
            body: body.as_ref().map_or(Value::Null, Clone::clone),
        });
        requests.len()
    };
    let request_id = format!("req_{number:024}");
    let violation = |message: &str| {
        state.violations.lock().unwrap().push(format!(
            "request {number} ({} {path}): {message}",
            head.method
        ));
    };
    let api = match (head.method.as_str(), path.as_str()) {
        ("POST", "/v1/messages") => Api::Messages,
        ("POST", "/v1/chat/completions" | "/chat/completions") => Api::Chat,
        ("POST", "/v1/responses" | "/responses") => Api::Responses,
        ("POST", path) if gemini_model(path).is_some() => Api::Gemini,
        ("GET", "/v1/models") => return Ok(models()),
        _ => {
            violation("there is no such endpoint");
            return Ok(refused(
                &Refusal::new(404, "not_found_error", "Not found"),
                Api::Messages,
                &request_id,
            ));
        }
    };
    let body = match api {
        Api::Gemini => body.map(gemini_check::camel),
        Api::Messages | Api::Chat | Api::Responses => body,
    };
    let busy = state
        .script
        .at_once
        .is_some_and(|most| state.in_flight.load(Ordering::SeqCst) > most);
    if busy {
        state.refused_busy.fetch_add(1, Ordering::SeqCst);
        return Ok(refused(
            &super::reply::status_error(429, api),
            api,
            &request_id,
        ));
    }
    let earlier = match check(state, api, &head.headers, body.as_ref(), &path) {
        Ok(earlier) => earlier,
        Err(refusal) => {
            // A server that keeps nothing says so to a client that did nothing wrong.
            if refusal.code != Some("previous_response_not_found") || !state.script.forgets {
                violation(&refusal.message);
            }
            return Ok(refused(&refusal, api, &request_id));
        }
    };
    let asked = Conversation::read(api, body.map_err(|_| Dropped)?, &earlier, &path);
    let turn = match state.script.play(&asked) {
        Some(Reply::Turn(turn)) => turn,
        Some(Reply::Fault(fault)) => return fail(fault, api, &request_id).await,
        Some(Reply::Made(_)) | None => {
            let message = format!(
                "the script has no rule for this conversation (model {}, {} assistant turns, prompt {:?})",
                asked.model, asked.assistant_turns, asked.prompt
            );
            violation(&message);
            return Ok(refused(
                &Refusal::new(500, "api_error", message),
                api,
                &request_id,
            ));
        }
    };
    if let Some(gate) = &turn.hold {
        gate.pass().await;
    }
    if asked.stream {
        return Ok(streamed(
            state,
            &turn,
            &asked,
            &earlier,
            in_flight,
            &request_id,
        ));
    }
    match whole(state, &turn, &asked, &earlier) {
        Ok(body) => whole_or_broken(&turn, &body, api, &request_id).await,
        Err(message) => {
            violation(&message);
            Ok(refused(
                &Refusal::new(500, "api_error", message),
                api,
                &request_id,
            ))
        }
    }
}

/// The model of a Gemini path: `/v1/models/MODEL:generateContent`.
fn gemini_model(path: &str) -> Option<&str> {
    let path = path
        .strip_prefix("/v1/models/")
        .or_else(|| path.strip_prefix("/v1beta/models/"))?;
    let (model, method) = path.split_once(':')?;
    ["generateContent", "streamGenerateContent"]
        .contains(&method)
        .then_some(model)
}

/// Everything that a Responses request continues, its own input included; nothing for the other APIs.
fn check(
    state: &State,
    api: Api,
    headers: &HeaderMap,
    body: Result<&Value, &serde_json::Error>,
    path: &str,
) -> Result<Vec<Value>, Refusal> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let key = state.script.key.as_deref();
    let version = match api {
        Api::Messages => Some(messages_check::check_headers(header, key)?),
        Api::Chat | Api::Responses => {
            chat_check::check_headers(header, key)?;
            None
        }
        Api::Gemini => {
            gemini_check::check_headers(header, key)?;
            None
        }
    };
    if !header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(Refusal::invalid(
            "content-type: header must be application/json",
        ));
    }
    let body = body.map_err(|error| {
        Refusal::invalid(format!("The request body is not valid JSON: {error}"))
    })?;
    match (api, version) {
        (_, Some(version)) => {
            messages_check::check_body(body, version, &state.signed.lock().unwrap())?;
        }
        (Api::Messages | Api::Chat, None) => {
            chat_check::check_body(body, state.reasons.load(Ordering::SeqCst))?;
        }
        (Api::Responses, None) => {
            return responses_check::check_body(body, &state.kept.lock().unwrap());
        }
        (Api::Gemini, None) => {
            let model = gemini_model(path).unwrap_or_default();
            gemini_check::check_body(body, model, &state.thoughts.lock().unwrap())?;
        }
    }
    Ok(Vec::new())
}

/// The body of an answer that is not streamed.
fn whole(
    state: &State,
    turn: &Turn,
    asked: &Conversation,
    earlier: &[Value],
) -> Result<Value, String> {
    match asked.api {
        Api::Messages => Message::new(
            turn,
            &asked.model,
            &state.ids,
            &mut state.signed.lock().unwrap(),
        )
        .body(),
        Api::Chat => {
            note_reasoning(state, turn);
            Ok(Completion::new(turn, &asked.model, &state.ids).body())
        }
        Api::Responses => Ok(response_of(state, turn, asked, earlier).body()),
        Api::Gemini => Ok(content_of(state, turn, asked).body()),
    }
}

fn response_of(state: &State, turn: &Turn, asked: &Conversation, earlier: &[Value]) -> Answer {
    let mut kept = state.kept.lock().unwrap();
    Answer::new(
        turn,
        &asked.model,
        &asked.body,
        earlier,
        &state.ids,
        &mut kept,
    )
}

fn content_of(state: &State, turn: &Turn, asked: &Conversation) -> Content {
    let mut thoughts = state.thoughts.lock().unwrap();
    Content::new(turn, &asked.model, &state.ids, &mut thoughts)
}

fn note_reasoning(state: &State, turn: &Turn) {
    if turn
        .parts
        .iter()
        .any(|part| matches!(part, Part::Reasoning(_)))
    {
        state.reasons.store(true, Ordering::SeqCst);
    }
}

async fn whole_or_broken(
    turn: &Turn,
    body: &Value,
    api: Api,
    request_id: &str,
) -> Result<Response<Body>, Dropped> {
    let text = body.to_string();
    for (_, how) in &turn.breaks {
        match how {
            Break::Hang => std::future::pending().await,
            Break::Hold(gate) => gate.pass().await,
            Break::Error => {
                return Ok(refused(
                    &super::reply::status_error(529, api),
                    api,
                    request_id,
                ));
            }
            Break::Noise(_) => {}
            // The header promises the whole body.
            Break::Drop | Break::Truncate => {
                let half = Bytes::from(text[..text.len() / 2].to_owned());
                let frames =
                    stream::iter([Ok(Frame::data(half)), Err(std::io::Error::other(Dropped))]);
                // Being pending once lets the server send the half.
                let frames = frames.then(|frame| async {
                    tokio::task::yield_now().await;
                    frame
                });
                let response = response(200, request_id)
                    .header("content-type", "application/json")
                    .header("content-length", text.len());
                return response
                    .body(StreamBody::new(frames).boxed_unsync())
                    .map_err(|_| Dropped);
            }
        }
    }
    Ok(json_response(200, body, request_id))
}

/// One step of a stream that is being written.
enum Step {
    Send(Bytes),
    Break(Break),
}

fn streamed(
    state: &State,
    turn: &Turn,
    asked: &Conversation,
    earlier: &[Value],
    in_flight: InFlight,
    request_id: &str,
) -> Response<Body> {
    let events = match asked.api {
        Api::Messages => Message::new(
            turn,
            &asked.model,
            &state.ids,
            &mut state.signed.lock().unwrap(),
        )
        .events(),
        Api::Chat => {
            note_reasoning(state, turn);
            Completion::new(turn, &asked.model, &state.ids).events(StreamOptions::read(&asked.body))
        }
        Api::Responses => response_of(state, turn, asked, earlier).events(),
        Api::Gemini => content_of(state, turn, asked).events(),
    };
    let error_event = match asked.api {
        Api::Messages => messages_reply::error_event(),
        Api::Chat => chat_reply::error_event(),
        Api::Responses => responses_reply::error_event(),
        Api::Gemini => gemini_reply::error_event(),
    };
    let mut steps = VecDeque::new();
    // Events between two breaks, so that odd chunks may span events but not breaks.
    let mut run = Vec::new();
    for (index, event) in events.iter().enumerate() {
        for (_, how) in turn.breaks.iter().filter(|(after, _)| *after == index) {
            flush(&mut run, &mut steps, state.script.odd_chunks);
            match how {
                Break::Noise(bytes) => steps.push_back(Step::Send(Bytes::from(bytes.clone()))),
                Break::Error => {
                    steps.push_back(Step::Send(Bytes::from(error_event.clone())));
                    steps.push_back(Step::Break(Break::Truncate));
                }
                other => steps.push_back(Step::Break(other.clone())),
            }
        }
        run.push(event.clone());
    }
    flush(&mut run, &mut steps, state.script.odd_chunks);
    let body = stream::unfold((steps, in_flight), |(mut steps, in_flight)| async {
        // Being pending once lets the server send what it has, so that chunks are not merged.
        tokio::task::yield_now().await;
        loop {
            let frame = match steps.pop_front()? {
                Step::Send(bytes) => Ok(Frame::data(bytes)),
                Step::Break(Break::Drop) => {
                    steps.clear();
                    Err(std::io::Error::other(Dropped))
                }
                Step::Break(Break::Hang) => std::future::pending().await,
                Step::Break(Break::Hold(gate)) => {
                    gate.pass().await;
                    continue;
                }
                Step::Break(Break::Truncate | Break::Error | Break::Noise(_)) => return None,
            };
            return Some((frame, (steps, in_flight)));
        }
    });
    response(200, request_id)
        .header("content-type", "text/event-stream; charset=utf-8")
        .header("cache-control", "no-cache")
        .body(StreamBody::new(body).boxed_unsync())
        .unwrap()
}

/// Moves the events to the steps: one chunk each, or chunks of odd sizes.
fn flush(run: &mut Vec<String>, steps: &mut VecDeque<Step>, odd: bool) {
    if !odd {
        steps.extend(run.drain(..).map(|event| Step::Send(Bytes::from(event))));
        return;
    }
    let bytes = Bytes::from(run.drain(..).collect::<String>());
    let mut at = 0;
    for size in [1, 7, 3, 23, 2, 111, 5, 13].into_iter().cycle() {
        if at >= bytes.len() {
            return;
        }
        let end = (at + size).min(bytes.len());
        steps.push_back(Step::Send(bytes.slice(at..end)));
        at = end;
    }
}

async fn fail(fault: Fault, api: Api, request_id: &str) -> Result<Response<Body>, Dropped> {
    if let Some(error) = fault_error(&fault, api) {
        return Ok(refused(&error, api, request_id));
    }
    match fault {
        Fault::Page { status, body } => {
            let response = response(status, request_id).header("content-type", "text/html");
            response.body(full(body)).map_err(|_| Dropped)
        }
        Fault::Hang => std::future::pending().await,
        Fault::HoldThenDrop(gate) => {
            gate.pass().await;
            Err(Dropped)
        }
        _ => Err(Dropped),
    }
}

fn models() -> Response<Body> {
    let names = ["claude-sonnet-4-6", "gpt-4o"];
    let data: Vec<_> = names
        .iter()
        .map(|name| json!({"id": name, "type": "model", "object": "model", "display_name": name, "created_at": "2026-01-01T00:00:00Z", "created": 1_790_000_000, "owned_by": "stand-in"}))
        .collect();
    json_response(
        200,
        &json!({"object": "list", "data": data, "has_more": false, "first_id": names[0], "last_id": names[1]}),
        "req_models",
    )
}

fn refused(refusal: &Refusal, api: Api, request_id: &str) -> Response<Body> {
    let mut response = json_response(refusal.status, &refusal.body(api, request_id), request_id);
    if let Some(seconds) = refusal
        .retry_after
        .as_deref()
        .and_then(|seconds| seconds.parse().ok())
    {
        response.headers_mut().insert("retry-after", seconds);
    }
    response
}

fn json_response(status: u16, body: &Value, request_id: &str) -> Response<Body> {
    response(status, request_id)
        .header("content-type", "application/json")
        .body(full(body.to_string()))
        .unwrap()
}

fn response(status: u16, request_id: &str) -> hyper::http::response::Builder {
    // The names that the two providers use.
    Response::builder()
        .status(status)
        .header("request-id", request_id)
        .header("x-request-id", request_id)
}

fn full(text: String) -> Body {
    Full::new(Bytes::from(text))
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}
