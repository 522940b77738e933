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
    insta::assert_snapshot!(captured.stderr(), @r#"
    trivia: 8 rollouts with claude-sonnet-4-6, 8 at a time
    warning: --max-steps 30 does not apply to 3 tasks that set it
    environment trivia is ready after 41ms: each rollout in its own fork
    [1/8] ceo-hud  reward 1.000  3 steps  1.2k tok  0.8s  "JR"
    [2/8] ceo-acme  reward 0.333 (limit: steps)  3 steps  1.2k tok  0.8s  "Jay Ram"
        warning: `@env.shutdown` raised: boom
    [3/8] ceo-void  environment error  0 steps  0 tok  0.8s
        [setup] the scenario `initials` raised ValueError: no such company
          File "env.py", line 12, in initials
    [4/8] ceo-slow  timeout  0 steps  0 tok  0.8s
        [connect] no answer within 300 s
    [5/8] ceo-key  agent error  0 steps  0 tok  0.8s
        the provider refused the key (401)
        hint: check `ANTHROPIC_API_KEY`
    [6/8] ceo-long  limit reached  3 steps  1.2k tok  0.8s  "partial"
        [time] a tool did not stop and was killed
    [7/8] ceo-late  cancelled  0 steps  0 tok  0.8s
    "#);
}

