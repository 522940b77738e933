//! `OpenAI`'s Responses API: `POST …/responses`, as `openai` 3.51.0 for Python speaks it.

mod items;
mod request;
mod response;
mod stream;
mod toolbox;

pub use request::{Span, chainable, request};
pub use response::turn;
pub use stream::Assembler;
pub use toolbox::Toolbox;
