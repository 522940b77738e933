//! Other people's clients against our server: the official Python and TypeScript SDKs of both eras, `fastmcp`, the MCP
//! Inspector's command line, and Python hud 5.
//!
//! Each client is a script in `data/interop` that uses everything it knows of the conformance fixture and checks what it gets.
//! `tests/run` installs the clients and says where (`HUD_TEST_VENV_…`, `HUD_TEST_NODE`).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::provider::{Provider, Script, turn};
use crate::support::{self, Output, Served, Test};

/// A program in a world of its own, with the settings that keep these packages from calling home.
fn client(program: impl AsRef<OsStr>) -> Test {
    Test::program(program)
        .env("HUD_TELEMETRY_ENABLED", "false")
        .env("HUD_SKIP_VERSION_CHECK", "1")
        .env("FASTMCP_CHECK_FOR_UPDATES", "off")
        .env("PYTHONWARNINGS", "ignore")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/data/interop")
        .join(name)
}

fn works(output: &Output) {
    assert!(
        output.code == Some(0) && output.stdout.ends_with("everything works\n"),
        "{}{}",
        output.stdout,
        output.stderr
    );
}

fn python(variable: &str, name: &str) {
    let Some(venv) = support::venv(variable, "python") else {
        return;
    };
    let server = Served::by_dev();
    works(
        &client(venv.join("bin/python"))
            .args([script(name).as_os_str(), OsStr::new(&server.url)])
            .run(),
    );
}

fn node(name: &str) {
    let Some(node) = support::node() else { return };
    let server = Served::by_dev();
    works(
        &client(node.join("node_modules/.bin/node"))
            .env("NODE_PATH", node.join("node_modules"))
            .args([script(name).as_os_str(), OsStr::new(&server.url)])
            .run(),
    );
}

#[test]
fn the_python_sdk_1_with_a_session() {
    // Python hud 5 depends on it, so its environment has it.
    python("HUD_TEST_VENV_V5", "mcp1.py");
}

#[test]
fn the_python_sdk_2_in_both_eras() {
    python("HUD_TEST_VENV_SDK", "mcp2.py");
}

#[test]
fn the_python_sdk_2_over_stdio() {
    let Some(venv) = support::venv("HUD_TEST_VENV_SDK", "python") else {
        return;
    };
    let mut environment = std::fs::read_to_string(support::conformance("env.py")).unwrap();
    environment += "\nprint('this is not for the client')\n";
    works(
        &client(venv.join("bin/python"))
            .file("env.py", environment)
            .args([script("stdio2.py").as_os_str()])
            .args([env!("CARGO_BIN_EXE_hud"), "env.py"])
            .run(),
    );
}

#[test]
fn fastmcp_in_both_eras() {
    python("HUD_TEST_VENV_FASTMCP", "fastmcp4.py");
}

#[test]
fn fastmcps_command_line_lists_and_calls() {
    let Some(venv) = support::venv("HUD_TEST_VENV_FASTMCP", "fastmcp") else {
        return;
    };
    let server = Served::by_dev();
    let fastmcp = |args: &[&str]| {
        let output = client(venv.join("bin/fastmcp")).args(args).run();
        assert!(output.code == Some(0), "{}{}", output.stdout, output.stderr);
        output.stdout.clone()
    };
    let listed = fastmcp(&["list", &server.url, "--json"]);
    assert!(listed.contains("test_simple_text"), "{listed}");
    let called = fastmcp(&[
        "call",
        &server.url,
        "test_custom_header",
        "region=eu",
        "query=cats",
    ]);
    assert!(called.contains("cats in eu"), "{called}");
}

#[test]
fn the_typescript_sdk_1_with_a_session() {
    node("sdk1.cjs");
}

#[test]
fn the_typescript_sdk_2_in_both_eras() {
    node("client2.cjs");
}

#[test]
fn the_inspectors_command_line_lists_and_calls() {
    let Some(node) = support::node() else { return };
    let server = Served::by_dev();
    let inspect = |args: &[&str]| -> Value {
        let output = client(node.join("node_modules/.bin/node"))
            .args([node.join("node_modules/.bin/mcp-inspector").as_os_str()])
            .args(["--cli", &server.url, "--transport", "http", "--method"])
            .args(args)
            .run();
        assert!(output.code == Some(0), "{}{}", output.stdout, output.stderr);
        serde_json::from_str(&output.stdout).unwrap()
    };
    // `--strict` fails when a schema is not portable between clients.
    let tools = inspect(&["tools/list", "--strict"]);
    assert_eq!(tools["tools"][0]["name"], "test_simple_text");
    let called = inspect(&[
        "tools/call",
        "--tool-name",
        "test_custom_header",
        "--tool-arg",
        "region=eu",
        "query=cats",
    ]);
    assert_eq!(called["structuredContent"], json!({"result": "cats in eu"}));
    let prompt = inspect(&[
        "prompts/get",
        "--prompt-name",
        "conformance:count",
        "--prompt-args",
        "word=banana",
    ]);
    assert_eq!(
        prompt["messages"][0]["content"]["text"],
        "How many 'r' are in 'banana'?"
    );
    let read = inspect(&["resources/read", "--uri", "test://static-text"]);
    assert_eq!(read["contents"][0]["mimeType"], "text/plain");
}

#[test]
fn python_hud_5_lists_sets_up_and_grades() {
    let Some(venv) = support::venv("HUD_TEST_VENV_V5", "hud") else {
        return;
    };
    let server = Served::by_dev();
    let hud = |args: &[&str]| {
        let output = client(venv.join("bin/hud"))
            .args(["scenario"])
            .args(args)
            .args(["--url", &server.url])
            .run();
        assert!(output.code == Some(0), "{}{}", output.stdout, output.stderr);
        output.stdout.trim().to_owned()
    };
    assert_eq!(hud(&["list"]), "conformance:count(word, letter)");
    let arguments = r#"{"word": "banana", "letter": "a"}"#;
    assert_eq!(
        hud(&["setup", "count", "--args", arguments]),
        "How many 'a' are in 'banana'?"
    );
    // Another process, which takes up the session of the first.
    let grade: Value = serde_json::from_str(&hud(&["grade", "count", "--answer", "3"])).unwrap();
    assert_eq!(grade["reward"], 1.0);
}

#[test]
fn python_hud_5_evaluates_an_agent_on_our_server() {
    let Some(venv) = support::venv("HUD_TEST_VENV_V5", "hud") else {
        return;
    };
    let server = Served::by_dev();
    let provider = Provider::start(Script::turns([
        turn().call("test_simple_text", json!({})),
        turn().text("3"),
    ]));
    let tasks = r#"
import os
from hud import Environment
env = Environment("client")
env.connect_url(os.environ["SERVED"])
tasks = [env("conformance:count", word="strawberry", letter="r")]
"#;
    let output = client(venv.join("bin/hud"))
        .file("tasks.py", tasks)
        .env("SERVED", &server.url)
        .env("HUD_TELEMETRY_ENABLED", "false")
        .args([
            "eval",
            "tasks.py",
            "openai_compatible",
            "--model",
            "a-model",
        ])
        .args(["--yes", "--quiet", "--config"])
        .args([format!("openai_compatible.base_url={}/v1", provider.url())])
        .args([
            "--config".to_owned(),
            format!("openai_compatible.api_key={}", provider.key()),
        ])
        .run();
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(
        output.code == Some(0) && text.contains("Reward: 1.0"),
        "{text}"
    );
    assert_eq!(provider.requests().len(), 2);
    assert_eq!(provider.violations(), Vec::<String>::new());
}
