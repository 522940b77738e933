//! Real files in real folders: what is done to them, and what is seen.

use super::*;
use crate::util::fs;

/// A project that is watched.
struct Bench {
    folder: tempfile::TempDir,
    seen: UnboundedReceiver<Seen>,
    last: String,
    watcher: FileWatcher,
}

impl Bench {
    async fn new(files: &[&str], watch: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            write(&folder.path().join(file), "first");
        }
        let paths = watch.iter().map(|path| folder.path().join(path)).collect();
        let (watcher, seen) = FileWatcher::start(WatchOptions {
            paths,
            builds_itself: false,
        })
        .await;
        Self {
            folder,
            seen,
            last: String::new(),
            watcher,
        }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        write(&self.at(path), text);
    }

    async fn next(&mut self) -> String {
        let seen = tokio::time::timeout(Duration::from_mins(1), self.seen.recv());
        let short = |paths: Vec<PathBuf>| {
            let names = paths.iter().map(|path| {
                let path = path.strip_prefix(self.folder.path()).unwrap_or(path);
                path.display().to_string()
            });
            names.collect::<Vec<_>>().join(" ")
        };
        match seen.await.expect("nothing was seen").unwrap() {
            Seen::Changed { files, .. } => short(files),
            Seen::Dependencies(files) => format!("dependencies {}", short(files)),
            Seen::Settings(files) => format!("settings {}", short(files)),
            Seen::Gone(path) => format!("gone {}", short(vec![path])),
            Seen::Back(path) => format!("back {}", short(vec![path])),
            Seen::Trouble(words) => words,
        }
    }

    /// The next thing that is seen. What was expected last may come again: a machine that is slow enough sees a file half written.
    async fn expect(&mut self, expected: &str) {
        loop {
            let seen = self.next().await;
            if seen == expected {
                expected.clone_into(&mut self.last);
                return;
            }
            assert_eq!(seen, self.last, "expected: {expected}");
        }
    }

    /// All that is seen until a change of `mark` (written now) is: what happened before it was of no interest.
    async fn until_mark(&mut self, mark: &str) -> Vec<String> {
        self.write(mark, &format!("{:?}", Instant::now()));
        let mut all = Vec::new();
        loop {
            let seen = self.next().await;
            if seen.split(' ').any(|name| name == mark) {
                let others: Vec<_> = seen.split(' ').filter(|name| *name != mark).collect();
                if !others.is_empty() {
                    all.push(others.join(" "));
                }
                return all;
            }
            all.push(seen);
        }
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[tokio::test]
async fn a_file_that_holds_something_else_is_a_change_and_a_touched_one_is_not() {
    let mut bench = Bench::new(&["env.py", "mark"], &[""]).await;
    bench.write("env.py", "first");
    assert_eq!(bench.until_mark("mark").await, Vec::<String>::new());
    bench.write("env.py", "second");
    bench.expect("env.py").await;
}

#[tokio::test]
async fn a_burst_is_one_change() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (mut tree, _) = Tree::new(
        &[folder.path().to_owned()],
        Rules::new(false),
        &mut |_: &Path| {},
    );
    let (sender, reports) = std::sync::mpsc::channel();
    for name in ["a.py", "b.py", "a.py", "__pycache__/a.pyc"] {
        let event = notify::Event::new(EventKind::Any).add_path(at(name));
        sender.send(Message::Report(Ok(event))).unwrap();
    }
    let burst = next_burst(&reports, &mut tree).unwrap();
    assert_eq!(burst.paths, BTreeSet::from(["a.py", "b.py"].map(at)));
    sender.send(Message::Stop).unwrap();
    assert!(next_burst(&reports, &mut tree).is_none());
}

#[tokio::test]
async fn editors_save_in_many_ways() {
    let mut bench = Bench::new(&["env.py", "mark"], &[""]).await;
    // Vim: a file to try, a backup by renaming, a new file by the name.
    bench.write("4913", "");
    fs::remove_file_if_exists(&bench.at("4913")).unwrap();
    fs::rename(&bench.at("env.py"), &bench.at("env.py~")).unwrap();
    bench.write("env.py", "second");
    bench.expect("env.py").await;
    // Most others: a file aside, renamed over the old one.
    bench.write("env.py.new.tmp", "third");
    fs::rename(&bench.at("env.py.new.tmp"), &bench.at("env.py")).unwrap();
    bench.expect("env.py").await;
    bench.write(".#env.py", "");
    bench.write("#env.py#", "x");
    bench.write("env.py___jb_tmp___", "x");
    assert_eq!(bench.until_mark("mark").await, Vec::<String>::new());
}

#[tokio::test]
async fn folders_come_and_go_with_their_files() {
    let mut bench = Bench::new(&["env.py", "tools/a.py"], &[""]).await;
    bench.write("tools/deep/er/b.py", "new");
    bench.expect("tools/deep/er/b.py").await;
    bench.write("tools/deep/er/b.py", "newer");
    bench.expect("tools/deep/er/b.py").await;
    fs::rename(&bench.at("tools"), &bench.at("utensils")).unwrap();
    assert_eq!(
        bench.next().await,
        "tools/a.py tools/deep/er/b.py utensils/a.py utensils/deep/er/b.py"
    );
    bench.write("utensils/deep/er/b.py", "newest");
    bench.expect("utensils/deep/er/b.py").await;
    fs::remove_dir_all_if_exists(&bench.at("utensils")).unwrap();
    let mut gone = BTreeSet::new();
    while gone.len() < 2 {
        gone.extend(bench.next().await.split(' ').map(str::to_owned));
    }
    let expected = ["utensils/a.py", "utensils/deep/er/b.py"].map(str::to_owned);
    assert_eq!(gone, BTreeSet::from(expected));
}

