//! Compressed messages of any bytes, for this library and for `miniz_oxide`: the same text, and what is invalid is invalid for both.
#![no_main]

use libfuzzer_sys::fuzz_target;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use tidewire::{Config, Event, Input, ProtocolError};
use tidewire_fuzz::{Data, TAIL, agreement, append, connection, frames};

/// The limit of a message.
const MAX_LEN: usize = 300_000;

const BINARY: u8 = 2;

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let (flags, bits) = (data.byte(), 8 + data.byte() % 8);
    let (is_server, takeover) = (flags & 1 != 0, flags & 2 == 0);
    let key = is_server.then_some([0x37, 0xFA, 0x21, 0x3D]);
    let config = Config::new().with_max_message_len(MAX_LEN);
    let mut connection = connection(is_server, config).with_agreement(agreement(bits, takeover));
    let mut theirs = Theirs { window_len: 1 << bits, takeover, window: Vec::new() };
    let mut input = Input::new();
    while !data.0.is_empty() {
        let (payload, cuts) = (payload(&mut data), data.cuts());
        input.extend_from_slice(&frames(BINARY, key, &payload, cuts));
        let expected = theirs.inflate(&payload);
        match (connection.receive(&mut input), expected) {
            (Ok(Some(Event::Binary(text))), Ok(expected)) => assert!(text == expected, "another text"),
            (Err(ProtocolError::InvalidDeflate), Err(Invalid::Deflate)) => return,
            (Err(ProtocolError::MessageTooLong { .. }), Err(Invalid::TooLong)) => return,
            (ours, theirs) => panic!("{ours:?} and {:?} of {payload:02x?}", theirs.map(|text| text.len())),
        }
    }
});

/// Pieces: bytes as they are, and what a compressor makes of them.
fn payload(data: &mut Data<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    for _ in 0..1 + data.byte() % 4 {
        let (form, len) = (data.byte(), data.byte());
        let bytes = data.slice(len.into());
        match form & 3 {
            0 => payload.extend_from_slice(bytes),
            1 => payload.extend(bytes.repeat(usize::from(form >> 2))),
            _ => append(&mut payload, &bytes.repeat(usize::from(form >> 2)), form >> 3, form & 3 == 3),
        }
    }
    // A tail that is left in is one of the errors.
    if data.byte() & 7 != 0 && payload.ends_with(&TAIL) {
        payload.truncate(payload.len() - TAIL.len());
    }
    payload
}

#[derive(Debug)]
enum Invalid {
    Deflate,
    TooLong,
}

/// The receiving side of one direction.
struct Theirs {
    window_len: usize,
    takeover: bool,
    window: Vec<u8>,
}

impl Theirs {
    /// The text of a message (RFC 7692 7.2.2).
    fn inflate(&mut self, payload: &[u8]) -> Result<Vec<u8>, Invalid> {
        if !self.takeover {
            self.window.clear();
        }
        let (mut text, mut rest, mut retold_len) = (Vec::new(), payload, 0);
        let mut stream = Stream::new(&self.window, MAX_LEN);
        loop {
            let (status, taken) = stream.feed(rest, 0);
            rest = &rest[taken..];
            if text.len() + stream.text().len() > MAX_LEN {
                return Err(Invalid::TooLong);
            }
            if status != TINFLStatus::Done {
                stream.end(status)?;
            }
            text.extend_from_slice(stream.text());
            self.window.extend_from_slice(stream.text());
            self.window.drain(..self.window.len().saturating_sub(self.window_len));
            if status != TINFLStatus::Done || rest.is_empty() {
                return Ok(text);
            }
            // RFC 7692 7.2.3.4: another stream begins, with the window. A peer that makes more work than it sends is refused.
            retold_len += self.window.len();
            if retold_len > (64 << 10) + 128 * (payload.len() - rest.len()) {
                return Err(Invalid::Deflate);
            }
            stream = Stream::new(&self.window, MAX_LEN - text.len());
        }
    }
}

struct Stream {
    engine: DecompressorOxide,
    /// A window, the text, and room.
    out: Vec<u8>,
    start: usize,
    end: usize,
}

impl Stream {
    /// With room for one byte above `max_len`.
    fn new(window: &[u8], max_len: usize) -> Self {
        let mut out = window.to_vec();
        out.resize(window.len() + max_len + 1, 0);
        Self { engine: DecompressorOxide::new(), out, start: window.len(), end: window.len() }
    }

    fn text(&self) -> &[u8] {
        &self.out[self.start..self.end]
    }

    fn feed(&mut self, bytes: &[u8], flags: u32) -> (TINFLStatus, usize) {
        let flags = flags | TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, taken, made) = decompress(&mut self.engine, bytes, &mut self.out, self.end, flags);
        self.end += made;
        (status, taken)
    }

    /// What a message lacks at its end ends an empty block, and nothing comes of it.
    fn end(&mut self, status: TINFLStatus) -> Result<(), Invalid> {
        let end = self.end;
        let is_whole = status == TINFLStatus::NeedsMoreInput
            && matches!(
                self.feed(&TAIL, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY),
                (TINFLStatus::BlockBoundary | TINFLStatus::Done, 4)
            );
        if is_whole && self.end == end { Ok(()) } else { Err(Invalid::Deflate) }
    }
}
