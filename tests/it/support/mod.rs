//! What tests of the whole program share: running the command in an empty world ([`Test`]), a model provider on
//! the loopback that checks every request as the real one would ([`provider::Provider`]), and what to do when a service that a
//! test needs is not there ([`require`]).

mod command;
pub mod provider;
mod redact;
mod require;

pub use command::{Output, Running, Test};
pub use require::require;
