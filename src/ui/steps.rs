//! The steps of one piece of work, each with a bar of its own while it runs and a line when it has ended.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{Paint, Printer, Tone, Verbosity, fit};
use crate::util::{text, time};

/// How often what runs is drawn again, so that its time does not stand still.
const TICK: Duration = Duration::from_millis(200);

/// How many running steps are drawn.
const SHOWN: usize = 8;

/// The width of a bar.
const BAR: usize = 12;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepEnd {
    /// It was done.
    Done,
    /// There was nothing to do.
    Cached,
    /// It failed.
    Failed,
}

/// Steps. On a terminal those that run are drawn below the lines; elsewhere, and for those that ended, there is a line each. Taken off the
/// screen when dropped.
pub struct Steps {
    printer: Printer,
    bar: ProgressBar,
    rows: Arc<Mutex<BTreeMap<u64, Row>>>,
}

struct Row {
    name: String,
    begun: Instant,
    /// What of each part is done, and of how much.
    parts: BTreeMap<String, (u64, u64)>,
}

impl Steps {
    pub(super) fn new(printer: Printer) -> Self {
        let target = if printer.shows_progress() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self::on(printer, target)
    }

    fn on(printer: Printer, target: ProgressDrawTarget) -> Self {
        let rows: Arc<Mutex<BTreeMap<u64, Row>>> = Arc::default();
        let shared = Arc::clone(&rows);
        // One less than the width: some terminals wrap at the last column.
        let width = printer.width().saturating_sub(1);
        let paint = printer.paint();
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{rows}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .with_key("rows", move |_: &ProgressState, out: &mut dyn Write| {
                let rows = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let lines: Vec<String> = rows
                    .values()
                    .take(SHOWN)
                    .map(|row| row.draw(width, paint))
                    .collect();
                let _ = out.write_str(&lines.join("\n"));
            });
        bar.set_style(style);
        let steps = Self { printer, bar, rows };
        if !steps.bar.is_hidden() {
            steps.bar.enable_steady_tick(TICK);
            steps.printer.set_bar(Some(steps.bar.clone()));
        }
        steps
    }

    /// A step begins. One that is begun already only changes its name.
    pub fn start(&self, step: u64, name: &str) {
        let name = text::one_line(name, 400);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.entry(step)
            .or_insert_with(|| Row {
                name: String::new(),
                begun: Instant::now(),
                parts: BTreeMap::new(),
            })
            .name = name;
    }

    /// A part of a step got on; `total` is 0 when it is unknown.
    pub fn progress(&self, step: u64, part: &str, current: u64, total: u64) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows.get_mut(&step)
            && total > 0
        {
            row.parts
                .insert(part.to_owned(), (current.min(total), total));
        }
    }

    /// A step wrote a line. Shown from `-v` on.
    pub fn log(&self, step: u64, line: &str) {
        if self.printer.verbosity() < Verbosity::Verbose {
            return;
        }
        let paint = self.printer.paint();
        let mark = paint.tone(Tone::Dim, &format!("{step:>3} |"));
        self.printer
            .talk(&format!("{mark} {}", text::strip_control(line)));
    }

    /// A step ended. `took` is its own time, when it told one.
    pub fn finish(&self, step: u64, end: StepEnd, took: Duration) {
        let row = {
            let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows.remove(&step)
        };
        let Some(row) = row else {
            return;
        };
        let took = if took.is_zero() {
            row.begun.elapsed()
        } else {
            took
        };
        let paint = self.printer.paint();
        let (mark, tone, after) = match end {
            StepEnd::Done => ("✓", Tone::Good, time::human(took)),
            StepEnd::Cached => ("✓", Tone::Dim, "cached".to_owned()),
            StepEnd::Failed => ("✗", Tone::Bad, time::human(took)),
        };
        let room = self.printer.width().saturating_sub(after.len() + 5);
        self.printer.talk(&format!(
            "{} {}  {}",
            paint.tone(tone, mark),
            fit(&row.name, room),
            paint.tone(Tone::Dim, &after)
        ));
    }
}

impl Row {
    fn draw(&self, width: usize, paint: Paint) -> String {
        let time = time::human(self.begun.elapsed());
        let (current, total) = self.parts.values().fold((0, 0), |(current, total), part| {
            (current + part.0, total + part.1)
        });
        let bar = if let Some(filled) = (current * BAR as u64).checked_div(total) {
            let filled = filled as usize;
            format!(
                "{}{}  ",
                "━".repeat(filled),
                paint.tone(Tone::Dim, &"─".repeat(BAR - filled))
            )
        } else {
            String::new()
        };
        let taken = if total > 0 { BAR + 2 } else { 0 } + time.len() + 4;
        let name = fit(&self.name, width.saturating_sub(taken));
        fit(&format!("  {name}  {bar}{time}"), width)
    }
}

impl Drop for Steps {
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
    fn what_runs_is_below_what_has_ended() {
        let screen = InMemoryTerm::new(10, 60);
        let terminal = Terminal {
            stdout: None,
            stderr: Some(60),
        };
        let printer = Printer::to(
            Options::default(),
            terminal,
            Box::new(io::sink()),
            Box::new(ToTerm(screen.clone())),
        );
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        let steps = Steps::on(printer, target);
        steps.bar.disable_steady_tick();
        steps.start(1, "[1/2] FROM python");
        steps.start(2, &format!("[2/2] RUN {}", "x".repeat(100)));
        steps.progress(2, "layer", 25, 50);
        steps.progress(2, "other", 0, 0);
        steps.log(2, "said only with -v");
        steps.finish(1, StepEnd::Cached, Duration::ZERO);
        steps.bar.tick();
        let shown = screen.contents();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 2, "{shown}");
        assert!(
            lines[0].contains("✓") && lines[0].contains("[1/2] FROM python"),
            "{shown}"
        );
        assert!(lines[0].ends_with("cached"), "{shown}");
        assert!(lines[1].contains("…  ━━━━━━──────  0.0s"), "{shown}");
        assert!(lines[1].chars().count() < 60, "{shown}");
        drop(steps);
        assert_eq!(screen.contents().lines().count(), 1);
    }

    #[test]
    fn without_a_terminal_each_end_is_a_line() {
        let (printer, captured) = Printer::memory(
            Options {
                verbosity: Verbosity::Verbose,
                ..Options::default()
            },
            Terminal::default(),
        );
        let steps = Steps::new(printer);
        steps.start(0, "[1/1] RUN make");
        steps.log(0, "a\u{1b}[31mb");
        steps.finish(0, StepEnd::Done, Duration::from_millis(1200));
        steps.finish(7, StepEnd::Done, Duration::ZERO);
        assert_eq!(captured.stderr(), "  0 | ab\n✓ [1/1] RUN make  1.2s\n");
    }
}
