//! `hud analyze`: everything that an environment offers, of every kind of source, in every format.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{self, Running, Test};

const ENVIRONMENT: &str = r#"
from typing import Literal
from hud import Environment

env = Environment("shop", instructions="Sell things.\nBe kind.")

@env.tool(annotations={"readOnlyHint": True})
def find(status: Literal["open", "done"], limit: int = 10, tag: str | None = None) -> list[str]:
    """Find orders | all of them."""
    return []

@env.tool
def _reset() -> None:
    """Nobody sees this."""

@env.resource("shop://rules", description="What is allowed")
def rules() -> str:
    return "Be kind."

@env.prompt("greet")
def greet(name: str) -> str:
    """Say hello."""
    return f"Hello {name}"

@env.scenario("sell", exclude_tools=["find"], required_env_vars=["SHOP_KEY"])
async def sell(item: str, count: int = 1):
    """Sell something."""
    answer = yield f"Sell {count} {item}"
    yield 1.0

task = env("sell", item="pen")
"#;

fn analyze(args: &[&str]) -> Test {
    Test::new()
        .args(["analyze"])
        .args(args)
        .file("env.py", ENVIRONMENT)
}

/// `hud serve mcp` on the environment, and its URL.
pub fn serve(environment: &str) -> (Running, String) {
    let server = Test::new()
        .args(["serve", "mcp", "env.py", "--port", "0"])
        .file("env.py", environment)
        .spawn();
    server.wait_for_stdout("/mcp\n");
    let url = server.stdout_so_far().trim().to_owned();
    (server, url)
}

#[test]
fn people_get_tables() {
    analyze(&[]).run().code(0).stderr("").stdout(
        "\
shop 0.0.1
Sell things. Be kind.
MCP 2025-11-25: logging, completions, prompts, resources, tools
imported in [TIME], initialized in [TIME]
each rollout in a fork of its own: memory is isolated, files and services are shared
holds 1 task

1 tool, and 1 hidden
  tool  parameters                                                  description
  find  status: \"open\" | \"done\", limit: integer = 10, tag?: string  [read-only] Find orders | all of them.

1 scenario
  scenario   arguments                         description
  shop:sell  item: string, count: integer = 1  [needs SHOP_KEY] Sell something.

1 resource
  uri           name   type        description
  shop://rules  rules  text/plain  What is allowed

1 prompt
  prompt  arguments  description
  greet   name       Say hello.
",
    );
}

#[test]
fn verbose_shows_schemas_in_full() {
    let output = analyze(&["env.py:env", "-v"]).run().code(0);
    assert!(output.stdout.contains("Sell things.\nBe kind.\n"));
    assert!(
        output.stdout.contains("      input: {\"type\":\"object\""),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains("exclude_tools: [\"find\"]"));
}

#[test]
fn programs_get_one_object_and_nothing_else() {
    let output = analyze(&["--format", "json"]).run().code(0).stderr("");
    let json: Value = serde_json::from_str(&output.stdout).unwrap();
    let keys: Vec<&str> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "success",
            "name",
            "version",
            "title",
            "instructions",
            "protocolVersion",
            "capabilities",
            "isolation",
            "isolationReason",
            "startMs",
            "initializeMs",
            "toolCount",
            "hiddenToolCount",
            "internalToolCount",
            "tools",
            "hubTools",
            "scenarios",
            "resources",
            "resourceTemplates",
            "prompts",
            "taskCount",
            "servers",
            "metadata",
            "verbose",
        ]
    );
    assert_eq!(json["success"], true);
    assert_eq!(json["toolCount"], 1);
    assert_eq!(json["hiddenToolCount"], 1);
    assert_eq!(json["taskCount"], 1);
    assert_eq!(
        json["tools"][0]["annotations"],
        json!({"readOnlyHint": true})
    );
    assert!(json["initializeMs"].is_u64() && json["startMs"].is_u64());
    assert_eq!(
        json["scenarios"],
        json!([{
            "id": "shop:sell",
            "env": "shop",
            "name": "sell",
            "description": "Sell something.",
            "chat": false,
            "arguments": [
                {"name": "item", "required": true, "type": "string"},
                {"name": "count", "required": false, "default": 1, "type": "integer"},
            ],
            "required_env_vars": ["SHOP_KEY"],
            "has_setup_prompt": true,
            "has_evaluate_resource": true,
            "setup_description": "[Setup] Sell something.",
            "evaluate_description": "[Evaluate] Sell something.",
            "exclude_tools": ["find"],
        }])
    );
    // Graders are nobody's business.
    assert!(!output.stdout.contains("yield"), "{}", output.stdout);
}

