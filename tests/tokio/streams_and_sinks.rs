//! `Stream` and `Sink`, as the combinators of other crates use them. The conversations of `support::scenario` run over them as well.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::stream::FusedStream as _;
use futures_util::{Sink, SinkExt, Stream, StreamExt, stream};
use tidewire::tokio::{WebSocket, pair};
use tidewire::{Config, Error, Message, ProtocolError, SendError, TimedOut};
use tokio::time::sleep;

use support::tokio_stream::{Cut, Script, block_on, linked, once};
use support::tokio_wire::{BINARY, CLOSE, PING, Role, TEXT, frame};

/// Nothing happens of itself.
fn untimed() -> Config {
    Config::new().without_keepalive().with_write_timeout(None).with_close_timeout(None)
}

/// Polls what has to be ready at once.
fn now<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> T {
    match poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn an_error_is_yielded_once_and_then_the_stream_has_ended() {
    for role in Role::BOTH {
        for splits in [false, true] {
            let (mut socket, peer) = role.socket(untimed(), Script::SMOOTH);
            peer.send([role.frame(TEXT, "fine"), role.frame(0x83, "reserved")].concat());
            peer.end();
            block_on(async {
                let is_error =
                    |item| matches!(item, Some(Err(Error::Protocol(ProtocolError::ReservedOpCode(3)))));
                if splits {
                    let (mut reader, _writer) = socket.split();
                    assert_eq!(reader.next().await.unwrap().unwrap(), "fine");
                    assert!(!reader.is_terminated());
                    assert!(is_error(reader.next().await));
                    assert!(reader.is_terminated() && reader.next().await.is_none());
                    // The methods tell it again and again.
                    assert!(reader.recv().await.is_err());
                } else {
                    assert_eq!(socket.next().await.unwrap().unwrap(), "fine");
                    assert!(!socket.is_terminated());
                    assert!(is_error(socket.next().await));
                    assert!(socket.is_terminated() && socket.next().await.is_none());
                    assert!(socket.recv().await.is_err());
                }
            });
        }
    }
}

#[test]
fn a_stream_ends_with_an_orderly_end() {
    let (mut socket, peer) = Role::Server.socket(untimed(), Script::SMOOTH);
    peer.send(Role::Server.close_frame(1000, ""));
    peer.end();
    block_on(async {
        assert!(socket.next().await.is_none());
        assert!(socket.is_terminated() && socket.next().await.is_none());
    });
}

#[test]
fn a_message_that_room_was_promised_for_is_never_refused() {
    for splits in [false, true] {
        let config = untimed().with_high_water_len(10).with_max_output_len(10);
        let (mut socket, _peer) = Role::Server.socket(config, Script::SMOOTH.with_capacity(0));
        let is_full = |sent| matches!(sent, Err(Error::Send(SendError::OutputFull)));
        let message = || Message::from([7; 20]);
        if splits {
            let (_reader, mut first) = socket.split();
            let mut second = first.clone();
            now(|cx| Sink::poll_ready(Pin::new(&mut first), cx)).unwrap();
            now(|cx| Sink::poll_ready(Pin::new(&mut second), cx)).unwrap();
            first.start_send_unpin(message()).unwrap();
            // The first has taken the room.
            assert!(second.queue("").is_err());
            second.start_send_unpin(message()).unwrap();
            assert_eq!(second.queued_len(), 44);
            // Each promise holds for one message.
            assert!(is_full(first.start_send_unpin(message())));
            assert!(is_full(second.start_send_unpin(message())));
        } else {
            now(|cx| Sink::poll_ready(Pin::new(&mut socket), cx)).unwrap();
            socket.queue(message()).unwrap();
            assert!(socket.queue("").is_err());
            socket.start_send_unpin(message()).unwrap();
            assert_eq!(socket.queued_len(), 44);
            assert!(is_full(socket.start_send_unpin(message())));
        }
    }
}

#[test]
fn close_queues_1000_unless_there_is_a_close_frame_and_never_reads() {
    for role in Role::BOTH {
        for code in [1000, 1001] {
            let (mut socket, peer) = role.socket(untimed(), Script::SMOOTH);
            peer.send(role.frame(TEXT, "unread"));
            socket.queue("last").unwrap();
            if code != 1000 {
                socket.queue_close(tidewire::CloseCode::GOING_AWAY);
            }
            block_on(async {
                SinkExt::<Message>::close(&mut socket).await.unwrap();
                let close = frame(CLOSE, u16::to_be_bytes(code));
                assert_eq!(role.frames(&peer.log()), [frame(TEXT, "last"), close]);
                assert_eq!(peer.read_len(), 0);
                let late = SinkExt::send(&mut socket, "late".into()).await;
                assert!(matches!(late, Err(Error::Send(SendError::Closed))), "{late:?}");
                peer.send(role.close_frame(code, ""));
                peer.end();
                assert_eq!(socket.next().await.unwrap().unwrap(), "unread");
                assert!(socket.next().await.is_none());
            });
        }
    }
}

#[test]
fn a_flush_covers_what_was_sent_after_one_that_was_given_up() {
    let (socket, peer) = Role::Server.socket(untimed(), Script::SMOOTH.with_capacity(30));
    let (_reader, mut writer) = socket.split();
    block_on(async {
        // Room for one and a half.
        assert!(once(SinkExt::send(&mut writer, [1; 20].into())).await.is_none_or(|sent| sent.is_ok()));
        assert!(once(SinkExt::send(&mut writer, [2; 20].into())).await.is_none());
        assert!(once(SinkExt::send(&mut writer, [3; 20].into())).await.is_none());
        let reading = async {
            while peer.log().len() < 66 {
                peer.read();
                peer.more_than(peer.log().len()).await;
            }
        };
        let (sent, ()) = tokio::join!(SinkExt::send(&mut writer, [4; 20].into()), reading);
        sent.unwrap();
        assert_eq!(writer.queued_len(), 0, "the last one is written");
    });
}

#[test]
fn what_all_of_a_stream_is_sent_arrives_in_order() {
    for role in Role::BOTH {
        for script in [Script::SMOOTH, Script::SMOOTH.with_pending().with_steps(7, 5)] {
            let (mut socket, peer) = role.socket(untimed().with_high_water_len(20), script);
            block_on(async {
                let mut messages = stream::iter((0..50).map(|n| Ok::<_, Error>(Message::from([n; 10]))));
                socket.send_all(&mut messages).await.unwrap();
                assert_eq!(socket.queued_len(), 0);
            });
            let expected: Vec<_> = (0..50).map(|n| frame(BINARY, [n; 10])).collect();
            assert_eq!(role.frames(&peer.log()), expected);
        }
    }
}

/// Sends what `near` receives to `far`, until that ends, and then closes.
async fn forward<A, B>(near: A, far: B) -> Result<(), Error>
where
    A: Stream<Item = Result<Message, Error>>,
    B: Sink<Message, Error = Error>,
{
    near.forward(far).await
}

#[test]
fn two_connections_that_are_forwarded_to_each_other_are_one() {
    let scripts = [Script::SMOOTH, Script::SMOOTH.with_pending().with_steps(100, 70).with_capacity(150)];
    for script in scripts {
        let connect = |config: Config| {
            let (near, far) = linked(script, script);
            let open = |role: Role, stream| {
                WebSocket::from_parts(stream, role.connection(config), tidewire::Input::new())
            };
            (open(Role::Client, near), open(Role::Server, far))
        };
        let ((mut client, left), (right, mut server)) = (connect(untimed()), connect(untimed()));
        block_on(async {
            let (left_sink, left_stream) = StreamExt::split(left);
            let (right_sink, right_stream) = StreamExt::split(right);
            let there = tokio::task::LocalSet::new();
            there
                .run_until(async {
                    let there = tokio::task::spawn_local(forward(left_stream, right_sink));
                    let back = tokio::task::spawn_local(forward(right_stream, left_sink));
                    let echo = tokio::task::spawn_local(async move {
                        while let Some(message) = server.recv().await.unwrap() {
                            server.send(message).await.unwrap();
                        }
                    });
                    for n in 0..20 {
                        client.send([n; 200]).await.unwrap();
                        assert_eq!(client.recv().await.unwrap().unwrap(), [n; 200]);
                    }
                    client.close(tidewire::CloseCode::NORMAL).await.unwrap();
                    drop(client);
                    echo.await.unwrap();
                    there.await.unwrap().unwrap();
                    back.await.unwrap().unwrap();
                })
                .await;
        });
    }
}

/// The halves of `StreamExt::split` in a task each, of which the sending one waits for room.
async fn in_two_tasks(
    config: Config,
    script: Script,
    test: impl AsyncFnOnce(
        support::tokio_stream::Peer,
        tokio::task::JoinHandle<Vec<Result<Message, Error>>>,
        tokio::task::JoinHandle<Result<(), Error>>,
    ),
) {
    let (socket, peer) = Role::Server.socket(config, script);
    let (mut sink, stream) = StreamExt::split(socket);
    let reading = tokio::spawn(stream.collect());
    let sending = tokio::spawn(async move {
        sink.send(Message::from([7; 100])).await?;
        sink.close().await
    });
    tokio::task::yield_now().await;
    test(peer, reading, sending).await;
}

#[test]
fn a_task_that_sends_is_woken_although_another_has_polled_the_stream_since() {
    block_on(in_two_tasks(untimed(), Script::SMOOTH.with_capacity(60), async |peer, reading, sending| {
        assert_eq!(peer.log().len(), 60);
        // The other task receives, and finds no room for what is owed.
        peer.send(Role::Server.frame(TEXT, "Hello"));
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert_eq!(peer.read_len(), 11);
        while !sending.is_finished() {
            peer.read();
            tokio::task::yield_now().await;
        }
        sending.await.unwrap().unwrap();
        peer.send(Role::Server.close_frame(1000, ""));
        peer.end();
        let received = reading.await.unwrap();
        assert!(matches!(&received[..], [Ok(message)] if message == "Hello"), "{received:?}");
    }));
}

#[test]
fn a_task_that_receives_hears_of_a_close_frame_that_another_has_sent() {
    let config = untimed().with_close_timeout(Some(Duration::from_secs(5)));
    block_on(in_two_tasks(config, Script::SMOOTH, async |_peer, reading, sending| {
        sending.await.unwrap().unwrap();
        let received = reading.await.unwrap();
        assert!(matches!(received[..], [Err(Error::TimedOut(TimedOut::Close))]), "{received:?}");
    }));
}

#[test]
fn a_task_that_sends_hears_of_the_end_that_another_has_received() {
    block_on(in_two_tasks(untimed(), Script::SMOOTH.with_capacity(60), async |peer, reading, sending| {
        peer.end();
        let received = reading.await.unwrap();
        let is_eof = |error: &Error| matches!(error, Error::Protocol(ProtocolError::UnexpectedEof));
        assert!(matches!(&received[..], [Err(error)] if is_eof(error)), "{received:?}");
        let sent = sending.await.unwrap();
        assert!(matches!(sent, Err(Error::Send(SendError::Closed))), "{sent:?}");
    }));
}

#[test]
fn keepalive_goes_on_after_another_task_has_sent() {
    let interval = Duration::from_secs(20);
    let config = Config::new().with_keepalive(interval, interval);
    let (socket, peer) = Role::Server.socket(config, Script::SMOOTH.with_capacity(60));
    block_on(async {
        let (mut sink, mut stream) = StreamExt::split(socket);
        let reading = tokio::spawn(async move { stream.next().await.transpose() });
        tokio::task::yield_now().await;
        let sending = tokio::spawn(async move {
            sink.send(Message::from([7; 100])).await.unwrap();
            sink
        });
        // It sets the timer for its own deadline, and has no use for it then.
        tokio::task::yield_now().await;
        peer.read();
        let _sink = sending.await.unwrap();
        peer.read();
        sleep(interval + Duration::from_secs(1)).await;
        assert_eq!(Role::Server.frames(&peer.log()).last().unwrap().0, PING);
        peer.end();
        assert!(reading.await.unwrap().is_err());
    });
}

#[test]
fn a_message_that_next_was_dropped_before_is_the_next_ones() {
    let (mut client, mut server) = pair(untimed());
    block_on(async {
        let mut cut = Cut::EVERY;
        for n in 0..20u8 {
            assert!(cut.run(server.next()).await.is_none());
            SinkExt::send(&mut client, [n; 3].into()).await.unwrap();
            assert_eq!(server.next().await.unwrap().unwrap(), [n; 3]);
        }
    });
}
