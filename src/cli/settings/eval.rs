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
        let model = one_of(("--model", &args.model), ("-c model", &overrides.model))?;
        let base_url = one_of(
            ("--base-url", &args.base_url),
            ("-c base_url", &overrides.base_url),
        )?;
        let file = project.eval();
        let agent = typed(args.agent.or(args.agent_position)).or(project.agent_type());
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

impl EvalSettings {
    /// The type of agent that was asked for.
    pub(in crate::cli) fn agent_type(&self) -> Option<AgentType> {
        self.agent.as_ref().map(|agent| agent.value)
    }

    /// The model that judges, when one was named.
    pub(in crate::cli) fn judge_model(&self) -> Option<&str> {
        self.judge_model.as_ref().map(|model| model.value.as_str())
    }

    /// The bounds of each rollout; `agent` holds those that tasks may set too.
    pub(in crate::cli) fn limits(&self, agent: &AgentConfig) -> Limits {
        let defaults = Limits::default();
        let seconds = |seconds: Option<f64>, default: Duration| {
            seconds.map_or(default, |seconds| {
                Duration::try_from_secs_f64(seconds).unwrap_or(default)
            })
        };
        Limits {
            rollout_timeout: self.rollout_timeout.as_ref().map(|time| time.value),
            phase_timeout: self.phase_timeout.value,
            tool_timeout: seconds(agent.tool_timeout_seconds, defaults.tool_timeout),
            model_timeout: seconds(agent.model_timeout_seconds, defaults.model_timeout),
            rollout_tokens: self.rollout_tokens.as_ref().map(|tokens| tokens.value),
        }
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
    typed(if on { Some(true) } else { off.then_some(false) })
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
        auto_respond: switch(args.auto_respond, args.no_auto_respond).map(|setting| setting.value),
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

#[cfg(test)]
mod tests {
    use std::fmt::Debug;
    use std::path::Path;

    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Command};
    use crate::cli::failure::words;
    use crate::cli::settings::AgentSettings;
    use crate::cli::settings::agent_layers::combined;
    use crate::util::fs;

    fn project(toml: &str) -> Result<ProjectSettings, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(&folder.path().join("hud.toml"), toml).unwrap();
        let prefix = format!("{}/", folder.path().display());
        ProjectSettings::read(folder.path(), &|_| None)
            .map_err(|failure| words(&failure).unwrap().replace(&prefix, ""))
    }

    fn resolve(flags: &str, toml: &str) -> Result<EvalSettings, String> {
        let words_of = format!("hud eval {flags}");
        let cli = Cli::try_parse_from(words_of.split_whitespace()).map_err(|e| e.to_string())?;
        let Command::Eval(args) = cli.command else {
            panic!("not eval");
        };
        EvalSettings::resolve(&args, cli.global, &project(toml)?)
            .map_err(|failure| words(&failure).unwrap())
    }

    /// A row of the table: the value with nothing set, with a line of `[eval]`, and with a flag above that line.
    fn check<T: Debug + PartialEq>(
        get: impl Fn(EvalSettings) -> Option<Setting<T>>,
        default: Option<&T>,
        (line, in_file): (&str, T),
        (flags, typed): (&str, T),
    ) {
        let toml = format!("[eval]\n{line}\n");
        let value = |flags: &str, toml: &str| {
            get(resolve(flags, toml).unwrap()).map(|setting| setting.value)
        };
        assert_eq!(value("", "").as_ref(), default, "default under {line}");
        assert_eq!(value("", &toml), Some(in_file), "{line}");
        assert_eq!(value(flags, &toml), Some(typed), "{flags} over {line}");
    }

