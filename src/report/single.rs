//! A single rollout: each step as it happens.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::standard::Report;
use super::{outcome, plain, words};
use crate::event::{JobStarted, RunEvent, Step};
use crate::message::{Arguments, Content, Message, ToolCall, ToolResult, Turn};
use crate::ui::{Paint, Printer, Tone, Verbosity, width_of};
use crate::util::text;

/// Lines of a prompt without `-v`.
const PROMPT_LINES: usize = 12;

/// Lines of a tool's answer under `-v`; without, there is one.
const RESULT_LINES: usize = 30;

/// Says on stderr what the agent does. On a terminal the model's text appears as it is produced.
pub struct Single {
    printer: Printer,
    started: Option<JobStarted>,
    ready: plain::Ready,
    /// Whether pieces of the running turn were shown, and whether they ended within a line.
    streamed: Option<Streamed>,
    /// Tool calls that have not ended: with more than one, answers need a name.
    calls_running: usize,
    calls_overlap: bool,
}

#[derive(Clone, Copy)]
struct Streamed {
    at_line_start: bool,
}

impl Single {
    /// Says nothing yet.
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            started: None,
            ready: plain::Ready::default(),
            streamed: None,
            calls_running: 0,
            calls_overlap: false,
        }
    }

    fn paint(&self) -> Paint {
        self.printer.paint()
    }

    fn is_verbose(&self) -> bool {
        self.printer.verbosity() >= Verbosity::Verbose
    }

    fn title(&self, title: &str) {
        self.printer.talk(&self.paint().tone(Tone::Strong, title));
    }

    fn dim(&self, line: &str) {
        self.printer.talk(&self.paint().tone(Tone::Dim, line));
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Prompt {
                system,
                messages,
                tools,
            } => {
                self.title("Prompt");
                if self.is_verbose() {
                    if let Some(system) = system {
                        self.dim(&words::indented(&format!("system: {system}"), "  "));
                    }
                    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
                    self.dim(&format!(
                        "  tools: {}",
                        text::strip_control(&names.join(", "))
                    ));
                }
                let limit = if self.is_verbose() {
                    usize::MAX
                } else {
                    PROMPT_LINES
                };
                let prompt: Vec<String> = messages.iter().map(message_text).collect();
                self.printer
                    .talk(&words::indented_up_to(&prompt.join("\n"), "  ", limit));
            }
            Step::ModelStarted { step } => self.title(&format!("Step {step}")),
            Step::TextDelta { text } => self.stream(text),
            Step::Retry {
                attempt,
                delay,
                error,
            } => {
                self.end_stream();
                let (said, hints) = error.split_once("\nhint:").unwrap_or((error, ""));
                let line = format!(
                    "  retry {attempt} in {}: {}",
                    words::duration(*delay),
                    text::one_line(said, 200)
                );
                self.printer.talk(&self.paint().tone(Tone::Warning, &line));
                for hint in hints.split("\nhint:").filter(|hint| !hint.is_empty()) {
                    self.dim(&format!("    hint: {}", text::one_line(hint, 200)));
                }
            }
            Step::Turn { turn, .. } => self.turn(turn),
            Step::ToolStarted { call } => {
                self.calls_running += 1;
                self.calls_overlap |= self.calls_running > 1;
                self.printer.talk(&self.call_line(call));
            }
            Step::ToolFinished {
                call,
                result,
                duration,
            } => {
                let lines = self.result_lines(call, result, *duration);
                self.printer.talk(&lines);
                self.calls_running = self.calls_running.saturating_sub(1);
                self.calls_overlap &= self.calls_running > 0;
            }
            Step::User { content } => {
                self.title("User");
                self.printer
                    .talk(&words::indented(&content_text(content), "  "));
            }
            Step::LimitReached { limit } => {
                let line = format!("stopped by the limit of {}", limit.as_str());
                self.printer.talk(&self.paint().tone(Tone::Warning, &line));
            }
            Step::Submitted { answer } => {
                let room = self.printer.width().saturating_sub(10);
                self.printer
                    .talk(&format!("submitted {}", words::quoted(answer, room)));
            }
            Step::Judge {
                model,
                usage,
                duration,
            } => self.dim(&format!(
                "judged by {}  {} tok  {}",
                text::one_line(model, 60),
                words::count(usage.total()),
                words::duration(*duration)
            )),
            // It is shown as a notice of the job.
            Step::Notice { .. } => {}
            Step::Log { level, text } => {
                let is_trouble = !matches!(level.as_str(), "debug" | "info" | "notice");
                if is_trouble || self.is_verbose() {
                    self.dim(&words::indented(&format!("{level}: {text}"), "  log "));
                }
            }
        }
    }

    /// Shows a piece of the running turn, every line indented.
    fn stream(&mut self, piece: &str) {
        if !self.printer.is_terminal() {
            return;
        }
        let mut streamed = self.streamed.unwrap_or(Streamed {
            at_line_start: true,
        });
        let mut out = String::new();
        for c in text::strip_control(piece).chars() {
            if streamed.at_line_start && c != '\n' {
                out.push_str("  ");
            }
            out.push(c);
            streamed.at_line_start = c == '\n';
        }
        self.printer.talk_piece(&out);
        self.streamed = Some(streamed);
    }

    /// Ends the line that was streamed to; whether anything was.
    fn end_stream(&mut self) -> bool {
        match self.streamed.take() {
            None => false,
            Some(Streamed { at_line_start }) => {
                if !at_line_start {
                    self.printer.talk_piece("\n");
                }
                true
            }
        }
    }

    fn turn(&mut self, turn: &Turn) {
        let was_streamed = self.end_stream();
        let reasoning = turn.reasoning();
        if self.is_verbose() && !reasoning.trim().is_empty() {
            self.dim(&words::indented(&reasoning, "  | "));
        }
        let text = turn.text();
        if !was_streamed && !text.trim().is_empty() {
            self.printer
                .talk(&words::indented_up_to(&text, "  ", usize::MAX));
        }
    }

    fn call_line(&self, call: &ToolCall) -> String {
        let name = text::one_line(&call.name, 60);
        let arguments = arguments(&call.arguments);
        let width = if self.is_verbose() {
            usize::MAX
        } else {
            // The arrow, the name, the brackets and an indent of two.
            self.printer.width().saturating_sub(width_of(&name) + 6)
        };
        let arguments = words::line(&arguments, width);
        let arrow = self.paint().tone(Tone::Accent, "→");
        format!("  {arrow} {name}({arguments})")
    }

    fn result_lines(&self, call: &ToolCall, result: &ToolResult, duration: Duration) -> String {
        let paint = self.paint();
        let mark = if result.is_error {
            paint.tone(Tone::Bad, "✗")
        } else {
            paint.tone(Tone::Good, "✓")
        };
        let name = if self.calls_overlap {
            format!("{}: ", text::one_line(&call.name, 60))
        } else {
            String::new()
        };
        let said = result_text(result);
        let first = said.lines().next().unwrap_or_default();
        let more = said.lines().count().saturating_sub(1);
        let tail = if more > 0 && !self.is_verbose() {
            format!("  (+{})", words::plural(more as u64, "line"))
        } else {
            String::new()
        };
        let time = words::duration(duration);
        // The mark, the indent, and two gaps of two.
        let used = 4 + width_of(&name) + width_of(&tail) + 2 + time.len();
        let room = self.printer.width().saturating_sub(used).max(20);
        let first = words::line(first, room);
        let time = paint.tone(Tone::Dim, &time);
        let mut out = format!("  {mark} {name}{first}{tail}  {time}");
        if self.is_verbose() && more > 0 {
            let rest: Vec<&str> = said.lines().skip(1).collect();
            out.push('\n');
            out.push_str(&words::indented_up_to(
                &rest.join("\n"),
                "    ",
                RESULT_LINES,
            ));
        }
        for content in &result.content {
            if let Some(what) = attachment(content) {
                out.push_str("\n    ");
                out.push_str(&words::line(&what, self.printer.width().saturating_sub(4)));
            }
        }
        out
    }
}

