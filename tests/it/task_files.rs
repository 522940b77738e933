//! Task files of every kind under `hud eval`: the formats, the generations of rows, tasks of the older form with tools that set up and
//! evaluate.

use serde_json::{Value, json};

use crate::support::{Output, Test};

/// A stdio server: a counter.
const SERVER: &str = include_str!("data/counter_server.py");

const ENVIRONMENT: &str = r#"
from hud import Environment
env = Environment("adder")

@env.tool
def add(a: int, b: int) -> int:
    return a + b

@env.scenario("sum")
async def add_up(a: int, b: int = 2):
    answer = yield f"What is {a} + {b}?"
    yield 1.0 if answer == str(a + b) else 0.0
"#;

/// Runs a task file of this name with the oracle, or with an answer that is always 3.
fn run(file: &str, text: &str, model: &str) -> Output {
    Test::new()
        .args(["eval", file, "-m", model, "-q"])
        .file("env.py", ENVIRONMENT)
        .file("server.py", SERVER)
        .file("three.yaml", "- text: '3'\n")
        .file(file, text)
        .run()
}

fn check(file: &str, text: &str, expected: &[(&str, &str)]) {
    let output = run(file, text, "scripted:three.yaml").code(0);
    let outcomes = output.job().outcomes();
    let outcomes: Vec<(&str, &str)> = outcomes
        .iter()
        .map(|(task, outcome)| (task.as_str(), outcome.as_str()))
        .collect();
    assert_eq!(outcomes, expected, "{file}");
}

#[test]
fn each_format_holds_the_same() {
    let rows = json!([
        {"slug": "one", "env": "env.py", "scenario": "sum", "args": {"a": 1}},
        {"slug": "two", "env": "env.py", "scenario": "adder:sum", "args": {"a": 2, "b": 2}},
    ]);
    let expected = [("one", "1"), ("two", "0")];
    check("list.json", &rows.to_string(), &expected);
    check("list.yaml", &rows.to_string(), &expected);
    check(
        "file.json",
        &json!({"name": "x", "tasks": rows}).to_string(),
        &expected,
    );
    check(
        "lines.jsonl",
        &format!("{}\n\n{}\n", rows[0], rows[1]),
        &expected,
    );
    check("one.json", &rows[0].to_string(), &expected[..1]);
    check(
        "default.yaml",
        "env: env.py\ntasks:\n- {slug: one, scenario: sum, args: {a: 1}}\n- {slug: two, scenario: sum, args: {a: 2}}\n",
        &expected,
    );
    check(
        "tasks.py",
        "from env import env\none = env('sum', a=1)\none.slug = 'one'\ntwo = env('sum', a=2)\ntwo.slug = 'two'\n",
        &expected,
    );
    // Generation 6: the id is the scenario.
    check(
        "six.jsonl",
        &format!(
            "{}\n{}\n",
            json!({"env": "env.py", "id": "sum", "args": {"a": 1}, "slug": "one"}),
            json!({"env": "env.py", "id": "sum", "args": {"a": 2}, "slug": "two"})
        ),
        &expected,
    );
}

#[test]
fn a_row_of_json_is_named_by_its_line() {
    let output = run(
        "lines.jsonl",
        "{\"env\": \"env.py\", \"scenario\": \"sum\", \"args\": {\"a\": 1}}\n{\"env\": \"env.py\", \"scenari\": \"sum\"}\n{oops\n",
        "scripted:three.yaml",
    )
    .code(2);
    assert!(
        output
            .stderr
            .contains("lines.jsonl:2:19: unknown field 'scenari' in task 2"),
        "{}",
        output.stderr
    );
    assert!(
        output
            .stderr
            .contains("lines.jsonl:3:2: expected a field name"),
        "{}",
        output.stderr
    );
}

#[test]
fn variables_are_filled_in_and_a_missing_one_is_named() {
    let tasks = "env: env.py\ntasks:\n- {slug: one, scenario: sum, args: {a: 1, b: 2}, system_prompt: 'Call me ${NAME:-Ishmael}; pay $$5; ${WORD}'}\n";
    let test = || {
        Test::new()
            .args(["eval", "t.yaml", "-m", "scripted:three.yaml", "-q"])
            .file("env.py", ENVIRONMENT)
            .file("three.yaml", "- text: '3'\n")
            .file("t.yaml", tasks)
    };
    let output = test().env("WORD", "please").run().code(0);
    assert_eq!(
        output.job().steps("one", "prompt")[0]["system"],
        "Call me Ishmael; pay $5; please"
    );
    let output = test().run().code(2);
    assert!(
        output.stderr.contains("t.yaml:3:65:") && output.stderr.contains("WORD"),
        "{}",
        output.stderr
    );
}

