//! Requests and their answers.

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde::Serialize;
use serde_json::Value;

use super::client::client_for;
use super::error::{HttpError, HttpErrorKind};
use super::retry_after::retry_after;
use super::sse::Events;
use crate::util::text::one_line;

/// Of the body of an error, this much is kept.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// An answer that is not a stream may be this large.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// Of a page that is no answer, an error shows this much.
const FIRST_WORDS: usize = 120;

/// Header names and values. Values are never printed: they may hold keys.
pub type Headers = Vec<(String, String)>;

/// The answer to a request for a stream.
pub enum Streamed {
    /// A stream.
    Events(Events),
    /// The server does not stream, and answered with all of it: one JSON document.
    Whole(Value),
}

/// Posts JSON and reads the answer as server-sent events.
pub async fn post_sse<B: Serialize + ?Sized>(
    url: &str,
    headers: &Headers,
    body: &B,
) -> Result<Streamed, HttpError> {
    let request = checked(url)?
        .post(url)
        .header("accept", "text/event-stream")
        .json(body);
    let response = send(url, request, headers).await?;
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if kind.starts_with("application/json") {
        return read_json(url, response).await.map(Streamed::Whole);
    }
    if kind.starts_with("text/event-stream") {
        return Ok(Streamed::Events(Events::new(url, Bytes::new(), response)));
    }
    sniffed(url, response, &kind).await
}

/// The answer of a server that names another type than it should, or none: its first bytes tell what it is.
async fn sniffed(url: &str, mut response: Response, kind: &str) -> Result<Streamed, HttpError> {
    let first = response
        .chunk()
        .await
        .map_err(|error| HttpError::from_reqwest(url, &error))?
        .unwrap_or_default();
    let head = String::from_utf8_lossy(&first);
    let head = head.trim_start_matches('\u{feff}').trim_start();
    let is_html = kind.starts_with("text/html") || head.starts_with('<');
    // The first chunk may end within the first word.
    let is_stream = ["data:", "event:", "id:", "retry:", ":"]
        .iter()
        .any(|field| head.starts_with(field) || field.starts_with(head));
    if !is_html && is_stream {
        return Ok(Streamed::Events(Events::new(url, first, response)));
    }
    let (rest, complete) = read(url, response, MAX_BODY).await?;
    let body = [first.as_ref(), rest.as_ref()].concat();
    if complete
        && !is_html
        && let Ok(value) = serde_json::from_slice(&body)
    {
        return Ok(Streamed::Whole(value));
    }
    let text = String::from_utf8_lossy(&body);
    let (what, text) = if is_html {
        ("a web page (HTML)", words_of_html(&text))
    } else {
        ("neither an event stream nor JSON", text.into_owned())
    };
    let words = one_line(&text, FIRST_WORDS);
    let detail = if words.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {words}")
    };
    Err(HttpError {
        kind: HttpErrorKind::Foreign,
        ..HttpError::answer(url, detail)
    })
}

/// What a person would read of a page, roughly: the text between tags, without scripts and styles.
fn words_of_html(page: &str) -> String {
    let mut words = String::new();
    let mut rest = page;
    while let Some((text, tag_on)) = rest.split_once('<') {
        words.push_str(text);
        words.push(' ');
        let lower = tag_on.get(..6).unwrap_or_default().to_ascii_lowercase();
        let end = match lower.as_str() {
            "script" => "</script>",
            _ if lower.starts_with("style") => "</style>",
            _ => ">",
        };
        rest = tag_on.split_once(end).map_or("", |(_, after)| after);
    }
    words.push_str(rest);
    words
}

/// Posts JSON and reads JSON.
pub async fn post_json<B: Serialize + ?Sized>(
    url: &str,
    headers: &Headers,
    body: &B,
) -> Result<Value, HttpError> {
    let request = checked(url)?.post(url).json(body);
    let response = send(url, request, headers).await?;
    read_json(url, response).await
}

/// Gets a body of at most `limit` bytes.
pub async fn get(url: &str, headers: &Headers, limit: usize) -> Result<Bytes, HttpError> {
    let response = send(url, checked(url)?.get(url), headers).await?;
    let (body, complete) = read(url, response, limit).await?;
    if !complete {
        return Err(HttpError::answer(
            url,
            format!("it is larger than {limit} bytes"),
        ));
    }
    Ok(body)
}

