//! What a request says, before it is in any provider's words.

use crate::message::{Message, Settings, Tool};

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
    /// What is asked of the model beside that.
    pub settings: &'a Settings,
}
