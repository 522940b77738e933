//! Starts new versions beside the one that serves, swaps them, and lets the old ones end.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;

use super::changes;
use super::environment::{DevOptions, State, session_options};
use super::events::{DevEvent, FailedVersion};
use super::own_output::OwnOutput;
use super::places::watched_paths;
use super::version::Version;
use super::watch::{FileWatcher, Seen, WatchOptions};
use crate::environment::{
    EnvironmentError, Environments, Notice, Offers, Session, StartOptions, Started,
};
use crate::mcp::VersionChange;
use crate::task::EnvironmentSpec;

/// So many new starts within this time are enough: the version that is being started may finish, although files have changed again. Something
/// that writes without end would otherwise keep every version from serving.
const RESTARTS: usize = 5;
const RESTARTS_WITHIN: Duration = Duration::from_secs(2);

/// A version that ended by itself so many times within this time is not started again before something changes.
const ENDINGS: usize = 3;
const ENDINGS_WITHIN: Duration = Duration::from_secs(10);

/// After this long a person wants to know that it is still going on.
const SLOW_START: Duration = Duration::from_secs(5);

/// What the supervisor is told.
pub(super) enum Signal {
    /// Start a new version.
    Reload { cold: bool },
    /// Something happened in a running version.
    Notice { version: u64, notice: Notice },
    /// End everything.
    Close,
}

/// The one owner of all versions.
pub(super) struct Supervisor {
    environments: Arc<Environments>,
    options: Arc<DevOptions>,
    state: watch::Sender<State>,
    events: mpsc::UnboundedSender<DevEvent>,
    changes: broadcast::Sender<VersionChange>,
    signals: mpsc::UnboundedSender<Signal>,
    watcher: Option<(FileWatcher, mpsc::UnboundedReceiver<Seen>)>,
    /// The number of the newest version that was tried.
    tried: u64,
    attempt: Option<Attempt>,
    /// What the last version that served offered.
    offers: Offers,
    restarts: VecDeque<Instant>,
    endings: VecDeque<Instant>,
    /// Versions that end; each task waits until nobody uses it, and closes it.
    draining: JoinSet<()>,
    /// Processes that are made ready again.
    anchoring: JoinSet<()>,
    own_output: OwnOutput,
    /// Notes that have been told.
    told: BTreeSet<String>,
}

/// What became of a start: the environment, and in `shared` isolation a session for which its process runs.
type Outcome = Result<(Arc<Started>, Option<Session>), EnvironmentError>;

/// What is new of a start.
enum Progress {
    Ended(Outcome),
    /// It takes long.
    Slow,
}

/// A version that is being started.
struct Attempt {
    number: u64,
    files: BTreeSet<PathBuf>,
    /// The first sign of what it is for.
    since: Instant,
    begun: Instant,
    /// Files changed after it was begun, and it was let finish.
    outdated: bool,
    slow: bool,
    outcome: BoxFuture<'static, Outcome>,
}

