//! What compression costs in bytes of heap: nothing until it is used, the window after it, and an engine during a message.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Buf;
use support::counting::Meter;
use support::deflate::{Blocks, json};
use support::wire::{BINARY, CONTINUATION, FIN, Role, TEXT, frame};
use tidewire::handshake::negotiate;
use tidewire::{
    Agreement, Config, Connection, Deflate, Event, Input, Outgoing, Prepared, ProtocolError, Timestamp,
};

const KIB: usize = 1024;

const RSV1: u8 = 0x40;

/// The engines belong to the process, so only one test at a time counts what they take.
fn alone() -> MutexGuard<'static, ()> {
    static ENGINES: Mutex<()> = Mutex::new(());
    ENGINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A message of `1 + 258 * copies` bytes, a thousandth as long.
fn bomb(copies: usize) -> Vec<u8> {
    // RFC 1951 3.2.6: 285 is 258 bytes, from one back.
    let start = Blocks::new().fixed("x", &[], false).bits(0, 1).bits(1, 2);
    (0..copies).fold(start, |blocks, _| blocks.bits(0b1010_0011, 8).bits(0, 5)).bits(0, 7).end()
}

fn agreed(deflate: &Deflate, offer: &str) -> Agreement {
    negotiate::deflate(deflate, &[offer]).expect("grammar").expect("an agreement")
}

fn take(connection: &mut Connection) -> Vec<u8> {
    let output = connection.output();
    output.copy_to_bytes(output.remaining()).into()
}

/// Both sides of a connection, and what they read into.
struct Pair {
    sides: [(Connection, Input); 2],
}

impl Pair {
    fn new(agreement: Agreement) -> Self {
        Self {
            sides: [Role::Client, Role::Server]
                .map(|role| (role.connection(Config::new()).with_agreement(agreement), Input::new())),
        }
    }

    /// `len` bytes of text in each direction.
    fn talk(&mut self, seed: usize, len: usize) {
        let text = json(seed, len);
        for _ in 0..2 {
            let [(sender, _), (receiver, input)] = &mut self.sides;
            sender.send(&text).expect("open");
            input.extend_from_slice(&take(sender));
            assert!(matches!(receiver.receive(input), Ok(Some(Event::Text(received))) if received == text));
            self.sides.reverse();
        }
    }

    /// As an adapter does between messages.
    fn rest(&mut self) {
        for (connection, input) in &mut self.sides {
            connection.release();
            input.shrink();
            drop(input.release());
        }
    }
}

/// The engines of the process, and what lazily comes with them, are there before anything is counted.
fn warm_up(agreement: Agreement) {
    let mut pair = Pair::new(agreement);
    (0..3).for_each(|seed| pair.talk(seed, 3000));
}

#[test]
fn what_a_connection_keeps_of_compressed_messages() {
    let _alone = alone();
    let both =
        |bits| format!("permessage-deflate; server_max_window_bits={bits}; client_max_window_bits={bits}");
    let widest = Deflate::new().with_window_bits(15).with_peer_window_bits(15);
    let takes_over_none = "; server_no_context_takeover; client_no_context_takeover";
    // What both sides keep together: each has a window for either direction.
    for (deflate, offer, max_each_way) in [
        (Deflate::new(), both(15), 4 * KIB),
        (widest, both(9), 512),
        (widest, both(12), 4 * KIB),
        (widest, both(15), 32 * KIB),
        (widest, both(15) + takes_over_none, 0),
    ] {
        let agreement = agreed(&deflate, &offer);
        warm_up(agreement);
        let plain = Meter::new();
        let mut without = [Role::Client, Role::Server].map(|role| role.connection(Config::new()));
        let plain = plain.retained();
        without.iter_mut().for_each(Connection::release);

        let meter = Meter::new();
        let mut pair = Pair::new(agreement);
        // Agreed on and not used: nothing more than without.
        assert_eq!(meter.retained(), plain, "{offer}");
        for seed in 0..30 {
            pair.talk(seed, 3000);
        }
        pair.rest();
        let kept = meter.retained() - plain;
        let max = 4 * max_each_way;
        // 64 bytes to hold a window together, in each of the four.
        assert!(kept <= max + if max > 0 { 4 * 64 } else { 0 }, "{offer}: {kept}");
        assert!(kept >= max, "{offer}: {kept}");
        if offer == both(15) && deflate == Deflate::new() {
            // One side, by the defaults, with a peer that allows 12 bits.
            assert!(kept / 2 <= 8 * KIB + 512, "{kept}");
        }
        // Takeover goes on after the rest.
        pair.talk(7, 3000);
        drop(pair);
        assert_eq!(meter.retained(), 0);
    }
}

