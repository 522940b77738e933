//! What can go wrong between us and a container engine.

use bollard::errors::Error;

use super::build_trace::BuildFailure;
use super::engine::OLDEST_API;

/// The engine could not do what it was asked to. Text: what, where and what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DockerError {
    /// No engine answered.
    #[error("no container engine answers\n{}\n{}", tried_lines(.tried), start_hint(.tried))]
    NoEngine {
        /// Each address, and why it is not one.
        tried: Vec<(String, String)>,
    },
    /// The engine is older than what we can speak to.
    #[error(
        "the engine at {address} is too old: it speaks version {found} of the API, and {OLDEST_API} is the oldest that works\n\
         hint: Docker 20.10 and Podman 4.0 are the first that do"
    )]
    TooOld {
        /// Where it is.
        address: String,
        /// The version of the API that it speaks.
        found: String,
    },
    /// A setting of Docker's is wrong: `DOCKER_HOST`, a context, the configuration file.
    #[error("{0}")]
    Setting(String),
    /// There is no such image or container.
    #[error("{doing}: {message}")]
    NotFound {
        /// What was tried.
        doing: String,
        /// In the engine's words.
        message: String,
    },
    /// The disk of the engine is full.
    #[error(
        "{doing}: the disk of the engine is full: {message}\nhint: `docker system df` shows what takes the space, `docker system prune` frees it"
    )]
    DiskFull {
        /// What was tried.
        doing: String,
        /// In the engine's words.
        message: String,
    },
    /// A step of a build failed, or the Dockerfile is wrong.
    #[error("{0}")]
    Build(Box<BuildFailure>),
    /// The engine cannot do it, whatever is given.
    #[error("{0}")]
    Unsupported(String),
    /// The engine refused.
    #[error("{doing}: {message}")]
    Refused {
        /// What was tried.
        doing: String,
        /// The HTTP status, when there is one.
        status: Option<u16>,
        /// In the engine's words.
        message: String,
    },
    /// The engine does not answer any more.
    #[error("{doing}: the engine does not answer: {message}")]
    Gone {
        /// What was tried.
        doing: String,
        /// What the connection says.
        message: String,
    },
}

impl DockerError {
    /// What bollard says, said as ours. `doing` is what was tried, such as "cannot start the container".
    pub(super) fn from_bollard(doing: impl Into<String>, error: &Error) -> Self {
        let doing = doing.into();
        match error {
            Error::DockerResponseServerError {
                status_code,
                message,
            } => Self::from_words(doing, Some(*status_code), message),
            Error::DockerStreamError { error } | Error::DockerContainerWaitError { error, .. } => {
                Self::from_words(doing, None, error)
            }
            Error::RequestTimeoutError => Self::Gone {
                doing,
                message: "no answer in time".to_owned(),
            },
            Error::IOError { .. }
            | Error::HyperResponseError { .. }
            | Error::HyperLegacyError { .. }
            | Error::SocketNotFoundError(_) => Self::Gone {
                doing,
                message: cause(error),
            },
            other => Self::Refused {
                doing,
                status: None,
                message: cause(other),
            },
        }
    }

    pub(super) fn from_words(doing: String, status: Option<u16>, message: &str) -> Self {
        let message = message.trim().to_owned();
        if is_disk_full(&message) {
            return Self::DiskFull { doing, message };
        }
        if status == Some(404) {
            return Self::NotFound { doing, message };
        }
        Self::Refused {
            doing,
            status,
            message,
        }
    }

    /// Whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether the user can mend it: a setting, a Dockerfile, an engine that does not run.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoEngine { .. }
            | Self::TooOld { .. }
            | Self::Setting(_)
            | Self::NotFound { .. }
            | Self::Build(_)
            | Self::Unsupported(_) => true,
            Self::DiskFull { .. } | Self::Refused { .. } | Self::Gone { .. } => false,
        }
    }
}

/// The words of the operating system for a full disk, as engines pass them on.
pub(super) fn is_disk_full(message: &str) -> bool {
    let lower = message.to_lowercase();
    lower.contains("no space left on device") || lower.contains("disk quota exceeded")
}

/// The innermost cause: each error of bollard and hyper repeats or hides the one below it.
fn cause(error: &Error) -> String {
    let mut last = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        last = inner.to_string();
        source = inner.source();
    }
    last
}

fn tried_lines(tried: &[(String, String)]) -> String {
    let mut lines = Vec::new();
    for (index, (address, why)) in tried.iter().enumerate() {
        let begin = if index == 0 { "tried: " } else { "       " };
        lines.push(format!("{begin}{address}: {why}"));
    }
    lines.join("\n")
}

fn start_hint(tried: &[(String, String)]) -> &'static str {
    if tried
        .iter()
        .any(|(_, why)| why.contains("ermission denied"))
    {
        return "hint: an engine is there, and this user may not use it: `sudo usermod -aG docker $USER`, then log in again";
    }
    if cfg!(target_os = "macos") {
        "hint: start Docker Desktop, or `podman machine start`; DOCKER_HOST names an engine elsewhere"
    } else {
        "hint: start one with `sudo systemctl start docker` or `systemctl --user start podman.socket`; DOCKER_HOST names an engine elsewhere"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let check = |status, message: &str, expected: &str| {
            let error = Error::DockerResponseServerError {
                status_code: status,
                message: message.to_owned(),
            };
            let error = DockerError::from_bollard("cannot do it", &error);
            assert_eq!(error.to_string(), expected);
            error
        };
        let missing = check(404, "no such image: x", "cannot do it: no such image: x");
        assert!(missing.is_not_found() && missing.is_usage());
        let refused = check(409, "in use\n", "cannot do it: in use");
        assert!(!refused.is_not_found() && !refused.is_usage());
        let full = check(
            500,
            "write /x: no space left on device",
            "cannot do it: the disk of the engine is full: write /x: no space left on device\n\
             hint: `docker system df` shows what takes the space, `docker system prune` frees it",
        );
        assert!(!full.is_usage());
    }

    #[test]
    fn a_missing_engine_names_what_was_tried_and_how_to_start_one() {
        let tried = |why: &str| {
            DockerError::NoEngine {
                tried: vec![
                    ("unix:///a".to_owned(), "no such file".to_owned()),
                    ("unix:///b".to_owned(), why.to_owned()),
                ],
            }
            .to_string()
        };
        let text = tried("no such file");
        assert!(
            text.starts_with(
                "no container engine answers\ntried: unix:///a: no such file\n       unix:///b: no such file\nhint: start"
            ),
            "{text}"
        );
        assert!(tried("Permission denied").contains("usermod"));
    }
}
