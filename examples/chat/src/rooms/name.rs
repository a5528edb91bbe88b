//! [`Name`]: of a person, a room or a process.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name of 1 to 48 bytes: letters and digits of any script, and `-`, `_`, `.`, `#` inside. Clones share it.
///
/// A name says the same wherever it is shown: it has no spaces, no invisible characters and no markup.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(Arc<str>);

/// The fillers of Hangul, which are letters and show nothing.
const BLANK_LETTERS: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];

impl Name {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 48;

    /// `None` if it is not a name.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let is_shown = |char: char| char.is_alphanumeric() && !BLANK_LETTERS.contains(&char);
        let is_valid = !name.is_empty()
            && name.len() <= Self::MAX_LEN
            && name.starts_with(is_shown)
            && name.chars().all(|char| is_shown(char) || matches!(char, '-' | '_' | '.' | '#'));
        is_valid.then(|| Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(&name).ok_or("a name has 1 to 48 bytes: letters, digits, and - _ . # inside")
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_visible() {
        for good in ["a", "lobby", "Zürich", "世界", "ann#k3f9x2", "a.b-c_d", &"x".repeat(48)] {
            assert_eq!(Name::new(good).expect(good).as_str(), good);
        }
        for bad in
            ["", " ", "-a", "#a", "a b", "a\u{200b}b", "a<b", "a/b", "a\nb", "\u{202e}a", &"x".repeat(49)]
        {
            assert_eq!(Name::new(bad), None, "{bad:?}");
        }
        for blank in BLANK_LETTERS {
            assert_eq!(Name::new(&format!("news{blank}")), None, "{blank:?}");
        }
    }

    #[test]
    fn a_name_is_checked_when_it_is_parsed() {
        assert!(serde_json::from_str::<Name>("\"lobby\"").is_ok());
        assert!(serde_json::from_str::<Name>("\"a b\"").is_err());
    }
}
