//! Under `-q`: the result, on one line.

use anyhow::Result;

use super::standard::Report;
use super::summary;
use crate::event::RunEvent;
use crate::ui::Printer;

/// Prints the last event only, on stdout.
pub struct Quiet {
    printer: Printer,
}

impl Quiet {
    /// Prints nothing before the end.
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
        }
    }
}

impl Report for Quiet {
    fn event(&mut self, event: &RunEvent) -> Result<()> {
        match event {
            RunEvent::JobFinished(summary) => self.printer.data(&summary::one_line(summary))?,
            RunEvent::JobStarted(_)
            | RunEvent::Notice { .. }
            | RunEvent::EnvironmentReady { .. }
            | RunEvent::RolloutStarted { .. }
            | RunEvent::PhaseStarted { .. }
            | RunEvent::Step { .. }
            | RunEvent::RolloutFinished { .. } => {}
        }
        Ok(())
    }
}
