//! `OpenAI` Responses.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde_json::Value;

use super::anthropic::conversation;
use super::streaming::{self, Failed};
use super::{Endpoint, Said};
use crate::agent::{Delta, Model, ModelError, Request};
use crate::format::Conversation;
use crate::format::openai_responses::{self, Assembler, Span, Toolbox};
use crate::message::{Settings, Turn};

/// A model that speaks Responses.
#[derive(Debug)]
pub struct OpenAiResponses {
    model: String,
    endpoint: Endpoint,
    /// Whether it thinks, so that its thoughts are to be kept.
    reasons: bool,
    /// Whether the server keeps answers, so that only what is new need be sent. Not after it has refused once.
    chains: AtomicBool,
    said: Said,
}

impl OpenAiResponses {
    /// The model called `model` at `endpoint`. `reasons` says that it thinks.
    pub fn new(model: impl Into<String>, endpoint: Endpoint, reasons: bool) -> Self {
        Self {
            model: model.into(),
            endpoint,
            reasons,
            chains: AtomicBool::new(true),
            said: Said::default(),
        }
    }

    async fn ask(
        &self,
        conversation: &Conversation<'_>,
        trace_id: Option<&str>,
        toolbox: &Toolbox,
        span: Span<'_>,
        on_delta: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Turn, Failed> {
        let body = openai_responses::request(conversation, toolbox, span, self.reasons);
        streaming::call(
            &self.endpoint,
            &self.endpoint.url("/responses"),
            &self.endpoint.headers(trace_id),
            &body,
            Assembler::new(toolbox.clone()),
            |answer| openai_responses::turn(answer, toolbox),
            on_delta,
        )
        .await
    }
}

#[async_trait]
impl Model for OpenAiResponses {
    fn name(&self) -> &str {
        &self.model
    }

    async fn respond(
        &self,
        request: &Request,
        on_delta: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Turn, ModelError> {
        let toolbox = Toolbox::new(&request.tools, &request.settings);
        self.said.once(toolbox.notices(), on_delta);
        // One conversation is one cache: its requests share a beginning.
        let settings = Settings {
            cache_key: request
                .settings
                .cache_key
                .clone()
                .or_else(|| request.trace_id.clone()),
            ..request.settings.clone()
        };
        let conversation = Conversation {
            settings: &settings,
            ..conversation(&self.model, request)
        };
        let trace_id = request.trace_id.as_deref();
        let chains = self.chains.load(Ordering::Relaxed) && settings.store != Some(false);
        if let Some((id, _)) = openai_responses::chainable(&request.messages).filter(|_| chains) {
            let span = Span::After(id);
            match self
                .ask(&conversation, trace_id, &toolbox, span, on_delta)
                .await
            {
                Err(failed) if forgot(&failed) => {
                    self.chains.store(false, Ordering::Relaxed);
                    let notice = format!(
                        "`{}` does not keep answers; whole conversations are sent from now on",
                        self.model
                    );
                    self.said.once(&[notice], on_delta);
                }
                answered => return answered.map_err(|failed| failed.error),
            }
        }
        self.ask(&conversation, trace_id, &toolbox, Span::Whole, on_delta)
            .await
            .map_err(|failed| failed.error)
    }
}

/// Whether the server refused because of the answer that the request referred to.
fn forgot(failed: &Failed) -> bool {
    let Some((400 | 404, body)) = &failed.refusal else {
        return false;
    };
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let error = body.get("error").unwrap_or(&body);
    let message = error["message"].as_str().unwrap_or_default().to_lowercase();
    error["param"] == "previous_response_id"
        || error["code"] == "previous_response_not_found"
        || message.contains("previous response")
        || message.contains("previous_response_id")
}
