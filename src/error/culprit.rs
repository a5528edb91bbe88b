//! [`Culprit`]: what an error is about.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;

/// What an error is about, as its sentence shows it: a text in quotes, or the words "missing" or "repeated".
///
/// The text may be the peer's. So it is cut after 64 characters, and control characters in it are escaped.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Culprit(Box<str>);

impl Culprit {
    const MAX_CHARACTERS: usize = 64;

    pub(crate) fn missing() -> Self {
        Self("missing".into())
    }

    pub(crate) fn repeated() -> Self {
        Self("repeated".into())
    }

    pub(crate) fn text(text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        // A character has at most four bytes. What is cut in the middle is beyond what is shown.
        let text = String::from_utf8_lossy(&text[..text.len().min(4 * Self::MAX_CHARACTERS + 4)]);
        match text.char_indices().nth(Self::MAX_CHARACTERS) {
            None => Self(format!("{text:?}").into()),
            Some((end, _)) => Self(format!("{:?}…", &text[..end]).into()),
        }
    }

    /// Both of them.
    pub(crate) fn and(self, words: &str, other: Self) -> Self {
        Self(format!("{self}{words}{other}").into())
    }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_text_is_quoted_escaped_and_cut() {
        for (text, shown) in [
            ("", r#""""#),
            ("keep-alive", r#""keep-alive""#),
            ("a\r\nb\0\u{1b}[31m\"\u{85}\u{202e}", r#""a\r\nb\0\u{1b}[31m\"\u{85}\u{202e}""#),
            ("caf\u{e9}", "\"caf\u{e9}\""),
        ] {
            assert_eq!(Culprit::text(text).to_string(), shown);
        }
        assert_eq!(Culprit::text(b"a\xFF").to_string(), "\"a\u{fffd}\"");
        for character in ["a", "\u{e9}", "\u{20ac}", "\u{1f980}"] {
            let shown = |count| Culprit::text(character.repeat(count)).to_string();
            let quoted = format!("\"{}\"", character.repeat(64));
            assert_eq!(shown(64), quoted);
            for count in [65, 66, 67, 68, 1000] {
                assert_eq!(shown(count), format!("{quoted}…"), "{count}");
            }
        }
    }

    #[test]
    fn debug_shows_the_same() {
        assert_eq!(format!("{:?} {:?}", Culprit::missing(), Culprit::text("a")), r#"missing "a""#);
        assert_eq!(Culprit::text("a").and(" at ", Culprit::repeated()).to_string(), r#""a" at repeated"#);
    }
}
