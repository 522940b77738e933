//! `hud serve`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Seconds;

/// Serve an environment to others.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    /// The protocol.
    #[command(subcommand)]
    pub(in crate::cli) command: ServeCommand,
}

/// The protocols.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum ServeCommand {
    /// Serve over MCP: every client works in a copy of its own
    #[command(after_help = "\
Examples:
  hud serve mcp env.py                        http://127.0.0.1:8765/mcp
  hud serve mcp env.py --port 9000
  hud serve mcp env.py --stdio                For clients that start the server themselves
  HUD_SERVE_KEY=… hud serve mcp env.py --host 0.0.0.0 --allowed-host envs.example.com")]
    Mcp(ServeMcpArgs),
}

/// What is served, and to whom.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ServeMcpArgs {
    /// The environment: env.py, a folder, env.py:attr, a task file with one environment (default: env.py)
    pub(in crate::cli) source: Option<String>,
    /// Speak over stdin and stdout, with one client, instead of HTTP
    #[arg(long, conflicts_with_all = ["host", "port", "api_key", "allowed_host"])]
    pub(in crate::cli) stdio: bool,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub(in crate::cli) host: IpAddr,
    /// The port to listen on; 0 takes a free one
    #[arg(short, long, default_value_t = 8765)]
    pub(in crate::cli) port: u16,
    /// The bearer token that clients must send (better: the variable `HUD_SERVE_KEY`)
    #[arg(long, value_name = "TOKEN")]
    pub(in crate::cli) api_key: Option<String>,
    /// A name by which clients may reach the server, beside those of this machine (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) allowed_host: Vec<String>,
    /// The Python to run the environment with
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) python: Option<PathBuf>,
    /// Refuse more sessions than this at once
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) max_sessions: u32,
    /// Close a session that nobody used for this long
    #[arg(long, value_name = "TIME", default_value = "30m")]
    pub(in crate::cli) idle_timeout: Seconds,
    /// Keep what the copies print in this folder
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) logs: Option<PathBuf>,
}
