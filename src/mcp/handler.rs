//! What a server may ask of us.

use std::sync::Arc;

use async_trait::async_trait;
use rmcp::ErrorData;
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    CancelledNotificationParam, ClientCapabilities, ClientConfig, CustomNotification,
    CustomRequest, CustomResult, ElicitRequestParams, ElicitResult, ErrorCode, Implementation,
    ProgressNotificationParam, ResourceUpdatedNotificationParam,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::passage::PeerInbound;

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

    /// What is announced in `initialize`, as MCP's `ClientCapabilities`, for a client behind us; `None` announces what this object itself
    /// answers.
    fn capabilities(&self) -> Option<Value> {
        None
    }

    /// Who is announced in `initialize`, as MCP's `Implementation`, for a client behind us; `None` announces `hud`.
    fn client_info(&self) -> Option<Value> {
        None
    }

    /// MCP logging: a level and a text.
    fn log(&self, level: &str, text: &str) {
        let _ = (level, text);
    }
}

/// Joins [`ClientEvents`] to rmcp. What a front has attached itself for goes there instead; only connections whose messages rmcp reads
/// first, those over HTTP, come here with it.
pub(super) struct Handler {
    events: Arc<dyn ClientEvents>,
    inbound: Arc<PeerInbound>,
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handler")
    }
}

fn refused(message: String) -> ErrorData {
    ErrorData::internal_error(message, None)
}

fn method_not_found(method: &str) -> ErrorData {
    let message = format!("unknown method `{method}`");
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None)
}

impl Handler {
    pub(super) fn new(events: Arc<dyn ClientEvents>, inbound: Arc<PeerInbound>) -> Self {
        Self { events, inbound }
    }

    /// The attached front's answer to a request; `None` when there is no front.
    async fn asked<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Option<Result<T, ErrorData>> {
        let params = serde_json::to_value(params).unwrap_or_default();
        let answer = self.inbound.ask(method, &params).await?;
        Some(answer.and_then(|answer| {
            serde_json::from_value(answer).map_err(|error| refused(error.to_string()))
        }))
    }

    fn told(&self, method: &str, params: &impl Serialize) -> bool {
        let params = serde_json::to_value(params).unwrap_or_default();
        self.inbound.tell(method, params)
    }
}

#[expect(
    deprecated,
    reason = "sampling, roots and logging are deprecated since MCP 2026-07-28, and our own worker and older servers use them"
)]
impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let announced = self.events.capabilities().map(serde_json::from_value);
        let capabilities = match announced {
            Some(Ok(capabilities)) => capabilities,
            Some(Err(_)) | None if self.events.offers_sampling() => {
                ClientCapabilities::builder().enable_sampling().build()
            }
            Some(Err(_)) | None => ClientCapabilities::default(),
        };
        let ours = || Implementation::new("hud", env!("CARGO_PKG_VERSION"));
        let client = self.events.client_info().map(serde_json::from_value);
        ClientConfig::new(
            capabilities,
            client.and_then(Result::ok).unwrap_or_else(ours),
        )
    }

    async fn create_message(
        &self,
        params: rmcp::model::CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<rmcp::model::CreateMessageResult, ErrorData> {
        if let Some(answer) = self.asked("sampling/createMessage", &params).await {
            return answer;
        }
        let parameters =
            serde_json::to_value(params).map_err(|error| refused(error.to_string()))?;
        let answer = self.events.sample(parameters).await.map_err(refused)?;
        serde_json::from_value(answer).map_err(|error| refused(error.to_string()))
    }

    async fn create_elicitation(
        &self,
        params: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let answer = self.asked("elicitation/create", &params).await;
        answer.unwrap_or_else(|| Err(method_not_found("elicitation/create")))
    }

    async fn list_roots(
        &self,
        _context: RequestContext<RoleClient>,
    ) -> Result<rmcp::model::ListRootsResult, ErrorData> {
        let answer = self.asked("roots/list", &json!({})).await;
        answer.unwrap_or_else(|| Err(method_not_found("roots/list")))
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.told("notifications/progress", &params);
    }

    async fn on_cancelled(
        &self,
        params: CancelledNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.told("notifications/cancelled", &params);
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.told("notifications/resources/updated", &params);
    }

    async fn on_resource_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.told("notifications/resources/list_changed", &json!({}));
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.told("notifications/tools/list_changed", &json!({}));
    }

    async fn on_prompt_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.told("notifications/prompts/list_changed", &json!({}));
    }

    async fn on_custom_notification(
        &self,
        notification: CustomNotification,
        _context: NotificationContext<RoleClient>,
    ) {
        self.told(&notification.method, &notification.params);
    }

    async fn on_logging_message(
        &self,
        params: rmcp::model::LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        if self.told("notifications/message", &params) {
            return;
        }
        let level = serde_json::to_value(params.level)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default();
        let text = match params.data {
            Value::String(text) => text,
            other => other.to_string(),
        };
        self.events.log(&level, &text);
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
                self.events.call_tool(name, arguments).await
            }
            "hud/listTools" => self.events.list_tools().await,
            method => return Err(method_not_found(method)),
        };
        answer.map(CustomResult::new).map_err(refused)
    }
}
