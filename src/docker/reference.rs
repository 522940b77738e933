//! Names of images, as Docker reads them.
//!
//! Source: the grammar in `reference/reference.go` of distribution/reference.

use std::fmt;

use crate::util::text;

/// Docker's own registry, which a name without a registry means.
pub const DOCKER_HUB: &str = "docker.io";

/// A name of an image: `registry.example.com:5000/team/env:1.0@sha256:…`, of which only the path must be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    /// The registry as it was written, with its port.
    pub registry: Option<String>,
    /// The path in the registry: `team/env`.
    pub path: String,
    /// The tag.
    pub tag: Option<String>,
    /// The digest, `sha256:…`.
    pub digest: Option<String>,
}

impl ImageReference {
    /// Reads a name.
    ///
    /// # Errors
    /// In words, with the nearest name that would do.
    pub fn parse(name: &str) -> Result<Self, String> {
        let shown = text::one_line(name, 100);
        let wrong = |why: String| format!("`{shown}` is no name of an image: {why}");
        if name.is_empty() {
            return Err("the name of the image is empty".to_owned());
        }
        let (rest, digest) = match name.split_once('@') {
            Some((rest, digest)) => {
                let hex = digest.strip_prefix("sha256:").unwrap_or_default();
                if hex.len() != 64 || !hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
                    return Err(wrong(
                        "after `@` stands a digest, `sha256:` and 64 hexadecimal digits".to_owned(),
                    ));
                }
                (rest, Some(digest.to_owned()))
            }
            None => (name, None),
        };
        let (rest, tag) = match rest.rsplit_once(':') {
            // `host:5000/path` has a colon and no tag.
            Some((before, tag)) if !tag.contains('/') => {
                if !is_tag(tag) {
                    return Err(wrong(format!(
                        "the tag `{}` may have letters, digits, `_`, `.` and `-`, at most 128, and begins with neither `.` nor `-`",
                        text::one_line(tag, 60)
                    )));
                }
                (before, Some(tag.to_owned()))
            }
            _ => (rest, None),
        };
        let (registry, path) = match rest.split_once('/') {
            Some((first, path)) if is_registry(first) => (Some(first.to_owned()), path),
            _ => (None, rest),
        };
        if registry.as_ref().is_some_and(|registry| !is_host(registry)) {
            return Err(wrong("the part before the first `/` is no host".to_owned()));
        }
        if path.chars().any(|c| c.is_ascii_uppercase()) {
            let lower = name.replacen(path, &path.to_lowercase(), 1);
            return Err(wrong(format!(
                "the engine allows no capital letters\nhint: try `{lower}`"
            )));
        }
        if path.is_empty() || !path.split('/').all(is_component) {
            return Err(wrong(
                "between slashes stand lower-case letters and digits, joined by `.`, `_`, `__` or `-`"
                    .to_owned(),
            ));
        }
        if rest.len() > 255 {
            return Err(wrong("it is longer than 255 characters".to_owned()));
        }
        Ok(Self {
            registry,
            path: path.to_owned(),
            tag,
            digest,
        })
    }

    /// The name without tag and digest.
    pub fn repository(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{registry}/{}", self.path),
            None => self.path.clone(),
        }
    }

    /// The same repository with this tag, and no digest.
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Self {
        Self {
            tag: Some(tag.to_owned()),
            digest: None,
            ..self.clone()
        }
    }

    /// The registry that it is pulled from and pushed to.
    pub fn registry_host(&self) -> &str {
        self.registry.as_deref().unwrap_or(DOCKER_HUB)
    }

    /// `latest`, when there is neither a tag nor a digest.
    pub fn tag_or_digest(&self) -> &str {
        self.digest
            .as_deref()
            .or(self.tag.as_deref())
            .unwrap_or("latest")
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Any text as one component of a path: `My Env` is `my-env`. `None` when nothing is left.
pub fn component_from(text: &str) -> Option<String> {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if matches!(c, '.' | '_' | '-')
            && out.ends_with(|last: char| last.is_ascii_alphanumeric())
        {
            out.push(c);
        } else if out.ends_with(|last: char| last.is_ascii_alphanumeric()) {
            out.push('-');
        }
    }
    let trimmed = out.trim_end_matches(['.', '_', '-']).to_owned();
    Some(trimmed).filter(|name| is_component(name))
}

fn is_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.to_lowercase() != first
}

fn is_host(registry: &str) -> bool {
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) if !registry.ends_with(']') => (host, Some(port)),
        _ => (registry, None),
    };
    let port_is_fine = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let ip6 = host.starts_with('[') && host.ends_with(']');
    let name = !host.is_empty()
        && host.split('.').all(|part| {
            !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        });
    port_is_fine && (ip6 || name)
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && tag
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// `[a-z0-9]+` joined by `.`, `_`, `__` or any number of `-`.
fn is_component(part: &str) -> bool {
    let is_word = |c: char| matches!(c, 'a'..='z' | '0'..='9');
    if !part.starts_with(is_word) || !part.ends_with(is_word) {
        return false;
    }
    part.split(is_word)
        .all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.chars().all(|c| c == '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_docker_does() {
        let check = |name: &str, registry: Option<&str>, path: &str, tag: Option<&str>| {
            let found = ImageReference::parse(name).unwrap();
            assert_eq!(
                (
                    found.registry.as_deref(),
                    found.path.as_str(),
                    found.tag.as_deref()
                ),
                (registry, path, tag),
                "{name}"
            );
            assert_eq!(found.to_string(), name);
        };
        check("env", None, "env", None);
        check("python:3.11-slim", None, "python", Some("3.11-slim"));
        check("team/env:V1", None, "team/env", Some("V1"));
        check("localhost/env", Some("localhost"), "env", None);
        check(
            "host:5000/a/b__c.d--e:1",
            Some("host:5000"),
            "a/b__c.d--e",
            Some("1"),
        );
        check("ghcr.io/o/env", Some("ghcr.io"), "o/env", None);
        check("[::1]:5000/env", Some("[::1]:5000"), "env", None);
        let digest = format!("env:1@sha256:{}", "0a".repeat(32));
        let found = ImageReference::parse(&digest).unwrap();
        assert_eq!(found.to_string(), digest);
        assert_eq!(found.registry_host(), "docker.io");
        assert_eq!(found.with_tag("2").to_string(), "env:2");
    }

    #[test]
    fn what_no_engine_takes_is_said_with_the_reason() {
        let check = |name: &str, expected: &str| {
            let error = ImageReference::parse(name).unwrap_err();
            assert!(error.contains(expected), "{name}: {error}");
        };
        check("", "is empty");
        check("MyEnv:1", "no capital letters\nhint: try `myenv:1`");
        check("host.io/Team/Env", "hint: try `host.io/team/env`");
        check("a b", "between slashes stand");
        check("-a", "between slashes stand");
        check("a/", "between slashes stand");
        check("a..b", "between slashes stand");
        check("a:.x", "the tag `.x`");
        check("a:", "the tag ``");
        check("a@sha256:12", "after `@` stands a digest");
        check("host:port/a", "is no host");
    }

    #[test]
    fn folders_become_names() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(component_from(text).as_deref(), expected, "{text}");
        };
        check("my-env", Some("my-env"));
        check("My Env!", Some("my-env"));
        check("--a..b__", Some("a.b"));
        check("été", Some("t"));
        check("…", None);
    }
}
