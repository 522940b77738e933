//! Bad input: each gets one clear error that says what, where and how to fix it; the other rollouts go on, and what finished is kept.

use serde_json::{Value, json};

use crate::support::{Job, Output, Test, require, unaligned};

/// A scenario that is graded by its answer, and tools and scenarios that misbehave.
const ENVIRONMENT: &str = r#"
import os, signal, sys
from pathlib import Path
from hud import Environment

env = Environment("bad")

@env.tool
def fine(word: str = "ok") -> str:
    return word

@env.tool
def fail() -> str:
    raise ValueError("kaboom")

@env.tool
def prints() -> str:
    print('{"jsonrpc": "2.0", "id": 1, "result": {}}')
    print("to the person who reads logs")
    sys.stdout.write("no line end")
    os.write(1, b"raw\n")
    return "printed"

@env.tool
def floods() -> str:
    for _ in range(200):
        os.write(1, b"x" * 100_000)
        os.write(2, b"y" * 100_000)
    return "flooded"

@env.tool
def huge() -> str:
    return "x" * (50 * 1024 * 1024)

@env.tool
def odd() -> object:
    return {"a set": {1, 2}, "bytes": b"\xff"}

@env.tool
def dies() -> str:
    print("last words")
    os.kill(os.getpid(), signal.SIGKILL)

@env.tool
def leaves() -> str:
    sys.exit(7)

@env.scenario("work")
async def work(name: str = "x", setup: str = "", grade: str = ""):
    if setup == "raise":
        raise KeyError("fixture")
    if setup == "exit":
        os._exit(3)
    answer = yield f"Work, {name}"
    Path(f"{name}.graded").write_text(repr(answer))
    if grade == "raise":
        raise RuntimeError("the grader broke")
    if grade == "garbage":
        yield "not a grade"
    if grade == "nan":
        yield float("nan")
    if grade == "error":
        yield {"reward": 0.0, "isError": True, "content": "the judge was away"}
    if grade == "huge":
        yield {"reward": 1.0, "content": "x" * (50 * 1024 * 1024)}
    yield 1.0 if answer == "done" else 0.0

@env.scenario("twice")
async def twice():
    return
    yield
"#;

/// A job of one rollout for each name, beside one that goes well: `calls` of tools, then the answer.
fn tasks(rows: &[(&str, Value, &[&str])]) -> String {
    let mut tasks = vec![
        json!({"slug": "good", "scenario": "work", "solution": {"tool_calls": [{"name": "fine"}], "answer": "done"}}),
    ];
    tasks.extend(rows.iter().map(|(slug, args, calls)| {
        let calls: Vec<Value> = calls.iter().map(|name| json!({"name": name})).collect();
        json!({"slug": slug, "scenario": "work", "args": args, "solution": {"tool_calls": calls, "answer": "done"}})
    }));
    json!({"env": "env.py", "tasks": tasks}).to_string()
}

fn eval(tasks: &str) -> Test {
    Test::new()
        .args(["eval", "tasks.yaml", "-m", "oracle"])
        .file("env.py", ENVIRONMENT)
        .file("tasks.yaml", tasks)
}

fn outcomes(job: &Job) -> Vec<String> {
    job.outcomes()
        .into_iter()
        .map(|(task, outcome)| format!("{task} {outcome}"))
        .collect()
}

/// Asserts the whole text of a mistake that is found before anything starts.
#[track_caller]
fn refused(test: Test, expected: &str) {
    let output = test.run().code(2);
    assert_eq!(output.stdout, "");
    assert_eq!(output.redacted_stderr(), expected);
    assert!(
        Job::all(output.dir())
            .iter()
            .all(|job| job.rollouts().is_empty())
    );
}

