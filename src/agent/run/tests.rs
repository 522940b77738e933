use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::agent::testing::{
    FAKE_TOOLS, FakeModel, FakeTools, Reply, call, call_turn, error, text_turn, turn,
};
use crate::agent::{ModelErrorKind, run};
use crate::message::Arguments;

struct Case {
    model: FakeModel,
    tools: FakeTools,
    settings: LoopSettings,
    deadline: Option<Duration>,
    cancel_after: Option<Duration>,
}

impl Case {
    fn new(model: FakeModel) -> Self {
        Self {
            model,
            tools: FakeTools::default(),
            settings: LoopSettings::default(),
            deadline: None,
            cancel_after: None,
        }
    }

    async fn run(&self) -> (AgentEnd, Vec<Step>) {
        let cancel = CancellationToken::new();
        let job = AgentJob {
            model: &self.model,
            tools: &self.tools,
            system: None,
            messages: vec![Message::user("go")],
            settings: self.settings.clone(),
            trace_id: None,
            cancel: cancel.clone(),
            deadline: self.deadline.map(|after| Instant::now() + after),
        };
        let mut steps = Vec::new();
        let mut sink = |step| steps.push(step);
        let looping = run(job, &mut sink);
        let canceller = async {
            match self.cancel_after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
            cancel.cancel();
            std::future::pending::<()>().await;
        };
        let end = tokio::select! {
            end = looping => end,
            () = canceller => unreachable!("waits for ever"),
        };
        (end, steps)
    }

    /// Runs, and shows the end and the results that the model saw.
    async fn check(&self, expected: &str) {
        let (end, _) = self.run().await;
        assert_paired(&end.transcript);
        assert_eq!(show(&end), expected);
    }
}

fn show(end: &AgentEnd) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    for message in &end.transcript {
        match message {
            Message::Assistant { turn } => {
                let calls: Vec<_> = turn.tool_calls().map(|call| call.name.as_str()).collect();
                let _ = writeln!(out, "model {:?} {calls:?}", turn.text());
            }
            Message::Tools { results } => {
                for result in results {
                    let kind = if result.is_error { "error" } else { "tool" };
                    let text = Content::join_text(&result.content);
                    let _ = writeln!(out, "{kind} {} {text:?}", result.call_id);
                }
            }
            Message::User { content } | Message::System { content } => {
                let _ = writeln!(out, "user {:?}", Content::join_text(content));
            }
        }
    }
    let failure = match &end.failure {
        None => "-".to_owned(),
        Some(AgentFailure::Model(error)) => format!("model: {error}"),
        Some(AgentFailure::Environment(message)) => format!("environment: {message}"),
        Some(AgentFailure::Cancelled) => "cancelled".to_owned(),
    };
    let _ = write!(
        out,
        "answer {:?} steps {} calls {} tokens {} limit {:?} failure {failure}",
        end.answer,
        end.steps,
        end.tool_calls,
        end.usage.total(),
        end.stopped_by,
    );
    out
}

/// Every call is answered right after its turn, once, in order; nothing else is answered.
fn assert_paired(transcript: &[Message]) {
    let mut expected: Vec<(String, String)> = Vec::new();
    let mut ids = HashSet::new();
    for message in transcript {
        match message {
            Message::Tools { results } => {
                let answered: Vec<_> = results
                    .iter()
                    .map(|result| (result.call_id.clone(), result.name.clone()))
                    .collect();
                assert_eq!(answered, expected);
                expected.clear();
            }
            Message::Assistant { turn } => {
                assert!(expected.is_empty(), "unanswered: {expected:?}");
                expected = turn
                    .tool_calls()
                    .map(|call| (call.id.clone(), call.name.clone()))
                    .collect();
                for (id, _) in &expected {
                    assert!(ids.insert(id.clone()), "`{id}` twice");
                }
            }
            Message::User { .. } | Message::System { .. } => {
                assert!(expected.is_empty(), "unanswered: {expected:?}");
            }
        }
    }
    assert!(expected.is_empty(), "unanswered: {expected:?}");
}

fn case(turns: Vec<Turn>) -> Case {
    Case::new(FakeModel::turns(turns))
}

