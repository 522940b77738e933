//! The one way to stdout and stderr.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::ProgressBar;

use super::{Options, Paint, Progress, StdoutMode, Steps, Terminal, Tone, Verbosity};
use crate::util::text;

/// stdout could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The reader is gone (`hud … | head -1`): end quietly, with success.
    #[error("the reader of stdout is gone")]
    BrokenPipe,
    /// Anything else: a full disk behind a redirection.
    #[error("cannot write to stdout: {0}")]
    Io(io::Error),
}

impl OutputError {
    /// Whether `error` is a broken pipe, however deep.
    pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
        error
            .chain()
            .any(|cause| matches!(cause.downcast_ref(), Some(Self::BrokenPipe)))
    }
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::Io(error)
        }
    }
}

type Stream = Mutex<Box<dyn Write + Send>>;

type Aside = Arc<dyn Fn(&str) + Send + Sync>;

/// Prints. Clones print to the same streams; progress steps aside for every line.
#[derive(Clone)]
pub struct Printer {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    terminal: Terminal,
    stdout: Stream,
    stderr: Stream,
    /// What is drawn below the lines.
    bar: Mutex<Option<ProgressBar>>,
    /// Who takes what would be printed on a terminal that somebody else draws on.
    diverted: Mutex<Option<Aside>>,
}

/// Gives the terminal back to its printer when it is dropped.
#[must_use]
pub struct Diverted(Printer);

impl Drop for Diverted {
    fn drop(&mut self) {
        *lock(&self.0.shared.diverted) = None;
    }
}

impl Printer {
    /// A printer to this process's streams, which `terminal` describes.
    pub fn new(options: Options, terminal: Terminal) -> Self {
        Self::to(
            options,
            terminal,
            Box::new(io::stdout()),
            Box::new(io::stderr()),
        )
    }

    /// A printer to memory, and what it printed. No stream is a terminal unless `terminal` says so.
    pub fn memory(options: Options, terminal: Terminal) -> (Self, Captured) {
        let captured = Captured::default();
        let printer = Self::to(
            options,
            terminal,
            Box::new(captured.stdout.clone()),
            Box::new(captured.stderr.clone()),
        );
        (printer, captured)
    }

