//! A run read back from disk is reported as it was live.

use std::time::Duration;

use hud::eval::statistics::summarize;
use hud::event::{Evaluation, JobStarted, Outcome, Phase, RolloutRef, RolloutResult, RunEvent};
use hud::message::Usage;
use hud::report::standard;
use hud::store::{RunDirectory, Writer, replay};
use hud::ui::{Options, Printer, Terminal};

fn ended(index: usize, outcome: Outcome) -> (RolloutRef, RolloutResult) {
    let rollout = RolloutRef {
        id: format!("{:016x}.{}", index / 2, index % 2),
        trace_id: format!("{index:032x}"),
        index,
        task: format!("task-{}", index / 2),
        repeat: (index % 2) as u32,
    };
    let result = RolloutResult {
        outcome,
        answer: Some("an answer".to_owned()),
        steps: 2,
        tool_calls: 1,
        usage: Usage {
            input_tokens: 1_000 + index as u64,
            ..Usage::default()
        },
        judge_usage: Usage::default(),
        cost_usd: Some(0.1),
        duration: Duration::from_micros(1_234_567),
        phases: Vec::new(),
        warnings: vec!["something".to_owned()],
    };
    (rollout, result)
}

fn printed(events: &[RunEvent]) -> (String, String) {
    let (printer, captured) = Printer::memory(Options::default(), Terminal::default());
    let mut report = standard(&printer);
    for event in events {
        report.event(event).unwrap();
    }
    (captured.stdout(), captured.stderr())
}

#[test]
fn a_replayed_job_prints_what_the_live_one_did() {
    let root = tempfile::tempdir().unwrap();
    let directory = RunDirectory::create(root.path(), &hud::store::new_job_id("trivia")).unwrap();
    let grade = |reward| Outcome::Graded {
        evaluation: Evaluation {
            reward,
            ..Evaluation::default()
        },
        stopped_by: None,
    };
    let rollouts = [
        ended(3, grade(0.1)),
        ended(0, grade(1.0)),
        ended(
            2,
            Outcome::EnvironmentError {
                phase: Phase::Grade,
                message: "the grader raised\nZeroDivisionError".to_owned(),
            },
        ),
        ended(1, grade(0.2)),
    ];
    let mut live = vec![RunEvent::JobStarted(JobStarted {
        job: directory.job().to_owned(),
        name: "trivia".to_owned(),
        model: "oracle".to_owned(),
        agent: "oracle".to_owned(),
        tasks: 2,
        group: 2,
        rollouts: 4,
        max_concurrent: 30,
        seed: 7,
        directory: directory.path().to_owned(),
        plan: serde_json::json!({"success_threshold": 0.15}),
    })];
    for (rollout, result) in &rollouts {
        live.push(RunEvent::RolloutStarted {
            rollout: rollout.clone(),
        });
        live.push(RunEvent::RolloutFinished {
            rollout: rollout.clone(),
            result: Box::new(result.clone()),
        });
    }
    live.push(RunEvent::JobFinished(summarize(
        directory.job(),
        4,
        &rollouts,
        0.15,
        Duration::from_secs(3),
        directory.path(),
        false,
    )));
    let mut writer = Writer::create(&directory).unwrap();
    for event in &live {
        writer.event(event).unwrap();
    }
    drop(writer);

    let replayed = replay(directory.path()).unwrap();
    assert_eq!(replayed.last(), live.last());
    assert_eq!(printed(&replayed), printed(&live));
}
