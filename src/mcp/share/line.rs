//! JSON-RPC as lines, read only as far as passing them on needs it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use crate::mcp::MAX_LINE;

/// A message, in parts.
#[derive(Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

impl<'a> Line<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The same message under another id.
    pub(super) fn with_id(&self, id: &str) -> String {
        self.compose(Some(id), self.params.map(RawValue::get))
    }

    /// The same message with another id and other parameters.
    pub(super) fn compose(&self, id: Option<&str>, params: Option<&str>) -> String {
        let mut out = String::from(r#"{"jsonrpc":"2.0""#);
        let mut member = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                out.push_str(&format!(r#","{name}":{value}"#));
            }
        };
        let method = self
            .method
            .as_ref()
            .map(|method| serde_json::Value::from(method.as_ref()).to_string());
        member("id", id);
        member("method", method.as_deref());
        member("params", params);
        member("result", self.result.map(RawValue::get));
        member("error", self.error.map(RawValue::get));
        out.push_str("}\n");
        out
    }
}

/// The members of an object, unread.
pub(super) type Members = BTreeMap<String, Box<RawValue>>;

/// The members of `object`; none when it is not an object.
pub(super) fn members(object: Option<&RawValue>) -> Members {
    object
        .and_then(|object| serde_json::from_str(object.get()).ok())
        .unwrap_or_default()
}

/// `params` with `token` in the place of the progress token in its `_meta`, and that; `None` when it has none.
pub(super) fn with_token(params: Option<&RawValue>, token: u64) -> Option<(String, Box<RawValue>)> {
    // Most requests have none, and are not worth reading.
    params.filter(|params| params.get().contains("progressToken"))?;
    let mut all = members(params);
    let mut meta = members(all.get("_meta").map(|meta| &**meta));
    let old = meta.insert("progressToken".to_owned(), raw(token)?)?;
    all.insert("_meta".to_owned(), raw(meta)?);
    Some((serde_json::to_string(&all).ok()?, old))
}

/// `params` with `value` as its member `name`.
pub(super) fn with_member(params: Option<&RawValue>, name: &str, value: Box<RawValue>) -> String {
    let mut all = members(params);
    all.insert(name.to_owned(), value);
    // A map of raw JSON always has a JSON form.
    serde_json::to_string(&all).unwrap_or_default()
}

pub(super) fn raw(value: impl serde::Serialize) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(&value).ok()
}

/// An answer that is an error of ours.
pub(super) fn refusal(id: &str, message: &str) -> String {
    let error = serde_json::json!({"code": -32603, "message": message});
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}\n")
}

/// What was read.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// A line.
    Line(String),
    /// The beginning of one that is too long to be kept.
    TooLong(String),
    /// The end.
    End,
}

/// Reads lines of at most [`MAX_LINE`] bytes. Waiting for one can be given up and taken up again.
pub(super) struct LineReader<R> {
    from: BufReader<R>,
    line: Vec<u8>,
    too_long: bool,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from: BufReader::with_capacity(16 * 1024, from),
            line: Vec::new(),
            too_long: false,
        }
    }

    pub(super) async fn next(&mut self) -> io::Result<Read> {
        loop {
            let available = self.from.fill_buf().await?;
            if available.is_empty() {
                return Ok(Read::End);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let take = end.unwrap_or(available.len());
            if self.line.len() + take > MAX_LINE {
                self.too_long = true;
                self.line.truncate(BEGINNING);
            }
            if !self.too_long {
                self.line.extend_from_slice(&available[..take]);
            }
            self.from.consume(end.map_or(take, |end| end + 1));
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                let text = String::from_utf8_lossy(&line).into_owned();
                return Ok(if std::mem::take(&mut self.too_long) {
                    Read::TooLong(text)
                } else {
                    Read::Line(text)
                });
            }
        }
    }
}

/// As much of a line that is too long, to find whose answer it is.
const BEGINNING: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, id: &str, expected: &str) {
        assert_eq!(
            Line::parse(text).unwrap().with_id(id),
            format!("{expected}\n")
        );
    }

    #[test]
    fn messages_are_passed_on_as_they_are_but_for_their_id() {
        check(
            r#"{"id":"a","jsonrpc":"2.0","params":{"x": 1e400, "y":9007199254740993123},"method":"tools/call"}"#,
            "7",
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"x": 1e400, "y":9007199254740993123}}"#,
        );
        check(
            r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
            "\"a\"",
            r#"{"jsonrpc":"2.0","id":"a","result":{}}"#,
        );
    }

    #[test]
    fn tokens_are_replaced_where_there_are_any() {
        let params = |text: &str| RawValue::from_string(text.into()).unwrap();
        let with = params(r#"{"_meta":{"progressToken":"t","x":1},"name":"a"}"#);
        let (replaced, old) = with_token(Some(&with), 5).unwrap();
        assert_eq!(
            replaced,
            r#"{"_meta":{"progressToken":5,"x":1},"name":"a"}"#
        );
        assert_eq!(old.get(), "\"t\"");
        assert!(with_token(Some(&params(r#"{"name":"progressToken"}"#)), 5).is_none());
        assert!(with_token(None, 5).is_none());
    }

    #[tokio::test]
    async fn lines_that_are_too_long_are_skipped_and_their_beginning_is_known() {
        let mut text = br#"{"id":3,"result":""#.to_vec();
        text.resize(MAX_LINE + 10, b'x');
        text.extend(b"\nshort\n");
        let mut reader = LineReader::new(text.as_slice());
        let Read::TooLong(beginning) = reader.next().await.unwrap() else {
            panic!("it was kept");
        };
        assert!(beginning.starts_with(r#"{"id":3,"#) && beginning.len() == BEGINNING);
        assert_eq!(reader.next().await.unwrap(), Read::Line("short".into()));
        assert_eq!(reader.next().await.unwrap(), Read::End);
    }
}
