//! `hud build` against a real engine: images, lock files, and what goes wrong.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::docker::{Docker, Scope};
use crate::support::{Output, Test};

const SERVER: &str = include_str!("data/image_server.py");

const DOCKERFILE: &str = "FROM python:3.11-slim\nENV DATABASE_URL=\nARG LEVEL=low\nENV LEVEL=$LEVEL\nWORKDIR /app\nCOPY server.py tools ./\nCMD [\"python\", \"server.py\"]\n";

/// `hud build` in a folder with an environment; more files and arguments may follow.
fn project(docker: &Docker, scope: &Scope) -> Test {
    hud(docker, scope)
        .file("Dockerfile.hud", DOCKERFILE)
        .file("server.py", SERVER)
        .file("tools/x.py", "x = 1\n")
}

/// `hud build`, in a folder whose name makes the names of its images its own.
fn hud(docker: &Docker, scope: &Scope) -> Test {
    Test::new()
        .env("DOCKER_HOST", docker.host())
        .cd(scope.name())
        .args(["build"])
}

/// `hud` with other arguments in the folder of an earlier run.
fn again(docker: &Docker, earlier: &Output, folder: &str, args: &[&str]) -> Output {
    Test::program("sh")
        .args(["-c", "cd \"$DIR\" && exec \"$HUD\" \"$@\"", "hud"])
        .args(args)
        .env("DIR", earlier.dir().join(folder))
        .env("HUD", env!("CARGO_BIN_EXE_hud"))
        .env("DOCKER_HOST", docker.host())
        .run()
}

fn lock_text(output: &Output, scope: &Scope) -> String {
    std::fs::read_to_string(output.dir().join(scope.name()).join("hud.lock.yaml")).unwrap()
}

/// A lock file as JSON.
fn lock(output: &Output, scope: &Scope) -> Value {
    hud::util::yaml::from_str(&lock_text(output, scope)).unwrap()
}

#[test]
fn a_build_makes_an_image_a_lock_and_names() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let scope = docker.scope("full");
    let name = scope.name();
    let output = project(&docker, &scope)
        .args(["--json", "-e", "API_TOKEN=s3cret-of-the-test"])
        .run()
        .code(0);
    let lines = output.json_lines();
    let built = lines.last().unwrap();
    assert_eq!(built["event"], "built");
    assert_eq!(built["image"], format!("{name}:0.1.0"));
    assert_eq!(built["tools"], serde_json::json!(["add", "zoom"]));
    assert!(lines.iter().any(|line| line["event"] == "step"), "{lines:?}");

    let lock = lock(&output, &scope);
    assert_eq!(lock["version"], "1.3");
    assert_eq!(lock["images"]["local"], format!("{name}:0.1.0"));
    assert_eq!(lock["build"]["baseImage"], "python:3.11-slim");
    assert_eq!(
        lock["build"]["sourceFiles"],
        serde_json::json!(["Dockerfile.hud", "server.py", "tools/x.py"])
    );
    let date = lock["build"]["generatedAt"].as_str().unwrap();
    assert!(date.parse::<jiff::Timestamp>().is_ok(), "{date}");
    assert_eq!(lock["environment"]["toolCount"], 2);
    assert_eq!(lock["environment"]["internalToolCount"], 1);
    assert_eq!(
        lock["environment"]["variables"]["required"],
        serde_json::json!(["API_TOKEN", "DATABASE_URL"])
    );
    assert_eq!(
        lock["environment"]["variables"]["optional"],
        serde_json::json!(["LEVEL"])
    );
    assert_eq!(lock["scenarios"][0]["id"], "stub:sum");
    assert_eq!(lock["scenarios"][0]["arguments"][0]["type"], "integer");

    let text = lock_text(&output, &scope);
    for secret in ["s3cret", "grader"] {
        assert!(!text.contains(secret), "{text}");
        assert!(!output.stdout.contains(secret) && !output.stderr.contains(secret));
    }
    assert!(text.contains("Uses [hidden]."), "{text}");

    let labels: Value = serde_json::from_str(&docker.say(&[
        "inspect",
        "--format",
        "{{json .Config.Labels}}",
        &format!("{name}:latest"),
    ]))
    .unwrap();
    assert_eq!(labels["org.hud.version"], "0.1.0");
    assert_eq!(labels["org.opencontainers.image.base.name"], "python:3.11-slim");
    let parsed: hud::build::lock::Lock = hud::util::yaml::from_str(&text).unwrap();
    assert_eq!(labels["org.hud.manifest.head"], parsed.manifest_head().unwrap());
    scope.assert_nothing_temporary();
}

