//! Content blocks, brought down to the few kinds that providers know.

use crate::message::Content;

/// A content block that a provider may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Text that is not blank; also what stands for a block that no model can be shown.
    Text(String),
    /// A picture of a type that every provider reads.
    Image {
        /// In base64.
        data: &'a str,
        mime_type: &'static str,
    },
    /// A PDF document.
    Pdf {
        /// In base64.
        data: &'a str,
        /// Its name.
        title: &'a str,
    },
    /// Sound.
    Audio {
        /// In base64.
        data: &'a str,
        mime_type: &'a str,
    },
}

/// The picture types that Anthropic and `OpenAI` both read, by the names that environments use for them.
const IMAGES: &[(&str, &str)] = &[
    ("image/png", "image/png"),
    ("image/jpeg", "image/jpeg"),
    ("image/jpg", "image/jpeg"),
    ("image/gif", "image/gif"),
    ("image/webp", "image/webp"),
];

impl<'a> Part<'a> {
    /// `content` as a part; `None` when there is nothing to say (providers refuse blank text).
    pub(super) fn of(content: &'a Content) -> Option<Self> {
        Some(match content {
            Content::Text { text } => return Self::text(text.clone()),
            Content::Image { data, mime_type } => Self::file(None, Some(mime_type), data),
            Content::Audio { data, mime_type } => Self::Audio { data, mime_type },
            Content::Resource {
                uri,
                text: Some(text),
                ..
            } => Self::Text(format!("{uri}:\n{text}")),
            Content::Resource {
                uri,
                mime_type,
                text: None,
                blob,
            } => Self::file(
                Some(uri),
                mime_type.as_deref(),
                blob.as_deref().unwrap_or_default(),
            ),
            Content::ResourceLink {
                uri,
                name,
                mime_type,
            } => {
                let kind = mime_type
                    .as_ref()
                    .map(|kind| format!(" ({kind})"))
                    .unwrap_or_default();
                Self::Text(format!("[resource {name}: {uri}{kind}]"))
            }
            Content::Other { value } => Self::Text(value.to_string()),
        })
    }

    /// The parts of several blocks.
    pub(super) fn of_all(content: &'a [Content]) -> impl Iterator<Item = Self> {
        content.iter().filter_map(Self::of)
    }

    pub(super) fn text(text: String) -> Option<Self> {
        (!text.trim().is_empty()).then_some(Self::Text(text))
    }

    fn file(uri: Option<&'a str>, mime_type: Option<&'a str>, data: &'a str) -> Self {
        let kind = mime_type.unwrap_or("unknown");
        let bare = kind.split(';').next().unwrap_or_default().trim();
        let known = IMAGES
            .iter()
            .find(|(name, _)| bare.eq_ignore_ascii_case(name));
        match (known, uri) {
            (Some((_, mime_type)), _) if !data.is_empty() => Self::Image { data, mime_type },
            (_, Some(uri)) if bare == "application/pdf" && !data.is_empty() => {
                Self::Pdf { data, title: uri }
            }
            (_, Some(uri)) => Self::Text(hidden(&format!("the file {uri}"), kind)),
            (_, None) => Self::Text(hidden("an image", kind)),
        }
    }
}

/// What stands for something that the model cannot be shown: it should know that there was something.
pub(super) fn hidden(what: &str, kind: &str) -> String {
    format!("[{what} of type {kind}, which cannot be shown to this model]")
}
