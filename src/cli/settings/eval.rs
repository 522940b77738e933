//! The settings of `hud eval` that are known before its tasks are: flags, environment variables and `hud.toml`, one value each.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::args::{EvalArgs, GlobalArgs};
use crate::cli::failure::Failure;
use crate::config::{Origin, Setting};
use crate::task::{AgentConfig, Steps};

use super::agent_layers::{Layer, Source, both_set};
use super::file_settings::FileSettings;
use super::overrides::{self, Overrides};
use super::platform;

/// Everything that was set, and by what. What nobody set and has no default is `None`.
#[derive(Clone, Debug)]
pub(in crate::cli) struct EvalSettings {
    pub(in crate::cli) source: Option<Setting<PathBuf>>,
    pub(in crate::cli) model: Option<Setting<String>>,
    pub(in crate::cli) agent: Option<Setting<String>>,
    pub(in crate::cli) base_url: Option<Setting<String>>,
    pub(in crate::cli) gateway: Setting<bool>,
    pub(in crate::cli) judge_model: Option<Setting<String>>,
    pub(in crate::cli) task_ids: Option<Setting<Vec<String>>>,
    pub(in crate::cli) limit: Option<Setting<u32>>,
    pub(in crate::cli) group: Setting<u32>,
    pub(in crate::cli) seed: Option<Setting<u64>>,
    pub(in crate::cli) max_concurrent: Setting<u32>,
    pub(in crate::cli) rollout_timeout: Option<Setting<Duration>>,
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
const FULL_STEPS: u32 = 100;

impl EvalSettings {
    /// Combines what was typed (`args`, `global`), what variables say and what the project's file says, in this order.
    pub(in crate::cli) fn resolve(
        args: &EvalArgs,
        global: GlobalArgs,
        variables: &FileSettings,
        file: &FileSettings,
    ) -> Result<Self, Failure> {
        platform::refuse(&args.platform)?;
        let remote = file.remote.as_ref().filter(|remote| remote.value);
        let hosted = remote
            .map(|setting| &setting.origin)
            .or(file.taskset.as_ref().map(|setting| &setting.origin));
        if let Some(origin) = hosted {
            return Err(Failure::usage(format!(
                "{origin} asks for the hosted platform, which hud does without\nhint: remove it, and name a task file as the source"
            )));
        }
        let overrides = Overrides::parse(&args.config)?;
        let model = match (&args.model, &overrides.model) {
            (Some(_), Some(_)) => return Err(twice("--model", "model")),
            (Some(model), None) => typed(Some(model.clone()), "--model"),
            (None, model) => typed(model.clone(), "-c model"),
        };
        let base_url = match (&args.base_url, &overrides.base_url) {
            (Some(_), Some(_)) => return Err(twice("--base-url", "base_url")),
            (Some(url), None) => typed(Some(url.clone()), "--base-url"),
            (None, url) => typed(url.clone(), "-c base_url"),
        };
        let agent = args
            .agent
            .map(|agent| (agent, "--agent"))
            .or(args.agent_position.map(|agent| (agent, "AGENT")));
        let agent = agent.and_then(|(agent, flag)| typed(Some(agent.as_str().to_owned()), flag));

        // `--all` takes back what the file selects; with a selection of its own clap refuses it.
        let all = args.all || args.full;

        Ok(Self {
            source: typed(args.source.clone(), "SOURCE").or_else(|| file.source.clone()),
            agent: agent
                .or_else(|| variables.agent.clone())
                .or_else(|| file.agent.clone()),
            model: model
                .or_else(|| variables.model.clone())
                .or_else(|| file.model.clone()),
            base_url: base_url.or_else(|| file.base_url.clone()),
            gateway: switch(args.gateway, "--gateway", args.no_gateway)
                .or_else(|| variables.gateway.clone())
                .or_else(|| file.gateway.clone())
                .unwrap_or(default(false)),
            judge_model: typed(args.judge_model.clone(), "--judge-model")
                .or_else(|| variables.judge_model.clone())
                .or_else(|| file.judge_model.clone()),
            task_ids: typed(args.task_ids.clone(), "--task-ids")
                .or_else(|| file.task_ids.clone())
                .filter(|_| !all),
            limit: typed(args.limit, "--limit")
                .or_else(|| file.limit.clone())
                .filter(|_| !all),
            group: typed(args.group, "--group")
                .or_else(|| file.group.clone())
                .unwrap_or(default(GROUP)),
            seed: typed(args.seed, "--seed").or_else(|| file.seed.clone()),
            max_concurrent: typed(args.max_concurrent, "--max-concurrent")
                .or_else(|| variables.max_concurrent.clone())
                .or_else(|| file.max_concurrent.clone())
                .unwrap_or(default(MAX_CONCURRENT)),
            rollout_timeout: typed(args.rollout_timeout.map(|time| time.0), "--rollout-timeout")
                .or_else(|| file.rollout_timeout.clone()),
            rollout_tokens: typed(args.rollout_tokens, "--rollout-tokens")
                .or_else(|| file.rollout_tokens.clone()),
            python: typed(args.python.clone(), "--python")
                .or_else(|| variables.python.clone())
                .or_else(|| file.python.clone()),
            json: typed(args.json.then_some(true), "--json")
                .or_else(|| file.json.clone())
                .unwrap_or(default(false)),
            min_reward: number(args.min_reward, "--min-reward")?
                .or_else(|| file.min_reward.clone()),
            success_threshold: number(args.success_threshold, "--success-threshold")?
                .or_else(|| file.success_threshold.clone())
                .unwrap_or(default(SUCCESS_THRESHOLD)),
            runs_dir: typed(args.runs_dir.clone(), "--runs-dir")
                .or_else(|| variables.runs_dir.clone())
                .or_else(|| file.runs_dir.clone())
                .unwrap_or_else(|| default(RUNS_DIR.into())),
            quiet: switch(
                global.quiet,
                "--quiet",
                args.no_quiet || global.verbosity() > 0,
            )
            .or_else(|| file.quiet.clone())
            .unwrap_or(default(false)),
            verbosity: typed(
                (global.verbosity() > 0).then_some(global.verbosity()),
                "--verbose",
            )
            .or_else(|| typed(args.no_verbose.then_some(0), "--no-verbose"))
            .or_else(|| typed(global.quiet.then_some(0), "--quiet"))
            .or_else(|| file.verbosity.clone())
            .unwrap_or(default(0)),
            typed: typed_layers(args, &overrides)?,
            overrides,
        })
    }
}

fn typed<T>(value: Option<T>, flag: &str) -> Option<Setting<T>> {
    value.map(|value| Setting {
        value,
        origin: Origin::Flag(flag.to_owned()),
    })
}

fn default<T>(value: T) -> Setting<T> {
    Setting {
        value,
        origin: Origin::Default,
    }
}

/// A boolean with a flag for each of its values.
fn switch(on: bool, flag: &str, off: bool) -> Option<Setting<bool>> {
    if on {
        typed(Some(true), flag)
    } else {
        typed(off.then_some(false), &flag.replace("--", "--no-"))
    }
}

fn number(value: Option<f64>, flag: &str) -> Result<Option<Setting<f64>>, Failure> {
    match value {
        Some(value) if !value.is_finite() => Err(Failure::usage(format!(
            "{flag}: expected a number, got {value}"
        ))),
        value => Ok(typed(value, flag)),
    }
}

fn twice(flag: &str, key: &str) -> Failure {
    Failure::usage(format!(
        "{flag} and -c {key} both set the same; leave one of them out"
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
        auto_respond: switch(args.auto_respond, "", args.no_auto_respond)
            .map(|setting| setting.value),
        tool_timeout_seconds: args.tool_timeout.map(|time| time.0.as_secs_f64()),
        model_timeout_seconds: args.model_timeout.map(|time| time.0.as_secs_f64()),
        ..AgentConfig::default()
    };
    if let Some(key) = both_set(&flags, &overrides.agent).first() {
        return Err(twice(&super::agent_layers::flag(key), key));
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
            source: Source::One(Origin::Flag("--full".to_owned())),
        });
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Command};
    use crate::cli::failure::words;

