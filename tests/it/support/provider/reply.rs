//! What both APIs' answers share: ids, pieces of text, and the errors that faults send.

use std::sync::atomic::{AtomicU64, Ordering};

use super::check::Refusal;
use super::conversation::Api;
use super::script::Fault;

/// Makes ids that are different within one server and the same in every run.
#[derive(Default)]
pub(super) struct Ids(AtomicU64);

impl Ids {
    /// `toolu_000000000000000000000001`.
    pub(super) fn next(&self, prefix: &str) -> String {
        format!(
            "{prefix}_{:024}",
            self.0.fetch_add(1, Ordering::Relaxed) + 1
        )
    }
}

/// `text` in pieces of a few characters, as tokens arrive.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars
        .chunks(6)
        .map(|piece| piece.iter().collect())
        .collect()
}

/// The error of a fault that has a status and the provider's own JSON.
pub(super) fn fault_error(fault: &Fault, api: Api) -> Option<Refusal> {
    let error = match (fault, api) {
        (Fault::Status(status), _) => status_error(*status, api),
        (Fault::RateLimit { retry_after }, _) => Refusal { retry_after: retry_after.clone(), ..status_error(429, api) },
        (Fault::ContextLength, Api::Messages) => Refusal::invalid("prompt is too long: 204857 tokens > 200000 maximum"),
        (Fault::ContextLength, Api::Gemini) => Refusal::new(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        ),
        (Fault::ContextLength, _) => Refusal::invalid(
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130211 tokens. Please reduce the length of the messages.",
        )
        .param("messages")
        .code("context_length_exceeded"),
        (Fault::Credits, Api::Messages) => Refusal::invalid(
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
        ),
        (Fault::Credits, Api::Gemini) => Refusal::new(
            402,
            "FAILED_PRECONDITION",
            "Your project has no prepaid credits left. Please add credits in AI Studio.",
        ),
        (Fault::Credits, _) => Refusal::new(
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
        )
        .code("insufficient_quota"),
        (Fault::Page { .. } | Fault::Drop | Fault::Hang | Fault::HoldThenDrop(_), _) => return None,
    };
    Some(error)
}

/// The usual error of a status.
pub(super) fn status_error(status: u16, api: Api) -> Refusal {
    let (messages, chat, text) = match status {
        401 => (
            "authentication_error",
            "invalid_request_error",
            "invalid x-api-key",
        ),
        402 => (
            "billing_error",
            "insufficient_quota",
            "There is a problem with your payment.",
        ),
        403 => (
            "permission_error",
            "invalid_request_error",
            "Your API key does not have permission to use the specified resource.",
        ),
        404 => (
            "not_found_error",
            "invalid_request_error",
            "The model does not exist or you do not have access to it.",
        ),
        413 => (
            "request_too_large",
            "invalid_request_error",
            "Request exceeds the maximum size",
        ),
        429 => (
            "rate_limit_error",
            "requests",
            "Rate limit reached for requests",
        ),
        504 => ("timeout_error", "server_error", "Request timed out"),
        503 | 529 => ("overloaded_error", "server_error", "Overloaded"),
        500.. => ("api_error", "server_error", "Internal server error"),
        _ => (
            "invalid_request_error",
            "invalid_request_error",
            "Bad request",
        ),
    };
    let kind = match api {
        Api::Messages => messages,
        Api::Chat | Api::Responses => chat,
        Api::Gemini => match status {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            429 => "RESOURCE_EXHAUSTED",
            503 | 529 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            500.. => "INTERNAL",
            _ => "INVALID_ARGUMENT",
        },
    };
    let error = Refusal::new(status, kind, text);
    match (status, api) {
        (404, Api::Chat | Api::Responses) => error.code("model_not_found"),
        (429, Api::Chat | Api::Responses) => error.code("rate_limit_exceeded"),
        _ => error,
    }
}
