//! The pool: each distinct environment is started once, and every rollout gets a copy of its own.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use super::api::{Description, EnvironmentError, ScenarioInfo};
use super::connection::stdio::{StdioOptions, StdioServer, working_directory};
use super::connection::worker::{Worker, WorkerOptions};
use super::connection::{package, python};
use super::events::Events;
use super::log_guard::LogGuard;
use super::scenario;
use super::session::{Keeper, Link, Session, SessionOptions};
use crate::event::Phase;
use crate::mcp::{self, Client, HttpOptions};
use crate::task::{ConnectionSpec, EnvironmentSpec, Workdir};
use crate::util::process::{DeathSignal, Program};
use crate::util::suggest;

/// Everything that environments need from outside; nothing here is read from the process's own environment.
#[derive(Clone, Debug)]
pub struct EnvironmentOptions {
    /// Variables that every child gets: the user's, without secrets.
    pub variables: BTreeMap<String, String>,
    /// Variables that a child gets only when its scenario names them in `required_env_vars`: keys and what came from `~/.hud/.env`.
    pub secrets: BTreeMap<String, String>,
    /// The interpreter for all Python environments (`--python`).
    pub python: Option<PathBuf>,
    /// Where the Python package is kept between runs; `None` writes it anew for each run.
    pub cache: Option<PathBuf>,
    /// The `hud` binary, so that children die with us; `None` for users of the library.
    pub wrapper: Option<PathBuf>,
    /// Where environments write their logs: an absolute path, because a copy works in another folder.
    pub logs: PathBuf,
    /// The folder of commands that name none.
    pub folder: PathBuf,
    /// How long starting an environment may take.
    pub startup_timeout: Duration,
}

/// The pool of environments of a job.
pub struct Environments {
    options: EnvironmentOptions,
    /// Sockets and, without a cache, the package: a folder that only we can enter, gone with us.
    scratch: tempfile::TempDir,
    bases: Mutex<HashMap<EnvironmentSpec, BaseCell>>,
    started: AtomicUsize,
    logs: LogGuard,
}

/// Filled once: by the base, or by why it did not start.
type BaseCell = Arc<OnceCell<Result<Base, EnvironmentError>>>;

struct Base {
    description: Arc<Description>,
    startup: Duration,
    kind: Kind,
}

enum Kind {
    Worker {
        worker: Arc<Worker>,
        workdir: Workdir,
    },
    Servers,
}

fn connect_error(message: impl Into<String>) -> EnvironmentError {
    EnvironmentError {
        phase: Phase::Connect,
        message: message.into(),
        timed_out: false,
    }
}

impl Environments {
    /// A pool in which nothing has been started.
    ///
    /// # Errors
    /// When no private temporary folder can be made.
    pub fn new(options: EnvironmentOptions) -> anyhow::Result<Self> {
        Ok(Self {
            options,
            // A short name: the path of a unix socket may have at most about 100 bytes.
            scratch: tempfile::TempDir::with_prefix("hud-")?,
            bases: Mutex::new(HashMap::new()),
            started: AtomicUsize::new(0),
            logs: LogGuard::default(),
        })
    }

    /// Where environments write their logs.
    pub fn logs(&self) -> &Path {
        &self.options.logs
    }

    /// Starts the environment unless that was done, and says what it offers.
    pub async fn prepare(
        &self,
        spec: &EnvironmentSpec,
    ) -> Result<Arc<Description>, EnvironmentError> {
        let cell = self.base(spec).await;
        match cell.get() {
            Some(Ok(base)) => Ok(Arc::clone(&base.description)),
            Some(Err(error)) => Err(error.clone()),
            None => Err(connect_error("the environment was not started")),
        }
    }

    /// How long [`Environments::prepare`] took for `spec`, when it succeeded.
    pub fn startup(&self, spec: &EnvironmentSpec) -> Option<Duration> {
        let cell = self.bases.lock().ok()?.get(spec).cloned()?;
        cell.get()?.as_ref().ok().map(|base| base.startup)
    }

