//! `hud dev`.

#![expect(
    clippy::doc_markdown,
    reason = "the comments are help texts, in which backticks would be shown"
)]

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Seconds;

/// Arguments of `hud dev`. What is not given is `None`, so that variables and files may say it.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = "\
Examples:
  hud dev                                        The environment of this folder, reloaded on every save
  hud dev -w scenarios -w tools --port 8765      Watch these folders (and the environment's own file)
  hud dev env:env --stdio                        For a client that starts the server itself
  hud dev --client claude-code                   Print the command that connects Claude Code
  hud dev -- cargo run --bin my-server           A server in any language, restarted on every save
  curl -d '{\"text\": \"hi\"}' http://127.0.0.1:8765/api/tools/shout

On a terminal: r reloads (R with its dependencies), c clears, o opens the page of the tools, q quits.
Settings: a flag, then HUD_DEV_HOST, HUD_DEV_PORT and HUD_SERVE_KEY, then [dev] of hud.toml.")]
pub(in crate::cli) struct DevArgs {
    /// The environment: env.py, a folder, env.py:attr, pkg.module:attr, a task file with one environment [default: what this folder holds]
    #[arg(conflicts_with = "command")]
    pub(in crate::cli) source: Option<String>,
    /// A server of your own, in any language: a program that speaks MCP on its stdin and stdout
    #[arg(last = true, value_name = "COMMAND")]
    pub(in crate::cli) command: Vec<String>,

    /// Reload when this file or folder changes (repeatable) [default: the environment's folder]
    #[arg(short, long, value_name = "PATH", help_heading = "Reloading")]
    pub(in crate::cli) watch: Vec<PathBuf>,
    /// Watch nothing
    #[arg(long, conflicts_with = "watch", help_heading = "Reloading")]
    pub(in crate::cli) no_watch: bool,
    /// How long calls in flight may go on after a reload [default: 10s]
    #[arg(long, value_name = "TIME", help_heading = "Reloading")]
    pub(in crate::cli) drain: Option<Seconds>,
    /// How long importing the environment may take [default: 1m]
    #[arg(long, value_name = "TIME", help_heading = "Reloading")]
    pub(in crate::cli) import_timeout: Option<Seconds>,

    /// How sessions are kept apart: one process for all, a fork or a process for each [default: shared]
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        conflicts_with = "command",
        help_heading = "Environment"
    )]
    pub(in crate::cli) isolation: Option<DevIsolation>,
    /// Stop a tool that runs longer [default: no limit]
    #[arg(long, value_name = "TIME", help_heading = "Environment")]
    pub(in crate::cli) tool_timeout: Option<Seconds>,
    /// The Python to run the environment with
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with = "command",
        help_heading = "Environment"
    )]
    pub(in crate::cli) python: Option<PathBuf>,

    /// Speak over stdin and stdout, with one client, instead of HTTP
    #[arg(
        long,
        conflicts_with_all = [
            "host", "port", "strict_port", "no_strict_port", "api_key", "allowed_host", "allowed_origin", "max_sessions",
            "idle_timeout", "inspector", "interactive", "json",
        ],
        help_heading = "Serving"
    )]
    pub(in crate::cli) stdio: bool,
    /// The address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", help_heading = "Serving")]
    pub(in crate::cli) host: Option<IpAddr>,
    /// The port to listen on, or the next free one; 0 takes any [default: 8765]
    #[arg(short, long, help_heading = "Serving")]
    pub(in crate::cli) port: Option<u16>,
    /// Fail when the port is in use
    #[arg(long, overrides_with = "no_strict_port", help_heading = "Serving")]
    pub(in crate::cli) strict_port: bool,
    /// Take the next free port, whatever hud.toml says
    #[arg(long, help_heading = "Serving")]
    pub(in crate::cli) no_strict_port: bool,
    /// The bearer token that clients must send (better: the variable HUD_SERVE_KEY)
    #[arg(long, value_name = "TOKEN", help_heading = "Serving")]
    pub(in crate::cli) api_key: Option<String>,
    /// A name by which clients may reach the server, beside those of this machine (repeatable)
    #[arg(long, value_name = "NAME", help_heading = "Serving")]
    pub(in crate::cli) allowed_host: Vec<String>,
    /// A page whose scripts may use the server, such as http://localhost:6274 (repeatable; a port of * is any)
    #[arg(long, value_name = "ORIGIN", help_heading = "Serving")]
    pub(in crate::cli) allowed_origin: Vec<String>,
    /// Refuse more sessions than this at once [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Serving")]
    pub(in crate::cli) max_sessions: Option<u32>,
    /// Close a session that nobody used for this long [default: 30m]
    #[arg(long, value_name = "TIME", help_heading = "Serving")]
    pub(in crate::cli) idle_timeout: Option<Seconds>,

    /// Print how this client connects, ready to paste (with --stdio: and end)
    #[arg(long, value_enum, value_name = "NAME", conflicts_with_all = ["json", "interactive"], help_heading = "Output")]
    pub(in crate::cli) client: Option<Client>,
    /// Start the MCP Inspector beside the server
    #[arg(long, overrides_with = "no_inspector", help_heading = "Output")]
    pub(in crate::cli) inspector: bool,
    /// Do not start it, whatever hud.toml says
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) no_inspector: bool,
    /// A prompt in the terminal: call tools, play scenarios
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub(in crate::cli) interactive: bool,
    /// What happens as JSON Lines on stdout
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) json: bool,
}

/// How sessions are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DevIsolation {
    /// One process for all: what one call leaves behind, the next finds
    Shared,
    /// A fork for each session
    Fork,
    /// A process for each session
    Spawn,
}

/// A client that can be told how to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Client {
    /// The command `claude mcp add`
    ClaudeCode,
    /// The link that adds the server to Cursor
    Cursor,
    /// The entry for .vscode/mcp.json
    Vscode,
    /// The command that starts the MCP Inspector
    Inspector,
}
