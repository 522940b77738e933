//! `OpenAI`'s strict mode: the model's arguments are guaranteed to fit a schema, if that schema keeps to a subset.
//!
//! In the subset every property is required and no others are allowed, so an optional property becomes one that may be `null`
//! ([`super::without_filler`] takes such nulls out of the arguments again). What only narrows a value and is not in the subset (`minLength`, `default`)
//! goes into the description, where the model still sees it. A schema that means something that the subset cannot say (any property may be
//! given) is not strict at all. Source: <https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas>.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::walk::{object, resolve, takes_null};

/// Keywords that are in the subset and stay as they are.
const KEPT: &[&str] = &[
    "type",
    "title",
    "description",
    "enum",
    "const",
    "pattern",
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
];

/// Keywords that say nothing about a value.
const SILENT: &[&str] = &["$schema", "$id", "$comment", "$anchor"];

/// Formats of strings that are in the subset.
const FORMATS: &[&str] = &[
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uuid",
];

/// Deeper than this the API refuses a schema.
const DEEPEST: usize = 10;

/// A schema in the subset.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::format) struct Strict {
    /// The schema.
    pub(in crate::format) schema: Value,
    /// The keywords that are not in it as such, in alphabetical order.
    pub(in crate::format) dropped: BTreeSet<String>,
}

/// `schema` in the subset, or what about it the subset cannot say.
pub(in crate::format) fn strict(schema: &Value) -> Result<Strict, String> {
    let root = Value::Object(object(schema));
    if ["anyOf", "oneOf", "allOf", "$ref"]
        .iter()
        .any(|key| root.get(key).is_some())
    {
        return Err("its arguments are a choice between schemas".to_owned());
    }
    let mut making = Making {
        root: &root,
        dropped: BTreeSet::new(),
    };
    let schema = making.node(&root, "", 0)?;
    Ok(Strict {
        schema,
        dropped: making.dropped,
    })
}

struct Making<'a> {
    root: &'a Value,
    dropped: BTreeSet<String>,
}

