//! Incremental UTF-8 validation (RFC 6455 8.1): text is checked once, as it arrives, and fails at the first wrong byte.

use alloc::string::String;

/// Somewhere in the text is a byte that UTF-8 does not allow there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidUtf8;

/// The beginning of a character whose end has not arrived yet: at most three bytes.
#[derive(Default)]
pub(crate) struct Utf8 {
    carry: [u8; 3],
    carry_len: u8,
}

impl Utf8 {
    /// Validates the next `chunk` and appends its complete characters to `text`: a chunk that fits the first-level cache is
    /// read from memory once.
    pub(crate) fn push(&mut self, chunk: &[u8], text: &mut String) -> Result<(), InvalidUtf8> {
        let rest = self.complete_carry(chunk, text)?;
        text.push_str(self.split_tail(rest)?);
        Ok(())
    }

    /// Checks that the text does not end inside a character.
    pub(crate) fn finish(&mut self) -> Result<(), InvalidUtf8> {
        if self.carry_len == 0 { Ok(()) } else { Err(InvalidUtf8) }
    }

    /// Takes from `chunk` what the carried character lacks and returns the rest of `chunk`.
    fn complete_carry<'c>(&mut self, chunk: &'c [u8], text: &mut String) -> Result<&'c [u8], InvalidUtf8> {
        if self.carry_len == 0 {
            return Ok(chunk);
        }
        // A valid prefix has at most three bytes, and is complete with the fourth.
        let mut character = [0; 4];
        let carry_len = usize::from(self.carry_len);
        character[..carry_len].copy_from_slice(&self.carry[..carry_len]);
        for (taken, (len, &byte)) in (1..).zip((carry_len + 1..=4).zip(chunk)) {
            character[len - 1] = byte;
            match core::str::from_utf8(&character[..len]) {
                Ok(complete) => {
                    text.push_str(complete);
                    self.carry_len = 0;
                    return Ok(&chunk[taken..]);
                }
                Err(error) if error.error_len().is_some() => return Err(InvalidUtf8),
                Err(_) => self.keep(&character[..len]),
            }
        }
        Ok(&[])
    }

    /// The complete characters of `chunk`; what begins a character at its end is carried.
    fn split_tail<'c>(&mut self, chunk: &'c [u8]) -> Result<&'c str, InvalidUtf8> {
        let (complete, tail) = chunk.split_at(chunk.len() - incomplete_len(chunk));
        let complete = decode(complete)?;
        match core::str::from_utf8(tail) {
            Ok(_) => Ok(complete),
            Err(error) if error.error_len().is_some() => Err(InvalidUtf8),
            Err(_) => {
                self.keep(tail);
                Ok(complete)
            }
        }
    }

    fn keep(&mut self, prefix: &[u8]) {
        self.carry[..prefix.len()].copy_from_slice(prefix);
        self.carry_len = prefix.len() as u8;
    }
}

/// `bytes` as text.
#[inline]
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, InvalidUtf8> {
    #[cfg(feature = "simd")]
    let text = simdutf8::basic::from_utf8(bytes);
    #[cfg(not(feature = "simd"))]
    let text = core::str::from_utf8(bytes);
    text.map_err(|_| InvalidUtf8)
}

/// How many bytes at the end of `chunk` begin a character that needs more.
fn incomplete_len(chunk: &[u8]) -> usize {
    for (len, &byte) in (1..=3).zip(chunk.iter().rev()) {
        let character_len = match byte {
            0x80..=0xBF => continue,
            0x00..=0x7F => 1,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
        };
        return if len < character_len { len } else { 0 };
    }
    0
}
