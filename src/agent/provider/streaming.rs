//! One streaming call of a provider, whatever its format.

use std::time::Duration;

use serde_json::Value;

use super::{Endpoint, errors};
use crate::agent::{Delta, ModelError};
use crate::format::{FormatError, anthropic, gemini, openai_chat, openai_responses};
use crate::http::{self, Events, Headers, Streamed};
use crate::message::Turn;

/// After its last event a server closes the stream at once. Waiting for that lets the connection be used again; one that does not is not waited
/// for.
const LINGER: Duration = Duration::from_millis(200);

/// What the formats' assemblers have in common.
pub(super) trait Assembly {
    /// Takes the data of one event.
    fn push(&mut self, data: &str) -> Result<Vec<Delta>, FormatError>;
    /// Whether nothing follows.
    fn is_done(&self) -> bool;
    /// The turn.
    fn finish(self) -> Result<Turn, FormatError>;
}

impl Assembly for anthropic::Assembler {
    fn push(&mut self, data: &str) -> Result<Vec<Delta>, FormatError> {
        self.push(data)
    }
    fn is_done(&self) -> bool {
        self.is_done()
    }
    fn finish(self) -> Result<Turn, FormatError> {
        self.finish()
    }
}

impl Assembly for openai_chat::Assembler {
    fn push(&mut self, data: &str) -> Result<Vec<Delta>, FormatError> {
        self.push(data)
    }
    fn is_done(&self) -> bool {
        self.is_done()
    }
    fn finish(self) -> Result<Turn, FormatError> {
        self.finish()
    }
}

impl Assembly for openai_responses::Assembler {
    fn push(&mut self, data: &str) -> Result<Vec<Delta>, FormatError> {
        self.push(data)
    }
    fn is_done(&self) -> bool {
        self.is_done()
    }
    fn finish(self) -> Result<Turn, FormatError> {
        self.finish()
    }
}

impl Assembly for gemini::Assembler {
    fn push(&mut self, data: &str) -> Result<Vec<Delta>, FormatError> {
        self.push(data)
    }
    fn is_done(&self) -> bool {
        self.is_done()
    }
    fn finish(self) -> Result<Turn, FormatError> {
        self.finish()
    }
}

/// A call that failed, with the provider's own words for whoever knows what to make of them.
#[derive(Debug)]
pub(super) struct Failed {
    /// What failed and what to do.
    pub(super) error: ModelError,
    /// Status and body of an answer that is a refusal.
    pub(super) refusal: Option<(u16, String)>,
}

impl From<Failed> for ModelError {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

/// Posts `body` and puts the answer together. A server that does not stream is fine: `whole` reads its answer.
pub(super) async fn call<A: Assembly>(
    endpoint: &Endpoint,
    url: &str,
    headers: &Headers,
    body: &Value,
    assembler: A,
    whole: impl FnOnce(&Value) -> Result<Turn, FormatError>,
    on_delta: &mut (dyn FnMut(Delta) + Send),
) -> Result<Turn, Failed> {
    let quiet = |error| Failed {
        error,
        refusal: None,
    };
    let streamed = http::post_sse(url, headers, body)
        .await
        .map_err(|error| Failed {
            refusal: error.status().map(|status| (status, error.detail.clone())),
            error: errors::from_http(endpoint, &error),
        })?;
    match streamed {
        Streamed::Events(events) => read(endpoint, url, events, assembler, on_delta)
            .await
            .map_err(quiet),
        Streamed::Whole(answer) => {
            let turn = whole(&answer)
                .map_err(|error| quiet(errors::from_format(endpoint, url, &error)))?;
            on_delta(Delta::Text(turn.text()));
            Ok(turn)
        }
    }
}

async fn read<A: Assembly>(
    endpoint: &Endpoint,
    url: &str,
    mut events: Events,
    mut assembler: A,
    on_delta: &mut (dyn FnMut(Delta) + Send),
) -> Result<Turn, ModelError> {
    let wrong = |error: FormatError| errors::from_format(endpoint, url, &error);
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| errors::from_http(endpoint, &error))?;
        for delta in assembler.push(&event.data).map_err(wrong)? {
            on_delta(delta);
        }
        if assembler.is_done() {
            let rest = async { while let Some(Ok(_)) = events.next().await {} };
            // Whether it came to an end does not matter: the turn is complete.
            let _ = tokio::time::timeout(LINGER, rest).await;
            break;
        }
    }
    assembler.finish().map_err(wrong)
}
