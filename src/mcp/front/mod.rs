//! The front: what clients of ours connect to. It keeps their sessions while the copies of the environment behind them come and go.
//!
//! It knows sessions, versions and copies; it does not know how a copy is started, what is watched, or who serves the HTTP.

mod relay;
mod report;
mod source;

pub use relay::{Janitor, Relay, RelayServer, SESSION_META};
pub use report::{CallOutcome, CallReport};
pub use source::{CopySource, Identity, Limits, RelayedCopy, VersionChange};
