//! Our server, other people's clients: the real Python hud 5 and the official `mcp` SDK, in both eras of the protocol.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hud::environment::Environments;
use hud::serve::access::Token;
use hud::serve::copies::Copies;
use hud::serve::mcp::{McpServer, ServeOptions};
use serde_json::{Value, json};

use crate::engine::Bench;
use crate::support;

const ENVIRONMENT: &str = r#"
from pathlib import Path
from hud import Environment
env = Environment("served")
state = {"n": 0}

@env.tool
def bump(by: int = 1) -> int:
    """Adds."""
    state["n"] += by
    return state["n"]

@env.tool
def secret() -> str:
    return "hidden while counting"

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
    server: McpServer,
    listening: tokio::task::JoinSet<()>,
    environments: Arc<Environments>,
    _bench: Bench,
}

async fn serve(token: Option<&str>) -> Running {
    let bench = Bench::new(ENVIRONMENT);
    let env = bench.task("count", json!({}), &[], "").env;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let environments = bench.environments();
    let logs = bench.path().join("run/logs");
    let copies = Copies::start(Arc::clone(&environments), env, logs)
        .await
        .unwrap();
    let options = ServeOptions {
        token: token.map(Token::new),
        ..ServeOptions::default()
    };
    let server = McpServer::new(copies, options);
    let app = server.app();
    let mut listening = tokio::task::JoinSet::new();
    listening.spawn(async move {
        axum::serve(listener, app).await.unwrap();
    });
    Running {
        url: format!("http://127.0.0.1:{port}/mcp"),
        server,
        listening,
        environments,
        _bench: bench,
    }
}

impl Running {
    async fn close(mut self) {
        self.listening.shutdown().await;
        self.server.close().await;
        self.environments.close().await;
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
        assert names == ["bump", "secret"], names
        names = [t.name for t in (await a.list_tools(meta=mine, cache_mode="bypass")).tools]
        assert names == ["bump"], names
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
async fn stateless(url: &str, method: &str, mut params: Value, session: Option<&str>) -> Value {
    let name = params.get("name").or_else(|| params.get("uri")).cloned();
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
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
