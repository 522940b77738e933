//! The process that imports a Python environment once and forks a copy of it for each connection.
//!
//! The base process and we talk over its stdin and stdout (JSON Lines: `ready`, `import_error`, `exit`; `deadline`, `close`, `kill`); each
//! copy speaks MCP over a unix socket in a folder that only we can enter.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdout};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::util::process::{self, Program};
use crate::util::{fs, text};

/// How much of a log is shown in an error.
const LOG_TAIL: u64 = 1500;

/// How long the base may take to end when it is told to.
const BASE_EXIT: Duration = Duration::from_secs(3);

/// How a copy ended.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(in crate::environment) struct Exit {
    /// Exit code; `None` when a signal ended it.
    pub(in crate::environment) code: Option<i32>,
    /// The signal's name.
    pub(in crate::environment) signal: Option<String>,
}

impl Exit {
    /// In words.
    pub(in crate::environment) fn sentence(&self) -> String {
        match (&self.signal, self.code) {
            (Some(signal), _) => format!("the environment's process was ended by {signal}"),
            (None, Some(code)) => {
                format!("the environment's process exited with code {code}")
            }
            (None, None) => "the environment's process ended".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FromBase {
    Ready {
        isolation: String,
        #[serde(default)]
        isolation_reason: Option<String>,
        describe: Map<String, Value>,
    },
    ImportError {
        kind: String,
        message: String,
        #[serde(default)]
        file: Option<PathBuf>,
        #[serde(default)]
        line: Option<u32>,
        #[serde(default)]
        trace: Option<String>,
        #[serde(default)]
        hint: Option<String>,
    },
    Exit {
        trace_id: Option<String>,
        #[serde(flatten)]
        exit: Exit,
    },
}

/// What the base said when it was ready.
pub(in crate::environment) struct Ready {
    /// `fork` or `spawn`.
    pub(in crate::environment) isolation: String,
    /// Why not `fork`.
    pub(in crate::environment) reason: Option<String>,
    /// The environment's description of itself.
    pub(in crate::environment) describe: Map<String, Value>,
}

/// How to start a worker.
pub(in crate::environment) struct WorkerOptions {
    /// The interpreter with `-m hud.worker` and its arguments but the socket, and its environment.
    pub(in crate::environment) program: Program,
    /// The folder for the socket; only we may enter it.
    pub(in crate::environment) socket: PathBuf,
    /// Where the base's own output goes.
    pub(in crate::environment) log: PathBuf,
    /// How long importing may take.
    pub(in crate::environment) timeout: Duration,
    /// What is imported, for messages.
    pub(in crate::environment) source: PathBuf,
}

type Exits = Arc<Mutex<HashMap<String, oneshot::Sender<Exit>>>>;

/// A running base process.
pub(in crate::environment) struct Worker {
    socket: PathBuf,
    log: PathBuf,
    commands: mpsc::UnboundedSender<Value>,
    exits: Exits,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
    child: tokio::sync::Mutex<Child>,
}

/// A connection to a copy that has been accepted, before MCP.
pub(in crate::environment) struct Copy {
    /// The socket, positioned after the handshake.
    pub(in crate::environment) stream: BufReader<UnixStream>,
    /// Fires when the copy has ended.
    pub(in crate::environment) exit: oneshot::Receiver<Exit>,
}

impl Worker {
    /// Starts the base and waits until it has imported the environment.
    pub(in crate::environment) async fn start(
        options: WorkerOptions,
    ) -> Result<(Self, Ready), String> {
        let mut program = options.program;
        program.args.push("--socket".into());
        program.args.push(options.socket.clone().into());
        let mut child = process::spawn_piped(&program, &options.log)
            .await
            .map_err(|error| format!("{error:#}"))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the worker has no pipes".to_owned());
        };
        let mut lines = BufReader::new(stdout).lines();
        let ready = tokio::time::timeout(
            options.timeout,
            first_line(&mut lines, &mut child, &options.source, &options.log),
        )
        .await
        .unwrap_or_else(|_| {
            Err(format!(
                "importing `{}` took longer than {}",
                options.source.display(),
                crate::util::time::human(options.timeout)
            ))
        });
        let ready = match ready {
            Ok(ready) => ready,
            Err(message) => {
                // It may hang in the user's code, where it does not see that its stdin has closed.
                let _ = child.kill().await;
                return Err(message);
            }
        };
        let exits = Exits::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(read_exits(lines, Arc::clone(&exits)));
        let (commands, receiver) = mpsc::unbounded_channel();
        tasks.spawn(write_commands(stdin, receiver));
        Ok((
            Self {
                socket: options.socket,
                log: options.log,
                commands,
                exits,
                tasks: tokio::sync::Mutex::new(tasks),
                child: tokio::sync::Mutex::new(child),
            },
            ready,
        ))
    }

    /// Opens a connection: a fresh copy. `hello` is the contract's first line.
    pub(in crate::environment) async fn connect(
        &self,
        trace_id: &str,
        hello: &Value,
    ) -> Result<Copy, String> {
        let (sender, exit) = oneshot::channel();
        if let Ok(mut exits) = self.exits.lock() {
            exits.insert(trace_id.to_owned(), sender);
        }
        match self.shake_hands(hello).await {
            Ok(stream) => Ok(Copy { stream, exit }),
            Err(error) => {
                if let Ok(mut exits) = self.exits.lock() {
                    exits.remove(trace_id);
                }
                let tail = text::strip_control(&fs::tail(&self.log, LOG_TAIL));
                Err(with_log(
                    &format!("the worker did not start a copy: {error}"),
                    &tail,
                ))
            }
        }
    }

    async fn shake_hands(&self, hello: &Value) -> std::io::Result<BufReader<UnixStream>> {
        let mut stream = BufReader::new(UnixStream::connect(&self.socket).await?);
        let mut line = hello.to_string();
        line.push('\n');
        stream.write_all(line.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_line(&mut answer).await?;
        let parsed: Value = serde_json::from_str(&answer).unwrap_or_default();
        if parsed.get("pid").is_some() {
            Ok(stream)
        } else if let Some(words) = parsed["error"]["message"].as_str() {
            Err(std::io::Error::other(words.to_owned()))
        } else if answer.is_empty() {
            Err(std::io::Error::other("it closed the connection"))
        } else {
            Err(std::io::Error::other(format!(
                "it answered `{}`",
                text::one_line(&answer, 200)
            )))
        }
    }

    /// Tells the copy `trace_id` to do `operation`: `deadline`, `close` or `kill`.
    pub(in crate::environment) fn command(&self, operation: &str, trace_id: &str) {
        // The channel is closed only when the base is gone, and its copies with it.
        let _ = self
            .commands
            .send(json!({"op": operation, "trace_id": trace_id}));
    }

    /// Ends the base and every copy that still lives.
    pub(in crate::environment) async fn close(&self) {
        // Ending the task closes the base's stdin, which is its sign to end.
        self.tasks.lock().await.shutdown().await;
        let mut child = self.child.lock().await;
        if tokio::time::timeout(BASE_EXIT, child.wait()).await.is_err() {
            // It may have ended in between; then there is nothing to kill.
            let _ = child.kill().await;
        }
    }
}

async fn first_line(
    lines: &mut Lines<BufReader<ChildStdout>>,
    child: &mut Child,
    source: &Path,
    log: &Path,
) -> Result<Ready, String> {
    let line = lines
        .next_line()
        .await
        .map_err(|error| format!("the worker's control channel broke: {error}"))?;
    let tail = || text::strip_control(&fs::tail(log, LOG_TAIL));
    let Some(line) = line else {
        // It may also have closed its stdout and live on.
        let how = match tokio::time::timeout(BASE_EXIT, child.wait()).await {
            Ok(Ok(status)) => format!(" ({status})"),
            Ok(Err(_)) | Err(_) => String::new(),
        };
        let what = format!("Python ended while it imported `{}`{how}", source.display());
        return Err(with_log(&what, &tail()));
    };
    match serde_json::from_str(&line) {
        Ok(FromBase::Ready {
            isolation,
            isolation_reason,
            describe,
        }) => Ok(Ready {
            isolation,
            reason: isolation_reason,
            describe,
        }),
        Ok(FromBase::ImportError {
            kind,
            message,
            file,
            line,
            trace,
            hint,
        }) => {
            let mut out = format!("cannot import `{}`", source.display());
            if let Some(file) = file {
                let line = line.map_or_else(String::new, |line| format!(":{line}"));
                out.push_str(&format!("\n  {}{line}", file.display()));
            }
            out.push_str(&format!("\n  {kind}: {}", text::strip_control(&message)));
            if let Some(trace) = trace.filter(|trace| !trace.trim().is_empty()) {
                out.push_str(&format!("\n{}", indent(&text::strip_control(&trace))));
            }
            if let Some(hint) = hint {
                out.push_str(&format!("\nhint: {hint}"));
            }
            Err(out)
        }
        Ok(FromBase::Exit { .. }) | Err(_) => Err(with_log(
            &format!(
                "the worker of `{}` answered `{}`",
                source.display(),
                text::one_line(&line, 200)
            ),
            &tail(),
        )),
    }
}

async fn read_exits(mut lines: Lines<BufReader<ChildStdout>>, exits: Exits) {
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(FromBase::Exit {
                trace_id: Some(trace_id),
                exit,
            }) => {
                let waiting = exits
                    .lock()
                    .ok()
                    .and_then(|mut exits| exits.remove(&trace_id));
                if let Some(waiting) = waiting {
                    // Nobody waits any more when the rollout was dropped.
                    let _ = waiting.send(exit);
                }
            }
            Ok(_) => {}
            Err(error) => tracing::debug!("an unexpected line from the worker: {error}"),
        }
    }
    // The base is gone: whoever waits for an exit learns it from the dropped senders.
    if let Ok(mut exits) = exits.lock() {
        exits.clear();
    }
}

async fn write_commands(
    mut stdin: tokio::process::ChildStdin,
    mut receiver: mpsc::UnboundedReceiver<Value>,
) {
    while let Some(command) = receiver.recv().await {
        let mut line = command.to_string();
        line.push('\n');
        if stdin.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// `message`, followed by the end of a log, when there is one.
pub(in crate::environment) fn with_log(message: &str, tail: &str) -> String {
    if tail.trim().is_empty() {
        message.to_owned()
    } else {
        format!("{message}\nthe end of its log:\n{}", indent(tail))
    }
}

fn indent(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