#[test]
fn a_file_that_cannot_be_read() {
    let eval = |file: &str| Test::new().args(["eval", file, "-m", "oracle"]);
    refused(
        eval("task.yaml").file("tasks.yaml", "[]"),
        "error: no such file or folder: `task.yaml`; did you mean 'tasks.yaml'?\n",
    );
    refused(
        eval("my-taskset"),
        "error: no such file or folder: `my-taskset`\nhint: hosted tasksets are not read; name a task file\n",
    );
    refused(
        eval("folder").file("folder/readme.txt", ""),
        "error: no tasks in `folder`: looked for tasks.yaml, tasks.yml, tasks.json, tasks.jsonl, tasks.py\n",
    );
    refused(
        eval("tasks.yaml").file("tasks.yaml/inner", ""),
        "error: no tasks in `tasks.yaml`: looked for tasks.yaml, tasks.yml, tasks.json, tasks.jsonl, tasks.py\n",
    );
    refused(
        eval("t.yaml").file("t.yaml", b"env: \xff\xfe"),
        "error: t.yaml: is not UTF-8 text (at byte 5)\n",
    );
    refused(
        eval("t.yaml").file("t.yaml", ""),
        "error: t.yaml:1:1: the file is empty\n",
    );
    refused(
        eval("t.txt").file("t.txt", "x"),
        "error: `t.txt` is no file of tasks by its name; tasks are in .yaml, .yml, .json, .jsonl or .py files\n",
    );
    refused(
        Test::new().args(["eval", "-m", "oracle"]),
        "error: no tasks in `.`: looked for tasks.yaml, tasks.yml, tasks.json, tasks.jsonl, tasks.py\nhint: name a file, as in `hud eval tasks.yaml`, or create an environment with `hud init NAME`\n",
    );
}

#[test]
fn a_file_that_is_not_well_formed() {
    let eval = |file: &str, text: &str| {
        Test::new()
            .args(["eval", file, "-m", "oracle"])
            .file(file, text)
    };
    refused(
        eval("t.yaml", "env: env.py\ntasks: [\n  {slug: a\n"),
        "error: t.yaml:4:1: while parsing a flow mapping, did not find expected ',' or '}'\n",
    );
    refused(
        eval("t.json", "{\"env\": \"env.py\",\n \"tasks\": [}\n"),
        "error: t.json:2:12: expected a value, but found '}'\n",
    );
    refused(
        eval("t.yaml", "tasks: &all\n- *nothing\n"),
        "error: t.yaml:2:3: while parsing node, found unknown anchor\n",
    );
}

#[test]
fn every_mistake_of_a_file_is_told_at_once() {
    refused(
        eval(
            "name: x
env: env.py
agent: {max_stps: 10}
tasks:
  - slug: a
    scenario: work
    promt: x
  - slug: b
    scenaro: work
  - slug: a
    scenario: work
    args: 3
    agent_config: {max_steps: ten}
colums: {}
",
        ),
        "error: tasks.yaml:3:9: unknown field 'max_stps' in 'agent' in the file; did you mean 'max_steps'?
tasks.yaml:7:5: unknown field 'promt' in task 'a'; did you mean 'prompt'?
tasks.yaml:8:5: task 'b' has no 'scenario' (is 'scenaro' meant to be it?)
tasks.yaml:9:5: unknown field 'scenaro' in task 'b'; did you mean 'scenario'?
tasks.yaml:10:5: task 'a' has the slug of the one at tasks.yaml:5:5
tasks.yaml:12:11: 'args' in task 'a' must be a mapping, not 3
tasks.yaml:13:31: 'max_steps' in 'agent_config' in task 'a' must be a whole number of at least 1, or -1 for no limit, not the string 'ten'
tasks.yaml:14:1: unknown field 'colums' in the file; it can have name, env, agent, tasks
8 errors
",
    );
}

