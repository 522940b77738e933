//! `hud scenario … --url`: set up by one command, graded by another, in both eras of MCP.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::analyze::serve;
use crate::support::{self, Output, Running, Test};

const ENVIRONMENT: &str = r#"
import hud
env = hud.Environment("math")

@env.scenario("double")
async def double(a: int):
    """Doubles."""
    answer = yield f"What is 2 * {a}?"
    yield 1.0 if answer == str(2 * a) else 0.0

@env.scenario("broken")
async def broken():
    """Breaks."""
    yield "x"
    raise ValueError("cannot grade")
"#;

/// A folder for several commands.
struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn hud(&self, args: &[&str]) -> Output {
        self.test(args).run()
    }

    /// `hud` in the folder, by way of a shell: each [`Test`] has a folder of its own.
    fn test(&self, args: &[&str]) -> Test {
        Test::program("/bin/sh")
            .args(["-c", "cd \"$PROJECT\" && exec \"$HUD\" \"$@\"", "hud"])
            .args(args)
            .env("PROJECT", self.0.path())
            .env("HUD", env!("CARGO_BIN_EXE_hud"))
    }

    fn kept(&self) -> Vec<PathBuf> {
        let folder = self.0.path().join(".hud/sessions");
        std::fs::read_dir(folder).map_or_else(
            |_| Vec::new(),
            |entries| entries.map(|entry| entry.unwrap().path()).collect(),
        )
    }
}

fn reward(output: &Output) -> f64 {
    let json: Value = serde_json::from_str(&output.stdout).unwrap();
    json["reward"].as_f64().unwrap()
}

/// The server of the older era, its URL, and what it has been asked so far.
fn session_server(args: &[&str]) -> (Running, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/session_server.py");
    let server = Test::program("python3").args([script]).args(args).spawn();
    server.wait_for_stdout("/mcp\n");
    let url = server.stdout_so_far().trim().to_owned();
    (server, url)
}

fn requests(server: &Running) -> Vec<String> {
    server
        .stdout_so_far()
        .lines()
        .skip(1)
        .map(str::to_owned)
        .collect()
}

fn setup_waits_and_grade_takes_it_up(url: &str) {
    let project = Project::new();
    project
        .hud(&[
            "scenario",
            "setup",
            "double",
            "--args",
            "{\"a\": 21}",
            "--url",
            url,
        ])
        .code(0)
        .stdout("What is 2 * 21?\n")
        .stderr("");
    let kept = project.kept();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let mode = kept[0].metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let wrong = project
        .hud(&["scenario", "grade", "other", "-A", "x", "--url", url])
        .code(2);
    assert!(
        wrong.stderr.contains("is `math:double` (set up "),
        "{}",
        wrong.stderr
    );
    let args = [
        "scenario",
        "grade",
        "double",
        "--args",
        "{\"a\": 1}",
        "--url",
        url,
    ];
    let wrong = project.hud(&args).code(2);
    assert!(
        wrong.stderr.contains("--args belongs to `setup`"),
        "{}",
        wrong.stderr
    );

    let graded = project
        .hud(&["task", "grade", "double", "--answer", "42", "-u", url])
        .code(0);
    assert!((reward(&graded) - 1.0).abs() < f64::EPSILON);
    assert_eq!(project.kept(), Vec::<PathBuf>::new());
    let again = project
        .hud(&["scenario", "grade", "double", "-A", "42", "--url", url])
        .code(2);
    assert!(
        again
            .stderr
            .contains("no scenario waits for an answer at http://127.0.0.1:")
            && again
                .stderr
                .contains("hint: set it up with `hud scenario setup double --url"),
        "{}",
        again.stderr
    );
}

#[test]
fn a_session_waits_between_setup_and_grade_on_our_server() {
    let (server, url) = serve(ENVIRONMENT);
    setup_waits_and_grade_takes_it_up(&url);
    drop(server);
}

#[test]
fn a_session_of_the_older_era_waits_and_is_deleted_only_when_it_was_graded() {
    let (server, url) = session_server(&[]);
    setup_waits_and_grade_takes_it_up(&url);
    let asked = requests(&server);
    // One session from the first prompt to the grade, and nothing initialised in between.
    assert_eq!(
        asked,
        [
            "server/discover -",
            "initialize 1",
            "notifications/initialized 1",
            "prompts/list 1",
            "prompts/get 1",
            "tools/call 1",
            "resources/read 1",
            "DELETE 1",
        ]
    );
}