impl Making<'_> {
    /// `path` names the place in errors: `rows.items`.
    fn node(&mut self, schema: &Value, path: &str, depth: usize) -> Result<Value, String> {
        let Value::Object(map) = schema else {
            return Err(format!("{} may be anything", named(path)));
        };
        if depth > DEEPEST {
            return Err(format!("it is nested more than {DEEPEST} levels deep"));
        }
        let mut out = Map::new();
        let mut said: Vec<String> = Vec::new();
        for (key, value) in map {
            match key.as_str() {
                key if KEPT.contains(&key) => {
                    out.insert(key.to_owned(), value.clone());
                }
                "format" if value.as_str().is_some_and(|f| FORMATS.contains(&f)) => {
                    out.insert(key.clone(), value.clone());
                }
                "properties" | "required" | "additionalProperties" => {}
                "items" => {
                    let items = self.node(value, &below(path, "items"), depth + 1)?;
                    out.insert(key.clone(), items);
                }
                "$defs" | "definitions" => {
                    let definitions = self.definitions(value)?;
                    out.insert(key.clone(), definitions);
                }
                "anyOf" => {
                    out.insert(key.clone(), self.variants(value, path, depth)?);
                }
                "oneOf" => {
                    self.dropped.insert(key.clone());
                    out.insert("anyOf".to_owned(), self.variants(value, path, depth)?);
                }
                "allOf" => {
                    let [only] = value.as_array().map_or(&[][..], Vec::as_slice) else {
                        return Err(format!("{} must fit several schemas", named(path)));
                    };
                    if let Value::Object(only) = self.node(only, path, depth)? {
                        out.extend(only);
                    }
                }
                "$ref" => {
                    let to = value.as_str().unwrap_or_default();
                    if resolve(self.root, to).is_none() {
                        return Err(format!(
                            "{} refers to `{to}`, which is not in the schema",
                            named(path)
                        ));
                    }
                    out.insert(key.clone(), value.clone());
                }
                "patternProperties" | "prefixItems" | "unevaluatedProperties" | "propertyNames" => {
                    return Err(format!("{} uses `{key}`", named(path)));
                }
                key if SILENT.contains(&key) => {}
                key => {
                    self.dropped.insert(key.to_owned());
                    said.push(format!("{key}: {value}"));
                }
            }
        }
        if out.contains_key("$ref") && out.len() > 1 {
            // A reference stands alone in the subset, and what it refers to has its own description.
            out.retain(|key, _| {
                let stays = key == "$ref" || key == "$defs" || key == "definitions";
                if !stays {
                    self.dropped.insert(key.clone());
                }
                stays
            });
            said.clear();
        }
        if is_object(map) {
            self.properties(map, &mut out, path, depth)?;
        }
        if is_array(map) && !out.contains_key("items") {
            return Err(format!("{} is a list of anything", named(path)));
        }
        let says_what = ["type", "enum", "const", "anyOf", "$ref"];
        if !says_what.iter().any(|key| out.contains_key(*key)) {
            return Err(format!("{} may be anything", named(path)));
        }
        if !said.is_empty() {
            let words = format!("({})", said.join(", "));
            let text = match out.get("description").and_then(Value::as_str) {
                Some(text) if !text.trim().is_empty() => format!("{text} {words}"),
                _ => words,
            };
            out.insert("description".to_owned(), json!(text));
        }
        Ok(Value::Object(out))
    }

    fn properties(
        &mut self,
        map: &Map<String, Value>,
        out: &mut Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> Result<(), String> {
        let empty = Map::new();
        let properties = map.get("properties").and_then(Value::as_object);
        let open = match map.get("additionalProperties") {
            Some(Value::Bool(false)) => false,
            Some(_) => true,
            // Without any properties it is a mapping with any keys, but for the arguments of a tool that takes none.
            None => properties.is_none_or(Map::is_empty) && depth > 0,
        };
        if open {
            return Err(format!("{} may have any properties", named(path)));
        }
        let required: Vec<&str> = strings(map.get("required"));
        let mut strict = Map::new();
        for (name, schema) in properties.unwrap_or(&empty) {
            let made = self.node(schema, &below(path, name), depth + 1)?;
            let optional = !required.contains(&name.as_str());
            let made = if optional && !takes_null(self.root, schema) {
                nullable(made)
            } else {
                made
            };
            strict.insert(name.clone(), made);
        }
        let names: Vec<&String> = strict.keys().collect();
        out.insert("required".to_owned(), json!(names));
        out.insert("properties".to_owned(), Value::Object(strict));
        out.insert("additionalProperties".to_owned(), json!(false));
        Ok(())
    }

    fn variants(&mut self, list: &Value, path: &str, depth: usize) -> Result<Value, String> {
        let list = list.as_array().map_or(&[][..], Vec::as_slice);
        list.iter()
            .map(|one| self.node(one, path, depth))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array)
    }

    fn definitions(&mut self, definitions: &Value) -> Result<Value, String> {
        let empty = Map::new();
        definitions
            .as_object()
            .unwrap_or(&empty)
            .iter()
            .map(|(name, schema)| Ok((name.clone(), self.node(schema, name, 1)?)))
            .collect::<Result<Map<_, _>, String>>()
            .map(Value::Object)
    }
}

/// `schema`, or null.
fn nullable(mut schema: Value) -> Value {
    let is_plain = schema.get("const").is_none() && schema.get("$ref").is_none();
    match (&schema["type"], is_plain) {
        (Value::String(kind), true) => {
            schema["type"] = json!([kind, "null"]);
            if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                values.push(Value::Null);
            }
            schema
        }
        (Value::Array(kinds), true) => {
            let mut kinds = kinds.clone();
            kinds.push(json!("null"));
            schema["type"] = Value::Array(kinds);
            schema
        }
        _ => match schema.get_mut("anyOf").and_then(Value::as_array_mut) {
            Some(variants) => {
                variants.push(json!({"type": "null"}));
                schema
            }
            None => json!({"anyOf": [schema, {"type": "null"}]}),
        },
    }
}

fn is_object(map: &Map<String, Value>) -> bool {
    has_type(map, "object") || map.contains_key("properties")
}

fn is_array(map: &Map<String, Value>) -> bool {
    has_type(map, "array")
}

fn has_type(map: &Map<String, Value>, kind: &str) -> bool {
    match map.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|own| own == kind),
        Some(own) => own == kind,
        None => false,
    }
}

