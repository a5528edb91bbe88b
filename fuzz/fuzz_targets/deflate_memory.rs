//! Compressed messages, made or any bytes: the heap follows the limit and not what they inflate to, and neither how they are cut nor whether
//! they are delivered in parts makes a difference.
#![no_main]

use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use tidewire::{Agreement, Config, Event, Input, ProtocolError};
use tidewire_fuzz::{Cuts, Data, Heap, Seen, agreement, compressed_stream, connection, drain};

/// What is there besides a message: an engine and another one that waits, a window, a part, and what has been read.
const BUFFERS_LEN: usize = 2 * (64 << 10) + (32 << 10) + (32 << 10) + 2 * Heap::READ_LEN + Heap::LITTLE_LEN;

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let (flags, bits, limit) = (data.byte(), data.byte(), data.byte());
    let cuts = data.cuts();
    let is_server = flags & 1 != 0;
    let stream = compressed_stream(&mut data, is_server);
    let max_message_len = match flags >> 1 & 3 {
        0 => limit.into(),
        1 => usize::from(limit) * 300,
        _ => (1 << 20) + usize::from(limit) * 4096,
    };
    let run = Run {
        is_server,
        config: Config::new().with_max_message_len(max_message_len),
        agreement: agreement(8 + bits % 8, flags & 8 == 0),
        stream: &stream,
    };
    let whole = run.receive(Cuts::WHOLE, false);
    assert_eq!(run.receive(cuts, false), whole);
    let in_parts = run.receive(cuts, true);
    assert_eq!((&in_parts.events, in_parts.error), (&whole.events, whole.error));
});

struct Run<'d> {
    is_server: bool,
    config: Config,
    agreement: Agreement,
    stream: &'d [u8],
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// What was received, and of a long message its length and its sum.
    events: Vec<Digest>,
    error: Option<ProtocolError>,
    output: Vec<u8>,
}

/// An event without its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Digest {
    Control(Seen),
    Message { is_text: bool, len: usize, sum: u64 },
}

impl Run<'_> {
    fn receive(&self, cuts: Cuts<'_>, parts: bool) -> Outcome {
        let config = self.config.with_parts(parts);
        let mut connection = connection(self.is_server, config).with_agreement(self.agreement);
        let mut outcome = Outcome { events: Vec::with_capacity(1 << 12), error: None, output: Vec::new() };
        let (mut len, mut sum) = (0, 0);
        let mut input = Input::new();
        let heap = Heap::new();
        let message_len = if parts { 0 } else { self.config.max_message_len() / 2 * 3 };
        // A message that is not compressed lies in the storage, and a pong in the output.
        let max_len = BUFFERS_LEN + message_len + 6 * self.stream.len();
        for chunk in cuts.of(self.stream) {
            input.extend_from_slice(chunk);
            loop {
                let received = connection.receive(&mut input);
                let event = match received {
                    Ok(Some(event)) => event,
                    Ok(None) => break,
                    Err(error) => {
                        outcome.error = Some(error);
                        break;
                    }
                };
                let mut add = |bytes: &[u8]| {
                    assert!(!parts || bytes.len() <= 64 << 10, "a part is no longer than a read");
                    len += bytes.len();
                    assert!(len <= self.config.max_message_len(), "{len} bytes are above the limit");
                    sum =
                        bytes.iter().fold(sum, |sum: u64, &byte| (sum ^ u64::from(byte)).wrapping_mul(PRIME));
                };
                let ended = match &event {
                    Event::Text(text) => (add(text.as_bytes()), true, true),
                    Event::Binary(payload) => (add(payload), false, true),
                    Event::TextPart(part) => (add(part.as_bytes()), true, part.is_last()),
                    Event::BinaryPart(part) => (add(part), false, part.is_last()),
                    _ => {
                        outcome.events.push(Digest::Control(event.into()));
                        continue;
                    }
                };
                if let ((), is_text, true) = ended {
                    outcome.events.push(Digest::Message { is_text, len, sum });
                    (len, sum) = (0, 0);
                }
            }
            heap.assert_peak_at_most(max_len);
            if connection.output().remaining() > 1 << 10 {
                outcome.output.extend(drain(connection.output()));
            }
        }
        outcome.output.extend(drain(connection.output()));
        if connection.is_closed() {
            // A connection that is over has neither an engine nor a window.
            let _ = connection.receive(&mut input);
            connection.release();
            drop(input.release());
            heap.assert_at_most((64 << 10) + 2 * Heap::LITTLE_LEN + 4 * self.stream.len());
        }
        outcome
    }
}

const PRIME: u64 = 0x0000_0100_0000_01B3;
