//! A typed line as a command.

use serde_json::{Map, Value};

use crate::util::suggest;

/// What can be typed: the word, what follows it, what it does.
pub(super) const COMMANDS: &[(&str, &str, &str)] = &[
    ("help", "[COMMAND]", "Show the commands"),
    ("tools", "[TOOL]", "List the tools, or show one in full"),
    (
        "call",
        "TOOL [NAME=VALUE… | JSON]",
        "Call a tool; what is not given is asked for",
    ),
    (
        "scenarios",
        "[SCENARIO]",
        "List the scenarios, or show one in full",
    ),
    (
        "run",
        "SCENARIO [NAME=VALUE… | JSON]",
        "Set a scenario up and show its prompt",
    ),
    (
        "answer",
        "[TEXT]",
        "Submit the answer to the scenario and show its grade",
    ),
    ("resources", "", "List the resources"),
    ("read", "URI", "Show a resource"),
    ("prompts", "", "List the prompts that are no scenarios"),
    ("prompt", "NAME [NAME=VALUE… | JSON]", "Show a prompt"),
    (
        "status",
        "",
        "Show the connection and the scenario that runs",
    ),
    ("reset", "", "Start over in a new session"),
    ("quit", "", "End (also Ctrl-D)"),
];

/// Other words for the same.
const ALIASES: &[(&str, &str)] = &[
    ("?", "help"),
    ("exit", "quit"),
    ("list", "tools"),
    ("scenario", "scenarios"),
    ("tool", "tools"),
    ("setup", "run"),
    ("start", "run"),
    ("submit", "answer"),
    ("grade", "answer"),
    ("reconnect", "reset"),
];

/// A line, understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    Nothing,
    Help(Option<String>),
    Tools(Option<String>),
    Call(String, Given),
    Scenarios(Option<String>),
    Run(String, Given),
    /// The answer; nothing asks for it.
    Answer(Option<String>),
    Resources,
    Read(String),
    Prompts,
    Prompt(String, Given),
    Status,
    Reset,
    Quit,
    /// A command of the caller.
    Own(String),
}

/// Arguments as they were typed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given {
    /// None: each is asked for.
    Nothing,
    /// `name=value` pairs: what is required and not among them is asked for.
    Pairs(Vec<(String, String)>),
    /// A JSON object: taken as a whole.
    Json(Map<String, Value>),
}

/// Understands a line. `own` are the caller's commands.
///
/// # Errors
/// In words.
pub(super) fn parse(line: &str, own: &[String]) -> Result<Command, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Command::Nothing);
    }
    let (word, rest) = split(line);
    if own.iter().any(|name| name == word) {
        return match rest {
            "" => Ok(Command::Own(word.to_owned())),
            _ => Err(format!("`{word}` takes nothing")),
        };
    }
    let name = ALIASES
        .iter()
        .find(|(alias, _)| *alias == word)
        .map_or(word, |(_, name)| name);
    let optional = || (!rest.is_empty()).then(|| rest.to_owned());
    let none = |command: Command| match rest {
        "" => Ok(command),
        _ => Err(format!("`{word}` takes nothing")),
    };
    let named = |what: &str| {
        let (name, arguments) = split(rest);
        if name.is_empty() {
            return Err(format!(
                "`{word}` needs the name of a {what}: `{word} {}`",
                what.to_uppercase()
            ));
        }
        Ok((name.to_owned(), given(arguments)?))
    };
    match name {
        "help" => Ok(Command::Help(optional())),
        "tools" => Ok(Command::Tools(optional())),
        "call" => named("tool").map(|(name, given)| Command::Call(name, given)),
        "scenarios" => Ok(Command::Scenarios(optional())),
        "run" => named("scenario").map(|(name, given)| Command::Run(name, given)),
        "answer" => Ok(Command::Answer(optional())),
        "resources" => none(Command::Resources),
        "read" => match rest {
            "" => Err("`read` needs the URI of a resource: `read URI`".to_owned()),
            uri => Ok(Command::Read(uri.to_owned())),
        },
        "prompts" => none(Command::Prompts),
        "prompt" => named("prompt").map(|(name, given)| Command::Prompt(name, given)),
        "status" => none(Command::Status),
        "reset" => none(Command::Reset),
        "quit" => none(Command::Quit),
        _ => {
            let ours = COMMANDS.iter().map(|(name, _, _)| *name);
            let near = suggest::did_you_mean(word, ours.chain(own.iter().map(String::as_str)));
            Err(format!(
                "there is no command `{word}`{near}\nhint: `help` lists the commands; a tool is called with `call {word}`"
            ))
        }
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    }
}

