//! What goes wrong at the model: it is told, retried where that is safe, and never graded as an answer.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::provider::{Break, Fault, Gate, Provider, Script, When, turn};
use crate::support::{Job, Output, Test, free_port};

/// A grader that writes down every answer it is given, and a tool with typed arguments.
const ENVIRONMENT: &str = r#"
from hud import Environment

env = Environment("witness")

@env.tool
def double(number: int) -> int:
    """Twice as much."""
    return number * 2

@env.scenario("ask")
async def ask(name: str):
    answer = yield f"This is {name}."
    with open("answers.txt", "a") as file:
        file.write(f"{name}: {answer!r}\n")
    yield 1.0 if answer == "4" else 0.0
"#;

const TASKS: &str = "
env: env.py
tasks:
- {slug: alice, scenario: ask, args: {name: Alice}}
- {slug: bob, scenario: ask, args: {name: Bob}}
";

const MODELS: [&str; 4] = [
    "claude-sonnet-4-6",
    "gpt-4.1",
    "openai-chat/gpt-4.1",
    "gemini-3.8-flash",
];

fn eval(model: &str) -> Test {
    Test::new()
        .args(["eval", "tasks.yaml", "-m", model])
        .file("env.py", ENVIRONMENT)
        .file("tasks.yaml", TASKS)
}

/// Bob's model answers; `alice` is what happens to hers.
fn play(model: &str, alice: impl FnOnce(Script) -> Script) -> (Output, Vec<String>) {
    let script = alice(Script::new()).on(When::any(), turn().text("4"));
    let provider = Provider::start(script);
    let output = eval(model).provider(&provider).run();
    (output, provider.violations())
}

fn alice() -> When {
    When::prompt("This is Alice")
}

