//! `--json`: one JSON object a line on stdout, and nothing else there.
//!
//! This is a published format. Names are stable; a later version may add events and keys, so readers skip what they do not know. Every key
//! listed here is always there, `null` when it has no value. Times are seconds (to the millisecond), tokens are counts, costs are US
//! dollars. Strings of models, tools and environments are given as they are.
//!
//! | `event` | when | keys |
//! | --- | --- | --- |
//! | `job_started` | first | `job, name, model, agent, tasks, group, rollouts, max_concurrent, seed, directory` |
//! | `notice` | any time | `level` (`info`, `warning`), `text` |
//! | `environment_ready` | an environment answered first | `environment, isolation, reason, startup_s` |
//! | `rollout_started` | | `rollout, trace, index, task, repeat` |
//! | `step` | with `-v` only | `rollout, trace, index, task, repeat, step` |
//! | `rollout_finished` | | those of `rollout_started`, then as below |
//! | `summary` | last | `job, rollouts, graded, failed, mean_reward, stderr, success_rate, input_tokens, output_tokens, cost_usd, duration_s, directory` |
//!
//! - `rollout` is the identity of a rollout in every run of the same task; `trace` that of this attempt.
//! - `rollout_finished` has `outcome` (`graded`, `agent_error`, `environment_error`, `timeout`, `limit_reached`, `cancelled`), `reward` (a number
//!   when graded, else `null`: a failure is never 0), `message` (why there is no grade), `phase` (of an environment error or a timeout),
//!   `limit` (that ended the loop, graded or not), `content`, `info` and `subscores` (`name, weight, value`) of the grade, `answer, steps,
//!   tool_calls, input_tokens, output_tokens, judge_input_tokens, judge_output_tokens, cost_usd, duration_s, warnings`.
//! - `failed` of the summary counts rollouts without a grade by outcome, and `not_started`. `mean_reward`, `stderr` (clustered by task) and
//!   `success_rate` are over graded rollouts, `null` without any. When no environment started there is only a summary, its `directory` `null`.
//! - `step` is an object with a `type`: `prompt` (`system, text, tools`), `model_started` (`step`), `retry` (`attempt, delay_s, error`), `turn`
//!   (`step, model, text, reasoning, tool_calls` of `id, name, arguments`; `stop, input_tokens, output_tokens, duration_s`), `tool_started`
//!   (`id, name, arguments`), `tool_finished` (`id, name, is_error, text, structured, attachments, duration_s`), `user` (`text`),
//!   `limit_reached` (`limit`), `submitted` (`answer`), `judge` (`model, input_tokens, output_tokens, duration_s`), `log` (`level, text`).
//!   `arguments` is an object, or the text that a model wrote instead of one. Pictures and other data are in the trace file;
//!   `attachments` counts them.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value};

use super::standard::Report;
use crate::event::{
    Evaluation, JobSummary, NoticeLevel, Outcome, RolloutRef, RolloutResult, RunEvent, Step,
    SubScore,
};
use crate::message::{Arguments, Content, Message, StopReason, ToolCall};
use crate::ui::{Printer, Verbosity};

/// Prints events as JSON Lines.
pub struct Jsonl {
    printer: Printer,
}

impl Jsonl {
    /// Prints to this printer's stdout.
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
        }
    }
}

