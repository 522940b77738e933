//! From the name of a model to the model.

use std::path::Path;
use std::sync::Arc;

use super::providers::{
    ANTHROPIC, ANY, DEFAULT_GATEWAY, GATEWAY_KEY, GATEWAY_PREFIX, GATEWAY_URL, GOOGLE, NOT_YET,
    OPENAI, PATTERNS, PROVIDERS, Provider, Wire, matches, max_tokens_field,
};
use super::{
    AgentType, Anthropic, Endpoint, Gemini, OpenAiChat, OpenAiResponses, Oracle, Scripts, Secret,
    oracle, scripted,
};
use crate::agent::models::ModelTable;
use crate::agent::{Model, ModelError, ModelErrorKind, ModelSource};
use crate::http;

/// What the user said about the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelChoice {
    /// `--model`: `claude-sonnet-4-6`, `openrouter/z-ai/glm-4.6`, `oracle`, `scripted:turns.yaml`.
    pub name: String,
    /// `--agent`: forces the protocol.
    pub agent: Option<AgentType>,
    /// `--base-url`: where the model answers.
    pub base_url: Option<String>,
    /// `--gateway`: through HUD's gateway even where the provider's own key is there.
    pub gateway: bool,
}

/// A model, ready to be called.
#[derive(Clone)]
pub struct Resolved {
    /// Where the model of each rollout comes from.
    pub model: ModelSource,
    /// The model's name as the provider knows it.
    pub name: String,
    /// What kind of agent plays.
    pub agent_type: AgentType,
}

/// Finds the model, its endpoint and its key. `variables` answers for environment variables and for the files that hold keys, `models` says
/// what is known of models. Nothing is sent anywhere; a script is read.
pub fn resolve(
    choice: &ModelChoice,
    variables: &dyn Fn(&str) -> Option<String>,
    models: &ModelTable,
) -> Result<Resolved, ModelError> {
    if let Some(resolved) = without_provider(choice)? {
        return Ok(resolved);
    }
    let target = Target::of(choice)?;
    let (endpoint, via_gateway) = endpoint(choice, &target, variables)?;
    http::check_url(&endpoint.base_url).map_err(|error| {
        request(format!(
            "the base URL `{}` is not a URL: {}\nhint: give all of it, as in http://localhost:8000/v1",
            error.url, error.detail
        ))
    })?;
    let model: Arc<dyn Model> = match target.wire {
        Wire::Messages => {
            let thinks = models.facts(&target.name).thinks.unwrap_or(false);
            Arc::new(Anthropic::new(&target.name, endpoint).thinking(thinks))
        }
        Wire::Gemini => Arc::new(Gemini::new(&target.name, endpoint)),
        Wire::Responses => {
            // A model that nothing is known of may think: its thoughts are asked for in a form that can be sent back.
            let reasons = models.facts(&target.name).thinks.unwrap_or(true);
            Arc::new(OpenAiResponses::new(&target.name, endpoint, reasons))
        }
        Wire::Chat => {
            let field = if via_gateway {
                target.provider.max_tokens_on_gateway
            } else {
                max_tokens_field(&endpoint.base_url)
            };
            Arc::new(OpenAiChat::new(&target.name, endpoint, field))
        }
    };
    let by_wire = match target.wire {
        Wire::Messages => AgentType::Claude,
        Wire::Gemini => AgentType::Gemini,
        Wire::Responses => AgentType::OpenAi,
        Wire::Chat => AgentType::OpenAiCompatible,
    };
    Ok(Resolved {
        model: ModelSource::Shared(model),
        name: target.name,
        agent_type: choice.agent.unwrap_or(by_wire),
    })
}

