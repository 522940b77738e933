//! An open connection to a place, whatever is behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::args::ReachArgs;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::job::{self, Keys};
use crate::cli::settings::ProjectSettings;
use crate::config::Variables;
use crate::environment::{
    Description, EnvironmentOptions, Environments, LogSink, Sampler, Session, SessionOptions,
};
use crate::mcp::{Client, ClientEvents, HttpOptions, RelayedCopy};
use crate::task::{ConnectionSpec, EnvironmentSpec};
use crate::util::{fs, text, time};

use super::{Ended, Place, Program};

/// How long a connection may take to close.
const CLOSE: Duration = Duration::from_secs(5);

/// How much of a log is shown.
const TAIL: u64 = 1500;

/// Why a step failed: what happened, which may go on for several lines, and the end of the log unless that is part of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cli) struct Trouble {
    /// What happened.
    pub(in crate::cli) message: String,
    /// The last lines of the log; empty when there are none.
    pub(in crate::cli) log: String,
}

impl Trouble {
    /// Trouble without a log.
    pub(in crate::cli) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            log: String::new(),
        }
    }

    /// As one text.
    pub(in crate::cli) fn text(&self) -> String {
        if self.log.is_empty() {
            return self.message.clone();
        }
        let log: Vec<String> = self.log.lines().map(|line| format!("    {line}")).collect();
        format!("{}\nthe end of its log:\n{}", self.message, log.join("\n"))
    }
}

/// What connections are opened with.
pub(in crate::cli) struct PeersOptions {
    /// What environments need from outside.
    pub(in crate::cli) environment: EnvironmentOptions,
    /// Makes model calls for graders of our own workers.
    pub(in crate::cli) sampler: Option<Arc<dyn Sampler>>,
    /// Takes what environments log through MCP.
    pub(in crate::cli) on_log: Option<LogSink>,
    /// The time of each step.
    pub(in crate::cli) timeout: Duration,
}

/// Opens connections.
pub(in crate::cli) struct Peers {
    environments: Arc<Environments>,
    options: PeersOptions,
}

/// What a Python environment says of itself once it has been imported.
pub(in crate::cli) struct Imported {
    /// What it says.
    pub(in crate::cli) description: Arc<Description>,
    /// How long importing took.
    pub(in crate::cli) took: Duration,
}

/// An open connection.
pub(in crate::cli) struct Peer {
    keeper: Keeper,
    log: PathBuf,
    /// How long opening took, MCP's handshake included.
    pub(in crate::cli) took: Duration,
}

enum Keeper {
    Copy(Box<Session>),
    Program(Box<Program>, Client),
    Http(Client),
}

/// Refuses what a server asks for; passes on what it logs.
struct Listener(Option<LogSink>);

#[async_trait::async_trait]
impl ClientEvents for Listener {
    fn log(&self, level: &str, text: &str) {
        if let Some(on_log) = &self.0 {
            on_log(level, text);
        }
    }
}

impl PeersOptions {
    /// As the project's settings have it: its Python, its judge. Logs are written in the folder `logs`.
    pub(in crate::cli) fn of_project(
        context: &Context<'_>,
        variables: &Variables,
        args: &ReachArgs,
        logs: &Path,
    ) -> Result<Self, Failure> {
        let lookup = |name: &str| variables.value(name);
        let project = ProjectSettings::read(Path::new("."), &lookup)?;
        let keys = Keys::new(variables, &project, None);
        let judge = project.eval().text("judge_model").map(|model| model.value);
        let gateway = project.eval().switch("gateway").is_some_and(|on| on.value);
        let judge = job::judge(judge.as_deref(), None, gateway, &keys)?;
        let python = args.python.clone().or(project
            .eval()
            .text("python")
            .map(|python| PathBuf::from(python.value)));
        let timeout = args.timeout.0;
        Ok(Self {
            environment: context.environment_options(
                variables,
                python,
                logs.to_owned(),
                timeout,
            )?,
            sampler: Some(judge.sampler()),
            on_log: None,
            timeout,
        })
    }
}

impl Peers {
    /// Nothing is started yet.
    ///
    /// # Errors
    /// When no private temporary folder can be made.
    pub(in crate::cli) fn new(options: PeersOptions) -> anyhow::Result<Self> {
        Ok(Self {
            environments: Arc::new(Environments::new(options.environment.clone())?),
            options,
        })
    }

    /// What environments need from outside.
    pub(in crate::cli) fn environment(&self) -> &EnvironmentOptions {
        &self.options.environment
    }

    /// The time of each step.
    pub(in crate::cli) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// Answers what servers ask.
    pub(in crate::cli) fn events(&self) -> Arc<dyn ClientEvents> {
        Arc::new(Listener(self.options.on_log.clone()))
    }

    /// Imports a Python environment; what runs already, or starts with its connection, has nothing to import.
    pub(in crate::cli) async fn import(&self, place: &Place) -> Result<Option<Imported>, Trouble> {
        if matches!(place.spec, EnvironmentSpec::Servers { .. }) {
            return Ok(None);
        }
        let description = self
            .environments
            .prepare(&place.spec)
            .await
            .map_err(|error| Trouble::new(error.message))?;
        let took = self.environments.startup(&place.spec).unwrap_or_default();
        Ok(Some(Imported { description, took }))
    }

