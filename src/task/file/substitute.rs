//! `${VAR}` in the strings of a tree.

use super::sink::Sink;
use super::tree::{Data, Node};
use crate::util::interpolate::interpolate;

/// Replaces variables in every string value (never in a key). `place` is for messages: `task 'x'`.
pub(super) fn substitute(node: &mut Node, place: &str, sink: &mut Sink<'_>) {
    match &mut node.data {
        Data::Null | Data::Bool(_) | Data::Number(_) => {}
        Data::String(text) => match interpolate(text, sink.variables) {
            Ok(std::borrow::Cow::Borrowed(_)) => {}
            Ok(std::borrow::Cow::Owned(replaced)) => *text = replaced,
            Err(problems) => {
                for problem in problems {
                    sink.error(node.at, format!("{problem} (in {place})"));
                }
            }
        },
        Data::Sequence(items) => {
            for item in items {
                substitute(item, place, sink);
            }
        }
        Data::Mapping(entries) => {
            for entry in entries {
                substitute(&mut entry.value, place, sink);
            }
        }
    }
}
