//! What a socket wrote, made comparable: without the client's nonce and masking keys, which are others every time.

use std::ops::Range;

/// What a socket wrote, byte for byte, with zeroes for the nonce and the masking keys, and the payload unmasked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub bytes: Vec<u8>,
    /// The whole frames in it, from the first byte to the last: opcode and place of the payload.
    frames: Vec<(u8, Range<usize>)>,
    /// The length of the HTTP head, and of the whole frames behind it.
    whole_len: usize,
}

impl Written {
    /// Reads what was written from the start of a connection, with an opening handshake or without.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        let is_http = bytes.starts_with(b"GET ") || bytes.starts_with(b"HTTP/");
        let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
        let mut written = match (is_http, head_end) {
            (false, _) => Self::default(),
            (true, Some(len)) => Self { whole_len: len, ..Self::default() },
            (true, None) => Self { whole_len: bytes.len(), ..Self::default() },
        };
        if let Some(at) = find(&bytes[..written.whole_len], b"Sec-WebSocket-Key: ") {
            let end = bytes.len().min(at + 24);
            bytes[at..end].fill(0);
        }
        // Behind the head of a refusal is its body.
        if is_http && bytes.starts_with(b"HTTP/") && !bytes.starts_with(b"HTTP/1.1 101 ") {
            written.whole_len = bytes.len();
        }
        while let Some((opcode, payload)) = unmask(&mut bytes[written.whole_len..]) {
            let payload = written.whole_len + payload.start..written.whole_len + payload.end;
            written.whole_len = payload.end;
            written.frames.push((opcode, payload));
        }
        Self { bytes, ..written }
    }

    /// The whole frames: first byte and payload.
    pub fn frames(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.frames.iter().map(|(first, payload)| (*first, &self.bytes[payload.clone()]))
    }

    /// True if this is where `whole` begins: nothing is missing, doubled or out of order, and at most the last frame is cut.
    pub fn is_start_of(&self, whole: &Self) -> bool {
        whole.bytes.starts_with(&self.bytes)
    }

    /// True if the last frame is whole.
    pub fn is_whole(&self) -> bool {
        self.whole_len == self.bytes.len()
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted).map(|at| at + wanted.len())
}

/// Unmasks the first frame, and zeroes its key, as far as they are there; if it is whole, returns its first byte and where the payload is.
fn unmask(bytes: &mut [u8]) -> Option<(u8, Range<usize>)> {
    let &[first, second, ..] = &*bytes else { return None };
    let len_len = match second & 0x7F {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let len_bytes = bytes.get(2..2 + len_len)?;
    let len = len_bytes.iter().fold(0, |len, &byte| len << 8 | usize::from(byte));
    let len = if len_len == 0 { usize::from(second & 0x7F) } else { len };
    let mut start = 2 + len_len;
    if second & 0x80 != 0 {
        let end = bytes.len().min(start + 4);
        let key: Vec<u8> = bytes[start..end].to_vec();
        bytes[start..end].fill(0);
        start += 4;
        for (byte, key) in bytes.iter_mut().skip(start).take(len).zip(key.iter().cycle()) {
            *byte ^= key;
        }
    }
    let payload = start..start + len;
    (payload.end <= bytes.len()).then_some((first, payload))
}
