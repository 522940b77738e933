//! The provider-neutral vocabulary of a conversation: what a person, a model and a tool say to each other.
//!
//! Data only. Nothing here knows a provider's JSON (`format` does) or MCP (`mcp` does).

mod citation;
mod content;
mod settings;
mod tool;
mod turn;
mod usage;

pub use citation::Citation;
pub use content::{Content, Message, Role};
pub use settings::{Effort, HostedTool, Settings, Thinking, ToolChoice};
pub use tool::{Arguments, Tool, ToolCall, ToolResult};
pub use turn::{Block, StopReason, Turn};
pub use usage::Usage;
