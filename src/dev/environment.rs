//! The environment that reloads, as its clients and the command line see it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;

use super::events::{DevEvent, FailedVersion, Status};
use super::supervisor::{Signal, Supervisor};
use super::version::{DevCopy, Version};
use crate::environment::{Environments, Isolation, SessionOptions};
use crate::mcp::{CallReport, ClientEvents, CopySource, Identity, RelayedCopy, VersionChange};
use crate::task::{ConnectionSpec, EnvironmentSpec};

/// Changes of versions that a slow listener may have unread; it learns that it missed some and looks at the version itself.
const UNREAD_CHANGES: usize = 16;

/// How often a copy is asked for anew when its version ended at that moment.
const ATTEMPTS: usize = 3;

/// What is developed, and how.
#[derive(Clone, Debug)]
pub struct DevOptions {
    /// The environment: a Python source, or servers of which one is a command.
    pub spec: EnvironmentSpec,
    /// Files and folders to watch beside the source itself; when empty, the source's whole folder.
    pub watch: Vec<PathBuf>,
    /// Whether files are watched at all.
    pub watching: bool,
    /// How copies are kept apart.
    pub isolation: Isolation,
    /// How long importing (or starting the command) may take.
    pub import_timeout: Duration,
    /// Where everything that the environment prints goes.
    pub log: PathBuf,
    /// Whether an interpreter with the dependencies loaded is kept, from which new versions start.
    pub warm: bool,
}

/// An environment that is replaced by its new version whenever its files change.
pub struct DevEnvironment {
    environments: Arc<Environments>,
    options: Arc<DevOptions>,
    began: Instant,
    state: watch::Receiver<State>,
    changes: broadcast::Sender<VersionChange>,
    events: mpsc::UnboundedSender<DevEvent>,
    signals: mpsc::UnboundedSender<Signal>,
    supervisor: tokio::sync::Mutex<JoinSet<()>>,
}

/// How things stand, as the supervisor last said.
#[derive(Clone, Default)]
pub(super) struct State {
    /// The version that serves.
    pub(super) current: Option<Arc<Version>>,
    /// Whether a new one is being started.
    pub(super) starting: bool,
    /// The newest version, when that did not start.
    pub(super) failed: Option<FailedVersion>,
    /// What is watched.
    pub(super) watching: Vec<PathBuf>,
    pub(super) reloads: u64,
    pub(super) draining: usize,
}

impl State {
    /// Whether `version` has ended by itself and is not started again.
    fn gave_up(&self, version: u64) -> bool {
        self.failed
            .as_ref()
            .is_some_and(|failed| failed.version > version)
    }
}

impl DevEnvironment {
    /// Starts watching and the first version, and returns when that serves or has failed. It never fails: what goes wrong is an event and
    /// in [`DevEnvironment::status`], and the next save may mend it.
    pub async fn start(
        environments: Arc<Environments>,
        options: DevOptions,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<DevEvent>) {
        let options = Arc::new(options);
        let (events, receiver) = mpsc::unbounded_channel();
        let (signals, inbox) = mpsc::unbounded_channel();
        let (changes, _) = broadcast::channel(UNREAD_CHANGES);
        let (sender, mut state) = watch::channel(State {
            starting: true,
            ..State::default()
        });
        let supervisor = Supervisor::new(
            Arc::clone(&environments),
            Arc::clone(&options),
            sender,
            events.clone(),
            changes.clone(),
            signals.clone(),
        );
        let mut tasks = JoinSet::new();
        tasks.spawn(supervisor.run(inbox));
        // It fails when the supervisor is gone; the state then says what it said last.
        let _ = state.wait_for(|state| !state.starting).await;
        let this = Self {
            environments,
            options,
            began: Instant::now(),
            state,
            changes,
            events,
            signals,
            supervisor: tokio::sync::Mutex::new(tasks),
        };
        (Arc::new(this), receiver)
    }

    /// Starts a new version now. `cold` imports the dependencies anew too.
    pub fn reload(&self, cold: bool) {
        // Nobody listens after the close.
        let _ = self.signals.send(Signal::Reload { cold });
    }

