//! What is written is read again, and what a crash leaves is too.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::{Run, RunDirectory, Writer, read_trace, replay};
use crate::eval::statistics::{DEFAULT_SUCCESS_THRESHOLD, summarize};
use crate::event::samples::{endings, finished, graded, job_started, result, rollout, story};
use crate::event::{JobSummary, NoticeLevel, RunEvent, Step};
use crate::util::fs;

const JOB: &str = "20261120-101502-trivia-3f2a";

/// A finished run of the sample story: its folder and its events.
fn written() -> (tempfile::TempDir, PathBuf, Vec<RunEvent>) {
    let root = tempfile::tempdir().unwrap();
    let directory = RunDirectory::create(root.path(), JOB).unwrap();
    let path = directory.path().to_owned();
    let events = story(&path, summary(&path));
    let mut writer = Writer::create(&directory).unwrap();
    for event in &events {
        writer.event(event).unwrap();
    }
    (root, path, events)
}

fn summary(directory: &Path) -> JobSummary {
    let duration = Duration::from_millis(12_345);
    let planned = endings().len() + 1;
    summarize(
        JOB,
        planned,
        &endings(),
        DEFAULT_SUCCESS_THRESHOLD,
        duration,
        directory,
        true,
    )
}

/// What the journal keeps: everything that is not about a running rollout.
fn journaled(events: &[RunEvent]) -> Vec<RunEvent> {
    let keeps = |event: &&RunEvent| {
        !matches!(
            event,
            RunEvent::RolloutStarted { .. } | RunEvent::PhaseStarted { .. } | RunEvent::Step { .. }
        )
    };
    events.iter().filter(keeps).cloned().collect()
}

#[test]
fn a_run_is_read_as_it_was_written() {
    let (_root, path, events) = written();
    assert_eq!(replay(&path).unwrap(), journaled(&events));
    let run = Run::read(&path).unwrap();
    assert_eq!(run.ended(), endings());
    assert_eq!(run.damage, []);
}

#[test]
fn a_trace_is_read_as_it_was_written() {
    let (_root, path, events) = written();
    for (rollout, _) in endings() {
        let expected: Vec<RunEvent> = events
            .iter()
            .filter(|event| match event {
                RunEvent::PhaseStarted { rollout: r, .. }
                | RunEvent::Step { rollout: r, .. }
                | RunEvent::RolloutFinished { rollout: r, .. } => *r == rollout,
                RunEvent::JobStarted(_)
                | RunEvent::Notice { .. }
                | RunEvent::EnvironmentReady { .. }
                | RunEvent::RolloutStarted { .. }
                | RunEvent::JobFinished(_) => false,
            })
            .cloned()
            .collect();
        let trace = read_trace(&path, &rollout.trace_id).unwrap();
        let got: Vec<RunEvent> = trace
            .events
            .iter()
            .map(|(_, event)| event.clone())
            .collect();
        assert_eq!(got, expected);
        assert!(trace.events.is_sorted_by_key(|(t, _)| *t));
        assert_eq!(trace.rollout, Some(rollout));
        assert_eq!(trace.damage, []);
    }
}

#[test]
fn the_numbers_of_a_run_without_its_summary_are_those_that_it_would_have_written() {
    let (_root, path, _) = written();
    fs::remove_file_if_exists(&path.join("summary.json")).unwrap();
    let recomputed = Run::read(&path).unwrap().summary();
    // Only the wall time is the journal's: the job itself was never asked.
    let expected = JobSummary {
        duration: recomputed.duration,
        ..summary(&path)
    };
    assert_eq!(recomputed, expected);
}

#[test]
fn a_journal_torn_anywhere_in_its_last_line_loses_that_line_only() {
    let (_root, path, _) = written();
    let journal = path.join("journal.jsonl");
    let whole = fs::read(&journal).unwrap();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .unwrap()
        + 1;
    let all = endings();
    for length in last..=whole.len() {
        fs::write(&journal, &whole[..length]).unwrap();
        let run = Run::read(&path).unwrap();
        // A line that lacks its newline only is still whole.
        let is_whole = length + 1 >= whole.len();
        let expected = if is_whole {
            &all[..]
        } else {
            &all[..all.len() - 1]
        };
        assert_eq!(run.ended(), expected, "{length} bytes");
        let is_torn = !is_whole && length > last;
        let damage: Vec<bool> = run.damage.iter().map(|damage| damage.is_torn).collect();
        assert_eq!(
            damage,
            if is_torn { vec![true] } else { Vec::new() },
            "{length} bytes"
        );
    }
}

#[test]
fn a_crash_while_the_header_was_written_leaves_an_empty_run() {
    let (_root, path, _) = written();
    fs::remove_file_if_exists(&path.join("summary.json")).unwrap();
    for left in [&b""[..], b"{\"format\":\"hud.jou"] {
        fs::write(&path.join("journal.jsonl"), left).unwrap();
        let run = Run::read(&path).unwrap();
        assert_eq!(run.ended(), []);
        assert_eq!(
            run.summary().failed,
            [("not_started".to_owned(), endings().len() + 1)]
        );
    }
    fs::remove_file_if_exists(&path.join("journal.jsonl")).unwrap();
    assert_eq!(Run::read(&path).unwrap().ended(), []);
}

#[test]
fn a_torn_journal_is_replayed_with_a_warning() {
    let (_root, path, _) = written();
    let journal = path.join("journal.jsonl");
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, &whole[..whole.len() - 9]).unwrap();
    let events = replay(&path).unwrap();
    let warnings: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::Notice {
                level: NoticeLevel::Warning,
                text,
            } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let expected = format!(
        "`{}` ends in the middle of line 10: the run was stopped while it was written",
        journal.display()
    );
    assert_eq!(warnings.last(), Some(&expected.as_str()));
}

