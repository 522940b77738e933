//! JSON-RPC as text: what tells messages apart is read, everything else is carried as it came.

use std::borrow::Cow;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// JSON-RPC and MCP error codes.
pub(super) mod code {
    /// The text is not JSON.
    pub(crate) const PARSE_ERROR: i32 = -32700;
    /// The JSON is no request.
    pub(crate) const INVALID_REQUEST: i32 = -32600;
    /// Nobody knows the method.
    pub(crate) const METHOD_NOT_FOUND: i32 = -32601;
    /// The parameters are wrong.
    pub(crate) const INVALID_PARAMS: i32 = -32602;
    /// We or the copy failed.
    pub(crate) const INTERNAL_ERROR: i32 = -32603;
    /// The server is full, or is closing.
    pub(crate) const UNAVAILABLE: i32 = -32000;
    /// There is no such resource, up to MCP 2025-11-25; since then [`INVALID_PARAMS`].
    pub(crate) const RESOURCE_NOT_FOUND: i32 = -32002;
    /// An HTTP header does not say what the body says (MCP 2026-07-28).
    pub(crate) const HEADER_MISMATCH: i32 = -32020;
    /// The client did not declare a capability that the request needs (MCP 2026-07-28).
    pub(crate) const MISSING_CAPABILITY: i32 = -32021;
    /// The server does not speak the version of the request (MCP 2026-07-28).
    pub(crate) const UNSUPPORTED_VERSION: i32 = -32022;
}

/// An object with more members than this is refused: finding one would take too long.
const MAX_MEMBERS: usize = 256;

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RpcError {
    pub(super) code: i32,
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

impl RpcError {
    pub(super) fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    pub(super) fn with_data(self, data: Value) -> Self {
        Self {
            data: Some(data),
            ..self
        }
    }

    /// The `error` member.
    pub(super) fn raw(&self) -> Box<RawValue> {
        #[derive(Serialize)]
        struct Body<'a> {
            code: i32,
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'a Value>,
        }
        to_raw_value(&Body {
            code: self.code,
            message: &self.message,
            data: self.data.as_ref(),
        })
        .unwrap_or_default()
    }

    /// Reads an `error` member.
    pub(super) fn read(raw: &RawValue) -> Self {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default)]
            code: i64,
            #[serde(default)]
            message: String,
            #[serde(default)]
            data: Option<Value>,
        }
        match serde_json::from_str::<Body>(raw.get()) {
            Ok(body) => Self {
                code: i32::try_from(body.code).unwrap_or(code::INTERNAL_ERROR),
                message: body.message,
                data: body.data,
            },
            Err(error) => Self::new(
                code::INTERNAL_ERROR,
                format!("the environment answered with a malformed error: {error}"),
            ),
        }
    }
}

/// A request id as it stands in the message: a string or a whole number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id(Box<str>);

impl Id {
    /// `None` when `raw` is neither a string nor a whole number.
    fn read(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        let number = text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
        (text.starts_with('"') || number).then(|| Self(text.into()))
    }

    /// Its JSON text.
    pub(super) fn json(&self) -> &str {
        &self.0
    }

    /// The JSON text of a raw id that was not read before, such as in `requestId`.
    pub(super) fn of(raw: &RawValue) -> Self {
        Self(raw.get().into())
    }
}

/// A message of a client.
#[derive(Debug)]
pub(super) enum Incoming<'a> {
    Request {
        id: Id,
        method: Cow<'a, str>,
        params: Option<&'a RawValue>,
    },
    Notification {
        method: Cow<'a, str>,
        params: Option<&'a RawValue>,
    },
    /// An answer to a request of ours: its `result`, or its `error`.
    Answer {
        id: Id,
        result: Result<&'a RawValue, &'a RawValue>,
    },
}

/// A body: one message, or several of them (MCP 2025-03-26).
pub(super) enum Body<'a> {
    One(&'a RawValue),
    Batch(Vec<&'a RawValue>),
}

/// Splits a body.
pub(super) fn body(bytes: &[u8]) -> Result<Body<'_>, RpcError> {
    let malformed = |error: serde_json::Error| {
        RpcError::new(code::PARSE_ERROR, format!("the body is not JSON: {error}"))
    };
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return serde_json::from_slice(bytes)
            .map(Body::Batch)
            .map_err(malformed);
    }
    serde_json::from_slice(bytes)
        .map(Body::One)
        .map_err(malformed)
}

