//! Google's Gemini.

use async_trait::async_trait;

use super::anthropic::conversation;
use super::{Endpoint, Said, streaming};
use crate::agent::{Delta, Model, ModelError, Request};
use crate::format::gemini::{self, Assembler, Toolbox};
use crate::message::Turn;

/// What the official SDK speaks by default since its version 3.
const VERSION: &str = "v1";

/// What HUD's gateway speaks, and what knows the aliases of models that are no fixed version.
const BETA: &str = "v1beta";

/// A model that speaks Gemini.
#[derive(Debug)]
pub struct Gemini {
    model: String,
    endpoint: Endpoint,
    /// Whether it insists on having its thought signatures back.
    signs: bool,
    said: Said,
}

impl Gemini {
    /// The model called `model` at `endpoint`.
    pub fn new(model: impl Into<String>, endpoint: Endpoint) -> Self {
        let model = model.into();
        Self {
            signs: signs(&model),
            model,
            endpoint,
            said: Said::default(),
        }
    }

    /// The SDK's base URL has no version; one that is given with it chooses that version.
    fn url(&self) -> String {
        let mut endpoint = self.endpoint.clone();
        let mut version = if endpoint.is_gateway || self.model.ends_with("-latest") {
            BETA
        } else {
            VERSION
        };
        let base = endpoint.base_url.trim_end_matches('/').to_owned();
        for own in ["v1", BETA, "v1alpha"] {
            if let Some(root) = base.strip_suffix(&format!("/{own}")) {
                root.clone_into(&mut endpoint.base_url);
                version = own;
            }
        }
        let name = match self.model.split_once('/') {
            // `tunedModels/x` and `models/x` are whole names.
            Some(_) => self.model.clone(),
            None => format!("models/{}", self.model),
        };
        let url = endpoint.url(&format!("/{version}/{name}:streamGenerateContent"));
        let mark = if url.contains('?') { '&' } else { '?' };
        format!("{url}{mark}alt=sse")
    }
}

/// Gemini 2.5 and older take their calls back without signatures. A newer model, or one of which nothing is known, is sent what stands for a
/// missing one.
fn signs(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    !["gemini-1", "gemini-2", "gemma"]
        .iter()
        .any(|old| name.starts_with(old))
}

#[async_trait]
impl Model for Gemini {
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
        let body = gemini::request(&conversation(&self.model, request), &toolbox, self.signs);
        streaming::call(
            &self.endpoint,
            &self.url(),
            &self.endpoint.google_headers(request.trace_id.as_deref()),
            &body,
            Assembler::new(toolbox.clone()),
            |answer| gemini::turn(answer, &toolbox),
            on_delta,
        )
        .await
        .map_err(ModelError::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let check = |model: &str, base: &str, expected: &str| {
            let endpoint = Endpoint {
                base_url: base.to_owned(),
                key: None,
                key_variable: "X",
                is_gateway: false,
            };
            assert_eq!(Gemini::new(model, endpoint).url(), expected);
        };
        let path = "models/gemini-x:streamGenerateContent?alt=sse";
        check("gemini-x", "https://h", &format!("https://h/v1/{path}"));
        check(
            "gemini-x",
            "https://h/v1beta/",
            &format!("https://h/v1beta/{path}"),
        );
        check(
            "gemini-pro-latest",
            "https://h",
            "https://h/v1beta/models/gemini-pro-latest:streamGenerateContent?alt=sse",
        );
        check(
            "tunedModels/mine",
            "https://h?x=1",
            "https://h/v1/tunedModels/mine:streamGenerateContent?x=1&alt=sse",
        );
        assert!(signs("gemini-3.8-flash") && !signs("models/gemini-2.5-pro"));
    }
}
