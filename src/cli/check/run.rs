//! The stages, one after the other.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::cli::failure::Failure;
use crate::cli::job;
use crate::cli::reach::{How, Peer, Peers, Place, Program, Trouble};
use crate::environment::Description;
use crate::environment::by_hand::Offered;
use crate::task::{ConnectionSpec, EnvironmentSpec, Task};
use crate::util::time;

use super::leftovers;
use super::list::{self, Listed};
use super::scenario::{self, Chosen, Wishes};
use super::sessions::{self, Work};
use super::stage::{Check, Found, Outcome, Stage};
use super::tool::{self, Call};

/// How long processes may trail the end of what kept them.
const GONE: Duration = Duration::from_secs(2);

/// What to check.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Plan {
    /// The last stage.
    pub(in crate::cli) last: u8,
    /// The tool to call; without it one that says that it only reads.
    pub(in crate::cli) tool: Option<String>,
    /// Its arguments.
    pub(in crate::cli) arguments: Option<Map<String, Value>>,
    /// The scenario to play; without it that of the first task, else one that needs nothing.
    pub(in crate::cli) scenario: Option<String>,
    /// Its arguments, as they were typed.
    pub(in crate::cli) args: Vec<(String, String)>,
    /// What to submit.
    pub(in crate::cli) answer: String,
    /// The tasks of the source.
    pub(in crate::cli) tasks: Vec<Task>,
}

/// Checks each place in turn. Every stage is handed to `sink` when it is done, also one that was not tried.
///
/// # Errors
/// When a flag asks for a tool, a scenario or an argument that is not there, and when `sink` fails.
pub(in crate::cli) async fn run(
    peers: &Peers,
    places: &[Place],
    plan: &Plan,
    sink: &mut dyn FnMut(Check) -> Result<(), Failure>,
) -> Result<(), Failure> {
    leftovers::adopt_orphans();
    for place in places {
        let mut recorder = Recorder {
            server: (places.len() > 1).then(|| place.name.clone()),
            last: plan.last,
            next: 0,
            sink,
        };
        let outcome = of_place(peers, place, plan, &mut recorder).await;
        // Whatever happened, nothing of this place runs on.
        peers.close().await;
        outcome?;
    }
    Ok(())
}

/// Hands stages on in their order.
struct Recorder<'a> {
    server: Option<String>,
    last: u8,
    next: usize,
    sink: &'a mut dyn FnMut(Check) -> Result<(), Failure>,
}

impl Recorder<'_> {
    /// Whether the next stage is wanted.
    fn goes_on(&self) -> bool {
        Stage::ALL
            .get(self.next)
            .is_some_and(|stage| stage.number() <= self.last)
    }

    fn record(&mut self, took: Duration, outcome: Result<Found, Outcome>) -> Result<(), Failure> {
        if let Err(Outcome::Mistake(words)) = outcome {
            return Err(Failure::usage(words));
        }
        let Some(stage) = Stage::ALL.get(self.next).copied() else {
            return Ok(());
        };
        self.next += 1;
        (self.sink)(Check::new(self.server.as_deref(), stage, took, outcome))
    }

    /// The stages up to `stage` are not tried.
    fn skip_until(&mut self, stage: Stage, failed: Stage) -> Result<(), Failure> {
        while self.goes_on() && Stage::ALL[self.next] < stage {
            let why = format!("not tried: {} failed", failed.as_str());
            self.record(Duration::ZERO, Err(Outcome::Skipped(why)))?;
        }
        Ok(())
    }
}

/// What the first stage left behind.
enum Started {
    Imported(Arc<Description>),
    Program(Box<Program>, PathBuf),
    Server,
}

async fn of_place(
    peers: &Peers,
    place: &Place,
    plan: &Plan,
    recorder: &mut Recorder<'_>,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let (started, description) = match start(peers, place).await {
        Ok((found, started)) => {
            recorder.record(begun.elapsed(), Ok(found))?;
            let description = match &started {
                Started::Imported(description) => Some(Arc::clone(description)),
                Started::Program(..) | Started::Server => None,
            };
            (started, description)
        }
        Err(outcome) => {
            recorder.record(begun.elapsed(), Err(outcome))?;
            recorder.skip_until(Stage::Shutdown, Stage::Start)?;
            return end(peers, None, recorder).await;
        }
    };
    if !recorder.goes_on() {
        if let Started::Program(program, _) = started {
            program.end().await;
        }
        return Ok(());
    }
    let begun = Instant::now();
    let opened = match started {
        Started::Program(program, log) => peers.initialize(*program, log).await,
        Started::Imported(_) | Started::Server => peers.open(place).await,
    };
    let peer = match opened {
        Ok(peer) => peer,
        Err(trouble) => {
            recorder.record(begun.elapsed(), Err(trouble.into()))?;
            recorder.skip_until(Stage::Shutdown, Stage::Initialize)?;
            return end(peers, None, recorder).await;
        }
    };
    let mut noise = Noise::default();
    let initialized = noise.heard(&peer, Ok(introduce(&peer)));
    let outcome = recorder.record(begun.elapsed(), initialized);
    let outcome = match outcome {
        Ok(()) => {
            let mut stages = Stages {
                peers,
                place,
                plan,
                peer: &peer,
                description: description.as_deref(),
                noise,
                recorder,
            };
            stages.run().await
        }
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(()) => end(peers, Some(peer), recorder).await,
        Err(failure) => {
            peer.close().await;
            Err(failure)
        }
    }
}

