//! Reports for people.

use serde_json::json;

use super::*;
use crate::event::samples::{call, graded, result, rollout, steps};
use crate::event::{Outcome, Step};
use crate::ui::ColorChoice;

fn plain(events: &[RunEvent], options: Options) -> Captured {
    report(events, options, Terminal::default())
}

#[test]
fn lines_come_as_rollouts_end() {
    let captured = plain(&whole_story(), Options::default());
    insta::assert_snapshot!(captured.stderr(), @"");
}

#[test]
fn the_table_and_the_summary_come_at_the_end() {
    let captured = plain(&whole_story(), Options::default());
    insta::assert_snapshot!(captured.stdout(), @"");
}

#[test]
fn verbose_tells_what_grades_are_made_of() {
    let captured = plain(&whole_story(), verbosity(Verbosity::Verbose));
    let stdout = captured.stdout();
    let grades = stdout.split("\n\n").nth(1).unwrap();
    insta::assert_snapshot!(grades, @"");
}

#[test]
fn quiet_is_one_line() {
    let captured = plain(&whole_story(), verbosity(Verbosity::Quiet));
    assert_eq!(captured.stderr(), "");
    insta::assert_snapshot!(captured.stdout(), @"");
}

#[test]
fn a_group_has_a_row_for_each_task() {
    let mut ended = Vec::new();
    // Repeats end in any order.
    for (index, task, repeat, reward) in [
        (4, "b", 1, 0.5),
        (0, "a", 0, 1.0),
        (1, "a", 1, 0.0),
        (2, "a", 2, 1.0),
        (3, "b", 0, 0.5),
    ] {
        ended.push((
            rollout(index, task, repeat),
            result(graded(reward), Some("x")),
        ));
    }
    ended.push((rollout(5, "b", 2), result(Outcome::Cancelled, None)));
    ended.push((rollout(6, "c", 0), result(Outcome::Cancelled, None)));
    let captured = plain(&job(3, 3, &ended), Options::default());
    insta::assert_snapshot!(captured.stdout(), @"");
    assert!(captured.stderr().contains("[1/9] b #2  reward 0.500"));
}

#[test]
fn nothing_graded_has_no_mean() {
    let ended: Vec<_> = (0..7)
        .map(|index| {
            let outcome = Outcome::AgentError {
                message: "the provider refused the key (401)".to_owned(),
            };
            (
                rollout(index, &format!("task-{index}"), 0),
                result(outcome, None),
            )
        })
        .collect();
    let captured = plain(&job(7, 1, &ended), Options::default());
    let stdout = captured.stdout();
    let below_the_table = stdout.split_once("\n\n").unwrap().1;
    insta::assert_snapshot!(below_the_table, @"");
    assert!(!stdout.contains("0.000"), "{stdout}");
}

#[test]
fn a_job_that_was_stopped_at_once_still_says_so() {
    let captured = plain(&job(3, 1, &[]), Options::default());
    insta::assert_snapshot!(captured.stdout(), @"");
}

/// A job of one rollout with all kinds of steps.
fn single() -> Vec<RunEvent> {
    let (rollout, result) = endings().swap_remove(1);
    let ended = [(rollout.clone(), result)];
    let mut events = job(1, 1, &ended);
    let steps = steps().into_iter().map(|step| RunEvent::Step {
        rollout: rollout.clone(),
        step: Box::new(step),
    });
    events.splice(1..1, steps);
    events
}

#[test]
fn a_single_rollout_shows_its_steps() {
    let captured = plain(&single(), Options::default());
    insta::assert_snapshot!(captured.stderr(), @"");
    assert!(
        captured.stdout().starts_with("task "),
        "{}",
        captured.stdout()
    );
}

#[test]
fn verbose_shows_more_of_the_steps() {
    let captured = plain(&single(), verbosity(Verbosity::Verbose));
    insta::assert_snapshot!(captured.stderr(), @"");
}

#[test]
fn on_a_terminal_text_appears_as_it_is_produced_and_only_once() {
    let terminal = Terminal {
        stdout: Some(80),
        stderr: Some(80),
    };
    let options = Options {
        color: ColorChoice::Never,
        ..Options::default()
    };
    let (printer, captured) = Printer::memory(options, terminal);
    let mut report = standard(&printer);
    report
        .event(&job_started(1, 1, Path::new(DIRECTORY)))
        .unwrap();
    let step = |step| RunEvent::Step {
        rollout: rollout(0, "ceo-hud", 0),
        step: Box::new(step),
    };
    let delta = |text: &str| {
        step(Step::TextDelta {
            text: text.to_owned(),
        })
    };
    let turn = step(Step::Turn {
        step: 1,
        turn: crate::event::samples::turn("first\nsec\u{1b}[31mond", Vec::new()),
        duration: Duration::from_millis(1),
    });
    let retry = step(Step::Retry {
        attempt: 1,
        delay: Duration::from_millis(500),
        error: "the stream broke".to_owned(),
    });
    let calls = [
        call("1", "a", json!({"x": 1})),
        call("2", "b", json!({"text": "long ".repeat(40)})),
    ];
    let mut events = vec![
        step(Step::ModelStarted { step: 1 }),
        delta("fir"),
        retry,
        delta("fir"),
        delta("st\nsec\u{1b}[31m"),
        delta("ond"),
        turn,
    ];
    events.extend(
        calls
            .iter()
            .map(|call| step(Step::ToolStarted { call: call.clone() })),
    );
    events.extend(calls.iter().rev().map(|call| {
        step(Step::ToolFinished {
            call: call.clone(),
            result: crate::message::ToolResult {
                is_error: false,
                ..crate::message::ToolResult::error(call, format!("answer of {}", call.name))
            },
            duration: Duration::from_millis(100),
        })
    }));
    for event in &events {
        report.event(event).unwrap();
    }
    insta::assert_snapshot!(captured.stderr(), @"");
}

#[test]
fn no_control_sequence_of_anyone_reaches_the_terminal() {
    let evil = "\u{1b}]0;title\u{7}\u{1b}[2Jx";
    let mut bad = result(
        Outcome::EnvironmentError {
            phase: crate::event::Phase::Setup,
            message: evil.to_owned(),
        },
        None,
    );
    bad.warnings.push(evil.to_owned());
    let ended = [
        (rollout(0, evil, 0), bad),
        (rollout(1, evil, 0), result(graded(1.0), Some(evil))),
    ];
    let mut events = job(2, 1, &ended);
    events.insert(
        1,
        RunEvent::Notice {
            level: crate::event::NoticeLevel::Warning,
            text: evil.to_owned(),
        },
    );
    for verbosity_level in [Verbosity::Quiet, Verbosity::Normal, Verbosity::VeryVerbose] {
        let captured = plain(&events, verbosity(verbosity_level));
        for text in [captured.stdout(), captured.stderr()] {
            assert!(
                !text.contains('\u{1b}') && !text.contains('\u{7}'),
                "{text:?}"
            );
        }
    }
}

#[test]
fn lines_fit_a_narrow_width() {
    let terminal = Terminal {
        stdout: Some(50),
        stderr: Some(50),
    };
    let options = Options {
        color: ColorChoice::Never,
        progress: false,
        ..Options::default()
    };
    let ended: Vec<_> = (0..2)
        .map(|index| {
            (
                rollout(index, &"long-name-".repeat(6), 0),
                result(graded(1.0), Some("many words in an answer")),
            )
        })
        .collect();
    let captured = report(&job(2, 1, &ended), options, terminal);
    let stdout = captured.stdout();
    let table = stdout.split("\n\n").next().unwrap();
    insta::assert_snapshot!(table, @"");
}