    /// A printer to any streams.
    pub(super) fn to(
        options: Options,
        terminal: Terminal,
        stdout: Box<dyn Write + Send>,
        stderr: Box<dyn Write + Send>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                options,
                terminal,
                stdout: Mutex::new(stdout),
                stderr: Mutex::new(stderr),
                bar: Mutex::new(None),
                diverted: Mutex::new(None),
            }),
        }
    }

    /// How much is said.
    pub fn verbosity(&self) -> Verbosity {
        self.shared.options.verbosity
    }

    /// Whether stdout holds JSON Lines.
    pub fn is_json(&self) -> bool {
        self.shared.options.stdout == StdoutMode::Json
    }

    /// Whether talk goes to a terminal.
    pub fn is_terminal(&self) -> bool {
        self.shared.terminal.stderr.is_some()
    }

    /// Whether data goes to a terminal.
    pub fn is_stdout_terminal(&self) -> bool {
        self.shared.terminal.stdout.is_some()
    }

    /// Whether [`Self::progress`] would show anything.
    pub fn shows_progress(&self) -> bool {
        let Options {
            verbosity,
            progress,
            ..
        } = self.shared.options;
        progress && self.is_terminal() && verbosity > Verbosity::Quiet
    }

    /// Columns for talk.
    pub fn width(&self) -> usize {
        self.shared.terminal.stderr_width()
    }

    /// Columns for data.
    pub fn stdout_width(&self) -> usize {
        self.shared.terminal.stdout_width()
    }

    /// Colours for talk.
    pub fn paint(&self) -> Paint {
        Paint {
            is_on: self.shared.options.color.applies(self.is_terminal()),
        }
    }

    /// Colours for data.
    pub fn stdout_paint(&self) -> Paint {
        Paint {
            is_on: self.shared.options.color.applies(self.is_stdout_terminal()),
        }
    }

    /// A line (or several) of data, on stdout.
    pub fn data(&self, line: &str) -> Result<(), OutputError> {
        let line = format!("{line}\n");
        if !self.is_taken(self.is_stdout_terminal(), &line) {
            self.aside(|| write(&self.shared.stdout, line.as_bytes()))?;
        }
        Ok(())
    }

    /// A result for people: data, unless stdout is for JSON; then talk.
    pub fn result(&self, text: &str) -> Result<(), OutputError> {
        if self.is_json() {
            self.talk(text);
            return Ok(());
        }
        self.data(text)
    }

    /// A line (or several) of talk, on stderr. Not when quiet.
    pub fn talk(&self, text: &str) {
        if self.verbosity() > Verbosity::Quiet {
            self.to_stderr(&format!("{text}\n"));
        }
    }

    /// A piece of talk without the end of its line. Not when quiet, and not while progress is shown.
    pub fn talk_piece(&self, text: &str) {
        if self.verbosity() > Verbosity::Quiet {
            self.to_stderr(text);
        }
    }

    /// Clears the terminal that talk goes to; nothing without one.
    pub fn clear(&self) {
        if self.is_terminal() {
            // Home, erase the screen, erase what has scrolled away (ECMA-48 and xterm).
            self.to_stderr("\u{1b}[H\u{1b}[2J\u{1b}[3J");
        }
    }

    /// `warning: …`, its `hint:` lines marked. Not when quiet.
    pub fn warn(&self, text: &str) {
        if self.verbosity() > Verbosity::Quiet {
            self.to_stderr(&self.labelled("warning:", Tone::Warning, text));
        }
    }

    /// `error: …`, its `hint:` lines marked. Always.
    pub fn error(&self, text: &str) {
        self.to_stderr(&self.labelled("error:", Tone::Bad, text));
    }

    fn labelled(&self, label: &str, tone: Tone, message: &str) -> String {
        let paint = self.paint();
        let mut out = format!("{} ", paint.tone(tone, label));
        for line in text::strip_control(message).trim_end().lines() {
            match line.trim_start().strip_prefix("hint:") {
                Some(hint) => {
                    out.push_str(&paint.tone(Tone::Accent, "hint:"));
                    out.push_str(hint);
                }
                None => out.push_str(line),
            }
            out.push('\n');
        }
        out
    }

    /// For what writes logs: each write is a piece of talk, whatever the verbosity (the log has its own filter).
    pub fn talk_writer(&self) -> TalkWriter {
        TalkWriter {
            printer: self.clone(),
        }
    }

    /// A bar over `total` things, below the lines: hidden without a terminal, when quiet, or when the options say so. One at a time.
    pub fn progress(&self, total: u64) -> Progress {
        Progress::new(self.clone(), total)
    }

    /// The steps of one piece of work, each with a bar. One at a time, and not beside [`Self::progress`].
    pub fn steps(&self) -> Steps {
        Steps::new(self.clone())
    }

    pub(super) fn set_bar(&self, bar: Option<ProgressBar>) {
        *lock(&self.shared.bar) = bar;
    }

    /// Hands what would be printed on a terminal to `to`, until the result is dropped: somebody else draws there meanwhile, such as the editor of a
    /// line. Streams that are no terminal are printed to as always.
    pub fn divert(&self, to: impl Fn(&str) + Send + Sync + 'static) -> Diverted {
        *lock(&self.shared.diverted) = Some(Arc::new(to));
        Diverted(self.clone())
    }

    /// Hands `text` to whoever draws on the terminal; `false` when nobody does.
    fn is_taken(&self, is_terminal: bool, text: &str) -> bool {
        if !is_terminal {
            return false;
        }
        // Cloned, so that the lock is not held while somebody else is busy.
        let taker = lock(&self.shared.diverted).clone();
        taker.is_some_and(|taker| {
            taker(text);
            true
        })
    }

    /// Runs `print` while the bar is off the screen.
    fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        // Cloned, so that the lock is not held while printing: the bar's own thread never takes it, but a printer inside `print` would.
        let bar = lock(&self.shared.bar).clone();
        match bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Where stderr cannot be written there is nobody left to tell.
    fn to_stderr(&self, text: &str) {
        if self.is_taken(self.is_terminal(), text) {
            return;
        }
        let _ = self.aside(|| write(&self.shared.stderr, text.as_bytes()));
    }
}

fn write(stream: &Stream, bytes: &[u8]) -> io::Result<()> {
    let mut stream = lock(stream);
    stream.write_all(bytes)?;
    stream.flush()
}

/// A panic while a line was printed does not keep the others from being printed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets logs go to stderr without tearing the progress.
#[derive(Clone)]
pub struct TalkWriter {
    printer: Printer,
}

