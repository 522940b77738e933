//! One rollout: connect → setup → loop → submit → grade → close, whatever happens on the way.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::judge::RolloutJudge;
use super::session_tools::SessionTools;
use super::{Limits, Plan};
use crate::agent::{self, AgentEnd, AgentFailure, AgentJob, LoopSettings, ModelSource, Sampling};
use crate::environment::{EnvironmentError, Prompt, STOP, Session, SessionOptions};
use crate::event::{Limit, Outcome, Phase, RolloutRef, RolloutResult, RunEvent, Step};
use crate::message::{Content, Message, Usage};
use crate::task::{AgentConfig, ConnectionSpec, EnvironmentSpec, Steps, Task};
use crate::util::backoff::Backoff;
use crate::util::time;

/// How often connecting to a server behind a URL is tried again. A local process that does not start would not start the next time either.
const CONNECT_RETRY: Backoff = Backoff {
    first: Duration::from_millis(500),
    cap: Duration::from_secs(4),
    retries: 3,
};

/// A rollout that is about to run.
pub(super) struct Rollout {
    pub(super) plan: Arc<Plan>,
    pub(super) task: Arc<Task>,
    pub(super) reference: RolloutRef,
    pub(super) events: mpsc::UnboundedSender<RunEvent>,
    pub(super) cancel: CancellationToken,
}

/// What is known so far; becomes the result whatever happens.
struct Progress {
    answer: Option<String>,
    steps: u32,
    tool_calls: u32,
    usage: Usage,
    judge_usage: Arc<Mutex<Usage>>,
    phases: Vec<(Phase, Duration)>,
}

/// Why a rollout has no grade.
type Ended = Outcome;

impl Rollout {
    pub(super) async fn run(self) -> RolloutResult {
        let begun = Instant::now();
        self.emit(RunEvent::RolloutStarted {
            rollout: self.reference.clone(),
        });
        let mut progress = Progress {
            answer: None,
            steps: 0,
            tool_calls: 0,
            usage: Usage::default(),
            judge_usage: Arc::default(),
            phases: Vec::new(),
        };
        let mut warnings = Vec::new();
        let outcome = match self.connect(&mut progress).await {
            Ok(session) => {
                let session = Arc::new(session);
                let outcome = self.with_session(&session, begun, &mut progress).await;
                let closing = Instant::now();
                self.enter(Phase::Close);
                warnings.extend(session.close().await);
                progress.phases.push((Phase::Close, closing.elapsed()));
                outcome
            }
            Err(ended) => Err(ended),
        };
        RolloutResult {
            outcome: outcome.unwrap_or_else(|ended| ended),
            answer: progress.answer,
            steps: progress.steps,
            tool_calls: progress.tool_calls,
            usage: progress.usage,
            judge_usage: progress
                .judge_usage
                .lock()
                .map(|usage| *usage)
                .unwrap_or_default(),
            cost_usd: None,
            duration: begun.elapsed(),
            phases: progress.phases,
            warnings,
        }
    }

