//! An environment that changes while clients use it: versions follow each other, and nobody notices but by the answers.

mod served;
mod session;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hud::dev::{DevEnvironment, DevEvent, DevOptions};
use hud::environment::{EnvironmentOptions, Environments, Isolation};
use hud::mcp::{ClientEvents, CopySource as _, RelayedCopy};
use hud::message::{Arguments, Content, ToolCall};
use hud::task::{EnvironmentSpec, Workdir};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

/// A project in a folder of its own, developed.
struct Project {
    folder: tempfile::TempDir,
    logs: tempfile::TempDir,
}

/// What runs of it.
struct Dev {
    environment: Arc<DevEnvironment>,
    events: UnboundedReceiver<DevEvent>,
}

struct NoEvents;

impl ClientEvents for NoEvents {}

/// An environment whose tool answers `answer`.
fn source(answer: &str) -> String {
    format!(
        "from hud import Environment\nenv = Environment('small')\n\n@env.tool\ndef version() -> str:\n    return '{answer}'\n"
    )
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Self {
            folder: tempfile::tempdir().unwrap(),
            logs: tempfile::tempdir().unwrap(),
        };
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // As editors do it: nobody sees half of a file.
        let draft = self.logs.path().join("draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(&draft, &path).unwrap();
    }

    fn environments(&self) -> Arc<Environments> {
        let variables = std::env::vars()
            .filter(|(name, _)| name == "PATH" || name == "HOME")
            .collect();
        let options = EnvironmentOptions {
            variables,
            secrets: std::collections::BTreeMap::new(),
            python: None,
            cache: None,
            wrapper: None,
            logs: self.logs.path().to_owned(),
            folder: self.folder.path().to_owned(),
            startup_timeout: Duration::from_mins(1),
        };
        Arc::new(Environments::new(options).unwrap())
    }

    fn spec(&self, source: &str) -> EnvironmentSpec {
        EnvironmentSpec::Python {
            source: self.at(source),
            attr: None,
            python: None,
            workdir: Workdir::Shared,
            env: std::collections::BTreeMap::new(),
        }
    }

    fn options(&self) -> DevOptions {
        DevOptions {
            spec: self.spec("env.py"),
            watch: Vec::new(),
            watching: true,
            isolation: Isolation::Shared,
            import_timeout: Duration::from_secs(30),
            log: self.logs.path().join("dev.log"),
            warm: true,
        }
    }

    async fn develop(&self) -> Dev {
        self.develop_with(self.options()).await
    }

    async fn develop_with(&self, options: DevOptions) -> Dev {
        let (environment, events) = DevEnvironment::start(self.environments(), options).await;
        Dev {
            environment,
            events,
        }
    }
}

impl Dev {
    /// The next event that is not a mere note.
    async fn next(&mut self) -> DevEvent {
        loop {
            let event = tokio::time::timeout(Duration::from_mins(1), self.events.recv())
                .await
                .expect("nothing happened")
                .unwrap();
            if !matches!(event, DevEvent::Note(_)) {
                return event;
            }
        }
    }

