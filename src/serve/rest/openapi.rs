//! The tools as OpenAPI 3.1.

use serde_json::{Map, Value, json};

use crate::message::Tool;

/// The document: one `POST /api/tools/{name}` for each tool.
pub(super) fn document(name: &str, version: &str, tools: &[Tool], needs_token: bool) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    schemas.insert("Result".to_owned(), result_schema(None));
    schemas.insert(
        "Error".to_owned(),
        json!({
            "type": "object",
            "properties": {"error": {"type": "string"}},
            "required": ["error"],
        }),
    );
    for tool in tools {
        let key = component(&tool.name, &schemas);
        let arguments = format!("{key}.arguments");
        let result = tool.output_schema.as_ref().map_or_else(
            || "Result".to_owned(),
            |schema| {
                let result = format!("{key}.result");
                let structured = format!("{key}.structured");
                schemas.insert(structured.clone(), embedded(schema, &pointer(&structured)));
                schemas.insert(result.clone(), result_schema(Some(&structured)));
                result
            },
        );
        schemas.insert(
            arguments.clone(),
            embedded(&tool.input_schema, &pointer(&arguments)),
        );
        paths.insert(
            format!("/api/tools/{}", escaped(&tool.name)),
            json!({"post": operation(tool, &arguments, &result)}),
        );
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": version,
            "description": "The tools of this environment over plain HTTP, for trying them out. Agents connect over MCP, at /mcp.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    });
    if needs_token {
        document["components"]["securitySchemes"] =
            json!({"token": {"type": "http", "scheme": "bearer"}});
        document["security"] = json!([{"token": []}]);
    }
    document
}

fn operation(tool: &Tool, arguments: &str, result: &str) -> Value {
    let body = |schema: &str| json!({"application/json": {"schema": {"$ref": pointer(schema)}}});
    let failure = |description: &str| json!({"description": description, "content": body("Error")});
    let required = tool.input_schema["required"]
        .as_array()
        .is_some_and(|names| !names.is_empty());
    json!({
        "operationId": format!("call_{}", tool.name),
        "summary": tool.name,
        "description": tool.description,
        "requestBody": {"required": required, "content": body(arguments)},
        "responses": {
            "200": {"description": "What the tool answered", "content": body(result)},
            "400": failure("The tool failed, or the arguments are wrong"),
            "404": failure("There is no such tool any more"),
            "413": failure("The body is too large"),
            "503": failure("The environment cannot be reached"),
            "504": failure("The tool did not answer in time"),
        },
    })
}

fn result_schema(structured: Option<&str>) -> Value {
    json!({
        "type": "object",
        "properties": {
            "content": {"type": "array", "items": {"type": "object", "properties": {"type": {"type": "string"}}}},
            "structured_content": structured.map_or_else(
                || json!({"type": ["object", "null"]}),
                |name| json!({"$ref": pointer(name)}),
            ),
            "meta": {"type": ["object", "null"]},
        },
        "required": ["content", "structured_content", "meta"],
    })
}

/// A key for the components of a tool: names of components have fewer characters than names of tools, and two tools stay two.
fn component(name: &str, taken: &Map<String, Value>) -> String {
    let base: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let is_free = |key: &String| !taken.contains_key(&format!("{key}.arguments"));
    std::iter::once(base.clone())
        // More numbers than components, so one of them is free.
        .chain((2..taken.len() + 3).map(|n| format!("{base}-{n}")))
        .find(is_free)
        .unwrap_or(base)
}

fn pointer(component: &str) -> String {
    format!("#/components/schemas/{component}")
}

/// A path segment: what is not unreserved (RFC 3986 §2.3) is percent-encoded.
fn escaped(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `schema` as a part of a larger document: references into itself lead to `base`, where it will be.
fn embedded(schema: &Value, base: &str) -> Value {
    let Value::Object(fields) = schema else {
        return schema.clone();
    };
    let embed_each = |value: &Value| match value {
        Value::Object(named) => named
            .iter()
            .map(|(name, schema)| (name.clone(), embedded(schema, base)))
            .collect(),
        other => other.clone(),
    };
    let mut out = Map::new();
    for (keyword, value) in fields {
        let value = match (keyword.as_str(), value) {
            ("$ref" | "$dynamicRef", Value::String(target)) => match target.strip_prefix('#') {
                Some(inside) => Value::String(format!("{base}{inside}")),
                None => value.clone(),
            },
            // Values, not schemas: whatever they hold is meant literally.
            ("const" | "default" | "enum" | "examples" | "example", _) => value.clone(),
            // Names, each with a schema: a property may be called `default` or `$ref`.
            (
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas",
                _,
            ) => embed_each(value),
            (_, Value::Array(items)) => items.iter().map(|item| embedded(item, base)).collect(),
            (_, Value::Object(_)) => embedded(value, base),
            (_, other) => other.clone(),
        };
        out.insert(keyword.clone(), value);
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str, input: Value, output: Option<Value>) -> Tool {
        Tool {
            name: name.to_owned(),
            description: "Does it.".to_owned(),
            input_schema: input,
            output_schema: output,
            source: None,
            meta: Map::new(),
        }
    }

    #[test]
    fn every_tool_is_a_post_whose_references_lead_somewhere() {
        let input = json!({
            "type": "object",
            "properties": {
                "node": {"$ref": "#/$defs/Node"},
                "$ref": {"type": "string", "default": {"$ref": "#/kept"}},
            },
            "$defs": {"Node": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}}}},
            "required": ["node"],
        });
        let tools = [
            tool("walk", input, Some(json!({"type": "object"}))),
            tool("a b/c", json!({"type": "object"}), None),
        ];
        let document = document("shop", "1.2", &tools, true);
        let mut references = Vec::new();
        collect(&document, &mut references);
        for reference in &references {
            let inside = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(inside).is_some(), "{reference}");
        }
        assert!(references.contains(&"#/components/schemas/walk.arguments/$defs/Node".to_owned()));
        let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
        assert_eq!(paths, ["/api/tools/walk", "/api/tools/a%20b%2Fc"]);
        let walk = &document["paths"]["/api/tools/walk"]["post"];
        assert_eq!(
            (
                &walk["operationId"],
                &walk["summary"],
                &walk["requestBody"]["required"]
            ),
            (&json!("call_walk"), &json!("walk"), &json!(true))
        );
        let property = &document["components"]["schemas"]["walk.arguments"]["properties"]["$ref"];
        assert_eq!(property["default"], json!({"$ref": "#/kept"}));
        assert_eq!(document["security"], json!([{"token": []}]));
        assert_eq!(document["info"]["version"], "1.2");
    }

    /// Every reference but those inside a default.
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match (name.as_str(), value) {
                        ("$ref", Value::String(target)) => found.push(target.clone()),
                        ("default", _) => {}
                        _ => collect(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }

    #[test]
    fn tools_whose_names_look_the_same_stay_two() {
        let object = || json!({"type": "object"});
        let tools = [tool("a b", object(), None), tool("a_b", object(), None)];
        let document = document("x", "1", &tools, false);
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let keys: Vec<&String> = schemas.keys().collect();
        assert_eq!(
            keys,
            ["Result", "Error", "a_b.arguments", "a_b-2.arguments"]
        );
        assert!(document.get("security").is_none());
    }
}
