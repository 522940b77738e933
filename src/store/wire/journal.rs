//! `journal.jsonl`: what ended, in the order in which it ended.

use std::time::Duration;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::numbers::seconds;
use super::outcome::{OutcomeRecord, PhaseRecord};
use crate::event::{NoticeLevel, RolloutRef, RolloutResult};
use crate::message::Usage;

/// The first line of a file: what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// `hud.job`, `hud.journal`, `hud.trace` or `hud.summary`.
    pub format: String,
    /// The version of that format.
    pub version: u32,
    /// The job's id.
    pub job: String,
}

impl Header {
    /// The name and version of the journal's format.
    pub const JOURNAL: (&str, u32) = ("hud.journal", 1);

    /// The header of a new journal.
    pub fn journal(job: &str) -> Self {
        Self {
            format: Self::JOURNAL.0.to_owned(),
            version: Self::JOURNAL.1,
            job: job.to_owned(),
        }
    }
}

/// Whether a file whose first lines say `found` can be read by code that knows `expected`.
pub fn check_version(found: &serde_json::Value, expected: (&str, u32)) -> Result<()> {
    let (name, newest) = expected;
    let format = found.get("format").and_then(serde_json::Value::as_str);
    if format != Some(name) {
        bail!(
            "not a `{name}` file: its `format` is `{}`",
            format.unwrap_or("missing")
        );
    }
    match found.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version <= u64::from(newest) => Ok(()),
        Some(version) => bail!(
            "version {version} of `{name}` is newer than this hud reads ({newest})\nhint: update hud, or read it with the version that wrote it"
        ),
        None => bail!("a `{name}` file without a `version`"),
    }
}

/// Which rollout a line is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the same fields as `event::RolloutRef`")]
pub struct RolloutRecord {
    #[serde(rename = "rollout")]
    pub id: String,
    pub trace: String,
    pub index: usize,
    pub task: String,
    pub repeat: u32,
}

impl From<&RolloutRef> for RolloutRecord {
    fn from(rollout: &RolloutRef) -> Self {
        Self {
            id: rollout.id.clone(),
            trace: rollout.trace_id.clone(),
            index: rollout.index,
            task: rollout.task.clone(),
            repeat: rollout.repeat,
        }
    }
}

impl From<RolloutRecord> for RolloutRef {
    fn from(record: RolloutRecord) -> Self {
        Self {
            id: record.id,
            trace_id: record.trace,
            index: record.index,
            task: record.task,
            repeat: record.repeat,
        }
    }
}

/// The wall time of a phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseTime {
    /// Which.
    pub phase: PhaseRecord,
    /// How long.
    #[serde(with = "seconds")]
    pub duration_s: Duration,
}

/// What a rollout did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the same fields as `event::RolloutResult`")]
pub struct ResultRecord {
    pub outcome: OutcomeRecord,
    #[serde(default)]
    pub answer: Option<String>,
    pub steps: u32,
    pub tool_calls: u32,
    pub usage: Usage,
    #[serde(default)]
    pub judge_usage: Usage,
    #[serde(default)]
    pub cost_usd: Option<f64>,
    #[serde(with = "seconds")]
    pub duration_s: Duration,
    #[serde(default)]
    pub phases: Vec<PhaseTime>,
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl From<&RolloutResult> for ResultRecord {
    fn from(result: &RolloutResult) -> Self {
        Self {
            outcome: (&result.outcome).into(),
            answer: result.answer.clone(),
            steps: result.steps,
            tool_calls: result.tool_calls,
            usage: result.usage,
            judge_usage: result.judge_usage,
            cost_usd: result.cost_usd,
            duration_s: result.duration,
            phases: result
                .phases
                .iter()
                .map(|&(phase, duration_s)| PhaseTime {
                    phase: phase.into(),
                    duration_s,
                })
                .collect(),
            warnings: result.warnings.clone(),
        }
    }
}

impl From<ResultRecord> for RolloutResult {
    fn from(record: ResultRecord) -> Self {
        Self {
            outcome: record.outcome.into(),
            answer: record.answer,
            steps: record.steps,
            tool_calls: record.tool_calls,
            usage: record.usage,
            judge_usage: record.judge_usage,
            cost_usd: record.cost_usd,
            duration: record.duration_s,
            phases: record
                .phases
                .into_iter()
                .map(|time| (time.phase.into(), time.duration_s))
                .collect(),
            warnings: record.warnings,
        }
    }
}

/// A rollout that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndedRecord {
    /// When, in RFC 3339.
    pub ended: String,
    /// Which.
    #[serde(flatten)]
    pub rollout: RolloutRecord,
    /// How.
    #[serde(flatten)]
    pub result: ResultRecord,
}

/// Something to know that is not about one rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeRecord {
    /// When, in RFC 3339.
    pub at: String,
    /// Whether something is not as asked for; otherwise it is only worth knowing.
    pub is_warning: bool,
    /// What.
    pub text: String,
}

impl NoticeRecord {
    /// The event's level.
    pub fn level(&self) -> NoticeLevel {
        if self.is_warning {
            NoticeLevel::Warning
        } else {
            NoticeLevel::Info
        }
    }
}

/// An environment that answered for the first time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the same fields as `event::RunEvent::EnvironmentReady`"
)]
pub struct EnvironmentRecord {
    pub at: String,
    pub environment: String,
    pub isolation: String,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(with = "seconds")]
    pub startup_s: Duration,
}

/// A line of the journal after its header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum JournalRecord {
    /// A rollout ended.
    Rollout(Box<EndedRecord>),
    /// Something was said.
    Notice(NoticeRecord),
    /// An environment answered.
    Environment(EnvironmentRecord),
    /// A line of a later version, skipped.
    #[serde(other)]
    Unknown,
}
