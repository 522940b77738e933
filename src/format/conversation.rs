//! What a request says, before it is in any provider's words.

use crate::message::{Message, Tool};

/// A conversation to be continued by a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversation<'a> {
    /// The model, as the provider names it.
    pub model: &'a str,
    /// The system prompt.
    pub system: Option<&'a str>,
    /// The messages.
    pub messages: &'a [Message],
    /// The tools that may be called.
    pub tools: &'a [Tool],
    /// Output tokens; `None` leaves the provider's default where it has one.
    pub max_tokens: Option<u32>,
    /// Temperature; `None` leaves the provider's default.
    pub temperature: Option<f64>,
    /// Nucleus sampling; `None` leaves the provider's default.
    pub top_p: Option<f64>,
}
