//! Our messages, tools and turns in each provider's JSON, and back. Pure: no I/O, no keys, no addresses.
//!
//! Each provider has `request` (our conversation to its JSON), [`Assembler`](anthropic::Assembler) (its stream to our turn) and `turn` (its
//! whole answer to our turn).

pub mod anthropic;
mod content;
mod conversation;
pub mod gemini;
mod names;
pub mod openai_chat;
pub mod openai_responses;
mod schema;
mod stream;
mod structured;
#[cfg(test)]
mod testing;

pub use conversation::Conversation;
pub use names::Names;
pub use stream::{Delta, FormatError};
