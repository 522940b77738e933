//! What a developer is told.

use std::path::PathBuf;
use std::time::Duration;

use crate::environment::Isolation;
use crate::mcp::CallReport;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum DevEvent {
    /// The first version serves.
    Serving {
        /// Its number.
        version: u64,
        /// How long starting took.
        took: Duration,
        /// How many tools it lists.
        tools: usize,
        /// How many scenarios it offers.
        scenarios: usize,
    },
    /// A new version serves.
    Reloaded {
        /// Its number.
        version: u64,
        /// From the first sign of the change (or the request) until new calls go to it.
        took: Duration,
        /// What was changed; empty when the reload was asked for.
        files: Vec<PathBuf>,
        /// What is different for clients: "tool `x` added".
        changes: Vec<String>,
    },
    /// A version did not start; what served before goes on serving.
    ReloadFailed {
        /// Its number.
        version: u64,
        /// The version that serves, when there is one.
        serving: Option<u64>,
        /// Why, in words; the user's own lines of the traceback included. May have several lines.
        message: String,
    },
    /// A request that reached user code has ended.
    Call(CallReport),
    /// Files changed that a reload does not bring into effect: dependencies, the Dockerfile.
    RebuildNeeded {
        /// Which.
        files: Vec<PathBuf>,
    },
    /// A path to watch is not there (any more).
    WatchGone {
        /// Which.
        path: PathBuf,
    },
    /// It is there again.
    WatchBack {
        /// Which.
        path: PathBuf,
    },
    /// The process of the serving version ended by itself; a fresh one takes its place.
    WorkerDied {
        /// How, and the end of its log.
        message: String,
    },
    /// A tool keeps the process from answering anybody else.
    Blocked {
        /// Its name, when that is known.
        tool: Option<String>,
        /// The trace of the copy that it was called in, when that is known; names its part of the log.
        session: Option<String>,
        /// For how long already.
        for_: Duration,
    },
    /// Anything else worth a line.
    Note(String),
}

/// A version that did not start.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedVersion {
    /// Its number.
    pub version: u64,
    /// Why, as in [`DevEvent::ReloadFailed`].
    pub message: String,
}

/// How things stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The environment's name (the source's, before it was ever imported).
    pub name: String,
    /// The version that serves.
    pub serving: Option<u64>,
    /// The newest version, when that did not start.
    pub failed: Option<FailedVersion>,
    /// How copies are kept apart, as asked for.
    pub isolation: Isolation,
    /// What is watched.
    pub watching: Vec<PathBuf>,
    /// How long ago the environment was started.
    pub running_for: Duration,
    /// How often a new version has taken over.
    pub reloads: u64,
    /// Earlier versions that still finish calls or scenarios.
    pub draining: usize,
}
