//! The server side: every client of ours gets a copy of an environment, and what it says is passed on to that copy.
//!
//! Both eras of MCP are served on one endpoint. Up to 2025-11-25 a session is the transport's: one [`Relay`] each, with one copy.
//! Since 2026-07-28 MCP is stateless: `prompts/get` opens a copy and names it in the result's `_meta["hud/session"]`; requests that carry that
//! name act on it, others on the server's shared copy. Results then carry `resultType`, which a copy (initialised the old way) does not send and
//! rmcp takes away again for clients of the older era.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ErrorData, GetPromptRequestParams, GetPromptResponse,
    Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams,
    ReadResourceResponse, ResultType, ServerCapabilities, ServerConfig,
};
use rmcp::service::{Peer, RequestContext, RoleClient, RoleServer, ServiceError};
use serde_json::Value;
use tokio::sync::{OnceCell, mpsc};

use super::{CopySource, Limits, RelayedCopy};
use crate::mcp::ClientEvents;

/// The key of `_meta` that names a session of the stateless era.
pub const SESSION_META: &str = "hud/session";

struct Named {
    copy: Arc<dyn RelayedCopy>,
    used: Instant,
}

/// A client that is asked for nothing yet.
struct Refusing;

impl ClientEvents for Refusing {}

/// What all relays of a server share.
pub struct RelayServer {
    source: Arc<dyn CopySource>,
    limits: Limits,
    named: Mutex<HashMap<String, Named>>,
    shared: OnceCell<Arc<dyn RelayedCopy>>,
    ended: mpsc::UnboundedSender<Arc<dyn RelayedCopy>>,
}

/// Closes copies whose client has left; runs until [`RelayServer::close`].
pub struct Janitor(mpsc::UnboundedReceiver<Arc<dyn RelayedCopy>>);

impl RelayServer {
    /// A server without copies, and the janitor that must run beside it.
    pub fn new(source: Arc<dyn CopySource>, limits: Limits) -> (Arc<Self>, Janitor) {
        let (ended, receiver) = mpsc::unbounded_channel();
        let server = Self {
            source,
            limits,
            named: Mutex::default(),
            shared: OnceCell::new(),
            ended,
        };
        (Arc::new(server), Janitor(receiver))
    }

    /// The handler of one connection (or, in the stateless era, of one request).
    pub fn relay(self: &Arc<Self>) -> Relay {
        Relay {
            server: Arc::clone(self),
            own: OnceCell::new(),
        }
    }

    /// Closes every copy that is named or shared.
    pub async fn close(&self) {
        let mut copies: Vec<_> = match self.named.lock() {
            Ok(mut named) => named.drain().map(|(_, named)| named.copy).collect(),
            Err(_) => Vec::new(),
        };
        copies.extend(self.shared.get().cloned());
        futures::future::join_all(copies.iter().map(|copy| copy.close())).await;
    }

    fn find(&self, id: &str) -> Result<Arc<dyn RelayedCopy>, ErrorData> {
        let mut named = self.named.lock().map_err(|_| internal("poisoned"))?;
        let entry = named.get_mut(id).ok_or_else(|| {
            ErrorData::invalid_params(
                format!("there is no session `{id}`; it may have ended or expired"),
                None,
            )
        })?;
        entry.used = Instant::now();
        Ok(Arc::clone(&entry.copy))
    }

    /// Opens a copy and names it with 128 random bits.
    async fn open_named(&self) -> Result<(String, Arc<dyn RelayedCopy>), ErrorData> {
        self.expire();
        let full = self
            .named
            .lock()
            .is_ok_and(|named| named.len() >= self.limits.sessions);
        if full {
            return Err(internal(&format!(
                "there are {} open sessions already; finish one or wait",
                self.limits.sessions
            )));
        }
        let copy = self.open().await?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        if let Ok(mut named) = self.named.lock() {
            let entry = Named {
                copy: Arc::clone(&copy),
                used: Instant::now(),
            };
            named.insert(id.clone(), entry);
        }
        Ok((id, copy))
    }

    fn expire(&self) {
        let Ok(mut named) = self.named.lock() else {
            return;
        };
        let idle = self.limits.idle;
        let expired: Vec<String> = named
            .iter()
            .filter(|(_, entry)| entry.used.elapsed() > idle)
            .map(|(id, _)| id.clone())
            .collect();
        for id in expired {
            if let Some(entry) = named.remove(&id) {
                let _ = self.ended.send(entry.copy);
            }
        }
    }

    /// A graded session is over; its copy is closed when the answer is on its way.
    fn finish(&self, id: &str) {
        if let Ok(mut named) = self.named.lock()
            && let Some(entry) = named.remove(id)
        {
            let _ = self.ended.send(entry.copy);
        }
    }

    async fn open(&self) -> Result<Arc<dyn RelayedCopy>, ErrorData> {
        let events = Arc::new(Refusing);
        self.source
            .open(events)
            .await
            .map_err(|words| internal(&words))
    }

    /// The copy (of the current version) that requests without a session act on.
    ///
    /// # Errors
    /// In words, when it does not start.
    pub async fn shared(&self) -> Result<Arc<dyn RelayedCopy>, String> {
        let copy = self.shared.get_or_try_init(|| self.open()).await;
        copy.cloned().map_err(|error| error.message.into_owned())
    }

    /// How many sessions are open.
    pub fn sessions(&self) -> usize {
        self.named.lock().map_or(0, |named| named.len())
    }
}

