//! What could be meant by the word that is being typed.

use serde_json::Value;

use super::command::{COMMANDS, quoted};
use crate::cli::schema::{Parameter, resolved};
use crate::util::text;

/// Everything that has a name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Vocabulary {
    pub(super) tools: Vec<Named>,
    pub(super) scenarios: Vec<Named>,
    pub(super) prompts: Vec<Named>,
    pub(super) resources: Vec<String>,
    /// The caller's commands.
    pub(super) own: Vec<String>,
}

/// Something that takes arguments.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) parameters: Vec<Parameter>,
}

/// What is being typed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Context {
    /// A command.
    Command,
    /// One value of this schema.
    Value(Value),
}

/// A way to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// What the word becomes.
    pub(super) value: String,
    /// What it is.
    pub(super) description: String,
    /// Where the word starts, in bytes.
    pub(super) start: usize,
    /// Whether a blank follows.
    pub(super) is_whole: bool,
}

/// The candidates for the word that ends at the end of `line`, which is the line up to the cursor.
pub(super) fn complete(line: &str, context: &Context, vocabulary: &Vocabulary) -> Vec<Candidate> {
    match context {
        Context::Value(schema) => {
            let start = line.len() - line.trim_start().len();
            matching(&line[start..], start, values(schema), false)
        }
        Context::Command => of_command(line, vocabulary),
    }
}

type Offer = (String, String);

fn of_command(line: &str, vocabulary: &Vocabulary) -> Vec<Candidate> {
    let trimmed = line.trim_start();
    let Some((word, rest)) = trimmed.split_once(char::is_whitespace) else {
        let start = line.len() - trimmed.len();
        return matching(trimmed, start, commands(vocabulary), true);
    };
    let names = match word {
        "help" | "?" => {
            return last(line, commands(vocabulary));
        }
        "tools" | "tool" | "call" => &vocabulary.tools,
        "scenarios" | "scenario" | "run" | "setup" | "start" => &vocabulary.scenarios,
        "prompt" => &vocabulary.prompts,
        "read" => {
            let uris = vocabulary.resources.iter().cloned();
            return last(line, uris.map(|uri| (uri, String::new())).collect());
        }
        _ => return Vec::new(),
    };
    let rest = rest.trim_start();
    let Some((name, arguments)) = rest.split_once(char::is_whitespace) else {
        let offers = names
            .iter()
            .map(|named| (named.name.clone(), named.description.clone()))
            .collect();
        return matching(rest, line.len() - rest.len(), offers, true);
    };
    let takes_arguments = matches!(word, "call" | "run" | "setup" | "start" | "prompt");
    match names.iter().find(|named| named.name == name) {
        Some(one) if takes_arguments && !arguments.trim_start().starts_with('{') => {
            of_arguments(line, arguments, one)
        }
        _ => Vec::new(),
    }
}

fn of_arguments(line: &str, arguments: &str, named: &Named) -> Vec<Candidate> {
    let word = arguments
        .rsplit(char::is_whitespace)
        .next()
        .unwrap_or_default();
    let start = line.len() - word.len();
    if let Some((name, value)) = word.split_once('=') {
        let parameter = named.parameters.iter().find(|known| known.name == name);
        let offers = parameter.map_or_else(Vec::new, |parameter| values(&parameter.schema));
        let offers = offers
            .into_iter()
            .map(|(value, description)| (quoted(&value), description))
            .collect();
        return matching(value, start + name.len() + 1, offers, true);
    }
    let offers = named
        .parameters
        .iter()
        .filter(|parameter| !arguments.contains(&format!("{}=", parameter.name)))
        .map(|parameter| (format!("{}=", parameter.name), parameter.signature()))
        .collect();
    matching(word, start, offers, false)
}

fn commands(vocabulary: &Vocabulary) -> Vec<Offer> {
    COMMANDS
        .iter()
        .map(|(name, _, does)| ((*name).to_owned(), (*does).to_owned()))
        .chain(
            vocabulary
                .own
                .iter()
                .map(|name| (name.clone(), String::new())),
        )
        .collect()
}

fn last(line: &str, offers: Vec<Offer>) -> Vec<Candidate> {
    let word = line.rsplit(char::is_whitespace).next().unwrap_or_default();
    matching(word, line.len() - word.len(), offers, true)
}

