//! Lines from a terminal: `reedline` on a thread of its own, because it blocks.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use reedline::{
    ColumnarMenu, Completer, CompletionResult, Emacs, ExternalPrinter, FileBackedHistory, KeyCode,
    KeyModifiers, MenuBuilder, Prompt, PromptEditMode, PromptHistorySearch, Reedline,
    ReedlineEvent, ReedlineMenu, Signal, Span, Suggestion, default_emacs_keybindings,
};
use tokio::sync::mpsc as tokio_mpsc;

use super::complete::{self, Context, Vocabulary};
use super::lines::Line;
use crate::cli::failure::Failure;
use crate::ui::{Paint, Printer};
use crate::util::fs;

/// How many lines of history are kept.
const HISTORY: usize = 1000;

/// How much that others print can wait for the editor to show it; it looks ten times a second.
const PRINTED: usize = 10_000;

/// How long the thread may take to restore the terminal and write the history, and how often that is looked at.
const CLOSE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(10);

const MENU: &str = "completions";

/// The thread that reads.
pub(super) struct Editor {
    requests: mpsc::Sender<(String, Context)>,
    answers: tokio_mpsc::UnboundedReceiver<std::io::Result<Line>>,
    stop: Arc<AtomicBool>,
    above: mpsc::SyncSender<String>,
    printer: Printer,
    thread: std::thread::JoinHandle<()>,
}

impl Editor {
    pub(super) fn start(
        history: Option<PathBuf>,
        vocabulary: Arc<Mutex<Vocabulary>>,
        printer: Printer,
    ) -> Self {
        let (requests, waiting) = mpsc::channel::<(String, Context)>();
        let (answer, answers) = tokio_mpsc::unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let external = ExternalPrinter::new(PRINTED);
        let above = external.sender();
        let context = Arc::new(Mutex::new(Context::Command));
        let setup = Setup {
            history,
            is_coloured: printer.paint() != Paint::PLAIN,
            stop: Arc::clone(&stop),
            names: Names {
                context: Arc::clone(&context),
                vocabulary,
            },
        };
        let thread = std::thread::spawn(move || {
            let mut editors = setup.editors(external);
            for (prompt, wanted) in waiting {
                let editor = editors.of(&wanted);
                if let Ok(mut context) = context.lock() {
                    *context = wanted;
                }
                let line = match editor.read_line(&Words(prompt)) {
                    Ok(Signal::Success(line)) => Ok(Line::Text(line)),
                    Ok(Signal::CtrlC) => Ok(Line::Interrupted),
                    // Ctrl-D, or our own sign to stop.
                    Ok(_) => Ok(Line::End),
                    Err(error) => Err(std::io::Error::other(error.to_string())),
                };
                if answer.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            requests,
            answers,
            stop,
            above,
            printer,
            thread,
        }
    }

    pub(super) async fn read(&mut self, prompt: &str, context: Context) -> Result<Line, Failure> {
        // While a line is edited nobody else may draw; what is said meanwhile appears above the line.
        let above = self.above.clone();
        let _aside = self.printer.divert(move |text| {
            // Full only when thousands of lines come in a tenth of a second; the terminal could not show them.
            let _ = above.try_send(text.trim_end_matches('\n').to_owned());
        });
        let gone = || Failure::Unexpected(anyhow::anyhow!("the thread that reads lines is gone"));
        self.requests
            .send((prompt.to_owned(), context))
            .map_err(|_| gone())?;
        Ok(self.answers.recv().await.ok_or_else(gone)??)
    }

    /// Ends the thread, which restores the terminal and writes the history.
    pub(super) async fn close(self) {
        let Self {
            requests,
            answers,
            stop,
            thread,
            ..
        } = self;
        stop.store(true, Ordering::Relaxed);
        drop((requests, answers));
        // It looks at `stop` ten times a second. On a terminal that was closed it never comes to that, and ends with the process.
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < CLOSE {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What the thread starts with.
struct Setup {
    history: Option<PathBuf>,
    is_coloured: bool,
    stop: Arc<AtomicBool>,
    names: Names,
}

/// One editor for commands, which has a history, and one for values, which has none.
struct Editors {
    commands: Reedline,
    values: Reedline,
}

impl Editors {
    fn of(&mut self, context: &Context) -> &mut Reedline {
        match context {
            Context::Command => &mut self.commands,
            Context::Value(_) => &mut self.values,
        }
    }
}

impl Setup {
    fn editors(&self, external: ExternalPrinter<String>) -> Editors {
        let mut commands = self.editor().with_external_printer(external);
        if let Some(history) = self.history.as_deref().and_then(history) {
            commands = commands.with_history(Box::new(history));
        }
        Editors {
            commands,
            values: self.editor(),
        }
    }

    fn editor(&self) -> Reedline {
        let mut keys = default_emacs_keybindings();
        keys.add_binding(
            KeyModifiers::NONE,
            KeyCode::Tab,
            ReedlineEvent::UntilFound(vec![
                ReedlineEvent::Menu(MENU.to_owned()),
                ReedlineEvent::MenuNext,
            ]),
        );
        // One column leaves room for what each candidate is.
        let menu = ColumnarMenu::default().with_name(MENU).with_columns(1);
        Reedline::create()
            .with_ansi_colors(self.is_coloured)
            .with_edit_mode(Box::new(Emacs::new(keys)))
            .with_completer(Box::new(self.names.clone()))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
            .with_quick_completions(true)
            .with_partial_completions(true)
            .with_break_signal(Arc::clone(&self.stop))
    }
}

/// The history in `path`. Without one that can be written, lines are forgotten at the end.
fn history(path: &Path) -> Option<FileBackedHistory> {
    let prepared = fs::create_private(path);
    if let Err(error) = prepared {
        tracing::debug!("no history: {error:#}");
        return None;
    }
    FileBackedHistory::with_file(HISTORY, path.to_owned()).ok()
}

#[derive(Clone)]
struct Names {
    context: Arc<Mutex<Context>>,
    vocabulary: Arc<Mutex<Vocabulary>>,
}

impl Completer for Names {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let (Ok(context), Ok(vocabulary)) = (self.context.lock(), self.vocabulary.lock()) else {
            return CompletionResult::fresh(Vec::new());
        };
        let typed = line.get(..pos).unwrap_or(line);
        let suggestions: Vec<Suggestion> = complete::complete(typed, &context, &vocabulary)
            .into_iter()
            .map(|candidate| Suggestion {
                value: candidate.value,
                description: Some(candidate.description).filter(|text| !text.is_empty()),
                span: Span::new(candidate.start, pos),
                append_whitespace: candidate.is_whole,
                ..Suggestion::default()
            })
            .collect();
        CompletionResult::fresh(suggestions)
    }
}

/// The words before the line.
struct Words(String);

impl Prompt for Words {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("… ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!(" (history: {}) ", search.term))
    }
}
