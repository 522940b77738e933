//! A program that speaks MCP on its stdin and stdout, started once for each session.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::mcp::{Client, ClientEvents, LineDiagnostics, McpError, ProgramStreams};
use crate::util::process::{self, DeathSignal, Program};
use crate::util::{fs, text};

use super::worker::with_log;

/// How long a program may take to end after its stdin closed, before it is asked with SIGTERM, and then killed.
const ASK: Duration = Duration::from_secs(2);
const TERM: Duration = Duration::from_secs(3);

/// A running server program. Dropping it kills the program.
pub(in crate::environment) struct StdioServer {
    pid: Option<Pid>,
    /// How it ended, once it has; in words.
    ended: watch::Receiver<Option<String>>,
    _waiting: JoinSet<()>,
    log: PathBuf,
    diagnostics: LineDiagnostics,
    program: String,
}

/// How to start a server program.
#[derive(Clone)]
pub(in crate::environment) struct StdioOptions {
    /// Program and arguments.
    pub(in crate::environment) command: Vec<String>,
    /// Its whole environment.
    pub(in crate::environment) env: BTreeMap<String, String>,
    /// Its working directory.
    pub(in crate::environment) cwd: PathBuf,
    /// The `hud` binary, see [`process`].
    pub(in crate::environment) wrapper: Option<PathBuf>,
    /// Where its stderr goes.
    pub(in crate::environment) log: PathBuf,
    /// How long it may take to answer `initialize`.
    pub(in crate::environment) timeout: Duration,
}

impl StdioServer {
    /// Starts the program and initialises MCP.
    pub(in crate::environment) async fn start(
        options: StdioOptions,
        events: Arc<dyn ClientEvents>,
    ) -> Result<(Self, Client), String> {
        let timeout = options.timeout;
        let (server, streams) = Self::spawn(options).await?;
        // Boxed: the compiler cannot show for a future that holds the streams, which are boxed too, that it is `Send`.
        let connect =
            Client::over_stream(streams.read, streams.write, events, streams.diagnostics).boxed();
        let outcome = tokio::time::timeout(timeout, connect)
            .await
            .unwrap_or(Err(McpError::Timeout { after: timeout }));
        match outcome {
            Ok(client) => Ok((server, client)),
            Err(error) => Err(server.did_not_start(&error).await),
        }
    }

    /// Starts the program; what is said to it is the caller's matter.
    pub(in crate::environment) async fn spawn(
        options: StdioOptions,
    ) -> Result<(Self, ProgramStreams), String> {
        let Some((name, args)) = options.command.split_first() else {
            return Err("the command of the environment is empty".to_owned());
        };
        let path = options.env.get("PATH").map(String::as_str);
        let relative = options.cwd.join(name);
        let program = if name.contains('/') && relative.is_file() {
            relative
        } else {
            process::find(name, path).ok_or_else(|| {
                format!("there is no program `{name}`\nhint: give its path, or put it on the PATH")
            })?
        };
        let mut child = process::spawn_piped(
            &Program {
                program: program.into(),
                args: args.iter().map(Into::into).collect(),
                env: options.env,
                cwd: options.cwd,
                wrapper: options.wrapper,
                death_signal: DeathSignal::Kill,
            },
            &options.log,
        )
        .await
        .map_err(|error| format!("{error:#}"))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("`{name}` has no pipes"));
        };
        let pid = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        let (sender, ended) = watch::channel(None);
        let mut waiting = JoinSet::new();
        waiting.spawn(async move {
            let how = match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            };
            let _ = sender.send(Some(how));
        });
        let diagnostics = LineDiagnostics::default();
        let server = Self {
            pid,
            ended,
            _waiting: waiting,
            log: options.log,
            diagnostics: diagnostics.clone(),
            program: options.command.join(" "),
        };
        let streams = ProgramStreams {
            read: Box::new(stdout),
            write: Box::new(stdin),
            diagnostics,
        };
        Ok((server, streams))
    }

    /// Why it is not an MCP server, in words; ends it.
    pub(in crate::environment) async fn did_not_start(self, error: &McpError) -> String {
        let message = format!("`{}` did not start as an MCP server: {error}", self.program);
        let message = self.explain(&message).await;
        self.close().await;
        message
    }

    /// How it ended, in words; waits for that.
    pub(in crate::environment) async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(how) => how.clone().unwrap_or_default(),
            Err(_) => "it is gone".to_owned(),
        }
    }

    /// Whether it has ended.
    pub(in crate::environment) fn is_gone(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// `message` with what is known of the program's end: its exit status, what it wrote on stdout, its log.
    pub(in crate::environment) async fn explain(&self, message: &str) -> String {
        let mut message = message.to_owned();
        if let Ok(how) = tokio::time::timeout(Duration::from_millis(500), self.ended()).await {
            message.push_str(&format!("\nthe program ended with {how}"));
        }
        if let Some(sentence) = self.diagnostics.sentence() {
            message.push_str(&format!("\n{sentence}"));
        }
        with_log(&message, &text::strip_control(&fs::tail(&self.log, 1500)))
    }

    /// Waits for the end, asks, kills. The client must have been closed, which closes the program's stdin.
    pub(in crate::environment) async fn close(&self) {
        if tokio::time::timeout(ASK, self.ended()).await.is_ok() {
            return;
        }
        // The whole group: a server started through a launcher must not survive it.
        self.signal(Signal::TERM);
        if tokio::time::timeout(TERM, self.ended()).await.is_ok() {
            return;
        }
        self.signal(Signal::KILL);
        let _ = tokio::time::timeout(TERM, self.ended()).await;
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid
            && !self.is_gone()
        {
            let _ = kill_process_group(pid, signal);
        }
    }
}

/// The folder in which a command runs: its own, else that of the file that names it.
pub(in crate::environment) fn working_directory(cwd: Option<&Path>, default: &Path) -> PathBuf {
    cwd.unwrap_or(default).to_owned()
}
