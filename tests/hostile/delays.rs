//! Delays that are not the peer's: callers that were busy, pings that had to wait, and writes that get on byte by byte.

use tidewire::{Config, TimedOut, TransportAction};

use support::clock::{Clocked, secs};
use support::wire::{self, Role};

#[test]
fn a_peer_that_always_has_something_to_read_is_not_given_up_for_a_ping_that_waits() {
    for role in Role::BOTH {
        let config = Config::new().with_keepalive(secs(10), secs(4)).with_high_water_len(100);
        let mut it = Clocked::new(role, config);
        it.connection.send(&[0; 20_000]).expect("room");
        for second in 1..30 {
            // The peer reads steadily and has nothing to say, and the output never gets below the mark.
            it.connection.send(&[0; 1000]).expect("room");
            assert_eq!(it.at(f64::from(second)), Ok(()), "{role:?}, second {second}: not even asked yet");
            it.write_some(1000);
        }
        // The ping that was due after ten seconds is written now, and an answer is due.
        it.write_some(2000);
        assert_eq!(it.deadline(), Some(33.0));
        assert_eq!(it.at(33.0), Err(TimedOut::Keepalive));
    }
}

#[test]
fn pings_do_not_put_off_the_end_of_a_close() {
    for role in Role::BOTH {
        let config = Config::new().with_write_timeout(secs(30)).with_close_timeout(secs(10));
        let mut it = Clocked::new(role, config);
        let pings = wire::ping(role, [b'p'; 125]).repeat(10);
        (0..10).for_each(|_| drop(it.receive(&pings)));
        it.connection.close(None);
        // The peer reads 1000 bytes a second, and sends pings for more than that: something is always owed.
        let before_close = it.connection.output().len() as u32;
        let closed_at = before_close.div_ceil(1000);
        for second in 1..closed_at + 10 {
            assert_eq!(it.at(f64::from(second)), Ok(()), "{role:?}, second {second}");
            it.receive(&pings);
            it.write_some(1000);
        }
        assert_eq!(it.at(f64::from(closed_at + 10)), Err(TimedOut::Close), "{role:?}");
        assert_eq!(it.connection.transport_action(), TransportAction::Close);
    }
}

#[cfg(feature = "blocking")]
mod blocking {
    use core::time::Duration;

    use tidewire::blocking::WebSocket;
    use tidewire::{CloseCode, Config, Error, Input, ProtocolError};

    use support::blocking_stream::Scripted;
    use support::wire::{self, Role};

    const SHORT: Duration = Duration::from_millis(50);

    fn open(stream: &Scripted, role: Role, config: Config) -> WebSocket<Scripted> {
        WebSocket::from_parts(stream.clone(), role.connection(config), Input::new())
    }

    #[test]
    fn a_peer_that_reads_byte_by_byte_does_not_put_off_the_end_of_a_broken_connection() {
        for role in Role::BOTH {
            let broken = wire::frame(role, 0x83, "");
            let stream = Scripted::new(broken).without_end().with_lens(usize::MAX, 1);
            let stream = stream.with_pauses(Duration::ZERO, SHORT / 10);
            let config = Config::new().with_close_timeout(SHORT).with_write_timeout(SHORT);
            let mut socket = open(&stream, role, config);
            socket.queue(&[0; 600]).expect("room");
            let result = socket.recv();
            assert!(matches!(result, Err(Error::Protocol(ProtocolError::ReservedOpCode(3)))), "{result:?}");
            let written = stream.state().written.len();
            assert!(written < 300, "{role:?}: {written} bytes were waited for");
        }
    }

    #[test]
    fn a_thread_that_was_busy_finds_the_answer_to_its_close_frame_before_it_looks_at_the_deadline() {
        for role in Role::BOTH {
            let stream = Scripted::new(wire::text(role, "one")).without_end();
            let mut socket = open(&stream, role, Config::new().with_close_timeout(SHORT));
            socket.queue_close(CloseCode::NORMAL);
            assert_eq!(socket.recv().expect("a message"), Some("one".into()));
            stream.arrive(&wire::text(role, "two"));
            assert_eq!(socket.recv().expect("a message"), Some("two".into()));
            stream.arrive(&[wire::text(role, "three"), wire::close(role, 1000, "")].concat());
            stream.end();
            std::thread::sleep(2 * SHORT);
            assert_eq!(socket.recv().expect("a message"), Some("three".into()));
            assert_eq!(socket.recv().expect("closed"), None);
            assert!(socket.ending().is_some_and(|closure| closure.is_clean()), "{role:?}");
        }
    }
}

#[cfg(feature = "tokio")]
mod tokio {
    use core::time::Duration;

    use ::tokio::time::{advance, sleep, timeout};
    use tidewire::tokio::WebSocket;
    use tidewire::{CloseCode, Config, Input};

    use support::tokio_stream::{Peer, Script, Stream, block_on, scripted};
    use support::wire::{self, Role};

    const SECOND: Duration = Duration::from_secs(1);

    fn open(role: Role, config: Config, script: Script) -> (WebSocket<Stream>, Peer) {
        let (stream, peer) = scripted(script);
        (WebSocket::from_parts(stream, role.connection(config), Input::new()), peer)
    }

    #[test]
    fn a_task_that_was_busy_finds_the_answer_to_its_close_frame_before_it_looks_at_the_deadline() {
        for role in Role::BOTH {
            let (mut socket, peer) = open(role, Config::new().with_close_timeout(4 * SECOND), Script::SMOOTH);
            block_on(async {
                assert!(timeout(SECOND, socket.close(CloseCode::NORMAL)).await.is_err());
                // The answer arrives at once, but the task does something else for long.
                peer.send(wire::close(role, 1000, ""));
                peer.end();
                advance(100 * SECOND).await;
                let closed = socket.close(None).await;
                assert!(closed.is_ok(), "{role:?}: {closed:?}");
            });
            assert!(socket.ending().is_some_and(|closure| closure.is_clean()));
        }
    }

    #[test]
    fn a_peer_that_reads_a_stream_and_answers_pings_is_kept() {
        let config = Config::new();
        let (socket, peer) = open(Role::Server, config, Script::SMOOTH.with_capacity(100_000));
        let (mut reader, writer) = socket.split();
        block_on(async {
            let stream = async {
                loop {
                    // Longer than the high-water mark, and the next one as soon as there is room.
                    writer.feed(vec![0; 200_000]).await.expect("open");
                }
            };
            let listen = async {
                let (mut received, mut pings) = (Vec::new(), 0);
                for _ in 0..600 {
                    sleep(SECOND).await;
                    received.extend(peer.read());
                    while let Some(at) = received.windows(6).position(|bytes| bytes[..2] == [0x89, 4]) {
                        peer.send(wire::pong(Role::Server, &received[at + 2..at + 6]));
                        received.drain(..at + 6);
                        pings += 1;
                    }
                }
                pings
            };
            ::tokio::select! {
                biased;
                () = stream => {}
                received = reader.recv() => panic!("{received:?}"),
                pings = listen => assert!(pings >= 10, "{pings}"),
            }
        });
    }
}
