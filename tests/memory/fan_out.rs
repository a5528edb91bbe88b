//! Ten thousand subscribers over loopback TCP: a tenth of them do not read, a hundred are reset, and every other one gets every message in
//! order. Counted is the heap of the server's thread, which has all of its connections.
//!
//! The subscribers are a process of their own, since each process may open only so many files. It is this program again.

use core::future::pending;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use ::tokio::net::{TcpSocket, TcpStream};
use ::tokio::runtime::{Builder, Runtime};
use ::tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use ::tokio::task::{JoinSet, yield_now};
use tidewire::tokio::{WebSocket, accept_with, client};
use tidewire::{ClientRequest, Config, Prepared, ServerHandshake};

use crate::room::{Room, Slow};
use support::counting::Meter;

const SUBSCRIBERS: usize = 10_000;
const SLOW: usize = 1000;
const RESET: usize = 100;
const ROUNDS: usize = 16;
/// Messages that are queued before anybody writes.
const BURST: usize = 8;
const MESSAGE_LEN: usize = 512;
const HIGH_WATER_LEN: usize = 16 << 10;
/// Of the kernel, which otherwise takes megabytes for each that does not read.
const KERNEL_LEN: u32 = 4 << 10;

/// Tells the other process where the server is.
const SERVER: &str = "TIDEWIRE_FAN_OUT_SERVER";

/// What a subscriber does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Never reads.
    Slow,
    /// Is reset after so many messages, before the last round.
    ResetAfter(usize),
    /// Reads to the end.
    Healthy,
}

impl Kind {
    /// Scattered over all numbers.
    fn of(number: usize) -> Self {
        match number * 7919 % SUBSCRIBERS {
            0..SLOW => Self::Slow,
            place if place < SLOW + RESET => Self::ResetAfter(1 + place * 31 % ((ROUNDS - 1) * BURST)),
            _ => Self::Healthy,
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn raise_file_limit() {
    let limit = rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    assert!(limit > SUBSCRIBERS as u64 + 200, "raise the hard limit of open files, which is {limit}");
}

#[test]
fn ten_thousand_subscribers_get_every_message_and_the_slow_ones_cost_little() {
    raise_file_limit();
    let child = runtime().block_on(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_send_buffer_size(KERNEL_LEN).expect("a length");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let listener = socket.listen(1024).expect("a listener");
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "fan_out::subscribers", "--ignored"])
            .env(SERVER, listener.local_addr().expect("an address").to_string())
            .spawn()
            .expect("another process");

        // The first connection tells when all have got what was sent.
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut control =
            accept_with(stream, ServerHandshake::new(Config::new())).await.expect("a WebSocket");
        let (room, mut tasks) = (Arc::new(Room::new()), JoinSet::new());
        for _ in 0..SUBSCRIBERS {
            let (stream, address) = listener.accept().await.expect("a subscriber");
            tasks.spawn(serve(stream, address, Arc::clone(&room)));
        }
        while room.len() < SUBSCRIBERS {
            assert!(tasks.try_join_next().is_none(), "a subscriber has left");
            yield_now().await;
        }

        let meter = Meter::new();
        for round in 0..ROUNDS {
            let mut slow = 0;
            for at in 0..BURST {
                let text = format!("{:<MESSAGE_LEN$}", round * BURST + at);
                slow = room.tell(&Prepared::new(text), Slow::Skip).slow;
            }
            // Nobody else ever waits for more than one burst.
            assert!(slow <= SLOW, "round {round}: {slow}");
            assert!(round < ROUNDS - 1 || slow == SLOW, "the kernel had room for everything: {slow}");
            assert_eq!(control.recv().await.expect("no error"), Some("next".into()), "round {round}");
        }
        while room.len() > SUBSCRIBERS - RESET {
            yield_now().await;
        }
        meter.report("ten thousand subscribers");
        let queued_len = room.queued_len();
        println!("{queued_len} bytes are queued");
        // Each slow one has its mark and at most one message more.
        let max_slow = SLOW * (HIGH_WATER_LEN + 2 * MESSAGE_LEN);
        assert!((SLOW * HIGH_WATER_LEN..=max_slow).contains(&queued_len), "{queued_len}");
        // The messages themselves are there once, for all.
        assert!(meter.retained() <= SLOW * 4096, "{}", meter.retained());
        assert!(meter.peak() <= SLOW * 4096 + SUBSCRIBERS * 1024, "{}", meter.peak());

        // Cut them all.
        tasks.shutdown().await;
        assert_eq!(room.len(), 0);
        control.close(None).await.expect("an orderly end");
        child
    });
    let status = { child }.wait().expect("a process that ends");
    assert!(status.success(), "the subscribers: {status}");
}