/// `oracle` and `scripted`, which call nobody.
fn without_provider(choice: &ModelChoice) -> Result<Option<Resolved>, ModelError> {
    let name = choice.name.trim();
    let script = name.strip_prefix(&format!("{}:", scripted::NAME));
    let is_oracle = name == oracle::NAME || name == "integration_test";
    let agent = match choice.agent {
        Some(agent) => agent,
        None if is_oracle => AgentType::Oracle,
        None if script.is_some() || name == scripted::NAME => AgentType::Scripted,
        None => return Ok(None),
    };
    let model = match agent {
        AgentType::Oracle if is_oracle => ModelSource::PerTask(Arc::new(Oracle)),
        AgentType::Oracle => {
            return Err(request(format!(
                "the agent `oracle` plays solutions and cannot play `{name}`\nhint: leave one of the two out"
            )));
        }
        AgentType::Scripted => {
            let file = script.unwrap_or(name);
            if file.is_empty() || file == scripted::NAME {
                return Err(request(
                    "`scripted` needs the file of the script\nhint: `--model scripted:turns.yaml`"
                        .to_owned(),
                ));
            }
            ModelSource::PerTask(Arc::new(Scripts::read(Path::new(file))?))
        }
        AgentType::Claude
        | AgentType::OpenAi
        | AgentType::Operator
        | AgentType::Gemini
        | AgentType::GeminiCua
        | AgentType::OpenAiCompatible => return Ok(None),
    };
    for (given, flag) in [
        (choice.base_url.is_some(), "--base-url"),
        (choice.gateway, "--gateway"),
    ] {
        if given {
            return Err(request(format!(
                "{flag} does not apply to `{agent}`, which calls no model"
            )));
        }
    }
    Ok(Some(Resolved {
        model,
        name: name.to_owned(),
        agent_type: agent,
    }))
}

/// Whom to call, by which protocol.
struct Target {
    name: String,
    provider: &'static Provider,
    wire: Wire,
    /// The name asks for the gateway.
    gateway: bool,
}

impl Target {
    fn of(choice: &ModelChoice) -> Result<Self, ModelError> {
        let given = choice.name.trim();
        if given.is_empty() {
            return Err(unknown("the model's name is empty"));
        }
        let wire = match choice.agent {
            Some(AgentType::Claude) => Some(Wire::Messages),
            Some(AgentType::OpenAi) => Some(Wire::Responses),
            Some(AgentType::OpenAiCompatible) => Some(Wire::Chat),
            Some(AgentType::Gemini) => Some(Wire::Gemini),
            Some(agent @ (AgentType::Operator | AgentType::GeminiCua)) => {
                return Err(not_yet(&format!("the agent `{agent}`")));
            }
            Some(AgentType::Oracle | AgentType::Scripted) | None => None,
        };
        let (name, gateway) = match prefix(given, &[GATEWAY_PREFIX]) {
            Some(rest) => (rest, true),
            None => (given, choice.gateway),
        };
        // Servers of many models have slashes in their own names, so where both are said outright nothing is taken off.
        let verbatim =
            choice.agent == Some(AgentType::OpenAiCompatible) && choice.base_url.is_some();
        let by_prefix = PROVIDERS
            .iter()
            .filter(|_| !verbatim)
            .find_map(|provider| Some((*provider, prefix(name, provider.prefixes)?)));
        let by_name = || {
            PATTERNS
                .iter()
                .find(|(pattern, _)| !verbatim && matches(pattern, name))
                .map(|(_, provider)| (*provider, name))
        };
        let elsewhere = choice.base_url.is_some() || gateway;
        let (provider, name) = match by_prefix.or_else(by_name) {
            Some(found) => found,
            None if !verbatim && NOT_YET.iter().any(|pattern| matches(pattern, name)) => {
                return Err(not_yet(&format!("the model `{given}`")));
            }
            // The user says whose protocol it speaks.
            None => match choice.agent {
                Some(AgentType::Claude) => (&ANTHROPIC, name),
                Some(AgentType::OpenAi) => (&OPENAI, name),
                Some(AgentType::Gemini) => (&GOOGLE, name),
                _ if elsewhere => (&ANY, name),
                _ => return Err(unknown(&format!("unknown model '{given}'"))),
            },
        };
        // A name alone does not tell that a server of the user's own speaks what only `OpenAI` and few others do.
        let usual = match provider.wires.first() {
            Some(Wire::Responses) if by_prefix.is_none() && choice.base_url.is_some() => Wire::Chat,
            Some(wire) => *wire,
            None => Wire::Chat,
        };
        let wire = wire.unwrap_or(usual);
        if !elsewhere && !provider.wires.contains(&wire) {
            let agent = choice.agent.map(AgentType::as_str).unwrap_or_default();
            return Err(request(format!(
                "`{given}` does not speak the protocol of the agent `{agent}`\n\
                 hint: leave the agent out, or say with --base-url where it does"
            )));
        }
        if name.is_empty() {
            return Err(unknown(&format!("'{given}' names no model")));
        }
        Ok(Self {
            name: name.to_owned(),
            provider,
            wire,
            gateway,
        })
    }
}

