//! A task, whatever file and generation it came from.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{AgentConfig, EnvironmentSpec, Location};

/// A tool call written in a task file: setup, evaluation or a solution's step.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The tool's name.
    pub name: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}

/// What a perfect agent would do; the `oracle` model plays it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Solution {
    /// Tool calls, in order.
    pub tool_calls: Vec<Invocation>,
    /// The final answer.
    pub answer: Option<String>,
}

/// One task.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Unique within a job, at most 100 characters; given, or derived from scenario and arguments.
    pub slug: String,
    /// Whether the file gave the slug (it is then part of the identity).
    pub slug_given: bool,
    /// The environment.
    pub env: EnvironmentSpec,
    /// The scenario that poses and grades the task: `name` or `environment:name`. `None` for the older form with a prompt.
    pub scenario: Option<String>,
    /// The scenario's arguments.
    pub args: Map<String, Value>,
    /// The prompt of the older form.
    pub prompt: Option<String>,
    /// Calls that prepare the state, made by the runtime before the loop.
    pub setup: Vec<Invocation>,
    /// Calls that grade the state of the older form; the reward is their mean.
    pub evaluate: Vec<Invocation>,
    /// The task's own agent settings; `system_prompt` of the task is folded in.
    pub agent: AgentConfig,
    /// For the `oracle` model.
    pub solution: Option<Solution>,
    /// Free data, kept in the run directory.
    pub metadata: Map<String, Value>,
    /// Facets to group results by.
    pub columns: Map<String, Value>,
    /// Generation 6's resources, kept as they are.
    pub runtime_config: Option<Value>,
    /// Where it was written.
    pub location: Location,
    /// Where each of `args` was written.
    pub arg_locations: BTreeMap<String, Location>,
}

impl Task {
    /// 16 hex digits over the task's content: scenario, args, prompt, setup and evaluate calls, agent settings, and the slug when
    /// given. Never connection settings, secrets or the row number, so that the same task is recognised in another run.
    pub fn identity(&self) -> String {
        super::identity::of(self)
    }

    /// The task for the run directory: everything but the solution (an agent may be able to read that folder) and what may be secret in the
    /// connection. Absent fields are left out.
    pub fn to_record(&self) -> Value {
        let calls = |calls: &[Invocation]| calls.iter().map(Invocation::to_json).collect();
        let mut record = Map::new();
        let mut put = |key: &str, value: Value| {
            if !is_nothing(&value) {
                record.insert(key.to_owned(), value);
            }
        };
        put("slug", json!(self.slug));
        put("identity", json!(self.identity()));
        put("scenario", json!(self.scenario));
        put("args", json!(self.args));
        put("prompt", json!(self.prompt));
        put("setup", calls(&self.setup));
        put("evaluate", calls(&self.evaluate));
        put("agent_config", Value::Object(self.agent.to_json()));
        put("metadata", json!(self.metadata));
        put("columns", json!(self.columns));
        put("runtime_config", json!(self.runtime_config));
        put("env", self.env.to_record());
        put("location", json!(self.location.to_string()));
        Value::Object(record)
    }
}

impl Invocation {
    /// `{"name": …, "arguments": {…}}`.
    pub fn to_json(&self) -> Value {
        json!({"name": self.name, "arguments": self.arguments})
    }
}

/// Null, and containers without content.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