#[test]
fn what_ended_is_on_disk_before_the_next_event() {
    let root = tempfile::tempdir().unwrap();
    let directory = RunDirectory::create(root.path(), JOB).unwrap();
    let mut writer = Writer::create(&directory).unwrap();
    writer.event(&job_started(2, 1, directory.path())).unwrap();
    for index in 0..2 {
        let ended = (
            rollout(index, "task", index as u32),
            result(graded(1.0), Some("x")),
        );
        writer
            .event(&finished(ended.0.clone(), ended.1.clone()))
            .unwrap();
        let run = Run::read(directory.path()).unwrap();
        assert_eq!(run.ended().last(), Some(&ended));
    }
}

#[test]
fn prompts_and_turns_are_on_disk_while_the_rollout_runs() {
    let root = tempfile::tempdir().unwrap();
    let directory = RunDirectory::create(root.path(), JOB).unwrap();
    let mut writer = Writer::create(&directory).unwrap();
    writer.event(&job_started(1, 1, directory.path())).unwrap();
    let rollout = rollout(0, "task", 0);
    for step in crate::event::samples::steps() {
        let must_be_there = matches!(step, Step::Prompt { .. } | Step::Turn { .. });
        let event = RunEvent::Step {
            rollout: rollout.clone(),
            step: Box::new(step),
        };
        writer.event(&event).unwrap();
        if must_be_there {
            let trace = read_trace(directory.path(), &rollout.trace_id).unwrap();
            assert_eq!(trace.events.last().map(|(_, event)| event), Some(&event));
        }
    }
}

#[test]
fn big_steps_do_not_stay_in_memory() {
    let root = tempfile::tempdir().unwrap();
    let directory = RunDirectory::create(root.path(), JOB).unwrap();
    let mut writer = Writer::create(&directory).unwrap();
    let rollout = rollout(0, "task", 0);
    let event = RunEvent::Step {
        rollout: rollout.clone(),
        step: Box::new(Step::Log {
            level: "info".to_owned(),
            text: "x".repeat(300 * 1024),
        }),
    };
    writer.event(&event).unwrap();
    let file = directory.trace(&rollout.trace_id).unwrap();
    assert!(fs::read(&file).unwrap().len() > 300 * 1024);
}

#[test]
fn a_writer_that_is_dropped_leaves_its_traces() {
    let root = tempfile::tempdir().unwrap();
    let directory = RunDirectory::create(root.path(), JOB).unwrap();
    let mut writer = Writer::create(&directory).unwrap();
    writer.event(&job_started(1, 1, directory.path())).unwrap();
    let rollout = rollout(0, "task", 0);
    writer
        .event(&RunEvent::RolloutStarted {
            rollout: rollout.clone(),
        })
        .unwrap();
    drop(writer);
    let trace = read_trace(directory.path(), &rollout.trace_id).unwrap();
    assert_eq!(trace.rollout, Some(rollout));
}

#[test]
fn of_several_attempts_the_last_counts() {
    let (_root, path, _) = written();
    let mut journal = fs::read_to_string(&path.join("journal.jsonl")).unwrap();
    let line = journal
        .lines()
        .find(|line| line.contains("ceo-slow"))
        .unwrap();
    let mut again: Value = serde_json::from_str(line).unwrap();
    again["outcome"] = serde_json::json!({"kind": "graded", "reward": 0.5, "done": true});
    journal.push_str(&again.to_string());
    journal.push('\n');
    fs::write(&path.join("journal.jsonl"), journal).unwrap();
    let ended = Run::read(&path).unwrap().ended();
    assert_eq!(ended.len(), endings().len());
    assert_eq!(ended[3].1.outcome.reward(), Some(0.5));
}

#[test]
fn a_run_of_version_1_is_read_for_ever() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/tests/version-1");
    let run = Run::read(&fixture).unwrap();
    assert_eq!(run.started.name, "trivia");
    assert_eq!(run.events.len(), 4, "a line of an unknown type is skipped");
    assert_eq!(run.damage, []);
    let ended = run.ended();
    assert_eq!(
        ended[0],
        (
            rollout(0, "ceo-hud", 0),
            crate::event::RolloutResult {
                judge_usage: crate::message::Usage::default(),
                cost_usd: None,
                phases: Vec::new(),
                ..result(graded(1.0), Some("JR"))
            }
        )
    );
    assert_eq!(ended[1].1.outcome, endings()[2].1.outcome);
    let summary = run.summary();
    assert_eq!((summary.graded, summary.mean_reward), (1, Some(1.0)));
    assert_eq!(
        summary.failed,
        [
            ("environment_error".to_owned(), 1),
            ("not_started".to_owned(), 1)
        ]
    );
    assert_eq!(summary.directory, fixture);
    let trace = read_trace(&fixture, &ended[0].0.trace_id).unwrap();
    assert_eq!(trace.events.len(), 5);
    assert_eq!(trace.rollout, Some(ended[0].0.clone()));
}

#[test]
fn a_later_version_is_refused_in_words() {
    let (_root, path, _) = written();
    let job = path.join("job.json");
    let text = fs::read_to_string(&job).unwrap();
    fs::write(&job, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
    let error = format!("{:#}", Run::read(&path).unwrap_err());
    let expected = format!(
        "cannot read `{}`: version 2 of `hud.job` is newer than this hud reads (1)\nhint: update hud, or read it with the version that wrote it",
        job.display()
    );
    assert_eq!(error, expected);
}