/// Whether the name itself says who answers: by its prefix, by its pattern, or because nobody is called.
pub(super) fn has_provider(name: &str) -> bool {
    let name = name.trim();
    prefix(name, &[GATEWAY_PREFIX]).is_some()
        || PROVIDERS
            .iter()
            .any(|provider| prefix(name, provider.prefixes).is_some())
        || PATTERNS.iter().any(|(pattern, _)| matches(pattern, name))
        || NOT_YET.iter().any(|pattern| matches(pattern, name))
        || name == oracle::NAME
        || name == "integration_test"
        || name == scripted::NAME
        || name.starts_with("scripted:")
}

/// The rest of `name` after one of `prefixes` and a slash.
fn prefix<'a>(name: &'a str, prefixes: &[&str]) -> Option<&'a str> {
    let (first, rest) = name.split_once('/')?;
    prefixes
        .iter()
        .any(|prefix| first.eq_ignore_ascii_case(prefix))
        .then_some(rest)
}

/// The endpoint, and whether it is the gateway.
fn endpoint(
    choice: &ModelChoice,
    target: &Target,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<(Endpoint, bool), ModelError> {
    let provider = target.provider;
    let variable = |name: &str| variables(name).filter(|value| !value.trim().is_empty());
    let secret = |name: &str| variable(name).and_then(|key| Secret::new(&key));
    let base_url = choice
        .base_url
        .clone()
        .or_else(|| variable(provider.base_variable?).filter(|_| !target.gateway));
    let key = secret(provider.key_variable);
    let is_usual_place = base_url.is_none();
    let misses_key = provider.needs_key && is_usual_place && key.is_none();
    let via_gateway =
        target.gateway || (misses_key && provider.on_gateway && secret(GATEWAY_KEY).is_some());
    if via_gateway {
        if choice.base_url.is_some() {
            return Err(request(
                "--base-url and the gateway exclude each other\nhint: leave one of them out, or set HUD_GATEWAY_URL"
                    .to_owned(),
            ));
        }
        let Some(key) = secret(GATEWAY_KEY) else {
            return Err(no_key(&choice.name, GATEWAY_KEY, ""));
        };
        let endpoint = Endpoint {
            base_url: variable(GATEWAY_URL).unwrap_or_else(|| DEFAULT_GATEWAY.to_owned()),
            key: Some(key),
            key_variable: GATEWAY_KEY,
            is_gateway: true,
        };
        return Ok((endpoint, true));
    }
    if misses_key {
        let other = if provider.on_gateway {
            "\nhint: with HUD_API_KEY set, the model is called through HUD's gateway"
        } else {
            ""
        };
        return Err(no_key(&choice.name, provider.key_variable, other));
    }
    let base_url = base_url.unwrap_or_else(|| {
        let usual = provider.base_url;
        // Anthropic's Chat Completions are a folder deeper than its Messages.
        match (target.wire, provider.wires.first()) {
            (Wire::Chat, Some(Wire::Messages)) => format!("{usual}/v1"),
            // So are Google's.
            (Wire::Chat, Some(Wire::Gemini)) => format!("{usual}/v1beta/openai"),
            _ => usual.to_owned(),
        }
    });
    let endpoint = Endpoint {
        base_url,
        key,
        key_variable: provider.key_variable,
        is_gateway: false,
    };
    Ok((endpoint, false))
}

/// How to name a model that works.
fn ways() -> String {
    let prefixes: Vec<String> = PROVIDERS
        .iter()
        .flat_map(|provider| provider.prefixes)
        .chain([&GATEWAY_PREFIX])
        .map(|prefix| format!("{prefix}/…"))
        .collect();
    let patterns: Vec<String> = PATTERNS
        .iter()
        .map(|(pattern, _)| pattern.replace('?', "1…9"))
        .collect();
    format!(
        "models: {}\nprefixes: {}\nwithout a model: oracle, scripted:FILE.yaml\n\
         hint: any server that speaks Chat Completions: `--model NAME --base-url http://HOST/v1`",
        patterns.join(", "),
        prefixes.join(", ")
    )
}

fn unknown(what: &str) -> ModelError {
    request(format!("{what}\n{}", ways()))
}

fn not_yet(what: &str) -> ModelError {
    request(format!("{what} is not supported yet\n{}", ways()))
}

fn request(message: String) -> ModelError {
    ModelError {
        kind: ModelErrorKind::Request,
        message,
        retry_after: None,
    }
}

fn no_key(model: &str, variable: &str, other: &str) -> ModelError {
    ModelError {
        kind: ModelErrorKind::Authentication,
        message: format!(
            "no key for the model `{model}`: {variable} is not set\n\
             hint: `export {variable}=…`, or keep it with `hud set {variable}=…`{other}"
        ),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests;
