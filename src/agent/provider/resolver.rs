//! Models by name, for graders that ask for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{ModelChoice, resolve};
use crate::agent::{Model, ModelError, ModelErrorKind, ModelResolver, ModelSource};

/// Answers for environment variables and for the files that hold keys.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Finds a model for any name, each once.
pub struct MultiResolver {
    variables: Variables,
    gateway: bool,
    found: Mutex<HashMap<String, Arc<dyn Model>>>,
}

impl MultiResolver {
    /// With keys from `variables`; `gateway` is `--gateway`.
    pub fn new(variables: Variables, gateway: bool) -> Self {
        Self {
            variables,
            gateway,
            found: Mutex::default(),
        }
    }
}

impl ModelResolver for MultiResolver {
    fn resolve(&self, name: &str) -> Result<Arc<dyn Model>, ModelError> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = found.get(name) {
            return Ok(Arc::clone(model));
        }
        let choice = ModelChoice {
            name: name.to_owned(),
            agent: None,
            base_url: None,
            gateway: self.gateway,
        };
        match resolve(&choice, &*self.variables)?.model {
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
        let resolver = MultiResolver::new(variables, false);
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