fn strings(list: Option<&Value>) -> Vec<&str> {
    let list = list.and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn below(path: &str, step: &str) -> String {
    if path.is_empty() {
        step.to_owned()
    } else {
        format!("{path}.{step}")
    }
}

fn named(path: &str) -> String {
    if path.is_empty() {
        "its arguments".to_owned()
    } else {
        format!("`{path}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "literals read better at the call"
    )]
    fn check(properties: Value, required: &[&str], expected: Value, dropped: &[&str]) {
        let schema = json!({"type": "object", "properties": properties, "required": required});
        let made = strict(&schema).unwrap();
        assert_eq!(made.schema["properties"], expected);
        assert_eq!(made.schema["additionalProperties"], json!(false));
        let names: Vec<&String> = expected.as_object().unwrap().keys().collect();
        assert_eq!(made.schema["required"], json!(names));
        assert_eq!(
            made.dropped.iter().map(String::as_str).collect::<Vec<_>>(),
            dropped
        );
    }

    #[test]
    fn what_fits_stays() {
        let both = json!({
            "a": {"type": "string", "description": "A.", "pattern": "^x", "format": "date"},
            "b": {"type": "array", "items": {"type": "integer", "minimum": 1}, "maxItems": 3},
            "c": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        });
        check(both.clone(), &["a", "b", "c"], both, &[]);
        check(json!({}), &[], json!({}), &[]);
        assert_eq!(
            strict(&json!({})).unwrap().schema,
            json!({"type": "object", "required": [], "properties": {}, "additionalProperties": false})
        );
    }

    #[test]
    fn optional_properties_may_be_null() {
        check(
            json!({
                "a": {"type": "string"},
                "b": {"type": ["string", "integer"]},
                "c": {"enum": ["x"], "type": "string"},
                "d": {"const": 1},
                "e": {"anyOf": [{"type": "string"}]},
                "f": {"type": ["string", "null"]},
            }),
            &[],
            json!({
                "a": {"type": ["string", "null"]},
                "b": {"type": ["string", "integer", "null"]},
                "c": {"enum": ["x", null], "type": ["string", "null"]},
                "d": {"anyOf": [{"const": 1}, {"type": "null"}]},
                "e": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "f": {"type": ["string", "null"]},
            }),
            &[],
        );
    }

    #[test]
    fn what_is_dropped_is_said_to_the_model() {
        check(
            json!({
                "a": {"type": "string", "minLength": 2, "default": "x y", "description": "A."},
                "b": {"type": "string", "format": "uri"},
                "c": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
            }),
            &["a", "b", "c"],
            json!({
                "a": {"type": "string", "description": "A. (minLength: 2, default: \"x y\")"},
                "b": {"type": "string", "description": "(format: \"uri\")"},
                "c": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            }),
            &["default", "format", "minLength", "oneOf"],
        );
    }

    #[test]
    fn objects_and_references_inside() {
        let schema = json!({
            "type": "object",
            "properties": {"row": {"$ref": "#/$defs/Row", "description": "The row."}},
            "$defs": {"Row": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "next": {"$ref": "#/$defs/Row"}},
                "required": ["id"],
            }},
        });
        let made = strict(&schema).unwrap();
        assert_eq!(
            made.schema["properties"]["row"],
            json!({"anyOf": [{"$ref": "#/$defs/Row"}, {"type": "null"}]})
        );
        assert_eq!(
            made.schema["$defs"]["Row"],
            json!({
                "type": "object",
                "required": ["id", "next"],
                "properties": {"id": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/Row"}, {"type": "null"}]}},
                "additionalProperties": false,
            })
        );
        assert_eq!(
            made.dropped.into_iter().collect::<Vec<_>>(),
            ["description"]
        );
    }

    #[test]
    fn what_the_subset_cannot_say_is_not_strict() {
        let check = |property: Value, expected: &str| {
            let schema = json!({"type": "object", "properties": {"x": property}});
            assert_eq!(strict(&schema).unwrap_err(), expected);
        };
        check(json!({}), "`x` may be anything");
        check(json!(true), "`x` may be anything");
        check(json!({"type": "object"}), "`x` may have any properties");
        check(
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            "`x` may have any properties",
        );
        check(json!({"type": "array"}), "`x` is a list of anything");
        check(
            json!({"type": "array", "items": {}}),
            "`x.items` may be anything",
        );
        check(
            json!({"allOf": [{"type": "string"}, {"minLength": 1}]}),
            "`x` must fit several schemas",
        );
        check(
            json!({"$ref": "other.json"}),
            "`x` refers to `other.json`, which is not in the schema",
        );
        check(
            json!({"type": "array", "prefixItems": []}),
            "`x` uses `prefixItems`",
        );
        let choice = json!({"anyOf": [{"type": "object"}]});
        assert_eq!(
            strict(&choice).unwrap_err(),
            "its arguments are a choice between schemas"
        );
    }
}
