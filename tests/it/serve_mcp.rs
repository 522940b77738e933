//! Our server, other people's clients: the real Python hud 5 and the official `mcp` SDK, in both eras of the protocol.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hud::environment::Environments;
use hud::serve::access::Token;
use hud::serve::copies::Copies;
use hud::serve::mcp::{McpServer, ServeOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use crate::engine::Bench;
use crate::support::{self, Test};

const ENVIRONMENT: &str = r#"
import os
import signal
from dataclasses import dataclass
from pathlib import Path
import hud
from hud import Environment
env = Environment("served", instructions="Count with bump.")
state = {"n": 0}

@env.tool
def bump(by: int = 1) -> int:
    """Adds."""
    state["n"] += by
    return state["n"]

@env.tool
def secret() -> str:
    return "hidden while counting"

@env.tool
async def report(ctx: hud.Context) -> str:
    print("this is on nobody's protocol")
    await ctx.report_progress(1, 2)
    ctx.warning("half way")
    return "reported"

@env.tool
async def flood(ctx: hud.Context) -> str:
    for _ in range(2000):
        ctx.warning("x" * 10_000)
    return "flooded"

@dataclass
class Person:
    name: str

@env.tool
async def greet(ctx: hud.Context) -> str:
    who = await ctx.elicit("Who is there?", Person, key="who")
    return f"Hello, {who.data.name}!"

@env.tool
def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)

@env.scenario("count", exclude_tools=["secret"])
async def count(target: int):
    try:
        answer = yield f"Count to {target}"
        yield 1.0 if state["n"] == target and answer == str(target) else 0.0
    finally:
        Path("closed").write_text("yes")
"#;

struct Running {
    url: String,
    server: Arc<McpServer>,
    stop: CancellationToken,
    listening: tokio::task::JoinSet<()>,
    environments: Arc<Environments>,
    bench: Bench,
}

async fn serve(token: Option<&str>) -> Running {
    serve_with(ServeOptions {
        token: token.map(Token::new),
        ..ServeOptions::default()
    })
    .await
}

async fn serve_with(options: ServeOptions) -> Running {
    let bench = Bench::new(ENVIRONMENT);
    let env = bench.task("count", json!({}), &[], "").env;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let environments = bench.environments();
    let logs = bench.path().join("run/logs");
    let copies = Copies::start(Arc::clone(&environments), env, logs)
        .await
        .unwrap();
    let server = Arc::new(McpServer::new(copies, options));
    let stop = CancellationToken::new();
    let mut listening = tokio::task::JoinSet::new();
    let (serving, stopped) = (Arc::clone(&server), stop.clone());
    listening.spawn(async move {
        serving.serve_http(listener, stopped).await.unwrap();
    });
    Running {
        url: format!("http://127.0.0.1:{port}/mcp"),
        server,
        stop,
        listening,
        environments,
        bench,
    }
}

impl Running {
    async fn close(mut self) -> Bench {
        self.stop.cancel();
        while self.listening.join_next().await.is_some() {}
        let server = Arc::into_inner(self.server).expect("nobody else has it");
        server.close().await;
        self.environments.close().await;
        self.bench
    }
}

async fn python(venv: &Path, script: &str, url: &str) -> (bool, String) {
    let mut command = Command::new(venv.join("bin/python"));
    command
        .args(["-W", "ignore", "-c", script, url])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HUD_TELEMETRY_ENABLED", "false")
        .env("HUD_SKIP_VERSION_CHECK", "1");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.success(), text)
}

fn venv(variable: &str, program: &str) -> Option<PathBuf> {
    let venv = std::env::var_os(variable).map(PathBuf::from);
    let available = venv
        .as_ref()
        .is_some_and(|venv| venv.join("bin").join(program).is_file());
    support::require(variable, available)
        .then_some(venv)
        .flatten()
}

