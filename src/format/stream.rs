//! What the assemblers of all providers have in common.

/// A piece of a running turn, for live display.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// Text for the user.
    Text(String),
    /// Thinking.
    Reasoning(String),
    /// Something about the request that the user should know, as a lowercase fragment: what could not be sent as it is.
    Notice(String),
}

/// A provider's answer is no turn.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FormatError {
    /// The stream ended before the turn did.
    #[error("the stream ended in the middle of the answer")]
    Truncated,
    /// The provider reported an error in its answer.
    #[error("{}", match code { Some(code) => format!("{message} ({code})"), None => message.clone() })]
    Provider {
        /// The provider's word for it, such as `overloaded_error`.
        code: Option<String>,
        /// In words.
        message: String,
    },
    /// The answer is not in the provider's format.
    #[error("the answer is not in the provider's format: {0}")]
    Malformed(String),
}
