//! Processes that an environment started, wherever they are now: what is alive while it runs, and what is left when it should be gone.
//!
//! Orphans are adopted (`PR_SET_CHILD_SUBREAPER`), so a process that left its group and its parent behind is still found. Linux only: elsewhere
//! nothing is known.

use std::time::Duration;

/// A process below this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// Its command line, or its name in brackets.
    pub(super) command: String,
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Duration, Process};

    pub(in crate::cli::check) fn adopt_orphans() {}

    pub(in crate::cli::check) fn descendants() -> Option<Vec<Process>> {
        None
    }

    pub(in crate::cli::check) async fn wait_until_gone(_: Duration) -> Vec<Process> {
        Vec::new()
    }

    pub(in crate::cli::check) fn kill(_: &[Process]) {}
}

#[cfg(target_os = "linux")]
mod system {
    use std::collections::HashMap;
    use std::path::Path;
    use std::time::Instant;

    use rustix::event::{PollFd, PollFlags, Timespec};
    use rustix::process::{Pid, PidfdFlags, Signal};

    use super::{Duration, Process};
    use crate::util::{fs, text};

    /// From now on processes whose parent ends become children of this one.
    pub(in crate::cli::check) fn adopt_orphans() {
        // Where the kernel refuses, orphans are not found, and everything else is.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }

    /// Every process below this one that has not ended. `None` when the system does not tell.
    pub(in crate::cli::check) fn descendants() -> Option<Vec<Process>> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for folder in fs::read_dir_sorted(Path::new("/proc")).ok()? {
            let Some(pid) = folder
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            if let Some(parent) = parent_of(&folder) {
                children.entry(parent).or_default().push(pid);
            }
        }
        let mut found = Vec::new();
        let mut waiting = vec![std::process::id()];
        while let Some(parent) = waiting.pop() {
            for pid in children.remove(&parent).unwrap_or_default() {
                waiting.push(pid);
                found.push(Process {
                    pid,
                    command: command_of(pid),
                });
            }
        }
        found.sort_by_key(|process| process.pid);
        Some(found)
    }

    /// The parent of a process that has not ended.
    fn parent_of(folder: &Path) -> Option<u32> {
        let stat = fs::read_to_string(&folder.join("stat")).ok()?;
        // The name in parentheses may hold anything; state and parent follow the last one.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(parent)
    }

    fn command_of(pid: u32) -> String {
        let read = |name: &str| {
            fs::read(Path::new(&format!("/proc/{pid}/{name}")))
                .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
                .unwrap_or_default()
        };
        let command = read("cmdline");
        if command.trim().is_empty() {
            return format!("[{}]", read("comm").trim());
        }
        text::one_line(&command, 100)
    }

    /// Waits until nothing is below this process, at most `time`. Returns what is there then.
    pub(in crate::cli::check) async fn wait_until_gone(time: Duration) -> Vec<Process> {
        let deadline = Instant::now() + time;
        loop {
            let alive = descendants().unwrap_or_default();
            let left = deadline.saturating_duration_since(Instant::now());
            if alive.is_empty() || left.is_zero() {
                return alive;
            }
            // One that ends may leave children behind, so the list is made anew afterwards.
            let waiting = tokio::task::spawn_blocking(move || wait_for_an_end(&alive, left));
            if waiting.await.is_err() {
                return descendants().unwrap_or_default();
            }
        }
    }

    /// Returns when one of `processes` has ended, or after `time`.
    fn wait_for_an_end(processes: &[Process], time: Duration) {
        let descriptors: Vec<_> = processes
            .iter()
            .filter_map(|process| pid_of(process.pid))
            .filter_map(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok())
            .collect();
        if descriptors.len() < processes.len() {
            // One is gone already.
            return;
        }
        let mut polled: Vec<PollFd<'_>> = descriptors
            .iter()
            .map(|descriptor| PollFd::new(descriptor, PollFlags::IN))
            .collect();
        let time = Timespec::try_from(time).ok();
        // An error ends the wait too; the caller looks again.
        let _ = rustix::event::poll(&mut polled, time.as_ref());
    }

    fn pid_of(pid: u32) -> Option<Pid> {
        i32::try_from(pid).ok().and_then(Pid::from_raw)
    }

    /// Ends what is left.
    pub(in crate::cli::check) fn kill(processes: &[Process]) {
        for process in processes {
            if let Some(pid) = pid_of(process.pid) {
                // It may have ended by itself meanwhile.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
    }
}

pub(super) use system::{adopt_orphans, descendants, kill, wait_until_gone};

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::util::process::{DeathSignal, Program, spawn_piped};

    #[tokio::test]
    async fn an_orphan_is_found_and_its_end_is_noticed() {
        adopt_orphans();
        let folder = tempfile::tempdir().unwrap();
        // The shell ends at once and leaves its child behind.
        let mut shell = spawn_piped(
            &Program {
                program: "/bin/sh".into(),
                args: [
                    "-c",
                    "setsid sleep 600 >/dev/null 2>&1 & wait -n 2>/dev/null; :",
                ]
                .map(Into::into)
                .to_vec(),
                env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
                cwd: folder.path().to_owned(),
                wrapper: None,
                death_signal: DeathSignal::Kill,
            },
            &folder.path().join("log"),
        )
        .await
        .unwrap();
        let shell_pid = shell.id().unwrap();
        let sleeper = loop {
            let alive = descendants().unwrap();
            if let Some(found) = alive.iter().find(|process| process.command == "sleep 600") {
                break found.clone();
            }
            tokio::task::yield_now().await;
        };
        shell.kill().await.unwrap();
        let left = wait_until_gone(Duration::ZERO).await;
        assert_eq!(left, std::slice::from_ref(&sleeper));
        assert_ne!(sleeper.pid, shell_pid);
        kill(&left);
        assert_eq!(wait_until_gone(Duration::from_mins(1)).await, []);
    }
}
