//! How it ends: signals, the end of stdin, and what must not be left behind.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::client::Session;
use super::{dev, start};

#[tokio::test(flavor = "multi_thread")]
async fn each_signal_ends_in_order_and_runs_the_shutdown_hook() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (running, base) = start(dev(&["--port", "0"]));
        let session = Session::open(&base).await;
        session.call("greet", json!({"name": "x"})).await;
        running.signal(signal);
        let output = running.wait().code(0);
        assert!(
            output.stderr.contains("stopping: sessions are closed"),
            "{}",
            output.stderr
        );
        assert!(
            output.dir().join("shut-down").is_file(),
            "{signal:?}: the hook did not run\n{}",
            output.stderr
        );
    }
}

const NOISY: &str = r#"
import os, subprocess, sys
from pathlib import Path
from hud import Environment

print("at import")
os.write(1, b"to the descriptor\n")
subprocess.run(["echo", "from a child"])
env = Environment("noisy")

@env.shutdown
async def shutdown():
    print("while shutting down")
    Path("shut-down").write_text("yes")

@env.tool()
def shout() -> str:
    print("in a tool")
    os.write(1, b"again\n")
    sys.stdout.buffer.write(b"\x00\xff not text\n")
    sys.stdout.flush()
    subprocess.run(["echo", "from a tool's child"])
    return "done"
"#;

#[test]
fn over_stdio_stdout_is_protocol_whatever_user_code_prints() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("env.py"), NOISY).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_hud"))
        .args(["dev", "env:env", "--stdio"])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    let mut ask = |message: Value| {
        writeln!(stdin, "{message}").unwrap();
        if message.get("id").is_none() {
            return;
        }
        loop {
            let mut line = String::new();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "it ended");
            let answer: Value = serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("not protocol ({error}): {line}"));
            let is_answer = answer["id"] == message["id"];
            lines.push(answer);
            if is_answer {
                return;
            }
        }
    };
    ask(
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}}),
    );
    ask(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    ask(
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "shout", "arguments": {}}}),
    );
    drop(stdin);
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(rest, "");
    assert_eq!(lines[0]["result"]["serverInfo"]["name"], "noisy");
    assert_eq!(
        lines.last().unwrap()["result"]["content"][0]["text"],
        "done"
    );
    // Where it went instead.
    for printed in [
        "at import",
        "to the descriptor",
        "from a child",
        "in a tool",
        "from a tool's child",
    ] {
        assert!(stderr.contains(printed), "{printed}: {stderr}");
    }
    assert!(folder.path().join("shut-down").is_file());
}
