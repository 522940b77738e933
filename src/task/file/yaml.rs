//! YAML 1.2 into the tree, from the parser's events, because they have what loaded documents lose: the places of both keys of a duplicate.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::json::{MAX_DEPTH, duplicate, number};
use super::sink::Sink;
use super::tree::{Data, Entry, Node, Position};
use crate::util::diagnostic::shown;

/// How many values all aliases of a file may stand for together; a few nested ones can otherwise stand for more than memory holds.
const MAX_ALIASED: usize = 100_000;

/// The one document of a YAML text; `None` when it could not be read, and then `sink` says why. An empty text is null.
pub(super) fn parse(text: &str, sink: &mut Sink<'_>) -> Option<Node> {
    let mut builder = Builder {
        sink,
        stack: Vec::new(),
        anchors: HashMap::new(),
        aliased: 0,
        root: None,
    };
    let mut parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    while let Some(event) = parser.next_event() {
        match event {
            Ok((Event::StreamEnd, _)) => break,
            Ok((event, span)) => {
                if let Err((at, message)) = builder.event(event, span) {
                    builder.sink.error(at, message);
                    return None;
                }
            }
            Err(error) => {
                let at = Position {
                    line: error.marker().line(),
                    column: error.marker().col() + 1,
                };
                let mut message = error.info().to_owned();
                let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or("");
                // The parser's own words for a misplaced tab do not name it.
                if line.chars().take(at.column).any(|c| c == '\t') {
                    message.push_str("; this line has a tab where YAML wants spaces");
                }
                builder.sink.error(at, message);
                return None;
            }
        }
    }
    Some(builder.root.unwrap_or(Node {
        data: Data::Null,
        at: Position { line: 1, column: 1 },
    }))
}

/// What cannot be gone on from.
type Fatal = (Position, String);

struct Builder<'s, 'a> {
    sink: &'s mut Sink<'a>,
    stack: Vec<Frame>,
    /// Nodes with an anchor that are complete, and the number of values in them.
    anchors: HashMap<usize, (Node, usize)>,
    aliased: usize,
    root: Option<Node>,
}

/// A list or mapping that is not complete yet.
struct Frame {
    at: Position,
    anchor: usize,
    /// Values so far, itself included.
    size: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<Entry>,
        seen: HashMap<String, Position>,
        key: Option<(String, Position)>,
    },
}

impl Builder<'_, '_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fatal> {
        let at = Position {
            line: span.start.line(),
            column: span.start.col() + 1,
        };
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err((
                at,
                "a second document starts here; a task file holds one, with a list of tasks"
                    .to_owned(),
            )),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::SequenceStart(anchor, tag) => {
                self.open(at, anchor, tag.as_deref(), Content::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Mapping {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: None,
                };
                self.open(at, anchor, tag.as_deref(), content)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.stack.pop() else {
                    return Ok(());
                };
                let data = match frame.content {
                    Content::Sequence(items) => Data::Sequence(items),
                    Content::Mapping { entries, .. } => Data::Mapping(entries),
                };
                let node = Node { data, at: frame.at };
                self.complete(node, frame.anchor, frame.size)
            }
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(Frame {
                    content: Content::Mapping { key, .. },
                    ..
                }) = self.stack.last_mut()
                    && key.is_none()
                {
                    *key = Some((key_text(&text, style, at)?, at));
                    if anchor > 0 {
                        let data = Data::String(text.into_owned());
                        self.anchors.insert(anchor, (Node { data, at }, 1));
                    }
                    return Ok(());
                }
                let data = scalar(&text, style, tag.as_deref()).map_err(|message| (at, message))?;
                self.complete(Node { data, at }, anchor, 1)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return Err((at, "this alias stands within what it stands for".to_owned()));
                };
                self.aliased += size;
                if self.aliased > MAX_ALIASED {
                    return Err((
                        at,
                        format!("aliases stand for more than {MAX_ALIASED} values altogether"),
                    ));
                }
                let (mut node, size) = (node.clone(), *size);
                if let Some(Frame {
                    content: Content::Mapping { key, .. },
                    ..
                }) = self.stack.last_mut()
                    && key.is_none()
                {
                    let Data::String(text) = node.data else {
                        return Err((at, "a field name must be a string".to_owned()));
                    };
                    *key = Some((text, at));
                    return Ok(());
                }
                // What is wrong inside is reported where it is written, the value as a whole where it is used.
                node.at = at;
                self.complete(node, 0, size)
            }
        }
    }

    fn open(
        &mut self,
        at: Position,
        anchor: usize,
        tag: Option<&Tag>,
        content: Content,
    ) -> Result<(), Fatal> {
        if self.stack.len() >= MAX_DEPTH {
            return Err((at, format!("nested more than {MAX_DEPTH} levels deep")));
        }
        if let Some(Frame {
            content: Content::Mapping { key: None, .. },
            ..
        }) = self.stack.last()
        {
            return Err((at, "a field name must be a string".to_owned()));
        }
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && matches!(tag.suffix.as_str(), "map" | "seq"))
        {
            return Err((
                at,
                format!("the tag '{}' is not supported", shown(&tag.to_string())),
            ));
        }
        self.stack.push(Frame {
            at,
            anchor,
            size: 1,
            content,
        });
        Ok(())
    }

    /// Puts a complete node where it belongs.
    fn complete(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Fatal> {
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.size += size;
        match &mut frame.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping { entries, seen, key } => {
                let Some((key, key_at)) = key.take() else {
                    return Err((node.at, "a field name must be a string".to_owned()));
                };
                if let Some(first) = seen.get(&key) {
                    self.sink.error(key_at, duplicate(&key, *first));
                } else {
                    seen.insert(key.clone(), key_at);
                    entries.push(Entry {
                        key,
                        key_at,
                        value: node,
                    });
                }
            }
        }
        Ok(())
    }
}

