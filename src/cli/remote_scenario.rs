//! A scenario at a URL, set up by one command and graded by another.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::environment::by_hand::{self, Offered};
use crate::environment::{EnvironmentError, Prompt};
use crate::event::Evaluation;
use crate::http::public_url;
use crate::mcp::{Client, ClientEvents, HttpOptions, KeptSession, McpError, SessionKeeper};
use crate::ui::Printer;
use crate::util::time;

use super::failure::Failure;
use super::kept_session::{self, Waiting};
use super::schema;

/// How long saying goodbye may take.
const CLOSE: Duration = Duration::from_secs(5);

/// A server, and the project that keeps its sessions.
pub(super) struct Remote<'a> {
    /// Where it is, and the headers it wants.
    pub(super) server: HttpOptions,
    /// The folder of `.hud`.
    pub(super) project: &'a Path,
    /// The time of each step.
    pub(super) timeout: Duration,
    /// For what is worth saying.
    pub(super) printer: &'a Printer,
}

/// Answers nothing that the server asks: there is nobody between two commands.
struct Silent;

impl ClientEvents for Silent {}

fn silent() -> std::sync::Arc<dyn ClientEvents> {
    std::sync::Arc::new(Silent)
}

impl Remote<'_> {
    /// Sets the scenario up and leaves its session open.
    pub(super) async fn set_up(
        &self,
        name: &str,
        args: &Map<String, Value>,
    ) -> Result<Prompt, Failure> {
        let (client, keeper) = self.open().await?;
        let outcome = self.set_up_on(&client, &keeper, name, args).await;
        if outcome.is_ok() {
            keeper.leave_open();
        }
        client.close(CLOSE).await;
        outcome
    }

    async fn set_up_on(
        &self,
        client: &Client,
        keeper: &SessionKeeper,
        name: &str,
        args: &Map<String, Value>,
    ) -> Result<Prompt, Failure> {
        let offered = self.within(by_hand::scenarios(client)).await?;
        let scenario = by_hand::find(&offered, name).map_err(Failure::usage)?;
        check(scenario, args)?;
        let wire_name = &scenario.wire_name;
        let posed = self
            .within(by_hand::set_up(client, wire_name, args))
            .await?;
        let transport = keeper.session();
        if transport.is_none() && posed.meta.is_none() {
            return Err(self.no_sessions());
        }
        self.give_up_earlier().await?;
        let waiting = Waiting::new(&self.server.url, wire_name, transport, posed.meta);
        kept_session::save(self.project, &self.server.url, &waiting)?;
        Ok(posed.prompt)
    }

    /// Submits the answer to the scenario that waits, and grades it.
    pub(super) async fn grade(&self, name: &str, answer: &str) -> Result<Evaluation, Failure> {
        let url = public_url(&self.server.url);
        let Some(waiting) = kept_session::load(self.project, &self.server.url)? else {
            return Err(Failure::usage(format!(
                "no scenario waits for an answer at {url}\nhint: set it up with `hud scenario setup {name} --url {url}`, or do both with `hud scenario run`"
            )));
        };
        let short = waiting.scenario.split_once(':').map(|(_, short)| short);
        if waiting.scenario != name && short != Some(name) {
            return Err(Failure::usage(format!(
                "the scenario that waits for an answer at {url} is `{}` ({}), not `{name}`",
                waiting.scenario,
                waiting.age()
            )));
        }
        let (client, keeper) = match &waiting.transport {
            Some(session) => self.take_up(session).await?,
            None => self.open().await?,
        };
        let outcome = self.grade_on(&client, &waiting, answer).await;
        if outcome.is_err() && (keeper.is_gone() || is_unknown(&outcome)) {
            keeper.leave_open();
            client.close(CLOSE).await;
            kept_session::remove(self.project, &self.server.url)?;
            return Err(Failure::Environment(anyhow::anyhow!(
                "the session of `{}` ({}) is gone: {url} was restarted, or ended it because nobody used it\nhint: set the scenario up again with `hud scenario setup {name} --url {url}`",
                waiting.scenario,
                waiting.age()
            )));
        }
        if let Err(Step::Submit(_)) = &outcome {
            // Nothing was graded yet: the same command can be tried again.
            keeper.leave_open();
        } else {
            kept_session::remove(self.project, &self.server.url)?;
        }
        client.close(CLOSE).await;
        Ok(outcome.map_err(Step::into_error)?)
    }

    async fn grade_on(
        &self,
        client: &Client,
        waiting: &Waiting,
        answer: &str,
    ) -> Result<Evaluation, Step> {
        let meta = waiting.meta.as_ref();
        let name = &waiting.scenario;
        self.within(by_hand::submit(client, name, answer, meta))
            .await
            .map_err(Step::Submit)?;
        self.within(by_hand::grade(client, name, meta))
            .await
            .map_err(Step::Grade)
    }

    async fn open(&self) -> Result<(Client, SessionKeeper), Failure> {
        match Client::over_kept_http(&self.server, silent(), None).await {
            Ok(opened) => Ok(opened),
            Err(failed) => {
                // The older transport has no session apart from its connection.
                let older = Client::over_http(&self.server, silent()).await;
                match older {
                    Ok(client) => {
                        client.close(CLOSE).await;
                        Err(self.no_sessions())
                    }
                    Err(_) => Err(self.unreachable(&failed)),
                }
            }
        }
    }

    async fn take_up(&self, session: &KeptSession) -> Result<(Client, SessionKeeper), Failure> {
        Client::over_kept_http(&self.server, silent(), Some(session.clone()))
            .await
            .map_err(|failed| self.unreachable(&failed))
    }

    /// Ends what waited at this URL before: one URL has one scenario that waits.
    async fn give_up_earlier(&self) -> Result<(), Failure> {
        let Ok(Some(earlier)) = kept_session::load(self.project, &self.server.url) else {
            // A file that cannot be read is replaced.
            return Ok(());
        };
        self.printer.talk(&format!(
            "the earlier session of `{}` ({}) is given up",
            earlier.scenario,
            earlier.age()
        ));
        if let Some(session) = &earlier.transport
            && let Ok((client, _)) = self.take_up(session).await
        {
            client.close(CLOSE).await;
        }
        // A session that has a name ends by itself when nobody uses it.
        Ok(())
    }

    fn no_sessions(&self) -> Failure {
        let url = public_url(&self.server.url);
        Failure::Environment(anyhow::anyhow!(
            "{url} keeps no session between two connections\nhint: set up and grade in one go with `hud scenario run`"
        ))
    }

    fn unreachable(&self, failed: &McpError) -> Failure {
        let url = public_url(&self.server.url);
        Failure::Environment(anyhow::anyhow!(
            "cannot connect to `{url}`: {}",
            failed.cause()
        ))
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, EnvironmentError>>,
    ) -> Result<T, EnvironmentError> {
        tokio::time::timeout(self.timeout, work)
            .await
            .unwrap_or_else(|_| {
                Err(EnvironmentError {
                    phase: crate::event::Phase::Setup,
                    message: format!(
                        "no answer within {}\nhint: allow more with --timeout",
                        time::human(self.timeout)
                    ),
                    timed_out: true,
                })
            })
    }
}

/// Which step of grading failed: an answer that was not taken can be sent again.
#[derive(Debug)]
enum Step {
    Submit(EnvironmentError),
    Grade(EnvironmentError),
}

impl Step {
    fn into_error(self) -> EnvironmentError {
        match self {
            Self::Submit(error) | Self::Grade(error) => error,
        }
    }
}

/// Whether a server that names its sessions does not know the name any more.
fn is_unknown(outcome: &Result<Evaluation, Step>) -> bool {
    match outcome {
        Err(Step::Submit(error) | Step::Grade(error)) => {
            error.message.contains("there is no session")
        }
        Ok(_) => false,
    }
}

fn check(scenario: &Offered, args: &Map<String, Value>) -> Result<(), Failure> {
    let parameters = schema::of_arguments(&scenario.info.arguments);
    let mistakes = schema::check_arguments(args, &parameters);
    if mistakes.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} (in scenario `{}`)\nhint: give arguments as --args '{{\"NAME\": VALUE}}'",
        mistakes.join("\n"),
        scenario.wire_name
    )))
}
