//! Dropping a future at any of its Pendings and calling the method again makes no difference.

use std::future::poll_fn;

use tidewire::tokio::WebSocket;
use tidewire::{CloseCode, Config, Event};

use support::tokio_stream::{Cut, Peer, Script, Stream, block_on};
use support::tokio_wire::{CLOSE, Frame, PING, PONG, Role, TEXT};

#[derive(Clone, Copy, Debug)]
enum Method {
    Recv,
    RecvRef,
    Ready,
    Feed,
    Send,
    SendFragment,
    Flush,
    Ping,
    Close,
    QueueClose,
    PollRecv,
    PollReady,
    PollFlush,
    PollClose,
}

/// What was received and what was written.
type Trace = (Vec<Frame>, Vec<u8>);

const METHODS: [Method; 14] = [
    Method::Recv,
    Method::RecvRef,
    Method::Ready,
    Method::Feed,
    Method::Send,
    Method::SendFragment,
    Method::Flush,
    Method::Ping,
    Method::Close,
    Method::QueueClose,
    Method::PollRecv,
    Method::PollReady,
    Method::PollFlush,
    Method::PollClose,
];

const SCRIPTS: [Script; 4] = [
    Script::SMOOTH.with_pending().with_vectored(),
    Script::SMOOTH.with_pending().with_steps(50, 40),
    Script::SMOOTH.with_pending().with_steps(7, 5).with_vectored(),
    Script::BYTEWISE,
];

#[test]
fn a_future_dropped_at_its_nth_pending_makes_no_difference() {
    for role in Role::BOTH {
        for method in METHODS {
            for script in SCRIPTS {
                let (undisturbed, pendings) = play(role, method, script, Cut::NEVER);
                assert!(pendings > 0, "{role:?} {method:?} {script:?}");
                for n in 1..=pendings {
                    let (trace, _) = play(role, method, script, Cut::at(n));
                    assert!(trace == undisturbed, "{role:?} {method:?} {script:?} dropped at {n}");
                }
            }
        }
    }
}

#[test]
fn futures_dropped_at_every_pending_make_no_difference() {
    for role in Role::BOTH {
        for method in METHODS {
            for script in SCRIPTS {
                let (undisturbed, _) = play(role, method, script, Cut::NEVER);
                let (trace, pendings) = play(role, method, script, Cut::EVERY);
                assert!(trace == undisturbed, "{role:?} {method:?} {script:?}");
                assert!(pendings > 0, "{role:?} {method:?} {script:?}");
            }
        }
    }
}

/// Runs the scenario of a method; also returns how many Pendings there were.
fn play(role: Role, method: Method, script: Script, cut: Cut) -> (Trace, usize) {
    let config = Config::new().with_high_water_len(64);
    let (mut socket, peer) = role.socket(config, script);
    peer.send(incoming(role));
    // Long enough to be chained, unless that takes too many steps.
    let long_len = if script.max_write >= 40 { 5000 } else { 200 };
    let mut play = Play { cut, peer, long_len, received: Vec::new() };
    block_on(async {
        match method {
            Method::Recv | Method::PollRecv => play.recv(&mut socket, method).await,
            Method::RecvRef => play.recv_ref(&mut socket).await,
            Method::Ping => play.ping(&mut socket).await,
            Method::Close => play.close(&mut socket).await,
            Method::QueueClose | Method::PollClose => play.close_half(&mut socket, method).await,
            _ => play.send(&mut socket, method).await,
        }
    });
    let written = play.peer.log();
    role.frames(&written);
    ((play.received, written), play.cut.pendings)
}

/// A bit of everything, then the end.
fn incoming(role: Role) -> Vec<u8> {
    [
        role.frame(TEXT, "tide"),
        role.frame(PING, "one"),
        role.frame(0x02, [1; 70]),
        role.frame(PING, "two"),
        role.frame(0x80, [2; 70]),
        role.frame(TEXT, ""),
        role.close_frame(1000, "done"),
    ]
    .concat()
}

struct Play {
    cut: Cut,
    peer: Peer,
    long_len: usize,
    received: Vec<Frame>,
}

impl Play {
    async fn recv(&mut self, socket: &mut WebSocket<Stream>, method: Method) {
        self.peer.end();
        socket.queue("first").unwrap();
        loop {
            let received = match method {
                Method::Recv => self.cut.run(socket.recv()).await,
                _ => self.cut.run(poll_fn(|cx| socket.poll_recv(cx))).await,
            };
            match received {
                Some(Ok(Some(message))) => self.received.push(Frame(TEXT, message.as_bytes().into())),
                Some(Ok(None)) => break,
                Some(Err(error)) => panic!("{error}"),
                None => {}
            }
        }
        assert_eq!(self.received.len(), 3);
    }

    async fn recv_ref(&mut self, socket: &mut WebSocket<Stream>) {
        self.peer.end();
        loop {
            let Some(event) = self.cut.run(socket.recv_ref()).await else { continue };
            self.received.push(match event.unwrap() {
                Some((Event::Text(text), mut output)) => {
                    output.queue(&*text).unwrap();
                    Frame(TEXT, text.as_bytes().into())
                }
                Some((Event::Binary(payload), mut output)) => {
                    output.queue(&*payload).unwrap();
                    Frame(0x82, payload.to_vec())
                }
                Some((Event::Ping(payload), _)) => Frame(PING, payload.into()),
                Some((Event::Close(close), _)) => Frame(CLOSE, close.unwrap().reason().into()),
                Some((event, _)) => panic!("{event:?}"),
                None => break,
            });
        }
        assert_eq!(self.received.len(), 6);
    }

