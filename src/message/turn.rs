//! One turn of a model.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Citation, ToolCall, Usage};

/// A piece of a model's turn, in the order in which it was produced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// Text for the user.
    Text {
        /// The text.
        text: String,
        /// What it rests on, where the provider says so.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        citations: Vec<Citation>,
        /// What the same provider wants back beside the text with the next request (a signature, an item's id), in its own form.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        opaque: Option<Value>,
    },
    /// Thinking. `opaque` is what the provider wants back with the next request (a signature, an encrypted item).
    Reasoning {
        /// What may be shown of it; may be empty.
        text: String,
        /// The provider's own block, sent back unchanged to the same provider.
        #[serde(skip_serializing_if = "Option::is_none")]
        opaque: Option<Value>,
    },
    /// A call of a tool of the environment.
    ToolCall(ToolCall),
    /// Any other block of the provider (a hosted tool, a citation), sent back unchanged.
    Opaque {
        /// The block's JSON.
        value: Value,
    },
}

impl Block {
    /// A block of text with nothing beside it.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            citations: Vec::new(),
            opaque: None,
        }
    }
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It was done.
    Done,
    /// It waits for its tool calls.
    ToolCalls,
    /// The limit of output tokens was reached.
    Length,
    /// The provider or the model refused.
    Refusal,
    /// The provider paused a long turn; sending the conversation again continues it.
    Paused,
    /// It wrote a call of a tool that the provider could not read. Nothing was called; it is told.
    MalformedCall,
    /// Anything else, in the provider's words.
    Other(String),
}

/// What a model said in answer to one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The model that answered, as the provider names it.
    pub model: String,
    /// What it said, in order.
    pub blocks: Vec<Block>,
    /// Why it stopped.
    pub stop: StopReason,
    /// What the provider says about that: the category and explanation of a refusal, the reason of a block. Never an answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop_detail: Option<String>,
    /// What it cost.
    pub usage: Usage,
    /// The provider's id of the answer, for its support and for chaining.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
}

impl Turn {
    /// The text blocks, joined without separator (providers split one text at citations).
    pub fn text(&self) -> String {
        self.blocks
            .iter()
            .filter_map(|block| match block {
                Block::Text { text, .. } => Some(text.as_str()),
                Block::Reasoning { .. } | Block::ToolCall(_) | Block::Opaque { .. } => None,
            })
            .collect()
    }

    /// Every citation, in order.
    pub fn citations(&self) -> impl Iterator<Item = &Citation> {
        self.blocks.iter().flat_map(|block| match block {
            Block::Text { citations, .. } => citations.as_slice(),
            Block::Reasoning { .. } | Block::ToolCall(_) | Block::Opaque { .. } => &[],
        })
    }

    /// The visible thinking, joined by newlines.
    pub fn reasoning(&self) -> String {
        self.blocks
            .iter()
            .filter_map(|block| match block {
                Block::Reasoning { text, .. } => Some(text.as_str()),
                Block::Text { .. } | Block::ToolCall(_) | Block::Opaque { .. } => None,
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The calls of tools, in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.blocks.iter().filter_map(|block| match block {
            Block::ToolCall(call) => Some(call),
            Block::Text { .. } | Block::Reasoning { .. } | Block::Opaque { .. } => None,
        })
    }
}
