//! The real Python hud 5 as server: its `hud dev` over HTTP and its stdio server, run by our engine.
//!
//! `HUD_TEST_VENV_V5` names a virtual environment with `hud-python==0.5.41`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hud::task::{ConnectionSpec, EnvironmentSpec};
use serde_json::json;

use crate::engine::{Bench, run};
use crate::support;

/// An environment of Python hud 5: a tool of each kind, typed arguments, exclusions, a grader that fails on purpose.
const ENVIRONMENT: &str = r#"
from hud import Environment
env = Environment("Interop Env")
state = {"n": 0}

@env.tool()
def bump(by: int = 1) -> int:
    """Adds."""
    state["n"] += by
    return state["n"]

@env.tool()
def describe() -> dict:
    return {"n": state["n"]}

@env.tool()
def broken() -> str:
    raise ValueError("kaboom")

@env.scenario("count", exclude_tools=["describe"])
async def count(target: int, label: str, weights: list[float] | None = None):
    state["n"] = 0
    answer = yield f"Count to {target} ({label!r}, {weights})"
    yield 1.0 if state["n"] == target and answer == label else 0.25

@env.scenario("bad-grader")
async def bad_grader():
    yield "Anything"
    raise RuntimeError("the grader broke")
"#;

fn venv() -> Option<PathBuf> {
    let venv = std::env::var_os("HUD_TEST_VENV_V5").map(PathBuf::from);
    let available = venv
        .as_ref()
        .is_some_and(|venv| venv.join("bin/hud").is_file());
    support::require("hud-python 0.5.41 (HUD_TEST_VENV_V5)", available)
        .then_some(venv)
        .flatten()
}

async fn check(env: EnvironmentSpec, bench: &Bench) {
    let mut good = bench.task(
        "count",
        json!({"target": 3, "label": "7", "weights": [0.5, 1.0]}),
        &[
            ("bump", json!({})),
            ("broken", json!({})),
            ("bump", json!({"by": 2})),
        ],
        "7",
    );
    good.slug = "good".into();
    let mut low = bench.task(
        "Interop-Env:count".to_lowercase().as_str(),
        json!({"target": 3, "label": "x"}),
        &[],
        "y",
    );
    low.slug = "low".into();
    let mut broken = bench.task("bad-grader", json!({}), &[], "x");
    broken.slug = "broken".into();
    let mut unknown = bench.task("cuont", json!({}), &[], "x");
    unknown.slug = "unknown".into();
    let tasks = [good, low, broken, unknown].map(|mut task| {
        task.env = env.clone();
        task
    });
    let mut plan = bench.plan(tasks.to_vec());
    // Its process has one state for all sessions.
    plan.max_concurrent = 1;
    let (_, results, _) = run(plan).await;
    let outcome = |slug: &str| &results[&format!("{slug}#0")].outcome;
    assert_eq!(outcome("good").reward(), Some(1.0), "{:?}", outcome("good"));
    assert_eq!(outcome("low").reward(), Some(0.25), "{:?}", outcome("low"));
    assert_eq!(outcome("broken").reward(), None, "{:?}", outcome("broken"));
    assert_eq!(outcome("broken").kind(), "environment_error");
    let message = outcome("unknown").message().unwrap();
    assert!(message.contains("did you mean 'count'?"), "{message}");
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Starts a server of Python hud 5 in the bench's folder and waits until it listens.
fn start(bench: &Bench, program: &Path, arguments: &[&str], port: u16) -> Server {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(bench.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", bench.path())
        .env("HUD_SKIP_VERSION_CHECK", "1")
        .env("HUD_TELEMETRY_ENABLED", "false")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = child.stderr.take().unwrap();
    let server = Server(child);
    // uvicorn says when it listens; afterwards the pipe is kept empty so that the server never blocks on it.
    let (ready, listening) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            eprintln!("{line}");
            if line.contains("Uvicorn running") || line.contains("Application startup complete") {
                let _ = ready.send(());
            }
        }
    });
    support::wait_for_port(port, &listening);
    server
}

fn at(url: String) -> EnvironmentSpec {
    EnvironmentSpec::Servers {
        servers: vec![(
            "environment".into(),
            ConnectionSpec::Http {
                url,
                headers: BTreeMap::new(),
                sampling: false,
            },
        )],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_served_by_its_hud_dev_over_http() {
    let Some(venv) = venv() else { return };
    let bench = Bench::new(ENVIRONMENT);
    let port = support::free_port();
    let arguments = ["dev", "env:env", "--port", &port.to_string()];
    let server = start(&bench, &venv.join("bin/hud"), &arguments, port);
    check(at(format!("http://127.0.0.1:{port}/mcp")), &bench).await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_served_over_http_and_sse_as_older_servers_do() {
    let Some(venv) = venv() else { return };
    let bench = Bench::new(ENVIRONMENT);
    let port = support::free_port();
    let script = format!(
        "from env import env; env.run(transport='sse', host='127.0.0.1', port={port}, show_banner=False)"
    );
    let server = start(&bench, &venv.join("bin/python"), &["-c", &script], port);
    check(at(format!("http://127.0.0.1:{port}/sse")), &bench).await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_served_by_its_stdio_server() {
    let Some(venv) = venv() else { return };
    let bench = Bench::new(ENVIRONMENT);
    let command = [
        venv.join("bin/python").to_string_lossy().into_owned(),
        "-c".into(),
        "from env import env; env.run(transport='stdio', show_banner=False)".into(),
    ];
    let env = EnvironmentSpec::Servers {
        servers: vec![(
            "environment".into(),
            ConnectionSpec::Stdio {
                command: command.to_vec(),
                env: BTreeMap::from([("HUD_TELEMETRY_ENABLED".into(), "false".into())]),
                cwd: None,
            },
        )],
    };
    check(env, &bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_command_evaluates_on_its_hud_dev() {
    let Some(venv) = venv() else { return };
    let bench = Bench::new(ENVIRONMENT);
    let port = support::free_port();
    let arguments = ["dev", "env:env", "--port", &port.to_string()];
    let server = start(&bench, &venv.join("bin/hud"), &arguments, port);
    let tasks = format!(
        r#"
env: http://127.0.0.1:{port}/mcp
tasks:
  - slug: counts
    scenario: count
    args: {{target: 3, label: "7"}}
    solution: {{tool_calls: [{{name: bump, arguments: {{by: 3}}}}], answer: "7"}}
  - slug: misses
    scenario: interop-env:count
    args: {{target: 3, label: x, weights: [0.5]}}
    solution: {{answer: y}}
"#
    );
    let evaluation = support::Test::new().file("tasks.yaml", tasks).args([
        "eval",
        "tasks.yaml",
        "--model",
        "oracle",
        "--json",
        "--max-concurrent",
        "1",
    ]);
    let output = tokio::task::spawn_blocking(move || evaluation.run().code(0))
        .await
        .unwrap();
    let summary = output.json_lines().pop().unwrap();
    assert_eq!(
        (&summary["graded"], &summary["mean_reward"]),
        (&json!(2), &json!(0.625)),
        "{summary}"
    );
    drop(server);
}
