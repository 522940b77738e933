//! Where a setting came from.

use std::fmt;
use std::path::PathBuf;

use crate::util::diagnostic::Location;

/// Where a value came from, highest precedence first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// A variable of the process, by name.
    Variable(String),
    /// `agent:` of the task file.
    TaskFile(Location),
    /// `hud.toml` or `.hud_eval.toml`.
    Project(Location),
    /// `.env` or `~/.hud/.env`.
    DotEnv(PathBuf),
    /// Nothing set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable(name) => write!(f, "${name}"),
            Self::TaskFile(location) | Self::Project(location) => location.fmt(f),
            Self::DotEnv(path) => path.display().fmt(f),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// A built-in value.
    pub fn default_of(value: T) -> Self {
        Self {
            value,
            origin: Origin::Default,
        }
    }

    /// A value of the command line.
    pub fn flag(value: T) -> Self {
        Self {
            value,
            origin: Origin::Flag,
        }
    }

    /// Another value from the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Setting<U> {
        Setting {
            value: change(self.value),
            origin: self.origin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_read_well() {
        let location = Location {
            file: "hud.toml".into(),
            line: 3,
            column: 1,
        };
        let shown = [
            Origin::Flag,
            Origin::Variable("HUD_API_KEY".to_owned()),
            Origin::Project(location),
            Origin::DotEnv(".env".into()),
            Origin::Default,
        ]
        .map(|origin| origin.to_string());
        assert_eq!(
            shown,
            ["flag", "$HUD_API_KEY", "hud.toml:3:1", ".env", "default"]
        );
        assert_eq!(Setting::flag(2).map(|value| value + 1), Setting::flag(3));
    }
}
