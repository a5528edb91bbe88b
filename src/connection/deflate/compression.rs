//! [`Compression`]: messages of this side (RFC 7692 7.2.1).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use std::sync::OnceLock;

use bytes::Bytes;
use zlib_rs::{DeflateConfig, DeflateFlush};

use super::engines::{Engines, Stream};
use super::history::History;
use super::{Direction, Past, TAIL};
use crate::config::deflate::Agreement;

/// The window of a [`Prepared`](crate::Prepared) message.
const PREPARED_WINDOW_BITS: u8 = 12;

/// An engine keeps no longer buffer than this.
const MAX_KEPT_LEN: usize = 64 << 10;

static DEFLATERS: Engines<Deflater> = Engines::new();

/// The sending side of permessage-deflate.
pub(crate) struct Compression {
    agreement: Agreement,
    direction: Direction,
    past: Option<Box<Past>>,
}

/// What an engine is made for: it works for nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Settings {
    level: u8,
    window_bits: u8,
}

/// An engine, and what it made of the last message.
pub(crate) struct Deflater {
    engine: zlib_rs::Deflate,
    settings: Settings,
    /// Initialised once, when it is allocated.
    buffer: Vec<u8>,
    len: usize,
}

impl Compression {
    /// For what a server or a client sends.
    pub(crate) fn new(agreement: Agreement, from_server: bool) -> Self {
        let mut direction = Direction::new(agreement, from_server);
        direction.window_bits = direction.window_bits.min(agreement.own.window_bits);
        direction.takeover &= agreement.own.takeover;
        Self { agreement, direction, past: None }
    }

    /// True for a message of this length, if it says nothing else itself.
    pub(crate) fn is_worth(&self, len: usize) -> bool {
        len >= self.agreement.own.min_len as usize
    }

    pub(crate) fn agreement(&self) -> Agreement {
        self.agreement
    }

    /// Compresses a whole message. `None` if it does not get shorter, and `must` not be compressed all the same.
    pub(crate) fn compress_message(&mut self, payload: &[u8], must: bool) -> Option<Box<Deflater>> {
        let deflater = self.compress(payload, true);
        if deflater.len >= payload.len() && !must {
            // What is not sent compressed is in no window.
            deflater.give_back(None);
            return None;
        }
        if self.direction.takeover {
            self.remember(payload);
        }
        Some(deflater)
    }

    /// Compresses a fragment. It may refer to those before it.
    pub(crate) fn compress_fragment(&mut self, payload: &[u8], last: bool) -> Box<Deflater> {
        let deflater = self.compress(payload, last);
        self.remember(payload);
        if last {
            self.end_message();
        }
        deflater
    }

    /// The engine is free for others, since what it made is queued.
    pub(crate) fn give_back(&mut self, deflater: Box<Deflater>) {
        let past = self.past.as_mut();
        deflater.give_back(past.and_then(|past| DEFLATERS.number(&mut past.stream)));
    }

    /// The compressed form of a message that goes to many, if the window allows it: the peer's window holds it from now on.
    pub(crate) fn prepared<'p>(&mut self, once: &'p PreparedOnce, payload: &[u8]) -> Option<&'p Bytes> {
        if self.direction.window_bits < PREPARED_WINDOW_BITS {
            return None;
        }
        let compressed = once.get(self.agreement.own.level, payload)?;
        if self.direction.takeover {
            // No engine has seen it.
            self.remember(payload).stream = None;
        }
        Some(compressed)
    }

    /// Nothing more is sent.
    pub(crate) fn abandon(&mut self) {
        self.past = None;
    }

    fn compress(&mut self, payload: &[u8], last: bool) -> Box<Deflater> {
        let settings = Settings::new(self.agreement.own.level, self.direction.window_bits);
        let (mut deflater, knows_history) = Deflater::take(Past::stream(&self.past), settings);
        if !knows_history {
            deflater.restart(Past::history(&self.past));
        }
        deflater.compress(payload, last);
        deflater
    }

    fn remember(&mut self, payload: &[u8]) -> &mut Past {
        let past = self.past.get_or_insert_default();
        past.history.push(payload, self.direction.window_len());
        past
    }

    fn end_message(&mut self) {
        if !self.direction.takeover {
            self.past = None;
        }
    }
}

