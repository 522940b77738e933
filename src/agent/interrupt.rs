//! What ends a loop from outside: a cancelled job, or the rollout's deadline.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Why a loop must stop now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// The job was cancelled.
    Cancelled,
    /// The rollout's time is over.
    Deadline,
}

/// The two things that every wait of the loop ends at.
#[derive(Clone, Debug)]
pub(super) struct Interrupts {
    pub(super) cancel: CancellationToken,
    pub(super) deadline: Option<Instant>,
}

impl Interrupts {
    /// Waits until the loop must stop; for ever when nothing stops it.
    pub(super) async fn wait(&self) -> Interrupt {
        let deadline = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Cancelling a job ends rollouts whose time is over at the same moment as cancelled ones: nothing is graded any more.
            biased;
            () = self.cancel.cancelled() => Interrupt::Cancelled,
            () = deadline => Interrupt::Deadline,
        }
    }

    /// The reason to stop, when there is one already.
    pub(super) fn now(&self) -> Option<Interrupt> {
        if self.cancel.is_cancelled() {
            return Some(Interrupt::Cancelled);
        }
        self.deadline
            .is_some_and(|deadline| deadline <= Instant::now())
            .then_some(Interrupt::Deadline)
    }
}
