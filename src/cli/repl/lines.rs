//! Lines from a person at a terminal, or from a pipe.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

use super::complete::{Context, Vocabulary};
use super::editor::Editor;
use crate::cli::failure::Failure;
use crate::ui::Printer;

/// What came instead of, or as, a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its end.
    Text(String),
    /// Ctrl-C: this line is given up.
    Interrupted,
    /// Ctrl-D, or the end of the input.
    End,
}

/// Where lines come from.
pub(super) enum Lines {
    /// A terminal, with editing, completion and history.
    Terminal(Editor),
    /// Anything else, line by line. Nothing is prompted for.
    Plain(tokio::io::Lines<Box<dyn AsyncBufRead + Send + Unpin>>),
}

impl Lines {
    /// A terminal. `history` is where lines are kept.
    pub(super) fn terminal(
        history: Option<PathBuf>,
        vocabulary: Arc<Mutex<Vocabulary>>,
        printer: &Printer,
    ) -> Self {
        Self::Terminal(Editor::start(history, vocabulary, printer.clone()))
    }

    /// Any other input.
    pub(super) fn plain(input: impl AsyncBufRead + Send + Unpin + 'static) -> Self {
        let input: Box<dyn AsyncBufRead + Send + Unpin> = Box::new(input);
        Self::Plain(input.lines())
    }

    /// Whether somebody can be asked again.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// The next line. Dropping the future gives up the line.
    pub(super) async fn read(&mut self, prompt: &str, context: Context) -> Result<Line, Failure> {
        match self {
            Self::Terminal(editor) => editor.read(prompt, context).await,
            Self::Plain(lines) => match lines.next_line().await {
                Ok(Some(line)) => Ok(Line::Text(line)),
                Ok(None) => Ok(Line::End),
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                    Err(Failure::usage("the input is not UTF-8 text"))
                }
                Err(error) => Err(error.into()),
            },
        }
    }

    /// Gives the terminal back as it was.
    pub(super) async fn close(self) {
        if let Self::Terminal(editor) = self {
            editor.close().await;
        }
    }
}
