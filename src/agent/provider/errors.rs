//! What a caller should do about a provider's failure: from its status and from its own words.

use std::time::Duration;

use serde_json::Value;

use super::Endpoint;
use crate::agent::{ModelError, ModelErrorKind};
use crate::format::FormatError;
use crate::http::{self, HttpError, HttpErrorKind};
use crate::util::text::one_line;

/// The characters of a provider's message that an error shows.
const SHOWN: usize = 600;

/// Words that providers put into `error.type`, `error.code` or `error.details.error_code`. They say more than the status: a 429 of `OpenAI` may mean that
/// there is no money, a 400 of Anthropic too.
const WORDS: &[(&str, ModelErrorKind)] = &[
    ("context_length_exceeded", ModelErrorKind::ContextLength),
    ("request_too_large", ModelErrorKind::ContextLength),
    ("insufficient_quota", ModelErrorKind::Credits),
    ("billing_error", ModelErrorKind::Credits),
    ("billing_hard_limit_reached", ModelErrorKind::Credits),
    ("billing_not_active", ModelErrorKind::Credits),
    ("insufficient_credits", ModelErrorKind::Credits),
    ("enforced_spend_limit_reached", ModelErrorKind::Credits),
    ("contract_spend_limit_reached", ModelErrorKind::Credits),
    ("authentication_error", ModelErrorKind::Authentication),
    ("permission_error", ModelErrorKind::Authentication),
    ("invalid_api_key", ModelErrorKind::Authentication),
    ("rate_limit_error", ModelErrorKind::RateLimit),
    ("rate_limit_exceeded", ModelErrorKind::RateLimit),
    ("overloaded_error", ModelErrorKind::RateLimit),
    ("api_error", ModelErrorKind::Server),
    ("timeout_error", ModelErrorKind::Server),
    ("server_error", ModelErrorKind::Server),
    ("internal_server_error", ModelErrorKind::Server),
    ("invalid_prompt", ModelErrorKind::Request),
    ("data_residency_mismatch", ModelErrorKind::Request),
    ("invalid_image", ModelErrorKind::Request),
    ("invalid_image_format", ModelErrorKind::Request),
    ("invalid_base64_image", ModelErrorKind::Request),
    ("invalid_image_url", ModelErrorKind::Request),
    ("image_too_large", ModelErrorKind::Request),
    ("image_too_small", ModelErrorKind::Request),
    ("image_parse_error", ModelErrorKind::Request),
    ("image_file_too_large", ModelErrorKind::Request),
    ("unsupported_image_media_type", ModelErrorKind::Request),
    ("empty_image_file", ModelErrorKind::Request),
    ("API_KEY_INVALID", ModelErrorKind::Authentication),
    ("UNAUTHENTICATED", ModelErrorKind::Authentication),
    ("PERMISSION_DENIED", ModelErrorKind::Authentication),
    ("RESOURCE_EXHAUSTED", ModelErrorKind::RateLimit),
    ("UNAVAILABLE", ModelErrorKind::RateLimit),
    ("INTERNAL", ModelErrorKind::Server),
    ("DEADLINE_EXCEEDED", ModelErrorKind::Server),
    ("MALFORMED_RESPONSE", ModelErrorKind::Server),
    ("MISSING_THOUGHT_SIGNATURE", ModelErrorKind::Request),
    ("INVALID_ARGUMENT", ModelErrorKind::Request),
    ("NOT_FOUND", ModelErrorKind::Request),
    ("not_found_error", ModelErrorKind::Request),
    ("model_not_found", ModelErrorKind::Request),
];

/// Phrases of messages, for providers that have no word for it. Only looked for where the request was refused.
const PHRASES: &[(&str, ModelErrorKind)] = &[
    ("prompt is too long", ModelErrorKind::ContextLength),
    ("maximum context length", ModelErrorKind::ContextLength),
    ("exceeds the context", ModelErrorKind::ContextLength),
    ("exceed context limit", ModelErrorKind::ContextLength),
    (
        "exceeds the available context",
        ModelErrorKind::ContextLength,
    ),
    ("maximum prompt length", ModelErrorKind::ContextLength),
    (
        "exceeds the maximum number of tokens",
        ModelErrorKind::ContextLength,
    ),
    ("credit balance is too low", ModelErrorKind::Credits),
];

/// A request failed.
pub(super) fn from_http(endpoint: &Endpoint, error: &HttpError) -> ModelError {
    let said = Said::of(&error.detail);
    let kind = match error.kind {
        HttpErrorKind::Request | HttpErrorKind::Foreign => ModelErrorKind::Request,
        HttpErrorKind::Connect | HttpErrorKind::Dropped => ModelErrorKind::Network,
        HttpErrorKind::Answer => ModelErrorKind::Server,
        HttpErrorKind::Status(status) => said.kind(Some(status)),
    };
    let message = match (error.kind, &said.message) {
        (HttpErrorKind::Status(status), Some(message)) => {
            let word = said.word.as_ref().map(|word| format!(" ({word})"));
            let word = word.unwrap_or_default();
            format!("`{}` answered {status}{word}: {message}", error.url)
        }
        _ => error.to_string(),
    };
    let hint = match error.kind {
        HttpErrorKind::Foreign => Some(format!(
            "is the base URL right? It is {}",
            http::public_url(&endpoint.base_url)
        )),
        HttpErrorKind::Request
        | HttpErrorKind::Connect
        | HttpErrorKind::Dropped
        | HttpErrorKind::Answer
        | HttpErrorKind::Status(_) => hint(endpoint, kind, error.status()),
    };
    ModelError {
        retry_after: error.retry_after.or(said.retry_after),
        ..finished(endpoint, kind, &message, hint)
    }
}