impl Report for Single {
    fn event(&mut self, event: &RunEvent) -> Result<()> {
        match event {
            RunEvent::JobStarted(started) => {
                self.printer.talk(&plain::header(started));
                self.started = Some(started.clone());
            }
            RunEvent::Notice { level, text } => plain::notice(&self.printer, *level, text),
            RunEvent::EnvironmentReady { .. } => self.ready.tell(&self.printer, event),
            RunEvent::PhaseStarted { phase, .. } => {
                if self.printer.verbosity() >= Verbosity::VeryVerbose {
                    self.end_stream();
                    self.dim(&format!("phase {}", phase.as_str()));
                }
            }
            RunEvent::Step { step, .. } => self.step(step),
            RunEvent::RolloutFinished { rollout, result } => {
                self.end_stream();
                let lines = outcome::lines(
                    "",
                    rollout,
                    result,
                    self.started.as_ref(),
                    self.printer.width(),
                    self.paint(),
                );
                self.printer.talk(&lines);
            }
            RunEvent::RolloutStarted { .. } | RunEvent::JobFinished(_) => {}
        }
        Ok(())
    }
}

/// What a message says, behind its speaker unless that is the person.
fn message_text(message: &Message) -> String {
    match message {
        Message::User { content } => content_text(content),
        Message::System { content } => format!("system: {}", content_text(content)),
        Message::Assistant { turn } => format!("assistant: {}", turn.text()),
        Message::Tools { results } => results
            .iter()
            .map(|result| format!("{}: {}", result.name, result_text(result)))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

fn content_text(content: &[Content]) -> String {
    content
        .iter()
        .filter_map(|content| match content {
            Content::Text { text } => Some(text.clone()),
            other => attachment(other),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// What is not text, in words.
fn attachment(content: &Content) -> Option<String> {
    match content {
        Content::Text { .. } => None,
        Content::Image { data, mime_type } => {
            Some(format!("📷 image ({mime_type}, {})", bytes(data)))
        }
        Content::Audio { data, mime_type } => {
            Some(format!("🔊 audio ({mime_type}, {})", bytes(data)))
        }
        Content::Resource { uri, .. } => Some(format!("📄 {uri}")),
        Content::ResourceLink { uri, name, .. } => Some(format!("📄 {name} ({uri})")),
        Content::Other { value } => Some(format!(
            "a block of type `{}`",
            value.get("type").and_then(Value::as_str).unwrap_or("?")
        )),
    }
}

/// The size of what `base64` holds.
fn bytes(base64: &str) -> String {
    format!("{}B", words::count(base64.len() as u64 / 4 * 3))
}

/// A tool's text, or what it structured when it said nothing.
fn result_text(result: &ToolResult) -> String {
    let said = Content::join_text(&result.content);
    match &result.structured {
        Some(structured) if said.trim().is_empty() => structured.to_string(),
        _ => said,
    }
}

/// `company: "HUD", limit: 3`, or what the model wrote instead of an object.
fn arguments(arguments: &Arguments) -> String {
    match arguments {
        Arguments::Object { value } => value
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect::<Vec<_>>()
            .join(", "),
        Arguments::Malformed { raw, .. } => raw.clone(),
    }
}
