//! What a server may ask of us.

use std::sync::Arc;

use async_trait::async_trait;
use rmcp::ErrorData;
use rmcp::handler::client::ClientHandler;
use rmcp::model::{ClientCapabilities, ClientConfig, CustomRequest, CustomResult, Implementation};
use rmcp::service::{NotificationContext, RequestContext, RoleClient};
use serde_json::{Map, Value};

/// Answers a server's requests. Every method has a refusing default: a foreign server gets nothing unasked.
#[async_trait]
pub trait ClientEvents: Send + Sync + 'static {
    /// Our worker's `hud/callTool`: the environment's own code calls a tool of the whole environment. Answers an MCP tool result.
    async fn call_tool(
        &self,
        name: String,
        arguments: Map<String, Value>,
    ) -> Result<Value, String> {
        let _ = arguments;
        Err(format!("this connection may not call the tool `{name}`"))
    }

    /// Our worker's `hud/listTools`. Answers `{"tools": […]}`.
    async fn list_tools(&self) -> Result<Value, String> {
        Err("this connection may not list tools".to_owned())
    }

    /// MCP `sampling/createMessage`, parameters and result in MCP's JSON.
    async fn sample(&self, parameters: Value) -> Result<Value, String> {
        let _ = parameters;
        Err("model calls on the environment's behalf are not granted to this connection".to_owned())
    }

    /// Whether `sampling` is announced at all.
    fn offers_sampling(&self) -> bool {
        false
    }

    /// MCP logging: a level and a text.
    fn log(&self, level: &str, text: &str) {
        let _ = (level, text);
    }
}

/// Joins [`ClientEvents`] to rmcp.
pub(super) struct Handler(pub(super) Arc<dyn ClientEvents>);

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handler")
    }
}

fn refused(message: String) -> ErrorData {
    ErrorData::internal_error(message, None)
}

#[expect(
    deprecated,
    reason = "sampling and logging are deprecated since MCP 2026-07-28, and our own worker and older servers use them"
)]
impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let capabilities = if self.0.offers_sampling() {
            ClientCapabilities::builder().enable_sampling().build()
        } else {
            ClientCapabilities::default()
        };
        ClientConfig::new(
            capabilities,
            Implementation::new("hud", env!("CARGO_PKG_VERSION")),
        )
    }

    async fn create_message(
        &self,
        params: rmcp::model::CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<rmcp::model::CreateMessageResult, ErrorData> {
        let parameters =
            serde_json::to_value(params).map_err(|error| refused(error.to_string()))?;
        let answer = self.0.sample(parameters).await.map_err(refused)?;
        serde_json::from_value(answer).map_err(|error| refused(error.to_string()))
    }

    async fn on_logging_message(
        &self,
        params: rmcp::model::LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        let level = serde_json::to_value(params.level)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default();
        let text = match params.data {
            Value::String(text) => text,
            other => other.to_string(),
        };
        self.0.log(&level, &text);
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleClient>,
    ) -> Result<CustomResult, ErrorData> {
        let params = request.params.unwrap_or(Value::Null);
        let answer = match request.method.as_str() {
            "hud/callTool" => {
                let name = params["name"].as_str().unwrap_or_default().to_owned();
                let arguments = params["arguments"].as_object().cloned().unwrap_or_default();
                self.0.call_tool(name, arguments).await
            }
            "hud/listTools" => self.0.list_tools().await,
            method => {
                return Err(ErrorData::new(
                    rmcp::model::ErrorCode::METHOD_NOT_FOUND,
                    format!("unknown method `{method}`"),
                    None,
                ));
            }
        };
        answer.map(CustomResult::new).map_err(refused)
    }
}