/// The code is imported, the program runs, the server answers.
async fn start(peers: &Peers, place: &Place) -> Result<(Found, Started), Outcome> {
    if let Some(imported) = peers.import(place).await? {
        let description = imported.description;
        let reason = description
            .isolation_reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(" ({reason})"));
        let found = Found::new(format!("imported; {}{reason}", description.isolation));
        return Ok((found, Started::Imported(description)));
    }
    let EnvironmentSpec::Servers { servers } = &place.spec else {
        return Err(Outcome::failed("it cannot be started"));
    };
    match servers.first() {
        Some((_, connection @ ConnectionSpec::Stdio { .. })) => {
            let id = uuid::Uuid::new_v4().simple().to_string();
            let log = peers.environment().logs.join(format!("{id}.log"));
            let program = Program::spawn(connection, peers.environment(), &log)
                .await
                .map_err(Outcome::failed)?;
            let found = Found::new(program.pid().map_or_else(
                || "it ended at once".to_owned(),
                |pid| format!("runs as pid {pid}"),
            ));
            Ok((found, Started::Program(Box::new(program), log)))
        }
        Some((_, ConnectionSpec::Http { url, headers, .. })) => {
            let headers: Vec<(String, String)> = headers.clone().into_iter().collect();
            let answer = tokio::time::timeout(peers.timeout(), crate::http::status(url, &headers));
            match answer.await {
                Ok(Ok(status)) => Ok((
                    Found::new(format!("the server answers (HTTP {status} to GET)")),
                    Started::Server,
                )),
                Ok(Err(error)) => Err(Outcome::failed(format!(
                    "{error}{}",
                    if error.kind == crate::http::HttpErrorKind::Connect {
                        "\nhint: is the server running?"
                    } else {
                        ""
                    }
                ))),
                Err(_) => Err(Outcome::failed(format!(
                    "no answer from `{}` within {}",
                    crate::http::public_url(url),
                    time::human(peers.timeout())
                ))),
            }
        }
        None => Err(Outcome::failed("there is no server to reach")),
    }
}

fn introduce(peer: &Peer) -> Found {
    let about = peer.client().about();
    let capabilities: Vec<&str> = about
        .capabilities
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    let mut found = Found::new(format!(
        "{} {}, MCP {}: {}",
        about.name,
        about.version,
        about.protocol,
        capabilities.join(", ")
    ));
    if about.name.is_empty() {
        found.remarks.push("it gives no name".to_owned());
    }
    if capabilities.is_empty() {
        found.remarks.push(
            "it announces no capabilities; clients that go by them ask for nothing".to_owned(),
        );
    }
    found
}

/// What a program prints where only the protocol belongs; told once.
#[derive(Default)]
struct Noise {
    is_told: bool,
}

impl Noise {
    fn heard(&mut self, peer: &Peer, outcome: Result<Found, Outcome>) -> Result<Found, Outcome> {
        let Some(sentence) = peer.garbage().filter(|_| !self.is_told) else {
            return outcome;
        };
        self.is_told = true;
        Err(Outcome::Failed(match outcome {
            Ok(_) | Err(Outcome::Skipped(_) | Outcome::Mistake(_)) => Trouble {
                message: format!("it answers, and {sentence}, which other clients do not survive"),
                log: peer.log_tail(),
            },
            Err(Outcome::Failed(trouble)) => Trouble {
                message: format!("{}\n{sentence}", trouble.message),
                log: trouble.log,
            },
        }))
    }
}

/// The stages that need an open connection.
struct Stages<'a, 'r> {
    peers: &'a Peers,
    place: &'a Place,
    plan: &'a Plan,
    peer: &'a Peer,
    description: Option<&'a Description>,
    noise: Noise,
    recorder: &'a mut Recorder<'r>,
}

impl Stages<'_, '_> {
    async fn run(&mut self) -> Result<(), Failure> {
        if !self.recorder.goes_on() {
            return Ok(());
        }
        let begun = Instant::now();
        let listed = self
            .limited("listing what it offers", list::list(self.peer.client()))
            .await;
        let (found, listed) = match listed {
            Ok((found, listed)) => (Ok(found), Some(listed)),
            Err(outcome) => (Err(outcome), None),
        };
        self.record(begun.elapsed(), found)?;
        let Some(listed) = listed else {
            return self.recorder.skip_until(Stage::Shutdown, Stage::List);
        };
        let call = self.tool(&listed).await?;
        let chosen = self.scenario(&listed).await?;
        if !self.recorder.goes_on() {
            return Ok(());
        }
        let begun = Instant::now();
        let work = Work {
            call: call.as_ref(),
            scenario: chosen.as_ref(),
            answer: &self.plan.answer,
            alone: self.peer.took,
        };
        let outcome = sessions::run(self.peers, self.place, &work).await;
        self.recorder.record(begun.elapsed(), outcome)
    }

