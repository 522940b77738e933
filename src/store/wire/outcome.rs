//! How a rollout ended, as it is stored.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::numbers::float;
use crate::event::{Evaluation, Limit, Outcome, Phase, SubScore};

/// A phase of a rollout, as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the same words as `event::Phase`")]
pub enum PhaseRecord {
    Connect,
    Setup,
    Loop,
    Submit,
    Grade,
    Close,
}

impl From<Phase> for PhaseRecord {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Connect => Self::Connect,
            Phase::Setup => Self::Setup,
            Phase::Loop => Self::Loop,
            Phase::Submit => Self::Submit,
            Phase::Grade => Self::Grade,
            Phase::Close => Self::Close,
        }
    }
}

impl From<PhaseRecord> for Phase {
    fn from(phase: PhaseRecord) -> Self {
        match phase {
            PhaseRecord::Connect => Self::Connect,
            PhaseRecord::Setup => Self::Setup,
            PhaseRecord::Loop => Self::Loop,
            PhaseRecord::Submit => Self::Submit,
            PhaseRecord::Grade => Self::Grade,
            PhaseRecord::Close => Self::Close,
        }
    }
}

/// A limit, as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the same words as `event::Limit`")]
pub enum LimitRecord {
    Steps,
    Time,
    Tokens,
    Cost,
}

impl From<Limit> for LimitRecord {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Steps => Self::Steps,
            Limit::Time => Self::Time,
            Limit::Tokens => Self::Tokens,
            Limit::Cost => Self::Cost,
        }
    }
}

impl From<LimitRecord> for Limit {
    fn from(limit: LimitRecord) -> Self {
        match limit {
            LimitRecord::Steps => Self::Steps,
            LimitRecord::Time => Self::Time,
            LimitRecord::Tokens => Self::Tokens,
            LimitRecord::Cost => Self::Cost,
        }
    }
}

/// A part of a grade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the same fields as `event::SubScore`")]
pub struct SubScoreRecord {
    pub name: String,
    #[serde(with = "float")]
    pub weight: f64,
    #[serde(with = "float")]
    pub value: f64,
}

/// A grade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the same fields as `event::Evaluation`")]
pub struct EvaluationRecord {
    #[serde(with = "float")]
    pub reward: f64,
    pub done: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub info: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscores: Vec<SubScoreRecord>,
}

impl From<&Evaluation> for EvaluationRecord {
    fn from(evaluation: &Evaluation) -> Self {
        Self {
            reward: evaluation.reward,
            done: evaluation.done,
            content: evaluation.content.clone(),
            info: evaluation.info.clone(),
            subscores: evaluation
                .subscores
                .iter()
                .map(|score| SubScoreRecord {
                    name: score.name.clone(),
                    weight: score.weight,
                    value: score.value,
                })
                .collect(),
        }
    }
}

impl From<EvaluationRecord> for Evaluation {
    fn from(record: EvaluationRecord) -> Self {
        Self {
            reward: record.reward,
            done: record.done,
            content: record.content,
            info: record.info,
            subscores: record
                .subscores
                .into_iter()
                .map(|score| SubScore {
                    name: score.name,
                    weight: score.weight,
                    value: score.value,
                })
                .collect(),
        }
    }
}

/// How a rollout ended; `kind` is [`Outcome::kind`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the same fields as `event::Outcome`")]
pub enum OutcomeRecord {
    Graded {
        #[serde(flatten)]
        evaluation: EvaluationRecord,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stopped_by: Option<LimitRecord>,
    },
    AgentError {
        message: String,
    },
    EnvironmentError {
        phase: PhaseRecord,
        message: String,
    },
    Timeout {
        phase: PhaseRecord,
        message: String,
    },
    LimitReached {
        limit: LimitRecord,
        message: String,
    },
    Cancelled,
}

impl From<&Outcome> for OutcomeRecord {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Graded {
                evaluation,
                stopped_by,
            } => Self::Graded {
                evaluation: evaluation.into(),
                stopped_by: stopped_by.map(Into::into),
            },
            Outcome::AgentError { message } => Self::AgentError {
                message: message.clone(),
            },
            Outcome::EnvironmentError { phase, message } => Self::EnvironmentError {
                phase: (*phase).into(),
                message: message.clone(),
            },
            Outcome::Timeout { phase, message } => Self::Timeout {
                phase: (*phase).into(),
                message: message.clone(),
            },
            Outcome::LimitReached { limit, message } => Self::LimitReached {
                limit: (*limit).into(),
                message: message.clone(),
            },
            Outcome::Cancelled => Self::Cancelled,
        }
    }
}

impl From<OutcomeRecord> for Outcome {
    fn from(record: OutcomeRecord) -> Self {
        match record {
            OutcomeRecord::Graded {
                evaluation,
                stopped_by,
            } => Self::Graded {
                evaluation: evaluation.into(),
                stopped_by: stopped_by.map(Into::into),
            },
            OutcomeRecord::AgentError { message } => Self::AgentError { message },
            OutcomeRecord::EnvironmentError { phase, message } => Self::EnvironmentError {
                phase: phase.into(),
                message,
            },
            OutcomeRecord::Timeout { phase, message } => Self::Timeout {
                phase: phase.into(),
                message,
            },
            OutcomeRecord::LimitReached { limit, message } => Self::LimitReached {
                limit: limit.into(),
                message,
            },
            OutcomeRecord::Cancelled => Self::Cancelled,
        }
    }
}
