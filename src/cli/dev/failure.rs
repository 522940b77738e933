//! Why a version did not start, in one line and in the lines that belong below it.

use std::path::Path;

use crate::util::text::strip_control;

use super::lines::relative;

/// A failure for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// `SyntaxError: invalid syntax (env.py:3)`.
    pub(super) summary: String,
    /// The user's own frames and hints.
    pub(super) more: Vec<String>,
}

/// Reads what the environment says of a failed start. An import error names the source, the place and the exception on lines of their own, and then
/// the frames, whose last line is the exception again; anything else begins with its own summary.
pub(super) fn read(message: &str, folder: &Path) -> Failed {
    let message = strip_control(message);
    let mut lines = message.trim_end().lines();
    let first = lines.next().unwrap_or_default();
    let rest: Vec<&str> = lines.collect();
    let (place, exception) = match rest.split_first() {
        Some((line, after)) if is_place(line) => (Some(line.trim()), after),
        _ => (None, rest.as_slice()),
    };
    let is_import_error = first.starts_with("cannot import ");
    let Some((exception, frames)) = exception.split_first().filter(|_| is_import_error) else {
        return Failed {
            summary: first.to_owned(),
            more: rest.iter().map(|&line| line.to_owned()).collect(),
        };
    };
    let exception = exception.trim();
    let place = place.map_or_else(String::new, |place| {
        format!(" ({})", relative(Path::new(place), folder))
    });
    let more = frames
        .iter()
        .filter(|line| line.trim() != exception)
        .map(|&line| line.to_owned());
    Failed {
        summary: format!("{exception}{place}"),
        more: without_common_indent(more.collect()),
    }
}

/// Whether `line` is `  FILE:LINE`.
fn is_place(line: &str) -> bool {
    line.trim().rsplit_once(':').is_some_and(|(file, number)| {
        !file.is_empty() && !number.is_empty() && number.chars().all(|c| c.is_ascii_digit())
    })
}

/// The lines moved left, as far as all of them but hints allow.
fn without_common_indent(lines: Vec<String>) -> Vec<String> {
    let indent_of = |line: &String| line.len() - line.trim_start().len();
    let common = lines
        .iter()
        .filter(|line| !line.trim().is_empty() && indent_of(line) > 0)
        .map(indent_of)
        .min()
        .unwrap_or(0);
    lines
        .into_iter()
        .map(|line| match line.get(common.min(indent_of(&line))..) {
            Some(rest) => rest.to_owned(),
            None => line,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, summary: &str, more: &[&str]) {
        let expected = Failed {
            summary: summary.to_owned(),
            more: more.iter().map(|&line| line.to_owned()).collect(),
        };
        assert_eq!(read(message, Path::new("/work")), expected);
    }

    #[test]
    fn an_import_error_is_its_exception_and_its_place() {
        check(
            "cannot import `/work/env.py`\n  /work/env.py:8\n  SyntaxError: unmatched ')'\n      File \"/work/env.py\", line 8\n        return )\n               ^\n    SyntaxError: unmatched ')'",
            "SyntaxError: unmatched ')' (env.py:8)",
            &["File \"/work/env.py\", line 8", "  return )", "         ^"],
        );
        check(
            "cannot import `/work/env.py`\n  ModuleNotFoundError: No module named 'x'\nhint: install it",
            "ModuleNotFoundError: No module named 'x'",
            &["hint: install it"],
        );
    }

    #[test]
    fn anything_else_begins_with_its_summary() {
        check("it took too long", "it took too long", &[]);
        check(
            "Python ended (exit status: 1)\nthe end of its log:\n    bye",
            "Python ended (exit status: 1)",
            &["the end of its log:", "    bye"],
        );
        check("SyntaxError\n  env.py:3", "SyntaxError", &["  env.py:3"]);
        check("", "", &[]);
    }
}
