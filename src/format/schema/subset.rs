//! Gemini's subset of JSON Schema. What only narrows a value and is not in it goes into the description.
//!
//! Source: <https://ai.google.dev/api/generate-content#FIELDS.response_json_schema>, which is also what `parametersJsonSchema` takes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::walk::object;

/// Keywords that stay as they are.
const KEPT: &[&str] = &[
    "type",
    "format",
    "title",
    "description",
    "required",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "propertyOrdering",
];

/// Keywords that say nothing about a value.
const SILENT: &[&str] = &["$schema", "$comment"];

/// `schema` in the subset, and the keywords that are not in it as such.
pub(in crate::format) fn subset(schema: &Value) -> (Value, BTreeSet<String>) {
    let mut dropped = BTreeSet::new();
    let schema = node(&Value::Object(object(schema)), &mut dropped);
    (schema, dropped)
}

fn node(schema: &Value, dropped: &mut BTreeSet<String>) -> Value {
    let Value::Object(map) = schema else {
        // `true`: anything.
        return json!({});
    };
    let mut out = Map::new();
    let mut said: Vec<String> = Vec::new();
    for (key, value) in map {
        match key.as_str() {
            key if KEPT.contains(&key) => {
                out.insert(key.to_owned(), value.clone());
            }
            "properties" | "$defs" | "definitions" => {
                let inner = value.as_object().into_iter().flatten();
                let inner: Map<_, _> = inner
                    .map(|(name, schema)| (name.clone(), node(schema, dropped)))
                    .collect();
                let key = if key == "definitions" { "$defs" } else { key };
                out.insert(key.to_owned(), Value::Object(inner));
            }
            "items" | "additionalProperties" => {
                let inner = match value {
                    Value::Object(_) => node(value, dropped),
                    plain => plain.clone(),
                };
                out.insert(key.clone(), inner);
            }
            "anyOf" | "oneOf" | "prefixItems" => {
                let inner = value.as_array().into_iter().flatten();
                let inner = inner.map(|schema| node(schema, dropped)).collect();
                let key = if key == "oneOf" { "anyOf" } else { key };
                out.insert(key.to_owned(), inner);
            }
            "allOf" if value.as_array().is_some_and(|list| list.len() == 1) => {
                if let Value::Object(only) = node(&value[0], dropped) {
                    out.extend(only);
                }
            }
            "enum"
                if value
                    .as_array()
                    .is_some_and(|list| list.iter().all(is_word)) =>
            {
                out.insert(key.clone(), value.clone());
            }
            "const" if is_word(value) => {
                out.insert("enum".to_owned(), json!([value]));
                if map.get("type").is_none() {
                    let kind = if value.is_string() {
                        "string"
                    } else {
                        "number"
                    };
                    out.insert("type".to_owned(), json!(kind));
                }
            }
            "$ref" => {
                let to = value.as_str().unwrap_or_default();
                out.insert(
                    key.clone(),
                    json!(to.replacen("#/definitions/", "#/$defs/", 1)),
                );
            }
            key if SILENT.contains(&key) || key.starts_with('$') => {}
            key => {
                dropped.insert(key.to_owned());
                said.push(format!("{key}: {value}"));
            }
        }
    }
    if out.contains_key("$ref") {
        // A reference stands alone.
        out.retain(|key, _| {
            let stays = key.starts_with('$');
            if !stays {
                dropped.insert(key.clone());
            }
            stays
        });
        return Value::Object(out);
    }
    if !said.is_empty() {
        let words = format!("({})", said.join(", "));
        let text = match out.get("description").and_then(Value::as_str) {
            Some(text) if !text.trim().is_empty() => format!("{text} {words}"),
            _ => words,
        };
        out.insert("description".to_owned(), json!(text));
    }
    Value::Object(out)
}

/// What an `enum` may hold.
fn is_word(value: &Value) -> bool {
    value.is_string() || value.is_number()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "literals read better at the call"
    )]
    fn check(property: Value, expected: Value, dropped: &[&str]) {
        let (schema, words) = subset(&json!({"properties": {"x": property}}));
        assert_eq!(schema["properties"]["x"], expected);
        assert_eq!(schema["type"], "object");
        assert_eq!(
            words.iter().map(String::as_str).collect::<Vec<_>>(),
            dropped
        );
    }

    #[test]
    fn what_is_not_in_the_subset_is_said_to_the_model() {
        let plain = json!({"type": ["string", "null"], "description": "X.", "enum": ["a"]});
        check(plain.clone(), plain, &[]);
        check(
            json!({"type": "string", "description": "X.", "minLength": 2, "pattern": "^a"}),
            json!({"type": "string", "description": "X. (minLength: 2, pattern: \"^a\")"}),
            &["minLength", "pattern"],
        );
        check(
            json!({"const": "a"}),
            json!({"enum": ["a"], "type": "string"}),
            &[],
        );
        check(
            json!({"const": true}),
            json!({"description": "(const: true)"}),
            &["const"],
        );
        check(
            json!({"oneOf": [{"type": "string"}, {"type": "array", "items": {"default": 1}}]}),
            json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"description": "(default: 1)"}}]}),
            &["default"],
        );
        check(
            json!({"allOf": [{"type": "string"}]}),
            json!({"type": "string"}),
            &[],
        );
        check(json!(true), json!({}), &[]);
        check(
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            &[],
        );
    }

    #[test]
    fn references_stand_alone() {
        let (schema, dropped) = subset(&json!({
            "$schema": "x",
            "properties": {"row": {"$ref": "#/definitions/Row", "description": "The row."}},
            "definitions": {"Row": {"type": "object", "minProperties": 1}},
        }));
        assert_eq!(
            schema,
            json!({
                "properties": {"row": {"$ref": "#/$defs/Row"}},
                "$defs": {"Row": {"type": "object", "description": "(minProperties: 1)"}},
                "type": "object",
            })
        );
        let words: Vec<_> = dropped.into_iter().collect();
        assert_eq!(words, ["description", "minProperties"]);
    }
}
