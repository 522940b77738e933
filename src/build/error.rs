//! Why a build failed.

use std::fmt;

use crate::docker::DockerError;

/// Nothing was built.
#[derive(Debug)]
pub enum BuildError {
    /// The folder, its files or what was asked for; in words.
    Project(String),
    /// The image was built, and is no environment; in words.
    Analysis(String),
    /// The engine.
    Docker(DockerError),
    /// It was told to stop.
    Cancelled,
    /// Anything else.
    Unexpected(anyhow::Error),
}

impl BuildError {
    pub(super) fn project(message: impl fmt::Display) -> Self {
        Self::Project(format!("{message:#}"))
    }

    /// Whether the user can mend it.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Project(_) | Self::Analysis(_) => true,
            Self::Docker(error) => error.is_usage(),
            Self::Cancelled | Self::Unexpected(_) => false,
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(message) | Self::Analysis(message) => f.write_str(message),
            Self::Docker(error) => write!(f, "{error}"),
            Self::Cancelled => f.write_str("the build was stopped"),
            Self::Unexpected(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for BuildError {}

impl From<DockerError> for BuildError {
    fn from(error: DockerError) -> Self {
        Self::Docker(error)
    }
}
