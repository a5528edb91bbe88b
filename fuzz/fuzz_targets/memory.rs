//! Bytes that are repeated for as long as a peer likes: what is held follows what has arrived of one message, and nothing else.
#![no_main]

use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use tidewire::{Config, Connection, Event, Input};
use tidewire_fuzz::{Data, Heap, connection, flag};

/// How much arrives at most.
const MAX_STREAM_LEN: usize = 256 << 10;

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let (flags, cuts) = (data.byte(), data.cuts());
    let (is_server, rounds, first_len) = (data.byte() & 1 != 0, data.byte(), data.byte());
    let first = data.slice(first_len.into());
    let repeated = data.stream(is_server);
    // A message begins before the repetition, so that a fragment can be what is repeated.
    let rounds = 1 + usize::from(rounds) * usize::from(rounds) / 4;
    let rounds = rounds.min(MAX_STREAM_LEN / repeated.len().max(1));
    let stream = [first, &repeated.repeat(rounds)].concat();

    let heap = Heap::new();
    let mut receiver = Receiver::new(is_server, flags);
    for chunk in cuts.of(&stream) {
        receiver.read(chunk);
        heap.assert_peak_at_most(receiver.max_peak_len());
        receiver.rest();
        heap.assert_at_most(receiver.max_len());
    }
    drop(receiver);
    heap.assert_at_most(0);
});

struct Receiver {
    is_server: bool,
    flags: u8,
    high_water_len: usize,
    connection: Connection,
    input: Input,
    /// What arrived since the last message.
    arrived: usize,
    /// The most that this was since the input was shrunk.
    longest: usize,
}

impl Receiver {
    fn new(is_server: bool, flags: u8) -> Self {
        let high_water_len = if flags & flag::SMALL_LIMITS == 0 { 64 << 10 } else { 200 };
        let config = Config::new().with_high_water_len(high_water_len);
        let connection = connection(is_server, config);
        let input = Input::new();
        Self { is_server, flags, high_water_len, connection, input, arrived: 0, longest: 0 }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn read(&mut self, chunk: &[u8]) {
        self.arrived += chunk.len();
        self.longest = self.longest.max(self.arrived);
        self.input.extend_from_slice(chunk);
        let (takes, drains) = (self.has(flag::TAKE), !self.has(flag::DRAIN_LATE));
        while let Ok(Some(event)) = self.connection.receive(&mut self.input) {
            match event {
                Event::Ping(payload) | Event::Pong(payload) => {
                    self.arrived -= 2 + if self.is_server { 4 } else { 0 } + payload.len();
                }
                Event::Close(_) => {}
                message => {
                    if takes {
                        drop(message.into_message());
                    }
                    self.arrived = self.input.unread().len();
                }
            }
            if drains {
                let output = self.connection.output();
                output.advance(output.remaining());
            }
        }
        if self.connection.is_closed() {
            let _ = self.connection.receive(&mut self.input);
            assert_eq!(self.input.unread(), b"", "what follows the end is thrown away");
            self.arrived = 0;
        }
    }

    /// Between two messages the input gives back what the longest has left behind.
    fn rest(&mut self) {
        if self.has(flag::SHRINK) && self.arrived == 0 {
            self.input.shrink();
            self.longest = 0;
        }
    }

    /// How much heap may be in use: a binary message may have left storage behind, and a text as much.
    fn max_len(&self) -> usize {
        // Output that is not drained may have grown to twice its length; a pong or a Close frame may be above the mark.
        Heap::READ_LEN + 2 * self.high_water_len + Heap::LITTLE_LEN + 4 * self.longest
    }

    /// How much may have been in use for a moment: storage is there twice while it moves.
    fn max_peak_len(&self) -> usize {
        self.max_len() + Heap::READ_LEN + self.high_water_len + 2 * self.longest
    }
}
