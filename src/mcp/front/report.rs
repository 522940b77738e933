//! What is said of a request when it has ended.

use std::time::Duration;

/// A request that reached user code, when it has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct CallReport {
    /// The MCP method: `tools/call`, `prompts/get`, `resources/read` or `completion/complete`.
    pub method: String,
    /// The tool, the prompt, or the address of the resource.
    pub name: String,
    /// The client's session; `shared` for requests of the stateless era that name none.
    pub session: String,
    /// The version that answered.
    pub version: u64,
    /// From the request's arrival to its answer.
    pub took: Duration,
    /// How it ended.
    pub outcome: CallOutcome,
}

/// How a request to user code ended.
#[derive(Clone, Debug, PartialEq)]
pub enum CallOutcome {
    /// With a result.
    Ok,
    /// With a tool's result that has `isError`; its text.
    ToolError(String),
    /// With a protocol error, or because the copy failed; its message.
    Failed(String),
    /// The client cancelled it or went away.
    Cancelled,
}
