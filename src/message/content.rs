//! Messages and the pieces they are made of.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ToolResult, Turn};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that stand above the conversation.
    System,
    /// The person, or the environment that poses the task.
    User,
    /// The model.
    Assistant,
}

/// One piece of a message or of a tool's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Plain text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// The bytes in base64, without a `data:` prefix.
        data: String,
        /// For example `image/png`.
        mime_type: String,
    },
    /// Sound.
    Audio {
        /// The bytes in base64.
        data: String,
        /// For example `audio/wav`.
        mime_type: String,
    },
    /// A file that the environment embedded: text, or bytes in base64 (`blob`).
    Resource {
        /// Where the environment says it comes from.
        uri: String,
        /// For example `application/pdf`.
        mime_type: Option<String>,
        /// The text, when it is text.
        text: Option<String>,
        /// The bytes in base64, when it is not.
        blob: Option<String>,
    },
    /// A reference to a file that the environment offers for reading.
    ResourceLink {
        /// The address in the environment.
        uri: String,
        /// A name for people.
        name: String,
        /// For example `text/csv`.
        mime_type: Option<String>,
    },
    /// A block of a kind that this version does not know, kept as it came.
    Other {
        /// The block's JSON.
        value: Value,
    },
}

impl Content {
    /// A text block.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// The text of a text block.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            Self::Image { .. }
            | Self::Audio { .. }
            | Self::Resource { .. }
            | Self::ResourceLink { .. }
            | Self::Other { .. } => None,
        }
    }

    /// The text blocks of `content`, joined by newlines.
    pub fn join_text(content: &[Self]) -> String {
        content
            .iter()
            .filter_map(Self::as_text)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// One entry of a conversation.
///
/// Every `Tools` entry directly follows the `Assistant` entry whose calls it answers, with one result for each call, in the order of
/// the calls. Every provider demands this pairing, so it is kept here once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// Instructions in the middle of a conversation (the leading ones are [`crate::agent::Request::system`]).
    System {
        /// What it says.
        content: Vec<Content>,
    },
    /// What the person or the environment says.
    User {
        /// What it says.
        content: Vec<Content>,
    },
    /// What the model says.
    Assistant {
        /// The whole turn, tool calls included.
        turn: Turn,
    },
    /// What the tools answered.
    Tools {
        /// One result for each call of the turn before.
        results: Vec<ToolResult>,
    },
}

impl Message {
    /// A user message of one text.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User {
            content: vec![Content::text(text)],
        }
    }
}
