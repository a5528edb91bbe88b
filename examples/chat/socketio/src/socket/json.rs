//! Looks at JSON before anybody keeps it: how deep it is, and which attachments it names.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

/// JSON that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidJson {
    /// Not JSON, or with a number that is out of range.
    #[error("not JSON")]
    Syntax,
    /// Deeper than [`max_depth`](crate::Limits::max_depth).
    #[error("JSON is nested too deeply")]
    TooDeep,
    /// A placeholder without an attachment, or an attachment without a placeholder.
    #[error("placeholders and attachments do not match")]
    Placeholders,
}

/// The deepest that is ever allowed: the checks are recursive.
const DEEPEST: usize = 100;

/// Checks `text`. With `attachments`, each of them must be named by a placeholder, and no others.
pub(crate) fn check(text: &str, max_depth: usize, attachments: Option<usize>) -> Result<(), InvalidJson> {
    if depth(text) > max_depth.min(DEEPEST) {
        return Err(InvalidJson::TooDeep);
    }
    let mut named = attachments.map(|count| vec![false; count]);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut is_foreign = false;
    Walk { named: named.as_deref_mut(), is_foreign: &mut is_foreign }
        .deserialize(&mut deserializer)
        .and_then(|_| deserializer.end())
        .map_err(|_| InvalidJson::Syntax)?;
    if is_foreign || named.is_some_and(|named| named.contains(&false)) {
        return Err(InvalidJson::Placeholders);
    }
    Ok(())
}

/// How many brackets are open at most, those in strings aside. Right for what is JSON.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Reads a value and keeps nothing of it.
struct Walk<'w> {
    /// Which attachments were named so far.
    named: Option<&'w mut [bool]>,
    /// A placeholder names none of them.
    is_foreign: &'w mut bool,
}

/// What a placeholder is made of.
#[derive(Clone, Copy)]
enum Seen {
    True,
    Number(u64),
    Other,
}

impl Walk<'_> {
    fn inner(&mut self) -> Walk<'_> {
        Walk { named: self.named.as_deref_mut(), is_foreign: self.is_foreign }
    }

    fn placeholder(&mut self, number: Option<u64>) {
        let Some(named) = self.named.as_deref_mut() else { return };
        match number.and_then(|number| usize::try_from(number).ok()).and_then(|number| named.get_mut(number))
        {
            Some(named) => *named = true,
            None => *self.is_foreign = true,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Seen;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Seen, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Seen;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Seen, E> {
        Ok(if value { Seen::True } else { Seen::Other })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Seen, E> {
        Ok(Seen::Number(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Seen, A::Error> {
        while seq.next_element_seed(self.inner())?.is_some() {}
        Ok(Seen::Other)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Seen, A::Error> {
        let (mut is_placeholder, mut number) = (false, None);
        while let Some(key) = map.next_key::<Key>()? {
            let value = map.next_value_seed(self.inner())?;
            match (key, value) {
                (Key::Placeholder, value) => is_placeholder = matches!(value, Seen::True),
                (Key::Num, Seen::Number(value)) => number = Some(value),
                _ => {}
            }
        }
        if is_placeholder {
            self.placeholder(number);
        }
        Ok(Seen::Other)
    }
}

enum Key {
    Placeholder,
    Num,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    "_placeholder" => Key::Placeholder,
                    "num" => Key::Num,
                    _ => Key::Other,
                })
            }
        }

        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_taken_up_to_a_depth() {
        for depth in 1..=40 {
            let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            let expected = if depth <= 32 { Ok(()) } else { Err(InvalidJson::TooDeep) };
            assert_eq!(check(&nested, 32, None), expected, "{depth}");
            let objects = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
            assert_eq!(check(&objects, 32, None), expected, "{depth}");
        }
        // Whatever is asked for, and whether or not it is closed.
        let nested = "[".repeat(1_000_000);
        assert_eq!(check(&nested, usize::MAX, None), Err(InvalidJson::TooDeep));
    }

    #[test]
    fn brackets_in_strings_are_not_deep() {
        let brackets = "[{".repeat(1000);
        for text in [
            format!(r#"["{brackets}"]"#),
            format!(r#"["\"{brackets}"]"#),
            format!(r#"["\\",{{"{brackets}":1}}]"#),
        ] {
            assert_eq!(check(&text, 2, None), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in
            ["", "[", "]", "[1,]", "{]", "abc", "[1]2", "nul", "[\"a]", "1e999", "\"\u{1}\"", r#"["\x"]"#]
        {
            assert_eq!(check(text, 32, None), Err(InvalidJson::Syntax), "{text}");
        }
    }

    #[test]
    fn placeholders_name_each_attachment() {
        let named = |num: &str| format!(r#"{{"_placeholder":true,"num":{num}}}"#);
        let both = format!(r#"["a",{},{{"deep":[{}]}}]"#, named("0"), named("1"));
        assert_eq!(check(&both, 32, Some(2)), Ok(()));
        for count in [0, 1, 3] {
            assert_eq!(check(&both, 32, Some(count)), Err(InvalidJson::Placeholders), "{count}");
        }
        // One attachment twice is no lie.
        assert_eq!(check(&format!("[{},{}]", named("0"), named("0")), 32, Some(1)), Ok(()));
        for num in ["1", "-1", "0.5", "\"0\"", "null", "18446744073709551615", "1e3"] {
            assert_eq!(
                check(&format!("[{},{}]", named("0"), named(num)), 32, Some(1)),
                Err(InvalidJson::Placeholders),
                "{num}"
            );
        }
        assert_eq!(check(r#"[{"_placeholder":true}]"#, 32, Some(0)), Err(InvalidJson::Placeholders));
        assert_eq!(check(r#"[{"_placeholder":false,"num":7}]"#, 32, Some(0)), Ok(()));
        // Without attachments it is an object like another.
        assert_eq!(check(&both, 32, None), Ok(()));
    }
}