#[test]
fn short_conversations_keep_what_they_said() {
    let _alone = alone();
    let agreement = agreed(&Deflate::new(), "permessage-deflate");
    warm_up(agreement);
    let meter = Meter::new();
    let mut pair = Pair::new(agreement);
    pair.talk(1, 200);
    pair.rest();
    // Two windows of 200 bytes on each side, and the masking keys.
    assert!(meter.retained() <= 4 * (200 + 64) + 64, "{}", meter.retained());
}

#[test]
fn a_message_under_way_has_an_engine() {
    let _alone = alone();
    let agreement = agreed(&Deflate::new(), "permessage-deflate");
    for role in Role::BOTH {
        let begun = frame(role, RSV1 | TEXT, Blocks::new().stored("begun", false).bytes());
        let ended = frame(role, FIN | CONTINUATION, [0x00]);
        let begin = || {
            let mut connection = role.connection(Config::new()).with_agreement(agreement);
            let mut input = Input::new();
            input.extend_from_slice(&begun);
            assert!(matches!(connection.receive(&mut input), Ok(None)));
            connection
        };
        // As many engines as the machine runs threads may wait for work.
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let others: Vec<_> = (0..threads).map(|_| begin()).collect();
        let mut connections = Vec::with_capacity(10);
        let meter = Meter::new();
        connections.extend((0..10).map(|_| begin()));
        let each = meter.retained() / connections.len();
        assert!((62 * KIB..66 * KIB).contains(&each), "{each}");
        for connection in &mut connections {
            let mut input = Input::new();
            input.extend_from_slice(&ended);
            // The text of the beginning is gone with its input.
            let _ = connection.receive(&mut input);
        }
        // What stays are a few words of history each, and those engines that may wait.
        let left = meter.retained();
        assert!(left <= threads * 68 * KIB + connections.len() * 128, "{left}");
        drop(others);
        // As many wait as threads may want one at once.
        let mut others = Vec::with_capacity(threads);
        let meter = Meter::new();
        others.extend((0..threads).map(|_| begin()));
        assert!(meter.retained() <= threads * KIB, "{}", meter.retained());
        drop(others);

        // A frame that is not whole has none as long as less than 16 KiB of it wait.
        let mut connection = role.connection(Config::new()).with_agreement(agreement);
        let long = frame(role, RSV1 | BINARY, Blocks::new().stored([7; 60_000], false).bytes());
        let meter = Meter::new();
        let mut input = Input::new();
        input.extend_from_slice(&long[..15 * KIB]);
        assert!(matches!(connection.receive(&mut input), Ok(None)));
        assert!(meter.retained() <= 65 * KIB, "{}", meter.retained());
    }
}

#[test]
fn a_bomb_costs_the_limit_and_a_constant() {
    let _alone = alone();
    let agreement = agreed(&Deflate::new(), "permessage-deflate");
    // 64 MiB of one character each, in 400 KB.
    let bomb = bomb(260_000);
    for role in Role::BOTH {
        for (kind, max) in [
            (TEXT, 1 << 20),
            (BINARY, 1 << 20),
            (TEXT, 100 * KIB),
            (BINARY, 0),
            // Memory that only doubled would be just short of these, and there twice.
            (TEXT, 1_100_000),
            (BINARY, 1_100_000),
        ] {
            for cut in [bomb.len(), 700] {
                let config = Config::new().with_max_message_len(max);
                let mut connection = role.connection(config).with_agreement(agreement);
                let (now, later) = bomb.split_at(cut);
                let mut bytes = frame(role, if later.is_empty() { FIN } else { 0 } | RSV1 | kind, now);
                bytes.extend(frame(role, FIN | CONTINUATION, later));
                let meter = Meter::new();
                let mut input = Input::new();
                let mut outcome = Ok(false);
                for chunk in bytes.chunks(16 * KIB) {
                    input.extend_from_slice(chunk);
                    outcome = connection.receive(&mut input).map(|event| event.is_some());
                    if outcome.is_err() {
                        break;
                    }
                }
                assert_eq!(outcome, Err(ProtocolError::MessageTooLong { len: max as u64 + 1, max }));
                // While the message grows, the last two sizes of its memory count both.
                let peak = meter.peak();
                assert!(peak <= max * 3 / 2 + 256 * KIB, "{peak} for {max}");
            }
        }
        // In parts it costs no more than one of them.
        let config = Config::new().with_max_message_len(usize::MAX).with_parts(true);
        let mut connection = role.connection(config).with_agreement(agreement);
        let bytes = frame(role, FIN | RSV1 | BINARY, &bomb);
        let meter = Meter::new();
        let (mut input, mut len) = (Input::new(), 0);
        for chunk in bytes.chunks(16 * KIB) {
            input.extend_from_slice(chunk);
            while let Some(event) = connection.receive(&mut input).expect("valid") {
                let Event::BinaryPart(part) = event else { panic!("{event:?}") };
                len += part.len();
            }
        }
        assert_eq!(len, 1 + 258 * 260_000);
        assert!(meter.peak() <= 256 * KIB, "{}", meter.peak());
    }
}

