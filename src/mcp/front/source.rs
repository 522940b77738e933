//! Where copies come from.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::CallReport;
use crate::mcp::{Client, ClientEvents};

/// Who the environment is.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its version, which is not the number that counts reloads.
    pub version: String,
    /// What a model should know of it, when it says so.
    pub instructions: Option<String>,
}

/// A newer version can be opened; the lists of those kinds differ from the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionChange {
    /// The version that is opened from now on.
    pub version: u64,
    /// Whether the tools differ.
    pub tools: bool,
    /// Whether the prompts differ.
    pub prompts: bool,
    /// Whether the resources differ.
    pub resources: bool,
}

/// Opens copies of an environment that may be replaced by a newer version at any time.
#[async_trait]
pub trait CopySource: Send + Sync + 'static {
    /// Who the environment is now.
    fn identity(&self) -> Identity;

    /// The version that [`CopySource::open`] opens now. A source that never changes keeps 1.
    fn version(&self) -> u64 {
        1
    }

    /// Fires after [`CopySource::version`] has changed; `None` when it never does.
    fn changes(&self) -> Option<broadcast::Receiver<VersionChange>> {
        None
    }

    /// A fresh copy of the current version, or in words why not. What the copy asks of its client, and tells it, goes to `events`.
    async fn open(&self, events: Arc<dyn ClientEvents>) -> Result<Arc<dyn RelayedCopy>, String>;

    /// Told of every request that reached user code, when it ends. Must not block.
    fn observe(&self, call: &CallReport) {
        let _ = call;
    }
}

/// A copy that serves one client, or all clients that name no session.
#[async_trait]
pub trait RelayedCopy: Send + Sync + 'static {
    /// Its MCP connection.
    fn client(&self) -> &Client;

    /// The version that it is a copy of.
    fn version(&self) -> u64 {
        1
    }

    /// Stops what runs in it for good, also a synchronous tool; it can go on with the next request.
    fn interrupt(&self) {}

    /// Why it ended by itself, in words, when that is known. Asked once its connection is gone; may wait a moment for the answer.
    async fn why_ended(&self) -> Option<String> {
        None
    }

    /// Closes it: the scenario, the shutdown hooks, the process.
    async fn close(&self);
}

/// Bounds of what clients may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// More sessions than this at once are refused, both eras together.
    pub sessions: usize,
    /// A session that nobody used for this long is closed.
    pub idle: Duration,
    /// A request may have at most this many bytes.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A copy takes a few megabytes; a thousand still fit a small machine.
            sessions: 1000,
            idle: Duration::from_mins(30),
            // As much as a copy's answer may have, with room for what base64 adds to an image.
            body_bytes: 16 * 1024 * 1024,
        }
    }
}
