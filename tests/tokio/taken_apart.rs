//! A socket is made of parts and comes apart into them without losing a byte.

use std::time::Duration;

use bytes::Buf as _;
use tidewire::tokio::WebSocket;
use tidewire::{CloseCode, Config, Connection, Error, Input, State, TimedOut, Timestamp};
use tokio::task::spawn;
use tokio::time::{Instant, sleep, timeout};

use support::tokio_stream::{Script, Stream, block_on, scripted};
use support::tokio_wire::{PONG, Role, TEXT, frame};

#[test]
fn bytes_that_were_read_before_come_first() {
    let (stream, peer) = scripted(Script::SMOOTH);
    let mut input = Input::new();
    let early = Role::Server.frame(TEXT, "early");
    input.extend_from_slice(&early[..7]);
    peer.send(&early[7..]);
    let mut socket = WebSocket::from_parts(stream, Connection::server(Config::new()), input);
    assert_eq!(block_on(socket.recv()).unwrap(), Some("early".into()));
    assert!(socket.response().is_none() && socket.subprotocol().is_none());
}

#[test]
fn a_socket_that_is_taken_apart_and_put_together_goes_on() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH);
        peer.send([role.frame(TEXT, "one"), role.frame(TEXT, "two"), role.frame(0x01, "th")].concat());
        block_on(async {
            assert_eq!(socket.recv().await.unwrap(), Some("one".into()));
            socket.queue("queued").unwrap();
            let (stream, connection, input) = socket.into_parts();
            assert!(!input.unread().is_empty());
            let mut socket = WebSocket::from_parts(stream, connection, input);
            assert_eq!(socket.recv().await.unwrap(), Some("two".into()));
            peer.send(role.frame(0x80, "ree"));
            assert_eq!(socket.recv().await.unwrap(), Some("three".into()));
        });
        assert_eq!(role.frames(&peer.log()), [frame(TEXT, "queued")]);
    }
}

#[test]
fn a_round_trip_that_ended_before_is_not_made_longer() {
    for role in Role::BOTH {
        let (stream, _peer) = scripted(Script::SMOOTH);
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        let now = Timestamp::from_micros(0);
        connection.poll_timeout(now);
        connection.ping(b"own").unwrap();
        let output = connection.output();
        output.advance(output.remaining());
        connection.poll_timeout(now);
        input.extend_from_slice(&role.frame(PONG, "own"));
        assert!(connection.receive(&mut input).unwrap().is_some());
        // Nobody has told the time since.
        assert_eq!(connection.round_trip_time(), None);
        let mut socket = WebSocket::from_parts(stream, connection, input);
        block_on(async {
            timeout(Duration::from_secs(1), socket.recv()).await.unwrap_err();
            assert!(socket.round_trip_time().unwrap() < Duration::from_secs(1));
        });
    }
}

#[test]
fn the_stream_can_be_looked_at() {
    let (mut socket, _peer) = Role::Server.socket(Config::new(), Script::SMOOTH);
    assert_eq!(socket.get_ref().operations(), 0);
    block_on(socket.send("x")).unwrap();
    // A write and a flush.
    assert_eq!(socket.get_ref().operations(), 2);
    assert_eq!(socket.state(), State::Open);
}

#[test]
fn debug_shows_neither_payloads_nor_keys() {
    let (mut socket, peer) = Role::Client.socket(Config::new(), Script::SMOOTH.with_capacity(0));
    socket.queue("a secret").unwrap();
    peer.send(Role::Client.frame(TEXT, "a secret"));
    let (_, connection, mut input) = socket.into_parts();
    input.extend_from_slice(&Role::Client.frame(TEXT, "a secret"));
    let socket = WebSocket::from_parts(tokio::io::empty(), connection, input);
    let shown = format!("{socket:?} {:?}", socket);
    // Neither the bytes nor the seed as lists of numbers, nor the text.
    assert!(!shown.contains("secret") && !shown.contains("7, 7") && !shown.contains("97, 32"), "{shown}");
}

const INTERVAL: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(15);
const WRITE: Duration = Duration::from_secs(9);
const CLOSING: Duration = Duration::from_secs(4);

fn timed() -> Config {
    Config::new().with_keepalive(INTERVAL, TIMEOUT).with_write_timeout(WRITE).with_close_timeout(CLOSING)
}

