//! Watches files and says which of them changed: bursts of reports become one change, and a file that was only touched is none.
//!
//! A thread of its own does it, because looking at files blocks. Folders are subscribed to one by one and never recursively, so that what is
//! left out (a virtual environment, `node_modules`) costs nothing, not even a place among the system's limited number of watches.

mod rules;
mod tree;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use self::rules::{Kind, Rules};
use self::tree::{Found, Tree};

/// A change is looked at when nothing was reported for this long: an editor writes a file in several steps, a checkout many files.
const QUIET: Duration = Duration::from_millis(10);

/// While reports keep coming, it is looked at after this long.
const PATIENCE: Duration = Duration::from_millis(60);

/// What is to be watched.
#[derive(Clone, Debug)]
pub(super) struct WatchOptions {
    /// Files and folders, absolute; they need not exist.
    pub(super) paths: Vec<PathBuf>,
    /// Whether a command is developed, which may read lists of packages by itself.
    pub(super) builds_itself: bool,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    /// Files of the project changed.
    Changed {
        /// Which.
        files: Vec<PathBuf>,
        /// When the first report came.
        at: Instant,
    },
    /// Files changed that name packages or describe the image.
    Dependencies(Vec<PathBuf>),
    /// Files changed that are read when the development server starts.
    Settings(Vec<PathBuf>),
    /// A path to watch is not there (any more).
    Gone(PathBuf),
    /// It is there again.
    Back(PathBuf),
    /// Something cannot be watched, in words.
    Trouble(String),
}

enum Message {
    Report(notify::Result<notify::Event>),
    /// Watch these too.
    Add(Vec<PathBuf>),
    Stop,
}

/// Watches until it is dropped.
pub(super) struct FileWatcher {
    messages: Sender<Message>,
}

impl Drop for FileWatcher {
    fn drop(&mut self) {
        // The thread may have ended by itself.
        let _ = self.messages.send(Message::Stop);
    }
}

impl FileWatcher {
    /// Looks at all files once and watches them from then on.
    pub(super) async fn start(options: WatchOptions) -> (Self, UnboundedReceiver<Seen>) {
        let (messages, reports) = std::sync::mpsc::channel();
        let (seen, receiver) = tokio::sync::mpsc::unbounded_channel();
        let (ready, started) = oneshot::channel();
        let sender = messages.clone();
        std::thread::spawn(move || watch(&options, sender, &reports, &seen, ready));
        // It fails when the thread gave up, which it has told.
        let _ = started.await;
        (Self { messages }, receiver)
    }

    /// Watches `paths` too, unless they are watched already.
    pub(super) fn add(&self, paths: Vec<PathBuf>) {
        // The thread may have ended by itself.
        let _ = self.messages.send(Message::Add(paths));
    }
}

fn watch(
    options: &WatchOptions,
    sender: Sender<Message>,
    reports: &Receiver<Message>,
    seen: &UnboundedSender<Seen>,
    ready: oneshot::Sender<()>,
) {
    let handler = move |report| {
        // The thread below has ended: nobody watches any more.
        let _ = sender.send(Message::Report(report));
    };
    let mut watcher = match notify::recommended_watcher(handler) {
        Ok(watcher) => watcher,
        Err(error) => {
            let _ = seen.send(Seen::Trouble(in_words(&error, None)));
            return;
        }
    };
    let mut troubles = Troubles::default();
    let rules = Rules::new(options.builds_itself);
    let mut subscribe = |folder: &Path| troubles.subscribe(&mut watcher, folder);
    let (mut tree, gone) = Tree::new(&options.paths, rules, &mut subscribe);
    let tell = |what| seen.send(what).is_ok();
    for path in gone {
        tell(Seen::Gone(path));
    }
    for trouble in troubles.take() {
        tell(Seen::Trouble(trouble));
    }
    if ready.send(()).is_err() {
        return;
    }
    while let Some(burst) = next_burst(reports, &mut tree) {
        for words in burst.troubles {
            tell(Seen::Trouble(words));
        }
        let mut subscribe = |folder: &Path| troubles.subscribe(&mut watcher, folder);
        tree.add(&burst.added, &mut subscribe);
        let found = if burst.dropped {
            tree.check_all(&mut subscribe)
        } else {
            tree.check(&burst.paths, &mut subscribe)
        };
        for trouble in troubles.take() {
            tell(Seen::Trouble(trouble));
        }
        for what in sorted(found, burst.at, &tree) {
            if !tell(what) {
                return;
            }
        }
    }
}

/// Reports that came together.
struct Burst {
    paths: BTreeSet<PathBuf>,
    /// When the first one came.
    at: Instant,
    /// Whether the system dropped some.
    dropped: bool,
    troubles: Vec<String>,
    /// Paths that are to be watched from now on.
    added: Vec<PathBuf>,
}

