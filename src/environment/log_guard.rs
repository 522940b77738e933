//! Keeps the log of a copy that prints without end from filling the disk.
//!
//! Copies write to their logs themselves, so nothing is between them and the disk; a look at the sizes now and then is all it takes. Logs are
//! opened for appending, so one that is cut goes on growing from where it was cut.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::util::fs;

/// A log may have this much; far more than anyone reads, far less than a disk.
pub(super) const MAX_LOG: u64 = 64 * 1024 * 1024;

/// What is left of a log that had more: its beginning, where the cause usually stands.
const KEPT: u64 = 1024 * 1024;

/// A program that does nothing else writes about a gigabyte in this time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

type Watched = Arc<Mutex<HashMap<PathBuf, bool>>>;

/// Watches the logs of all running copies of a pool.
#[derive(Default)]
pub(super) struct LogGuard {
    watched: Watched,
    task: Mutex<JoinSet<()>>,
}

/// One log under watch, until it is dropped.
pub(super) struct WatchedLog {
    watched: Watched,
    path: PathBuf,
}

impl LogGuard {
    /// Watches `path` from now on.
    pub(super) fn watch(&self, path: &Path) -> WatchedLog {
        if let Ok(mut watched) = self.watched.lock() {
            watched.insert(path.to_owned(), false);
        }
        if let Ok(mut task) = self.task.lock()
            && task.is_empty()
        {
            let watched = Arc::clone(&self.watched);
            task.spawn(async move {
                let mut tick = tokio::time::interval(LOOK_EVERY);
                loop {
                    tick.tick().await;
                    look(&watched);
                }
            });
        }
        WatchedLog {
            watched: Arc::clone(&self.watched),
            path: path.to_owned(),
        }
    }
}

fn look(watched: &Watched) {
    let Ok(mut watched) = watched.lock() else {
        return;
    };
    for (path, cut) in watched.iter_mut() {
        if fs::size(path) > MAX_LOG && fs::truncate(path, KEPT).is_ok() {
            *cut = true;
        }
    }
}

impl WatchedLog {
    /// A sentence about the log when it was cut.
    pub(super) fn sentence(&self) -> Option<String> {
        let cut = self
            .watched
            .lock()
            .is_ok_and(|watched| watched.get(&self.path).copied().unwrap_or(false));
        cut.then(|| {
            format!(
                "its log had over {} MiB and was cut to its beginning",
                MAX_LOG / (1024 * 1024)
            )
        })
    }
}

impl Drop for WatchedLog {
    fn drop(&mut self) {
        if fs::size(&self.path) > MAX_LOG {
            // It flooded between two looks. A log that cannot be cut is one that cannot be written to either.
            let _ = fs::truncate(&self.path, KEPT);
        }
        if let Ok(mut watched) = self.watched.lock() {
            watched.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_log_that_floods_is_cut_to_its_beginning_and_a_small_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(&path("small"), "few words").unwrap();
        fs::write(&path("big"), "first words").unwrap();
        let file = fs::append(&path("big")).unwrap();
        file.set_len(MAX_LOG + 1).unwrap();

        let guard = LogGuard::default();
        let (small, big) = (guard.watch(&path("small")), guard.watch(&path("big")));
        tokio::time::sleep(LOOK_EVERY * 2).await;

        assert_eq!(fs::size(&path("big")), KEPT);
        assert!(big.sentence().unwrap().contains("over 64 MiB"));
        assert_eq!(small.sentence(), None);
        drop((small, big));
        assert_eq!(fs::size(&path("small")), 9);
        assert!(guard.watched.lock().unwrap().is_empty());
    }
}
