//! HTTP headers that repeat what the body says (MCP 2026-07-28): proxies route by them without reading the body, so they must agree.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::offer::ParamHeader;
use super::wire::{Members, RpcError, code};

pub(super) const VERSION: &str = "mcp-protocol-version";
pub(super) const SESSION: &str = "mcp-session-id";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";
const PARAM: &str = "mcp-param-";

fn mismatch(words: String) -> RpcError {
    RpcError::new(code::HEADER_MISMATCH, words)
}

/// The only value of a header. Two of them could be read differently by a proxy and by us.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, RpcError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(mismatch(format!("the header `{name}` came twice")));
    }
    value.to_str().map(Some).map_err(|_| {
        mismatch(format!(
            "the header `{name}` has characters that it may not have"
        ))
    })
}

/// A header's value, out of the form `=?base64?…?=` that carries what headers cannot.
fn decoded(name: &str, value: &str) -> Result<String, RpcError> {
    let Some(encoded) = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="))
    else {
        return Ok(value.to_owned());
    };
    BASE64_STANDARD
        .decode(encoded)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| mismatch(format!("the header `{name}` is not valid base64")))
}

fn check_one(headers: &HeaderMap, name: &str, expected: &str) -> Result<(), RpcError> {
    match only(headers, name)? {
        Some(value) if value == expected => Ok(()),
        Some(value) => Err(mismatch(format!(
            "the header `{name}` says `{value}`, the body `{expected}`"
        ))),
        None => Err(mismatch(format!("the header `{name}` is missing"))),
    }
}

/// Checks the header that repeats the version of the body.
pub(super) fn check_version(headers: &HeaderMap, version: &str) -> Result<(), RpcError> {
    check_one(headers, VERSION, version)
}

/// Checks the headers that repeat what a request asks for.
pub(super) fn check(
    headers: &HeaderMap,
    method: &str,
    params: &Members<'_>,
) -> Result<(), RpcError> {
    check_one(headers, METHOD, method)?;
    let source = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        _ => return Ok(()),
    };
    let Some(expected) = params.text(source) else {
        return Ok(());
    };
    let Some(value) = only(headers, NAME)? else {
        return Err(mismatch(format!("the header `{NAME}` is missing")));
    };
    let value = decoded(NAME, value)?;
    if value != expected {
        return Err(mismatch(format!(
            "the header `{NAME}` says `{value}`, the body `{expected}`"
        )));
    }
    Ok(())
}

/// Checks the headers that repeat arguments of a tool.
pub(super) fn check_params(
    headers: &HeaderMap,
    annotated: &[ParamHeader],
    arguments: &Value,
) -> Result<(), RpcError> {
    for ParamHeader { path, header } in annotated {
        let name = format!("{PARAM}{}", header.to_ascii_lowercase());
        let given = match only(headers, &name)? {
            Some(value) => Some(decoded(&name, value)?),
            None => None,
        };
        let argument = path
            .iter()
            .try_fold(arguments, |value, key| value.get(key))
            .filter(|value| !value.is_null());
        let shown = path.join(".");
        match (given, argument) {
            (None, None) => {}
            (Some(_), None) => {
                return Err(mismatch(format!(
                    "the header `{name}` came, but the argument `{shown}` did not"
                )));
            }
            (None, Some(_)) => {
                return Err(mismatch(format!(
                    "the header `{name}` is missing, which repeats the argument `{shown}`"
                )));
            }
            (Some(given), Some(argument)) if same(&given, argument) => {}
            (Some(given), Some(argument)) => {
                return Err(mismatch(format!(
                    "the header `{name}` says `{given}`, the argument `{shown}` {argument}"
                )));
            }
        }
    }
    Ok(())
}

/// Whether a header says what an argument says. Numbers compare as numbers: `42.0` is 42.
fn same(given: &str, argument: &Value) -> bool {
    match argument {
        Value::String(text) => given == text,
        Value::Bool(flag) => given == if *flag { "true" } else { "false" },
        Value::Number(number) => {
            let as_number = given.parse::<f64>().ok().map(f64::to_bits);
            given == number.to_string() || as_number == number.as_f64().map(f64::to_bits)
        }
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    fn check_all(list: &[(&str, &str)], method: &str, params: &Value) -> Result<(), i32> {
        let raw = RawValue::from_string(params.to_string()).unwrap();
        let params = Members::read(Some(&raw), "params").unwrap();
        let headers = headers(list);
        check_version(&headers, "2026-07-28")
            .and_then(|()| check(&headers, method, &params))
            .map_err(|error| error.code)
    }

    #[test]
    fn standard_headers_must_be_there_and_agree() {
        let mismatch = Err(code::HEADER_MISMATCH);
        let version = (VERSION, "2026-07-28");
        let call = json!({"name": "add"});
        let good = [version, (METHOD, "tools/call"), (NAME, "add")];
        assert_eq!(check_all(&good, "tools/call", &call), Ok(()));
        assert_eq!(
            check_all(&[version, (METHOD, "ping")], "ping", &json!({})),
            Ok(())
        );
        for bad in [
            vec![(METHOD, "tools/call"), (NAME, "add")],
            vec![version, (NAME, "add")],
            vec![version, (METHOD, "tools/call")],
            vec![version, (METHOD, "tools/list"), (NAME, "add")],
            vec![version, (METHOD, "tools/call"), (NAME, "sub")],
            vec![
                (VERSION, "2025-11-25"),
                (METHOD, "tools/call"),
                (NAME, "add"),
            ],
            vec![version, (METHOD, "tools/call"), (NAME, "=?base64?!?=")],
        ] {
            assert_eq!(check_all(&bad, "tools/call", &call), mismatch, "{bad:?}");
        }
        let mut twice = headers(&good);
        twice.append(METHOD, HeaderValue::from_static("tools/list"));
        let raw = RawValue::from_string(call.to_string()).unwrap();
        let params = Members::read(Some(&raw), "params").unwrap();
        assert!(check(&twice, "tools/call", &params).is_err());
    }

    #[test]
    fn names_that_headers_cannot_carry_are_encoded() {
        let version = (VERSION, "2026-07-28");
        let encoded = [
            version,
            (METHOD, "tools/call"),
            (NAME, "=?base64?SGVsbG8sIOS4lueVjA==?="),
        ];
        let params = json!({"name": "Hello, 世界"});
        assert_eq!(check_all(&encoded, "tools/call", &params), Ok(()));
    }

    #[test]
    fn arguments_in_headers() {
        let annotated = [
            ParamHeader {
                path: vec!["region".to_owned()],
                header: "Region".to_owned(),
            },
            ParamHeader {
                path: vec!["a".to_owned(), "n".to_owned()],
                header: "N".to_owned(),
            },
        ];
        let check = |list: &[(&str, &str)], arguments: Value, good: bool| {
            let outcome = check_params(&headers(list), &annotated, &arguments);
            assert_eq!(outcome.is_ok(), good, "{list:?} {arguments}: {outcome:?}");
        };
        check(&[], json!({}), true);
        check(&[], json!({"region": null}), true);
        check(&[("mcp-param-region", "eu")], json!({"region": "eu"}), true);
        check(&[("Mcp-Param-N", "42.0")], json!({"a": {"n": 42}}), true);
        check(
            &[("mcp-param-region", "eu")],
            json!({"region": "us"}),
            false,
        );
        check(&[("mcp-param-region", "eu")], json!({}), false);
        check(&[], json!({"region": "eu"}), false);
    }
}
