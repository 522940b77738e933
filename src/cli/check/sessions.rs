//! Ten sessions really at once, and whether they see each other.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::{Duration, Instant};

use crate::cli::reach::{Peer, Peers, Place, Trouble};
use crate::environment::by_hand::{self, Posed};
use crate::task::{ConnectionSpec, EnvironmentSpec};
use crate::util::time;

use super::leftovers;
use super::scenario::Chosen;
use super::stage::{Found, Outcome};
use super::tool::{self, Call};

/// How many.
const COUNT: usize = 10;

/// What is done in each session.
pub(super) struct Work<'a> {
    /// A call that worked once.
    pub(super) call: Option<&'a Call>,
    /// A scenario that worked once.
    pub(super) scenario: Option<&'a Chosen>,
    /// The answer to submit.
    pub(super) answer: &'a str,
    /// How long one session took to open while nothing else did.
    pub(super) alone: Duration,
}

/// Opens the sessions, works in all of them while all are open, and closes them.
pub(super) async fn run(peers: &Peers, place: &Place, work: &Work<'_>) -> Result<Found, Outcome> {
    let before = leftovers::descendants().map(|processes| processes.len());
    let begun = Instant::now();
    // One after the other they would take ten times as long, and on one processor that is what they do.
    let limit = peers.timeout() + work.alone * COUNT as u32;
    let opening = (0..COUNT).map(|_| peers.open_within(place, limit));
    let opened = futures::future::join_all(opening).await;
    let took = begun.elapsed();
    let mut open = Vec::new();
    let mut troubles = Vec::new();
    for session in opened {
        match session {
            Ok(peer) => open.push(peer),
            Err(trouble) => troubles.push(trouble),
        }
    }
    let processes = leftovers::descendants()
        .map(|processes| processes.len())
        .zip(before)
        .map(|(now, before)| now.saturating_sub(before));
    let outcome = match troubles.into_iter().next() {
        Some(trouble) => Err(Outcome::Failed(Trouble {
            message: format!(
                "{} of {COUNT} sessions did not open: {}",
                COUNT - open.len(),
                trouble.message
            ),
            log: trouble.log,
        })),
        None => within(peers, place, &open, processes, work).await,
    };
    let log = open.first().map(Peer::log_tail).unwrap_or_default();
    futures::future::join_all(open.into_iter().map(Peer::close)).await;
    match outcome {
        Ok(mut found) => {
            found.detail = format!("{COUNT} opened in {}: {}", time::brief(took), found.detail);
            Ok(found)
        }
        Err(Outcome::Failed(trouble)) if trouble.log.is_empty() => {
            Err(Outcome::Failed(Trouble { log, ..trouble }))
        }
        Err(other) => Err(other),
    }
}

async fn within(
    peers: &Peers,
    place: &Place,
    open: &[Peer],
    processes: Option<usize>,
    work: &Work<'_>,
) -> Result<Found, Outcome> {
    let mut facts = Vec::new();
    if has_own_processes(place) {
        match processes {
            Some(count) if count < COUNT => {
                return Err(Outcome::failed(format!(
                    "{COUNT} sessions have {count} processes, and each should have its own"
                )));
            }
            Some(_) => facts.push("each has a process of its own"),
            None => {}
        }
    }
    let listed = at_once(peers, "listing the tools", open, async |peer| {
        let tools = peer
            .client()
            .list_tools(None)
            .await
            .map_err(|error| Outcome::failed(format!("listing the tools failed: {error}")))?;
        Ok(tools
            .into_iter()
            .map(|tool| tool.name)
            .collect::<BTreeSet<_>>())
    })
    .await?;
    if listed.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(Outcome::failed("the sessions list different tools"));
    }
    if let Some(call) = work.call {
        at_once(peers, "calling a tool", open, async |peer| {
            tool::run(peer.client(), call).await
        })
        .await?;
        facts.push("all call the tool at once");
    }
    if let Some(chosen) = work.scenario {
        scenarios(peers, open, chosen, work.answer).await?;
        facts.push("scenarios are kept apart");
    }
    if facts.is_empty() {
        facts.push("all list the same tools");
    }
    Ok(Found::new(facts.join(", ")))
}

/// Half of the sessions set the scenario up; the others must not be able to answer it; then the first half is graded.
async fn scenarios(
    peers: &Peers,
    open: &[Peer],
    chosen: &Chosen,
    answer: &str,
) -> Result<(), Outcome> {
    let (playing, idle) = open.split_at(COUNT / 2);
    let name = &chosen.wire_name;
    let failed = |error: crate::environment::EnvironmentError| Outcome::failed(error.message);
    let posed: Vec<Posed> = at_once(peers, "setting up scenarios", playing, async |peer| {
        by_hand::set_up(peer.client(), name, &chosen.args)
            .await
            .map_err(failed)
    })
    .await?;
    at_once(peers, "answering without a scenario", idle, async |peer| {
        match by_hand::submit(peer.client(), name, answer, None).await {
            Err(_) => Ok(()),
            Ok(()) => Err(Outcome::failed(format!(
                "a session that set nothing up could answer the scenario `{name}` of another one\nhint: keep what a scenario needs by session, not in one place for all"
            ))),
        }
    })
    .await?;
    let graded = playing.iter().zip(&posed).map(|(peer, posed)| async move {
        let meta = posed.meta.as_ref();
        by_hand::submit(peer.client(), name, answer, meta).await?;
        by_hand::grade(peer.client(), name, meta).await
    });
    let graded = limited(peers, "grading", futures::future::join_all(graded)).await?;
    for evaluation in graded {
        evaluation.map_err(|error| {
            Outcome::failed(format!("with {} at once, {}", COUNT / 2, error.message))
        })?;
    }
    Ok(())
}

/// Does the same in all sessions at the same time; the first failure counts.
async fn at_once<T>(
    peers: &Peers,
    doing: &str,
    sessions: &[Peer],
    work: impl AsyncFn(&Peer) -> Result<T, Outcome>,
) -> Result<Vec<T>, Outcome> {
    let work = &work;
    let all =
        futures::future::join_all(sessions.iter().map(|peer| async move { work(peer).await }));
    limited(peers, doing, all).await?.into_iter().collect()
}

async fn limited<T>(
    peers: &Peers,
    doing: &str,
    work: impl Future<Output = T>,
) -> Result<T, Outcome> {
    tokio::time::timeout(peers.timeout(), work)
        .await
        .map_err(|_| {
            Outcome::failed(format!(
                "{doing} in {COUNT} sessions at once: no answer within {}",
                time::human(peers.timeout())
            ))
        })
}

/// Whether each session is promised a process of its own.
fn has_own_processes(place: &Place) -> bool {
    match &place.spec {
        EnvironmentSpec::Python { .. } => true,
        EnvironmentSpec::Servers { servers } => servers
            .iter()
            .all(|(_, connection)| matches!(connection, ConnectionSpec::Stdio { .. })),
        EnvironmentSpec::Image { .. } | EnvironmentSpec::Hub { .. } => false,
    }
}