fn matching(word: &str, start: usize, offers: Vec<Offer>, is_whole: bool) -> Vec<Candidate> {
    offers
        .into_iter()
        .filter(|(value, _)| value.starts_with(word))
        .map(|(value, description)| Candidate {
            value,
            description: text::one_line(&description, 60),
            start,
            is_whole,
        })
        .collect()
}

/// The values that a schema names: of an enumeration, `true` and `false`, the default.
fn values(schema: &Value) -> Vec<Offer> {
    let mut found = Vec::new();
    named_values(schema, schema, 4, &mut found);
    if let Some(default) = schema.get("default").filter(|default| !default.is_null()) {
        add(&mut found, default, "default");
    }
    found
}

fn named_values(schema: &Value, root: &Value, depth: usize, found: &mut Vec<Offer>) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    let schema = resolved(schema, root);
    if let Some(only) = schema.get("const") {
        add(found, only, "");
    }
    for value in schema["enum"].as_array().into_iter().flatten() {
        add(found, value, "");
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for option in schema[key].as_array().into_iter().flatten() {
            named_values(option, root, depth, found);
        }
    }
    if schema["type"] == "boolean" {
        for value in [true, false] {
            add(found, &Value::Bool(value), "");
        }
    }
}

fn add(found: &mut Vec<Offer>, value: &Value, description: &str) {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if !found.iter().any(|(known, _)| *known == text) {
        found.push((text, description.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::schema;

    fn vocabulary() -> Vocabulary {
        let named = |name: &str, schema: Value| Named {
            name: name.to_owned(),
            description: format!("what {name} does"),
            parameters: schema::parameters(&schema),
        };
        Vocabulary {
            tools: vec![
                named(
                    "ship",
                    json!({"properties": {
                        "status": {"enum": ["open", "on hold"]},
                        "fast": {"type": "boolean"},
                        "note": {"type": "string"},
                    }}),
                ),
                named("show", json!({})),
            ],
            scenarios: vec![named(
                "initials",
                json!({"properties": {"company": {"type": "string"}}}),
            )],
            resources: vec!["shop://rules".to_owned()],
            own: vec!["reload".to_owned()],
            ..Vocabulary::default()
        }
    }

    fn check(line: &str, expected: &[&str]) {
        let vocabulary = vocabulary();
        let found: Vec<String> = complete(line, &Context::Command, &vocabulary)
            .into_iter()
            .map(|candidate| format!("{}{}", &line[..candidate.start], candidate.value))
            .collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn commands_names_parameters_and_values_are_completed() {
        check("re", &["resources", "read", "reset", "reload"]);
        check("call s", &["call ship", "call show"]);
        check("  call sho", &["  call show"]);
        check("run ", &["run initials"]);
        check("run initials ", &["run initials company="]);
        check(
            "call ship ",
            &["call ship status=", "call ship fast=", "call ship note="],
        );
        check(
            "call ship status=",
            &["call ship status=open", "call ship status=\"on hold\""],
        );
        check(
            "call ship status=open ",
            &["call ship status=open fast=", "call ship status=open note="],
        );
        check("call ship fast=t", &["call ship fast=true"]);
        check("call ship note=", &[]);
        check("call ship {\"", &[]);
        check("read s", &["read shop://rules"]);
        check("help ca", &["help call"]);
        check("answer x", &[]);
        check("nothing x", &[]);
    }

    #[test]
    fn a_value_is_completed_by_its_schema() {
        let check = |typed: &str, schema: Value, expected: &[&str]| {
            let found: Vec<String> =
                complete(typed, &Context::Value(schema), &Vocabulary::default())
                    .into_iter()
                    .map(|candidate| candidate.value)
                    .collect();
            assert_eq!(found, expected, "{typed}");
        };
        check("", json!({"enum": ["a b", "c"]}), &["a b", "c"]);
        check(
            "t",
            json!({"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
            &["true"],
        );
        check("", json!({"type": "integer", "default": 3}), &["3"]);
        check(
            "",
            json!({"$ref": "#/$defs/S", "$defs": {"S": {"enum": ["x"]}}}),
            &["x"],
        );
    }
}
