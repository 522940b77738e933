//! Engines that are not as they should be: too old, without BuildKit, full, silent. A few lines on a socket play them.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::Test;

/// Answers requests by the end of their path.
struct Engine {
    folder: tempfile::TempDir,
}

impl Engine {
    /// Plays an engine. `answer` gets the method and the path without the version of the API, and answers a status and a body.
    fn play(answer: impl Fn(&str, &str) -> (u16, Vec<u8>) + Send + 'static) -> Self {
        let folder = tempfile::Builder::new().prefix("hud-fake-").tempdir_in("/tmp").unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut request = String::new();
                if reader.read_line(&mut request).unwrap_or(0) == 0 {
                    continue;
                }
                let mut chunked = false;
                loop {
                    let mut header = String::new();
                    reader.read_line(&mut header).unwrap();
                    chunked |= header.to_lowercase().starts_with("transfer-encoding: chunked");
                    if header.trim().is_empty() {
                        break;
                    }
                }
                if chunked {
                    // A context: it is read to its end, as an engine does.
                    let mut byte = [0];
                    let mut end = Vec::new();
                    while !end.ends_with(b"0\r\n\r\n") && reader.read(&mut byte).unwrap_or(0) == 1 {
                        end.push(byte[0]);
                    }
                }
                let mut words = request.split_whitespace();
                let (method, path) = (words.next().unwrap(), words.next().unwrap());
                // `/v1.41/build?t=x` and `/build?t=x` are the same.
                let path = path
                    .strip_prefix("/v1.")
                    .and_then(|rest| rest.split_once('/'))
                    .map_or(path.to_owned(), |(_, rest)| format!("/{rest}"));
                let (status, body) = answer(method, &path);
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body);
            }
        });
        Self { folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }
}

fn version(api: &str, component: &str) -> Value {
    json!({
        "Version": "1.2.3", "ApiVersion": api, "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64",
        "Components": [{"Name": component, "Version": "1.2.3"}],
    })
}

fn build(socket: &Path, dockerfile: &str, args: &[&str]) -> crate::support::Output {
    Test::new()
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .cd("fake-env")
        .args(["build"])
        .args(args)
        .file("Dockerfile", dockerfile)
        .env("KEY", "s3cret")
        .run()
}

#[test]
fn an_engine_that_is_too_old_is_named() {
    let engine = Engine::play(|_, _| (200, version("1.40", "Engine").to_string().into_bytes()));
    let output = build(&engine.socket(), "FROM scratch\n", &[]).code(2);
    assert!(
        output.stderr.contains("is too old: it speaks version 1.40 of the API, and 1.41 is the oldest that works\nhint: Docker 20.10"),
        "{}",
        output.stderr
    );
}

#[test]
fn what_is_no_engine_is_said() {
    let engine = Engine::play(|_, _| (404, b"{\"message\": \"page not found\"}".to_vec()));
    let output = build(&engine.socket(), "FROM scratch\n", &[]).code(2);
    assert!(output.stderr.contains("no container engine answers\ntried: unix://"), "{}", output.stderr);
    assert!(output.stderr.contains("it answers HTTP 404: page not found"), "{}", output.stderr);

    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    // Bound and gone: the file stays, and nobody listens.
    drop(UnixListener::bind(&socket).unwrap());
    let output = build(&socket, "FROM scratch\n", &[]).code(2);
    assert!(output.stderr.contains("onnection refused"), "{}", output.stderr);
}

#[test]
fn without_buildkit_what_needs_it_is_an_error_and_never_a_build_argument() {
    let engine = Engine::play(|_, path| {
        assert!(!path.contains("s3cret"), "{path}");
        match path {
            "/version" => (200, version("1.41", "Podman Engine").to_string().into_bytes()),
            _ => (500, b"{\"message\": \"not asked for\"}".to_vec()),
        }
    });
    let check = |dockerfile: &str, args: &[&str], expected: &str| {
        let output = build(&engine.socket(), dockerfile, args).code(2);
        assert!(
            output.stderr.contains("builds without BuildKit, and ") && output.stderr.contains(expected),
            "{}",
            output.stderr
        );
    };
    check("FROM scratch\n", &["--secret", "id=k,env=KEY"], "--secret needs it");
    check("FROM scratch\n", &["--platform", "linux/arm64"], "--platform linux/arm64 needs it");
    check(
        "FROM a\n\nRUN --mount=type=cache,target=/c make\n",
        &[],
        "`RUN --mount=type=cache` in Dockerfile:3 needs it",
    );
}

#[test]
fn a_full_disk_is_said_and_nothing_is_left() {
    let engine = Engine::play(|method, path| {
        let json = |value: Value| (200, value.to_string().into_bytes());
        match (method, path) {
            (_, "/version") => json(version("1.41", "Podman Engine")),
            ("GET", path) if path.starts_with("/containers/json") => json(json!([])),
            ("GET", path) if path.starts_with("/images/json") => json(json!([])),
            ("POST", path) if path.starts_with("/build") => {
                let error = "write /var/lib/docker/x: no space left on device";
                json(json!({"errorDetail": {"message": error}, "error": error}))
            }
            _ => (404, b"{\"message\": \"no such thing\"}".to_vec()),
        }
    });
    let output = build(&engine.socket(), "FROM scratch\n", &[]).code(1);
    assert!(
        output.stderr.contains("cannot build: the disk of the engine is full: write /var/lib/docker/x"),
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("report it"), "{}", output.stderr);
    assert!(!output.dir().join("fake-env/hud.lock.yaml").exists());
}
