//! `hud debug`: every stage passes where it should, and what is broken is found by the stage that should find it.

use std::path::Path;

use serde_json::Value;

use crate::analyze::serve;
use crate::support::{self, Output, Test};

const ENVIRONMENT: &str = r#"
import hud

env = hud.Environment("quiz")
state = {"n": 0}

@env.tool(annotations={"readOnlyHint": True})
def count() -> int:
    """How many."""
    return state["n"]

@env.tool
def bump(by: int) -> int:
    """Adds."""
    state["n"] += by
    return state["n"]

@env.scenario("sum")
async def sum_up(a: int, b: int = 2):
    """Adds two numbers."""
    answer = yield f"What is {a} + {b}?"
    yield 1.0 if answer == str(a + b) else 0.25

@env.scenario("free")
async def free():
    """Needs nothing."""
    yield "Say something"
    yield 0.5
"#;

fn debug(args: &[&str]) -> Test {
    Test::new()
        .args(["debug"])
        .args(args)
        .file("env.py", ENVIRONMENT)
}

/// `debug --json` on a program.
fn program(command: &[&str]) -> Test {
    Test::new().args(["debug", "--json", "--"]).args(command)
}

fn counter() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/counter_server.py");
    path.to_string_lossy().into_owned()
}

/// Name and status of each check.
fn statuses(output: &Output) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    output
        .json_lines()
        .iter()
        .filter(|line| line["event"] == "check")
        .map(|line| (text(&line["name"]), text(&line["status"])))
        .collect()
}

#[track_caller]
fn check_of(output: &Output, name: &str) -> Value {
    let lines = output.json_lines();
    let found = lines.iter().find(|line| line["name"] == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {lines:?}"))
        .clone()
}

#[track_caller]
fn assert_statuses(output: &Output, expected: &[(&str, &str)]) {
    let got = statuses(output);
    let got: Vec<(&str, &str)> = got
        .iter()
        .map(|(name, status)| (name.as_str(), status.as_str()))
        .collect();
    assert_eq!(got, expected, "{}", output.stdout);
}

const ALL_PASSED: &[(&str, &str)] = &[
    ("start", "passed"),
    ("initialize", "passed"),
    ("list", "passed"),
    ("tool", "passed"),
    ("scenario", "passed"),
    ("sessions", "passed"),
    ("shutdown", "passed"),
];

#[test]
fn a_good_environment_passes_every_stage() {
    let output = debug(&[]).run().code(0).stderr("");
    // How wide a time is differs from run to run.
    let lines: Vec<String> = output
        .redacted_stdout()
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            "1 start ok [TIME] imported; each rollout in a fork of its own: memory is isolated, files and services are shared",
            "2 initialize ok [TIME] quiz 0.0.1, MCP 2025-11-25: logging, completions, prompts, resources, tools",
            "3 list ok [TIME] 2 tools, 2 scenarios",
            "4 tool ok [TIME] count() answered `0`",
            "5 scenario ok [TIME] quiz:free set up in [TIME] (`Say something`), graded 0.500 in [TIME]",
            "6 sessions ok [TIME] 10 opened in [TIME]: each has a process of its own, all call the tool at once, scenarios are kept apart",
            "7 shutdown ok [TIME] everything has ended, no process is left",
            "7 passed in [TIME]",
        ]
    );
}