#[test]
fn the_image_is_dockers_but_for_labels() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let scope = docker.scope("parity");
    let name = scope.name();
    let output = project(&docker, &scope)
        .file("tools/deep/y.sh", "#!/bin/sh\n")
        .file("tools/.hidden", "")
        .file(".dockerignore", "**/*.log\nDockerfile.hud\n")
        .file("tools/no.log", "")
        .args(["--build-arg", "LEVEL=high"])
        .run()
        .code(0);
    let folder = output.dir().join(name);
    let dockerfile = folder.join("Dockerfile.hud");
    let theirs = format!("{name}:docker");
    docker.say(&[
        "build",
        "-t",
        &theirs,
        "--build-arg",
        "LEVEL=high",
        "-f",
        dockerfile.to_str().unwrap(),
        folder.to_str().unwrap(),
    ]);
    let ours = format!("{name}:0.1.0");
    assert_eq!(docker.files(&ours), docker.files(&theirs));
    let format = "{{json .RootFS.Layers}} {{json .Config.Env}} {{json .Config.Cmd}} {{json .Config.Entrypoint}} {{.Config.WorkingDir}} {{.Config.User}} {{json .Config.ExposedPorts}} {{json .Config.Volumes}} {{.Architecture}} {{.Os}}";
    let inspect = |image: &str| docker.say(&["inspect", "--format", format, image]);
    assert_eq!(inspect(&ours), inspect(&theirs), "no layer and no setting is added");
}

#[test]
fn a_second_build_changes_nothing_and_a_byte_changes_the_version() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let scope = docker.scope("twice");
    let name = scope.name();
    let first = project(&docker, &scope).run().code(0);
    let text = lock_text(&first, &scope);
    let id = docker.say(&["inspect", "--format", "{{.Id}}", &format!("{name}:0.1.0")]);

    let second = again(&docker, &first, name, &["build"]).code(0);
    assert!(second.stdout.starts_with(&format!("{name}:0.1.0 (nothing changed)")), "{}", second.stdout);
    assert_eq!(lock_text(&first, &scope), text, "the bytes stay, the date included");
    assert_eq!(docker.say(&["inspect", "--format", "{{.Id}}", &format!("{name}:0.1.0")]), id);
    again(&docker, &first, name, &["build", "--check"]).code(0);

    let file = first.dir().join(name).join("tools/x.py");
    std::fs::write(&file, "x = 2\n").unwrap();
    let stale = again(&docker, &first, name, &["build", "--check"]).code(5);
    assert!(stale.stdout.contains("is stale: "), "{}", stale.stdout);
    let third = again(&docker, &first, name, &["build"]).code(0);
    assert!(third.stdout.starts_with(&format!("{name}:0.1.1 (was 0.1.0)")), "{}", third.stdout);
    let new = lock_text(&first, &scope);
    assert_ne!(new, text);
    again(&docker, &first, name, &["build", "--check"]).code(0);

    // A mode is a change too.
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    again(&docker, &first, name, &["build", "--check"]).code(5);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    // So is a build argument.
    let other = again(&docker, &first, name, &["build", "--check", "--build-arg", "LEVEL=x"]).code(5);
    assert!(other.stdout.contains("build arguments"), "{}", other.stdout);
    scope.assert_nothing_temporary();
}

