//! One version of the environment, and the copies of it that clients use.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::environment::{Session, Started};
use crate::mcp::{Client, RelayedCopy};

/// A version that was started.
pub(super) struct Version {
    /// Counts the attempts to start one.
    pub(super) number: u64,
    pub(super) started: Arc<Started>,
    copies: watch::Sender<usize>,
    /// Where all sessions share a process: one of our own, for which the process is started and `@env.initialize` runs.
    anchor: tokio::sync::Mutex<Option<Session>>,
}

impl Version {
    pub(super) fn new(number: u64, started: Arc<Started>, anchor: Option<Session>) -> Arc<Self> {
        Arc::new(Self {
            number,
            started,
            copies: watch::Sender::new(0),
            anchor: tokio::sync::Mutex::new(anchor),
        })
    }

    /// Keeps the version alive until the answer is dropped.
    pub(super) fn hold(self: &Arc<Self>) -> Held {
        self.copies.send_modify(|copies| *copies += 1);
        Held(Arc::clone(self))
    }

    /// Waits until no copy is left.
    pub(super) async fn unused(&self) {
        // The sender is ours, so it cannot be gone.
        let _ = self
            .copies
            .subscribe()
            .wait_for(|copies| *copies == 0)
            .await;
    }

    /// Uses `anchor` from now on; what it replaces has lost its process.
    pub(super) async fn anchor(&self, anchor: Session) {
        *self.anchor.lock().await = Some(anchor);
    }

    /// Ends it, and every copy that is left.
    pub(super) async fn close(&self) {
        self.started.close().await;
        // Its process is gone with the others.
        *self.anchor.lock().await = None;
    }
}

/// A use of a version.
pub(super) struct Held(Arc<Version>);

impl Held {
    pub(super) fn started(&self) -> &Arc<Started> {
        &self.0.started
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.copies.send_modify(|copies| *copies -= 1);
    }
}

/// A copy that serves one client of ours.
pub(super) struct DevCopy {
    session: Session,
    number: u64,
    held: Mutex<Option<Held>>,
}

impl DevCopy {
    pub(super) fn new(session: Session, held: Held) -> Self {
        Self {
            session,
            number: held.0.number,
            held: Mutex::new(Some(held)),
        }
    }
}

#[async_trait]
impl RelayedCopy for DevCopy {
    fn client(&self) -> &Client {
        self.session.client()
    }

    fn version(&self) -> u64 {
        self.number
    }

    fn interrupt(&self) {
        self.session.interrupt();
    }

    async fn why_ended(&self) -> Option<String> {
        self.session.why_ended().await
    }

    async fn close(&self) {
        for warning in self.session.close().await {
            tracing::debug!("{warning}");
        }
        // Whoever still has this copy can do nothing with it, so the version need not wait for them.
        if let Ok(mut held) = self.held.lock() {
            *held = None;
        }
    }
}
