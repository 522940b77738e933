//! What an environment offers: collected over MCP, as JSON for programs, as text and Markdown for people. Knows no command and prints nothing.

mod collect;
mod json;
mod markdown;
mod table;

pub(in crate::cli) use collect::collect;
pub(in crate::cli) use json::{failure, json};
pub(in crate::cli) use markdown::markdown;
pub(in crate::cli) use table::table;