/// A field name. Numbers and booleans are taken as written, since JSON has only strings there.
fn key_text(text: &str, style: ScalarStyle, at: Position) -> Result<String, Fatal> {
    if style == ScalarStyle::Plain {
        match text {
            "<<" => {
                return Err((
                    at,
                    "'<<' merges mappings in YAML 1.1 but not in YAML 1.2; write the fields out, or use an alias for the whole value"
                        .to_owned(),
                ));
            }
            "" | "~" | "null" | "Null" | "NULL" => {
                return Err((at, "a field name must be a string".to_owned()));
            }
            _ => {}
        }
    }
    Ok(text.to_owned())
}

/// A scalar by the core schema of YAML 1.2 (<https://yaml.org/spec/1.2.2/#103-core-schema>): `yes` and `on` are strings.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Data, String> {
    let string = || Ok(Data::String(text.to_owned()));
    match tag {
        None if style == ScalarStyle::Plain => plain(text),
        None => string(),
        Some(tag) if tag.is_yaml_core_schema() => {
            let data = match tag.suffix.as_str() {
                "str" => return string(),
                "int" | "float" | "bool" | "null" => plain(text)?,
                other => return Err(format!("the tag '!!{}' is not supported", shown(other))),
            };
            match (tag.suffix.as_str(), data) {
                ("float", Data::Number(number)) => {
                    let float = number.as_f64().and_then(serde_json::Number::from_f64);
                    Ok(float.map_or(Data::Null, Data::Number))
                }
                ("int", data @ Data::Number(_))
                | ("bool", data @ Data::Bool(_))
                | ("null", data @ Data::Null) => Ok(data),
                (tag, _) => Err(format!("'{}' is no !!{tag}", shown(text))),
            }
        }
        // The non-specific tag `!` makes a string.
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => string(),
        Some(tag) => Err(format!(
            "the tag '{}' is not supported",
            shown(&tag.to_string())
        )),
    }
}

