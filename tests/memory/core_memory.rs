//! What hostile and idle peers cost in bytes of heap, counted exactly.

use std::sync::Arc;

use bytes::Buf;
use tidewire::{Config, Connection, Event, Input, ProtocolError, SendError};

use support::counting::Meter;
use support::wire::{self, BINARY, CONTINUATION, FIN, Length, PING, Role, TEXT};

const KIB: usize = 1024;

/// A connection that reads as an adapter does: into the space of its input, and whatever comes.
struct Side {
    connection: Connection,
    input: Input,
    writes: bool,
    events: usize,
}

impl Side {
    fn new(role: Role, config: Config) -> Self {
        Self { connection: role.connection(config), input: Input::new(), writes: true, events: 0 }
    }

    /// The peer never reads, so the output is never drained.
    fn without_writing(self) -> Self {
        Self { writes: false, ..self }
    }

    fn read(&mut self, mut bytes: &[u8]) -> Result<(), ProtocolError> {
        while !bytes.is_empty() {
            let space = self.input.space();
            let len = bytes.len().min(space.len());
            space[..len].copy_from_slice(&bytes[..len]);
            self.input.filled(len);
            bytes = &bytes[len..];
            while self.connection.receive(&mut self.input)?.is_some() {
                self.events += 1;
            }
            if self.writes {
                let output = self.connection.output();
                output.advance(output.remaining());
            }
        }
        Ok(())
    }

    /// Reads `frame` `count` times, as much at once as there is room, so that reads end anywhere in a frame.
    fn read_repeated(&mut self, frame: &[u8], count: usize) -> Result<(), ProtocolError> {
        let (mut at, mut missing) = (0, frame.len() * count);
        while missing > 0 {
            let space = self.input.space();
            let len = missing.min(space.len());
            for byte in &mut space[..len] {
                *byte = frame[at];
                at = (at + 1) % frame.len();
            }
            self.input.filled(len);
            missing -= len;
            while self.connection.receive(&mut self.input)?.is_some() {
                self.events += 1;
            }
            if self.writes {
                let output = self.connection.output();
                output.advance(output.remaining());
            }
        }
        Ok(())
    }

    /// Puts the side to rest between two messages.
    fn rest(&mut self) {
        self.connection.release();
        self.input.shrink();
        drop(self.input.release());
    }
}

#[test]
fn a_million_pings_cost_the_high_water_mark_when_the_peer_never_reads() -> Result<(), ProtocolError> {
    for (role, payload_len) in [(Role::Server, 8), (Role::Client, 0), (Role::Client, 125)] {
        let ping = wire::ping(role, vec![b'p'; payload_len]);
        let count = if payload_len == 125 { 50_000 } else { 1_000_000 };
        let meter = Meter::new();
        let mut side = Side::new(role, Config::new()).without_writing();
        side.read_repeated(&ping, count)?;
        assert_eq!(side.events, count);
        assert!(side.connection.output().len() <= 64 * KIB + 2 * 139);
        drop(side);
        meter.report("ping flood");
        assert!(meter.peak() <= 256 * KIB, "{}", meter.peak());
        assert_eq!(meter.retained(), 0);
    }
    Ok(())
}

#[test]
fn a_message_in_fragments_moves_a_number_of_times_that_grows_with_its_logarithm() -> Result<(), ProtocolError>
{
    for role in Role::BOTH {
        for len in [10 * KIB, 20 * KIB, 40 * KIB, 100 * KIB] {
            let fragment = wire::frame(role, CONTINUATION, vec![b'f'; len]);
            let mut side = Side::new(role, Config::new());
            side.read(&wire::frame(role, BINARY, ""))?;
            let meter = Meter::new();
            side.read_repeated(&fragment, (16 << 20) / len)?;
            assert!(meter.allocations() <= 10, "{} for fragments of {len}", meter.allocations());
        }
    }
    Ok(())
}

/// What the masking keys of a connection begin with.
fn seed_len(role: Role) -> usize {
    if role == Role::Client { 32 } else { 0 }
}

#[test]
fn a_flood_of_pings_that_are_answered_leaves_nothing() -> Result<(), ProtocolError> {
    for role in Role::BOTH {
        let ping = wire::ping(role, "ping");
        let meter = Meter::new();
        let mut side = Side::new(role, Config::new());
        side.read_repeated(&ping, 100_000)?;
        side.rest();
        meter.report("answered pings");
        assert!(meter.peak() <= 256 * KIB, "{}", meter.peak());
        assert_eq!(meter.retained(), seed_len(role));
    }
    Ok(())
}

