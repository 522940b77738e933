//! JSON and JSON Lines into the tree.
//!
//! JSON is not parsed as YAML, although YAML 1.2 means to contain it: YAML has no surrogate pairs, and limits the length of keys. Strings and
//! numbers are found here and decoded by `serde_json`; only structure and places are our own.

use std::collections::HashMap;

use serde_json::Number;

use super::sink::Sink;
use super::tree::{Data, Entry, Node, Position};
use crate::util::diagnostic::shown;

/// As in `serde_json`: deeper data is an attack or a mistake.
pub(super) const MAX_DEPTH: usize = 128;

/// The one value of a JSON text; `None` when it could not be read, and then `sink` says why.
pub(super) fn parse(text: &str, sink: &mut Sink<'_>) -> Option<Node> {
    parse_from(text, 1, sink)
}

/// The rows of a JSON Lines text: an object or a list of them on each line.
pub(super) fn parse_lines(text: &str, sink: &mut Sink<'_>) -> Option<Node> {
    let before = sink.count();
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = if index == 0 { without_mark(line) } else { line };
        if line.trim().is_empty() {
            continue;
        }
        match parse_from(line, index + 1, sink) {
            Some(Node {
                data: Data::Sequence(items),
                ..
            }) => rows.extend(items),
            Some(row) => rows.push(row),
            None => {}
        }
    }
    (sink.count() == before || !rows.is_empty()).then_some(Node {
        data: Data::Sequence(rows),
        at: Position { line: 1, column: 1 },
    })
}

fn parse_from(text: &str, line: usize, sink: &mut Sink<'_>) -> Option<Node> {
    let mut reader = Reader {
        text: without_mark(text),
        offset: 0,
        marked: 0,
        position: Position { line, column: 1 },
        duplicates: Vec::new(),
    };
    let parsed = reader.document();
    for (at, message) in reader.duplicates {
        sink.error(at, message);
    }
    match parsed {
        Ok(node) => Some(node),
        Err(Failure { at, message }) => {
            sink.error(at, message);
            None
        }
    }
}

/// Editors on Windows put a byte order mark first.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

struct Failure {
    at: Position,
    message: String,
}