fn answers(output: &Output) -> Vec<String> {
    let text = std::fs::read_to_string(output.dir().join("answers.txt")).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Asserts that Alice's rollout ended as an error of the agent that says `expected`, that Bob's went on, and that no grader saw hers.
#[track_caller]
fn failed(output: &Output, expected: &[&str]) {
    assert_eq!(output.code, Some(3), "{}", output.stderr);
    let job = output.job();
    assert_eq!(outcomes(&job), ["alice agent_error", "bob 1"]);
    let message = job.message("alice");
    for text in expected {
        assert!(message.contains(text), "no {text:?} in: {message}");
    }
    assert_eq!(answers(output), ["Bob: '4'"]);
    assert_eq!(job.steps("alice", "submitted"), Vec::<Value>::new());
    assert_eq!(job.json("summary.json")["mean_reward"], 1.0);
}

fn outcomes(job: &Job) -> Vec<String> {
    job.outcomes()
        .into_iter()
        .map(|(task, outcome)| format!("{task} {outcome}"))
        .collect()
}

#[test]
fn lasting_failures_are_no_answers() {
    let check = |fault: &Fault, expected: &[&str]| {
        for model in MODELS {
            let (output, violations) =
                play(model, |script| script.fail_always(alice(), fault.clone()));
            assert_eq!(violations, Vec::<String>::new());
            failed(&output, expected);
            assert_eq!(output.job().steps("alice", "retry").len(), 0);
        }
    };
    check(&Fault::Status(401), &["401", "_API_KEY"]);
    check(&Fault::Status(403), &["403"]);
    check(&Fault::Status(404), &["404"]);
    check(&Fault::ContextLength, &["400"]);
    check(&Fault::Credits, &["credit"]);
    check(
        &Fault::Page {
            status: 400,
            body: "<html><h1>blocked by a proxy</h1></html>".to_owned(),
        },
        &["400", "blocked by a proxy"],
    );
}

#[test]
fn a_busy_provider_is_asked_again_when_it_says() {
    for model in MODELS {
        let (output, violations) = play(model, |script| {
            script.fail(
                2,
                alice(),
                Fault::RateLimit {
                    retry_after: Some("0.05".to_owned()),
                },
            )
        });
        assert_eq!(violations, Vec::<String>::new());
        let output = output.code(0);
        let job = output.job();
        assert_eq!(outcomes(&job), ["alice 1", "bob 1"]);
        let retries = job.steps("alice", "retry");
        assert_eq!(retries.len(), 2, "{retries:?}");
        for (retry, attempt) in retries.iter().zip(1..) {
            assert_eq!(retry["attempt"], attempt);
            assert!(retry["error"].as_str().unwrap().contains("429"), "{retry}");
        }
        assert_eq!(job.steps("bob", "retry").len(), 0);
    }
}

#[test]
fn passing_failures_cost_a_retry_and_no_reward() {
    let whole = [Fault::Status(500), Fault::Status(529), Fault::Drop];
    // Half an answer is no answer.
    let half = [Break::Drop, Break::Truncate, Break::Error];
    for model in MODELS {
        // One job for all, so that the delays before the second attempts pass at the same time.
        let mut script = Script::new();
        let mut tasks = Vec::new();
        let mut add = |name: String| {
            tasks.push(json!({"slug": name, "scenario": "ask", "args": {"name": name}}));
            When::prompt(&format!("This is {name}."))
        };
        for (index, fault) in whole.iter().enumerate() {
            script = script.fail(1, add(format!("whole-{index}")), fault.clone());
        }
        for (index, how) in half.iter().enumerate() {
            let cut = turn()
                .text("41 and a good deal more")
                .break_after(3, how.clone());
            script = script.on_times(1, add(format!("half-{index}")), cut);
        }
        let provider = Provider::start(script.on(When::any(), turn().text("4")));
        let output = eval(model)
            .file(
                "tasks.yaml",
                json!({"env": "env.py", "tasks": tasks}).to_string(),
            )
            .provider(&provider)
            .run()
            .code(0);
        assert_eq!(provider.violations(), Vec::<String>::new());
        let job = output.job();
        for task in &tasks {
            let name = task["slug"].as_str().unwrap();
            assert_eq!(
                job.rollout(name)["outcome"]["reward"],
                1.0,
                "{model} {name}"
            );
            assert_eq!(job.steps(name, "retry").len(), 1, "{model} {name}");
        }
        assert!(answers(&output).iter().all(|line| line.ends_with(": '4'")));
    }
}

#[test]
fn a_provider_that_stays_down_is_an_error_of_the_agent() {
    for model in MODELS {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let output = eval(model)
            // It would be tried for two minutes, in case the server starts again; the rollout's time is up before.
            .args(["--limit", "1", "--rollout-timeout", "1s"])
            .env("ANTHROPIC_BASE_URL", &url)
            .env("OPENAI_BASE_URL", format!("{url}/v1"))
            .env("GEMINI_BASE_URL", &url)
            .env("GEMINI_API_KEY", "k")
            .env("ANTHROPIC_API_KEY", "k")
            .env("OPENAI_API_KEY", "k")
            .run()
            .code(3);
        let job = output.job();
        assert_eq!(outcomes(&job), ["alice agent_error"]);
        let message = job.message("alice");
        assert!(
            message.contains(&format!("127.0.0.1:{port}")) && message.contains("refused"),
            "{message}"
        );
        assert!(!job.steps("alice", "retry").is_empty());
        assert_eq!(answers(&output), Vec::<String>::new());
    }
}

#[test]
fn a_missing_key_is_named_before_anything_starts() {
    let check = |model: &str, variable: &str| {
        let output = eval(model).run().code(2);
        assert!(output.stderr.contains(variable), "{}", output.stderr);
        assert!(output.stderr.contains("hint: "), "{}", output.stderr);
        assert!(!output.dir().join(".hud").exists());
    };
    check("claude-sonnet-4-6", "ANTHROPIC_API_KEY");
    check("gpt-4.1", "OPENAI_API_KEY");
    check("openrouter/some/model", "OPENROUTER_API_KEY");
    check("gateway/claude-sonnet-4-6", "HUD_API_KEY");
    check("gemini-3-pro", "GEMINI_API_KEY");
}

#[test]
fn a_wrong_key_says_which_and_is_not_shown() {
    for (model, variable) in [
        (MODELS[0], "ANTHROPIC_API_KEY"),
        (MODELS[1], "OPENAI_API_KEY"),
        (MODELS[3], "GEMINI_API_KEY"),
    ] {
        let provider = Provider::start(Script::trivia().only_key("the-right-one"));
        let output = eval(model)
            .provider(&provider)
            .env(variable, "s3cret-wrong-key")
            .run()
            .code(3);
        assert!(!provider.violations().is_empty());
        let message = output.job().message("alice");
        assert!(
            // Google answers 400 to a key that it does not know.
            (message.contains("401") || message.contains("API key not valid"))
                && message.contains(variable),
            "{message}"
        );
        for text in [&output.stdout, &output.stderr] {
            assert!(!text.contains("s3cret-wrong-key"), "{text}");
        }
        for (path, bytes) in output.job().files() {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("s3cret-wrong-key"), "{}", path.display());
        }
    }
}

