//! Which tool is called, and whether its answer keeps its promises.

use serde_json::{Map, Value};

use crate::cli::schema;
use crate::mcp::Client;
use crate::message::{Arguments, Content, ToolCall};
use crate::util::{suggest, text};

use super::sample;
use super::stage::{Found, Outcome};

/// A call that was asked for, or that can do no harm.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    name: String,
    arguments: Map<String, Value>,
    /// Nobody gave the arguments: an error may be the right answer to them.
    is_made_up: bool,
    output_schema: Option<Value>,
}

/// The tool that the user names, with arguments given or made up; without a name the first that says it only reads and whose arguments can be
/// made up.
pub(super) fn choose(
    named: Option<&str>,
    arguments: Option<&Map<String, Value>>,
    tools: &[Value],
) -> Result<Call, Outcome> {
    if let Some(name) = named {
        return by_name(name, arguments, tools);
    }
    let read_only: Vec<&Value> = tools
        .iter()
        .filter(|tool| tool["annotations"]["readOnlyHint"] == true)
        .collect();
    let of = |tool: &Value| call(tool, None);
    let harmless = read_only
        .iter()
        .filter_map(|tool| of(tool))
        // One that needs no arguments can answer something useful.
        .min_by_key(|call| call.is_made_up);
    harmless.ok_or_else(|| {
        Outcome::Skipped(if tools.is_empty() {
            "there are no tools".to_owned()
        } else if let Some(first) = read_only.first() {
            format!(
                "arguments of `{}` cannot be made up; call it with --call {} --args JSON",
                name_of(first),
                name_of(first)
            )
        } else {
            "no tool says that it only reads (readOnlyHint), and others are not called unasked; choose one with --call NAME --args JSON"
                .to_owned()
        })
    })
}

fn by_name(
    name: &str,
    arguments: Option<&Map<String, Value>>,
    tools: &[Value],
) -> Result<Call, Outcome> {
    let Some(tool) = tools.iter().find(|tool| name_of(tool) == name) else {
        let names = tools.iter().map(name_of);
        return Err(Outcome::Mistake(format!(
            "--call: there is no tool `{name}`{}",
            suggest::did_you_mean(name, names)
        )));
    };
    let call = call(tool, arguments).ok_or_else(|| {
        Outcome::Mistake(format!(
            "--call: `{name}` needs arguments that cannot be made up: {}\nhint: give them with --args JSON",
            schema::signatures(&schema::parameters(&tool["inputSchema"]))
        ))
    })?;
    schema::check(&Value::Object(call.arguments.clone()), &tool["inputSchema"])
        .map_err(|problem| Outcome::Mistake(format!("--args: {problem}")))?;
    Ok(call)
}

fn call(tool: &Value, arguments: Option<&Map<String, Value>>) -> Option<Call> {
    let (arguments, is_made_up) = match arguments {
        Some(given) => (given.clone(), false),
        None => {
            let made = sample::arguments(&schema::parameters(&tool["inputSchema"]))?;
            let is_made_up = !made.is_empty();
            (made, is_made_up)
        }
    };
    Some(Call {
        name: name_of(tool).to_owned(),
        arguments,
        is_made_up,
        output_schema: tool
            .get("outputSchema")
            .filter(|schema| !schema.is_null())
            .cloned(),
    })
}

fn name_of(tool: &Value) -> &str {
    tool["name"].as_str().unwrap_or_default()
}

/// Calls the tool.
pub(super) async fn run(client: &Client, call: &Call) -> Result<Found, Outcome> {
    let request = ToolCall {
        id: "debug".to_owned(),
        name: call.name.clone(),
        arguments: Arguments::Object {
            value: call.arguments.clone(),
        },
        opaque: None,
    };
    let result = client
        .call_tool(&request, None)
        .await
        .map_err(|error| Outcome::failed(format!("calling `{}` failed: {error}", call.name)))?;
    let words = Content::join_text(&result.content);
    let shown = format!(
        "{}({})",
        call.name,
        text::one_line(&written(&call.arguments), 60)
    );
    if result.is_error {
        if !call.is_made_up {
            return Err(Outcome::failed(format!(
                "{shown} answered with an error: {}",
                text::strip_control(&words)
            )));
        }
        return Ok(Found {
            detail: format!("{shown} answered"),
            remarks: vec![format!(
                "it answered made-up arguments with an error, which may be right: {}",
                text::one_line(&words, 200)
            )],
        });
    }
    if let Some(schema) = &call.output_schema {
        let Some(structured) = &result.structured else {
            return Err(Outcome::failed(format!(
                "`{}` declares an output schema and answers without structured content, which clients refuse",
                call.name
            )));
        };
        schema::check(structured, schema).map_err(|problem| {
            Outcome::failed(format!(
                "the structured content of `{}` is not what its output schema says: {problem}",
                call.name
            ))
        })?;
    }
    Ok(Found::new(format!(
        "{shown} answered {}",
        match words.trim() {
            "" => "without text".to_owned(),
            words => format!("`{}`", text::one_line(words, 60)),
        }
    )))
}

/// `a=1, b="x"`.
fn written(arguments: &Map<String, Value>) -> String {
    arguments
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str, read_only: bool, required: &[&str], kind: &str) -> Value {
        let properties: Map<String, Value> = required
            .iter()
            .map(|name| ((*name).to_owned(), json!({"type": kind, "pattern": "x"})))
            .collect();
        json!({
            "name": name,
            "annotations": {"readOnlyHint": read_only},
            "inputSchema": {"type": "object", "properties": properties, "required": required},
        })
    }

    #[test]
    fn only_tools_that_read_are_called_unasked() {
        let check = |tools: &[Value], expected: Result<&str, &str>| match (
            choose(None, None, tools),
            expected,
        ) {
            (Ok(call), Ok(expected)) => assert_eq!(call.name, expected),
            (Err(Outcome::Skipped(why)), Err(expected)) => {
                assert!(why.contains(expected), "{why}");
            }
            (got, expected) => panic!("{got:?} is not {expected:?}"),
        };
        check(&[], Err("no tools"));
        check(&[tool("write", false, &[], "")], Err("readOnlyHint"));
        check(
            &[
                tool("write", false, &[], ""),
                tool("read", true, &["n"], "integer"),
            ],
            Ok("read"),
        );
        check(
            &[
                tool("by_number", true, &["n"], "integer"),
                tool("all", true, &[], ""),
            ],
            Ok("all"),
        );
        check(
            &[tool("read", true, &["n"], "string")],
            Err("--call read --args JSON"),
        );
    }

    #[test]
    fn what_is_asked_for_is_checked_first() {
        let tools = [tool("lookup", false, &["n"], "string")];
        let check = |name: &str, arguments: Option<Value>, expected: &str| {
            let arguments = arguments.and_then(|value| value.as_object().cloned());
            let Err(Outcome::Mistake(message)) = choose(Some(name), arguments.as_ref(), &tools)
            else {
                panic!("{name} was accepted");
            };
            assert!(message.contains(expected), "{message}");
        };
        check("lokup", None, "did you mean 'lookup'?");
        check(
            "lookup",
            None,
            "needs arguments that cannot be made up: n: string",
        );
        check("lookup", Some(json!({})), "\"n\" is a required property");
    }
}
