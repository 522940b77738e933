//! What happens, as lines for people: one line each, and what needs more words below it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dev::DevEvent;
use crate::mcp::{CallOutcome, CallReport};
use crate::ui::{Paint, Tone, fit};
use crate::util::text::{counted, one_line, strip_control};
use crate::util::time::fine;

use super::failure;
use super::report::Happening;

/// Longer names and messages are cut on the one line of a call.
const CALL_TEXT: usize = 300;

/// More changed files than this are counted.
const FILES: usize = 3;

/// One thing that happened.
pub(super) struct Entry {
    label: &'static str,
    tone: Tone,
    text: String,
    took: Option<Duration>,
    /// Below the line, unchanged: the user's own frames.
    more: Vec<String>,
    /// Whether the text is worth more than one line of a terminal.
    is_long: bool,
}

impl Entry {
    fn new(label: &'static str, tone: Tone, text: impl Into<String>) -> Self {
        Self {
            label,
            tone,
            text: text.into(),
            took: None,
            more: Vec::new(),
            is_long: false,
        }
    }

    fn took(mut self, took: Duration) -> Self {
        self.took = Some(took);
        self
    }

    /// The text as several lines: the first one on the line itself.
    fn words(mut self, message: &str) -> Self {
        let message = strip_control(message);
        let mut lines = message.trim_end().lines();
        lines.next().unwrap_or_default().clone_into(&mut self.text);
        self.more = lines.map(str::to_owned).collect();
        self.is_long = true;
        self
    }

    /// The lines. With `width` the first one fits a terminal's line.
    pub(super) fn render(&self, clock: &str, paint: Paint, width: Option<usize>) -> String {
        let took = self
            .took
            .map(|took| format!(" · {}", fine(took)))
            .unwrap_or_default();
        // The label's column: `14:03:11 reload   `.
        let indent = clock.chars().count() + 1 + LABEL_WIDTH + 1;
        let text = match width {
            Some(width) if !self.is_long => {
                let left = width.saturating_sub(indent + took.chars().count());
                fit(&self.text, left.max(20))
            }
            _ => self.text.clone(),
        };
        let label = paint.tone(self.tone, &format!("{:LABEL_WIDTH$}", self.label));
        let text = if self.tone == Tone::Bad {
            paint.tone(Tone::Bad, &text)
        } else {
            text
        };
        let mut out = format!(
            "{} {label} {text}{}",
            paint.tone(Tone::Dim, clock),
            paint.tone(Tone::Dim, &took)
        );
        for line in &self.more {
            out.push_str(&format!("\n{:indent$}{line}", ""));
        }
        out
    }
}

const LABEL_WIDTH: usize = 8;

/// What there is to say; paths are shown relative to `folder`.
pub(super) fn entry(happening: &Happening, folder: &Path) -> Entry {
    match happening {
        Happening::Dev(event) => of_event(event, folder),
        // Whole: who prints wants to see it.
        Happening::Output(line) => Entry {
            is_long: true,
            ..Entry::new("print", Tone::Dim, strip_control(line))
        },
    }
}

