use std::time::Duration;

use super::*;
use crate::agent::provider::Secret;

fn endpoint() -> Endpoint {
    Endpoint {
        base_url: "https://api.x.test".to_owned(),
        key: Secret::new("sk-secret-key"),
        key_variable: "X_API_KEY",
        is_gateway: false,
    }
}

fn http(status: u16, body: &str) -> HttpError {
    HttpError {
        kind: HttpErrorKind::Status(status),
        url: "https://api.x.test/v1/x".to_owned(),
        detail: body.to_owned(),
        retry_after: Some(Duration::from_secs(3)),
    }
}

fn check(status: u16, body: &str, kind: ModelErrorKind, message: &str) {
    let error = from_http(&endpoint(), &http(status, body));
    assert_eq!(error.kind, kind, "{status} {body}");
    assert_eq!(
        error.message,
        message.replace("`URL`", "`https://api.x.test/v1/x`")
    );
    assert_eq!(error.retry_after, Some(Duration::from_secs(3)));
}

#[test]
fn anthropic_says() {
    let body = |kind: &str, message: &str| {
        format!(
            r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"r"}}"#
        )
    };
    check(
        401,
        &body("authentication_error", "invalid x-api-key"),
        ModelErrorKind::Authentication,
        "`URL` answered 401 (authentication_error): invalid x-api-key\nhint: check the key in X_API_KEY",
    );
    check(
        400,
        &body(
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
        ),
        ModelErrorKind::ContextLength,
        "`URL` answered 400 (invalid_request_error): prompt is too long: 210000 tokens > 200000 maximum",
    );
    check(
        400,
        &body(
            "invalid_request_error",
            "Your credit balance is too low to access the API.",
        ),
        ModelErrorKind::Credits,
        "`URL` answered 400 (invalid_request_error): Your credit balance is too low to access the API.\nhint: the account of X_API_KEY needs credit",
    );
    check(
        529,
        &body("overloaded_error", "Overloaded"),
        ModelErrorKind::RateLimit,
        "`URL` answered 529 (overloaded_error): Overloaded",
    );
    check(
        404,
        &body("not_found_error", "model: claude-0"),
        ModelErrorKind::Request,
        "`URL` answered 404 (not_found_error): model: claude-0\nhint: check the model's name and the base URL (servers that speak Chat Completions usually want one that ends in /v1)",
    );
}

#[test]
fn openai_says() {
    let body = |kind: &str, code: &str, message: &str| {
        format!(
            r#"{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":"{code}"}}}}"#
        )
    };
    check(
        429,
        &body(
            "insufficient_quota",
            "insufficient_quota",
            "You exceeded your quota",
        ),
        ModelErrorKind::Credits,
        "`URL` answered 429 (insufficient_quota): You exceeded your quota\nhint: the account of X_API_KEY needs credit",
    );
    check(
        429,
        &body("tokens", "rate_limit_exceeded", "slow down"),
        ModelErrorKind::RateLimit,
        "`URL` answered 429 (rate_limit_exceeded): slow down",
    );
    check(
        400,
        &body(
            "invalid_request_error",
            "context_length_exceeded",
            "too long",
        ),
        ModelErrorKind::ContextLength,
        "`URL` answered 400 (context_length_exceeded): too long",
    );
    check(
        401,
        &body(
            "invalid_request_error",
            "invalid_api_key",
            "Incorrect API key: sk-secret-key.",
        ),
        ModelErrorKind::Authentication,
        "`URL` answered 401 (invalid_api_key): Incorrect API key: [hidden].\nhint: check the key in X_API_KEY",
    );
}