    /// Opens a copy.
    pub async fn open(
        &self,
        spec: &EnvironmentSpec,
        options: &SessionOptions,
    ) -> Result<Session, EnvironmentError> {
        let cell = self.base(spec).await;
        let base = match cell.get() {
            Some(Ok(base)) => base,
            Some(Err(error)) => return Err(error.clone()),
            None => return Err(connect_error("the environment was not started")),
        };
        match &base.kind {
            Kind::Worker { worker, workdir } => {
                self.open_copy(worker, *workdir, &base.description, options)
                    .await
            }
            Kind::Servers => match spec {
                EnvironmentSpec::Servers { servers } => self.open_servers(servers, options).await,
                EnvironmentSpec::Python { .. }
                | EnvironmentSpec::Image { .. }
                | EnvironmentSpec::Hub { .. } => Err(connect_error("not a server")),
            },
        }
    }

    /// Ends every base process. Copies that still live end with their base.
    pub async fn close(&self) {
        let bases: Vec<_> = match self.bases.lock() {
            Ok(mut bases) => bases.drain().map(|(_, cell)| cell).collect(),
            Err(_) => Vec::new(),
        };
        let closings = bases.iter().filter_map(|cell| match cell.get() {
            Some(Ok(Base {
                kind: Kind::Worker { worker, .. },
                ..
            })) => Some(worker.close()),
            Some(
                Ok(Base {
                    kind: Kind::Servers,
                    ..
                })
                | Err(_),
            )
            | None => None,
        });
        futures::future::join_all(closings).await;
    }

    async fn base(&self, spec: &EnvironmentSpec) -> Arc<OnceCell<Result<Base, EnvironmentError>>> {
        let cell = match self.bases.lock() {
            Ok(mut bases) => Arc::clone(bases.entry(spec.clone()).or_default()),
            Err(poisoned) => Arc::clone(poisoned.into_inner().entry(spec.clone()).or_default()),
        };
        cell.get_or_init(|| self.start(spec)).await;
        cell
    }

    async fn start(&self, spec: &EnvironmentSpec) -> Result<Base, EnvironmentError> {
        let begun = Instant::now();
        let (description, kind) = match spec {
            EnvironmentSpec::Python {
                source,
                attr,
                python,
                workdir,
                env,
            } => {
                let (worker, description) = self
                    .start_worker(source, attr.as_deref(), python.as_deref(), env)
                    .await
                    .map_err(connect_error)?;
                let kind = Kind::Worker {
                    worker: Arc::new(worker),
                    workdir: *workdir,
                };
                (description, kind)
            }
            EnvironmentSpec::Servers { servers } => {
                (self.describe_servers(servers).await?, Kind::Servers)
            }
            EnvironmentSpec::Image { image, .. } => {
                return Err(connect_error(format!(
                    "this version does not start images\nhint: run it as a command: {{command: [docker, run, -i, --rm, {image}]}}"
                )));
            }
            EnvironmentSpec::Hub { name, .. } => {
                return Err(connect_error(format!(
                    "this version does not resolve hosted environments by name\nhint: reach `{name}` by its address: {{url: …, headers: {{…}}}}"
                )));
            }
        };
        Ok(Base {
            description: Arc::new(description),
            startup: begun.elapsed(),
            kind,
        })
    }

