//! Tasks of every generation, and their fields.

use super::*;

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
    let [fifth, sixth] = file.tasks.as_slice() else {
        panic!("two tasks");
    };
    assert_eq!(fifth.slug, "initials");
    assert_eq!(fifth.metadata, object(json!({"id": 17})));
    assert_eq!(fifth.agent.append_setup_output, Some(true));
    assert_eq!(fifth.columns["tags"], json!(["a"]));
    let solution = fifth.solution.as_ref().unwrap();
    assert_eq!(
        (solution.tool_calls[0].name.as_str(), &solution.answer),
        ("submit", &None)
    );
    assert_eq!(sixth.slug, "count-e9e46c06");
    assert_eq!(sixth.scenario.as_deref(), Some("count"));
    assert_eq!(sixth.agent.timeout_seconds, Some(5.0));
    assert_eq!(sixth.runtime_config, Some(json!({"limits": {}})));

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
    let config = crate::task::file::agent_config(
        "[agent]",
        vec![("max_steps".to_owned(), json!(-1), at("hud.toml", 2))],
    );
    assert_eq!(config.unwrap().max_steps, Some(Steps::Unlimited));
    let errors = crate::task::file::agent_config(
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
