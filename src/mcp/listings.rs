//! Everything that a server lists, as it put it on the wire.

use rmcp::service::ServiceError;
use serde::Serialize;
use serde_json::Value;

use super::{Client, McpError};

/// A server's lists, all pages of each, as JSON arrays in MCP's form. What it does not offer is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Listings {
    /// `tools/list`.
    pub tools: Value,
    /// `prompts/list`.
    pub prompts: Value,
    /// `resources/list`.
    pub resources: Value,
    /// `resources/templates/list`.
    pub templates: Value,
}

impl Client {
    /// Asks for every list.
    pub async fn listings(&self) -> Result<Listings, McpError> {
        let peer = self.peer();
        Ok(Listings {
            tools: array(peer.list_all_tools().await)?,
            prompts: array(peer.list_all_prompts().await)?,
            resources: array(peer.list_all_resources().await)?,
            templates: array(peer.list_all_resource_templates().await)?,
        })
    }
}

fn array<T: Serialize>(listed: Result<Vec<T>, ServiceError>) -> Result<Value, McpError> {
    match listed.map_err(McpError::from) {
        Ok(items) => serde_json::to_value(items).map_err(|error| McpError::Protocol {
            detail: error.to_string(),
        }),
        Err(error) if error.is_method_not_found() => Ok(Value::Array(Vec::new())),
        Err(error) => Err(error),
    }
}
