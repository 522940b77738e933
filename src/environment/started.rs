//! One running environment, apart from the pool: development starts the next version beside the one that serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::api::{Description, Isolation};
use super::connection::command::SharedCommand;
use super::connection::worker::Worker;
use super::offers::Offers;
use crate::task::{ConnectionSpec, Workdir};

/// Something that happens in a running environment between requests.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A process of copies ended by itself; the next session gets a fresh one.
    Died {
        /// How, and the end of its log.
        message: String,
    },
    /// The environment itself is gone: nothing can be opened any more.
    Ended {
        /// How, and the end of its log.
        message: String,
    },
    /// A tool keeps a process that several sessions share from answering anybody.
    Blocked {
        /// The tool, when that is known.
        tool: Option<String>,
        /// The trace of the session that called it, when that is known.
        session: Option<String>,
        /// For how long already.
        for_: Duration,
    },
    /// Why it does not run as fast as it could; said once.
    Note(String),
}

/// Takes notices; must not block.
pub type NoticeSink = Arc<dyn Fn(Notice) + Send + Sync>;

/// How an environment is started with [`Environments::start`](super::Environments::start).
#[derive(Clone, Default)]
pub struct StartOptions {
    /// How its copies are kept apart.
    pub isolation: Isolation,
    /// Folders whose modules are the project's own; when empty, the source's folder.
    pub project: Vec<PathBuf>,
    /// Whether an interpreter with the modules from outside the project loaded is kept and used.
    pub nursery: bool,
    /// How long importing may take; `None` is what the pool allows.
    pub timeout: Option<Duration>,
    /// Where everything that it prints goes; `None` is a file of its own in the pool's folder of logs.
    pub log: Option<PathBuf>,
    /// Takes what goes on in it.
    pub notices: Option<NoticeSink>,
}

/// One running environment.
pub struct Started {
    pub(super) description: Arc<Description>,
    pub(super) offers: Offers,
    pub(super) startup: Duration,
    pub(super) files: Vec<PathBuf>,
    pub(super) log: Option<PathBuf>,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// A Python worker.
    Worker {
        worker: Arc<Worker>,
        workdir: Workdir,
        shared: bool,
    },
    /// Servers that each session reaches anew.
    Servers {
        servers: Vec<(String, ConnectionSpec)>,
    },
    /// A program that all sessions share.
    Command(Arc<SharedCommand>),
}

impl Started {
    /// What it offers, in our own words.
    pub fn description(&self) -> &Arc<Description> {
        &self.description
    }

    /// What it offers, item by item as clients see it.
    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// How long starting it took.
    pub fn startup(&self) -> Duration {
        self.startup
    }

    /// The project's source files that it imported; empty for what is not Python.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Where everything that it prints goes, when that is one file.
    pub fn log(&self) -> Option<&Path> {
        self.log.as_deref()
    }

    /// Whether all sessions share one process.
    pub fn is_shared(&self) -> bool {
        match &self.kind {
            Kind::Worker { shared, .. } => *shared,
            Kind::Servers { .. } => false,
            Kind::Command(_) => true,
        }
    }

    /// Whether it has ended by itself, so that nothing can be opened any more.
    pub fn is_gone(&self) -> bool {
        match &self.kind {
            Kind::Worker { worker, .. } => worker.is_gone(),
            Kind::Servers { .. } => false,
            Kind::Command(command) => command.is_gone(),
        }
    }

    /// Replaces the process that all sessions share: whatever runs in it is lost, and the next session gets a fresh one. Says whether there is
    /// such a process that can be replaced.
    pub fn replace(&self) -> bool {
        match &self.kind {
            Kind::Worker {
                worker,
                shared: true,
                ..
            } => {
                worker.replace();
                true
            }
            Kind::Worker { .. } | Kind::Servers { .. } | Kind::Command(_) => false,
        }
    }

    /// Ends it, and every copy that still lives.
    pub async fn close(&self) {
        match &self.kind {
            Kind::Worker { worker, .. } => worker.close().await,
            Kind::Servers { .. } => {}
            Kind::Command(command) => command.close().await,
        }
    }
}