#[test]
fn equal_tasks_need_different_slugs() {
    let tasks =
        "env: env.py\ntasks:\n- {scenario: sum, args: {a: 1}}\n- {scenario: sum, args: {a: 1}}\n";
    let output = run("t.yaml", tasks, "oracle").code(2);
    assert!(
        output.stderr.contains("t.yaml:4:3") && output.stderr.contains("t.yaml:3:3"),
        "both lines are named: {}",
        output.stderr
    );
}

/// A list as JSON Lines.
fn lines(rows: &Value) -> String {
    let rows: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    rows.join("\n")
}

/// A row of the older form: `more` is merged into it.
fn older(id: &str, more: Value) -> Value {
    let mut row = json!({
        "id": id,
        "prompt": "Count to 3",
        "mcp_config": {"local": {"command": "python3", "args": ["server.py"]}},
        "setup_tool": {"name": "setup", "arguments": {"start": 1}},
        "evaluate_tool": {"name": "evaluate", "arguments": {"target": 3}},
        "integration_test_tool": {"name": "bump", "arguments": {"by": 2}},
    });
    if let Value::Object(more) = more {
        for (key, value) in more {
            row[key] = value;
        }
    }
    row
}

#[test]
fn a_task_of_the_older_form_is_the_mean_of_its_evaluate_calls() {
    let evaluate = |target: u32| json!({"name": "evaluate", "arguments": {"target": target}});
    let rows = json!([
        older("count", json!({})),
        older("half", json!({"evaluate_tool": [evaluate(3), evaluate(4)]})),
        older(
            "structured",
            json!({"evaluate_tool": {"name": "evaluate", "arguments": {"target": 3, "structured": true}}})
        ),
        // As data sets store it: JSON in strings.
        older(
            "text",
            json!({
                "mcp_config": "{\"local\": {\"command\": \"python3\", \"args\": [\"server.py\"]}}",
                "evaluate_tool": "{\"name\": \"evaluate\", \"arguments\": {\"target\": 3}}",
            })
        ),
        older(
            "no-setup",
            json!({"setup_tool": null, "evaluate_tool": evaluate(2)})
        ),
    ]);
    for (file, text) in [
        ("tasks.json", rows.to_string()),
        ("tasks.jsonl", lines(&rows)),
    ] {
        let output = run(file, &text, "oracle").code(0);
        assert_eq!(
            output.job().outcomes(),
            [
                ("count", "1"),
                ("half", "0.5"),
                ("no-setup", "1"),
                ("structured", "1"),
                ("text", "1")
            ]
            .map(|(task, reward)| (task.to_owned(), reward.to_owned()))
        );
    }
}

#[test]
fn a_call_of_the_older_form_that_fails_is_no_reward() {
    let rows = json!([
        older("good", json!({})),
        older(
            "setup",
            json!({"setup_tool": {"name": "setup", "arguments": {"fail": true}}})
        ),
        older(
            "no-target",
            json!({"evaluate_tool": {"name": "evaluate", "arguments": {}}})
        ),
        older(
            "no-reward",
            json!({"evaluate_tool": {"name": "bump", "arguments": {}}})
        ),
        older(
            "dies",
            json!({"evaluate_tool": {"name": "quit", "arguments": {}}})
        ),
    ]);
    let output = run("tasks.json", &rows.to_string(), "oracle").code(3);
    let job = output.job();
    assert_eq!(
        job.outcomes(),
        [
            ("dies", "environment_error"),
            ("good", "1"),
            ("no-reward", "environment_error"),
            ("no-target", "environment_error"),
            ("setup", "environment_error")
        ]
        .map(|(task, reward)| (task.to_owned(), reward.to_owned()))
    );
    let check = |task: &str, phase: &str, expected: &str| {
        let message = job.message(task);
        assert!(message.contains(expected), "{task}: {message}");
        assert_eq!(job.rollout(task)["outcome"]["phase"], phase, "{task}");
    };
    check("setup", "setup", "the fixture is gone");
    check("no-target", "grade", "evaluate needs a target");
    check("no-reward", "grade", "without `reward`, `grade` or `score`");
    check("dies", "grade", "the counter broke");
    assert_eq!(job.json("summary.json")["mean_reward"], 1.0);
}

