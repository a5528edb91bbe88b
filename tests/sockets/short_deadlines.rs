//! Keepalive and the write deadline over real sockets, with short deadlines: only what comes of them is looked at.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tidewire::{
    CloseCode, Config, Error, Event, Message, ServerHandshake, TimedOut, blocking, tokio as asynchronous,
};
use tokio::sync::oneshot;

use crate::adapter::{Adapter, block_on, from_std};
use crate::raw::{ends, open, pair, read_frame};
use support::wire::{self, BINARY, CLOSE, FIN, Length, PING, Role};

const SHORT: Duration = Duration::from_millis(20);
/// Longer than it takes to ping and to give up.
const LONG: Duration = Duration::from_millis(60);

/// More than the buffers of both sockets hold.
const BLOCKS: usize = 24 << 20;

fn config() -> Config {
    Config::new().with_keepalive(SHORT, SHORT)
}

/// A peer that answers pings at once, every second time with a message too, until it is closed.
fn answer_pings(mut peer: TcpStream) {
    let mut pings = 0;
    while let Some(frame) = read_frame(&mut peer) {
        let answer = match frame.first & 0x0F {
            PING => {
                pings += 1;
                let message = if pings % 2 == 0 { wire::text(Role::Server, "ping") } else { Vec::new() };
                [wire::pong(Role::Server, frame.payload), message].concat()
            }
            CLOSE => wire::frame(Role::Server, FIN | CLOSE, frame.payload),
            _ => Vec::new(),
        };
        if peer.write_all(&answer).is_err() {
            return;
        }
    }
}

#[test]
fn a_thread_that_is_busy_for_long_does_not_give_up_a_peer_that_answers() {
    ends(|| {
        let (mut client, server) = pair();
        let peer = thread::spawn(move || {
            open(&mut client);
            answer_pings(client);
        });
        let incoming = blocking::Incoming::receive(server, ServerHandshake::new(config()))?;
        let mut socket = incoming.accept(None, &[])?;
        for _ in 0..6 {
            assert!(socket.recv()?.is_some());
            // Meanwhile pongs and messages lie in the socket, and every deadline passes.
            thread::sleep(LONG);
        }
        socket.close(CloseCode::NORMAL)?;
        drop(socket);
        peer.join().expect("no panic");
        Ok::<_, Error>(())
    })
    .expect("nothing times out");
}

#[test]
fn a_task_that_is_busy_for_long_does_not_give_up_a_peer_that_answers() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    ends(|| {
        let (mut client, server) = pair();
        let (seen, is_seen) = oneshot::channel();
        let (busy, is_busy) = mpsc::channel();
        let (answered, is_answered) = mpsc::channel();
        let peer = thread::spawn(move || {
            open(&mut client);
            let ping = read_frame(&mut client).expect("a ping");
            seen.send(()).expect("no panic");
            is_busy.recv().expect("no panic");
            client.write_all(&wire::pong(Role::Server, ping.payload)).expect("open");
            answered.send(()).expect("no panic");
            answer_pings(client);
        });
        block_on(async {
            let handshake = ServerHandshake::new(Config::new().with_keepalive(SHORT, TIMEOUT));
            let incoming = asynchronous::Incoming::receive(from_std(server)?, handshake).await?;
            let mut socket = incoming.accept(None, &[]).await?;
            tokio::select! {
                received = socket.recv_ref() => panic!("{received:?}"),
                seen = is_seen => seen.expect("no panic"),
            }
            // The pong comes while nobody receives, and then its deadline passes.
            busy.send(()).expect("no panic");
            is_answered.recv().expect("no panic");
            thread::sleep(TIMEOUT + LONG);
            let event = socket.recv_ref().await?.map(|(event, _)| matches!(event, Event::Pong(_)));
            assert_eq!(event, Some(true));
            socket.close(CloseCode::NORMAL).await
        })?;
        peer.join().expect("no panic");
        Ok::<_, Error>(())
    })
    .expect("nothing times out");
}

