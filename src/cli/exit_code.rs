//! The exit codes of `hud`, in one place.

use crate::event::JobSummary;

use super::failure::Failure;

/// What the process answers to its caller. The numbers are part of the interface and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything asked for was done: for `hud eval`, all rollouts were graded and `--min-reward` was met.
    Success = 0,
    /// Something failed that the user could not have prevented: a full disk, a bug.
    Unexpected = 1,
    /// The command line, a file or a setting is wrong; nothing was started.
    Usage = 2,
    /// Some rollouts (or the one that `hud scenario` drives) have no grade: the model, the environment or time failed.
    Ungraded = 3,
    /// All rollouts were graded, and the mean reward is below `--min-reward`.
    BelowThreshold = 4,
    /// A check failed (`hud debug`, `hud build --check`).
    CheckFailed = 5,
    /// Ctrl-C, SIGTERM or SIGHUP.
    Interrupted = 130,
}

impl ExitCode {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// How a finished job ends. A missing grade weighs more than a low mean: the mean then says little.
    pub fn of_job(summary: &JobSummary, min_reward: Option<f64>) -> Self {
        if summary.interrupted {
            return Self::Interrupted;
        }
        if summary.graded < summary.rollouts {
            return Self::Ungraded;
        }
        match (min_reward, summary.mean_reward) {
            (Some(wanted), Some(mean)) if mean < wanted => Self::BelowThreshold,
            (Some(_), None) => Self::Ungraded,
            _ => Self::Success,
        }
    }

    /// How a command that failed ends.
    pub(super) fn of_failure(failure: &Failure) -> Self {
        match failure {
            Failure::Usage(_) => Self::Usage,
            Failure::Environment(_) => Self::Ungraded,
            Failure::Interrupted => Self::Interrupted,
            Failure::BrokenPipe => Self::Success,
            Failure::Unexpected(_) => Self::Unexpected,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::message::Usage;

    fn summary(graded: usize, mean: Option<f64>, interrupted: bool) -> JobSummary {
        JobSummary {
            job: "job".to_owned(),
            rollouts: 2,
            graded,
            failed: Vec::new(),
            mean_reward: mean,
            stderr: None,
            success_rate: None,
            usage: Usage::default(),
            cost_usd: None,
            duration: Duration::ZERO,
            directory: PathBuf::new(),
            interrupted,
        }
    }

    #[test]
    fn a_job_ends_with_one_code() {
        let check = |graded, mean, interrupted, min_reward, expected: ExitCode| {
            let got = ExitCode::of_job(&summary(graded, mean, interrupted), min_reward);
            assert_eq!(
                got, expected,
                "{graded} {mean:?} {interrupted} {min_reward:?}"
            );
        };
        check(2, Some(0.0), false, None, ExitCode::Success);
        check(2, Some(0.5), false, Some(0.5), ExitCode::Success);
        check(2, Some(0.4), false, Some(0.5), ExitCode::BelowThreshold);
        check(1, Some(1.0), false, None, ExitCode::Ungraded);
        check(1, Some(0.1), false, Some(0.5), ExitCode::Ungraded);
        check(0, None, false, Some(0.5), ExitCode::Ungraded);
        check(2, Some(1.0), true, None, ExitCode::Interrupted);
        check(0, None, true, Some(0.5), ExitCode::Interrupted);
    }

    #[test]
    fn failures_have_their_codes() {
        let check = |failure: Failure, expected: u8| {
            assert_eq!(ExitCode::of_failure(&failure).code(), expected);
        };
        check(Failure::Usage(anyhow::anyhow!("x")), 2);
        check(Failure::Environment(anyhow::anyhow!("x")), 3);
        check(Failure::Unexpected(anyhow::anyhow!("x")), 1);
        check(Failure::Interrupted, 130);
        check(Failure::BrokenPipe, 0);
    }
}
