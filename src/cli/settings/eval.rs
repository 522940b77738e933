//! The settings of `hud eval` that are known before its tasks are: flags and `hud.toml`, one value each.

use std::path::PathBuf;
use std::time::Duration;

use crate::agent::provider::AgentType;
use crate::cli::args::{EvalArgs, GlobalArgs};
use crate::cli::failure::Failure;
use crate::config::Setting;
use crate::eval::Limits;
use crate::task::{AgentConfig, Steps};

use super::agent_layers::{self, Layer, Source, both_set};
use super::overrides::{self, Overrides};
use super::platform;
use super::project::ProjectSettings;

/// Everything that was set, and by what. What nobody set and has no default is `None`.
#[derive(Clone, Debug)]
pub(in crate::cli) struct EvalSettings {
    pub(in crate::cli) source: Option<Setting<PathBuf>>,
    pub(in crate::cli) model: Option<Setting<String>>,
    pub(in crate::cli) agent: Option<Setting<AgentType>>,
    pub(in crate::cli) base_url: Option<Setting<String>>,
    pub(in crate::cli) gateway: Setting<bool>,
    pub(in crate::cli) judge_model: Option<Setting<String>>,
    pub(in crate::cli) task_ids: Option<Setting<Vec<String>>>,
    pub(in crate::cli) limit: Option<Setting<u32>>,
    pub(in crate::cli) group: Setting<u32>,
    pub(in crate::cli) seed: Option<Setting<u64>>,
    pub(in crate::cli) max_concurrent: Setting<u32>,
    pub(in crate::cli) rollout_timeout: Option<Setting<Duration>>,
    pub(in crate::cli) phase_timeout: Setting<Duration>,
    pub(in crate::cli) rollout_tokens: Option<Setting<u64>>,
    pub(in crate::cli) python: Option<Setting<PathBuf>>,
    pub(in crate::cli) json: Setting<bool>,
    pub(in crate::cli) min_reward: Option<Setting<f64>>,
    pub(in crate::cli) success_threshold: Setting<f64>,
    pub(in crate::cli) runs_dir: Setting<PathBuf>,
    pub(in crate::cli) quiet: Setting<bool>,
    /// 0, 1 (`-v`) or 2 (`-vv`).
    pub(in crate::cli) verbosity: Setting<u8>,
    /// `-c` values that name another agent than the one that runs are found when that is known.
    pub(in crate::cli) overrides: Overrides,
    /// Layers of agent settings that were typed, highest first.
    pub(in crate::cli) typed: Vec<Layer>,
}

/// The defaults that help texts promise.
const GROUP: u32 = 1;
const MAX_CONCURRENT: u32 = 30;
const SUCCESS_THRESHOLD: f64 = 0.7;
const RUNS_DIR: &str = ".hud/runs";
/// What `--full` allows, as in Python hud.
pub(super) const FULL_STEPS: u32 = 100;

impl EvalSettings {
    /// Combines what was typed (`args`, `global`) with what the project's files say.
    pub(in crate::cli) fn resolve(
        args: &EvalArgs,
        global: GlobalArgs,
        project: &ProjectSettings,
    ) -> Result<Self, Failure> {
        platform::refuse(&args.platform)?;
        let overrides = Overrides::parse(&args.config)?;
        let model = one_of(
            ("--model", &args.model),
            ("-c model", &overrides.model),
        )?;
        let base_url = one_of(
            ("--base-url", &args.base_url),
            ("-c base_url", &overrides.base_url),
        )?;
        let file = project.eval();
        let agent = typed(args.agent.or(args.agent_position))
            .or(project.agent_type());
        let agent_type = agent.as_ref().map(|agent| agent.value.as_str());

        // `--all` takes back what the file selects; with a selection of its own clap refuses it.
        let all = args.all || args.full;

        Ok(Self {
            source: typed(args.source.clone()).or(file.text("source").map(path)),
            model: typed(model).or_else(|| project.model(agent_type)),
            base_url: typed(base_url).or_else(|| project.base_url(agent_type)),
            agent,
            gateway: switch(args.gateway, args.no_gateway)
                .or(file.switch("gateway"))
                .unwrap_or(Setting::default_of(false)),
            judge_model: typed(args.judge_model.clone()).or(file.text("judge_model")),
            task_ids: typed(args.task_ids.clone())
                .or(file.texts("task_ids"))
                .filter(|_| !all),
            limit: typed(args.limit)
                .or(file.whole("limit").map(small))
                .filter(|_| !all),
            group: typed(args.group)
                .or(file.whole("group").map(small))
                .unwrap_or(Setting::default_of(GROUP)),
            seed: typed(args.seed).or(file.whole("seed")),
            max_concurrent: typed(args.max_concurrent)
                .or(file.whole("max_concurrent").map(small))
                .unwrap_or(Setting::default_of(MAX_CONCURRENT)),
            rollout_timeout: typed(args.rollout_timeout.map(|time| time.0))
                .or(file.number("rollout_timeout").and_then(seconds)),
            phase_timeout: typed(args.phase_timeout.map(|time| time.0))
                .or(file.number("phase_timeout").and_then(seconds))
                .unwrap_or(Setting::default_of(Limits::default().phase_timeout)),
            rollout_tokens: typed(args.rollout_tokens).or(file.whole("rollout_tokens")),
            python: typed(args.python.clone()).or(file.text("python").map(path)),
            json: typed(args.json.then_some(true)).unwrap_or(Setting::default_of(false)),
            min_reward: number(args.min_reward, "--min-reward")?.or(file.number("min_reward")),
            success_threshold: number(args.success_threshold, "--success-threshold")?
                .or(file.number("success_threshold"))
                .unwrap_or(Setting::default_of(SUCCESS_THRESHOLD)),
            runs_dir: typed(args.runs_dir.clone())
                .unwrap_or_else(|| Setting::default_of(RUNS_DIR.into())),
            quiet: switch(global.quiet, args.no_quiet || global.verbosity() > 0)
                .or(file.switch("quiet"))
                .unwrap_or(Setting::default_of(false)),
            verbosity: typed(
                (global.verbosity() > 0 || args.no_verbose || global.quiet)
                    .then_some(global.verbosity()),
            )
            .or(project.verbosity())
            .unwrap_or(Setting::default_of(0)),
            typed: typed_layers(args, &overrides)?,
            overrides,
        })
    }
}

