//! The container engine of the tests, which `tests/run` starts, and Docker's own client beside it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use hud::docker::{Engine, EngineSettings};

use super::require;

/// An engine with the image `python:3.11-slim`.
pub struct Docker {
    host: String,
}

impl Docker {
    /// The engine that `HUD_TEST_DOCKER_HOST` names. Without one the test is skipped aloud, or fails where everything must run.
    pub fn find() -> Option<Self> {
        let host = std::env::var("HUD_TEST_DOCKER_HOST").ok();
        let available = host.is_some();
        if !require("a container engine (HUD_TEST_DOCKER_HOST)", available) {
            return None;
        }
        host.map(|host| Self { host })
    }

    /// Its address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Names for one test that no other test has, and that are gone at its end.
    pub fn scope(&self, test: &str) -> Scope<'_> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        Scope {
            docker: self,
            name: format!("hud-test-{test}-{}", &id[..8]),
        }
    }

    /// A connection of the library.
    pub async fn engine(&self) -> Engine {
        Engine::connect(&EngineSettings {
            host: Some(self.host.clone()),
            ..EngineSettings::default()
        })
        .await
        .unwrap()
    }

    /// Docker's own client.
    pub fn cli(&self, args: &[&str]) -> Output {
        // Debian's client can drive BuildKit without a plugin.
        let debian = Path::new("/usr/bin/docker");
        let program = if debian.exists() {
            debian
        } else {
            Path::new("docker")
        };
        Command::new(program)
            .args(args)
            .env("DOCKER_HOST", &self.host)
            .env("DOCKER_BUILDKIT", "1")
            .env("DOCKER_CONFIG", "/nonexistent")
            .output()
            .unwrap()
    }

    /// What Docker's own client says on stdout; it must succeed.
    #[track_caller]
    pub fn say(&self, args: &[&str]) -> String {
        let output = self.cli(args);
        assert!(
            output.status.success(),
            "docker {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Every path of an image, folders with a slash at the end, links with where they lead, as `MODE PATH`.
    #[track_caller]
    pub fn files(&self, image: &str) -> BTreeSet<String> {
        let container = self.say(&["create", image, "/none"]);
        let output = self.cli(&["export", &container]);
        self.say(&["rm", &container]);
        tar_listing(&output.stdout)
            .into_iter()
            // What the engine adds to every container.
            .filter(|line| {
                let path = line.split_once(' ').unwrap().1;
                !["dev/", "etc/", "proc/", "sys/", ".dockerenv"]
                    .iter()
                    .any(|own| path.starts_with(own))
            })
            .collect()
    }
}

/// The images and containers of one test.
pub struct Scope<'a> {
    docker: &'a Docker,
    name: String,
}

impl Scope<'_> {
    /// The name of its images.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its images.
    #[track_caller]
    pub fn images(&self) -> Vec<String> {
        let filter = format!("reference={}", self.name);
        let listed = self.docker.say(&[
            "images",
            "--filter",
            &filter,
            "--format",
            "{{.Repository}}:{{.Tag}}",
        ]);
        listed.lines().map(str::to_owned).collect()
    }

    /// Fails the test when a container that it started, or a temporary image, is left. Other tests run at the same time: only what has the
    /// name of this one, or a process that has ended, counts.
    #[track_caller]
    pub fn assert_nothing_temporary(&self) {
        let label = format!("label=org.hud.job=build-{}", self.name);
        let left = self
            .docker
            .say(&["ps", "-a", "--filter", &label, "--format", "{{.ID}}"]);
        assert_eq!(left, "", "containers are left");
        let listed = self.docker.say(&[
            "images",
            "--filter",
            "reference=hud-build-temp",
            "--format",
            "{{.Tag}}",
        ]);
        let left: Vec<&str> = listed
            .lines()
            .filter(|tag| {
                let owner = tag.rsplit_once('-').unwrap().0;
                hud::docker::Owner::parse(owner).unwrap().has_ended()
            })
            .collect();
        assert_eq!(left, Vec::<&str>::new(), "temporary images are left");
    }
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        let filter = format!("reference={}", self.name);
        let listed = self.docker.cli(&["images", "-q", "--filter", &filter]);
        for id in String::from_utf8_lossy(&listed.stdout).lines() {
            self.docker.cli(&["rmi", "-f", id]);
        }
    }
}

/// The entries of a tar, each as `MODE PATH`.
pub fn tar_listing(tar: &[u8]) -> BTreeSet<String> {
    let mut archive = tar::Archive::new(tar);
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.header().mode().unwrap() & 0o7777;
            let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let path = path.trim_start_matches("./").to_owned();
            let link = entry.link_name_bytes().map_or_else(String::new, |link| {
                format!(" -> {}", String::from_utf8_lossy(&link))
            });
            format!("{mode:o} {path}{link}")
        })
        .filter(|line| !line.ends_with(' '))
        .collect()
}
