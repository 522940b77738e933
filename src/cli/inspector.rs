//! The MCP Inspector beside a server of ours, through `npx`, with a link that opens connected.
//!
//! Its version 2 takes a server out of the link when the link carries the token that it was started with (`serverUrl`, `autoConnect`; read in the
//! package `@modelcontextprotocol/inspector` 2.12, function of the same name). Headers cannot travel in a link, so a server that wants a token is
//! given in a file, and its name is clicked once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::task::JoinSet;

use crate::ui::Printer;
use crate::util::process::{self, DeathSignal, Program};
use crate::util::{fs, text};

/// What `npx` runs: the major version whose links are known.
const PACKAGE: &str = "@modelcontextprotocol/inspector@2";

/// The oldest Node that version 2 runs on.
const NODE: (u32, u32) = (22, 19);

/// Where it usually listens; another port is taken when this one is in use.
const PORT: u16 = 6274;

/// How long it may take to end when it is told to.
const END: Duration = Duration::from_secs(2);

/// What the Inspector is started with.
pub(super) struct InspectorOptions<'a> {
    /// The server's MCP endpoint.
    pub(super) url: &'a str,
    /// The bearer token that the server wants.
    pub(super) token: Option<&'a str>,
    /// Variables for the process, without secrets.
    pub(super) variables: BTreeMap<String, String>,
    /// This binary, through which children start so that they die with us.
    pub(super) wrapper: Option<PathBuf>,
    /// The way to the person.
    pub(super) printer: &'a Printer,
}

/// A running Inspector. Dropping it ends it; [`Inspector::close`] waits for that.
pub(super) struct Inspector {
    child: Child,
    /// Waits for its first words.
    _reading: JoinSet<()>,
    /// Its log, and the file with the server's token.
    _folder: tempfile::TempDir,
}

/// Starts the Inspector and returns at once; the link is said when it listens. Without `npx`, or with a Node that is too old, what to install is
/// said instead, and there is none.
pub(super) async fn start(options: InspectorOptions<'_>) -> Option<Inspector> {
    match launch(&options).await {
        Ok(inspector) => Some(inspector),
        Err(words) => {
            options
                .printer
                .warn(&format!("the MCP Inspector was not started: {words}"));
            None
        }
    }
}

