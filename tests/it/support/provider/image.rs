//! Checks images as a decoder would see them: base64, known format, and the format that was claimed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The bytes of `data`, or why it is not base64.
pub(super) fn decode(data: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(data).map_err(|error| error.to_string())
}

/// The media type that the first bytes show.
pub(super) fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("image/webp"),
        _ => None,
    }
}
