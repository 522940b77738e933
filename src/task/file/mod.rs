//! Files of tasks: YAML, JSON, JSONL, and the rows that a Python file holds. Every mistake of a file is found before anything starts, and has
//! its place. Knows nothing of how environments run; reads no variable but through the function it is given.

mod agent;
mod calls;
mod config;
mod environment;
mod fields;
mod json;
mod load;
mod row;
mod servers;
mod sink;
mod source;
mod substitute;
mod tree;
mod yaml;

#[cfg(test)]
mod tests;

pub use agent::from_settings as agent_config;
pub use config::servers as configured_servers;
pub use load::{TaskFile, from_rows, load};
pub use source::{DISCOVERED, Kind, SourceError, discover, kind};
