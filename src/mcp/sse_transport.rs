//! The HTTP+SSE transport of MCP 2024-11-05, which rmcp does not have and older servers still speak.
//!
//! One GET stays open as an event stream; its first event `endpoint` names where messages are posted; answers arrive on the stream.
//! Source: the MCP specification 2024-11-05, "Transports".

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;

use futures::{Stream, StreamExt as _};
use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use sse_stream::{Sse, SseByteStream};

use super::McpError;

type Events = Pin<Box<dyn Stream<Item = Result<Sse, sse_stream::Error>> + Send>>;

pub(super) struct SseTransport {
    events: Option<Events>,
    endpoint: String,
    headers: BTreeMap<String, String>,
}

impl SseTransport {
    /// Opens the stream and waits for the endpoint.
    pub(super) async fn connect(
        url: &str,
        headers: &BTreeMap<String, String>,
    ) -> Result<Self, McpError> {
        let closed = |detail: String| McpError::Closed {
            detail: Some(detail),
        };
        let mut request = crate::http::client_for(url)
            .get(url)
            .header("accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request
            .send()
            .await
            .and_then(|response| response.error_for_status())
            .map_err(|error| closed(error.to_string()))?;
        let is_stream = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("text/event-stream"));
        if !is_stream {
            return Err(McpError::Protocol {
                detail: "the server does not answer with an event stream".to_owned(),
            });
        }
        let base = response.url().clone();
        let mut events: Events = Box::pin(SseByteStream::new(response.bytes_stream()));
        while let Some(event) = events.next().await {
            let event = event.map_err(|error| closed(error.to_string()))?;
            if event.event.as_deref() == Some("endpoint") {
                let path = event.data.unwrap_or_default();
                let endpoint = base.join(path.trim()).map_err(|_| McpError::Protocol {
                    detail: format!("`{path}` is not a valid endpoint"),
                })?;
                // The endpoint comes from the server; another host must not receive our headers.
                if endpoint.origin() != base.origin() {
                    return Err(McpError::Protocol {
                        detail: format!("the endpoint `{endpoint}` is on another host"),
                    });
                }
                return Ok(Self {
                    events: Some(events),
                    endpoint: endpoint.into(),
                    headers: headers.clone(),
                });
            }
        }
        Err(closed(
            "the stream ended before it named an endpoint".to_owned(),
        ))
    }
}

impl Transport<RoleClient> for SseTransport {
    type Error = io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let mut request = crate::http::client_for(&self.endpoint)
            .post(&self.endpoint)
            .json(&item);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        async move {
            request
                .send()
                .await
                .and_then(|response| response.error_for_status())
                .map(|_| ())
                .map_err(io::Error::other)
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let events = self.events.as_mut()?;
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    tracing::debug!("the event stream broke: {error}");
                    return None;
                }
            };
            if event.event.as_deref().is_some_and(|kind| kind != "message") {
                continue;
            }
            let Some(data) = event.data else { continue };
            match serde_json::from_str(&data) {
                Ok(message) => return Some(message),
                Err(error) => tracing::debug!("an event that is not MCP: {error}"),
            }
        }
        None
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.events = None;
        Ok(())
    }
}
