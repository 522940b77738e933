//! `hud dev` through the real binary: what a developer types, saves, calls and presses.

mod client;
mod stopping;
mod terminal;

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{self, Running, Test};
use client::{Session, send};

const ENVIRONMENT: &str = r#"
import atexit, os
from pathlib import Path
from hud import Environment
from hud.types import ToolError

env = Environment("shop")
print("imported by", "version one")

@env.shutdown
async def shutdown():
    Path("shut-down").write_text("yes")

@env.tool()
def greet(name: str) -> str:
    """Greet somebody."""
    print("greeting", name)
    return f"hello {name}"

@env.tool()
def refuse() -> str:
    raise ToolError("not today")

@env.scenario("task")
async def task(n: int):
    answer = yield f"Say {n}"
    yield 1.0 if answer == str(n) else 0.0
"#;

/// `hud dev` with `args` over `ENVIRONMENT`, on a port of its own.
fn dev(args: &[&str]) -> Test {
    Test::new()
        .file("env.py", ENVIRONMENT)
        .args(["dev"])
        .args(args)
}

/// Starts it, and returns where it serves once it does.
fn start(test: Test) -> (Running, String) {
    let running = test.spawn();
    running.wait_for_stdout("/mcp\n");
    running.wait_for_stderr("ready ");
    let stdout = running.stdout_so_far();
    let base = stdout.trim().trim_end_matches("/mcp").to_owned();
    assert!(base.starts_with("http://127.0.0.1:"), "{stdout}");
    (running, base)
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{} has no {from:?}", path.display());
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_of_the_seed_works_as_written() {
    let made = Test::new()
        .args(["init", "desk", "--template", "organized"])
        .run()
        .code(0);
    let desk = made.dir().join("desk");
    let port = support::free_port().to_string();
    let (running, base) = start(
        Test::program("sh")
            .args([
                "-c",
                "cd \"$DIR\" && exec \"$HUD\" dev -w scenarios -w tools --port \"$PORT\"",
            ])
            .env("DIR", &desk)
            .env("HUD", env!("CARGO_BIN_EXE_hud"))
            .env("PORT", &port),
    );
    assert_eq!(base, format!("http://127.0.0.1:{port}"));
    let session = Session::open(&base).await;
    let refund = json!({"order_id": 101});
    assert_eq!(
        session.call("refund_order", refund.clone()).await,
        "Order 101 is refunded: 34.90."
    );

    edit(
        &desk.join("tools/orders.py"),
        "is refunded: ",
        "went back: ",
    );
    running.wait_for_stderr("reload ");
    running.wait_for_stderr("tools/orders.py");
    // The same session, the new code, and a fresh world of the new version.
    assert_eq!(
        session.call("refund_order", refund).await,
        "Order 101 went back: 34.90."
    );

    edit(
        &desk.join("scenarios/questions.py"),
        "cost together",
        "sum up to",
    );
    running.wait_for_stderr("scenarios/questions.py");
    let prompt = session
        .ask(
            "prompts/get",
            json!({"name": "desk:total", "arguments": {"customer": "Robin"}}),
        )
        .await;
    assert!(prompt.to_string().contains("sum up to"), "{prompt}");

    // `python local_test.py`, with the official client.
    if let Some(python) = sdk_python() {
        let test = Test::program("sh")
            .args([
                "-c",
                "cd \"$DIR\" && exec \"$PYTHON\" -W ignore local_test.py \"$URL\"",
            ])
            .env("DIR", &desk)
            .env("PYTHON", python)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("URL", format!("http://localhost:{port}/mcp"));
        let output = test.run().code(0);
        assert!(
            output.stdout.ends_with("reward: 1.0\n"),
            "{}",
            output.stdout
        );
    }
    running.signal(rustix::process::Signal::TERM);
    running.wait().code(0);
}

fn sdk_python() -> Option<std::path::PathBuf> {
    let venv = std::env::var_os("HUD_TEST_VENV_SDK").map(std::path::PathBuf::from);
    let python = venv.map(|venv| venv.join("bin/python"));
    let available = python.as_ref().is_some_and(|python| python.is_file());
    support::require("HUD_TEST_VENV_SDK", available)
        .then_some(python)
        .flatten()
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_called_over_plain_http() {
    let (running, base) = start(dev(&["--port", "0"]));
    let check = async |line: &str, body: &str, status: u16, expected: Value| {
        let answer = send(&base, line, &[], body).await;
        assert_eq!((answer.status, answer.json()), (status, expected), "{line}");
    };
    check(
        "POST /api/tools/greet",
        r#"{"name": "Robin"}"#,
        200,
        json!({
            "content": [{"type": "text", "text": "hello Robin", "annotations": null, "meta": null}],
            "structured_content": {"result": "hello Robin"},
            "meta": null,
        }),
    )
    .await;
    let error = |words: &str| json!({ "error": words });
    check("POST /api/tools/refuse", "", 400, error("not today")).await;
    check(
        "POST /api/tools/gret",
        "",
        404,
        error("there is no tool `gret`; did you mean 'greet'?"),
    )
    .await;
    let wrong = send(&base, "POST /api/tools/greet", &[], "{}").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text.contains("'name'"), "{}", wrong.text);

    let openapi = send(&base, "GET /openapi.json", &[], "").await.json();
    let paths: Vec<&String> = openapi["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/api/tools/greet", "/api/tools/refuse"]);
    assert_eq!(openapi["info"]["title"], "shop");
    let docs = send(&base, "GET /docs", &[], "").await;
    assert_eq!(docs.header("content-type"), "text/html; charset=utf-8");
    let health = send(&base, "GET /health", &[], "").await.json();
    assert_eq!(
        (
            &health["status"],
            &health["serving"],
            &health["environment"]
        ),
        (&json!("ok"), &json!(1), &json!("shop"))
    );
    let logs = send(&base, "GET /logs?tail=1", &[], "").await.text;
    assert_eq!(logs.trim(), "greeting Robin");

    // A page of the server's own may call, a foreign one may not, whatever name it gave the server.
    let own = [("origin", base.as_str())];
    let answer = send(&base, "POST /api/tools/greet", &own, r#"{"name": "x"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    for headers in [
        [("origin", "http://evil.example"), ("accept", "*/*")],
        [("host", "evil.example"), ("accept", "*/*")],
    ] {
        for line in [
            "POST /api/tools/greet",
            "POST /mcp",
            "GET /logs",
            "GET /health",
        ] {
            let answer = send(&base, line, &headers, "{}").await;
            assert_eq!(answer.status, 403, "{line} {headers:?}: {}", answer.text);
        }
    }
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_needed_where_one_is_set() {
    let (running, base) = start(dev(&["--port", "0"]).env("HUD_SERVE_KEY", "s3cret"));
    for line in [
        "POST /api/tools/greet",
        "POST /mcp",
        "GET /logs",
        "GET /openapi.json",
    ] {
        let without = send(&base, line, &[], r#"{"name": "x"}"#).await;
        assert_eq!(without.status, 401, "{line}");
        let with = send(
            &base,
            line,
            &[("authorization", "Bearer s3cret")],
            r#"{"name": "x"}"#,
        )
        .await;
        assert_ne!(with.status, 401, "{line}");
    }
    assert_eq!(send(&base, "GET /health", &[], "").await.status, 200);
    running.signal(rustix::process::Signal::TERM);
    let output = running.wait().code(0);
    assert!(!output.stderr.contains("s3cret") && !output.stdout.contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_version_is_told_and_the_last_good_one_serves() {
    let (running, base) = start(dev(&["--port", "0"]));
    let session = Session::open(&base).await;
    let greet = || session.call("greet", json!({"name": "Robin"}));
    assert_eq!(greet().await, "hello Robin");

    let env = running.dir().join("env.py");
    edit(&env, "return f\"hello", "return ) f\"hello");
    running.wait_for_stderr("serving version 1; version 2 failed: ");
    // The user's own place.
    running.wait_for_stderr("(env.py:");
    assert_eq!(greet().await, "hello Robin");
    let health = send(&base, "GET /health", &[], "").await;
    assert_eq!(health.status, 200);
    let health = health.json();
    assert_eq!(
        (
            &health["status"],
            &health["serving"],
            &health["failed"]["version"]
        ),
        (&json!("degraded"), &json!(1), &json!(2))
    );
    let message = health["message"].as_str().unwrap();
    assert!(
        message.starts_with("serving version 1; version 2 failed: ")
            && message.contains("SyntaxError"),
        "{message}"
    );

    edit(&env, "return ) f\"hello", "return f\"good day");
    running.wait_for_stderr("reload   version 3");
    assert_eq!(greet().await, "good day Robin");
    let health = send(&base, "GET /health", &[], "").await.json();
    assert_eq!(
        (&health["status"], &health["failed"]),
        (&json!("ok"), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_tell_what_happens() {
    let test = dev(&["--port", "0", "--json"]);
    let running = test.spawn();
    running.wait_for_stdout("\"serving\"");
    let first = running.stdout_so_far();
    let listening: Value = first
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|line| line["event"] == "listening")
        .unwrap();
    let base = listening["mcp_url"]
        .as_str()
        .unwrap()
        .trim_end_matches("/mcp");
    send(base, "POST /api/tools/greet", &[], r#"{"name": "Robin"}"#).await;
    send(base, "POST /api/tools/refuse", &[], "").await;
    running.wait_for_stdout("tool_error");
    edit(&running.dir().join("env.py"), "def refuse", "def decline");
    running.wait_for_stdout("\"reloaded\"");
    edit(&running.dir().join("env.py"), "def decline", "def (decline");
    running.wait_for_stdout("\"reload_failed\"");
    running.signal(rustix::process::Signal::TERM);
    let output = running.wait().code(0);
    let lines = output.json_lines();
    let at = |wanted: Value| {
        lines
            .iter()
            .position(|line| *line == wanted || line["name"] == wanted)
            .unwrap_or_else(|| panic!("no {wanted} in {}", output.stdout))
    };
    let printed = at(json!({"event": "output", "text": "greeting Robin"}));
    assert!(printed < at(json!("greet")), "{}", output.stdout);
    let shapes: Vec<String> = lines
        .iter()
        // What starting prints and notes depends on the machine.
        .filter(|line| line["event"] != "output" && line["event"] != "note")
        .map(|line| {
            let fields = line.as_object().unwrap();
            let shown = |name: &str| match (name, &fields[name]) {
                ("duration_ms" | "session" | "message" | "summary" | "files", _) => {
                    format!("{name}=…")
                }
                (_, Value::String(text)) if text.starts_with("http") => format!("{name}=URL"),
                (_, value) => format!("{name}={value}"),
            };
            fields
                .keys()
                .map(|name| shown(name))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    insta::assert_snapshot!(shapes.join("\n"), @r#"
    event="listening" mcp_url=URL docs_url=URL health_url=URL environment="shop"
    event="serving" version=1 duration_ms=… tools=2 scenarios=1
    event="call" method="tools/call" name="greet" session=… version=1 duration_ms=… outcome="ok"
    event="call" method="tools/call" name="refuse" session=… version=1 duration_ms=… outcome="tool_error" message=…
    event="reloaded" version=2 duration_ms=… files=… changes=["tool `decline` added","tool `refuse` removed"]
    event="reload_failed" version=3 serving=2 summary=… message=…
    event="stopped"
    "#);
}

#[test]
fn a_busy_port_gives_way_unless_it_is_strict() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (running, base) = start(dev(&["--port", &port.to_string()]));
    assert_ne!(base, format!("http://127.0.0.1:{port}"));
    running.wait_for_stderr(&format!("port {port} is in use; using "));
    drop(running);
    let strict = dev(&["--port", &port.to_string(), "--strict-port"])
        .run()
        .code(2);
    assert!(
        strict
            .stderr
            .starts_with(&format!("error: cannot listen on 127.0.0.1:{port}")),
        "{}",
        strict.stderr
    );
    assert_eq!(strict.stdout, "");
}

#[test]
fn the_environment_is_found_or_the_candidates_are_listed() {
    let makes = "from hud import Environment\nenv = Environment('x')\n";
    let several = dev(&[]).file("main.py", makes).run().code(2);
    assert_eq!(
        several.stderr,
        "error: several environments are here:\n  env.py\n  main.py\n\
         hint: name one, such as `hud dev env.py`, or set `source` in [dev] of hud.toml\n"
    );
    let none = Test::new().args(["dev"]).run().code(2);
    assert!(
        none.stderr.starts_with("error: no environment here: "),
        "{}",
        none.stderr
    );
    let wrong = dev(&["emv.py"]).run().code(2);
    assert!(
        wrong.stderr.contains("did you mean 'env.py'?"),
        "{}",
        wrong.stderr
    );

    for (test, name) in [
        (dev(&["env:env", "-p", "0"]), "shop"),
        (dev(&["-p", "0"]).file("main.py", makes).file("hud.toml", "[dev]\nsource = 'main.py'\n"), "x"),
        (
            Test::new()
                .args(["dev", "pkg.mod:env", "-p", "0"])
                .file("pkg/__init__.py", "")
                .file("pkg/names.py", "NAME = 'part'\n")
                .file("pkg/mod.py", "from .names import NAME\nfrom hud import Environment\nenv = Environment(NAME)\n"),
            "part",
        ),
    ] {
        let (running, _) = start(test);
        running.wait_for_stderr(&format!("{name} · "));
    }
}

#[test]
fn what_can_never_be_mended_ends() {
    let output = Test::new()
        .file("env.py", "import nowhere\n")
        .args(["dev", "--no-watch", "--port", "0"])
        .run()
        .code(3);
    assert!(
        output
            .stderr
            .contains("nothing is served; version 1 failed: ")
            && output.stderr.contains("nowhere")
            && output.stderr.contains("env.py"),
        "{}",
        output.stderr
    );
    assert_eq!(output.stdout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_import_that_fails_is_mended_by_a_save() {
    let running = Test::new()
        .file("env.py", "import nowhere\n")
        .args(["dev", "--port", "0"])
        .spawn();
    running.wait_for_stdout("/mcp\n");
    running.wait_for_stderr("nothing is served; version 1 failed: ");
    let base = running
        .stdout_so_far()
        .trim()
        .trim_end_matches("/mcp")
        .to_owned();
    let health = send(&base, "GET /health", &[], "").await;
    assert_eq!(
        (health.status, &health.json()["status"]),
        (503, &json!("failed"))
    );
    let call = send(&base, "POST /api/tools/greet", &[], "{}").await;
    assert_eq!(call.status, 503, "{}", call.text);
    std::fs::write(running.dir().join("env.py"), ENVIRONMENT).unwrap();
    running.wait_for_stderr("version 2");
    let call = send(&base, "POST /api/tools/greet", &[], r#"{"name": "x"}"#).await;
    assert_eq!(call.status, 200, "{}", call.text);
}

#[test]
fn a_client_is_told_how_to_connect_and_nothing_else_is_on_stdout() {
    let port = support::free_port().to_string();
    for (client, expected) in [
        (
            "claude-code",
            format!("claude mcp add --transport http shop http://127.0.0.1:{port}/mcp\n"),
        ),
        (
            "inspector",
            format!(
                "npx @modelcontextprotocol/inspector --transport http --server-url http://127.0.0.1:{port}/mcp\n"
            ),
        ),
    ] {
        let running = dev(&["--port", &port, "--strict-port", "--client", client]).spawn();
        running.wait_for_stderr("ready ");
        running.wait_for_stderr(&format!("mcp  http://127.0.0.1:{port}/mcp"));
        running.signal(rustix::process::Signal::TERM);
        assert_eq!(running.wait().code(0).stdout, expected);
    }
    let told = dev(&["--stdio", "--client", "vscode", "-w", "tools"])
        .run()
        .code(0);
    let file: Value = serde_json::from_str(&told.stdout).unwrap();
    let server = &file["servers"]["work"];
    assert_eq!(
        server["args"],
        json!([
            "dev",
            told.dir().join("env.py"),
            "--stdio",
            "--watch",
            told.dir().join("tools")
        ])
    );
}

#[test]
fn the_inspector_is_started_and_ended() {
    use std::os::unix::fs::PermissionsExt as _;
    let test = dev(&["--port", "0", "--inspector"])
        .file("bin/node", "#!/bin/sh\necho v22.20.0\n")
        .file(
            "bin/npx",
            "#!/bin/sh\necho $$ > \"$HOME/npx\"\necho MCP Inspector is up and running\nexec sleep 600\n",
        );
    let bin = test.dir().join("bin");
    for program in ["node", "npx"] {
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(bin.join(program), executable).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    let pid_file = test.home().join("npx");
    let running = test
        .env("PATH", format!("{}:{path}", bin.display()))
        .spawn();
    running.wait_for_stderr("MCP Inspector: http://127.0.0.1:");
    let pid: i32 = std::fs::read_to_string(pid_file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    running.signal(rustix::process::Signal::TERM);
    running.wait().code(0);
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    assert!(
        rustix::process::test_kill_process(pid).is_err(),
        "it still runs"
    );
}

#[test]
fn a_prompt_calls_the_server_itself() {
    let output = dev(&["--port", "0", "--interactive"])
        .stdin("tools\ncall greet name=Robin\nreload\nquit\n")
        .run()
        .code(0);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines[0].ends_with("/mcp"), "{}", output.stdout);
    assert!(lines.contains(&"hello Robin"), "{}", output.stdout);
    assert!(output.dir().join("shut-down").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_any_language_is_reloaded_behind_the_same_session() {
    let source = include_str!("data/counter_server.py");
    let (running, base) = start(Test::new().file("server.py", source).args([
        "dev",
        "--port",
        "0",
        "--",
        "python3",
        "server.py",
    ]));
    let session = Session::open(&base).await;
    assert_eq!(session.call("bump", json!({"by": 2})).await, "2");
    edit(
        &running.dir().join("server.py"),
        "return text(str(state[\"n\"]))",
        "return text(f\"n = {state['n']}\")",
    );
    running.wait_for_stderr("reload ");
    assert_eq!(session.call("bump", json!({"by": 3})).await, "n = 3");
}
