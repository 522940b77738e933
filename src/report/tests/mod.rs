//! Whole reports of the sample job, at width 80 without a terminal unless a test says otherwise.

mod golden;
mod human;

use std::path::Path;
use std::time::Duration;

use super::standard;
use crate::eval::statistics::{DEFAULT_SUCCESS_THRESHOLD, summarize};
use crate::event::samples::{endings, job_started, story};
use crate::event::{JobSummary, RolloutRef, RolloutResult, RunEvent};
use crate::ui::{Captured, Options, Printer, StdoutMode, Terminal, Verbosity};

const DIRECTORY: &str = ".hud/runs/20261120-101502-trivia-3f2a";

fn summary_of(planned: usize, ended: &[(RolloutRef, RolloutResult)]) -> JobSummary {
    summarize(
        "20261120-101502-trivia-3f2a",
        planned,
        ended,
        DEFAULT_SUCCESS_THRESHOLD,
        Duration::from_millis(12_345),
        Path::new(DIRECTORY),
        false,
    )
}

/// The sample job, in which everything happens.
fn whole_story() -> Vec<RunEvent> {
    let summary = JobSummary {
        interrupted: true,
        ..summary_of(endings().len() + 1, &endings())
    };
    story(Path::new(DIRECTORY), summary)
}

/// A job of these rollouts.
fn job(tasks: usize, group: u32, ended: &[(RolloutRef, RolloutResult)]) -> Vec<RunEvent> {
    let mut events = vec![job_started(tasks, group, Path::new(DIRECTORY))];
    events.extend(
        ended.iter().map(|(rollout, result)| {
            crate::event::samples::finished(rollout.clone(), result.clone())
        }),
    );
    events.push(RunEvent::JobFinished(summary_of(
        tasks * group as usize,
        ended,
    )));
    events
}

fn report(events: &[RunEvent], options: Options, terminal: Terminal) -> Captured {
    let (printer, captured) = Printer::memory(options, terminal);
    let mut report = standard(&printer);
    for event in events {
        report.event(event).unwrap();
    }
    captured
}

fn verbosity(verbosity: Verbosity) -> Options {
    Options {
        verbosity,
        ..Options::default()
    }
}

fn json(verbosity: Verbosity) -> Options {
    Options {
        stdout: StdoutMode::Json,
        verbosity,
        ..Options::default()
    }
}
