//! One connection to one MCP server.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequestParams, ClientNotification, CustomNotification, GetPromptRequestParams,
    JsonObject, MetaObject, ProtocolVersion, ReadResourceRequestParams, RequestMetaObject,
    ResourceContents,
};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt as _, Peer, RunningService};
use rmcp::transport::Transport;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};

use super::handler::{ClientEvents, Handler};
use super::line_transport::{LineDiagnostics, LineTransport};
use super::passage::{Passage, PeerInbound, PeerPassage};
use super::sse_transport::SseTransport;
use super::{McpError, convert};
use crate::message::{Arguments, Content, Role, Tool, ToolCall, ToolResult};

/// The newest protocol version that we ask for first.
pub(super) const PREFERRED: ProtocolVersion = ProtocolVersion::V_2026_07_28;

/// How a server behind a URL is reached.
#[derive(Clone)]
pub struct HttpOptions {
    /// Where.
    pub url: String,
    /// Extra headers; may hold secrets.
    pub headers: BTreeMap<String, String>,
    /// How long connecting may take, all attempts together.
    pub timeout: Duration,
}

/// Who a server says it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerIdentity {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The protocol version spoken.
    pub protocol: String,
    /// What a model should know of it.
    pub instructions: Option<String>,
}

/// A prompt that a server offers.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptInfo {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Name and whether it is required.
    pub arguments: Vec<(String, bool)>,
    /// `_meta`, as it came.
    pub meta: Map<String, Value>,
}

/// An answer to `prompts/get`.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptResult {
    /// Roles and blocks, in order.
    pub messages: Vec<(Role, Content)>,
    /// `_meta`, as it came.
    pub meta: Map<String, Value>,
}

/// A connection to an MCP server. Dropping it closes the connection; [`Client::close`] waits for that.
pub struct Client {
    peer: Peer<RoleClient>,
    passage: Arc<dyn Passage>,
    service: tokio::sync::Mutex<RunningService<RoleClient, Handler>>,
}

