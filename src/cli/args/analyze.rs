//! `hud analyze`.

use clap::{Args, ValueEnum};

use super::ReachArgs;

/// Arguments of `hud analyze`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hud analyze                                       env.py, or the environment of the folder's task file
  hud analyze env.py -v                             With the whole schemas
  hud analyze http://127.0.0.1:8765/mcp
  hud analyze --config mcp.json --format json | jq '.tools[].name'
  hud analyze -- npx -y @modelcontextprotocol/server-everything

JSON keys: success, name, version, title, instructions, protocolVersion, capabilities, isolation, startMs, initializeMs, \
toolCount, hiddenToolCount, internalToolCount, tools, hubTools, scenarios, resources, resourceTemplates, prompts, taskCount, \
servers (the same for each of several), metadata, verbose; when it fails: success and error.")]
pub(in crate::cli) struct AnalyzeArgs {
    /// The environment.
    #[command(flatten)]
    pub(in crate::cli) reach: ReachArgs,
    /// How to print it
    #[arg(short, long, value_enum, default_value = "table")]
    pub(in crate::cli) format: AnalysisFormat,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(in crate::cli) json: bool,
}

/// How an analysis is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum AnalysisFormat {
    /// For people
    #[value(alias = "interactive")]
    Table,
    /// One object
    Json,
    /// For a README
    Markdown,
}
