//! How an environment is named by commands that look at one.

#![expect(
    clippy::doc_markdown,
    reason = "the comments are help texts, in which backticks would be shown"
)]

use std::path::PathBuf;

use clap::Args;

use super::Seconds;

/// The environment.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ReachArgs {
    /// Environment: a Python file, a package, env.py:attr, a URL, or a task file [default: env.py, or the folder's task file]
    #[arg(value_name = "SOURCE", conflicts_with_all = ["config", "command"])]
    pub(in crate::cli) source: Option<String>,
    /// MCP servers out of a JSON or YAML file: {"mcpServers": {NAME: {"command" or "url": …}}}, or the names alone
    #[arg(short, long, value_name = "FILE", conflicts_with = "command")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// A program that speaks MCP on its stdin and stdout, with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(in crate::cli) command: Vec<String>,
    /// The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]
    #[arg(long, value_name = "TOKEN")]
    pub(in crate::cli) api_key: Option<String>,
    /// The Python interpreter [default: the project's .venv, $VIRTUAL_ENV, python3]
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) python: Option<PathBuf>,
    /// Time of each step, such as 30, 30s or 2m
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(in crate::cli) timeout: Seconds,
}