impl Janitor {
    /// Closes what is handed over, until every relay and the server are gone.
    pub async fn run(mut self, server: Arc<RelayServer>) {
        let mut tick = tokio::time::interval(Duration::from_secs(30));
        loop {
            tokio::select! {
                copy = self.0.recv() => match copy {
                    Some(copy) => copy.close().await,
                    None => return,
                },
                _ = tick.tick() => server.expire(),
            }
        }
    }
}

/// One connection of a client.
pub struct Relay {
    server: Arc<RelayServer>,
    own: OnceCell<Arc<dyn RelayedCopy>>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(copy) = self.own.take() {
            let _ = self.server.ended.send(copy);
        }
    }
}

fn internal(words: &str) -> ErrorData {
    ErrorData::internal_error(words.to_owned(), None)
}

fn passed_on(error: ServiceError) -> ErrorData {
    match error {
        ServiceError::McpError(error) => error,
        other => internal(&format!("the environment's copy failed: {other}")),
    }
}

fn session_of(context: &RequestContext<RoleServer>) -> Option<String> {
    context
        .meta
        .0
        .0
        .get(SESSION_META)
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::NO_INITIALIZE)
}

impl Relay {
    async fn copy(
        &self,
        context: &RequestContext<RoleServer>,
    ) -> Result<Arc<dyn RelayedCopy>, ErrorData> {
        if let Some(id) = session_of(context) {
            return self.server.find(&id);
        }
        let cell = if is_stateless(context) {
            &self.server.shared
        } else {
            &self.own
        };
        cell.get_or_try_init(|| self.server.open()).await.cloned()
    }

    async fn with<T, F>(
        &self,
        context: &RequestContext<RoleServer>,
        ask: impl FnOnce(Peer<RoleClient>) -> F,
    ) -> Result<T, ErrorData>
    where
        F: Future<Output = Result<T, ServiceError>>,
    {
        let copy = self.copy(context).await?;
        ask(copy.client().peer()).await.map_err(passed_on)
    }
}

impl ServerHandler for Relay {
    fn get_info(&self) -> ServerConfig {
        let identity = self.server.source.identity();
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .build();
        let config = ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(identity.name, identity.version));
        match identity.instructions {
            Some(instructions) => config.with_instructions(instructions),
            None => config,
        }
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let request = clean(request);
        let mut answer = self
            .with(
                &context,
                |peer| async move { peer.list_tools(request).await },
            )
            .await?;
        answer.result_type = Some(ResultType::COMPLETE);
        Ok(answer)
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let request = clean(request);
        let mut answer = self
            .with(
                &context,
                |peer| async move { peer.list_prompts(request).await },
            )
            .await?;
        answer.result_type = Some(ResultType::COMPLETE);
        Ok(answer)
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let request = clean(request);
        let mut answer = self
            .with(&context, |peer| async move {
                peer.list_resources(request).await
            })
            .await?;
        answer.result_type = Some(ResultType::COMPLETE);
        Ok(answer)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let request = clean(request);
        let mut answer = self
            .with(&context, |peer| async move {
                peer.list_resource_templates(request).await
            })
            .await?;
        answer.result_type = Some(ResultType::COMPLETE);
        Ok(answer)
    }

    async fn call_tool(
        &self,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        request.meta = None;
        let mut answer = self
            .with(&context, |peer| async move {
                peer.call_tool_once(request).await
            })
            .await?;
        if let CallToolResponse::Complete(result) = &mut answer {
            result.result_type = Some(ResultType::COMPLETE);
        }
        Ok(answer)
    }

    async fn get_prompt(
        &self,
        mut request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        request.meta = None;
        if session_of(&context).is_some() || !is_stateless(&context) {
            let mut answer = self
                .with(&context, |peer| async move {
                    peer.get_prompt_once(request).await
                })
                .await?;
            if let GetPromptResponse::Complete(result) = &mut answer {
                result.result_type = Some(ResultType::COMPLETE);
            }
            return Ok(answer);
        }
        let (id, copy) = self.server.open_named().await?;
        let answer = copy.client().peer().get_prompt_once(request).await;
        match answer {
            Ok(GetPromptResponse::Complete(mut result)) => {
                let mut meta = result.meta.take().unwrap_or_default();
                meta.0.insert(SESSION_META.to_owned(), Value::String(id));
                result.meta = Some(meta);
                result.result_type = Some(ResultType::COMPLETE);
                Ok(GetPromptResponse::Complete(result))
            }
            Ok(other) => Ok(other),
            Err(error) => {
                self.server.finish(&id);
                Err(passed_on(error))
            }
        }
    }

    async fn read_resource(
        &self,
        mut request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        request.meta = None;
        let graded = request.uri.contains(':') && !request.uri.contains("://");
        let mut answer = self
            .with(&context, |peer| async move {
                peer.read_resource_once(request).await
            })
            .await;
        if let Ok(ReadResourceResponse::Complete(result)) = &mut answer {
            result.result_type = Some(ResultType::COMPLETE);
        }
        if graded && let Some(id) = session_of(&context) {
            self.server.finish(&id);
        }
        answer
    }
}

/// A page's cursor goes on; what else the client said in `_meta` is between it and us.
fn clean(request: Option<PaginatedRequestParams>) -> Option<PaginatedRequestParams> {
    request.map(|mut request| {
        request.meta = None;
        request
    })
}
