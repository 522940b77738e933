//! How the environment of a task is reached, as data.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

/// Where the copies of a Python environment work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Workdir {
    /// All copies share the environment's folder (a fork isolates memory, not files).
    #[default]
    Shared,
    /// Each copy works in a private copy of the folder.
    Copy,
}

/// The environment of a task. Equal values share one base process. `Debug` hides what may be secret: values of variables and headers,
/// assignments in commands, queries of URLs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        /// Ports to publish, as docker writes them: `8080`, `8080:80`.
        ports: Vec<String>,
        /// Share of processors, a decimal number above 0.
        cpus: Option<String>,
        /// Memory as docker writes it: `512m`.
        memory: Option<String>,
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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl EnvironmentSpec {
    /// For the run directory: what the environment is and where, without anything that may be secret.
    pub fn to_record(&self) -> Value {
        match self {
            Self::Python {
                source,
                attr,
                python,
                workdir,
                ..
            } => {
                let mut record = json!({"source": source});
                if let Some(attr) = attr {
                    record["attr"] = json!(attr);
                }
                if let Some(python) = python {
                    record["python"] = json!(python);
                }
                if *workdir == Workdir::Copy {
                    record["workdir"] = json!("copy");
                }
                record
            }
            Self::Servers { servers } => {
                let servers: serde_json::Map<_, _> = servers
                    .iter()
                    .map(|(name, connection)| {
                        let record = match connection {
                            ConnectionSpec::Stdio { command, .. } => {
                                json!({"command": without_secrets(command)})
                            }
                            ConnectionSpec::Http { url, .. } => json!({"url": public_url(url)}),
                        };
                        (name.clone(), record)
                    })
                    .collect();
                json!({ "servers": servers })
            }
            Self::Image { image, .. } => json!({ "image": image }),
            Self::Hub { name, .. } => json!({ "hub": name }),
        }
    }
}

impl fmt::Debug for EnvironmentSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Python {
                source,
                attr,
                python,
                workdir,
                env,
            } => f
                .debug_struct("Python")
                .field("source", source)
                .field("attr", attr)
                .field("python", python)
                .field("workdir", workdir)
                .field("env", &Hidden(env))
                .finish(),
            Self::Servers { servers } => {
                f.debug_struct("Servers").field("servers", servers).finish()
            }
            Self::Image {
                image,
                env,
                ports,
                cpus,
                memory,
            } => f
                .debug_struct("Image")
                .field("image", image)
                .field("env", &Hidden(env))
                .field("ports", ports)
                .field("cpus", cpus)
                .field("memory", memory)
                .finish(),
            Self::Hub {
                name,
                include,
                exclude,
            } => f
                .debug_struct("Hub")
                .field("name", name)
                .field("include", include)
                .field("exclude", exclude)
                .finish(),
        }
    }
}

impl fmt::Debug for ConnectionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdio { command, env, cwd } => f
                .debug_struct("Stdio")
                .field("command", &without_secrets(command))
                .field("env", &Hidden(env))
                .field("cwd", cwd)
                .finish(),
            Self::Http {
                url,
                headers,
                sampling,
            } => f
                .debug_struct("Http")
                .field("url", &public_url(url))
                .field("headers", &Hidden(headers))
                .field("sampling", sampling)
                .finish(),
        }
    }
}

/// A map of which only the names are printed.
struct Hidden<'a>(&'a BTreeMap<String, String>);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.keys().map(|name| (name, format_args!("[hidden]"))))
            .finish()
    }
}

/// A command for people to read: `docker run -e KEY=[hidden] image`. Older task files pass keys this way, and as `--api-key VALUE`.
fn without_secrets(command: &[String]) -> Vec<String> {
    let mut hide_next = false;
    command
        .iter()
        .map(|word| {
            if std::mem::take(&mut hide_next) {
                return "[hidden]".to_owned();
            }
            if let Some((name, _)) = word.split_once('=') {
                return format!("{name}=[hidden]");
            }
            let lower = word.to_lowercase();
            hide_next = word.starts_with('-')
                && ["key", "token", "secret", "password", "auth", "header"]
                    .iter()
                    .any(|part| lower.contains(part));
            word.clone()
        })
        .collect()
}

/// A URL without user, password, query and fragment.
fn public_url(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let mut public = url[..end].to_owned();
    if let Some(start) = public.find("://").map(|index| index + 3) {
        let host_end = public[start..]
            .find('/')
            .map_or(public.len(), |i| start + i);
        if let Some(at) = public[start..host_end].rfind('@') {
            public.replace_range(start..=start + at, "");
        }
    }
    if end < url.len() {
        public.push_str("?[hidden]");
    }
    public
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_neither_printed_nor_recorded() {
        let secrets = BTreeMap::from([("NAME".to_owned(), "s3cret".to_owned())]);
        let specs = [
            EnvironmentSpec::Python {
                source: "/e/env.py".into(),
                attr: None,
                python: None,
                workdir: Workdir::Copy,
                env: secrets.clone(),
            },
            EnvironmentSpec::Servers {
                servers: vec![
                    (
                        "a".to_owned(),
                        ConnectionSpec::Stdio {
                            command: [
                                "docker",
                                "run",
                                "-e",
                                "K=s3cret",
                                "--api-key",
                                "s3cret",
                                "img",
                            ]
                            .map(str::to_owned)
                            .to_vec(),
                            env: secrets.clone(),
                            cwd: None,
                        },
                    ),
                    (
                        "b".to_owned(),
                        ConnectionSpec::Http {
                            url: "https://me:s3cret@host/mcp?key=s3cret".to_owned(),
                            headers: secrets.clone(),
                            sampling: false,
                        },
                    ),
                ],
            },
            EnvironmentSpec::Image {
                image: "img".to_owned(),
                env: secrets,
                ports: Vec::new(),
                cpus: None,
                memory: None,
            },
        ];
        for spec in &specs {
            let (debug, record) = (format!("{spec:?}"), spec.to_record().to_string());
            assert!(!debug.contains("s3cret"), "{debug}");
            assert!(!record.contains("s3cret"), "{record}");
        }
        assert_eq!(
            specs[1].to_record(),
            json!({"servers": {
                "a": {"command": ["docker", "run", "-e", "K=[hidden]", "--api-key", "[hidden]", "img"]},
                "b": {"url": "https://host/mcp?[hidden]"},
            }})
        );
    }
}