impl Settings {
    fn new(level: u8, window_bits: u8) -> Self {
        // zlib has no raw window of 8. With 9 it refers to nothing further back than 250 bytes, which a window of 8 holds.
        Self { level, window_bits: window_bits.max(9) }
    }

    /// zlib's own default for 15 bits. With a smaller window a block of 8 Ki symbols is enough. With one of 2 Ki, long messages take a tenth
    /// longer.
    fn mem_level(self) -> u8 {
        if self.window_bits == 15 { 8 } else { 7 }
    }
}

impl Deflater {
    /// What the last message was compressed to.
    pub(crate) fn compressed(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    fn new(settings: Settings) -> Self {
        let config = DeflateConfig {
            level: settings.level.into(),
            // Negative: without zlib's header.
            window_bits: -i32::from(settings.window_bits),
            mem_level: settings.mem_level().into(),
            ..DeflateConfig::default()
        };
        Self { engine: zlib_rs::Deflate::new_with_config(config), settings, buffer: Vec::new(), len: 0 }
    }

    fn take(stream: Option<Stream>, settings: Settings) -> (Box<Self>, bool) {
        let found = DEFLATERS.take(stream, |deflater| deflater.settings == settings);
        found.unwrap_or_else(|| (Box::new(Self::new(settings)), false))
    }

    fn give_back(mut self: Box<Self>, stream: Option<Stream>) {
        if self.buffer.len() > MAX_KEPT_LEN {
            (self.buffer, self.len) = (Vec::new(), 0);
        }
        DEFLATERS.give_back(self, stream);
    }

    /// Begins a stream that may refer to `history`.
    fn restart(&mut self, history: Option<&History>) {
        self.engine.reset();
        for piece in history.iter().flat_map(|history| history.pieces()).filter(|piece| !piece.is_empty()) {
            // Raw DEFLATE takes one between two blocks.
            let told = self.engine.set_dictionary(piece);
            debug_assert!(told.is_ok());
        }
    }

    /// Compresses all of `payload`, up to a whole byte. Without the tail at the end of a message.
    fn compress(&mut self, payload: &[u8], last: bool) {
        self.len = 0;
        if payload.is_empty() {
            // An engine that has nothing to flush writes nothing. RFC 7692 7.2.3.6: a byte of an empty block, of which the tail is the rest.
            if last {
                self.make_room(1);
                self.buffer[0] = 0x00;
                self.len = 1;
            }
            return;
        }
        // The longest code has 9 bits, and a place that is filled to its end would get a second empty block.
        self.make_room(payload.len() + payload.len() / 8 + 64);
        let mut taken = 0;
        loop {
            let (total_in, total_out) = (self.engine.total_in(), self.engine.total_out());
            let place = &mut self.buffer[self.len..];
            let place_len = place.len();
            let status = self.engine.compress(&payload[taken..], place, DeflateFlush::SyncFlush);
            debug_assert!(status.is_ok());
            let made = (self.engine.total_out() - total_out) as usize;
            taken += (self.engine.total_in() - total_in) as usize;
            self.len += made;
            if taken == payload.len() && made < place_len {
                break;
            }
            self.make_room(self.len + payload.len() + 64);
        }
        // RFC 7692 7.2.1: the end of the last empty block is not sent.
        if last && self.compressed().ends_with(&TAIL) {
            self.len -= TAIL.len();
        }
    }

    fn make_room(&mut self, len: usize) {
        if self.buffer.len() >= len {
            return;
        }
        let mut buffer = vec![0; len];
        buffer[..self.len].copy_from_slice(self.compressed());
        self.buffer = buffer;
    }
}

/// The compressed form of a message that goes to many, made for the first of them.
#[derive(Clone, Default)]
pub(crate) struct PreparedOnce(Arc<OnceLock<Option<Bytes>>>);

impl PreparedOnce {
    /// `None` if it does not get shorter.
    fn get(&self, level: u8, payload: &[u8]) -> Option<&Bytes> {
        let compress = || {
            // It refers to nothing before its own beginning. So it is right wherever it comes in a stream.
            let (mut deflater, _) = Deflater::take(None, Settings::new(level, PREPARED_WINDOW_BITS));
            deflater.restart(None);
            deflater.compress(payload, true);
            let compressed = deflater.compressed();
            let compressed = (compressed.len() < payload.len()).then(|| Bytes::copy_from_slice(compressed));
            deflater.give_back(None);
            compressed
        };
        self.0.get_or_init(compress).as_ref()
    }
}