    fn at<T>(value: T, place: &str) -> Option<Setting<T>> {
        Some(Setting {
            value,
            origin: Origin::Flag(place.to_owned()),
        })
    }

    fn resolve(
        flags: &str,
        variables: &FileSettings,
        file: &FileSettings,
    ) -> Result<EvalSettings, String> {
        let words_of = format!("hud eval {flags}");
        let cli = Cli::try_parse_from(words_of.split_whitespace()).map_err(|e| e.to_string())?;
        let Command::Eval(args) = cli.command else {
            panic!("not eval");
        };
        EvalSettings::resolve(&args, cli.global, variables, file)
            .map_err(|failure| words(&failure).unwrap())
    }

    /// One row of the table: the setting with nothing, with the file, with the variable above it, and with the flag above all.
    fn check<T: Clone + Debug + PartialEq>(
        get: impl Fn(&EvalSettings) -> Option<T>,
        set: impl Fn(&mut FileSettings, T),
        has_variable: bool,
        expected_default: Option<T>,
        in_file: T,
        in_variable: T,
        flags: &str,
        typed: T,
    ) {
        let none = FileSettings::default();
        let (mut file, mut variables) = (none.clone(), none.clone());
        set(&mut file, in_file.clone());
        set(&mut variables, in_variable.clone());
        let of = |flags: &str, variables: &FileSettings, file: &FileSettings| {
            get(&resolve(flags, variables, file).unwrap())
        };
        assert_eq!(of("", &none, &none), expected_default, "default");
        assert_eq!(of("", &none, &file), Some(in_file.clone()), "file");
        let expected = if has_variable { in_variable } else { in_file };
        assert_eq!(of("", &variables, &file), Some(expected), "variable");
        assert_eq!(of(flags, &variables, &file), Some(typed), "flag");
    }