/// Whether anything answers at `url`: the status of a GET, whatever it is. The body is not read.
pub async fn status(url: &str, headers: &Headers) -> Result<u16, HttpError> {
    let request = checked(url)?.get(url).headers(header_map(url, headers)?);
    let response = request
        .send()
        .await
        .map_err(|error| HttpError::from_reqwest(url, &error))?;
    Ok(response.status().as_u16())
}

/// The client for `url`, which must be one.
fn checked(url: &str) -> Result<Client, HttpError> {
    check_url(url)?;
    Ok(client_for(url))
}

/// Whether requests can be made to `url`: it is one, for HTTP.
pub fn check_url(url: &str) -> Result<(), HttpError> {
    let parsed = Url::parse(url).map_err(|error| HttpError::before(url, error.to_string()))?;
    if matches!(parsed.scheme(), "http" | "https") {
        Ok(())
    } else {
        let detail = "expected http:// or https://".to_owned();
        Err(HttpError::before(url, detail))
    }
}

/// Sends, and turns an answer that is not a success into an error.
async fn send(
    url: &str,
    request: RequestBuilder,
    headers: &Headers,
) -> Result<Response, HttpError> {
    let request = request.headers(header_map(url, headers)?);
    let response = request
        .send()
        .await
        .map_err(|error| HttpError::from_reqwest(url, &error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let retry_after = retry_after(response.headers(), Timestamp::now());
    let detail = if status.is_redirection() {
        "it redirects to another host, which is not followed".to_owned()
    } else {
        // The status is what matters; a body that breaks off says a little less.
        let body = read(url, response, MAX_ERROR_BODY).await;
        body.map(|(body, _)| String::from_utf8_lossy(&body).into_owned())
            .unwrap_or_default()
    };
    Err(HttpError {
        kind: HttpErrorKind::Status(status.as_u16()),
        retry_after,
        ..HttpError::answer(url, detail)
    })
}

fn header_map(url: &str, headers: &Headers) -> Result<HeaderMap, HttpError> {
    headers
        .iter()
        .map(|(name, value)| {
            let wrong = || {
                HttpError::before(
                    url,
                    format!("the header `{name}` has a name or value that HTTP does not allow"),
                )
            };
            let mut value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
            value.set_sensitive(true);
            let name = HeaderName::try_from(name).map_err(|_| wrong())?;
            Ok((name, value))
        })
        .collect()
}

async fn read_json(url: &str, response: Response) -> Result<Value, HttpError> {
    let (body, complete) = read(url, response, MAX_BODY).await?;
    if !complete {
        return Err(HttpError::answer(
            url,
            format!("it is larger than {} MiB", MAX_BODY >> 20),
        ));
    }
    serde_json::from_slice(&body)
        .map_err(|error| HttpError::answer(url, format!("it is not JSON: {error}")))
}

/// At most `limit` bytes of the body, and whether that is all of it.
async fn read(url: &str, mut response: Response, limit: usize) -> Result<(Bytes, bool), HttpError> {
    let mut body = Vec::new();
    loop {
        let chunk = response
            .chunk()
            .await
            .map_err(|error| HttpError::from_reqwest(url, &error))?;
        let Some(chunk) = chunk else {
            return Ok((body.into(), true));
        };
        let room = limit - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            return Ok((body.into(), false));
        }
        body.extend_from_slice(&chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Server, answer};
    use serde_json::json;

    fn headers() -> Headers {
        vec![("authorization".to_owned(), "Bearer sk-secret".to_owned())]
    }

    async fn outcome(answer: &str) -> String {
        let server = Server::start(vec![answer.to_owned()]).await;
        let url = format!("{}/v1/x?key=secret", server.url());
        let shown = match post_sse(&url, &headers(), &json!({"a": 1})).await {
            Ok(Streamed::Whole(value)) => format!("whole {value}"),
            Ok(Streamed::Events(mut events)) => {
                let mut shown = vec!["events".to_owned()];
                while let Some(event) = events.next().await {
                    shown.push(match event {
                        Ok(event) => event.data,
                        Err(error) => format!("error: {error}"),
                    });
                }
                shown.join(" ")
            }
            Err(error) => format!("error: {error} (wait {:?})", error.retry_after),
        };
        shown.replace(&server.url(), "URL")
    }

    #[tokio::test]
    async fn answers() {
        let sse = answer(
            200,
            &["content-type: text/event-stream"],
            "data: 1\n\ndata: 2\n\n",
        );
        assert_eq!(outcome(&sse).await, "events 1 2");
        let json = answer(
            200,
            &["content-type: application/json; charset=utf-8"],
            "{\"x\":1}",
        );
        assert_eq!(outcome(&json).await, "whole {\"x\":1}");
        let json = answer(200, &["content-type: application/json"], "{");
        assert_eq!(
            outcome(&json).await,
            "error: cannot read the answer of `URL/v1/x`: it is not JSON: EOF while parsing an object at line 1 column 1 (wait None)"
        );
        let limited = answer(
            429,
            &["retry-after-ms: 1500"],
            "{\"error\":\"slow\u{1b}[2J down\"}",
        );
        assert_eq!(
            outcome(&limited).await,
            "error: `URL/v1/x` answered 429: {\"error\":\"slow down\"} (wait Some(1.5s))"
        );
        let moved = answer(307, &["location: http://127.0.0.1:1/elsewhere"], "");
        assert_eq!(
            outcome(&moved).await,
            "error: `URL/v1/x` answered 307: it redirects to another host, which is not followed (wait None)"
        );
        let cut = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 100\r\n\r\ndata: 1\n\n";
        assert_eq!(
            outcome(cut).await,
            "events 1 error: lost the connection to `URL/v1/x`: end of file before message length reached"
        );
        assert_eq!(
            outcome("").await,
            "error: lost the connection to `URL/v1/x`: connection closed before message completed (wait None)"
        );
    }

    #[tokio::test]
    async fn what_is_no_answer_of_an_api_is_told() {
        let check = async |headers: &[&str], body: &str, expected: &str| {
            assert_eq!(outcome(&answer(200, headers, body)).await, expected);
        };
        let page = "<!DOCTYPE html>\n<title>Log in</title><style>a{b:c}</style><SCRIPT>x()</script><p>Please  <b>sign in</b></p>";
        for headers in [&["content-type: text/html; charset=utf-8"][..], &[]] {
            check(
                headers,
                page,
                "error: `URL/v1/x` answered with a web page (HTML): Log in Please sign in (wait None)",
            )
            .await;
        }
        check(
            &["content-type: text/plain"],
            "It works!",
            "error: `URL/v1/x` answered with neither an event stream nor JSON: It works! (wait None)",
        )
        .await;
        // Right but for the type.
        check(&["content-type: text/plain"], "data: 1\n\n", "events 1").await;
        check(&[], ": hello\n\ndata: 1\n\n", "events 1").await;
        check(&[], " {\"x\":1}", "whole {\"x\":1}").await;
        check(&[], "", "events").await;
    }

    #[tokio::test]
    async fn what_is_sent() {
        let server = Server::start(vec![answer(200, &[], "{}")]).await;
        let url = format!("{}/v1/x", server.url());
        post_json(&url, &headers(), &json!({"a": 1})).await.unwrap();
        let requests = server.requests();
        assert_eq!(requests[0].line, "POST /v1/x HTTP/1.1");
        assert_eq!(requests[0].body, "{\"a\":1}");
        assert_eq!(
            requests[0].header("authorization"),
            Some("Bearer sk-secret")
        );
        assert_eq!(requests[0].header("content-type"), Some("application/json"));
    }

    #[tokio::test]
    async fn a_body_is_bounded() {
        let server =
            Server::start(vec![answer(200, &[], "12345"), answer(200, &[], "12345")]).await;
        assert_eq!(get(&server.url(), &headers(), 5).await.unwrap(), "12345");
        let error = get(&server.url(), &headers(), 4).await.unwrap_err();
        assert_eq!(error.detail, "it is larger than 4 bytes");
    }

    #[tokio::test]
    async fn a_closed_port_and_a_wrong_header_are_named() {
        let url = Server::start(Vec::new()).await.closed().await;
        let error = get(&url, &headers(), 5).await.unwrap_err();
        assert_eq!(error.kind, HttpErrorKind::Connect);
        let wrong = vec![("authorization".to_owned(), "Bearer a\nb".to_owned())];
        let error = get("http://localhost:1/", &wrong, 5).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot use `http://localhost:1/`: the header `authorization` has a name or value that HTTP does not allow"
        );
    }

    #[tokio::test]
    async fn what_is_no_url_is_refused() {
        for (url, expected) in [
            (
                "localhost:80",
                "cannot use `localhost:80`: expected http:// or https://",
            ),
            ("::", "cannot use `::`: relative URL without a base"),
        ] {
            let error = get(url, &headers(), 1).await.unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
