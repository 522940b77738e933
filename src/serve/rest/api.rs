//! What the routes need of the server behind them.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::message::Tool;

/// The tools of an environment, without sessions: every call acts on the copy that clients without a session share.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Name and version of the environment.
    fn identity(&self) -> (String, String);
    /// The tools that it lists now, or in words why it cannot.
    async fn tools(&self) -> Result<Vec<Tool>, String>;
    /// Calls a tool; its answer as MCP's `CallToolResult` in JSON.
    async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<Value, CallError>;
}

/// A call that has no result. The texts say what happened, for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no such tool.
    #[error("{0}")]
    Unknown(String),
    /// The call was understood and refused.
    #[error("{0}")]
    Refused(String),
    /// The environment is not there: nothing is served, or its copy died.
    #[error("{0}")]
    Unavailable(String),
    /// The tool did not answer in time.
    #[error("{0}")]
    Timeout(String),
}

/// How the server is, for `/health` and `/logs`.
pub trait Status: Send + Sync + 'static {
    /// An object with at least `status`: `ok`, `degraded` (an older version is served, because a newer one failed) or `failed` (none is).
    fn health(&self) -> Value;
    /// The last `lines` lines of what the environment printed.
    fn log_tail(&self, lines: usize) -> String;
}
