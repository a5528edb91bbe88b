//! What no contender can avoid.

use std::rc::Rc;

use bytes::Bytes;

use super::{Batch, Contender, Role, Tally};
use crate::bare::{parse, xor, xor_copy};
use crate::pipe::{Pipe, Sink};
use crate::table::{Column, Kind};
use crate::wire::{BINARY, KEY, MAX_HEADER_LEN, READ_LEN, TEXT, header};

pub(super) const PASSES: &str = "passes";

/// What fits the first-level cache beside its copy.
const TILE_LEN: usize = 8 << 10;

/// From here on, a payload goes to the socket from where it lies.
const CHAIN_LEN: usize = 4 << 10;

/// A frame longer than this is read to exactly its end, so that nothing behind it has to move.
const LARGE_LEN: usize = 16 << 10;

/// The passes over the bytes of all payloads, as if there were no frames.
pub(super) struct Passes;

impl Contender for Passes {
    fn column(&self) -> Column {
        Column { name: PASSES, kind: Kind::Floor }
    }

    fn setup(&self) -> &'static str {
        "the passes over the bytes that nobody can avoid, without frames: copy in, XOR with AVX2 or AVX-512, validation with \
         simdutf8; XOR and copy out"
    }

    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally> {
        let Batch { payload, count, .. } = batch;
        let (text, len, count) = (batch.opcode == TEXT, payload.len(), *count);
        // Of whole payloads, or whole parts of one: no character is cut.
        let tile_len = TILE_LEN.min(TILE_LEN / len * len).max(TILE_LEN.min(len));
        let mut masked = payload.repeat(count);
        masked.chunks_mut(tile_len).for_each(|tile| xor(tile, KEY));
        let source: Rc<[u8]> = masked.into();
        let expected = (batch.tally().edges, len * count);
        let mut buffer = vec![0; tile_len];
        Box::new(move || {
            for tile in source.chunks(tile_len) {
                let buffer = &mut buffer[..tile.len()];
                buffer.copy_from_slice(tile);
                xor(std::hint::black_box(&mut *buffer), KEY);
                assert!(!text || is_utf8(buffer));
                std::hint::black_box(buffer);
            }
            Tally { messages: count, bytes: expected.1, edges: expected.0 }
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        // One payload again and again, as the contenders have it, but as many at once as fit a tile.
        let at_once = (TILE_LEN / payload.len()).clamp(1, count);
        let source = payload.repeat(at_once);
        let mut masked = vec![0; TILE_LEN];
        Box::new(move || {
            for _ in 0..count / at_once {
                for tile in source.chunks(TILE_LEN) {
                    match role {
                        Role::Server => sink.write(tile),
                        Role::Client => {
                            xor_copy(&mut masked[..tile.len()], tile, KEY);
                            sink.write(&masked[..tile.len()]);
                        }
                    }
                }
            }
            sink.write(&source[..(count % at_once) * payload.len()]);
        })
    }
}

/// A frame loop with nothing in it that could refuse a frame.
pub(super) struct Bare;

impl Contender for Bare {
    fn column(&self) -> Column {
        Column { name: "bare", kind: Kind::Floor }
    }

    fn setup(&self) -> &'static str {
        "a loop over frames by hand: header, XOR in place as the payload arrives, simdutf8 over whole messages; no rule of the \
         protocol is checked, and the masking key is always the same. Reading less at once can be cheaper still, for those who \
         pay no system calls here"
    }

    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally> {
        let (text, count) = (batch.opcode == TEXT, batch.count);
        let mut reader = Reader {
            pipe: Pipe::source(batch.wire.clone()),
            buffer: vec![0; 2 * READ_LEN],
            start: 0,
            end: 0,
        };
        Box::new(move || {
            let mut tally = Tally::default();
            for _ in 0..count {
                let payload = reader.next();
                assert!(!text || is_utf8(payload));
                tally.add(payload);
            }
            tally
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        let (mut buffer, mut end) = (vec![0; READ_LEN + MAX_HEADER_LEN], 0);
        Box::new(move || {
            for _ in 0..count {
                let (header, header_len) = header(BINARY, payload.len(), role.choose(None, Some(KEY)));
                if end + header_len + payload.len() > READ_LEN || payload.len() >= CHAIN_LEN {
                    sink.write(&buffer[..end]);
                    end = 0;
                }
                // All of the array, since a copy of known length is cheaper than a shorter one.
                buffer[end..][..header.len()].copy_from_slice(&header);
                end += header_len;
                match role {
                    Role::Server if payload.len() >= CHAIN_LEN => {
                        sink.write(&buffer[..end]);
                        end = 0;
                        sink.write(&payload);
                    }
                    Role::Server => {
                        buffer[end..][..payload.len()].copy_from_slice(&payload);
                        end += payload.len();
                    }
                    Role::Client => {
                        for tile in payload.chunks(TILE_LEN) {
                            if end + tile.len() > 2 * TILE_LEN {
                                sink.write(&buffer[..end]);
                                end = 0;
                            }
                            xor_copy(&mut buffer[end..][..tile.len()], tile, KEY);
                            end += tile.len();
                        }
                    }
                }
            }
            sink.write(&buffer[..end]);
            end = 0;
        })
    }
}

struct Reader {
    pipe: Pipe,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Reader {
    fn next(&mut self) -> &[u8] {
        let (header_len, len, key) = loop {
            if let Some(header) = parse(&self.buffer[self.start..self.end]) {
                break header;
            }
            self.read(READ_LEN, 0);
        };
        let mut unmasked = 0;
        let payload = loop {
            let payload = self.start + header_len;
            let arrived = (self.end - payload).min(len);
            // In whole words of the key, so that it need not be turned, until the end.
            let whole = if arrived == len { len } else { arrived & !3 };
            xor(&mut self.buffer[payload + unmasked..payload + whole], key);
            unmasked = whole;
            if arrived == len {
                break payload;
            }
            self.read(if len > LARGE_LEN { len - arrived } else { READ_LEN }, header_len + len);
        };
        self.start = payload + len;
        &self.buffer[payload..self.start]
    }

    /// Reads at most `max_len`, with room for a frame of `frame_len`.
    fn read(&mut self, max_len: usize, frame_len: usize) {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() < frame_len + READ_LEN {
            self.buffer.resize(frame_len + READ_LEN, 0);
        }
        let read = self.pipe.next(max_len);
        self.buffer[self.end..][..read.len()].copy_from_slice(read);
        self.end += read.len();
    }
}

fn is_utf8(bytes: &[u8]) -> bool {
    simdutf8::basic::from_utf8(bytes).is_ok()
}