/// Arguments behind a name: a JSON object, or `name=value` pairs in which quotes hold blanks together and a value may be JSON.
fn given(text: &str) -> Result<Given, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Given::Nothing);
    }
    if text.starts_with('{') {
        return match serde_json::from_str(text) {
            Ok(Value::Object(arguments)) => Ok(Given::Json(arguments)),
            Ok(_) | Err(_) => Err(format!(
                "not a JSON object: {}",
                serde_json::from_str::<Map<String, Value>>(text)
                    .err()
                    .map_or_else(String::new, |error| error.to_string())
            )),
        };
    }
    let mut pairs = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some((name, after)) = rest
            .split_once('=')
            .filter(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace))
        else {
            let word = split(rest).0;
            return Err(format!(
                "expected NAME=VALUE, not `{word}`\nhint: write blanks in quotes, as in name=\"two words\", or give all as one JSON object"
            ));
        };
        let (value, after) = value(after)?;
        pairs.push((name.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(Given::Pairs(pairs))
}

/// The value at the start of `text`, and what follows it.
fn value(text: &str) -> Result<(String, &str), String> {
    if text.starts_with(['[', '{']) {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        return match values.next() {
            Some(Ok(_)) => {
                let (json, rest) = text.split_at(values.byte_offset());
                Ok((json.to_owned(), rest))
            }
            _ => Err("a value that starts with [ or { must be JSON".to_owned()),
        };
    }
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c.is_whitespace() => return Ok((out, &text[at..])),
            '\'' => loop {
                match chars.next() {
                    Some((_, '\'')) => break,
                    Some((_, c)) => out.push(c),
                    None => return Err("a quote ' is not closed".to_owned()),
                }
            },
            '"' => loop {
                match chars.next() {
                    Some((_, '"')) => break,
                    Some((_, '\\')) => out.extend(chars.next().map(|(_, c)| unescaped(c))),
                    Some((_, c)) => out.push(c),
                    None => return Err("a quote \" is not closed".to_owned()),
                }
            },
            '\\' => out.extend(chars.next().map(|(_, c)| c)),
            c => out.push(c),
        }
    }
    Ok((out, ""))
}

fn unescaped(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        c => c,
    }
}

/// A value as it must be written to be read back as it is.
pub(super) fn quoted(value: &str) -> String {
    let is_plain = !value.is_empty()
        && !value.starts_with(['[', '{'])
        && !value
            .chars()
            .any(|c| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'));
    if is_plain {
        return value.to_owned();
    }
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(line: &str, expected: Result<Command, &str>) {
        let own = ["reload".to_owned()];
        let got = parse(line, &own);
        match (got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{line}"),
            (Err(got), Err(expected)) => assert!(got.starts_with(expected), "{line}: {got}"),
            (got, expected) => panic!("{line}: {got:?} is not {expected:?}"),
        }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Given {
        Given::Pairs(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn lines_are_commands() {
        check("  ", Ok(Command::Nothing));
        check("# a comment", Ok(Command::Nothing));
        check("tools", Ok(Command::Tools(None)));
        check("tools add", Ok(Command::Tools(Some("add".to_owned()))));
        check("exit", Ok(Command::Quit));
        check("reload", Ok(Command::Own("reload".to_owned())));
        check(
            "answer  two words ",
            Ok(Command::Answer(Some("two words".to_owned()))),
        );
        check("answer", Ok(Command::Answer(None)));
        check(
            "read file:///a b",
            Ok(Command::Read("file:///a b".to_owned())),
        );
        check("call", Err("`call` needs the name of a tool: `call TOOL`"));
        check("reset now", Err("`reset` takes nothing"));
        check(
            "tols",
            Err("there is no command `tols`; did you mean 'tools'?"),
        );
    }

    #[test]
    fn arguments_are_pairs_or_json() {
        let call = |given: Given| Ok(Command::Call("add".to_owned(), given));
        check("call add", call(Given::Nothing));
        check("call add a=1 b=2", call(pairs(&[("a", "1"), ("b", "2")])));
        check(
            r#"call add a="two words" b='it"s' c=x\ y d="q\"\n" e="#,
            call(pairs(&[
                ("a", "two words"),
                ("b", "it\"s"),
                ("c", "x y"),
                ("d", "q\"\n"),
                ("e", ""),
            ])),
        );
        check(
            r#"call add list=["a", "b"] o={"k": 1} x=1"#,
            call(pairs(&[
                ("list", r#"["a", "b"]"#),
                ("o", r#"{"k": 1}"#),
                ("x", "1"),
            ])),
        );
        check(
            r#"call add {"a": [1]}"#,
            call(Given::Json(json!({"a": [1]}).as_object().cloned().unwrap())),
        );
        check("call add 1", Err("expected NAME=VALUE, not `1`"));
        check("call add a=1 2", Err("expected NAME=VALUE, not `2`"));
        check("call add a=\"x", Err("a quote \" is not closed"));
        check("call add {\"a\"", Err("not a JSON object"));
        check("call add a=[1", Err("a value that starts with [ or {"));
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        for text in [
            "plain",
            "",
            "two words",
            "a\"b",
            "it's",
            "back\\slash",
            "[1]",
            "a\nb\tc",
        ] {
            let line = format!("call t x={}", quoted(text));
            assert_eq!(
                parse(&line, &[]).unwrap(),
                Command::Call("t".to_owned(), pairs(&[("x", text)])),
                "{line}"
            );
        }
    }
}
