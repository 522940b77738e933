//! Typed access to the fields of a mapping. What is wrong goes to the sink; the caller goes on, so that all mistakes are found.

use serde_json::{Map, Value};

use super::sink::Sink;
use super::tree::{Data, Entry, Node, Position, into_map};
use crate::util::diagnostic::shown;
use crate::util::suggest;

/// The fields of a mapping that were not asked for yet.
pub(super) struct Fields {
    /// Where the mapping starts.
    pub at: Position,
    /// For messages, as in `unknown field 'x' in task 'y'`: `task 'y'`.
    pub place: String,
    entries: Vec<Entry>,
}

/// A field that is not null.
pub(super) struct Field {
    pub key: String,
    pub key_at: Position,
    pub value: Node,
    place: String,
}

impl Fields {
    /// The fields of a mapping; anything else is an error.
    pub(super) fn of(node: Node, place: impl Into<String>, sink: &mut Sink<'_>) -> Option<Self> {
        let place = place.into();
        let (at, kind) = (node.at, node.kind());
        if let Data::Mapping(entries) = node.data {
            return Some(Self { at, place, entries });
        }
        sink.error(at, format!("{place} must be a mapping, not {kind}"));
        None
    }

    /// Whether there is such a field that is not null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.key == key && !entry.value.is_null())
    }

    /// Takes a field. Null is as good as absent.
    pub(super) fn take(&mut self, key: &str) -> Option<Field> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        let Entry { key, key_at, value } = self.entries.remove(index);
        (!value.is_null()).then(|| Field {
            key,
            key_at,
            value,
            place: self.place.clone(),
        })
    }

    /// What is left, as a mapping again.
    pub(super) fn into_node(self) -> Node {
        Node {
            data: Data::Mapping(self.entries),
            at: self.at,
        }
    }

    /// A field, left where it is.
    pub(super) fn peek(&self, key: &str) -> Option<&Node> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    /// The names of what is left.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    /// Takes what is left.
    pub(super) fn rest(&mut self) -> Vec<Field> {
        std::mem::take(&mut self.entries)
            .into_iter()
            .map(|Entry { key, key_at, value }| Field {
                key,
                key_at,
                value,
                place: self.place.clone(),
            })
            .collect()
    }

    /// Every field that was not taken is unknown; `known` are the names to suggest from.
    pub(super) fn finish(self, known: &[&str], sink: &mut Sink<'_>) {
        for entry in self.entries {
            let mut hint = suggest::did_you_mean(&entry.key, known.iter().copied());
            // A short list is more help than nothing.
            if hint.is_empty() && known.len() <= 6 {
                hint = format!("; it can have {}", known.join(", "));
            }
            let (key, place) = (shown(&entry.key), &self.place);
            sink.error(
                entry.key_at,
                format!("unknown field '{key}' in {place}{hint}"),
            );
        }
    }

    /// Takes what must be a string.
    pub(super) fn string(&mut self, key: &str, sink: &mut Sink<'_>) -> Option<String> {
        self.take(key)?.string(sink)
    }

    /// Takes what must be a string with something in it.
    pub(super) fn text(&mut self, key: &str, sink: &mut Sink<'_>) -> Option<String> {
        self.take(key)?.text(sink)
    }

    /// Takes what must be a mapping, as JSON. Empty when absent.
    pub(super) fn object(&mut self, key: &str, sink: &mut Sink<'_>) -> Map<String, Value> {
        self.take(key)
            .and_then(|field| field.object(sink))
            .unwrap_or_default()
    }
}

impl Field {
    /// A field that stands nowhere by itself: its place is its value's.
    pub(super) fn new(key: &str, value: Node, place: &str) -> Self {
        Self {
            key: key.to_owned(),
            key_at: value.at,
            value,
            place: place.to_owned(),
        }
    }

    /// The field as part of a mapping again.
    pub(super) fn into_entry(self) -> Entry {
        Entry {
            key: self.key,
            key_at: self.key_at,
            value: self.value,
        }
    }

    /// `field 'x' in task 'y'`.
    pub(super) fn name(&self) -> String {
        format!("'{}' in {}", shown(&self.key), self.place)
    }

