//! Finds the ends of heads as their bytes arrive.

use super::head::{RawHead, malformed};
use crate::{Config, HandshakeError, Input};

/// Looks for the end of a head, at each byte once.
pub(crate) struct Scan {
    /// How long all heads together may be.
    limit: usize,
    /// How long this one may be.
    max_len: usize,
    max_headers: usize,
    /// How many of the input's bytes were looked at.
    position: usize,
    /// Where the line under way begins.
    line_start: usize,
    /// The complete lines so far, the first one included.
    lines: usize,
}

impl Scan {
    pub(crate) fn new(config: &Config) -> Self {
        let limit = config.max_head_len();
        let max_headers = config.max_headers();
        Self { limit, max_len: limit, max_headers, position: 0, line_start: 0, lines: 0 }
    }

    /// True until the first line of the head is complete.
    pub(super) fn is_in_first_line(&self) -> bool {
        self.lines == 0
    }

    /// Takes a complete head out of `input`, and nothing of what follows it, and returns what `read` makes of it.
    pub(crate) fn receive<T>(
        &mut self,
        input: &mut Input,
        read: impl FnOnce(RawHead<'_>) -> Result<T, HandshakeError>,
    ) -> Result<Option<T>, HandshakeError> {
        let unread = input.unread();
        if self.advance(&unread[..unread.len().min(self.max_len)])? {
            let len = self.position;
            let result = read(RawHead::new(&unread[..len], self.lines));
            input.consume(len);
            // Whatever head comes next shares the limit.
            *self = Self { max_len: self.max_len - len, position: 0, line_start: 0, lines: 0, ..*self };
            result.map(Some)
        } else if unread.len() > self.max_len {
            Err(HandshakeError::HeadTooLong { limit: self.limit })
        } else if input.is_eof() {
            Err(HandshakeError::UnexpectedEof)
        } else {
            Ok(None)
        }
    }

    /// Goes on over the bytes that have arrived; true if the head ends at the position that is reached.
    fn advance(&mut self, bytes: &[u8]) -> Result<bool, HandshakeError> {
        while let Some(control) = bytes.get(self.position..).and_then(find_control) {
            let control = self.position + control;
            match bytes[control..] {
                [b'\r', b'\n', ..] => {
                    self.position = control + 2;
                    if control == self.line_start {
                        return Ok(true);
                    }
                    self.line_start = self.position;
                    self.lines += 1;
                    // The first line is no header.
                    if self.lines - 1 > self.max_headers {
                        return Err(HandshakeError::TooManyHeaders { limit: self.max_headers });
                    }
                }
                // Once more when it is known what follows.
                [b'\r'] => {
                    self.position = control;
                    return Ok(false);
                }
                // CR and LF stand only together.
                [b'\r' | b'\n' | b'\0', ..] => return Err(malformed(bytes)),
                _ => self.position = control + 1,
            }
        }
        self.position = self.position.max(bytes.len());
        Ok(false)
    }
}

/// Where the first control character is, which every line end is, found eight bytes at a time.
fn find_control(bytes: &[u8]) -> Option<usize> {
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    const TOP_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

    let (words, rest) = bytes.as_chunks();
    for (index, &word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(word);
        // The lowest of these bits is that of the first byte below a space: a borrow reaches only the bytes above that.
        let below = word.wrapping_sub(SPACES) & !word & TOP_BITS;
        if below != 0 {
            return Some(8 * index + below.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|&byte| byte < b' ').map(|at| 8 * words.len() + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_character_is_found_wherever_it_is_and_nothing_else_is() {
        for around in [b'a', b' ', b'\x7f', b'\xff'] {
            for byte in 0..=u8::MAX {
                for at in 0..20 {
                    let mut text = [around; 20];
                    text[at] = byte;
                    assert_eq!(find_control(&text), (byte < b' ').then_some(at), "{byte} at {at}");
                    // Nor does what follows it hide it.
                    text[at..].fill(byte);
                    assert_eq!(find_control(&text), (byte < b' ').then_some(at), "{byte} from {at}");
                }
            }
        }
        assert_eq!(find_control(b""), None);
    }
}