#[test]
fn without_analysis_the_lock_claims_nothing_that_may_be_old() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let scope = docker.scope("blind");
    let name = scope.name();
    let first = project(&docker, &scope).args(["--no-analyze"]).run().code(0);
    assert_eq!(lock(&first, &scope).get("tools"), None);
    again(&docker, &first, name, &["build"]).code(0);
    assert_eq!(lock(&first, &scope)["environment"]["toolCount"], 2);
    // The same sources: what was found out stays.
    again(&docker, &first, name, &["build", "--no-analyze"]).code(0);
    assert_eq!(lock(&first, &scope)["environment"]["toolCount"], 2);
    std::fs::write(first.dir().join(name).join("tools/x.py"), "x = 3\n").unwrap();
    again(&docker, &first, name, &["build", "--no-analyze"]).code(0);
    assert_eq!(lock(&first, &scope).get("environment"), None);
}

#[test]
fn a_server_behind_a_port_is_analyzed_with_a_token() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let scope = docker.scope("http");
    let dockerfile = "FROM python:3.11-slim\nLABEL org.hud.transport=http org.hud.port=9000\nCOPY server.py /\nCMD python /server.py 9000\n";
    let output = hud(&docker, &scope)
        .file("Dockerfile", dockerfile)
        .file("server.py", SERVER)
        .run()
        .code(0);
    assert_eq!(lock(&output, &scope)["environment"]["toolCount"], 2);
    scope.assert_nothing_temporary();
}

#[test]
fn secrets_are_mounted_and_kept_nowhere() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let scope = docker.scope("secret");
    let dockerfile = format!(
        "{}RUN --mount=type=secret,id=token cat /run/secrets/token && sha256sum /run/secrets/token > /sum\n",
        DOCKERFILE
    );
    let secret = format!("s3cret-{}", uuid::Uuid::new_v4());
    let output = project(&docker, &scope)
        .file("Dockerfile.hud", &dockerfile)
        .args(["-v", "--secret", "id=token,env=MY_TOKEN"])
        .env("MY_TOKEN", &secret)
        .run()
        .code(0);
    for text in [&output.stdout, &output.stderr, &lock_text(&output, &scope)] {
        assert!(!text.contains(&secret), "{text}");
    }
    assert!(output.stderr.contains("[hidden]"), "the step printed it: {}", output.stderr);
    let image = format!("{}:0.1.0", scope.name());
    let saved = docker.cli(&["save", &image]).stdout;
    let history = docker.say(&["history", "--no-trunc", &image]);
    let bytes = secret.as_bytes();
    assert!(!saved.windows(bytes.len()).any(|window| window == bytes));
    assert!(!history.contains(&secret));
    let sum = docker.say(&["run", "--rm", &image, "cat", "/sum"]);
    assert!(sum.len() > 64);
}

