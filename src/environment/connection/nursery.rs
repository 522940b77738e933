//! A warm interpreter: it has imported what lies outside the project and forks bases that import only the project's own modules.
//!
//! We and it talk over its stdin and stdout (JSON Lines: `preload`, `start`; `preloaded`, `started`, `ended`). A base that it forks connects
//! its control channel to a unix socket of ours, and is a base like any other from then on.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rustix::process::Pid;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::base::{BaseProcess, Hatched};
use super::worker::Exit;
use crate::util::fs;
use crate::util::process::{self, Program};

/// What became of a `preload`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(in crate::environment) struct Preloaded {
    /// Modules that could not be imported outside the project.
    #[serde(default)]
    pub(in crate::environment) failed: Vec<String>,
    /// Whether bases can be forked after these imports.
    pub(in crate::environment) forkable: bool,
    /// Why not.
    #[serde(default)]
    pub(in crate::environment) reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FromNursery {
    Preloaded(Preloaded),
    Started {
        id: u64,
        pid: i32,
    },
    Ended {
        id: u64,
        #[serde(flatten)]
        exit: Exit,
    },
}

/// What the interpreter owes us answers for.
#[derive(Default)]
struct Waiting {
    preloads: VecDeque<oneshot::Sender<Preloaded>>,
    starts: HashMap<u64, oneshot::Sender<i32>>,
    ends: HashMap<u64, watch::Sender<Option<Exit>>>,
}

/// A warm interpreter. It ends, and its bases with it, when the last user of it is gone.
pub(in crate::environment) struct Nursery {
    commands: mpsc::UnboundedSender<Value>,
    waiting: Arc<Mutex<Waiting>>,
    next: AtomicU64,
    gone: watch::Receiver<bool>,
    /// Dropping these closes its stdin, which is its sign to end.
    _tasks: JoinSet<()>,
    _child: Child,
}

/// What a base is started with.
pub(in crate::environment) struct Hatch<'a> {
    /// Arguments after `-m hud.worker`.
    pub(in crate::environment) args: &'a [OsString],
    pub(in crate::environment) cwd: &'a Path,
    pub(in crate::environment) env: &'a BTreeMap<String, String>,
    /// Where the base's control channel connects; in a folder that only we can enter.
    pub(in crate::environment) control: PathBuf,
    pub(in crate::environment) log: &'a Path,
}

impl Nursery {
    /// Starts an interpreter that has imported nothing yet. `program` is the interpreter with all but `--nursery`.
    ///
    /// # Errors
    /// In words, when there is no such program.
    pub(in crate::environment) async fn start(
        mut program: Program,
        log: &Path,
    ) -> Result<Self, String> {
        program.args.push("--nursery".into());
        let mut child = process::spawn_piped(&program, log)
            .await
            .map_err(|error| format!("{error:#}"))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the warm interpreter has no pipes".to_owned());
        };
        let waiting = Arc::<Mutex<Waiting>>::default();
        let (commands, receiver) = mpsc::unbounded_channel();
        let (gone_sender, gone) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(write_lines(stdin, receiver));
        tasks.spawn(read_lines(stdout, Arc::clone(&waiting), gone_sender));
        Ok(Self {
            commands,
            waiting,
            next: AtomicU64::new(1),
            gone,
            _tasks: tasks,
            _child: child,
        })
    }

    /// Whether it has ended.
    pub(in crate::environment) fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }

    /// Imports `modules`; those that it has are left as they are. `None` when it ended over that.
    pub(in crate::environment) async fn preload(&self, modules: &[String]) -> Option<Preloaded> {
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().ok()?.preloads.push_back(sender);
        self.send(json!({"op": "preload", "modules": modules}))?;
        answer.await.ok()
    }

    /// Forks a base, and returns its control channel and its process.
    ///
    /// # Errors
    /// In words, when the interpreter is gone or the base ended before it connected.
    pub(in crate::environment) async fn hatch(
        self: &Arc<Self>,
        hatch: Hatch<'_>,
    ) -> Result<(UnixStream, BaseProcess), String> {
        let listener = UnixListener::bind(&hatch.control)
            .map_err(|error| format!("cannot listen on `{}`: {error}", hatch.control.display()))?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, mut started) = oneshot::channel();
        let (ended_sender, ended) = watch::channel(None);
        if let Ok(mut waiting) = self.waiting.lock() {
            waiting.starts.insert(id, sender);
            waiting.ends.insert(id, ended_sender);
        }
        let lossy = |arg: &OsString| arg.to_string_lossy().into_owned();
        let gone = || "the warm interpreter is gone".to_owned();
        self.send(json!({
            "op": "start",
            "id": id,
            "control": hatch.control,
            "log": hatch.log,
            "args": hatch.args.iter().map(lossy).collect::<Vec<_>>(),
            "cwd": hatch.cwd,
            "env": hatch.env,
        }))
        .ok_or_else(gone)?;
        let mut hatched = Hatched {
            pid: None,
            ended: ended.clone(),
            _nursery: Arc::clone(self),
        };
        let pid = (&mut started).await.map_err(|_| gone())?;
        hatched.pid = Pid::from_raw(pid);
        // From here on it is killed when nobody waits for it any more.
        let process = super::base::Importing::new(BaseProcess::Hatched(hatched));
        let mut ended = ended;
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted.map_err(|error| error.to_string()),
            exit = ended.wait_for(Option::is_some) => Err(match exit.ok().and_then(|exit| exit.clone()) {
                Some(exit) => exit.status(),
                None => gone(),
            }),
        };
        let _ = fs::remove_file_if_exists(&hatch.control);
        let (stream, _) =
            accepted.map_err(|how| format!("the warm interpreter started no worker: {how}"))?;
        let process = process.ready().ok_or_else(gone)?;
        Ok((stream, process))
    }

    fn send(&self, command: Value) -> Option<()> {
        if self.is_gone() {
            return None;
        }
        self.commands.send(command).ok()
    }
}

async fn write_lines(mut stdin: ChildStdin, mut receiver: mpsc::UnboundedReceiver<Value>) {
    while let Some(command) = receiver.recv().await {
        let mut line = command.to_string();
        line.push('\n');
        if stdin.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_lines(stdout: ChildStdout, waiting: Arc<Mutex<Waiting>>, gone: watch::Sender<bool>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(mut waiting) = waiting.lock() else {
            break;
        };
        // Whoever waited may have been dropped; the answer is then for nobody.
        match serde_json::from_str(&line) {
            Ok(FromNursery::Preloaded(preloaded)) => {
                if let Some(sender) = waiting.preloads.pop_front() {
                    let _ = sender.send(preloaded);
                }
            }
            Ok(FromNursery::Started { id, pid }) => {
                if let Some(sender) = waiting.starts.remove(&id) {
                    let _ = sender.send(pid);
                }
            }
            Ok(FromNursery::Ended { id, exit }) => {
                waiting.starts.remove(&id);
                if let Some(sender) = waiting.ends.remove(&id) {
                    let _ = sender.send(Some(exit));
                }
            }
            Err(error) => tracing::debug!("an unexpected line from the warm interpreter: {error}"),
        }
    }
    let _ = gone.send(true);
    if let Ok(mut waiting) = waiting.lock() {
        *waiting = Waiting::default();
    }
}
