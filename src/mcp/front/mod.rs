//! The front: what clients of ours connect to. It keeps their sessions while the copies of the environment behind them come and go.
//!
//! It knows sessions, versions and copies; it does not know how a copy is started, what is watched, or who listens on the port.
//!
//! Both eras of MCP are spoken, over HTTP and over a byte stream. A request is read as far as it concerns the front, and otherwise passed on as it
//! came (`passage`), so a field that we do not know is not lost. rmcp speaks to the copies, but does not serve their clients: its server understands
//! every message and writes it anew, sends log messages of a call to another stream than the call's, keeps a session's memory after its end, and
//! leaves open how a call can wait for answers that come with the next request.
//!
//! - [`server`]: all sessions, and which copy a request gets.
//! - [`session`], [`attachment`]: a client's session, and the copy that serves it now.
//! - [`requests`], [`call`]: what a request does; one that a copy works on.
//! - [`rounds`]: questions to clients that can only be asked by the end of their request.
//! - [`http`], [`stdio`], [`stream`], [`resume`]: how messages travel.
//! - [`wire`], [`era`], [`dress`], [`headers`]: what they look like.

mod attachment;
mod call;
mod dress;
mod era;
mod headers;
mod http;
mod level;
mod listening;
mod offer;
mod queue;
mod report;
mod requests;
mod resume;
mod rounds;
mod scenario;
mod server;
mod session;
mod source;
mod stdio;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

pub use report::{CallOutcome, CallReport};
pub use server::{FrontOptions, Janitor, RelayServer, RunningCall};
pub use source::{CopySource, Identity, Limits, RelayedCopy, VersionChange};

/// The key of `_meta` that names a session of the stateless era.
pub const SESSION_META: &str = "hud/session";