#[test]
fn a_header_that_announces_the_world_costs_nothing_until_it_arrives() -> Result<(), ProtocolError> {
    let generous = Config::new().with_max_frame_len(usize::MAX).with_max_message_len(usize::MAX);
    let chunk = [b'x'; 1000];
    for role in Role::BOTH {
        for first in [FIN | BINARY, BINARY, FIN | TEXT, TEXT] {
            let header = wire::header(first, Length::Eight(1 << 62), role.key().map(|_| [0; 4]));
            let meter = Meter::new();
            let mut side = Side::new(role, generous);
            side.read(&header)?;
            assert!(meter.peak() <= 64 * KIB + seed_len(role), "{}", meter.peak());
            for received in (1..=1000).map(|count| count * chunk.len()) {
                side.read(&chunk)?;
                // The message, at most doubled, and the same again while it moves to more room.
                let (retained, peak) = (meter.retained(), meter.peak());
                assert!(retained <= 2 * received + 128 * KIB, "{retained} for {received}");
                assert!(peak <= 3 * received + 128 * KIB, "{peak} for {received}");
            }
            meter.report("2^62 bytes announced, 10^6 arrived");
            drop(side);
            assert_eq!(meter.retained(), 0);
        }
    }
    Ok(())
}

#[test]
fn a_header_above_the_limit_costs_one_read() {
    for role in Role::BOTH {
        for first in [FIN | BINARY, FIN | TEXT] {
            let mut bytes = wire::header(first, Length::Eight(1 << 62), role.key());
            bytes.resize(2_000_000, b'x');
            let meter = Meter::new();
            let mut side = Side::new(role, Config::new());
            let error = ProtocolError::MessageTooLong { len: 1 << 62, max: Config::new().max_message_len() };
            assert_eq!(side.read(&bytes), Err(error));
            // Whatever else comes is discarded.
            for _ in 0..10 {
                assert_eq!(side.read(&bytes), Err(error));
            }
            let output = side.connection.output();
            output.advance(output.remaining());
            side.rest();
            meter.report("refused header");
            assert!(meter.peak() <= 256 * KIB, "{}", meter.peak());
            assert!(meter.retained() <= 4 * KIB, "{}", meter.retained());
        }
    }
}

#[test]
fn a_million_empty_fragments_cost_nothing() -> Result<(), ProtocolError> {
    for (role, first) in [(Role::Server, BINARY), (Role::Client, TEXT), (Role::Client, BINARY)] {
        let empty = wire::frame(role, CONTINUATION, "");
        for start in ["", "a"] {
            let meter = Meter::new();
            let mut side = Side::new(role, Config::new());
            side.read(&wire::frame(role, first, start))?;
            side.read_repeated(&empty, 1_000_000)?;
            side.read(&wire::frame(role, FIN | CONTINUATION, "b"))?;
            assert_eq!(side.events, 1);
            side.rest();
            meter.report("empty fragments");
            assert!(meter.peak() <= 256 * KIB, "{}", meter.peak());
            assert!(meter.retained() <= 4 * KIB, "{}", meter.retained());
        }
    }
    Ok(())
}

#[test]
fn pings_inside_an_unfinished_message_cost_nothing() -> Result<(), ProtocolError> {
    for role in Role::BOTH {
        for first in [BINARY, TEXT] {
            let ping = wire::frame(role, FIN | PING, "between");
            let meter = Meter::new();
            let mut side = Side::new(role, Config::new());
            side.read(&wire::frame(role, first, "a"))?;
            side.read_repeated(&ping, 100_000)?;
            side.read(&wire::frame(role, FIN | CONTINUATION, "b"))?;
            assert_eq!(side.events, 100_001);
            side.rest();
            meter.report("pings between fragments");
            assert!(meter.peak() <= 256 * KIB, "{}", meter.peak());
            assert!(meter.retained() <= 4 * KIB, "{}", meter.retained());
        }
    }
    Ok(())
}

