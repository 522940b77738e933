//! What a text rests on.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A source that a model's text names, brought to one form from what each provider says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Citation {
    /// The provider's word for its kind: `url_citation`, `char_location`, `grounding`.
    pub kind: String,
    /// Where the source is: a URL, a file's name or id, the number of a document.
    pub source: String,
    /// The source's title.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// The words of the source, where the provider gives them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cited_text: Option<String>,
    /// The characters of the block's text that rest on it, first and one behind the last; `None` means all of the block.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub span: Option<(u64, u64)>,
    /// The provider's own object.
    #[serde(skip_serializing_if = "Value::is_null", default)]
    pub provider: Value,
}