impl Report for Jsonl {
    fn event(&mut self, event: &RunEvent) -> Result<()> {
        let has_steps = self.printer.verbosity() >= Verbosity::Verbose;
        if let Some(line) = line(event, has_steps) {
            let text = serde_json::to_string(&line).context("cannot write an event as JSON")?;
            self.printer.data(&text)?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    JobStarted {
        job: &'a str,
        name: &'a str,
        model: &'a str,
        agent: &'a str,
        tasks: usize,
        group: u32,
        rollouts: usize,
        max_concurrent: usize,
        seed: u64,
        directory: String,
    },
    Notice {
        level: &'static str,
        text: &'a str,
    },
    EnvironmentReady {
        environment: &'a str,
        isolation: &'a str,
        reason: Option<&'a str>,
        startup_s: f64,
    },
    RolloutStarted(RolloutLine<'a>),
    Step {
        #[serde(flatten)]
        rollout: RolloutLine<'a>,
        step: StepLine<'a>,
    },
    RolloutFinished {
        #[serde(flatten)]
        rollout: RolloutLine<'a>,
        #[serde(flatten)]
        result: Box<ResultLine<'a>>,
    },
    Summary {
        job: &'a str,
        rollouts: usize,
        graded: usize,
        failed: Map<String, Value>,
        mean_reward: Option<f64>,
        stderr: Option<f64>,
        success_rate: Option<f64>,
        input_tokens: u64,
        output_tokens: u64,
        cost_usd: Option<f64>,
        duration_s: f64,
        directory: Option<String>,
    },
}

#[derive(Serialize)]
struct RolloutLine<'a> {
    rollout: &'a str,
    trace: &'a str,
    index: usize,
    task: &'a str,
    repeat: u32,
}

#[derive(Serialize)]
struct ResultLine<'a> {
    outcome: &'static str,
    reward: Option<f64>,
    message: Option<&'a str>,
    phase: Option<&'static str>,
    limit: Option<&'static str>,
    content: Option<&'a str>,
    info: Option<&'a Map<String, Value>>,
    subscores: Vec<SubScoreLine<'a>>,
    answer: Option<&'a str>,
    steps: u32,
    tool_calls: u32,
    input_tokens: u64,
    output_tokens: u64,
    judge_input_tokens: u64,
    judge_output_tokens: u64,
    cost_usd: Option<f64>,
    duration_s: f64,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct SubScoreLine<'a> {
    name: &'a str,
    weight: f64,
    value: f64,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum StepLine<'a> {
    Prompt {
        system: Option<&'a str>,
        text: String,
        tools: Vec<&'a str>,
    },
    ModelStarted {
        step: u32,
    },
    Retry {
        attempt: u32,
        delay_s: f64,
        error: &'a str,
    },
    Turn {
        step: u32,
        model: &'a str,
        text: String,
        reasoning: String,
        tool_calls: Vec<CallLine<'a>>,
        stop: &'a str,
        input_tokens: u64,
        output_tokens: u64,
        duration_s: f64,
    },
    ToolStarted(CallLine<'a>),
    ToolFinished {
        id: &'a str,
        name: &'a str,
        is_error: bool,
        text: String,
        structured: Option<&'a Value>,
        attachments: usize,
        duration_s: f64,
    },
    User {
        text: String,
    },
    LimitReached {
        limit: &'static str,
    },
    Submitted {
        answer: &'a str,
    },
    Judge {
        model: &'a str,
        input_tokens: u64,
        output_tokens: u64,
        duration_s: f64,
    },
    Notice {
        text: &'a str,
    },
    Log {
        level: &'a str,
        text: &'a str,
    },
}

#[derive(Serialize)]
struct CallLine<'a> {
    id: &'a str,
    name: &'a str,
    arguments: ArgumentsLine<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ArgumentsLine<'a> {
    Object(&'a Map<String, Value>),
    Text(&'a str),
}

/// What is published of an event, if anything.
fn line(event: &RunEvent, has_steps: bool) -> Option<Line<'_>> {
    Some(match event {
        RunEvent::JobStarted(started) => Line::JobStarted {
            job: &started.job,
            name: &started.name,
            model: &started.model,
            agent: &started.agent,
            tasks: started.tasks,
            group: started.group,
            rollouts: started.rollouts,
            max_concurrent: started.max_concurrent,
            seed: started.seed,
            directory: started.directory.display().to_string(),
        },
        RunEvent::Notice { level, text } => Line::Notice {
            level: match level {
                NoticeLevel::Info => "info",
                NoticeLevel::Warning => "warning",
            },
            text,
        },
        RunEvent::EnvironmentReady {
            environment,
            isolation,
            reason,
            startup,
        } => Line::EnvironmentReady {
            environment,
            isolation,
            reason: reason.as_deref(),
            startup_s: seconds(*startup),
        },
        RunEvent::RolloutStarted { rollout } => Line::RolloutStarted(rollout_line(rollout)),
        RunEvent::PhaseStarted { .. } => return None,
        RunEvent::Step { rollout, step } => Line::Step {
            rollout: rollout_line(rollout),
            step: step_line(step).filter(|_| has_steps)?,
        },
        RunEvent::RolloutFinished { rollout, result } => Line::RolloutFinished {
            rollout: rollout_line(rollout),
            result: Box::new(result_line(result)),
        },
        RunEvent::JobFinished(summary) => summary_line(summary),
    })
}

fn rollout_line(rollout: &RolloutRef) -> RolloutLine<'_> {
    RolloutLine {
        rollout: &rollout.id,
        trace: &rollout.trace_id,
        index: rollout.index,
        task: &rollout.task,
        repeat: rollout.repeat,
    }
}

fn result_line(result: &RolloutResult) -> ResultLine<'_> {
    let mut line = ResultLine {
        outcome: result.outcome.kind(),
        reward: result.outcome.reward(),
        message: None,
        phase: None,
        limit: None,
        content: None,
        info: None,
        subscores: Vec::new(),
        answer: result.answer.as_deref(),
        steps: result.steps,
        tool_calls: result.tool_calls,
        input_tokens: result.usage.input_tokens,
        output_tokens: result.usage.output_tokens,
        judge_input_tokens: result.judge_usage.input_tokens,
        judge_output_tokens: result.judge_usage.output_tokens,
        cost_usd: result.cost_usd,
        duration_s: seconds(result.duration),
        warnings: &result.warnings,
    };
    match &result.outcome {
        Outcome::Graded {
            evaluation,
            stopped_by,
        } => {
            let Evaluation {
                content,
                info,
                subscores,
                ..
            } = evaluation;
            line.limit = stopped_by.map(crate::event::Limit::as_str);
            line.content = content.as_deref();
            line.info = Some(info);
            line.subscores = subscores.iter().map(subscore_line).collect();
        }
        Outcome::AgentError { message } => line.message = Some(message),
        Outcome::EnvironmentError { phase, message } | Outcome::Timeout { phase, message } => {
            line.phase = Some(phase.as_str());
            line.message = Some(message);
        }
        Outcome::LimitReached { limit, message } => {
            line.limit = Some(limit.as_str());
            line.message = Some(message);
        }
        Outcome::Cancelled => {}
    }
    line
}

