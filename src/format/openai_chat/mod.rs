//! The Chat Completions format of `OpenAI` and of the many servers that speak it: `POST …/chat/completions`, as `openai` 3.51.0 for Python does.

mod request;
mod response;
mod stream;

pub use request::{MaxTokensField, request};
pub use response::turn;
pub use stream::Assembler;

use super::Names;
use crate::message::Tool;

/// Function names are `a-z, A-Z, 0-9, _ and -, with a maximum length of 64`.
const LONGEST_NAME: usize = 64;

/// The names of `tools` for this format.
pub fn names(tools: &[Tool]) -> Names {
    Names::new(tools, LONGEST_NAME)
}