    macro_rules! row {
        ($field:ident, $default:expr, $file:expr, $flag:expr) => {
            check(
                |settings| Option::from(settings.$field),
                Option::as_ref(&$default),
                $file,
                $flag,
            )
        };
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let text = str::to_owned;
        let path = PathBuf::from;
        let time = Duration::from_secs;
        row!(source, None, ("source = 'a'", path("a")), ("b", path("b")));
        row!(
            agent,
            None,
            ("agent = 'claude'", AgentType::Claude),
            ("--agent oracle", AgentType::Oracle)
        );
        row!(
            agent,
            None,
            ("agent = 'integration_test'", AgentType::Oracle),
            ("x.yaml openai", AgentType::OpenAi)
        );
        row!(model, None, ("model = 'a'", text("a")), ("-m b", text("b")));
        row!(
            model,
            None,
            ("model = 'a'", text("a")),
            ("-c model=b", text("b"))
        );
        row!(
            base_url,
            None,
            ("base_url = 'a'", text("a")),
            ("--base-url b", text("b"))
        );
        row!(
            gateway,
            Some(false),
            ("gateway = true", true),
            ("--no-gateway", false)
        );
        row!(
            gateway,
            Some(false),
            ("gateway = false", false),
            ("-g", true)
        );
        row!(
            judge_model,
            None,
            ("judge_model = 'a'", text("a")),
            ("--judge-model b", text("b"))
        );
        row!(
            task_ids,
            None,
            ("task_ids = ['a']", vec![text("a")]),
            ("--task-ids b,c", vec![text("b"), text("c")])
        );
        row!(limit, None, ("limit = 1", 1), ("--limit 2", 2));
        row!(group, Some(1), ("group_size = 2", 2), ("--group 3", 3));
        row!(group, Some(1), ("group = 2", 2), ("--group-size 3", 3));
        row!(seed, None, ("seed = 0", 0), ("--seed 7", 7));
        row!(
            max_concurrent,
            Some(30),
            ("max_concurrent = 5", 5),
            ("--max-concurrent 6", 6)
        );
        row!(
            rollout_timeout,
            None,
            ("rollout_timeout = 90", time(90)),
            ("--rollout-timeout 2m", time(120))
        );
        row!(
            phase_timeout,
            Some(time(300)),
            ("phase_timeout = 90", time(90)),
            ("--phase-timeout 2m", time(120))
        );
        row!(
            rollout_tokens,
            None,
            ("rollout_tokens = 1", 1),
            ("--rollout-tokens 2", 2)
        );
        row!(
            python,
            None,
            ("python = 'a'", path("a")),
            ("--python b", path("b"))
        );
        row!(
            min_reward,
            None,
            ("min_reward = 0.5", 0.5),
            ("--min-reward -1", -1.0)
        );
        row!(
            success_threshold,
            Some(0.7),
            ("success_threshold = 0.5", 0.5),
            ("--success-threshold 0.9", 0.9)
        );
        row!(
            quiet,
            Some(false),
            ("quiet = true", true),
            ("--no-quiet", false)
        );
        row!(quiet, Some(false), ("quiet = true", true), ("-v", false));
        row!(quiet, Some(false), ("quiet = false", false), ("-q", true));
        row!(verbosity, Some(0), ("verbose = true", 1), ("-vv", 2));
        row!(
            verbosity,
            Some(0),
            ("very_verbose = true", 2),
            ("--no-verbose", 0)
        );
        row!(verbosity, Some(0), ("verbose = true", 1), ("-q", 0));
        row!(
            verbosity,
            Some(0),
            ("verbose = true", 1),
            ("--very-verbose", 2)
        );
        let flags_only = resolve("--json --runs-dir b", "").unwrap();
        assert!(flags_only.json.value);
        assert_eq!(flags_only.runs_dir.value, path("b"));
        let none = resolve("", "").unwrap();
        assert!(!none.json.value);
        assert_eq!(none.runs_dir.value, path(".hud/runs"));
    }

    #[test]
    fn the_agents_own_section_wins_over_eval() {
        let toml = "[eval]\nmodel = 'a'\nbase_url = 'http://a'\n[claude]\nmodel = 'b'\nbase_url = 'http://b'\n";
        let check = |flags: &str, model: &str, url: &str| {
            let settings = resolve(flags, toml).unwrap();
            assert_eq!(settings.model.unwrap().value, model, "{flags}");
            assert_eq!(settings.base_url.unwrap().value, url, "{flags}");
        };
        check("", "a", "http://a");
        check("--agent claude", "b", "http://b");
        check("--agent openai", "a", "http://a");
        check("--agent claude -m c --base-url http://c", "c", "http://c");
    }

