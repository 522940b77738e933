//! Arguments, asked for one by one.

use serde_json::{Map, Value};

use super::command::Given;
use super::complete::Context;
use super::lines::{Line, Lines};
use crate::cli::failure::Failure;
use crate::cli::schema::{self, Parameter};
use crate::ui::{Printer, Tone};
use crate::util::text;

/// Why there are no arguments.
#[derive(Debug)]
pub(super) enum NoArguments {
    /// Ctrl-C, Ctrl-D.
    GivenUp,
    /// What was given is wrong, in words; nobody is there to ask again.
    Wrong(String),
    /// The input failed.
    Failed(Failure),
}

impl From<Failure> for NoArguments {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The arguments for `parameters`: what was given, and for what is missing the answers of the person.
pub(super) async fn arguments(
    parameters: &[Parameter],
    given: Given,
    lines: &mut Lines,
    printer: &Printer,
) -> Result<Map<String, Value>, NoArguments> {
    let (mut arguments, asks_all) = match given {
        Given::Nothing => (Map::new(), true),
        Given::Json(arguments) => {
            let mistakes = schema::check_arguments(&arguments, parameters);
            return if mistakes.is_empty() {
                Ok(arguments)
            } else {
                Err(NoArguments::Wrong(mistakes.join("\n")))
            };
        }
        Given::Pairs(pairs) => (read(&pairs, parameters)?, false),
    };
    for parameter in in_order(parameters) {
        if arguments.contains_key(&parameter.name) || !(asks_all || parameter.required) {
            continue;
        }
        if let Some(value) = ask(parameter, lines, printer).await? {
            arguments.insert(parameter.name.clone(), value);
        }
    }
    Ok(arguments)
}

/// What must be given comes first.
fn in_order(parameters: &[Parameter]) -> impl Iterator<Item = &Parameter> {
    let required = parameters.iter().filter(|parameter| parameter.required);
    let optional = parameters.iter().filter(|parameter| !parameter.required);
    required.chain(optional)
}

fn read(
    pairs: &[(String, String)],
    parameters: &[Parameter],
) -> Result<Map<String, Value>, NoArguments> {
    let mut arguments = Map::new();
    let mut mistakes = Vec::new();
    for (name, typed) in pairs {
        let Some(parameter) = parameters.iter().find(|known| known.name == *name) else {
            // Its message has the near names.
            let alone = Map::from_iter([(name.clone(), Value::Null)]);
            mistakes.extend(
                schema::check_arguments(&alone, parameters)
                    .into_iter()
                    .take(1),
            );
            continue;
        };
        match schema::read_value(typed, &parameter.schema) {
            Ok(value) => {
                arguments.insert(name.clone(), value);
            }
            Err(problem) => mistakes.push(format!("{name}: {problem}")),
        }
    }
    if mistakes.is_empty() {
        Ok(arguments)
    } else {
        Err(NoArguments::Wrong(mistakes.join("\n")))
    }
}

/// One value; nothing when it is left out.
async fn ask(
    parameter: &Parameter,
    lines: &mut Lines,
    printer: &Printer,
) -> Result<Option<Value>, NoArguments> {
    let description = parameter.description();
    if lines.is_terminal() && !description.is_empty() {
        let line = text::one_line(description, printer.width().saturating_sub(3));
        printer.talk(&printer.paint().tone(Tone::Dim, &format!("  {line}")));
    }
    let prompt = prompt(parameter);
    loop {
        let line = lines
            .read(&prompt, Context::Value(parameter.schema.clone()))
            .await?;
        let typed = match line {
            Line::Text(typed) => typed,
            Line::End if !lines.is_terminal() => {
                return Err(NoArguments::Wrong(format!(
                    "the input ended where the value of `{}` should be",
                    parameter.name
                )));
            }
            Line::Interrupted | Line::End => return Err(NoArguments::GivenUp),
        };
        match understood(typed.trim(), parameter) {
            Ok(value) => return Ok(value),
            Err(problem) if lines.is_terminal() => printer.error(&problem),
            Err(problem) => {
                return Err(NoArguments::Wrong(format!("{}: {problem}", parameter.name)));
            }
        }
    }
}

fn understood(typed: &str, parameter: &Parameter) -> Result<Option<Value>, String> {
    if !typed.is_empty() {
        return schema::read_value(typed, &parameter.schema).map(Some);
    }
    if !parameter.required {
        // Left out, the environment takes its own default.
        return Ok(None);
    }
    if let Some(default) = &parameter.default {
        return Ok(Some(default.clone()));
    }
    let hint = if schema::read_value("\"\"", &parameter.schema).is_ok() {
        "; write \"\" for an empty text"
    } else {
        ""
    };
    Err(format!("a value is needed{hint}"))
}

/// `  year (integer) [2026]`, `  tag (string, optional)`.
fn prompt(parameter: &Parameter) -> String {
    let name = text::one_line(&parameter.name, 60);
    let kind = text::one_line(&schema::type_name(&parameter.schema), 60);
    match &parameter.default {
        Some(Value::Null) => format!("  {name} ({kind}, optional)"),
        Some(default) => {
            let default = text::one_line(&default.to_string(), 40);
            format!("  {name} ({kind}) [{default}]")
        }
        None if parameter.required => format!("  {name} ({kind})"),
        None => format!("  {name} ({kind}, optional)"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ui::{Options, Terminal};

    async fn check(given: Given, input: &'static str, expected: Result<Value, &str>) {
        let parameters = schema::parameters(&json!({
            "properties": {
                "limit": {"type": "integer", "default": 10},
                "company": {"type": "string"},
                "status": {"enum": ["open", "done"]},
                "tag": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null},
            },
            "required": ["company", "status"],
        }));
        let (printer, _) = Printer::memory(Options::default(), Terminal::default());
        let mut lines = Lines::plain(input.as_bytes());
        let got = arguments(&parameters, given, &mut lines, &printer).await;
        match (got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(Value::Object(got), expected),
            (Err(NoArguments::Wrong(got)), Err(expected)) => assert_eq!(got, expected),
            (got, expected) => panic!("{got:?} is not {expected:?}"),
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

    #[tokio::test]
    async fn what_is_not_given_is_asked_for() {
        // Required ones first; an empty line leaves an optional one out.
        check(
            Given::Nothing,
            "HUD\nopen\n7\n\n",
            Ok(json!({"company": "HUD", "status": "open", "limit": 7})),
        )
        .await;
        check(
            pairs(&[("company", "HUD")]),
            "done\n",
            Ok(json!({"company": "HUD", "status": "done"})),
        )
        .await;
        check(
            pairs(&[("company", "1"), ("status", "open"), ("limit", "3")]),
            "",
            Ok(json!({"company": "1", "status": "open", "limit": 3})),
        )
        .await;
        let json = json!({"company": "HUD", "status": "open"});
        check(
            Given::Json(json.as_object().cloned().unwrap()),
            "",
            Ok(json),
        )
        .await;
    }

    #[tokio::test]
    async fn what_is_wrong_is_said() {
        check(
            Given::Nothing,
            "HUD\nclosed\n",
            Err("status: expected \"open\" | \"done\", not `closed`"),
        )
        .await;
        check(
            Given::Nothing,
            "\n",
            Err("company: a value is needed; write \"\" for an empty text"),
        )
        .await;
        check(
            Given::Nothing,
            "HUD\n",
            Err("the input ended where the value of `status` should be"),
        )
        .await;
        check(
            pairs(&[("compny", "x"), ("limit", "many")]),
            "",
            Err("there is no argument 'compny'; did you mean 'company'?\nlimit: expected integer, not `many`"),
        )
        .await;
        check(
            Given::Json(json!({"company": 1}).as_object().cloned().unwrap()),
            "",
            Err("argument 'company': 1 is not of type \"string\"\nargument 'status' is missing"),
        )
        .await;
    }

    #[test]
    fn prompts_say_what_is_wanted() {
        let shown = |schema: Value| {
            let parameters = schema::parameters(&schema);
            prompt(&parameters[0])
        };
        assert_eq!(
            shown(json!({"properties": {"a": {"type": "integer"}}, "required": ["a"]})),
            "  a (integer)"
        );
        assert_eq!(
            shown(json!({"properties": {"a": {"type": "integer", "default": 3}}})),
            "  a (integer) [3]"
        );
        assert_eq!(
            shown(json!({"properties": {"a": {"type": "string"}}})),
            "  a (string, optional)"
        );
    }
}