#[test]
fn text_and_bytes_use_the_same_memory_in_turn() {
    let _alone = alone();
    let agreement = agreed(&Deflate::new(), "permessage-deflate");
    // One message that is nearly as long as the limit, and one that is short.
    let (max, long, short) = (1_100_000, bomb(4200), bomb(10));
    for role in Role::BOTH {
        let config = Config::new().with_max_message_len(max);
        let mut connection = role.connection(config).with_agreement(agreement);
        let meter = Meter::new();
        let mut input = Input::new();
        for (kind, message) in
            [(TEXT, &long), (BINARY, &long), (TEXT, &short), (BINARY, &short), (TEXT, &long)]
        {
            input.extend_from_slice(&frame(role, FIN | RSV1 | kind, message));
            assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
        }
        assert!(meter.peak() <= max * 3 / 2 + 256 * KIB, "{}", meter.peak());
        // Another one of the same type finds the memory of the last one.
        for kind in [TEXT, BINARY] {
            for is_second in [false, true] {
                let meter = Meter::new();
                input.extend_from_slice(&frame(role, FIN | RSV1 | kind, &long));
                assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
                assert!(!is_second || meter.peak() <= 128 * KIB, "{}", meter.peak());
            }
        }
    }
}

#[test]
fn a_message_has_memory_of_its_length_or_twice_that() {
    let _alone = alone();
    let agreement = agreed(&Deflate::new(), "permessage-deflate");
    // In one piece it has that and three bytes, which may begin a character. Half the limit is no reason to take all of it.
    for (len, max, most) in [
        (1000, 1 << 20, 1003),
        (997, 2000, 1000),
        (998, 2000, 2000),
        (20_000, 1 << 20, 40_000),
        (40_000, 1 << 20, 80_000),
    ] {
        for role in Role::BOTH {
            for kind in [TEXT, BINARY] {
                let config = Config::new().with_max_message_len(max);
                let mut connection = role.connection(config).with_agreement(agreement);
                let message = Blocks::new().stored(vec![b'x'; len], false).end();
                let mut input = Input::new();
                input.extend_from_slice(&frame(role, FIN | RSV1 | kind, message));
                assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
                drop(input.release());
                let before = support::counting::live();
                drop(input);
                let held = before - support::counting::live();
                assert!((len..=most).contains(&held), "{held} for {len}");
            }
        }
    }
}

#[test]
fn what_was_inflated_is_given_back_with_the_input() {
    let _alone = alone();
    let agreement = agreed(&Deflate::new(), "permessage-deflate");
    for role in Role::BOTH {
        for kind in [TEXT, BINARY] {
            let mut connection = role.connection(Config::new()).with_agreement(agreement);
            let mut input = Input::new();
            input.extend_from_slice(&frame(role, FIN | RSV1 | kind, bomb(8000)));
            assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
            let meter = Meter::new();
            input.shrink();
            drop(input.release());
            let before = support::counting::live();
            drop(input);
            // Nothing was left to be dropped with it.
            assert_eq!(support::counting::live(), before);
            assert_eq!(meter.retained(), 0);
        }
    }
}

/// A way in which a connection ends.
type End<'e> = &'e dyn Fn(&mut Connection, &mut Input);

