//! The one owner of a job's state: starts rollouts, collects what they say, puts it in order.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::rollout::Rollout;
use super::{Plan, statistics};
use crate::event::{JobStarted, JobSummary, NoticeLevel, RolloutRef, RolloutResult, RunEvent};
use crate::task::Task;

/// Runs a job to its end and hands every event to `sink`, in order. Cancelling ends the running rollouts in order (their environments are
/// closed) and starts no more; what finished stays.
///
/// # Errors
/// Only when `sink` fails (a full disk): the job is then cancelled and cleaned up first.
pub async fn run(
    plan: Plan,
    cancel: CancellationToken,
    sink: &mut (dyn FnMut(RunEvent) -> anyhow::Result<()> + Send),
) -> anyhow::Result<JobSummary> {
    let begun = Instant::now();
    let plan = Arc::new(plan);
    // A failing sink cancels this job, not the caller's token.
    let cancel = cancel.child_token();
    let mut sink = Sink {
        to: sink,
        cancel: cancel.clone(),
        failure: None,
    };
    sink.send(RunEvent::JobStarted(started(&plan)));
    announce_environments(&plan, &cancel, &mut sink).await;

    let mut results = Vec::with_capacity(plan.tasks.len() * plan.group as usize);
    {
        let mut queue = queue(&plan);
        let (events, mut inbox) = mpsc::unbounded_channel();
        let mut running: JoinSet<(RolloutRef, RolloutResult)> = JoinSet::new();
        loop {
            while running.len() < plan.max_concurrent.max(1) && !cancel.is_cancelled() {
                let Some((task, reference)) = queue.next() else {
                    break;
                };
                let rollout = Rollout {
                    plan: Arc::clone(&plan),
                    task,
                    reference: reference.clone(),
                    events: events.clone(),
                    cancel: cancel.clone(),
                };
                running.spawn(async move { (reference, Box::pin(rollout.run()).await) });
            }
            tokio::select! {
                biased;
                // Events first: all that a rollout said comes before its end.
                Some(event) = inbox.recv() => sink.send(event),
                ended = running.join_next() => match ended {
                    None => break,
                    Some(Ok((rollout, result))) => {
                        while let Ok(event) = inbox.try_recv() {
                            sink.send(event);
                        }
                        sink.send(RunEvent::RolloutFinished {
                            rollout: rollout.clone(),
                            result: Box::new(result.clone()),
                        });
                        results.push((rollout, result));
                    }
                    Some(Err(panic)) => sink.send(RunEvent::Notice {
                        level: NoticeLevel::Warning,
                        text: format!("a rollout ended in a bug of hud and has no result: {panic}"),
                    }),
                },
            }
        }
    }
    plan.environments.close().await;

    let summary = statistics::summarize(
        &plan.job,
        plan.tasks.len() * plan.group as usize,
        &results,
        plan.success_threshold,
        begun.elapsed(),
        &plan.directory,
        cancel.is_cancelled() && sink.failure.is_none(),
    );
    sink.send(RunEvent::JobFinished(summary.clone()));
    match sink.failure {
        Some(error) => Err(error),
        None => Ok(summary),
    }
}

/// The caller's sink; its first failure cancels the job, and later events are not lost to the others behind it: they still go in, so that what
/// can be kept is kept.
struct Sink<'a> {
    to: &'a mut (dyn FnMut(RunEvent) -> anyhow::Result<()> + Send),
    cancel: CancellationToken,
    failure: Option<anyhow::Error>,
}

impl Sink<'_> {
    fn send(&mut self, event: RunEvent) {
        if let Err(error) = (self.to)(event) {
            self.cancel.cancel();
            self.failure.get_or_insert(error);
        }
    }
}

/// Tasks in order, all of the first repeat before the second: an interrupted job has then seen as many tasks as possible.
fn queue(plan: &Plan) -> impl Iterator<Item = (Arc<Task>, RolloutRef)> {
    let tasks: Vec<(Arc<Task>, String)> = plan
        .tasks
        .iter()
        .map(|task| (Arc::new(task.clone()), task.identity()))
        .collect();
    let count = tasks.len();
    (0..plan.group)
        .flat_map(move |repeat| (0..count).map(move |task| (repeat, task)))
        .enumerate()
        .map(move |(index, (repeat, number))| {
            let (task, identity) = &tasks[number];
            let reference = RolloutRef {
                id: format!("{identity}.{repeat}"),
                trace_id: uuid::Uuid::new_v4().simple().to_string(),
                index,
                task: task.slug.clone(),
                repeat,
            };
            (Arc::clone(task), reference)
        })
}

fn started(plan: &Plan) -> JobStarted {
    JobStarted {
        job: plan.job.clone(),
        name: plan.name.clone(),
        model: plan.model_name.clone(),
        agent: plan.agent_type.clone(),
        tasks: plan.tasks.len(),
        group: plan.group,
        rollouts: plan.tasks.len() * plan.group as usize,
        max_concurrent: plan.max_concurrent,
        seed: plan.seed,
        directory: plan.directory.clone(),
        plan: plan.record.clone(),
    }
}

/// Starts each distinct environment before its first rollout needs it. One that does not start is not announced; its rollouts say why.
async fn announce_environments(plan: &Plan, cancel: &CancellationToken, sink: &mut Sink<'_>) {
    let mut seen = Vec::new();
    for task in &plan.tasks {
        if !seen.contains(&&task.env) {
            seen.push(&task.env);
        }
    }
    for env in seen {
        let prepared = tokio::select! {
            () = cancel.cancelled() => return,
            prepared = plan.environments.prepare(env) => prepared,
        };
        if let Ok(description) = prepared {
            sink.send(RunEvent::EnvironmentReady {
                environment: description.name.clone(),
                isolation: description.isolation.clone(),
                reason: description.isolation_reason.clone(),
                startup: plan.environments.startup(env).unwrap_or_default(),
            });
        }
    }
}
