//! Building with a real engine, through the library.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hud::build::context;
use hud::docker::{BuildEvent, BuildRequest, DockerError, Engine, Secret, StepOutcome};

use crate::support::docker::Docker;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// Builds `folder` as `tag`; the events that came, and how it ended.
async fn build(
    engine: &Engine,
    folder: &Path,
    request: BuildRequest,
) -> (Vec<BuildEvent>, Result<String, DockerError>) {
    let dockerfile = context::dockerfile(folder).unwrap();
    let context = context::read(folder, dockerfile, None).unwrap();
    let mut events = Vec::new();
    let outcome = engine
        .build(&request, Arc::new(context), &mut |event| events.push(event))
        .await;
    (events, outcome)
}

fn request(tag: &str) -> BuildRequest {
    BuildRequest {
        tag: tag.to_owned(),
        ..BuildRequest::default()
    }
}

#[tokio::test]
async fn a_session_builds_what_docker_builds() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let engine = docker.engine().await;
    let folder = folder(&[
        (
            "Dockerfile.hud",
            "ARG VERSION=3.11-slim\nFROM python:$VERSION\nARG WHO=nobody\nENV WHO=$WHO\nRUN echo hello $WHO && mkdir /made && echo $WHO > /made/x\n\
             WORKDIR /app\nCOPY env.py ./\nCOPY data ./data\nCMD [\"python\", \"env.py\"]\n",
        ),
        ("env.py", "print(1)\n"),
        ("data/a", "a"),
        ("data/deep/b", &"b".repeat(200_000)),
        (".dockerignore", "Dockerfile*\n.dockerignore\n"),
    ]);
    // Never built before, so that the first build runs its steps.
    let who = format!("me and {}", uuid::Uuid::new_v4());
    let request = BuildRequest {
        build_args: BTreeMap::from([("WHO".to_owned(), who.clone())]),
        ..request("hud-test-session:ours")
    };
    let (events, outcome) = build(&engine, folder.path(), request.clone()).await;
    let id = outcome.unwrap();
    let dockerfile = folder.path().join("Dockerfile.hud");
    docker.say(&[
        "build",
        "-t",
        "hud-test-session:docker",
        "--build-arg",
        &format!("WHO={who}"),
        "-f",
        dockerfile.to_str().unwrap(),
        folder.path().to_str().unwrap(),
    ]);
    assert_eq!(
        docker.say(&["inspect", "--format", "{{.Id}}", "hud-test-session:docker"]),
        id,
        "the same Dockerfile and context make the same image"
    );
    let logs: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            BuildEvent::Log { line, .. } => Some(line.as_str()),
            _ => None,
        })
        .collect();
    assert!(logs.contains(&format!("hello {who}").as_str()), "{logs:?}");
    let started = events
        .iter()
        .filter(|event| matches!(event, BuildEvent::Started { .. }))
        .count();
    let finished = events
        .iter()
        .filter(|event| matches!(event, BuildEvent::Finished { outcome, .. } if *outcome != StepOutcome::Failed))
        .count();
    assert!(started >= 5 && started == finished, "{events:?}");

    // Again: from the cache, with the same result.
    let (events, outcome) = build(&engine, folder.path(), request).await;
    assert_eq!(outcome.unwrap(), id);
    let cached = |event: &BuildEvent| {
        matches!(
            event,
            BuildEvent::Finished {
                outcome: StepOutcome::Cached,
                ..
            }
        )
    };
    assert!(
        events.iter().filter(|event| cached(event)).count() >= 4,
        "{events:?}"
    );
    docker.say(&["rmi", "hud-test-session:ours", "hud-test-session:docker"]);
}

#[tokio::test]
async fn a_change_of_one_byte_arrives() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let engine = docker.engine().await;
    let folder = folder(&[("Dockerfile", "FROM scratch\nCOPY x /x\n"), ("x", "1")]);
    let (_, first) = build(&engine, folder.path(), request("hud-test-byte")).await;
    std::fs::write(folder.path().join("x"), "2").unwrap();
    let (_, second) = build(&engine, folder.path(), request("hud-test-byte")).await;
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first, second);
    docker.say(&["rmi", &first, &second]);
}

#[tokio::test]
async fn secrets_reach_their_step_and_nothing_else() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let engine = docker.engine().await;
    let folder = folder(&[(
        "Dockerfile",
        "FROM python:3.11-slim\nRUN --mount=type=secret,id=key wc -c < /run/secrets/key > /length\n",
    )]);
    let secret = "s3cret-of-the-test";
    let with = BuildRequest {
        secrets: BTreeMap::from([("key".to_owned(), Secret::new(secret))]),
        ..request("hud-test-secret")
    };
    let (events, outcome) = build(&engine, folder.path(), with).await;
    let id = outcome.unwrap();
    assert!(!format!("{events:?}").contains(secret));
    let length = docker.say(&["run", "--rm", "hud-test-secret", "cat", "/length"]);
    assert_eq!(length, secret.len().to_string());
    let history = docker.say(&["history", "--no-trunc", "hud-test-secret"]);
    let inspect = docker.say(&["inspect", "hud-test-secret"]);
    let saved = docker.cli(&["save", &id]);
    let all = [history.as_bytes(), inspect.as_bytes(), &saved.stdout].concat();
    assert!(
        !all.windows(secret.len())
            .any(|window| window == secret.as_bytes())
    );
    docker.say(&["rmi", "hud-test-secret"]);
}

#[tokio::test]
async fn a_failing_step_is_shown_with_its_last_lines() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let engine = docker.engine().await;
    let check = async |dockerfile: &str, expected: &[&str]| {
        let folder = folder(&[("Dockerfile", dockerfile)]);
        let (_, outcome) = build(&engine, folder.path(), request("hud-test-failing")).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, DockerError::Build(_)), "{error:?}");
        let text = error.to_string();
        for part in expected {
            assert!(text.contains(part), "{text}");
        }
    };
    check(
        "FROM python:3.11-slim\nRUN echo before; echo why >&2; exit 3\n",
        &[
            "the step `[2/2] RUN echo before; echo why >&2; exit 3` failed: ",
            "exit code: 3",
            "\n  before",
            "\n  why",
        ],
    )
    .await;
    check(
        "FROM python:3.11-slim\nRNU x\n",
        &[
            "the build failed: ",
            "parse error line 2: unknown instruction: RNU",
        ],
    )
    .await;
    check(
        "FROM python:3.11-slim\nCOPY nothing /x\n",
        &["\"/nothing\" not found"],
    )
    .await;
    check("FROM python:3.11-slim\nCOPY ../x /x\n", &["/x"]).await;
    check("", &["empty"]).await;
}