/// The answer is no turn.
pub(super) fn from_format(endpoint: &Endpoint, url: &str, error: &FormatError) -> ModelError {
    let kind = match error {
        FormatError::Truncated | FormatError::Malformed(_) => ModelErrorKind::Server,
        FormatError::Provider { code, message } => {
            let said = Said {
                word: code.clone(),
                codes: code.iter().cloned().collect(),
                message: Some(message.clone()),
                retry_after: None,
            };
            said.kind(None)
        }
    };
    let what = match error {
        FormatError::Provider { .. } => "reported an error in its answer",
        FormatError::Truncated | FormatError::Malformed(_) => "gave no usable answer",
    };
    let url = http::public_url(url);
    let hint = hint(endpoint, kind, None);
    finished(endpoint, kind, &format!("`{url}` {what}: {error}"), hint)
}

fn finished(
    endpoint: &Endpoint,
    kind: ModelErrorKind,
    message: &str,
    hint: Option<String>,
) -> ModelError {
    let mut message = one_line(&endpoint.redact(message), SHOWN);
    if let Some(hint) = hint {
        message = format!("{message}\nhint: {hint}");
    }
    ModelError {
        kind,
        message,
        retry_after: None,
    }
}

fn hint(endpoint: &Endpoint, kind: ModelErrorKind, status: Option<u16>) -> Option<String> {
    let variable = endpoint.key_variable;
    match kind {
        ModelErrorKind::Authentication if endpoint.key.is_none() => Some(format!(
            "set {variable}, as with `hud set {variable}=…`"
        )),
        ModelErrorKind::Authentication => Some(format!("check the key in {variable}")),
        ModelErrorKind::Credits => Some(format!("the account of {variable} needs credit")),
        ModelErrorKind::Request if status == Some(404) => Some(
            "check the model's name and the base URL (servers that speak Chat Completions usually want one that ends in /v1)"
                .to_owned(),
        ),
        ModelErrorKind::Network => Some(format!(
            "is {} reachable from here?",
            http::public_url(&endpoint.base_url)
        )),
        ModelErrorKind::RateLimit
        | ModelErrorKind::Server
        | ModelErrorKind::ContextLength
        | ModelErrorKind::Request => None,
    }
}

/// What the body of an error says.
#[derive(Debug, Default)]
struct Said {
    /// The word to show.
    word: Option<String>,
    /// Every word for it.
    codes: Vec<String>,
    message: Option<String>,
    /// How long the provider asks to wait, in its body.
    retry_after: Option<Duration>,
}

impl Said {
    /// Reads `{"error": {"type", "code", "message", "details": {"error_code"}}}`, and the forms of smaller servers: `{"error": "…"}`,
    /// `{"message": "…"}`, `{"detail": …}`.
    fn of(body: &str) -> Self {
        let Ok(body) = serde_json::from_str::<Value>(body) else {
            return Self::default();
        };
        // Google's compatible endpoint wraps it in a list.
        let body = body.get(0).unwrap_or(&body);
        let error = body.get("error").unwrap_or(body);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        // Google's details are a list, in which one says why and another how long to wait.
        let details = error["details"].as_array().into_iter().flatten();
        let reasons = details.clone().filter_map(|detail| text(&detail["reason"]));
        let codes: Vec<String> = [
            &error["details"]["error_code"],
            &error["code"],
            &error["type"],
        ]
        .into_iter()
        .filter_map(text)
        .chain(reasons)
        .chain(text(&error["status"]))
        .collect();
        let retry_after = details
            .filter_map(|detail| detail["retryDelay"].as_str()?.strip_suffix('s'))
            .filter_map(|seconds| Duration::try_from_secs_f64(seconds.parse().ok()?).ok())
            .max();
        let detail = &body["detail"];
        let message = text(error)
            .or_else(|| text(&error["message"]))
            .or_else(|| text(detail))
            .or_else(|| (!detail.is_null()).then(|| detail.to_string()));
        Self {
            word: codes.first().cloned(),
            codes,
            message,
            retry_after,
        }
    }

    fn kind(&self, status: Option<u16>) -> ModelErrorKind {
        let by_word = self.codes.iter().find_map(|code| {
            let found = WORDS.iter().find(|(word, _)| code == word);
            found.map(|(_, kind)| *kind)
        });
        let refused = status.is_none_or(|status| matches!(status, 400 | 413 | 422));
        let message = self.message.as_deref().unwrap_or_default().to_lowercase();
        let by_phrase = PHRASES
            .iter()
            .find(|(phrase, _)| refused && message.contains(phrase))
            .map(|(_, kind)| *kind);
        by_phrase
            .or(by_word)
            .unwrap_or_else(|| by_status(status.or_else(|| self.status_in_words())))
    }

    /// Some servers put a status into the error of a stream.
    fn status_in_words(&self) -> Option<u16> {
        self.word.as_ref()?.parse().ok()
    }
}

fn by_status(status: Option<u16>) -> ModelErrorKind {
    match status {
        Some(401 | 403) => ModelErrorKind::Authentication,
        Some(402) => ModelErrorKind::Credits,
        Some(413) => ModelErrorKind::ContextLength,
        Some(429 | 529) => ModelErrorKind::RateLimit,
        // The official SDKs make these again: a timeout of the server, and a conflict of locks.
        Some(408 | 409 | 500..) | None => ModelErrorKind::Server,
        Some(_) => ModelErrorKind::Request,
    }
}

#[cfg(test)]
mod tests;
