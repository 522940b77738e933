//! The process that imports a Python environment once and forks a copy of it for each connection.
//!
//! The base process and we talk over its stdin and stdout (JSON Lines: `ready`, `import_error`, `exit`; `deadline`, `close`, `kill`); each
//! copy speaks MCP over a unix socket in a folder that only we can enter.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, Lines,
};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::base::{BaseProcess, Importing};
use super::nursery::{Hatch, Nursery};
use crate::environment::Isolation;
use crate::environment::started::{Notice, NoticeSink};
use crate::util::process::{self, Program};
use crate::util::{fs, text};

/// How much of a log is shown in an error.
const LOG_TAIL: u64 = 1500;

/// How long the base may take to end when it is told to.
const BASE_EXIT: Duration = Duration::from_secs(3);

/// How long the process that all sessions share may take: five seconds for `@env.shutdown`, then it is killed by its base.
const SHARED_EXIT: Duration = Duration::from_secs(8);

/// How a process ended.
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

    /// In words, as the standard library says it of a child.
    pub(in crate::environment) fn status(&self) -> String {
        match (&self.signal, self.code) {
            (Some(signal), _) => format!("signal: {signal}"),
            (None, Some(code)) => format!("exit status: {code}"),
            (None, None) => "it ended".to_owned(),
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
        #[serde(default)]
        modules: Vec<String>,
        #[serde(default)]
        files: Vec<PathBuf>,
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
        #[serde(default)]
        pid: Option<i32>,
        #[serde(flatten)]
        exit: Exit,
    },
    Blocked {
        trace_id: Option<String>,
        tool: Option<String>,
        seconds: f64,
    },
    Unblocked {},
}

/// What the base said when it was ready.
pub(in crate::environment) struct Ready {
    /// `fork`, `spawn` or `shared`.
    pub(in crate::environment) isolation: String,
    /// Why not `fork`.
    pub(in crate::environment) reason: Option<String>,
    /// The environment's description of itself.
    pub(in crate::environment) describe: Map<String, Value>,
    /// What importing loaded from outside the project.
    pub(in crate::environment) modules: Vec<String>,
    /// The project's source files that were imported.
    pub(in crate::environment) files: Vec<PathBuf>,
}

/// How to start a worker.
pub(in crate::environment) struct WorkerOptions {
    /// The interpreter with its own arguments (`-u -m hud.worker`), and its environment.
    pub(in crate::environment) program: Program,
    /// Arguments of the worker, but the socket.
    pub(in crate::environment) args: Vec<OsString>,
    /// The socket to listen on; only we may enter its folder.
    pub(in crate::environment) socket: PathBuf,
    /// Where the base's own output goes.
    pub(in crate::environment) log: PathBuf,
    /// How long importing may take.
    pub(in crate::environment) timeout: Duration,
    /// What is imported, for messages.
    pub(in crate::environment) source: PathBuf,
    /// Takes what goes on in the worker.
    pub(in crate::environment) notices: Option<NoticeSink>,
}

type Exits = Arc<Mutex<HashMap<String, Waiting>>>;

/// Who waits for the exit of a copy.
struct Waiting {
    sender: oneshot::Sender<Exit>,
    /// Whether the copy was reached at all. A refused connection has an exit too, and no process that died.
    reached: bool,
}

type ControlLines = Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>;
type ControlInput = Box<dyn AsyncWrite + Send + Unpin>;

/// A running base process.
pub(in crate::environment) struct Worker {
    socket: PathBuf,
    log: PathBuf,
    commands: mpsc::UnboundedSender<Value>,
    exits: Exits,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
    process: Arc<tokio::sync::Mutex<BaseProcess>>,
    gone: watch::Receiver<bool>,
    /// Set when it is told to end: what ends then is no news.
    closing: Arc<AtomicBool>,
    shared: bool,
}

/// A connection to a copy that has been accepted, before MCP.
pub(in crate::environment) struct Copy {
    /// The socket, positioned after the handshake.
    pub(in crate::environment) stream: BufReader<UnixStream>,
    /// Fires when the copy has ended.
    pub(in crate::environment) exit: oneshot::Receiver<Exit>,
}

/// Why a worker did not start.
pub(in crate::environment) enum StartFailure {
    /// The warm interpreter did not give a base: a plain start may still succeed.
    NotHatched(String),
    /// The environment, in words.
    Environment(String),
}

impl StartFailure {
    /// The words.
    pub(in crate::environment) fn into_message(self) -> String {
        match self {
            Self::NotHatched(message) | Self::Environment(message) => message,
        }
    }
}

