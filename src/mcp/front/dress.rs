//! What answers look like to the client that gets them.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::json;
use serde_json::value::RawValue;

use super::SESSION_META;
use super::call::Purpose;
use super::era::{self, RequestMeta};
use super::wire::{self, Members, RpcError, code};

/// The era of the request, and with it the shape of its answer.
#[derive(Clone, Debug)]
pub(super) enum Dress {
    /// Up to 2025-11-25: as the copy answers.
    Session,
    /// Since 2026-07-28.
    Stateless {
        meta: RequestMeta,
        /// `{"name", "version"}` of the environment.
        server: Arc<RawValue>,
        /// The session that a successful setup opened, to be named in its result.
        opened: Option<String>,
    },
}

/// Results that clients may keep, and that must say for how long.
fn is_cacheable(method: &str) -> bool {
    matches!(
        method,
        "tools/list"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
            | "server/discover"
    )
}

impl Dress {
    pub(super) fn is_stateless(&self) -> bool {
        matches!(self, Self::Stateless { .. })
    }

    /// A copy's result as the client gets it.
    pub(super) fn result(
        &self,
        method: &str,
        result: &RawValue,
        purpose: &Purpose,
    ) -> Result<String, RpcError> {
        let Self::Stateless {
            meta,
            server,
            opened,
        } = self
        else {
            return Ok(result.get().to_owned());
        };
        let mut members = Members::read(Some(result), "the environment's result")
            .map_err(|error| RpcError::new(code::INTERNAL_ERROR, error.message))?;
        let result_meta = members.remove("_meta");
        let mut result_meta = match &result_meta {
            Some(raw) => Members::read(Some(raw), "`_meta`").unwrap_or_default(),
            None => Members::default(),
        };
        if let (Some(opened), Purpose::Setup(_)) = (opened, purpose) {
            result_meta.set(SESSION_META, Cow::Owned(wire::raw(opened)));
        }
        if meta.is_modern() {
            result_meta.set(era::SERVER_INFO_KEY, Cow::Borrowed(server));
            if members.get("resultType").is_none() {
                members.set("resultType", Cow::Owned(wire::raw(&"complete")));
            }
            if is_cacheable(method) {
                // What is listed differs between sessions, and changes when the environment does.
                if members.get("ttlMs").is_none() {
                    members.set("ttlMs", Cow::Owned(wire::raw(&0)));
                }
                if members.get("cacheScope").is_none() {
                    members.set("cacheScope", Cow::Owned(wire::raw(&"private")));
                }
            }
        }
        if !result_meta.is_empty() {
            members.set("_meta", Cow::Owned(result_meta.raw()));
        }
        Ok(members.json())
    }

    /// A copy's error as the client gets it.
    pub(super) fn error(&self, error: &RpcError) -> RpcError {
        match self {
            Self::Stateless { meta, .. }
                if meta.is_modern() && error.code == code::RESOURCE_NOT_FOUND =>
            {
                RpcError {
                    code: code::INVALID_PARAMS,
                    ..error.clone()
                }
            }
            Self::Stateless { .. } | Self::Session => error.clone(),
        }
    }
}

/// What `initialize` and `server/discover` say that the server can do. It is what some version of the environment may have: a version that
/// has no prompts lists none.
pub(super) fn capabilities() -> serde_json::Value {
    json!({
        "tools": {"listChanged": true},
        "prompts": {"listChanged": true},
        "resources": {"subscribe": true, "listChanged": true},
        "logging": {},
        "completions": {},
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn stateless(version: &str, opened: Option<&str>) -> Dress {
        Dress::Stateless {
            meta: RequestMeta {
                version: version.to_owned(),
                capabilities: json!({}),
                log_level: None,
                session: None,
            },
            server: wire::raw(&json!({"name": "e", "version": "1"})).into(),
            opened: opened.map(str::to_owned),
        }
    }

    fn check(dress: &Dress, method: &str, purpose: &Purpose, result: &str, expected: &Value) {
        let result = RawValue::from_string(result.to_owned()).unwrap();
        let dressed = dress.result(method, &result, purpose).unwrap();
        let dressed: Value = serde_json::from_str(&dressed).unwrap();
        assert_eq!(&dressed, expected);
    }

    #[test]
    fn results_of_both_eras() {
        let server = json!({"io.modelcontextprotocol/serverInfo": {"name": "e", "version": "1"}});
        check(
            &Dress::Session,
            "tools/list",
            &Purpose::Plain,
            r#"{"tools":[]}"#,
            &json!({"tools": []}),
        );
        check(
            &stateless("2026-07-28", None),
            "tools/list",
            &Purpose::Plain,
            r#"{"tools":[]}"#,
            &json!({"tools": [], "resultType": "complete", "ttlMs": 0, "cacheScope": "private", "_meta": server}),
        );
        check(
            &stateless("2026-07-28", None),
            "tools/call",
            &Purpose::Plain,
            r#"{"content":[],"new":{"field":1.0}}"#,
            &json!({"content": [], "new": {"field": 1.0}, "resultType": "complete", "_meta": server}),
        );
        check(
            &stateless("2025-11-25", Some("id")),
            "prompts/get",
            &Purpose::Setup("e:s".into()),
            r#"{"messages":[],"_meta":{"a":1}}"#,
            &json!({"messages": [], "_meta": {"a": 1, "hud/session": "id"}}),
        );
    }

    #[test]
    fn an_unknown_resource_has_another_code_since_2026() {
        let error = RpcError::new(code::RESOURCE_NOT_FOUND, "no");
        assert_eq!(Dress::Session.error(&error).code, -32002);
        assert_eq!(stateless("2026-07-28", None).error(&error).code, -32602);
        assert_eq!(stateless("2025-11-25", None).error(&error).code, -32002);
    }
}
