//! Files of JSON lines: written whole line by whole line, read back whatever a crash left of them.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Damage;
use crate::util::fs;

/// Appends `record` to `buffer` as one line.
pub(super) fn push(buffer: &mut Vec<u8>, record: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *buffer, record).context("cannot write a record as JSON")?;
    buffer.push(b'\n');
    Ok(())
}

/// A file that whole lines are appended to, kept open.
#[derive(Debug)]
pub(super) struct Appender {
    file: File,
    path: PathBuf,
    /// Whether the last write failed and may have left a part of a line.
    is_torn: bool,
}

impl Appender {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            file: fs::append(path)?,
            path: path.to_owned(),
            is_torn: false,
        })
    }

    /// Appends one line. It has reached the operating system when this returns.
    pub(super) fn append(&mut self, record: &impl Serialize) -> Result<()> {
        let mut line = Vec::with_capacity(512);
        if self.is_torn {
            line.push(b'\n');
        }
        push(&mut line, record)?;
        self.is_torn = true;
        self.file
            .write_all(&line)
            .with_context(|| format!("cannot write `{}`", self.path.display()))?;
        self.is_torn = false;
        Ok(())
    }

    /// Waits until the disk has it.
    pub(super) fn sync(&self) -> Result<()> {
        self.file
            .sync_data()
            .with_context(|| format!("cannot write `{}`", self.path.display()))
    }
}

/// What a file of JSON lines holds.
pub(super) struct Lines<R> {
    /// The first line, of a shape that its version tells; `None` when a crash came before it was written.
    pub(super) header: Option<Value>,
    /// The lines after it that can be read.
    pub(super) records: Vec<R>,
    /// Lines that cannot.
    pub(super) damage: Vec<Damage>,
}

/// Reads a file of JSON lines. A line that is not JSON of the expected shape is damage, not an error; an unreadable file is an error.
pub(super) fn read<R: DeserializeOwned>(path: &Path) -> Result<Lines<R>> {
    let bytes = fs::read(path)?;
    let mut lines = Lines {
        header: None,
        records: Vec::new(),
        damage: Vec::new(),
    };
    let mut rest = bytes.as_slice();
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let (line, is_whole) = match rest.iter().position(|&byte| byte == b'\n') {
            Some(end) => {
                let line = &rest[..end];
                rest = &rest[end + 1..];
                (line, true)
            }
            None => (std::mem::take(&mut rest), false),
        };
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let parsed = if number == 1 {
            serde_json::from_slice(line).map(|header| lines.header = Some(header))
        } else {
            serde_json::from_slice(line).map(|record| lines.records.push(record))
        };
        if let Err(error) = parsed {
            lines.damage.push(Damage {
                file: path.to_owned(),
                line: number,
                is_torn: !is_whole,
                reason: error.to_string(),
            });
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_that_names_the_file() {
        let mut file = Appender::open(Path::new("/dev/full")).unwrap();
        let error = format!("{:#}", file.append(&1).unwrap_err());
        assert!(error.starts_with("cannot write `/dev/full`: "), "{error}");
    }

    #[test]
    fn a_line_after_a_failed_one_starts_afresh() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut file = Appender::open(&path).unwrap();
        file.append(&"header").unwrap();
        file.append(&1).unwrap();
        // As if the disk had taken half of a line only.
        file.file.write_all(b"12").unwrap();
        file.is_torn = true;
        file.append(&3).unwrap();
        file.append(&4).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "\"header\"\n1\n12\n3\n4\n"
        );
    }

    #[test]
    fn damage_in_the_middle_costs_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        fs::write(&path, b"\"header\"\n1\n{\"half\n\n3\n\xff").unwrap();
        let lines: Lines<u32> = read(&path).unwrap();
        assert_eq!(lines.header, Some(Value::from("header")));
        assert_eq!(lines.records, [1, 3]);
        let damage: Vec<(usize, bool)> = lines.damage.iter().map(|d| (d.line, d.is_torn)).collect();
        assert_eq!(damage, [(3, false), (6, true)]);
    }
}