#[tokio::test]
async fn a_watched_path_may_be_missing_go_and_come_back() {
    let mut bench = Bench::new(&["env.py", "mark"], &["deep/scenarios", "env.py"]).await;
    bench.expect("gone deep/scenarios").await;
    bench.write("deep/scenarios/a.py", "first");
    bench.expect("back deep/scenarios").await;
    bench.expect("deep/scenarios/a.py").await;
    bench.write("deep/scenarios/a.py", "second");
    bench.expect("deep/scenarios/a.py").await;
    fs::rename(&bench.at("deep"), &bench.at("aside")).unwrap();
    bench.expect("gone deep/scenarios").await;
    fs::rename(&bench.at("aside"), &bench.at("deep")).unwrap();
    bench.expect("back deep/scenarios").await;
    // It holds what it held, so only the next change is one.
    bench.write("deep/scenarios/a.py", "third");
    bench.expect("deep/scenarios/a.py").await;
    fs::remove_file_if_exists(&bench.at("env.py")).unwrap();
    bench.expect("gone env.py").await;
    bench.write("env.py", "second");
    bench.expect("back env.py").await;
    bench.expect("env.py").await;
}

#[tokio::test]
async fn a_watched_file_does_not_bring_its_neighbours() {
    let mut bench = Bench::new(&["env.py", "other.py"], &["env.py"]).await;
    bench.write("other.py", "second");
    bench.write("third.py", "third");
    bench.write("env.py", "second");
    bench.expect("env.py").await;
}

#[tokio::test]
async fn links_are_followed_once() {
    let outside = tempfile::tempdir().unwrap();
    let target = |name: &str| outside.path().join(name);
    write(&target("shared.py"), "first");
    write(&target("data/rows.sql"), "first");
    let folder = tempfile::tempdir().unwrap();
    let link = |from: PathBuf, to: &str| {
        std::os::unix::fs::symlink(from, folder.path().join(to)).unwrap();
    };
    write(&folder.path().join("env.py"), "first");
    link(target("shared.py"), "shared.py");
    link(target("data"), "data");
    link(folder.path().to_owned(), "loop");
    let (watcher, seen) = FileWatcher::start(WatchOptions {
        paths: vec![folder.path().to_owned()],
        builds_itself: false,
    })
    .await;
    let mut bench = Bench {
        folder,
        seen,
        last: String::new(),
        watcher,
    };
    write(&target("shared.py"), "second");
    bench.expect("shared.py").await;
    write(&target("data/rows.sql"), "second");
    bench.expect("data/rows.sql").await;
    write(&target("other.py"), "of no interest");
    bench.write("env.py", "second");
    bench.expect("env.py").await;
}

#[tokio::test]
async fn a_link_that_is_turned_elsewhere_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("one/a.py"), "one");
    write(&at("two/a.py"), "two");
    std::os::unix::fs::symlink(at("one"), at("current")).unwrap();
    let (_watcher, mut seen) = FileWatcher::start(WatchOptions {
        paths: vec![at("current")],
        builds_itself: false,
    })
    .await;
    std::os::unix::fs::symlink(at("two"), at("next")).unwrap();
    fs::rename(&at("next"), &at("current")).unwrap();
    let Some(Seen::Changed { files, .. }) = seen.recv().await else {
        panic!("no change");
    };
    assert_eq!(files, [at("current/a.py")]);
    write(&at("two/a.py"), "three");
    assert!(matches!(seen.recv().await, Some(Seen::Changed { .. })));
}

#[tokio::test]
async fn more_may_be_watched_later() {
    let mut bench = Bench::new(&["env/env.py", "common/x.py", "common/y.py"], &["env"]).await;
    let later = ["env/env.py", "common/x.py"].map(|path| bench.at(path));
    bench.watcher.add(later.to_vec());
    bench.write("env/env.py", "second");
    bench.expect("env/env.py").await;
    bench.write("common/y.py", "second");
    bench.write("common/x.py", "second");
    bench.expect("common/x.py").await;
}

#[tokio::test]
async fn packages_and_settings_are_told_apart() {
    let mut bench = Bench::new(&["env.py"], &[""]).await;
    bench.write("requirements.txt", "pandas");
    bench.expect("dependencies requirements.txt").await;
    bench.write(".env", "A=1");
    bench.expect("settings .env").await;
}

#[tokio::test]
async fn a_new_rule_of_git_counts_at_once() {
    let mut bench = Bench::new(&["env.py", "out.txt", "mark"], &[""]).await;
    bench.write("out.txt", "second");
    bench.expect("out.txt").await;
    bench.write(".gitignore", "out.txt\n");
    assert_eq!(bench.until_mark("mark").await, Vec::<String>::new());
    bench.write("out.txt", "third");
    assert_eq!(bench.until_mark("mark").await, Vec::<String>::new());
}

#[test]
fn limits_of_the_system_are_named_with_what_to_do() {
    let watches = notify::Error::new(notify::ErrorKind::MaxFilesWatch);
    insta::assert_snapshot!(in_words(&watches, Some(Path::new("/p/tools"))), @r"
    cannot watch `/p/tools`: the system's limit `fs.inotify.max_user_watches` is reached; changes there are not seen
    hint: raise it: sudo sysctl fs.inotify.max_user_watches=524288
    ");
    let instances = notify::Error::io(std::io::Error::from_raw_os_error(EMFILE));
    insta::assert_snapshot!(in_words(&instances, None), @r"
    cannot watch files: the system's limit `fs.inotify.max_user_instances` is reached; changes there are not seen
    hint: raise it: sudo sysctl fs.inotify.max_user_instances=1024
    ");
}
