//! What the project's files (`hud.toml`, `.hud_eval.toml`) set, checked and ready to combine with flags.

use std::collections::BTreeMap;
use std::path::Path;

use crate::agent::provider::AgentType;
use crate::cli::failure::{Failure, OrUsage};
use crate::config::project::{self, Project, Section};
use crate::config::{Origin, Setting, env_vars};
use crate::task::{AGENT_CONFIG_KEYS, AgentConfig, Location, Steps, file::agent_config};

use super::agent_layers::{Layer, Source};

/// Keys of an agent type's section that are not settings of the agent.
const NOT_AGENT_SETTINGS: [&str; 3] = ["model", "base_url", "api_key"];

/// The project's settings.
#[derive(Debug, Default)]
pub(in crate::cli) struct ProjectSettings {
    project: Project,
    /// `full = true` of `[eval]`.
    full: Option<Layer>,
    /// Time limits of `[eval]`.
    limits: Option<Layer>,
    /// `[agent]`.
    agent: Option<Layer>,
    /// `[claude]`, `[openai]`, …
    types: BTreeMap<String, Layer>,
}

impl ProjectSettings {
    /// Reads the files of `folder`. Everything in them is checked, also what will not be used.
    pub(in crate::cli) fn read(
        folder: &Path,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let project = project::load(folder, AGENT_CONFIG_KEYS, variables).or_usage()?;
        if let (Some(all), Some(_)) = (
            project.eval.switch("all").filter(|all| all.value),
            project
                .eval
                .value("task_ids")
                .or(project.eval.value("limit")),
        ) {
            return Err(Failure::usage(format!(
                "{}: `all` contradicts `task_ids` or `limit` in [eval]; keep one",
                all.origin
            )));
        }
        let types = project
            .agent_types
            .iter()
            .map(|(name, section)| Ok((name.clone(), layer(name, section)?)))
            .collect::<Result<_, Failure>>()?;
        Ok(Self {
            full: project
                .eval
                .switch("full")
                .filter(|full| full.value)
                .map(|full| Layer {
                    config: AgentConfig {
                        max_steps: Some(Steps::AtMost(super::eval::FULL_STEPS)),
                        auto_respond: Some(true),
                        ..AgentConfig::default()
                    },
                    source: Source::Below(full.origin),
                }),
            limits: Some(time_limits(&project.eval)),
            agent: Some(layer("agent", &project.agent)?),
            types,
            project,
        })
    }

    /// `[eval]`.
    pub(in crate::cli) fn eval(&self) -> &Section {
        &self.project.eval
    }

    /// `[dev]`.
    pub(super) fn dev(&self) -> &Section {
        &self.project.dev
    }

    /// `agent` of `[eval]`.
    pub(super) fn agent_type(&self) -> Option<Setting<AgentType>> {
        let name = self.project.eval.text("agent")?;
        let agent = name.value.parse().ok()?;
        Some(name.map(|_| agent))
    }

    /// The model: of the agent's own section, else of `[eval]`.
    pub(super) fn model(&self, agent_type: Option<&str>) -> Option<Setting<String>> {
        self.of_type(agent_type, "model")
            .or(self.project.eval.text("model"))
    }

    /// The base URL: of the agent's own section, else of `[eval]`.
    pub(in crate::cli) fn base_url(&self, agent_type: Option<&str>) -> Option<Setting<String>> {
        self.of_type(agent_type, "base_url")
            .or(self.project.eval.text("base_url"))
    }

    /// `verbose` and `very_verbose` as the number of `-v`.
    pub(super) fn verbosity(&self) -> Option<Setting<u8>> {
        let eval = &self.project.eval;
        let very = eval.switch("very_verbose").filter(|very| very.value);
        very.map(|very| very.map(|_| 2))
            .or(eval.switch("verbose").map(|verbose| verbose.map(u8::from)))
    }

    /// A key of the provider that a section holds, under the name of its variable.
    pub(in crate::cli) fn api_key(
        &self,
        variable: &str,
        agent_type: Option<&str>,
    ) -> Option<String> {
        let sections: &[&str] = match variable {
            env_vars::ANTHROPIC_API_KEY => &["claude"],
            env_vars::OPENAI_API_KEY => &["openai", "openai_compatible", "operator"],
            env_vars::GEMINI_API_KEY => &["gemini", "gemini_cua"],
            _ => return None,
        };
        let own = sections.iter().filter(|name| Some(**name) == agent_type);
        own.chain(sections)
            .find_map(|name| self.of_type(Some(name), "api_key"))
            .map(|key| key.value)
    }

    /// Layers of agent settings for an agent of this type, highest first.
    pub(in crate::cli) fn agent_layers(&self, agent_type: &str) -> Vec<Layer> {
        self.types
            .get(agent_type)
            .into_iter()
            .chain(&self.agent)
            .chain(&self.limits)
            .chain(&self.full)
            .cloned()
            .collect()
    }

    fn of_type(&self, agent_type: Option<&str>, key: &str) -> Option<Setting<String>> {
        self.project.agent_types.get(agent_type?)?.text(key)
    }
}

/// The agent settings of a section.
fn layer(name: &str, section: &Section) -> Result<Layer, Failure> {
    let mut settings = Vec::new();
    let mut origins = BTreeMap::new();
    for (key, setting) in section.iter() {
        if NOT_AGENT_SETTINGS.contains(&key) {
            continue;
        }
        let location = match &setting.origin {
            Origin::Project(location) | Origin::TaskFile(location) => location.clone(),
            other => Location::of_file(Path::new(&other.to_string())),
        };
        settings.push((key.to_owned(), setting.value.clone(), location));
        origins.insert(canonical(key).to_owned(), setting.origin.clone());
    }
    Ok(Layer {
        config: agent_config(&format!("[{name}]"), settings).or_usage()?,
        source: Source::Keys(origins),
    })
}

/// The name under which a key is shown; `append_setup_tool` is Python hud's spelling.
fn canonical(key: &str) -> &str {
    match key {
        "append_setup_tool" => "append_setup_output",
        key => key,
    }
}

/// `tool_timeout` and `model_timeout` of `[eval]`, which the agent's settings call otherwise.
fn time_limits(eval: &Section) -> Layer {
    let tool = eval.number("tool_timeout");
    let model = eval.number("model_timeout");
    let origins = [
        ("tool_timeout_seconds", &tool),
        ("model_timeout_seconds", &model),
    ]
    .into_iter()
    .filter_map(|(key, setting)| Some((key.to_owned(), setting.as_ref()?.origin.clone())))
    .collect();
    Layer {
        config: AgentConfig {
            tool_timeout_seconds: tool.map(|setting| setting.value),
            model_timeout_seconds: model.map(|setting| setting.value),
            ..AgentConfig::default()
        },
        source: Source::Keys(origins),
    }
}
