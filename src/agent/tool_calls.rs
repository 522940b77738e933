//! The tool calls of one turn: checked, run in order, answered one for one.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::interrupt::{Interrupt, Interrupts};
use super::{CallContext, StepSink, Tools};
use crate::event::Step;
use crate::message::{Arguments, Tool, ToolCall, ToolResult};
use crate::util::suggest::did_you_mean;
use crate::util::time::human;

/// How long a call that was told to stop may take to do so before it is abandoned. The worker interrupts its tool at once and is killed after
/// two seconds; the rest is for its answer.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// What a call is answered with that was made too late.
pub(super) const NOT_RUN: &str = "not run: the rollout was over before this call";

/// An unknown tool's error lists at most this many others.
const LISTED_TOOLS: usize = 30;

/// What the loop goes on with after a turn's calls.
pub(super) struct Round {
    /// One for each call, in order, whatever happened.
    pub(super) results: Vec<ToolResult>,
    /// Calls that were started.
    pub(super) started: u32,
    /// The loop must stop.
    pub(super) interrupted: Option<Interrupt>,
    /// The environment is gone, in words.
    pub(super) environment: Option<String>,
}

/// What all calls of a loop share.
pub(super) struct Caller<'a> {
    pub(super) tools: &'a dyn Tools,
    /// The tools that the agent may see.
    pub(super) visible: &'a [Tool],
    pub(super) timeout: Option<Duration>,
    pub(super) interrupts: &'a Interrupts,
}

impl Caller<'_> {
    /// Runs `calls` one after the other: the second may rely on what the first one did.
    pub(super) async fn run(&self, calls: &[ToolCall], sink: &mut StepSink<'_>) -> Round {
        let mut round = Round {
            results: Vec::with_capacity(calls.len()),
            started: 0,
            interrupted: self.interrupts.now(),
            environment: None,
        };
        for call in calls {
            if round.interrupted.is_some() || round.environment.is_some() {
                round.results.push(ToolResult::error(call, NOT_RUN));
                continue;
            }
            round.started += 1;
            sink(Step::ToolStarted { call: call.clone() });
            let started = Instant::now();
            let result = match self.refuse(call) {
                Some(refusal) => ToolResult::error(call, refusal),
                None => self.run_one(call, &mut round).await,
            };
            sink(Step::ToolFinished {
                call: call.clone(),
                result: result.clone(),
                duration: started.elapsed(),
            });
            round.results.push(result);
        }
        round
    }

    /// Why `call` is not run, in words for the model.
    fn refuse(&self, call: &ToolCall) -> Option<String> {
        let names = || self.visible.iter().map(|tool| tool.name.as_str());
        if !names().any(|name| name == call.name) {
            let mut listed: Vec<_> = names().take(LISTED_TOOLS).collect();
            if self.visible.len() > LISTED_TOOLS {
                listed.push("…");
            }
            let available = if listed.is_empty() {
                "there are no tools".to_owned()
            } else {
                format!("available tools: {}", listed.join(", "))
            };
            let near = did_you_mean(&call.name, names());
            return Some(format!("unknown tool '{}'{near}\n{available}", call.name));
        }
        match &call.arguments {
            Arguments::Object { .. } => None,
            Arguments::Malformed { error, .. } => Some(format!(
                "the arguments are {error}\nThe tool was not run. Call it again with one JSON object as its arguments."
            )),
        }
    }

    async fn run_one(&self, call: &ToolCall, round: &mut Round) -> ToolResult {
        // A child of the job's: whoever cancels the job reaches the tool without waiting for the loop.
        let cancel = self.interrupts.cancel.child_token();
        let context = CallContext {
            timeout: self.timeout,
            cancel: cancel.clone(),
        };
        // Reaches the tool also when the loop itself is dropped.
        let guard = cancel.clone().drop_guard();
        let mut running = self.tools.call(call, &context);
        let first = tokio::select! {
            biased;
            by = self.interrupts.wait() => { round.interrupted = Some(by); None }
            ended = &mut running => Some(ended),
            () = overdue(self.timeout) => None,
        };
        let ended = match first {
            Some(ended) => Some(ended),
            None => stop(&mut running, &cancel).await,
        };
        guard.disarm();
        match ended {
            Some(Ok(mut result)) => {
                // The pairing is the loop's promise, not the environment's.
                result.call_id.clone_from(&call.id);
                result.name.clone_from(&call.name);
                result
            }
            Some(Err(error)) => {
                let message = format!("{error:#}");
                let result = ToolResult::error(call, format!("the environment failed: {message}"));
                round.environment = Some(message);
                result
            }
            None => ToolResult::error(call, self.abandoned(call, round.interrupted)),
        }
    }

    fn abandoned(&self, call: &ToolCall, interrupted: Option<Interrupt>) -> String {
        match (interrupted, self.timeout) {
            (None, Some(timeout)) => format!(
                "tool `{}` did not answer within {} and was stopped",
                call.name,
                human(timeout)
            ),
            _ => format!("tool `{}` was stopped: the rollout is over", call.name),
        }
    }
}

/// Ends a little after `timeout`: the environment keeps the time itself and answers with an error; this is for one that does not.
async fn overdue(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout.saturating_add(STOP_GRACE)).await,
        None => std::future::pending().await,
    }
}

/// Tells a call to stop for good, and waits a little for what it says to that.
async fn stop<T>(
    running: &mut (impl Future<Output = T> + Unpin),
    cancel: &CancellationToken,
) -> Option<T> {
    cancel.cancel();
    tokio::time::timeout(STOP_GRACE, running).await.ok()
}
