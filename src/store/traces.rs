//! The traces of running rollouts: buffered in memory, appended to their files at the moments that matter.
//!
//! No file stays open. Five hundred rollouts at once would need as many handles, and a usual limit is 1024; opening a file for each
//! append costs some microseconds, and there are few appends: the prompt, each turn, the end.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};

use super::RunDirectory;
use super::lines;
use super::wire::{StepRecord, TraceHeader, TraceRecord};
use crate::event::{RolloutRef, Step};
use crate::util::{fs, time};

/// More than this is not kept in memory: screenshots come between two turns too.
const BUFFER_LIMIT: usize = 256 * 1024;

/// The traces of the rollouts that run.
pub(super) struct Traces {
    directory: RunDirectory,
    running: HashMap<String, Running>,
}

struct Running {
    path: PathBuf,
    buffer: Vec<u8>,
    started: Instant,
    /// Whether the last write failed and may have left a part of a line.
    is_torn: bool,
}

impl Traces {
    pub(super) fn new(directory: RunDirectory) -> Self {
        Self {
            directory,
            running: HashMap::new(),
        }
    }

    /// Keeps a step, and sees to it that a crash after a prompt or a turn does not lose it.
    pub(super) fn step(&mut self, rollout: &RolloutRef, step: &Step) -> Result<()> {
        let Some(record) = StepRecord::of(step) else {
            return Ok(());
        };
        let must_flush = matches!(step, Step::Prompt { .. } | Step::Turn { .. });
        self.record(rollout, record, must_flush)
    }

    /// Keeps a line that is not a step.
    pub(super) fn record(
        &mut self,
        rollout: &RolloutRef,
        step: StepRecord<'_>,
        must_flush: bool,
    ) -> Result<()> {
        let running = self.running(rollout)?;
        let record = TraceRecord {
            t: running.started.elapsed(),
            step,
        };
        lines::push(&mut running.buffer, &record)?;
        if must_flush || running.buffer.len() > BUFFER_LIMIT {
            running.flush()?;
        }
        Ok(())
    }

    /// The trace of a rollout, begun when this is the first that is heard of it.
    fn running(&mut self, rollout: &RolloutRef) -> Result<&mut Running> {
        if !self.running.contains_key(&rollout.trace_id) {
            let header = TraceHeader::new(self.directory.job(), rollout, time::now_rfc3339());
            let mut buffer = Vec::new();
            lines::push(&mut buffer, &header)?;
            let running = Running {
                path: self.directory.trace(&rollout.trace_id)?,
                buffer,
                started: Instant::now(),
                is_torn: false,
            };
            self.running.insert(rollout.trace_id.clone(), running);
        }
        self.running
            .get_mut(&rollout.trace_id)
            .context("the trace was just begun")
    }

    /// Begins the trace of a rollout.
    pub(super) fn begin(&mut self, rollout: &RolloutRef) -> Result<()> {
        self.running(rollout).map(|_| ())
    }

    /// Writes the last line of a trace and forgets it.
    pub(super) fn end(&mut self, rollout: &RolloutRef, last: StepRecord<'_>) -> Result<()> {
        self.record(rollout, last, true)?;
        self.running.remove(&rollout.trace_id);
        Ok(())
    }

    /// Writes what is buffered of every trace. The first error is returned after all were tried.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.running
            .values_mut()
            .map(Running::flush)
            .fold(Ok(()), Result::and)
    }
}

impl Running {
    fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if self.is_torn {
            self.buffer.insert(0, b'\n');
        }
        self.is_torn = true;
        // A failed write is not made again from memory: a full disk would make every trace grow without bound.
        let buffer = std::mem::take(&mut self.buffer);
        fs::append(&self.path)?
            .write_all(&buffer)
            .with_context(|| format!("cannot write `{}`", self.path.display()))?;
        self.is_torn = false;
        Ok(())
    }
}