struct Reader<'t> {
    text: &'t str,
    offset: usize,
    /// The offset that `position` belongs to. Positions are asked for in rising order, so that finding them is linear in the whole file even
    /// when it is one line.
    marked: usize,
    position: Position,
    duplicates: Vec<(Position, String)>,
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<Node, Failure> {
        let node = self.value(0)?;
        match self.peek() {
            None => Ok(node),
            Some(_) => Err(self.fail("unexpected text after the end of the data")),
        }
    }

    /// The place of the next character.
    fn here(&mut self) -> Position {
        for c in self.text[self.marked..self.offset].chars() {
            if c == '\n' {
                self.position.line += 1;
                self.position.column = 1;
            } else {
                self.position.column += 1;
            }
        }
        self.marked = self.offset;
        self.position
    }

    fn fail(&mut self, message: impl Into<String>) -> Failure {
        Failure {
            at: self.here(),
            message: message.into(),
        }
    }

    /// The next character after white space.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.offset..];
        self.offset += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        self.text[self.offset..].chars().next()
    }

    fn expected(&mut self, what: &str) -> Failure {
        let found = match self.peek() {
            None => "the file ends".to_owned(),
            Some('/' | '#') => "found a comment, which JSON does not have (YAML does)".to_owned(),
            Some('\'') => "found a single quote; JSON strings use double quotes".to_owned(),
            Some(c) => format!("found '{c}'"),
        };
        self.fail(format!("expected {what}, but {found}"))
    }

    fn value(&mut self, depth: usize) -> Result<Node, Failure> {
        let next = self.peek();
        let at = self.here();
        if depth > MAX_DEPTH {
            return Err(self.fail(format!("nested more than {MAX_DEPTH} levels deep")));
        }
        let data = match next {
            Some('{') => self.mapping(depth)?,
            Some('[') => self.sequence(depth)?,
            Some('"') => Data::String(self.string()?),
            Some('-' | '0'..='9') => Data::Number(self.number()?),
            Some(c) if c.is_ascii_alphabetic() => self.word()?,
            _ => return Err(self.expected("a value")),
        };
        Ok(Node { data, at })
    }

    fn mapping(&mut self, depth: usize) -> Result<Data, Failure> {
        self.offset += 1;
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = HashMap::new();
        if self.peek() == Some('}') {
            self.offset += 1;
            return Ok(Data::Mapping(entries));
        }
        loop {
            if self.peek() != Some('"') {
                return Err(match self.peek() {
                    Some('}') => self.fail("a comma before '}', which JSON does not allow"),
                    _ => self.expected("a field name in double quotes"),
                });
            }
            let key_at = self.here();
            let key = self.string()?;
            if self.peek() != Some(':') {
                return Err(self.expected(&format!("':' after \"{}\"", shown(&key))));
            }
            self.offset += 1;
            let value = self.value(depth + 1)?;
            if let Some(first) = seen.get(&key) {
                self.duplicates.push((key_at, duplicate(&key, *first)));
            } else {
                seen.insert(key.clone(), key_at);
                entries.push(Entry { key, key_at, value });
            }
            match self.peek() {
                Some(',') => self.offset += 1,
                Some('}') => {
                    self.offset += 1;
                    return Ok(Data::Mapping(entries));
                }
                _ => return Err(self.expected("',' or '}'")),
            }
        }
    }

    fn sequence(&mut self, depth: usize) -> Result<Data, Failure> {
        self.offset += 1;
        let mut items = Vec::new();
        if self.peek() == Some(']') {
            self.offset += 1;
            return Ok(Data::Sequence(items));
        }
        loop {
            if !items.is_empty() && self.peek() == Some(']') {
                return Err(self.fail("a comma before ']', which JSON does not allow"));
            }
            items.push(self.value(depth + 1)?);
            match self.peek() {
                Some(',') => self.offset += 1,
                Some(']') => {
                    self.offset += 1;
                    return Ok(Data::Sequence(items));
                }
                _ => return Err(self.expected("',' or ']'")),
            }
        }
    }

    fn string(&mut self) -> Result<String, Failure> {
        let rest = &self.text[self.offset..];
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find_map(|(index, c)| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends.then_some(index + 1)
        });
        let Some(end) = end else {
            return Err(self.fail("a string that does not end"));
        };
        match serde_json::from_str(&rest[..end]) {
            Ok(value) => {
                self.offset += end;
                Ok(value)
            }
            Err(error) => Err(self.fail(format!("not a JSON string: {}", without_place(&error)))),
        }
    }

    fn number(&mut self) -> Result<Number, Failure> {
        let rest = &self.text[self.offset..];
        let end = rest
            .find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        let digits = &rest[..end];
        match number(digits) {
            Some(Ok(value)) => {
                self.offset += end;
                Ok(value)
            }
            Some(Err(problem)) => Err(self.fail(problem)),
            None => Err(self.fail(format!("'{}' is not a JSON number", shown(digits)))),
        }
    }

    fn word(&mut self) -> Result<Data, Failure> {
        let rest: &'t str = &self.text[self.offset..];
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let data = match &rest[..end] {
            "null" => Data::Null,
            "true" => Data::Bool(true),
            "false" => Data::Bool(false),
            "NaN" | "Infinity" => {
                return Err(self.fail(format!(
                    "'{}' is not JSON and cannot be sent to an environment",
                    &rest[..end]
                )));
            }
            other => {
                let message = format!("expected a value, but found '{}'", shown(other));
                return Err(self.fail(message));
            }
        };
        self.offset += end;
        Ok(data)
    }
}

/// A JSON number; `None` when it is none. Integers beyond 64 bits are refused, because as floats they would silently become other numbers.
pub(super) fn number(digits: &str) -> Option<Result<Number, String>> {
    let value: Number = serde_json::from_str(digits).ok()?;
    if value.is_f64() && !digits.contains(['.', 'e', 'E']) && digits != "-0" {
        return Some(Err(format!(
            "the number {} does not fit in 64 bits; write it as a string",
            shown(digits)
        )));
    }
    Some(Ok(value))
}

/// The message about a key that occurs again.
pub(super) fn duplicate(key: &str, first: Position) -> String {
    format!(
        "field '{}' is given twice; first at {}:{}",
        shown(key),
        first.line,
        first.column
    )
}

