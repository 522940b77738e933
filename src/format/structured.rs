//! Structured results of tools, for providers that take text only.

use serde_json::Value;

use crate::message::{Content, ToolResult};

/// The structured content of `result` as JSON text, when it says something that the text does not say already.
///
/// Most servers put the same value into the text too: as JSON, or as the plain text of `{"result": …}`, which is how MCP servers wrap a value that
/// is no object.
pub(super) fn extra_text(result: &ToolResult) -> Option<String> {
    let structured = result.structured.as_ref()?;
    if structured.is_null() || says(&result.content, structured) {
        return None;
    }
    if let Value::Object(map) = structured
        && map.len() == 1
        && let Some(inner) = map.get("result")
        && says(&result.content, inner)
    {
        return None;
    }
    Some(structured.to_string())
}

/// Whether the text blocks of `content` already say `value`: one of them alone, all of them joined, or one block for each item of a list.
fn says(content: &[Content], value: &Value) -> bool {
    let texts: Vec<&str> = content.iter().filter_map(Content::as_text).collect();
    let joined = texts.join("\n");
    texts.iter().any(|text| is_text_of(text, value))
        || is_text_of(&joined, value)
        || value.as_array().is_some_and(|items| {
            items.len() == texts.len()
                && items
                    .iter()
                    .zip(&texts)
                    .all(|(item, text)| is_text_of(text, item))
        })
}

fn is_text_of(text: &str, value: &Value) -> bool {
    match value {
        Value::String(string) if string == text => true,
        Value::Null if text.trim().is_empty() => true,
        value => {
            serde_json::from_str::<Value>(text).is_ok_and(|parsed| same(&parsed, value))
                || (value.is_boolean() && text.eq_ignore_ascii_case(&value.to_string()))
        }
    }
}

/// Equality in which `1` and `1.0` are the same: they are in JSON, and Python writes either.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(texts: &[&str], structured: Value, expected: Option<&str>) {
        let result = ToolResult {
            call_id: "1".to_owned(),
            name: "f".to_owned(),
            content: texts.iter().map(|text| Content::text(*text)).collect(),
            structured: Some(structured),
            is_error: false,
        };
        assert_eq!(extra_text(&result).as_deref(), expected, "{texts:?}");
    }

    #[test]
    fn only_what_the_text_does_not_say_is_added() {
        check(
            &["{\n \"a\": 1.0,\n \"b\": [2]\n}"],
            json!({"b": [2], "a": 1}),
            None,
        );
        check(&["42"], json!({"result": 42}), None);
        check(&["JR"], json!({"result": "JR"}), None);
        check(&["True"], json!({"result": true}), None);
        check(
            &["a", "{\"x\":1}"],
            json!({"result": ["a", {"x": 1}]}),
            None,
        );
        check(&["Found it:", "{\"a\":1}"], json!({"a": 1}), None);
        check(&[], json!({"result": null}), None);
        check(&["done"], Value::Null, None);
        check(&["done"], json!({"a": 1}), Some("{\"a\":1}"));
        check(&[], json!({}), Some("{}"));
        check(&["41"], json!({"result": 42}), Some("{\"result\":42}"));
        check(
            &["a"],
            json!({"result": ["a", "b"]}),
            Some("{\"result\":[\"a\",\"b\"]}"),
        );
    }
}