#[test]
fn markdown_is_for_a_readme() {
    let output = analyze(&["-f", "markdown"]).run().code(0);
    let stdout = output.redacted_stdout();
    assert!(stdout.starts_with("# shop 0.0.1\n\nSell things.\nBe kind.\n\n- Source: `env.py`\n"));
    assert!(
        stdout.contains(
            "| `find` | `status: \"open\" \\| \"done\", limit: integer = 10, tag?: string` | \\[read-only\\] Find orders \\| all of them. |\n"
        ),
        "{stdout}"
    );
}

#[test]
fn a_task_files_environment_is_analyzed() {
    let tasks = "env: env.py\ntasks:\n  - {scenario: sell, args: {item: a}}\n  - {scenario: sell, args: {item: b}}\n";
    let output = analyze(&["tasks.yaml", "--json"])
        .file("tasks.yaml", tasks)
        .run();
    let json: Value = serde_json::from_str(&output.code(0).stdout).unwrap();
    assert_eq!(
        (&json["name"], &json["taskCount"]),
        (&json!("shop"), &json!(2))
    );

    let two = "tasks:\n  - {env: env.py, scenario: sell, args: {item: a}}\n  - {env: b.py, scenario: sell, args: {item: b}}\n";
    analyze(&["tasks.yaml"])
        .file("tasks.yaml", two)
        .file("b.py", ENVIRONMENT)
        .run()
        .code(2)
        .stdout("")
        .stderr(
            "error: the file names several environments\nhint: name one of them, such as env.py\n",
        );
}