async fn serve(stream: TcpStream, address: SocketAddr, room: Arc<Room<TcpStream>>) {
    // However long the test takes, the slow ones stay.
    let config = Config::new().without_keepalive().with_write_timeout(None);
    let config = config.with_high_water_len(HIGH_WATER_LEN);
    stream.set_nodelay(true).expect("open");
    let socket = accept_with(stream, ServerHandshake::new(config)).await.expect("a WebSocket");
    let (mut reader, writer) = socket.split();
    let _seat = room.join(address, writer);
    while let Ok(Some(_)) = reader.recv_ref().await {}
}

/// The other process.
#[test]
#[ignore = "not a test: the other process of the one above"]
fn subscribers() {
    let Ok(server) = std::env::var(SERVER) else { return };
    raise_file_limit();
    runtime().block_on(async {
        let server: SocketAddr = server.parse().expect("an address");
        let (mut control, mut tasks) = (connect(server, Kind::Healthy).await, JoinSet::new());
        let (heard, mut hears) = unbounded_channel();
        let kinds = (0..SUBSCRIBERS).map(Kind::of);
        let healthy = kinds.clone().filter(|kind| *kind == Kind::Healthy).count();
        assert_eq!(healthy, SUBSCRIBERS - SLOW - RESET);
        for kind in kinds {
            tasks.spawn(subscribe(connect(server, kind).await, kind, heard.clone()));
        }
        for _ in 0..ROUNDS {
            let mut missing = healthy;
            while missing > 0 {
                ::tokio::select! {
                    _ = hears.recv() => missing -= 1,
                    // A task that has failed would be waited for in vain.
                    Some(ended) = tasks.join_next() => ended.expect("no panic"),
                }
            }
            control.send("next").await.expect("a server");
        }
        assert_eq!(control.recv().await.expect("an orderly end"), None);
    });
}

async fn connect(server: SocketAddr, kind: Kind) -> WebSocket<TcpStream> {
    let socket = TcpSocket::new_v4().expect("a socket");
    match kind {
        Kind::Slow => socket.set_recv_buffer_size(KERNEL_LEN).expect("a length"),
        // Dropped, it is reset.
        Kind::ResetAfter(_) => socket.set_zero_linger().expect("an option"),
        Kind::Healthy => {}
    }
    let request = ClientRequest::new(&format!("ws://{server}/")).expect("a URI");
    client(socket.connect(server).await.expect("a server"), &request).await.expect("a WebSocket")
}

async fn subscribe(mut socket: WebSocket<TcpStream>, kind: Kind, heard: UnboundedSender<()>) {
    let count = match kind {
        Kind::Slow => pending().await,
        Kind::ResetAfter(count) => count,
        Kind::Healthy => ROUNDS * BURST,
    };
    for expected in 0..count {
        let message = socket.recv().await.expect("no error");
        let text = message.expect("not the end").into_text().expect("text");
        assert_eq!(text.trim_end().parse(), Ok(expected));
        if kind == Kind::Healthy && (expected + 1) % BURST == 0 {
            heard.send(()).expect("the other end");
        }
    }
    if kind == Kind::Healthy {
        // It stays until the server cuts it.
        let _ = socket.recv().await;
    }
}
