//! Messages about a place in a file, collected so that a user sees every mistake at once.

use std::fmt;
use std::path::{Path, PathBuf};

use super::text;

/// How many errors are printed before the rest is only counted: the same slip in 10,000 rows needs no 10,000 lines.
const SHOWN: usize = 50;

/// Where in a file something stands. Prints as `tasks.yaml:14:7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The file as the user named it.
    pub file: PathBuf,
    /// From 1; 0 when the format has no positions (Python files).
    pub line: usize,
    /// In characters, from 1; 0 when the format has no positions.
    pub column: usize,
}

impl Location {
    /// A place in `text`, the contents of `file`, given as a byte offset.
    pub fn at_offset(file: &Path, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The file as a whole.
    pub fn of_file(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = text::strip_control(&self.file.to_string_lossy());
        match (self.line, self.column) {
            (0, _) => write!(f, "{file}"),
            (line, 0) => write!(f, "{file}:{line}"),
            (line, column) => write!(f, "{file}:{line}:{column}"),
        }
    }
}

/// One mistake. Prints as `tasks.yaml:14:7: unknown field 'promt'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub location: Location,
    /// What is wrong and what to do, as a lowercase fragment.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}",
            self.location,
            text::strip_control(&self.message)
        )
    }
}

/// Every mistake that was found, in the order of the file. Prints one a line, and a count when there are several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// At least one.
    pub errors: Vec<Diagnostic>,
}

impl Diagnostics {
    /// `errors` in the order of their places.
    pub fn new(mut errors: Vec<Diagnostic>) -> Self {
        errors.sort_by(|a, b| a.location.cmp(&b.location));
        Self { errors }
    }

    /// One mistake that concerns a file as a whole.
    pub fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            errors: vec![Diagnostic {
                location: Location::of_file(file),
                message: message.into(),
            }],
        }
    }
}

impl std::error::Error for Diagnostics {}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().take(SHOWN).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        match self.errors.len() {
            0 | 1 => Ok(()),
            count if count > SHOWN => {
                write!(f, "\n{count} errors, of which the first {SHOWN} are shown")
            }
            count => write!(f, "\n{count} errors"),
        }
    }
}

/// A name or value from a file, safe and short enough for a message: one line, at most 60 characters.
pub fn shown(name: &str) -> String {
    let clean = text::strip_control(name).replace(['\n', '\t'], " ");
    if clean.chars().count() <= 60 {
        clean
    } else {
        clean.chars().take(59).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: usize, message: &str) -> Diagnostic {
        Diagnostic {
            location: Location {
                file: "tasks.yaml".into(),
                line,
                column: if line == 0 { 0 } else { 7 },
            },
            message: message.to_owned(),
        }
    }

    #[test]
    fn errors_print_in_the_order_of_the_file_and_are_counted() {
        let one = Diagnostics::new(vec![error(3, "bad")]);
        assert_eq!(one.to_string(), "tasks.yaml:3:7: bad");
        let two = Diagnostics::new(vec![error(14, "b"), error(0, "a")]);
        assert_eq!(
            two.to_string(),
            "tasks.yaml: a\ntasks.yaml:14:7: b\n2 errors"
        );
        let many = Diagnostics::new((1..=60).map(|line| error(line, "x")).collect());
        let text = many.to_string();
        assert_eq!(text.lines().count(), 51);
        assert!(text.ends_with("60 errors, of which the first 50 are shown"));
    }

    #[test]
    fn offsets_become_lines_and_columns_in_characters() {
        let text = "é = 1\nöx = 2";
        let at = |offset| {
            let location = Location::at_offset(Path::new("a"), text, offset);
            (location.line, location.column)
        };
        assert_eq!(
            [at(0), at(2), at(7), at(9)],
            [(1, 1), (1, 2), (2, 1), (2, 2)]
        );
    }

    #[test]
    fn names_from_files_cannot_act_on_the_terminal() {
        assert_eq!(shown("a\u{1b}[31mb\nc"), "ab c");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), 60);
    }
}
