//! How the environment of a task is reached, as data.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where the copies of a Python environment work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Workdir {
    /// All copies share the environment's folder (a fork isolates memory, not files).
    #[default]
    Shared,
    /// Each copy works in a private copy of the folder.
    Copy,
}

/// The environment of a task. Equal values share one base process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnvironmentSpec {
    /// A Python file or package: `env.py`, `pkg/`, `env.py:attr`, `{source, attr, python, workdir, env}`.
    Python {
        /// Absolute path of the file or folder.
        source: PathBuf,
        /// The module attribute that holds the `Environment`.
        attr: Option<String>,
        /// The interpreter; `None` searches `.venv`, `$VIRTUAL_ENV`, `python3`.
        python: Option<PathBuf>,
        /// Where copies work.
        workdir: Workdir,
        /// Extra variables for the worker.
        env: BTreeMap<String, String>,
    },
    /// One or several MCP servers: `{command: …}`, `{url: …}`, or the `mcp_config` of older tasks.
    Servers {
        /// Name and connection of each; a single unnamed one is called `environment`.
        servers: Vec<(String, ConnectionSpec)>,
    },
    /// A container image: `{image, env, ports, cpus, memory}`. Reading is supported; running arrives with the container connection.
    Image {
        /// The image reference.
        image: String,
        /// Variables for the container.
        env: BTreeMap<String, String>,
    },
    /// A hosted environment: `{hub: name}` or `{name, include, exclude}`.
    Hub {
        /// Its name on the hub.
        name: String,
        /// Tools to keep (exact names); `None` keeps all.
        include: Option<Vec<String>>,
        /// Tools to drop (exact names).
        exclude: Vec<String>,
    },
}

/// How one MCP server is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionSpec {
    /// A program that speaks MCP on its stdin and stdout; started once for each rollout.
    Stdio {
        /// Program and arguments; never run through a shell.
        command: Vec<String>,
        /// Extra variables.
        env: BTreeMap<String, String>,
        /// Working directory (absolute); `None` is the folder of the task file.
        cwd: Option<PathBuf>,
    },
    /// A server behind a URL: streamable HTTP, or HTTP+SSE where it only has that.
    Http {
        /// Where.
        url: String,
        /// Extra headers (may hold secrets: never stored, never printed).
        headers: BTreeMap<String, String>,
        /// Whether the server may ask for model calls on our account.
        sampling: bool,
    },
}