#[test]
fn what_goes_wrong_is_said_and_leaves_nothing() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let check = |case: &str, dockerfile: &str, args: &[&str], code: i32, expected: &[&str]| {
        let scope = docker.scope(case);
        let output = hud(&docker, &scope)
            .file("Dockerfile", dockerfile)
            .file("server.py", SERVER)
            .args(args)
            .run()
            .code(code);
        for part in expected {
            assert!(output.stderr.contains(part), "{case}: {}", output.stderr);
        }
        assert!(!output.dir().join(scope.name()).join("hud.lock.yaml").exists(), "{case}");
        let left: Vec<_> = std::fs::read_dir(output.dir().join(scope.name()))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left.len(), 2, "{case}: {left:?}");
        assert_eq!(scope.images(), Vec::<String>::new(), "{case}");
        scope.assert_nothing_temporary();
    };
    let python = "FROM python:3.11-slim\nCOPY server.py /\n";
    check("syntax", "FROM python:3.11-slim\nRNU x\n", &[], 2, &["parse error line 2: unknown instruction: RNU"]);
    check(
        "run",
        "FROM python:3.11-slim\nRUN echo before && exit 7\n",
        &[],
        2,
        &["the step `[2/2] RUN echo before && exit 7` failed", "exit code: 7"],
    );
    check("outside", "FROM python:3.11-slim\nCOPY ../secrets /\n", &[], 2, &["the build failed: "]);
    check(
        "nobase",
        "FROM registry.invalid/none:1\n",
        &[],
        1,
        &["cannot pull `registry.invalid/none:1`: ", "hint: the engine does not reach registry.invalid"],
    );
    check("nocmd", "FROM scratch\nCOPY server.py /\n", &[], 2, &["neither CMD nor ENTRYPOINT"]);
    check(
        "noserver",
        &format!("{python}CMD [\"echo\", \"hello\"]\n"),
        &[],
        2,
        &["cannot be analyzed: ", "its command is `echo hello`", "for example `hello`"],
    );
    check(
        "missing",
        &format!("{python}CMD [\"/no/such/program\"]\n"),
        &[],
        2,
        &["/no/such/program", "no such file"],
    );
    check(
        "crash",
        &format!("{python}ENV MODE=crash\nCMD [\"python\", \"/server.py\"]\n"),
        &[],
        2,
        &["exit code 1", "the end of what it wrote:", "  the fixture is gone", "hint: CMD starts"],
    );
    check(
        "silent",
        &format!("{python}ENV MODE=silent\nCMD [\"python\", \"/server.py\"]\n"),
        &["--timeout", "1s"],
        2,
        &["did not answer as an MCP server within 1.0s"],
    );
    check(
        "closed",
        &format!("{python}ENV MODE=silent\nLABEL org.hud.transport=http\nCMD [\"python\", \"/server.py\", \"8765\"]\n"),
        &["--timeout", "1s"],
        2,
        &["did not answer as an MCP server within 1.0s"],
    );
    check("capitals", python, &["--tag", "MyEnv:1"], 2, &["--tag: `MyEnv:1` is no name of an image", "hint: try `myenv:1`"]);
    check("platform", python, &["--platform", "amd64"], 2, &["`amd64` is no platform"]);
    check("nosecret", python, &["--secret", "id=k,env=NOT_SET"], 2, &["the value of NOT_SET, which is not set"]);
    check("novar", python, &["-e", "NOT_SET"], 2, &["-e NOT_SET: the variable NOT_SET is not set"]);
    check("pushlocal", python, &["--tag", "mine:1", "--push"], 2, &["--push needs a --tag that names a registry"]);
}

#[test]
fn folders_and_locks_that_cannot_be_built_need_no_engine() {
    let check = |files: &[(&str, &str)], args: &[&str], expected: &str| {
        let mut test = Test::new()
            .env("DOCKER_HOST", "unix:///none.sock")
            .args(["build"])
            .args(args);
        for (path, text) in files {
            test = test.file(path, text);
        }
        let output = test.run().code(2).stdout("");
        assert!(output.redacted_stderr().contains(expected), "{}", output.stderr);
    };
    let dockerfile = ("Dockerfile", "FROM scratch\n");
    check(&[], &[], "has no Dockerfile.hud and no Dockerfile\nhint: ");
    check(&[dockerfile], &["nowhere"], "there is no folder `nowhere`");
    check(&[dockerfile], &["Dockerfile"], "`Dockerfile` is not a folder");
    check(&[dockerfile, ("hud.lock.yaml", "a: [")], &[], "hud.lock.yaml` is damaged: ");
    check(
        &[dockerfile, ("hud.lock.yaml", "version: '2.0'\n")],
        &[],
        "hud.lock.yaml` has version 2.0 of the format, and this hud knows 1.0 to 1.3\nhint: ",
    );
    check(&[dockerfile, (".dockerignore", "[")], &[], ".dockerignore`: line 1: `[`");
    check(
        &[dockerfile],
        &[],
        "no container engine answers\ntried: unix:///none.sock: no such file\nhint: start one",
    );
}

