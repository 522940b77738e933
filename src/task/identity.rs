//! The identity of a task: a hash of its content.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::model::is_nothing;
use super::{Invocation, Task};

/// 16 hex digits of the SHA-256 of the content as canonical JSON. Absent fields are left out, so that a field that a later version adds
/// changes no identity of a task that does not use it.
pub(super) fn of(task: &Task) -> String {
    let calls = |calls: &[Invocation]| calls.iter().map(Invocation::to_json).collect::<Value>();
    let slug = task.slug_given.then_some(&task.slug);
    let content: Map<String, Value> = [
        ("slug", json!(slug)),
        ("scenario", json!(task.scenario)),
        ("args", json!(task.args)),
        ("prompt", json!(task.prompt)),
        ("setup", calls(&task.setup)),
        ("evaluate", calls(&task.evaluate)),
        ("agent", Value::Object(task.agent.to_json())),
    ]
    .into_iter()
    .filter(|(_, value)| !is_nothing(value))
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let mut text = String::new();
    write_canonical(&Value::Object(content), &mut text);
    hex(&Sha256::digest(text.as_bytes())[..8])
}

/// Compact JSON with sorted keys.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
