//! Joins a session to the loop: the tools that an agent sees, bounded in time.

use std::sync::Arc;

use async_trait::async_trait;

use crate::agent::{CallContext, Tools};
use crate::environment::{STOP, Session};
use crate::message::{Tool, ToolCall, ToolResult};
use crate::util::time;

pub(super) struct SessionTools {
    pub(super) session: Arc<Session>,
}

#[async_trait]
impl Tools for SessionTools {
    async fn list(&self) -> anyhow::Result<Vec<Tool>> {
        Ok(self.session.tools().await?)
    }

    async fn call(&self, call: &ToolCall, context: &CallContext) -> anyhow::Result<ToolResult> {
        let mut running = Box::pin(self.session.call(call));
        let overdue = async {
            match context.timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            ended = &mut running => return Ok(ended?),
            () = context.cancel.cancelled() => self.session.stop_tools(),
            () = overdue => self.session.interrupt(),
        }
        let why = match context.timeout {
            Some(timeout) if !context.cancel.is_cancelled() => {
                format!("did not answer within {}", time::human(timeout))
            }
            _ => "was running when the rollout's time was over".to_owned(),
        };
        if !self.session.can_interrupt() {
            // Dropping the call tells the server to stop it; more cannot be done from here.
            return Ok(ToolResult::error(
                call,
                format!("tool `{}` {why} and was cancelled", call.name),
            ));
        }
        match tokio::time::timeout(STOP, running).await {
            Ok(ended) => {
                // Whatever it said when it was stopped, its time was over.
                ended?;
                Ok(ToolResult::error(
                    call,
                    format!("tool `{}` {why} and was stopped", call.name),
                ))
            }
            Err(_) => {
                self.session.kill();
                anyhow::bail!(
                    "the tool `{}` {why} and did not stop within {}; its copy of the environment was killed",
                    call.name,
                    time::human(STOP)
                )
            }
        }
    }
}