#[test]
fn checks_and_dry_runs_work_without_an_engine() {
    let run = |args: &[&str]| {
        Test::new()
            .env("DOCKER_HOST", "unix:///none.sock")
            .cd("my-env")
            .args(["build"])
            .args(args)
            .file("Dockerfile", "FROM scratch\nCOPY x /\n")
            .file("x", "x")
            .run()
    };
    let output = run(&["--check"]).code(5);
    assert!(output.stdout.contains("is stale: there is no hud.lock.yaml"), "{}", output.stdout);
    let output = run(&["--dry-run"]).code(0);
    assert!(output.stdout.starts_with("image       my-env:0.1.0\n"), "{}", output.stdout);
    let plan = run(&["--dry-run", "--json"]).code(0).json_lines();
    assert_eq!(plan[0]["files"], serde_json::json!(["Dockerfile", "x"]));
}

#[test]
fn an_interrupted_build_stops_in_the_engine_and_leaves_nothing() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let scope = docker.scope("interrupted");
    let mark = format!("sleep 600 # {}", uuid::Uuid::new_v4());
    let running = hud(&docker, &scope)
        .file("Dockerfile", format!("FROM python:3.11-slim\nRUN echo begun; {mark}\n"))
        .args(["-v"])
        .spawn();
    running.wait_for_stderr("begun");
    assert!(is_running(&mark));
    running.signal(rustix::process::Signal::INT);
    let output = running.wait().code(130);
    assert!(output.stderr.contains("stopping: the build is cancelled"), "{}", output.stderr);
    // The engine kills the step when the build's connection closes; it says so nowhere that could be waited for.
    let begun = std::time::Instant::now();
    while is_running(&mark) {
        assert!(begun.elapsed().as_secs() < 30, "the step still runs");
        std::thread::yield_now();
    }
    assert_eq!(scope.images(), Vec::<String>::new());
    scope.assert_nothing_temporary();
}

/// Whether a process on this machine has `mark` in its command line; containers are processes of it.
fn is_running(mark: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| {
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(mark) && !line.contains("hud ")
        })
    })
}

#[test]
fn two_builds_of_one_folder_do_not_meet() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let scope = docker.scope("two");
    let mark = uuid::Uuid::new_v4();
    let running = project(&docker, &scope)
        .file(
            "Dockerfile.hud",
            format!("{DOCKERFILE}RUN echo begun {mark}; sleep 600\n"),
        )
        .args(["-v"])
        .spawn();
    running.wait_for_stderr(&format!("| begun {mark}"));
    let folder = running.dir().to_owned();
    let second = Test::program("sh")
        .args(["-c", "cd \"$DIR\" && exec \"$HUD\" build"])
        .env("DIR", &folder)
        .env("HUD", env!("CARGO_BIN_EXE_hud"))
        .env("DOCKER_HOST", docker.host())
        .run()
        .code(2);
    assert!(second.stderr.contains("is being built by another `hud build`"), "{}", second.stderr);
    running.signal(rustix::process::Signal::INT);
    running.wait().code(130);
    assert!(!folder.join("hud.lock.yaml").exists());
}

#[test]
fn the_runtime_must_be_static_and_is_never_left_in_the_folder() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let scope = docker.scope("runtime");
    let dockerfile = "FROM python:3.11-slim\nCOPY .hud-runtime/hud /hud\nCMD [\"python\"]\n";
    let output = hud(&docker, &scope)
        .file("Dockerfile", dockerfile)
        .args(["--no-analyze"])
        .run()
        .code(2);
    assert!(output.stderr.contains("is not static: it runs only where"), "{}", output.stderr);
    assert!(output.stderr.contains("--hud-binary"), "{}", output.stderr);

    let output = hud(&docker, &scope)
        .file("Dockerfile", dockerfile)
        .file("../static", static_elf())
        .args(["--no-analyze", "--hud-binary", "../static"])
        .run()
        .code(0);
    let files = docker.files(&format!("{}:0.1.0", scope.name()));
    assert!(files.contains("755 hud"), "{files:?}");
    let left: Vec<_> = std::fs::read_dir(output.dir().join(scope.name()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

/// The smallest file that says it is a static program of this machine.
fn static_elf() -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes
}
