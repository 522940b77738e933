//! Chat Completions, of `OpenAI` and of every server that speaks it.

use async_trait::async_trait;

use super::anthropic::conversation;
use super::{Endpoint, streaming};
use crate::agent::{Delta, Model, ModelError, Request};
use crate::format::openai_chat::{self, MaxTokensField};
use crate::message::Turn;

/// A model that speaks Chat Completions.
#[derive(Clone, Debug)]
pub struct OpenAiChat {
    model: String,
    endpoint: Endpoint,
    max_tokens_field: MaxTokensField,
}

impl OpenAiChat {
    /// The model called `model` at `endpoint`.
    pub fn new(
        model: impl Into<String>,
        endpoint: Endpoint,
        max_tokens_field: MaxTokensField,
    ) -> Self {
        Self {
            model: model.into(),
            endpoint,
            max_tokens_field,
        }
    }
}

#[async_trait]
impl Model for OpenAiChat {
    fn name(&self) -> &str {
        &self.model
    }

    async fn respond(
        &self,
        request: &Request,
        on_delta: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Turn, ModelError> {
        let names = openai_chat::names(&request.tools);
        let conversation = conversation(&self.model, request);
        let body = openai_chat::request(&conversation, &names, self.max_tokens_field);
        streaming::call(
            &self.endpoint,
            &self.endpoint.url("/chat/completions"),
            &self.endpoint.headers(request.trace_id.as_deref()),
            &body,
            openai_chat::Assembler::new(names.clone()),
            |answer| openai_chat::turn(answer, names),
            on_delta,
        )
        .await
        .map_err(ModelError::from)
    }
}