/// Waits for a report that matters, and for those that follow it closely. `None` when it is time to stop.
fn next_burst(reports: &Receiver<Message>, tree: &mut Tree) -> Option<Burst> {
    let mut burst: Option<Burst> = None;
    let mut last = Instant::now();
    loop {
        let message = match &burst {
            None => reports.recv().ok()?,
            Some(burst) => {
                let until = (last + QUIET).min(burst.at + PATIENCE);
                match reports.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(message) => message,
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return None,
                }
            }
        };
        let now = Instant::now();
        let mut paths = BTreeSet::new();
        let mut dropped = false;
        let mut troubles = Vec::new();
        let mut added = Vec::new();
        match message {
            Message::Stop => return None,
            Message::Add(paths) => added = tree.unknown(paths),
            Message::Report(Err(error)) => troubles.push(in_words(&error, None)),
            Message::Report(Ok(event)) => {
                dropped = event.need_rescan();
                if may_change(event.kind) {
                    paths.extend(event.paths.iter().filter_map(|path| tree.concerns(path)));
                }
            }
        }
        if paths.is_empty() && !dropped && troubles.is_empty() && added.is_empty() {
            // Not of interest; but reports of interest may wait behind it no longer than they should.
            if burst
                .as_ref()
                .is_some_and(|burst| now >= burst.at + PATIENCE)
            {
                break;
            }
            continue;
        }
        last = now;
        let burst = burst.get_or_insert_with(|| Burst {
            paths: BTreeSet::new(),
            at: now,
            dropped: false,
            troubles: Vec::new(),
            added: Vec::new(),
        });
        burst.added.extend(added);
        burst.paths.extend(paths);
        burst.dropped |= dropped;
        burst.troubles.extend(troubles);
    }
    burst
}

/// Whether such a report may mean that a file holds something else. Reading is reported too.
fn may_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

fn sorted(found: Found, at: Instant, tree: &Tree) -> Vec<Seen> {
    let mut seen: Vec<Seen> = found.gone.into_iter().map(Seen::Gone).collect();
    seen.extend(found.back.into_iter().map(Seen::Back));
    let (mut source, mut dependencies, mut settings) = (Vec::new(), Vec::new(), Vec::new());
    for path in found.changed {
        match tree.kind(&path) {
            Kind::Source => source.push(path),
            Kind::Dependencies => dependencies.push(path),
            Kind::Settings => settings.push(path),
        }
    }
    if !dependencies.is_empty() {
        seen.push(Seen::Dependencies(dependencies));
    }
    if !settings.is_empty() {
        seen.push(Seen::Settings(settings));
    }
    if !source.is_empty() {
        seen.push(Seen::Changed { files: source, at });
    }
    seen
}

/// What could not be subscribed to; each kind of trouble is told once.
#[derive(Default)]
struct Troubles {
    told: BTreeSet<String>,
    new: Vec<String>,
}

impl Troubles {
    fn subscribe(&mut self, watcher: &mut RecommendedWatcher, folder: &Path) {
        let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) else {
            return;
        };
        // It went away in the meantime, which is reported of the folder that held it.
        if matches!(error.kind, notify::ErrorKind::PathNotFound) {
            return;
        }
        let words = in_words(&error, Some(folder));
        // Once the limit is reached, every further folder says the same.
        let kind = words.split('`').next().unwrap_or_default().to_owned();
        if self.told.insert(kind) {
            self.new.push(words);
        }
    }

    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.new)
    }
}

/// What notify says, with what to do about it.
fn in_words(error: &notify::Error, folder: Option<&Path>) -> String {
    let what = folder.map_or_else(
        || "cannot watch files".to_owned(),
        |folder| format!("cannot watch `{}`", folder.display()),
    );
    let too_many = |what: String, limit: &str, proposal: u32| {
        format!(
            "{what}: the system's limit `{limit}` is reached; changes there are not seen\nhint: raise it: sudo sysctl {limit}={proposal}"
        )
    };
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => too_many(what, "fs.inotify.max_user_watches", 524_288),
        notify::ErrorKind::Io(io) if io.raw_os_error() == Some(EMFILE) && folder.is_none() => {
            too_many(what, "fs.inotify.max_user_instances", 1024)
        }
        notify::ErrorKind::Io(io) => format!("{what}: {io}"),
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::PathNotFound
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_) => format!("{what}: {error}"),
    }
}

/// "Too many open files": what Linux says when a user has too many inotify instances.
const EMFILE: i32 = 24;

#[cfg(test)]
mod tests;
