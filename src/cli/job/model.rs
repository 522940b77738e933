//! The model that plays, and the model that judges.

use std::sync::Arc;

use crate::agent::provider::{self, ModelChoice, Resolved};
use crate::agent::{Model, ModelError, ModelErrorKind, ModelResolver, ModelSource};
use crate::cli::args::AgentType;
use crate::cli::failure::{Failure, OrUsage};
use crate::cli::settings::EvalSettings;
use crate::config::{Setting, Variables};
use crate::eval::Judge;
use crate::util::backoff::Backoff;

/// What each type of agent plays when nobody names a model, as Python hud has it.
fn default_model(agent: &str) -> Option<&'static str> {
    match agent {
        "claude" => Some("claude-sonnet-4-6"),
        "openai" => Some("gpt-5.4"),
        "gemini" => Some("gemini-3-1-pro"),
        "oracle" => Some("oracle"),
        _ => None,
    }
}

/// The model's name as it was set, or the default of the agent's type.
pub(in crate::cli) fn model_name(settings: &EvalSettings) -> Result<String, Failure> {
    if let Some(model) = &settings.model {
        return Ok(model.value.clone());
    }
    let agent = settings.agent.as_ref().map(|agent| agent.value.as_str());
    if let Some(model) = agent.and_then(default_model) {
        return Ok(model.to_owned());
    }
    let what = match agent {
        Some(agent) => format!("no model: the agent `{agent}` needs one"),
        None => "no model".to_owned(),
    };
    Err(Failure::usage(format!(
        "{what}\n\
         hint: `--model oracle` plays each task's own solution, `--model scripted:FILE.yaml` plays written turns: neither needs a key\n\
         hint: `--model claude-sonnet-4-6` needs ANTHROPIC_API_KEY, `--model gpt-5.4` needs OPENAI_API_KEY (or HUD_API_KEY for both)\n\
         hint: `--model NAME --base-url http://localhost:8000/v1` calls any server that speaks Chat Completions"
    )))
}

/// The model, ready to be called: its provider is known and its key is there.
pub(in crate::cli) fn resolve(
    settings: &EvalSettings,
    variables: &Variables,
) -> Result<Resolved, Failure> {
    let name = model_name(settings)?;
    // `--agent oracle` is the same as `--model oracle`.
    let agent = settings.agent.as_ref().map(|agent| agent.value.clone());
    let is_oracle = agent.as_deref() == Some(AgentType::Oracle.as_str());
    if is_oracle && name != "oracle" {
        return Err(Failure::usage(format!(
            "the agent `oracle` plays solutions and cannot play `{name}`\nhint: leave one of them out"
        )));
    }
    let resolved = provider::resolve(
        &ModelChoice {
            name,
            agent: agent.filter(|_| !is_oracle),
            base_url: settings.base_url.as_ref().map(|url| url.value.clone()),
            gateway: settings.gateway.value,
        },
        &|name| variables.get(name),
    )
    .or_usage()?;
    settings.overrides.check_type(&resolved.agent_type)?;
    Ok(resolved)
}

/// The judge. A model that the user named must be usable; one that only a grader names may turn out not to be.
pub(in crate::cli) fn judge(
    judge_model: Option<&Setting<String>>,
    gateway: bool,
    variables: &Variables,
    retry: Backoff,
) -> Result<Arc<Judge>, Failure> {
    let resolver = Resolver {
        variables: variables.clone(),
        gateway,
    };
    if let Some(model) = judge_model {
        resolver.resolve(&model.value).map_err(|error| {
            Failure::usage(format!("--judge-model {}: {error}", model.value))
        })?;
    }
    Ok(Arc::new(Judge {
        resolver: Arc::new(resolver),
        model: judge_model.map(|model| model.value.clone()),
        retry,
    }))
}

/// Finds models for graders.
struct Resolver {
    variables: Variables,
    gateway: bool,
}

impl ModelResolver for Resolver {
    fn resolve(&self, name: &str) -> Result<Arc<dyn Model>, ModelError> {
        let choice = ModelChoice {
            name: name.to_owned(),
            agent: None,
            base_url: None,
            gateway: self.gateway,
        };
        match provider::resolve(&choice, &|name| self.variables.get(name))?.model {
            ModelSource::Shared(model) => Ok(model),
            ModelSource::PerTask(_) => Err(ModelError {
                kind: ModelErrorKind::Request,
                message: format!("`{name}` plays tasks and cannot judge"),
                retry_after: None,
            }),
        }
    }
}
