//! Who may talk to a server: names under which it is known, pages whose scripts may use it, and a bearer token, compared in constant time.
//!
//! A page in a browser can reach a server on this machine under a name of its own (DNS rebinding), and with requests that the browser sends
//! unasked. The first has a foreign `Host`, the second a foreign `Origin`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// A token that every request must carry as `Authorization: Bearer TOKEN`. `Debug` hides it.
#[derive(Clone)]
pub struct Token(Arc<[u8; 32]>);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

impl Token {
    /// Keeps only a hash of `token`.
    pub fn new(token: &str) -> Self {
        Self(Arc::new(Sha256::digest(token).into()))
    }

    /// Whether `given` is the token. Hashes are compared, so the time taken tells nothing of the token.
    pub fn accepts(&self, given: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        *self.0 == given
    }
}

/// Lets a request pass when it carries the token; for `axum::middleware::from_fn_with_state`.
pub async fn require_token(State(token): State<Token>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
    if given.is_some_and(|given| token.accepts(given)) {
        return next.run(request).await;
    }
    let body = Json(
        serde_json::json!({"error": "missing or wrong token: send `Authorization: Bearer TOKEN`"}),
    );
    (
        StatusCode::UNAUTHORIZED,
        [(header::WWW_AUTHENTICATE, "Bearer")],
        body,
    )
        .into_response()
}

/// Names and pages that requests may come under. See [`check_caller`].
#[derive(Clone, Debug)]
pub struct Callers(Arc<Known>);

#[derive(Debug)]
struct Known {
    hosts: Vec<String>,
    origins: Vec<Page>,
}

impl Callers {
    /// `hosts` are names (`host` for any port, or `host:port`) that `Host` may carry, `origins` pages (`https://app.example.com`, a port of `*` is
    /// any) that `Origin` may. A page of the server itself is always among them.
    pub fn new(hosts: &[String], origins: &[String]) -> Self {
        Self(Arc::new(Known {
            hosts: hosts.iter().map(|name| name.to_ascii_lowercase()).collect(),
            origins: origins
                .iter()
                .filter_map(|origin| Page::read(origin))
                .collect(),
        }))
    }

    fn knows_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let (name, port) = split_port(&host);
        self.0.hosts.iter().any(|known| {
            let (known, wanted) = split_port(known);
            known == name && wanted.is_none_or(|wanted| Some(wanted) == port)
        })
    }

    fn knows_origin(&self, origin: &str, host: &str) -> bool {
        let Some(page) = Page::read(origin) else {
            return false;
        };
        // Behind a proxy with TLS the scheme of the server's own pages is `https`.
        let own = Page::read(&format!("{}://{host}", page.scheme));
        own.as_ref() == Some(&page) || self.0.origins.iter().any(|known| known.covers(&page))
    }
}

/// Where a page comes from.
#[derive(Debug, PartialEq)]
struct Page {
    scheme: String,
    name: String,
    port: String,
}

impl Page {
    /// `None` for what is not `http://…` or `https://…`, such as `null`.
    fn read(origin: &str) -> Option<Self> {
        let origin = origin.trim_end_matches('/').to_ascii_lowercase();
        let (scheme, authority) = origin.split_once("://")?;
        let default = match scheme {
            "http" => "80",
            "https" => "443",
            _ => return None,
        };
        let (name, port) = split_port(authority);
        Some(Self {
            scheme: scheme.to_owned(),
            name: name.to_owned(),
            port: port.unwrap_or(default).to_owned(),
        })
    }

    fn covers(&self, page: &Self) -> bool {
        self.scheme == page.scheme
            && self.name == page.name
            && (self.port == "*" || self.port == page.port)
    }
}

/// A name without the brackets of an IPv6 address, and the port.
fn split_port(host: &str) -> (&str, Option<&str>) {
    if let Some(rest) = host.strip_prefix('[') {
        let (address, after) = rest.split_once(']').unwrap_or((rest, ""));
        return (address, after.strip_prefix(':'));
    }
    match host.split_once(':') {
        // More than one colon: an IPv6 address without brackets.
        Some((_, rest)) if rest.contains(':') => (host, None),
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    }
}

/// Lets a request pass whose `Host` and `Origin` are known, and answers the questions that browsers ask before they send one (CORS); for
/// `axum::middleware::from_fn_with_state`.
pub async fn check_caller(
    State(callers): State<Callers>,
    request: Request,
    next: Next,
) -> Response {
    let is_mcp = request.uri().path() == "/mcp";
    let Some(host) = host_of(&request).filter(|host| callers.knows_host(host)) else {
        return forbidden(is_mcp, "this server is not known under the name in `Host`");
    };
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        return next.run(request).await;
    };
    // One that is there twice is not understood the same way by everybody.
    let known = request.headers().get_all(header::ORIGIN).iter().count() == 1
        && origin
            .to_str()
            .is_ok_and(|origin| callers.knows_origin(origin, &host));
    if !known {
        return forbidden(is_mcp, "pages of this `Origin` may not use this server");
    }
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let asked = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
        .cloned();
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Mcp-Session-Id"),
    );
    if preflight {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, DELETE"),
        );
        if let Some(asked) = asked {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
        }
    }
    response
}

/// The name under which the server was reached.
fn host_of(request: &Request) -> Option<String> {
    let mut headers = request.headers().get_all(header::HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return None;
    }
    header
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
        // Over HTTP/2 it is in the address.
        .or_else(|| request.uri().authority().map(ToString::to_string))
}

/// In the form that callers of the route expect.
fn forbidden(is_mcp: bool, words: &str) -> Response {
    let error = if is_mcp {
        serde_json::json!({
            "jsonrpc": "2.0",
            "id": null,
            "error": {"code": -32600, "message": words},
        })
    } else {
        serde_json::json!({ "error": words })
    };
    (StatusCode::FORBIDDEN, Json(error)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let names = ["localhost", "127.0.0.1", "::1", "envs.example:8443"].map(str::to_owned);
        let callers = Callers::new(&names, &[]);
        for good in [
            "localhost",
            "LocalHost:8765",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:8765",
            "envs.example:8443",
        ] {
            assert!(callers.knows_host(good), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example",
            "envs.example",
            "envs.example:80",
            "127.0.0.2",
            "[::2]",
            "",
        ] {
            assert!(!callers.knows_host(bad), "{bad}");
        }
    }

    #[test]
    fn origins() {
        let pages = [
            "http://localhost:6274",
            "https://App.example/",
            "http://127.0.0.1:*",
        ]
        .map(str::to_owned);
        let callers = Callers::new(&["localhost".to_owned()], &pages);
        let host = "localhost:8765";
        assert!(callers.knows_origin("http://localhost:8765", host));
        assert!(callers.knows_origin("https://localhost:8765", host));
        assert!(callers.knows_origin("http://localhost:6274", host));
        assert!(callers.knows_origin("https://app.example:443", host));
        assert!(callers.knows_origin("http://127.0.0.1:3000", host));
        for bad in [
            "http://localhost:3000",
            "https://localhost:6274",
            "http://evil.example",
            "http://app.example",
            "https://app.example.evil.example",
            "file://localhost:8765",
            "null",
            "",
        ] {
            assert!(!callers.knows_origin(bad, host), "{bad}");
        }
    }

    #[test]
    fn only_the_token_is_accepted_and_it_is_never_shown() {
        let token = Token::new("s3cret");
        assert!(token.accepts("s3cret"));
        assert!(!token.accepts("s3cre") && !token.accepts(""));
        assert_eq!(format!("{token:?}"), "[hidden]");
    }
}
