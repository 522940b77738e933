//! Anthropic Messages.

use async_trait::async_trait;

use super::{Endpoint, streaming};
use crate::agent::{Delta, Model, ModelError, Request};
use crate::format::{Conversation, anthropic};
use crate::message::{Thinking, Turn};

/// A model that speaks Anthropic Messages.
#[derive(Clone, Debug)]
pub struct Anthropic {
    model: String,
    endpoint: Endpoint,
    /// Whether it thinks adaptively unless told otherwise.
    thinks: bool,
}

impl Anthropic {
    /// The model called `model` at `endpoint`.
    pub fn new(model: impl Into<String>, endpoint: Endpoint) -> Self {
        Self {
            model: model.into(),
            endpoint,
            thinks: false,
        }
    }

    /// One that thinks adaptively unless told otherwise, or not.
    #[must_use]
    pub fn thinking(self, thinks: bool) -> Self {
        Self { thinks, ..self }
    }

    /// The SDK's base URL has no `/v1`; one that was given with it means the same.
    fn url(&self) -> String {
        let mut endpoint = self.endpoint.clone();
        let base = endpoint.base_url.trim_end_matches('/');
        if let Some(root) = base.strip_suffix("/v1") {
            endpoint.base_url = root.to_owned();
        }
        endpoint.url("/v1/messages")
    }
}

#[async_trait]
impl Model for Anthropic {
    fn name(&self) -> &str {
        &self.model
    }

    async fn respond(
        &self,
        request: &Request,
        on_delta: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Turn, ModelError> {
        let mut settings = request.settings.clone();
        // Whether thoughts are shown can only be said beside a way of thinking.
        if self.thinks && settings.show_thoughts.is_some() && settings.thinking.is_none() {
            settings.thinking = Some(Thinking::Adaptive);
        }
        let conversation = Conversation {
            settings: &settings,
            ..conversation(&self.model, request)
        };
        let names = anthropic::names(&request.tools);
        let body = anthropic::request(&conversation, &names);
        let mut headers = self.endpoint.headers(request.trace_id.as_deref());
        headers.push((
            "anthropic-version".to_owned(),
            anthropic::version(&conversation).to_owned(),
        ));
        if let Some(beta) = anthropic::betas(&conversation) {
            headers.push(("anthropic-beta".to_owned(), beta.to_owned()));
        }
        streaming::call(
            &self.endpoint,
            &self.url(),
            &headers,
            &body,
            anthropic::Assembler::new(names.clone()),
            |answer| anthropic::turn(answer, names),
            on_delta,
        )
        .await
        .map_err(ModelError::from)
    }
}

/// `request`, for `model`, as `format` takes it.
pub(super) fn conversation<'a>(model: &'a str, request: &'a Request) -> Conversation<'a> {
    Conversation {
        model,
        system: request.system.as_deref(),
        messages: &request.messages,
        tools: &request.tools,
        settings: &request.settings,
    }
}
