//! `hud scenario shell`: commands from a pipe, and a person at a real terminal.

use std::os::unix::fs::PermissionsExt as _;

use crate::analyze::serve;
use crate::support::{self, Output, Test, terminal::Screen};

const ENVIRONMENT: &str = r#"
import asyncio
import time
from pathlib import Path
from typing import Literal
import hud

env = hud.Environment("shop", instructions="Sell things.")
orders = {"A1": "open"}

@env.tool
def ship(order: str, how: Literal["post", "van"] = "post", note: str | None = None) -> str:
    """Ship an order."""
    if order not in orders:
        raise ValueError(f"there is no order {order}")
    orders[order] = how
    return f"{order} goes by {how}"

@env.tool
def nap(seconds: float) -> str:
    """Sleep, holding everything up."""
    Path("napping").touch()
    time.sleep(seconds)
    return "slept"

@env.resource("shop://rules")
def rules() -> str:
    return "Be kind."

@env.prompt("greet")
def greet(name: str) -> str:
    return f"Hello {name}"

@env.scenario("deliver")
async def deliver(order: str, strict: bool = False):
    """Get an order delivered."""
    answer = yield f"Deliver {order}."
    shipped = orders.get(order) in ("post", "van")
    yield hud.types.EvaluationResult(
        reward=1.0 if shipped and answer == "done" else 0.5 if shipped else 0.0,
        content="shipped" if shipped else "still here",
        subscores=[hud.types.SubScore(name="shipped", weight=1.0, value=float(shipped))],
    )
"#;

fn shell(input: &str) -> Test {
    Test::new()
        .args(["scenario", "shell"])
        .file("env.py", ENVIRONMENT)
        .stdin(input)
}

#[test]
fn a_scenario_is_played_from_a_pipe() {
    shell("run deliver order=A1\ncall ship order=A1 how=van\nanswer done\n")
        .run()
        .code(0)
        .stdout("Deliver A1.\nA1 goes by van\nreward 1.000\nshipped\nsubscore  value  weight\nshipped   1.000       1\n")
        .stderr("shop 0.0.1, MCP 2025-11-25: 2 tools, 1 scenario\ncall tools, then give the `answer`\n");
}

#[test]
fn what_is_not_given_is_read_from_the_next_lines() {
    shell("call ship\nA1\nvan\n\nrun deliver\nA1\n\nanswer\ndone\nquit\nnot read any more\n")
        .run()
        .code(0)
        .stdout("A1 goes by van\nDeliver A1.\nreward 1.000\nshipped\nsubscore  value  weight\nshipped   1.000       1\n");
}

