//! Keeps what happens.

use anyhow::{Context, Result};

use super::RunDirectory;
use super::lines::Appender;
use super::traces::Traces;
use super::wire::{
    EndedRecord, EnvironmentRecord, Header, JobRecord, JournalRecord, NoticeRecord, PhaseRecord,
    StepRecord, SummaryRecord,
};
use crate::event::{JobStarted, JobSummary, NoticeLevel, RolloutRef, RolloutResult, RunEvent};
use crate::util::{fs, time};

/// Writes the events of one job into its [`RunDirectory`].
///
/// Works on the caller's thread: an event costs microseconds, except for a big screenshot. An error (a full disk, a folder that is gone)
/// is returned from [`Self::event`]; the caller then ends the job, and may go on handing over events, each of which is tried.
pub struct Writer {
    directory: RunDirectory,
    journal: Appender,
    traces: Traces,
}

impl Writer {
    /// A writer of a new job: creates the journal with its header.
    pub fn create(directory: &RunDirectory) -> Result<Self> {
        let mut journal = Appender::open(&directory.journal())?;
        journal.append(&Header::journal(directory.job()))?;
        Ok(Self {
            directory: directory.clone(),
            journal,
            traces: Traces::new(directory.clone()),
        })
    }

    /// Keeps an event. When this returns, whatever must survive a crash has reached the operating system: the plan, each ended rollout,
    /// each prompt and turn.
    pub fn event(&mut self, event: &RunEvent) -> Result<()> {
        match event {
            RunEvent::JobStarted(started) => self.job_started(started),
            RunEvent::Notice { level, text } => {
                self.journal.append(&JournalRecord::Notice(NoticeRecord {
                    at: time::now_rfc3339(),
                    is_warning: *level == NoticeLevel::Warning,
                    text: text.clone(),
                }))
            }
            RunEvent::EnvironmentReady {
                environment,
                isolation,
                reason,
                startup,
            } => self
                .journal
                .append(&JournalRecord::Environment(EnvironmentRecord {
                    at: time::now_rfc3339(),
                    environment: environment.clone(),
                    isolation: isolation.clone(),
                    reason: reason.clone(),
                    startup_s: *startup,
                })),
            RunEvent::RolloutStarted { rollout } => self.traces.begin(rollout),
            RunEvent::PhaseStarted { rollout, phase } => {
                let phase = PhaseRecord::from(*phase);
                self.traces
                    .record(rollout, StepRecord::Phase { phase }, false)
            }
            RunEvent::Step { rollout, step } => self.traces.step(rollout, step),
            RunEvent::RolloutFinished { rollout, result } => self.rollout_finished(rollout, result),
            RunEvent::JobFinished(summary) => self.job_finished(summary),
        }
    }

    fn job_started(&self, started: &JobStarted) -> Result<()> {
        let record = JobRecord::new(started, time::now_rfc3339());
        write_json(&self.directory.job_file(), &record)
    }

    /// The journal comes first: what it holds is what `--resume` will not run again.
    fn rollout_finished(&mut self, rollout: &RolloutRef, result: &RolloutResult) -> Result<()> {
        let ended = EndedRecord {
            ended: time::now_rfc3339(),
            rollout: rollout.into(),
            result: result.into(),
        };
        let last = StepRecord::Ended {
            result: Box::new(ended.result.clone()),
        };
        let journal = self
            .journal
            .append(&JournalRecord::Rollout(Box::new(ended)));
        let trace = self.traces.end(rollout, last);
        journal.and(trace)
    }

    fn job_finished(&mut self, summary: &JobSummary) -> Result<()> {
        self.traces.flush()?;
        self.journal.sync()?;
        write_json(&self.directory.summary(), &SummaryRecord::new(summary))
    }
}

impl Drop for Writer {
    /// A job that ended early (a panic, an error of another consumer) still leaves the traces of what was running. There is nobody to
    /// tell about an error here.
    fn drop(&mut self) {
        let _ = self.traces.flush();
    }
}

fn write_json(path: &std::path::Path, record: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(record).context("cannot write a record as JSON")?;
    text.push(b'\n');
    fs::write_atomic(path, text)
}
