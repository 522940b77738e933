//! The shared clients.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, ClientBuilder, Url};

/// A host that does not even accept a connection within this is down; a model that thinks for minutes has accepted long before.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Finds out about peers that vanished (a laptop that slept, a NAT that forgot) while an answer is awaited.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// More than any sane server needs within one origin.
const MAX_REDIRECTS: usize = 5;

/// The client for any host. Cheap to clone; its connections are pooled; it has no timeout but that of connecting.
///
/// Where the URL is known, [`client_for`] is better: it leaves out the proxy for addresses of this machine.
pub fn client() -> Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| build(builder)).clone()
}

/// The client for the host of `url`.
pub fn client_for(url: &str) -> Client {
    static LOOPBACK: OnceLock<Client> = OnceLock::new();
    if Url::parse(url).is_ok_and(|url| is_loopback(&url)) {
        return LOOPBACK
            .get_or_init(|| build(|| builder().no_proxy()))
            .clone();
    }
    client()
}

/// A machine without any CA certificate can still talk to itself, and its attempts at HTTPS say what is wrong when they are made.
fn build(builder: impl Fn() -> ClientBuilder) -> Client {
    builder()
        .build()
        .or_else(|error| {
            tracing::debug!(%error, "no CA certificates");
            builder().tls_certs_only([]).build()
        })
        .unwrap_or_default()
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
}
