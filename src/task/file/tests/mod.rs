//! Whole files, from text to tasks or messages.

mod environment;
mod rows;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{TaskFile, from_rows, load};
use crate::task::{
    AgentConfig, ConnectionSpec, EnvironmentSpec, Location, Solution, Steps, Task, Workdir,
};
use crate::util::fs;

/// A folder with `env.py`, `pkg/` and the file.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(name: &str, text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(&folder.path().join("env.py"), "").unwrap();
        fs::create_dir_all(&folder.path().join("pkg")).unwrap();
        fs::write(&folder.path().join("pkg/server"), "").unwrap();
        fs::write(&folder.path().join(name), text).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }
}

fn variables(name: &str) -> Option<String> {
    match name {
        "KEY" => Some("s3cret".to_owned()),
        "COMPANY" => Some("HUD".to_owned()),
        _ => None,
    }
}

fn try_load(name: &str, text: &str) -> Result<(TaskFile, Folder), String> {
    let folder = Folder::with(name, text);
    let path = folder.path(name);
    match load(&path, &variables) {
        Ok(file) => Ok((file, folder)),
        Err(errors) => Err(errors.to_string().replace(
            &format!("{}/", folder.path("").display()).replace("//", "/"),
            "",
        )),
    }
}

fn read(text: &str) -> (TaskFile, Folder) {
    try_load("tasks.yaml", text).unwrap()
}

/// The messages about a YAML file. A `^` in the text is not part of it but stands before the place of the next message.
fn check_errors(marked: &str, expected: &[&str]) {
    let mut text = String::new();
    let mut places = Vec::new();
    for c in marked.chars() {
        if c == '^' {
            let line = text.matches('\n').count() + 1;
            let column = text.rsplit('\n').next().unwrap().chars().count() + 1;
            places.push(format!("tasks.yaml:{line}:{column}: "));
        } else {
            text.push(c);
        }
    }
    assert_eq!(places.len(), expected.len(), "a place for each message");
    let errors = try_load("tasks.yaml", &text)
        .map(|(file, _)| file)
        .unwrap_err();
    let mut expected: Vec<String> = places
        .iter()
        .zip(expected)
        .map(|(place, message)| format!("{place}{message}"))
        .collect();
    if expected.len() > 1 {
        expected.push(format!("{} errors", expected.len()));
    }
    let found: Vec<&str> = errors.lines().collect();
    assert_eq!(found, expected, "{text}");
}

/// The messages about a task of a file that is right.
fn check_task_errors(fields: &str, expected: &[&str]) {
    check_errors(
        &format!("env: env.py\ntasks: [{{slug: t, {fields}}}]"),
        expected,
    );
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => panic!("not an object"),
    }
}

#[test]
fn the_file_of_the_documentation() {
    let (file, folder) = read(
        "\
name: trivia
env: env.py
agent: {max_steps: 10}
tasks:
  - slug: ceo-hud
    scenario: initials
    args: {company: '${COMPANY}'}
    solution: {tool_calls: [{name: lookup_ceo, arguments: {company: HUD}}], answer: JR}
",
    );
    let path = folder.path("tasks.yaml");
    let at = |line, column| Location {
        file: path.clone(),
        line,
        column,
    };
    let expected = TaskFile {
        name: Some("trivia".to_owned()),
        agent: AgentConfig {
            max_steps: Some(Steps::AtMost(10)),
            ..AgentConfig::default()
        },
        agent_origin: Some(at(3, 1)),
        tasks: vec![Task {
            slug: "ceo-hud".to_owned(),
            slug_given: true,
            env: EnvironmentSpec::Python {
                source: folder.path("env.py"),
                attr: None,
                python: None,
                workdir: Workdir::Shared,
                env: BTreeMap::new(),
            },
            scenario: Some("initials".to_owned()),
            args: object(json!({"company": "HUD"})),
            prompt: None,
            setup: Vec::new(),
            evaluate: Vec::new(),
            agent: AgentConfig::default(),
            solution: Some(Solution {
                tool_calls: vec![crate::task::Invocation {
                    name: "lookup_ceo".to_owned(),
                    arguments: object(json!({"company": "HUD"})),
                }],
                answer: Some("JR".to_owned()),
            }),
            metadata: Map::new(),
            columns: Map::new(),
            runtime_config: None,
            location: at(5, 5),
            arg_locations: BTreeMap::from([("company".to_owned(), at(7, 21))]),
        }],
    };
    assert_eq!(file, expected);
}

