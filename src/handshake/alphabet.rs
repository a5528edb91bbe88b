//! Which characters stand where: each set as a table, since all of a head is compared with one or another.

/// RFC 9110 5.6.2: neither controls nor separators.
pub(super) static TOKEN: Alphabet = Alphabet::new(b"!#$%&'*+-.^_`|~");

/// RFC 3986 3.2.2: what stands in a registered name as it is.
pub(super) static NAME: Alphabet = Alphabet::new(b"-._~!$&'()*+,;=");

/// RFC 3986 3.3 and 3.4: what stands in a path or a query as it is.
pub(super) static RESOURCE: Alphabet = Alphabet::new(b"-._~!$&'()*+,;=:@/?");

/// RFC 4648 4: the digits of base64.
pub(super) static BASE64: Alphabet = Alphabet::new(b"+/");

/// The letters and digits of ASCII, and some more.
pub(super) struct Alphabet([bool; 256]);

impl Alphabet {
    const fn new(mut more: &[u8]) -> Self {
        let mut has = [false; 256];
        let mut byte = 0;
        while byte < has.len() {
            has[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        while let [byte, rest @ ..] = more {
            has[*byte as usize] = true;
            more = rest;
        }
        Self(has)
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    pub(super) fn has_all(&self, text: &[u8]) -> bool {
        text.iter().all(|&byte| self.has(byte))
    }

    /// How long the part of `text` is that this alphabet writes.
    pub(super) fn prefix_len(&self, text: &[u8]) -> usize {
        text.iter().take_while(|&&byte| self.has(byte)).count()
    }
}