impl Worker {
    /// Starts the base and waits until it has imported the environment: as a program of its own, or forked by `nursery`. Dropping the future
    /// kills it.
    pub(in crate::environment) async fn start(
        options: WorkerOptions,
        nursery: Option<&Arc<Nursery>>,
    ) -> Result<(Self, Ready), StartFailure> {
        let limit = options.timeout;
        let source = options.source.clone();
        tokio::time::timeout(limit, Self::launch(options, nursery))
            .await
            .unwrap_or_else(|_| {
                Err(StartFailure::Environment(format!(
                    "importing `{}` took longer than {}",
                    source.display(),
                    crate::util::time::human(limit)
                )))
            })
    }

    async fn launch(
        options: WorkerOptions,
        nursery: Option<&Arc<Nursery>>,
    ) -> Result<(Self, Ready), StartFailure> {
        let mut args = options.args;
        args.extend(["--socket".into(), options.socket.clone().into()]);
        let (lines, input, process) = match nursery {
            Some(nursery) => hatch(
                nursery,
                &args,
                &options.program,
                &options.socket,
                &options.log,
            )
            .await
            .map_err(StartFailure::NotHatched)?,
            None => spawn(args, options.program, &options.log)
                .await
                .map_err(StartFailure::Environment)?,
        };
        let mut lines: ControlLines = lines;
        let mut importing = Importing::new(process);
        let ready = first_line(&mut lines, &mut importing, &options.source, &options.log)
            .await
            .map_err(StartFailure::Environment)?;
        let Some(process) = importing.ready() else {
            return Err(StartFailure::Environment("the worker ended".to_owned()));
        };
        let process = Arc::new(tokio::sync::Mutex::new(process));
        let exits = Exits::default();
        let (gone_sender, gone) = watch::channel(false);
        let (commands, receiver) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let closing = Arc::<AtomicBool>::default();
        let reader = Reader {
            exits: Arc::clone(&exits),
            closing: Arc::clone(&closing),
            notices: options.notices,
            log: options.log.clone(),
            process: Arc::clone(&process),
            gone: gone_sender,
        };
        tasks.spawn(reader.run(lines));
        tasks.spawn(write_commands(input, receiver));
        let worker = Self {
            socket: options.socket,
            log: options.log,
            commands,
            exits,
            tasks: tokio::sync::Mutex::new(tasks),
            process,
            gone,
            closing,
            shared: ready.isolation == Isolation::Shared.as_str(),
        };
        Ok((worker, ready))
    }

    /// Whether the base has ended, and its copies with it.
    pub(in crate::environment) fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }

    /// Opens a connection: a fresh copy. `hello` is the contract's first line.
    pub(in crate::environment) async fn connect(
        &self,
        trace_id: &str,
        hello: &Value,
    ) -> Result<Copy, String> {
        let (sender, exit) = oneshot::channel();
        if let Ok(mut exits) = self.exits.lock() {
            let waiting = Waiting {
                sender,
                reached: false,
            };
            exits.insert(trace_id.to_owned(), waiting);
        }
        match self.shake_hands(hello).await {
            Ok(stream) => {
                if let Ok(mut exits) = self.exits.lock()
                    && let Some(waiting) = exits.get_mut(trace_id)
                {
                    waiting.reached = true;
                }
                Ok(Copy { stream, exit })
            }
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

    /// Replaces the process that serves all sessions, when they share one; each session gets its exit.
    pub(in crate::environment) fn replace(&self) {
        let _ = self.commands.send(json!({"op": "replace"}));
    }

    /// Ends the base and every copy that still lives. Where sessions share a process, that has as long for its clean-up as any copy.
    pub(in crate::environment) async fn close(&self) {
        self.closing.store(true, Ordering::Release);
        if self.shared {
            let _ = self.commands.send(json!({"op": "end"}));
            let mut process = self.process.lock().await;
            if tokio::time::timeout(SHARED_EXIT, process.wait())
                .await
                .is_ok()
            {
                return;
            }
        }
        // Ending the task closes the base's end of the control channel, which is its sign to end.
        self.tasks.lock().await.shutdown().await;
        let mut process = self.process.lock().await;
        if tokio::time::timeout(BASE_EXIT, process.wait())
            .await
            .is_err()
        {
            process.kill();
            // Killed, it is gone; what is left is to be told so.
            let _ = tokio::time::timeout(BASE_EXIT, process.wait()).await;
        }
    }
}

async fn hatch(
    nursery: &Arc<Nursery>,
    args: &[OsString],
    program: &Program,
    socket: &Path,
    log: &Path,
) -> Result<(ControlLines, ControlInput, BaseProcess), String> {
    let hatch = Hatch {
        args,
        cwd: &program.cwd,
        env: &program.env,
        control: socket.with_extension("control"),
        log,
    };
    let (stream, process) = nursery.hatch(hatch).await?;
    let (read, write) = stream.into_split();
    let read: Box<dyn AsyncRead + Send + Unpin> = Box::new(read);
    Ok((BufReader::new(read).lines(), Box::new(write), process))
}

async fn spawn(
    args: Vec<OsString>,
    mut program: Program,
    log: &Path,
) -> Result<(ControlLines, ControlInput, BaseProcess), String> {
    program.args.extend(args);
    let mut child = process::spawn_piped(&program, log)
        .await
        .map_err(|error| format!("{error:#}"))?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the worker has no pipes".to_owned());
    };
    let read: Box<dyn AsyncRead + Send + Unpin> = Box::new(stdout);
    let lines = BufReader::new(read).lines();
    Ok((lines, Box::new(stdin), BaseProcess::Child(child)))
}

