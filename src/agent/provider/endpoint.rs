//! Where a model answers, and with which key.

use std::fmt;

/// Shorter than every provider's keys.
const SHORTEST_SECRET: usize = 8;

/// A key. It is shown to nobody: not in errors, not in logs, not by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A key; `None` when there is nothing in it.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        (!key.is_empty()).then(|| Self(key.to_owned()))
    }

    /// For the header that it goes into.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without the key: some servers repeat it in their errors. The stand-ins for a key that local servers are given (`x`, `none`)
    /// are words of other texts, and no secrets.
    pub(super) fn redact(&self, text: &str) -> String {
        if self.0.len() < SHORTEST_SECRET {
            return text.to_owned();
        }
        text.replace(&self.0, "[hidden]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Where a model answers. `Debug` shows neither the key nor what the URL may hold of one.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// As the official SDK takes it: `OpenAI`'s ends in `/v1`, Anthropic's does not.
    pub base_url: String,
    /// The key; some servers on the own machine need none.
    pub key: Option<Secret>,
    /// The variable that the key comes from, for hints.
    pub key_variable: &'static str,
    /// Whether this is HUD's gateway, which is told the trace.
    pub is_gateway: bool,
}

impl Endpoint {
    /// The base URL with `path` (which starts with a slash) behind it, before any query string.
    pub(super) fn url(&self, path: &str) -> String {
        let (base, query) = self
            .base_url
            .split_once('?')
            .map_or((self.base_url.as_str(), None), |(b, q)| (b, Some(q)));
        let base = base.trim_end_matches('/');
        match query {
            Some(query) => format!("{base}{path}?{query}"),
            None => format!("{base}{path}"),
        }
    }

    /// `text` without the key and without what is secret in the base URL: some servers repeat what they were sent.
    pub(super) fn redact(&self, text: &str) -> String {
        let in_url = crate::http::secrets_of(&self.base_url);
        self.key
            .iter()
            .cloned()
            .chain(in_url.iter().filter_map(|secret| Secret::new(secret)))
            .fold(text.to_owned(), |text, secret| secret.redact(&text))
    }

    /// As [`Self::headers`], for Google, which has a header of its own for keys.
    pub(super) fn google_headers(&self, trace_id: Option<&str>) -> crate::http::Headers {
        let mut headers = self.headers(trace_id);
        if !self.is_gateway
            && let Some(key) = &self.key
        {
            headers.retain(|(name, _)| name != "authorization");
            headers.push(("x-goog-api-key".to_owned(), key.expose().to_owned()));
        }
        headers
    }

    /// The headers that every request carries.
    pub(super) fn headers(&self, trace_id: Option<&str>) -> crate::http::Headers {
        let mut headers = Vec::new();
        // Both official SDKs send their keys like this; Anthropic's has since its API version of 2026.
        if let Some(key) = &self.key {
            headers.push((
                "authorization".to_owned(),
                format!("Bearer {}", key.expose()),
            ));
        }
        if let Some(trace_id) = trace_id.filter(|_| self.is_gateway) {
            headers.push(("trace-id".to_owned(), trace_id.to_owned()));
        }
        headers
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            base_url,
            key,
            key_variable,
            is_gateway,
        } = self;
        f.debug_struct("Endpoint")
            .field("base_url", &crate::http::public_url(base_url))
            .field("key", key)
            .field("key_variable", key_variable)
            .field("is_gateway", is_gateway)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_joined_before_the_query() {
        let check = |base: &str, expected: &str| {
            let endpoint = Endpoint {
                base_url: base.to_owned(),
                key: None,
                key_variable: "X",
                is_gateway: false,
            };
            assert_eq!(endpoint.url("/x"), expected);
        };
        check("https://h", "https://h/x");
        check("https://h/v1/", "https://h/v1/x");
        check("https://h/v1?api-version=1", "https://h/v1/x?api-version=1");
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = Secret::new(" sk-secret\n").unwrap();
        assert_eq!(format!("{key:?}"), "[hidden]");
        assert_eq!(key.redact("wrong key sk-secret"), "wrong key [hidden]");
        assert_eq!(key.expose(), "sk-secret");
        assert_eq!(Secret::new("  "), None);
        assert_eq!(Secret::new("x").unwrap().redact("example"), "example");
    }

    #[test]
    fn what_is_secret_in_the_base_url_is_not_shown() {
        let endpoint = Endpoint {
            base_url: "http://user:long-password@h/v1?key=long-SECRET".to_owned(),
            key: None,
            key_variable: "X",
            is_gateway: false,
        };
        let debug = format!("{endpoint:?}");
        assert!(
            debug.contains("http://h/v1") && !debug.contains("long"),
            "{debug}"
        );
        assert_eq!(
            endpoint.redact("no access with long-SECRET of user:long-password"),
            "no access with [hidden] of user:[hidden]"
        );
    }
}