/// Reads a message. The error comes with the id, when there was one.
pub(super) fn message(raw: &RawValue) -> Result<Incoming<'_>, (Option<Id>, RpcError)> {
    let invalid = |id: Option<Id>, words: String| (id, RpcError::new(code::INVALID_REQUEST, words));
    let members: Members<'_> = serde_json::from_str(raw.get())
        .map_err(|error| invalid(None, format!("the message is no JSON-RPC: {error}")))?;
    let id =
        match members.borrowed("id") {
            None => None,
            Some(raw) => Some(Id::read(raw).ok_or_else(|| {
                invalid(None, "`id` must be a string or a whole number".to_owned())
            })?),
        };
    if members.text("jsonrpc").as_deref() != Some("2.0") {
        return Err(invalid(id, "`jsonrpc` must be \"2.0\"".to_owned()));
    }
    let params = members
        .borrowed("params")
        .filter(|params| params.get() != "null");
    if let Some(method) = members.borrowed("method") {
        let Ok(Text(method)) = serde_json::from_str(method.get()) else {
            return Err(invalid(id, "`method` must be a string".to_owned()));
        };
        return Ok(match id {
            Some(id) => Incoming::Request { id, method, params },
            None => Incoming::Notification { method, params },
        });
    }
    match (id, members.borrowed("result"), members.borrowed("error")) {
        (Some(id), _, Some(error)) => Ok(Incoming::Answer {
            id,
            result: Err(error),
        }),
        (Some(id), Some(result), None) => Ok(Incoming::Answer {
            id,
            result: Ok(result),
        }),
        (id, _, _) => Err(invalid(
            id,
            "the message has neither a `method` nor a `result`".to_owned(),
        )),
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of a JSON object, whose values stay text. Of members with the same name the last one counts, as for most readers of JSON:
/// what is checked here must be what the copy sees.
#[derive(Clone, Debug, Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, RawValue>)>);

impl<'a> Members<'a> {
    /// Reads an object; `None` is the empty one.
    pub(super) fn read(raw: Option<&'a RawValue>, what: &str) -> Result<Self, RpcError> {
        let Some(raw) = raw else {
            return Ok(Self::default());
        };
        serde_json::from_str(raw.get()).map_err(|error| {
            RpcError::new(
                code::INVALID_PARAMS,
                format!("{what} must be an object: {error}"),
            )
        })
    }

    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_ref())
    }

    /// The member as it stood in the text that was read.
    fn borrowed(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find_map(|(known, value)| match value {
            Cow::Borrowed(value) if known == name => Some(*value),
            Cow::Borrowed(_) | Cow::Owned(_) => None,
        })
    }

    /// The member as `T`; `None` when it is missing or something else.
    pub(super) fn get_as<'b, T: Deserialize<'b>>(&'b self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    pub(super) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get_as::<Text<'_>>(name).map(|text| text.0)
    }

    pub(super) fn set(&mut self, name: &str, value: Cow<'a, RawValue>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((Cow::Owned(name.to_owned()), value)),
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Cow<'a, RawValue>> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The object as a value.
    pub(super) fn raw(&self) -> Box<RawValue> {
        RawValue::from_string(self.json()).unwrap_or_default()
    }

    /// The object's text.
    pub(super) fn json(&self) -> String {
        let length: usize = self
            .0
            .iter()
            .map(|(n, v)| n.len() + v.get().len() + 6)
            .sum();
        let mut text = String::with_capacity(length + 2);
        text.push('{');
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&json_text(name));
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        text
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Object<'a> {
            type Value = Members<'a>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(Cow<'a, str>, Cow<'a, RawValue>)> = Vec::new();
                while let Some((Text(name), value)) = map.next_entry::<Text<'_>, &'de RawValue>()? {
                    let value = Cow::Borrowed(value);
                    match members.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, old)) => *old = value,
                        None => members.push((name, value)),
                    }
                    if members.len() > MAX_MEMBERS {
                        let words = format!("it has more than {MAX_MEMBERS} members");
                        return Err(serde::de::Error::custom(words));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object(std::marker::PhantomData))
    }
}

