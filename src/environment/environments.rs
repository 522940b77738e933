//! The pool: each distinct environment is started once, and every rollout gets a copy of its own.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::OnceCell;

use super::api::{Description, EnvironmentError, Isolation, ScenarioInfo};
use super::connection::command::SharedCommand;
use super::connection::stdio::{StdioOptions, StdioServer, working_directory};
use super::connection::worker::{StartFailure, Worker, WorkerOptions};
use super::connection::{package, python};
use super::describe;
use super::events::Events;
use super::log_guard::LogGuard;
use super::offers::Offers;
use super::session::{Keeper, Link, Session, SessionOptions};
use super::started::{Kind, StartOptions, Started};
use super::warm::WarmInterpreters;
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
    bases: Mutex<HashMap<EnvironmentSpec, BaseCell>>,
    /// Those that [`Environments::start`] handed out.
    handed_out: Mutex<Vec<Weak<Started>>>,
    numbers: AtomicUsize,
    logs: LogGuard,
    warm: WarmInterpreters,
    /// Sockets and, without a cache, the package: a folder that only we can enter, gone with us.
    scratch: tempfile::TempDir,
}

/// Filled once: by the environment, or by why it did not start.
type BaseCell = Arc<OnceCell<Result<Arc<Started>, EnvironmentError>>>;

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
            bases: Mutex::default(),
            handed_out: Mutex::default(),
            numbers: AtomicUsize::new(0),
            logs: LogGuard::default(),
            warm: WarmInterpreters::default(),
            // A short name: the path of a unix socket may have at most about 100 bytes.
            scratch: tempfile::TempDir::with_prefix("hud-")?,
        })
    }

    /// Where environments write their logs.
    pub fn logs(&self) -> &Path {
        &self.options.logs
    }

    /// The folder of commands that name none.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// Starts the environment unless that was done, and says what it offers.
    pub async fn prepare(
        &self,
        spec: &EnvironmentSpec,
    ) -> Result<Arc<Description>, EnvironmentError> {
        Ok(Arc::clone(&self.base(spec).await?.description))
    }

    /// How long [`Environments::prepare`] took for `spec`, when it succeeded.
    pub fn startup(&self, spec: &EnvironmentSpec) -> Option<Duration> {
        let cell = self.bases.lock().ok()?.get(spec).cloned()?;
        cell.get()?.as_ref().ok().map(|base| base.startup)
    }

    /// Opens a copy, starting the environment unless that was done.
    pub async fn open(
        &self,
        spec: &EnvironmentSpec,
        options: &SessionOptions,
    ) -> Result<Session, EnvironmentError> {
        let base = self.base(spec).await?;
        self.open_started(&base, options).await
    }

    /// Starts an environment beside those of the pool; it runs until it is closed. Dropping the future ends what was begun.
    pub async fn start(
        &self,
        spec: &EnvironmentSpec,
        options: &StartOptions,
    ) -> Result<Arc<Started>, EnvironmentError> {
        let started = Arc::new(Box::pin(self.launch(spec, options, true)).await?);
        if let Ok(mut handed_out) = self.handed_out.lock() {
            handed_out.retain(|started| started.strong_count() > 0);
            handed_out.push(Arc::downgrade(&started));
        }
        Ok(started)
    }

    /// Opens a copy of an environment that was started by [`Environments::start`].
    pub async fn open_started(
        &self,
        started: &Started,
        options: &SessionOptions,
    ) -> Result<Session, EnvironmentError> {
        match &started.kind {
            Kind::Worker {
                worker, workdir, ..
            } => {
                self.open_copy(worker, *workdir, &started.description, options)
                    .await
            }
            Kind::Servers { servers } => self.open_servers(servers, options).await,
            Kind::Command(command) => self.join(command, options).await,
        }
    }

    /// Makes the next [`Environments::start`] of `spec` import everything anew, also what lies outside the project.
    pub fn forget_warm(&self, spec: &EnvironmentSpec) {
        self.warm.forget(spec);
    }

    /// Ends every environment. Copies that still live end with theirs.
    pub async fn close(&self) {
        let bases: Vec<_> = match self.bases.lock() {
            Ok(mut bases) => bases.drain().map(|(_, cell)| cell).collect(),
            Err(_) => Vec::new(),
        };
        let bases = bases
            .iter()
            .filter_map(|cell| cell.get()?.as_ref().ok().cloned());
        let handed_out: Vec<_> = match self.handed_out.lock() {
            Ok(mut handed_out) => handed_out.drain(..).collect(),
            Err(_) => Vec::new(),
        };
        let all: Vec<Arc<Started>> = bases
            .chain(handed_out.iter().filter_map(Weak::upgrade))
            .collect();
        futures::future::join_all(all.iter().map(|started| started.close())).await;
        self.warm.close();
    }

    async fn base(&self, spec: &EnvironmentSpec) -> Result<Arc<Started>, EnvironmentError> {
        let cell = match self.bases.lock() {
            Ok(mut bases) => Arc::clone(bases.entry(spec.clone()).or_default()),
            Err(poisoned) => Arc::clone(poisoned.into_inner().entry(spec.clone()).or_default()),
        };
        cell.get_or_init(|| async {
            let options = StartOptions::default();
            Box::pin(self.launch(spec, &options, false))
                .await
                .map(Arc::new)
        })
        .await
        .clone()
    }

    async fn launch(
        &self,
        spec: &EnvironmentSpec,
        options: &StartOptions,
        compared: bool,
    ) -> Result<Started, EnvironmentError> {
        let begun = Instant::now();
        match spec {
            EnvironmentSpec::Python { .. } => self.start_worker(spec, options).await,
            EnvironmentSpec::Servers { servers } => self.start_servers(servers, options, compared).await,
            EnvironmentSpec::Image { image, .. } => Err(connect_error(format!(
                "this version does not start images\nhint: run it as a command: {{command: [docker, run, -i, --rm, {image}]}}"
            ))),
            EnvironmentSpec::Hub { name, .. } => Err(connect_error(format!(
                "this version does not resolve hosted environments by name\nhint: reach `{name}` by its address: {{url: …, headers: {{…}}}}"
            ))),
        }
        .map(|started| Started {
            startup: begun.elapsed(),
            ..started
        })
    }

    async fn start_worker(
        &self,
        spec: &EnvironmentSpec,
        options: &StartOptions,
    ) -> Result<Started, EnvironmentError> {
        let EnvironmentSpec::Python {
            source,
            attr,
            python,
            workdir,
            env,
        } = spec
        else {
            return Err(connect_error("not a Python environment"));
        };
        let asked = python.as_deref().or(self.options.python.as_deref());
        let program = self
            .interpreter(source, asked, env)
            .map_err(connect_error)?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let stem = source.file_stem().unwrap_or_default().to_string_lossy();
        let log = options.log.clone().unwrap_or_else(|| {
            self.options
                .logs
                .join(format!("environment-{stem}-{number}.log"))
        });
        let launch = |program: Program| WorkerOptions {
            program,
            args: worker_arguments(source, attr.as_deref(), options),
            socket: self.scratch.path().join(format!("{number}.sock")),
            log: log.clone(),
            timeout: options.timeout.unwrap_or(self.options.startup_timeout),
            source: source.clone(),
            notices: options.notices.clone(),
        };
        let nursery = Some(Path::new(&program.program))
            .filter(|_| options.nursery)
            .and_then(|interpreter| self.warm.ready(spec, interpreter));
        let outcome = match Worker::start(launch(program.clone()), nursery.as_ref()).await {
            Err(StartFailure::NotHatched(message)) => {
                tracing::debug!("{message}");
                self.warm.forget(spec);
                Worker::start(launch(program.clone()), None).await
            }
            outcome => outcome,
        };
        let (worker, ready) = outcome.map_err(|failure| connect_error(failure.into_message()))?;
        if options.nursery {
            let log = log.clone();
            let notices = options.notices.clone();
            self.warm
                .prepare(spec, program, log, &ready.modules, notices);
        }
        let offers = Offers::from_describe(&ready.describe);
        let description = describe::worker(ready.describe, &ready.isolation, ready.reason)
            .map_err(connect_error)?;
        Ok(Started {
            description: Arc::new(description),
            offers,
            startup: Duration::ZERO,
            files: ready.files,
            log: Some(log),
            kind: Kind::Worker {
                worker: Arc::new(worker),
                workdir: *workdir,
                shared: ready.isolation == Isolation::Shared.as_str(),
            },
        })
    }

    /// The interpreter with our package in its path, up to `-m hud.worker`.
    fn interpreter(
        &self,
        source: &Path,
        asked: Option<&Path>,
        extra: &BTreeMap<String, String>,
    ) -> Result<Program, String> {
        let folder = if source.is_dir() {
            source.to_owned()
        } else {
            source.parent().unwrap_or(Path::new("/")).to_owned()
        };
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
        Ok(Program {
            program: interpreter.into(),
            args: ["-u", "-m", "hud.worker"].map(Into::into).to_vec(),
            env,
            cwd: folder,
            wrapper: self.options.wrapper.clone(),
            // The base closes its copies' scenarios first, within a second.
            death_signal: DeathSignal::Terminate,
        })
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
                let events = events(options, false);
                let command = self.command(command, env, cwd.as_deref(), options.log.clone());
                let (server, client) = StdioServer::start(command, events.clone()).await?;
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

    fn command(
        &self,
        command: &[String],
        env: &BTreeMap<String, String>,
        cwd: Option<&Path>,
        log: PathBuf,
    ) -> StdioOptions {
        let mut variables = self.options.variables.clone();
        variables.extend(env.clone());
        StdioOptions {
            command: command.to_vec(),
            env: variables,
            cwd: working_directory(cwd, &self.options.folder),
            wrapper: self.options.wrapper.clone(),
            log,
            timeout: self.options.startup_timeout,
        }
    }

    async fn start_servers(
        &self,
        servers: &[(String, ConnectionSpec)],
        options: &StartOptions,
        compared: bool,
    ) -> Result<Started, EnvironmentError> {
        let log = options
            .log
            .clone()
            .unwrap_or_else(|| self.options.logs.join("environment-describe.log"));
        let (session, kind) = match (servers, options.isolation) {
            ([(_, ConnectionSpec::Stdio { command, env, cwd })], Isolation::Shared) => {
                let mut command = self.command(command, env, cwd.as_deref(), log.clone());
                command.timeout = options.timeout.unwrap_or(command.timeout);
                let command = SharedCommand::start(command, options.notices.clone())
                    .await
                    .map_err(connect_error)?;
                let command = Arc::new(command);
                let session = self.join(&command, &describing(log.clone())).await?;
                (session, Kind::Command(command))
            }
            _ => {
                let session = self.open_servers(servers, &describing(log.clone())).await?;
                let servers = servers.to_vec();
                (session, Kind::Servers { servers })
            }
        };
        let described = session.describe().await;
        // The pool never compares what it starts.
        let offers = if compared && described.is_ok() {
            session.offers().await
        } else {
            Offers::default()
        };
        session.close().await;
        let (identity, tools, scenarios) = described?;
        let isolation = describe::isolation_of_servers(servers, options.isolation);
        Ok(Started {
            description: Arc::new(Description {
                name: identity.name,
                version: identity.version,
                instructions: identity.instructions,
                tools,
                scenarios,
                task_rows: Vec::new(),
                isolation: isolation.to_owned(),
                isolation_reason: None,
            }),
            offers,
            startup: Duration::ZERO,
            files: Vec::new(),
            log: options.log.clone(),
            kind,
        })
    }

    /// A session in a program that others use too.
    async fn join(
        &self,
        command: &Arc<SharedCommand>,
        options: &SessionOptions,
    ) -> Result<Session, EnvironmentError> {
        let events = events(options, true);
        let (client, membership) = match command.connect(events.clone()).await {
            Ok(joined) => joined,
            Err(error) => {
                let message = format!("cannot use the running command: {error}");
                return Err(connect_error(command.explain(&message).await));
            }
        };
        let link = Link {
            name: "environment".to_owned(),
            client,
            keeper: Keeper::Shared {
                command: Arc::clone(command),
                membership: tokio::sync::Mutex::new(Some(membership)),
            },
        };
        Ok(Session::new(
            vec![link],
            String::new(),
            Vec::new(),
            options,
            self.logs.watch(&options.log),
            &[events],
        ))
    }
}

/// A session that only asks a server what it offers.
fn describing(log: PathBuf) -> SessionOptions {
    SessionOptions {
        log,
        trace_id: uuid::Uuid::new_v4().simple().to_string(),
        seed: None,
        sampler: None,
        on_log: None,
        client: None,
    }
}

fn worker_arguments(source: &Path, attr: Option<&str>, options: &StartOptions) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--source".into(), source.into()];
    if let Some(attr) = attr {
        args.extend(["--attr".into(), attr.into()]);
    }
    if options.isolation != Isolation::Auto {
        args.extend(["--isolation".into(), options.isolation.as_str().into()]);
    }
    for folder in &options.project {
        args.extend(["--project".into(), folder.into()]);
    }
    args
}

fn events(options: &SessionOptions, sampling: bool) -> Arc<Events> {
    Arc::new(Events {
        sampler: options.sampler.clone().filter(|_| sampling),
        on_log: options.on_log.clone(),
        client: options.client.clone(),
        session: OnceLock::new(),
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
