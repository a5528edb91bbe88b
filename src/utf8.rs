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
        match core::str::from_utf8(chunk) {
            Ok(text) => Ok(text),
            Err(error) if error.error_len().is_some() => Err(InvalidUtf8),
            Err(error) => {
                let (complete, tail) = chunk.split_at(error.valid_up_to());
                self.keep(tail);
                core::str::from_utf8(complete).map_err(|_| InvalidUtf8)
            }
        }
    }

    fn keep(&mut self, prefix: &[u8]) {
        self.carry[..prefix.len()].copy_from_slice(prefix);
        self.carry_len = prefix.len() as u8;
    }
}
