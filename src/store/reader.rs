//! Reads a run directory back, whatever state a crash left it in.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::RunDirectory;
use super::lines::{self, Lines};
use super::wire::{
    Header, JobRecord, JournalRecord, SummaryRecord, TraceHeader, TraceRecord, check_version,
};
use crate::eval::statistics;
use crate::event::{JobStarted, JobSummary, NoticeLevel, RolloutRef, RolloutResult, RunEvent};
use crate::util::fs;

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// Whether it is the last line without its end: what a crash in the middle of a write leaves. Anything else was done to the file.
    pub is_torn: bool,
    /// What is wrong with it.
    pub reason: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            file,
            line,
            is_torn,
            reason,
        } = self;
        let place = file.display();
        if *is_torn {
            write!(
                f,
                "`{place}` ends in the middle of line {line}: the run was stopped while it was written"
            )
        } else {
            write!(f, "`{place}` line {line} cannot be read: {reason}")
        }
    }
}

/// A run as it was left on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What it was going to do.
    pub started: JobStarted,
    /// What the journal holds, in order: notices, environments, ended rollouts.
    pub events: Vec<RunEvent>,
    /// The numbers, when the job came to its end.
    pub summary: Option<JobSummary>,
    /// Lines that could not be read.
    pub damage: Vec<Damage>,
    /// From the start to the last rollout that ended.
    elapsed: Duration,
}

impl Run {
    /// Reads the run in `path`. Damaged lines are reported in [`Self::damage`]; what is missing altogether, unreadable or of a later version
    /// is an error.
    pub fn read(path: &Path) -> Result<Self> {
        let directory = RunDirectory::open(path)?;
        let job: JobRecord = read_json(&directory.job_file(), JobRecord::FORMAT)?;
        let began = job.started.clone();
        let mut run = Self {
            started: job.into_event(path),
            events: Vec::new(),
            summary: None,
            damage: Vec::new(),
            elapsed: Duration::ZERO,
        };
        if directory.journal().is_file() {
            run.read_journal(&directory.journal(), &began)?;
        }
        if directory.summary().is_file() {
            let summary: SummaryRecord = read_json(&directory.summary(), SummaryRecord::FORMAT)?;
            run.summary = Some(summary.into_event(path));
        }
        Ok(run)
    }

    fn read_journal(&mut self, path: &Path, began: &str) -> Result<()> {
        let Lines {
            header,
            records,
            damage,
        } = lines::read::<JournalRecord>(path)?;
        if let Some(header) = header {
            check_version(&header, Header::JOURNAL)
                .with_context(|| format!("cannot read `{}`", path.display()))?;
        }
        self.damage.extend(damage);
        for record in records {
            self.events.push(match record {
                JournalRecord::Unknown => continue,
                JournalRecord::Notice(notice) => RunEvent::Notice {
                    level: notice.level(),
                    text: notice.text,
                },
                JournalRecord::Environment(environment) => RunEvent::EnvironmentReady {
                    environment: environment.environment,
                    isolation: environment.isolation,
                    reason: environment.reason,
                    startup: environment.startup_s,
                },
                JournalRecord::Rollout(record) => {
                    if let Some(elapsed) = between(began, &record.ended) {
                        self.elapsed = self.elapsed.max(elapsed);
                    }
                    RunEvent::RolloutFinished {
                        rollout: record.rollout.into(),
                        result: Box::new(record.result.into()),
                    }
                }
            });
        }
        Ok(())
    }

    /// The rollouts that ended, in the order in which they did. Of several attempts at one rollout the last counts.
    pub fn ended(&self) -> Vec<(RolloutRef, RolloutResult)> {
        let mut ended: Vec<(RolloutRef, RolloutResult)> = Vec::new();
        let mut places = HashMap::new();
        for event in &self.events {
            let RunEvent::RolloutFinished { rollout, result } = event else {
                continue;
            };
            let attempt = (rollout.clone(), (**result).clone());
            match places.entry((rollout.id.as_str(), rollout.task.as_str())) {
                std::collections::hash_map::Entry::Occupied(place) => {
                    ended[*place.get()] = attempt;
                }
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(ended.len());
                    ended.push(attempt);
                }
            }
        }
        ended
    }

    /// The numbers of the job: those it wrote itself, or, when it was stopped before, those of the rollouts that ended.
    pub fn summary(&self) -> JobSummary {
        self.summary
            .clone()
            .unwrap_or_else(|| self.recomputed_summary())
    }

    fn recomputed_summary(&self) -> JobSummary {
        let threshold = self
            .started
            .plan
            .get("success_threshold")
            .and_then(Value::as_f64)
            .unwrap_or(statistics::DEFAULT_SUCCESS_THRESHOLD);
        statistics::summarize(
            &self.started.job,
            self.started.rollouts,
            &self.ended(),
            threshold,
            self.elapsed,
            &self.started.directory,
            true,
        )
    }
}

/// The events of a run, enough to report it again: start, what the journal holds, a warning for each damaged line, and the summary. Steps
/// are in the traces: [`read_trace`].
pub fn replay(path: &Path) -> Result<Vec<RunEvent>> {
    let run = Run::read(path)?;
    let summary = run.summary();
    let warnings = run.damage.iter().map(|damage| RunEvent::Notice {
        level: NoticeLevel::Warning,
        text: damage.to_string(),
    });
    let mut events = vec![RunEvent::JobStarted(run.started.clone())];
    events.extend(run.events.iter().cloned());
    events.extend(warnings);
    events.push(RunEvent::JobFinished(summary));
    Ok(events)
}

/// One rollout, step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Which; `None` when a crash came before the first line was whole.
    pub rollout: Option<RolloutRef>,
    /// Time since the rollout started, and what happened: phases, steps and, when it ended, how.
    pub events: Vec<(Duration, RunEvent)>,
    /// Lines that could not be read.
    pub damage: Vec<Damage>,
}

/// Reads the trace `trace_id` of the run in `path`.
pub fn read_trace(path: &Path, trace_id: &str) -> Result<Trace> {
    let file = RunDirectory::open(path)?.trace(trace_id)?;
    let Lines {
        header,
        records,
        mut damage,
    } = lines::read::<TraceRecord<'static>>(&file)?;
    let mut trace = Trace {
        rollout: None,
        events: Vec::new(),
        damage: Vec::new(),
    };
    if let Some(header) = header {
        let context = || format!("cannot read `{}`", file.display());
        check_version(&header, TraceHeader::FORMAT).with_context(context)?;
        let header: TraceHeader = serde_json::from_value(header).with_context(context)?;
        let rollout = RolloutRef::from(header.rollout);
        trace.events = records
            .into_iter()
            .filter_map(|record| Some((record.t, record.step.into_event(&rollout)?)))
            .collect();
        trace.rollout = Some(rollout);
    }
    trace.damage.append(&mut damage);
    Ok(trace)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path, format: (&str, u32)) -> Result<T> {
    let text = fs::read_to_string(path)?;
    let context = || format!("cannot read `{}`", path.display());
    let value: Value = serde_json::from_str(&text).with_context(context)?;
    check_version(&value, format).with_context(context)?;
    serde_json::from_value(value).with_context(context)
}

/// The time from one RFC 3339 time to another; `None` when one is unreadable or the clock went backwards.
fn between(start: &str, end: &str) -> Option<Duration> {
    let start: jiff::Timestamp = start.parse().ok()?;
    let end: jiff::Timestamp = end.parse().ok()?;
    Duration::try_from(end.duration_since(start)).ok()
}