    /// `row!(setting, default, file, variable, flags, typed)`; a `-` for the variable when there is none.
    macro_rules! row {
        ($field:ident, $default:expr, $file:expr, -, $flags:expr, $typed:expr) => {
            check(
                |settings| row!(@value settings, $field),
                |layer, value| layer.$field = at(value, "file"),
                false, $default, $file, $file, $flags, $typed,
            )
        };
        ($field:ident, $default:expr, $file:expr, $variable:expr, $flags:expr, $typed:expr) => {
            check(
                |settings| row!(@value settings, $field),
                |layer, value| layer.$field = at(value, "file"),
                true, $default, $file, $variable, $flags, $typed,
            )
        };
        (@value $settings:ident, $field:ident) => {
            Option::from($settings.$field.clone()).map(|setting: Setting<_>| setting.value)
        };
    }

    #[test]
    fn each_setting_comes_from_the_highest_layer_that_sets_it() {
        let text = str::to_owned;
        row!(source, None, PathBuf::from("a"), -, "b", PathBuf::from("b"));
        row!(
            agent,
            None,
            text("claude"),
            text("openai"),
            "--agent gemini",
            text("gemini")
        );
        row!(
            agent,
            None,
            text("claude"),
            text("openai"),
            "x.yaml gemini",
            text("gemini")
        );
        row!(model, None, text("a"), text("b"), "-m c", text("c"));
        row!(model, None, text("a"), text("b"), "-c model=c", text("c"));
        row!(base_url, None, text("a"), -, "--base-url c", text("c"));
        row!(base_url, None, text("a"), -, "-c base_url=c", text("c"));
        row!(gateway, Some(false), true, false, "-g", true);
        row!(gateway, Some(false), true, true, "--no-gateway", false);
        row!(
            judge_model,
            None,
            text("a"),
            text("b"),
            "--judge-model c",
            text("c")
        );
        row!(task_ids, None, vec![text("a")], -, "--task-ids b,c", vec![text("b"), text("c")]);
        row!(limit, None, 1, -, "--limit 3", 3);
        row!(group, Some(1), 2, -, "--group 4", 4);
        row!(group, Some(1), 2, -, "--group-size 4", 4);
        row!(seed, None, 1, -, "--seed 3", 3);
        row!(max_concurrent, Some(30), 1, 2, "--max-concurrent 3", 3);
        let time = Duration::from_secs;
        row!(rollout_timeout, None, time(1), -, "--rollout-timeout 2m", time(120));
        row!(rollout_tokens, None, 1, -, "--rollout-tokens 3", 3);
        row!(
            python,
            None,
            PathBuf::from("a"),
            PathBuf::from("b"),
            "--python c",
            PathBuf::from("c")
        );
        row!(json, Some(false), false, -, "--json", true);
        row!(min_reward, None, 0.1, -, "--min-reward -0.5", -0.5);
        row!(success_threshold, Some(0.7), 0.1, -, "--success-threshold 0.5", 0.5);
        let runs = PathBuf::from;
        row!(
            runs_dir,
            Some(runs(".hud/runs")),
            runs("a"),
            runs("b"),
            "--runs-dir c",
            runs("c")
        );
        row!(quiet, Some(false), true, -, "--no-quiet", false);
        row!(quiet, Some(false), false, -, "-q", true);
        row!(quiet, Some(false), true, -, "-v", false);
        row!(verbosity, Some(0), 1, -, "-vv", 2);
        row!(verbosity, Some(0), 1, -, "--very-verbose", 2);
        row!(verbosity, Some(0), 1, -, "--no-verbose", 0);
        row!(verbosity, Some(0), 1, -, "-q", 0);
    }