async fn first_line(
    lines: &mut ControlLines,
    importing: &mut Importing,
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
        let how = match tokio::time::timeout(BASE_EXIT, importing.wait()).await {
            Ok(Some(status)) => format!(" ({status})"),
            Ok(None) | Err(_) => String::new(),
        };
        let what = format!("Python ended while it imported `{}`{how}", source.display());
        return Err(with_log(&what, &tail()));
    };
    match serde_json::from_str(&line) {
        Ok(FromBase::Ready {
            isolation,
            isolation_reason,
            describe,
            modules,
            files,
        }) => Ok(Ready {
            isolation,
            reason: isolation_reason,
            describe,
            modules,
            files,
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
        Ok(FromBase::Exit { .. } | FromBase::Blocked { .. } | FromBase::Unblocked {}) | Err(_) => {
            Err(with_log(
                &format!(
                    "the worker of `{}` answered `{}`",
                    source.display(),
                    text::one_line(&line, 200)
                ),
                &tail(),
            ))
        }
    }
}

/// Reads what a running base says.
struct Reader {
    exits: Exits,
    closing: Arc<AtomicBool>,
    notices: Option<NoticeSink>,
    log: PathBuf,
    process: Arc<tokio::sync::Mutex<BaseProcess>>,
    gone: watch::Sender<bool>,
}

impl Reader {
    async fn run(self, mut lines: ControlLines) {
        // Sessions that share a process each get its exit; it is one death.
        let mut dead = None;
        while let Ok(Some(line)) = lines.next_line().await {
            match serde_json::from_str(&line) {
                Ok(FromBase::Exit {
                    trace_id,
                    pid,
                    exit,
                }) => {
                    let waiting =
                        trace_id.and_then(|trace_id| self.exits.lock().ok()?.remove(&trace_id));
                    let reached = waiting.as_ref().is_some_and(|waiting| waiting.reached);
                    if reached && exit.code != Some(0) && (pid.is_none() || pid != dead) {
                        dead = pid;
                        self.tell(Notice::Died {
                            message: self.with_tail(&exit.sentence()),
                        });
                    }
                    if let Some(waiting) = waiting {
                        // Nobody waits any more when the rollout was dropped.
                        let _ = waiting.sender.send(exit);
                    }
                }
                Ok(FromBase::Blocked {
                    trace_id,
                    tool,
                    seconds,
                }) => self.tell(Notice::Blocked {
                    tool,
                    session: trace_id,
                    for_: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
                }),
                Ok(
                    FromBase::Ready { .. } | FromBase::ImportError { .. } | FromBase::Unblocked {},
                ) => {}
                Err(error) => tracing::debug!("an unexpected line from the worker: {error}"),
            }
        }
        let _ = self.gone.send(true);
        // The base is gone: whoever waits for an exit learns it from the dropped senders.
        if let Ok(mut exits) = self.exits.lock() {
            exits.clear();
        }
        if self.notices.is_some() && !self.closing.load(Ordering::Acquire) {
            let mut process = self.process.lock().await;
            let how = match tokio::time::timeout(BASE_EXIT, process.wait()).await {
                Ok(Some(status)) => format!(" ({status})"),
                Ok(None) | Err(_) => String::new(),
            };
            let message = self.with_tail(&format!("the environment's process ended{how}"));
            self.tell(Notice::Ended { message });
        }
    }

    fn tell(&self, notice: Notice) {
        if let Some(notices) = &self.notices
            && !self.closing.load(Ordering::Acquire)
        {
            notices(notice);
        }
    }

    fn with_tail(&self, what: &str) -> String {
        with_log(what, &text::strip_control(&fs::tail(&self.log, LOG_TAIL)))
    }
}

async fn write_commands(mut input: ControlInput, mut receiver: mpsc::UnboundedReceiver<Value>) {
    while let Some(command) = receiver.recv().await {
        let mut line = command.to_string();
        line.push('\n');
        if input.write_all(line.as_bytes()).await.is_err() {
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