/// Takes it apart and puts it together again.
fn anew(socket: WebSocket<Stream>) -> WebSocket<Stream> {
    let (stream, connection, input) = socket.into_parts();
    WebSocket::from_parts(stream, connection, input)
}

/// Receives until `timed_out`, with a change of hands every `pause`.
async fn until(mut socket: WebSocket<Stream>, pause: Duration) -> (TimedOut, Duration) {
    let begun = Instant::now();
    loop {
        match timeout(pause, socket.recv()).await {
            Ok(Err(Error::TimedOut(timed_out))) => return (timed_out, begun.elapsed()),
            Ok(received) => panic!("{received:?}"),
            Err(_) => socket = anew(socket),
        }
    }
}

#[test]
fn deadlines_survive_a_change_of_hands() {
    for role in Role::BOTH {
        for pause in [Duration::from_millis(700), Duration::from_secs(3), Duration::from_secs(1000)] {
            block_on(async {
                let (socket, _peer) = role.socket(timed(), Script::SMOOTH);
                let ended = until(socket, pause).await;
                assert_eq!(ended, (TimedOut::Keepalive, INTERVAL + TIMEOUT), "{role:?} {pause:?}");

                let (mut socket, _peer) = role.socket(timed(), Script::SMOOTH.with_capacity(1));
                socket.queue("0123456789").unwrap();
                assert_eq!(until(socket, pause).await, (TimedOut::Write, WRITE), "{role:?} {pause:?}");

                let (mut socket, _peer) = role.socket(timed(), Script::SMOOTH);
                socket.queue_close(CloseCode::NORMAL);
                assert_eq!(until(socket, pause).await, (TimedOut::Close, CLOSING), "{role:?} {pause:?}");
            });
        }
    }
}

#[test]
fn deadlines_survive_a_change_of_hands_after_an_hour() {
    for role in Role::BOTH {
        for change in [anew, |socket: WebSocket<Stream>| {
            let (reader, writer) = socket.split();
            reader.reunite(writer).unwrap()
        }] {
            block_on(async {
                let (mut socket, peer) = role.socket(timed(), Script::SMOOTH);
                let talking = spawn({
                    let peer = peer.clone();
                    async move {
                        loop {
                            sleep(Duration::from_secs(10)).await;
                            peer.send(role.frame(PONG, ""));
                        }
                    }
                });
                assert!(timeout(Duration::from_secs(3600), socket.recv()).await.is_err());
                talking.abort();
                let begun = Instant::now();
                let ended = change(socket).recv().await;
                assert!(matches!(ended, Err(Error::TimedOut(TimedOut::Keepalive))), "{ended:?}");
                assert!(begun.elapsed() <= INTERVAL + TIMEOUT, "{role:?}: {:?}", begun.elapsed());
            });
        }
    }
}

#[test]
fn a_connection_that_another_clock_was_told_of_times_out() {
    for role in Role::BOTH {
        for micros in [0, 1, 1_000_000_000_000_000, u64::MAX / 2] {
            block_on(async {
                let now = Timestamp::from_micros(micros);
                let open = |prepare: fn(&mut Connection), script| {
                    let mut connection = role.connection(timed());
                    prepare(&mut connection);
                    // Its deadlines begin here.
                    connection.poll_timeout(now);
                    let (stream, peer) = scripted(script);
                    (WebSocket::from_parts(stream, connection, Input::new()), peer)
                };
                let hour = Duration::from_secs(3600);
                let (socket, _peer) = open(|_| (), Script::SMOOTH);
                assert_eq!(until(socket, hour).await, (TimedOut::Keepalive, INTERVAL + TIMEOUT), "{micros}");
                let (socket, _peer) = open(
                    |connection| connection.send("0123456789").unwrap(),
                    Script::SMOOTH.with_capacity(1),
                );
                assert_eq!(until(socket, hour).await, (TimedOut::Write, WRITE), "{micros}");
                let (socket, _peer) = open(|connection| connection.close(None), Script::SMOOTH);
                assert_eq!(until(socket, hour).await, (TimedOut::Close, CLOSING), "{micros}");
                // In halves as well.
                let (socket, _peer) = open(|_| (), Script::SMOOTH);
                let (mut reader, _writer) = socket.split();
                let begun = Instant::now();
                let ended = reader.recv().await;
                assert!(matches!(ended, Err(Error::TimedOut(TimedOut::Keepalive))), "{ended:?}");
                assert_eq!(begun.elapsed(), INTERVAL + TIMEOUT, "{micros}");
            });
        }
    }
}