    /// The version, the changed files and what is different, of the reload that is the next event.
    async fn reloaded(&mut self) -> (u64, Vec<String>, Vec<String>) {
        match self.next().await {
            DevEvent::Reloaded {
                version,
                files,
                changes,
                ..
            } => {
                let names = files.iter().map(|file| {
                    let name = file.file_name().unwrap();
                    name.to_string_lossy().into_owned()
                });
                (version, names.collect(), changes)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The version and the reason of the failure that is the next event.
    async fn failed(&mut self) -> (u64, Option<u64>, String) {
        match self.next().await {
            DevEvent::ReloadFailed {
                version,
                serving,
                message,
            } => (version, serving, message),
            other => panic!("{other:?}"),
        }
    }

    async fn open(&self) -> Arc<dyn RelayedCopy> {
        self.environment.open(Arc::new(NoEvents)).await.unwrap()
    }

    /// What a fresh copy answers.
    async fn answer(&self) -> String {
        let copy = self.open().await;
        let answer = call(&*copy, "version", json!({})).await;
        copy.close().await;
        answer
    }
}

fn tool_call(tool: &str) -> ToolCall {
    ToolCall {
        id: "1".into(),
        name: tool.into(),
        arguments: Arguments::parse(""),
        opaque: None,
    }
}

async fn call(copy: &dyn RelayedCopy, tool: &str, arguments: Value) -> String {
    let call = ToolCall {
        arguments: Arguments::Object {
            value: arguments.as_object().unwrap().clone(),
        },
        ..tool_call(tool)
    };
    let result = copy.client().call_tool(&call, None).await.unwrap();
    Content::join_text(&result.content)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_is_a_new_version_and_the_old_one_goes_on_for_who_uses_it() {
    let project = Project::new(&[("env.py", &source("one"))]);
    let mut dev = project.develop().await;
    assert!(matches!(
        dev.next().await,
        DevEvent::Serving {
            version: 1,
            tools: 1,
            scenarios: 0,
            ..
        }
    ));
    let old = dev.open().await;
    assert_eq!(call(&*old, "version", json!({})).await, "one");
    let added = "\n@env.tool\ndef more() -> str:\n    return 'more'\n";
    project.write("env.py", &(source("two") + added));
    let expected = (
        2,
        vec!["env.py".to_owned()],
        vec!["tool `more` added".to_owned()],
    );
    assert_eq!(dev.reloaded().await, expected);
    assert_eq!(dev.answer().await, "two");
    assert_eq!(call(&*old, "version", json!({})).await, "one");
    assert_eq!((old.version(), dev.environment.version()), (1, 2));
    old.close().await;
    dev.environment.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_import_changes_nothing_and_is_told_once() {
    let project = Project::new(&[("env.py", &source("one"))]);
    let mut dev = project.develop().await;
    dev.next().await;
    project.write("env.py", "def broken(:\n");
    let (version, serving, message) = dev.failed().await;
    assert_eq!((version, serving), (2, Some(1)));
    let expected = format!(
        "cannot import `{0}`\n  {0}:1\n  SyntaxError: invalid syntax",
        project.at("env.py").display()
    );
    assert!(message.starts_with(&expected), "{message}");
    assert_eq!(dev.answer().await, "one");
    let status = dev.environment.status();
    assert_eq!(status.serving, Some(1));
    assert_eq!(status.failed.unwrap().version, 2);
    // The same failure again is only noted; the next event is the one of a package that is not there.
    project.write("other.txt", "x");
    project.write("env.py", "import no_such_package\n");
    let (_, _, message) = dev.failed().await;
    assert!(
        message.contains("No module named 'no_such_package'"),
        "{message}"
    );
    project.write("env.py", &source("mended"));
    dev.reloaded().await;
    assert_eq!(dev.answer().await, "mended");
    assert_eq!(dev.environment.status().failed, None);
    dev.environment.close().await;
}

/// A file outside of the project that the environment can write, and its path as Python text.
fn mark(project: &Project) -> (PathBuf, String) {
    let path = project.logs.path().join("mark");
    let text = format!(
        "__import__('pathlib').Path({:?})",
        path.display().to_string()
    );
    (path, text)
}

async fn exists(path: &std::path::Path) {
    let appears = async {
        while !path.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), appears)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_never_ends_is_given_up_by_a_save_or_by_time() {
    let project = Project::new(&[("env.py", &source("one"))]);
    let (path, python) = mark(&project);
    let mut options = project.options();
    options.import_timeout = Duration::from_secs(3);
    let mut dev = project.develop_with(options).await;
    dev.next().await;
    let forever =
        format!("{python}.write_text(str(__import__('os').getpid()))\nwhile True:\n    pass\n");
    project.write("env.py", &forever);
    exists(&path).await;
    let hung = std::fs::read_to_string(&path).unwrap();
    project.write("env.py", &source("two"));
    assert_eq!(dev.reloaded().await.0, 2, "given up, not counted");
    assert_eq!(dev.answer().await, "two");
    assert!(
        !std::path::Path::new("/proc").join(hung).exists(),
        "it is still there"
    );
    project.write("env.py", &forever);
    let (version, serving, message) = dev.failed().await;
    assert_eq!((version, serving), (3, Some(2)));
    assert!(message.ends_with("took longer than 3.0s"), "{message}");
    assert_eq!(dev.answer().await, "two");
    dev.environment.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_import_that_fails_is_mended_by_a_save() {
    let two = source("x").replace("env = ", "env = Environment('a')\nother = ");
    let project = Project::new(&[(
        "env.py",
        &two.replace("env =", "shop =").replace("@env", "@other"),
    )]);
    let mut dev = project.develop().await;
    let (version, serving, message) = dev.failed().await;
    assert_eq!((version, serving), (1, None));
    assert!(
        message.contains("has several environments: shop (a), other (small)"),
        "{message}"
    );
    let error = dev
        .environment
        .open(Arc::new(NoEvents))
        .await
        .err()
        .unwrap();
    assert!(
        error.starts_with("nothing is served: version 1 failed: cannot import"),
        "{error}"
    );
    assert_eq!(dev.environment.identity().name, "env");
    project.write("env.py", &source("mended"));
    assert!(matches!(
        dev.next().await,
        DevEvent::Serving { version: 2, .. }
    ));
    assert_eq!(dev.answer().await, "mended");
    assert_eq!(dev.environment.identity().name, "small");
    dev.environment.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_the_project_counts_and_what_is_watched_may_go_and_come() {
    let project = Project::new(&[
        (
            "env.py",
            "from hud import Environment\nfrom tools.names import name\nenv = Environment('small')\nrows = open('fixtures/rows.sql').read()\n@env.tool\ndef version() -> str:\n    return name + rows\n",
        ),
        ("tools/__init__.py", ""),
        ("tools/names.py", "name = 'a'\n"),
        ("fixtures/rows.sql", "1"),
        ("unwatched.py", ""),
    ]);
    let mut options = project.options();
    options.watch = vec![
        project.at("tools"),
        project.at("fixtures"),
        project.at("later"),
    ];
    let mut dev = project.develop_with(options).await;
    assert_eq!(
        dev.next().await,
        DevEvent::WatchGone {
            path: project.at("later")
        }
    );
    dev.next().await;
    assert_eq!(dev.answer().await, "a1");
    project.write("unwatched.py", "x = 1");
    project.write("tools/names.py", "name = 'b'\n");
    assert_eq!(dev.reloaded().await.1, ["names.py"]);
    assert_eq!(dev.answer().await, "b1");
    project.write("fixtures/rows.sql", "2");
    assert_eq!(dev.reloaded().await.1, ["rows.sql"]);
    assert_eq!(dev.answer().await, "b2");
    std::fs::rename(project.at("tools"), project.at("aside")).unwrap();
    assert_eq!(
        dev.next().await,
        DevEvent::WatchGone {
            path: project.at("tools")
        }
    );
    assert_eq!(dev.answer().await, "b2");
    std::fs::write(project.at("aside/names.py"), "name = 'c'\n").unwrap();
    std::fs::rename(project.at("aside"), project.at("tools")).unwrap();
    assert_eq!(
        dev.next().await,
        DevEvent::WatchBack {
            path: project.at("tools")
        }
    );
    assert_eq!(dev.reloaded().await.1, ["names.py"]);
    assert_eq!(dev.answer().await, "c2");
    project.write("later/new.py", "x = 1\n");
    assert_eq!(
        dev.next().await,
        DevEvent::WatchBack {
            path: project.at("later")
        }
    );
    assert_eq!(dev.reloaded().await.1, ["new.py"]);
    project.write("tools/requirements.txt", "pandas\n");
    assert_eq!(
        dev.next().await,
        DevEvent::RebuildNeeded {
            files: vec![project.at("tools/requirements.txt")]
        }
    );
    dev.environment.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_saves_end_with_the_last_one() {
    let project = Project::new(&[("env.py", &source("0"))]);
    let mut dev = project.develop().await;
    dev.next().await;
    for number in 1..=100 {
        project.write("env.py", &source(&number.to_string()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut last = 1;
    while dev.answer().await != "100" {
        let (version, _, _) = dev.reloaded().await;
        assert_eq!(version, last + 1);
        last = version;
    }
    dev.environment.close().await;
}

const DEADLY: &str = r"
import os, signal
from hud import Environment
env = Environment('small')
state = {'n': 0}

@env.tool
def version() -> int:
    state['n'] += 1
    return state['n']

@env.tool
def die() -> str:
    os.kill(os.getpid(), signal.SIGKILL)

@env.tool
def end() -> str:
    os.kill(os.getppid(), signal.SIGKILL)
    return 'x'
";

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_is_replaced_and_said() {
    let project = Project::new(&[("env.py", DEADLY)]);
    let mut dev = project.develop().await;
    dev.next().await;
    let copy = dev.open().await;
    let other = dev.open().await;
    assert_eq!(call(&*copy, "version", json!({})).await, "1");
    assert_eq!(call(&*other, "version", json!({})).await, "2", "shared");
    let died = copy.client().call_tool(&tool_call("die"), None).await;
    assert!(died.is_err(), "{died:?}");
    let DevEvent::WorkerDied { message } = dev.next().await else {
        panic!("nothing died");
    };
    assert!(
        message.starts_with("the environment's process was ended by SIGKILL"),
        "{message}"
    );
    assert_eq!(
        dev.answer().await,
        "1",
        "a fresh process of the same version"
    );
    assert_eq!(dev.environment.version(), 1);
    // And the base itself.
    let copy = dev.open().await;
    let _ = copy.client().call_tool(&tool_call("end"), None).await;
    assert!(matches!(dev.next().await, DevEvent::WorkerDied { .. }));
    assert_eq!(dev.answer().await, "1");
    let (version, files, changes) = dev.reloaded().await;
    assert_eq!((version, files, changes), (2, vec![], vec![]));
    dev.environment.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shutdown_of_each_version_runs_and_closing_ends_all() {
    let project = Project::new(&[]);
    let (path, python) = mark(&project);
    let hooks = format!(
        "\nimport os\n@env.initialize\ndef begin():\n    {python}.open('a').write('begin ' + NAME + '\\n')\n@env.shutdown\ndef finish():\n    {python}.open('a').write('end ' + NAME + '\\n')\n"
    );
    let text = |name: &str| format!("NAME = '{name}'\n{}{hooks}", source(name));
    project.write("env.py", &text("one"));
    let mut dev = project.develop().await;
    dev.next().await;
    let old = dev.open().await;
    project.write("env.py", &text("two"));
    dev.reloaded().await;
    let marks = || std::fs::read_to_string(&path).unwrap();
    assert_eq!(marks(), "begin one\nbegin two\n", "the old one is in use");
    old.close().await;
    let ends = async {
        while dev.environment.status().draining > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), ends)
        .await
        .unwrap();
    assert_eq!(marks(), "begin one\nbegin two\nend one\n");
    dev.environment.close().await;
    assert_eq!(marks(), "begin one\nbegin two\nend one\nend two\n");
}

const PROGRAM: &str = r#"
import json, os, sys

NAME = "one"
state = {"n": 0, "scenario": None}

def say(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def text(value):
    return {"content": [{"type": "text", "text": str(value)}]}

def call(name, arguments):
    if name == "bump":
        state["n"] += 1
        return text(state["n"])
    if name == "version":
        return text(NAME)
    if name == "process":
        return text(os.getpid())
    if name == "quit":
        os._exit(7)
    return text("submitted")

def answer(method, params):
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "program", "version": "1"}}
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in ("bump", "version", "process", "quit")]}
    if method == "tools/call":
        return call(params["name"], params.get("arguments"))
    if method == "prompts/list":
        return {"prompts": [{"name": "program:count"}]}
    if method == "prompts/get":
        return {"messages": [{"role": "user", "content": {"type": "text", "text": "count"}}]}
    if method == "resources/read":
        reward = json.dumps({"reward": float(state["n"]), "done": True})
        return {"contents": [{"uri": params["uri"], "text": reward}]}

print("no protocol", flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message or "method" not in message:
        continue
    result = answer(message["method"], message.get("params") or {})
    if result is None:
        say({"id": message["id"], "error": {"code": -32601, "message": "unknown"}})
    else:
        say({"id": message["id"], "result": result})
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_started_anew_too_and_a_scenario_has_a_process_of_its_own() {
    let project = Project::new(&[("server.py", PROGRAM)]);
    let mut options = project.options();
    options.spec = EnvironmentSpec::Servers {
        servers: vec![(
            "environment".to_owned(),
            hud::task::ConnectionSpec::Stdio {
                command: vec!["python3".to_owned(), "server.py".to_owned()],
                env: std::collections::BTreeMap::new(),
                cwd: None,
            },
        )],
    };
    let mut dev = project.develop_with(options).await;
    let serving = dev.next().await;
    assert!(
        matches!(
            serving,
            DevEvent::Serving {
                version: 1,
                tools: 4,
                scenarios: 1,
                ..
            }
        ),
        "{serving:?}"
    );
    let (one, other) = (dev.open().await, dev.open().await);
    assert_eq!(call(&*one, "bump", json!({})).await, "1");
    assert_eq!(
        call(&*other, "bump", json!({})).await,
        "2",
        "they share a process"
    );
    let prompt = one
        .client()
        .get_prompt("program:count", serde_json::Map::new(), None);
    assert_eq!(prompt.await.unwrap().messages.len(), 1);
    assert_eq!(call(&*one, "bump", json!({})).await, "1", "its own");
    assert_eq!(call(&*other, "bump", json!({})).await, "3");
    let own = call(&*one, "process", json!({})).await;
    assert_ne!(own, call(&*other, "process", json!({})).await);

    let edited = PROGRAM
        .replace("\"one\"", "\"two\"")
        .replace("(\"bump\", ", "(\"bump\", \"more\", ");
    project.write("server.py", &edited);
    let (_, _, changes) = dev.reloaded().await;
    assert_eq!(changes, ["tool `more` added"]);
    assert_eq!(dev.answer().await, "two");
    assert_eq!(
        call(&*other, "version", json!({})).await,
        "one",
        "it drains"
    );
    let grade = one
        .client()
        .read_resource("program:count", None)
        .await
        .unwrap();
    assert!(grade.contains("1.0"), "{grade}");
    one.close().await;
    assert!(
        !std::path::Path::new("/proc").join(own).exists(),
        "it is still there"
    );
    other.close().await;

    let copy = dev.open().await;
    assert!(
        copy.client()
            .call_tool(&tool_call("quit"), None)
            .await
            .is_err()
    );
    let DevEvent::WorkerDied { message } = dev.next().await else {
        panic!("nothing died");
    };
    assert!(
        message.starts_with("the command ended by itself\nthe program ended with exit status: 7"),
        "{message}"
    );
    assert_eq!(dev.answer().await, "two");
    dev.reloaded().await;
    project.write("server.py", "import sys\nsys.exit('no way')\n");
    let (_, _, message) = dev.failed().await;
    assert!(
        message.starts_with("`python3 server.py` did not start as an MCP server")
            && message.ends_with("no way"),
        "{message}"
    );
    assert_eq!(dev.answer().await, "two");
    dev.environment.close().await;
}

/// Saves so many times, and asks for each new answer as soon as it is there. Says how long that took in the middle, for who measures.
async fn save_again_and_again(project: &Project, prefix: &str, saves: usize) {
    project.write("env.py", &(prefix.to_owned() + &source("0")));
    let mut dev = project.develop().await;
    dev.next().await;
    let mut times = Vec::new();
    for number in 1..=saves {
        let text = prefix.to_owned() + &source(&number.to_string());
        let begun = std::time::Instant::now();
        project.write("env.py", &text);
        assert_eq!(dev.reloaded().await.0, number as u64 + 1);
        let swapped = begun.elapsed();
        assert_eq!(dev.answer().await, number.to_string());
        times.push((begun.elapsed(), swapped));
    }
    times.sort();
    eprintln!(
        "median of {saves} saves: {:?} (and swapped)",
        times[saves / 2]
    );
    assert_eq!(dev.environment.status().reloads, saves as u64);
    dev.environment.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_saves_is_answered_by_its_own_version() {
    let project = Project::new(&[]);
    save_again_and_again(&project, "", 200).await;
}