#[test]
fn a_connection_that_is_over_keeps_nothing_of_what_was_said() {
    let _alone = alone();
    let widest = Deflate::new().with_window_bits(15).with_peer_window_bits(15);
    let agreement = agreed(&widest, "permessage-deflate; client_max_window_bits");
    let text = json(1, 40_000);
    let said = text.as_bytes().chunks(20_000).fold(Blocks::new(), |blocks, text| blocks.stored(text, false));
    let config = Config::new()
        .with_max_message_len(1 << 20)
        .with_keepalive(Duration::from_secs(20), Duration::from_secs(20));
    for role in Role::BOTH {
        // Both windows are full, and a message is under way.
        let begin = |input: &mut Input| {
            let mut connection = role.connection(config).with_agreement(agreement);
            connection.send(&text).expect("open");
            drop(take(&mut connection));
            input.extend_from_slice(&frame(role, FIN | RSV1 | TEXT, said.clone().end()));
            assert!(matches!(connection.receive(input), Ok(Some(_))));
            input.extend_from_slice(&frame(role, RSV1 | TEXT, said.clone().bytes()));
            assert!(matches!(connection.receive(input), Ok(None)));
            connection
        };
        let ends: [End<'_>; 4] = [
            &|connection, input| {
                input.extend_from_slice(&frame(role, FIN | 0x8, ""));
                assert!(matches!(connection.receive(input), Ok(Some(Event::Close(None)))));
            },
            &|connection, input| {
                input.extend_from_slice(&frame(role, FIN | 0x3, ""));
                assert_eq!(connection.receive(input).map(|_| ()), Err(ProtocolError::ReservedOpCode(3)));
            },
            &|connection, input| {
                input.extend_from_slice(&frame(role, FIN | CONTINUATION, bomb(10_000)));
                assert!(matches!(connection.receive(input), Err(ProtocolError::MessageTooLong { .. })));
            },
            &|connection, _| {
                let mut now = Timestamp::default();
                while connection.timed_out().is_none() {
                    now = connection.poll_timeout(now).expect("a deadline");
                    let _ = connection.handle_timeout(now);
                    drop(take(connection));
                }
            },
        ];
        for (n, end) in ends.iter().enumerate() {
            let over = || {
                let mut input = Input::new();
                let mut connection = begin(&mut input);
                end(&mut connection, &mut input);
                let _ = connection.receive(&mut input);
                drop(take(&mut connection));
                connection.release();
                drop(input.release());
                (connection, input)
            };
            // The engines are there.
            drop(over());
            let meter = Meter::new();
            let ended = over();
            assert!(meter.retained() <= KIB, "{role:?}, {n}: {}", meter.retained());
            drop(ended);
            assert_eq!(meter.retained(), 0);
        }
        // What this side will not send any more refers to nothing.
        let mut input = Input::new();
        let mut connection = begin(&mut input);
        let before = support::counting::live();
        connection.close(None);
        drop(take(&mut connection));
        connection.release();
        let freed = before - support::counting::live();
        assert!(freed >= 32 * KIB - 256, "{freed}");
        assert_eq!(connection.agreement(), Some(agreement));
    }
}

#[test]
fn a_prepared_message_is_compressed_for_the_first_peer_and_shared_with_the_others() {
    let _alone = alone();
    let agreement = agreed(&Deflate::new(), "permessage-deflate; client_max_window_bits");
    let mut peers = [(); 3].map(|()| Role::Server.connection(Config::new()).with_agreement(agreement));
    let prepared = Prepared::new(json(4, 200 * KIB));
    let costs = peers.each_mut().map(|peer| {
        let meter = Meter::new();
        peer.send(&prepared).expect("open");
        meter.retained()
    });
    let compressed_len = peers[0].output().remaining();
    assert!(peers.iter_mut().all(|peer| peer.output().remaining() == compressed_len));
    assert!((10 * KIB..100 * KIB).contains(&compressed_len), "{compressed_len}");
    assert!(costs[0] >= compressed_len && costs[1..].iter().all(|cost| *cost < 8 * KIB), "{costs:?}");
}

#[test]
fn messages_share_engines_and_buffers() {
    let _alone = alone();
    let agreement = agreed(&Deflate::new(), "permessage-deflate; client_max_window_bits");
    for role in Role::BOTH {
        // What a message allocates for a moment, the second time.
        let peak = |len: usize| {
            let text = json(2, len);
            let mut connection = role.connection(Config::new()).with_agreement(agreement);
            connection.send(&text).expect("open");
            drop(take(&mut connection));
            let meter = Meter::new();
            connection.send(&text).expect("open");
            meter.peak()
        };
        // Neither an engine of more than 100 KiB nor a buffer.
        for len in [3000, 50_000, 58_198] {
            assert!(peak(len) <= 32 * KIB, "{len}: {}", peak(len));
        }
        // A longer buffer does not stay.
        assert!(peak(58_200) > 64 * KIB, "{}", peak(58_200));
        let mut connection = role.connection(Config::new()).with_agreement(agreement);
        connection.send(json(3, 3000)).expect("open");
        let meter = Meter::new();
        connection.send(json(3, 1 << 20)).expect("open");
        drop(take(&mut connection));
        connection.release();
        assert!(meter.retained() <= 8 * KIB, "{}", meter.retained());

        // What cannot be compressed takes an eighth more at most while it is tried.
        let noise = support::wire::noise(400_000);
        let meter = Meter::new();
        connection.send(Outgoing::from(&noise).with_compression(true)).expect("open");
        let owed = take(&mut connection).len();
        drop(connection);
        let peak = meter.peak() - owed;
        assert!(peak <= noise.len() / 8 * 9 + noise.len() / 8 * 9 + 64 * KIB, "{peak} for {owed}");
    }
}
