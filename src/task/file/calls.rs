//! Tool calls in task files, with the short forms of Python hud's older tasks, and solutions.

use serde_json::{Map, Value};

use super::fields::{Field, Fields};
use super::sink::Sink;
use super::tree::{Data, Entry, Node, Position, into_map};
use crate::task::{Invocation, Solution};

/// One call or a list of them.
pub(super) fn read(field: Field, sink: &mut Sink<'_>) -> Vec<Invocation> {
    let place = field.name();
    match field.value.data {
        Data::Sequence(items) => items
            .into_iter()
            .filter_map(|item| call(item, &place, sink))
            .collect(),
        Data::Mapping(_) => call(field.value, &place, sink).into_iter().collect(),
        _ => {
            field.wrong("a tool call or a list of them", sink);
            Vec::new()
        }
    }
}

/// `{name, arguments}`, or `{tool: {…}}`.
fn call(node: Node, place: &str, sink: &mut Sink<'_>) -> Option<Invocation> {
    let at = node.at;
    let node = match sole_entry(expand(node)) {
        Ok(entry) => return short_call(entry, at, place, sink),
        Err(node) => node,
    };
    let mut fields = Fields::of(node, format!("a call of {place}"), sink)?;
    let name = if fields.has("name") {
        fields.text("name", sink)
    } else {
        sink.error(at, format!("a call of {place} has no 'name'"));
        None
    };
    let arguments = fields.object("arguments", sink);
    // Python hud writes these two when it saves a call; they say nothing about what to do.
    fields.take("id");
    fields.take("annotation");
    fields.finish(&["name", "arguments"], sink);
    Some(Invocation {
        name: name?,
        arguments,
    })
}

/// The field of a mapping with one field, which is not `name`.
fn sole_entry(node: Node) -> Result<Entry, Node> {
    match node.data {
        Data::Mapping(mut entries) if entries.len() == 1 && entries[0].key != "name" => {
            Ok(entries.remove(0))
        }
        data => Err(Node { data, at: node.at }),
    }
}

/// What Python hud refuses, although its documentation has it: `{navigate: {url: …}}` calls `navigate`, and `{setup: {navigate: {…}}}` is a
/// call that the tool `setup` passes on.
fn short_call(entry: Entry, at: Position, place: &str, sink: &mut Sink<'_>) -> Option<Invocation> {
    let arguments = match entry.value.data {
        Data::Mapping(mut inner) => {
            if let [Entry { value, .. }] = inner.as_slice()
                && matches!(value.data, Data::Mapping(_))
            {
                inner = named(inner.remove(0));
            }
            into_map(inner)
        }
        Data::Null => Map::new(),
        _ => {
            sink.error(
                at,
                format!("a call in {place} must be '{{name: …, arguments: {{…}}}}'"),
            );
            return None;
        }
    };
    Some(Invocation {
        name: entry.key,
        arguments,
    })
}

/// The short form `{setup: {navigate: {…}}}` becomes a call of `setup`, and so on inside, exactly where Python hud sees a call in it.
fn expand(node: Node) -> Node {
    let at = node.at;
    let Data::Mapping(mut entries) = node.data else {
        return node;
    };
    let has = |key: &str| entries.iter().any(|entry| entry.key == key);
    if has("name") && has("arguments") {
        for entry in &mut entries {
            if entry.key == "arguments" && looks_like_call(&entry.value) {
                entry.value = expand(entry.value.clone());
            }
        }
        return Node {
            data: Data::Mapping(entries),
            at,
        };
    }
    if entries.len() == 1 && looks_like_call(&entries[0].value) {
        let mut entry = entries.remove(0);
        entry.value = expand(entry.value);
        entries = named(entry);
    }
    Node {
        data: Data::Mapping(entries),
        at,
    }
}

/// `{k: v}` as `{name: k, arguments: v}`.
fn named(Entry { key, key_at, value }: Entry) -> Vec<Entry> {
    let field = |key: &str, value: Node| Entry {
        key: key.to_owned(),
        key_at,
        value,
    };
    let name = Node {
        data: Data::String(key),
        at: key_at,
    };
    vec![field("name", name), field("arguments", value)]
}