    #[test]
    fn all_takes_back_what_the_file_selects() {
        let file = FileSettings {
            task_ids: at(vec!["a".to_owned()], "file"),
            limit: at(3, "file"),
            ..FileSettings::default()
        };
        for flag in ["--all", "--full"] {
            let settings = resolve(flag, &FileSettings::default(), &file).unwrap();
            assert_eq!((settings.task_ids, settings.limit), (None, None), "{flag}");
        }
    }

    #[test]
    fn full_brings_steps_and_auto_respond_unless_typed() {
        use super::super::agent_layers::combined;
        let check = |flags: &str, steps: Steps, respond: bool| {
            let none = FileSettings::default();
            let config = combined(&resolve(flags, &none, &none).unwrap().typed);
            assert_eq!(config.max_steps, Some(steps), "{flags}");
            assert_eq!(config.auto_respond, Some(respond), "{flags}");
        };
        check("--full", Steps::AtMost(100), true);
        check("--full --max-steps 7", Steps::AtMost(7), true);
        check("--full -c max_steps=-1", Steps::Unlimited, true);
        check("--full --no-auto-respond", Steps::AtMost(100), false);
    }

    #[test]
    fn contradictions_are_errors() {
        let check = |flags: &str, file: FileSettings, expected: &str| {
            let error = resolve(flags, &FileSettings::default(), &file).unwrap_err();
            assert!(error.contains(expected), "{flags}: {error}");
        };
        let none = FileSettings::default;
        check(
            "-m a -c model=b",
            none(),
            "--model and -c model both set the same",
        );
        check(
            "--max-steps 3 -c max_steps=4",
            none(),
            "--max-steps and -c max_steps",
        );
        check(
            "--tool-timeout 3 -c tool_timeout_seconds=4",
            none(),
            "--tool-timeout and -c",
        );
        check(
            "--max-steps 0",
            none(),
            "--max-steps: expected at least 1, or -1",
        );
        check(
            "--min-reward nan",
            none(),
            "--min-reward: expected a number",
        );
        check("--all --limit 3", none(), "cannot be used with");
        check(
            "x.yaml claude --agent claude",
            none(),
            "cannot be used with",
        );
        check("--remote", none(), "`--remote` needs the hosted platform");
        check("-t set", none(), "`--taskset`");
        check(
            "",
            FileSettings {
                remote: at(true, "file"),
                ..none()
            },
            "asks for the hosted platform",
        );
    }
}