impl Supervisor {
    pub(super) fn new(
        environments: Arc<Environments>,
        options: Arc<DevOptions>,
        state: watch::Sender<State>,
        events: mpsc::UnboundedSender<DevEvent>,
        changes: broadcast::Sender<VersionChange>,
        signals: mpsc::UnboundedSender<Signal>,
    ) -> Self {
        Self {
            environments,
            options,
            state,
            events,
            changes,
            signals,
            watcher: None,
            tried: 0,
            attempt: None,
            offers: Offers::default(),
            restarts: VecDeque::new(),
            endings: VecDeque::new(),
            draining: JoinSet::new(),
            anchoring: JoinSet::new(),
            own_output: OwnOutput::default(),
            told: BTreeSet::new(),
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Signal>) {
        let began = Instant::now();
        self.watch().await;
        self.begin(BTreeSet::new(), began);
        loop {
            tokio::select! {
                signal = inbox.recv() => match signal {
                    Some(Signal::Reload { cold }) => {
                        if cold {
                            self.environments.forget_warm(&self.options.spec);
                        }
                        self.endings.clear();
                        self.own_output.forget();
                        self.begin(BTreeSet::new(), Instant::now());
                    }
                    Some(Signal::Notice { version, notice }) => self.noticed(version, notice),
                    Some(Signal::Close) | None => break,
                },
                seen = next_seen(&mut self.watcher) => self.seen(seen),
                progress = progress(&mut self.attempt) => match progress {
                    Progress::Ended(outcome) => self.ended(outcome),
                    Progress::Slow => self.is_slow(),
                },
                Some(_) = self.draining.join_next() => {
                    self.state.send_modify(|state| state.draining = state.draining.saturating_sub(1));
                }
                Some(_) = self.anchoring.join_next() => {}
            }
        }
        self.watcher = None;
        self.close().await;
    }

    async fn watch(&mut self) {
        if !self.options.watching {
            return;
        }
        let paths = watched_paths(&self.options, self.environments.folder());
        self.state
            .send_modify(|state| state.watching.clone_from(&paths));
        let options = WatchOptions {
            paths,
            builds_itself: matches!(self.options.spec, EnvironmentSpec::Servers { .. }),
        };
        self.watcher = Some(FileWatcher::start(options).await);
    }

    fn tell(&self, event: DevEvent) {
        // Whoever listened may be gone; clients are served all the same.
        let _ = self.events.send(event);
    }

    fn note(&mut self, words: String) {
        if self.told.insert(words.clone()) {
            self.tell(DevEvent::Note(words));
        }
    }

    fn seen(&mut self, seen: Seen) {
        match seen {
            Seen::Changed { files, at } => {
                self.endings.clear();
                self.changed(files, at);
            }
            Seen::Dependencies(files) => self.tell(DevEvent::RebuildNeeded { files }),
            Seen::Settings(files) => {
                for file in files {
                    self.tell(DevEvent::Note(format!(
                        "`{}` is read at the start: run hud dev again to use it",
                        file.display()
                    )));
                }
            }
            Seen::Gone(path) => self.tell(DevEvent::WatchGone { path }),
            Seen::Back(path) => self.tell(DevEvent::WatchBack { path }),
            Seen::Trouble(words) => self.note(words),
        }
    }

    fn changed(&mut self, files: Vec<PathBuf>, at: Instant) {
        let now = Instant::now();
        let (mut files, own) = self.own_output.sort(files, now);
        for file in own {
            self.note(format!(
                "`{}` changes whenever the environment starts, so it is taken as written by it: no reload for it any more",
                file.display()
            ));
        }
        if files.is_empty() {
            return;
        }
        let mut since = at;
        if let Some(attempt) = &mut self.attempt {
            self.restarts.push_back(now);
            while self
                .restarts
                .front()
                .is_some_and(|first| now - *first > RESTARTS_WITHIN)
            {
                self.restarts.pop_front();
            }
            attempt.files.append(&mut files);
            if self.restarts.len() > RESTARTS {
                attempt.outdated = true;
                return;
            }
            files = std::mem::take(&mut attempt.files);
            since = attempt.since;
        }
        self.begin(files, since);
    }

    /// Starts a version; one that is being started is given up.
    fn begin(&mut self, files: BTreeSet<PathBuf>, since: Instant) {
        let number = self.tried + 1;
        let signals = self.signals.clone();
        let start = StartOptions {
            isolation: self.options.isolation,
            // Whatever is neither installed nor of the standard library may be what somebody works on.
            project: vec![PathBuf::from("/")],
            nursery: self.options.warm,
            timeout: Some(self.options.import_timeout),
            log: Some(self.options.log.clone()),
            notices: Some(Arc::new(move |notice| {
                // Nobody listens after the close.
                let _ = signals.send(Signal::Notice {
                    version: number,
                    notice,
                });
            })),
        };
        let environments = Arc::clone(&self.environments);
        let options = Arc::clone(&self.options);
        let outcome = Box::pin(async move {
            let started = environments.start(&options.spec, &start).await?;
            match anchor(&environments, &options, &started).await {
                Ok(anchor) => Ok((started, anchor)),
                Err(error) => {
                    started.close().await;
                    Err(error)
                }
            }
        });
        self.state.send_modify(|state| state.starting = true);
        self.attempt = Some(Attempt {
            number,
            files,
            since,
            begun: Instant::now(),
            outdated: false,
            slow: false,
            outcome,
        });
    }

    fn is_slow(&mut self) {
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        attempt.slow = true;
        let serving = self.state.borrow().current.as_ref().map_or_else(
            || "nothing is served yet".to_owned(),
            |version| format!("version {} serves", version.number),
        );
        let words = format!(
            "version {} is still starting after {}; {serving}",
            attempt.number,
            crate::util::time::human(attempt.begun.elapsed()),
        );
        self.tell(DevEvent::Note(words));
    }

    fn ended(&mut self, outcome: Outcome) {
        let Some(attempt) = self.attempt.take() else {
            return;
        };
        self.tried = attempt.number;
        self.own_output.started(&attempt.files, Instant::now());
        match outcome {
            Ok((started, anchor)) => self.swap(&attempt, started, anchor),
            Err(error) => self.failed(attempt.number, error.message),
        }
        if attempt.outdated {
            self.begin(attempt.files, Instant::now());
        }
    }

    fn swap(&mut self, attempt: &Attempt, started: Arc<Started>, anchor: Option<Session>) {
        let (change, words) = changes::between(&self.offers, started.offers(), attempt.number);
        self.offers = started.offers().clone();
        if self.options.watch.is_empty()
            && let Some((watcher, _)) = &self.watcher
        {
            watcher.add(started.files().to_vec());
        }
        let tools = started.offers().tools.len();
        let scenarios = started.offers().scenarios.len();
        let version = Version::new(attempt.number, started, anchor);
        let mut old = None;
        self.state.send_modify(|state| {
            old = state.current.replace(version);
            state.starting = false;
            state.failed = None;
            state.reloads += u64::from(old.is_some());
            state.draining += usize::from(old.is_some());
        });
        // Nobody may be connected yet.
        let _ = self.changes.send(change);
        let took = attempt.since.elapsed();
        match old {
            None => self.tell(DevEvent::Serving {
                version: attempt.number,
                took,
                tools,
                scenarios,
            }),
            Some(old) => {
                self.tell(DevEvent::Reloaded {
                    version: attempt.number,
                    took,
                    files: attempt.files.iter().cloned().collect(),
                    changes: words,
                });
                self.draining.spawn(async move {
                    old.unused().await;
                    old.close().await;
                });
            }
        }
    }

    fn failed(&mut self, version: u64, message: String) {
        let (before, serving) = {
            let state = self.state.borrow();
            let before = state.failed.as_ref().map(|failed| failed.message.clone());
            let serving = state.current.as_ref().map(|version| version.number);
            (before, serving)
        };
        let failed = FailedVersion {
            version,
            message: message.clone(),
        };
        self.state.send_modify(|state| {
            state.starting = false;
            state.failed = Some(failed);
        });
        if before.as_ref() == Some(&message) {
            self.tell(DevEvent::Note(format!(
                "version {version} failed in the same way"
            )));
        } else {
            self.tell(DevEvent::ReloadFailed {
                version,
                serving,
                message,
            });
        }
    }

    fn noticed(&mut self, version: u64, notice: Notice) {
        let current = self.state.borrow().current.clone();
        let current = current.filter(|current| current.number == version);
        match notice {
            Notice::Note(words) => self.note(words),
            Notice::Blocked {
                tool,
                session,
                for_,
            } => self.tell(DevEvent::Blocked {
                tool,
                session,
                for_,
            }),
            Notice::Died { message } => match current {
                Some(current) => {
                    self.tell(DevEvent::WorkerDied { message });
                    if current.started.is_shared() {
                        self.anchor_again(current);
                    }
                }
                None => self.tell(DevEvent::Note(format!(
                    "version {version}, which was replaced already: {message}"
                ))),
            },
            Notice::Ended { message } => {
                // An earlier version that ends by itself is one less.
                if current.is_some() {
                    self.restart_after(&message);
                }
            }
        }
    }

    /// The process that all sessions share died: a fresh one is made ready before somebody asks for it, unless that just happened.
    fn anchor_again(&mut self, version: Arc<Version>) {
        if self.ends_too_often() {
            return;
        }
        let environments = Arc::clone(&self.environments);
        let options = Arc::clone(&self.options);
        self.anchoring.spawn(async move {
            // When it fails, the next session's opening says why.
            if let Ok(Some(session)) = anchor(&environments, &options, &version.started).await {
                version.anchor(session).await;
            }
        });
    }

    fn restart_after(&mut self, message: &str) {
        let often = self.ends_too_often();
        self.tell(DevEvent::WorkerDied {
            message: message.to_owned(),
        });
        if self.attempt.is_some() {
            return;
        }
        if often {
            let message = format!("it keeps ending by itself: {message}");
            self.tried += 1;
            self.failed(self.tried, message);
        } else {
            self.begin(BTreeSet::new(), Instant::now());
        }
    }

    fn ends_too_often(&mut self) -> bool {
        let now = Instant::now();
        self.endings.push_back(now);
        while self
            .endings
            .front()
            .is_some_and(|first| now - *first > ENDINGS_WITHIN)
        {
            self.endings.pop_front();
        }
        self.endings.len() > ENDINGS
    }

    async fn close(mut self) {
        self.attempt = None;
        let current = self.state.borrow().current.clone();
        self.state.send_modify(|state| {
            state.current = None;
            state.starting = false;
        });
        // What still drains is closed with the pool; copies of clients have been closed by now.
        if let Some(current) = current {
            current.close().await;
        }
        self.anchoring.shutdown().await;
        self.draining.shutdown().await;
        self.environments.close().await;
    }
}

/// A session of our own where all sessions share a process: that is started now, and `@env.initialize` has run before a client waits for it.
async fn anchor(
    environments: &Environments,
    options: &DevOptions,
    started: &Arc<Started>,
) -> Result<Option<Session>, EnvironmentError> {
    if !started.is_shared() {
        return Ok(None);
    }
    let opening = async {
        let session = environments
            .open_started(started, &session_options(options, None))
            .await?;
        session.tools().await?;
        Ok(Some(session))
    };
    tokio::time::timeout(options.import_timeout, opening)
        .await
        .unwrap_or_else(|_| {
            Err(EnvironmentError {
                phase: crate::event::Phase::Connect,
                message: format!(
                    "initializing the environment took longer than {}",
                    crate::util::time::human(options.import_timeout)
                ),
                timed_out: true,
            })
        })
}

async fn next_seen(watcher: &mut Option<(FileWatcher, mpsc::UnboundedReceiver<Seen>)>) -> Seen {
    match watcher {
        Some((_, receiver)) => match receiver.recv().await {
            Some(seen) => seen,
            // The watcher gave up, which it has told.
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

async fn progress(attempt: &mut Option<Attempt>) -> Progress {
    let Some(attempt) = attempt else {
        return std::future::pending().await;
    };
    if attempt.slow {
        return Progress::Ended((&mut attempt.outcome).await);
    }
    let slow = (attempt.begun + SLOW_START).into();
    match tokio::time::timeout_at(slow, &mut attempt.outcome).await {
        Ok(outcome) => Progress::Ended(outcome),
        Err(_) => Progress::Slow,
    }
}
