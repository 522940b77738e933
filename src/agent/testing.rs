//! Fakes for this module's tests: a model that plays replies, tools that do what their name says.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{CallContext, Delta, Model, ModelError, ModelErrorKind, Request, Tools};
use crate::message::{
    Arguments, Block, Content, Message, Settings, StopReason, Tool, ToolCall, ToolResult, Turn,
    Usage,
};
use crate::task::{AgentConfig, EnvironmentSpec, Location, Task};

pub(super) fn tool(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        description: String::new(),
        input_schema: json!({"type": "object"}),
        output_schema: None,
        source: None,
        meta: Map::new(),
    }
}

pub(super) fn call(id: &str, name: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: Arguments::Object { value: Map::new() },
        opaque: None,
    }
}

pub(super) fn turn(blocks: Vec<Block>, stop: StopReason) -> Turn {
    Turn {
        model: "fake-1".to_owned(),
        blocks,
        stop,
        usage: Usage {
            input_tokens: 10,
            output_tokens: 5,
            ..Usage::default()
        },
        stop_detail: None,
        response_id: None,
    }
}

pub(super) fn text_turn(text: &str) -> Turn {
    let text = text.to_owned();
    turn(vec![Block::text(text)], StopReason::Done)
}

pub(super) fn call_turn(calls: &[ToolCall]) -> Turn {
    let blocks = calls.iter().cloned().map(Block::ToolCall).collect();
    turn(blocks, StopReason::ToolCalls)
}

pub(super) fn error(kind: ModelErrorKind, message: &str) -> ModelError {
    ModelError {
        kind,
        message: message.to_owned(),
        retry_after: None,
    }
}

pub(super) fn request() -> Request {
    Request {
        system: None,
        messages: vec![Message::user("go")],
        tools: Vec::new(),
        settings: Settings::default(),
        trace_id: None,
    }
}

pub(super) fn task(slug: &str) -> Task {
    Task {
        slug: slug.to_owned(),
        slug_given: true,
        env: EnvironmentSpec::Hub {
            name: "e".to_owned(),
            include: None,
            exclude: Vec::new(),
        },
        scenario: None,
        args: Map::new(),
        prompt: None,
        setup: Vec::new(),
        evaluate: Vec::new(),
        agent: AgentConfig::default(),
        solution: None,
        metadata: Map::new(),
        columns: Map::new(),
        runtime_config: None,
        arg_locations: std::collections::BTreeMap::new(),
        location: Location {
            file: "tasks.yaml".into(),
            line: 1,
            column: 1,
        },
    }
}

/// What a [`FakeModel`] does when called.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Turn(Turn),
    Error(ModelError),
    After(Duration, Turn),
    Never,
}

/// Plays its replies, one a call, and keeps the requests. Out of replies, it fails the test.
pub(super) struct FakeModel {
    replies: Mutex<VecDeque<Reply>>,
    pub(super) requests: Mutex<Vec<Request>>,
}

impl FakeModel {
    pub(super) fn new(replies: Vec<Reply>) -> Self {
        Self {
            replies: Mutex::new(replies.into()),
            requests: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn turns(turns: Vec<Turn>) -> Self {
        Self::new(turns.into_iter().map(Reply::Turn).collect())
    }
}

#[async_trait]
impl Model for FakeModel {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn respond(
        &self,
        request: &Request,
        on_delta: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Turn, ModelError> {
        self.requests.lock().unwrap().push(request.clone());
        let reply = self.replies.lock().unwrap().pop_front();
        match reply.expect("the model was called more often than the test has replies") {
            Reply::Turn(turn) => {
                on_delta(Delta::Text(turn.text()));
                Ok(turn)
            }
            Reply::Error(error) => Err(error),
            Reply::After(delay, turn) => {
                tokio::time::sleep(delay).await;
                Ok(turn)
            }
            Reply::Never => std::future::pending().await,
        }
    }
}

/// Tools by name: `ok` answers, `fail` answers with an error, `hang` stops when told to, `deaf` never does, `slow` takes ten seconds, `gone` is
/// the end of the environment. Every call that ran is kept.
#[derive(Default)]
pub(super) struct FakeTools {
    pub(super) ran: Mutex<Vec<String>>,
}

pub(super) const FAKE_TOOLS: [&str; 6] = ["ok", "fail", "hang", "deaf", "slow", "gone"];

#[async_trait]
impl Tools for FakeTools {
    async fn list(&self) -> anyhow::Result<Vec<Tool>> {
        Ok(FAKE_TOOLS.map(tool).to_vec())
    }

    async fn call(&self, call: &ToolCall, context: &CallContext) -> anyhow::Result<ToolResult> {
        self.ran.lock().unwrap().push(call.name.clone());
        let answer = |text: &str| ToolResult {
            // Not the call's: the loop must not rely on the environment for the pairing.
            call_id: "?".to_owned(),
            name: "?".to_owned(),
            content: vec![Content::text(text)],
            structured: None::<Value>,
            is_error: false,
        };
        match call.name.as_str() {
            "fail" => Ok(ToolResult::error(call, "it failed")),
            "hang" => {
                context.cancel.cancelled().await;
                Ok(answer("stopped"))
            }
            "deaf" => std::future::pending().await,
            "slow" => {
                tokio::time::sleep(Duration::from_secs(10)).await;
                Ok(answer("done slowly"))
            }
            "gone" => anyhow::bail!("the worker exited with signal 9"),
            _ => Ok(answer("fine")),
        }
    }
}
