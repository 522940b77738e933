//! The environment that reloads.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::events::{DevEvent, Status};
use crate::environment::{Environments, Isolation};
use crate::task::EnvironmentSpec;

/// What is developed, and how.
#[derive(Clone, Debug)]
pub struct DevOptions {
    /// The environment: a Python source, or servers of which one is a command.
    pub spec: EnvironmentSpec,
    /// Files and folders to watch beside the source itself; when empty, the source's whole folder.
    pub watch: Vec<PathBuf>,
    /// Whether files are watched at all.
    pub watching: bool,
    /// How copies are kept apart.
    pub isolation: Isolation,
    /// How long calls in flight may go on after a new version has taken over.
    pub drain: Duration,
    /// How long importing (or starting the command) may take.
    pub import_timeout: Duration,
    /// Where everything that the environment prints goes.
    pub log: PathBuf,
    /// Whether an interpreter with the dependencies loaded is kept, from which new versions start.
    pub warm: bool,
}

/// An environment that is replaced by its new version whenever its files change.
pub struct DevEnvironment {
    options: DevOptions,
}

impl DevEnvironment {
    /// Starts watching and the first version, and returns when that serves or has failed. It never fails: what goes wrong is an event and
    /// in [`DevEnvironment::status`], and the next save may mend it.
    pub async fn start(
        environments: Arc<Environments>,
        options: DevOptions,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<DevEvent>) {
        let _ = environments;
        let (_, events) = mpsc::unbounded_channel();
        (Arc::new(Self { options }), events)
    }

    /// Starts a new version now. `cold` imports the dependencies anew too.
    pub fn reload(&self, cold: bool) {
        let _ = cold;
    }

    /// How things stand.
    pub fn status(&self) -> Status {
        Status {
            name: String::new(),
            serving: None,
            failed: None,
            isolation: self.options.isolation,
            watching: self.options.watch.clone(),
            running_for: Duration::ZERO,
            reloads: 0,
            draining: 0,
        }
    }

    /// Ends every version: scenarios are closed, shutdown hooks run, processes end.
    pub async fn close(&self) {}
}
