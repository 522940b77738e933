//! Versions of environments.

use std::fmt;

use crate::util::text;

/// `MAJOR.MINOR.PATCH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
}

impl Version {
    /// What a first build gets.
    pub const FIRST: Self = Self {
        major: 0,
        minor: 1,
        patch: 0,
    };

    /// Reads a version.
    ///
    /// # Errors
    /// In words.
    pub fn parse(version: &str) -> Result<Self, String> {
        let numbers: Option<Vec<u64>> = version
            .split('.')
            .map(|part| {
                let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
                part.parse().ok().filter(|_| plain)
            })
            .collect();
        match numbers.as_deref() {
            Some([major, minor, patch]) => Ok(Self {
                major: *major,
                minor: *minor,
                patch: *patch,
            }),
            _ => Err(format!(
                "version `{}` is not of the form 0.1.0",
                text::one_line(version, 40)
            )),
        }
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            patch: self.patch.saturating_add(1),
            ..self
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_numbers() {
        let version = Version::parse("1.02.9").unwrap();
        assert_eq!(version.next().to_string(), "1.2.10");
        assert!(version > Version::FIRST);
        for wrong in ["", "1", "1.2", "1.2.3.4", "1.2.x", "1.2.+3", "v1.2.3"] {
            assert!(Version::parse(wrong).is_err(), "{wrong}");
        }
    }
}
