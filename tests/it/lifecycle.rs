//! Every way a rollout of a Python environment can end, seen through the engine: what is stopped, what is graded, what is cleaned up.

use std::path::Path;
use std::time::Duration;

use hud::event::{Limit, Outcome, Phase, RunEvent, Step};
use hud::task::Task;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::engine::{Bench, run};
use crate::support;

/// A scenario that marks its end and its grade in files, and tools that misbehave.
const ENVIRONMENT: &str = r#"
import asyncio, os, signal, time
from pathlib import Path
from hud import Environment

env = Environment("marks")

def mark(name):
    Path(name).write_text("yes")

@env.tool
def hang() -> str:
    while True:
        time.sleep(0.01)

@env.tool
def stubborn() -> str:
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

@env.tool
async def wait() -> str:
    await asyncio.sleep(3600)
    return "never"

@env.tool
def crash() -> str:
    print("about to crash")
    os.kill(os.getpid(), signal.SIGSEGV)
    return "never"

@env.tool
def quit() -> str:
    os._exit(7)

@env.tool
def fine() -> str:
    return "fine"

@env.tool
def fail() -> str:
    raise ValueError("kaboom")

@env.tool
def huge() -> str:
    return "x" * (50 * 1024 * 1024)

@env.tool
def chatty() -> str:
    print('{"jsonrpc":"2.0","id":1,"result":{}}')
    os.write(1, b"x" * 3_000_000)
    return "ok"

@env.scenario("work")
async def work(name: str, grade: str = "1.0"):
    try:
        answer = yield f"Work, {name}"
        mark(f"{name}.graded")
        if grade == "raise":
            raise RuntimeError("the grader broke")
        if grade == "hang":
            await asyncio.sleep(3600)
        yield float(grade)
    finally:
        mark(f"{name}.finally")

@env.scenario("bad-setup")
async def bad_setup(name: str):
    try:
        raise KeyError("fixture")
        yield "never"
    finally:
        mark(f"{name}.finally")

@env.shutdown
async def down():
    mark(f"{os.environ.get('TMPDIR', '').split('/')[-1]}.shutdown")
"#;

fn task(bench: &Bench, name: &str, calls: &[&str]) -> Task {
    let calls: Vec<_> = calls.iter().map(|name| (*name, json!({}))).collect();
    let mut task = bench.task("work", json!({"name": name}), &calls, "done");
    task.slug.clear();
    task.slug.push_str(name);
    task
}

fn marked(bench: &Bench, mark: &str) -> bool {
    bench.path().join(mark).is_file()
}