    /// Opens a connection of its own: a copy, a process, a session.
    pub(in crate::cli) async fn open(&self, place: &Place) -> Result<Peer, Trouble> {
        self.open_within(place, self.timeout()).await
    }

    /// As [`Self::open`], in another time than that of other steps.
    pub(in crate::cli) async fn open_within(
        &self,
        place: &Place,
        limit: Duration,
    ) -> Result<Peer, Trouble> {
        let begun = Instant::now();
        let id = uuid::Uuid::new_v4().simple().to_string();
        let log = self.options.environment.logs.join(format!("{id}.log"));
        let keeper = match &place.spec {
            EnvironmentSpec::Servers { servers } => match servers.as_slice() {
                [(_, connection @ ConnectionSpec::Stdio { .. })] => {
                    let program = Program::spawn(connection, self.environment(), &log)
                        .await
                        .map_err(Trouble::new)?;
                    return self.initialize_within(program, log, limit).await;
                }
                [(_, connection @ ConnectionSpec::Http { .. })] => {
                    Keeper::Http(self.over_http(connection, limit).await?)
                }
                _ => return Err(Trouble::new("several servers are several connections")),
            },
            EnvironmentSpec::Python { .. }
            | EnvironmentSpec::Image { .. }
            | EnvironmentSpec::Hub { .. } => {
                Keeper::Copy(Box::new(self.copy(&place.spec, id, &log, limit).await?))
            }
        };
        Ok(Peer {
            keeper,
            log,
            took: begun.elapsed(),
        })
    }

    /// Opens the connection to a program that was started; ends it when that fails.
    pub(in crate::cli) async fn initialize(
        &self,
        program: Program,
        log: PathBuf,
    ) -> Result<Peer, Trouble> {
        self.initialize_within(program, log, self.timeout()).await
    }

    async fn initialize_within(
        &self,
        mut program: Program,
        log: PathBuf,
        limit: Duration,
    ) -> Result<Peer, Trouble> {
        let begun = Instant::now();
        match program.initialize(self.events(), limit).await {
            Ok(client) => Ok(Peer {
                keeper: Keeper::Program(Box::new(program), client),
                log,
                took: begun.elapsed(),
            }),
            Err(message) => {
                program.end().await;
                Err(Trouble {
                    message,
                    log: tail(&log),
                })
            }
        }
    }

    async fn copy(
        &self,
        spec: &EnvironmentSpec,
        trace_id: String,
        log: &Path,
        limit: Duration,
    ) -> Result<Session, Trouble> {
        let options = SessionOptions {
            trace_id,
            seed: None,
            log: log.to_owned(),
            sampler: self.options.sampler.clone(),
            on_log: self.options.on_log.clone(),
            client: None,
        };
        let opening = self.environments.open(spec, &options);
        tokio::time::timeout(limit, opening)
            .await
            .map_err(|_| Trouble {
                message: format!("no copy of the environment within {}", time::human(limit)),
                log: tail(log),
            })?
            .map_err(|error| Trouble::new(error.message))
    }

    async fn over_http(
        &self,
        connection: &ConnectionSpec,
        limit: Duration,
    ) -> Result<Client, Trouble> {
        let ConnectionSpec::Http { url, headers, .. } = connection else {
            return Err(Trouble::new("a program is no server behind a URL"));
        };
        let options = HttpOptions {
            url: url.clone(),
            headers: headers.clone(),
            timeout: limit,
        };
        Client::over_http(&options, self.events())
            .await
            .map_err(|error| {
                let url = crate::http::public_url(url);
                Trouble::new(format!("cannot connect to `{url}`: {}", error.cause()))
            })
    }

    /// Ends what was imported.
    pub(in crate::cli) async fn close(&self) {
        self.environments.close().await;
    }
}

impl Peer {
    /// The connection.
    pub(in crate::cli) fn client(&self) -> &Client {
        match &self.keeper {
            Keeper::Copy(session) => RelayedCopy::client(session.as_ref()),
            Keeper::Program(_, client) | Keeper::Http(client) => client,
        }
    }

    /// Stops a running tool call for good where that can be done from outside; elsewhere dropping the call asks for it.
    pub(in crate::cli) fn interrupt(&self) {
        if let Keeper::Copy(session) = &self.keeper {
            session.interrupt();
        }
    }

    /// The last lines of what it printed.
    pub(in crate::cli) fn log_tail(&self) -> String {
        tail(&self.log)
    }

    /// A sentence about what a program wrote on stdout that is not MCP.
    pub(in crate::cli) fn garbage(&self) -> Option<String> {
        match &self.keeper {
            Keeper::Program(program, _) => program.garbage(),
            Keeper::Copy(_) | Keeper::Http(_) => None,
        }
    }

    /// Closes the connection and what it keeps alive. Returns how the program behind it ended, when there is one, and what did not go as it
    /// should.
    pub(in crate::cli) async fn close(self) -> (Option<Ended>, Vec<String>) {
        match self.keeper {
            Keeper::Copy(session) => (None, session.close().await),
            Keeper::Program(program, client) => {
                client.close(CLOSE).await;
                (Some(program.end().await), Vec::new())
            }
            Keeper::Http(client) => {
                client.close(CLOSE).await;
                (None, Vec::new())
            }
        }
    }
}

fn tail(log: &Path) -> String {
    text::strip_control(&fs::tail(log, TAIL))
}
