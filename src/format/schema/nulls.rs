//! Takes out of arguments the nulls that stand for properties that were not given.

use serde_json::{Map, Value};

use super::walk::{behind, takes_null};

/// `arguments` of a tool with this (original) schema, without nulls where the schema has an optional property that takes none.
pub(in crate::format) fn without_filler(schema: &Value, arguments: &mut Map<String, Value>) {
    object(schema, schema, arguments);
}

fn object(root: &Value, schema: &Value, map: &mut Map<String, Value>) {
    let schema = behind(root, schema);
    let required = schema["required"].as_array();
    let is_required = |name: &str| required.is_some_and(|list| list.iter().any(|own| own == name));
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    map.retain(|name, value| {
        !value.is_null()
            || properties
                .get(name)
                .is_none_or(|own| is_required(name) || takes_null(root, own))
    });
    for (name, value) in map.iter_mut() {
        if let Some(own) = properties.get(name) {
            visit(root, own, value);
        }
    }
}

fn visit(root: &Value, schema: &Value, value: &mut Value) {
    let schema = behind(root, schema);
    match value {
        Value::Object(map) => match variant(root, schema, map) {
            Some(variant) => object(root, variant, map),
            None => object(root, schema, map),
        },
        Value::Array(items) => {
            for item in items {
                visit(root, &schema["items"], item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The first of a choice of schemas that knows every property of `map`.
fn variant<'a>(root: &'a Value, schema: &'a Value, map: &Map<String, Value>) -> Option<&'a Value> {
    ["anyOf", "oneOf", "allOf"]
        .iter()
        .filter_map(|key| schema[*key].as_array())
        .flatten()
        .map(|one| behind(root, one))
        .find(|one| {
            one["properties"]
                .as_object()
                .is_some_and(|known| map.keys().all(|name| known.contains_key(name)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_fillers_go() {
        let schema = json!({
            "properties": {
                "must": {"type": ["string", "null"]},
                "may": {"type": "string"},
                "may_null": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}},
                "either": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Row"}]},
            },
            "required": ["must"],
            "$defs": {"Row": {"properties": {"id": {"type": "integer"}, "note": {"type": "string"}}, "required": ["id"]}},
        });
        let arguments = json!({
            "must": null, "may": null, "may_null": null, "unknown": null,
            "rows": [{"id": 1, "note": null}, {"id": null}],
            "either": {"id": 2, "note": null},
        });
        let Value::Object(mut arguments) = arguments else {
            panic!("not an object");
        };
        without_filler(&schema, &mut arguments);
        assert_eq!(
            Value::Object(arguments),
            json!({
                "must": null, "may_null": null, "unknown": null,
                "rows": [{"id": 1}, {"id": null}],
                "either": {"id": 2},
            })
        );
    }
}
