//! Ctrl-C, SIGTERM and SIGHUP (the terminal was closed): once ends in order, twice ends at once.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::ui::Printer;

use super::failure::Failure;

/// Runs `work`. The first signal says `stopping` and cancels `cancel`, so that `work` can end in order; the second drops `work` where it is, which kills what it
/// started.
pub(super) async fn interruptible<T>(
    cancel: &CancellationToken,
    printer: &Printer,
    stopping: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let nobody = AtomicBool::new(false);
    interruptible_unless(&nobody, cancel, printer, stopping, work).await
}

/// As [`interruptible`]; while `is_taken`, Ctrl-C is somebody else's: a prompt, at which it gives up a line or a call.
pub(super) async fn interruptible_unless<T>(
    is_taken: &AtomicBool,
    cancel: &CancellationToken,
    printer: &Printer,
    stopping: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut signals = Signals::listen()?;
    tokio::pin!(work);
    tokio::select! {
        // Work first: what has ended has ended, whatever was pressed meanwhile.
        biased;
        outcome = &mut work => return outcome,
        () = signals.next(is_taken) => {}
    }
    cancel.cancel();
    printer.talk(stopping);
    tokio::select! {
        biased;
        outcome = &mut work => outcome,
        () = signals.next(is_taken) => Err(Failure::Interrupted),
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self, is_taken: &AtomicBool) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => if !is_taken.load(Ordering::Relaxed) {
                    return;
                },
                _ = self.terminate.recv() => return,
                _ = self.hang_up.recv() => return,
            }
        }
    }
}