    async fn connect(&self, progress: &mut Progress) -> Result<Session, Ended> {
        let options = SessionOptions {
            trace_id: self.reference.trace_id.clone(),
            seed: Some(self.seed()),
            log: self
                .plan
                .environments
                .logs()
                .join(format!("{}.log", self.reference.trace_id)),
            sampler: self.plan.judge.clone().map(|judge| {
                Arc::new(RolloutJudge {
                    judge,
                    usage: Arc::clone(&progress.judge_usage),
                    steps: Box::new(self.step_sender()),
                }) as Arc<dyn crate::environment::Sampler>
            }),
            on_log: Some({
                let send = self.step_sender();
                Arc::new(move |level: &str, text: &str| {
                    send(Step::Log {
                        level: level.to_owned(),
                        text: text.to_owned(),
                    });
                })
            }),
            client: None,
        };
        let mut retry = 0;
        loop {
            let attempt = self.plan.environments.open(&self.task.env, &options);
            let error = match self.phase(Phase::Connect, attempt, progress).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(error)) => error,
                Err(ended) => return Err(ended),
            };
            retry += 1;
            if !is_remote(&self.task.env) || retry > CONNECT_RETRY.retries {
                return Err(environment_error(error, Phase::Connect));
            }
            let delay = CONNECT_RETRY.delay(retry, None);
            self.step(Step::Retry {
                attempt: retry,
                delay,
                error: error.message,
            });
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.cancel.cancelled() => return Err(Outcome::Cancelled),
            }
        }
    }

    async fn with_session(
        &self,
        session: &Arc<Session>,
        begun: Instant,
        progress: &mut Progress,
    ) -> Result<Outcome, Ended> {
        let config = self.task.agent.clone().or(&self.plan.agent);
        let prompt = self.setup(session, &config, progress).await?;
        let end = self
            .drive(session, &config, prompt, begun, progress)
            .await?;
        if let Some(answer) = &progress.answer {
            self.submit(session, answer.clone(), end.stopped_by, progress)
                .await?;
        }
        let grading = async {
            if self.task.scenario.is_some() {
                session.grade().await
            } else {
                session.evaluate(&self.task.evaluate).await
            }
        };
        let evaluation = self
            .phase(Phase::Grade, grading, progress)
            .await?
            .map_err(|error| environment_error(error, Phase::Grade))?;
        Ok(Outcome::Graded {
            evaluation,
            stopped_by: end.stopped_by,
        })
    }

    async fn setup(
        &self,
        session: &Session,
        config: &AgentConfig,
        progress: &mut Progress,
    ) -> Result<Vec<Message>, Ended> {
        let setting_up = async {
            let Some(scenario) = &self.task.scenario else {
                let output = session.prepare(&self.task.setup).await?;
                let mut text = self.task.prompt.clone().unwrap_or_default();
                if config.append_setup_output.unwrap_or(true) && !output.is_empty() {
                    text = format!("{text}\n\n{output}");
                }
                return Ok(vec![Message::user(text)]);
            };
            let Prompt { messages, .. } = session.setup(scenario, &self.task.args).await?;
            Ok(messages)
        };
        self.phase(Phase::Setup, setting_up, progress)
            .await?
            .map_err(|error: EnvironmentError| environment_error(error, Phase::Setup))
    }

    async fn drive(
        &self,
        session: &Arc<Session>,
        config: &AgentConfig,
        mut messages: Vec<Message>,
        begun: Instant,
        progress: &mut Progress,
    ) -> Result<AgentEnd, Ended> {
        let model = match &self.plan.model {
            ModelSource::Shared(model) => Arc::clone(model),
            ModelSource::PerTask(factory) => factory
                .open(&self.task, self.reference.repeat)
                .map_err(|error| Outcome::AgentError {
                    message: error.to_string(),
                })?,
        };
        let system = system_prompt(config, &mut messages);
        let tools = SessionTools {
            session: Arc::clone(session),
        };
        self.enter(Phase::Loop);
        let started = Instant::now();
        let send = self.step_sender();
        let job = AgentJob {
            model: model.as_ref(),
            tools: &tools,
            system,
            messages,
            settings: loop_settings(config, &self.plan.limits, self.plan.retry),
            trace_id: Some(self.reference.trace_id.clone()),
            cancel: self.cancel.clone(),
            deadline: deadline(config, &self.plan.limits, begun),
        };
        let end = agent::run(job, &mut |step| send(step)).await;
        progress.phases.push((Phase::Loop, started.elapsed()));
        progress.answer.clone_from(&end.answer);
        progress.steps = end.steps;
        progress.tool_calls = end.tool_calls;
        progress.usage = end.usage;
        match (&end.failure, end.stopped_by) {
            (Some(AgentFailure::Cancelled), _) => Err(Outcome::Cancelled),
            (Some(AgentFailure::Environment(message)), Some(limit)) => Err(Outcome::LimitReached {
                limit,
                message: message.clone(),
            }),
            (Some(AgentFailure::Environment(message)), None) => Err(Outcome::EnvironmentError {
                phase: Phase::Loop,
                message: message.clone(),
            }),
            (None, _) => Ok(end),
            // Also when the rollout's time ended while a failed call waited for its next attempt: what the model never got to do must not be
            // graded as what it did.
            (Some(AgentFailure::Model(error)), _) => Err(Outcome::AgentError {
                message: error.to_string(),
            }),
        }
    }

    async fn submit(
        &self,
        session: &Session,
        answer: String,
        stopped_by: Option<Limit>,
        progress: &mut Progress,
    ) -> Result<(), Ended> {
        if self.task.scenario.is_none() {
            return Ok(());
        }
        if stopped_by == Some(Limit::Time) {
            // Nothing may act after the rollout's time; a copy that still does not answer is beyond grading.
            session.stop_tools();
            let answered = tokio::time::timeout(STOP, session.submit(&answer)).await;
            match answered {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(environment_error(error, Phase::Submit)),
                Err(_) => {
                    session.kill();
                    return Err(Outcome::LimitReached {
                        limit: Limit::Time,
                        message: format!(
                            "the environment did not stop within {} and was killed",
                            time::human(STOP)
                        ),
                    });
                }
            }
        } else {
            self.phase(Phase::Submit, session.submit(&answer), progress)
                .await?
                .map_err(|error| environment_error(error, Phase::Submit))?;
        }
        self.step(Step::Submitted { answer });
        Ok(())
    }

    /// Runs a phase: bounded in time, ended by cancellation, timed.
    async fn phase<T>(
        &self,
        phase: Phase,
        work: impl Future<Output = T>,
        progress: &mut Progress,
    ) -> Result<T, Ended> {
        self.enter(phase);
        let begun = Instant::now();
        let limit = self.plan.limits.phase_timeout;
        let outcome = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Outcome::Cancelled),
            done = tokio::time::timeout(limit, work) => done.map_err(|_| Outcome::Timeout {
                phase,
                message: format!("the environment did not answer within {}", time::human(limit)),
            }),
        };
        progress.phases.push((phase, begun.elapsed()));
        outcome
    }

    fn enter(&self, phase: Phase) {
        self.emit(RunEvent::PhaseStarted {
            rollout: self.reference.clone(),
            phase,
        });
    }

    fn step(&self, step: Step) {
        self.emit(RunEvent::Step {
            rollout: self.reference.clone(),
            step: Box::new(step),
        });
    }

    fn emit(&self, event: RunEvent) {
        // The receiver outlives every rollout; were it gone, nobody would be left to tell.
        let _ = self.events.send(event);
    }

    /// Sends steps from synchronous code.
    fn step_sender(&self) -> impl Fn(Step) + Send + Sync + 'static {
        let events = self.events.clone();
        let rollout = self.reference.clone();
        move |step| {
            // As in `emit`.
            let _ = events.send(RunEvent::Step {
                rollout: rollout.clone(),
                step: Box::new(step),
            });
        }
    }

    /// From the job's seed, the task and the repeat, so that a copy's random numbers can be had again.
    fn seed(&self) -> u64 {
        let digest = Sha256::digest(format!("{}/{}", self.plan.seed, self.reference.id));
        let bytes: [u8; 8] = std::array::from_fn(|index| digest[index]);
        // Python's `random` takes any integer, numpy's an unsigned 32-bit one; the worker reduces it.
        u64::from_le_bytes(bytes) >> 1
    }
}

