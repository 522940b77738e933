//! A session of the older era that outlives its connection: opened in one process, taken up again in another.
//!
//! Up to 2025-11-25 a session is what a server gives an id at `initialize`. Leaving means not to delete it; taking it up again means to send that id
//! without initialising anew. The transport cannot do either, so this stands between it and HTTP: it remembers what `initialize` answered,
//! answers `initialize` itself when a session is taken up, and holds deletions back. Since 2026-07-28 sessions have names in `_meta`, and nothing of
//! this is needed.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, JsonRpcMessage, ProtocolVersion,
    ServerJsonRpcMessage,
};
use rmcp::service::ClientLifecycleMode;
use rmcp::transport::common::client_side_sse::BoxedSseResponse;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpClientTransport, StreamableHttpError,
    StreamableHttpPostResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Client, ClientEvents, HttpOptions, McpError};
use crate::http::{HeaderName, HeaderValue};

/// What it takes to take a session up again. `Debug` hides the id: who has it has the session.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptSession {
    id: String,
    /// The whole answer to `initialize`.
    initialized: Value,
}

impl fmt::Debug for KeptSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptSession([hidden])")
    }
}

/// The session of a connection, which can be left open.
pub struct SessionKeeper(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// The session that was taken up, or the one that was opened.
    session: Mutex<Option<KeptSession>>,
    is_resumed: bool,
    /// Set by the server's word that it knows no such session.
    is_gone: AtomicBool,
    is_left_open: AtomicBool,
}

impl SessionKeeper {
    /// The session, when the server made one that has an id.
    pub fn session(&self) -> Option<KeptSession> {
        self.0
            .session
            .lock()
            .ok()
            .and_then(|session| session.clone())
    }

    /// Whether the server has said that it does not know the session any more.
    pub fn is_gone(&self) -> bool {
        self.0.is_gone.load(Ordering::Acquire)
    }

    /// Closing the connection will not end the session.
    pub fn leave_open(&self) {
        self.0.is_left_open.store(true, Ordering::Release);
    }
}

impl Client {
    /// Connects over streamable HTTP so that the session can be left open, or takes one up that was.
    pub async fn over_kept_http(
        options: &HttpOptions,
        events: Arc<dyn ClientEvents>,
        resumed: Option<KeptSession>,
    ) -> Result<(Self, SessionKeeper), McpError> {
        let is_resumed = resumed.is_some();
        let shared = Arc::new(Shared {
            session: Mutex::new(resumed),
            is_resumed,
            ..Shared::default()
        });
        let http = KeepingHttp {
            inner: crate::http::client_for(&options.url),
            shared: Arc::clone(&shared),
        };
        let transport =
            StreamableHttpClientTransport::with_client(http, Self::http_config(options)?);
        let lifecycle = if is_resumed {
            ClientLifecycleMode::Initialize
        } else {
            ClientLifecycleMode::Auto {
                preferred_versions: vec![super::client::PREFERRED],
                legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
            }
        };
        let client =
            tokio::time::timeout(options.timeout, Self::start(transport, events, lifecycle))
                .await
                .unwrap_or(Err(McpError::Timeout {
                    after: options.timeout,
                }))?;
        Ok((client, SessionKeeper(shared)))
    }
}

/// HTTP that remembers a session.
#[derive(Clone)]
struct KeepingHttp<C> {
    inner: C,
    shared: Arc<Shared>,
}

type Headers = HashMap<HeaderName, HeaderValue>;

impl<C: StreamableHttpClient + Sync> KeepingHttp<C> {
    /// What a session that is taken up answers without asking the server.
    fn own_answer(&self, message: &ClientJsonRpcMessage) -> Option<StreamableHttpPostResponse> {
        if !self.shared.is_resumed {
            return None;
        }
        match message {
            JsonRpcMessage::Request(request)
                if matches!(request.request, ClientRequest::InitializeRequest(_)) =>
            {
                let session = self.shared.session.lock().ok()?.clone()?;
                let mut answer = session.initialized;
                answer["id"] = serde_json::to_value(&request.id).ok()?;
                let answer = serde_json::from_value(answer).ok()?;
                Some(StreamableHttpPostResponse::Json(answer, Some(session.id)))
            }
            JsonRpcMessage::Notification(notification)
                if matches!(
                    notification.notification,
                    ClientNotification::InitializedNotification(_)
                ) =>
            {
                Some(StreamableHttpPostResponse::Accepted)
            }
            _ => None,
        }
    }

    fn remember(&self, answer: &ServerJsonRpcMessage, id: Option<&str>) {
        if let Some(id) = id
            && matches!(answer, JsonRpcMessage::Response(_))
            && let Ok(initialized) = serde_json::to_value(answer)
            && let Ok(mut session) = self.shared.session.lock()
        {
            *session = Some(KeptSession {
                id: id.to_owned(),
                initialized,
            });
        }
    }

    fn note<T>(
        &self,
        outcome: Result<T, StreamableHttpError<C::Error>>,
    ) -> Result<T, StreamableHttpError<C::Error>> {
        if matches!(outcome, Err(StreamableHttpError::SessionExpired)) {
            self.shared.is_gone.store(true, Ordering::Release);
        }
        outcome
    }
}

impl<C: StreamableHttpClient + Sync> StreamableHttpClient for KeepingHttp<C> {
    type Error = C::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<StreamableHttpPostResponse, StreamableHttpError<Self::Error>> {
        self.post_message_with_max_sse_event_size(
            uri,
            message,
            session_id,
            auth_header,
            custom_headers,
            usize::MAX,
        )
        .await
    }

    async fn post_message_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
        max_sse_event_size: usize,
    ) -> Result<StreamableHttpPostResponse, StreamableHttpError<Self::Error>> {
        if let Some(answer) = self.own_answer(&message) {
            return Ok(answer);
        }
        let is_initialize = matches!(
            &message,
            JsonRpcMessage::Request(request)
                if matches!(request.request, ClientRequest::InitializeRequest(_))
        );
        let outcome = self
            .inner
            .post_message_with_max_sse_event_size(
                uri,
                message,
                session_id,
                auth_header,
                custom_headers,
                max_sse_event_size,
            )
            .await;
        let response = self.note(outcome)?;
        if !is_initialize {
            return Ok(response);
        }
        let (answer, id) = response.expect_initialized().await?;
        self.remember(&answer, id.as_deref());
        Ok(StreamableHttpPostResponse::Json(answer, id))
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<(), StreamableHttpError<Self::Error>> {
        if self.shared.is_left_open.load(Ordering::Acquire) {
            return Ok(());
        }
        self.inner
            .delete_session(uri, session_id, auth_header, custom_headers)
            .await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<BoxedSseResponse, StreamableHttpError<Self::Error>> {
        self.inner
            .get_stream(uri, session_id, last_event_id, auth_header, custom_headers)
            .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
        max_sse_event_size: usize,
    ) -> Result<BoxedSseResponse, StreamableHttpError<Self::Error>> {
        self.inner
            .get_stream_with_max_sse_event_size(
                uri,
                session_id,
                last_event_id,
                auth_header,
                custom_headers,
                max_sse_event_size,
            )
            .await
    }
}
