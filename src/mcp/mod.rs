//! MCP: the only place that names `rmcp`.
//!
//! [`Client`] speaks to one server over any transport and answers in our own vocabulary. It knows nothing of scenarios, environments or
//! agents; `environment` builds those on it. [`RelayServer`] is the other side: clients of ours, each passed on to a copy of its own.

mod client;
mod convert;
mod error;
mod front;
mod handler;
mod inspect;
mod kept;
mod line_transport;
mod line_writer;
mod listings;
mod passage;
mod share;
mod sse_transport;

pub use client::{
    Client, HttpOptions, PromptInfo, PromptResult, ServerIdentity, tool_from_json,
    tool_result_json, tools_json,
};
pub use error::McpError;
pub use front::{
    CallOutcome, CallReport, CopySource, FrontOptions, Identity, Janitor, Limits, RelayServer,
    RelayedCopy, RunningCall, SESSION_META, VersionChange,
};
pub use handler::ClientEvents;
pub use inspect::{About, Offer};
pub use kept::{KeptSession, SessionKeeper};
pub use line_transport::{LineDiagnostics, MAX_LINE};
pub use listings::Listings;
pub use share::{Membership, OwnProgram, ProgramStreams, RunningProgram, SharedConnection};
