//! Writes lines to a stream, several at once when they come faster than it takes them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How much is joined into one write.
const BATCH: usize = 64 * 1024;

/// How many bytes may wait for a reader. One that does not read for so long will not do so later.
const MAX_WAITING: usize = 64 * 1024 * 1024;

/// The sending end.
#[derive(Clone)]
pub(super) struct LineWriter {
    /// `None` is the end.
    lines: mpsc::UnboundedSender<Option<Vec<u8>>>,
    waiting: Arc<AtomicUsize>,
}

impl LineWriter {
    /// Writes to `write` in a task of `tasks`, until [`LineWriter::end`], or until writing fails.
    pub(super) fn start<W>(write: W, tasks: &mut JoinSet<()>) -> Self
    where
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (lines, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        tasks.spawn(run(write, receiver, Arc::clone(&waiting)));
        Self { lines, waiting }
    }

    /// Queues `line`, which ends with a line break. `false` when it will never be written: the stream is closed, or its reader does not
    /// read.
    pub(super) fn send(&self, line: Vec<u8>) -> bool {
        let length = line.len();
        if self.waiting.fetch_add(length, Ordering::AcqRel) > MAX_WAITING {
            self.waiting.fetch_sub(length, Ordering::AcqRel);
            return false;
        }
        self.lines.send(Some(line)).is_ok()
    }

    /// Ends the stream when what is queued has been written.
    pub(super) fn end(&self) {
        // Already ended: nothing to do.
        let _ = self.lines.send(None);
    }

    /// Whether nothing can be written any more.
    pub(super) fn is_closed(&self) -> bool {
        self.lines.is_closed()
    }
}

async fn run<W>(
    mut write: W,
    mut lines: mpsc::UnboundedReceiver<Option<Vec<u8>>>,
    waiting: Arc<AtomicUsize>,
) where
    W: AsyncWrite + Send + Unpin + 'static,
{
    let mut ended = false;
    while !ended && let Some(Some(mut batch)) = lines.recv().await {
        while batch.len() < BATCH
            && !ended
            && let Ok(more) = lines.try_recv()
        {
            match more {
                Some(more) => batch.extend_from_slice(&more),
                None => ended = true,
            }
        }
        waiting.fetch_sub(batch.len(), Ordering::AcqRel);
        if let Err(error) = put(&mut write, &batch).await {
            tracing::debug!("writing to the server failed: {error}");
            return;
        }
    }
    // Only the write side is shut: a server that still works on its last words may finish them.
    let _ = write.shutdown().await;
}

async fn put<W: AsyncWrite + Unpin>(write: &mut W, bytes: &[u8]) -> io::Result<()> {
    write.write_all(bytes).await?;
    write.flush().await
}
