//! Why a request to an environment failed, in words that say what to do.

use super::api::EnvironmentError;
use super::connection::worker::with_log;
use super::session::{Inner, Keeper, Link, STOP};
use crate::event::Phase;
use crate::mcp::McpError;
use crate::util::{fs, text};

impl Inner {
    /// What went wrong, with all that is known: the user's own frames, how the process ended, the end of its log.
    pub(super) async fn explain(
        &self,
        link: &Link,
        phase: Phase,
        doing: &str,
        failed: McpError,
    ) -> EnvironmentError {
        let timed_out = matches!(failed, McpError::Timeout { .. });
        let message = match &failed {
            McpError::Rpc { message, data, .. } => {
                let hud = data.as_ref().and_then(|data| data.get("hud"));
                let exception = hud.and_then(|hud| hud["exception"].as_str());
                let trace = hud
                    .and_then(|hud| hud["trace"].as_str())
                    .filter(|trace| !trace.trim().is_empty());
                let words = text::strip_control(message);
                let mut out = match exception {
                    Some(exception) if !words.contains(exception) => {
                        format!("{doing} failed: {exception}: {words}")
                    }
                    _ => format!("{doing} failed: {words}"),
                };
                if let Some(trace) = trace {
                    out.push('\n');
                    out.push_str(&text::strip_control(trace.trim_end()));
                }
                out
            }
            McpError::Closed { .. } => self.explain_end(link, doing, &failed).await,
            McpError::Timeout { .. } | McpError::Protocol { .. } => {
                format!("{doing} failed: {failed}")
            }
        };
        EnvironmentError {
            phase,
            message,
            timed_out,
        }
    }

    /// Why the process behind the session's first connection ended, when that is known.
    pub(super) async fn why_ended(&self) -> Option<String> {
        match &self.links.first()?.keeper {
            Keeper::Copy { exit, .. } => {
                let mut slot = exit.lock().await;
                let ended = tokio::time::timeout(STOP, slot.as_mut()?).await;
                *slot = None;
                let tail = text::strip_control(&fs::tail(&self.log, 1500));
                Some(with_log(&ended.ok()?.ok()?.sentence(), &tail))
            }
            Keeper::Stdio(server) => Some(server.explain("the command ended by itself").await),
            Keeper::Shared { command, .. } => {
                Some(command.explain("the command ended by itself").await)
            }
            Keeper::Http => None,
        }
    }

    async fn explain_end(&self, link: &Link, doing: &str, failed: &McpError) -> String {
        match &link.keeper {
            Keeper::Copy { exit, .. } => {
                let mut slot = exit.lock().await;
                let ended = match slot.as_mut() {
                    Some(exit) => tokio::time::timeout(STOP, exit)
                        .await
                        .ok()
                        .and_then(Result::ok),
                    None => None,
                };
                *slot = None;
                let what = ended.map_or_else(|| failed.to_string(), |exit| exit.sentence());
                let tail = text::strip_control(&fs::tail(&self.log, 1500));
                with_log(&format!("{doing} failed: {what}"), &tail)
            }
            Keeper::Stdio(server) => server.explain(&format!("{doing} failed: {failed}")).await,
            Keeper::Shared { command, .. } => {
                command.explain(&format!("{doing} failed: {failed}")).await
            }
            Keeper::Http => format!("{doing} failed: {failed} (`{}`)", link.name),
        }
    }
}