fn subscore_line(score: &SubScore) -> SubScoreLine<'_> {
    SubScoreLine {
        name: &score.name,
        weight: score.weight,
        value: score.value,
    }
}

fn summary_line(summary: &JobSummary) -> Line<'_> {
    Line::Summary {
        job: &summary.job,
        rollouts: summary.rollouts,
        graded: summary.graded,
        failed: summary
            .failed
            .iter()
            .map(|(kind, count)| (kind.clone(), Value::from(*count)))
            .collect(),
        mean_reward: summary.mean_reward,
        stderr: summary.stderr,
        success_rate: summary.success_rate,
        input_tokens: summary.usage.input_tokens,
        output_tokens: summary.usage.output_tokens,
        cost_usd: summary.cost_usd,
        duration_s: seconds(summary.duration),
        directory: Some(&summary.directory)
            .filter(|directory| !directory.as_os_str().is_empty())
            .map(|directory| directory.display().to_string()),
    }
}

/// What is published of a step; pieces of text are not, since the turn holds them again.
fn step_line(step: &Step) -> Option<StepLine<'_>> {
    Some(match step {
        Step::TextDelta { .. } => return None,
        Step::Prompt {
            system,
            messages,
            tools,
        } => StepLine::Prompt {
            system: system.as_deref(),
            text: messages
                .iter()
                .map(message_text)
                .collect::<Vec<_>>()
                .join("\n"),
            tools: tools.iter().map(|tool| tool.name.as_str()).collect(),
        },
        Step::ModelStarted { step } => StepLine::ModelStarted { step: *step },
        Step::Retry {
            attempt,
            delay,
            error,
        } => StepLine::Retry {
            attempt: *attempt,
            delay_s: seconds(*delay),
            error,
        },
        Step::Turn {
            step,
            turn,
            duration,
        } => StepLine::Turn {
            step: *step,
            model: &turn.model,
            text: turn.text(),
            reasoning: turn.reasoning(),
            tool_calls: turn.tool_calls().map(call_line).collect(),
            stop: stop(&turn.stop),
            input_tokens: turn.usage.input_tokens,
            output_tokens: turn.usage.output_tokens,
            duration_s: seconds(*duration),
        },
        Step::ToolStarted { call } => StepLine::ToolStarted(call_line(call)),
        Step::ToolFinished {
            call,
            result,
            duration,
        } => StepLine::ToolFinished {
            id: &call.id,
            name: &call.name,
            is_error: result.is_error,
            text: Content::join_text(&result.content),
            structured: result.structured.as_ref(),
            attachments: result
                .content
                .iter()
                .filter(|content| content.as_text().is_none())
                .count(),
            duration_s: seconds(*duration),
        },
        Step::User { content } => StepLine::User {
            text: Content::join_text(content),
        },
        Step::LimitReached { limit } => StepLine::LimitReached {
            limit: limit.as_str(),
        },
        Step::Submitted { answer } => StepLine::Submitted { answer },
        Step::Judge {
            model,
            usage,
            duration,
        } => StepLine::Judge {
            model,
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            duration_s: seconds(*duration),
        },
        Step::Notice { text } => StepLine::Notice { text },
        Step::Log { level, text } => StepLine::Log { level, text },
    })
}

fn call_line(call: &ToolCall) -> CallLine<'_> {
    CallLine {
        id: &call.id,
        name: &call.name,
        arguments: match &call.arguments {
            Arguments::Object { value } => ArgumentsLine::Object(value),
            Arguments::Malformed { raw, .. } => ArgumentsLine::Text(raw),
        },
    }
}

fn message_text(message: &Message) -> String {
    match message {
        Message::System { content } | Message::User { content } => Content::join_text(content),
        Message::Assistant { turn } => turn.text(),
        Message::Tools { results } => results
            .iter()
            .map(|result| Content::join_text(&result.content))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

fn stop(stop: &StopReason) -> &str {
    match stop {
        StopReason::Done => "done",
        StopReason::ToolCalls => "tool_calls",
        StopReason::Length => "length",
        StopReason::Refusal => "refusal",
        StopReason::Paused => "paused",
        StopReason::MalformedCall => "malformed_call",
        StopReason::Other(word) => word,
    }
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}
