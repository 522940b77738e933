//! Whole files, from text to tasks or messages.

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
fn generations_5_and_6() {
    let (file, _) = try_load(
        "t.json",
        r#"[
        {"env": "env.py", "scenario": "trivia:initials", "id": 17, "args": null, "slug": null, "agent_config": {"append_setup_tool": true},
         "validation": [{"name": "submit", "arguments": {"x": 1}}], "columns": {"level": "easy", "tags": ["a"], "n": 1, "none": null}},
        {"env": "env.py", "id": "count", "args": {"word": "rr"}, "agent_config": {"timeout_seconds": 5}, "runtime_config": {"limits": {}}, "verifier": null}
        ]"#,
    )
    .unwrap();
    let [five, six] = file.tasks.as_slice() else {
        panic!("two tasks");
    };
    assert_eq!(five.slug, "initials");
    assert_eq!(five.metadata, object(json!({"id": 17})));
    assert_eq!(five.agent.append_setup_output, Some(true));
    assert_eq!(five.columns["tags"], json!(["a"]));
    let solution = five.solution.as_ref().unwrap();
    assert_eq!(
        (solution.tool_calls[0].name.as_str(), &solution.answer),
        ("submit", &None)
    );
    assert_eq!(six.slug, "count-e9e46c06");
    assert_eq!(six.scenario.as_deref(), Some("count"));
    assert_eq!(six.agent.timeout_seconds, Some(5.0));
    assert_eq!(six.runtime_config, Some(json!({"limits": {}})));

    let (hub, _) = read("[{env: {name: browser, include: [click]}, scenario: a}]");
    assert_eq!(
        hub.tasks[0].env,
        EnvironmentSpec::Hub {
            name: "browser".to_owned(),
            include: Some(vec!["click".to_owned()]),
            exclude: Vec::new(),
        }
    );
    check_task_errors(
        "id: a, ^verifier: {id: b}",
        &[
            "'verifier' in task 't' is not supported: this version runs no verifier tasks; grade in the scenario itself",
        ],
    );
}

