//! `.env` files: `NAME=value` lines, `#` comments (also after an unquoted value), quotes, `export`.
//!
//! In double quotes `\n \r \t \\ \" \$` are escapes; in single quotes nothing is. A quoted value may go on over several lines. Nothing is
//! substituted. Other tools have their own ideas of these files, so a line that is none of this is a warning and not an error.

use std::collections::BTreeMap;
use std::path::Path;

use crate::util::diagnostic::{Diagnostic, Location, shown};
use crate::util::interpolate::is_name;

/// What a `.env` file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DotEnv {
    /// Values by name; the last line for a name wins.
    pub values: BTreeMap<String, String>,
    /// Lines that were not understood. They hold no values, which are secrets.
    pub warnings: Vec<Diagnostic>,
}

/// Reads the text of the file at `path`.
pub fn parse(path: &Path, text: &str) -> DotEnv {
    let mut found = DotEnv::default();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 0;
    while !rest.is_empty() {
        line += 1;
        let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let entry = first.trim();
        let mut warn = |message: String| {
            found.warnings.push(Diagnostic {
                location: Location {
                    file: path.to_owned(),
                    line,
                    column: 0,
                },
                message,
            });
        };
        if entry.is_empty() || entry.starts_with('#') {
            rest = after;
            continue;
        }
        let Some((name, _)) = first.split_once('=') else {
            warn("expected NAME=value; this line is ignored".to_owned());
            rest = after;
            continue;
        };
        let value_start = name.len() + 1;
        let name = name.trim();
        let name = name
            .strip_prefix("export")
            .filter(|name| name.starts_with(char::is_whitespace))
            .unwrap_or(name)
            .trim();
        if !is_name(name) {
            warn(format!(
                "'{}' is not a name of a variable; this line is ignored",
                shown(name)
            ));
            rest = after;
            continue;
        }
        let value = rest[value_start..].trim_start_matches([' ', '\t']);
        if let Some(quote @ ('"' | '\'')) = value.chars().next() {
            let Some((value, used)) = quoted(&value[1..], quote) else {
                warn(format!(
                    "the value of '{name}' has no closing {quote}; this line is ignored"
                ));
                rest = after;
                continue;
            };
            let offset = rest.len() - rest[value_start..].trim_start_matches([' ', '\t']).len();
            let end = offset + 1 + used;
            let tail = rest[end..].split('\n').next().unwrap_or_default().trim();
            if !tail.is_empty() && !tail.starts_with('#') {
                warn(format!("text after the value of '{name}' is ignored"));
            }
            line += rest[..end].matches('\n').count();
            found.values.insert(name.to_owned(), value);
            rest = rest[end..].split_once('\n').map_or("", |(_, after)| after);
        } else {
            let value = first[value_start..].trim();
            let comment = value.char_indices().find(|&(index, c)| {
                c == '#' && (index == 0 || value[..index].ends_with(char::is_whitespace))
            });
            let value = comment.map_or(value, |(index, _)| value[..index].trim_end());
            found.values.insert(name.to_owned(), value.to_owned());
            rest = after;
        }
    }
    found
}

/// The value up to the closing quote, and how many bytes it took, the quote included.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        if c == quote {
            return Some((value, index + 1));
        }
        if c != '\\' || quote == '\'' {
            value.push(c);
            continue;
        }
        match chars.next()?.1 {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            escaped @ ('\\' | '"' | '$') => value.push(escaped),
            other => value.extend(['\\', other]),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, values: &[(&str, &str)], warnings: &[&str]) {
        let found = parse(Path::new(".env"), text);
        let expected = values
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(found.values, expected, "{text}");
        let found: Vec<_> = found.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(found, warnings, "{text}");
    }

    #[test]
    fn values_comments_and_quotes() {
        check(
            "A=1\nB = two words \n\n# C=3\n  D=\n",
            &[("A", "1"), ("B", "two words"), ("D", "")],
            &[],
        );
        check(
            "A=1 # note\nB=a#b\nC=#x\nD=http://x/#y",
            &[("A", "1"), ("B", "a#b"), ("C", ""), ("D", "http://x/#y")],
            &[],
        );
        check(
            "export A=1\nexport\tB=2\nexported=3",
            &[("A", "1"), ("B", "2"), ("exported", "3")],
            &[],
        );
        check(
            "A='a # b' # note\nB=\"c # d\"",
            &[("A", "a # b"), ("B", "c # d")],
            &[],
        );
        check(r#"A="x\n\"y\"\$z\q""#, &[("A", "x\n\"y\"$z\\q")], &[]);
        check(r"A='x\n'", &[("A", r"x\n")], &[]);
        check("A=\"one\ntwo\"\nB=3", &[("A", "one\ntwo"), ("B", "3")], &[]);
        check(
            "A=1\r\nB=\"2\"\r\nC=$A",
            &[("A", "1"), ("B", "2"), ("C", "$A")],
            &[],
        );
        check("\u{feff}A=1\nA=2", &[("A", "2")], &[]);
        check("A=x=y==", &[("A", "x=y==")], &[]);
    }

    #[test]
    fn what_is_not_understood_is_said_without_the_value() {
        check(
            "A\nB-C=s3cret\nE=\"x\" s3cret\nF=1\nD=\"s3cret\n",
            &[("E", "x"), ("F", "1")],
            &[
                ".env:1: expected NAME=value; this line is ignored",
                ".env:2: 'B-C' is not a name of a variable; this line is ignored",
                ".env:3: text after the value of 'E' is ignored",
                ".env:5: the value of 'D' has no closing \"; this line is ignored",
            ],
        );
    }
}
