//! Finding one's way in a schema.

use serde_json::{Map, Value, json};

/// A reference may lead to another one; this many in a row are a circle.
const MOST_REFERENCES: usize = 16;

/// `schema` as an object schema: every API wants one for a tool, and some want `properties` in it.
pub(in crate::format) fn object(schema: &Value) -> Map<String, Value> {
    let mut schema = match schema {
        Value::Object(schema) => schema.clone(),
        _ => Map::new(),
    };
    schema.entry("type").or_insert_with(|| json!("object"));
    if schema["type"] == "object" {
        schema.entry("properties").or_insert_with(|| json!({}));
    }
    schema
}

/// What a local reference (`#/$defs/Row`) stands for.
pub(super) fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    let pointer = reference.strip_prefix('#')?;
    root.pointer(pointer)
}

/// `schema` behind its references, when it has any that lead somewhere.
pub(super) fn behind<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..MOST_REFERENCES {
        let target = schema["$ref"].as_str().and_then(|to| resolve(root, to));
        match target {
            Some(target) => schema = target,
            None => return schema,
        }
    }
    schema
}

/// Whether `null` fits `schema`, as far as its types say.
pub(super) fn takes_null(root: &Value, schema: &Value) -> bool {
    let schema = behind(root, schema);
    let is_null = |kind: &Value| kind == "null";
    let by_type = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(is_null),
        kind => is_null(kind),
    };
    let lists = ["anyOf", "oneOf"];
    by_type
        || schema["nullable"] == true
        || schema["const"].is_null() && schema.get("const").is_some()
        || schema["enum"]
            .as_array()
            .is_some_and(|list| list.contains(&Value::Null))
            && schema["type"].is_null()
        || lists
            .iter()
            .filter_map(|key| schema[*key].as_array())
            .flatten()
            .any(|one| takes_null(root, one))
}
