//! What the loop needs of a model and of tools.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::event::Step;
pub use crate::format::Delta;
use crate::message::{Message, Settings, Tool, ToolCall, ToolResult, Turn};
use crate::task::Task;

/// One request to a model: the whole conversation so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The system prompt.
    pub system: Option<String>,
    /// The conversation.
    pub messages: Vec<Message>,
    /// The tools that may be called.
    pub tools: Vec<Tool>,
    /// What is asked of the model beside that.
    pub settings: Settings,
    /// Sent to the gateway as `Trace-Id`.
    pub trace_id: Option<String>,
}

/// What a caller should do about a failed model call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelErrorKind {
    /// The key is missing or refused.
    Authentication,
    /// The provider asks to slow down (429, 529); `retry_after` may say how long.
    RateLimit,
    /// The provider failed (5xx, a truncated stream, an error event).
    Server,
    /// The connection failed or timed out.
    Network,
    /// The conversation does not fit the model's context.
    ContextLength,
    /// The account has no credit left.
    Credits,
    /// The request is wrong, and will be wrong again.
    Request,
}

impl ModelErrorKind {
    /// Whether the same request may succeed later.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::RateLimit | Self::Server | Self::Network => true,
            Self::Authentication | Self::ContextLength | Self::Credits | Self::Request => false,
        }
    }
}

/// A model call failed. The text says what, where and what to do; it never holds a key.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    /// What to do about it.
    pub kind: ModelErrorKind,
    /// In words, as a lowercase fragment.
    pub message: String,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
}

/// A model.
#[async_trait]
pub trait Model: Send + Sync {
    /// The model's name, for display.
    fn name(&self) -> &str;

    /// Makes one call. `on_delta` sees pieces as they arrive; the answer holds everything again. Never retries: the loop does, so that
    /// each retry is an event. Dropping the future cancels the request.
    async fn respond(
        &self,
        request: &Request,
        on_delta: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Turn, ModelError>;
}

/// What a tool call is told beside its arguments.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// Wall time for this call.
    pub timeout: Option<Duration>,
    /// Fires when the rollout's loop is over: the call must stop for good.
    pub cancel: CancellationToken,
}

/// The tools of a rollout, as the loop sees them.
#[async_trait]
pub trait Tools: Send + Sync {
    /// The tools that the agent may see now (a scenario's exclusions applied; the agent's own filters are the loop's).
    async fn list(&self) -> anyhow::Result<Vec<Tool>>;

    /// Calls one. A tool that fails answers with `is_error`; `Err` means that the environment itself is gone, and ends the loop.
    async fn call(&self, call: &ToolCall, context: &CallContext) -> anyhow::Result<ToolResult>;
}

/// Where the loop puts what happens. An error (a full disk) cancels the rollout.
pub type StepSink<'a> = dyn FnMut(Step) + Send + 'a;

/// Where the model of each rollout comes from.
#[derive(Clone)]
pub enum ModelSource {
    /// One model for all rollouts; calls are independent.
    Shared(Arc<dyn Model>),
    /// A model made for each rollout from its task: `oracle`, `scripted`.
    PerTask(Arc<dyn ModelFactory>),
}

/// Makes a model for a task.
pub trait ModelFactory: Send + Sync {
    /// The model that will play `task`, or why there is none (a task without a solution, a script without a matching entry).
    fn open(&self, task: &Task, repeat: u32) -> Result<Arc<dyn Model>, ModelError>;
}

/// Finds models by name, for graders that ask for one.
pub trait ModelResolver: Send + Sync {
    /// The model called `name`, with its key, or why not.
    fn resolve(&self, name: &str) -> Result<Arc<dyn Model>, ModelError>;
}
