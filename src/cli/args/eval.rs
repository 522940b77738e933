//! `hud eval`.

#![expect(
    clippy::doc_markdown,
    reason = "the comments are help texts, in which backticks would be shown"
)]

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::values::agent_type;
use super::{KeyValue, Seconds};
use crate::agent::provider::AgentType;

/// Arguments of `hud eval`. Whatever was not typed is `None` (or `false`), so that the origin of each value is known.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = "\
Examples:
  hud eval                                        The tasks.yaml|json|jsonl|py of this folder
  hud eval tasks.yaml --model oracle              Is every task solvable, is every grader right?
  hud eval tasks.yaml -m claude-sonnet-4-6 --group 4 --max-concurrent 50
  hud eval tasks.yaml -m my-model --base-url http://localhost:8000/v1
  hud eval tasks.yaml -m scripted:turns.yaml      Play written assistant turns
  hud eval env.py -m claude-sonnet-4-6 --task-ids ceo-hud,3 -c max_tokens=4096
  hud eval tasks.yaml -m claude-sonnet-4-6 --json > results.jsonl

A task's own agent_config wins over flags; flags win over environment variables, the task file's `agent:`, \
hud.toml (or .hud_eval.toml) and defaults. --show-config prints each value and where it came from.")]
pub(in crate::cli) struct EvalArgs {
    /// Task file (.yaml, .json, .jsonl), Python file with tasks, or a folder that holds one
    ///
    /// Without it: tasks.yaml, tasks.json, tasks.jsonl or tasks.py of the current folder.
    pub(in crate::cli) source: Option<PathBuf>,
    /// The wire protocol to speak, as --agent
    #[arg(value_name = "AGENT", value_parser = agent_type(), hide_possible_values = true)]
    pub(in crate::cli) agent_position: Option<AgentType>,