/// `_is_call_like` of Python hud 5.
fn looks_like_call(node: &Node) -> bool {
    let has = |entries: &[Entry], key: &str| entries.iter().any(|entry| entry.key == key);
    let Data::Mapping(entries) = &node.data else {
        return false;
    };
    if has(entries, "name") && has(entries, "arguments") {
        return true;
    }
    let [Entry { value, .. }] = entries.as_slice() else {
        return false;
    };
    match &value.data {
        Data::Mapping(inner) => {
            has(inner, "name")
                || matches!(inner.as_slice(), [Entry { value, .. }] if matches!(value.data, Data::Mapping(_)))
        }
        _ => false,
    }
}

/// `{tool_calls, answer}`.
pub(super) fn solution(field: Field, sink: &mut Sink<'_>) -> Option<Solution> {
    let mut fields = field.fields(sink)?;
    let tool_calls = fields
        .take("tool_calls")
        .map(|field| read(field, sink))
        .unwrap_or_default();
    let answer = fields.take("answer").and_then(|field| answer(field, sink));
    fields.finish(&["tool_calls", "answer"], sink);
    Some(Solution { tool_calls, answer })
}

/// Answers are text; scalars and data are taken as their JSON.
fn answer(field: Field, sink: &mut Sink<'_>) -> Option<String> {
    match field.value.data {
        Data::Sequence(_) | Data::Mapping(_) => {
            let value: Value = field.value.into_json();
            Some(value.to_string())
        }
        _ => field.scalar(sink),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    fn check(call: &Value, expected: Result<Value, &str>) {
        let variables = |_: &str| None;
        let mut sink = Sink::new(Path::new("t.json"), &variables);
        let node = Node::from_json(json!({ "setup_tool": call }), Position::NONE);
        let field = Fields::of(node, "task 'x'", &mut sink)
            .unwrap()
            .take("setup_tool")
            .unwrap();
        let calls: Value = read(field, &mut sink)
            .into_iter()
            .map(|call| json!({"name": call.name, "arguments": call.arguments}))
            .collect();
        let result = sink.finish(calls).map_err(|errors| errors.to_string());
        assert_eq!(result, expected.map_err(str::to_owned));
    }

    #[test]
    fn short_forms_become_what_python_hud_makes_of_them() {
        let url = json!({"url": "x"});
        check(
            &json!({"name": "a", "arguments": url}),
            Ok(json!([{"name": "a", "arguments": url}])),
        );
        check(
            &json!([{"name": "a"}, {"name": "b", "arguments": null}]),
            Ok(json!([{"name": "a", "arguments": {}}, {"name": "b", "arguments": {}}])),
        );
        // The next three were computed with hud.utils.tool_shorthand of hud-python 0.5.41.
        check(
            &json!({"setup": {"name": "navigate", "arguments": url}}),
            Ok(json!([{"name": "setup", "arguments": {"name": "navigate", "arguments": url}}])),
        );
        check(
            &json!({"setup": {"browser": {"navigate": url}}}),
            Ok(json!([{"name": "setup", "arguments": {"browser": {"navigate": url}}}])),
        );
        check(
            &json!({"name": "setup", "arguments": {"navigate": {"name": "x", "arguments": {}}}}),
            Ok(
                json!([{"name": "setup", "arguments": {"name": "navigate", "arguments": {"name": "x", "arguments": {}}}}]),
            ),
        );
        // These it refuses.
        check(
            &json!({"setup": {"navigate": url}}),
            Ok(json!([{"name": "setup", "arguments": {"name": "navigate", "arguments": url}}])),
        );
        check(
            &json!({"navigate": url}),
            Ok(json!([{"name": "navigate", "arguments": url}])),
        );
        check(
            &json!({"name": "a", "arguments": {}, "id": "1"}),
            Ok(json!([{"name": "a", "arguments": {}}])),
        );
    }

    #[test]
    fn what_is_no_call_is_named() {
        check(
            &json!("x"),
            Err(
                "t.json: 'setup_tool' in task 'x' must be a tool call or a list of them, not the string 'x'",
            ),
        );
        check(
            &json!([3]),
            Err("t.json: a call of 'setup_tool' in task 'x' must be a mapping, not a number"),
        );
        check(
            &json!({"arguments": {}, "args": {}}),
            Err(
                "t.json: a call of 'setup_tool' in task 'x' has no 'name'\nt.json: unknown field 'args' in a call of 'setup_tool' in task 'x'; it can have name, arguments\n2 errors",
            ),
        );
        check(
            &json!({"navigate": 3}),
            Err("t.json: a call in 'setup_tool' in task 'x' must be '{name: …, arguments: {…}}'"),
        );
    }
}