fn is_remote(env: &EnvironmentSpec) -> bool {
    match env {
        EnvironmentSpec::Servers { servers } => servers
            .iter()
            .all(|(_, spec)| matches!(spec, ConnectionSpec::Http { .. })),
        EnvironmentSpec::Python { .. }
        | EnvironmentSpec::Image { .. }
        | EnvironmentSpec::Hub { .. } => false,
    }
}

fn environment_error(error: EnvironmentError, phase: Phase) -> Outcome {
    if error.timed_out {
        Outcome::Timeout {
            phase,
            message: error.message,
        }
    } else {
        Outcome::EnvironmentError {
            phase,
            message: error.message,
        }
    }
}

/// The agent's own system prompt, then the leading system messages of the scenario, which leave the conversation.
fn system_prompt(config: &AgentConfig, messages: &mut Vec<Message>) -> Option<String> {
    let leading = messages
        .iter()
        .take_while(|message| matches!(message, Message::System { .. }))
        .count();
    let texts = messages
        .drain(..leading)
        .filter_map(|message| match message {
            Message::System { content } => Some(Content::join_text(&content)),
            Message::User { .. } | Message::Assistant { .. } | Message::Tools { .. } => None,
        });
    let parts: Vec<String> = config
        .system_prompt
        .clone()
        .into_iter()
        .chain(texts)
        .collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

fn loop_settings(config: &AgentConfig, limits: &Limits, retry: Backoff) -> LoopSettings {
    let seconds = |value: Option<f64>, default: Duration| {
        Some(value.map_or(default, Duration::from_secs_f64))
    };
    LoopSettings {
        max_steps: config.max_steps.unwrap_or(Steps::AtMost(10)),
        allowed_tools: config.allowed_tools.clone(),
        disallowed_tools: config.disallowed_tools.clone(),
        sampling: Sampling {
            max_tokens: config.max_tokens,
            temperature: config.temperature,
            top_p: config.top_p,
        },
        model_timeout: seconds(config.model_timeout_seconds, limits.model_timeout),
        tool_timeout: seconds(config.tool_timeout_seconds, limits.tool_timeout),
        max_total_tokens: limits.rollout_tokens,
        auto_respond: config.auto_respond.unwrap_or(false),
        retry,
    }
}

/// When the loop must be over: the rollout's time counts from its start, the agent's own from now.
fn deadline(config: &AgentConfig, limits: &Limits, begun: Instant) -> Option<tokio::time::Instant> {
    let of_rollout = limits.rollout_timeout.map(|timeout| begun + timeout);
    let of_agent = config
        .timeout_seconds
        .map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));
    of_rollout
        .into_iter()
        .chain(of_agent)
        .min()
        .map(tokio::time::Instant::from_std)
}
