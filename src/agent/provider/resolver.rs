//! Models by name, for graders that ask for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::resolve::has_provider;
use super::{AgentType, ModelChoice, resolve};
use crate::agent::models::ModelTable;
use crate::agent::{Model, ModelError, ModelErrorKind, ModelResolver, ModelSource};

/// Answers for environment variables and for the files that hold keys.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Finds a model for any name, each once.
pub struct MultiResolver {
    variables: Variables,
    gateway: bool,
    models: Arc<ModelTable>,
    /// Where models answer that no provider is known for, and whether they speak Anthropic Messages.
    elsewhere: Option<(String, bool)>,
    found: Mutex<HashMap<String, Arc<dyn Model>>>,
}

impl MultiResolver {
    /// With keys from `variables`; `gateway` is `--gateway`, and `models` says what is known of models.
    pub fn new(variables: Variables, gateway: bool, models: Arc<ModelTable>) -> Self {
        Self {
            variables,
            gateway,
            models,
            elsewhere: None,
            found: Mutex::default(),
        }
    }

    /// With models that no provider is known for at `base_url`, where they speak Anthropic Messages or else Chat Completions.
    #[must_use]
    pub fn others_at(mut self, base_url: String, messages: bool) -> Self {
        self.elsewhere = Some((base_url, messages));
        self
    }
}

impl ModelResolver for MultiResolver {
    fn resolve(&self, name: &str) -> Result<Arc<dyn Model>, ModelError> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = found.get(name) {
            return Ok(Arc::clone(model));
        }
        let elsewhere = self.elsewhere.as_ref().filter(|_| !has_provider(name));
        let choice = ModelChoice {
            name: name.to_owned(),
            agent: elsewhere
                .filter(|(_, messages)| *messages)
                .map(|_| AgentType::Claude),
            base_url: elsewhere.map(|(base_url, _)| base_url.clone()),
            gateway: self.gateway,
        };
        match resolve(&choice, &*self.variables, &self.models)?.model {
            ModelSource::Shared(model) => {
                found.insert(name.to_owned(), Arc::clone(&model));
                Ok(model)
            }
            ModelSource::PerTask(_) => Err(ModelError {
                kind: ModelErrorKind::Request,
                message: format!("`{name}` plays tasks and cannot answer a grader"),
                retry_after: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_made_once_and_a_player_of_tasks_is_none() {
        let variables: Variables =
            Arc::new(|name| (name == "ANTHROPIC_API_KEY").then(|| "k".to_owned()));
        let resolver =
            MultiResolver::new(variables, false, Arc::new(ModelTable::embedded().clone()));
        let first = resolver.resolve("claude-haiku-4-5").unwrap();
        let second = resolver.resolve("claude-haiku-4-5").unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(
            resolver.resolve("oracle").err().unwrap().message,
            "`oracle` plays tasks and cannot answer a grader"
        );
        let missing = resolver.resolve("gpt-5.6").err().unwrap();
        assert_eq!(missing.kind, ModelErrorKind::Authentication);
    }
}
