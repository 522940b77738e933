//! Anthropic's Messages API: `POST /v1/messages`, as `anthropic` 2.10.0 for Python speaks it.

mod cache;
mod request;
mod response;
mod stream;

pub use request::{DEFAULT_MAX_TOKENS, betas, request, version};
pub use response::turn;
pub use stream::Assembler;

use super::Names;
use crate::message::Tool;

/// Tool names are `^[a-zA-Z0-9_-]{1,128}$`.
const LONGEST_NAME: usize = 128;

/// The names of `tools` for this API.
pub fn names(tools: &[Tool]) -> Names {
    Names::new(tools, LONGEST_NAME)
}