#[test]
fn scenarios_and_arguments_are_checked_before_the_first_rollout() {
    refused(
        eval(
            "env: env.py
tasks:
  - {slug: a, scenario: wrok, solution: {answer: x}}
  - {slug: b, scenario: work, args: {nam: x}, solution: {answer: x}}
  - {slug: c, scenario: work, args: {name: 3}, solution: {answer: x}}
  - {slug: d, scenario: nothing-like-it, solution: {answer: x}}
",
        ),
        "error: tasks.yaml:3:5: the environment `bad` has no scenario 'wrok'; did you mean 'work'? (in task 'a')
tasks.yaml:4:43: scenario 'work' has no argument 'nam' (in task 'b'); did you mean 'name'?
tasks.yaml:5:44: argument 'name': 3 is not of type \"string\" (in task 'c')
tasks.yaml:6:5: the environment `bad` has no scenario 'nothing-like-it'; it has work, twice (in task 'd')
4 errors
",
    );
    let needs = "
from hud import Environment
env = Environment('bad')
@env.scenario('work')
async def work(company: str, year: int):
    yield 'x'
    yield 1.0
";
    refused(
        eval("{env: env.py, scenario: work, slug: a, args: {year: soon}, solution: {answer: x}}")
            .file("env.py", needs),
        "error: tasks.yaml:1:1: scenario 'work' needs the argument 'company' (in task 'a')
tasks.yaml:1:53: argument 'year': \"soon\" is not of type \"integer\" (in task 'a')
2 errors
",
    );
}

/// Runs one task of a broken environment beside one of a good one.
fn beside(broken: &str) -> Output {
    Test::new()
        .args(["eval", "tasks.yaml", "-m", "oracle"])
        .file("env.py", ENVIRONMENT)
        .file("broken/env.py", broken)
        .file("broken/helper.py", "VALUE = 1 / 0\n")
        .file(
            "tasks.yaml",
            "tasks:
- {slug: broken, env: broken/env.py, scenario: work, solution: {answer: x}}
- {slug: good, env: env.py, scenario: work, solution: {answer: done}}
",
        )
        .run()
        .code(3)
}

#[test]
fn an_environment_that_does_not_import_shows_the_users_own_line() {
    let check = |broken: &str, expected: &[&str]| {
        let output = beside(broken);
        assert_eq!(
            outcomes(&output.job()),
            ["broken environment_error", "good 1"]
        );
        let message = output.job().message("broken");
        let first = message.lines().next().unwrap();
        for text in expected {
            assert!(message.contains(text), "no {text:?} in: {message}");
        }
        // Nothing of ours is in the way.
        for ours in ["_loading", "importlib", "worker.py", "hud/_"] {
            assert!(!message.contains(ours), "{ours:?} in: {message}");
        }
        assert_eq!(
            output.stderr.matches(first).count(),
            1,
            "said once:\n{}",
            output.stderr
        );
    };
    check(
        "from hud import Environment\ndef broken(:\n    pass\n",
        &["SyntaxError", "broken/env.py:2", "def broken(:"],
    );
    check(
        "from hud import Environment\nimport not_there_at_all\n",
        &[
            "No module named 'not_there_at_all'",
            "broken/env.py:2",
            "import not_there_at_all",
            "hint: ",
        ],
    );
    check(
        "from hud import Environment\n\n\nfrom helper import VALUE\n",
        &[
            "ZeroDivisionError",
            "broken/helper.py:1",
            "VALUE = 1 / 0",
            "from helper import VALUE",
        ],
    );
    check("x = 1\n", &["makes no Environment", "hint: "]);
    check(
        "import sys\nsys.exit(3)\n",
        &["called sys.exit(3)", "broken/env.py:2", "hint: "],
    );
    check(
        "import os\nprint('so long')\nimport sys; sys.stdout.flush()\nos._exit(3)\n",
        &[
            "Python ended while it imported",
            "(exit status: 3)",
            "so long",
        ],
    );
    check(
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
        &["Python ended while it imported", "SIGSEGV"],
    );
}

