//! The settings of an agent that a task, a task file or a flag may set.

use serde_json::{Map, Value, json};

/// How many model calls a rollout may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    /// At most this many, at least 1.
    AtMost(u32),
    /// `-1` in files and flags.
    Unlimited,
}

/// Settings of an agent. `None` means "not set here": a lower layer decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentConfig {
    /// Model calls per rollout.
    pub max_steps: Option<Steps>,
    /// Put before the conversation.
    pub system_prompt: Option<String>,
    /// Patterns (`*`, `?`) of tools to show; `None` shows all.
    pub allowed_tools: Option<Vec<String>>,
    /// Patterns of tools to hide.
    pub disallowed_tools: Option<Vec<String>>,
    /// Whether the text that setup calls returned follows the prompt. Also spelled `append_setup_tool`.
    pub append_setup_output: Option<bool>,
    /// Whether a model decides if an agent that stopped calling tools should go on.
    pub auto_respond: Option<bool>,
    /// Wall time of the loop in seconds; the state is graded afterwards.
    pub timeout_seconds: Option<f64>,
    /// Wall time of one tool call in seconds.
    pub tool_timeout_seconds: Option<f64>,
    /// Wall time of one model call in seconds.
    pub model_timeout_seconds: Option<f64>,
    /// Output tokens of one model call.
    pub max_tokens: Option<u32>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
}

/// Every key that a file or `-c` may set, in the order in which help shows them.
pub const AGENT_CONFIG_KEYS: &[&str] = &[
    "max_steps",
    "system_prompt",
    "allowed_tools",
    "disallowed_tools",
    "append_setup_output",
    "append_setup_tool",
    "auto_respond",
    "timeout_seconds",
    "tool_timeout_seconds",
    "model_timeout_seconds",
    "max_tokens",
    "temperature",
    "top_p",
];

impl AgentConfig {
    /// The values of `self`, and those of `lower` where `self` sets none.
    #[must_use]
    pub fn or(self, lower: &Self) -> Self {
        Self {
            max_steps: self.max_steps.or(lower.max_steps),
            system_prompt: self.system_prompt.or_else(|| lower.system_prompt.clone()),
            allowed_tools: self.allowed_tools.or_else(|| lower.allowed_tools.clone()),
            disallowed_tools: self
                .disallowed_tools
                .or_else(|| lower.disallowed_tools.clone()),
            append_setup_output: self.append_setup_output.or(lower.append_setup_output),
            auto_respond: self.auto_respond.or(lower.auto_respond),
            timeout_seconds: self.timeout_seconds.or(lower.timeout_seconds),
            tool_timeout_seconds: self.tool_timeout_seconds.or(lower.tool_timeout_seconds),
            model_timeout_seconds: self.model_timeout_seconds.or(lower.model_timeout_seconds),
            max_tokens: self.max_tokens.or(lower.max_tokens),
            temperature: self.temperature.or(lower.temperature),
            top_p: self.top_p.or(lower.top_p),
        }
    }

    /// The settings that are set, under the names of task files.
    pub fn to_json(&self) -> Map<String, Value> {
        let steps = self.max_steps.map(|steps| match steps {
            Steps::AtMost(steps) => i64::from(steps),
            Steps::Unlimited => -1,
        });
        [
            ("max_steps", json!(steps)),
            ("system_prompt", json!(self.system_prompt)),
            ("allowed_tools", json!(self.allowed_tools)),
            ("disallowed_tools", json!(self.disallowed_tools)),
            ("append_setup_output", json!(self.append_setup_output)),
            ("auto_respond", json!(self.auto_respond)),
            ("timeout_seconds", json!(self.timeout_seconds)),
            ("tool_timeout_seconds", json!(self.tool_timeout_seconds)),
            ("model_timeout_seconds", json!(self.model_timeout_seconds)),
            ("max_tokens", json!(self.max_tokens)),
            ("temperature", json!(self.temperature)),
            ("top_p", json!(self.top_p)),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }
}
