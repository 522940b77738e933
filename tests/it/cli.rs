//! The commands as a user types them: what they print, where, and the code they end with.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::Test;

/// One tool, two scenarios, and a tool that takes its time.
const ENVIRONMENT: &str = r#"
import os
import time
from hud import Environment

env = Environment("quiz")

@env.tool
def lookup(company: str) -> str:
    """Look up the CEO of a company."""
    return {"hud": "Jay Ram"}.get(company.lower(), "unknown")

@env.tool
def nap(seconds: float) -> str:
    """Sleep."""
    open("napping", "a").close()
    time.sleep(seconds)
    return "slept"

@env.scenario("initials", description="Ask for initials")
async def initials(company: str, strict: bool = False):
    print("setting up", company)
    answer = yield f"What are the initials of the CEO of {company}?"
    yield 1.0 if answer == "JR" else 0.0

@env.scenario("secret", required_env_vars=["QUIZ_TOKEN"])
async def secret():
    answer = yield "What is the token?"
    yield 1.0 if answer == os.environ["QUIZ_TOKEN"] else 0.0
"#;

const TASKS: &str = r"
name: quiz
env: env.py
tasks:
  - slug: hud
    scenario: initials
    args: {company: HUD}
    solution: {tool_calls: [{name: lookup, arguments: {company: HUD}}], answer: JR}
  - slug: other
    scenario: initials
    args: {company: Other}
    solution: {answer: nobody}
";

fn quiz(args: &str) -> Test {
    Test::new()
        .args(args.split_whitespace())
        .file("env.py", ENVIRONMENT)
        .file("tasks.yaml", TASKS)
}

fn summary(lines: &[Value]) -> &Value {
    let last = lines.last().unwrap();
    assert_eq!(last["event"], "summary");
    last
}

#[test]
fn eval_finds_the_tasks_of_the_folder_and_says_how_they_went() {
    let output = quiz("eval --model oracle --json").run().code(0);
    let lines = output.json_lines();
    let summary = summary(&lines);
    assert_eq!(summary["rollouts"], 2);
    assert_eq!(summary["mean_reward"], 0.5);
    let directory = output.dir().join(summary["directory"].as_str().unwrap());
    let job: Value =
        serde_json::from_str(&std::fs::read_to_string(directory.join("job.json")).unwrap())
            .unwrap();
    let settings = job["plan"]["settings"].as_array().unwrap();
    assert!(
        settings.contains(&json!({"setting": "model", "value": "oracle", "origin": "flag"})),
        "{settings:?}"
    );
    assert!(
        !std::fs::read_to_string(directory.join("job.json"))
            .unwrap()
            .contains("nobody"),
        "a solution is in the run directory"
    );
}

#[test]
fn eval_ends_with_a_code_for_each_kind_of_end() {
    let check = |args: &str, code: i32| {
        quiz(&format!("eval --quiet {args}")).run().code(code);
    };
    check("-m oracle", 0);
    check("-m oracle --min-reward 0.5", 0);
    check("-m oracle --min-reward 0.6", 4);
    check("-m oracle --task-ids 0 --min-reward 0.6", 0);
    check("-m scripted:nowhere.yaml", 2);
    check("-m oracle --task-ids nothing", 2);
    check("-m oracle --bogus", 2);
    check("", 2);
    check("missing.yaml -m oracle", 2);
    quiz("eval -q -m oracle")
        .file("env.py", "import nothing_like_this\n")
        .run()
        .code(3);
    quiz("eval -q -m scripted:turns.yaml")
        .file("turns.yaml", "- error: {kind: request, message: refused}\n")
        .run()
        .code(3);
}