#[test]
fn fragments_of_one_byte_retain_about_their_payload() -> Result<(), ProtocolError> {
    const COUNT: usize = 131_072;
    for role in Role::BOTH {
        for first in [BINARY, TEXT] {
            let one = wire::frame(role, CONTINUATION, "x");
            let meter = Meter::new();
            let mut side = Side::new(role, Config::new());
            side.read(&wire::frame(role, first, ""))?;
            side.read_repeated(&one, COUNT)?;
            meter.report("one-byte fragments");
            assert!(meter.retained() <= 2 * COUNT + 64 * KIB, "{}", meter.retained());
            assert!(meter.peak() <= 3 * COUNT + 128 * KIB, "{}", meter.peak());
            side.read(&wire::frame(role, FIN | CONTINUATION, ""))?;
            assert_eq!(side.events, 1);
            side.rest();
            assert!(meter.retained() <= 4 * KIB, "{}", meter.retained());
        }
    }
    Ok(())
}

#[test]
fn a_frame_that_arrives_byte_by_byte_retains_about_its_length() -> Result<(), ProtocolError> {
    const LEN: usize = 300_000;
    for role in Role::BOTH {
        for first in [BINARY, TEXT] {
            let frame = wire::frame(role, FIN | first, vec![b'x'; LEN]);
            let (last, rest) = frame.split_last().expect("not empty");
            let meter = Meter::new();
            let mut side = Side::new(role, Config::new());
            for byte in rest {
                side.read(core::slice::from_ref(byte))?;
            }
            meter.report("byte by byte");
            assert!(meter.retained() <= 2 * LEN + 128 * KIB, "{}", meter.retained());
            assert!(meter.peak() <= 3 * LEN + 128 * KIB, "{}", meter.peak());
            side.read(core::slice::from_ref(last))?;
            assert_eq!(side.events, 1);
            side.rest();
            assert!(meter.retained() <= 4 * KIB, "{}", meter.retained());
        }
    }
    Ok(())
}

#[test]
fn a_sender_whose_peer_never_reads_is_refused_at_the_limit() {
    for role in Role::BOTH {
        let message = [b'm'; 1000];
        let meter = Meter::new();
        let mut connection = role.connection(Config::new().with_max_output_len(64 * KIB));
        let refused = core::iter::repeat_with(|| connection.send(&message)).take(10_000);
        assert_eq!(refused.filter(|sent| *sent == Err(SendError::OutputFull)).count(), 10_000 - 66);
        meter.report("output limit");
        assert!(meter.peak() <= 256 * KIB, "{}", meter.peak());
        drop(connection);
        assert_eq!(meter.retained(), 0);
    }
}

#[test]
fn a_long_message_that_a_program_shares_is_not_copied_for_a_client() {
    const LEN: usize = 64 * KIB;

    let text: Arc<str> = "x".repeat(LEN).into();
    let payload: Arc<[u8]> = vec![7; LEN].into();
    let mut server = Connection::server(Config::new());
    let meter = Meter::new();
    server.send(&text).expect("room");
    server.send(&payload).expect("room");
    assert!(meter.peak() < LEN, "{}", meter.peak());
    assert_eq!(server.output().remaining(), 2 * (LEN + 10));
}

#[test]
fn an_output_keeps_its_storage_until_it_is_released() {
    for len in [100, 64 * KIB, 1024 * KIB] {
        let message = vec![b'm'; len];
        let meter = Meter::new();
        let mut server = Connection::server(Config::new());
        server.send(&message).expect("room");
        let output = server.output();
        output.advance(output.remaining() - 1);
        server.release();
        assert!(meter.retained() >= len, "{} is still owed", meter.retained());
        server.output().advance(1);
        assert!(meter.retained() >= len, "{} is kept", meter.retained());
        server.release();
        assert_eq!(meter.retained(), 0);
    }
}

/// Receives one message from `bytes`, in reads of at most 64 KiB, and echoes it from where it lies.
fn echo(connection: &mut Connection, input: &mut Input, bytes: &[u8]) {
    let mut echoed = 0;
    for read in bytes.chunks(64 * KIB) {
        input.extend_from_slice(read);
        match connection.receive(input).expect("valid") {
            Some(Event::Text(text)) => connection.send(text).expect("room"),
            Some(Event::Binary(payload)) => connection.send(payload).expect("room"),
            Some(other) => panic!("unexpected {other:?}"),
            None => continue,
        }
        echoed += 1;
    }
    assert_eq!(echoed, 1);
    assert!(connection.receive(input).expect("valid").is_none());
    let output = connection.output();
    output.advance(output.remaining());
}

