//! Endpoint, authentication and streaming of each provider, plus the models that need none: `oracle` and `scripted`.

mod oracle;
mod scripted;

pub use oracle::Oracle;
pub use scripted::Scripts;