impl Client {
    /// Speaks over a byte stream, one message a line, and initialises the old way: our workers and stdio servers.
    pub async fn over_stream<R, W>(
        read: R,
        write: W,
        events: Arc<dyn ClientEvents>,
        diagnostics: LineDiagnostics,
    ) -> Result<Self, McpError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let transport = LineTransport::new(read, write, diagnostics);
        let passage = transport.passage();
        let mut client = Self::start(transport, events, ClientLifecycleMode::Initialize).await?;
        client.passage = passage;
        Ok(client)
    }

    /// Speaks over HTTP: the era the server speaks, streamable HTTP, or HTTP+SSE where it has only that.
    pub async fn over_http(
        options: &HttpOptions,
        events: Arc<dyn ClientEvents>,
    ) -> Result<Self, McpError> {
        let connect = async {
            match Self::over_streamable_http(options, Arc::clone(&events)).await {
                Ok(client) => Ok(client),
                Err(streamable) => {
                    // The specification's rule for old servers: when the POST is refused, a GET that answers with an event stream
                    // whose first event is `endpoint` is the transport of 2024-11-05.
                    match SseTransport::connect(&options.url, &options.headers).await {
                        Ok(transport) => {
                            Self::start(transport, events, ClientLifecycleMode::Initialize).await
                        }
                        Err(_) => Err(streamable),
                    }
                }
            }
        };
        tokio::time::timeout(options.timeout, connect)
            .await
            .unwrap_or(Err(McpError::Timeout {
                after: options.timeout,
            }))
    }

    /// How the transport is set up, whoever carries its requests.
    pub(super) fn http_config(
        options: &HttpOptions,
    ) -> Result<StreamableHttpClientTransportConfig, McpError> {
        let mut headers = HashMap::new();
        for (name, value) in &options.headers {
            let name = name.parse().map_err(|_| McpError::Protocol {
                detail: format!("`{name}` is not a valid header name"),
            })?;
            let value = value.parse().map_err(|_| McpError::Protocol {
                detail: format!(
                    "the value of header `{name}` has characters that HTTP does not allow"
                ),
            })?;
            headers.insert(name, value);
        }
        Ok(
            StreamableHttpClientTransportConfig::with_uri(options.url.clone())
                .custom_headers(headers)
                // Losing a session silently would lose the scenario's state; the rollout must fail instead.
                .reinit_on_expired_session(false),
        )
    }

    async fn over_streamable_http(
        options: &HttpOptions,
        events: Arc<dyn ClientEvents>,
    ) -> Result<Self, McpError> {
        let config = Self::http_config(options)?;
        let client = crate::http::client_for(&options.url);
        let transport = StreamableHttpClientTransport::with_client(client, config);
        let lifecycle = ClientLifecycleMode::Auto {
            preferred_versions: vec![PREFERRED],
            legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
        };
        Self::start(transport, events, lifecycle).await
    }

    pub(super) async fn start<T>(
        transport: T,
        events: Arc<dyn ClientEvents>,
        lifecycle: ClientLifecycleMode,
    ) -> Result<Self, McpError>
    where
        T: Transport<RoleClient> + 'static,
    {
        let inbound = Arc::new(PeerInbound::default());
        let service = Handler::new(events, Arc::clone(&inbound))
            .serve_with_lifecycle(transport, lifecycle)
            .await?;
        Ok(Self {
            peer: service.peer().clone(),
            passage: PeerPassage::new(service.peer().clone(), inbound),
            service: tokio::sync::Mutex::new(service),
        })
    }

    pub(super) fn peer(&self) -> Peer<RoleClient> {
        self.peer.clone()
    }

    /// Lets requests pass this connection unread.
    pub(super) fn passage(&self) -> Arc<dyn Passage> {
        Arc::clone(&self.passage)
    }

    /// Who the server says it is.
    pub fn identity(&self) -> ServerIdentity {
        let info = self.peer.peer_info();
        let implementation = info.as_ref().and_then(|info| info.server_info.as_ref());
        ServerIdentity {
            name: implementation.map_or_else(String::new, |i| i.name.clone()),
            version: implementation.map_or_else(String::new, |i| i.version.clone()),
            protocol: info.as_ref().map_or_else(String::new, |info| {
                info.protocol_version.as_str().to_owned()
            }),
            instructions: info.as_ref().and_then(|info| info.instructions.clone()),
        }
    }

    /// Every tool, all pages. A server without tools has none.
    pub async fn list_tools(
        &self,
        meta: Option<&Map<String, Value>>,
    ) -> Result<Vec<Tool>, McpError> {
        let mut tools = Vec::new();
        let mut cursor = None;
        loop {
            let mut params = rmcp::model::PaginatedRequestParams::default().with_cursor(cursor);
            params.meta = meta.map(request_meta);
            let page = match self
                .peer
                .list_tools(Some(params))
                .await
                .map_err(McpError::from)
            {
                Ok(page) => page,
                Err(error) if error.is_method_not_found() => return Ok(tools),
                Err(error) => return Err(error),
            };
            tools.extend(page.tools.into_iter().map(convert::tool));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(tools);
            }
        }
    }

    /// Every prompt, all pages. A server without prompts has none.
    pub async fn list_prompts(&self) -> Result<Vec<PromptInfo>, McpError> {
        let prompts = match self.peer.list_all_prompts().await.map_err(McpError::from) {
            Ok(prompts) => prompts,
            Err(error) if error.is_method_not_found() => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(prompts
            .into_iter()
            .map(|prompt| PromptInfo {
                name: prompt.name,
                description: prompt.description.unwrap_or_default(),
                arguments: prompt
                    .arguments
                    .unwrap_or_default()
                    .into_iter()
                    .map(|argument| (argument.name, argument.required.unwrap_or(false)))
                    .collect(),
                meta: prompt.meta.map(|meta| meta.0).unwrap_or_default(),
            })
            .collect())
    }

    /// Calls a tool. A tool that fails is `Ok` with `is_error`; `Err` is the connection or the protocol. Dropping the future tells the
    /// server to stop.
    pub async fn call_tool(
        &self,
        call: &ToolCall,
        meta: Option<&Map<String, Value>>,
    ) -> Result<ToolResult, McpError> {
        let arguments = match &call.arguments {
            Arguments::Object { value } => value.clone(),
            Arguments::Malformed { error, .. } => {
                return Ok(ToolResult::error(
                    call,
                    format!("malformed arguments: {error}"),
                ));
            }
        };
        let mut params = CallToolRequestParams::new(call.name.clone()).with_arguments(arguments);
        params.meta = meta.map(request_meta);
        let service = self.peer.call_tool_once(params);
        match service.await? {
            rmcp::model::CallToolResponse::Complete(result) => {
                Ok(convert::tool_result(call, result))
            }
            rmcp::model::CallToolResponse::InputRequired(_) => Ok(ToolResult::error(
                call,
                "the tool asks for input from a person; there is none in an evaluation",
            )),
            _ => Err(McpError::Protocol {
                detail: format!("an unexpected answer to tools/call of `{}`", call.name),
            }),
        }
    }

    /// Calls a tool; its answer as it came, in MCP's JSON, with annotations and whatever else our own vocabulary leaves out. A tool that asks for input
    /// from a person is an error.
    pub async fn call_tool_json(
        &self,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Result<Value, McpError> {
        let params = CallToolRequestParams::new(name.to_owned()).with_arguments(arguments);
        match self.peer.call_tool_once(params).await? {
            rmcp::model::CallToolResponse::Complete(result) => serde_json::to_value(result)
                .map_err(|error| McpError::Protocol {
                    detail: format!("the answer of `{name}` is no JSON: {error}"),
                }),
            _ => Err(McpError::Protocol {
                detail: format!("the tool `{name}` asks for input from a person"),
            }),
        }
    }

    /// `prompts/get`.
    pub async fn get_prompt(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        meta: Option<&Map<String, Value>>,
    ) -> Result<PromptResult, McpError> {
        let mut params = GetPromptRequestParams::new(name).with_arguments(arguments as JsonObject);
        params.meta = meta.map(request_meta);
        match self.peer.get_prompt_once(params).await? {
            rmcp::model::GetPromptResponse::Complete(result) => Ok(PromptResult {
                messages: result
                    .messages
                    .into_iter()
                    .map(|message| {
                        (
                            convert::role(&message.role),
                            convert::content(message.content),
                        )
                    })
                    .collect(),
                meta: result.meta.map(|meta| meta.0).unwrap_or_default(),
            }),
            _ => Err(McpError::Protocol {
                detail: format!(
                    "prompt `{name}` asks for input from a person; there is none in an evaluation"
                ),
            }),
        }
    }

    /// `resources/read`: the text of the first content block.
    pub async fn read_resource(
        &self,
        uri: &str,
        meta: Option<&Map<String, Value>>,
    ) -> Result<String, McpError> {
        let mut params = ReadResourceRequestParams::new(uri);
        params.meta = meta.map(request_meta);
        let rmcp::model::ReadResourceResponse::Complete(result) =
            self.peer.read_resource_once(params).await?
        else {
            return Err(McpError::Protocol {
                detail: format!(
                    "resource `{uri}` asks for input from a person; there is none in an evaluation"
                ),
            });
        };
        match result.contents.into_iter().next() {
            Some(ResourceContents::TextResourceContents { text, .. }) => Ok(text),
            Some(_) => Err(McpError::Protocol {
                detail: format!("resource `{uri}` is not text"),
            }),
            None => Err(McpError::Protocol {
                detail: format!("resource `{uri}` is empty"),
            }),
        }
    }

    /// Sends a notification of our own.
    pub async fn notify(&self, method: &str, params: Value) -> Result<(), McpError> {
        let notification = CustomNotification::new(method, Some(params));
        self.peer
            .send_notification(ClientNotification::CustomNotification(notification))
            .await?;
        Ok(())
    }

    /// Whether the connection is gone.
    pub fn is_closed(&self) -> bool {
        self.peer.is_transport_closed()
    }

    /// Closes the connection and waits until it is closed, at most `timeout`.
    pub async fn close(&self, timeout: Duration) {
        let mut service = self.service.lock().await;
        // The error cases are a panic in rmcp and the timeout; both leave a connection that the drop closes.
        let _ = service.close_with_timeout(timeout).await;
    }
}

fn request_meta(meta: &Map<String, Value>) -> RequestMetaObject {
    RequestMetaObject(MetaObject(meta.clone()))
}

/// A tool result in MCP's JSON, for `hud/callTool`.
pub fn tool_result_json(result: &ToolResult) -> Value {
    convert::tool_result_to_json(result)
}

/// Tools in MCP's JSON, for `hud/listTools`.
pub fn tools_json(tools: &[Tool]) -> Value {
    Value::Array(tools.iter().map(convert::tool_to_json).collect())
}

/// A tool from MCP's JSON, for the worker's description of itself.
pub fn tool_from_json(value: Value) -> Result<Tool, McpError> {
    serde_json::from_value::<rmcp::model::Tool>(value)
        .map(convert::tool)
        .map_err(|error| McpError::Protocol {
            detail: format!("a tool's description is not valid MCP: {error}"),
        })
}