#[test]
fn nothing_starts_before_everything_was_checked() {
    let check = |tasks: &str, args: &str, expected: &str| {
        let output = Test::new()
            .args(format!("eval tasks.yaml {args}").split_whitespace())
            // An environment that tells when it is started.
            .file("env.py", format!("open('started', 'w')\n{ENVIRONMENT}"))
            .file("tasks.yaml", tasks)
            .run()
            .code(2);
        assert!(output.stderr.contains(expected), "{}", output.stderr);
        assert_eq!(output.stdout, "");
        let started = output.dir().join("started").exists();
        (started, output.dir().join(".hud/runs").exists())
    };
    let wrong = TASKS.replace("slug: other", "slugg: other");
    let started = check(&wrong, "-m oracle", "unknown field 'slugg'");
    assert_eq!(started, (false, false));
    let started = check(
        TASKS,
        "-m claude-sonnet-4-6",
        "ANTHROPIC_API_KEY is not set",
    );
    assert_eq!(started, (false, false));
    let started = check(
        TASKS,
        "-m oracle --judge-model gpt-5.4",
        "--judge-model gpt-5.4",
    );
    assert_eq!(started, (false, false));
    let started = check(TASKS, "-m oracle -c top_p=7", "'top_p'");
    assert_eq!(started, (false, false));

    // Arguments need the environment's word, and no rollout.
    let wrong = TASKS.replace("{company: HUD}\n", "{compny: HUD}\n");
    assert!(check(&wrong, "-m oracle", "did you mean 'company'?").0);
    let wrong = TASKS.replace("scenario: initials", "scenario: initial");
    assert!(check(&wrong, "-m oracle", "did you mean 'initials'?").0);
}

#[test]
fn what_does_not_apply_is_said_once() {
    let tasks = TASKS.replace(
        "    scenario: initials\n",
        "    scenario: initials\n    agent_config: {max_steps: 5}\n",
    );
    let output = quiz("eval -m oracle --max-steps 30 --disallowed-tools lokup,n*")
        .file("tasks.yaml", tasks)
        .run()
        .code(0);
    let warnings: Vec<&str> = output
        .stderr
        .lines()
        .filter(|line| line.starts_with("warning"))
        .collect();
    assert_eq!(
        warnings,
        [
            "warning: `--max-steps 30` does not apply to 2 tasks that set it",
            "warning: disallowed_tools: no environment has a tool called 'lokup'; did you mean 'lookup'?",
        ]
    );
}

