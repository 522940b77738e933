//! The model that plays, and the model that judges.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agent::provider::{self, AgentType, ModelChoice, MultiResolver, Resolved};
use crate::agent::{LoopSettings, ModelResolver};
use crate::cli::failure::{Failure, OrUsage};
use crate::cli::settings::{EvalSettings, ProjectSettings};
use crate::config::{Origin, Variables, env_vars};
use crate::eval::Judge;

/// Variables that hold keys of providers, each of which a section of `hud.toml` may hold as `api_key`.
const KEYS_IN_SECTIONS: [&str; 3] = [
    env_vars::ANTHROPIC_API_KEY,
    env_vars::OPENAI_API_KEY,
    env_vars::GEMINI_API_KEY,
];

/// Where keys and addresses of providers come from: variables, `.env` files, then sections of `hud.toml`.
#[derive(Clone)]
pub(in crate::cli) struct Keys {
    variables: Variables,
    sections: BTreeMap<&'static str, String>,
}

impl Keys {
    /// `agent` is the type whose section counts first.
    pub(in crate::cli) fn new(
        variables: &Variables,
        project: &ProjectSettings,
        agent: Option<AgentType>,
    ) -> Self {
        let agent = agent.map(AgentType::as_str);
        let sections = KEYS_IN_SECTIONS
            .into_iter()
            .filter_map(|name| Some((name, project.api_key(name, agent)?)))
            .collect();
        Self {
            variables: variables.clone(),
            sections,
        }
    }

    fn get(&self, name: &str) -> Option<String> {
        self.variables
            .setting(name)
            .map(|setting| setting.value)
            .or_else(|| self.sections.get(name).cloned())
    }
}

/// What each type of agent plays when nobody names a model, as Python hud has it.
fn default_model(agent: AgentType) -> Option<&'static str> {
    match agent {
        AgentType::Claude => Some("claude-sonnet-4-6"),
        AgentType::OpenAi => Some("gpt-5.4"),
        AgentType::Gemini => Some("gemini-3-1-pro"),
        AgentType::GeminiCua | AgentType::Operator => Some("computer-use-preview"),
        AgentType::Oracle => Some("oracle"),
        AgentType::OpenAiCompatible | AgentType::Scripted => None,
    }
}

/// The model's name as it was set, or the default of the agent's type.
fn model_name(settings: &EvalSettings) -> Result<String, Failure> {
    if let Some(model) = &settings.model {
        return Ok(model.value.clone());
    }
    let agent = settings.agent.as_ref().map(|agent| agent.value);
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

/// The type of agent that would run, as far as it is known: its provider's key need not be there.
pub(in crate::cli) fn agent_type(settings: &EvalSettings, keys: &Keys) -> Option<AgentType> {
    let Ok(name) = model_name(settings) else {
        return settings.agent_type();
    };
    let choice = ModelChoice {
        name,
        agent: settings.agent_type(),
        base_url: settings.base_url.as_ref().map(|url| url.value.clone()),
        gateway: settings.gateway.value,
    };
    let lookup = |name: &str| {
        let is_key = KEYS_IN_SECTIONS.contains(&name) || name == env_vars::HUD_API_KEY;
        keys.get(name).or_else(|| is_key.then(|| "any".to_owned()))
    };
    match provider::resolve(&choice, &lookup) {
        Ok(resolved) => Some(resolved.agent_type),
        Err(_) => settings.agent_type(),
    }
}

/// The model, ready to be called: its provider is known and its key is there.
pub(in crate::cli) fn resolve(
    settings: &EvalSettings,
    project: &ProjectSettings,
    keys: &Keys,
) -> Result<Resolved, Failure> {
    let lookup = |name: &str| keys.get(name);
    let mut choice = ModelChoice {
        name: model_name(settings)?,
        agent: settings.agent.as_ref().map(|agent| agent.value),
        base_url: settings.base_url.as_ref().map(|url| url.value.clone()),
        gateway: settings.gateway.value,
    };
    let mut resolved = provider::resolve(&choice, &lookup).or_usage()?;
    let agent_type = resolved.agent_type;

    // The address in a file is below the one in a variable, and which variable that is depends on the type.
    let from_variable = base_url_variable(agent_type)
        .and_then(|name| keys.variables.setting(name))
        .is_some_and(|setting| matches!(setting.origin, Origin::Variable(_)));
    let in_file = match &settings.base_url {
        Some(url) if matches!(url.origin, Origin::Project(_)) => Some(None),
        Some(_) => None,
        None => project
            .base_url(Some(agent_type.as_str()))
            .map(|url| Some(url.value)),
    };
    if let Some(in_file) = in_file
        && !settings.gateway.value
    {
        let wanted = if from_variable {
            None
        } else {
            in_file.or_else(|| choice.base_url.clone())
        };
        if wanted != choice.base_url {
            choice.base_url = wanted;
            choice.agent = Some(agent_type);
            resolved = provider::resolve(&choice, &lookup).or_usage()?;
        }
    }
    settings.overrides.check_type(resolved.agent_type)?;
    Ok(resolved)
}

fn base_url_variable(agent: AgentType) -> Option<&'static str> {
    match agent {
        AgentType::Claude => Some(env_vars::ANTHROPIC_BASE_URL),
        AgentType::OpenAi | AgentType::OpenAiCompatible | AgentType::Operator => {
            Some(env_vars::OPENAI_BASE_URL)
        }
        AgentType::Gemini | AgentType::GeminiCua => Some(env_vars::GEMINI_BASE_URL),
        AgentType::Oracle | AgentType::Scripted => None,
    }
}

/// The judge. A model that the user named must be usable; one that only a grader names may turn out not to be.
pub(in crate::cli) fn judge(
    model: Option<&str>,
    gateway: bool,
    keys: &Keys,
) -> Result<Arc<Judge>, Failure> {
    let keys = keys.clone();
    let resolver = MultiResolver::new(Arc::new(move |name: &str| keys.get(name)), gateway);
    if let Some(model) = model {
        resolver
            .resolve(model)
            .map_err(|error| Failure::usage(format!("--judge-model {model}: {error}")))?;
    }
    Ok(Arc::new(Judge {
        resolver: Arc::new(resolver),
        model: model.map(str::to_owned),
        retry: LoopSettings::default().retry,
    }))
}