fn of_event(event: &DevEvent, folder: &Path) -> Entry {
    match event {
        DevEvent::Serving {
            version,
            took,
            tools,
            scenarios,
        } => Entry::new(
            "ready",
            Tone::Good,
            format!(
                "version {version} · {}, {}",
                counted(*tools, "tool"),
                counted(*scenarios, "scenario")
            ),
        )
        .took(*took),
        DevEvent::Reloaded {
            version,
            took,
            files,
            changes,
        } => {
            let mut parts = vec![format!("version {version}")];
            if !files.is_empty() {
                parts.push(listed(files, folder));
            }
            parts.extend(changes.iter().map(|change| one_line(change, CALL_TEXT)));
            Entry::new("reload", Tone::Good, parts.join(" · ")).took(*took)
        }
        DevEvent::ReloadFailed {
            version,
            serving,
            message,
        } => {
            let serving = match serving {
                Some(serving) => format!("serving version {serving}"),
                None => "nothing is served".to_owned(),
            };
            let failed = failure::read(message, folder);
            let text = format!("{serving}; version {version} failed: {}", failed.summary);
            let mut entry = Entry::new("failed", Tone::Bad, text);
            entry.is_long = true;
            entry.more = failed.more;
            entry
        }
        DevEvent::Call(call) => of_call(call),
        DevEvent::RebuildNeeded { files } => Entry::new(
            "rebuild",
            Tone::Warning,
            format!(
                "{} changed; rebuild needed: hud build",
                listed(files, folder)
            ),
        ),
        DevEvent::WatchGone { path } => Entry::new(
            "watch",
            Tone::Warning,
            format!(
                "`{}` is not there; it is watched again when it comes back",
                relative(path, folder)
            ),
        ),
        DevEvent::WatchBack { path } => Entry::new(
            "watch",
            Tone::Good,
            format!("`{}` is there again", relative(path, folder)),
        ),
        DevEvent::WorkerDied { message } => Entry::new("died", Tone::Bad, "").words(message),
        DevEvent::Blocked {
            tool,
            session,
            for_,
        } => Entry::new(
            "blocked",
            Tone::Warning,
            format!(
                "{} keeps everybody else waiting, for {} already",
                match (tool, session) {
                    (Some(tool), Some(session)) => format!(
                        "`{}` (session {})",
                        one_line(tool, CALL_TEXT),
                        short(session)
                    ),
                    (Some(tool), None) => format!("`{}`", one_line(tool, CALL_TEXT)),
                    (None, _) => "a tool or hook".to_owned(),
                },
                fine(*for_)
            ),
        ),
        DevEvent::Note(words) => Entry::new("note", Tone::Accent, "").words(words),
    }
}

fn of_call(call: &CallReport) -> Entry {
    let name = one_line(&call.name, CALL_TEXT);
    // Scenarios travel as prompts and resources called `environment:scenario`.
    let is_scenario = call.name.contains(':') && !call.name.contains("://");
    let label = match (call.method.as_str(), is_scenario) {
        ("tools/call", _) => "call",
        ("prompts/get", true) => "setup",
        ("prompts/get", false) => "prompt",
        ("resources/read", true) => "grade",
        ("resources/read", false) => "read",
        _ => "request",
    };
    let (tone, text) = match &call.outcome {
        CallOutcome::Ok => (Tone::Accent, name),
        CallOutcome::ToolError(words) => (
            Tone::Warning,
            format!("{name} answered an error: {}", one_line(words, CALL_TEXT)),
        ),
        CallOutcome::Failed(words) => (
            Tone::Bad,
            format!("{name} failed: {}", one_line(words, CALL_TEXT)),
        ),
        CallOutcome::Cancelled => (Tone::Dim, format!("{name} was cancelled")),
    };
    Entry::new(label, tone, text).took(call.took)
}

/// A session's id opens it to whoever has it, so only its beginning is shown.
pub(super) fn short(session: &str) -> String {
    one_line(session, usize::MAX).chars().take(8).collect()
}

fn listed(files: &[PathBuf], folder: &Path) -> String {
    let mut names: Vec<String> = files
        .iter()
        .take(FILES)
        .map(|path| relative(path, folder))
        .collect();
    if files.len() > FILES {
        names.push(format!("and {} more", files.len() - FILES));
    }
    names.join(", ")
}

