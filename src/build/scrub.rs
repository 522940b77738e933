//! Values that must appear nowhere: what the user gave as variables and secrets is taken out of everything that is kept or shown.

use std::fmt;

use serde_json::Value;

/// What stands in the place of a secret.
const HIDDEN: &str = "[hidden]";

/// A shorter value is no secret, and hiding `1` would tear every text apart.
const SHORTEST: usize = 6;

/// The values to hide.
#[derive(Clone, Default)]
pub struct Scrubber {
    /// The longest first: one may be a part of another.
    values: Vec<String>,
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scrubber({} values)", self.values.len())
    }
}

impl Scrubber {
    /// Hides these values.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<String> = values
            .into_iter()
            .map(|value| value.trim().to_owned())
            .filter(|value| value.len() >= SHORTEST)
            .collect();
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self { values }
    }

    /// The text without them.
    pub fn text(&self, text: &str) -> String {
        self.values
            .iter()
            .fold(text.to_owned(), |text, value| text.replace(value, HIDDEN))
    }

    /// The value without them, keys included.
    pub fn json(&self, value: Value) -> Value {
        if self.values.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.json(item)).collect())
            }
            Value::Object(object) => Value::Object(
                object
                    .into_iter()
                    .map(|(key, value)| (self.text(&key), self.json(value)))
                    .collect(),
            ),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_hidden_wherever_they_stand() {
        let scrubber =
            Scrubber::new(["s3cret", "s3cret-long", "1", "", " padded-one\n"].map(str::to_owned));
        assert_eq!(
            scrubber.text("a s3cret-long b s3cret 1 padded-one"),
            "a [hidden] b [hidden] 1 [hidden]"
        );
        assert_eq!(
            scrubber.json(json!({"s3cret": ["x s3cret", 1, null, {"a": "s3cret"}]})),
            json!({"[hidden]": ["x [hidden]", 1, null, {"a": "[hidden]"}]})
        );
        assert!(!format!("{scrubber:?}").contains("s3cret"));
    }
}
