//! Why a command stopped: what the exit code and the last words depend on.

use std::io;

use anyhow::Error;

use crate::docker::DockerError;
use crate::environment::EnvironmentError;
use crate::ui::OutputError;

/// A command could not do what it was asked to.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line, a file or a setting is wrong.
    Usage(Error),
    /// The environment failed, so there is no grade.
    Environment(Error),
    /// Ctrl-C before there was anything to keep.
    Interrupted,
    /// Nobody reads stdout any more (`hud … | head`): not worth a word.
    BrokenPipe,
    /// Anything else.
    Unexpected(Error),
}

impl Failure {
    /// A mistake of the user, in words.
    pub(super) fn usage(message: impl std::fmt::Display) -> Self {
        Self::Usage(anyhow::anyhow!("{message}"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if OutputError::is_broken_pipe(&error) {
            Self::BrokenPipe
        } else {
            Self::Unexpected(error)
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Error::from(error).into()
    }
}

impl From<EnvironmentError> for Failure {
    fn from(error: EnvironmentError) -> Self {
        Self::Environment(Error::from(error))
    }
}

/// Marks an error as the user's to mend.
pub(super) trait OrUsage<T> {
    /// The value, or a [`Failure::Usage`].
    fn or_usage(self) -> Result<T, Failure>;
}

impl<T, E: Into<Error>> OrUsage<T> for Result<T, E> {
    fn or_usage(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Usage(error.into()))
    }
}

/// The words for a failure that has any: causes joined by colons, and for a bug where to report it.
pub(super) fn words(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Usage(error) | Failure::Environment(error) => Some(format!("{error:#}")),
        Failure::Unexpected(error) => {
            // A refusal of the operating system (disk full, permission) is no bug of ours.
            let from_system = error.chain().any(|cause| {
                cause.is::<io::Error>() || cause.is::<OutputError>() || cause.is::<DockerError>()
            });
            Some(if from_system {
                format!("{error:#}")
            } else {
                format!(
                    "{error:#}\nhint: this should not happen; please report it with the command and the output of `-vv`"
                )
            })
        }
        Failure::Interrupted | Failure::BrokenPipe => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn only_bugs_ask_for_a_report() {
        let check = |failure: Failure, expected: Option<&str>| {
            assert_eq!(words(&failure).as_deref(), expected);
        };
        check(Failure::usage("no such file"), Some("no such file"));
        check(
            Failure::from(
                Err::<(), _>(io::Error::other("disk full"))
                    .context("cannot write `x`")
                    .unwrap_err(),
            ),
            Some("cannot write `x`: disk full"),
        );
        check(
            Failure::from(anyhow::anyhow!("lost a rollout")),
            Some(
                "lost a rollout\nhint: this should not happen; please report it with the command and the output of `-vv`",
            ),
        );
        check(
            Failure::from(Error::from(OutputError::BrokenPipe).context("writing")),
            None,
        );
    }
}
