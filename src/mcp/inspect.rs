//! What a server says of itself, whole and in MCP's own JSON: for those who look at a server instead of using it.

use rmcp::model::ResourceContents;
use serde::Serialize;
use serde_json::Value;

use super::{Client, McpError, PromptInfo};
use crate::message::Content;

/// What a server said when the connection was opened.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// Its name.
    pub name: String,
    /// A name for people, when it has one.
    pub title: Option<String>,
    /// Its version.
    pub version: String,
    /// The protocol version spoken.
    pub protocol: String,
    /// How to use it, in its own words.
    pub instructions: Option<String>,
    /// What it can do, as it said it.
    pub capabilities: Value,
}

/// Everything that a server lists, each item as MCP has it (`inputSchema`, `annotations`, `_meta` and all).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offer {
    /// Tools.
    pub tools: Vec<Value>,
    /// Prompts, those of scenarios included.
    pub prompts: Vec<Value>,
    /// Resources, those of scenarios included.
    pub resources: Vec<Value>,
    /// Templates of resources.
    pub templates: Vec<Value>,
}

impl Client {
    /// What the server said of itself when the connection was opened.
    pub fn about(&self) -> About {
        let identity = self.identity();
        let info = self.peer().peer_info();
        let info = info.as_deref();
        About {
            name: identity.name,
            title: info
                .and_then(|info| info.server_info.as_ref())
                .and_then(|server| server.title.clone()),
            version: identity.version,
            protocol: identity.protocol,
            instructions: info
                .and_then(|info| info.instructions.clone())
                .filter(|text| !text.trim().is_empty()),
            capabilities: info.map_or(Value::Null, |info| to_json(&info.capabilities)),
        }
    }

    /// Lists everything, all pages. A server that does not know a list has nothing of that kind.
    pub async fn offer(&self) -> Result<Offer, McpError> {
        let peer = self.peer();
        Ok(Offer {
            tools: or_none(peer.list_all_tools().await.map_err(McpError::from))?,
            prompts: or_none(peer.list_all_prompts().await.map_err(McpError::from))?,
            resources: or_none(peer.list_all_resources().await.map_err(McpError::from))?,
            templates: or_none(
                peer.list_all_resource_templates()
                    .await
                    .map_err(McpError::from),
            )?,
        })
    }

    /// `resources/read`: everything that it answers.
    pub async fn read_whole_resource(&self, uri: &str) -> Result<Vec<Content>, McpError> {
        let params = rmcp::model::ReadResourceRequestParams::new(uri);
        let rmcp::model::ReadResourceResponse::Complete(result) =
            self.peer().read_resource_once(params).await?
        else {
            return Err(McpError::Protocol {
                detail: format!("resource `{uri}` asks for input before it answers"),
            });
        };
        Ok(result.contents.into_iter().map(content).collect())
    }
}

impl PromptInfo {
    /// A prompt out of an [`Offer`].
    pub fn from_json(prompt: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            name: text(&prompt["name"]),
            description: text(&prompt["description"]),
            arguments: prompt["arguments"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|argument| {
                    let required = argument["required"].as_bool().unwrap_or(false);
                    (text(&argument["name"]), required)
                })
                .collect(),
            meta: prompt["_meta"].as_object().cloned().unwrap_or_default(),
        }
    }
}

fn or_none<T: Serialize>(listed: Result<Vec<T>, McpError>) -> Result<Vec<Value>, McpError> {
    match listed {
        Ok(items) => Ok(items.iter().map(to_json).collect()),
        Err(error) if error.is_method_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What came as JSON goes back to JSON.
fn to_json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

fn content(contents: ResourceContents) -> Content {
    match contents {
        ResourceContents::TextResourceContents {
            uri,
            mime_type,
            text,
            ..
        } => Content::Resource {
            uri,
            mime_type,
            text: Some(text),
            blob: None,
        },
        ResourceContents::BlobResourceContents {
            uri,
            mime_type,
            blob,
            ..
        } => Content::Resource {
            uri,
            mime_type,
            text: None,
            blob: Some(blob),
        },
        other => Content::Other {
            value: to_json(&other),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn a_prompt_is_read_out_of_its_json() {
        let prompt = json!({
            "name": "trivia:initials",
            "description": "[Setup] Ask.",
            "arguments": [{"name": "company", "required": true}, {"name": "year"}],
            "_meta": {"chat": true},
        });
        assert_eq!(
            PromptInfo::from_json(&prompt),
            PromptInfo {
                name: "trivia:initials".to_owned(),
                description: "[Setup] Ask.".to_owned(),
                arguments: vec![("company".to_owned(), true), ("year".to_owned(), false)],
                meta: Map::from_iter([("chat".to_owned(), json!(true))]),
            }
        );
    }
}