#[test]
fn tools_scenarios_and_the_last_phase_can_be_chosen() {
    let output = debug(&[
        "--json",
        "--call",
        "bump",
        "--args",
        "{\"by\": 4}",
        "--scenario",
        "sum",
        "--arg",
        "a=1",
        "--answer",
        "3",
    ])
    .run()
    .code(0);
    assert_statuses(&output, ALL_PASSED);
    let detail = |name: &str| {
        check_of(&output, name)["detail"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(detail("tool"), "bump(by=4) answered `4`");
    assert!(detail("scenario").contains("(`What is 1 + 2?`), graded 1.000"));
    let summary = output.json_lines().pop().unwrap();
    assert_eq!(
        (&summary["event"], &summary["success"]),
        (&"summary".into(), &true.into())
    );
    assert_eq!(summary["passed"], 7);

    let output = debug(&["--json", "--max-phase", "3"]).run().code(0);
    assert_statuses(&output, &ALL_PASSED[..3]);
    let output = debug(&["--json", "--max-phase", "1"]).run().code(0);
    assert_statuses(&output, &ALL_PASSED[..1]);
}

#[test]
fn a_task_says_which_scenario_and_with_what() {
    let tasks = "env: env.py\ntasks:\n  - {scenario: sum, args: {a: 40}}\n";
    let output = debug(&["tasks.yaml", "--json"])
        .file("tasks.yaml", tasks)
        .run()
        .code(0);
    let detail = check_of(&output, "scenario")["detail"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(detail.contains("`What is 40 + 2?`"), "{detail}");
    assert!(detail.contains("graded 0.250"), "{detail}");
}

#[test]
fn flags_that_ask_for_what_is_not_there_are_mistakes() {
    let check = |args: &[&str], expected: &str| {
        let output = debug(args).run().code(2);
        assert!(output.stderr.contains(expected), "{}", output.stderr);
    };
    check(&["--call", "bumb"], "did you mean 'bump'?");
    check(
        &["--call", "bump", "--args", "{}"],
        "\"by\" is a required property",
    );
    check(
        &["--scenario", "smu"],
        "--scenario: the environment has no scenario 'smu'",
    );
    check(&["--scenario", "sum"], "hint: give --arg a=…");
    check(
        &["--scenario", "sum", "--arg", "a=x"],
        "--arg a: expected integer, not `x`",
    );
    check(&["--max-phase", "9"], "9 is not in 1..=7");
    check(&["--args", "{}"], "--call");
}

#[test]
fn a_server_behind_a_url_passes() {
    let (server, url) = serve(ENVIRONMENT);
    let output = Test::new().args(["debug", "--json", &url]).run().code(0);
    assert_statuses(&output, ALL_PASSED);
    drop(server);
    let output = Test::new().args(["debug", "--json", &url]).run().code(5);
    let start = check_of(&output, "start");
    assert_eq!(start["status"], "failed");
    assert_eq!(start["hints"][0], "is the server running?");
}

#[test]
fn a_program_passes_and_what_cannot_be_tried_is_said() {
    let output = program(&["python3", &counter()]).run().code(0);
    assert_statuses(
        &output,
        &[
            ("start", "passed"),
            ("initialize", "passed"),
            ("list", "passed"),
            ("tool", "skipped"),
            ("scenario", "skipped"),
            ("sessions", "passed"),
            ("shutdown", "passed"),
        ],
    );
    let tool = check_of(&output, "tool");
    assert!(
        tool["detail"]
            .as_str()
            .unwrap()
            .contains("--call NAME --args JSON"),
        "{tool}"
    );
}

#[test]
fn an_import_that_fails_is_a_start_that_failed() {
    let output = debug(&["--json"])
        .file(
            "env.py",
            "import hud\n\ndef load():\n    import not_there\n\nload()\n",
        )
        .run()
        .code(5);
    assert_statuses(
        &output,
        &[
            ("start", "failed"),
            ("initialize", "skipped"),
            ("list", "skipped"),
            ("tool", "skipped"),
            ("scenario", "skipped"),
            ("sessions", "skipped"),
            ("shutdown", "passed"),
        ],
    );
    let start = check_of(&output, "start");
    let hints = start["hints"].to_string();
    assert!(hints.contains("not_there"), "{start}");
    assert!(hints.contains("env.py:4"), "{start}");
}

#[test]
fn a_program_that_ends_prints_or_is_silent_is_told_apart() {
    let check = |command: &[&str], stage: &str, detail: &str, hint: &str| {
        let output = Test::new()
            .args(["debug", "--json", "--timeout", "500ms", "--"])
            .args(command)
            .run()
            .code(5);
        let found = check_of(&output, stage);
        assert_eq!(found["status"], "failed", "{found}");
        assert!(
            found["detail"].as_str().unwrap().contains(detail),
            "{found}"
        );
        assert!(found["hints"].to_string().contains(hint), "{found}");
    };
    check(
        &["no-such-program"],
        "start",
        "there is no program",
        "put it on the PATH",
    );
    check(
        &["sh", "-c", "echo 'usage: server [--stdio]' >&2; exit 2"],
        "initialize",
        "ended with exit status: 2 before it answered",
        "needs other arguments",
    );
    check(
        &["sh", "-c", "cat /no/such/file"],
        "initialize",
        "ended with exit status: 1",
        "a file is not there",
    );
    check(
        &["sh", "-c", "echo Welcome; exec sleep 600"],
        "initialize",
        "it wrote text that is not MCP on stdout, for example `Welcome`",
        "stdout belongs to the protocol",
    );
    check(
        &["sleep", "600"],
        "initialize",
        "did not answer `initialize` within 0.5s\nit wrote nothing on stdout",
        "--timeout",
    );
    check(
        &["sh", "-c", "exec >&-; exec sleep 600"],
        "initialize",
        "closed its stdout before it answered `initialize`, and still runs",
        "",
    );
}

#[test]
fn prints_between_messages_are_found() {
    let script = format!(
        "import sys; print('Server ready', flush=True); exec(open({:?}).read())",
        counter()
    );
    let output = program(&["python3", "-c", &script]).run().code(5);
    let initialize = check_of(&output, "initialize");
    assert_eq!(initialize["status"], "failed", "{initialize}");
    assert!(
        initialize["detail"]
            .as_str()
            .unwrap()
            .contains("`Server ready`"),
        "{initialize}"
    );
    // Told once, and everything else is still checked.
    assert_eq!(check_of(&output, "list")["status"], "passed");
}

#[test]
fn failing_tools_and_graders_show_their_place_and_their_log() {
    let environment = r#"
import hud
env = hud.Environment("broken")

@env.tool(annotations={"readOnlyHint": True})
def look() -> str:
    """Looks."""
    print("looking for it")
    return open("/no/such/file").read()

@env.scenario("bad")
async def bad():
    yield "x"
    raise ValueError("cannot grade")
"#;
    let output = debug(&["--json"]).file("env.py", environment).run().code(5);
    let tool = check_of(&output, "tool");
    assert_eq!(tool["status"], "failed");
    assert!(
        tool["log"].as_str().unwrap().contains("looking for it"),
        "{tool}"
    );
    assert!(tool["hints"].to_string().contains("env.py:9"), "{tool}");
    let scenario = check_of(&output, "scenario");
    assert_eq!(scenario["status"], "failed");
    assert!(
        scenario["detail"]
            .as_str()
            .unwrap()
            .contains("cannot grade"),
        "{scenario}"
    );
    assert!(
        scenario["hints"].to_string().contains("env.py:14"),
        "{scenario}"
    );
    // What did not work once is not tried ten times.
    assert_eq!(check_of(&output, "sessions")["status"], "passed");
}

/// One file for all sessions: the second to come does not start.
#[test]
fn sessions_that_get_in_each_others_way_are_found() {
    let script = format!(
        "import os, sys\ntry:\n    os.open('lock', os.O_CREAT | os.O_EXCL)\nexcept FileExistsError:\n    sys.exit('somebody else works here')\nexec(open({:?}).read())",
        counter()
    );
    let output = program(&["python3", "-c", &script]).run().code(5);
    let sessions = check_of(&output, "sessions");
    assert_eq!(sessions["status"], "failed");
    assert!(
        sessions["detail"]
            .as_str()
            .unwrap()
            .starts_with("10 of 10 sessions did not open"),
        "{sessions}"
    );
    assert!(
        sessions["log"]
            .as_str()
            .unwrap()
            .contains("somebody else works here"),
        "{sessions}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn processes_that_are_left_behind_are_found_and_ended() {
    let environment = format!(
        "{ENVIRONMENT}\nimport subprocess\n\n@env.initialize\ndef start():\n    subprocess.Popen(['sleep', '98765'], start_new_session=True)\n"
    );
    let output = debug(&["--json"]).file("env.py", environment).run().code(5);
    let shutdown = check_of(&output, "shutdown");
    assert_eq!(shutdown["status"], "failed", "{}", output.stdout);
    let detail = shutdown["detail"].as_str().unwrap();
    assert!(detail.contains("`sleep 98765`"), "{detail}");
    let alive = std::fs::read_dir("/proc").unwrap().any(|entry| {
        let path = entry.unwrap().path().join("cmdline");
        std::fs::read(path).is_ok_and(|command| command == b"sleep\098765\0")
    });
    assert!(!alive, "somebody still sleeps");
}

#[test]
fn a_program_that_ignores_its_stdin_is_noted() {
    let script = format!(
        "exec(open({:?}).read())\nimport signal\nsignal.pause()",
        counter()
    );
    let output = program(&["python3", "-c", &script]).run().code(0);
    let shutdown = check_of(&output, "shutdown");
    assert!(
        shutdown["remarks"].to_string().contains("SIGTERM ended it"),
        "{shutdown}"
    );
}

#[test]
fn python_hud_passes() {
    let Some(venv) = std::env::var_os("HUD_TEST_VENV_V5").map(std::path::PathBuf::from) else {
        let _ = support::require("HUD_TEST_VENV_V5", false);
        return;
    };
    let environment = "\
from hud import Environment
env = Environment('theirs')

@env.scenario('count')
async def count(target: int = 3):
    answer = yield 'Count'
    yield 1.0 if answer == 'x' else 0.0
";
    let script = "from env import env; env.run(transport='stdio', show_banner=False)";
    let output = Test::new()
        .args(["debug", "--json", "--timeout", "60s", "-A", "x", "--"])
        .args([venv.join("bin/python").to_str().unwrap(), "-c", script])
        .env("HUD_TELEMETRY_ENABLED", "false")
        .file("env.py", environment)
        .deadline(std::time::Duration::from_mins(3))
        .run()
        .code(0);
    let scenario = check_of(&output, "scenario");
    assert!(
        scenario["detail"]
            .as_str()
            .unwrap()
            .contains("graded 1.000"),
        "{scenario}"
    );
    assert_eq!(check_of(&output, "sessions")["status"], "passed");
}

#[test]
fn the_tasks_beside_an_environment_are_of_use() {
    let tasks = "env: env.py\ntasks:\n  - {scenario: sum, args: {a: 40}}\n";
    for source in ["env.py", "."] {
        let output = debug(&[source, "--json"])
            .file("tasks.yaml", tasks)
            .run()
            .code(0);
        let detail = check_of(&output, "scenario")["detail"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(detail.contains("`What is 40 + 2?`"), "{detail}");
    }
    // One that is broken keeps nothing from being checked.
    let output = debug(&["--json"])
        .file("tasks.yaml", "nonsense: [")
        .run()
        .code(0);
    assert_statuses(&output, ALL_PASSED);
}
