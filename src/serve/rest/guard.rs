//! Who may call the routes, and from which pages: the checks that `/mcp` makes, for plain HTTP.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::serve::access::Token;

/// The checks of every route.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Names (`host` for any port, or `host:port`) that requests may carry in `Host`: anything else is a page that made its own name point here
    /// (DNS rebinding).
    pub hosts: Vec<String>,
    /// Origins of other pages that may call, as `https://app.example.com`; a port of `*` is any. Pages of this server always may.
    pub origins: Vec<String>,
    /// The token that requests must carry, when there is one.
    pub token: Option<Token>,
    /// A larger body is refused.
    pub body_bytes: usize,
}

/// Checks `Host` and `Origin`; for `axum::middleware::from_fn_with_state`. Answers the preflights of pages that may call.
pub(super) async fn check_origin(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let host = request
        .uri()
        .authority()
        .map(|authority| authority.as_str().to_owned())
        .or_else(|| text(headers, &header::HOST));
    let Some(host) = host.filter(|host| is_listed(host, &guard.hosts)) else {
        return refused("the `Host` of this request is not a name of this server");
    };
    let Some(origin) = text(headers, &header::ORIGIN) else {
        return next.run(request).await;
    };
    if is_own_page(&origin, &host) {
        return next.run(request).await;
    }
    if !guard.origins.iter().any(|pattern| covers(pattern, &origin)) {
        return refused("requests from this `Origin` are not allowed");
    }
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    if let Ok(origin) = HeaderValue::from_str(&origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    for (name, value) in [
        (header::VARY, "Origin"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refused(why: &str) -> Response {
    (StatusCode::FORBIDDEN, Json(json!({ "error": why }))).into_response()
}

/// A header's value when it is there once; a header that is there twice is not understood the same way by everyone.
fn text(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    match values.next() {
        None => Some(value.to_str().unwrap_or("?").to_owned()),
        Some(_) => Some("?".to_owned()),
    }
}

/// Whether `host`, with or without a port, is a name in `allowed`, with or without one.
fn is_listed(host: &str, allowed: &[String]) -> bool {
    let (name, port) = split_port(host);
    allowed.iter().any(|allowed| {
        let (allowed_name, allowed_port) = split_port(allowed);
        name.eq_ignore_ascii_case(allowed_name) && (allowed_port.is_none() || allowed_port == port)
    })
}

/// Name and port; an IPv6 address without its brackets.
fn split_port(host: &str) -> (&str, Option<&str>) {
    if let Some((address, rest)) = host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        return (address, rest.strip_prefix(':'));
    }
    match host.rsplit_once(':') {
        // `::1` as a list of names writes it.
        Some((name, _)) if name.contains(':') => (host, None),
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    }
}

/// Whether a page that this server sent made the request. Behind a proxy with TLS the page's scheme is `https`.
fn is_own_page(origin: &str, host: &str) -> bool {
    origin.split_once("://").is_some_and(|(scheme, authority)| {
        matches!(scheme, "http" | "https") && authority.eq_ignore_ascii_case(host)
    })
}

/// Whether `pattern` (scheme, name, port or `*`) covers `origin`.
fn covers(pattern: &str, origin: &str) -> bool {
    let parts = |text: &str| {
        let (scheme, authority) = text.trim_end_matches('/').split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let (name, port) = split_port(authority);
        let default = if scheme == "https" { "443" } else { "80" };
        let port = port.unwrap_or(default).to_owned();
        Some((scheme, name.to_ascii_lowercase(), port))
    };
    match (parts(pattern), parts(origin)) {
        (Some(pattern), Some(origin)) => {
            pattern.0 == origin.0
                && pattern.1 == origin.1
                && (pattern.2 == "*" || pattern.2 == origin.2)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_with_any_port_or_with_its_own() {
        let allowed = ["localhost", "127.0.0.1", "::1", "envs.example.com:8443"].map(str::to_owned);
        let check = |host: &str, expected: bool| {
            assert_eq!(is_listed(host, &allowed), expected, "{host}");
        };
        for fine in [
            "localhost",
            "LocalHost:9",
            "127.0.0.1:8765",
            "[::1]:8765",
            "[::1]",
            "envs.example.com:8443",
        ] {
            check(fine, true);
        }
        for wrong in [
            "",
            "evil.example.com",
            "localhost.evil.com",
            "envs.example.com",
            "envs.example.com:80",
            "127.0.0.1.evil.com:8765",
            "[::2]:8765",
            "?",
        ] {
            check(wrong, false);
        }
    }

    #[test]
    fn an_own_page_has_the_servers_name_and_port() {
        let check = |origin: &str, expected: bool| {
            assert_eq!(is_own_page(origin, "localhost:8765"), expected, "{origin}");
        };
        check("http://localhost:8765", true);
        check("https://LOCALHOST:8765", true);
        check("http://localhost:8766", false);
        check("http://localhost", false);
        check("http://localhost:8765.evil.com", false);
        check("file://localhost:8765", false);
        check("null", false);
    }

    #[test]
    fn other_pages_are_covered_by_what_was_allowed() {
        let check = |pattern: &str, origin: &str, expected: bool| {
            assert_eq!(covers(pattern, origin), expected, "{pattern} {origin}");
        };
        check("https://app.example.com", "https://app.example.com", true);
        check(
            "https://app.example.com/",
            "https://APP.example.com:443",
            true,
        );
        check("http://localhost:*", "http://localhost:6274", true);
        check("http://localhost", "http://localhost:6274", false);
        check("https://app.example.com", "http://app.example.com", false);
        check("https://example.com", "https://example.com.evil.com", false);
        check("*", "http://a", false);
        check("https://a", "null", false);
    }
}