#[test]
fn a_second_setup_takes_the_place_of_the_first() {
    let (server, url) = session_server(&[]);
    let project = Project::new();
    let setup = |a: &str| {
        project
            .hud(&[
                "scenario",
                "setup",
                "math:double",
                "--args",
                a,
                "--url",
                &url,
            ])
            .code(0)
    };
    setup("{\"a\": 1}");
    let second = setup("{\"a\": 2}");
    assert!(
        second
            .stderr
            .starts_with("the earlier session of `math:double` (set up "),
        "{}",
        second.stderr
    );
    assert!(requests(&server).contains(&"DELETE 1".to_owned()));
    assert_eq!(project.kept().len(), 1);
    let graded = project.hud(&["scenario", "grade", "double", "-A", "4", "--url", &url]);
    assert!((reward(&graded.code(0)) - 1.0).abs() < f64::EPSILON);
}

#[test]
fn sessions_that_are_gone_are_explained() {
    // The older era: the server has forgotten the id.
    let (server, url) = session_server(&[]);
    let project = Project::new();
    let setup = [
        "scenario",
        "setup",
        "double",
        "--args",
        "{\"a\": 1}",
        "--url",
        &url,
    ];
    project.hud(&setup).code(0);
    let text = std::fs::read_to_string(&project.kept()[0]).unwrap();
    std::fs::write(&project.kept()[0], text.replace("session-1", "session-x")).unwrap();
    let gone = project
        .hud(&["scenario", "grade", "double", "--url", &url])
        .code(3);
    assert!(
        gone.redacted_stderr().starts_with("error: the session of `math:double` (set up [TIME] ago) is gone: http://127.0.0.1:[PORT]/mcp was restarted, or ended it because nobody used it\nhint: set the scenario up again with `hud scenario setup double --url http://127.0.0.1:[PORT]/mcp`\n"),
        "{}",
        gone.stderr
    );
    assert!(project.kept().is_empty());
    drop(server);

    // Since then: sessions have names, and the server expires them.
    let (server, url) = serve(ENVIRONMENT);
    let setup = [
        "scenario",
        "setup",
        "double",
        "--args",
        "{\"a\": 1}",
        "--url",
        &url,
    ];
    project.hud(&setup).code(0);
    let text = std::fs::read_to_string(&project.kept()[0]).unwrap();
    let id = serde_json::from_str::<Value>(&text).unwrap()["meta"]["hud/session"]
        .as_str()
        .unwrap()
        .to_owned();
    std::fs::write(&project.kept()[0], text.replace(&id, "0123456789abcdef")).unwrap();
    let gone = project
        .hud(&["scenario", "grade", "double", "--url", &url])
        .code(3);
    assert!(gone.stderr.contains("is gone: "), "{}", gone.stderr);
    assert!(project.kept().is_empty());
    drop(server);
}