impl Write for TalkWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(buffer);
        if !self.printer.is_taken(self.printer.is_terminal(), &text) {
            self.printer
                .aside(|| write(&self.printer.shared.stderr, buffer))?;
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a printer to memory printed.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    stdout: Buffer,
    stderr: Buffer,
}

impl Captured {
    /// The data so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// The talk so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }
}

#[derive(Clone, Debug, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).into_owned()
    }
}

impl Write for Buffer {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::ColorChoice;

    fn say_everything(options: Options) -> (String, String) {
        let (printer, captured) = Printer::memory(options, Terminal::default());
        printer.data("data").unwrap();
        printer.result("result").unwrap();
        printer.talk("talk");
        printer.warn("w\nhint: do this");
        printer.error("e \u{1b}[31mred\u{1b}[0m\n  more\nhint: do that");
        (captured.stdout(), captured.stderr())
    }

    #[test]
    fn data_and_talk_go_their_ways() {
        let (stdout, stderr) = say_everything(Options::default());
        assert_eq!(stdout, "data\nresult\n");
        assert_eq!(
            stderr,
            "talk\nwarning: w\nhint: do this\nerror: e red\n  more\nhint: do that\n"
        );
    }

    #[test]
    fn under_json_people_read_stderr() {
        let (stdout, stderr) = say_everything(Options {
            stdout: StdoutMode::Json,
            ..Options::default()
        });
        assert_eq!(stdout, "data\n");
        assert!(stderr.starts_with("result\ntalk\n"), "{stderr}");
    }

    #[test]
    fn quiet_leaves_data_and_errors() {
        let (stdout, stderr) = say_everything(Options {
            verbosity: Verbosity::Quiet,
            ..Options::default()
        });
        assert_eq!(stdout, "data\nresult\n");
        assert_eq!(stderr, "error: e red\n  more\nhint: do that\n");
    }

    #[test]
    fn colour_follows_the_terminal_unless_told() {
        let terminal = Terminal {
            stdout: None,
            stderr: Some(100),
        };
        for (color, talk, data) in [
            (ColorChoice::Auto, true, false),
            (ColorChoice::Always, true, true),
            (ColorChoice::Never, false, false),
        ] {
            let options = Options {
                color,
                ..Options::default()
            };
            let (printer, _) = Printer::memory(options, terminal);
            assert_eq!(
                (printer.paint().is_on, printer.stdout_paint().is_on),
                (talk, data)
            );
            assert_eq!((printer.width(), printer.stdout_width()), (100, 80));
        }
    }

    struct Closed(io::ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_told_apart_from_a_full_disk() {
        let error_of = |kind| {
            let printer = Printer::to(
                Options::default(),
                Terminal::default(),
                Box::new(Closed(kind)),
                Box::new(Closed(kind)),
            );
            printer.error("stderr may be gone too");
            let error = printer.data("x").unwrap_err();
            anyhow::Error::from(error).context("while reporting")
        };
        assert!(OutputError::is_broken_pipe(&error_of(
            io::ErrorKind::BrokenPipe
        )));
        assert!(!OutputError::is_broken_pipe(&error_of(
            io::ErrorKind::StorageFull
        )));
    }

    #[test]
    fn what_goes_to_a_terminal_can_be_handed_to_who_draws_there() {
        let terminal = Terminal {
            stdout: None,
            stderr: Some(80),
        };
        let (printer, captured) = Printer::memory(Options::default(), terminal);
        let taken = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&taken);
        let diverted = printer.divert(move |text| into.lock().unwrap().push_str(text));
        printer.talk("a");
        printer.data("b").unwrap();
        drop(diverted);
        printer.talk("c");
        assert_eq!(*taken.lock().unwrap(), "a\n");
        assert_eq!(
            (captured.stdout(), captured.stderr()),
            ("b\n".into(), "c\n".into())
        );
    }

    #[test]
    fn progress_needs_a_terminal_and_a_wish() {
        let shows = |progress, stderr, verbosity| {
            let options = Options {
                verbosity,
                progress,
                ..Options::default()
            };
            let terminal = Terminal {
                stdout: None,
                stderr,
            };
            Printer::memory(options, terminal).0.shows_progress()
        };
        assert!(shows(true, Some(80), Verbosity::Normal));
        assert!(shows(true, Some(80), Verbosity::Verbose));
        assert!(!shows(true, None, Verbosity::Normal));
        assert!(!shows(true, Some(80), Verbosity::Quiet));
        assert!(!shows(false, Some(80), Verbosity::Normal));
    }
}