#[test]
fn an_echo_in_steady_state_allocates_nothing() {
    for role in Role::BOTH {
        for len in [0, 16, 125, KIB, 16 * KIB, 64 * KIB, 1024 * KIB] {
            for first in [TEXT, BINARY] {
                let bytes = wire::frame(role, FIN | first, vec![b'e'; len]);
                let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
                // Enough for the buffers to have reached their final size.
                for _ in 0..200 {
                    echo(&mut connection, &mut input, &bytes);
                }
                let meter = Meter::new();
                for _ in 0..1000 {
                    echo(&mut connection, &mut input, &bytes);
                }
                assert_eq!((meter.allocations(), meter.peak()), (0, 0), "{role:?}, {len}");
            }
        }
    }
}

#[test]
fn a_fragmented_echo_of_text_lends_what_it_assembled_without_allocating() {
    for role in Role::BOTH {
        let bytes =
            [wire::frame(role, TEXT, [b'e'; 500]), wire::frame(role, FIN | CONTINUATION, [b'e'; 500])]
                .concat();
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        let mut receive = || {
            input.extend_from_slice(&bytes);
            match connection.receive(&mut input).expect("valid") {
                Some(Event::Text(text)) => connection.send(&text).expect("room"),
                other => panic!("unexpected {other:?}"),
            }
            let output = connection.output();
            output.advance(output.remaining());
        };
        (0..200).for_each(|_| receive());
        let meter = Meter::new();
        (0..1000).for_each(|_| receive());
        assert_eq!((meter.allocations(), meter.peak()), (0, 0), "{role:?}");
    }
}

#[test]
fn an_owned_message_in_steady_state_takes_one_allocation() {
    for role in Role::BOTH {
        for len in [0, 16, 600, 4095, 4096, 16 * KIB, 64 * KIB, 1024 * KIB] {
            for first in [TEXT, BINARY] {
                let bytes = wire::frame(role, FIN | first, vec![b'o'; len]);
                let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
                let mut receive = || {
                    let mut owned = None;
                    for read in bytes.chunks(64 * KIB) {
                        input.extend_from_slice(read);
                        let event = connection.receive(&mut input).expect("valid");
                        owned = event.and_then(Event::into_message);
                    }
                    assert_eq!(owned.expect("a message").len(), len);
                };
                for _ in 0..10 {
                    receive();
                }
                let meter = Meter::new();
                for _ in 0..10 {
                    receive();
                }
                // Of nothing there is nothing to own.
                let expected = if len == 0 { 0 } else { 10 };
                assert_eq!(meter.allocations(), expected, "{role:?}, {first}, {len}");
            }
        }
    }
}

#[test]
fn a_text_that_is_taken_leaves_memory_of_its_length_up_to_a_mebibyte() {
    for role in Role::BOTH {
        for (len, left) in [(100 * KIB, 100 * KIB), (1024 * KIB, 1024 * KIB), (1024 * KIB + 1, 0)] {
            let bytes = wire::frame(role, FIN | TEXT, vec![b't'; len]);
            let meter = Meter::new();
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            let mut owned = None;
            for read in bytes.chunks(64 * KIB) {
                input.extend_from_slice(read);
                owned = connection.receive(&mut input).expect("valid").and_then(Event::into_message);
            }
            assert_eq!(owned.expect("a message").len(), len);
            drop(input.release());
            assert_eq!(meter.retained(), left + seed_len(role), "{role:?}, {len}");
        }
    }
}

#[test]
fn messages_that_are_kept_retain_at_most_twice_their_bytes() {
    const COUNT: usize = 10_000;
    for role in Role::BOTH {
        for (first, len) in [(TEXT, 600), (BINARY, 600), (TEXT, 70_000), (BINARY, 70_000)] {
            let count = COUNT * 600 / len;
            let mut bytes = wire::frame(role, FIN | first, vec![b'k'; len]);
            // Two fragments as well.
            bytes.extend(wire::frame(role, first, vec![b'k'; len / 2]));
            bytes.extend(wire::frame(role, FIN | CONTINUATION, vec![b'k'; len / 2]));
            let mut kept = Vec::with_capacity(2 * count);
            let meter = Meter::new();
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            for _ in 0..count {
                input.extend_from_slice(&bytes);
                while let Some(event) = connection.receive(&mut input).expect("valid") {
                    kept.push(event.into_message().expect("a message"));
                }
            }
            drop((connection, input));
            let len = kept.iter().map(tidewire::Message::len).sum::<usize>();
            assert_eq!(kept.len(), 2 * count);
            assert!(meter.retained() <= 2 * len, "{} for {len}", meter.retained());
        }
    }
}

