//! Runs the program as a user would, in a world of its own: temporary home and working directory, no environment, a deadline.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::redact::redact;

/// A run of the program that is being prepared. The working directory and `$HOME` are empty folders; the environment is empty but
/// for `PATH`, `HOME`, `TMPDIR`, `LANG` and what the test adds.
pub struct Test {
    program: OsString,
    root: tempfile::TempDir,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    cwd: PathBuf,
    stdin: Vec<u8>,
    deadline: Duration,
}

impl Test {
    /// A run of `hud`, without arguments.
    pub fn new() -> Self {
        Self::program(env!("CARGO_BIN_EXE_hud"))
    }

    /// A run of another program, in the same empty world.
    pub fn program(program: impl AsRef<OsStr>) -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["home", "work", "tmp"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        Self {
            program: program.as_ref().to_owned(),
            cwd: root.path().join("work"),
            root,
            args: Vec::new(),
            env: Vec::new(),
            stdin: Vec::new(),
            // Far beyond any healthy run on a busy machine: reaching it means a hang.
            deadline: Duration::from_mins(1),
        }
    }

    /// The folder that the program runs in.
    pub fn dir(&self) -> &Path {
        &self.cwd
    }

    /// The program's `$HOME`.
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Points the program at a stand-in for both providers, with a key for each.
    #[must_use]
    pub fn provider(self, provider: &super::provider::Provider) -> Self {
        self.env("ANTHROPIC_BASE_URL", provider.url())
            .env("ANTHROPIC_API_KEY", provider.key())
            .env("OPENAI_BASE_URL", format!("{}/v1", provider.url()))
            .env("OPENAI_API_KEY", provider.key())
            .env("GEMINI_BASE_URL", provider.url())
            .env("GEMINI_API_KEY", provider.key())
    }

    /// Writes `text` to the program's standard input, which is empty otherwise.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    /// Runs in `folder` of the working directory.
    #[must_use]
    pub fn cd(mut self, folder: &str) -> Self {
        self.cwd.push(folder);
        std::fs::create_dir_all(&self.cwd).unwrap();
        self
    }

