//! Without a terminal: a line for each rollout that ended.

use std::collections::BTreeSet;

use anyhow::Result;

use super::standard::Report;
use super::{outcome, words};
use crate::event::{JobStarted, NoticeLevel, RunEvent};
use crate::ui::Printer;
use crate::util::text;

/// Says on stderr what happens, a line at a time.
pub struct Plain {
    printer: Printer,
    started: Option<JobStarted>,
    ready: Ready,
    ended: usize,
}

impl Plain {
    /// Says nothing yet.
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            started: None,
            ready: Ready::default(),
            ended: 0,
        }
    }
}

impl Report for Plain {
    fn event(&mut self, event: &RunEvent) -> Result<()> {
        match event {
            RunEvent::JobStarted(started) => {
                self.printer.talk(&header(started));
                self.started = Some(started.clone());
            }
            RunEvent::Notice { level, text } => notice(&self.printer, *level, text),
            RunEvent::EnvironmentReady { .. } => self.ready.tell(&self.printer, event),
            RunEvent::RolloutFinished { rollout, result } => {
                self.ended += 1;
                let total = self.started.as_ref().map_or(0, |started| started.rollouts);
                let lines = outcome::lines(
                    &outcome::counter(self.ended, total.max(self.ended)),
                    rollout,
                    result,
                    self.started.as_ref(),
                    self.printer.width(),
                    self.printer.paint(),
                );
                self.printer.talk(&lines);
            }
            RunEvent::RolloutStarted { .. }
            | RunEvent::PhaseStarted { .. }
            | RunEvent::Step { .. }
            | RunEvent::JobFinished(_) => {}
        }
        Ok(())
    }
}

/// What is going to run.
pub(super) fn header(started: &JobStarted) -> String {
    let JobStarted {
        name,
        model,
        tasks,
        group,
        rollouts,
        max_concurrent,
        ..
    } = started;
    let of = if *group > 1 {
        format!(" ({} × {group})", words::plural(*tasks as u64, "task"))
    } else {
        String::new()
    };
    let at_once = (*rollouts).min(*max_concurrent);
    format!(
        "{}: {}{of} with {}, {at_once} at a time",
        text::one_line(name, 80),
        words::plural(*rollouts as u64, "rollout"),
        text::one_line(model, 80),
    )
}

/// Something to know.
pub(super) fn notice(printer: &Printer, level: NoticeLevel, message: &str) {
    match level {
        NoticeLevel::Info => printer.talk(&words::indented(message, "")),
        NoticeLevel::Warning => printer.warn(message),
    }
}

/// Tells of environments that are ready; of several that are alike once.
#[derive(Default)]
pub(super) struct Ready {
    told: BTreeSet<String>,
}

impl Ready {
    /// That an environment answers, how its copies are isolated, and why not as usual.
    pub(super) fn tell(&mut self, printer: &Printer, event: &RunEvent) {
        if let RunEvent::EnvironmentReady {
            environment,
            isolation,
            reason,
            startup,
        } = event
        {
            let because = reason
                .as_ref()
                .map_or_else(String::new, |reason| format!(" ({reason})"));
            if !self
                .told
                .insert(format!("{environment}: {isolation}{because}"))
            {
                return;
            }
            let line = format!(
                "environment {environment} is ready after {}: {isolation}{because}",
                words::duration(*startup)
            );
            printer.talk(&words::indented(&line, ""));
        }
    }
}