#[test]
fn a_ping_in_steady_state_allocates_nothing() {
    for role in Role::BOTH {
        let bytes = wire::ping(role, [b'p'; 125]);
        let mut side = Side::new(role, Config::new());
        let mut read = || (0..100).for_each(|_| side.read_repeated(&bytes, 10).expect("valid"));
        // Enough for the buffers to have reached their final size.
        read();
        let meter = Meter::new();
        read();
        assert_eq!((meter.allocations(), meter.peak()), (0, 0), "{role:?}");
    }
}

#[test]
fn an_idle_connection_holds_no_heap_but_the_seed_of_a_client() {
    for role in Role::BOTH {
        let small = wire::text(role, "small");
        let meter = Meter::new();
        let mut connection = role.connection(Config::new());
        let mut input = Input::new();
        assert_eq!((meter.retained(), meter.peak()), (seed_len(role), seed_len(role)), "{role:?}: new");
        echo(&mut connection, &mut input, &small);
        assert!(meter.retained() > seed_len(role));
        connection.release();
        drop(input.release());
        assert_eq!(meter.retained(), seed_len(role), "{role:?}: after a small echo");
    }
}

/// Moves what one side owes to the other, which takes it as parts; tells the length of them, and whether the last was the last.
fn transfer_parts(from: &mut Connection, to: &mut Connection, input: &mut Input) -> (usize, bool) {
    let (mut received, mut ended) = (0, false);
    let output = from.output();
    while output.has_remaining() {
        let chunk = output.chunk();
        let space = input.space();
        let len = chunk.len().min(space.len());
        space[..len].copy_from_slice(&chunk[..len]);
        input.filled(len);
        output.advance(len);
        while let Some(event) = to.receive(input).expect("valid") {
            let (len, is_last) = match event {
                Event::TextPart(part) => (part.len(), part.is_last()),
                Event::BinaryPart(part) => (part.len(), part.is_last()),
                other => panic!("unexpected {other:?}"),
            };
            assert!(!ended, "something after the end");
            (received, ended) = (received + len, is_last);
        }
    }
    (received, ended)
}

#[test]
fn a_message_of_a_gibibyte_passes_in_parts_through_the_memory_of_a_read() {
    const GIB: usize = 1 << 30;
    let parts = Config::new().with_parts(true).with_max_message_len(GIB);
    let part = vec![b'p'; 64 * KIB];
    let meter = Meter::new();
    let mut server = Connection::server(Config::new());
    let (mut client, mut input) = (Connection::client(parts, [7; 32]), Input::new());
    let mut received = 0;
    for sent in (1..=GIB / part.len()).map(|count| count * part.len()) {
        server.send_fragment(&part, sent == GIB).expect("room");
        let (len, ended) = transfer_parts(&mut server, &mut client, &mut input);
        received += len;
        assert_eq!((received, ended), (sent, sent == GIB));
    }
    meter.report("a gibibyte in parts");
    assert!(meter.peak() <= 256 * KIB, "{}", meter.peak());
    assert_eq!(client.receive(&mut input).map(|event| event.is_none()), Ok(true));
}

#[test]
fn a_frame_of_64_mebibytes_passes_in_parts_through_the_memory_of_a_read() -> Result<(), ProtocolError> {
    const LEN: usize = 64 << 20;
    let config = Config::new().with_parts(true).with_max_frame_len(LEN);
    let chunk = wire::masked("0123456789abcdef".repeat(64).as_bytes(), Some([1, 2, 3, 4]));
    for first in [FIN | BINARY, FIN | TEXT] {
        let meter = Meter::new();
        let (mut server, mut input) = (Connection::server(config), Input::new());
        input.extend_from_slice(&wire::header(first, Length::Eight(LEN as u64), Some([1, 2, 3, 4])));
        let (mut received, mut is_over) = (0, false);
        for _ in 0..LEN / chunk.len() {
            input.extend_from_slice(&chunk);
            while let Some(event) = server.receive(&mut input)? {
                let (part, is_last) = match &event {
                    Event::TextPart(part) => (part.as_bytes(), part.is_last()),
                    Event::BinaryPart(part) => (&**part, part.is_last()),
                    other => panic!("unexpected {other:?}"),
                };
                assert!(part.starts_with(b"0123456789abcdef") && !is_over);
                (received, is_over) = (received + part.len(), is_last);
            }
        }
        assert_eq!((received, is_over), (LEN, true));
        meter.report("64 MiB in parts");
        assert!(meter.peak() <= 256 * KIB, "{}", meter.peak());
    }
    Ok(())
}
