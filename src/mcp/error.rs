//! What can go wrong between us and an MCP server.

use std::error::Error;
use std::io;
use std::time::Duration;

use rmcp::model::ErrorData;
use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::DynamicTransportError;
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, HttpStatusError, InsufficientScopeError, StreamableHttpError,
};
use serde_json::Value;

/// A request to an MCP server failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum McpError {
    /// The connection is gone: the process died, the server closed it, the network failed.
    #[error("the connection was closed{}", .detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default())]
    Closed {
        /// What the transport said, when it said anything.
        detail: Option<String>,
    },
    /// No answer in time.
    #[error("no answer within {}", crate::util::time::human(*.after))]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// The server answered with a JSON-RPC error.
    #[error("{message}")]
    Rpc {
        /// The JSON-RPC code.
        code: i32,
        /// The server's words.
        message: String,
        /// The server's data.
        data: Option<Value>,
    },
    /// The server broke the protocol.
    #[error("the server broke the protocol: {detail}")]
    Protocol {
        /// How.
        detail: String,
    },
}

impl McpError {
    /// What happened, for a sentence that already says that a connection failed.
    pub fn cause(&self) -> String {
        match self {
            Self::Closed {
                detail: Some(detail),
            } => detail.clone(),
            other => other.to_string(),
        }
    }

    /// Whether the server does not know the method (it then offers none of that kind).
    pub fn is_method_not_found(&self) -> bool {
        matches!(self, Self::Rpc { code: -32601, .. })
    }
}

impl From<ServiceError> for McpError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::McpError(error) => rpc(error),
            ServiceError::TransportClosed => Self::Closed { detail: None },
            ServiceError::TransportSend(error) => transport(&error),
            ServiceError::Timeout { timeout } => Self::Timeout { after: timeout },
            other => Self::Protocol {
                detail: other.to_string(),
            },
        }
    }
}

impl From<ClientInitializeError> for McpError {
    fn from(error: ClientInitializeError) -> Self {
        match error {
            ClientInitializeError::JsonRpcError(error) => rpc(error),
            ClientInitializeError::ConnectionClosed(detail) => Self::Closed {
                detail: Some(detail),
            },
            ClientInitializeError::TransportError { error, .. } => transport(&error),
            // What the older handshake says is about a server that did answer.
            ClientInitializeError::LegacyFallbackFailed { fallback, .. } => Self::from(*fallback),
            other => Self::Protocol {
                detail: other.to_string(),
            },
        }
    }
}

fn rpc(error: ErrorData) -> McpError {
    McpError::Rpc {
        code: error.code.0,
        message: error.message.into_owned(),
        data: error.data,
    }
}

/// What the network or the server said, without the names of rmcp's types around it.
fn transport(error: &DynamicTransportError) -> McpError {
    let mut causes = Vec::new();
    let mut source: Option<&(dyn Error + 'static)> = Some(error.error.as_ref());
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::ConnectionRefused
        {
            return McpError::Closed {
                detail: Some("connection refused\nhint: is the server running?".to_owned()),
            };
        }
        if let Some(status) = cause.downcast_ref::<HttpStatusError>() {
            return McpError::Closed {
                detail: Some(format!("the server answered HTTP {}", status.status)),
            };
        }
        if cause.is::<AuthRequiredError>() || cause.is::<InsufficientScopeError>() {
            return McpError::Closed {
                detail: Some(
                    "the server wants authorization\nhint: give it in `headers`, such as {Authorization: Bearer ${TOKEN}}"
                        .to_owned(),
                ),
            };
        }
        causes.push(cause.to_string());
        // rmcp does not call the client's error a source.
        source = match cause.downcast_ref::<StreamableHttpError<crate::http::ClientError>>() {
            Some(StreamableHttpError::Client(client)) => Some(client),
            Some(_) | None => cause.source(),
        };
    }
    // Each text repeats those below it; the last one is the cause.
    McpError::Closed {
        detail: causes.pop(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: impl Error + Send + Sync + 'static, expected: &str) {
        let error = DynamicTransportError::from_parts(
            "rmcp::transport::Some<Type>",
            std::any::TypeId::of::<()>(),
            Box::new(error),
        );
        let error = ClientInitializeError::TransportError {
            error,
            context: "send discover request".into(),
        };
        assert_eq!(McpError::from(error).to_string(), expected);
    }

    #[tokio::test]
    async fn transport_errors_say_what_happened_and_no_type_names() {
        let url = "http://127.0.0.1:1/mcp";
        let refused = crate::http::client_for(url).get(url).send().await;
        check(
            StreamableHttpError::Client(refused.unwrap_err()),
            "the connection was closed: connection refused\nhint: is the server running?",
        );
        check(
            io::Error::other("the cable is cut"),
            "the connection was closed: the cable is cut",
        );
    }
}