#[test]
fn what_setup_said_follows_the_prompt() {
    let prompt = |more: Value, flags: &[&str]| {
        let output = Test::new()
            .args(["eval", "tasks.json", "-m", "oracle", "-q"])
            .args(flags)
            .file("server.py", SERVER)
            .file("tasks.json", json!([older("count", more)]).to_string())
            .run()
            .code(0);
        output.job().steps("count", "prompt")[0]["messages"][0]["content"][0]["text"].clone()
    };
    let config = |value: bool| json!({"agent_config": {"append_setup_output": value}});
    let with = "Count to 3\n\nThe counter stands at 1.";
    assert_eq!(prompt(json!({}), &[]), with);
    assert_eq!(prompt(config(true), &[]), with);
    assert_eq!(prompt(config(false), &[]), "Count to 3");
    assert_eq!(
        prompt(json!({}), &["-c", "append_setup_output=false"]),
        "Count to 3"
    );
    // Python hud's older spelling.
    assert_eq!(
        prompt(json!({"agent_config": {"append_setup_tool": false}}), &[]),
        "Count to 3"
    );
    assert_eq!(
        prompt(config(true), &["-c", "append_setup_output=false"]),
        with
    );
}

#[test]
fn an_older_task_without_its_parts_is_refused() {
    let check = |more: Value, expected: &str| {
        let output = run(
            "tasks.json",
            &json!([older("count", more)]).to_string(),
            "oracle",
        )
        .code(2);
        assert!(output.stderr.contains(expected), "{}", output.stderr);
        assert!(!output.dir().join("server.pid").exists());
    };
    check(json!({"evaluate_tool": null}), "evaluate_tool");
    check(json!({"mcp_config": {}}), "mcp_config");
    check(
        json!({"mcp_config": {"local": {"comand": "python3"}}}),
        "unknown field 'comand' in 'local' in 'mcp_config' in task 'count'; did you mean 'command'?",
    );
    // The example of seed 004, without the key it needs.
    check(
        json!({"mcp_config": {"hud": {
            "url": "https://mcp.hud.ai/v3/mcp",
            "headers": {"Authorization": "Bearer ${HUD_API_KEY}", "Mcp-Image": "hudpython/hud-remote-browser:latest"}
        }}}),
        "HUD_API_KEY",
    );
}

#[test]
fn an_environment_may_be_a_command_beside_the_file() {
    // A stdio server without scenarios serves tasks of the older form through `env` too.
    let tasks = json!({"tasks": [{
        "slug": "count",
        "env": {"command": ["python3", "server.py"]},
        "prompt": "Count to 3",
        "evaluate_tool": {"name": "evaluate", "arguments": {"target": 3}},
        "solution": {"tool_calls": [{"name": "bump", "arguments": {"by": 3}}], "answer": "3"},
    }]});
    let output = run("tasks.yaml", &tasks.to_string(), "oracle");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(
        output.job().outcomes(),
        [("count".to_owned(), "1".to_owned())]
    );
}

#[test]
fn tasks_of_one_python_file_may_span_environments() {
    let env = |name: &str, reward: &str| {
        format!(
            "from hud import Environment\nenv = Environment('{name}')\n\n@env.scenario('s')\nasync def s():\n    yield 'Go'\n    yield {reward}\n"
        )
    };
    let output = Test::new()
        .file("enva.py", env("a", "1.0"))
        .file("envb.py", env("b", "0.5"))
        .file(
            "tasks.py",
            "from enva import env as ea\nfrom envb import env as eb\n\
             tasks = [ea('s'), eb('s')]\ntasks[0].slug, tasks[1].slug = 'one', 'two'\n\
             for task in tasks:\n    task.solution = {'answer': 'x'}\n",
        )
        .args(["eval", "tasks.py", "-m", "oracle", "--json"])
        .run()
        .code(0);
    let rewards: Vec<_> = output
        .json_lines()
        .into_iter()
        .filter(|line| line["event"] == "rollout_finished")
        .map(|line| (line["task"].to_string(), line["reward"].to_string()))
        .collect();
    assert!(
        rewards.contains(&("\"one\"".into(), "1.0".into()))
            && rewards.contains(&("\"two\"".into(), "0.5".into())),
        "{rewards:?}"
    );
}
