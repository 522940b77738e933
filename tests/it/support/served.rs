//! A server of ours that other people's clients talk to: the fixture of the conformance kit, which offers everything.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Running, Test};

/// A file of the conformance fixture.
pub fn conformance(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/data/conformance")
        .join(file)
}

/// A running `hud …` that serves the conformance fixture, and the address it has printed. Dropping it stops the server.
pub struct Served {
    /// The program.
    pub running: Running,
    /// Its MCP endpoint.
    pub url: String,
}

impl Served {
    /// Starts `hud COMMAND` in a folder with the fixture as `env.py`, as a user does, and waits until it has said where it listens.
    fn start(command: &[&str]) -> Self {
        let running = Test::new()
            .deadline(Duration::from_mins(3))
            .file("env.py", std::fs::read(conformance("env.py")).unwrap())
            .args(command)
            .spawn();
        running.wait_for_stdout("/mcp");
        let url = running
            .stdout_so_far()
            .split_whitespace()
            .find(|word| word.starts_with("http://") && word.ends_with("/mcp"))
            .unwrap()
            .to_owned();
        Self { running, url }
    }

    /// `hud serve mcp` on a free port: a copy of the environment for each session.
    pub fn by_serve() -> Self {
        Self::start(&["serve", "mcp", "env.py", "--port", "0"])
    }

    /// `hud dev` on a free port: one process for all sessions, as it is while one writes an environment.
    pub fn by_dev() -> Self {
        Self::start(&["dev", "env.py", "--port", "0"])
    }
}
