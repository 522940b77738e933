//! A context as a tar, for builders that take nothing else. It is made while it is sent: at most a megabyte of it is in memory.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::sync::mpsc;

use super::build::ContextStream;
use super::context::{Context, ContextEntry, EntryKind};
use crate::util::fs;

/// The size of a piece, and how many wait for the engine.
const PIECE: usize = 64 * 1024;
const WAITING: usize = 16;

/// Streams the tar of `context`. The builder finds the Dockerfile and the ignore file in it, and takes them out again when they are ignored.
pub(super) fn stream(context: Arc<Context>) -> ContextStream {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(WAITING);
    // Detached on purpose: it ends when the receiver is gone.
    let _writing = tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces {
            sender: sender.clone(),
            buffer: BytesMut::with_capacity(PIECE),
        };
        if let Err(error) = write(&context, &mut pieces).and_then(|()| pieces.flush()) {
            let _ = sender.blocking_send(Err(error));
        }
    });
    futures::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    })
    .boxed()
}

/// Writes the tar.
fn write(context: &Context, out: &mut impl Write) -> io::Result<()> {
    let mut tar = tar::Builder::new(out);
    for entry in &context.entries {
        append(&mut tar, entry)?;
    }
    let has = |path: &str| context.entries.iter().any(|entry| entry.path == path);
    let dockerfile = &context.dockerfile;
    if !has(&dockerfile.name) {
        append_text(&mut tar, &dockerfile.name, &dockerfile.text)?;
    }
    if let Some(text) = &context.ignore_file
        && !has(IGNORE_FILE)
    {
        append_text(&mut tar, IGNORE_FILE, text)?;
    }
    tar.finish()
}

/// The name under which a builder looks for the patterns.
const IGNORE_FILE: &str = ".dockerignore";

fn append<W: Write>(tar: &mut tar::Builder<W>, entry: &ContextEntry) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(u64::try_from(entry.modified / 1_000_000_000).unwrap_or(0));
    header.set_size(0);
    match &entry.kind {
        EntryKind::Folder => {
            header.set_entry_type(tar::EntryType::Directory);
            tar.append_data(&mut header, format!("{}/", entry.path), io::empty())
        }
        EntryKind::Link { target } => {
            header.set_entry_type(tar::EntryType::Symlink);
            tar.append_link(&mut header, &entry.path, target)
        }
        EntryKind::File { source, size } => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(*size);
            let file = fs::open(source).map_err(|error| io::Error::other(format!("{error:#}")))?;
            // The header has promised a size: a file that grows is cut there, and one that shrinks is an error.
            let mut exact = Exact {
                file: io::Read::take(file, *size),
                path: &entry.path,
            };
            tar.append_data(&mut header, &entry.path, &mut exact)
        }
    }
}

fn append_text<W: Write>(tar: &mut tar::Builder<W>, path: &str, text: &str) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(text.len() as u64);
    tar.append_data(&mut header, path, text.as_bytes())
}

struct Exact<'a> {
    file: io::Take<std::fs::File>,
    path: &'a str,
}

impl io::Read for Exact<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if count == 0 && self.file.limit() > 0 && !buffer.is_empty() {
            return Err(io::Error::other(format!(
                "{}: `{}` became shorter while it was sent",
                super::build::CONTEXT,
                self.path
            )));
        }
        Ok(count)
    }
}

/// Cuts what is written into pieces.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: BytesMut,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = self.buffer.split().freeze();
        self.sender
            .blocking_send(Ok(piece))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the build has ended"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::DockerfileText;

    #[tokio::test]
    async fn a_tar_holds_the_entries_and_what_the_builder_needs() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("x");
        // Longer than a piece, and a path longer than a tar's header.
        let long = format!("{}/file", "deep/".repeat(40));
        fs::write(&source, vec![7; 3 * PIECE]).unwrap();
        let entry = |path: &str, mode: u32, kind: EntryKind| ContextEntry {
            path: path.to_owned(),
            mode,
            modified: 5_000_000_000,
            kind,
        };
        let context = Context {
            entries: vec![
                entry("a", 0o750, EntryKind::Folder),
                entry(
                    "a/link",
                    0o777,
                    EntryKind::Link {
                        target: "../b".to_owned(),
                    },
                ),
                entry(
                    &long,
                    0o4755,
                    EntryKind::File {
                        source,
                        size: 3 * PIECE as u64,
                    },
                ),
            ],
            dockerfile: DockerfileText {
                name: "Dockerfile.hud".to_owned(),
                text: "FROM scratch\n".into(),
            },
            ignore_file: Some("*.log\n".into()),
            shared_key: String::new(),
        };
        let mut tar = Vec::new();
        let mut stream = stream(Arc::new(context));
        while let Some(piece) = stream.next().await {
            tar.extend_from_slice(&piece.unwrap());
        }
        let mut archive = tar::Archive::new(tar.as_slice());
        let found: Vec<(String, u32, u64, u64)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                (
                    entry.path().unwrap().display().to_string(),
                    header.mode().unwrap(),
                    header.mtime().unwrap(),
                    header.size().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("a/".to_owned(), 0o750, 5, 0),
                ("a/link".to_owned(), 0o777, 5, 0),
                (long, 0o4755, 5, 3 * PIECE as u64),
                ("Dockerfile.hud".to_owned(), 0o600, 0, 13),
                (".dockerignore".to_owned(), 0o600, 0, 6),
            ]
        );
    }

    #[tokio::test]
    async fn a_file_that_shrinks_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("x");
        fs::write(&source, "12").unwrap();
        let context = Context {
            entries: vec![ContextEntry {
                path: "x".to_owned(),
                mode: 0o644,
                modified: 0,
                kind: EntryKind::File { source, size: 3 },
            }],
            ..Context::default()
        };
        let pieces: Vec<_> = stream(Arc::new(context)).collect().await;
        let error = pieces.into_iter().find_map(Result::err).unwrap();
        assert_eq!(
            error.to_string(),
            "cannot read the build context: `x` became shorter while it was sent"
        );
    }
}
