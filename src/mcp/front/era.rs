//! The two eras of MCP. Up to 2025-11-25 a session begins with `initialize`; since 2026-07-28 every request says in `_meta` which version it
//! speaks and what its client can do, and there is no session.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::level::Level;
use super::wire::{Members, RpcError, code};

/// The versions with sessions, the newest first.
const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The version without sessions.
pub(super) const MODERN: &str = "2026-07-28";

/// The only version whose clients may send several messages in one body.
pub(super) const BATCHES: &str = "2025-03-26";

pub(super) const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
pub(super) const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const LOG_LEVEL_KEY: &str = "io.modelcontextprotocol/logLevel";
pub(super) const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";
pub(super) const SUBSCRIPTION_KEY: &str = "io.modelcontextprotocol/subscriptionId";

/// Every version that is spoken, the newest first.
pub(super) fn supported() -> Vec<&'static str> {
    std::iter::once(MODERN).chain(LEGACY).collect()
}

/// Whether `version` has sessions and is spoken.
pub(super) fn is_legacy(version: &str) -> bool {
    LEGACY.contains(&version)
}

/// The version that an `initialize` which wishes for `wanted` gets.
pub(super) fn negotiated(wanted: &str) -> &'static str {
    LEGACY
        .into_iter()
        .find(|known| *known == wanted)
        .unwrap_or(LEGACY[0])
}

/// Whether a version (from a header) is of the era without sessions. Versions are dates, so they compare as text.
pub(super) fn is_modern(version: &str) -> bool {
    version >= MODERN
}

/// What a request of the era without sessions says of itself.
#[derive(Clone, Debug)]
pub(super) struct RequestMeta {
    /// The version; an older one is allowed, its results then have the older shape.
    pub(super) version: String,
    /// What the client can do.
    pub(super) capabilities: Value,
    /// The least serious log message that the client wants; `None` wants none.
    pub(super) log_level: Option<Level>,
    /// The session that it names.
    pub(super) session: Option<String>,
}

impl RequestMeta {
    /// Reads `_meta`.
    ///
    /// # Errors
    /// When something that every request needs is missing, or the version is not spoken.
    pub(super) fn read(meta: &Members<'_>) -> Result<Self, RpcError> {
        let version = meta.text(VERSION_KEY);
        let capabilities: Option<Value> = meta
            .get_as(CAPABILITIES_KEY)
            .filter(|value: &Value| value.is_object());
        if let Some(version) = &version
            && !supported().contains(&version.as_ref())
        {
            return Err(unsupported(version));
        }
        let (Some(version), Some(capabilities)) = (&version, capabilities) else {
            let missing = if version.is_none() {
                VERSION_KEY
            } else {
                CAPABILITIES_KEY
            };
            return Err(RpcError::new(
                code::INVALID_PARAMS,
                format!("the request's `_meta` lacks `{missing}`, or it is malformed"),
            ));
        };
        let log_level = match meta.get(LOG_LEVEL_KEY) {
            None => None,
            Some(level) => Some(level_of(level)?),
        };
        Ok(Self {
            version: version.to_string(),
            capabilities,
            log_level,
            session: meta.text(super::SESSION_META).map(|id| id.into_owned()),
        })
    }

    /// Whether results have the shape of 2026-07-28.
    pub(super) fn is_modern(&self) -> bool {
        is_modern(&self.version)
    }
}

/// Reads a log level.
pub(super) fn level_of(raw: &RawValue) -> Result<Level, RpcError> {
    serde_json::from_str(raw.get()).map_err(|_| {
        RpcError::new(
            code::INVALID_PARAMS,
            format!(
                "unknown log level {}; known: debug, info, notice, warning, error, critical, alert, emergency",
                raw.get()
            ),
        )
    })
}

/// The error that says which versions are spoken.
pub(super) fn unsupported(version: &str) -> RpcError {
    RpcError::new(
        code::UNSUPPORTED_VERSION,
        format!("this server does not speak MCP {version}"),
    )
    .with_data(json!({"supported": supported(), "requested": version}))
}