#[test]
fn json_and_json_lines_hold_the_same() {
    let row = r#"{"env": "env.py", "scenario": "a", "args": {"x": 1e3}}"#;
    let from_yaml = read("[{env: env.py, scenario: a, args: {x: 1000.0}}]")
        .0
        .tasks[0]
        .identity();
    for (name, text) in [
        ("t.json", row.to_owned()),
        ("t.json", format!("[{row}]")),
        ("t.json", format!("{{\"tasks\": [{row}]}}")),
        ("t.jsonl", format!("{row}\n\n")),
        ("t.yaml", row.to_owned()),
    ] {
        let (file, _) = try_load(name, &text).unwrap();
        let tasks: Vec<_> = file.tasks.iter().map(Task::identity).collect();
        assert_eq!(tasks, std::slice::from_ref(&from_yaml), "{name} {text}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once_where_they_are() {
    check_errors(
        "\
name: trivia
env: ^envv.py
^agnet: {}
tasks:
  - slug: ceo-hud
    scenario: initials
    ^promt: hello
    args: ^[1]
  - scenario: initials
    agent_config: {max_steps: ^0, ^temprature: 1}
    args: {company: ^'${NOPE}'}
",
        &[
            "'env' in the file: no such file or folder 'envv.py'; did you mean 'env.py'?",
            "unknown field 'agnet' in the file; did you mean 'agent'?",
            "unknown field 'promt' in task 'ceo-hud'; did you mean 'prompt'?",
            "'args' in task 'ceo-hud' must be a mapping, not a list",
            "'max_steps' in 'agent_config' in task 'initials' must be a whole number of at least 1, or -1 for no limit, not 0",
            "unknown field 'temprature' in 'agent_config' in task 'initials'; did you mean 'temperature'?",
            "environment variable 'NOPE' is not set; set it, or write '${NOPE:-default}' (in task 'initials')",
        ],
    );
    // The position is that of DESIGN's example, checked in full once.
    let text = format!(
        "tasks:\n{}  - scenario: a\n      promt: x\n",
        "\n".repeat(11)
    );
    assert_eq!(
        try_load("tasks.yaml", &text.replace("      promt", "    promt")).map(|_| ()),
        Err("tasks.yaml:13:5: task 'a' has no environment; add 'env', here or for the whole file\ntasks.yaml:14:5: unknown field 'promt' in task 'a'; did you mean 'prompt'?\n2 errors".to_owned())
    );
}

#[test]
fn what_a_file_must_hold() {
    check_errors("^", &["the file is empty"]);
    check_errors(
        "^hello",
        &["expected a list of tasks, or a mapping with 'tasks', not a string"],
    );
    check_errors("^[]", &["the list of tasks is empty"]);
    check_errors("^env: env.py", &["the file has no 'tasks'"]);
    check_errors(
        "env: env.py\n^taks: []",
        &["unknown field 'taks' in the file; did you mean 'tasks'?"],
    );
    check_errors(
        "tasks: ^{a: 1}",
        &["'tasks' in the file must be a list, not a mapping"],
    );
    check_errors("[^3]", &["task 1 must be a mapping, not a number"]);
    check_errors(
        "[^{scenario: a}]",
        &["task 'a' has no environment; add 'env', here or for the whole file"],
    );
    check_errors(
        "env: env.py\ntasks: [^{^senario: a}]",
        &[
            "task 1 has no 'scenario' (is 'senario' meant to be it?)",
            "unknown field 'senario' in task 1; did you mean 'scenario'?",
        ],
    );
    assert_eq!(
        try_load("t.jsonl", "{\"env\": \"env.py\", \"scenario\": 1}\n{\"x\": }\n[\n").map(|_| ()),
        Err("t.jsonl:1:31: 'scenario' in task '1' must be a string, not 1\nt.jsonl:2:7: expected a value, but found '}'\nt.jsonl:3:2: expected a value, but the file ends\n3 errors".to_owned())
    );
    assert_eq!(
        try_load("t.json", "[{\"scenario\": \"a\", \"scenario\": \"b\"}]").map(|_| ()),
        Err("t.json:1:2: task 'a' has no environment; add 'env', here or for the whole file\nt.json:1:20: field 'scenario' is given twice; first at 1:3\n2 errors".to_owned())
    );
    let missing = load(Path::new("/nowhere/tasks.yaml"), &variables).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "/nowhere/tasks.yaml: no such file or folder: `/nowhere/tasks.yaml`"
    );
}

#[test]
fn duplicates_name_both_places() {
    check_errors(
        "env: env.py\ntasks:\n- {slug: a, scenario: x}\n- ^{slug: a, scenario: y}\n",
        &["task 'a' has the slug of the one at tasks.yaml:3:3"],
    );
    check_errors(
        "env: env.py\ntasks:\n- {scenario: x, args: {a: 1, b: 2}}\n- ^scenario: x\n  args: {b: 2, a: 1}\n  metadata: {m: 1}\n",
        &[
            "task 'x-1744f53e' is equal to the one at tasks.yaml:3:3 (environments are not compared); give both a 'slug', or use --group to repeat a task",
        ],
    );
}

#[test]
fn derived_slugs_of_different_tasks_are_separated() {
    let (file, _) = read(
        "env: env.py\ntasks:\n- {scenario: x}\n- {scenario: x, system_prompt: p}\n- {scenario: y}\n- {slug: y, scenario: z}\n- {slug: w, scenario: x}\n",
    );
    let suffixed =
        |index: usize, name: &str| format!("{name}-{}", &file.tasks[index].identity()[..8]);
    let slugs: Vec<_> = file.tasks.iter().map(|task| task.slug.clone()).collect();
    assert_eq!(
        slugs,
        [
            suffixed(0, "x"),
            suffixed(1, "x"),
            suffixed(2, "y"),
            "y".to_owned(),
            "w".to_owned()
        ]
    );
}

#[test]
fn identity_is_of_the_content_alone() {
    let identity = |task: &str| read(&format!("[{task}]")).0.tasks[0].identity();
    let base = identity("{env: env.py, scenario: a, args: {x: 1, y: [2]}}");
    assert_eq!(base.len(), 16);
    for same in [
        "{args: {y: [2], x: 1}, scenario: a, env: pkg}",
        "{env: {url: 'http://x?k=${KEY}'}, scenario: a, args: {x: 1, y: [2]}, metadata: {a: 1}, solution: {answer: b}, columns: {c: d}}",
    ] {
        assert_eq!(identity(same), base, "{same}");
    }
    for other in [
        "{env: env.py, scenario: a, args: {x: 1, y: [3]}}",
        "{env: env.py, scenario: b, args: {x: 1, y: [2]}}",
        "{env: env.py, scenario: a, args: {x: 1, y: [2]}, slug: s}",
        "{env: env.py, scenario: a, args: {x: 1, y: [2]}, system_prompt: s}",
        "{env: env.py, scenario: a, args: {x: '1', y: [2]}}",
    ] {
        assert_ne!(identity(other), base, "{other}");
    }
    // Changing this value makes every run directory's tasks unknown to `--resume`.
    assert_eq!(base, "90bbe1096c4bcaae");
}