#[test]
fn everything_that_is_offered_can_be_looked_at() {
    shell("# a comment\n\ntools\ntools ship\nscenarios\nresources\nread shop://rules\nprompts\nprompt greet name=you\nstatus\nhelp call\ncall ship {\"order\": \"A1\"}\ncall _hud_submit scenario=deliver answer=x\n")
        .run()
        .code(0)
        .stdout(
            "\
tool  arguments                                                   description
ship  order: string, how: \"post\" | \"van\" = \"post\", note?: string  Ship an order.
nap   seconds: number                                             Sleep, holding everything up.
ship(order: string, how: \"post\" | \"van\" = \"post\", note?: string)
  Ship an order.
scenario  arguments                               description
deliver   order: string, strict: boolean = false  Get an order delivered.
shop://rules
Be kind.
prompt  arguments     description
greet   name: string
[user]
Hello you
shop 0.0.1, MCP 2025-11-25
Sell things.
no scenario is set up
call TOOL [NAME=VALUE… | JSON]
  Call a tool; what is not given is asked for
A1 goes by post
the tool failed:
No active scenario session for 'deliver'
",
        );
}

#[test]
fn state_lasts_for_the_session_and_reset_begins_anew() {
    shell("run deliver order=A1\ncall ship order=A1\nreset\nrun deliver order=A1\nanswer done\n")
        .run()
        .code(0)
        .stdout("Deliver A1.\nA1 goes by post\nDeliver A1.\nreward 0.000\nstill here\nsubscore  value  weight\nshipped   0.000       1\n");
}

#[test]
fn the_first_command_that_fails_ends_a_pipe() {
    let check = |input: &str, code: i32, expected: &str| {
        let output = shell(&format!("{input}\nhelp\n")).run().code(code);
        assert!(output.stderr.contains(expected), "{}", output.stderr);
        assert_eq!(output.stdout, "", "{input}");
    };
    check(
        "tols",
        2,
        "there is no command `tols`; did you mean 'tools'?",
    );
    check(
        "call shipp",
        2,
        "there is no tool `shipp`; did you mean 'ship'?",
    );
    check(
        "call ship order=A1 how=air",
        2,
        "how: expected \"post\" | \"van\", not `air`",
    );
    check(
        "call nap seconds=soon",
        2,
        "seconds: expected number, not `soon`",
    );
    check(
        "run delver",
        2,
        "the environment has no scenario 'delver'; did you mean 'deliver'?",
    );
    check(
        "answer x",
        3,
        "no scenario is set up\nhint: `run SCENARIO` sets one up",
    );
    check("read shop://nothing", 3, "reading `shop://nothing` failed");
    let output = shell("call ship\n").run().code(2);
    assert!(
        output
            .stderr
            .contains("the input ended where the value of `order` should be"),
        "{}",
        output.stderr
    );
    // A tool that fails has answered.
    let output = shell("call ship order=B2\ncall ship order=A1\n")
        .run()
        .code(0);
    assert!(
        output.stdout.starts_with("the tool failed:\n"),
        "{}",
        output.stdout
    );
    assert!(
        output.stdout.ends_with("A1 goes by post\n"),
        "{}",
        output.stdout
    );
}

#[test]
fn servers_of_all_kinds_are_talked_to() {
    let input = "run deliver order=A1\ncall ship order=A1 how=van\nanswer done\n";
    let played = |output: Output| {
        assert!(
            output
                .stdout
                .contains("Deliver A1.\nA1 goes by van\nreward 1.000\n"),
            "{}",
            output.stdout
        );
    };
    let (server, url) = serve(ENVIRONMENT);
    played(
        Test::new()
            .args(["scenario", "shell", "--url", &url])
            .stdin(input)
            .run()
            .code(0),
    );
    played(
        Test::new()
            .args(["scenario", "shell", &url])
            .stdin(input)
            .run()
            .code(0),
    );
    drop(server);
    let config = serde_json::json!({"a": {"url": url}, "b": {"url": url}}).to_string();
    Test::new()
        .args(["scenario", "shell", "--config", "mcp.json"])
        .file("mcp.json", config)
        .run()
        .code(2);
    let gone = Test::new()
        .args(["scenario", "shell", "--url", &url])
        .run()
        .code(3);
    assert!(
        gone.stderr.contains("connection refused"),
        "{}",
        gone.stderr
    );
}

#[test]
fn python_hud_is_talked_to() {
    let Some(venv) = std::env::var_os("HUD_TEST_VENV_V5").map(std::path::PathBuf::from) else {
        let _ = support::require("HUD_TEST_VENV_V5", false);
        return;
    };
    let environment = "\
from hud import Environment
env = Environment('theirs')
state = {'n': 0}

@env.tool()
def bump(by: int = 1) -> int:
    state['n'] += by
    return state['n']

@env.scenario('count')
async def count(target: int):
    answer = yield f'Count to {target}'
    yield 1.0 if state['n'] == target else 0.0
";
    let script = "from env import env; env.run(transport='stdio', show_banner=False)";
    Test::new()
        .args(["scenario", "shell", "--"])
        .args([venv.join("bin/python").to_str().unwrap(), "-c", script])
        .env("HUD_TELEMETRY_ENABLED", "false")
        .file("env.py", environment)
        .stdin("run count target=3\ncall bump by=3\nanswer\n\n")
        .run()
        .code(0)
        .stdout("Count to 3\n3\nreward 1.000\n");
}

/// A folder with the environment, and a home.
fn folders() -> (tempfile::TempDir, tempfile::TempDir) {
    let work = tempfile::tempdir().unwrap();
    std::fs::write(work.path().join("env.py"), ENVIRONMENT).unwrap();
    (work, tempfile::tempdir().unwrap())
}

fn has_terminal() -> bool {
    support::require("tmux", Screen::is_available())
}

const SHELL: &str = "\"$HUD\" scenario shell; echo \"ended with $?\"";

#[test]
fn a_person_plays_a_scenario_at_a_terminal() {
    if !has_terminal() {
        return;
    }
    let (work, home) = folders();
    let screen = Screen::start(SHELL, work.path(), home.path());
    screen.wait_for_last_line("shop>");
    // A lone candidate is taken by Tab, names and values of an enumeration alike.
    screen.text("run del");
    screen.key("Tab");
    screen.wait_for_last_line("shop> run deliver");
    screen.key("Enter");
    screen.wait_for_last_line("  order (string)>");
    screen.line("");
    screen.wait_for("error: a value is needed; write \"\" for an empty text");
    screen.line("A1");
    screen.wait_for_last_line("  strict (boolean) [false]>");
    screen.line("perhaps");
    screen.wait_for("error: expected boolean, not `perhaps`");
    screen.key("Enter");
    screen.wait_for_last_line("shop:deliver>");
    screen.text("call ship order=A1 how=v");
    screen.key("Tab");
    screen.wait_for_last_line("shop:deliver> call ship order=A1 how=van");
    screen.key("Enter");
    screen.wait_for("A1 goes by van");
    screen.wait_for_last_line("shop:deliver>");
    screen.line("answer done");
    screen.wait_for_last_line("shop>");
    let shown = regex::Regex::new(r"\(\d.*s\)")
        .unwrap()
        .replace_all(&screen.shown(), "([TIME])")
        .into_owned();
    insta::assert_snapshot!(shown, @r#"
    shop 0.0.1, MCP 2025-11-25: 2 tools, 1 scenario
    `help` lists the commands, Tab completes, Ctrl-C stops a call, Ctrl-D ends
    shop> run deliver
      order (string)>
    error: a value is needed; write "" for an empty text
      order (string)> A1
      strict (boolean) [false]> perhaps
    error: expected boolean, not `perhaps`
      strict (boolean) [false]>
    Deliver A1.
    call tools, then give the `answer`
    ([TIME])
    shop:deliver> call ship order=A1 how=van
    A1 goes by van
    ([TIME])
    shop:deliver> answer done
    reward 1.000
    shipped
    subscore  value  weight
    shipped   1.000       1
    ([TIME])
    shop>
    "#);
    screen.key("C-d");
    screen.wait_for("ended with 0");
}

#[test]
fn ctrl_c_stops_a_call_and_gives_up_a_line_and_the_prompt_stays() {
    if !has_terminal() {
        return;
    }
    let (work, home) = folders();
    let screen = Screen::start(SHELL, work.path(), home.path());
    screen.wait_for_last_line("shop>");
    screen.line("call nap seconds=3600");
    while !work.path().join("napping").exists() {
        std::thread::yield_now();
    }
    screen.key("C-c");
    screen.wait_for("stopped");
    screen.wait_for_last_line("shop>");
    // The session lives on.
    screen.line("call ship order=A1");
    screen.wait_for("A1 goes by post");
    screen.text("half a li");
    screen.wait_for_last_line("shop> half a li");
    screen.key("C-c");
    screen.wait_for_last_line("shop>");
    screen.line("call ship");
    screen.wait_for_last_line("  order (string)>");
    screen.key("C-c");
    screen.wait_for_last_line("shop>");
    screen.line("exit");
    screen.wait_for("ended with 0");
}

#[test]
fn lines_are_remembered_across_runs_and_only_by_their_owner() {
    if !has_terminal() {
        return;
    }
    let (work, home) = folders();
    {
        let screen = Screen::start(SHELL, work.path(), home.path());
        screen.wait_for_last_line("shop>");
        screen.line("call ship order=A1");
        screen.wait_for("A1 goes by post");
        screen.wait_for_last_line("shop>");
        screen.key("C-d");
        screen.wait_for("ended with 0");
    }
    let history = home.path().join(".local/state/hud/shell_history");
    assert_eq!(
        std::fs::read_to_string(&history).unwrap(),
        "call ship order=A1\n"
    );
    let mode = history.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let screen = Screen::start(SHELL, work.path(), home.path());
    screen.wait_for_last_line("shop>");
    screen.key("Up");
    screen.wait_for_last_line("shop> call ship order=A1");
    screen.key("Enter");
    screen.wait_for("A1 goes by post");
}

#[test]
fn a_signal_gives_the_terminal_back() {
    if !has_terminal() {
        return;
    }
    let (work, home) = folders();
    let command = "sh -c 'echo $$ > pid; exec \"$HUD\" scenario shell'; echo \"ended with $?\"; stty -a | tr ' ' '\\n' | grep icanon";
    let screen = Screen::start(command, work.path(), home.path());
    screen.wait_for_last_line("shop>");
    let pid = std::fs::read_to_string(work.path().join("pid")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    screen.wait_for("ended with 130");
    // Not `-icanon`: lines are edited by the terminal again.
    screen.wait_for("\nicanon");
}
