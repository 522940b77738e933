//! The routes' tools are those of the copy that clients without a session share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::api::{Backend, CallError};
use crate::mcp::{CallOutcome, CallReport, CopySource, McpError, RelayServer};
use crate::message::Tool;
use crate::util::time::human;

/// The session that reports of these calls name.
const SESSION: &str = "http";

/// The code of JSON-RPC for parameters that are not valid; also what a server answers that does not know a tool.
const INVALID_PARAMS: i32 = -32602;

/// Calls tools of [`RelayServer::shared`], and reports the calls to the source as the relays report theirs.
pub struct SharedCopy {
    relays: Arc<RelayServer>,
    source: Arc<dyn CopySource>,
    tool_timeout: Option<Duration>,
}

impl SharedCopy {
    /// Over the relays of `source`. A tool that runs longer than `tool_timeout` is stopped.
    pub fn new(
        relays: Arc<RelayServer>,
        source: Arc<dyn CopySource>,
        tool_timeout: Option<Duration>,
    ) -> Self {
        Self {
            relays,
            source,
            tool_timeout,
        }
    }
}

#[async_trait]
impl Backend for SharedCopy {
    fn identity(&self) -> (String, String) {
        let identity = self.source.identity();
        (identity.name, identity.version)
    }

    async fn tools(&self) -> Result<Vec<Tool>, String> {
        let copy = self.relays.shared().await?;
        let tools = copy.client().list_tools(None).await;
        tools.map_err(|error| format!("the environment's copy failed: {error}"))
    }

    async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<Value, CallError> {
        let copy = self.relays.shared().await.map_err(CallError::Unavailable)?;
        let report = Report {
            source: &self.source,
            name,
            version: copy.version(),
            started: Instant::now(),
            outcome: CallOutcome::Cancelled,
        };
        let calling = copy.client().call_tool_json(name, arguments);
        let answer = match self.tool_timeout {
            None => calling.await,
            Some(limit) => match tokio::time::timeout(limit, calling).await {
                Ok(answer) => answer,
                Err(_) => {
                    copy.interrupt();
                    Err(McpError::Timeout { after: limit })
                }
            },
        };
        report.end(outcome(&answer));
        answer.map_err(|error| match error {
            McpError::Rpc {
                code: INVALID_PARAMS,
                message,
                ..
            } if message.to_lowercase().contains("unknown tool") => CallError::Unknown(message),
            McpError::Rpc { message, .. } => CallError::Refused(message),
            McpError::Timeout { after } => {
                CallError::Timeout(format!("`{name}` did not answer within {}", human(after)))
            }
            McpError::Closed { .. } | McpError::Protocol { .. } => {
                CallError::Unavailable(format!("the environment's copy failed: {error}"))
            }
        })
    }
}

fn outcome(answer: &Result<Value, McpError>) -> CallOutcome {
    match answer {
        Ok(result) => match super::result::answer(result) {
            Ok(_) => CallOutcome::Ok,
            Err(words) => CallOutcome::ToolError(words),
        },
        Err(error) => CallOutcome::Failed(error.to_string()),
    }
}

/// Reports the call when it ends, also when the caller went away and the call was dropped.
struct Report<'a> {
    source: &'a Arc<dyn CopySource>,
    name: &'a str,
    version: u64,
    started: Instant,
    outcome: CallOutcome,
}

impl Report<'_> {
    fn end(mut self, outcome: CallOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        self.source.observe(&CallReport {
            method: "tools/call".to_owned(),
            name: self.name.to_owned(),
            session: SESSION.to_owned(),
            version: self.version,
            took: self.started.elapsed(),
            outcome: self.outcome.clone(),
        });
    }
}
