//! The result of a tool as Python hud 5 answers it over plain HTTP.

use serde_json::{Map, Value, json};

/// Fields of a link that Python's models write as null where MCP leaves them out.
const OF_LINKS: &[&str] = &["title", "description", "mimeType", "size", "icons"];

/// `{"content": […], "structured_content": …, "meta": …}` from MCP's `CallToolResult`; the tool's own words when it failed.
pub(super) fn answer(result: &Value) -> Result<Value, String> {
    let content = result["content"].as_array().map_or(&[][..], Vec::as_slice);
    if result["isError"] == true {
        let words: Vec<&str> = content
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect();
        return Err(if words.is_empty() {
            "the tool failed and did not say why".to_owned()
        } else {
            words.join("\n")
        });
    }
    Ok(json!({
        "content": content.iter().map(block).collect::<Vec<_>>(),
        "structured_content": result["structuredContent"],
        "meta": result["_meta"],
    }))
}

/// A content block with `annotations` and `meta`, null where there are none.
fn block(block: &Value) -> Value {
    let Value::Object(fields) = block else {
        return block.clone();
    };
    let mut out = Map::new();
    for (name, value) in fields {
        match name.as_str() {
            "annotations" | "_meta" => {}
            "resource" => {
                out.insert(name.clone(), resource(value));
            }
            _ => {
                out.insert(name.clone(), value.clone());
            }
        }
    }
    if block["type"] == "resource_link" {
        for name in OF_LINKS {
            out.entry(*name).or_insert(Value::Null);
        }
    }
    out.insert("annotations".to_owned(), block["annotations"].clone());
    out.insert("meta".to_owned(), block["_meta"].clone());
    Value::Object(out)
}

fn resource(resource: &Value) -> Value {
    let Value::Object(fields) = resource else {
        return resource.clone();
    };
    let mut out = fields.clone();
    let meta = out.shift_remove("_meta").unwrap_or(Value::Null);
    out.entry("mimeType").or_insert(Value::Null);
    out.insert("meta".to_owned(), meta);
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_the_shapes_of_python_hud() {
        let check = |result: Value, expected: Result<Value, &str>| {
            assert_eq!(answer(&result), expected.map_err(str::to_owned), "{result}");
        };
        check(
            json!({"content": [{"type": "text", "text": "3"}], "structuredContent": {"result": 3}, "isError": false}),
            Ok(
                json!({"content": [{"type": "text", "text": "3", "annotations": null, "meta": null}], "structured_content": {"result": 3}, "meta": null}),
            ),
        );
        check(
            json!({"content": [], "_meta": {"a": 1}}),
            Ok(json!({"content": [], "structured_content": null, "meta": {"a": 1}})),
        );
        check(
            json!({"content": [
                {"type": "image", "data": "aGk=", "mimeType": "image/png", "annotations": {"priority": 1.0}, "_meta": {"b": 2}},
                {"type": "resource", "resource": {"uri": "file:///x", "text": "t"}},
                {"type": "resource_link", "uri": "file:///y", "name": "n"},
            ]}),
            Ok(json!({"content": [
                {"type": "image", "data": "aGk=", "mimeType": "image/png", "annotations": {"priority": 1.0}, "meta": {"b": 2}},
                {"type": "resource", "resource": {"uri": "file:///x", "mimeType": null, "text": "t", "meta": null}, "annotations": null, "meta": null},
                {"type": "resource_link", "uri": "file:///y", "name": "n", "title": null, "description": null, "mimeType": null, "size": null, "icons": null, "annotations": null, "meta": null},
            ], "structured_content": null, "meta": null})),
        );
        check(
            json!({"content": [{"type": "text", "text": "kaboom"}], "isError": true}),
            Err("kaboom"),
        );
        check(
            json!({"content": [], "isError": true}),
            Err("the tool failed and did not say why"),
        );
    }
}
