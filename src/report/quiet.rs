//! Under `-q`: the result, on one line, after a line for each reason why rollouts have no grade.

use anyhow::Result;

use super::rows::Row;
use super::standard::Report;
use super::{details, summary};
use crate::event::{Outcome, RunEvent};
use crate::ui::Printer;

/// Prints at the end only: reasons of failures on stderr, the result on stdout.
pub struct Quiet {
    printer: Printer,
    rows: Vec<Row>,
}

impl Quiet {
    /// Prints nothing before the end.
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            rows: Vec::new(),
        }
    }
}

impl Report for Quiet {
    fn event(&mut self, event: &RunEvent) -> Result<()> {
        match event {
            RunEvent::RolloutFinished { rollout, result } => {
                if !matches!(result.outcome, Outcome::Graded { .. }) {
                    self.rows.push(Row::new(rollout, result));
                }
            }
            RunEvent::JobFinished(summary) => {
                for line in details::reasons(&self.rows) {
                    self.printer.error(&line);
                }
                self.printer.data(&summary::one_line(summary))?;
            }
            RunEvent::JobStarted(_)
            | RunEvent::Notice { .. }
            | RunEvent::EnvironmentReady { .. }
            | RunEvent::RolloutStarted { .. }
            | RunEvent::PhaseStarted { .. }
            | RunEvent::Step { .. } => {}
        }
        Ok(())
    }
}
