//! Follows what the environment prints.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use crate::util::fs;

/// At most this much is read at once; the rest comes with the next look.
const CHUNK: u64 = 256 * 1024;

/// A log that is read as it grows.
pub(super) struct Output {
    path: PathBuf,
    read: u64,
    /// The beginning of a line whose end has not been written yet.
    begun: Vec<u8>,
}

impl Output {
    /// From the beginning of the log, which need not be there yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: 0,
            begun: Vec::new(),
        }
    }

    /// The whole lines that have been added. A log that cannot be read says nothing.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let size = fs::size(&self.path);
        if size < self.read {
            // It was cut because it had grown too long.
            self.read = size;
            self.begun.clear();
        }
        if size == self.read {
            return Vec::new();
        }
        let mut added = Vec::new();
        let Ok(mut file) = fs::open(&self.path) else {
            return Vec::new();
        };
        let read = file
            .seek(SeekFrom::Start(self.read))
            .and_then(|_| file.take(CHUNK).read_to_end(&mut added));
        let Ok(count) = read else {
            return Vec::new();
        };
        self.read += count as u64;
        self.begun.append(&mut added);
        let Some(end) = self.begun.iter().rposition(|&byte| byte == b'\n') else {
            return Vec::new();
        };
        let rest = self.begun.split_off(end + 1);
        let whole = std::mem::replace(&mut self.begun, rest);
        String::from_utf8_lossy(&whole)
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_come_when_they_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut output = Output::new(path.clone());
        let mut check = |added: &str, expected: &[&str]| {
            fs::append(&path)
                .unwrap()
                .write_all(added.as_bytes())
                .unwrap();
            assert_eq!(output.lines(), expected, "{added:?}");
        };
        check("", &[]);
        check("one\ntw", &["one"]);
        check("o", &[]);
        check("\n\nthree\n", &["two", "", "three"]);
        fs::truncate(&path, 2).unwrap();
        check("", &[]);
        check("four\n", &["four"]);
        assert_eq!(Output::new(folder.path().join("none")).lines(), [""; 0]);
    }
}