fn typed<T>(value: Option<T>) -> Option<Setting<T>> {
    value.map(Setting::flag)
}

fn path(text: Setting<String>) -> Setting<PathBuf> {
    text.map(PathBuf::from)
}

/// More than four thousand millions of anything is the same as that many.
fn small(number: Setting<u64>) -> Setting<u32> {
    number.map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

fn seconds(number: Setting<f64>) -> Option<Setting<Duration>> {
    let value = Duration::try_from_secs_f64(number.value).ok()?;
    Some(number.map(|_| value))
}

/// The value of two spellings of one setting.
fn one_of(
    (flag, value): (&str, &Option<String>),
    (other, other_value): (&str, &Option<String>),
) -> Result<Option<String>, Failure> {
    match (value, other_value) {
        (Some(_), Some(_)) => Err(twice(flag, other)),
        (value, other_value) => Ok(value.clone().or_else(|| other_value.clone())),
    }
}

/// A boolean with a flag for each of its values.
fn switch(on: bool, off: bool) -> Option<Setting<bool>> {
    typed(if on {
        Some(true)
    } else {
        off.then_some(false)
    })
}

fn number(value: Option<f64>, flag: &str) -> Result<Option<Setting<f64>>, Failure> {
    match value {
        Some(value) if !value.is_finite() => Err(Failure::usage(format!(
            "{flag}: expected a number, got {value}"
        ))),
        value => Ok(typed(value)),
    }
}

fn twice(flag: &str, other: &str) -> Failure {
    Failure::usage(format!(
        "{flag} and {other} both set the same; leave one of them out"
    ))
}

/// The layers of agent settings that were typed: flags and `-c`, then what `--full` brings.
fn typed_layers(args: &EvalArgs, overrides: &Overrides) -> Result<Vec<Layer>, Failure> {
    let steps = args
        .max_steps
        .map(overrides::steps)
        .transpose()
        .map_err(|mistake| Failure::usage(format!("--max-steps: {mistake}")))?;
    let flags = AgentConfig {
        max_steps: steps,
        allowed_tools: args.allowed_tools.clone(),
        disallowed_tools: args.disallowed_tools.clone(),
        auto_respond: switch(args.auto_respond, args.no_auto_respond)
            .map(|setting| setting.value),
        tool_timeout_seconds: args.tool_timeout.map(|time| time.0.as_secs_f64()),
        model_timeout_seconds: args.model_timeout.map(|time| time.0.as_secs_f64()),
        ..AgentConfig::default()
    };
    if let Some(key) = both_set(&flags, &overrides.agent).first() {
        return Err(twice(&agent_layers::flag(key), &format!("-c {key}")));
    }
    let mut layers = vec![
        Layer {
            config: flags,
            source: Source::Flags,
        },
        Layer {
            config: overrides.agent.clone(),
            source: Source::Overrides,
        },
    ];
    if args.full {
        layers.push(Layer {
            config: AgentConfig {
                auto_respond: Some(true),
                max_steps: Some(Steps::AtMost(FULL_STEPS)),
                ..AgentConfig::default()
            },
            source: Source::Full,
        });
    }
    Ok(layers)
}

