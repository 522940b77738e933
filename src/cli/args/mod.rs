//! What may be typed: clap structs, split by command. Nothing here reads a file or the environment, or knows what a value will be used for.

mod analyze;
mod build;
mod completions;
mod debug;
mod dev;
mod eval;
mod init;
mod man;
mod push;
mod reach;
mod scenario;
mod serve;
mod set;
mod values;

use clap::{ArgAction, Args, Parser, Subcommand};

pub(super) use analyze::{AnalysisFormat, AnalyzeArgs};
pub(super) use build::{BuildArgs, Given, SecretSource, SecretSpec};
pub(super) use completions::{CompletionsArgs, Shell};
pub(super) use debug::DebugArgs;
pub(super) use dev::{Client, DevArgs, DevIsolation};
pub(super) use eval::{EvalArgs, PlatformArgs};
pub(super) use init::{InitArgs, Template};
pub(super) use man::ManArgs;
pub(super) use push::PushArgs;
pub(super) use reach::ReachArgs;
pub(super) use scenario::{
    AnswerArgs, GradeArgs, ListArgs, ScenarioArgs, ScenarioCommand, SetupArgs, ShellArgs,
    TargetArgs,
};
pub(super) use serve::{ServeArgs, ServeCommand, ServeMcpArgs};
pub(super) use set::SetArgs;
pub(super) use values::{KeyValue, Seconds};

/// The whole command line.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "hud",
    version,
    about = "Evaluate AI agents in environments",
    long_about = "Evaluates AI agents in environments: runs tasks, grades them, keeps every trace.\n\n\
        An environment offers tools and scenarios; a task names an environment, a scenario and its arguments; \
        a rollout is one run of one task by an agent, which is a model in a tool loop.",
    after_help = "\
Examples:
  hud init demo                                   Create an environment with tasks in ./demo
  hud dev                                         Serve the environment of this folder, reloaded on every save
  hud eval tasks.yaml --model oracle              Play every task's own solution: no key needed
  hud eval tasks.yaml -m claude-sonnet-4-6        Let a model solve the tasks
  hud scenario run initials --args '{\"company\":\"HUD\"}' --answer JR

Exit codes: 0 all graded, 1 unexpected error, 2 usage or configuration, 3 some rollouts have no grade, \
4 below a threshold, 5 a check failed, 130 interrupted.",
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100
)]
pub(in crate::cli) struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub(in crate::cli) global: GlobalArgs,
    /// The command.
    #[command(subcommand)]
    pub(in crate::cli) command: Command,
}

/// Options of every command.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(in crate::cli) struct GlobalArgs {
    /// Say more on stderr; twice (-vv) for debug logs
    #[arg(short, long, action = ArgAction::Count, global = true, display_order = 900)]
    pub(in crate::cli) verbose: u8,
    /// The same as -vv
    #[arg(long, global = true, display_order = 901)]
    pub(in crate::cli) very_verbose: bool,
    /// Only errors and results
    #[arg(short, long, global = true, conflicts_with_all = ["verbose", "very_verbose"], display_order = 902)]
    pub(in crate::cli) quiet: bool,
}

impl GlobalArgs {
    /// 0, 1 or 2.
    pub(in crate::cli) fn verbosity(self) -> u8 {
        if self.very_verbose {
            2
        } else {
            self.verbose.min(2)
        }
    }
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Run tasks with an agent, grade them and report
    Eval(Box<EvalArgs>),
    /// Create an environment with tasks from a template
    Init(InitArgs),
    /// Show what an environment offers: tools, scenarios, resources, prompts
    Analyze(AnalyzeArgs),
    /// Serve an environment while you write it: save a file, and the next call runs the new code
    Dev(Box<DevArgs>),
    /// Check that an environment works, stage by stage
    Debug(DebugArgs),
    /// Drive the scenarios of an environment by hand
    #[command(visible_alias = "task")]
    Scenario(ScenarioArgs),
    /// Build an environment's Docker image and its lock file
    Build(Box<BuildArgs>),
    /// Push the image of an environment to a registry
    Push(PushArgs),
    /// Serve an environment to others
    Serve(ServeArgs),
    /// Save keys and settings in ~/.hud/.env
    Set(SetArgs),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
    /// Print or write man pages
    Man(ManArgs),
}