#[test]
fn a_model_that_blunders_is_told_and_recovers() {
    for model in MODELS {
        let (output, violations) = play(model, |script| {
            script
                .on(alice().spoken(0), turn().call("no_such_tool", json!({})))
                .on(
                    alice().spoken(1),
                    turn().text("Twice.").call_raw("double", "{\"number\": "),
                )
                .on(
                    alice().spoken(2),
                    turn().call("double", json!({"number": "two"})),
                )
                .on(
                    alice().spoken(3),
                    turn().call("double", json!({"wrong": 2})),
                )
                .on(
                    alice().spoken(4),
                    turn().call("double", json!({"number": 2})),
                )
                .on(alice().spoken(5), turn().text("4"))
        });
        assert_eq!(violations, Vec::<String>::new(), "{model}");
        let output = output.code(0);
        let job = output.job();
        assert_eq!(outcomes(&job), ["alice 1", "bob 1"]);
        let results = job.tool_results("alice");
        let errors: Vec<bool> = results.iter().map(|(_, is_error)| *is_error).collect();
        // Google reads calls itself: one that it cannot read has no result, and the model is told in a message.
        let is_google = model.starts_with("gemini");
        let read = if is_google { 4 } else { 5 };
        let mut expected = vec![true; read - 1];
        expected.push(false);
        assert_eq!(errors, expected, "{results:?}");
        let told = job.steps("alice", "user");
        assert_eq!(told.len(), usize::from(is_google), "{told:?}");
        assert!(results[0].0.contains("no_such_tool"), "{results:?}");
        assert!(
            results[read - 3].0.contains("is not of type 'integer'"),
            "{results:?}"
        );
        assert!(results[read - 2].0.contains("number"), "{results:?}");
        assert_eq!(results[read - 1].0, "4");
    }
}

#[test]
fn a_model_that_says_nothing_is_graded_as_such() {
    for model in MODELS {
        let (output, violations) = play(model, |script| script.on(alice(), turn()));
        assert_eq!(violations, Vec::<String>::new());
        let output = output.code(0);
        assert_eq!(outcomes(&output.job()), ["alice 0", "bob 1"]);
        assert_eq!(answers(&output), ["Alice: ''", "Bob: '4'"]);
    }
}

#[test]
fn a_failure_after_tool_calls_keeps_what_happened() {
    for model in MODELS {
        let (output, violations) = play(model, |script| {
            script
                .on(
                    alice().spoken(0),
                    turn()
                        .text("Let me see.")
                        .call("double", json!({"number": 2})),
                )
                .fail_always(alice().spoken(1), Fault::Status(403))
        });
        assert_eq!(violations, Vec::<String>::new());
        failed(&output, &["403"]);
        let job = output.job();
        assert_eq!(job.tool_results("alice"), [("4".to_owned(), false)]);
        assert_eq!(job.rollout("alice")["tool_calls"], 1);
    }
}

#[test]
fn a_model_that_hangs_is_bounded_by_its_own_time() {
    for model in MODELS {
        let provider = Provider::start(
            Script::new()
                .on_times(1, When::any(), turn().text("4").break_after(1, Break::Hang))
                .on(When::any(), turn().text("4")),
        );
        let output = eval(model)
            .args(["--limit", "1", "--model-timeout", "0.3s"])
            .provider(&provider)
            .run()
            .code(0);
        let job = output.job();
        assert_eq!(outcomes(&job), ["alice 1"]);
        assert_eq!(job.steps("alice", "retry").len(), 1);
    }
}

#[test]
fn a_cancelled_wait_for_a_retry_is_no_failure_of_the_agent() {
    let gate = Gate::new();
    let provider = Provider::start(
        Script::new()
            .fail(
                1,
                alice(),
                Fault::RateLimit {
                    retry_after: Some("60".to_owned()),
                },
            )
            .on(When::any(), turn().text("4").hold(&gate)),
    );
    let running = eval(MODELS[0]).provider(&provider).spawn();
    gate.wait_for_arrivals(1);
    running.signal(Signal::INT);
    let output = running.wait().code(130);
    assert_eq!(
        outcomes(&output.job()),
        ["alice cancelled", "bob cancelled"]
    );
    assert_eq!(answers(&output), Vec::<String>::new());
}
