//! A value that a JSON Schema accepts, for a call that nobody gave arguments for.

use serde_json::{Map, Value, json};

use crate::cli::schema::{Parameter, resolved};

/// How deep a made-up value goes.
const DEPTH: usize = 6;

/// Arguments for required parameters; the others are left out. Nothing, when a schema cannot be met by guessing.
pub(super) fn arguments(parameters: &[Parameter]) -> Option<Map<String, Value>> {
    parameters
        .iter()
        .filter(|parameter| parameter.required)
        .map(|parameter| Some((parameter.name.clone(), value(&parameter.schema)?)))
        .collect()
}

/// A value that `schema` accepts.
fn value(schema: &Value) -> Option<Value> {
    let made = make(schema, schema, DEPTH)?;
    let accepts = jsonschema::validator_for(schema)
        .ok()
        .is_some_and(|validator| validator.is_valid(&made));
    accepts.then_some(made)
}

fn make(schema: &Value, root: &Value, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let schema = resolved(schema, root);
    for given in ["default", "const"] {
        if let Some(value) = schema.get(given) {
            return Some(value.clone());
        }
    }
    for list in ["examples", "enum"] {
        if let Some(first) = schema[list].as_array().and_then(|values| values.first()) {
            return Some(first.clone());
        }
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(options) = schema[key].as_array() {
            return options.iter().find_map(|option| make(option, root, depth));
        }
    }
    if let Some([only]) = schema["allOf"].as_array().map(Vec::as_slice) {
        return make(only, root, depth);
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.as_str(),
        Value::Array(kinds) => kinds.first()?.as_str()?,
        _ if schema.get("properties").is_some() => "object",
        _ => return None,
    };
    match kind {
        "string" => text(schema),
        "integer" => Some(json!(number(schema, 1.0).ceil() as i64)),
        "number" => Some(json!(number(schema, 0.5))),
        "boolean" => Some(json!(false)),
        "null" => Some(Value::Null),
        "array" => {
            let count = schema["minItems"].as_u64().unwrap_or(0);
            (0..count)
                .map(|_| make(&schema["items"], root, depth))
                .collect::<Option<Vec<_>>>()
                .map(Value::Array)
        }
        "object" => object(schema, root, depth),
        _ => None,
    }
}

fn text(schema: &Value) -> Option<Value> {
    if schema.get("pattern").is_some() {
        return None;
    }
    let text = match schema["format"].as_str() {
        None => {
            let least = schema["minLength"].as_u64().unwrap_or(0) as usize;
            let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX) as usize;
            let mut text = "example".to_owned();
            while text.len() < least {
                text.push('e');
            }
            text.truncate(most.max(least));
            text
        }
        Some("date") => "2024-01-01".to_owned(),
        Some("date-time") => "2024-01-01T00:00:00Z".to_owned(),
        Some("time") => "00:00:00Z".to_owned(),
        Some("uri" | "url") => "https://example.com".to_owned(),
        Some("email") => "someone@example.com".to_owned(),
        Some("uuid") => "00000000-0000-4000-8000-000000000000".to_owned(),
        Some(_) => return None,
    };
    Some(Value::String(text))
}

/// The number nearest to `wanted` that the bounds allow; whoever wants more is checked afterwards.
fn number(schema: &Value, wanted: f64) -> f64 {
    let bound = |key: &str| schema[key].as_f64();
    let least = bound("minimum").or(bound("exclusiveMinimum").map(|least| least + 1.0));
    let most = bound("maximum").or(bound("exclusiveMaximum").map(|most| most - 1.0));
    let wanted = least.map_or(wanted, |least| wanted.max(least));
    let wanted = most.map_or(wanted, |most| wanted.min(most));
    match bound("multipleOf") {
        Some(step) if step > 0.0 => (wanted / step).ceil() * step,
        _ => wanted,
    }
}

fn object(schema: &Value, root: &Value, depth: usize) -> Option<Value> {
    let required = schema["required"].as_array();
    required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|name| {
            let property = schema["properties"].get(name)?;
            Some((name.to_owned(), make(property, root, depth)?))
        })
        .collect::<Option<Map<_, _>>>()
        .map(Value::Object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &Value, expected: impl Into<Option<Value>>) {
        assert_eq!(value(schema), expected.into(), "{schema}");
    }

    #[test]
    fn values_are_made_when_the_schema_can_be_met() {
        check(&json!({"type": "string"}), Some(json!("example")));
        check(
            &json!({"type": "string", "maxLength": 3}),
            Some(json!("exa")),
        );
        check(
            &json!({"type": "string", "format": "date"}),
            Some(json!("2024-01-01")),
        );
        check(&json!({"enum": ["b", "a"]}), Some(json!("b")));
        check(&json!({"type": "integer", "minimum": 5}), Some(json!(5)));
        check(&json!({"type": "integer", "maximum": -2}), Some(json!(-2)));
        check(&json!({"type": "integer", "multipleOf": 4}), Some(json!(4)));
        check(
            &json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2}),
            Some(json!([false, false])),
        );
        check(
            &json!({"anyOf": [{"type": "null"}, {"type": "integer"}]}),
            Some(Value::Null),
        );
        check(
            &json!({
                "$ref": "#/$defs/P",
                "$defs": {"P": {"type": "object", "properties": {"x": {"type": "number"}, "y": {}}, "required": ["x"]}},
            }),
            Some(json!({"x": 0.5})),
        );
    }

    #[test]
    fn nothing_is_made_up_where_guessing_fails() {
        check(&json!({"type": "string", "pattern": "^A[0-9]+$"}), None);
        check(&json!({"type": "string", "format": "ipv4"}), None);
        check(&json!({}), None);
        check(
            &json!({"$ref": "#/$defs/N", "$defs": {"N": {"type": "object", "properties": {"n": {"$ref": "#/$defs/N"}}, "required": ["n"]}}}),
            None,
        );
    }

    #[test]
    fn only_required_parameters_get_arguments() {
        let parameters = crate::cli::schema::parameters(&json!({
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "string", "pattern": "x"}},
            "required": ["a"],
        }));
        let made = arguments(&parameters).map(Value::Object);
        assert_eq!(made, Some(json!({"a": "example"})));
    }
}
