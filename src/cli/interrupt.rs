//! Ctrl-C, SIGTERM and SIGHUP (the terminal was closed): once ends in order, twice ends at once.

use std::future::Future;

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
    let mut signals = Signals::listen()?;
    tokio::pin!(work);
    tokio::select! {
        // Work first: what has ended has ended, whatever was pressed meanwhile.
        biased;
        outcome = &mut work => return outcome,
        () = signals.next() => {}
    }
    cancel.cancel();
    printer.talk(stopping);
    tokio::select! {
        biased;
        outcome = &mut work => outcome,
        () = signals.next() => Err(Failure::Interrupted),
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

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
