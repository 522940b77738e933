//! What a key of `[eval]` or `[dev]` holds.

use serde_json::Value;

use super::AGENT_TYPES;
use crate::util::suggest;

/// What a key holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Switch,
    /// A whole number of at least this.
    Whole(i64),
    /// A number above 0.
    Positive,
    /// Any number.
    Number,
    /// Strings, or one string.
    Texts,
    /// A program and its arguments.
    Command,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A port of TCP.
    Port,
    AgentType,
    /// Belongs to the agent settings, where it is checked.
    AgentSetting,
    /// Needs HUD's platform; may only be off.
    Platform,
}

/// What the value must be instead, if it does not fit.
pub(super) fn fits(kind: Kind, value: &Value) -> Result<(), String> {
    let (fits, wanted) = match kind {
        Kind::Text => (
            value.as_str().is_some_and(|text| !text.trim().is_empty()),
            "a string that is not empty".to_owned(),
        ),
        Kind::Switch => (value.is_boolean(), "true or false".to_owned()),
        Kind::Whole(least) => (
            value.as_i64().is_some_and(|number| number >= least),
            format!("a whole number of at least {least}"),
        ),
        Kind::Positive => (
            value.as_f64().is_some_and(|number| number > 0.0),
            "a number above 0".to_owned(),
        ),
        Kind::Number => (value.is_number(), "a number".to_owned()),
        Kind::Texts => {
            let fits = match value {
                Value::Array(items) => items.iter().all(Value::is_string),
                other => other.is_string(),
            };
            (fits, "a list of strings".to_owned())
        }
        Kind::Command => {
            let fits = value
                .as_array()
                .is_some_and(|words| !words.is_empty() && words.iter().all(Value::is_string));
            (
                fits,
                "a program and its arguments, such as [\"node\", \"server.js\"]".to_owned(),
            )
        }
        Kind::Choice(names) => {
            let text = value.as_str().unwrap_or_default();
            let near = suggest::did_you_mean(text, names.iter().copied());
            (
                names.contains(&text),
                format!("one of {}{near}", names.join(", ")),
            )
        }
        Kind::Port => (
            value.as_u64().is_some_and(|port| port <= 0xFFFF),
            "a port: a whole number from 0 to 65535".to_owned(),
        ),
        Kind::AgentType => {
            let text = value.as_str().unwrap_or_default();
            let near = suggest::did_you_mean(text, AGENT_TYPES.iter().copied());
            (
                AGENT_TYPES.contains(&text),
                format!("one of {}{near}", AGENT_TYPES.join(", ")),
            )
        }
        Kind::Platform => {
            return if *value == Value::Bool(false) {
                Ok(())
            } else {
                Err("needs HUD's platform, which this program does not use; remove it".to_owned())
            };
        }
        Kind::AgentSetting => (true, String::new()),
    };
    if fits {
        Ok(())
    } else {
        Err(format!("must be {wanted}"))
    }
}
