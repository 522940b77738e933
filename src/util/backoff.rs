//! How long to wait before trying again.

use std::time::Duration;

/// A capped exponential backoff, as data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Before the first retry.
    pub first: Duration,
    /// Never longer than this, unless the other side asks for it.
    pub cap: Duration,
    /// Retries after the first attempt.
    pub retries: u32,
}

impl Backoff {
    /// The delay before retry number `retry` (from 1), with up to a quarter taken off at random so that callers spread out. `asked` is
    /// what the other side wants, and wins.
    pub fn delay(&self, retry: u32, asked: Option<Duration>) -> Duration {
        if let Some(asked) = asked {
            return asked;
        }
        let doubled = self
            .first
            .saturating_mul(1 << retry.saturating_sub(1).min(20));
        let random = f64::from(u16::from_le_bytes([
            uuid::Uuid::new_v4().as_bytes()[0],
            uuid::Uuid::new_v4().as_bytes()[1],
        ])) / f64::from(u16::MAX);
        doubled.min(self.cap).mul_f64(1.0 - 0.25 * random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_the_other_side_wins() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            cap: Duration::from_secs(8),
            retries: 5,
        };
        for (retry, full) in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (9, 8.0)] {
            let delay = backoff.delay(retry, None).as_secs_f64();
            assert!(delay <= full && delay >= full * 0.75, "{retry}: {delay}");
        }
        let asked = Duration::from_mins(1);
        assert_eq!(backoff.delay(1, Some(asked)), asked);
    }
}
