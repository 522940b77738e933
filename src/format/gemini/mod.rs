//! Google's Gemini API: `POST /v1/models/MODEL:generateContent` and `:streamGenerateContent`, as `google-genai` 3.3.0 for Python speaks it.

mod contents;
mod request;
mod response;
mod stream;
mod toolbox;

pub use request::request;
pub use response::turn;
pub use stream::Assembler;
pub use toolbox::Toolbox;