/// The text of an error of `serde_json` without ` at line 1 column 5`, which would count from the start of a piece.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::path::Path;

    fn read(text: &str, lines: bool) -> Result<Value, String> {
        let variables = |_: &str| None;
        let mut sink = Sink::new(Path::new("t.json"), &variables);
        let node = if lines {
            parse_lines(text, &mut sink)
        } else {
            parse(text, &mut sink)
        };
        sink.finish(node)
            .map(|node| node.unwrap().into_json())
            .map_err(|errors| errors.to_string())
    }

    fn check(text: &str, expected: &Value) {
        assert_eq!(read(text, false).as_ref(), Ok(expected), "{text}");
    }

    fn check_error(text: &str, expected: &str) {
        assert_eq!(read(text, false).unwrap_err(), expected, "{text}");
    }

    #[test]
    fn everything_that_json_has() {
        check("{}", &json!({}));
        check(" [ ] ", &json!([]));
        check("\u{feff}[1]\r\n", &json!([1]));
        check("{\"a\":\t[1,\t-2]}", &json!({"a": [1, -2]}));
        check("[1e3, 1E-2, -0, 0.5]", &json!([1000.0, 0.01, -0.0, 0.5]));
        check(
            "[18446744073709551615, -9223372036854775808]",
            &json!([u64::MAX, i64::MIN]),
        );
        check("[true, false, null]", &json!([true, false, null]));
        check(
            r#""\u00e9 \ud83d\ude00 \" \\ \/ \b\f\n\r\t""#,
            &json!("é 😀 \" \\ / \u{8}\u{c}\n\r\t"),
        );
        check(r#""a\\""#, &json!("a\\"));
        check(
            &format!("{{\"{}\": 1}}", "k".repeat(2000)),
            &json!({"k".repeat(2000): 1}),
        );
        check(
            "{\"a: b\": \"# no comment\"}",
            &json!({"a: b": "# no comment"}),
        );
    }

    #[test]
    fn every_deviation_has_a_place_and_a_reason() {
        check_error("", "t.json:1:1: expected a value, but the file ends");
        check_error(
            "[1,\n  2,]",
            "t.json:2:5: a comma before ']', which JSON does not allow",
        );
        check_error(
            "{\"a\": 1,}",
            "t.json:1:9: a comma before '}', which JSON does not allow",
        );
        check_error(
            "[1] x",
            "t.json:1:5: unexpected text after the end of the data",
        );
        check_error(
            "[\"é\", 'a']",
            "t.json:1:7: expected a value, but found a single quote; JSON strings use double quotes",
        );
        check_error(
            "// x\n[]",
            "t.json:1:1: expected a value, but found a comment, which JSON does not have (YAML does)",
        );
        check_error(
            "{a: 1}",
            "t.json:1:2: expected a field name in double quotes, but found 'a'",
        );
        check_error(
            "{\"a\" 1}",
            "t.json:1:6: expected ':' after \"a\", but found '1'",
        );
        check_error("[1 2]", "t.json:1:4: expected ',' or ']', but found '2'");
        check_error("[\"x", "t.json:1:2: a string that does not end");
        check_error(
            "[\"a\nb\"]",
            "t.json:1:2: not a JSON string: control character (\\u0000-\\u001F) found while parsing a string",
        );
        check_error(
            r#"["\ud83d"]"#,
            "t.json:1:2: not a JSON string: unexpected end of hex escape",
        );
        check_error("[01]", "t.json:1:2: '01' is not a JSON number");
        check_error(
            "[NaN]",
            "t.json:1:2: 'NaN' is not JSON and cannot be sent to an environment",
        );
        check_error("[True]", "t.json:1:2: expected a value, but found 'True'");
        check_error(
            "[123456789012345678901]",
            "t.json:1:2: the number 123456789012345678901 does not fit in 64 bits; write it as a string",
        );
        check_error(
            "{\"a\": 1,\n \"b\": 2, \"a\": 3}",
            "t.json:2:10: field 'a' is given twice; first at 1:2",
        );
        check_error(
            &"[".repeat(100_000),
            "t.json:1:130: nested more than 128 levels deep",
        );
    }

    #[test]
    fn lines_are_read_one_by_one_and_each_is_checked() {
        assert_eq!(
            read("{\"a\": 1}\n\n[{\"b\": 2}, {\"c\": 3}]\r\n", true),
            Ok(json!([{"a": 1}, {"b": 2}, {"c": 3}]))
        );
        assert_eq!(
            read("{\"a\": 1\n{\"b\": 2}\n{\"c\"}\n", true),
            Err(
                "t.json:1:8: expected ',' or '}', but the file ends\nt.json:3:5: expected ':' after \"c\", but found '}'\n2 errors"
                    .to_owned()
            )
        );
    }

    proptest::proptest! {
        #[test]
        fn what_serde_json_writes_is_read_back(text in "\\PC{0,20}", pretty: bool, number: f64, int: i64) {
            let value = json!({"t": text, (text.as_str()): [number, int, {"x": [text.as_str()]}]});
            let written = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            proptest::prop_assert_eq!(read(&written, false), Ok(serde_json::from_str::<Value>(&written).unwrap()));
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]{}\",:0-9a-e\\\\\\-. \n]{0,40}") {
            let ours = read(&text, false).is_ok();
            let theirs = serde_json::from_str::<Value>(&text).is_ok();
            // Ours refuses duplicate keys and huge integers, and nothing else.
            proptest::prop_assert!(theirs || !ours);
        }
    }
}
