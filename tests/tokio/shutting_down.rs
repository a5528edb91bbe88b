//! A server that ends, some of whose peers are frozen: the function that the guide shows. Time is paused, and goes on when nobody has anything
//! to do.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tidewire::tokio::WebSocket;
use tidewire::{CloseCode, Config, Connection, Error, Input, Prepared};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep};

use crate::example_room::{Room, Slow};
use support::wire::{self, Role};

const PEERS: u32 = 1000;

const PATIENCE: Duration = Duration::from_secs(5);

/// How a peer takes it that the server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Answers the Close frame, and ends.
    Clean,
    /// Reads nothing.
    Deaf,
    /// Reads nothing, and much is queued for it.
    Clogged,
    /// Reads everything, and answers nothing.
    Mute,
    /// Goes on talking, and answers nothing.
    Talker,
    /// Answers, but the server's task is busy with something else.
    Neglected,
}

impl Kind {
    fn of(number: u32) -> Self {
        match number % 50 {
            0 => Self::Deaf,
            1 => Self::Clogged,
            2 => Self::Mute,
            3 => Self::Talker,
            4 => Self::Neglected,
            _ => Self::Clean,
        }
    }
}

fn address(number: u32) -> SocketAddr {
    (Ipv4Addr::from(number), 1).into()
}

/// The server's task of one peer.
async fn serve(kind: Kind, number: u32, stream: DuplexStream, room: Arc<Room<DuplexStream>>) {
    let socket = WebSocket::from_parts(stream, Connection::server(Config::new()), Input::new());
    let (mut reader, writer) = socket.split();
    let _seat = room.join(address(number), writer);
    if kind == Kind::Neglected {
        pending::<()>().await;
    }
    while let Ok(Some(_)) = reader.recv_ref().await {}
}

/// The peer; returns the code that it was told, if it was told one.
async fn live(kind: Kind, mut stream: DuplexStream) -> Option<CloseCode> {
    let socket =
        |stream| WebSocket::from_parts(stream, Connection::client(Config::new(), [7; 32]), Input::new());
    match kind {
        Kind::Clean | Kind::Neglected => {
            let mut socket = socket(stream);
            while let Ok(Some(_)) = socket.recv().await {}
            Some(socket.ending()?.received()?.code())
        }
        Kind::Deaf | Kind::Clogged => pending().await,
        Kind::Mute => {
            while stream.read_u8().await.is_ok() {}
            None
        }
        Kind::Talker => {
            while stream.write_all(&wire::ping(Role::Server, "!")).await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
            None
        }
    }
}

#[tokio::test(start_paused = true)]
async fn clean_peers_are_told_1001_and_the_others_are_reported_and_cut() {
    let (room, mut tasks, mut peers) = (Arc::new(Room::new()), JoinSet::new(), JoinSet::new());
    for number in 0..PEERS {
        let (near, far) = duplex(1 << 10);
        let kind = Kind::of(number);
        tasks.spawn(serve(kind, number, far, Arc::clone(&room)));
        peers.spawn(async move { (kind, live(kind, near).await) });
    }
    while room.len() < PEERS as usize {
        yield_now().await;
    }
    // Who reads has read it all when time goes on.
    for _ in 0..100 {
        room.tell(&Prepared::new(vec![7; 4 << 10]), Slow::Skip);
        sleep(Duration::from_millis(1)).await;
    }

    let start = Instant::now();
    let mut left = room.shut_down(tasks, PATIENCE).await;
    assert_eq!(start.elapsed(), PATIENCE, "it waits for the frozen ones, and no longer");
    left.sort();
    let frozen = (0..PEERS).filter(|number| Kind::of(*number) != Kind::Clean).map(address);
    assert_eq!(left, frozen.collect::<Vec<_>>());
    assert_eq!((room.len(), room.queued_len()), (0, 0), "nothing is kept for anybody");

    // Those that notice it have seen the end; the others have no server any more.
    let mut clean = 0;
    while clean < PEERS / 50 * 45 {
        match peers.join_next().await.expect("some are clean").expect("no panic") {
            (Kind::Clean, code) => {
                assert_eq!(code, Some(CloseCode::GOING_AWAY));
                clean += 1;
            }
            (_, code) => assert_eq!(code, None),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_when_all_have_gone_and_tells_those_who_come_too_late() {
    let room = Arc::new(Room::new());
    let mut tasks = JoinSet::new();
    let (near, far) = duplex(1 << 10);
    tasks.spawn(serve(Kind::Clean, 1, far, Arc::clone(&room)));
    let early = tokio::spawn(live(Kind::Clean, near));
    while room.len() < 1 {
        yield_now().await;
    }
    let start = Instant::now();
    assert_eq!(room.shut_down(tasks, PATIENCE).await, []);
    assert!(start.elapsed() < PATIENCE);
    assert_eq!(early.await.expect("no panic"), Some(CloseCode::GOING_AWAY));

    let (near, far) = duplex(1 << 10);
    let serving = tokio::spawn(serve(Kind::Clean, 2, far, Arc::clone(&room)));
    assert_eq!(live(Kind::Clean, near).await, Some(CloseCode::GOING_AWAY));
    serving.await.expect("no panic");
    assert_eq!(room.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_that_is_dropped_still_gets_what_was_queued_and_then_1008() {
    let room = Arc::new(Room::new());
    let (near, far) = duplex(1 << 10);
    tokio::spawn(serve(Kind::Clean, 1, far, Arc::clone(&room)));
    while room.len() < 1 {
        yield_now().await;
    }
    // Messages that add up to the mark of 64 KiB, and one too many.
    let message = Prepared::new(vec![7; 16 << 10]);
    for (queued, slow) in [(1, 0), (1, 0), (1, 0), (1, 0), (0, 1), (0, 1)] {
        let told = room.tell(&message, Slow::Drop);
        assert_eq!((told.queued, told.slow, told.ending), (queued, slow, 0));
    }
    let mut socket = WebSocket::from_parts(near, Connection::client(Config::new(), [7; 32]), Input::new());
    for _ in 0..4 {
        assert!(socket.recv().await.unwrap().is_some());
    }
    let ended = socket.recv().await.unwrap_err();
    let told = (CloseCode::POLICY_VIOLATION, "too slow".to_owned());
    assert!(matches!(ended, Error::ClosedByPeer(frame) if (frame.code(), frame.reason().to_owned()) == told));
}