#[tokio::test(start_paused = true)]
async fn calls_are_run_in_order_and_the_last_text_is_the_answer() {
    let two = [call("a", "ok"), call("b", "fail")];
    case(vec![call_turn(&two), text_turn("42")])
        .check(
            "user \"go\"\nmodel \"\" [\"ok\", \"fail\"]\ntool a \"fine\"\nerror b \"it failed\"\nmodel \"42\" []\n\
             answer Some(\"42\") steps 2 calls 2 tokens 30 limit None failure -",
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn everything_that_happens_is_a_step() {
    let case = case(vec![call_turn(&[call("a", "ok")]), text_turn("42")]);
    let (_, steps) = case.run().await;
    let kinds: Vec<_> = steps
        .iter()
        .map(|step| match step {
            Step::Prompt { tools, .. } => format!("prompt {}", tools.len()),
            Step::ModelStarted { step } => format!("started {step}"),
            Step::TextDelta { text } => format!("delta {text:?}"),
            Step::Turn { step, turn, .. } => format!("turn {step} {:?}", turn.text()),
            Step::ToolStarted { call } => format!("tool {}", call.name),
            Step::ToolFinished { call, result, .. } => {
                format!("finished {} {}", call.name, result.is_error)
            }
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "prompt 6",
            "started 1",
            "delta \"\"",
            "turn 1 \"\"",
            "tool ok",
            "finished ok false",
            "started 2",
            "delta \"42\"",
            "turn 2 \"42\"",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_run_is_explained_to_the_model() {
    let mut malformed = call("c", "ok");
    malformed.arguments = Arguments::parse("{\"a\": ");
    let mut case = case(vec![
        call_turn(&[call("a", "okk"), call("b", "fail"), malformed]),
        text_turn("x"),
    ]);
    case.settings.disallowed_tools = Some(vec!["f*".to_owned(), "?e*".to_owned()]);
    case.check(
        "user \"go\"\nmodel \"\" [\"okk\", \"fail\", \"ok\"]\n\
         error a \"unknown tool 'okk'; did you mean 'ok'?\\navailable tools: ok, hang, slow, gone\"\n\
         error b \"unknown tool 'fail'\\navailable tools: ok, hang, slow, gone\"\n\
         error c \"the arguments are not valid JSON: EOF while parsing a value at line 1 column 6\\nThe tool was not run. Call it again with one JSON object as its arguments.\"\n\
         model \"x\" []\n\
         answer Some(\"x\") steps 2 calls 3 tokens 30 limit None failure -",
    )
    .await;
    assert_eq!(*case.tools.ran.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn steps_end_the_loop_after_the_last_calls_and_the_last_text_stays() {
    let mut last = call_turn(&[call("b", "ok")]);
    last.blocks.insert(0, Block::text("so far"));
    let mut case = case(vec![last, call_turn(&[call("c", "ok")])]);
    case.settings.max_steps = Steps::AtMost(2);
    case.check(
        "user \"go\"\nmodel \"so far\" [\"ok\"]\ntool b \"fine\"\nmodel \"\" [\"ok\"]\ntool c \"fine\"\n\
         answer Some(\"so far\") steps 2 calls 2 tokens 30 limit Some(Steps) failure -",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn tokens_end_the_loop_but_not_a_finished_one() {
    let mut limited = case(vec![call_turn(&[call("b", "ok")])]);
    limited.settings.max_total_tokens = Some(15);
    limited
        .check(
            "user \"go\"\nmodel \"\" [\"ok\"]\ntool b \"fine\"\n\
             answer None steps 1 calls 1 tokens 15 limit Some(Tokens) failure -",
        )
        .await;
    let mut finished = case(vec![text_turn("x")]);
    finished.settings.max_total_tokens = Some(15);
    finished
        .check("user \"go\"\nmodel \"x\" []\nanswer Some(\"x\") steps 1 calls 0 tokens 15 limit None failure -")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_model_failure_is_never_an_answer() {
    let failing = Case::new(FakeModel::new(vec![
        Reply::Turn(call_turn(&[call("a", "ok")])),
        Reply::Error(error(ModelErrorKind::Credits, "no credit left")),
    ]));
    failing
        .check(
            "user \"go\"\nmodel \"\" [\"ok\"]\ntool a \"fine\"\n\
             answer None steps 1 calls 1 tokens 15 limit None failure model: no credit left",
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_deadline_stops_a_running_tool_for_good_and_runs_no_other() {
    let mut case = case(vec![call_turn(&[
        call("a", "slow"),
        call("b", "hang"),
        call("c", "ok"),
    ])]);
    case.deadline = Some(Duration::from_secs(15));
    case.check(
        "user \"go\"\nmodel \"\" [\"slow\", \"hang\", \"ok\"]\n\
         tool a \"done slowly\"\ntool b \"stopped\"\nerror c \"not run: the rollout was over before this call\"\n\
         answer None steps 1 calls 2 tokens 15 limit Some(Time) failure -",
    )
    .await;
    assert_eq!(*case.tools.ran.lock().unwrap(), ["slow", "hang"]);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_does_not_stop_is_abandoned() {
    let mut timed_out = case(vec![call_turn(&[call("a", "deaf")]), text_turn("x")]);
    timed_out.settings.tool_timeout = Some(Duration::from_secs(30));
    timed_out
        .check(
            "user \"go\"\nmodel \"\" [\"deaf\"]\nerror a \"tool `deaf` did not answer within 30s and was stopped\"\nmodel \"x\" []\n\
             answer Some(\"x\") steps 2 calls 1 tokens 30 limit None failure -",
        )
        .await;
    let mut over = case(vec![call_turn(&[call("a", "deaf")])]);
    over.deadline = Some(Duration::from_secs(3));
    over.check(
        "user \"go\"\nmodel \"\" [\"deaf\"]\nerror a \"tool `deaf` was stopped: the rollout is over\"\n\
         answer None steps 1 calls 1 tokens 15 limit Some(Time) failure -",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_model_call_and_a_wait() {
    let mut slow = Case::new(FakeModel::new(vec![Reply::After(
        Duration::from_mins(1),
        text_turn("late"),
    )]));
    slow.deadline = Some(Duration::from_secs(5));
    slow.check("user \"go\"\nanswer None steps 0 calls 0 tokens 0 limit Some(Time) failure -")
        .await;
    let mut waiting = Case::new(FakeModel::new(vec![
        Reply::Error(error(
            ModelErrorKind::Server,
            "overloaded"
        ));
        4
    ]));
    waiting.deadline = Some(Duration::from_secs(5));
    waiting
        .check("user \"go\"\nanswer None steps 0 calls 0 tokens 0 limit Some(Time) failure model: overloaded")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_ends_the_loop() {
    let mut case = case(vec![call_turn(&[call("a", "hang"), call("b", "ok")])]);
    case.cancel_after = Some(Duration::from_secs(1));
    case.check(
        "user \"go\"\nmodel \"\" [\"hang\", \"ok\"]\ntool a \"stopped\"\nerror b \"not run: the rollout was over before this call\"\n\
         answer None steps 1 calls 1 tokens 15 limit None failure cancelled",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_is_gone_ends_the_loop() {
    let case = case(vec![call_turn(&[call("a", "gone"), call("b", "ok")])]);
    case.check(
        "user \"go\"\nmodel \"\" [\"gone\", \"ok\"]\n\
         error a \"the environment failed: the worker exited with signal 9\"\nerror b \"not run: the rollout was over before this call\"\n\
         answer None steps 1 calls 1 tokens 15 limit None failure environment: the worker exited with signal 9",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn ways_to_stop() {
    // A cut-off text is the answer as it is; an empty one is an answer too; a refusal is what the model said.
    for (stop, text) in [
        (StopReason::Length, "half a sen"),
        (StopReason::Done, ""),
        (StopReason::Refusal, "I will not"),
        (StopReason::ToolCalls, "no calls after all"),
        (StopReason::Other("stop_sequence".to_owned()), "x"),
    ] {
        let text = text.to_owned();
        let blocks = vec![Block::text(text.clone())];
        let (end, _) = case(vec![turn(blocks, stop)]).run().await;
        assert_eq!((end.answer, end.steps), (Some(text), 1));
    }
    // A paused turn goes on; calls are run whatever the reason says.
    let mut calls = call_turn(&[call("a", "ok")]);
    calls.stop = StopReason::Done;
    let paused = turn(vec![Block::text("searching")], StopReason::Paused);
    case(vec![paused, calls, text_turn("x")])
        .check(
            "user \"go\"\nmodel \"searching\" [\"ok\"]\ntool a \"fine\"\nmodel \"x\" []\n\
             answer Some(\"x\") steps 3 calls 1 tokens 45 limit None failure -",
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_refused_or_a_paused_turn_are_not_run() {
    let stopped = |stop| {
        let mut turn = call_turn(&[call("a", "ok")]);
        turn.stop = stop;
        turn
    };
    let refused = case(vec![stopped(StopReason::Refusal)]);
    refused
        .check(
            "user \"go\"\nmodel \"\" [\"ok\"]\nerror a \"not run: the rollout was over before this call\"\n\
             answer Some(\"\") steps 1 calls 0 tokens 15 limit None failure -",
        )
        .await;
    // A paused turn's calls are run when the turn is complete.
    let paused = case(vec![
        stopped(StopReason::Paused),
        call_turn(&[call("b", "ok")]),
        text_turn("x"),
    ]);
    paused
        .check(
            "user \"go\"\nmodel \"\" [\"ok\", \"ok\"]\ntool a \"fine\"\ntool b \"fine\"\nmodel \"x\" []\n\
             answer Some(\"x\") steps 3 calls 2 tokens 45 limit None failure -",
        )
        .await;
    let mut ended = case(vec![stopped(StopReason::Paused)]);
    ended.settings.max_steps = Steps::AtMost(1);
    ended
        .check(
            "user \"go\"\nmodel \"\" [\"ok\"]\nerror a \"not run: the rollout was over before this call\"\n\
             answer None steps 1 calls 0 tokens 15 limit Some(Steps) failure -",
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn auto_respond_lets_an_agent_go_on() {
    let mut case = Case::new(FakeModel::new(vec![
        Reply::Turn(text_turn("Shall I?")),
        Reply::Turn(text_turn("CONTINUE.")),
        Reply::Turn(text_turn("Done.")),
        Reply::Turn(text_turn("STOP")),
    ]));
    case.settings.auto_respond = true;
    case.check(
        "user \"go\"\nmodel \"Shall I?\" []\nuser \"CONTINUE\"\nmodel \"Done.\" []\n\
         answer Some(\"Done.\") steps 2 calls 0 tokens 60 limit None failure -",
    )
    .await;
    let asked = case.model.requests.lock().unwrap()[1].clone();
    assert!(asked.tools.is_empty() && asked.system.is_some());
    assert_eq!(
        asked.messages,
        [Message::user("The agent's message:\n\nShall I?")]
    );
}

#[tokio::test(start_paused = true)]
async fn auto_respond_that_fails_leaves_the_answer() {
    for reply in [
        Reply::Error(error(ModelErrorKind::Server, "oops")),
        Reply::Turn(text_turn("")),
        Reply::Never,
    ] {
        let mut case = Case::new(FakeModel::new(vec![Reply::Turn(text_turn("Done.")), reply]));
        case.settings.auto_respond = true;
        let (end, _) = case.run().await;
        assert_eq!((end.answer.as_deref(), end.failure), (Some("Done."), None));
    }
}

#[tokio::test(start_paused = true)]
async fn the_request_is_the_whole_conversation() {
    let mut case = case(vec![call_turn(&[call("a", "ok")]), text_turn("x")]);
    case.settings.allowed_tools = Some(vec!["o?".to_owned()]);
    case.settings.request.temperature = Some(0.5);
    let (end, _) = case.run().await;
    let requests = case.model.requests.lock().unwrap();
    let tools: Vec<_> = requests[1].tools.iter().map(|tool| &tool.name).collect();
    assert_eq!(tools, ["ok"]);
    assert_eq!(requests[1].settings.temperature, Some(0.5));
    assert_eq!(requests[1].messages, end.transcript[..3]);
}

fn any_call() -> impl Strategy<Value = ToolCall> {
    let name = prop::sample::select([&FAKE_TOOLS[..], &["unknown"]].concat());
    // Few ids, so that they repeat within a turn and between turns.
    ("[ab]?", name, "(\\{\\}|\\{|null)?").prop_map(|(id, name, arguments)| ToolCall {
        arguments: Arguments::parse(&arguments),
        ..call(&id, name)
    })
}

fn any_reply() -> impl Strategy<Value = Reply> {
    let stop = prop::sample::select(vec![
        StopReason::Done,
        StopReason::ToolCalls,
        StopReason::Length,
        StopReason::Paused,
    ]);
    let answer = (prop::collection::vec(any_call(), 0..4), stop).prop_map(|(calls, stop)| {
        Reply::Turn(Turn {
            stop,
            ..call_turn(&calls)
        })
    });
    prop_oneof![
        8 => answer,
        1 => Just(Reply::Error(error(ModelErrorKind::Server, "oops"))),
        1 => Just(Reply::Never),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_has_its_result_right_after_it(
        replies in prop::collection::vec(any_reply(), 0..8),
        deadline in prop::option::of(0_u64..200),
        cancel_after in prop::option::of(0_u64..400),
    ) {
        let mut replies = replies;
        replies.push(Reply::Error(error(ModelErrorKind::Request, "the end")));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let case = Case {
            deadline: deadline.map(Duration::from_secs),
            cancel_after: cancel_after.map(Duration::from_secs),
            ..Case::new(FakeModel::new(replies))
        };
        let (end, steps) = runtime.block_on(case.run());
        assert_paired(&end.transcript);
        let started = steps.iter().filter(|step| matches!(step, Step::ToolStarted { .. })).count();
        let finished = steps.iter().filter(|step| matches!(step, Step::ToolFinished { .. })).count();
        prop_assert_eq!(started, finished);
        prop_assert_eq!(u32::try_from(started).unwrap(), end.tool_calls);
    }
}

#[test]
fn the_prompt_may_hold_calls_already() {
    let value = json!({"role": "assistant", "turn": call_turn(&[call("x", "ok")])});
    let message: Message = serde_json::from_value(value).unwrap();
    assert_eq!(call_ids(&[message]), HashSet::from(["x".to_owned()]));
}