    /// Calls a tool; returns the call when it worked.
    async fn tool(&mut self, listed: &Listed) -> Result<Option<Call>, Failure> {
        if !self.recorder.goes_on() {
            return Ok(None);
        }
        let begun = Instant::now();
        let chosen = tool::choose(
            self.plan.tool.as_deref(),
            self.plan.arguments.as_ref(),
            &listed.tools,
        );
        let (outcome, call) = match chosen {
            Ok(call) => {
                let ran = self.limited("calling the tool", tool::run(self.peer.client(), &call));
                (ran.await, Some(call))
            }
            Err(outcome) => (Err(outcome), None),
        };
        let worked = outcome.is_ok();
        self.record(begun.elapsed(), outcome)?;
        Ok(call.filter(|_| worked))
    }

    /// Plays a scenario; returns it when that worked.
    async fn scenario(&mut self, listed: &Listed) -> Result<Option<Chosen>, Failure> {
        if !self.recorder.goes_on() {
            return Ok(None);
        }
        let begun = Instant::now();
        let mut tasks = scenario::of_tasks(&self.plan.tasks);
        if let Some(description) = self.description {
            tasks.extend(scenario::of_rows(&description.task_rows));
        }
        let wishes = Wishes {
            name: self.plan.scenario.as_deref(),
            args: &self.plan.args,
            tasks: &tasks,
        };
        let missing = |offered: &Offered| {
            job::missing(&offered.info, self.peers.environment(), &self.place.spec)
        };
        let (outcome, chosen) = match scenario::choose(&wishes, &listed.scenarios, &missing) {
            Ok(chosen) => {
                let played = scenario::play(self.peer.client(), &chosen, &self.plan.answer);
                (
                    self.limited("playing the scenario", played).await,
                    Some(chosen),
                )
            }
            Err(outcome) => (Err(outcome), None),
        };
        let worked = outcome.is_ok();
        self.record(begun.elapsed(), outcome)?;
        Ok(chosen.filter(|_| worked))
    }

    /// `work` within the time of a step.
    async fn limited<T>(
        &self,
        doing: &str,
        work: impl Future<Output = Result<T, Outcome>>,
    ) -> Result<T, Outcome> {
        let timeout = self.peers.timeout();
        let outcome = tokio::time::timeout(timeout, work).await;
        let outcome = outcome.unwrap_or_else(|_| {
            // A synchronous tool would keep the copy busy, and the stages that follow waiting.
            self.peer.interrupt();
            Err(Outcome::failed(format!(
                "{doing}: no answer within {}",
                time::human(timeout)
            )))
        });
        outcome.map_err(|outcome| match outcome {
            Outcome::Failed(trouble) if trouble.log.is_empty() => Outcome::Failed(Trouble {
                log: self.peer.log_tail(),
                ..trouble
            }),
            other => other,
        })
    }

    fn record(&mut self, took: Duration, outcome: Result<Found, Outcome>) -> Result<(), Failure> {
        let outcome = match outcome {
            Err(Outcome::Mistake(words)) => Err(Outcome::Mistake(words)),
            outcome => self.noise.heard(self.peer, outcome),
        };
        self.recorder.record(took, outcome)
    }
}

/// Closes everything, and looks for what is left.
async fn end(
    peers: &Peers,
    peer: Option<Peer>,
    recorder: &mut Recorder<'_>,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let was_open = peer.is_some();
    let (ended, warnings) = match peer {
        Some(peer) => peer.close().await,
        None => (None, Vec::new()),
    };
    peers.close().await;
    let left = leftovers::wait_until_gone(GONE).await;
    leftovers::kill(&left);
    if !recorder.goes_on() {
        return Ok(());
    }
    let mut found = Found::new(if leftovers::descendants().is_some() {
        "everything has ended, no process is left"
    } else if was_open {
        "the connection is closed"
    } else {
        "nothing was open"
    });
    let mut problems = warnings;
    match ended.map(|ended| (ended.how, ended.took)) {
        Some((How::Killed, took)) => problems.push(format!(
            "it was killed after {}: it ends neither when its stdin closes nor on SIGTERM",
            time::human(took)
        )),
        Some((How::Terminated, took)) => found.remarks.push(format!(
            "it does not end when its stdin closes, as MCP asks for; SIGTERM ended it after {}",
            time::human(took)
        )),
        Some((How::Asked, _)) | None => {}
    }
    if !left.is_empty() {
        let list: Vec<String> = left
            .iter()
            .map(|process| format!("{} `{}`", process.pid, process.command))
            .collect();
        problems.push(format!(
            "still running after the end (now killed): {}\nhint: end what you start: in `@env.shutdown`, or when stdin closes",
            list.join(", ")
        ));
    }
    let outcome = if problems.is_empty() {
        Ok(found)
    } else {
        Err(Outcome::failed(problems.join("\n")))
    };
    recorder.record(begun.elapsed(), outcome)
}