    /// The model, `oracle`, or `scripted:FILE.yaml`
    ///
    /// claude-* speaks to Anthropic, gpt-* and o1…o9* to OpenAI; a prefix (anthropic/, openai/, openai-chat/, openrouter/, ollama/,
    /// vllm/, xai/, gateway/) always wins. `oracle` plays each task's solution, `scripted:FILE` plays written turns: neither needs a key.
    #[arg(short, long, value_name = "NAME", help_heading = "Model")]
    pub(in crate::cli) model: Option<String>,
    /// Force the wire protocol
    #[arg(
        long,
        value_parser = agent_type(),
        value_name = "TYPE",
        conflicts_with = "agent_position",
        help_heading = "Model"
    )]
    pub(in crate::cli) agent: Option<AgentType>,
    /// Where the model is served, such as http://localhost:8000/v1
    #[arg(long, value_name = "URL", help_heading = "Model")]
    pub(in crate::cli) base_url: Option<String>,
    /// Call the model through the HUD gateway (needs HUD_API_KEY)
    #[arg(short, long, overrides_with = "no_gateway", help_heading = "Model")]
    pub(in crate::cli) gateway: bool,
    /// Do not use the gateway although a file says so
    #[arg(long, overrides_with = "gateway", help_heading = "Model")]
    pub(in crate::cli) no_gateway: bool,
    /// The model for graders that judge with one [default: the grader's own]
    #[arg(long, value_name = "NAME", help_heading = "Model")]
    pub(in crate::cli) judge_model: Option<String>,

    /// Run all tasks (the default; overrides task_ids and limit of hud.toml)
    #[arg(long, conflicts_with_all = ["task_ids", "limit"], help_heading = "Tasks")]
    pub(in crate::cli) all: bool,
    /// All tasks, --auto-respond, and 100 steps unless --max-steps is given
    #[arg(long, conflicts_with_all = ["task_ids", "limit"], help_heading = "Tasks")]
    pub(in crate::cli) full: bool,
    /// Only these tasks: slugs or positions (from 0), separated by commas
    #[arg(
        long,
        value_name = "ID,…",
        value_delimiter = ',',
        help_heading = "Tasks"
    )]
    pub(in crate::cli) task_ids: Option<Vec<String>>,
    /// Only the first N of the chosen tasks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Tasks")]
    pub(in crate::cli) limit: Option<u32>,
    /// Run each task N times [default: 1]
    #[arg(long, visible_alias = "group-size", value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Tasks")]
    pub(in crate::cli) group: Option<u32>,
    /// Seed that every rollout's own seed is derived from [default: random, kept in job.json]
    #[arg(long, value_name = "N", help_heading = "Tasks")]
    pub(in crate::cli) seed: Option<u64>,

    /// Model calls per rollout, -1 for no limit [default: 10]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "Agent"
    )]
    pub(in crate::cli) max_steps: Option<i64>,
    /// Let a model decide whether an agent that stopped calling tools should go on
    #[arg(long, overrides_with = "no_auto_respond", help_heading = "Agent")]
    pub(in crate::cli) auto_respond: bool,
    /// The opposite, when a file or --full turns it on
    #[arg(long, overrides_with = "auto_respond", help_heading = "Agent")]
    pub(in crate::cli) no_auto_respond: bool,
    /// Show the agent only these tools: names or patterns (*, ?), separated by commas
    #[arg(
        long,
        value_name = "TOOL,…",
        value_delimiter = ',',
        help_heading = "Agent"
    )]
    pub(in crate::cli) allowed_tools: Option<Vec<String>>,
    /// Hide these tools from the agent
    #[arg(
        long,
        value_name = "TOOL,…",
        value_delimiter = ',',
        help_heading = "Agent"
    )]
    pub(in crate::cli) disallowed_tools: Option<Vec<String>>,
    /// Set an agent setting, such as max_tokens=4096; agent.KEY and TYPE.KEY (claude.temperature=0) work too
    #[arg(short, long, value_name = "KEY=VALUE", action = ArgAction::Append, help_heading = "Agent")]
    pub(in crate::cli) config: Vec<KeyValue>,

    /// Rollouts at once [default: 30]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Limits")]
    pub(in crate::cli) max_concurrent: Option<u32>,
    /// Time of a whole rollout, such as 90, 90s, 5m or 1h; the state is then graded [default: none]
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    pub(in crate::cli) rollout_timeout: Option<Seconds>,
    /// Time of each other phase of a rollout: connect, setup, grade [default: 5m]
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    pub(in crate::cli) phase_timeout: Option<Seconds>,
    /// Time of one tool call [default: 2m]
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    pub(in crate::cli) tool_timeout: Option<Seconds>,
    /// Time of one model call [default: 10m]
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    pub(in crate::cli) model_timeout: Option<Seconds>,
    /// Tokens of one rollout [default: none]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    pub(in crate::cli) rollout_tokens: Option<u64>,

    /// The Python interpreter of environments [default: the project's .venv, $VIRTUAL_ENV, python3]
    #[arg(long, value_name = "PATH", help_heading = "Environment")]
    pub(in crate::cli) python: Option<PathBuf>,

    /// JSON Lines on stdout instead of a report; the last is the summary
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) json: bool,
    /// Exit with code 4 when the mean reward is below this
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Output"
    )]
    pub(in crate::cli) min_reward: Option<f64>,
    /// A reward above this is a success [default: 0.7]
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Output"
    )]
    pub(in crate::cli) success_threshold: Option<f64>,
    /// Where run directories are made [default: .hud/runs]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(in crate::cli) runs_dir: Option<PathBuf>,
    /// Print each setting and where it came from, and stop
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) show_config: bool,
    /// Talk although a file says quiet = true
    #[arg(long, conflicts_with = "quiet", help_heading = "Output")]
    pub(in crate::cli) no_quiet: bool,
    /// Do not say more although a file says verbose = true
    #[arg(long, conflicts_with_all = ["verbose", "very_verbose"], help_heading = "Output")]
    pub(in crate::cli) no_verbose: bool,
    /// Accepted for scripts written for other tools: hud starts without asking
    #[arg(short, long, help_heading = "Output")]
    pub(in crate::cli) yes: bool,

    /// Flags that only a hosted platform could serve.
    #[command(flatten)]
    pub(in crate::cli) platform: PlatformArgs,
}

/// Flags of the Python tool that need its platform: recognised, so that the error can say what to do instead.
#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli) struct PlatformArgs {
    /// Run on the platform.
    #[arg(long, hide = true)]
    pub(in crate::cli) remote: bool,
    /// Attach the job to a platform taskset.
    #[arg(short, long, value_name = "NAME", hide = true)]
    pub(in crate::cli) taskset: Option<String>,
    /// Use the caller's keys on the platform.
    #[arg(long, hide = true)]
    pub(in crate::cli) byok: bool,
    /// Replay a platform job's configuration.
    #[arg(long, value_name = "PATH", hide = true)]
    pub(in crate::cli) from_json: Option<String>,
    /// Where environments run.
    #[arg(long, value_name = "WHERE", hide = true)]
    pub(in crate::cli) runtime: Option<String>,
}
