//! The process that is a worker's base: a child of ours, or one that a warm interpreter forked.

use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::Child;
use tokio::sync::watch;

use super::nursery::Nursery;
use super::worker::Exit;

/// A base process.
pub(in crate::environment) enum BaseProcess {
    /// Started by us.
    Child(Child),
    /// Forked by a warm interpreter.
    Hatched(Hatched),
}

/// A base that a warm interpreter forked; the interpreter lives at least as long.
pub(in crate::environment) struct Hatched {
    pub(in crate::environment) pid: Option<Pid>,
    /// How it ended, once it has.
    pub(in crate::environment) ended: watch::Receiver<Option<Exit>>,
    pub(in crate::environment) _nursery: Arc<Nursery>,
}

impl BaseProcess {
    /// Waits for its end and says how it ended, when that can be known.
    pub(in crate::environment) async fn wait(&mut self) -> Option<String> {
        match self {
            Self::Child(child) => child.wait().await.ok().map(|status| status.to_string()),
            Self::Hatched(hatched) => {
                let exit = hatched.ended.wait_for(Option::is_some).await.ok()?.clone();
                exit.map(|exit| exit.status())
            }
        }
    }

    /// Kills it and what it started, unless it has ended.
    pub(in crate::environment) fn kill(&self) {
        let pid = match self {
            Self::Child(child) => child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(Pid::from_raw),
            Self::Hatched(hatched) => hatched.pid.filter(|_| hatched.ended.borrow().is_none()),
        };
        if let Some(pid) = pid {
            // Both fail only when it has just ended.
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// A base that is still importing: it may hang in the user's code, where it notices nothing, so it is killed when nobody waits any more.
pub(in crate::environment) struct Importing(Option<BaseProcess>);

impl Importing {
    pub(in crate::environment) fn new(process: BaseProcess) -> Self {
        Self(Some(process))
    }

    /// Waits for its end, see [`BaseProcess::wait`].
    pub(in crate::environment) async fn wait(&mut self) -> Option<String> {
        match &mut self.0 {
            Some(process) => process.wait().await,
            None => None,
        }
    }

    /// It is ready, and ends by itself from now on.
    pub(in crate::environment) fn ready(mut self) -> Option<BaseProcess> {
        self.0.take()
    }
}

impl Drop for Importing {
    fn drop(&mut self) {
        if let Some(process) = &self.0 {
            process.kill();
        }
    }
}
