//! What `/health` and `/logs` answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::dev::{self, DevEnvironment};
use crate::mcp::RelayServer;
use crate::serve::rest;
use crate::util::fs;

use super::failure;

/// Longer tails than this are cut: a log is for reading.
const TAIL_BYTES: u64 = 1024 * 1024;

/// How the environment stands.
pub(super) struct Health {
    environment: Arc<DevEnvironment>,
    relays: Arc<RelayServer>,
    log: PathBuf,
    folder: PathBuf,
}

impl Health {
    /// Paths in sentences are shown relative to `folder`.
    pub(super) fn new(
        environment: Arc<DevEnvironment>,
        relays: Arc<RelayServer>,
        log: PathBuf,
        folder: PathBuf,
    ) -> Self {
        Self {
            environment,
            relays,
            log,
            folder,
        }
    }
}

impl rest::Status for Health {
    fn health(&self) -> Value {
        health(
            &self.environment.status(),
            self.relays.sessions(),
            &self.folder,
        )
    }

    fn log_tail(&self, lines: usize) -> String {
        last_lines(&fs::tail(&self.log, TAIL_BYTES), lines).to_owned()
    }
}

fn health(status: &dev::Status, sessions: usize, folder: &Path) -> Value {
    let word = match (status.serving, &status.failed) {
        (None, _) => "failed",
        (Some(_), Some(_)) => "degraded",
        (Some(_), None) => "ok",
    };
    json!({
        "status": word,
        "message": sentence(status, folder),
        "environment": status.name,
        "serving": status.serving,
        "failed": status.failed.as_ref().map(|failed| json!({"version": failed.version, "message": failed.message})),
        "isolation": status.isolation.as_str(),
        "watching": status.watching,
        "sessions": sessions,
        "reloads": status.reloads,
        "draining": status.draining,
        "uptime_s": status.running_for.as_secs(),
    })
}

/// `serving version 4; version 5 failed: SyntaxError: …`, on one line.
fn sentence(status: &dev::Status, folder: &Path) -> String {
    let serving = match status.serving {
        Some(version) => format!("serving version {version}"),
        None => "nothing is served".to_owned(),
    };
    match &status.failed {
        None => serving,
        Some(failed) => {
            let why = failure::read(&failed.message, folder).summary;
            format!("{serving}; version {} failed: {why}", failed.version)
        }
    }
}

/// The last `count` lines of `text`.
fn last_lines(text: &str, count: usize) -> &str {
    let end = text.strip_suffix('\n').unwrap_or(text).len();
    let start = match count {
        0 => text.len(),
        _ => text[..end]
            .rmatch_indices('\n')
            .nth(count - 1)
            .map_or(0, |(at, _)| at + 1),
    };
    &text[start..]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dev::FailedVersion;
    use crate::environment::Isolation;

    #[test]
    fn health_says_what_serves_and_what_failed() {
        let check = |serving: Option<u64>, failed: Option<u64>, expected: [&str; 2]| {
            let status = dev::Status {
                name: "shop".to_owned(),
                serving,
                failed: failed.map(|version| FailedVersion {
                    version,
                    message: "SyntaxError: no\n  env.py:3".to_owned(),
                }),
                isolation: Isolation::Shared,
                watching: vec!["tools".into()],
                running_for: Duration::from_secs(90),
                reloads: 3,
                draining: 1,
            };
            let health = health(&status, 2, Path::new("/work"));
            assert_eq!(
                [&health["status"], &health["message"]],
                expected,
                "{health}"
            );
            assert_eq!(health["serving"], json!(serving));
            assert_eq!(health["failed"]["version"], json!(failed));
        };
        check(Some(4), None, ["ok", "serving version 4"]);
        check(
            Some(4),
            Some(5),
            [
                "degraded",
                "serving version 4; version 5 failed: SyntaxError: no",
            ],
        );
        check(
            None,
            Some(1),
            [
                "failed",
                "nothing is served; version 1 failed: SyntaxError: no",
            ],
        );
        check(None, None, ["failed", "nothing is served"]);
    }

    #[test]
    fn a_tail_is_the_last_lines() {
        let check = |text: &str, count: usize, expected: &str| {
            assert_eq!(last_lines(text, count), expected, "{text:?} {count}");
        };
        check("a\nb\nc\n", 2, "b\nc\n");
        check("a\nb\nc", 2, "b\nc");
        check("a\nb\n", 9, "a\nb\n");
        check("a\nb\n", 0, "");
        check("", 3, "");
        check("\n\n", 1, "\n");
    }
}