    /// Replaces the process that all sessions share, where they do, without a new version: for a tool that never ends. What runs in it is lost.
    /// Says whether there was one.
    pub fn replace_process(&self) -> bool {
        self.state
            .borrow()
            .current
            .as_ref()
            .is_some_and(|version| version.started.replace())
    }

    /// How things stand.
    pub fn status(&self) -> Status {
        let name = self.identity().name;
        let state = self.state.borrow();
        Status {
            name,
            serving: state.current.as_ref().map(|version| version.number),
            failed: state.failed.clone(),
            isolation: self.options.isolation,
            watching: state.watching.clone(),
            running_for: self.began.elapsed(),
            reloads: state.reloads,
            draining: state.draining,
        }
    }

    /// Ends every version: scenarios are closed, shutdown hooks run, processes end.
    pub async fn close(&self) {
        let _ = self.signals.send(Signal::Close);
        let mut tasks = self.supervisor.lock().await;
        while tasks.join_next().await.is_some() {}
    }

    /// The name before the environment was ever imported.
    fn name_of_source(&self) -> String {
        match &self.options.spec {
            EnvironmentSpec::Python { source, .. } => source
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default(),
            EnvironmentSpec::Servers { servers } => match servers.first() {
                Some((_, ConnectionSpec::Stdio { command, .. })) => command.join(" "),
                Some((name, ConnectionSpec::Http { .. })) => name.clone(),
                None => String::new(),
            },
            EnvironmentSpec::Image { image, .. } => image.clone(),
            EnvironmentSpec::Hub { name, .. } => name.clone(),
        }
    }

    /// Waits until there is a version, and says why there is none when none is being started.
    async fn current(&self) -> Result<super::version::Held, String> {
        let mut state = self.state.clone();
        loop {
            {
                let state = state.borrow_and_update();
                match &state.current {
                    // Held while the state is: it cannot be retired in between.
                    Some(version) if !version.started.is_gone() => return Ok(version.hold()),
                    Some(_) | None if state.starting => {}
                    // It has just ended; what follows from that is being decided.
                    Some(version) if !state.gave_up(version.number) => {}
                    Some(_) | None => return Err(why_not(&state)),
                }
            }
            if state.changed().await.is_err() {
                return Err("the development server is closing".to_owned());
            }
        }
    }
}

fn why_not(state: &State) -> String {
    match &state.failed {
        Some(failed) => format!(
            "nothing is served: version {} failed: {}",
            failed.version, failed.message
        ),
        None => "nothing is served yet".to_owned(),
    }
}

#[async_trait]
impl CopySource for DevEnvironment {
    fn identity(&self) -> Identity {
        match &self.state.borrow().current {
            Some(version) => {
                let description = version.started.description();
                Identity {
                    name: description.name.clone(),
                    version: description.version.clone(),
                    instructions: description.instructions.clone(),
                }
            }
            None => Identity {
                name: self.name_of_source(),
                version: "0.0.0".to_owned(),
                instructions: None,
            },
        }
    }

    fn version(&self) -> u64 {
        self.state
            .borrow()
            .current
            .as_ref()
            .map_or(0, |version| version.number)
    }

    fn changes(&self) -> Option<broadcast::Receiver<VersionChange>> {
        Some(self.changes.subscribe())
    }

    async fn open(&self, events: Arc<dyn ClientEvents>) -> Result<Arc<dyn RelayedCopy>, String> {
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            let held = self.current().await?;
            let options = session_options(&self.options, Some(Arc::clone(&events)));
            match self
                .environments
                .open_started(held.started(), &options)
                .await
            {
                Ok(session) => return Ok(Arc::new(DevCopy::new(session, held))),
                Err(error) => {
                    failure = error.message;
                    if !held.started().is_gone() {
                        break;
                    }
                }
            }
        }
        Err(failure)
    }

    fn observe(&self, call: &CallReport) {
        // Nobody listens any more when the command line is closing.
        let _ = self.events.send(DevEvent::Call(call.clone()));
    }
}

/// How a copy is opened for a client, or for ourselves.
pub(super) fn session_options(
    options: &DevOptions,
    client: Option<Arc<dyn ClientEvents>>,
) -> SessionOptions {
    SessionOptions {
        trace_id: uuid::Uuid::new_v4().simple().to_string(),
        seed: None,
        log: options.log.clone(),
        sampler: None,
        on_log: None,
        client,
    }
}