/// `path` as seen from `folder`.
pub(super) fn relative(path: &Path, folder: &Path) -> String {
    let path = match path.strip_prefix(folder) {
        Ok(inside) if inside.as_os_str().is_empty() => Path::new("."),
        Ok(inside) => inside,
        Err(_) => path,
    };
    one_line(&path.display().to_string(), CALL_TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(happening: &Happening, width: Option<usize>) -> String {
        entry(happening, Path::new("/work")).render("14:03:11", Paint::PLAIN, width)
    }

    fn call(method: &str, name: &str, outcome: CallOutcome) -> Happening {
        Happening::Dev(DevEvent::Call(CallReport {
            method: method.to_owned(),
            name: name.to_owned(),
            session: "0123456789abcdef".to_owned(),
            version: 1,
            took: Duration::from_micros(2_140),
            outcome,
        }))
    }

    #[test]
    fn every_event_is_a_line() {
        let ms = Duration::from_millis;
        let path = |name: &str| Path::new("/work").join(name);
        let events = [
            Happening::Dev(DevEvent::Serving {
                version: 1,
                took: ms(180),
                tools: 2,
                scenarios: 1,
            }),
            call("tools/call", "shout", CallOutcome::Ok),
            call("prompts/get", "shop:order", CallOutcome::Ok),
            call("resources/read", "shop:order", CallOutcome::Ok),
            call("resources/read", "file:///readme", CallOutcome::Ok),
            call(
                "tools/call",
                "boom",
                CallOutcome::ToolError("kaboom\n\u{1b}[31mred".to_owned()),
            ),
            call(
                "tools/call",
                "boom",
                CallOutcome::Failed("the copy died".to_owned()),
            ),
            call("tools/call", "slow", CallOutcome::Cancelled),
            Happening::Output("hello \u{1b}[2Jthere".to_owned()),
            Happening::Dev(DevEvent::Reloaded {
                version: 2,
                took: ms(42),
                files: vec![path("tools/a.py")],
                changes: vec!["tool `x` added".to_owned(), "tool `y` removed".to_owned()],
            }),
            Happening::Dev(DevEvent::Reloaded {
                version: 3,
                took: ms(1_500),
                files: ["a", "b", "c", "d", "e"].map(path).to_vec(),
                changes: Vec::new(),
            }),
            Happening::Dev(DevEvent::ReloadFailed {
                version: 4,
                serving: Some(3),
                message: "cannot import `/work/env.py`\n  /work/env.py:7\n  SyntaxError: invalid syntax\n    File \"/work/env.py\", line 7\n      def x(\n    SyntaxError: invalid syntax"
                    .to_owned(),
            }),
            Happening::Dev(DevEvent::ReloadFailed {
                version: 1,
                serving: None,
                message: "ModuleNotFoundError: No module named 'x'".to_owned(),
            }),
            Happening::Dev(DevEvent::RebuildNeeded {
                files: vec![path("Dockerfile.hud")],
            }),
            Happening::Dev(DevEvent::WatchGone {
                path: path("tools"),
            }),
            Happening::Dev(DevEvent::WatchBack {
                path: path("tools"),
            }),
            Happening::Dev(DevEvent::WorkerDied {
                message: "the process was killed by signal 9 (SIGKILL)\nlast line".to_owned(),
            }),
            Happening::Dev(DevEvent::Blocked {
                tool: Some("slow".to_owned()),
                session: Some("0123456789abcdef".to_owned()),
                for_: Duration::from_secs(5),
            }),
            Happening::Dev(DevEvent::Note("nothing to see".to_owned())),
        ];
        let lines: Vec<String> = events.iter().map(|event| shown(event, None)).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        14:03:11 ready    version 1 · 2 tools, 1 scenario · 180ms
        14:03:11 call     shout · 2.1ms
        14:03:11 setup    shop:order · 2.1ms
        14:03:11 grade    shop:order · 2.1ms
        14:03:11 read     file:///readme · 2.1ms
        14:03:11 call     boom answered an error: kaboom red · 2.1ms
        14:03:11 call     boom failed: the copy died · 2.1ms
        14:03:11 call     slow was cancelled · 2.1ms
        14:03:11 print    hello there
        14:03:11 reload   version 2 · tools/a.py · tool `x` added · tool `y` removed · 42ms
        14:03:11 reload   version 3 · a, b, c, and 2 more · 1.5s
        14:03:11 failed   serving version 3; version 4 failed: SyntaxError: invalid syntax (env.py:7)
                          File "/work/env.py", line 7
                            def x(
        14:03:11 failed   nothing is served; version 1 failed: ModuleNotFoundError: No module named 'x'
        14:03:11 rebuild  Dockerfile.hud changed; rebuild needed: hud build
        14:03:11 watch    `tools` is not there; it is watched again when it comes back
        14:03:11 watch    `tools` is there again
        14:03:11 died     the process was killed by signal 9 (SIGKILL)
                          last line
        14:03:11 blocked  `slow` (session 01234567) keeps everybody else waiting, for 5.0s already
        14:03:11 note     nothing to see
        "#);
    }

    #[test]
    fn on_a_terminal_the_line_is_cut_before_its_duration() {
        let long = call("tools/call", &"x".repeat(200), CallOutcome::Ok);
        let line = shown(&long, Some(60));
        assert_eq!(line.chars().count(), 60, "{line}");
        assert!(line.ends_with("… · 2.1ms"), "{line}");
    }
}
