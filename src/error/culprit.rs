//! [`Culprit`]: what an error is about.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What an error is about, as its sentence shows it: a text in quotes, or the words "missing" or "repeated".
///
/// The text may be the peer's. So it is cut after 64 characters, and control characters in it are escaped.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Culprit(Box<str>);

impl Culprit {
    const MAX_CHARACTERS: usize = 64;

    fn missing() -> Self {
        Self("missing".into())
    }

    fn repeated() -> Self {
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

    /// What the lines of a header hold.
    pub(crate) fn lines<'v>(lines: impl Iterator<Item = &'v [u8]>) -> Self {
        // More lines than this one shows nobody reads.
        let lines: Vec<_> = lines.take(Self::MAX_CHARACTERS).collect();
        if lines.is_empty() { Self::missing() } else { Self::text(lines.join(&b", "[..])) }
    }

    /// What the only line of a header holds.
    pub(crate) fn line<'v>(mut lines: impl Iterator<Item = &'v [u8]>) -> Self {
        match (lines.next(), lines.next()) {
            (None, _) => Self::missing(),
            (Some(line), None) => Self::text(line),
            (Some(_), Some(_)) => Self::repeated(),
        }
    }

    /// An origin at a host.
    pub(crate) fn at(self, host: &str) -> Self {
        Self(format!("{self} at the host {}", Self::text(host)).into())
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
        assert_eq!(Culprit::text("a").at("b").to_string(), r#""a" at the host "b""#);
    }

    #[test]
    fn a_header_is_shown_with_all_its_lines_or_is_missing_or_repeated() {
        let lines: [&[u8]; 2] = [b"a, b", b"\xFF"];
        for (count, all, single) in
            [(0, "missing", "missing"), (1, r#""a, b""#, r#""a, b""#), (2, "\"a, b, \u{fffd}\"", "repeated")]
        {
            let lines = || lines[..count].iter().copied();
            assert_eq!(Culprit::lines(lines()).to_string(), all);
            assert_eq!(Culprit::line(lines()).to_string(), single);
        }
    }
}