#[test]
fn a_server_behind_a_url_is_analyzed() {
    let (server, url) = serve(ENVIRONMENT);
    let output = Test::new().args(["analyze", &url, "--json"]).run().code(0);
    let json: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(json["name"], "shop");
    assert_eq!(json["protocolVersion"], "2026-07-28");
    assert_eq!(json["startMs"], Value::Null);
    assert_eq!(json["tools"][0]["name"], "find");
    let uris: Vec<&str> = json["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["uri"].as_str().unwrap())
        .collect();
    assert_eq!(uris, ["shop://rules", "shop:sell"]);
    drop(server);
}

#[test]
fn a_key_goes_to_the_server_and_only_this_machine_gets_the_variables() {
    let server = Test::new()
        .args(["serve", "mcp", "env.py", "--port", "0"])
        .env("HUD_SERVE_KEY", "s3cret")
        .file("env.py", ENVIRONMENT)
        .spawn();
    server.wait_for_stdout("/mcp\n");
    let url = server.stdout_so_far().trim().to_owned();
    let at = |args: &[&str]| Test::new().args(["analyze", &url, "--json"]).args(args);
    let output = at(&[]).run().code(3);
    assert!(
        output.stderr.contains("wants authorization"),
        "{}",
        output.stderr
    );
    at(&["--api-key", "wrong"]).run().code(3);
    at(&["--api-key", "s3cret"]).run().code(0);
    at(&[]).env("HUD_SERVE_KEY", "s3cret").run().code(0);
    analyze(&["--api-key", "s3cret"]).run().code(2);
}

#[test]
fn several_servers_of_a_configuration_are_analyzed_together() {
    let (server, url) = serve(ENVIRONMENT);
    let counter = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/counter_server.py");
    let config = json!({"mcpServers": {
        "shop": {"url": url},
        "counter": {"command": "python3", "args": [counter]},
        "other": {"command": "nothing", "disabled": true},
    }});
    let run = |args: &[&str]| {
        Test::new()
            .args(["analyze", "-c", "mcp.json"])
            .args(args)
            .file("mcp.json", config.to_string())
            .run()
            .code(0)
    };
    let json: Value = serde_json::from_str(&run(&["--json"]).stdout).unwrap();
    assert_eq!(json["metadata"]["servers"], json!(["shop", "counter"]));
    assert_eq!(json["name"], Value::Null);
    assert_eq!(json["servers"][1]["place"], "counter");
    let tools: Vec<(&str, &str)> = json["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| {
            (
                tool["server"].as_str().unwrap(),
                tool["name"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(tools[0], ("shop", "find"));
    assert!(
        tools[1..].iter().all(|(server, _)| *server == "counter"),
        "{tools:?}"
    );
    let table = run(&[]).stdout;
    assert!(table.contains("shop 0.0.1  server `shop`\n"), "{table}");
    drop(server);
}

#[test]
fn a_program_is_analyzed() {
    let counter = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/counter_server.py");
    let output = Test::new()
        .args([
            "analyze",
            "--json",
            "--",
            "python3",
            counter.to_str().unwrap(),
        ])
        .run()
        .code(0);
    let json: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        json["isolation"],
        "each rollout starts the command anew, in a process of its own"
    );
    assert!(json["toolCount"].as_u64().unwrap() > 0);
}

#[test]
fn failures_say_why_and_do_not_end_well() {
    let missing = analyze(&["--json"])
        .file("env.py", "import nothing_of_this_name\n")
        .run()
        .code(3);
    let json: Value = serde_json::from_str(&missing.stdout).unwrap();
    assert_eq!(json["success"], false);
    assert!(
        json["error"]
            .as_str()
            .unwrap()
            .contains("nothing_of_this_name"),
        "{json}"
    );
    assert!(missing.stderr.contains("env.py:1"), "{}", missing.stderr);

    Test::new()
        .args(["analyze", "http://127.0.0.1:1/mcp"])
        .run()
        .code(3)
        .stdout("")
        .stderr("error: cannot connect to `http://127.0.0.1:[PORT]/mcp`: connection refused\nhint: is the server running?\n");
    Test::new()
        .args(["analyze", "--", "sh", "-c", "echo hello; echo bye >&2; exit 3"])
        .run()
        .code(3)
        .stdout("")
        .stderr(
            "\
error: `sh -c echo hello; echo bye >&2; exit 3` ended with exit status: 3 before it answered `initialize`
it wrote text that is not MCP on stdout, for example `hello`
the end of its log:
    bye
",
        );
    Test::new()
        .args(["analyze", "--timeout", "200ms", "--", "sleep", "600"])
        .run()
        .code(3)
        .stdout("")
        .stderr("error: `sleep 600` runs, and did not answer `initialize` within [TIME]\nit wrote nothing on stdout\n");
    Test::new()
        .args(["analyze", "--", "no-such-program"])
        .run()
        .code(3)
        .stdout("")
        .stderr("error: there is no program `no-such-program`\nhint: give its path, or put it on the PATH\n");
    Test::new()
        .args(["analyze", "--config", "mcp.json"])
        .file("mcp.json", "{\"a\": {\"comand\": \"x\"}}")
        .run()
        .code(2)
        .stdout("");
    analyze(&["env.py", "--config", "mcp.json"])
        .run()
        .code(2)
        .stdout("");
}

#[test]
fn python_hud_is_analyzed_too() {
    let Some(venv) = std::env::var_os("HUD_TEST_VENV_V5").map(std::path::PathBuf::from) else {
        let _ = support::require("HUD_TEST_VENV_V5", false);
        return;
    };
    let environment = "\
from hud import Environment
env = Environment('theirs')

@env.tool()
def bump(by: int = 1) -> int:
    return by

@env.scenario('count')
async def count(target: int):
    yield 'Count'
    yield 1.0
";
    let script = "from env import env; env.run(transport='stdio', show_banner=False)";
    let output = Test::new()
        .args(["analyze", "--json", "--"])
        .args([venv.join("bin/python").to_str().unwrap(), "-c", script])
        .env("HUD_TELEMETRY_ENABLED", "false")
        .file("env.py", environment)
        .run()
        .code(0);
    let json: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(json["name"], "theirs");
    assert_eq!(json["toolCount"], 1);
    assert_eq!(json["scenarios"][0]["id"], "theirs:count");
    assert_eq!(json["scenarios"][0]["has_evaluate_resource"], true);
    assert_eq!(
        json["scenarios"][0]["arguments"],
        json!([{"name": "target", "required": true, "type": "integer"}])
    );
}
