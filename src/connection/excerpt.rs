//! [`Excerpt`]: what `Debug` shows of a payload.

use alloc::format;
use core::fmt;

use crate::connection::message::DataKind;

/// As many characters of a text, or bytes of binary data, are shown.
const MAX_LEN: usize = 64;

/// The beginning of a payload, and its length if that is not all. However long the payload, only the beginning is looked at.
pub(crate) struct Excerpt<'p> {
    kind: DataKind,
    payload: &'p [u8],
}

impl<'p> Excerpt<'p> {
    pub(crate) fn new(kind: DataKind, payload: &'p [u8]) -> Self {
        Self { kind, payload }
    }

    pub(crate) fn text(text: &'p str) -> Self {
        Self::new(DataKind::Text, text.as_bytes())
    }

    pub(crate) fn binary(payload: &'p [u8]) -> Self {
        Self::new(DataKind::Binary, payload)
    }
}

impl fmt::Debug for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, shown_len) = match self.kind {
            DataKind::Text => {
                let text = first_characters(self.payload);
                (format!("{text:?}"), text.len())
            }
            DataKind::Binary => {
                let bytes = &self.payload[..self.payload.len().min(MAX_LEN)];
                (format!("b\"{}\"", bytes.escape_ascii()), bytes.len())
            }
        };
        match shown.strip_suffix('"') {
            Some(shown) if shown_len < self.payload.len() => {
                write!(f, "{shown}…\" {} bytes", self.payload.len())
            }
            _ => f.write_str(&shown),
        }
    }
}

fn first_characters(payload: &[u8]) -> &str {
    // A character takes at most four bytes.
    let bytes = &payload[..payload.len().min(4 * MAX_LEN)];
    let text = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    text.char_indices().nth(MAX_LEN).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn text(text: &str) -> String {
        format!("{:?}", Excerpt::text(text))
    }

    fn binary(payload: &[u8]) -> String {
        format!("{:?}", Excerpt::binary(payload))
    }

    #[test]
    fn what_is_short_is_shown_whole_and_escaped() {
        assert_eq!((text(""), binary(b"")), ("\"\"".into(), "b\"\"".into()));
        assert_eq!(text("it's \"é\"\n\u{1b}"), "\"it's \\\"é\\\"\\n\\u{1b}\"");
        assert_eq!(binary(b"\x00\xFFa\"\n"), "b\"\\x00\\xffa\\\"\\n\"");
        assert_eq!(binary(&[b'a'; 64]), format!("b\"{}\"", "a".repeat(64)));
        for character in ["a", "é", "€", "😀", "\""] {
            let whole = character.repeat(64);
            assert_eq!(text(&whole), format!("{whole:?}"));
        }
    }

    #[test]
    fn what_is_long_is_cut_and_its_length_told() {
        assert_eq!(binary(&[b'a'; 65]), format!("b\"{}…\" 65 bytes", "a".repeat(64)));
        for character in ["a", "é", "€", "😀"] {
            let shown = character.repeat(64);
            for count in [65, 1000] {
                let whole = character.repeat(count);
                assert_eq!(text(&whole), format!("\"{shown}…\" {} bytes", whole.len()));
            }
        }
        assert_eq!(text(&"\"".repeat(65)), format!("\"{}…\" 65 bytes", "\\\"".repeat(64)));
    }
}