#[tokio::test(flavor = "multi_thread")]
async fn python_hud_5_runs_a_scenario_of_ours() {
    let Some(venv) = venv("HUD_TEST_VENV_V5", "hud") else {
        return;
    };
    let running = serve(None).await;
    let script = r#"
import asyncio, sys
from hud import Environment

async def main():
    env = Environment("client")
    env.connect_url(sys.argv[1])
    async with env:
        prompt = await env.run_scenario_setup("served:count", {"target": 2})
        assert prompt == "Count to 2", prompt
        await env.call_tool("bump")
        await env.call_tool("bump")
        await env.submit("served:count", "2")
        result = await env.run_scenario_evaluate("served:count")
        assert result.reward == 1.0, result
asyncio.run(main())
"#;
    let (ok, text) = python(&venv, script, &running.url).await;
    assert!(ok, "{text}");
    let url = running.url.clone();
    let hud = venv.join("bin/hud");
    let cli = tokio::task::spawn_blocking(move || {
        Command::new(hud)
            .args([
                "scenario",
                "run",
                "count",
                "--args",
                r#"{"target": 0}"#,
                "--answer",
                "0",
                "--url",
                &url,
            ])
            .env("HUD_SKIP_VERSION_CHECK", "1")
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let stdout = String::from_utf8_lossy(&cli.stdout);
    assert!(
        stdout.contains("\"reward\": 1.0") || stdout.contains("\"reward\":1.0"),
        "{stdout}"
    );
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_never_see_each_others_state_and_exclusions_hold() {
    let Some(venv) = venv("HUD_TEST_VENV_SDK", "python") else {
        return;
    };
    let running = serve(None).await;
    let script = r#"
import asyncio, json, sys
from mcp import Client

async def play(mode):
    async with Client(sys.argv[1], mode=mode) as a, Client(sys.argv[1], mode=mode) as b:
        assert a.server_info.name == "served", a.server_info
        # In the older era the connection is the session; since 2026-07-28 the prompt names it.
        stateless = a.protocol_version >= "2026-07-28"
        assert stateless == (mode == "auto"), a.protocol_version
        prompt = await a.get_prompt("served:count", {"target": "2"})
        mine = {"hud/session": prompt.meta["hud/session"]} if stateless else None
        assert ("hud/session" in (prompt.meta or {})) == stateless, prompt.meta
        names = sorted(t.name for t in (await b.list_tools()).tools)
        assert {"bump", "secret"} <= set(names), names
        mines = sorted(t.name for t in (await a.list_tools(meta=mine, cache_mode="bypass")).tools)
        assert mines == [name for name in names if name != "secret"], mines
        assert (await a.call_tool("secret", {}, meta=mine)).is_error
        await a.call_tool("bump", {"by": 2}, meta=mine)
        result = await b.call_tool("bump", {})
        assert result.structured_content == {"result": 1}, result
        prompts = (await a.list_prompts()).prompts
        assert [p.name for p in prompts] == ["served:count"], prompts
        assert "code" not in (prompts[0].meta or {}), prompts
        await a.call_tool("_hud_submit", {"scenario": "count", "answer": "2"}, meta=mine)
        read = await a.read_resource("served:count", meta=mine, cache_mode="bypass")
        assert json.loads(read.contents[0].text)["reward"] == 1.0, read

async def main():
    for mode in ["legacy", "auto"]:
        await play(mode)
asyncio.run(main())
"#;
    let (ok, text) = python(&venv, script, &running.url).await;
    assert!(ok, "{text}");
    running.close().await;
}

/// A request of the stateless era, as MCP 2026-07-28 puts it on the wire.
async fn stateless(url: &str, method: &str, params: Value, session: Option<&str>) -> Value {
    stateless_as(url, method, params, session, json!({})).await
}

/// The same, of a client that can do more.
async fn stateless_as(
    url: &str,
    method: &str,
    mut params: Value,
    session: Option<&str>,
    capabilities: Value,
) -> Value {
    let name = params.get("name").or_else(|| params.get("uri")).cloned();
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    if let Some(session) = session {
        meta["hud/session"] = json!(session);
    }
    params["_meta"] = meta;
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let mut request = hud::http::client_for(url)
        .post(url)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method);
    if let Some(name) = name {
        request = request.header("mcp-name", name.as_str().unwrap());
    }
    let text = request
        .json(&body)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let json = text
        .lines()
        .find_map(|line| {
            line.strip_prefix("data:")
                .filter(|data| data.trim().starts_with('{'))
        })
        .unwrap_or(&text);
    serde_json::from_str(json.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stateless_era_names_its_sessions() {
    let running = serve(None).await;
    let url = &running.url;
    let get = json!({"name": "served:count", "arguments": {"target": "3"}});
    let first = stateless(url, "prompts/get", get.clone(), None).await;
    let second = stateless(url, "prompts/get", get, None).await;
    let session = |answer: &Value| {
        answer["result"]["_meta"]["hud/session"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    };
    let (first, second) = (session(&first), session(&second));
    assert_ne!(first, second);
    let bump = |session: String, by: i32| async move {
        let params = json!({"name": "bump", "arguments": {"by": by}});
        stateless(url, "tools/call", params, Some(&session)).await["result"]["structuredContent"]
            ["result"]
            .clone()
    };
    assert_eq!(bump(first.clone(), 3).await, json!(3));
    assert_eq!(bump(second.clone(), 1).await, json!(1));
    let submit = json!({"name": "_hud_submit", "arguments": {"scenario": "count", "answer": "3"}});
    stateless(url, "tools/call", submit, Some(&first)).await;
    let read = json!({"uri": "served:count"});
    let grade = stateless(url, "resources/read", read.clone(), Some(&first)).await;
    let text = grade["result"]["contents"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{grade}"));
    assert_eq!(
        serde_json::from_str::<Value>(text).unwrap()["reward"],
        json!(1.0)
    );
    let again = stateless(url, "resources/read", read, Some(&first)).await;
    assert!(
        again["error"]["message"]
            .as_str()
            .unwrap()
            .contains("there is no session"),
        "{again}"
    );
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_speaks_to_our_server_and_strangers_are_refused() {
    let running = serve(Some("s3cret")).await;
    let client = hud::http::client_for(&running.url);
    let refused = client.post(&running.url).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 401);
    let health = running.url.replace("/mcp", "/health");
    assert_eq!(
        client.get(&health).send().await.unwrap().status().as_u16(),
        200
    );
    let with_token = |host: &str, origin: Option<&str>| {
        let mut request = client
            .post(&running.url)
            .header("authorization", "Bearer s3cret")
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        request.body("{}")
    };
    for (host, origin) in [
        ("evil.example", None),
        ("127.0.0.1", Some("http://evil.example")),
    ] {
        let answer = with_token(host, origin).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 403, "{host} {origin:?}");
    }

    let bench = Bench::new("");
    let mut task = bench.task("count", json!({"target": 1}), &[("bump", json!({}))], "1");
    task.env = hud::task::EnvironmentSpec::Servers {
        servers: vec![(
            "environment".into(),
            hud::task::ConnectionSpec::Http {
                url: running.url.clone(),
                headers: [("Authorization".to_owned(), "Bearer s3cret".to_owned())].into(),
                sampling: false,
            },
        )],
    };
    let mut plan = bench.plan(vec![task]);
    plan.group = 5;
    let (_, results, _) = crate::engine::run(plan).await;
    for result in results.values() {
        assert_eq!(result.outcome.reward(), Some(1.0), "{:?}", result.outcome);
    }
    running.close().await;
}

/// A client of the older era, through real HTTP.
struct Session {
    url: String,
    id: String,
}

impl Session {
    async fn open(url: &str, capabilities: Value) -> Self {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "clientInfo": {"name": "test", "version": "0"},
        });
        let answer = post(url, &[], &request(0, "initialize", params)).await;
        assert_eq!(answer.status().as_u16(), 200);
        let id = answer.headers()["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let result: Value = answer.json().await.unwrap();
        assert_eq!(result["result"]["instructions"], "Count with bump.");
        Self {
            url: url.to_owned(),
            id,
        }
    }

    async fn send(&self, message: &Value) -> reqwest::Response {
        let headers = [
            ("mcp-session-id", self.id.as_str()),
            ("mcp-protocol-version", "2025-11-25"),
        ];
        post(&self.url, &headers, message).await
    }

    /// Everything that a call of `tool` brought.
    async fn call(&self, tool: &str, more: Value) -> Vec<Value> {
        let mut params = json!({"name": tool, "arguments": {}});
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        let answer = self.send(&request(1, "tools/call", params)).await;
        messages(&answer.text().await.unwrap())
    }
}

fn request(id: i64, method: &str, params: impl Into<Value>) -> Value {
    let params: Value = params.into();
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

async fn post(url: &str, headers: &[(&str, &str)], message: &Value) -> reqwest::Response {
    let mut request = hud::http::client_for(url)
        .post(url)
        .header("accept", "application/json, text/event-stream")
        .json(message);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// The messages of a body, be it JSON or events.
fn messages(body: &str) -> Vec<Value> {
    if body.starts_with('{') {
        return vec![serde_json::from_str(body).unwrap()];
    }
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        // The first event only has an id.
        .filter(|data| !data.is_empty())
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tool_says_travels_with_its_call() {
    let running = serve(None).await;
    let session = Session::open(&running.url, json!({})).await;
    let all = session
        .call("report", json!({"_meta": {"progressToken": "p"}}))
        .await;
    let seen: Vec<&str> = all
        .iter()
        .map(|message| message["method"].as_str().unwrap_or("result"))
        .collect();
    assert_eq!(
        seen,
        ["notifications/progress", "notifications/message", "result"]
    );
    assert_eq!(all[0]["params"]["progressToken"], "p");
    assert_eq!(
        all[1]["params"],
        json!({"level": "warning", "data": "half way"})
    );
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_asks_a_person_in_both_eras() {
    let running = serve(None).await;
    let session = Session::open(&running.url, json!({"elicitation": {}})).await;
    let params = json!({"name": "greet", "arguments": {}});
    let mut answer = session.send(&request(1, "tools/call", params)).await;
    let mut text = String::new();
    let asked = loop {
        let chunk = answer.chunk().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        if let Some(asked) = messages(&text).pop() {
            break asked;
        }
    };
    assert_eq!(asked["params"]["message"], "Who is there?");
    let reply = json!({
        "jsonrpc": "2.0",
        "id": asked["id"],
        "result": {"action": "accept", "content": {"name": "Ada"}},
    });
    assert_eq!(session.send(&reply).await.status().as_u16(), 202);
    let rest = answer.text().await.unwrap();
    assert_eq!(
        messages(&rest)[0]["result"]["content"][0]["text"],
        "Hello, Ada!"
    );

    let url = &running.url;
    let capabilities = json!({"elicitation": {}});
    let params = json!({"name": "greet", "arguments": {}});
    let asked = stateless_as(
        url,
        "tools/call",
        params.clone(),
        None,
        capabilities.clone(),
    )
    .await;
    let state = &asked["result"]["requestState"];
    let question = &asked["result"]["inputRequests"]["who"];
    assert_eq!(question["params"]["message"], "Who is there?", "{asked}");
    let mut retry = params.clone();
    retry["requestState"] = state.clone();
    retry["inputResponses"] = json!({"who": {"action": "accept", "content": {"name": "Bea"}}});
    let done = stateless_as(url, "tools/call", retry, None, capabilities).await;
    assert_eq!(
        done["result"]["content"][0]["text"], "Hello, Bea!",
        "{done}"
    );
    // Whom nobody can ask is told what is missing.
    let refused = stateless(url, "tools/call", params, None).await;
    assert_eq!(
        refused["error"]["data"],
        json!({"requiredCapabilities": {"elicitation": {}}}),
        "{refused}"
    );
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_takes_its_scenario_with_it_and_nothing_else() {
    let running = serve(None).await;
    let session = Session::open(&running.url, json!({})).await;
    let other = Session::open(&running.url, json!({})).await;
    other.call("bump", json!({"arguments": {"by": 5}})).await;
    let prompt = json!({"name": "served:count", "arguments": {"target": "1"}});
    session.send(&request(1, "prompts/get", prompt)).await;
    let died = "the environment's process was ended by SIGKILL";
    let answer = session.call("die", json!({})).await;
    assert_eq!(answer[0]["error"]["message"], died);
    let read = request(2, "resources/read", json!({"uri": "served:count"}));
    let answer: Value = session.send(&read).await.json().await.unwrap();
    assert_eq!(
        answer["error"]["message"],
        format!("the scenario `served:count` is lost: {died}\nhint: set it up again")
    );
    // A fresh copy serves the session, and the other one keeps its own.
    for (session, expected) in [(&session, 1), (&other, 6)] {
        let answer = session.call("bump", json!({})).await;
        let result = &answer[0]["result"]["structuredContent"]["result"];
        assert_eq!(*result, json!(expected));
    }
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_session_closes_its_scenario() {
    let running = serve(None).await;
    let session = Session::open(&running.url, json!({})).await;
    let prompt = json!({"name": "served:count", "arguments": {"target": "1"}});
    session.send(&request(1, "prompts/get", prompt)).await;
    assert_eq!(running.server.relays().sessions(), 1);
    let deleted = hud::http::client_for(&running.url)
        .delete(&running.url)
        .header("mcp-session-id", &session.id)
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status().as_u16(), 200);
    assert_eq!(running.server.relays().sessions(), 0);
    let gone = session.send(&request(2, "tools/list", json!({}))).await;
    assert_eq!(gone.status().as_u16(), 404);
    let bench = running.close().await;
    let closed = bench.path().join("closed");
    assert!(closed.is_file(), "the scenario's `finally` did not run");
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_hosts_and_origins_are_refused_everywhere_and_allowed_pages_are_not() {
    let page = "http://localhost:6274";
    let running = serve_with(ServeOptions {
        origins: vec![page.to_owned()],
        ..ServeOptions::default()
    })
    .await;
    let client = hud::http::client_for(&running.url);
    let own = running.url.trim_end_matches("/mcp");
    for path in ["/mcp", "/health"] {
        let url = format!("{own}{path}");
        for (name, value, status) in [
            ("host", "evil.example", 403),
            ("host", "localhost.evil.example", 403),
            ("origin", "http://evil.example", 403),
            ("origin", "null", 403),
            ("origin", own, 200),
            ("origin", page, 200),
        ] {
            let expected = match (path, status) {
                // A stream without a session.
                ("/mcp", 200) => 400,
                (_, status) => status,
            };
            let answer = client.get(&url).header(name, value).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), expected, "{path} {name}: {value}");
        }
    }
    let preflight = client
        .request("OPTIONS".parse().unwrap(), &running.url)
        .header("origin", page)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "mcp-session-id")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status().as_u16(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], page);
    assert_eq!(
        preflight.headers()["access-control-allow-headers"],
        "mcp-session-id"
    );
    running.close().await;
}

/// Sends `head`, and reads until `wanted` has come.
async fn raw(url: &str, head: &str, wanted: &str) -> (tokio::net::TcpStream, String) {
    let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n{head}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(wanted) {
        let read = stream.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    (stream, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_are_refused_before_they_are_sent() {
    let running = serve(None).await;
    let head = "content-length: 104857600\r\n\r\n";
    let (_stream, text) = raw(&running.url, head, "\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_holds_up_nobody() {
    let running = serve(None).await;
    let body = request(
        1,
        "tools/call",
        json!({"name": "flood", "arguments": {}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/logLevel": "info",
        }}),
    )
    .to_string();
    let head = format!(
        "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: flood\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // It reads the head, and nothing after it.
    let (unread, _) = raw(&running.url, &head, "\r\n\r\n").await;
    let bump = json!({"name": "bump", "arguments": {}});
    for expected in 1..=20 {
        let answer = stateless(&running.url, "tools/call", bump.clone(), None).await;
        let result = &answer["result"]["structuredContent"]["result"];
        assert_eq!(*result, json!(expected), "{answer}");
    }
    drop(unread);
    running.close().await;
}

#[test]
fn over_stdio_there_is_nothing_but_the_protocol() {
    let lines = [
        request(
            0,
            "initialize",
            json!({"protocolVersion": "2025-11-25", "capabilities": {}}),
        ),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        request(1, "tools/call", json!({"name": "report", "arguments": {}})),
        request(2, "nothing/like/it", json!({})),
    ]
    .map(|message| message.to_string())
    .join("\n");
    let output = Test::new()
        .file("env.py", ENVIRONMENT)
        .args(["serve", "mcp", "env.py", "--stdio"])
        .stdin(lines + "\n")
        .run()
        .code(0);
    let messages = output.json_lines();
    let seen: Vec<(Value, bool)> = messages
        .iter()
        .filter(|message| message.get("id").is_some())
        .map(|message| (message["id"].clone(), message.get("result").is_some()))
        .collect();
    assert!(seen.contains(&(json!(0), true)), "{seen:?}");
    assert!(seen.contains(&(json!(1), true)), "{seen:?}");
    assert!(seen.contains(&(json!(2), false)), "{seen:?}");
}