#[test]
fn a_server_that_is_away_for_a_while_costs_nothing() {
    let (server, url) = session_server(&[]);
    let project = Project::new();
    let setup = [
        "scenario",
        "setup",
        "double",
        "--args",
        "{\"a\": 1}",
        "--url",
        &url,
    ];
    project.hud(&setup).code(0);
    let elsewhere = format!("http://127.0.0.1:{}/mcp", support::free_port());
    let kept = project.kept()[0].clone();
    drop(server);
    // The connection is refused: the answer can be sent again when the server is back.
    let away = project
        .hud(&["scenario", "grade", "double", "-A", "2", "--url", &url])
        .code(3);
    assert!(
        away.stderr.contains("connection refused"),
        "{}",
        away.stderr
    );
    assert_eq!(project.kept(), [kept]);
    let output = project
        .hud(&["scenario", "setup", "double", "--url", &elsewhere])
        .code(3);
    assert!(
        output.stderr.contains("hint: is the server running?"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_server_without_sessions_is_named_as_such() {
    let (server, url) = session_server(&["--no-sessions"]);
    let project = Project::new();
    let output = project
        .hud(&[
            "scenario",
            "setup",
            "double",
            "--args",
            "{\"a\": 1}",
            "--url",
            &url,
        ])
        .code(3);
    assert!(
        output.stderr.contains("keeps no session between two connections\nhint: set up and grade in one go with `hud scenario run`"),
        "{}",
        output.stderr
    );
    assert!(project.kept().is_empty());
    drop(server);
}

#[test]
fn mistakes_are_found_before_anything_is_kept() {
    let (server, url) = serve(ENVIRONMENT);
    let project = Project::new();
    let check = |args: &[&str], code: i32, expected: &str| {
        let output = project.hud(&[&["scenario"], args].concat()).code(code);
        assert!(output.stderr.contains(expected), "{}", output.stderr);
        assert!(project.kept().is_empty());
    };
    check(
        &["setup", "doble", "--url", &url],
        2,
        "did you mean 'double'?",
    );
    check(
        &["setup", "double", "--url", &url],
        2,
        "argument 'a' is missing",
    );
    check(
        &[
            "setup",
            "double",
            "--args",
            "{\"a\": \"x\", \"b\": 1}",
            "--url",
            &url,
        ],
        2,
        "argument 'a': \"x\" is not of type \"integer\"\nthere is no argument 'b'; it takes (a: integer)",
    );
    check(
        &["setup", "double", "--url", "localhost:1"],
        2,
        "must start with http://",
    );
    check(
        &["setup", "double", "--url", &url, "--env", "env.py"],
        2,
        "cannot be used with",
    );
    check(
        &["run", "double", "--url", &url, "--judge-model", "x"],
        2,
        "--judge-model",
    );
    drop(server);
}

#[test]
fn a_grader_that_fails_ends_the_wait() {
    let (server, url) = serve(ENVIRONMENT);
    let project = Project::new();
    project
        .hud(&["scenario", "setup", "broken", "--url", &url])
        .code(0);
    let output = project
        .hud(&["scenario", "grade", "broken", "--url", &url])
        .code(3);
    assert!(output.stderr.contains("cannot grade"), "{}", output.stderr);
    assert!(project.kept().is_empty());
    drop(server);
}

#[test]
fn list_and_run_reach_a_server_too_and_carry_the_key() {
    let server = Test::new()
        .args([
            "serve",
            "mcp",
            "env.py",
            "--port",
            "0",
            "--api-key",
            "s3cret",
        ])
        .file("env.py", ENVIRONMENT)
        .spawn();
    server.wait_for_stdout("/mcp\n");
    let url = server.stdout_so_far().trim().to_owned();
    let project = Project::new();
    project
        .hud(&["scenario", "list", "--url", &url, "--api-key", "s3cret"])
        .code(0)
        .stdout("math:double(a: integer)  Doubles.\nmath:broken()  Breaks.\n");
    let args = [
        "scenario",
        "run",
        "double",
        "-a",
        "{\"a\": 3}",
        "-A",
        "6",
        "-u",
        &url,
    ];
    let output = project
        .test(&args)
        .env("HUD_SERVE_KEY", "s3cret")
        .run()
        .code(0);
    assert!((reward(&output) - 1.0).abs() < f64::EPSILON);
    let setup = [
        "scenario",
        "setup",
        "double",
        "-a",
        "{\"a\": 3}",
        "-u",
        &url,
    ];
    project.hud(&setup).code(3);
    project
        .test(&setup)
        .env("HUD_SERVE_KEY", "s3cret")
        .run()
        .code(0);
    let kept = std::fs::read_to_string(&project.kept()[0]).unwrap();
    assert!(!kept.contains("s3cret"), "{kept}");
    project
        .test(&[
            "scenario",
            "grade",
            "double",
            "-A",
            "6",
            "-u",
            &url,
            "--api-key",
            "s3cret",
        ])
        .run()
        .code(0);
    drop(server);
}

#[test]
fn python_hud_keeps_a_session_for_us() {
    let Some(venv) = std::env::var_os("HUD_TEST_VENV_V5").map(PathBuf::from) else {
        let _ = support::require("HUD_TEST_VENV_V5", false);
        return;
    };
    let environment = ENVIRONMENT.replace(
        "import hud\nenv = hud.",
        "from hud import Environment\nenv = ",
    );
    let port = support::free_port();
    let server = Test::program(venv.join("bin/hud"))
        .args(["dev", "env:env", "--port", &port.to_string()])
        .env("HUD_SKIP_VERSION_CHECK", "1")
        .env("HUD_TELEMETRY_ENABLED", "false")
        .file("env.py", environment)
        .deadline(std::time::Duration::from_mins(3))
        .spawn();
    let (_sign, signs) = std::sync::mpsc::channel();
    support::wait_for_port(port, &signs);
    setup_waits_and_grade_takes_it_up(&format!("http://127.0.0.1:{port}/mcp"));
    drop(server);
}
