//! Development: an environment that is replaced by its new version whenever its files change.
//!
//! [`DevEnvironment`] watches files, starts each new version beside the one that serves, and swaps them when the new one is ready. It says
//! what happens as [`DevEvent`]s. It knows nothing of HTTP, sessions or terminals: `serve` puts a stable front before it and `cli` prints.

mod changes;
mod environment;
mod events;
mod own_output;
mod places;
mod supervisor;
mod version;
mod watch;

pub use environment::{DevEnvironment, DevOptions};
pub use events::{DevEvent, FailedVersion, Status};
