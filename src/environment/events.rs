//! What an environment may ask of us while it runs: tools of the whole environment, and model calls.

use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::api::{Sampler, SamplingRequest};
use super::session::{Inner, LogSink};
use crate::mcp::{self, ClientEvents};
use crate::message::{Arguments, Block, Message, StopReason, ToolCall, Turn, Usage};

/// Answers what the environment asks for; joined to its session once that exists.
pub(super) struct Events {
    pub(super) sampler: Option<Arc<dyn Sampler>>,
    pub(super) on_log: Option<LogSink>,
    pub(super) client: Option<Arc<dyn ClientEvents>>,
    pub(super) session: OnceLock<Weak<Inner>>,
}

#[async_trait]
impl ClientEvents for Events {
    async fn call_tool(
        &self,
        name: String,
        arguments: Map<String, Value>,
    ) -> Result<Value, String> {
        let session = self.inner()?;
        let call = ToolCall {
            id: uuid::Uuid::new_v4().simple().to_string(),
            name,
            arguments: Arguments::Object { value: arguments },
            opaque: None,
        };
        let result = session
            .call(&call)
            .await
            .map_err(|error| error.to_string())?;
        Ok(mcp::tool_result_json(&result))
    }

    async fn list_tools(&self) -> Result<Value, String> {
        let session = self.inner()?;
        let tools = session
            .all_tools()
            .await
            .map_err(|error| error.to_string())?;
        Ok(json!({"tools": mcp::tools_json(&tools)}))
    }

    async fn sample(&self, parameters: Value) -> Result<Value, String> {
        let sampler = self.sampler.as_ref().ok_or(
            "model calls on the environment's behalf are not granted to this connection; a remote server needs `sampling: true` in the task's env",
        )?;
        let answer = sampler.sample(sampling_request(&parameters)).await?;
        Ok(json!({
            "role": "assistant",
            "content": {"type": "text", "text": answer.text},
            "model": answer.model,
            "stopReason": "endTurn",
        }))
    }

    fn offers_sampling(&self) -> bool {
        self.sampler.is_some()
    }

    fn capabilities(&self) -> Option<Value> {
        self.client.as_ref()?.capabilities()
    }

    fn client_info(&self) -> Option<Value> {
        self.client.as_ref()?.client_info()
    }

    fn log(&self, level: &str, text: &str) {
        if let Some(on_log) = &self.on_log {
            on_log(level, text);
        }
    }
}

impl Events {
    fn inner(&self) -> Result<Arc<Inner>, String> {
        self.session
            .get()
            .and_then(Weak::upgrade)
            .ok_or_else(|| "the session is not open".to_owned())
    }
}

fn sampling_request(parameters: &Value) -> SamplingRequest {
    let block_text = |content: &Value| match content {
        Value::Array(blocks) => blocks
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        other => other["text"].as_str().unwrap_or_default().to_owned(),
    };
    let messages = parameters["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|message| {
            let text = block_text(&message["content"]);
            if message["role"].as_str() == Some("assistant") {
                Message::Assistant {
                    turn: Turn {
                        model: String::new(),
                        blocks: vec![Block::text(text)],
                        stop: StopReason::Done,
                        stop_detail: None,
                        usage: Usage::default(),
                        response_id: None,
                    },
                }
            } else {
                Message::user(text)
            }
        })
        .collect();
    SamplingRequest {
        system: parameters["systemPrompt"].as_str().map(str::to_owned),
        messages,
        max_tokens: parameters["maxTokens"]
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(1024),
        temperature: parameters["temperature"].as_f64(),
        model_hint: parameters["modelPreferences"]["hints"][0]["name"]
            .as_str()
            .map(str::to_owned),
    }
}
