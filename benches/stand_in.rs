//! A model server for load tests: answers examples/trivia at once, in the formats of Anthropic Messages and `OpenAI` Chat
//! Completions, streaming or not. It checks nothing (the stand-in under `tests/it/support` does), so that what it costs
//! disappears beside what is measured.
//!
//!     cargo run --release --example stand-in -- [--port N] [--delay-ms N]
//!
//! prints its address, as `http://127.0.0.1:PORT`, and serves until it is killed. `GET /stats` says how many requests it has
//! answered and how much processor time it has used: `{"requests":2000,"cpu_ms":61.2}`.

#[expect(unreachable_pub, reason = "a module of the tests, where others use it")]
#[path = "../tests/it/support/provider/trivia.rs"]
mod trivia;

use std::convert::Infallible;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Requests answered.
static ANSWERED: AtomicU64 = AtomicU64::new(0);

/// What is read of a request; the rest is skipped.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Option<Content>,
}

/// A string, or blocks; a tool result's block holds content again.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

#[derive(Deserialize)]
struct Block {
    text: Option<String>,
    content: Option<Box<Content>>,
}

impl Content {
    /// The first text in it.
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Blocks(blocks) => blocks.iter().find_map(|block| {
                block
                    .text
                    .as_deref()
                    .or_else(|| block.content.as_deref()?.text())
            }),
        }
    }
}

/// What the model says.
enum Turn {
    Call { company: String },
    Answer(String),
}

fn main() -> Result<()> {
    let (mut port, mut delay) = (0, Duration::ZERO);
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .with_context(|| format!("{flag} needs a number"))?;
        match flag.as_str() {
            "--port" => port = value.parse().context("--port")?,
            "--delay-ms" => delay = Duration::from_millis(value.parse().context("--delay-ms")?),
            _ => bail!("unknown flag `{flag}`; known: --port, --delay-ms"),
        }
    }
    // One thread: it is enough, and leaves the other processors to what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(port, delay))
}

async fn serve(port: u16, delay: Duration) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                connections.spawn(async move {
                    let service = service_fn(|request| answer(request, delay));
                    // A client that goes away is nothing to report.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
            // Ended connections are taken out, so that their memory does not grow.
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    delay: Duration,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if path == "/stats" {
        return Ok(respond(200, "application/json", stats()));
    }
    let Ok(body) = request.into_body().collect().await else {
        return Ok(respond(
            400,
            "text/plain",
            "the body did not arrive".to_owned(),
        ));
    };
    let asked: Asked = match serde_json::from_slice(&body.to_bytes()) {
        Ok(asked) => asked,
        Err(error) => return Ok(respond(400, "text/plain", error.to_string())),
    };
    let Some(turn) = next_turn(&asked.messages) else {
        return Ok(respond(
            400,
            "text/plain",
            "this is no conversation of examples/trivia".to_owned(),
        ));
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let number = ANSWERED.fetch_add(1, Ordering::Relaxed);
    let usage = asked
        .stream_options
        .is_some_and(|options| options.include_usage);
    let text = match (path.as_str(), asked.stream) {
        ("/v1/messages", false) => message(&turn, number),
        ("/v1/messages", true) => message_events(&turn, number),
        ("/v1/chat/completions" | "/chat/completions", false) => completion(&turn, number),
        ("/v1/chat/completions" | "/chat/completions", true) => {
            completion_chunks(&turn, number, usage)
        }
        _ => return Ok(respond(404, "text/plain", format!("there is no {path}"))),
    };
    let kind = if asked.stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    Ok(respond(200, kind, text))
}

fn respond(status: u16, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(
        "content-type",
        hyper::header::HeaderValue::from_static(kind),
    );
    response
}

/// Looks the CEO up first, then answers with what the tool said last.
fn next_turn(messages: &[Message]) -> Option<Turn> {
    let last = messages
        .last()?
        .content
        .as_ref()?
        .text()
        .unwrap_or_default();
    if messages.iter().any(|message| message.role == "assistant") {
        return Some(Turn::Answer(trivia::answer(last)));
    }
    let company = trivia::company(last)?.to_owned();
    Some(Turn::Call { company })
}

/// Number of requests, and processor time of the one thread. Linux only; elsewhere the time is null.
fn stats() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a missing file is the answer here, not an error"
    )]
    let schedule = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = schedule
        .split(' ')
        .next()
        .and_then(|time| time.parse::<f64>().ok());
    let requests = ANSWERED.load(Ordering::Relaxed);
    json!({"requests": requests, "cpu_ms": nanoseconds.map(|time| time / 1e6)}).to_string()
}

