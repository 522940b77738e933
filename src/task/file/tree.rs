//! What YAML, JSON and JSONL files are parsed into: data of which every part knows its place.

use serde_json::{Map, Number, Value};

/// A place in the file that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// From 1; 0 when there are no positions.
    pub line: usize,
    /// In characters, from 1; 0 when there are no positions.
    pub column: usize,
}

impl Position {
    /// For data that came without positions.
    pub(super) const NONE: Self = Self { line: 0, column: 0 };
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub data: Data,
    pub at: Position,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A field of a mapping; keys are unique within it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub key_at: Position,
    pub value: Node,
}

impl Node {
    /// The value, without places.
    pub(super) fn into_json(self) -> Value {
        match self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(value),
            Data::Number(value) => Value::Number(value),
            Data::String(value) => Value::String(value),
            Data::Sequence(items) => Value::Array(items.into_iter().map(Node::into_json).collect()),
            Data::Mapping(entries) => Value::Object(into_map(entries)),
        }
    }

    /// A tree of which every part is at `at`.
    pub(super) fn from_json(value: Value, at: Position) -> Self {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(value) => Data::Bool(value),
            Value::Number(value) => Data::Number(value),
            Value::String(value) => Data::String(value),
            Value::Array(items) => Data::Sequence(
                items
                    .into_iter()
                    .map(|item| Self::from_json(item, at))
                    .collect(),
            ),
            Value::Object(map) => Data::Mapping(
                map.into_iter()
                    .map(|(key, value)| Entry {
                        key,
                        key_at: at,
                        value: Self::from_json(value, at),
                    })
                    .collect(),
            ),
        };
        Self { data, at }
    }

    /// What it is, for messages: `a string`. Short strings are shown, because `yes` for `true` is a common slip.
    pub(super) fn kind(&self) -> &'static str {
        match &self.data {
            Data::Null => "null",
            Data::Bool(_) => "a boolean",
            Data::Number(_) => "a number",
            Data::String(_) => "a string",
            Data::Sequence(_) => "a list",
            Data::Mapping(_) => "a mapping",
        }
    }

    pub(super) fn is_null(&self) -> bool {
        self.data == Data::Null
    }

    /// The value of a field that is not null.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Data::Mapping(entries) = &self.data else {
            return None;
        };
        entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
            .filter(|value| !value.is_null())
    }
}

/// The fields as JSON.
pub(super) fn into_map(entries: Vec<Entry>) -> Map<String, Value> {
    entries
        .into_iter()
        .map(|entry| (entry.key, entry.value.into_json()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_survives() {
        let value = json!({"a": [1, -2, 1.5, null, true, "x"], "b": {}});
        let node = Node::from_json(value.clone(), Position::NONE);
        assert_eq!(node.get("b").map(Node::kind), Some("a mapping"));
        assert_eq!(node.into_json(), value);
    }
}