    async fn send(&mut self, socket: &mut WebSocket<Stream>, method: Method) {
        for len in [30, 0, 100, 30, self.long_len] {
            let message = vec![len as u8; len];
            match method {
                Method::Ready => {
                    while self.cut.run(socket.ready()).await.transpose().unwrap().is_none() {}
                    socket.queue(message).unwrap();
                }
                Method::PollReady => {
                    while self
                        .cut
                        .run(poll_fn(|cx| socket.poll_ready(cx)))
                        .await
                        .transpose()
                        .unwrap()
                        .is_none()
                    {}
                    socket.queue(message).unwrap();
                }
                Method::PollFlush => {
                    socket.queue(message).unwrap();
                    while self
                        .cut
                        .run(poll_fn(|cx| socket.poll_flush(cx)))
                        .await
                        .transpose()
                        .unwrap()
                        .is_none()
                    {}
                    assert_eq!(socket.queued_len(), 0);
                }
                // Dropped: not queued.
                Method::Feed => {
                    while self.cut.run(socket.feed(&message)).await.transpose().unwrap().is_none() {}
                }
                // Dropped: queued whole or not at all.
                Method::Send | Method::SendFragment => {
                    let before = self.total_len(socket);
                    loop {
                        let sent = match method {
                            Method::Send => self.cut.run(socket.send(&message)).await,
                            _ => self.cut.run(socket.send_fragment(&message, len == self.long_len)).await,
                        };
                        if sent.transpose().unwrap().is_some() {
                            break;
                        }
                        if self.total_len(socket) > before {
                            self.flush(socket).await;
                            break;
                        }
                    }
                    assert!(self.total_len(socket) > before + message.len());
                    assert_eq!(socket.queued_len(), 0);
                }
                _ => {
                    socket.queue(message).unwrap();
                    self.flush(socket).await;
                    assert_eq!(socket.queued_len(), 0);
                }
            }
        }
        socket.flush().await.unwrap();
    }

    async fn ping(&mut self, socket: &mut WebSocket<Stream>) {
        for payload in ["", "ping", &"x".repeat(125)] {
            let before = self.total_len(socket);
            // Dropped: queued.
            if self.cut.run(socket.ping(payload.as_bytes())).await.transpose().unwrap().is_none() {
                assert!(self.total_len(socket) > before);
                self.flush(socket).await;
            }
        }
        let pings = self.peer.log();
        assert!(!pings.is_empty() && pings[0] == PING);
    }

    async fn close(&mut self, socket: &mut WebSocket<Stream>) {
        self.peer.end();
        socket.queue("last").unwrap();
        while self.cut.run(socket.close(CloseCode::GOING_AWAY)).await.transpose().unwrap().is_none() {}
        let closure = socket.ending().unwrap();
        assert!(closure.is_clean());
        assert_eq!((closure.sent(), closure.code()), (Some(CloseCode::GOING_AWAY), 1000));
    }

    /// Closes without receiving.
    async fn close_half(&mut self, socket: &mut WebSocket<Stream>, method: Method) {
        socket.queue("last").unwrap();
        if let Method::QueueClose = method {
            socket.queue_close((CloseCode::NORMAL, "bye"));
            self.flush(socket).await;
        } else {
            while self.cut.run(poll_fn(|cx| socket.poll_close(cx))).await.transpose().unwrap().is_none() {}
        }
        assert_eq!((socket.queued_len(), self.peer.read_len()), (0, 0));
    }

    async fn flush(&mut self, socket: &mut WebSocket<Stream>) {
        while self.cut.run(socket.flush()).await.transpose().unwrap().is_none() {}
    }

    /// Everything that was ever queued.
    fn total_len(&self, socket: &WebSocket<Stream>) -> usize {
        self.peer.log().len() + socket.queued_len()
    }
}

#[test]
fn the_methods_may_be_mixed_and_dropped_in_any_order() {
    for role in Role::BOTH {
        for script in SCRIPTS {
            let undisturbed = mixed(role, script, Cut::NEVER);
            for n in 1..=undisturbed.2 {
                let (received, written, _) = mixed(role, script, Cut::at(n));
                assert_eq!(received, undisturbed.0, "{role:?} {script:?} dropped at {n}");
                assert_eq!(data(&written), data(&undisturbed.1), "{role:?} {script:?} dropped at {n}");
            }
            let (received, written, _) = mixed(role, script, Cut::EVERY);
            assert_eq!(received, undisturbed.0, "{role:?} {script:?}");
            assert_eq!(data(&written), data(&undisturbed.1), "{role:?} {script:?}");
        }
    }
}

/// All but the pongs, whose place depends on when what was read.
fn data(frames: &[Frame]) -> Vec<&Frame> {
    frames.iter().filter(|frame| frame.0 != PONG).collect()
}

/// Sends whatever happens while it receives: when a `recv` is dropped, something else is tried first.
fn mixed(role: Role, script: Script, mut cut: Cut) -> (Vec<String>, Vec<Frame>, usize) {
    let (mut socket, peer) = role.socket(Config::new().with_high_water_len(64), script);
    peer.send(incoming(role));
    peer.end();
    let mut received = Vec::new();
    block_on(async {
        let mut replies = 0;
        loop {
            match cut.run(socket.recv()).await {
                Some(message) => match message.unwrap() {
                    Some(message) => received.push(format!("{message:?}")),
                    None => break,
                },
                None => continue,
            }
            while cut.run(socket.feed(&[replies; 20])).await.transpose().unwrap().is_none() {
                let _ = cut.run(socket.flush()).await.transpose().unwrap();
                let _ = cut.run(socket.ready()).await.transpose().unwrap();
            }
            replies += 1;
        }
    });
    let frames = role.frames(&peer.log());
    assert_eq!(frames.iter().filter(|frame| frame.0 == PONG).count(), 2);
    assert_eq!(received.len(), 3);
    (received, frames, cut.pendings)
}