fn plain(text: &str) -> Result<Data, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Data::Null),
        "true" | "True" | "TRUE" => return Ok(Data::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Data::Bool(false)),
        _ => {}
    }
    let (sign, digits) = match text.as_bytes()[0] {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return Err(format!(
            "'{text}' cannot be sent to an environment; quote it if it is text"
        ));
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(rest) = text.strip_prefix(prefix)
            && !rest.is_empty()
            && rest.chars().all(|c| c.is_digit(radix))
        {
            return match u64::from_str_radix(rest, radix) {
                Ok(value) => Ok(Data::Number(value.into())),
                Err(_) => Err(format!(
                    "the number {} does not fit in 64 bits; quote it",
                    shown(text)
                )),
            };
        }
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(Data::String(text.to_owned()));
    }
    if digits.chars().all(|c| c.is_ascii_digit()) {
        if digits.len() > 1 && digits.starts_with('0') {
            return Err(format!(
                "'{}' has a leading zero, so it could be octal, decimal or text; quote it if it is text",
                shown(text)
            ));
        }
        return match number(&format!("{sign}{digits}")) {
            Some(Ok(value)) => Ok(Data::Number(value)),
            _ => Err(format!(
                "the number {} does not fit in 64 bits; quote it",
                shown(text)
            )),
        };
    }
    match text.parse().ok().and_then(serde_json::Number::from_f64) {
        Some(value) => Ok(Data::Number(value)),
        None => Ok(Data::String(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::path::Path;

    fn read(text: &str) -> Result<Value, String> {
        let variables = |_: &str| None;
        let mut sink = Sink::new(Path::new("t.yaml"), &variables);
        let node = parse(text, &mut sink);
        sink.finish(node)
            .map(|node| node.unwrap().into_json())
            .map_err(|errors| errors.to_string())
    }

    fn check(text: &str, expected: &Value) {
        assert_eq!(read(text).as_ref(), Ok(expected), "{text}");
    }

    fn check_error(text: &str, expected: &str) {
        assert_eq!(read(text).unwrap_err(), expected, "{text}");
    }

    #[test]
    fn scalars_follow_yaml_1_2() {
        check(
            "[yes, no, on, off, y]",
            &json!(["yes", "no", "on", "off", "y"]),
        );
        check(
            "[true, False, TRUE, 'true']",
            &json!([true, false, true, "true"]),
        );
        check(
            "[~, null, Null, '', \"null\"]",
            &json!([null, null, null, "", "null"]),
        );
        check("[1, -2, +3, 0, 0x1F, 0o17]", &json!([1, -2, 3, 0, 31, 15]));
        check(
            "[1e3, 1.5, .5, 5., -1E-2]",
            &json!([1000.0, 1.5, 0.5, 5.0, -0.01]),
        );
        check(
            "[1.2.3, 1_000, 12:30, 2024-01-01, e5, infinity, nan, '-', 1e999]",
            &json!([
                "1.2.3",
                "1_000",
                "12:30",
                "2024-01-01",
                "e5",
                "infinity",
                "nan",
                "-",
                "1e999"
            ]),
        );
        check(
            "[!!str 42, !!int 4, !!float 4, ! 5]",
            &json!(["42", 4, 4.0, "5"]),
        );
        check(
            "a: |\n  one\n  two\nb: >-\n  one\n  two\n",
            &json!({"a": "one\ntwo\n", "b": "one two"}),
        );
        check("{1: a, true: b}", &json!({"1": "a", "true": "b"}));
        check("\u{feff}a: 1\r\nb: é\r\n", &json!({"a": 1, "b": "é"}));
        check("a: \"x\\ty\\u00e9\"", &json!({"a": "x\tyé"}));
        check("", &json!(null));
        check("--- \na: 1\n...\n", &json!({"a": 1}));
    }

    #[test]
    fn aliases_are_copies_within_bounds() {
        check(
            "a: &x {b: 1}\nc: *x\nd: [*x]",
            &json!({"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}]}),
        );
        check("&k a: 1\nb: *k", &json!({"a": 1, "b": "a"}));
        let bomb = (1..=9).fold(
            "- &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(),
            |text, n| {
                let aliases = vec![format!("*a{}", n - 1); 9].join(", ");
                format!("{text}- &a{n} [{aliases}]\n")
            },
        );
        let error = read(&bomb).unwrap_err();
        assert!(
            error.ends_with("aliases stand for more than 100000 values altogether"),
            "{error}"
        );
        check_error(
            "a: &x [*x]",
            "t.yaml:1:8: this alias stands within what it stands for",
        );
        check_error(
            "a: *y",
            "t.yaml:1:4: while parsing node, found unknown anchor",
        );
    }

    #[test]
    fn every_deviation_has_a_place_and_a_reason() {
        check_error(
            "a: 1\nb: 2\na: 3\nb: 4",
            "t.yaml:3:1: field 'a' is given twice; first at 1:1\nt.yaml:4:1: field 'b' is given twice; first at 2:1\n2 errors",
        );
        check_error(
            "a: &x {b: 1}\nc:\n  <<: *x",
            "t.yaml:3:3: '<<' merges mappings in YAML 1.1 but not in YAML 1.2; write the fields out, or use an alias for the whole value",
        );
        check_error("? [a]\n: 1", "t.yaml:1:3: a field name must be a string");
        check_error("null: 1", "t.yaml:1:1: a field name must be a string");
        check_error(
            "a: 1\n---\nb: 2",
            "t.yaml:2:1: a second document starts here; a task file holds one, with a list of tasks",
        );
        check_error(
            "a: !custom 1",
            "t.yaml:1:4: the tag '!custom' is not supported",
        );
        check_error(
            "a: !!binary aGk=",
            "t.yaml:1:4: the tag '!!binary' is not supported",
        );
        check_error(
            "zip: 01234",
            "t.yaml:1:6: '01234' has a leading zero, so it could be octal, decimal or text; quote it if it is text",
        );
        check_error(
            "n: 123456789012345678901",
            "t.yaml:1:4: the number 123456789012345678901 does not fit in 64 bits; quote it",
        );
        check_error(
            "n: .nan",
            "t.yaml:1:4: '.nan' cannot be sent to an environment; quote it if it is text",
        );
        let deep = read(&"[".repeat(1000)).unwrap_err();
        assert!(
            deep.contains("nested more than 128 levels") || deep.contains("recursion limit"),
            "{deep}"
        );
        let deep = (0..1000).fold(String::new(), |text, n| text + &" ".repeat(n) + "a:\n");
        check_error(&deep, "t.yaml:129:129: nested more than 128 levels deep");
    }

    #[test]
    fn tabs_are_named() {
        for text in ["a:\n\tb: 1", "a:\t1"] {
            let error = read(text).unwrap_err();
            assert!(
                error.ends_with("; this line has a tab where YAML wants spaces"),
                "{error}"
            );
        }
        check("{a: 1,\tb: 'x\ty'}", &json!({"a": 1, "b": "x\ty"}));
        check("a: 1\t# note", &json!({"a": 1}));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]{}\",:0-9a-c&*!<|>\\-. \n?']{0,60}") {
            let _ = read(&text);
        }
    }
}