fn shutdowns(folder: &Path) -> usize {
    std::fs::read_dir(folder)
        .unwrap()
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().ends_with(".shutdown")
        })
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_synchronous_tool_is_stopped_at_the_deadline_and_the_copy_is_graded() {
    let mut bench = Bench::new(ENVIRONMENT);
    bench.limits.rollout_timeout = Some(Duration::from_millis(700));
    for tool in ["hang", "wait"] {
        let (_, results, _) = run(bench.plan(vec![task(&bench, tool, &["fine", tool])])).await;
        let result = &results[&format!("{tool}#0")];
        let Outcome::Graded {
            evaluation,
            stopped_by,
        } = &result.outcome
        else {
            panic!("{tool}: {:?}", result.outcome);
        };
        assert_eq!((evaluation.reward, *stopped_by), (1.0, Some(Limit::Time)));
        assert!(marked(&bench, &format!("{tool}.finally")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_does_not_stop_is_killed_and_nothing_is_graded() {
    let mut bench = Bench::new(ENVIRONMENT);
    bench.limits.rollout_timeout = Some(Duration::from_millis(700));
    let (_, results, summary) = run(bench.plan(vec![
        task(&bench, "a", &["stubborn"]),
        task(&bench, "b", &["fine"]),
    ]))
    .await;
    let outcome = &results["a#0"].outcome;
    assert!(
        matches!(
            outcome,
            Outcome::LimitReached {
                limit: Limit::Time,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert_eq!(results["b#0"].outcome.reward(), Some(1.0));
    assert_eq!(
        summary.mean_reward,
        Some(1.0),
        "a killed copy is no reward of 0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_over_its_own_time_is_stopped_and_the_rollout_goes_on() {
    let mut bench = Bench::new(ENVIRONMENT);
    bench.limits.tool_timeout = Duration::from_millis(500);
    for tool in ["hang", "wait"] {
        let (events, results, _) = run(bench.plan(vec![task(&bench, tool, &[tool, "fine"])])).await;
        let answers: Vec<(String, bool)> = events
            .iter()
            .filter_map(|event| match event {
                RunEvent::Step { step, .. } => match &**step {
                    Step::ToolFinished { result, .. } => Some((
                        hud::message::Content::join_text(&result.content),
                        result.is_error,
                    )),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        assert_eq!(
            answers,
            [
                (
                    format!("tool `{tool}` did not answer within 0.5s and was stopped"),
                    true
                ),
                ("fine".to_owned(), false)
            ]
        );
        assert_eq!(results[&format!("{tool}#0")].outcome.reward(), Some(1.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finally_leaves_its_mark_for_each_way_a_rollout_can_end() {
    let mut bench = Bench::new(ENVIRONMENT);
    bench.limits.phase_timeout = Duration::from_secs(3);
    let fine = task(&bench, "graded", &["fine", "fail"]);
    let mut hung_grader = task(&bench, "hung-grader", &[]);
    hung_grader.args.insert("grade".into(), json!("hang"));
    let mut no_solution = task(&bench, "agent-error", &[]);
    no_solution.solution = None;
    let mut setup = bench.task("bad-setup", json!({"name": "setup"}), &[], "x");
    setup.slug = "setup".into();
    let mut grader = task(&bench, "grader", &[]);
    grader.args.insert("grade".into(), json!("raise"));
    let (_, results, _) =
        run(bench.plan(vec![fine, grader, hung_grader, no_solution, setup])).await;
    let kinds: Vec<(&str, &str)> = results
        .iter()
        .map(|(name, result)| (name.as_str(), result.outcome.kind()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("agent-error#0", "agent_error"),
            ("graded#0", "graded"),
            ("grader#0", "environment_error"),
            ("hung-grader#0", "timeout"),
            ("setup#0", "environment_error"),
        ]
    );
    for name in ["graded", "grader", "hung-grader", "agent-error", "setup"] {
        assert!(marked(&bench, &format!("{name}.finally")), "{name}");
    }
    assert_eq!(shutdowns(bench.path()), 5, "@env.shutdown of every copy");
    let message = results["setup#0"].outcome.message().unwrap();
    assert!(
        message.contains("KeyError") && message.contains("env.py"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_closes_the_scenarios_that_run() {
    let bench = Bench::new(ENVIRONMENT);
    let plan = bench.plan(vec![
        task(&bench, "one", &["wait"]),
        task(&bench, "two", &["hang"]),
    ]);
    let cancel = CancellationToken::new();
    let mut tools = 0;
    let mut outcomes = Vec::new();
    let canceller = cancel.clone();
    let summary = hud::eval::run(plan, cancel, &mut |event| {
        match event {
            RunEvent::Step { step, .. } if matches!(*step, Step::ToolStarted { .. }) => {
                tools += 1;
                if tools == 2 {
                    canceller.cancel();
                }
            }
            RunEvent::RolloutFinished { result, .. } => outcomes.push(result.outcome),
            _ => {}
        }
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(outcomes, [Outcome::Cancelled, Outcome::Cancelled]);
    assert!(summary.interrupted);
    assert!(marked(&bench, "one.finally") && marked(&bench, "two.finally"));
    assert!(!marked(&bench, "one.graded") && !marked(&bench, "two.graded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_dies_is_an_error_of_the_environment_with_its_last_words() {
    let bench = Bench::new(ENVIRONMENT);
    let tasks = vec![
        task(&bench, "crash", &["crash"]),
        task(&bench, "quit", &["quit"]),
        task(&bench, "fine", &["fine"]),
    ];
    let (_, results, _) = run(bench.plan(tasks)).await;
    let message = |name: &str| results[name].outcome.message().unwrap();
    let crash = message("crash#0");
    assert!(
        crash.contains("SIGSEGV") && crash.contains("about to crash"),
        "{crash}"
    );
    assert!(
        message("quit#0").contains("exited with code 7"),
        "{}",
        message("quit#0")
    );
    assert_eq!(results["fine#0"].outcome.reward(), Some(1.0));
    assert!(matches!(
        results["crash#0"].outcome,
        Outcome::EnvironmentError {
            phase: Phase::Loop,
            ..
        }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn output_and_size_cannot_break_the_protocol() {
    let bench = Bench::new(ENVIRONMENT);
    let (events, results, _) =
        run(bench.plan(vec![task(&bench, "loud", &["chatty", "huge", "fine"])])).await;
    assert_eq!(results["loud#0"].outcome.reward(), Some(1.0));
    let errors: Vec<bool> = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::Step { step, .. } => match &**step {
                Step::ToolFinished { result, .. } => Some(result.is_error),
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(
        errors,
        [false, true, false],
        "50 MB are refused with a tool error"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_floods_is_cut_and_the_rollout_says_so() {
    let mut bench = Bench::new(
        r#"
import os
from hud import Environment
env = Environment("flood")

@env.tool
def flood() -> str:
    while True:
        os.write(1, b"spam " * 200_000)

@env.scenario("work")
async def work():
    yield "Work"
    yield 1.0
"#,
    );
    bench.limits.tool_timeout = Duration::from_millis(1500);
    let (_, results, _) = run(bench.plan(vec![bench.task(
        "work",
        json!({}),
        &[("flood", json!({}))],
        "x",
    )]))
    .await;
    let result = results.values().next().unwrap();
    assert_eq!(result.outcome.reward(), Some(1.0), "{:?}", result.outcome);
    assert!(
        result
            .warnings
            .iter()
            .any(|text| text.contains("its log had over")),
        "{:?}",
        result.warnings
    );
    for log in std::fs::read_dir(bench.path().join("run/logs")).unwrap() {
        let size = log.unwrap().metadata().unwrap().len();
        assert!(size <= 64 * 1024 * 1024, "{size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_prompt_is_an_error_of_the_environment() {
    let bench = Bench::new(
        "from hud import Environment\nenv = Environment('e')\n\n@env.scenario('work')\nasync def work():\n    yield '  '\n    yield 1.0\n",
    );
    let (_, results, _) = run(bench.plan(vec![bench.task("work", json!({}), &[], "x")])).await;
    let outcome = &results.values().next().unwrap().outcome;
    assert!(
        matches!(outcome, Outcome::EnvironmentError { phase: Phase::Setup, message } if message.contains("empty prompt")),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_readable_from_inside_a_worker() {
    let mut bench = Bench::new(
        r#"
import os
from hud import Environment
env = Environment("keys")

def environ_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        return file.read().decode(errors="replace")

@env.scenario("look", required_env_vars=["GRANTED_KEY"])
async def look():
    seen = dict(os.environ)
    yield "Look"
    everything = str(seen) + environ_of("self") + environ_of(os.getppid())
    if "secret-anthropic" in everything or "secret-hud" in everything:
        yield {"reward": 0.0, "content": everything}
    else:
        yield 1.0 if os.environ.get("GRANTED_KEY") == "granted" else 0.5
"#,
    );
    bench.secrets = [
        ("ANTHROPIC_API_KEY", "secret-anthropic"),
        ("HUD_API_KEY", "secret-hud"),
        ("GRANTED_KEY", "granted"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let mut task = bench.task("look", json!({}), &[], "x");
    task.slug = "look".into();
    let (_, results, _) = run(bench.plan(vec![task])).await;
    assert_eq!(
        results["look#0"].outcome.reward(),
        Some(1.0),
        "{:?}",
        results["look#0"].outcome
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_numpy_environment_forks_and_each_copy_draws_other_numbers() {
    let python = std::env::var_os("HUD_TEST_VENV_SDK")
        .map(|venv| std::path::PathBuf::from(venv).join("bin/python"))
        .filter(|python| python.is_file());
    if !support::require("numpy (HUD_TEST_VENV_SDK)", python.is_some()) {
        return;
    }
    let bench = Bench::new(
        r#"
import numpy, random
from hud import Environment
env = Environment("dice")
numpy.dot(numpy.ones((256, 256)), numpy.ones((256, 256)))

@env.scenario("roll")
async def roll():
    yield "Roll"
    yield {"reward": 1.0, "info": {"numpy": float(numpy.random.random()), "random": random.random()}}
"#,
    );
    let draw = || async {
        let mut task = bench.task("roll", json!({}), &[], "x");
        task.slug = "roll".into();
        if let hud::task::EnvironmentSpec::Python { python: slot, .. } = &mut task.env {
            slot.clone_from(&python);
        }
        let mut plan = bench.plan(vec![task]);
        plan.group = 4;
        let (events, results, _) = run(plan).await;
        assert!(
            events.iter().any(|event| matches!(event, RunEvent::EnvironmentReady { isolation, .. } if isolation.contains("fork"))),
            "numpy must not prevent forking"
        );
        let mut numbers = Vec::new();
        for result in results.values() {
            let Outcome::Graded { evaluation, .. } = &result.outcome else {
                panic!("{:?}", result.outcome);
            };
            numbers.push(evaluation.info["numpy"].to_string());
            numbers.push(evaluation.info["random"].to_string());
        }
        numbers
    };
    let first = draw().await;
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), 8, "{first:?}");
    assert_eq!(
        draw().await,
        first,
        "the same job seed draws the same numbers again"
    );
}