    async fn start_worker(
        &self,
        source: &Path,
        attr: Option<&str>,
        asked: Option<&Path>,
        extra: &BTreeMap<String, String>,
    ) -> Result<(Worker, Description), String> {
        let folder = if source.is_dir() {
            source.to_owned()
        } else {
            source.parent().unwrap_or(Path::new("/")).to_owned()
        };
        let asked = asked.or(self.options.python.as_deref());
        let interpreter = python::interpreter(asked, &folder, &self.options.variables)?;
        let package = package::install(self.options.cache.as_deref(), self.scratch.path())
            .map_err(|error| format!("cannot lay out the Python package: {error:#}"))?;
        let mut env = self.options.variables.clone();
        env.extend(extra.clone());
        let package = package.to_string_lossy();
        let python_path = match env.get("PYTHONPATH") {
            Some(users) if !users.is_empty() => format!("{package}:{users}"),
            _ => package.into_owned(),
        };
        env.insert("PYTHONPATH".to_owned(), python_path);
        // A `hud.py` beside the environment must not be taken for our package. The worker takes both back before it imports anything.
        if !env.contains_key("PYTHONSAFEPATH") {
            env.insert("PYTHONSAFEPATH".to_owned(), "1".to_owned());
            env.insert("HUD_SAFE_PATH".to_owned(), "1".to_owned());
        }
        let mut args: Vec<std::ffi::OsString> = ["-u", "-m", "hud.worker", "--source"]
            .map(Into::into)
            .to_vec();
        args.push(source.into());
        if let Some(attr) = attr {
            args.extend(["--attr".into(), attr.into()]);
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let stem = source.file_stem().unwrap_or_default().to_string_lossy();
        let (worker, ready) = Worker::start(WorkerOptions {
            program: Program {
                program: interpreter.into(),
                args,
                env,
                cwd: folder,
                wrapper: self.options.wrapper.clone(),
                // The base closes its copies' scenarios first, within a second.
                death_signal: DeathSignal::Terminate,
            },
            socket: self.scratch.path().join(format!("{number}.sock")),
            log: self
                .options
                .logs
                .join(format!("environment-{stem}-{number}.log")),
            timeout: self.options.startup_timeout,
            source: source.to_owned(),
        })
        .await?;
        let description = describe_worker(ready.describe, &ready.isolation, ready.reason)?;
        Ok((worker, description))
    }

    async fn open_copy(
        &self,
        worker: &Arc<Worker>,
        workdir: Workdir,
        description: &Description,
        options: &SessionOptions,
    ) -> Result<Session, EnvironmentError> {
        let mut env = BTreeMap::new();
        for name in description
            .scenarios
            .iter()
            .flat_map(|scenario| &scenario.required_env_vars)
        {
            if let Some(value) = self.options.secrets.get(name) {
                env.insert(name.clone(), value.clone());
            }
        }
        let hello = json!({
            "hud": 1,
            "trace_id": options.trace_id,
            "log": options.log,
            "seed": options.seed,
            "env": env,
            "workdir": match workdir { Workdir::Copy => Some("copy"), Workdir::Shared => None },
        });
        let copy = worker
            .connect(&options.trace_id, &hello)
            .await
            .map_err(connect_error)?;
        let events = events(options, true);
        let (read, write) = tokio::io::split(copy.stream);
        let client =
            Client::over_stream(read, write, events.clone(), mcp::LineDiagnostics::default())
                .await
                .map_err(|error| connect_error(format!("the copy did not start: {error}")))?;
        let link = Link {
            name: description.name.clone(),
            client,
            keeper: Keeper::Copy {
                worker: Arc::clone(worker),
                exit: tokio::sync::Mutex::new(Some(copy.exit)),
            },
        };
        Ok(Session::new(
            vec![link],
            description.name.clone(),
            description.scenarios.clone(),
            options,
            self.logs.watch(&options.log),
            &[events],
        ))
    }

    async fn open_servers(
        &self,
        servers: &[(String, ConnectionSpec)],
        options: &SessionOptions,
    ) -> Result<Session, EnvironmentError> {
        let connections = servers.iter().map(|(name, spec)| async move {
            let prefix = if servers.len() > 1 {
                format!("server `{name}`: ")
            } else {
                String::new()
            };
            self.connect_server(name, spec, options)
                .await
                .map_err(|message| connect_error(format!("{prefix}{message}")))
        });
        let mut links = Vec::new();
        let mut joined = Vec::new();
        let mut failure = None;
        for outcome in futures::future::join_all(connections).await {
            match outcome {
                Ok((link, events)) => {
                    links.push(link);
                    joined.push(events);
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let session = Session::new(
            links,
            String::new(),
            Vec::new(),
            options,
            self.logs.watch(&options.log),
            &joined,
        );
        if let Some(error) = failure {
            session.close().await;
            return Err(error);
        }
        Ok(session)
    }

    async fn connect_server(
        &self,
        name: &str,
        spec: &ConnectionSpec,
        options: &SessionOptions,
    ) -> Result<(Link, Arc<Events>), String> {
        let (client, keeper, events) = match spec {
            ConnectionSpec::Stdio { command, env, cwd } => {
                let mut variables = self.options.variables.clone();
                variables.extend(env.clone());
                let events = events(options, false);
                let (server, client) = StdioServer::start(
                    StdioOptions {
                        command,
                        env: variables,
                        cwd: working_directory(cwd.as_deref(), &self.options.folder),
                        wrapper: self.options.wrapper.clone(),
                        log: options.log.clone(),
                        timeout: self.options.startup_timeout,
                    },
                    events.clone(),
                )
                .await?;
                (client, Keeper::Stdio(Box::new(server)), events)
            }
            ConnectionSpec::Http {
                url,
                headers,
                sampling,
            } => {
                let events = events(options, *sampling);
                let client = Client::over_http(
                    &HttpOptions {
                        url: url.clone(),
                        headers: headers.clone(),
                        timeout: self.options.startup_timeout,
                    },
                    events.clone(),
                )
                .await
                .map_err(|error| format!("cannot connect to `{url}`: {}", error.cause()))?;
                (client, Keeper::Http, events)
            }
        };
        let link = Link {
            name: name.to_owned(),
            client,
            keeper,
        };
        Ok((link, events))
    }

    /// Servers describe themselves over MCP, in a session of its own that is closed again.
    async fn describe_servers(
        &self,
        servers: &[(String, ConnectionSpec)],
    ) -> Result<Description, EnvironmentError> {
        let trace_id = uuid::Uuid::new_v4().simple().to_string();
        let options = SessionOptions {
            log: self.options.logs.join("environment-describe.log"),
            trace_id,
            seed: None,
            sampler: None,
            on_log: None,
            client: None,
        };
        let session = self.open_servers(servers, &options).await?;
        let described = session.describe().await;
        session.close().await;
        let (name, version, tools, scenarios) = described?;
        let isolation = match servers.first() {
            Some((_, ConnectionSpec::Stdio { .. })) => {
                "each rollout starts the command anew, in a process of its own"
            }
            Some((_, ConnectionSpec::Http { .. })) | None => {
                "each rollout has an MCP session of its own; what else the server isolates is its matter"
            }
        };
        Ok(Description {
            name,
            version,
            tools,
            scenarios,
            task_rows: Vec::new(),
            isolation: isolation.to_owned(),
            isolation_reason: None,
        })
    }
}

fn events(options: &SessionOptions, sampling: bool) -> Arc<Events> {
    Arc::new(Events {
        sampler: options.sampler.clone().filter(|_| sampling),
        on_log: options.on_log.clone(),
        client: options.client.clone(),
        session: OnceLock::new(),
    })
}

fn describe_worker(
    mut describe: Map<String, Value>,
    isolation: &str,
    reason: Option<String>,
) -> Result<Description, String> {
    let text = |value: Option<Value>| match value {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let list = |value: Option<Value>| match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let tools = list(describe.remove("tools"))
        .into_iter()
        .map(mcp::tool_from_json)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let scenarios = list(describe.remove("scenarios"))
        .iter()
        .filter_map(scenario_info)
        .collect();
    let task_rows = list(describe.remove("tasks"))
        .into_iter()
        .filter_map(|row| match row {
            Value::Object(row) => Some(row),
            _ => None,
        })
        .collect();
    let isolation = match isolation {
        "fork" => {
            "each rollout in a fork of its own: memory is isolated, files and services are shared"
        }
        _ => {
            "each rollout in a process of its own: memory is isolated, files and services are shared"
        }
    };
    Ok(Description {
        name: text(describe.remove("name")),
        version: text(describe.remove("version")),
        tools,
        scenarios,
        task_rows,
        isolation: isolation.to_owned(),
        isolation_reason: reason,
    })
}

fn scenario_info(value: &Value) -> Option<ScenarioInfo> {
    let arguments = value["arguments"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|argument| {
            let name = argument["name"].as_str()?;
            let required = argument["required"].as_bool().unwrap_or(false);
            Some(scenario::argument(name, required, Some(argument)))
        })
        .collect();
    Some(ScenarioInfo {
        name: value["name"].as_str()?.to_owned(),
        description: value["description"].as_str().unwrap_or_default().to_owned(),
        arguments,
        chat: value["chat"].as_bool() == Some(true),
        required_env_vars: value["required_env_vars"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
    })
}

/// Variables that `scenario` needs and nobody set, as an error text that says how to set them.
pub fn missing_variables(
    scenario: &ScenarioInfo,
    options: &EnvironmentOptions,
    own: &BTreeMap<String, String>,
) -> Option<String> {
    let missing: Vec<&str> = scenario
        .required_env_vars
        .iter()
        .map(String::as_str)
        .filter(|name| {
            !options.variables.contains_key(*name)
                && !options.secrets.contains_key(*name)
                && !own.contains_key(*name)
        })
        .collect();
    if missing.is_empty() {
        return None;
    }
    Some(format!(
        "the scenario '{}' needs the variable {}, which is not set{}\nhint: export it, or put it into .env",
        scenario.name,
        missing.join(", "),
        suggest::did_you_mean(missing[0], options.variables.keys().map(String::as_str)),
    ))
}