    /// How long the run may take before the test fails; 60 s otherwise.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Writes a file in the working directory, with its folders.
    #[must_use]
    pub fn file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        let path = self.cwd.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
        self
    }

    /// Copies `examples/NAME` of the repository to the working directory, as the folder NAME.
    #[must_use]
    pub fn example(self, name: &str) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples")
            .join(name);
        assert!(from.is_dir(), "there is no examples/{name}");
        copy_folder(&from, &self.cwd.join(name));
        self
    }

    /// Runs to the end. Fails the test when that takes longer than the deadline, counting everything that holds the program's output open.
    pub fn run(self) -> Output {
        self.spawn().wait()
    }

    /// Starts the program and returns while it runs. Dropping the result kills it and its process group.
    pub fn spawn(self) -> Running {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .current_dir(&self.cwd)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("LANG", "C.UTF-8")
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own group, so that nothing it started outlives the test.
            .process_group(0);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.display()));
        let mut stdin = child.stdin.take().unwrap();
        let input = self.stdin.clone();
        // A thread, because a program that does not read would block the test; one that closed its input early is fine.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
        let stdout = Stream::read(child.stdout.take().unwrap());
        let stderr = Stream::read(child.stderr.take().unwrap());
        Running {
            shown: self.shown(),
            started: Instant::now(),
            test: self,
            child,
            stdout,
            stderr,
            reaped: false,
        }
    }

    fn shown(&self) -> String {
        let program = Path::new(&self.program)
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let args = self
            .args
            .iter()
            .map(|arg| format!(" {}", arg.to_string_lossy()));
        program + &args.collect::<String>()
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // What a run in the repository's own folder leaves behind is no part of the example.
        if matches!(entry.file_name().to_str(), Some(".hud" | "__pycache__")) {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A running program. Dropping it kills its process group.
pub struct Running {
    test: Test,
    child: Child,
    stdout: Stream,
    stderr: Stream,
    started: Instant,
    shown: String,
    reaped: bool,
}

impl Running {
    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The folder that the program runs in.
    pub fn dir(&self) -> &Path {
        self.test.dir()
    }

    /// Waits until standard output holds `text`.
    pub fn wait_for_stdout(&self, text: &str) {
        self.wait_for("stdout", &self.stdout, text);
    }

    /// Standard output as far as it was read.
    pub fn stdout_so_far(&self) -> String {
        self.stdout.text()
    }

    /// Waits until standard error holds `text`.
    pub fn wait_for_stderr(&self, text: &str) {
        self.wait_for("stderr", &self.stderr, text);
    }

    /// Sends a signal to the program alone, not to its group.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the program to end and for its output to close.
    pub fn wait(mut self) -> Output {
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.wait_until(self.left(), |state| state.closed) {
                self.fail(&format!(
                    "{name} is still open after {:?}: the program, or something it started, hangs",
                    self.test.deadline
                ));
            }
        }
        let status = self.child.wait().unwrap();
        self.reaped = true;
        let work = self.test.root.path().join("work");
        let home = self.test.home();
        // A program may print the real path behind a symbolic link.
        let real = work.canonicalize().unwrap_or_else(|_| work.clone());
        let clean = |text: &str| {
            redact(
                text,
                &[
                    (&real, "[DIR]"),
                    (&work, "[DIR]"),
                    (&home, "[HOME]"),
                    (self.test.root.path(), "[TEMP]"),
                ],
            )
        };
        let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
        Output {
            code: status.code(),
            signal: status.signal(),
            redacted_stdout: clean(&stdout),
            redacted_stderr: clean(&stderr),
            stdout,
            stderr,
            shown: self.shown.clone(),
            dir: work,
            folder: Some(std::mem::replace(
                &mut self.test.root,
                tempfile::tempdir().unwrap(),
            )),
        }
    }

    fn left(&self) -> Duration {
        self.test.deadline.saturating_sub(self.started.elapsed())
    }

    fn wait_for(&self, name: &str, stream: &Stream, text: &str) {
        let found = |state: &State| String::from_utf8_lossy(&state.bytes).contains(text);
        stream.wait_until(self.left(), |state| state.closed || found(state));
        if !found(&stream.state.0.lock().unwrap()) {
            self.fail(&format!("{name} never held {text:?}"));
        }
    }

    fn fail(&self, what: &str) -> ! {
        panic!(
            "`{}`: {what}\n--- stdout\n{}\n--- stderr\n{}",
            self.shown,
            self.stdout.text(),
            self.stderr.text()
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.child);
        // The group may be gone already.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        if !self.reaped {
            let _ = self.child.wait();
        }
    }
}

/// What a program printed and how it ended. The folders live as long as this does, so that a test can look at what was written.
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; nothing when a signal ended the program.
    pub code: Option<i32>,
    /// The signal that ended the program.
    pub signal: Option<i32>,
    redacted_stdout: String,
    redacted_stderr: String,
    shown: String,
    dir: PathBuf,
    folder: Option<tempfile::TempDir>,
}

impl Output {
    /// The folder that the program ran in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Standard output with everything that differs from run to run replaced.
    pub fn redacted_stdout(&self) -> &str {
        &self.redacted_stdout
    }

    /// Standard error with everything that differs from run to run replaced.
    pub fn redacted_stderr(&self) -> &str {
        &self.redacted_stderr
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn code(self, expected: i32) -> Self {
        assert_eq!(
            self.code,
            Some(expected),
            "exit code of `{}` (signal {:?})\n--- stdout\n{}\n--- stderr\n{}",
            self.shown,
            self.signal,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Asserts the whole standard output, redacted.
    #[track_caller]
    pub fn stdout(self, expected: &str) -> Self {
        assert_same("stdout", &self.shown, &self.redacted_stdout, expected);
        self
    }

    /// Asserts the whole standard error, redacted.
    #[track_caller]
    pub fn stderr(self, expected: &str) -> Self {
        assert_same("stderr", &self.shown, &self.redacted_stderr, expected);
        self
    }

    /// Each line of standard output as JSON, as `--json` promises.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line)
                    .unwrap_or_else(|error| panic!("not JSON ({error}): {line}"))
            })
            .collect()
    }

