//! Where the mistakes of one file are collected.

use std::path::Path;

use super::tree::Position;
use crate::util::diagnostic::{Diagnostic, Diagnostics, Location};

/// The file that is read, the variables it may use, and what is wrong with it so far.
pub(super) struct Sink<'a> {
    pub file: &'a Path,
    pub variables: &'a dyn Fn(&str) -> Option<String>,
    errors: Vec<Diagnostic>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(file: &'a Path, variables: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            file,
            variables,
            errors: Vec::new(),
        }
    }

    pub(super) fn error(&mut self, at: Position, message: impl Into<String>) {
        self.errors.push(Diagnostic {
            location: self.location(at),
            message: message.into(),
        });
    }

    pub(super) fn location(&self, at: Position) -> Location {
        Location {
            file: self.file.to_owned(),
            line: at.line,
            column: at.column,
        }
    }

    /// How many mistakes there are so far.
    pub(super) fn count(&self) -> usize {
        self.errors.len()
    }

    /// `value`, unless something was wrong.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Diagnostics> {
        if self.errors.is_empty() {
            Ok(value)
        } else {
            Err(Diagnostics::new(self.errors))
        }
    }
}