    /// Says what the value must be instead.
    pub(super) fn wrong(&self, wanted: &str, sink: &mut Sink<'_>) {
        let found = match &self.value.data {
            // `yes` for `true` and `10s` for `10` are common slips. What could be a secret is longer.
            Data::String(text) if text.len() <= 5 => format!("the string '{}'", shown(text)),
            Data::Number(number) => number.to_string(),
            Data::Bool(value) => value.to_string(),
            Data::Null | Data::String(_) | Data::Sequence(_) | Data::Mapping(_) => {
                self.value.kind().to_owned()
            }
        };
        sink.error(
            self.value.at,
            format!("{} must be {wanted}, not {found}", self.name()),
        );
    }

    pub(super) fn string(self, sink: &mut Sink<'_>) -> Option<String> {
        if let Data::String(text) = self.value.data {
            return Some(text);
        }
        self.wrong("a string", sink);
        None
    }

    pub(super) fn text(self, sink: &mut Sink<'_>) -> Option<String> {
        if matches!(&self.value.data, Data::String(text) if text.trim().is_empty()) {
            sink.error(self.value.at, format!("{} is empty", self.name()));
            return None;
        }
        self.string(sink)
    }

    /// A string, or a number or boolean as it would be written.
    pub(super) fn scalar(self, sink: &mut Sink<'_>) -> Option<String> {
        match self.value.data {
            Data::Number(number) => Some(number.to_string()),
            Data::Bool(value) => Some(value.to_string()),
            _ => self.string(sink),
        }
    }

    pub(super) fn boolean(self, sink: &mut Sink<'_>) -> Option<bool> {
        if let Data::Bool(value) = self.value.data {
            return Some(value);
        }
        self.wrong("true or false", sink);
        None
    }

    pub(super) fn object(self, sink: &mut Sink<'_>) -> Option<Map<String, Value>> {
        if let Data::Mapping(entries) = self.value.data {
            return Some(into_map(entries));
        }
        self.wrong("a mapping", sink);
        None
    }

    pub(super) fn sequence(self, sink: &mut Sink<'_>) -> Option<Vec<Node>> {
        if let Data::Sequence(items) = self.value.data {
            return Some(items);
        }
        self.wrong("a list", sink);
        None
    }

    /// A list of strings with something in them.
    pub(super) fn strings(self, sink: &mut Sink<'_>) -> Option<Vec<String>> {
        let name = self.name();
        let Data::Sequence(items) = self.value.data else {
            self.wrong("a list of strings", sink);
            return None;
        };
        let count = items.len();
        let strings: Vec<String> = items
            .into_iter()
            .filter_map(|item| match item.data {
                Data::String(text) if !text.trim().is_empty() => Some(text),
                Data::String(_) => {
                    sink.error(item.at, format!("an empty string in {name}"));
                    None
                }
                _ => {
                    sink.error(item.at, format!("{name} must be a list of strings"));
                    None
                }
            })
            .collect();
        (strings.len() == count).then_some(strings)
    }

    /// The field's own fields.
    pub(super) fn fields(self, sink: &mut Sink<'_>) -> Option<Fields> {
        let place = self.name();
        if matches!(self.value.data, Data::Mapping(_)) {
            Fields::of(self.value, place, sink)
        } else {
            self.wrong("a mapping", sink);
            None
        }
    }

    /// Variables of a process or headers: names with scalars.
    pub(super) fn variables(
        self,
        sink: &mut Sink<'_>,
    ) -> Option<std::collections::BTreeMap<String, String>> {
        let mut fields = self.fields(sink)?;
        Some(
            fields
                .rest()
                .into_iter()
                .filter_map(|field| {
                    let key = field.key.clone();
                    match &field.value.data {
                        Data::String(_) | Data::Number(_) | Data::Bool(_) => {
                            Some((key, field.scalar(sink)?))
                        }
                        // The value may be a secret even here, so only its kind is named.
                        _ => {
                            let message = format!(
                                "{} must be a string, not {}",
                                field.name(),
                                field.value.kind()
                            );
                            sink.error(field.value.at, message);
                            None
                        }
                    }
                })
                .collect(),
        )
    }
}
