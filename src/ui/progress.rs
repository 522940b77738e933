//! A bar below the lines, with some rows under it.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{Printer, fit};
use crate::util::time;

/// How often the bar is drawn again when nothing happens, so that the time left does not stand still.
const TICK: Duration = Duration::from_millis(250);

/// A bar; taken off the screen when dropped.
pub struct Progress {
    bar: ProgressBar,
    printer: Printer,
}

impl Progress {
    pub(super) fn new(printer: Printer, total: u64) -> Self {
        let target = if printer.shows_progress() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self::on(printer, total, target)
    }

    fn on(printer: Printer, total: u64, target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), target);
        // The template is a constant; should it ever not parse, the default bar is drawn.
        let style = ProgressStyle::with_template(
            "{bar:20} {pos}/{len}  {rate}  {left} left{prefix}\n{msg}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{:.1}/s", state.per_sec());
        })
        .with_key("left", |state: &ProgressState, out: &mut dyn Write| {
            // Before the first one is done there is no rate to tell from.
            let _ = if state.pos() == 0 {
                out.write_str("?")
            } else {
                out.write_str(&time::human(state.eta()))
            };
        })
        .progress_chars("━╸─");
        bar.set_style(style);
        let progress = Self { bar, printer };
        if !progress.bar.is_hidden() {
            progress.bar.enable_steady_tick(TICK);
            progress.printer.set_bar(Some(progress.bar.clone()));
        }
        progress
    }

    /// How many are done.
    pub fn set_done(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// What follows the time left.
    pub fn set_note(&self, note: &str) {
        let note = if note.is_empty() {
            String::new()
        } else {
            format!("  {note}")
        };
        self.bar.set_prefix(note);
    }

    /// The rows under the bar, cut to the width.
    pub fn set_rows(&self, rows: &[String]) {
        // One less than the width: some terminals wrap at the last column.
        let width = self.printer.width().saturating_sub(1);
        let rows: Vec<String> = rows.iter().map(|row| fit(row, width)).collect();
        self.bar.set_message(rows.join("\n"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.printer.set_bar(None);
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use indicatif::{InMemoryTerm, TermLike};

    use super::*;
    use crate::ui::{Options, Terminal};

    struct ToTerm(InMemoryTerm);

    impl io::Write for ToTerm {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            // A terminal in its usual mode returns the carriage at a newline.
            let text = String::from_utf8_lossy(buffer).replace('\n', "\r\n");
            self.0.write_str(&text)?;
            Ok(buffer.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    #[test]
    fn lines_stay_above_the_bar_and_the_bar_leaves_at_the_end() {
        let screen = InMemoryTerm::new(10, 70);
        let terminal = Terminal {
            stdout: None,
            stderr: Some(70),
        };
        let printer = Printer::to(
            Options::default(),
            terminal,
            Box::new(io::sink()),
            Box::new(ToTerm(screen.clone())),
        );
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        let progress = Progress::on(printer.clone(), 4, target);
        progress.bar.disable_steady_tick();
        progress.set_note("mean 0.500");
        progress.set_rows(&["first".to_owned(), "x".repeat(100)]);
        progress.set_done(1);
        printer.talk("a line");
        printer.warn("another");
        let shown = screen.contents();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[..2], ["a line", "warning: another"]);
        assert!(
            lines[2].starts_with("━━━━━╸──") && lines[2].contains("1/4"),
            "{shown}"
        );
        assert!(lines[2].ends_with("left  mean 0.500"), "{shown}");
        assert_eq!(lines[3], "first");
        assert_eq!(lines[4], format!("{}…", "x".repeat(68)));
        drop(progress);
        printer.talk("the end");
        assert_eq!(screen.contents(), "a line\nwarning: another\nthe end");
    }
}
