//! `traces/<trace>.jsonl`: every step of one rollout.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::{ResultRecord, RolloutRecord};
use super::numbers::seconds;
use super::outcome::{LimitRecord, PhaseRecord};
use crate::event::{RolloutRef, RunEvent, Step};
use crate::message::{Content, Message, Tool, ToolCall, ToolResult, Turn, Usage};

/// The first line of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceHeader {
    /// [`Self::FORMAT`].
    pub format: String,
    /// Of this format.
    pub version: u32,
    /// The job's id.
    pub job: String,
    /// When the rollout started, in RFC 3339.
    pub started: String,
    /// Which rollout.
    #[serde(flatten)]
    pub rollout: RolloutRecord,
}

impl TraceHeader {
    /// Name and version.
    pub const FORMAT: (&str, u32) = ("hud.trace", 1);

    /// The header of a trace that starts at `started`.
    pub fn new(job: &str, rollout: &RolloutRef, started: String) -> Self {
        Self {
            format: Self::FORMAT.0.to_owned(),
            version: Self::FORMAT.1,
            job: job.to_owned(),
            started,
            rollout: rollout.into(),
        }
    }
}

/// A line of a trace after its header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceRecord<'a> {
    /// Time since the rollout started.
    #[serde(with = "seconds")]
    pub t: Duration,
    /// What happened.
    #[serde(flatten)]
    pub step: StepRecord<'a>,
}

/// What happened, by `type`. Conversations are kept in the crate's own provider-neutral form, [`crate::message`]; pictures as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the same fields as `event::Step` and `event::RunEvent`"
)]
pub enum StepRecord<'a> {
    Phase {
        phase: PhaseRecord,
    },
    Prompt {
        #[serde(default)]
        system: Option<Cow<'a, str>>,
        messages: Cow<'a, [Message]>,
        tools: Cow<'a, [Tool]>,
    },
    ModelStarted {
        step: u32,
    },
    Retry {
        attempt: u32,
        #[serde(with = "seconds")]
        delay_s: Duration,
        error: Cow<'a, str>,
    },
    Turn {
        step: u32,
        turn: Cow<'a, Turn>,
        #[serde(with = "seconds")]
        duration_s: Duration,
    },
    ToolStarted {
        call: Cow<'a, ToolCall>,
    },
    ToolFinished {
        call: Cow<'a, ToolCall>,
        result: Cow<'a, ToolResult>,
        #[serde(with = "seconds")]
        duration_s: Duration,
    },
    User {
        content: Cow<'a, [Content]>,
    },
    LimitReached {
        limit: LimitRecord,
    },
    Submitted {
        answer: Cow<'a, str>,
    },
    Judge {
        model: Cow<'a, str>,
        usage: Usage,
        #[serde(with = "seconds")]
        duration_s: Duration,
    },
    Log {
        level: Cow<'a, str>,
        text: Cow<'a, str>,
    },
    Notice {
        text: Cow<'a, str>,
    },
    /// The last line: how the rollout ended, the grade included.
    Ended {
        result: Box<ResultRecord>,
    },
    /// A line of a later version, skipped.
    #[serde(other)]
    Unknown,
}

impl<'a> StepRecord<'a> {
    /// What is kept of a step; `None` for pieces of text, which the turn holds again.
    pub fn of(step: &'a Step) -> Option<Self> {
        Some(match step {
            Step::TextDelta { .. } => return None,
            Step::Prompt {
                system,
                messages,
                tools,
            } => Self::Prompt {
                system: system.as_deref().map(Cow::Borrowed),
                messages: Cow::Borrowed(messages),
                tools: Cow::Borrowed(tools),
            },
            Step::ModelStarted { step } => Self::ModelStarted { step: *step },
            Step::Retry {
                attempt,
                delay,
                error,
            } => Self::Retry {
                attempt: *attempt,
                delay_s: *delay,
                error: Cow::Borrowed(error),
            },
            Step::Turn {
                step,
                turn,
                duration,
            } => Self::Turn {
                step: *step,
                turn: Cow::Borrowed(turn),
                duration_s: *duration,
            },
            Step::ToolStarted { call } => Self::ToolStarted {
                call: Cow::Borrowed(call),
            },
            Step::ToolFinished {
                call,
                result,
                duration,
            } => Self::ToolFinished {
                call: Cow::Borrowed(call),
                result: Cow::Borrowed(result),
                duration_s: *duration,
            },
            Step::User { content } => Self::User {
                content: Cow::Borrowed(content),
            },
            Step::LimitReached { limit } => Self::LimitReached {
                limit: (*limit).into(),
            },
            Step::Submitted { answer } => Self::Submitted {
                answer: Cow::Borrowed(answer),
            },
            Step::Judge {
                model,
                usage,
                duration,
            } => Self::Judge {
                model: Cow::Borrowed(model),
                usage: *usage,
                duration_s: *duration,
            },
            Step::Notice { text } => Self::Notice {
                text: Cow::Borrowed(text),
            },
            Step::Log { level, text } => Self::Log {
                level: Cow::Borrowed(level),
                text: Cow::Borrowed(text),
            },
        })
    }

    /// The event again; `None` for what a later version wrote.
    pub fn into_event(self, rollout: &RolloutRef) -> Option<RunEvent> {
        let step = match self {
            Self::Unknown => return None,
            Self::Phase { phase } => {
                return Some(RunEvent::PhaseStarted {
                    rollout: rollout.clone(),
                    phase: phase.into(),
                });
            }
            Self::Ended { result } => {
                return Some(RunEvent::RolloutFinished {
                    rollout: rollout.clone(),
                    result: Box::new((*result).into()),
                });
            }
            Self::Prompt {
                system,
                messages,
                tools,
            } => Step::Prompt {
                system: system.map(Cow::into_owned),
                messages: messages.into_owned(),
                tools: tools.into_owned(),
            },
            Self::ModelStarted { step } => Step::ModelStarted { step },
            Self::Retry {
                attempt,
                delay_s,
                error,
            } => Step::Retry {
                attempt,
                delay: delay_s,
                error: error.into_owned(),
            },
            Self::Turn {
                step,
                turn,
                duration_s,
            } => Step::Turn {
                step,
                turn: turn.into_owned(),
                duration: duration_s,
            },
            Self::ToolStarted { call } => Step::ToolStarted {
                call: call.into_owned(),
            },
            Self::ToolFinished {
                call,
                result,
                duration_s,
            } => Step::ToolFinished {
                call: call.into_owned(),
                result: result.into_owned(),
                duration: duration_s,
            },
            Self::User { content } => Step::User {
                content: content.into_owned(),
            },
            Self::LimitReached { limit } => Step::LimitReached {
                limit: limit.into(),
            },
            Self::Submitted { answer } => Step::Submitted {
                answer: answer.into_owned(),
            },
            Self::Judge {
                model,
                usage,
                duration_s,
            } => Step::Judge {
                model: model.into_owned(),
                usage,
                duration: duration_s,
            },
            Self::Notice { text } => Step::Notice {
                text: text.into_owned(),
            },
            Self::Log { level, text } => Step::Log {
                level: level.into_owned(),
                text: text.into_owned(),
            },
        };
        Some(RunEvent::Step {
            rollout: rollout.clone(),
            step: Box::new(step),
        })
    }
}
