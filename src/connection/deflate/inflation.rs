//! [`Inflation`]: compressed messages of the peer (RFC 7692 7.2.2).

use alloc::boxed::Box;
use core::ops::Range;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::engines::Engines;
use super::history::History;
use super::{Direction, Past, TAIL};
use crate::config::deflate::{Agreement, WINDOW_BITS};

/// As much is inflated at once.
const TILE_LEN: usize = 16 << 10;

/// The window of every engine.
const ENGINE_WINDOW_BITS: u8 = *WINDOW_BITS.end();

/// The end of the last empty block, and a byte that belongs to no block: the message is whole if that byte alone is left over.
const END: [u8; TAIL.len() + 1] = [TAIL[0], TAIL[1], TAIL[2], TAIL[3], 0x55];

/// How many bytes of history may be told again to an engine for each byte that arrives, because a peer ends its streams with BFINAL.
const MAX_RETOLD: u64 = 128;

static INFLATERS: Engines<Inflater> = Engines::new();

/// So much may be told again in any case.
const RETOLD_LEN: u64 = 64 << 10;

/// The receiving side of permessage-deflate.
pub(crate) struct Inflation {
    agreement: Agreement,
    direction: Direction,
    past: Option<Box<Past>>,
    /// The engine of the message under way: the middle of a block cannot be rebuilt from the history.
    inflater: Option<Box<Inflater>>,
    progress: Progress,
}

/// How much of the frame under way has been processed that is still unread.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) unmasked_len: usize,
    /// Of what is unmasked.
    pub(crate) inflated_len: usize,
}

struct Inflater {
    engine: Inflate,
    /// RFC 7692 7.2.3.4: a block with BFINAL has ended the stream. What follows begins another one.
    has_ended: bool,
    /// The last tile was full, so more may come without another byte.
    is_full: bool,
    /// How much of the message it has got.
    taken_len: u64,
    retold_len: u64,
    tile: [u8; TILE_LEN],
}

/// The compressed data is not DEFLATE, or the message ends before its data does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidDeflate;

/// What [`Inflation::inflate`] did.
pub(crate) struct Inflated<'t> {
    /// How much compressed data it took.
    pub(crate) taken: usize,
    pub(crate) text: &'t [u8],
    /// True if all was taken, and nothing more comes of it. What is invalid lies behind the text.
    pub(crate) is_complete: Result<bool, InvalidDeflate>,
}

impl Inflation {
    /// For what a server or a client sends.
    pub(crate) fn new(agreement: Agreement, from_server: bool) -> Self {
        let direction = Direction::new(agreement, from_server);
        Self { agreement, direction, past: None, inflater: None, progress: Progress::default() }
    }

    pub(crate) fn agreement(&self) -> Agreement {
        self.agreement
    }

    pub(crate) fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }

    /// Inflates the next bytes of a message, of which `is_end` tells that they are the last: at most a tile of text, and one byte more than
    /// `max_len` at most.
    pub(crate) fn inflate(&mut self, compressed: &[u8], is_end: bool, max_len: usize) -> Inflated<'_> {
        let mut inflater = match self.inflater.take() {
            Some(inflater) => inflater,
            None => self.take_inflater(),
        };
        let window_len = self.direction.window_len();
        let history = &mut self.past.get_or_insert_default().history;
        let max_len = max_len.saturating_add(1).min(TILE_LEN);
        let (taken, len, is_complete) = inflater.run(compressed, is_end, max_len, (history, window_len));
        let inflater = self.inflater.insert(inflater);
        Inflated { taken, text: &inflater.tile[..len], is_complete }
    }

    /// The message is whole: its engine is free for others.
    pub(crate) fn end_message(&mut self) {
        let Some(inflater) = self.inflater.take() else { return };
        if !self.direction.takeover {
            self.past = None;
        }
        // An engine that has come to the end of a stream has to begin anew. One with a window of another length knows more than the peer may
        // refer to: whether a reference is valid must not depend on the engine.
        let may_go_on = !inflater.has_ended && self.direction.window_bits == ENGINE_WINDOW_BITS;
        let past = self.past.as_mut().filter(|_| may_go_on);
        let stream = past.and_then(|past| INFLATERS.number(&mut past.stream));
        INFLATERS.give_back(inflater, stream);
    }

    /// Nothing more is received.
    pub(crate) fn abandon(&mut self) {
        if let Some(inflater) = self.inflater.take() {
            INFLATERS.give_back(inflater, None);
        }
        self.past = None;
    }

    fn take_inflater(&self) -> Box<Inflater> {
        let (mut inflater, knows_history) = match INFLATERS.take(Past::stream(&self.past), |_| true) {
            Some(found) => found,
            None => (Box::new(Inflater::new()), false),
        };
        inflater.is_full = false;
        (inflater.taken_len, inflater.retold_len) = (0, 0);
        if !knows_history {
            inflater.restart(Past::history(&self.past));
        }
        inflater
    }
}

