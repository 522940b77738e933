//! How to print. Everything is handed in: this module reads no environment variable.

use std::io::IsTerminal;

/// What stdout is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StdoutMode {
    /// Text for people.
    #[default]
    Text,
    /// JSON Lines, and nothing else.
    Json,
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// `-q`: errors and the result.
    Quiet,
    /// Neither flag.
    #[default]
    Normal,
    /// `-v`.
    Verbose,
    /// `-vv`.
    VeryVerbose,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never: what `NO_COLOR` asks for.
    Never,
}

/// What the caller chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What stdout is for.
    pub stdout: StdoutMode,
    /// How much is said.
    pub verbosity: Verbosity,
    /// When to colour.
    pub color: ColorChoice,
    /// Whether progress may be shown where a terminal allows it; `HUD_NO_PROGRESS` turns it off.
    pub progress: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            stdout: StdoutMode::Text,
            verbosity: Verbosity::Normal,
            color: ColorChoice::Auto,
            progress: true,
        }
    }
}

/// The columns of each stream that is a terminal; `None` for a pipe or a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Of stdout.
    pub stdout: Option<usize>,
    /// Of stderr.
    pub stderr: Option<usize>,
}

/// Where there is no terminal to ask.
const DEFAULT_WIDTH: usize = 80;

impl Terminal {
    /// What this process's streams are.
    pub fn detect() -> Self {
        let columns = |is_terminal: bool, terminal: &console::Term| {
            is_terminal.then(|| {
                terminal
                    .size_checked()
                    .map_or(DEFAULT_WIDTH, |(_, columns)| usize::from(columns))
            })
        };
        Self {
            stdout: columns(std::io::stdout().is_terminal(), &console::Term::stdout()),
            stderr: columns(std::io::stderr().is_terminal(), &console::Term::stderr()),
        }
    }

    pub(super) fn stdout_width(self) -> usize {
        self.stdout.unwrap_or(DEFAULT_WIDTH)
    }

    pub(super) fn stderr_width(self) -> usize {
        self.stderr.unwrap_or(DEFAULT_WIDTH)
    }
}

impl ColorChoice {
    pub(super) fn applies(self, is_terminal: bool) -> bool {
        match self {
            Self::Auto => is_terminal,
            Self::Always => true,
            Self::Never => false,
        }
    }
}
