//! JSON Schemas of tools and scenarios, for people: types in a few characters, and the parameters behind an object schema.

use serde_json::{Map, Value};

use crate::environment::Argument;
use crate::util::{suggest, text};

/// How deep references are followed: a type that holds itself must end somewhere.
const DEPTH: usize = 8;

/// A parameter of a tool or a scenario.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameter {
    /// Its name.
    pub(super) name: String,
    /// Its schema, with the definitions that it refers to.
    pub(super) schema: Value,
    /// Whether it must be given.
    pub(super) required: bool,
    /// What counts when it is not given.
    pub(super) default: Option<Value>,
}

impl Parameter {
    /// `name: type`, `name: type = default`, `name?: type`.
    pub(super) fn signature(&self) -> String {
        let kind = type_name(&self.schema);
        match &self.default {
            // In Python the usual way to say that something may be left out.
            Some(Value::Null) => {
                let kind = kind.strip_suffix(" | null").unwrap_or(&kind);
                format!("{}?: {kind}", self.name)
            }
            Some(default) => format!("{}: {kind} = {default}", self.name),
            None if self.required => format!("{}: {kind}", self.name),
            None => format!("{}?: {kind}", self.name),
        }
    }

    /// What it is, in the schema's words.
    pub(super) fn description(&self) -> &str {
        self.schema["description"].as_str().unwrap_or_default()
    }
}

/// The parameters of an object schema, in its order.
pub(super) fn parameters(schema: &Value) -> Vec<Parameter> {
    let required = |name: &str| {
        schema["required"]
            .as_array()
            .is_some_and(|names| names.iter().any(|required| required == name))
    };
    schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, property)| Parameter {
            name: name.clone(),
            schema: with_definitions(property, schema),
            required: required(name),
            default: property.get("default").cloned(),
        })
        .collect()
}

/// The parameters of a scenario.
pub(super) fn of_arguments(arguments: &[Argument]) -> Vec<Parameter> {
    arguments
        .iter()
        .map(|argument| Parameter {
            name: argument.name.clone(),
            schema: argument
                .schema
                .clone()
                .unwrap_or_else(|| Value::Object(Map::new())),
            required: argument.required,
            default: argument.default.clone(),
        })
        .collect()
}

/// All signatures, as they would stand between parentheses.
pub(super) fn signatures(parameters: &[Parameter]) -> String {
    parameters
        .iter()
        .map(Parameter::signature)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Whether `schema` accepts `value`.
///
/// # Errors
/// In words, with the path within the value: `.items[1]: "x" is not of type "integer"`. A schema that is none accepts everything: that is its
/// author's mistake.
pub(super) fn check(value: &Value, schema: &Value) -> Result<(), String> {
    let Ok(validator) = jsonschema::validator_for(schema) else {
        return Ok(());
    };
    let Some(error) = validator.iter_errors(value).next() else {
        return Ok(());
    };
    let mut path = String::new();
    for segment in error.instance_path() {
        match segment {
            jsonschema::paths::LocationSegment::Property(name) => {
                path.push_str(&format!(".{name}"));
            }
            jsonschema::paths::LocationSegment::Index(index) => {
                path.push_str(&format!("[{index}]"));
            }
        }
    }
    let reason = text::one_line(&error.to_string(), 200);
    Err(if path.is_empty() {
        reason
    } else {
        format!("{path}: {reason}")
    })
}

/// Everything that is wrong with the arguments of a scenario: unknown ones, missing ones, wrong values.
pub(super) fn check_arguments(
    arguments: &Map<String, Value>,
    parameters: &[Parameter],
) -> Vec<String> {
    let mut mistakes = Vec::new();
    for (name, value) in arguments {
        let Some(parameter) = parameters.iter().find(|known| known.name == *name) else {
            let names = || parameters.iter().map(|known| known.name.as_str());
            let near = suggest::did_you_mean(name, names());
            let known = match parameters {
                [] => "; it takes none".to_owned(),
                _ if near.is_empty() => format!("; it takes ({})", signatures(parameters)),
                _ => near,
            };
            mistakes.push(format!("there is no argument '{name}'{known}"));
            continue;
        };
        // Arguments travel as text, so the environment decodes "5" where it wants a number.
        let decodes = match value {
            Value::String(text) => read_value(text, &parameter.schema).is_ok(),
            _ => false,
        };
        if let Err(problem) = check(value, &parameter.schema)
            && !decodes
        {
            mistakes.push(format!("argument '{name}': {problem}"));
        }
    }
    for parameter in parameters {
        if parameter.required && !arguments.contains_key(&parameter.name) {
            mistakes.push(format!("argument '{}' is missing", parameter.name));
        }
    }
    mistakes
}

/// What a person means by `typed` where `schema` says what is wanted: text is taken as it is where text is accepted (in quotes it is JSON),
/// everything else is JSON.
///
/// # Errors
/// In words: what was expected.
pub(super) fn read_value(typed: &str, schema: &Value) -> Result<Value, String> {
    let json: Option<Value> = serde_json::from_str(typed).ok();
    let text = Value::String(typed.to_owned());
    let accepts = |value: &Value| check(value, schema).is_ok();
    let wants_anything = type_name(schema) == "any";
    let candidates = match &json {
        // Quotes are a way to write a text that is empty or looks like something else.
        Some(quoted @ Value::String(_)) => vec![quoted, &text],
        Some(other) if wants_anything => vec![other],
        Some(other) => vec![&text, other],
        None => vec![&text],
    };
    if let Some(value) = candidates.iter().find(|value| accepts(value)) {
        return Ok((*value).clone());
    }
    let kind = type_name(schema);
    let shown = text::one_line(typed, 60);
    Err(match json {
        // It is of the right kind, or near to it: the schema's own reason says more.
        Some(value) if !matches!(value, Value::String(_)) => match check(&value, schema) {
            Err(reason) => format!("expected {kind}: {reason}"),
            Ok(()) => format!("expected {kind}, not `{shown}`"),
        },
        _ => match check(&text, schema) {
            Err(reason) if kind == "string" => reason,
            _ => format!("expected {kind}, not `{shown}`"),
        },
    })
}

/// A part of `root` that can stand alone.
fn with_definitions(part: &Value, root: &Value) -> Value {
    let mut part = part.clone();
    if let Value::Object(fields) = &mut part {
        for key in ["$defs", "definitions"] {
            if let Some(definitions) = root.get(key)
                && !fields.contains_key(key)
            {
                fields.insert(key.to_owned(), definitions.clone());
            }
        }
    }
    part
}

/// `schema` itself, or what it refers to within `root`.
pub(super) fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let mut at = schema;
    for _ in 0..DEPTH {
        let Some(pointer) = at["$ref"].as_str().and_then(|name| name.strip_prefix('#')) else {
            return at;
        };
        match root.pointer(pointer) {
            Some(target) => at = target,
            None => return at,
        }
    }
    at
}

