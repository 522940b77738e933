//! The model that plays, and the model that judges.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agent::models::ModelTable;
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
    models: Arc<ModelTable>,
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
            models: Arc::new(ModelTable::embedded().clone()),
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
    match provider::resolve(&choice, &lookup, &keys.models) {
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
    let (_, resolved) = choose(settings, project, keys)?;
    settings.overrides.check_type(resolved.agent_type)?;
    Ok(resolved)
}

/// What the provider is asked for in the end, and its answer.
fn choose(
    settings: &EvalSettings,
    project: &ProjectSettings,
    keys: &Keys,
) -> Result<(ModelChoice, Resolved), Failure> {
    let lookup = |name: &str| keys.get(name);
    let mut choice = ModelChoice {
        name: model_name(settings)?,
        agent: settings.agent.as_ref().map(|agent| agent.value),
        base_url: settings.base_url.as_ref().map(|url| url.value.clone()),
        gateway: settings.gateway.value,
    };
    let mut resolved = provider::resolve(&choice, &lookup, &keys.models).or_usage()?;
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
            resolved = provider::resolve(&choice, &lookup, &keys.models).or_usage()?;
        }
    }
    Ok((choice, resolved))
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

/// Where models answer that no provider is known for: the base URL of the model that plays.
pub(in crate::cli) struct JudgePlace {
    /// `--base-url`.
    pub(in crate::cli) base_url: String,
    /// The type of agent that plays there, which tells the protocol.
    pub(in crate::cli) agent_type: AgentType,
}

/// The judge. A model that the user named must be usable; one that only a grader names may turn out not to be.
pub(in crate::cli) fn judge(
    model: Option<&str>,
    place: Option<JudgePlace>,
    gateway: bool,
    keys: &Keys,
) -> Result<Arc<Judge>, Failure> {
    let keys = keys.clone();
    let models = Arc::clone(&keys.models);
    let mut resolver =
        MultiResolver::new(Arc::new(move |name: &str| keys.get(name)), gateway, models);
    if let Some(JudgePlace {
        base_url,
        agent_type,
    }) = place
        && !gateway
    {
        resolver = resolver.others_at(base_url, agent_type == AgentType::Claude);
    }
    if let Some(model) = model {
        resolver.resolve(model).map_err(|error| {
            Failure::usage(format!(
                "--judge-model {model}: {}",
                for_judge(&error.message)
            ))
        })?;
    }
    Ok(Arc::new(Judge {
        resolver: Arc::new(resolver),
        model: model.map(str::to_owned),
        retry: LoopSettings::default().retry,
    }))
}

