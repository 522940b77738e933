//! The provider-neutral vocabulary of a conversation: what a person, a model and a tool say to each other.
//!
//! Data only. Nothing here knows a provider's JSON (`format` does) or MCP (`mcp` does).

mod content;
mod tool;
mod turn;
mod usage;

pub use content::{Content, Message, Role};
pub use tool::{Arguments, Tool, ToolCall, ToolResult};
pub use turn::{Block, StopReason, Turn};
pub use usage::Usage;