#[test]
fn the_older_form_with_json_in_strings() {
    let text = json!([{
        "id": "login",
        "prompt": "Navigate and log in",
        "mcp_config": "{\"hud\": {\"url\": \"https://mcp.hud.ai/v3/mcp\", \"headers\": {\"Authorization\": \"Bearer ${KEY}\"}}, \"local\": {\"command\": \"docker\", \"args\": [\"run\", \"-p\", 80]}}",
        "setup_tool": {"setup": {"navigate": {"url": "x"}}},
        "evaluate_tool": [{"name": "a", "arguments": {}}, {"name": "b", "arguments": {"n": 1}}],
        "integration_test_tool": "{\"name\": \"fix\", \"arguments\": {}}",
        "agent_config": {"system_prompt": "be brief", "allowed_tools": ["*"], "initial_screenshot": false, "response_tool_name": null},
        "metadata": "{\"suite\": 1}",
    }]);
    let (file, folder) = try_load("t.json", &text.to_string()).unwrap();
    let task = &file.tasks[0];
    assert_eq!(
        (task.slug.as_str(), task.slug_given, &task.scenario),
        ("login", true, &None)
    );
    assert_eq!(task.prompt.as_deref(), Some("Navigate and log in"));
    assert_eq!(
        task.env,
        EnvironmentSpec::Servers {
            servers: vec![
                (
                    "hud".to_owned(),
                    ConnectionSpec::Http {
                        url: "https://mcp.hud.ai/v3/mcp".to_owned(),
                        headers: BTreeMap::from([(
                            "Authorization".to_owned(),
                            "Bearer s3cret".to_owned()
                        )]),
                        sampling: false,
                    }
                ),
                (
                    "local".to_owned(),
                    ConnectionSpec::Stdio {
                        command: ["docker", "run", "-p", "80"].map(str::to_owned).to_vec(),
                        env: BTreeMap::new(),
                        cwd: Some(folder.path("").components().collect()),
                    }
                ),
            ],
        }
    );
    assert_eq!(
        task.setup[0].arguments,
        object(json!({"name": "navigate", "arguments": {"url": "x"}}))
    );
    assert_eq!(task.evaluate.len(), 2);
    assert_eq!(task.solution.as_ref().unwrap().tool_calls[0].name, "fix");
    assert_eq!(task.agent.system_prompt.as_deref(), Some("be brief"));
    assert_eq!(task.metadata, object(json!({"suite": 1})));
    for text in [format!("{task:?}"), task.to_record().to_string()] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn the_older_form_must_be_gradable() {
    check_errors(
        "[^{prompt: hi, mcp_config: {a: {url: 'http://x'}}}]",
        &[
            "task 1 has a 'prompt' but no 'evaluate_tool', so nothing grades it; add one, or use a 'scenario'",
        ],
    );
    check_errors(
        "[^{prompt: hi, evaluate_tool: ^[], mcp_config: ^{}, args: {a: 1}}]",
        &[
            "'args' in task 1 need a 'scenario'; a 'prompt' takes none",
            "'evaluate_tool' in task 1 has no call, so nothing grades the task",
            "'mcp_config' in task 1 names no server",
        ],
    );
    check_errors(
        "[^{prompt: hi, evaluate_tool: ^'{', ^env: env.py, mcp_config: {a: {}}}]",
        &[
            "task 1 has a 'prompt' but no 'evaluate_tool', so nothing grades it; add one, or use a 'scenario'",
            "'evaluate_tool' in task 1 is a string that is not JSON: EOF while parsing an object",
            "'env' in task 1 and 'mcp_config' both name the environment; use one",
        ],
    );
    check_errors(
        "[^{evaluate_tool: {name: a}, mcp_config: {a: ^{command: x, url: y}}}]",
        &[
            "task 1 has neither 'scenario' nor 'prompt'",
            "'a' in 'mcp_config' in task 1 needs either 'command' or 'url'",
        ],
    );
    check_task_errors(
        "scenario: a, ^prompt: b, ^setup_tool: {name: c}",
        &[
            "'prompt' in task 't' does not go with 'scenario', which poses and grades the task",
            "'setup_tool' in task 't' does not go with 'scenario', which poses and grades the task",
        ],
    );
}

#[test]
fn forms_of_env() {
    let folder = Folder::with("tasks.yaml", "");
    let none = BTreeMap::new;
    let python = |source: &str, attr: Option<&str>| EnvironmentSpec::Python {
        source: folder.path(source).components().collect(),
        attr: attr.map(str::to_owned),
        python: None,
        workdir: Workdir::Shared,
        env: none(),
    };
    let single = |connection| EnvironmentSpec::Servers {
        servers: vec![("environment".to_owned(), connection)],
    };
    let check = |env: &str, expected: EnvironmentSpec| {
        fs::write(
            &folder.path("tasks.yaml"),
            format!("env: {env}\ntasks: [{{scenario: a}}]"),
        )
        .unwrap();
        let file = load(&folder.path("tasks.yaml"), &variables).unwrap();
        assert!(
            file.tasks[0].env == expected,
            "{env}: {:?}",
            file.tasks[0].env
        );
    };
    check("env.py", python("env.py", None));
    check("./pkg/../env.py", python("env.py", None));
    check("pkg/", python("pkg", None));
    check("env.py:other", python("env.py", Some("other")));
    check("{source: env.py, attr: e}", python("env.py", Some("e")));
    check(
        "{source: env.py, python: python3.12, workdir: copy, env: {A: 1, B: '${KEY}'}}",
        EnvironmentSpec::Python {
            source: folder.path("env.py"),
            attr: None,
            python: Some("python3.12".into()),
            workdir: Workdir::Copy,
            env: BTreeMap::from([
                ("A".to_owned(), "1".to_owned()),
                ("B".to_owned(), "s3cret".to_owned()),
            ]),
        },
    );
    let http = |sampling| ConnectionSpec::Http {
        url: "http://localhost:8765/mcp".to_owned(),
        headers: none(),
        sampling,
    };
    check("http://localhost:8765/mcp", single(http(false)));
    check(
        "{url: 'http://localhost:8765/mcp', sampling: true, transport: sse}",
        single(http(true)),
    );
    check(
        "{command: [./pkg/server, --port, 1], cwd: pkg, env: {A: b}}",
        single(ConnectionSpec::Stdio {
            command: vec![
                folder.path("pkg/server").display().to_string(),
                "--port".to_owned(),
                "1".to_owned(),
            ],
            env: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
            cwd: Some(folder.path("pkg")),
        }),
    );
    check(
        "{image: 'img:1', env: {A: b}, ports: [8080, '80:81'], cpus: 0.5, memory: 512m}",
        EnvironmentSpec::Image {
            image: "img:1".to_owned(),
            env: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
            ports: vec!["8080".to_owned(), "80:81".to_owned()],
            cpus: Some("0.5".to_owned()),
            memory: Some("512m".to_owned()),
        },
    );
    check(
        "{hub: hud-evals/browser, exclude: [x]}",
        EnvironmentSpec::Hub {
            name: "hud-evals/browser".to_owned(),
            include: None,
            exclude: vec!["x".to_owned()],
        },
    );
}

#[test]
fn a_virtual_environment_is_not_followed_to_its_interpreter() {
    let folder = Folder::with(
        "tasks.yaml",
        "env: {source: env.py, python: bin/python}\ntasks: [{scenario: a}]",
    );
    fs::create_dir_all(&folder.path("bin")).unwrap();
    std::os::unix::fs::symlink(folder.path("env.py"), folder.path("bin/python")).unwrap();
    let file = load(&folder.path("tasks.yaml"), &variables).unwrap();
    let EnvironmentSpec::Python { python, .. } = &file.tasks[0].env else {
        panic!("a Python environment");
    };
    assert_eq!(python, &Some(folder.path("bin/python")));
}

#[test]
fn wrong_forms_of_env() {
    let check = |env: &str, expected: &str| {
        let expected = format!("'env' in the file{expected}");
        check_errors(
            &format!("env: {env}\ntasks: [{{scenario: a}}]"),
            &[&expected],
        );
    };
    let forms = "a path (env.py, pkg/, env.py:attr), a URL (http://…/mcp), or a mapping with one of 'source', 'command', 'url', 'image', 'hub', 'name'";
    check(
        "^bench",
        &format!(": 'bench' is neither a file nor a folder here nor a URL; use {forms}"),
    );
    check("^3", &format!(" must be {forms}, not 3"));
    check("^tasks.yaml", ": 'tasks.yaml' is no Python file");
    check("^pgk/env.py", ": no such file or folder 'pgk/env.py'");
    check(
        "^eny.py:attr",
        ": no such file or folder 'eny.py'; did you mean 'env.py'?",
    );
    check(
        "^'tcp://me:s3cret@host:1'",
        ": only http and https URLs are supported, not 'tcp://…'",
    );
    check(
        "^{source: env.py, url: x}",
        " has both 'source' and 'url'; use one",
    );

    let check = |env: &str, expected: &str| {
        check_errors(
            &format!("env: {env}\ntasks: [{{scenario: a}}]"),
            &[expected],
        );
    };
    check(
        "{source: env.py, workdir: ^x}",
        "'workdir' in 'env' in the file must be 'shared' or 'copy', not the string 'x'",
    );
    check(
        "{source: 'env.py:a', attr: ^b}",
        "'attr' in 'env' in the file is not the 'a' that 'source' names",
    );
    check(
        "{source: env.py, python: ^./none}",
        "'python' in 'env' in the file: no such file './none'",
    );
    check(
        "{source: env.py, ^pyton: x}",
        "unknown field 'pyton' in 'env' in the file; did you mean 'python'?",
    );
    check(
        "{source: env.py, env: {A: ^[s3cret]}}",
        "'A' in 'env' in 'env' in the file must be a string, not a list",
    );
    check(
        "{command: ^python server.py --port 1}",
        "'command' in 'env' in the file is not run through a shell; write it as a list: [python, server.py, --port, …]",
    );
    check(
        "{command: ^./none}",
        "'command' in 'env' in the file: no such file './none'",
    );
    check("{command: ^[]}", "'command' in 'env' in the file is empty");
    check(
        "{command: x, cwd: ^none}",
        "'cwd' in 'env' in the file: no such folder 'none'",
    );
    check(
        "{command: x, type: ^http}",
        "'type' in 'env' in the file must be one of stdio, not the string 'http'",
    );
    check(
        "{url: ^localhost}",
        "'url' in 'env' in the file must start with http:// or https://",
    );
    check(
        "{image: x, ports: ^[0]}",
        "'ports' in 'env' in the file must be ports such as 8080 or 8080:80",
    );
    check(
        "{image: x, cpus: ^0}",
        "'cpus' in 'env' in the file must be a number above 0, not 0",
    );
    check(
        "{image: x, memory: ^big}",
        "'memory' in 'env' in the file must be a size such as 512m or 2g, not the string 'big'",
    );
    check_errors(
        "env: ^{^sorce: env.py}\ntasks: [{scenario: a}]",
        &[
            "'env' in the file needs one of 'source', 'command', 'url', 'image', 'hub', 'name'",
            "unknown field 'sorce' in 'env' in the file; did you mean 'source'?",
        ],
    );
}

#[test]
fn answers_become_text() {
    let check = |answer: &str, expected: &str| {
        let (file, _) = read(&format!(
            "{{env: env.py, scenario: a, solution: {{answer: {answer}}}}}"
        ));
        let solution = file.tasks[0].solution.clone().unwrap();
        assert_eq!(solution.answer.as_deref(), Some(expected));
    };
    check("JR", "JR");
    check("42", "42");
    check("4.50", "4.5");
    check("true", "true");
    check("'007'", "007");
    check("[1, {a: b}]", r#"[1,{"a":"b"}]"#);
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

#[test]
fn rows_of_a_python_file() {
    let env = EnvironmentSpec::Python {
        source: "/e/env.py".into(),
        attr: Some("env".to_owned()),
        python: None,
        workdir: Workdir::Shared,
        env: BTreeMap::new(),
    };
    let rows = |rows: Value| serde_json::from_value::<Vec<Map<String, Value>>>(rows).unwrap();
    let build = |value: Value| from_rows(rows(value), Path::new("env.py"), env.clone(), &variables);

    let file = build(json!([{"env": "trivia", "variable": "task", "scenario": "initials", "args": {"company": "HUD"}, "slug": null}])).unwrap();
    let task = &file.tasks[0];
    assert_eq!((task.slug.as_str(), &task.env), ("initials-6e432b0d", &env));
    assert_eq!(
        task.to_record(),
        json!({
            "slug": "initials-6e432b0d", "identity": task.identity(), "scenario": "initials", "args": {"company": "HUD"},
            "env": {"source": "/e/env.py", "attr": "env"}, "location": "env.py",
        })
    );
    let errors = build(json!([{"scenario": "a", "agent_config": {"max_step": 1}}, {"scenario": "a"}, {"scenario": "a"}])).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "env.py: unknown field 'max_step' in 'agent_config' in task 'a'; did you mean 'max_steps'?\nenv.py: task 'a' is equal to another one (environments are not compared); give both a 'slug', or use --group to repeat a task\n2 errors"
    );
}

#[test]
fn settings_from_elsewhere_are_checked_alike() {
    let at = |file: &str, line| Location {
        file: file.into(),
        line,
        column: 1,
    };
    let config = super::agent_config(
        "[agent]",
        vec![("max_steps".to_owned(), json!(-1), at("hud.toml", 2))],
    );
    assert_eq!(config.unwrap().max_steps, Some(Steps::Unlimited));
    let errors = super::agent_config(
        "[agent]",
        vec![
            ("max_stepz".to_owned(), json!(1), at("hud.toml", 2)),
            ("temperature".to_owned(), json!(3), at("other.toml", 9)),
        ],
    );
    assert_eq!(
        errors.unwrap_err().to_string(),
        "hud.toml:2:1: unknown field 'max_stepz' in [agent]; did you mean 'max_steps'?\nother.toml:9:1: 'temperature' in [agent] must be a number from 0 to 2, not 3\n2 errors"
    );
}

#[test]
fn agent_settings_are_checked() {
    let check = |settings: &str, expected: &str| {
        check_task_errors(
            &format!("scenario: a, agent_config: {{{settings}}}"),
            &[expected],
        );
    };
    let place = "in 'agent_config' in task 't'";
    check(
        "max_steps: ^-2",
        &format!(
            "'max_steps' {place} must be a whole number of at least 1, or -1 for no limit, not -2"
        ),
    );
    check(
        "timeout_seconds: ^0",
        &format!("'timeout_seconds' {place} must be a number of seconds above 0, not 0"),
    );
    check(
        "timeout_seconds: ^10s",
        &format!(
            "'timeout_seconds' {place} must be a number of seconds above 0, not the string '10s'"
        ),
    );
    check(
        "temperature: ^2.5",
        &format!("'temperature' {place} must be a number from 0 to 2, not 2.5"),
    );
    check(
        "top_p: ^0",
        &format!("'top_p' {place} must be a number above 0, at most 1, not 0"),
    );
    check(
        "max_tokens: ^1.5",
        &format!("'max_tokens' {place} must be a whole number of at least 1, not 1.5"),
    );
    check(
        "auto_respond: ^yes",
        &format!("'auto_respond' {place} must be true or false, not the string 'yes'"),
    );
    check(
        "allowed_tools: [^'']",
        &format!("an empty string in 'allowed_tools' {place}"),
    );
    check(
        "allowed_tools: ^a",
        &format!("'allowed_tools' {place} must be a list of strings, not the string 'a'"),
    );
    check(
        "append_setup_output: true, ^append_setup_tool: false",
        &format!(
            "'append_setup_tool' and 'append_setup_output' {place} are the same setting and contradict each other"
        ),
    );
    check(
        "^initial_screenshot: true",
        &format!(
            "'initial_screenshot' {place} is not supported; take the screenshot in a setup call instead, whose images follow the prompt"
        ),
    );
    check(
        "^model: x",
        &format!("'model' {place} is not a setting of a task; choose it with --model"),
    );
}

#[test]
fn other_fields_of_a_task_are_checked() {
    let check = |fields: &str, expected: &str| {
        check_task_errors(&format!("scenario: a, {fields}"), &[expected]);
    };
    check(
        "agent_config: {system_prompt: x}, ^system_prompt: y",
        "'system_prompt' in task 't' contradicts the one in 'agent_config'; use one",
    );
    check(
        "solution: {answer: a, ^tool_call: []}",
        "unknown field 'tool_call' in 'solution' in task 't'; did you mean 'tool_calls'?",
    );
    check(
        "solution: {tool_calls: [{name: a}]}, ^validation: [{name: b}]",
        "'validation' in task 't' and 'solution' give different tool calls; use 'solution' alone",
    );
    check(
        "columns: {a: ^{}}",
        "'a' of 'columns' in task 't' must be a string, a number or a list of strings",
    );
    check(
        "metadata: ^3",
        "'metadata' in task 't' must be a mapping, not 3",
    );
    check_errors(
        "env: env.py\ntasks: [{slug: ^'a,b', scenario: a}]",
        &[
            "'slug' in task 'a,b' must not contain commas, which separate slugs in --task-ids, or control characters",
        ],
    );
    check_errors(
        &format!(
            "env: env.py\ntasks: [{{slug: ^{}, scenario: a}}]",
            "x".repeat(101)
        ),
        &[&format!(
            "'slug' in task '{}…' has 101 characters; at most 100 are allowed",
            "x".repeat(59)
        )],
    );
}
