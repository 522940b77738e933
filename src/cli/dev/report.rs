//! Tells what happens, in lines for people or for programs.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::dev::DevEvent;
use crate::ui::{OutputError, Printer};
use crate::util::time::clock;

use super::{json, lines};

/// Something worth telling.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Happening {
    /// Of the environment and its versions.
    Dev(DevEvent),
    /// A line that the environment printed.
    Output(String),
}

/// Where clients find the server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Urls {
    /// The server, without a path.
    pub(super) base: String,
}

/// Tells what happens.
pub(super) struct Reporter {
    printer: Printer,
    folder: PathBuf,
    /// Why the last version failed: the same again is not worth the same lines again.
    last_failure: Mutex<Option<String>>,
}

impl Reporter {
    /// Paths are shown relative to `folder`.
    pub(super) fn new(printer: Printer, folder: PathBuf) -> Self {
        Self {
            printer,
            folder,
            last_failure: Mutex::new(None),
        }
    }

    /// Tells one thing.
    ///
    /// # Errors
    /// When stdout is for programs and cannot be written.
    pub(super) fn tell(&self, happening: &Happening) -> Result<(), OutputError> {
        if self.printer.is_json() {
            return self.object(&json::object(happening));
        }
        let repeated = self.repeated(happening);
        let width = self.printer.is_terminal().then(|| self.printer.width());
        let entry = lines::entry(repeated.as_ref().unwrap_or(happening), &self.folder);
        self.printer
            .talk(&entry.render(&clock(), self.printer.paint(), width));
        Ok(())
    }

    /// The short form of a failure that is the same as the one before.
    fn repeated(&self, happening: &Happening) -> Option<Happening> {
        let mut last = self
            .last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match happening {
            Happening::Dev(DevEvent::ReloadFailed {
                version,
                serving,
                message,
            }) => {
                let before = last.replace(message.clone());
                (before.as_ref() == Some(message)).then(|| {
                    Happening::Dev(DevEvent::ReloadFailed {
                        version: *version,
                        serving: *serving,
                        message: "the same as before".to_owned(),
                    })
                })
            }
            Happening::Dev(DevEvent::Serving { .. } | DevEvent::Reloaded { .. }) => {
                *last = None;
                None
            }
            Happening::Dev(_) | Happening::Output(_) => None,
        }
    }

    /// `{"event":"listening", …}`; nothing for people.
    pub(super) fn listening(&self, urls: &Urls, environment: &str) -> Result<(), OutputError> {
        if !self.printer.is_json() {
            return Ok(());
        }
        self.object(&json!({
            "event": "listening",
            "mcp_url": urls.mcp(),
            "docs_url": urls.docs(),
            "health_url": format!("{}/health", urls.base),
            "environment": environment,
        }))
    }

    /// `{"event":"stopped"}`; nothing for people.
    pub(super) fn stopped(&self) -> Result<(), OutputError> {
        if !self.printer.is_json() {
            return Ok(());
        }
        self.object(&json!({"event": "stopped"}))
    }

    fn object(&self, object: &Value) -> Result<(), OutputError> {
        self.printer.data(&object.to_string())
    }
}

impl Urls {
    /// Where MCP is.
    pub(super) fn mcp(&self) -> String {
        format!("{}/mcp", self.base)
    }

    /// Where the page of the tools is.
    pub(super) fn docs(&self) -> String {
        format!("{}/docs", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Options, Terminal};

    #[test]
    fn the_same_failure_is_told_whole_once() {
        let (printer, captured) = Printer::memory(Options::default(), Terminal::default());
        let reporter = Reporter::new(printer, "/work".into());
        let failed = |version| {
            Happening::Dev(DevEvent::ReloadFailed {
                version,
                serving: Some(1),
                message: "SyntaxError: no\n  env.py:3".to_owned(),
            })
        };
        let reloaded = Happening::Dev(DevEvent::Reloaded {
            version: 4,
            took: std::time::Duration::from_millis(1),
            files: Vec::new(),
            changes: Vec::new(),
        });
        for happening in [failed(2), failed(3), reloaded, failed(5)] {
            reporter.tell(&happening).unwrap();
        }
        let told: Vec<String> = captured
            .stderr()
            .lines()
            .map(|line| line.chars().skip(9).collect())
            .collect();
        assert_eq!(
            told,
            [
                "failed   serving version 1; version 2 failed: SyntaxError: no",
                "           env.py:3",
                "failed   serving version 1; version 3 failed: the same as before",
                "reload   version 4 · 1.0ms",
                "failed   serving version 1; version 5 failed: SyntaxError: no",
                "           env.py:3",
            ]
        );
        assert_eq!(captured.stdout(), "");
    }
}