    /// Keeps the folders after the test, and says where they are: for looking at a failure by hand.
    pub fn keep(mut self) -> Self {
        if let Some(folder) = self.folder.take() {
            eprintln!("kept {}", folder.keep().display());
        }
        self
    }
}

#[track_caller]
fn assert_same(what: &str, shown: &str, actual: &str, expected: &str) {
    assert!(
        actual == expected,
        "{what} of `{shown}` differs\n--- expected\n{expected}\n--- actual\n{actual}\n---"
    );
}

/// One output stream, read by a thread of its own.
struct Stream {
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    closed: bool,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let count = from.read(&mut buffer).unwrap_or(0);
                let mut state = shared.0.lock().unwrap();
                state.bytes.extend_from_slice(&buffer[..count]);
                state.closed = count == 0;
                shared.1.notify_all();
                if state.closed {
                    return;
                }
            }
        });
        Self { state }
    }

    /// Whether `condition` came true within `time`.
    fn wait_until(&self, time: Duration, condition: impl Fn(&State) -> bool) -> bool {
        let state = self.state.0.lock().unwrap();
        let (state, _) = self
            .state
            .1
            .wait_timeout_while(state, time, |state| !condition(state))
            .unwrap();
        condition(&state)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.state.0.lock().unwrap().bytes).into_owned()
    }
}

mod tests {
    use super::*;

    fn shell(script: &str) -> Test {
        Test::program("/bin/sh").args(["-c", script])
    }

    #[test]
    fn the_world_is_empty_and_temporary() {
        let output =
            shell("cat; env | cut -d= -f1 | sort | tr '\\n' ' '; pwd; echo $HOME; ls; exit 3")
                .file("a/b.txt", "x")
                .env("EXTRA", "1")
                .stdin("input ")
                .run();
        let dir = output.dir().to_owned();
        output
            .code(3)
            .stdout("input EXTRA HOME LANG PATH PWD TMPDIR [DIR]\n[HOME]\na\n")
            .stderr("");
        assert!(!dir.exists());
    }

    /// Asserts that `run` fails the test with a message that holds `expected`.
    fn fails(expected: &str, run: impl FnOnce() + std::panic::UnwindSafe) {
        let panic = std::panic::catch_unwind(run).expect_err("it must fail");
        let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn what_goes_wrong_fails_the_test() {
        fails("stdout is still open after 50ms", || {
            let hang = shell("exec sleep 600").deadline(Duration::from_millis(50));
            drop(hang.run());
        });
        fails("exit code of `sh -c exit 4`", || {
            drop(shell("exit 4").run().code(0));
        });
        fails("stdout of `sh -c echo b` differs", || {
            drop(shell("echo b").run().stdout("a\n"));
        });
        fails("stderr of `sh -c echo b >&2` differs", || {
            drop(shell("echo b >&2").run().stderr(""));
        });
    }

    #[test]
    fn a_signal_is_reported_and_a_drop_kills_the_group() {
        let running = shell("echo up; exec sleep 600");
        let running = running.spawn();
        running.wait_for_stdout("up");
        running.signal(rustix::process::Signal::TERM);
        let output = running.wait();
        assert_eq!((output.code, output.signal), (None, Some(15)));

        let running = shell("sleep 600 & echo $!; wait").spawn();
        running.wait_for_stdout("\n");
        let child: i32 = running.stdout.text().trim().parse().unwrap();
        drop(running);
        let child = rustix::process::Pid::from_raw(child).unwrap();
        // Killed at once, but it is its new parent who removes it from the table.
        while rustix::process::test_kill_process(child).is_ok() && !is_zombie(child) {
            std::thread::yield_now();
        }
    }

    fn is_zombie(pid: rustix::process::Pid) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).is_ok_and(|stat| {
            stat.rsplit(')')
                .next()
                .unwrap()
                .trim_start()
                .starts_with('Z')
        })
    }
}