#[test]
fn others_say() {
    use ModelErrorKind as Kind;
    check(
        503,
        "<html>busy</html>",
        Kind::Server,
        "`URL` answered 503: <html>busy</html>",
    );
    check(500, "", Kind::Server, "`URL` answered 500");
    check(408, "", Kind::Server, "`URL` answered 408");
    check(
        402,
        r#"{"error":"pay"}"#,
        Kind::Credits,
        "`URL` answered 402: pay\nhint: the account of X_API_KEY needs credit",
    );
    check(
        422,
        r#"{"detail":[{"msg":"bad"}]}"#,
        Kind::Request,
        "`URL` answered 422: [{\"msg\":\"bad\"}]",
    );
    check(
        400,
        r#"[{"error":{"code":400,"message":"This model's maximum context length is 8192 tokens"}}]"#,
        Kind::ContextLength,
        "`URL` answered 400: This model's maximum context length is 8192 tokens",
    );
    check(413, "", Kind::ContextLength, "`URL` answered 413");
    check(
        400,
        "{\"message\":\"bad \\u001b[31mred\"}",
        Kind::Request,
        "`URL` answered 400: bad red",
    );
}

#[test]
fn connections_and_streams() {
    let check = |kind: HttpErrorKind, expected: ModelErrorKind| {
        let error = HttpError {
            kind,
            ..http(0, "reset")
        };
        assert_eq!(from_http(&endpoint(), &error).kind, expected);
    };
    check(HttpErrorKind::Connect, ModelErrorKind::Network);
    check(HttpErrorKind::Dropped, ModelErrorKind::Network);
    check(HttpErrorKind::Answer, ModelErrorKind::Server);
    check(HttpErrorKind::Request, ModelErrorKind::Request);

    let check = |error: FormatError, kind: ModelErrorKind, message: &str| {
        let found = from_format(&endpoint(), "URL", &error);
        assert_eq!((found.kind, found.message.as_str()), (kind, message));
    };
    check(
        FormatError::Truncated,
        ModelErrorKind::Server,
        "`URL` gave no usable answer: the stream ended in the middle of the answer",
    );
    let provider = |code: Option<&str>, message: &str| FormatError::Provider {
        code: code.map(str::to_owned),
        message: message.to_owned(),
    };
    check(
        provider(Some("overloaded_error"), "Overloaded"),
        ModelErrorKind::RateLimit,
        "`URL` reported an error in its answer: Overloaded (overloaded_error)",
    );
    check(
        provider(Some("402"), "no credit"),
        ModelErrorKind::Credits,
        "`URL` reported an error in its answer: no credit (402)\nhint: the account of X_API_KEY needs credit",
    );
    check(
        provider(None, "who knows"),
        ModelErrorKind::Server,
        "`URL` reported an error in its answer: who knows",
    );
}

#[test]
fn without_a_key_the_hint_is_to_set_one() {
    let endpoint = Endpoint {
        key: None,
        ..endpoint()
    };
    assert_eq!(
        from_http(&endpoint, &http(401, "")).message,
        "`https://api.x.test/v1/x` answered 401\nhint: set X_API_KEY, as with `hud set X_API_KEY=…`"
    );
}

#[test]
fn a_url_shows_no_credentials_in_hints_and_errors() {
    let endpoint = Endpoint {
        base_url: "http://user:pw@h/v1?key=SECRET".to_owned(),
        key: None,
        key_variable: "X_API_KEY",
        is_gateway: false,
    };
    let error = |kind, detail: &str| {
        let error = HttpError {
            kind,
            url: "http://h/v1/x".to_owned(),
            detail: detail.to_owned(),
            retry_after: None,
        };
        from_http(&endpoint, &error)
    };
    assert_eq!(
        error(HttpErrorKind::Connect, "refused").message,
        "cannot connect to `http://h/v1/x`: refused\nhint: is http://h/v1 reachable from here?"
    );
    let foreign = error(HttpErrorKind::Foreign, "a web page (HTML): Log in");
    assert_eq!(foreign.kind, ModelErrorKind::Request);
    assert_eq!(
        foreign.message,
        "`http://h/v1/x` answered with a web page (HTML): Log in\nhint: is the base URL right? It is http://h/v1"
    );
    let broken = from_format(
        &endpoint,
        "http://user:pw@h/v1/x?key=SECRET",
        &FormatError::Truncated,
    );
    assert!(
        broken.message.starts_with("`http://h/v1/x` gave no usable"),
        "{}",
        broken.message
    );
}
