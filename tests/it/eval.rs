//! `hud eval` as a whole: the examples, what it prints, and what each of its flags changes.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::provider::{Gate, Provider, Script, When, turn};
use crate::support::{Test, unaligned};

/// A run of `hud` in a folder with the example, with arguments separated by spaces.
fn example(name: &str, args: &str) -> Test {
    Test::new().example(name).args(args.split_whitespace())
}

/// A model that calls the tool of examples/trivia for ever.
fn restless() -> Script {
    Script::new().on(
        When::any(),
        turn().call("lookup_ceo", json!({"company": "HUD"})),
    )
}

#[test]
fn the_first_command_prints_the_table() {
    let output = example(
        "trivia",
        "eval trivia/tasks.yaml --model oracle --max-concurrent 1",
    )
    .run()
    .code(0);
    insta::assert_snapshot!(unaligned(output.redacted_stdout()), @r#"
    task reward steps tokens time answer
    ceo-hud 1.000 2 0 [TIME] "JR"
    ceo-openai 1.000 2 0 [TIME] "SA"
    ceo-anthropic 1.000 2 0 [TIME] "DA"
    ceo-nvidia 1.000 2 0 [TIME] "JH"
    ceo-microsoft 1.000 2 0 [TIME] "SN"
    ceo-google 1.000 2 0 [TIME] "SP"
    ceo-amd 1.000 2 0 [TIME] "LS"
    ceo-cloudflare 1.000 2 0 [TIME] "MP"

    reward 1.000 ± 0.000 (mean ± standard error)
    success 100.0% (8 of 8 graded rollouts)
    tokens 0 in, 0 out
    time [TIME]
    saved in .hud/runs/[ID]
    "#);
    insta::assert_snapshot!(unaligned(output.redacted_stderr()), @r#"
    trivia: 8 rollouts with oracle, 1 at a time
    environment trivia is ready after [TIME]: each rollout in a fork of its own: memory is isolated, files and services are shared
    [1/8] ceo-hud reward 1.000 2 steps 0 tok [TIME] "JR"
    [2/8] ceo-openai reward 1.000 2 steps 0 tok [TIME] "SA"
    [3/8] ceo-anthropic reward 1.000 2 steps 0 tok [TIME] "DA"
    [4/8] ceo-nvidia reward 1.000 2 steps 0 tok [TIME] "JH"
    [5/8] ceo-microsoft reward 1.000 2 steps 0 tok [TIME] "SN"
    [6/8] ceo-google reward 1.000 2 steps 0 tok [TIME] "SP"
    [7/8] ceo-amd reward 1.000 2 steps 0 tok [TIME] "LS"
    [8/8] ceo-cloudflare reward 1.000 2 steps 0 tok [TIME] "MP"
    "#);
    assert_eq!(output.job().json("summary.json")["mean_reward"], 1.0);
}

#[test]
fn every_example_is_solved_by_its_solutions() {
    for (name, tasks) in [("trivia", 8), ("orders", 6), ("checkout", 4)] {
        let output = example(
            name,
            &format!("eval {name}/tasks.yaml -m oracle --json --min-reward 1"),
        )
        .run()
        .code(0);
        let summary = output.summary();
        assert_eq!(summary["mean_reward"], 1.0, "{name}");
        assert_eq!(summary["graded"], tasks, "{name}");
        // What one rollout changed is not there for the next: each task four times is as good as once.
        let again = example(
            name,
            &format!("eval {name}/tasks.yaml -m oracle --json --group 4 --min-reward 1"),
        )
        .run()
        .code(0);
        assert_eq!(again.summary()["graded"], tasks * 4, "{name}");
    }
}

#[test]
fn the_example_of_a_script_plays() {
    let output = example(
        "trivia",
        "eval trivia/tasks.yaml -m scripted:trivia/script.yaml --min-reward 1",
    )
    .run()
    .code(0);
    let hud = output.job().rollout("ceo-hud");
    assert_eq!(hud["answer"], "The CEO is Jay Ram, so the initials are JR.");
    let both = output.job().rollout("ceo-microsoft");
    assert_eq!(
        (&both["steps"], &both["tool_calls"]),
        (&json!(2), &json!(2))
    );
}

#[test]
fn a_real_model_solves_the_example() {
    for model in ["claude-sonnet-4-6", "gpt-4.1"] {
        let provider = Provider::start(Script::trivia().odd_chunks());
        let output = example(
            "trivia",
            &format!("eval trivia/tasks.yaml -m {model} --json"),
        )
        .provider(&provider)
        .run()
        .code(0);
        assert_eq!(provider.violations(), Vec::<String>::new(), "{model}");
        let summary = output.summary();
        assert_eq!(summary["mean_reward"], 1.0, "{model}");
        assert_eq!(
            (&summary["input_tokens"], &summary["output_tokens"]),
            (&json!(8 * 290), &json!(8 * 35)),
            "{model}"
        );
        assert!(
            provider
                .requests()
                .iter()
                .all(|request| request.body["model"] == model && request.body["stream"] == true),
            "{model}"
        );
    }
}

#[test]
fn json_is_lines_and_the_last_is_the_summary() {
    let output = example(
        "trivia",
        "eval trivia/tasks.yaml -m oracle --json --limit 2",
    )
    .run()
    .code(0);
    let keys =
        |line: &Value| -> Vec<String> { line.as_object().unwrap().keys().cloned().collect() };
    let summary = output.summary();
    assert_eq!(
        keys(&summary),
        [
            "event",
            "job",
            "rollouts",
            "graded",
            "failed",
            "mean_reward",
            "stderr",
            "success_rate",
            "input_tokens",
            "output_tokens",
            "cost_usd",
            "duration_s",
            "directory"
        ]
    );
    let events: Vec<String> = output
        .json_lines()
        .iter()
        .map(|line| line["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(events[0], "job_started");
    let count = |name: &str| events.iter().filter(|event| *event == name).count();
    assert_eq!(count("rollout_started"), 2);
    assert_eq!(count("rollout_finished"), 2);
    assert_eq!(count("summary"), 1);
    // The file says the same, and more.
    let file = output.job().json("summary.json");
    for key in keys(&summary).iter().filter(|key| *key != "event") {
        if key == "duration_s" {
            continue;
        }
        assert_eq!(file[key], summary[key], "{key}");
    }
    // A failed run keeps the promise too.
    let output = example(
        "trivia",
        "eval trivia/tasks.yaml -m scripted:none.yaml --json",
    )
    .run()
    .code(2);
    assert_eq!(output.stdout, "");
}

#[test]
fn quiet_and_verbose() {
    let run = |flags: &str| {
        example(
            "trivia",
            &format!("eval trivia/tasks.yaml -m oracle --task-ids ceo-hud {flags}"),
        )
        .run()
        .code(0)
    };
    let quiet = run("--quiet");
    assert_eq!(quiet.stderr, "");
    assert_eq!(
        unaligned(quiet.redacted_stdout()),
        "reward 1.000 success 100.0% graded 1/1 0 tok [TIME] .hud/runs/[ID]\n"
    );
    let told = |flags: &str| unaligned(run(flags).redacted_stderr());
    let plain = told("");
    insta::assert_snapshot!(plain, @r#"
    trivia: 1 rollout with oracle, 1 at a time
    environment trivia is ready after [TIME]: each rollout in a fork of its own: memory is isolated, files and services are shared
    Prompt
    What are the initials of the CEO of HUD?
    Step 1
    → lookup_ceo(company: "HUD")
    ✓ Jay Ram [TIME]
    Step 2
    JR
    submitted "JR"
    ceo-hud reward 1.000 2 steps 0 tok [TIME] "JR"
    "#);
    let more = told("-v");
    assert_eq!(
        more,
        plain.replace("Prompt\n", "Prompt\ntools: lookup_ceo\n")
    );
    let phases: Vec<String> = told("-vv")
        .lines()
        .filter_map(|line| line.strip_prefix("phase ").map(str::to_owned))
        .collect();
    assert_eq!(
        phases,
        ["connect", "setup", "loop", "submit", "grade", "close"]
    );
}

#[test]
fn what_runs_is_selected() {
    let check = |flags: &str, expected: &[&str]| {
        let output = example(
            "trivia",
            &format!("eval trivia/tasks.yaml -m oracle -q {flags}"),
        )
        .run()
        .code(0);
        let mut ran: Vec<String> = output
            .job()
            .rollouts()
            .iter()
            .map(|line| format!("{}#{}", line["task"].as_str().unwrap(), line["repeat"]))
            .collect();
        ran.sort();
        assert_eq!(ran, expected, "{flags}");
    };
    check("--task-ids ceo-amd", &["ceo-amd#0"]);
    check("--task-ids 0,ceo-amd", &["ceo-amd#0", "ceo-hud#0"]);
    check("--limit 2", &["ceo-hud#0", "ceo-openai#0"]);
    // In the order of the file, whatever the order of the words.
    check(
        "--task-ids 4,3,2 --limit 1 --group 2",
        &["ceo-anthropic#0", "ceo-anthropic#1"],
    );
    check(
        "--limit 1 --group-size 3",
        &["ceo-hud#0", "ceo-hud#1", "ceo-hud#2"],
    );
}

#[test]
fn no_more_run_at_once_than_was_allowed() {
    for at_once in [1, 3] {
        let gate = Gate::new();
        let provider = Provider::start(
            Script::new()
                .on(When::any().spoken(0), turn().text("JR").hold(&gate))
                .on(When::any(), turn().text("JR")),
        );
        let running = example(
            "trivia",
            &format!("eval trivia/tasks.yaml -m gpt-4.1 -q --max-concurrent {at_once}"),
        )
        .provider(&provider)
        .spawn();
        gate.wait_for_arrivals(at_once);
        gate.open();
        running.wait().code(0);
        assert_eq!(provider.requests().len(), 8);
        assert_eq!(provider.most_in_flight(), at_once);
    }
}

#[test]
fn steps_are_limited_and_the_state_is_graded() {
    let provider = Provider::start(restless());
    let output = example(
        "trivia",
        "eval trivia/tasks.yaml -m claude-x --limit 1 --max-steps 3 --json",
    )
    .provider(&provider)
    .run()
    .code(0);
    assert_eq!(provider.violations(), Vec::<String>::new());
    assert_eq!(provider.requests().len(), 3);
    assert_eq!(output.summary()["mean_reward"], 0.0);
    let outcome = &output.job().rollout("ceo-hud")["outcome"];
    assert_eq!(outcome["kind"], "graded");
    assert_eq!(outcome["stopped_by"], "steps");
}

#[test]
fn tools_that_are_not_allowed_are_never_offered() {
    let offered = |flags: &str, model: &str| -> Vec<String> {
        let provider = Provider::start(Script::turns([turn().text("done")]));
        let output = example(
            "checkout",
            &format!("eval checkout/tasks.yaml --limit 1 -q -m {model} {flags}"),
        )
        .provider(&provider)
        .run()
        .code(0);
        let request = &provider.requests()[0].body;
        let tools = request["tools"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = tools
            .iter()
            .map(|tool| {
                let name = if tool["name"].is_string() {
                    &tool["name"]
                } else {
                    &tool["function"]["name"]
                };
                name.as_str().unwrap().to_owned()
            })
            .collect();
        names.sort();
        assert_eq!(output.code, Some(0));
        names
    };
    let all = ["charge_card", "list_cards", "list_charges", "refund_charge"];
    for model in ["claude-x", "openai-chat/gpt-4.1"] {
        assert_eq!(offered("", model), all);
        assert_eq!(
            offered("--allowed-tools charge_card,list_*", model),
            all[..3]
        );
        assert_eq!(
            offered("--disallowed-tools *charge*", model),
            ["list_cards"]
        );
        assert_eq!(
            offered(
                "--allowed-tools *charge* --disallowed-tools refund_?harge",
                model
            ),
            ["charge_card", "list_charges"]
        );
        assert_eq!(offered("--disallowed-tools *", model), Vec::<String>::new());
    }
    // A tool that the model calls although it was not offered is not run either.
    let provider = Provider::start(Script::turns([
        turn().call(
            "charge_card",
            json!({"amount": 49, "card_token": "tok-visa"}),
        ),
        turn().text("paid"),
    ]));
    let output = example(
        "checkout",
        "eval checkout/tasks.yaml --limit 1 -q -m gpt-4.1 --disallowed-tools charge_card",
    )
    .provider(&provider)
    .run()
    .code(0);
    assert_eq!(output.job().outcomes(), [("pay-49".into(), "0".into())]);
    let results = output.job().tool_results("pay-49");
    assert!(results[0].1, "{results:?}");
}

#[test]
fn each_exit_code_has_its_reason() {
    let check = |flags: &str, code: i32| {
        let output = example("trivia", &format!("eval {flags} -q")).run();
        output.code(code)
    };
    check("trivia/tasks.yaml -m oracle", 0);
    check("trivia/tasks.yaml -m oracle --min-reward 1", 0);
    check("trivia/tasks.yaml", 2);
    check("trivia/tasks.yaml -m no-such-model", 2);
    check("trivia/tasks.yaml -m gemini-3-pro", 2);
    check("trivia/tasks.yaml -m oracle --group 0", 2);
    let half = "- text: JR\n";
    let output = example(
        "trivia",
        "eval trivia/tasks.yaml -m scripted:s.yaml -q --min-reward 0.5",
    )
    .file("s.yaml", half)
    .run()
    .code(4);
    assert!(
        output.stderr.contains("0.125") && output.stderr.contains("0.5"),
        "{}",
        output.stderr
    );
    // A threshold cannot excuse what was not graded.
    example(
        "trivia",
        "eval trivia/tasks.yaml -m scripted:s.yaml -q --min-reward 0",
    )
    .file("s.yaml", "- error: {kind: request, message: no}\n")
    .run()
    .code(3);
    let gate = Gate::new();
    let provider = Provider::start(Script::new().on(When::any(), turn().text("x").hold(&gate)));
    let running = example("trivia", "eval trivia/tasks.yaml -m claude-x -q")
        .provider(&provider)
        .spawn();
    gate.wait_for_arrivals(8);
    running.signal(Signal::INT);
    let output = running.wait().code(130);
    let kinds: Vec<String> = output
        .job()
        .outcomes()
        .into_iter()
        .map(|(_, kind)| kind)
        .collect();
    assert_eq!(kinds, ["cancelled"; 8]);
}

#[test]
fn where_a_setting_comes_from_decides_who_wins() {
    // How many calls a model that never stops makes is the number of steps in force.
    let steps = |agent: &str, own: &str, toml: &str, flags: &str| {
        let provider = Provider::start(restless());
        let tasks = format!(
            "env: trivia/env.py\n{agent}\ntasks:\n- {{slug: a, scenario: initials, args: {{company: HUD}}{own}}}\n"
        );
        let output = example("trivia", &format!("eval t.yaml -m claude-x {flags}"))
            .file("t.yaml", tasks)
            .file("hud.toml", toml)
            .provider(&provider)
            .run()
            .code(0);
        (provider.requests().len(), output)
    };
    let in_file = "agent: {max_steps: 3}";
    let own = ", agent_config: {max_steps: 5}";
    let toml = "[agent]\nmax_steps = 2\n";
    assert_eq!(steps("", "", "", "").0, 10);
    assert_eq!(steps("", "", toml, "").0, 2);
    assert_eq!(
        steps(
            "",
            "",
            "[agent]\nmax_steps = 2\n[claude]\nmax_steps = 4\n",
            ""
        )
        .0,
        4
    );
    assert_eq!(steps(in_file, "", toml, "").0, 3);
    assert_eq!(steps(in_file, "", toml, "--max-steps 4").0, 4);
    let (count, output) = steps(in_file, own, toml, "--max-steps 4");
    assert_eq!(count, 5);
    let notice = "`--max-steps 4` does not apply to 1 task that sets it";
    assert_eq!(
        output.stderr.matches(notice).count(),
        1,
        "{}",
        output.stderr
    );
}

#[test]
fn show_config_names_every_origin() {
    let output = example(
        "trivia",
        "eval trivia/tasks.yaml --show-config --group 2 -c temperature=0.5",
    )
    .file(
        "hud.toml",
        "[eval]\nmodel = 'claude-x'\nmax_concurrent = 7\n[claude]\nmax_tokens = 99\n",
    )
    .run()
    .code(0);
    assert!(!output.dir().join(".hud").exists());
    insta::assert_snapshot!(unaligned(output.redacted_stdout()), @r"
    source trivia/tasks.yaml flag
    model claude-x hud.toml:2:1
    agent - not set
    base_url - not set
    gateway false default
    judge_model - not set
    task_ids - not set
    limit - not set
    group 2 flag
    seed - not set
    max_concurrent 7 hud.toml:3:1
    rollout_timeout - not set
    phase_timeout [TIME] default
    rollout_tokens - not set
    python - not set
    json false default
    min_reward - not set
    success_threshold 0.7 default
    runs_dir .hud/runs default
    quiet false default
    verbose 0 default
    agent.max_steps 10 trivia/tasks.yaml:5:1
    agent.append_setup_output true default
    agent.auto_respond false default
    agent.tool_timeout_seconds 120.0 default
    agent.model_timeout_seconds 600.0 default
    agent.max_tokens 99 hud.toml:5:1
    agent.temperature 0.5 flag -c temperature
    ");
    let json = example(
        "trivia",
        "eval trivia/tasks.yaml --show-config --json -m oracle",
    )
    .run()
    .code(0);
    assert!(!json.json_lines().is_empty());
}

#[test]
fn what_only_a_platform_could_do_is_refused_with_advice() {
    let check = |flags: &str, expected: &str| {
        let output = example(
            "trivia",
            &format!("eval trivia/tasks.yaml -m oracle {flags}"),
        )
        .run()
        .code(2);
        assert_eq!(output.stdout, "");
        assert_eq!(output.stderr, expected, "{flags}");
        assert!(!output.dir().join(".hud").exists());
    };
    let needs = |flag: &str, hint: &str| {
        format!("error: `{flag}` needs the hosted platform, which hud does without\nhint: {hint}\n")
    };
    check(
        "--remote",
        &needs(
            "--remote",
            "rollouts run on this machine; leave --remote out",
        ),
    );
    check(
        "--taskset x",
        &needs(
            "--taskset",
            "name a task file instead: `hud eval tasks.yaml`; the results are kept in .hud/runs",
        ),
    );
    check(
        "--byok",
        &needs(
            "--byok",
            "keys of this machine are always used; leave --byok out",
        ),
    );
    check(
        "--runtime hud",
        &needs(
            "--runtime hud",
            "rollouts run on this machine; leave --runtime out, or say --runtime local",
        ),
    );
    // A typing mistake is told apart from them.
    let output = example("trivia", "eval trivia/tasks.yaml -m oracle --max-step 3")
        .run()
        .code(2);
    assert!(output.stderr.contains("'--max-steps'"), "{}", output.stderr);
}

#[test]
fn flags_of_the_python_tool_are_accepted() {
    let output = example(
        "trivia",
        "eval trivia/tasks.yaml integration_test --full -y --json",
    )
    .run();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let output = example(
        "trivia",
        "eval trivia/tasks.yaml -m oracle --all -y -v --json",
    )
    .run()
    .code(0);
    assert_eq!(output.summary()["graded"], 8);
}

/// The tool results in the last request, each as the arguments of the call that it answers and its text.
fn answered(request: &Value) -> Vec<(Value, String)> {
    let messages = request["messages"].as_array().unwrap();
    let mut calls = Vec::new();
    let mut answered = Vec::new();
    let mut answer = |calls: &[(Value, Value)], id: &Value, text: String| {
        let call = calls.iter().find(|(known, _)| known == id);
        let (_, arguments) = call.unwrap_or_else(|| panic!("no call has the id {id}"));
        answered.push((arguments.clone(), text));
    };
    for message in messages {
        for block in message["content"].as_array().into_iter().flatten() {
            if block["type"] == "tool_use" {
                calls.push((block["id"].clone(), block["input"].clone()));
            } else if block["type"] == "tool_result" {
                answer(&calls, &block["tool_use_id"], block["content"].to_string());
            }
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let arguments = call["function"]["arguments"].as_str().unwrap();
            calls.push((call["id"].clone(), serde_json::from_str(arguments).unwrap()));
        }
        if message["role"] == "tool" {
            answer(
                &calls,
                &message["tool_call_id"],
                message["content"].to_string(),
            );
        }
    }
    answered
}

#[test]
fn each_result_answers_its_own_call() {
    let companies = ["HUD", "OpenAI", "Anthropic", "NVIDIA"];
    for model in ["claude-x", "openai-chat/gpt-4.1"] {
        let many = companies.iter().fold(turn(), |turn, company| {
            turn.call("lookup_ceo", json!({"company": company}))
        });
        // One of the calls fails, and still has its result in its place.
        let many = many.call("lookup_ceo", json!({"firm": "AMD"}));
        let provider = Provider::start(Script::turns([many, turn().text("JR")]));
        example(
            "trivia",
            &format!("eval trivia/tasks.yaml -m {model} --limit 1 -q --min-reward 1"),
        )
        .provider(&provider)
        .run()
        .code(0);
        assert_eq!(provider.violations(), Vec::<String>::new());
        let answered = answered(&provider.requests().pop().unwrap().body);
        let names = ["Jay Ram", "Sam Altman", "Dario Amodei", "Jensen Huang"];
        for (index, (arguments, text)) in answered[..4].iter().enumerate() {
            assert_eq!(arguments["company"], companies[index], "{model}");
            assert!(text.contains(names[index]), "{model}: {text}");
        }
        assert_eq!(answered[4].0, json!({"firm": "AMD"}));
        assert!(answered[4].1.contains("'company'"), "{}", answered[4].1);
        assert_eq!(answered.len(), 5);
    }
}
