//! A task's arguments against what its scenario declares, before the first rollout starts.

use std::fmt::Write;

use serde_json::Value;

use super::{Location, Task, TaskError};
use crate::util::diagnostic::shown;
use crate::util::suggest;

/// A parameter of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Whether it must be given.
    pub required: bool,
    /// JSON Schema of its values, when the environment tells.
    pub schema: Option<Value>,
}

/// Everything that is wrong with the arguments: unknown ones, missing ones, wrong values.
pub fn check(task: &Task, parameters: &[Parameter]) -> Vec<TaskError> {
    let scenario = shown(task.scenario.as_deref().unwrap_or_default());
    let slug = shown(&task.slug);
    let mut errors = Vec::new();
    let mut error = |location: &Location, message: String| {
        errors.push(TaskError {
            location: location.clone(),
            message,
        });
    };
    for (name, value) in &task.args {
        let at = task.arg_locations.get(name).unwrap_or(&task.location);
        let Some(parameter) = parameters.iter().find(|known| known.name == *name) else {
            error(
                at,
                format!(
                    "scenario '{scenario}' has no argument '{}' (in task '{slug}'){}",
                    shown(name),
                    offer(name, parameters)
                ),
            );
            continue;
        };
        for problem in problems(value, parameter.schema.as_ref()) {
            error(
                at,
                format!("argument '{}{problem} (in task '{slug}')", shown(name)),
            );
        }
    }
    for parameter in parameters {
        if parameter.required && !task.args.contains_key(&parameter.name) {
            error(
                &task.location,
                format!(
                    "scenario '{scenario}' needs the argument '{}' (in task '{slug}')",
                    shown(&parameter.name)
                ),
            );
        }
    }
    errors
}

/// What may have been meant, else everything that there is.
fn offer(name: &str, parameters: &[Parameter]) -> String {
    let names = || parameters.iter().map(|parameter| parameter.name.as_str());
    match (suggest::did_you_mean(name, names()), parameters.len()) {
        (near, _) if !near.is_empty() => near,
        (_, 0) => "; it takes none".to_owned(),
        (_, 1..=6) => format!("; it takes {}", names().collect::<Vec<_>>().join(", ")),
        (near, _) => near,
    }
}

/// What the schema finds, each as `.path' reason`, to follow the argument's name.
fn problems(value: &Value, schema: Option<&Value>) -> Vec<String> {
    // A schema that does not compile is the environment's mistake and no reason to refuse the task.
    let Some(validator) = schema.and_then(|schema| jsonschema::validator_for(schema).ok()) else {
        return Vec::new();
    };
    if validator.is_valid(value) {
        return Vec::new();
    }
    // Arguments travel as strings, so the environment decodes "5" where it wants an integer, and Python hud's tasks count on it.
    if let Value::String(text) = value
        && serde_json::from_str(text).is_ok_and(|decoded| validator.is_valid(&decoded))
    {
        return Vec::new();
    }
    validator
        .iter_errors(value)
        .map(|error| {
            let mut path = String::new();
            for segment in error.instance_path() {
                match segment {
                    jsonschema::paths::LocationSegment::Property(name) => {
                        path.push('.');
                        path.push_str(&shown(&name));
                    }
                    jsonschema::paths::LocationSegment::Index(index) => {
                        // Writing to a string cannot fail.
                        let _ = write!(path, "[{index}]");
                    }
                }
            }
            let value = error.instance().to_string();
            let reason = error.to_string();
            // The value comes first in most reasons, and may be a whole document.
            let reason = match reason.strip_prefix(&value) {
                Some(rest) => format!("{}{rest}", shown(&value)),
                None => reason,
            };
            format!("{path}': {reason}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::task::{AgentConfig, EnvironmentSpec};

    fn check_args(args: Value, expected: &[&str]) {
        let parameter = |name: &str, required, schema| Parameter {
            name: name.to_owned(),
            required,
            schema,
        };
        let parameters = [
            parameter(
                "company",
                true,
                Some(json!({"type": "string", "maxLength": 5})),
            ),
            parameter("count", false, Some(json!({"type": "integer"}))),
            parameter(
                "items",
                false,
                Some(json!({
                    "type": "array", "items": {"$ref": "#/$defs/Item"},
                    "$defs": {"Item": {"type": "object", "properties": {"qty": {"type": "integer"}}, "required": ["sku"]}},
                })),
            ),
            parameter("any", false, None),
            parameter("broken", false, Some(json!({"type": 3}))),
        ];
        let location = |line| Location {
            file: "tasks.yaml".into(),
            line,
            column: 3,
        };
        let Value::Object(args) = args else {
            panic!("arguments are an object");
        };
        let task = Task {
            slug: "t".to_owned(),
            slug_given: true,
            env: EnvironmentSpec::Servers {
                servers: Vec::new(),
            },
            scenario: Some("initials".to_owned()),
            arg_locations: args.keys().cloned().zip((2..).map(location)).collect(),
            args,
            prompt: None,
            setup: Vec::new(),
            evaluate: Vec::new(),
            agent: AgentConfig::default(),
            solution: None,
            metadata: serde_json::Map::new(),
            columns: serde_json::Map::new(),
            runtime_config: None,
            location: location(1),
        };
        let found: Vec<_> = check(&task, &parameters)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn right_arguments_pass() {
        check_args(json!({"company": "HUD"}), &[]);
        check_args(
            json!({"company": "HUD", "count": 3, "any": [1], "broken": 1}),
            &[],
        );
        check_args(
            json!({"company": "HUD", "items": [{"sku": "a", "qty": 1}]}),
            &[],
        );
        // As strings they travel.
        check_args(
            json!({"company": "HUD", "count": "3", "items": "[{\"sku\": \"a\"}]"}),
            &[],
        );
    }

    #[test]
    fn wrong_arguments_are_named_with_their_place() {
        check_args(
            json!({"compny": "HUD", "count": "three"}),
            &[
                "tasks.yaml:2:3: scenario 'initials' has no argument 'compny' (in task 't'); did you mean 'company'?",
                "tasks.yaml:3:3: argument 'count': \"three\" is not of type \"integer\" (in task 't')",
                "tasks.yaml:1:3: scenario 'initials' needs the argument 'company' (in task 't')",
            ],
        );
        check_args(
            json!({"company": "x".repeat(100), "items": [{"sku": "a"}, {"qty": "b"}], "zzz": 1}),
            &[
                "tasks.yaml:2:3: argument 'company': \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… is longer than 5 characters (in task 't')",
                "tasks.yaml:3:3: argument 'items[1]': \"sku\" is a required property (in task 't')",
                "tasks.yaml:3:3: argument 'items[1].qty': \"b\" is not of type \"integer\" (in task 't')",
                "tasks.yaml:4:3: scenario 'initials' has no argument 'zzz' (in task 't'); it takes company, count, items, any, broken",
            ],
        );
    }
}
