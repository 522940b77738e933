//! Who started a container or an image that is to go away again: a process of one machine, which can be asked for later.

use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::util::{fs, text};

/// A process, so that another one can tell whether it still runs. Prints as a word that may stand in a label and in a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The machine, since it was started; inside a container, the container.
    machine: String,
    process: u32,
    /// When the process was started, in the machine's own ticks: numbers of processes are used again.
    started: u64,
}

impl Owner {
    /// This process.
    pub fn this() -> Self {
        let process = std::process::id();
        Self {
            machine: machine(),
            process,
            started: started(process).unwrap_or(0),
        }
    }

    /// Reads what [`Display`](fmt::Display) has written.
    pub fn parse(word: &str) -> Option<Self> {
        let mut parts = word.split('-');
        let owner = Self {
            machine: parts.next()?.to_owned(),
            process: parts.next()?.parse().ok()?,
            started: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(owner)
    }

    /// Whether it certainly has ended. One on another machine may always still run.
    pub fn has_ended(&self) -> bool {
        if self.machine != machine() {
            return false;
        }
        match started(self.process) {
            Some(started) => started != self.started,
            None => !is_running(self.process),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.machine, self.process, self.started)
    }
}

/// A start of a machine, and the world of process numbers that we see: two containers on one machine have two.
fn machine() -> String {
    let boot = fs::read_to_string(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_default();
    let numbers = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let name = rustix::system::uname();
    let whole = format!(
        "{} {} {}",
        boot.trim(),
        numbers.display(),
        name.nodename().to_string_lossy()
    );
    text::hex(&Sha256::digest(whole)[..6])
}

/// When a process was started; nothing where the system does not tell, or there is none.
fn started(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(Path::new(&format!("/proc/{process}/stat"))).ok()?;
    // The name of the program, in parentheses, may hold anything; the rest is numbers. Source: proc_pid_stat(5), field 22.
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace();
    // A process that has ended and that nobody has asked for yet does nothing any more.
    if fields.next() == Some("Z") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn is_running(process: u32) -> bool {
    if Path::new("/proc/self/stat").exists() {
        return false;
    }
    i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .is_some_and(|process| rustix::process::test_kill_process(process).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_others_may_have_ended() {
        let this = Owner::this();
        assert!(!this.has_ended());
        let word = this.to_string();
        assert_eq!(Owner::parse(&word).as_ref(), Some(&this));
        assert!(word.len() < 60 && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        for wrong in ["", "a", "a-b-c", &format!("{word}-1")] {
            assert_eq!(Owner::parse(wrong), None, "{wrong}");
        }
        let other = |owner: Owner| owner.has_ended();
        assert!(other(Owner {
            started: this.started + 1,
            ..this.clone()
        }));
        assert!(other(Owner {
            // Above the highest number that Linux gives.
            process: 5_000_000,
            ..this.clone()
        }));
        assert!(!other(Owner {
            machine: "elsewhere".to_owned(),
            process: 5_000_000,
            ..this
        }));
    }
}