#[test]
fn an_import_that_hangs_is_bounded() {
    let output = Test::new()
        .args([
            "eval",
            "tasks.yaml",
            "-m",
            "oracle",
            "--phase-timeout",
            "1s",
        ])
        .file("env.py", "print('waiting for godot')\nwhile True: pass\n")
        .file(
            "tasks.yaml",
            "{env: env.py, scenario: work, solution: {answer: x}}",
        )
        .run()
        .code(3);
    assert!(
        output.stderr.contains("took longer than 1") && output.stderr.contains("env.py"),
        "{}",
        output.stderr
    );
}

#[test]
fn tools_that_misbehave_hurt_nobody_else() {
    let name = |name: &str| json!({"name": name});
    let output = eval(&tasks(&[
        ("fails", name("fails"), &["fail", "fine"]),
        ("prints", name("prints"), &["prints", "fine"]),
        ("floods", name("floods"), &["floods", "fine"]),
        ("huge", name("huge"), &["huge", "fine"]),
        ("odd", name("odd"), &["odd", "fine"]),
        ("dies", name("dies"), &["dies", "fine"]),
        ("leaves", name("leaves"), &["leaves", "fine"]),
        ("unknown", name("unknown"), &["fnie", "fine"]),
    ]))
    .run()
    .code(3);
    let job = output.job();
    assert_eq!(
        outcomes(&job),
        [
            "dies environment_error",
            "fails 1",
            "floods 1",
            "good 1",
            "huge 1",
            "leaves 1",
            "odd 1",
            "prints 1",
            "unknown 1",
        ]
    );
    let first = |task: &str| job.tool_results(task).remove(0);
    let failed = first("fails");
    assert!(failed.1 && failed.0.contains("kaboom"), "{failed:?}");
    assert_eq!(first("prints"), ("printed".to_owned(), false));
    assert_eq!(first("floods"), ("flooded".to_owned(), false));
    let huge = first("huge");
    assert!(huge.1 && huge.0.contains("8 MiB"), "{:.200}", huge.0);
    assert!(first("leaves").1);
    let unknown = first("unknown");
    assert!(unknown.1 && unknown.0.contains("fnie"), "{unknown:?}");
    let died = job.message("dies");
    assert!(
        died.contains("SIGKILL") && died.contains("last words"),
        "{died}"
    );
    // What was printed is in that rollout's log, and in no other output.
    let log = |task: &str| {
        let id = job.rollout(task)["trace"].as_str().unwrap().to_owned();
        std::fs::read_to_string(job.path().join(format!("logs/{id}.log"))).unwrap()
    };
    assert!(log("prints").contains("to the person who reads logs\nno line end"));
    assert!(!log("good").contains("reads logs"));
    assert!(!output.stdout.contains("reads logs") && !output.stderr.contains("jsonrpc"));
}

#[test]
fn scenarios_that_misbehave_have_no_grade() {
    let output = eval(&tasks(&[
        ("setup-raises", json!({"name": "a", "setup": "raise"}), &[]),
        ("setup-exits", json!({"name": "b", "setup": "exit"}), &[]),
        ("raises", json!({"name": "c", "grade": "raise"}), &[]),
        ("garbage", json!({"name": "d", "grade": "garbage"}), &[]),
        ("nan", json!({"name": "e", "grade": "nan"}), &[]),
        ("error", json!({"name": "f", "grade": "error"}), &[]),
        ("huge", json!({"name": "g", "grade": "huge"}), &[]),
    ]))
    .run()
    .code(3);
    let job = output.job();
    assert_eq!(
        outcomes(&job),
        [
            "error environment_error",
            "garbage environment_error",
            "good 1",
            "huge environment_error",
            "nan environment_error",
            "raises environment_error",
            "setup-exits environment_error",
            "setup-raises environment_error",
        ]
    );
    let check = |task: &str, phase: &str, expected: &[&str]| {
        let message = job.message(task);
        assert_eq!(job.rollout(task)["outcome"]["phase"], phase, "{message}");
        for text in expected {
            assert!(message.contains(text), "{task}: no {text:?} in {message}");
        }
    };
    check(
        "setup-raises",
        "setup",
        &["KeyError", "fixture", "env.py\", line 51", "raise KeyError"],
    );
    check("setup-exits", "setup", &["exited with code 3"]);
    check(
        "raises",
        "grade",
        &["the grader broke", "env.py\", line 57"],
    );
    check("garbage", "grade", &["not a grade"]);
    check("error", "grade", &["the judge was away"]);
    let summary = job.json("summary.json");
    assert_eq!(summary["mean_reward"], 1.0, "a failure is no reward of 0");
    assert_eq!(summary["failed"], json!({"environment_error": 7}));
    // One line for each kind, with the tasks, on the terminal too.
    assert!(
        unaligned(&output.stdout).contains("not graded 7 of 8 rollouts"),
        "{}",
        output.stdout
    );
}

