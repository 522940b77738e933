//! MCP's shapes to ours and back.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents, Role as McpRole};
use serde_json::{Map, Value, json};

use crate::message::{Content, Role, Tool, ToolCall, ToolResult};

pub(super) fn tool(tool: rmcp::model::Tool) -> Tool {
    Tool {
        name: tool.name.into_owned(),
        description: tool
            .description
            .map(std::borrow::Cow::into_owned)
            .or(tool.title)
            .unwrap_or_default(),
        input_schema: Value::Object(
            std::sync::Arc::try_unwrap(tool.input_schema)
                .unwrap_or_else(|shared| (*shared).clone()),
        ),
        output_schema: tool.output_schema.map(|schema| {
            Value::Object(
                std::sync::Arc::try_unwrap(schema).unwrap_or_else(|shared| (*shared).clone()),
            )
        }),
        source: None,
        meta: tool.meta.map(|meta| meta.0).unwrap_or_default(),
    }
}

pub(super) fn content(block: ContentBlock) -> Content {
    match block {
        ContentBlock::Text(text) => Content::Text { text: text.text },
        ContentBlock::Image(image) => Content::Image {
            data: image.data,
            mime_type: image.mime_type,
        },
        ContentBlock::Audio(audio) => Content::Audio {
            data: audio.data,
            mime_type: audio.mime_type,
        },
        ContentBlock::Resource(resource) => match resource.resource {
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
                value: serde_json::to_value(other).unwrap_or(Value::Null),
            },
        },
        ContentBlock::ResourceLink(link) => Content::ResourceLink {
            uri: link.uri,
            name: link.name,
            mime_type: link.mime_type,
        },
        other => Content::Other {
            value: serde_json::to_value(other).unwrap_or(Value::Null),
        },
    }
}

pub(super) fn role(role: &McpRole) -> Role {
    match role {
        McpRole::Assistant => Role::Assistant,
        McpRole::User => Role::User,
    }
}

pub(super) fn tool_result(call: &ToolCall, result: CallToolResult) -> ToolResult {
    ToolResult {
        call_id: call.id.clone(),
        name: call.name.clone(),
        content: result.content.into_iter().map(content).collect(),
        structured: result.structured_content,
        is_error: result.is_error.unwrap_or(false),
    }
}

/// One of our content blocks in MCP's JSON.
pub(super) fn content_to_json(content: &Content) -> Value {
    match content {
        Content::Text { text } => json!({"type": "text", "text": text}),
        Content::Image { data, mime_type } => {
            json!({"type": "image", "data": data, "mimeType": mime_type})
        }
        Content::Audio { data, mime_type } => {
            json!({"type": "audio", "data": data, "mimeType": mime_type})
        }
        Content::Resource {
            uri,
            mime_type,
            text,
            blob,
        } => {
            let mut resource = Map::new();
            resource.insert("uri".into(), json!(uri));
            for (key, value) in [("mimeType", mime_type), ("text", text), ("blob", blob)] {
                if let Some(value) = value {
                    resource.insert(key.into(), json!(value));
                }
            }
            json!({"type": "resource", "resource": resource})
        }
        Content::ResourceLink {
            uri,
            name,
            mime_type,
        } => json!({"type": "resource_link", "uri": uri, "name": name, "mimeType": mime_type}),
        Content::Other { value } => value.clone(),
    }
}

/// A tool result in MCP's JSON.
pub(super) fn tool_result_to_json(result: &ToolResult) -> Value {
    let mut out = Map::new();
    let content: Vec<Value> = result.content.iter().map(content_to_json).collect();
    out.insert("content".into(), Value::Array(content));
    if let Some(structured) = &result.structured {
        out.insert("structuredContent".into(), structured.clone());
    }
    out.insert("isError".into(), json!(result.is_error));
    Value::Object(out)
}

/// A tool in MCP's JSON.
pub(super) fn tool_to_json(tool: &Tool) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(tool.name));
    out.insert("description".into(), json!(tool.description));
    out.insert("inputSchema".into(), tool.input_schema.clone());
    if let Some(schema) = &tool.output_schema {
        out.insert("outputSchema".into(), schema.clone());
    }
    if !tool.meta.is_empty() {
        out.insert("_meta".into(), Value::Object(tool.meta.clone()));
    }
    Value::Object(out)
}
