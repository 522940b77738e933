//! One run: the environment, the server before it, what is told, what keys do.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::cli::context::Context;
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::inspector::{self, InspectorOptions};
use crate::cli::repl::environment as prompt;
use crate::cli::settings::DevSettings;
use crate::dev::{DevEnvironment, DevEvent, DevOptions};
use crate::environment::{EnvironmentOptions, Environments, Isolation};
use crate::mcp::Limits;
use crate::serve::access::Token;
use crate::serve::mcp::{McpServer, ServeOptions};
use crate::ui::{Keys, OutputError};

use super::client::over_http;
use super::health::Health;
use super::keyboard::{KEYS, Press, open_page, press};
use super::listen::{Bound, listen};
use super::output::Output;
use super::report::{Happening, Reporter, Urls};

/// How often is looked for new lines of the environment's log. What happens looks too, so a `print` stands before the call that made it.
const OUTPUT_INTERVAL: Duration = Duration::from_millis(200);

/// Importing that takes longer than this gets a line, so that nobody waits before an empty screen.
const SLOW_START: Duration = Duration::from_secs(2);

/// Everything that a run needs.
pub(in crate::cli) struct Development<'a> {
    pub(in crate::cli) options: DevOptions,
    pub(in crate::cli) environments: EnvironmentOptions,
    pub(in crate::cli) settings: DevSettings,
    pub(in crate::cli) context: &'a Context<'a>,
    /// Ends the run in order.
    pub(in crate::cli) stop: CancellationToken,
    /// Whether the prompt has the terminal, and Ctrl-C with it.
    pub(in crate::cli) is_conversing: AtomicBool,
}