impl Inflater {
    fn new() -> Self {
        Self {
            engine: Inflate::new(false, ENGINE_WINDOW_BITS),
            has_ended: false,
            is_full: false,
            taken_len: 0,
            retold_len: 0,
            tile: [0; TILE_LEN],
        }
    }

    /// Begins a stream that may refer to `history`.
    fn restart(&mut self, history: Option<&History>) {
        self.engine.reset(false);
        self.has_ended = false;
        for piece in history.iter().flat_map(|history| history.pieces()).filter(|piece| !piece.is_empty()) {
            // Raw DEFLATE takes one at any time.
            let told = self.engine.set_dictionary(piece);
            debug_assert!(told.is_ok());
        }
    }

    /// Fills the tile as far as `max_len` from `compressed`, and behind the last of it from [`END`]. Returns how much was taken, how much came
    /// of it, and whether that is all.
    fn run(
        &mut self,
        compressed: &[u8],
        is_end: bool,
        max_len: usize,
        (history, window_len): (&mut History, usize),
    ) -> (usize, usize, Result<bool, InvalidDeflate>) {
        let (mut taken, mut len) = (0, 0);
        let is_complete = loop {
            if len == max_len {
                break Ok(false);
            }
            let rest = &compressed[taken..];
            if rest.is_empty() && !self.is_full {
                let is_owed = is_end && !self.has_ended;
                break if is_owed { self.run_end(len..max_len).map(|()| true) } else { Ok(true) };
            }
            if self.has_ended
                && let Err(invalid) = self.restart_within(history)
            {
                break Err(invalid);
            }
            let (used, made, result) = self.decompress(rest, len..max_len, InflateFlush::NoFlush);
            history.push(&self.tile[len..len + made], window_len);
            taken += used;
            len += made;
            self.taken_len += used as u64;
            self.is_full = len == max_len && !self.has_ended;
            if let Err(invalid) = result {
                break Err(invalid);
            }
        };
        (taken, len, is_complete)
    }

    /// RFC 7692 7.2.2: appends to the message what its sender took from its end. All that the message itself holds has been inflated before, so
    /// text that comes of these bytes is not the sender's.
    fn run_end(&mut self, place: Range<usize>) -> Result<(), InvalidDeflate> {
        let (used, made, result) = self.decompress(&END, place, InflateFlush::Block);
        if used == TAIL.len() && made == 0 { result } else { Err(InvalidDeflate) }
    }

    /// Begins another stream within a message. A peer that does so all the time makes more work than it sends.
    fn restart_within(&mut self, history: &History) -> Result<(), InvalidDeflate> {
        self.retold_len += history.len() as u64;
        if self.retold_len > RETOLD_LEN + MAX_RETOLD * self.taken_len {
            return Err(InvalidDeflate);
        }
        self.restart(Some(history));
        Ok(())
    }

    /// How much it took, and how much it wrote, before what is invalid too.
    fn decompress(
        &mut self,
        compressed: &[u8],
        place: Range<usize>,
        flush: InflateFlush,
    ) -> (usize, usize, Result<(), InvalidDeflate>) {
        let (total_in, total_out) = (self.engine.total_in(), self.engine.total_out());
        let status = self.engine.decompress(compressed, &mut self.tile[place], flush);
        self.has_ended = status == Ok(Status::StreamEnd);
        let (used, made) = (self.engine.total_in() - total_in, self.engine.total_out() - total_out);
        // Neither is longer than what it was given.
        (used as usize, made as usize, status.map(|_| ()).map_err(|_| InvalidDeflate))
    }
}
