//! Who may talk to a server: a bearer token, compared in constant time.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_accepted_and_it_is_never_shown() {
        let token = Token::new("s3cret");
        assert!(token.accepts("s3cret"));
        assert!(!token.accepts("s3cre") && !token.accepts(""));
        assert_eq!(format!("{token:?}"), "[hidden]");
    }
}