#[test]
fn a_peer_that_dribbles_is_timed_out() {
    for adapter in Adapter::BOTH {
        let result = ends(move || {
            let (mut client, server) = pair();
            let serving = thread::spawn(move || adapter.serve(server, config()));
            open(&mut client);
            let header = wire::header(FIN | BINARY, Length::Eight(1 << 20), Some(wire::KEY));
            client.write_all(&header).expect("open");
            while client.write_all(&[0]).is_ok() {
                thread::sleep(SHORT / 4);
            }
            serving.join().expect("no panic")
        });
        assert!(matches!(result, Err(Error::TimedOut(TimedOut::Keepalive))), "{adapter:?}: {result:?}");
    }
}

#[test]
fn a_peer_that_pings_without_end_and_never_reads_is_timed_out() {
    for adapter in Adapter::BOTH {
        for queued in [None, Some(BLOCKS)] {
            let message = queued.map(|len| Message::from(vec![0; len]));
            let result = ends(move || {
                let (mut client, server) = pair();
                let config = config().with_write_timeout(LONG);
                let serving = thread::spawn(move || adapter.serve_after(server, config, message));
                open(&mut client);
                let pings = wire::ping(Role::Server, [b'p'; 125]).repeat(500);
                while client.write_all(&pings).is_ok() {}
                serving.join().expect("no panic")
            });
            assert!(matches!(result, Err(Error::TimedOut(TimedOut::Write))), "{adapter:?}: {result:?}");
        }
    }
}

/// A peer that reads a long message steadily and answers nothing meanwhile.
fn read_slowly(mut peer: TcpStream) {
    let mut space = vec![0; 64 << 10];
    let mut left = BLOCKS;
    while left > 0 {
        let len = peer.read(&mut space).expect("open");
        assert_ne!(len, 0, "not before the whole message");
        left = left.saturating_sub(len);
        thread::sleep(Duration::from_millis(1));
    }
    let _ = peer.write_all(&wire::close(Role::Server, 1000, ""));
    let _ = peer.read_to_end(&mut space);
}

#[test]
fn a_send_that_takes_longer_than_the_pong_deadline_goes_on_while_the_peer_reads() {
    for adapter in Adapter::BOTH {
        ends(move || {
            let (mut client, server) = pair();
            let peer = thread::spawn(move || {
                open(&mut client);
                read_slowly(client);
            });
            let result = adapter.send(server, config(), vec![0; BLOCKS].into());
            assert!(result.is_ok(), "{adapter:?}: {result:?}");
            peer.join().expect("no panic");
        });
    }
}

#[test]
fn a_peer_that_is_still_reading_what_goes_before_the_ping_is_not_timed_out() {
    for adapter in Adapter::BOTH {
        ends(move || {
            let (mut client, server) = pair();
            let peer = thread::spawn(move || {
                open(&mut client);
                read_slowly(client);
            });
            // The kernel holds megabytes of the message in front of the ping.
            let config = Config::new().with_keepalive(SHORT, Duration::from_secs(30));
            let result = adapter.serve_after(server, config, Some(vec![0; BLOCKS].into()));
            assert!(result.is_ok(), "{adapter:?}: {result:?}");
            peer.join().expect("no panic");
        });
    }
}

#[test]
fn a_task_that_is_busy_for_long_does_not_give_up_a_peer_that_reads() {
    ends(|| {
        let (mut client, server) = pair();
        let (busy, is_busy) = mpsc::channel();
        let peer = thread::spawn(move || {
            open(&mut client);
            is_busy.recv().expect("no panic");
            read_slowly(client);
        });
        block_on(async {
            let config = Config::new().with_write_timeout(Duration::from_secs(1));
            let handshake = ServerHandshake::new(config);
            let incoming = asynchronous::Incoming::receive(from_std(server)?, handshake).await?;
            let mut socket = incoming.accept(None, &[]).await?;
            socket.queue(vec![0; BLOCKS])?;
            // Writes what the sockets hold, and waits for room.
            assert!(tokio::time::timeout(SHORT, socket.recv()).await.is_err());
            busy.send(()).expect("no panic");
            // Meanwhile the peer reads, and the write deadline passes.
            thread::sleep(Duration::from_millis(1200));
            assert_eq!(socket.recv().await?, None);
            Ok::<_, Error>(())
        })?;
        peer.join().expect("no panic");
        Ok::<_, Error>(())
    })
    .expect("nothing times out");
}