#[test]
fn a_python_file_brings_its_own_tasks() {
    let source = format!(
        "{ENVIRONMENT}\ntask = env('initials', company='HUD')\nother = env('initials', company='Other')\n"
    );
    let output = Test::new()
        .args(["eval", "quiz.py", "-m", "scripted:turns.yaml", "--json"])
        .file("quiz.py", source)
        .file("turns.yaml", "- text: JR\n")
        .run()
        .code(0);
    assert_eq!(summary(&output.json_lines())["mean_reward"], 1.0);

    let output = quiz("eval env.py -m oracle").run().code(2);
    assert!(
        output.stderr.contains("holds no tasks"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_setting_of_the_project_is_used_and_shown() {
    let output = quiz("eval --show-config --max-concurrent 3")
        .file(
            "hud.toml",
            "[eval]\nmodel = 'oracle'\ngroup = 2\nmax_concurrent = 9\n",
        )
        .run()
        .code(0);
    let row = |name: &str| {
        let line = output
            .stdout
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("no {name} in {}", output.stdout));
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(row("model "), ["model", "oracle", "hud.toml:2:1"]);
    assert_eq!(row("group "), ["group", "2", "hud.toml:3:1"]);
    assert_eq!(row("max_concurrent "), ["max_concurrent", "3", "flag"]);
    assert_eq!(
        row("agent.max_steps "),
        ["agent.max_steps", "10", "default"]
    );

    let output = quiz("eval --json")
        .file("hud.toml", "[eval]\nmodel = 'oracle'\ngroup = 2\n")
        .run()
        .code(0);
    assert_eq!(summary(&output.json_lines())["rollouts"], 4);
}

#[test]
fn the_first_ctrl_c_keeps_what_finished_and_the_second_stops_at_once() {
    let start = || {
        let running = quiz("eval -m scripted:turns.yaml --json --max-concurrent 1 --task-ids hud,other")
            .file(
                "turns.yaml",
                "turns:\n- match: hud\n  turns: [{text: JR}]\n- match: other\n  turns:\n  - {tool_calls: [{name: nap, arguments: {seconds: 600}}]}\n",
            )
            .spawn();
        running.wait_for_stdout("\"outcome\":\"graded\"");
        wait_for(&running.dir().join("napping"));
        running
    };
    // A terminal that is closed hangs up.
    for signal in [Signal::INT, Signal::HUP] {
        let running = start();
        running.signal(signal);
        let output = running.wait().code(130);
        let lines = output.json_lines();
        let summary = summary(&lines);
        assert_eq!(summary["graded"], 1);
        assert_eq!(summary["failed"], json!({"cancelled": 1}));
    }

    let running = start();
    running.signal(Signal::TERM);
    running.signal(Signal::INT);
    // Whether the first signal was enough is a race; both ends have the same code and leave the finished rollout in the journal.
    let output = running.wait().code(130);
    let runs = std::fs::read_dir(output.dir().join(".hud/runs")).unwrap();
    let journal = runs.map(|run| run.unwrap().path().join("journal.jsonl"));
    let journal: String = journal
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert!(journal.contains("graded"), "{journal}");
}

#[test]
fn an_environment_that_does_not_start_ends_the_same_way_everywhere() {
    let broken = |args: &str| quiz(args).file("env.py", "import nothing_like_this\n");
    let output = broken("eval -m oracle --json").run().code(3);
    let lines = output.json_lines();
    assert_eq!(lines.len(), 1);
    let summary = summary(&lines);
    assert_eq!(
        (&summary["rollouts"], &summary["graded"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(summary["failed"], json!({"not_started": 2}));
    assert_eq!(summary["directory"], Value::Null);
    assert_eq!(
        output.stderr.matches("cannot import").count(),
        1,
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("runs"), "{}", output.stderr);
    let runs = std::fs::read_dir(output.dir().join(".hud/runs")).unwrap();
    assert_eq!(runs.count(), 0);

    let check = |env: &str, args: &str, expected: &str| {
        let tasks = TASKS.replace("env: env.py", &format!("env: {env}"));
        let output = quiz(&format!("eval tasks.yaml -m oracle --json {args}"))
            .file("tasks.yaml", tasks)
            .run()
            .code(2);
        assert!(output.stderr.contains(expected), "{}", output.stderr);
        assert_eq!(output.stdout, "");
    };
    check(
        "{command: [no-such-program]}",
        "",
        "tasks.yaml:5:5: there is no program `no-such-program`",
    );
    check(
        "env.py",
        "--python /nope",
        "--python: there is no Python at `/nope`",
    );
    check(
        "{source: env.py, python: /nope}",
        "",
        "tasks.yaml:3:31: 'python' in 'env' in the file: no such file '/nope'",
    );
    check("env.py:nope", "", "has no Environment named 'nope'");
    check(
        "{image: x}",
        "",
        "tasks.yaml:5:5: this version does not start images",
    );
    check(
        "{hub: x}",
        "",
        "tasks.yaml:5:5: this version does not resolve hosted",
    );
    let other = |scenario: &str, expected: &str| {
        let output = quiz("eval tasks.yaml -m oracle")
            .file(
                "tasks.yaml",
                TASKS.replacen("scenario: initials", &format!("scenario: '{scenario}'"), 1),
            )
            .run()
            .code(2);
        assert!(output.stderr.contains(expected), "{}", output.stderr);
    };
    other(
        "other:initials",
        "tasks.yaml:5:5: the environment `quiz` has no scenario 'other:initials'; did you mean 'quiz:initials'?",
    );
    other("Quiz:initials", "did you mean 'quiz:initials'?");
}

#[test]
fn small_comforts() {
    // A file where the folder would be, so that it cannot be made whoever runs this test.
    let output = quiz("eval -m oracle --runs-dir env.py/runs").run().code(2);
    assert!(
        output
            .stderr
            .contains("name another folder with --runs-dir"),
        "{}",
        output.stderr
    );
    let output = quiz("scenario list tasks.yaml").run().code(0);
    assert!(
        output.stdout.contains("quiz:initials("),
        "{}",
        output.stdout
    );
    quiz("scenario list tasks.yaml --env env.py").run().code(2);
}

#[test]
fn mistakes_about_models_are_found_before_the_start() {
    let check = |args: &str, expected: &str| {
        let tasks = TASKS.replace("    solution: {answer: nobody}\n", "");
        let output = quiz(&format!("eval tasks.yaml {args}"))
            .file("tasks.yaml", tasks)
            .run()
            .code(2);
        assert!(output.stderr.contains(expected), "{}", output.stderr);
        assert!(!output.stderr.contains("SECRET"), "{}", output.stderr);
    };
    check(
        "-m oracle",
        "tasks.yaml:9:5: task 'other' has no solution for the oracle to play",
    );
    check(
        "-m oracle -c temperature=0.5",
        "`-c temperature=0.5` cannot be applied: the agent `oracle` calls no model",
    );
    check(
        "-m x --base-url user:SECRET@nonsense?key=SECRET",
        "the base URL `nonsense` is not a URL",
    );
}

fn wait_for(path: &Path) {
    let begun = std::time::Instant::now();
    while !path.exists() {
        assert!(begun.elapsed().as_secs() < 30, "no {}", path.display());
        std::thread::yield_now();
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let output = Test::program("sh")
        .args([
            "-c",
            "\"$HUD\" completions bash | head -n 1; \"$HUD\" completions bash | true",
        ])
        .env("HUD", env!("CARGO_BIN_EXE_hud"))
        .run()
        .code(0);
    assert_eq!(output.stderr, "");
}

#[test]
fn every_template_is_created_and_solved() {
    for template in ["blank", "trivia", "chat", "sqlite", "organized"] {
        let test = Test::new().args(["init", "my-demo", "--template", template]);
        let output = test.run().code(0);
        assert_eq!(output.stdout, "");
        assert!(
            output.stderr.contains("hud eval --model oracle"),
            "{}",
            output.stderr
        );

        let again = Test::program("sh")
            .args([
                "-c",
                "cd \"$DIR/my-demo\" && \"$HUD\" eval --model oracle --json --min-reward 1",
            ])
            .env("HUD", env!("CARGO_BIN_EXE_hud"))
            .env("DIR", output.dir())
            .run()
            .code(0);
        let lines = again.json_lines();
        assert_eq!(summary(&lines)["mean_reward"], 1.0, "{template}");
    }
}

#[test]
fn init_overwrites_nothing_unless_told() {
    let output = Test::new()
        .args(["init", "demo"])
        .file("demo/env.py", "mine")
        .run()
        .code(2);
    assert!(
        output.stderr.contains("`./demo/env.py` already exists"),
        "{}",
        output.stderr
    );
    let mine = std::fs::read_to_string(output.dir().join("demo/env.py")).unwrap();
    assert_eq!(mine, "mine");
    assert!(!output.dir().join("demo/tasks.yaml").exists());

    let output = Test::new()
        .args(["init", "demo", "--force"])
        .file("demo/env.py", "mine")
        .run()
        .code(0);
    let text = std::fs::read_to_string(output.dir().join("demo/env.py")).unwrap();
    assert!(text.contains("Environment(\"demo\")"), "{text}");
}

#[test]
fn scenarios_are_driven_by_hand() {
    quiz("scenario list").run().code(0).stdout(
        "quiz:initials(company: string, strict: boolean = false)  Ask for initials\nquiz:secret()  Scenario: secret\n",
    );
    let prompt = "What are the initials of the CEO of HUD?\n";
    let company = r#"{"company":"HUD"}"#;
    let run = |args: &[&str]| quiz("").args(args).run();
    run(&["scenario", "setup", "initials", "--args", company])
        .code(0)
        .stdout(prompt)
        .stderr("setting up HUD\n");
    run(&["task", "start", "hud", "--source", "tasks.yaml", "-q"])
        .code(0)
        .stdout(prompt)
        .stderr("");

    let grade = |answer: &str, args: &[&str]| {
        let output = run(&[args, &["--args", company, "--answer", answer, "-q"]].concat()).code(0);
        let grade: Value = serde_json::from_str(&output.stdout).unwrap();
        (grade["reward"].clone(), output.stdout.lines().count())
    };
    assert_eq!(grade("JR", &["scenario", "run", "quiz:initials"]).0, 1.0);
    assert_eq!(grade("XX", &["scenario", "grade", "initials"]).0, 0.0);
    let one_line = grade("JR", &["task", "grade", "initials", "--json"]);
    assert_eq!(one_line, (json!(1.0), 1));

    let output = run(&["scenario", "run", "initials", "--args", r#"{"compny": 1}"#]).code(2);
    assert!(
        output.stderr.contains("did you mean 'company'?"),
        "{}",
        output.stderr
    );
    let output = run(&["scenario", "run", "initial"]).code(2);
    assert!(
        output.stderr.contains("did you mean 'initials'?"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_required_variable_comes_from_the_shell_or_a_file_and_is_missed_by_name() {
    let run = |test: Test| {
        test.args(["scenario", "grade", "secret", "--answer", "t0k", "-q"])
            .run()
    };
    let output = run(quiz("")).code(2);
    assert!(output.stderr.contains("QUIZ_TOKEN"), "{}", output.stderr);
    for test in [
        quiz("").env("QUIZ_TOKEN", "t0k"),
        quiz("").file(".env", "QUIZ_TOKEN=t0k\n"),
    ] {
        let output = run(test).code(0);
        let grade: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(grade["reward"], 1.0);
    }
}

#[test]
fn set_writes_a_file_that_only_the_user_can_read() {
    let output = Test::new()
        .args(["set", "ANTHROPIC_API_KEY=s3cret", "ANTROPIC_BASE_URL=x"])
        .run()
        .code(0);
    assert!(!output.stderr.contains("s3cret"), "{}", output.stderr);
    assert!(
        output.stderr.contains("did you mean `ANTHROPIC_BASE_URL`?"),
        "{}",
        output.stderr
    );
    let path = output.dir().parent().unwrap().join("home/.hud/.env");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "ANTHROPIC_API_KEY=s3cret\nANTROPIC_BASE_URL=x\n");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_child_starts_for_its_parent_alone_and_dies_with_it() {
    let run = |script: &str| {
        Test::program("sh")
            .args(["-c", script])
            .env("HUD", env!("CARGO_BIN_EXE_hud"))
            .run()
    };
    run("\"$HUD\" __child --parent $$ --signal kill -- echo ran")
        .code(0)
        .stdout("ran\n");
    let output = run("\"$HUD\" __child --parent 1 --signal kill -- echo ran").code(125);
    assert_eq!(output.stdout, "");
    run("\"$HUD\" __child --parent $$ --signal kill -- ./no-such-program").code(127);
    if cfg!(target_os = "linux") {
        // The shell in the middle is killed; its child, which would sleep for an hour and hold our pipe open, goes with it.
        run(
            "sh -c '\"$HUD\" __child --parent $$ --signal kill -- sleep 3600 & sleep 0.2; kill -9 $$'; echo gone",
        )
        .stdout("gone\n");
    }
}

#[test]
fn help_is_data_and_a_slip_is_not() {
    let output = Test::new().args(["eval", "--help"]).run().code(0);
    assert!(output.stdout.contains("Examples:"), "{}", output.stdout);
    assert_eq!(output.stderr, "");
    let output = Test::new().args(["evla"]).run().code(2);
    assert_eq!(output.stdout, "");
    assert!(
        output
            .stderr
            .starts_with("error: unrecognized subcommand 'evla'"),
        "{}",
        output.stderr
    );
    Test::new().args(["--version"]).run().code(0);
}

#[test]
fn a_served_environment_is_evaluated_over_http_and_stdio() {
    let server = quiz("serve mcp env.py --port 0").spawn();
    server.wait_for_stdout("/mcp\n");
    let url = server.stdout_so_far().trim().to_owned();
    let hud = env!("CARGO_BIN_EXE_hud");
    for env in [
        format!("{{url: {url}}}"),
        format!("{{command: [{hud}, serve, mcp, env.py, --stdio, --quiet]}}"),
    ] {
        let tasks = TASKS.replace("env: env.py", &format!("env: {env}"));
        let output = quiz("eval -m oracle --json")
            .file("tasks.yaml", tasks)
            .run()
            .code(0);
        let lines = output.json_lines();
        assert_eq!(summary(&lines)["mean_reward"], 0.5, "{env}");
    }
    let output =
        quiz("scenario run initials --answer JR --json --args {\"company\":\"HUD\"} --env")
            .args([&url])
            .run()
            .code(0);
    let grade: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(grade["reward"], 1.0);

    server.signal(Signal::INT);
    server.wait().code(0);
}

#[test]
fn a_port_that_is_taken_is_a_mistake_in_the_command() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = quiz(&format!("serve mcp --port {port}")).run().code(2);
    assert!(
        output.stderr.contains("hint: choose another port"),
        "{}",
        output.stderr
    );
}