/// The type that a schema describes: `string`, `"a" | "b"`, `integer[]`, `string | null`, `any`.
pub(super) fn type_name(schema: &Value) -> String {
    name_within(schema, schema, DEPTH)
}

fn name_within(schema: &Value, root: &Value, depth: usize) -> String {
    let named = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next());
    let schema = resolved(schema, root);
    let Some(depth) = depth.checked_sub(1) else {
        return named.unwrap_or("any").to_owned();
    };
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(values) = schema["enum"].as_array() {
        return union(values.iter().map(Value::to_string));
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(options) = schema[key].as_array() {
            return union(options.iter().map(|one| name_within(one, root, depth)));
        }
    }
    if let Some([only]) = schema["allOf"].as_array().map(Vec::as_slice) {
        return name_within(only, root, depth);
    }
    match &schema["type"] {
        Value::String(kind) => match kind.as_str() {
            "array" => list(schema, root, depth),
            "object" => object(schema, root, depth, named),
            other => other.to_owned(),
        },
        Value::Array(kinds) => union(
            kinds
                .iter()
                .map(|kind| kind.as_str().unwrap_or("any").to_owned()),
        ),
        _ if schema.get("properties").is_some() => object(schema, root, depth, named),
        _ => "any".to_owned(),
    }
}

fn list(schema: &Value, root: &Value, depth: usize) -> String {
    match schema.get("items") {
        Some(items @ Value::Object(_)) => {
            let item = name_within(items, root, depth);
            if item.contains(" | ") {
                format!("({item})[]")
            } else {
                format!("{item}[]")
            }
        }
        _ => "any[]".to_owned(),
    }
}

fn object(schema: &Value, root: &Value, depth: usize, named: Option<&str>) -> String {
    if let Some(name) = named.or(schema["title"].as_str()) {
        return name.to_owned();
    }
    match schema.get("additionalProperties") {
        Some(values @ Value::Object(_)) if schema.get("properties").is_none() => {
            format!("{{string: {}}}", name_within(values, root, depth))
        }
        _ => "object".to_owned(),
    }
}