async fn launch(options: &InspectorOptions<'_>) -> Result<Inspector, String> {
    let path = options.variables.get("PATH").map(String::as_str);
    let install = format!(
        "hint: install Node {}.{} or newer from https://nodejs.org, which brings npx",
        NODE.0, NODE.1
    );
    let npx = process::find("npx", path)
        .ok_or_else(|| format!("there is no `npx` on the PATH\n{install}"))?;
    let folder = tempfile::TempDir::with_prefix("hud-inspector-").map_err(|e| e.to_string())?;
    let version = node_version(options, folder.path())
        .await
        .ok_or_else(|| format!("there is no `node` on the PATH\n{install}"))?;
    if parsed(&version).is_none_or(|found| found < NODE) {
        return Err(format!(
            "it needs Node {}.{} or newer, and `node` is {version}\n{install}",
            NODE.0, NODE.1
        ));
    }
    let port = free_port();
    let own_token = uuid::Uuid::new_v4().simple().to_string();
    let mut args: Vec<std::ffi::OsString> = ["--yes", PACKAGE].map(Into::into).to_vec();
    if let Some(token) = options.token {
        let config = folder.path().join("mcp.json");
        fs::create_private(&config)
            .and_then(|()| fs::write(&config, configuration(options.url, token)))
            .map_err(|error| format!("{error:#}"))?;
        args.extend(["--config".into(), config.into()]);
    } else {
        args.extend(
            [
                "--transport",
                "http",
                "--server-url",
                options.url,
                "--protocol-era",
                "auto",
            ]
            .map(Into::into),
        );
    }
    let mut env = options.variables.clone();
    env.extend(
        [
            ("CLIENT_PORT", port.to_string()),
            ("HOST", "127.0.0.1".to_owned()),
            ("MCP_AUTO_OPEN_ENABLED", "false".to_owned()),
            ("MCP_INSPECTOR_API_TOKEN", own_token.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    let log = folder.path().join("log");
    let mut child = process::spawn_piped(
        &Program {
            program: npx.into(),
            args,
            env,
            cwd: folder.path().to_owned(),
            wrapper: options.wrapper.clone(),
            // npx passes it on to the program that it runs; killed, it would leave that behind.
            death_signal: DeathSignal::Terminate,
        },
        &log,
    )
    .await
    .map_err(|error| format!("{error:#}"))?;
    let link = link(port, &own_token, options.url, options.token.is_some());
    options
        .printer
        .talk("starting the MCP Inspector (the first time npx downloads it)");
    let mut reading = JoinSet::new();
    if let Some(stdout) = child.stdout.take() {
        let printer = options.printer.clone();
        let clicked = options.token.is_some();
        reading.spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            let mut listens = false;
            while let Ok(Some(line)) = lines.next_line().await {
                if !listens && line.contains("is up and running") {
                    listens = true;
                    printer.talk(&format!("MCP Inspector: {link}"));
                    if clicked {
                        printer.talk("(connect to `hud` there; its token is set)");
                    }
                }
            }
            if !listens {
                let tail = text::strip_control(&fs::tail(&log, 1500));
                printer.warn(&format!(
                    "the MCP Inspector ended before it listened\n{tail}"
                ));
            }
        });
    }
    Ok(Inspector {
        child,
        _reading: reading,
        _folder: folder,
    })
}

/// What `node --version` prints.
async fn node_version(options: &InspectorOptions<'_>, folder: &Path) -> Option<String> {
    let path = options.variables.get("PATH").map(String::as_str);
    let node = process::find("node", path)?;
    let program = Program {
        program: node.into(),
        args: vec!["--version".into()],
        env: options.variables.clone(),
        cwd: folder.to_owned(),
        wrapper: options.wrapper.clone(),
        death_signal: DeathSignal::Kill,
    };
    let child = process::spawn_piped(&program, &folder.join("log"))
        .await
        .ok()?;
    let output = child.wait_with_output().await.ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    Some(text::one_line(&version, 40))
}

/// `v22.19.0` as major and minor.
fn parsed(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The usual port, or one that is free now.
fn free_port() -> u16 {
    let port = |wanted| {
        std::net::TcpListener::bind(("127.0.0.1", wanted))
            .and_then(|listener| listener.local_addr())
            .map(|address| address.port())
    };
    // Where no port is free at all, the Inspector says so itself.
    port(PORT).or_else(|_| port(0)).unwrap_or(PORT)
}

fn configuration(url: &str, token: &str) -> String {
    json!({"mcpServers": {"hud": {
        "type": "streamable-http",
        "url": url,
        "headers": {"Authorization": format!("Bearer {token}")},
        "protocolEra": "auto",
    }}})
    .to_string()
}

/// Where a browser finds it: connected, unless the server's token keeps it from that.
fn link(port: u16, own_token: &str, url: &str, wants_token: bool) -> String {
    let base = format!("http://127.0.0.1:{port}/?MCP_INSPECTOR_API_TOKEN={own_token}");
    if wants_token {
        return base;
    }
    format!(
        "{base}&transport=http&serverUrl={}&autoConnect={own_token}",
        escaped(url)
    )
}

/// A URL as the value of a query.
fn escaped(url: &str) -> String {
    url.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

impl Inspector {
    /// Ends it and waits for that.
    pub(super) async fn close(mut self) {
        self.signal(rustix::process::Signal::TERM);
        if tokio::time::timeout(END, self.child.wait()).await.is_err() {
            self.signal(rustix::process::Signal::KILL);
            // Reaped, whatever it ends with.
            let _ = self.child.wait().await;
        }
    }

    /// To npx and what it runs.
    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(pid) = self
            .child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(rustix::process::Pid::from_raw)
        {
            // A group that is gone needs no signal.
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }
}

impl Drop for Inspector {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::TERM);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::ui::{Captured, Options, Terminal};

    struct World {
        folder: tempfile::TempDir,
        printer: Printer,
        captured: Captured,
    }

    impl World {
        /// A PATH with these programs, shell scripts all of them.
        fn new(programs: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for (name, script) in programs {
                let path = folder.path().join(name);
                fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
                let mut permissions = path.metadata().unwrap().permissions();
                permissions.set_mode(0o755);
                fs::open(&path)
                    .unwrap()
                    .set_permissions(permissions)
                    .unwrap();
            }
            let (printer, captured) = Printer::memory(Options::default(), Terminal::default());
            Self {
                folder,
                printer,
                captured,
            }
        }

        async fn start(&self, token: Option<&str>) -> Option<Inspector> {
            let path = format!("{}:/usr/bin:/bin", self.folder.path().display());
            let alone = self.folder.path().display().to_string();
            let has_npx = self.folder.path().join("npx").exists();
            start(InspectorOptions {
                url: "http://127.0.0.1:8765/mcp",
                token,
                // The system's own node and npx are of no interest.
                variables: BTreeMap::from([(
                    "PATH".to_owned(),
                    if has_npx { path } else { alone },
                )]),
                wrapper: None,
                printer: &self.printer,
            })
            .await
        }

        fn said(&self) -> String {
            self.captured.stderr()
        }
    }

    /// Says what the Inspector says, notes how it was started, and stays.
    const NPX: &str = r#"echo "$@" > "$(dirname "$0")/args"
env > "$(dirname "$0")/env"
case "$*" in *--config*) for last; do :; done; cp "$last" "$(dirname "$0")/config";; esac
echo
echo "MCP Inspector Web is up and running at:"
echo "   http://127.0.0.1:$CLIENT_PORT?MCP_INSPECTOR_API_TOKEN=$MCP_INSPECTOR_API_TOKEN"
exec sleep 600"#;

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let check = async |programs: &[(&str, &str)], expected: &str| {
            let world = World::new(programs);
            assert!(world.start(None).await.is_none());
            let said = world.said();
            assert!(said.contains(expected), "{said}");
            assert!(said.contains("hint: install Node 22.19 or newer"), "{said}");
        };
        check(&[], "there is no `npx` on the PATH").await;
        let old = [("npx", NPX), ("node", "echo v20.20.2")];
        check(&old, "it needs Node 22.19 or newer, and `node` is v20.20.2").await;
    }

    #[tokio::test]
    async fn the_link_opens_connected() {
        let world = World::new(&[("npx", NPX), ("node", "echo v22.19.0")]);
        let inspector = world.start(None).await.unwrap();
        while !world.said().contains("MCP Inspector: http") {
            tokio::task::yield_now().await;
        }
        let file = |name: &str| fs::read_to_string(&world.folder.path().join(name)).unwrap();
        let variables = file("env");
        let value = |name: &str| {
            let start = format!("{name}=");
            variables
                .lines()
                .find_map(|line| line.strip_prefix(&start))
                .unwrap()
                .to_owned()
        };
        let token = value("MCP_INSPECTOR_API_TOKEN");
        let port = value("CLIENT_PORT");
        assert!(
            world.said().ends_with(&format!(
                "MCP Inspector: http://127.0.0.1:{port}/?MCP_INSPECTOR_API_TOKEN={token}&transport=http&serverUrl=http%3A%2F%2F127.0.0.1%3A8765%2Fmcp&autoConnect={token}\n"
            )),
            "{}",
            world.said()
        );
        assert_eq!(
            file("args"),
            "--yes @modelcontextprotocol/inspector@2 --transport http --server-url http://127.0.0.1:8765/mcp --protocol-era auto\n"
        );
        let pid = inspector.child.id().unwrap();
        inspector.close().await;
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[tokio::test]
    async fn a_token_is_on_no_command_line_and_in_no_link() {
        let world = World::new(&[("npx", NPX), ("node", "echo v24.0.0")]);
        let inspector = world.start(Some("s3cret")).await.unwrap();
        while !world.said().contains("connect to `hud`") {
            tokio::task::yield_now().await;
        }
        let file = |name: &str| fs::read_to_string(&world.folder.path().join(name)).unwrap();
        assert!(!file("args").contains("s3cret") && !file("env").contains("s3cret"));
        assert!(!world.said().contains("s3cret"), "{}", world.said());
        assert!(file("config").contains("Bearer s3cret"));
        inspector.close().await;
    }

    #[tokio::test]
    async fn an_end_before_it_listens_is_told_with_its_words() {
        let world = World::new(&[
            ("npx", "echo 'npm error 404' >&2; exit 1"),
            ("node", "echo v22.20.0"),
        ]);
        let inspector = world.start(None).await.unwrap();
        while !world.said().contains("npm error 404") {
            tokio::task::yield_now().await;
        }
        assert!(
            world
                .said()
                .contains("warning: the MCP Inspector ended before it listened")
        );
        inspector.close().await;
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parsed("v22.19.0"), Some((22, 19)));
        assert!(parsed("v100.0.0").unwrap() > NODE);
        assert_eq!(parsed("nonsense"), None);
    }
}
