//! What the loop is given, and what it gives back.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Model, ModelError, Tools};
use crate::event::Limit;
use crate::message::{Message, Settings, Usage};
use crate::task::Steps;
use crate::util::backoff::Backoff;

/// Settings of a loop, resolved: every layer of configuration is already folded in.
#[derive(Clone, Debug, PartialEq)]
pub struct LoopSettings {
    /// Model calls.
    pub max_steps: Steps,
    /// Patterns (`*`, `?`) of tools to show; `None` shows all.
    pub allowed_tools: Option<Vec<String>>,
    /// Patterns of tools to hide; they win over `allowed_tools`.
    pub disallowed_tools: Option<Vec<String>>,
    /// What every model call asks beside the conversation.
    pub request: Settings,
    /// Wall time of one attempt of a model call.
    pub model_timeout: Option<Duration>,
    /// Wall time of one tool call.
    pub tool_timeout: Option<Duration>,
    /// Input and output tokens of the whole loop.
    pub max_total_tokens: Option<u64>,
    /// Whether a model decides if an agent that stopped calling tools should go on.
    pub auto_respond: bool,
    /// How failed model calls are made again.
    pub retry: Backoff,
}

impl Default for LoopSettings {
    fn default() -> Self {
        Self {
            max_steps: Steps::AtMost(10),
            allowed_tools: None,
            disallowed_tools: None,
            request: Settings::default(),
            // Thinking models take minutes for one answer.
            model_timeout: Some(Duration::from_mins(10)),
            tool_timeout: Some(Duration::from_mins(2)),
            max_total_tokens: None,
            auto_respond: false,
            // About two minutes in all: long enough for a restart of a server or a minute's quota, short enough to notice an outage.
            retry: Backoff {
                first: Duration::from_secs(1),
                cap: Duration::from_secs(30),
                retries: 6,
            },
        }
    }
}

/// One run of the loop.
pub struct AgentJob<'a> {
    /// The model.
    pub model: &'a dyn Model,
    /// The tools.
    pub tools: &'a dyn Tools,
    /// The system prompt.
    pub system: Option<String>,
    /// The conversation to start from.
    pub messages: Vec<Message>,
    /// Settings.
    pub settings: LoopSettings,
    /// Sent to the gateway as `Trace-Id`.
    pub trace_id: Option<String>,
    /// Fires when the job is cancelled.
    pub cancel: CancellationToken,
    /// When the loop must be over.
    pub deadline: Option<Instant>,
}

/// Why a loop ended without the model's having its say.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentFailure {
    /// The model failed, for good or too often.
    Model(ModelError),
    /// The environment is gone. In words: what, and what to do.
    Environment(String),
    /// The job was cancelled.
    Cancelled,
}

/// How a loop ended. With neither a failure nor a limit, the model was done.
///
/// Both may be set: the deadline passed while a failed model call waited for its next attempt, or the copy had to be killed because a tool did
/// not stop at the deadline. The failure then says why there is nothing worth grading.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentEnd {
    /// The last text of the model. When the model was done this is its last turn's text, which may be empty; when a limit ended the loop it is
    /// the last text that is not empty. Never the text of a failure.
    pub answer: Option<String>,
    /// Model calls that were answered; those of `auto_respond` do not count.
    pub steps: u32,
    /// Tool calls that were started, refused ones (unknown tool, malformed arguments) included.
    pub tool_calls: u32,
    /// Tokens of all model calls, those of `auto_respond` included.
    pub usage: Usage,
    /// The whole conversation, the messages it started from included.
    pub transcript: Vec<Message>,
    /// The limit that ended the loop.
    pub stopped_by: Option<Limit>,
    /// What failed.
    pub failure: Option<AgentFailure>,
}
