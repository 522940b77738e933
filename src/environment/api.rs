//! What the rest of the program sees of an environment.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::event::Phase;
use crate::message::{Content, Message, Tool, Usage};

/// How the copies of a Python environment are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// A fork for each session where that is safe, else a process.
    #[default]
    Auto,
    /// A fork for each session; an error where that is not safe.
    Fork,
    /// A process for each session, which imports anew.
    Spawn,
    /// One process for all sessions, for development: what one call leaves behind, the next one finds. Scenarios stay their session's.
    Shared,
}

impl Isolation {
    /// The word on command lines and in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fork => "fork",
            Self::Spawn => "spawn",
            Self::Shared => "shared",
        }
    }
}

/// A parameter of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Whether it must be given.
    pub required: bool,
    /// JSON Schema, when the environment tells.
    pub schema: Option<Value>,
    /// The default, when the environment tells.
    pub default: Option<Value>,
}

/// A scenario that an environment offers.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioInfo {
    /// Short name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Its parameters.
    pub arguments: Vec<Argument>,
    /// Whether it takes the conversation in `messages`.
    pub chat: bool,
    /// Variables that the worker must be given.
    pub required_env_vars: Vec<String>,
}

/// A resource or a prompt that an environment offers beside its scenarios.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceInfo {
    /// URI or name.
    pub name: String,
    /// What it is.
    pub description: String,
}

/// What an environment says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Its name; scenarios are `name:scenario` on the wire.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What a model should know of it, when it says so.
    pub instructions: Option<String>,
    /// Tools, hidden ones (leading `_`) included.
    pub tools: Vec<Tool>,
    /// Scenarios.
    pub scenarios: Vec<ScenarioInfo>,
    /// Task rows that a Python file holds, as JSON objects in the form of task files.
    pub task_rows: Vec<Map<String, Value>>,
    /// How copies are isolated, in words.
    pub isolation: String,
    /// Why that is not the default, when it is not.
    pub isolation_reason: Option<String>,
}

/// A task as the scenario posed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// The conversation to start from: at least one message.
    pub messages: Vec<Message>,
    /// JSON Schema of the answer, when the scenario wants one.
    pub returns_schema: Option<Value>,
    /// Whether the answer should cite.
    pub enable_citations: bool,
}

impl Prompt {
    /// Whether there is nothing in it that a model could answer: no message, or only white space.
    pub fn is_empty(&self) -> bool {
        let blank = |content: &[Content]| {
            content
                .iter()
                .all(|block| block.as_text().is_some_and(|text| text.trim().is_empty()))
        };
        self.messages.iter().all(|message| match message {
            Message::User { content } | Message::System { content } => blank(content),
            Message::Assistant { turn } => turn.text().trim().is_empty(),
            Message::Tools { results } => results.is_empty(),
        })
    }

    /// The text of all messages, joined by newlines.
    pub fn text(&self) -> String {
        self.messages
            .iter()
            .filter_map(|message| match message {
                Message::User { content } | Message::System { content } => {
                    Some(Content::join_text(content))
                }
                Message::Assistant { turn } => Some(turn.text()),
                Message::Tools { .. } => None,
            })
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// The environment failed. Text: what, where and what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct EnvironmentError {
    /// In which phase.
    pub phase: Phase,
    /// In words, as a lowercase fragment; may go on for several lines (the end of a log, the user's own frames).
    pub message: String,
    /// Whether it was time that ran out.
    pub timed_out: bool,
}

/// A model call that an environment asks for (MCP sampling).
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingRequest {
    /// The system prompt.
    pub system: Option<String>,
    /// The conversation.
    pub messages: Vec<Message>,
    /// Output tokens.
    pub max_tokens: u32,
    /// Temperature.
    pub temperature: Option<f64>,
    /// The model that the environment would like.
    pub model_hint: Option<String>,
}

/// The answer to a [`SamplingRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingAnswer {
    /// The model that answered.
    pub model: String,
    /// Its text.
    pub text: String,
    /// Its tokens.
    pub usage: Usage,
}

/// Makes model calls on an environment's behalf; `eval` joins it to a model.
#[async_trait]
pub trait Sampler: Send + Sync {
    /// Answers, or says in words why not.
    async fn sample(&self, request: SamplingRequest) -> Result<SamplingAnswer, String>;
}
