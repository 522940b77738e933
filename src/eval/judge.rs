//! Model calls on an environment's behalf: graders that let a model judge.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;

use crate::agent::{Model, ModelError, ModelResolver, Request};
use crate::environment::{Sampler, SamplingAnswer, SamplingRequest};
use crate::event::Step;
use crate::message::{Settings, Usage};
use crate::util::backoff::Backoff;

/// Which model judges: the one that the user named, else the one that the grader asks for.
pub struct Judge {
    /// Finds models by name.
    pub resolver: Arc<dyn ModelResolver>,
    /// `--judge-model`; wins over the grader's own.
    pub model: Option<String>,
    /// How failed calls are made again.
    pub retry: Backoff,
}

impl Judge {
    /// The judge outside of a job: nobody counts its tokens.
    pub fn sampler(self: &Arc<Self>) -> Arc<dyn Sampler> {
        Arc::new(RolloutJudge {
            judge: Arc::clone(self),
            usage: Arc::default(),
            steps: Box::new(|_| {}),
        })
    }

    async fn answer(
        &self,
        model: &dyn Model,
        request: &Request,
    ) -> Result<crate::message::Turn, ModelError> {
        let mut retry = 0;
        loop {
            match model.respond(request, &mut |_| {}).await {
                Err(error) if error.kind.is_retryable() && retry < self.retry.retries => {
                    retry += 1;
                    tokio::time::sleep(self.retry.delay(retry, error.retry_after)).await;
                }
                outcome => return outcome,
            }
        }
    }
}

/// The judge of one rollout: counts its tokens and reports its calls.
pub(super) struct RolloutJudge {
    pub(super) judge: Arc<Judge>,
    pub(super) usage: Arc<Mutex<Usage>>,
    pub(super) steps: Box<dyn Fn(Step) + Send + Sync>,
}

#[async_trait]
impl Sampler for RolloutJudge {
    async fn sample(&self, request: SamplingRequest) -> Result<SamplingAnswer, String> {
        let name = self
            .judge
            .model
            .as_deref()
            .or(request.model_hint.as_deref())
            .ok_or("the grader names no model\nhint: name one with --judge-model")?;
        let model = self
            .judge
            .resolver
            .resolve(name)
            .map_err(|error| format!("the judge's model `{name}` cannot be used: {error}"))?;
        let begun = Instant::now();
        let turn = self
            .judge
            .answer(
                model.as_ref(),
                &Request {
                    system: request.system,
                    messages: request.messages,
                    tools: Vec::new(),
                    settings: Settings {
                        max_tokens: Some(request.max_tokens),
                        temperature: request.temperature,
                        ..Settings::default()
                    },
                    trace_id: None,
                },
            )
            .await
            .map_err(|error| format!("the judge's model `{name}` failed: {error}"))?;
        if let Ok(mut usage) = self.usage.lock() {
            *usage += turn.usage;
        }
        (self.steps)(Step::Judge {
            model: turn.model.clone(),
            usage: turn.usage,
            duration: begun.elapsed(),
        });
        Ok(SamplingAnswer {
            text: turn.text(),
            usage: turn.usage,
            model: turn.model,
        })
    }
}