    /// The agent's settings, from the highest layer to the lowest.
    #[test]
    fn the_agents_settings_come_from_the_highest_layer_that_sets_them() {
        let check = |flags: &str, in_task_file: Option<u32>, toml: &str, expected: (u32, &str)| {
            let project = project(toml).unwrap();
            let settings = resolve(flags, toml).unwrap();
            let task_file = in_task_file.map(|steps| Layer {
                config: AgentConfig {
                    max_steps: Some(Steps::AtMost(steps)),
                    ..AgentConfig::default()
                },
                source: Source::Below(crate::config::Origin::TaskFile(
                    crate::task::Location::of_file(Path::new("tasks.yaml")),
                )),
            });
            let agent =
                AgentSettings::new(&settings.typed, task_file, project.agent_layers("claude"));
            let rows = agent.origins();
            let row = rows.iter().find(|row| row.key == "max_steps").unwrap();
            let origin = row.origin.rsplit('/').next().unwrap();
            assert_eq!(
                (row.value.parse().unwrap(), origin),
                expected,
                "{flags} {in_task_file:?} {toml}"
            );
        };
        check("", None, "", (10, "default"));
        check("", None, "[eval]\nfull = true", (100, "hud.toml:2:1"));
        check("", None, "[eval]\nmax_steps = 3", (3, "hud.toml:2:1"));
        check("", None, "[agent]\nmax_steps = 4", (4, "hud.toml:2:1"));
        check(
            "",
            None,
            "[agent]\nmax_steps = 4\n[claude]\nmax_steps = 5",
            (5, "hud.toml:4:1"),
        );
        check(
            "",
            None,
            "[agent]\nmax_steps = 4\n[openai]\nmax_steps = 5",
            (4, "hud.toml:2:1"),
        );
        check("", Some(6), "[claude]\nmax_steps = 5", (6, "tasks.yaml"));
        check("--full", Some(6), "", (100, "flag --full"));
        check(
            "--full -c max_steps=7",
            Some(6),
            "",
            (7, "flag -c max_steps"),
        );
        check("--full --max-steps 8", Some(6), "", (8, "flag --max-steps"));
    }

    #[test]
    fn time_limits_of_the_file_reach_the_agent() {
        let toml =
            "[eval]\ntool_timeout = 3\nmodel_timeout = 4\n[agent]\nmodel_timeout_seconds = 5\n";
        let project = project(toml).unwrap();
        let of = |flags: &str| {
            let settings = resolve(flags, toml).unwrap();
            let agent = AgentSettings::new(&settings.typed, None, project.agent_layers("x"));
            let config = agent.combined();
            (config.tool_timeout_seconds, config.model_timeout_seconds)
        };
        assert_eq!(of(""), (Some(3.0), Some(5.0)));
        assert_eq!(of("--tool-timeout 1m"), (Some(60.0), Some(5.0)));
        assert_eq!(of("--model-timeout 9"), (Some(3.0), Some(9.0)));
    }

    #[test]
    fn all_takes_back_what_the_file_selects() {
        for flag in ["--all", "--full"] {
            let settings = resolve(flag, "[eval]\ntask_ids = ['a']\nlimit = 3").unwrap();
            assert_eq!((settings.task_ids, settings.limit), (None, None), "{flag}");
        }
    }

    #[test]
    fn full_brings_steps_and_auto_respond_unless_typed() {
        let check = |flags: &str, steps: Steps, respond: bool| {
            let config = combined(&resolve(flags, "").unwrap().typed);
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
        let check = |flags: &str, toml: &str, expected: &str| {
            let error = resolve(flags, toml).unwrap_err();
            assert!(error.contains(expected), "{flags}: {error}");
        };
        check(
            "-m a -c model=b",
            "",
            "--model and -c model both set the same",
        );
        check(
            "--max-steps 3 -c max_steps=4",
            "",
            "--max-steps and -c max_steps both",
        );
        check(
            "--tool-timeout 3 -c tool_timeout_seconds=4",
            "",
            "--tool-timeout and -c",
        );
        check(
            "--max-steps 0",
            "",
            "--max-steps: expected at least 1, or -1",
        );
        check("--min-reward nan", "", "--min-reward: expected a number");
        check("--all --limit 3", "", "cannot be used with");
        check("x.yaml claude --agent claude", "", "cannot be used with");
        check("--agent clade", "", "invalid value 'clade'");
        check("--remote", "", "`--remote` needs the hosted platform");
        check("-t set", "", "`--taskset`");
        check("", "[eval]\nremote = true", "needs HUD's platform");
        check(
            "",
            "[eval]\nall = true\nlimit = 3",
            "hud.toml:2:1: `all` contradicts",
        );
        check(
            "",
            "[claude]\ntop_p = 7",
            "'top_p' in [claude] must be a number above 0",
        );
    }
}
