//! What a request asks of a model beside the conversation, in words that all providers share.
//!
//! Each provider's format puts into its own fields what the API has one for. Which model takes which setting is not decided here: `agent::capability` refuses
//! before the first request what a model would refuse.

use serde_json::{Map, Value};

/// How hard a model should think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as can be.
    Minimal,
    /// A little.
    Low,
    /// The middle.
    Medium,
    /// Much.
    High,
    /// More.
    XHigh,
    /// As much as can be.
    Max,
}

impl Effort {
    /// Every level, lowest first.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::XHigh,
        Self::Max,
    ];

    /// The word in settings and in every API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The level of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(word))
    }
}

/// In which way a model thinks, where its API lets one choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// The model decides when and how much.
    Adaptive,
    /// With at most this many tokens.
    Budget(u32),
    /// Not before it answers; short remarks between tool calls stay thinking.
    BetweenTools,
    /// Not at all.
    Disabled,
}

/// Whether a model must, may or must not call tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// It may.
    Auto,
    /// It must call some tool.
    Required,
    /// It must not.
    None,
    /// It must call this one.
    Tool(String),
}

/// A tool that the provider itself runs (web search, code execution), in the provider's own JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct HostedTool {
    /// The provider's JSON of the tool.
    pub json: Value,
}

/// Settings of a request. `None` leaves the provider's default.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Output tokens.
    pub max_tokens: Option<u32>,
    /// Temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Sampling among the k most likely tokens.
    pub top_k: Option<u32>,
    /// How hard to think.
    pub effort: Option<Effort>,
    /// In which way to think.
    pub thinking: Option<Thinking>,
    /// Whether the model's thoughts (or a summary) come with the answer.
    pub show_thoughts: Option<bool>,
    /// Whether it must call tools.
    pub tool_choice: Option<ToolChoice>,
    /// Whether one turn may call several tools.
    pub parallel_tool_calls: Option<bool>,
    /// How much to say: `low`, `medium`, `high`.
    pub verbosity: Option<String>,
    /// `auto` lets the provider drop the beginning of a conversation that is too long.
    pub truncation: Option<String>,
    /// Which class of service serves the request.
    pub service_tier: Option<String>,
    /// Whether the provider keeps the answer for later reference.
    pub store: Option<bool>,
    /// Whether schemas of tools are made strict where that is possible.
    pub strict_tools: bool,
    /// Whether prompt caching is asked for, where it must be asked for.
    pub cache: bool,
    /// How long a cache entry lives, in the provider's words (`1h`).
    pub cache_ttl: Option<String>,
    /// Requests with one key share a cache, where the provider routes by it.
    pub cache_key: Option<String>,
    /// Whether the model should say what its text rests on.
    pub citations: bool,
    /// Tools that the provider runs.
    pub hosted_tools: Vec<HostedTool>,
    /// Whether the environment's counterparts of the provider's own tools (shell, editor, computer) are offered as those.
    pub native_tools: bool,
    /// Fields that are added to the request as they are.
    pub extra_body: Map<String, Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_tokens: None,
            temperature: None,
            top_p: None,
            top_k: None,
            effort: None,
            thinking: None,
            show_thoughts: None,
            tool_choice: None,
            parallel_tool_calls: None,
            verbosity: None,
            truncation: None,
            service_tier: None,
            store: None,
            strict_tools: true,
            cache: true,
            cache_ttl: None,
            cache_key: None,
            citations: false,
            hosted_tools: Vec::new(),
            native_tools: true,
            extra_body: Map::new(),
        }
    }
}

impl Settings {
    /// Adds `extra_body` to a request's body, last: what the user writes outright wins.
    pub fn add_extra(&self, body: &mut Value) {
        if let Value::Object(body) = body {
            for (key, value) in &self.extra_body {
                body.insert(key.clone(), value.clone());
            }
        }
    }
}