fn message(turn: &Turn, number: u64) -> String {
    let (content, stop) = match turn {
        Turn::Call { company } => (
            json!({"type": "tool_use", "id": format!("toolu_{number}"), "name": trivia::TOOL, "input": {"company": company}}),
            "tool_use",
        ),
        Turn::Answer(text) => (json!({"type": "text", "text": text}), "end_turn"),
    };
    json!({
        "id": format!("msg_{number}"), "type": "message", "role": "assistant", "model": "claude-stand-in", "content": [content],
        "stop_reason": stop, "stop_sequence": null, "usage": {"input_tokens": 120, "output_tokens": 20},
    })
    .to_string()
}

fn message_events(turn: &Turn, number: u64) -> String {
    let (start, delta, stop) = match turn {
        Turn::Call { company } => (
            json!({"type": "tool_use", "id": format!("toolu_{number}"), "name": trivia::TOOL, "input": {}}),
            json!({"type": "input_json_delta", "partial_json": json!({"company": company}).to_string()}),
            "tool_use",
        ),
        Turn::Answer(text) => (
            json!({"type": "text", "text": ""}),
            json!({"type": "text_delta", "text": text}),
            "end_turn",
        ),
    };
    let message = json!({
        "id": format!("msg_{number}"), "type": "message", "role": "assistant", "model": "claude-stand-in", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 120, "output_tokens": 1},
    });
    let events = [
        (
            "message_start",
            json!({"type": "message_start", "message": message}),
        ),
        (
            "content_block_start",
            json!({"type": "content_block_start", "index": 0, "content_block": start}),
        ),
        (
            "content_block_delta",
            json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        ),
        (
            "content_block_stop",
            json!({"type": "content_block_stop", "index": 0}),
        ),
        (
            "message_delta",
            json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null}, "usage": {"output_tokens": 20}}),
        ),
        ("message_stop", json!({"type": "message_stop"})),
    ];
    let mut text = String::new();
    for (name, data) in &events {
        text += "event: ";
        text += name;
        text += "\ndata: ";
        text += &data.to_string();
        text += "\n\n";
    }
    text
}

fn completion(turn: &Turn, number: u64) -> String {
    let (message, stop) = match turn {
        Turn::Call { company } => (
            json!({"role": "assistant", "content": null, "tool_calls": [call(company, number)]}),
            "tool_calls",
        ),
        Turn::Answer(text) => (json!({"role": "assistant", "content": text}), "stop"),
    };
    json!({
        "id": format!("chatcmpl-{number}"), "object": "chat.completion", "created": 0, "model": "stand-in",
        "choices": [{"index": 0, "message": message, "finish_reason": stop}],
        "usage": usage(),
    })
    .to_string()
}

fn completion_chunks(turn: &Turn, number: u64, with_usage: bool) -> String {
    let (delta, stop) = match turn {
        Turn::Call { company } => {
            let mut call = call(company, number);
            call["index"] = 0.into();
            (
                json!({"role": "assistant", "content": null, "tool_calls": [call]}),
                "tool_calls",
            )
        }
        Turn::Answer(text) => (json!({"role": "assistant", "content": text}), "stop"),
    };
    let chunk = |choices: serde_json::Value, usage: serde_json::Value| {
        let chunk = json!({
            "id": format!("chatcmpl-{number}"), "object": "chat.completion.chunk", "created": 0, "model": "stand-in",
            "choices": choices, "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let null = serde_json::Value::Null;
    let mut text = chunk(
        json!([{"index": 0, "delta": delta, "finish_reason": null}]),
        null.clone(),
    );
    text += &chunk(
        json!([{"index": 0, "delta": {}, "finish_reason": stop}]),
        null,
    );
    if with_usage {
        text += &chunk(json!([]), usage());
    }
    text + "data: [DONE]\n\n"
}

fn call(company: &str, number: u64) -> serde_json::Value {
    let arguments = json!({"company": company}).to_string();
    json!({"id": format!("call_{number}"), "type": "function", "function": {"name": trivia::TOOL, "arguments": arguments}})
}

fn usage() -> serde_json::Value {
    json!({"prompt_tokens": 120, "completion_tokens": 20, "total_tokens": 140})
}