/// What is said of models that play, as it is true of a model that judges.
fn for_judge(message: &str) -> String {
    message
        .lines()
        // Those play tasks.
        .filter(|line| !line.starts_with("without a model:"))
        .map(|line| {
            if line.contains("--base-url") {
                "hint: a model of any server that speaks Chat Completions: `--judge-model openai/NAME`, with OPENAI_BASE_URL=http://HOST/v1"
            } else {
                line
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Command};
    use crate::cli::failure::words;
    use crate::util::fs;

    /// The agent's type and the address that is asked for, or the first line of the error.
    fn check(
        flags: &str,
        process: &[(&str, &str)],
        dotenv: &str,
        toml: &str,
        expected: Result<(AgentType, Option<&str>), &str>,
    ) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(&folder.path().join("hud.toml"), toml).unwrap();
        fs::write(&folder.path().join(".env"), dotenv).unwrap();
        let process = process
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let variables = Variables::new(process, folder.path()).unwrap();
        let project = ProjectSettings::read(folder.path(), &|_| None).unwrap();
        let line = format!("hud eval {flags}");
        let Command::Eval(args) = Cli::parse_from(line.split_whitespace()).command else {
            panic!("not eval");
        };
        let settings =
            EvalSettings::resolve(&args, crate::cli::args::GlobalArgs::default(), &project)
                .unwrap();
        let keys = Keys::new(&variables, &project, settings.agent_type());
        let got = choose(&settings, &project, &keys)
            .map(|(choice, resolved)| (resolved.agent_type, choice.base_url))
            .map_err(|failure| {
                let words = words(&failure).unwrap();
                words.lines().next().unwrap_or_default().to_owned()
            });
        let expected = expected
            .map(|(agent, url)| (agent, url.map(str::to_owned)))
            .map_err(str::to_owned);
        assert_eq!(got, expected, "{flags} {toml}");
    }

    #[test]
    fn the_address_is_the_flags_then_the_variables_then_the_files() {
        let toml = "[eval]\nbase_url = 'http://eval'\n[claude]\nbase_url = 'http://claude'\n";
        let key = ("ANTHROPIC_API_KEY", "k");
        let variable = ("ANTHROPIC_BASE_URL", "http://variable");
        let claude = |url| Ok((AgentType::Claude, url));
        let model = "-m claude-x";
        check(model, &[key], "", "", claude(None));
        check(model, &[key], "", toml, claude(Some("http://eval")));
        check(
            "claude.yaml claude",
            &[key],
            "",
            toml,
            claude(Some("http://claude")),
        );
        check(
            model,
            &[key],
            "",
            "[claude]\nbase_url = 'http://claude'",
            claude(Some("http://claude")),
        );
        check(model, &[key, variable], "", toml, claude(None));
        // A `.env` file is below `hud.toml`.
        check(
            model,
            &[key],
            "ANTHROPIC_BASE_URL=http://dotenv",
            toml,
            claude(Some("http://eval")),
        );
        check(
            "-m claude-x --base-url http://flag",
            &[key, variable],
            "",
            toml,
            claude(Some("http://flag")),
        );
    }

    #[test]
    fn a_key_may_be_in_a_variable_a_file_or_a_section() {
        let claude = Ok((AgentType::Claude, None));
        let model = "-m claude-x";
        check(model, &[("ANTHROPIC_API_KEY", "k")], "", "", claude);
        check(model, &[], "ANTHROPIC_API_KEY=k", "", claude);
        check(model, &[], "", "[claude]\napi_key = 'k'", claude);
        check(
            model,
            &[],
            "",
            "[openai]\napi_key = 'k'",
            Err("no key for the model `claude-x`: ANTHROPIC_API_KEY is not set"),
        );
    }

    #[test]
    fn a_type_without_a_model_plays_its_usual_one() {
        let key = [("ANTHROPIC_API_KEY", "k"), ("OPENAI_API_KEY", "k")];
        check("x.yaml claude", &key, "", "", Ok((AgentType::Claude, None)));
        check("x.yaml oracle", &[], "", "", Ok((AgentType::Oracle, None)));
        check("x.yaml", &key, "", "", Err("no model"));
        check(
            "x.yaml openai_compatible",
            &key,
            "",
            "",
            Err("no model: the agent `openai_compatible` needs one"),
        );
        check(
            "-m gpt-x --agent oracle",
            &key,
            "",
            "",
            Err("the agent `oracle` plays solutions and cannot play `gpt-x`"),
        );
    }

    fn keys(process: &[(&str, &str)]) -> Keys {
        let folder = tempfile::tempdir().unwrap();
        let process = process
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Keys {
            variables: Variables::new(process, folder.path()).unwrap(),
            sections: BTreeMap::new(),
            models: Arc::new(ModelTable::embedded().clone()),
        }
    }

    #[test]
    fn a_judge_without_a_provider_of_its_own_is_where_the_model_is() {
        let check = |model: &str, base_url: Option<&str>, expected: &str| {
            let place = base_url.map(|url| JudgePlace {
                base_url: url.to_owned(),
                agent_type: AgentType::OpenAiCompatible,
            });
            let judge = judge(Some(model), place, false, &keys(&[]));
            let got = judge.err().and_then(|failure| words(&failure));
            let first = got.as_deref().unwrap_or_default().lines().next();
            assert_eq!(first.unwrap_or_default(), expected);
        };
        let server = Some("http://localhost:1/v1");
        check("my-judge", server, "");
        check(
            "my-judge",
            None,
            "--judge-model my-judge: unknown model 'my-judge'",
        );
        check(
            "claude-x",
            server,
            "--judge-model claude-x: no key for the model `claude-x`: ANTHROPIC_API_KEY is not set",
        );
    }

    #[test]
    fn the_hint_for_a_judge_names_its_own_flag() {
        let failure = judge(Some("my-judge"), None, false, &keys(&[]))
            .err()
            .unwrap();
        let words = words(&failure).unwrap();
        assert!(
            !words.contains("--model") && !words.contains("scripted"),
            "{words}"
        );
        assert!(words.contains("`--judge-model openai/NAME`"), "{words}");
        let there = [("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "http://h/v1")];
        assert!(judge(Some("openai/my-judge"), None, false, &keys(&there)).is_ok());
    }
}
