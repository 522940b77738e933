//! Files that the environment itself writes whenever it starts: each would be the reason to start it again, without end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So soon after a start, a change of what the start was for may be the start's own doing.
const SOON: Duration = Duration::from_millis(500);

/// So many times in a row, it is.
const TIMES: usize = 3;

/// What is known of the environment's own writing.
#[derive(Default)]
pub(super) struct OwnOutput {
    files: BTreeSet<PathBuf>,
    /// What the last start was for, and how often in a row that was so.
    last: BTreeSet<PathBuf>,
    times: usize,
    ended: Option<Instant>,
}

impl OwnOutput {
    /// A start for `files` has ended.
    pub(super) fn started(&mut self, files: &BTreeSet<PathBuf>, now: Instant) {
        self.ended = Some(now);
        self.last.clone_from(files);
    }

    /// Those of the changed `files` that are not the environment's own, and those that are known to be from now on.
    pub(super) fn sort(
        &mut self,
        files: Vec<PathBuf>,
        now: Instant,
    ) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
        let files: BTreeSet<PathBuf> = files
            .into_iter()
            .filter(|file| !self.files.contains(file))
            .collect();
        let soon = self.ended.is_some_and(|ended| now - ended < SOON);
        // Nobody's program writes its own source; people save the same one again and again.
        let again =
            soon && !files.is_empty() && files == self.last && !files.iter().any(|f| is_code(f));
        self.times = if again { self.times + 1 } else { 0 };
        if self.times < TIMES {
            return (files, BTreeSet::new());
        }
        self.times = 0;
        self.files.extend(files.iter().cloned());
        (BTreeSet::new(), files)
    }

    /// A person asked for a reload: everything counts again.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

fn is_code(file: &Path) -> bool {
    file.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| {
            ["py", "rs", "js", "mjs", "cjs", "ts", "go", "rb", "java"].contains(&extension)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes of `file`, each so long after the start that the one before brought about; which of them is taken as the environment's own.
    fn check(file: &str, after: &[u64], expected: Option<usize>) {
        let mut own = OwnOutput::default();
        let mut now = Instant::now();
        let file = PathBuf::from(file);
        let mut found = None;
        for (index, milliseconds) in after.iter().enumerate() {
            now += Duration::from_millis(*milliseconds);
            let (others, new) = own.sort(vec![file.clone()], now);
            if !new.is_empty() {
                found = Some(index);
            }
            if !others.is_empty() {
                own.started(&others, now);
            }
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_that_every_start_writes_is_its_own() {
        check("state.json", &[0, 50, 50, 50, 50], Some(3));
        check("state.json", &[0, 50, 50, 900, 50, 50], None);
        check("env.py", &[0, 50, 50, 50, 50, 50], None);
    }
}