/// Each option once.
fn union(options: impl Iterator<Item = String>) -> String {
    let mut distinct: Vec<String> = Vec::new();
    for option in options {
        if !distinct.contains(&option) {
            distinct.push(option);
        }
    }
    distinct.join(" | ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: &Value, expected: &str) {
        assert_eq!(type_name(schema), expected, "{schema}");
    }

    #[test]
    fn types_are_short() {
        check(&json!({"type": "string"}), "string");
        check(&json!({"enum": ["a", "b", 1]}), r#""a" | "b" | 1"#);
        check(&json!({"const": true}), "true");
        check(
            &json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
            "integer | null",
        );
        check(&json!({"type": ["string", "null"]}), "string | null");
        check(
            &json!({"type": "array", "items": {"type": "number"}}),
            "number[]",
        );
        check(
            &json!({"type": "array", "items": {"enum": ["a", "b"]}}),
            r#"("a" | "b")[]"#,
        );
        check(&json!({"type": "array"}), "any[]");
        check(&json!({"type": "object"}), "object");
        check(
            &json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            "{string: integer}",
        );
        check(&json!({"type": "object", "title": "Order"}), "Order");
        check(&json!({}), "any");
        check(&json!(true), "any");
    }

    #[test]
    fn references_are_followed_and_end() {
        let node = json!({
            "$ref": "#/$defs/Node",
            "$defs": {"Node": {
                "type": "object",
                "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}},
            }},
        });
        check(&node, "Node");
        check(
            &json!({"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}]}}}),
            "A",
        );
        check(
            &json!({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}),
            "any",
        );
        check(&json!({"$ref": "#/nowhere"}), "any");
    }

    #[test]
    fn arguments_are_checked_as_a_whole() {
        let parameters = parameters(&json!({
            "properties": {"company": {"type": "string"}, "year": {"type": "integer"}},
            "required": ["company"],
        }));
        let check = |arguments: Value, expected: &[&str]| {
            let arguments = arguments.as_object().cloned().unwrap();
            assert_eq!(check_arguments(&arguments, &parameters), expected);
        };
        check(json!({"company": "HUD", "year": 7}), &[]);
        check(json!({"company": "HUD", "year": "7"}), &[]);
        check(
            json!({"compny": "HUD", "year": "x", "z": 1}),
            &[
                "there is no argument 'compny'; did you mean 'company'?",
                "argument 'year': \"x\" is not of type \"integer\"",
                "there is no argument 'z'; it takes (company: string, year?: integer)",
                "argument 'company' is missing",
            ],
        );
    }

    #[test]
    fn what_is_typed_becomes_what_the_schema_wants() {
        let check = |typed: &str, schema: Value, expected: Result<Value, &str>| {
            let got = read_value(typed, &schema);
            assert_eq!(got, expected.map_err(str::to_owned), "{typed} {schema}");
        };
        let string = || json!({"type": "string"});
        check("7", string(), Ok(json!("7")));
        check("\"\"", string(), Ok(json!("")));
        check("say \"hi\"", string(), Ok(json!("say \"hi\"")));
        check("7", json!({"type": "integer"}), Ok(json!(7)));
        check("[1, 2]", json!({"type": "array"}), Ok(json!([1, 2])));
        check("7", json!({}), Ok(json!(7)));
        check("x y", json!({}), Ok(json!("x y")));
        check(
            "null",
            json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
            Ok(Value::Null),
        );
        check("a", json!({"enum": ["a", "b"]}), Ok(json!("a")));
        check("2", json!({"enum": [1, 2]}), Ok(json!(2)));
        check(
            "x",
            json!({"type": "integer"}),
            Err("expected integer, not `x`"),
        );
        check(
            "1.5",
            json!({"type": "integer"}),
            Err("expected integer: 1.5 is not of type \"integer\""),
        );
        check(
            "9",
            json!({"type": "integer", "maximum": 5}),
            Err("expected integer: 9 is greater than the maximum of 5"),
        );
        check(
            "abc",
            json!({"type": "string", "maxLength": 2}),
            Err("\"abc\" is longer than 2 characters"),
        );
        check(
            "c",
            json!({"enum": ["a", "b"]}),
            Err("expected \"a\" | \"b\", not `c`"),
        );
        check(
            "[{\"n\": \"x\"}]",
            json!({"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}),
            Err("expected object[]: [0].n: \"x\" is not of type \"integer\""),
        );
    }

    #[test]
    fn parameters_are_read_with_their_definitions() {
        let schema = json!({
            "type": "object",
            "properties": {
                "status": {"$ref": "#/$defs/Status"},
                "limit": {"type": "integer", "default": 10, "description": "How many"},
                "tag": {"type": "string"},
                "by": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null},
            },
            "required": ["status"],
            "$defs": {"Status": {"enum": ["open", "done"]}},
        });
        let parameters = parameters(&schema);
        assert_eq!(
            signatures(&parameters),
            r#"status: "open" | "done", limit: integer = 10, tag?: string, by?: string"#
        );
        assert_eq!(parameters[1].description(), "How many");
    }
}
