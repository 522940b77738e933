//! What happens in a job, as data: the boundary between the engine and everything that shows or keeps it.
//!
//! `eval` emits these; `report` and `store` consume them, live or replayed. The types are not the stored or published
//! format (`store` and `report` have their own, and convert explicitly).

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::message::{Content, Message, Tool, ToolCall, ToolResult, Turn, Usage};

/// The phases of a rollout, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The environment is reached or started.
    Connect,
    /// The scenario sets up and poses the task.
    Setup,
    /// The agent works.
    Loop,
    /// The answer is handed to the environment.
    Submit,
    /// The environment grades.
    Grade,
    /// The environment's copy is closed.
    Close,
}

impl Phase {
    /// The word used in messages, files and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Setup => "setup",
            Self::Loop => "loop",
            Self::Submit => "submit",
            Self::Grade => "grade",
            Self::Close => "close",
        }
    }
}

/// A limit of a rollout that ended its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// `max_steps` model calls were made and the model still wanted to call tools.
    Steps,
    /// The rollout's wall time.
    Time,
    /// The rollout's tokens.
    Tokens,
    /// The rollout's cost in US dollars.
    Cost,
}

impl Limit {
    /// The word used in messages and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Time => "time",
            Self::Tokens => "tokens",
            Self::Cost => "cost",
        }
    }
}

/// A part of a grade.
#[derive(Clone, Debug, PartialEq)]
pub struct SubScore {
    /// What was judged.
    pub name: String,
    /// Its share of the reward.
    pub weight: f64,
    /// 0 to 1.
    pub value: f64,
}

/// A grade as the environment gave it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Usually 0 to 1; penalties may take it below 0.
    pub reward: f64,
    /// Whether the task is over.
    pub done: bool,
    /// Words that explain the grade.
    pub content: Option<String>,
    /// Anything the grader wants to keep.
    pub info: Map<String, Value>,
    /// The parts of the grade.
    pub subscores: Vec<SubScore>,
}

/// How a rollout ended: the whole space. Only [`Outcome::Graded`] has a reward; nothing else is ever counted as 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The environment graded the state.
    Graded {
        /// The grade.
        evaluation: Evaluation,
        /// The limit that ended the loop, when one did.
        stopped_by: Option<Limit>,
    },
    /// The model or the harness failed; there was no answer to grade.
    AgentError {
        /// What failed and what to do.
        message: String,
    },
    /// The environment failed.
    EnvironmentError {
        /// In which phase.
        phase: Phase,
        /// What failed and what to do.
        message: String,
    },
    /// Time ran out in a phase in which no grade can be had any more.
    Timeout {
        /// In which phase.
        phase: Phase,
        /// What was waited for, and how long.
        message: String,
    },
    /// A limit ended the loop and the state could not be graded.
    LimitReached {
        /// Which limit.
        limit: Limit,
        /// Why there is no grade.
        message: String,
    },
    /// The job was cancelled before the rollout ended.
    Cancelled,
}

impl Outcome {
    /// The reward, when there is one.
    pub fn reward(&self) -> Option<f64> {
        match self {
            Self::Graded { evaluation, .. } => Some(evaluation.reward),
            Self::AgentError { .. }
            | Self::EnvironmentError { .. }
            | Self::Timeout { .. }
            | Self::LimitReached { .. }
            | Self::Cancelled => None,
        }
    }

    /// The kind in one word, used as key in summaries: `graded`, `agent_error`, `environment_error`, `timeout`, `limit_reached`, `cancelled`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Graded { .. } => "graded",
            Self::AgentError { .. } => "agent_error",
            Self::EnvironmentError { .. } => "environment_error",
            Self::Timeout { .. } => "timeout",
            Self::LimitReached { .. } => "limit_reached",
            Self::Cancelled => "cancelled",
        }
    }

    /// What went wrong, in words; `None` for a grade.
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Graded { .. } => None,
            Self::AgentError { message } => Some(message.clone()),
            Self::EnvironmentError { phase, message } | Self::Timeout { phase, message } => {
                Some(format!("[{}] {message}", phase.as_str()))
            }
            Self::LimitReached { limit, message } => {
                Some(format!("limit of {} reached: {message}", limit.as_str()))
            }
            Self::Cancelled => Some("cancelled".to_owned()),
        }
    }
}

/// Which rollout an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RolloutRef {
    /// Stable identity: `<16 hex digits of the task's content hash>.<repeat>`; resume and compare rely on it.
    pub id: String,
    /// The trace of this attempt: 32 hex digits, random.
    pub trace_id: String,
    /// Position in the plan, from 0.
    pub index: usize,
    /// The task's slug.
    pub task: String,
    /// Which repeat of the group, from 0.
    pub repeat: u32,
}

/// What one rollout did, when it is over.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutResult {
    /// How it ended.
    pub outcome: Outcome,
    /// The last text of the agent: what was submitted, or would have been.
    pub answer: Option<String>,
    /// Model calls made.
    pub steps: u32,
    /// Tool calls made.
    pub tool_calls: u32,
    /// Tokens of the agent's model.
    pub usage: Usage,
    /// Tokens of models that graded.
    pub judge_usage: Usage,
    /// Dollars, when the model's prices are known.
    pub cost_usd: Option<f64>,
    /// Wall time, from connect to close.
    pub duration: Duration,
    /// Wall time of each phase that was entered.
    pub phases: Vec<(Phase, Duration)>,
    /// What went wrong beside the outcome: a `@env.shutdown` that raised, a copy that had to be killed.
    pub warnings: Vec<String>,
}

