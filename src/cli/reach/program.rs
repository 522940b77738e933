//! A program that speaks MCP on its stdin and stdout, watched from its start to its end.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::environment::EnvironmentOptions;
use crate::mcp::{Client, ClientEvents, LineDiagnostics, McpError};
use crate::task::ConnectionSpec;
use crate::util::process::{self, DeathSignal};
use crate::util::{text, time};

/// What the specification of MCP asks of a client: close stdin, wait, SIGTERM, wait, SIGKILL. Well-made programs need neither signal.
const ASK: Duration = Duration::from_secs(2);
const TERM: Duration = Duration::from_secs(3);

/// How long the news of a process's end may trail the end of its stdout.
const STATUS: Duration = Duration::from_millis(500);

/// A running program.
pub(in crate::cli) struct Program {
    child: Child,
    pipes: Option<(ChildStdin, ChildStdout)>,
    shown: String,
    diagnostics: LineDiagnostics,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cli) struct Ended {
    /// What it took.
    pub(in crate::cli) how: How,
    /// How long, from closing its stdin.
    pub(in crate::cli) took: Duration,
}

/// What it took to end a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum How {
    /// Its stdin was closed.
    Asked,
    /// SIGTERM.
    Terminated,
    /// SIGKILL.
    Killed,
}

impl Program {
    /// Starts the program; its stderr is appended to `log`.
    ///
    /// # Errors
    /// In words, when there is no such program or it cannot be run.
    pub(in crate::cli) async fn spawn(
        connection: &ConnectionSpec,
        options: &EnvironmentOptions,
        log: &Path,
    ) -> Result<Self, String> {
        let ConnectionSpec::Stdio { command, env, cwd } = connection else {
            return Err("a server behind a URL is no program".to_owned());
        };
        let Some((name, args)) = command.split_first() else {
            return Err("the command is empty".to_owned());
        };
        let mut variables = options.variables.clone();
        variables.extend(env.clone());
        let cwd = cwd.clone().unwrap_or_else(|| options.folder.clone());
        let program = locate(name, &cwd, variables.get("PATH").map(String::as_str))?;
        let mut child = process::spawn_piped(
            &process::Program {
                program: program.into(),
                args: args.iter().map(Into::into).collect(),
                env: variables,
                cwd,
                wrapper: options.wrapper.clone(),
                death_signal: DeathSignal::Kill,
            },
            log,
        )
        .await
        .map_err(|error| format!("{error:#}"))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("`{name}` has no pipes"));
        };
        Ok(Self {
            child,
            pipes: Some((stdin, stdout)),
            shown: text::one_line(&command.join(" "), 80),
            diagnostics: LineDiagnostics::default(),
        })
    }

    /// Its process id, while it runs.
    pub(in crate::cli) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// A sentence about what it wrote on stdout that is not MCP.
    pub(in crate::cli) fn garbage(&self) -> Option<String> {
        self.diagnostics.sentence()
    }

    /// Opens the connection; can be done once.
    ///
    /// # Errors
    /// In words: it ended, it does not answer, it refuses. The program may still run then.
    pub(in crate::cli) async fn initialize(
        &mut self,
        events: Arc<dyn ClientEvents>,
        timeout: Duration,
    ) -> Result<Client, String> {
        let Some((stdin, stdout)) = self.pipes.take() else {
            return Err(format!("`{}` is connected already", self.shown));
        };
        let connect = Client::over_stream(stdout, stdin, events, self.diagnostics.clone());
        let outcome = tokio::time::timeout(timeout, connect).await;
        let failed = match outcome {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        let name = self.shown.clone();
        let status = match &failed {
            // It answered, so how it ended is no part of why.
            Some(McpError::Rpc { .. }) => None,
            _ => self.status().await,
        };
        let mut message = match (failed, status) {
            (_, Some(status)) => {
                format!("`{name}` ended with {status} before it answered `initialize`")
            }
            (Some(McpError::Rpc { message, .. }), None) => {
                format!("`{name}` refused `initialize`: {message}")
            }
            (Some(McpError::Protocol { detail }), None) => {
                format!("`{name}` answered `initialize` with something else than MCP: {detail}")
            }
            (Some(McpError::Closed { .. }), None) => {
                format!(
                    "`{name}` closed its stdout before it answered `initialize`, and still runs"
                )
            }
            (Some(McpError::Timeout { .. }) | None, None) => format!(
                "`{name}` runs, and did not answer `initialize` within {}",
                time::human(timeout)
            ),
        };
        match self.garbage() {
            Some(sentence) => message.push_str(&format!("\n{sentence}")),
            None if status.is_none() => message.push_str("\nit wrote nothing on stdout"),
            None => {}
        }
        Err(message)
    }

    /// The end of the program, if it has ended.
    async fn status(&mut self) -> Option<ExitStatus> {
        tokio::time::timeout(STATUS, self.child.wait())
            .await
            .ok()
            .and_then(Result::ok)
    }

    /// Waits for the end, asks, kills. The client must have been closed, which closes the program's stdin.
    pub(in crate::cli) async fn end(mut self) -> Ended {
        let begun = Instant::now();
        self.pipes = None;
        let ended = |how| Ended {
            how,
            took: begun.elapsed(),
        };
        let pid = self.child.id();
        if tokio::time::timeout(ASK, self.child.wait()).await.is_ok() {
            return ended(How::Asked);
        }
        // The whole group: a server started through a launcher must not survive it.
        signal_group(pid, rustix::process::Signal::TERM);
        if tokio::time::timeout(TERM, self.child.wait()).await.is_ok() {
            return ended(How::Terminated);
        }
        signal_group(pid, rustix::process::Signal::KILL);
        // It may have ended in between; then there is nothing to kill.
        let _ = self.child.kill().await;
        ended(How::Killed)
    }
}

fn signal_group(pid: Option<u32>, signal: rustix::process::Signal) {
    if let Some(pid) = pid
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(rustix::process::Pid::from_raw)
    {
        // A group that is gone needs no signal.
        let _ = rustix::process::kill_process_group(pid, signal);
    }
}

/// The file behind a command's first word.
fn locate(name: &str, cwd: &Path, path: Option<&str>) -> Result<PathBuf, String> {
    let relative = cwd.join(name);
    if name.contains('/') && relative.is_file() {
        return Ok(relative);
    }
    process::find(name, path).ok_or_else(|| {
        if name.contains(char::is_whitespace) {
            return format!(
                "there is no program `{name}`\nhint: write the command as words: -- {name}"
            );
        }
        format!("there is no program `{name}`\nhint: give its path, or put it on the PATH")
    })
}