impl Development<'_> {
    /// Serves until `stop`, the end of stdin with `--stdio`, or `q`.
    pub(in crate::cli) async fn run(&self) -> Result<ExitCode, Failure> {
        // Bound first: a port that is taken should not cost the start of an environment, and clients that come early wait instead of failing.
        let bound = if self.settings.stdio {
            None
        } else {
            Some(self.listen().await?)
        };
        let environments = Arc::new(Environments::new(self.environments.clone())?);
        let outcome = match self.start(&environments).await {
            Some((environment, events)) => self.serve(environment, events, bound).await,
            None => Ok(ExitCode::Success),
        };
        environments.close().await;
        outcome
    }

    async fn listen(&self) -> Result<Bound, Failure> {
        let settings = &self.settings;
        let bound = listen(settings.host, settings.port, settings.strict_port).await?;
        if let Some(wanted) = bound.instead_of {
            self.context.printer.talk(&format!(
                "port {wanted} is in use; using {} instead",
                bound.address.port()
            ));
        }
        Ok(bound)
    }

    /// Starts the first version; `None` when that was interrupted.
    async fn start(
        &self,
        environments: &Arc<Environments>,
    ) -> Option<(Arc<DevEnvironment>, mpsc::UnboundedReceiver<DevEvent>)> {
        let starting = DevEnvironment::start(Arc::clone(environments), self.options.clone());
        tokio::pin!(starting);
        let slow = tokio::time::sleep(SLOW_START);
        tokio::pin!(slow);
        let mut is_said = false;
        loop {
            tokio::select! {
                started = &mut starting => return Some(started),
                () = self.stop.cancelled() => return None,
                () = &mut slow, if !is_said => {
                    is_said = true;
                    self.context.printer.talk("starting the environment…");
                }
            }
        }
    }

    /// Serves the environment and tells what happens, until the end of both.
    async fn serve(
        &self,
        environment: Arc<DevEnvironment>,
        events: mpsc::UnboundedReceiver<DevEvent>,
        bound: Option<Bound>,
    ) -> Result<ExitCode, Failure> {
        let source = Arc::clone(&environment);
        let server = McpServer::new(source, self.serve_options());
        let health = Health::new(
            Arc::clone(&environment),
            Arc::clone(server.relays()),
            self.options.log.clone(),
            self.environments.folder.clone(),
        );
        let server = server.with_routes(Arc::new(health));
        let keys = self.keys();
        let is_hopeless =
            environment.status().serving.is_none() && !self.settings.watching && keys.is_none();
        let urls = bound.as_ref().map(|bound| Urls {
            base: format!("http://{}", bound.address),
        });
        if !is_hopeless {
            self.announce(urls.as_ref(), &environment, keys.is_some())?;
        }

        let reporter = Reporter::new(
            self.context.printer.clone(),
            self.environments.folder.clone(),
        );
        let ended = CancellationToken::new();
        let telling = self.tell(&reporter, events, &ended);
        let serving = async {
            let outcome = if is_hopeless {
                // Nothing watches and nobody can press a key, so nothing would ever mend it. What is wrong has its event.
                Ok(ExitCode::Ungraded)
            } else {
                let page = urls.as_ref().map(Urls::docs);
                let serving = async {
                    let outcome = self.until_stop(&server, bound).await;
                    // A client that has left, or a socket that failed, ends the others too.
                    self.stop.cancel();
                    outcome
                };
                let conversing = self.converse(urls.as_ref(), &environment);
                let inspecting = self.inspect(urls.as_ref());
                tokio::select! {
                    (served, conversed, ()) = async { tokio::join!(serving, conversing, inspecting) } => {
                        served.and(conversed).map(|()| ExitCode::Success)
                    }
                    never = self.press_keys(keys, &environment, page) => match never {},
                }
            };
            server.close().await;
            environment.close().await;
            ended.cancel();
            outcome
        };
        let (told, outcome) = tokio::join!(telling, serving);
        told?;
        reporter.stopped()?;
        outcome
    }

    fn serve_options(&self) -> ServeOptions {
        let settings = &self.settings;
        let defaults = ServeOptions::default();
        let mut hosts = defaults.hosts;
        if !settings.host.is_loopback() && !settings.host.is_unspecified() {
            hosts.push(settings.host.to_string());
        }
        hosts.extend(settings.allowed_hosts.iter().cloned());
        ServeOptions {
            hosts,
            origins: settings.allowed_origins.clone(),
            token: settings.token.as_deref().map(Token::new),
            limits: Limits {
                sessions: settings.max_sessions,
                idle: settings.idle_timeout,
                ..defaults.limits
            },
            drain: settings.drain,
            tool_timeout: settings.tool_timeout,
        }
    }

    /// Keys of the terminal, where people read what is told there.
    fn keys(&self) -> Option<Keys> {
        let settings = &self.settings;
        let is_for_people = self.context.printer.is_terminal()
            && !settings.stdio
            && !settings.json
            && !settings.interactive;
        is_for_people.then(Keys::listen).flatten()
    }

    /// What to connect to. The URL alone (or the client's configuration) is data; the rest is talk.
    fn announce(
        &self,
        urls: Option<&Urls>,
        environment: &DevEnvironment,
        with_keys: bool,
    ) -> Result<(), OutputError> {
        let status = environment.status();
        let how = match status.isolation {
            Isolation::Shared => "one process for all sessions",
            Isolation::Auto | Isolation::Fork => "a fork for each session",
            Isolation::Spawn => "a process for each session",
        };
        let watching: Vec<String> = status
            .watching
            .iter()
            .map(|path| super::lines::relative(path, &self.environments.folder))
            .collect();
        let watching = if watching.is_empty() {
            "nothing is watched".to_owned()
        } else {
            format!("watching {}", watching.join(", "))
        };
        self.context
            .printer
            .talk(&format!("{} · {how} · {watching}", status.name));
        let Some(urls) = urls else {
            return Ok(());
        };
        if self.context.printer.is_json() {
            Reporter::new(
                self.context.printer.clone(),
                self.environments.folder.clone(),
            )
            .listening(urls, &status.name)?;
            return Ok(());
        }
        match self.settings.client {
            Some(client) => {
                self.context.printer.talk(&format!("mcp  {}", urls.mcp()));
                let needs_token = self.settings.token.is_some();
                let config = over_http(client, &status.name, &urls.mcp(), needs_token);
                self.context.printer.data(&config)?;
            }
            None => self.context.printer.data(&urls.mcp())?,
        }
        self.context.printer.talk(&format!("docs {}", urls.docs()));
        if with_keys {
            self.context.printer.talk(&format!("keys {KEYS}"));
        }
        Ok(())
    }

    /// The prompt of `--interactive`, at our own server as any other client; its end is the end of the server too.
    async fn converse(
        &self,
        urls: Option<&Urls>,
        environment: &Arc<DevEnvironment>,
    ) -> Result<(), Failure> {
        let Some(urls) = urls.filter(|_| self.settings.interactive) else {
            return Ok(());
        };
        let reloaded = Arc::clone(environment);
        let docs = urls.docs();
        let own = [
            prompt::OwnCommand {
                name: "reload".to_owned(),
                does: "Start a new version now".to_owned(),
                run: Box::new(move || {
                    reloaded.reload(false);
                    "reloading".to_owned()
                }),
            },
            prompt::OwnCommand {
                name: "docs".to_owned(),
                does: "Say where the page of the tools is".to_owned(),
                run: Box::new(move || docs.clone()),
            },
        ];
        let options = prompt::Options {
            printer: &self.context.printer,
            history: self
                .context
                .state()
                .map(|state| state.join("shell_history")),
            own: own.into(),
            cancel: self.stop.clone(),
        };
        self.is_conversing.store(true, Ordering::Relaxed);
        let token = self.settings.token.as_deref();
        let environment = self.environments.clone();
        let conversed = prompt::at_url(&urls.mcp(), token, environment, options).await;
        self.is_conversing.store(false, Ordering::Relaxed);
        let is_asked = self.stop.is_cancelled();
        self.stop.cancel();
        match conversed {
            // It was our own word that ended it.
            Err(Failure::Interrupted) if is_asked => Ok(()),
            conversed => conversed,
        }
    }

    /// The MCP Inspector of `--inspector`, until `stop`.
    async fn inspect(&self, urls: Option<&Urls>) {
        let Some(urls) = urls.filter(|_| self.settings.inspector) else {
            return;
        };
        let url = urls.mcp();
        let inspector = inspector::start(InspectorOptions {
            url: &url,
            token: self.settings.token.as_deref(),
            variables: self.environments.variables.clone(),
            wrapper: self.context.program.clone(),
            printer: &self.context.printer,
        });
        let started = tokio::select! {
            started = inspector => started,
            () = self.stop.cancelled() => None,
        };
        if let Some(inspector) = started {
            self.stop.cancelled().await;
            inspector.close().await;
        }
    }

    /// Serves until `stop` (or, over stdio, until the client leaves).
    async fn until_stop(&self, server: &McpServer, bound: Option<Bound>) -> Result<(), Failure> {
        match bound {
            None => server
                .serve_stream(tokio::io::stdin(), tokio::io::stdout(), self.stop.clone())
                .await
                .map_err(Failure::usage),
            Some(bound) => {
                server.serve_http(bound.listener, self.stop.clone()).await?;
                Ok(())
            }
        }
    }

    /// Does what keys ask for. Never returns: `q` cancels `stop`, which ends the serving.
    async fn press_keys(
        &self,
        keys: Option<Keys>,
        environment: &DevEnvironment,
        page: Option<String>,
    ) -> Infallible {
        let mut keys = keys;
        while let Some(key) = next_key(keys.as_mut()).await {
            match press(key) {
                Some(Press::Reload { cold }) => environment.reload(cold),
                Some(Press::Clear) => self.context.printer.clear(),
                Some(Press::Open) => {
                    if let Some(page) = &page
                        && !open_page(page, &self.context.environment).await
                    {
                        self.context.printer.talk(page);
                    }
                }
                Some(Press::Line) => self.context.printer.talk(""),
                Some(Press::Help) => self.context.printer.talk(&format!("keys {KEYS}")),
                Some(Press::Quit) => {
                    self.context.printer.talk("stopping: sessions are closed");
                    self.stop.cancel();
                    break;
                }
                None => {}
            }
        }
        // The server ends in its own time, or goes on without its terminal.
        std::future::pending().await
    }

    /// Tells what happens until `ended`, and then what is left.
    async fn tell(
        &self,
        reporter: &Reporter,
        mut events: mpsc::UnboundedReceiver<DevEvent>,
        ended: &CancellationToken,
    ) -> Result<(), OutputError> {
        let mut output = Output::new(self.options.log.clone());
        let mut look = tokio::time::interval(OUTPUT_INTERVAL);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut are_events_over = false;
        loop {
            let happening = tokio::select! {
                biased;
                event = events.recv(), if !are_events_over => {
                    are_events_over = event.is_none();
                    event.map(Happening::Dev)
                }
                _ = look.tick() => None,
                () = ended.cancelled() => break,
            };
            let told = tell_one(reporter, &mut output, happening.as_ref());
            if told.is_err() {
                // Nobody reads any more, so nobody needs the server.
                self.stop.cancel();
                return told;
            }
        }
        while let Ok(event) = events.try_recv() {
            tell_one(reporter, &mut output, Some(&Happening::Dev(event)))?;
        }
        tell_one(reporter, &mut output, None)
    }
}

/// The next key; none without a terminal.
async fn next_key(keys: Option<&mut Keys>) -> Option<char> {
    keys?.next().await
}

/// Tells what was printed before `happening`, then that.
fn tell_one(
    reporter: &Reporter,
    output: &mut Output,
    happening: Option<&Happening>,
) -> Result<(), OutputError> {
    for line in output.lines() {
        reporter.tell(&Happening::Output(line))?;
    }
    match happening {
        Some(happening) => reporter.tell(happening),
        None => Ok(()),
    }
}