/// A step of a rollout, as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The scenario posed its task.
    Prompt {
        /// System prompt of the agent, when it has one.
        system: Option<String>,
        /// The conversation that the agent starts from.
        messages: Vec<Message>,
        /// The tools that the agent may call.
        tools: Vec<Tool>,
    },
    /// A model call starts.
    ModelStarted {
        /// From 1.
        step: u32,
    },
    /// A piece of text of the running turn, for live display; never stored.
    TextDelta {
        /// The text.
        text: String,
    },
    /// A model call failed and will be made again.
    Retry {
        /// From 1.
        attempt: u32,
        /// How long it waits.
        delay: Duration,
        /// Why.
        error: String,
    },
    /// A model call ended.
    Turn {
        /// From 1.
        step: u32,
        /// What the model said.
        turn: Turn,
        /// Wall time, retries included.
        duration: Duration,
    },
    /// A tool call starts.
    ToolStarted {
        /// The call.
        call: ToolCall,
    },
    /// A tool call ended.
    ToolFinished {
        /// The call.
        call: ToolCall,
        /// What it answered.
        result: ToolResult,
        /// Wall time.
        duration: Duration,
    },
    /// A message that the harness itself put into the conversation (`auto_respond`).
    User {
        /// What it says.
        content: Vec<Content>,
    },
    /// A limit ended the loop.
    LimitReached {
        /// Which.
        limit: Limit,
    },
    /// The answer was handed to the environment.
    Submitted {
        /// The answer.
        answer: String,
    },
    /// A model graded on the environment's behalf.
    Judge {
        /// The model.
        model: String,
        /// Its tokens.
        usage: Usage,
        /// Wall time.
        duration: Duration,
    },
    /// Something about the model's requests that the user should know (a keyword of a schema that the provider does not take).
    Notice {
        /// As a lowercase fragment.
        text: String,
    },
    /// The environment said something for its log (`ctx.log`, MCP logging).
    Log {
        /// MCP level: `debug`, `info`, `warning`, `error`, …
        level: String,
        /// What it says.
        text: String,
    },
}

/// How important a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeLevel {
    /// Worth knowing.
    Info,
    /// Something is not as asked for.
    Warning,
}

/// A job is about to start.
#[derive(Clone, Debug, PartialEq)]
pub struct JobStarted {
    /// Sortable id, also the name of the run directory: `20261120-101502-trivia-3f2a`.
    pub job: String,
    /// The job's name, from the task file.
    pub name: String,
    /// The model's name as given.
    pub model: String,
    /// The agent type (`claude`, `openai_compatible`, `oracle`, …).
    pub agent: String,
    /// Number of distinct tasks.
    pub tasks: usize,
    /// Repeats of each task.
    pub group: u32,
    /// Rollouts in all.
    pub rollouts: usize,
    /// Concurrency.
    pub max_concurrent: usize,
    /// The seed that every rollout's own seed is derived from.
    pub seed: u64,
    /// The run directory.
    pub directory: PathBuf,
    /// Everything else that a reader of the run needs (settings without secrets, versions, the tasks), as JSON.
    pub plan: Value,
}

/// Numbers of a job, from all rollouts that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSummary {
    /// The job's id.
    pub job: String,
    /// Rollouts planned.
    pub rollouts: usize,
    /// Rollouts with a grade.
    pub graded: usize,
    /// Rollouts without a grade, by [`Outcome::kind`], plus `not_started`.
    pub failed: Vec<(String, usize)>,
    /// Mean over graded rollouts.
    pub mean_reward: Option<f64>,
    /// Standard error of the mean, clustered by task; `None` below two tasks.
    pub stderr: Option<f64>,
    /// Share of graded rollouts with a reward above the threshold.
    pub success_rate: Option<f64>,
    /// Tokens of agents and judges.
    pub usage: Usage,
    /// Dollars, when every model's price is known.
    pub cost_usd: Option<f64>,
    /// Wall time of the job.
    pub duration: Duration,
    /// The run directory.
    pub directory: PathBuf,
    /// Whether it was interrupted.
    pub interrupted: bool,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEvent {
    /// The first event.
    JobStarted(JobStarted),
    /// Something to know that is not about one rollout.
    Notice {
        /// How important.
        level: NoticeLevel,
        /// What.
        text: String,
    },
    /// An environment answered for the first time.
    EnvironmentReady {
        /// Its name.
        environment: String,
        /// How copies are isolated, in words (`each rollout in its own fork`).
        isolation: String,
        /// Why it is not the default, when it is not.
        reason: Option<String>,
        /// How long it took to start.
        startup: Duration,
    },
    /// A rollout starts.
    RolloutStarted {
        /// Which.
        rollout: RolloutRef,
    },
    /// A rollout enters a phase.
    PhaseStarted {
        /// Which.
        rollout: RolloutRef,
        /// The phase.
        phase: Phase,
    },
    /// A step of a rollout.
    Step {
        /// Which.
        rollout: RolloutRef,
        /// The step.
        step: Box<Step>,
    },
    /// A rollout ended.
    RolloutFinished {
        /// Which.
        rollout: RolloutRef,
        /// How.
        result: Box<RolloutResult>,
    },
    /// The last event.
    JobFinished(JobSummary),
}

#[cfg(test)]
pub(crate) mod samples;
