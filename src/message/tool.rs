//! Tools, calls of them and what they answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Content;

/// A tool that a model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// The name it is called by in the environment (providers may need another; `format` maps it there and back).
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema of its arguments: an object schema.
    pub input_schema: Value,
    /// JSON Schema of its structured result, when the environment declares one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// The connection it came through, for `exclude_sources`; `None` is the environment itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// MCP `_meta`, as it came.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub meta: Map<String, Value>,
}

/// The arguments of a call as a model wrote them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Arguments {
    /// A JSON object.
    Object {
        /// The object.
        value: Map<String, Value>,
    },
    /// Something that is not a JSON object. It is never run; the model is told why.
    Malformed {
        /// What the model wrote.
        raw: String,
        /// What is wrong with it.
        error: String,
    },
}

impl Arguments {
    /// Reads what a model streamed. An empty text is an empty object: several servers send that for a tool without parameters.
    pub fn parse(raw: &str) -> Self {
        if raw.trim().is_empty() {
            return Self::Object { value: Map::new() };
        }
        match serde_json::from_str::<Value>(raw) {
            Ok(Value::Object(value)) => Self::Object { value },
            Ok(other) => Self::Malformed {
                raw: raw.to_owned(),
                error: format!("expected a JSON object, got {}", json_type(&other)),
            },
            Err(error) => Self::Malformed {
                raw: raw.to_owned(),
                error: format!("not valid JSON: {error}"),
            },
        }
    }

    /// The object, when it is one.
    pub fn as_object(&self) -> Option<&Map<String, Value>> {
        match self {
            Self::Object { value } => Some(value),
            Self::Malformed { .. } => None,
        }
    }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's id, unique within a conversation.
    pub id: String,
    /// The tool's name in the environment.
    pub name: String,
    /// Its arguments.
    pub arguments: Arguments,
    /// What the same provider wants back beside the call with the next request (a thought signature, the kind of a native call), in its own
    /// form.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub opaque: Option<Value>,
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The id of the call.
    pub call_id: String,
    /// The tool's name.
    pub name: String,
    /// What it says.
    pub content: Vec<Content>,
    /// Its structured result, when it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structured: Option<Value>,
    /// Whether the tool failed.
    pub is_error: bool,
}

impl ToolResult {
    /// A failure, told to the model in words.
    pub fn error(call: &ToolCall, text: impl Into<String>) -> Self {
        Self {
            call_id: call.id.clone(),
            name: call.name.clone(),
            content: vec![Content::text(text)],
            structured: None,
            is_error: true,
        }
    }
}
