//! A model provider on the loopback: Anthropic Messages (`POST /v1/messages`), `OpenAI` Responses (`POST /v1/responses`) and Chat Completions
//! (`POST /v1/chat/completions`), each of these two also without `/v1`, and Google's `POST /v1/models/MODEL:generateContent` and
//! `:streamGenerateContent`, streaming and not, playing a [`Script`].
//!
//! Each request is checked as the real provider checks it, and refused with the provider's own error when it is wrong; a
//! test asserts with [`Provider::violations`] that there was none, and a stand-in that is dropped with violations nobody
//! looked at fails the test. What the wire looks like comes from the official SDKs (`anthropic` 2.10.0, `openai` 3.51.0 and
//! `google-genai` 3.3.0 on `PyPI`), which `tests/it/standin.rs` runs against this server, and from the error messages that the real APIs are known to send.
//! It knows nothing of `hud`: it sees only bytes.

mod chat_check;
mod chat_reply;
mod check;
mod conversation;
mod gemini_check;
mod gemini_reply;
mod image;
mod messages_blocks;
mod messages_check;
mod messages_reply;
mod reply;
mod responses_check;
mod responses_reply;
mod script;
mod server;
mod trivia;

pub use conversation::{Api, Conversation};
pub use script::{Break, Fault, Gate, Script, Stop, Tokens, Turn, When, turn};
pub use server::{Captured, Provider};
