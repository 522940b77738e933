//! What the table needs of each rollout, kept until the end. Not the events themselves: answers may be long and rollouts many.

use std::time::Duration;

use crate::event::{Limit, Outcome, RolloutRef, RolloutResult, SubScore};
use crate::util::text;

use super::outcome;

/// No screen shows more of an answer in one line.
const ANSWER_KEPT: usize = 400;

/// A finished rollout.
pub(super) struct Row {
    pub(super) rollout: RolloutRef,
    pub(super) ending: Ending,
    pub(super) answer: Option<String>,
    pub(super) steps: u32,
    pub(super) tokens: u64,
    pub(super) duration: Duration,
}

/// How it ended.
pub(super) enum Ending {
    Graded {
        reward: f64,
        content: Option<String>,
        subscores: Vec<SubScore>,
        stopped_by: Option<Limit>,
    },
    Ungraded {
        kind: &'static str,
        reason: Option<String>,
    },
}

impl Row {
    pub(super) fn new(rollout: &RolloutRef, result: &RolloutResult) -> Self {
        let ending = match &result.outcome {
            Outcome::Graded {
                evaluation,
                stopped_by,
            } => Ending::Graded {
                reward: evaluation.reward,
                content: evaluation.content.clone(),
                subscores: evaluation.subscores.clone(),
                stopped_by: *stopped_by,
            },
            Outcome::AgentError { .. }
            | Outcome::EnvironmentError { .. }
            | Outcome::Timeout { .. }
            | Outcome::LimitReached { .. }
            | Outcome::Cancelled => Ending::Ungraded {
                kind: result.outcome.kind(),
                reason: outcome::reason(&result.outcome),
            },
        };
        Self {
            rollout: rollout.clone(),
            ending,
            answer: result
                .answer
                .as_ref()
                .map(|answer| text::one_line(answer, ANSWER_KEPT)),
            steps: result.steps,
            tokens: result.usage.total(),
            duration: result.duration,
        }
    }

    pub(super) fn reward(&self) -> Option<f64> {
        match self.ending {
            Ending::Graded { reward, .. } => Some(reward),
            Ending::Ungraded { .. } => None,
        }
    }
}
