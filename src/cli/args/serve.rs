//! `hud serve`.

#![expect(
    clippy::doc_markdown,
    reason = "the comments are help texts, in which backticks would be shown"
)]

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Seconds;

/// Arguments of `hud serve`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    /// What to serve.
    #[command(subcommand)]
    pub(in crate::cli) command: ServeCommand,
}

/// What to serve.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum ServeCommand {
    /// Serve an environment over MCP: every client has a copy of its own
    Mcp(ServeMcpArgs),
}

/// Arguments of `hud serve mcp`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hud serve mcp                              env.py of this folder at http://127.0.0.1:8765/mcp
  hud serve mcp env.py --port 0              At a free port, which stdout tells
  hud serve mcp env.py --stdio               One client, over stdin and stdout
  hud serve mcp env.py --host 0.0.0.0 --allow-host example.org --api-key \"$TOKEN\"")]
pub(in crate::cli) struct ServeMcpArgs {
    /// Environment: a Python file or package, or a task file [default: env.py, or the folder's task file]
    pub(in crate::cli) source: Option<String>,
    /// Listen on this address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(in crate::cli) host: IpAddr,
    /// Listen on this port; 0 takes a free one
    #[arg(short, long, value_name = "PORT", default_value_t = 8765)]
    pub(in crate::cli) port: u16,
    /// Speak over stdin and stdout instead
    #[arg(long, conflicts_with_all = ["host", "port", "allow_host", "api_key"])]
    pub(in crate::cli) stdio: bool,
    /// Answer requests for this host name too (loopback names always are)
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) allow_host: Vec<String>,
    /// Require `Authorization: Bearer TOKEN`
    #[arg(long, value_name = "TOKEN")]
    pub(in crate::cli) api_key: Option<String>,
    /// Refuse more sessions than this at once
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::builder::RangedU64ValueParser::<u32>::new().range(1..))]
    pub(in crate::cli) max_sessions: u32,
    /// Close a session that nobody used for this long
    #[arg(long, value_name = "TIME", default_value = "30m")]
    pub(in crate::cli) idle_timeout: Seconds,
    /// Keep what the copies print in this folder [default: only until the server ends]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) logs: Option<PathBuf>,
    /// The Python interpreter [default: the project's .venv, $VIRTUAL_ENV, python3]
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) python: Option<PathBuf>,
}
