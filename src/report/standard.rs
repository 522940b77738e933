//! The report that suits the printer and the job.

use anyhow::Result;

use super::{FinalTable, Jsonl, Live, Plain, Quiet, Single};
use crate::event::RunEvent;
use crate::ui::{Printer, Verbosity};

/// Shows events as they come. An error (stdout cannot be written) ends the job.
pub trait Report: Send {
    /// Shows one.
    fn event(&mut self, event: &RunEvent) -> Result<()>;
}

/// What a command shows of a job: JSON Lines when stdout is for JSON, one line when quiet; else the steps of a single rollout, a live view
/// on a terminal or plain lines, and at the end the table and the summary.
pub fn standard(printer: &Printer) -> Box<dyn Report> {
    Box::new(Standard {
        printer: printer.clone(),
        parts: Vec::new(),
    })
}

struct Standard {
    printer: Printer,
    /// Chosen at the first event, which tells how many rollouts there will be.
    parts: Vec<Box<dyn Report>>,
}

impl Report for Standard {
    fn event(&mut self, event: &RunEvent) -> Result<()> {
        if self.parts.is_empty() {
            let rollouts = match event {
                RunEvent::JobStarted(started) => started.rollouts,
                RunEvent::Notice { .. }
                | RunEvent::EnvironmentReady { .. }
                | RunEvent::RolloutStarted { .. }
                | RunEvent::PhaseStarted { .. }
                | RunEvent::Step { .. }
                | RunEvent::RolloutFinished { .. }
                | RunEvent::JobFinished(_) => 0,
            };
            self.parts = choose(&self.printer, rollouts);
        }
        self.parts.iter_mut().try_for_each(|part| part.event(event))
    }
}

fn choose(printer: &Printer, rollouts: usize) -> Vec<Box<dyn Report>> {
    if printer.is_json() {
        let mut parts: Vec<Box<dyn Report>> = vec![Box::new(Jsonl::new(printer))];
        // Redirected JSON leaves the terminal free for a person; on the same screen the two would mix.
        if printer.shows_progress() && !printer.is_stdout_terminal() {
            parts.push(Box::new(Live::new(printer)));
        }
        return parts;
    }
    if printer.verbosity() == Verbosity::Quiet {
        return vec![Box::new(Quiet::new(printer))];
    }
    let running: Box<dyn Report> = if rollouts == 1 {
        Box::new(Single::new(printer))
    } else if printer.shows_progress() {
        Box::new(Live::new(printer))
    } else {
        Box::new(Plain::new(printer))
    };
    vec![running, Box::new(FinalTable::new(printer))]
}