/// The capability that a client must have declared to be asked `method` with `params`, as the `ClientCapabilities` that would be enough.
/// `None` when `capabilities` has it.
pub(super) fn missing_capability(
    capabilities: &Value,
    method: &str,
    params: &Members<'_>,
) -> Option<Value> {
    let has = |path: &[&str]| {
        path.iter()
            .try_fold(capabilities, |value, key| value.get(key))
            .is_some_and(|value| !value.is_null() && value != &Value::Bool(false))
    };
    match method {
        "sampling/createMessage" if !has(&["sampling"]) => Some(json!({"sampling": {}})),
        "sampling/createMessage"
            if params.get("tools").is_some() && !has(&["sampling", "tools"]) =>
        {
            Some(json!({"sampling": {"tools": {}}}))
        }
        "elicitation/create" if params.text("mode").as_deref() == Some("url") => {
            (!has(&["elicitation", "url"])).then(|| json!({"elicitation": {"url": {}}}))
        }
        // A client that only says `elicitation: {}` means forms; one that names `url` alone has none.
        "elicitation/create" if !has(&["elicitation"]) => Some(json!({"elicitation": {}})),
        "elicitation/create" if has(&["elicitation", "url"]) && !has(&["elicitation", "form"]) => {
            Some(json!({"elicitation": {"form": {}}}))
        }
        "roots/list" if !has(&["roots"]) => Some(json!({"roots": {}})),
        _ => None,
    }
}

/// The error for a client that cannot be asked.
pub(super) fn cannot_ask(method: &str, required: &Value) -> RpcError {
    let names: Vec<String> = required
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    RpcError::new(
        code::MISSING_CAPABILITY,
        format!(
            "the request needs `{method}`, and the client did not declare {}",
            names.join(", ")
        ),
    )
    .with_data(json!({"requiredCapabilities": required}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(meta: &Value, expected: Result<(&str, Option<Level>, Option<&str>), i32>) {
        let raw = RawValue::from_string(meta.to_string()).unwrap();
        let members = Members::read(Some(&raw), "_meta").unwrap();
        let read = RequestMeta::read(&members);
        let seen = match &read {
            Ok(read) => Ok((
                read.version.as_str(),
                read.log_level,
                read.session.as_deref(),
            )),
            Err(error) => Err(error.code),
        };
        assert_eq!(seen, expected, "{meta}");
    }

    #[test]
    fn the_metadata_of_a_request() {
        let version = json!("2026-07-28");
        check(
            &json!({VERSION_KEY: version, CAPABILITIES_KEY: {}}),
            Ok(("2026-07-28", None, None)),
        );
        check(
            &json!({VERSION_KEY: version, CAPABILITIES_KEY: {}, LOG_LEVEL_KEY: "warning", "hud/session": "s"}),
            Ok(("2026-07-28", Some(Level::Warning), Some("s"))),
        );
        check(&json!({}), Err(code::INVALID_PARAMS));
        check(&json!({VERSION_KEY: version}), Err(code::INVALID_PARAMS));
        check(
            &json!({VERSION_KEY: version, CAPABILITIES_KEY: []}),
            Err(code::INVALID_PARAMS),
        );
        check(&json!({CAPABILITIES_KEY: {}}), Err(code::INVALID_PARAMS));
        check(
            &json!({VERSION_KEY: version, CAPABILITIES_KEY: {}, LOG_LEVEL_KEY: "loud"}),
            Err(code::INVALID_PARAMS),
        );
        check(
            &json!({VERSION_KEY: "v999", CAPABILITIES_KEY: {}}),
            Err(code::UNSUPPORTED_VERSION),
        );
    }

    #[test]
    fn capabilities_that_a_question_needs() {
        let check = |capabilities: Value, method: &str, params: Value, expected: Option<Value>| {
            let raw = RawValue::from_string(params.to_string()).unwrap();
            let params = Members::read(Some(&raw), "params").unwrap();
            let missing = missing_capability(&capabilities, method, &params);
            assert_eq!(missing, expected, "{method} {capabilities}");
        };
        let sampling = "sampling/createMessage";
        let elicitation = "elicitation/create";
        check(
            json!({}),
            sampling,
            json!({}),
            Some(json!({"sampling": {}})),
        );
        check(json!({"sampling": {}}), sampling, json!({}), None);
        check(
            json!({"sampling": {}}),
            sampling,
            json!({"tools": []}),
            Some(json!({"sampling": {"tools": {}}})),
        );
        check(json!({"elicitation": {}}), elicitation, json!({}), None);
        check(
            json!({"elicitation": {}}),
            elicitation,
            json!({"mode": "url"}),
            Some(json!({"elicitation": {"url": {}}})),
        );
        check(
            json!({"elicitation": {"url": {}}}),
            elicitation,
            json!({"mode": "form"}),
            Some(json!({"elicitation": {"form": {}}})),
        );
        check(
            json!({}),
            "roots/list",
            json!({}),
            Some(json!({"roots": {}})),
        );
        check(json!({"roots": {}}), "roots/list", json!({}), None);
    }
}