/// `text` as a JSON string.
pub(super) fn json_text(text: &str) -> String {
    Value::from(text).to_string()
}

/// A raw JSON value of ours.
pub(super) fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_default()
}

/// `{}`.
pub(super) fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_default()
}

/// An answer with a result.
pub(super) fn result(id: &Id, result: &str) -> String {
    let id = id.json();
    let mut text = String::with_capacity(result.len() + id.len() + 40);
    text.push_str("{\"jsonrpc\":\"2.0\",\"id\":");
    text.push_str(id);
    text.push_str(",\"result\":");
    text.push_str(result);
    text.push('}');
    text
}

/// An answer with an error; `None` is the id of a message whose id could not be read.
pub(super) fn error(id: Option<&Id>, error: &RpcError) -> String {
    let id = id.map_or("null", Id::json);
    let error = error.raw();
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{}}}",
        error.get()
    )
}

/// A notification.
pub(super) fn notification(method: &str, params: &str) -> String {
    let method = json_text(method);
    format!("{{\"jsonrpc\":\"2.0\",\"method\":{method},\"params\":{params}}}")
}

/// A request of ours.
pub(super) fn request(id: &str, method: &str, params: &str) -> String {
    let method = json_text(method);
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":{method},\"params\":{params}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, (Option<String>, i32)> {
        let Body::One(raw) = body(text.as_bytes()).map_err(|error| (None, error.code))? else {
            return Ok("batch".to_owned());
        };
        match message(raw) {
            Ok(message) => Ok(format!("{message:?}")),
            Err((id, error)) => Err((id.map(|id| id.json().to_owned()), error.code)),
        }
    }

    #[test]
    fn messages_are_told_apart() {
        for (text, expected) in [
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
                Ok(r#"Request { id: Id("1"), method: "ping", params: None }"#),
            ),
            (
                r#"{"jsonrpc":"2.0","id":"a","method":"x","params":{ "b": 1 }}"#,
                Ok(
                    r#"Request { id: Id("\"a\""), method: "x", params: Some(RawValue({ "b": 1 })) }"#,
                ),
            ),
            (
                r#"{"jsonrpc":"2.0","method":"n","params":null}"#,
                Ok(r#"Notification { method: "n", params: None }"#),
            ),
            (
                r#"{"jsonrpc":"2.0","id":2,"result":{}}"#,
                Ok(r#"Answer { id: Id("2"), result: Ok(RawValue({})) }"#),
            ),
            ("[1,2]", Ok("batch")),
            ("{\"jsonrpc\"", Err((None, code::PARSE_ERROR))),
            ("", Err((None, code::PARSE_ERROR))),
            ("3", Err((None, code::INVALID_REQUEST))),
            (
                r#"{"jsonrpc":"1.0","id":7,"method":"x"}"#,
                Err((Some("7"), code::INVALID_REQUEST)),
            ),
            (
                r#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#,
                Err((None, code::INVALID_REQUEST)),
            ),
            (
                r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#,
                Err((None, code::INVALID_REQUEST)),
            ),
            (
                r#"{"jsonrpc":"2.0","id":3}"#,
                Err((Some("3"), code::INVALID_REQUEST)),
            ),
        ] {
            let expected = expected
                .map(str::to_owned)
                .map_err(|(id, code)| (id.map(str::to_owned), code));
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn members_keep_their_text_and_the_last_of_equals_counts() {
        let raw = RawValue::from_string(r#"{"a":1.50,"b":{"x": [1]},"a":"two"}"#.into()).unwrap();
        let mut members = Members::read(Some(&raw), "params").unwrap();
        assert_eq!(members.text("a").as_deref(), Some("two"));
        members.remove("a");
        members.set("c", Cow::Owned(empty()));
        assert_eq!(members.raw().get(), r#"{"b":{"x": [1]},"c":{}}"#);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "1", "\"a\""] {
            let raw = RawValue::from_string(text.into()).unwrap();
            let error = Members::read(Some(&raw), "params").unwrap_err();
            assert_eq!(error.code, code::INVALID_PARAMS);
        }
        let many: Vec<String> = (0..300).map(|n| format!("\"k{n}\":1")).collect();
        let raw = RawValue::from_string(format!("{{{}}}", many.join(","))).unwrap();
        assert!(Members::read(Some(&raw), "params").is_err());
    }
}