#[test]
fn the_table_and_the_summary_come_at_the_end() {
    let captured = plain(&whole_story(), Options::default());
    insta::assert_snapshot!(captured.stdout(), @r#"
    task      reward  steps  tokens  time  answer
    ceo-hud    1.000      3    1.2k  0.8s  "JR"
    ceo-acme   0.333      3    1.2k  0.8s  "Jay Ram"
    ceo-void       –      0       0  0.8s  environment error: [setup] the scenario …
    ceo-slow       –      0       0  0.8s  timeout: [connect] no answer within 300 s
    ceo-key        –      0       0  0.8s  agent error: the provider refused the ke…
    ceo-long       –      3    1.2k  0.8s  limit reached: [time] a tool did not sto…
    ceo-late       –      0       0  0.8s  cancelled

    not graded
      environment error: ceo-void
        [setup] the scenario `initials` raised ValueError: no such company
          File "env.py", line 12, in initials
      timeout: ceo-slow
        [connect] no answer within 300 s
      agent error: ceo-key
        the provider refused the key (401)
        hint: check `ANTHROPIC_API_KEY`
      limit reached: ceo-long
        [time] a tool did not stop and was killed
      cancelled: ceo-late

    reward      0.667 ± 0.333 (mean ± standard error)
    success     50.0% (1 of 2 graded rollouts)
    not graded  6 of 8 rollouts, left out of the mean: agent error 1, environment error 1, timeout 1, limit reached 1, cancelled 1, not started 1
    limits      graded after a limit ended the loop: steps 1
    tokens      3.5k in (2.7k from cache), 417 out
    cost        $0.0375
    time        12s (interrupted)
    saved in    .hud/runs/20261120-101502-trivia-3f2a
    "#);
}

#[test]
fn verbose_tells_what_grades_are_made_of() {
    let captured = plain(&whole_story(), verbosity(Verbosity::Verbose));
    let stdout = captured.stdout();
    let grades = stdout.split("\n\n").nth(1).unwrap();
    insta::assert_snapshot!(grades, @r"
    grades
      ceo-acme  stopped by the limit of steps
        0.333 × 0.75  exact
        1.000 × 0.25  format
        half of it
    ");
}

#[test]
fn quiet_is_one_line_and_one_for_each_reason() {
    let captured = plain(&whole_story(), verbosity(Verbosity::Quiet));
    insta::assert_snapshot!(captured.stderr(), @r"
    error: 1 × environment error: [setup] the scenario `initials` raised ValueError: no such company
    error: 1 × timeout: [connect] no answer within 300 s
    error: 1 × agent error: the provider refused the key (401)
    error: 1 × limit reached: [time] a tool did not stop and was killed
    ");
    insta::assert_snapshot!(captured.stdout(), @r"reward 0.667 ± 0.333  success 50.0%  graded 2/8  agent error 1, environment error 1, timeout 1, limit reached 1, cancelled 1, not started 1  3.9k tok  12s  interrupted  .hud/runs/20261120-101502-trivia-3f2a");
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
    insta::assert_snapshot!(captured.stdout(), @r"
    task  reward       n  steps  tokens  time
    a      0.667       3    3.0    1.2k  0.8s
    b      0.500  2 of 3    3.0    1.2k  0.8s
    c          –  0 of 1    3.0    1.2k  0.8s

    not graded
      cancelled: b #3, c #1

    reward      0.600 ± 0.080 (mean ± standard error)
    success     40.0% (2 of 5 graded rollouts)
    not graded  4 of 9 rollouts, left out of the mean: cancelled 2, not started 2
    tokens      8.1k in (6.3k from cache), 973 out
    cost        $0.0875
    time        12s
    saved in    .hud/runs/20261120-101502-trivia-3f2a
    ");
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
    insta::assert_snapshot!(below_the_table, @r"
    not graded
      agent error: task-0, task-1, task-2, task-3, task-4, and 2 more
        the provider refused the key (401)

    reward      none: no rollout was graded
    not graded  7 of 7 rollouts: agent error 7
    tokens      8.1k in (6.3k from cache), 973 out
    cost        $0.0875
    time        12s
    saved in    .hud/runs/20261120-101502-trivia-3f2a
    ");
    assert!(!stdout.contains("0.000"), "{stdout}");
}

#[test]
fn a_job_that_was_stopped_at_once_still_says_so() {
    let captured = plain(&job(3, 1, &[]), Options::default());
    insta::assert_snapshot!(captured.stdout(), @r"
    reward      none: no rollout was graded
    not graded  3 of 3 rollouts: not started 3
    tokens      0 in, 0 out
    time        12s
    saved in    .hud/runs/20261120-101502-trivia-3f2a
    ");
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
    insta::assert_snapshot!(captured.stderr(), @r#"
    trivia: 1 rollout with claude-sonnet-4-6, 1 at a time
    Prompt
      What are the initials of HUD's CEO?
      assistant: Let me see.
    Step 1
      retry 1 in 1.5s: 429: slow down
      I will look it up.
      → lookup_ceo(company: "HUD")
      ✓ Jay Ram  (+1 line)  12ms
        📷 image (image/png, 6B)
      ✗ the arguments are not valid JSON  0ms
    User
      Please go on.
    Step 2
      JR
    stopped by the limit of steps
    submitted "JR"
    judged by judge-1  55 tok  77ms
    ceo-acme  reward 0.333 (limit: steps)  3 steps  1.2k tok  0.8s  "Jay Ram"
        warning: `@env.shutdown` raised: boom
    "#);
    assert!(
        captured.stdout().starts_with("task "),
        "{}",
        captured.stdout()
    );
}

#[test]
fn verbose_shows_more_of_the_steps() {
    let captured = plain(&single(), verbosity(Verbosity::Verbose));
    insta::assert_snapshot!(captured.stderr(), @r#"
    trivia: 1 rollout with claude-sonnet-4-6, 1 at a time
    Prompt
      system: Be brief.
      tools: lookup_ceo
      What are the initials of HUD's CEO?
      assistant: Let me see.
    Step 1
      retry 1 in 1.5s: 429: slow down
      | Who is it?
      I will look it up.
      → lookup_ceo(company: "HUD")
      ✓ Jay Ram  12ms
        since 2024
        📷 image (image/png, 6B)
      ✗ the arguments are not valid JSON  0ms
    User
      Please go on.
    Step 2
      JR
    stopped by the limit of steps
    submitted "JR"
    judged by judge-1  55 tok  77ms
      log info: graded
    ceo-acme  reward 0.333 (limit: steps)  3 steps  1.2k tok  0.8s  "Jay Ram"
        warning: `@env.shutdown` raised: boom
    "#);
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
    insta::assert_snapshot!(captured.stderr(), @r#"
    trivia: 1 rollout with claude-sonnet-4-6, 1 at a time
    Step 1
      fir
      retry 1 in 0.5s: the stream broke
      first
      second
      → a(x: 1)
      → b(text: "long long long long long long long long long long long long long …)
      ✓ b: answer of b  0.1s
      ✓ a: answer of a  0.1s
    "#);
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
    insta::assert_snapshot!(table, @r#"
    task        reward  steps  tokens  time  answer
    long-…ame-   1.000      3    1.2k  0.8s  "many wo…
    long-…ame-   1.000      3    1.2k  0.8s  "many wo…
    "#);
}

#[test]
fn environments_that_are_alike_are_told_once() {
    let mut events = whole_story();
    let ready = events
        .iter()
        .position(|event| matches!(event, RunEvent::EnvironmentReady { .. }))
        .unwrap();
    let again = events[ready].clone();
    events.insert(ready, again);
    let stderr = plain(&events, Options::default()).stderr();
    assert_eq!(stderr.matches("is ready").count(), 1, "{stderr}");
}
