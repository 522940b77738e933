//! What can go wrong between us and an MCP server.

use std::time::Duration;

use rmcp::service::{ClientInitializeError, ServiceError};
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
    /// Whether the server does not know the method (it then offers none of that kind).
    pub fn is_method_not_found(&self) -> bool {
        matches!(self, Self::Rpc { code: -32601, .. })
    }
}

impl From<ServiceError> for McpError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::McpError(error) => Self::Rpc {
                code: error.code.0,
                message: error.message.into_owned(),
                data: error.data,
            },
            ServiceError::TransportClosed => Self::Closed { detail: None },
            ServiceError::TransportSend(error) => Self::Closed {
                detail: Some(error.to_string()),
            },
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
            ClientInitializeError::JsonRpcError(error) => Self::Rpc {
                code: error.code.0,
                message: error.message.into_owned(),
                data: error.data,
            },
            ClientInitializeError::ConnectionClosed(detail) => Self::Closed {
                detail: Some(detail),
            },
            other => Self::Protocol {
                detail: error_chain(&other),
            },
        }
    }
}

/// An error and its causes on one line: rmcp hides the HTTP status two levels down.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
