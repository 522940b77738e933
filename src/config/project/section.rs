//! The keys of a section and their values.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::config::Setting;

/// The keys of a section. `Debug` hides keys of providers.
#[derive(Clone, Default, PartialEq)]
pub struct Section(pub(super) BTreeMap<String, Setting<Value>>);

impl Section {
    /// The value as it stands in the file.
    pub fn value(&self, key: &str) -> Option<Setting<Value>> {
        self.0.get(key).cloned()
    }

    /// A string.
    pub fn text(&self, key: &str) -> Option<Setting<String>> {
        self.typed(key, |value| value.as_str().map(str::to_owned))
    }

    /// A switch.
    pub fn switch(&self, key: &str) -> Option<Setting<bool>> {
        self.typed(key, Value::as_bool)
    }

    /// A whole number that is not negative.
    pub fn whole(&self, key: &str) -> Option<Setting<u64>> {
        self.typed(key, Value::as_u64)
    }

    /// A number.
    pub fn number(&self, key: &str) -> Option<Setting<f64>> {
        self.typed(key, Value::as_f64)
    }

    /// Strings, or one string that separates them with commas.
    pub fn texts(&self, key: &str) -> Option<Setting<Vec<String>>> {
        self.typed(key, |value| match value {
            Value::String(text) => Some(
                text.split(',')
                    .map(|part| part.trim().to_owned())
                    .filter(|part| !part.is_empty())
                    .collect(),
            ),
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        })
    }

    /// Every key, for `task::file::agent_config` and `--show-config`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting<Value>)> {
        self.0.iter().map(|(key, setting)| (key.as_str(), setting))
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn typed<T>(&self, key: &str, read: impl Fn(&Value) -> Option<T>) -> Option<Setting<T>> {
        let setting = self.0.get(key)?;
        Some(Setting {
            value: read(&setting.value)?,
            origin: setting.origin.clone(),
        })
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.iter().map(|(key, setting)| {
                let value = if key == "api_key" {
                    "[hidden]".to_owned()
                } else {
                    setting.value.to_string()
                };
                (key, value)
            }))
            .finish()
    }
}
