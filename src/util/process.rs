//! Child processes that die with us and are found by name in errors.
//!
//! Linux can kill a child when its parent *thread* ends (`PDEATHSIG`), so children are started by one thread that lives as long as the
//! process. Setting it needs code between fork and exec, which would be unsafe here; instead the program is started through
//! `hud __child -- PROGRAM …`, which sets it, checks that its parent is still alive, and execs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::sync::mpsc;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// A program to start.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program; searched in the `PATH` of `env` when it has no slash.
    pub program: OsString,
    /// Its arguments; never seen by a shell.
    pub args: Vec<OsString>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// The `hud` binary, for [`the module's`](self) `__child`; `None` starts the program directly.
    pub wrapper: Option<PathBuf>,
    /// What it gets when we die.
    pub death_signal: DeathSignal,
}

/// The signal that the kernel sends to a child when we die (Linux).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathSignal {
    /// For programs that are known to end soon: they may clean up.
    Terminate,
    /// For everything else.
    Kill,
}

impl DeathSignal {
    /// The word on the command line of `hud __child`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terminate => "term",
            Self::Kill => "kill",
        }
    }
}

/// Starts `program` with piped stdin and stdout, and stderr appended to `stderr`.
///
/// # Errors
/// When the program or its working directory is not there; the message names both.
pub async fn spawn_piped(program: &Program, stderr: &Path) -> Result<Child> {
    let log = super::fs::append(stderr)?;
    let mut command = command(program);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(log));
    spawn(command).await.with_context(|| {
        format!(
            "cannot start `{}` in `{}`",
            program.program.to_string_lossy(),
            program.cwd.display()
        )
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the wrapper that the ban points to"
)]
fn command(program: &Program) -> Command {
    let mut command = if let Some(wrapper) = &program.wrapper {
        let mut command = Command::new(wrapper);
        command
            .arg("__child")
            .arg("--parent")
            .arg(std::process::id().to_string())
            .arg("--signal")
            .arg(program.death_signal.as_str())
            .arg("--")
            .arg(&program.program);
        command
    } else {
        Command::new(&program.program)
    };
    command
        .args(&program.args)
        .env_clear()
        .envs(&program.env)
        .current_dir(&program.cwd)
        // A terminal's Ctrl-C goes to the whole foreground group; children must outlive it long enough to be closed in order.
        .process_group(0)
        // One that cleans up by itself is left to do so: dropping it closes its stdin, which is its sign to end.
        .kill_on_drop(program.death_signal == DeathSignal::Kill);
    command
}

type Job = (
    Command,
    tokio::runtime::Handle,
    oneshot::Sender<std::io::Result<Child>>,
);

async fn spawn(command: Command) -> Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let sender = SPAWNER.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, runtime, reply) in receiver {
                let _entered = runtime.enter();
                // The receiver is gone only when the rollout was cancelled; the child is then killed on drop.
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, child) = oneshot::channel();
    sender
        .send((command, tokio::runtime::Handle::current(), reply))
        .map_err(|_| anyhow::anyhow!("the thread that starts processes is gone"))?;
    Ok(child
        .await
        .context("the thread that starts processes is gone")??)
}

/// Finds `program` in the `PATH` of `env`, as the kernel's callers would; one with a slash is returned when it is a file.
pub fn find(program: &str, path: Option<&str>) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    path?
        .split(':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(folder).join(program))
        .find(|candidate| candidate.is_file())
}