#[test]
fn two_jobs_at_once_in_one_folder_do_not_meet() {
    let first = eval(&tasks(&[]));
    let folder = first.dir().to_owned();
    let script = "
cd \"$DIR\"
for n in 1 2 3; do \"$HUD\" eval tasks.yaml -m oracle --group 8 --json > out$n.jsonl & pids=\"$pids $!\"; done
for pid in $pids; do wait $pid || exit 9; done
";
    Test::program("sh")
        .args(["-c", script])
        .env("DIR", &folder)
        .env("HUD", env!("CARGO_BIN_EXE_hud"))
        .run()
        .code(0);
    let jobs = Job::all(&folder);
    assert_eq!(jobs.len(), 3);
    for job in &jobs {
        assert_eq!(job.outcomes(), vec![("good".to_owned(), "1".to_owned()); 8]);
        assert_eq!(job.json("summary.json")["graded"], 8);
    }
}

#[test]
fn a_full_disk_cancels_the_job_and_keeps_what_finished() {
    let test = Test::new()
        .args([
            "eval",
            "tasks.yaml",
            "-m",
            "oracle",
            "--max-concurrent",
            "1",
            "--runs-dir",
            "small/runs",
        ])
        .file("env.py", ENVIRONMENT)
        .file("small/keep", "");
    let small = test.dir().join("small");
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(&small)
        .output()
        .is_ok_and(|output| output.status.success());
    if !require("the right to mount a tmpfs", mounted) {
        return;
    }
    let _unmount = Unmount(small.clone());
    // Each answer is kept in the journal and in a trace, so that a few fill the disk.
    let rows: Vec<Value> = (0..40)
        .map(|index| {
            json!({"slug": format!("t{index}"), "scenario": "work", "args": {"name": format!("n{index}")},
                   "solution": {"tool_calls": [{"name": "fine", "arguments": {"word": "x".repeat(4000)}}], "answer": "done"}})
        })
        .collect();
    let output = test
        .file(
            "tasks.yaml",
            json!({"env": "env.py", "tasks": rows}).to_string(),
        )
        .run()
        .code(1);
    assert!(
        output.stderr.contains("No space left on device") && output.stderr.contains("small/runs"),
        "{}",
        output.stderr
    );
    let runs: Vec<_> = std::fs::read_dir(small.join("runs")).unwrap().collect();
    assert_eq!(runs.len(), 1);
    let journal = runs[0].as_ref().unwrap().path().join("journal.jsonl");
    let journal = std::fs::read_to_string(journal).unwrap();
    let whole = &journal[..journal.rfind('\n').unwrap()];
    let finished = whole
        .lines()
        .filter(|line| serde_json::from_str::<Value>(line).unwrap()["type"] == "rollout")
        .count();
    assert!((1..40).contains(&finished), "{finished} finished");
}

/// Unmounts at the end of the test, so that its folder can be removed.
struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("--lazy")
            .arg(&self.0)
            .status();
    }
}
