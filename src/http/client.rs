//! The shared clients.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, ClientBuilder, Url};

use super::error::{HttpError, HttpErrorKind};

/// A host that does not even accept a connection within this is down; a model that thinks for minutes has accepted long before.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Finds out about peers that vanished (a laptop that slept, a NAT that forgot) while an answer is awaited.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// More than any sane server needs within one origin.
const MAX_REDIRECTS: usize = 5;

type Built = Result<Client, String>;

/// The client for `url`: cheap to clone, its connections are pooled. It has no timeout but that of connecting.
pub fn client_for(url: &str) -> Result<Client, HttpError> {
    static REMOTE: OnceLock<Built> = OnceLock::new();
    static LOOPBACK: OnceLock<Built> = OnceLock::new();
    let parsed = Url::parse(url).map_err(|error| HttpError::before(url, format!("{error}")))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(HttpError::before(
            url,
            "expected http:// or https://".to_owned(),
        ));
    }
    let built = if is_loopback(&parsed) {
        LOOPBACK.get_or_init(|| {
            // A machine without any CA certificate can still talk to itself.
            build(builder().no_proxy()).or_else(|_| build(builder().no_proxy().tls_certs_only([])))
        })
    } else {
        REMOTE.get_or_init(|| build(builder()))
    };
    built.clone().map_err(|message| HttpError {
        kind: HttpErrorKind::Request,
        ..HttpError::before(url, format!("cannot set up HTTPS: {message}"))
    })
}

fn builder() -> ClientBuilder {
    // Whoever was first to choose a provider has done what is needed here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("hud/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(TCP_KEEPALIVE)
        .redirect(Policy::custom(|attempt| {
            if attempt.previous().len() <= MAX_REDIRECTS && stays_home(&attempt) {
                attempt.follow()
            } else {
                attempt.stop()
            }
        }))
}

fn build(builder: ClientBuilder) -> Built {
    builder
        .build()
        .map_err(|error| super::error::innermost(&error))
}

/// Whether a redirect stays within its origin. Headers with keys travel with it, and only `Authorization` would be taken off elsewhere.
fn stays_home(attempt: &Attempt<'_>) -> bool {
    attempt
        .previous()
        .last()
        .is_some_and(|from| from.origin() == attempt.url().origin())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_recognised() {
        let check = |url: &str, expected| {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        };
        check("http://localhost:1/x", true);
        check("http://a.localhost", true);
        check("http://127.8.9.1:80", true);
        check("http://[::1]:80", true);
        check("https://localhost.example.com", false);
        check("http://10.0.0.1", false);
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for (url, expected) in [
            (
                "localhost:80",
                "cannot use `localhost:80`: expected http:// or https://",
            ),
            ("::", "cannot use `::`: relative URL without a base"),
        ] {
            assert_eq!(client_for(url).unwrap_err().to_string(), expected);
        }
    }
}
