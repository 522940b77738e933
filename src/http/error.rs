//! What can go wrong with a request.

use std::error::Error;
use std::time::Duration;

use crate::util::text::one_line;

/// The characters of a body that an error shows.
const SHOWN: usize = 400;

/// In which way a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpErrorKind {
    /// The request could not be made: a malformed URL or header.
    Request,
    /// No connection: the name does not resolve, the port is closed, TLS failed.
    Connect,
    /// The connection broke before the answer was complete.
    Dropped,
    /// The server answered with a status that is not a success; a redirect to another origin is one too.
    Status(u16),
    /// The answer is not what it should be: too large, not JSON, not UTF-8.
    Answer,
    /// The server answered with something else than an API does, such as a page to log in: asking again gives the same.
    Foreign,
}

/// A request failed. The text says which and how; it holds no header and no query string, where keys may be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.text())]
pub struct HttpError {
    /// In which way.
    pub kind: HttpErrorKind,
    /// The URL, without query string.
    pub url: String,
    /// What the transport says, or the beginning of the body of the answer (at most 64 KiB).
    pub detail: String,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

impl HttpError {
    /// An error before anything was sent.
    pub(super) fn before(url: &str, detail: String) -> Self {
        Self {
            kind: HttpErrorKind::Request,
            url: public_url(url),
            detail,
            retry_after: None,
        }
    }

    pub(super) fn from_reqwest(url: &str, error: &reqwest::Error) -> Self {
        let kind = if error.is_connect() {
            HttpErrorKind::Connect
        } else if error.is_builder() {
            HttpErrorKind::Request
        } else {
            HttpErrorKind::Dropped
        };
        Self {
            kind,
            url: public_url(url),
            detail: innermost(error),
            retry_after: None,
        }
    }

    pub(super) fn answer(url: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: HttpErrorKind::Answer,
            url: public_url(url),
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// The status, when there was one.
    pub fn status(&self) -> Option<u16> {
        match self.kind {
            HttpErrorKind::Status(status) => Some(status),
            HttpErrorKind::Request
            | HttpErrorKind::Connect
            | HttpErrorKind::Dropped
            | HttpErrorKind::Answer
            | HttpErrorKind::Foreign => None,
        }
    }

    fn text(&self) -> String {
        let Self { url, detail, .. } = self;
        let detail = one_line(detail, SHOWN);
        match self.kind {
            HttpErrorKind::Request => format!("cannot use `{url}`: {detail}"),
            HttpErrorKind::Connect => format!("cannot connect to `{url}`: {detail}"),
            HttpErrorKind::Dropped => format!("lost the connection to `{url}`: {detail}"),
            HttpErrorKind::Answer => format!("cannot read the answer of `{url}`: {detail}"),
            HttpErrorKind::Foreign => format!("`{url}` answered with {detail}"),
            HttpErrorKind::Status(status) if detail.is_empty() => {
                format!("`{url}` answered {status}")
            }
            HttpErrorKind::Status(status) => format!("`{url}` answered {status}: {detail}"),
        }
    }
}

/// `url` without what may hold secrets: user, password, query string, fragment. What is no URL is treated as one without a scheme.
pub fn public_url(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{host}{path}")
}

/// What `url` holds that nobody may see: its password, and values of the query whose names speak of keys.
pub fn secrets_of(url: &str) -> Vec<String> {
    let Ok(url) = reqwest::Url::parse(url) else {
        return Vec::new();
    };
    let password = url.password().map(str::to_owned);
    let values = url.query().into_iter().flat_map(|query| query.split('&'));
    let values = values.filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let name = name.to_lowercase();
        ["key", "token", "secret", "password", "auth", "sig"]
            .iter()
            .any(|word| name.contains(word))
            .then(|| value.to_owned())
    });
    password
        .into_iter()
        .chain(values)
        .filter(|secret| !secret.is_empty())
        .collect()
}

/// The last error of the chain: the outer ones only say that something failed, and some of them repeat the URL with its query string.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_secrets() {
        let check = |url: &str, expected: &str| assert_eq!(public_url(url), expected);
        check("https://h/p?key=x#f", "https://h/p");
        check("https://user:pass@h:1/p", "https://h:1/p");
        check("https://user:pass@h", "https://h");
        check("no url", "no url");
        check("user:pass@h/v1?key=x", "h/v1");
    }

    #[test]
    fn secrets_of_urls_are_known() {
        assert_eq!(
            secrets_of("http://user:pw@h/v1?api-version=1&api_key=SECRET"),
            ["pw", "SECRET"]
        );
        assert_eq!(secrets_of("nonsense"), Vec::<String>::new());
    }
}
