//! The halves, too, may drop their futures at any Pending.

use std::future::poll_fn;

use tidewire::tokio::{Reader, Writer};
use tidewire::{CloseCode, Config, Event, State};

use support::tokio_stream::{Cut, Peer, Script, Stream, block_on, once};
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

const SCRIPTS: [Script; 3] = [
    // Twice, since a writer asks a second time before it waits.
    Script::SMOOTH.with_pendings(2).with_vectored(),
    Script::SMOOTH.with_pendings(2).with_steps(7, 5).with_vectored(),
    Script::BYTEWISE.with_pendings(2),
];

#[test]
fn a_future_dropped_at_its_nth_pending_makes_no_difference() {
    for role in Role::BOTH {
        for method in METHODS {
            for script in SCRIPTS {
                let (received, written, pendings) = play(role, method, script, Cut::NEVER);
                assert!(pendings > 0, "{role:?} {method:?} {script:?}");
                for cut in (1..=pendings).map(Cut::at).chain([Cut::EVERY]) {
                    let trace = play(role, method, script, cut);
                    assert!(trace.0 == received, "{role:?} {method:?} {script:?} {cut:?}");
                    assert!(trace.1 == written, "{role:?} {method:?} {script:?} {cut:?}");
                }
            }
        }
    }
}

/// Runs the scenario of a method: what was received and written, and how many Pendings there were.
fn play(role: Role, method: Method, script: Script, cut: Cut) -> (Vec<Frame>, Vec<u8>, usize) {
    let (socket, peer) = role.socket(Config::new().with_high_water_len(64), script);
    let (mut reader, mut writer) = socket.split();
    // Long enough to be chained, unless that takes too many steps.
    let long_len = if script.max_write >= 40 { 5000 } else { 200 };
    let mut play = Play { cut, peer, long_len, received: Vec::new() };
    block_on(async {
        match method {
            Method::Recv | Method::RecvRef | Method::PollRecv => {
                play.receive(role, &mut reader, &mut writer, method).await;
            }
            Method::Close | Method::QueueClose | Method::PollClose => {
                play.close(role, &mut reader, &mut writer, method).await;
            }
            _ => play.send(&mut writer, method).await,
        }
    });
    let written = play.peer.log();
    role.frames(&written);
    (play.received, written, play.cut.pendings)
}

struct Play {
    cut: Cut,
    peer: Peer,
    long_len: usize,
    received: Vec<Frame>,
}

impl Play {
    async fn receive(
        &mut self,
        role: Role,
        reader: &mut Reader<Stream>,
        writer: &mut Writer<Stream>,
        method: Method,
    ) {
        self.peer.send(role.frame(TEXT, "tide"));
        self.peer.send(role.frame(PING, "one"));
        self.peer.send(role.frame(0x02, [1; 70]));
        self.peer.send(role.frame(0x80, [2; 70]));
        self.peer.send(role.close_frame(1000, "done"));
        self.peer.end();
        writer.queue("first").unwrap();
        loop {
            let frame = if let Method::Recv | Method::PollRecv = method {
                let message = match method {
                    Method::Recv => self.cut.run(reader.recv()).await,
                    _ => self.cut.run(poll_fn(|cx| reader.poll_recv(cx))).await,
                };
                let Some(message) = message else { continue };
                message.unwrap().map(|message| Frame(0, message.as_bytes().into()))
            } else {
                let Some(event) = self.cut.run(reader.recv_ref()).await else { continue };
                event.unwrap().map(|event| match event {
                    Event::Text(text) => Frame(TEXT, text.as_bytes().into()),
                    Event::Binary(payload) => Frame(0x82, payload.to_vec()),
                    Event::Ping(payload) => Frame(PING, payload.into()),
                    Event::Close(close) => Frame(CLOSE, close.unwrap().reason().into()),
                    event => panic!("{event:?}"),
                })
            };
            match frame {
                Some(frame) => self.received.push(frame),
                None => break,
            }
        }
        assert_eq!(self.received.len(), if let Method::RecvRef = method { 4 } else { 2 });
        assert!(reader.ending().unwrap().is_clean());
    }

    async fn send(&mut self, writer: &mut Writer<Stream>, method: Method) {
        for len in [30, 0, 100, 30, self.long_len] {
            let message = vec![len as u8; len];
            let before = self.total_len(writer);
            match method {
                Method::Ready => {
                    while self.cut.run(writer.ready()).await.transpose().unwrap().is_none() {}
                    writer.queue(message).unwrap();
                }
                Method::PollReady => {
                    while self
                        .cut
                        .run(poll_fn(|cx| writer.poll_ready(cx)))
                        .await
                        .transpose()
                        .unwrap()
                        .is_none()
                    {}
                    writer.queue(message).unwrap();
                }
                Method::PollFlush => {
                    writer.queue(message).unwrap();
                    while self
                        .cut
                        .run(poll_fn(|cx| writer.poll_flush(cx)))
                        .await
                        .transpose()
                        .unwrap()
                        .is_none()
                    {}
                    assert_eq!(writer.queued_len(), 0);
                }
                Method::Feed => {
                    while self.cut.run(writer.feed(&message)).await.transpose().unwrap().is_none() {}
                }
                Method::Send | Method::SendFragment => loop {
                    let sent = match method {
                        Method::Send => self.cut.run(writer.send(&message)).await,
                        _ => self.cut.run(writer.send_fragment(&message, len == self.long_len)).await,
                    };
                    if sent.transpose().unwrap().is_some() {
                        break;
                    }
                    if self.total_len(writer) > before {
                        self.flush(writer).await;
                        break;
                    }
                },
                Method::Ping => {
                    let payload = &message[..len.min(125)];
                    if self.cut.run(writer.ping(payload)).await.transpose().unwrap().is_none() {
                        assert!(self.total_len(writer) > before);
                        self.flush(writer).await;
                    }
                }
                _ => {
                    writer.queue(message).unwrap();
                    self.flush(writer).await;
                }
            }
        }
        writer.flush().await.unwrap();
        assert_eq!(writer.queued_len(), 0);
    }

    async fn close(
        &mut self,
        role: Role,
        reader: &mut Reader<Stream>,
        writer: &mut Writer<Stream>,
        method: Method,
    ) {
        writer.queue("last").unwrap();
        match method {
            Method::Close => {
                while self.cut.run(writer.close(CloseCode::GOING_AWAY)).await.transpose().unwrap().is_none() {
                }
            }
            Method::QueueClose => {
                writer.queue_close(CloseCode::GOING_AWAY);
                self.flush(writer).await;
            }
            _ => {
                while self.cut.run(poll_fn(|cx| writer.poll_close(cx))).await.transpose().unwrap().is_none() {
                }
            }
        }
        assert_eq!(writer.queued_len(), 0);
        let sent = if let Method::PollClose = method { CloseCode::NORMAL } else { CloseCode::GOING_AWAY };
        self.peer.send(role.close_frame(1000, ""));
        self.peer.end();
        assert_eq!(reader.recv().await.unwrap(), None);
        assert_eq!(reader.ending().unwrap().sent(), Some(sent));
    }

    async fn flush(&mut self, writer: &mut Writer<Stream>) {
        while self.cut.run(writer.flush()).await.transpose().unwrap().is_none() {}
    }

    fn total_len(&self, writer: &Writer<Stream>) -> usize {
        self.peer.log().len() + writer.queued_len()
    }
}

#[test]
fn both_halves_may_drop_their_futures_while_the_other_goes_on() {
    for role in Role::BOTH {
        for script in SCRIPTS {
            let (received, sent, pendings) = duplex(role, script, [Cut::NEVER; 2]);
            assert_eq!((received.len(), sent.len()), (9, 9));
            for n in 1..=pendings {
                for cuts in [[Cut::at(n), Cut::NEVER], [Cut::NEVER, Cut::at(n)], [Cut::at(n), Cut::EVERY]] {
                    let trace = duplex(role, script, cuts);
                    assert!(trace.0 == received && trace.1 == sent, "{role:?} {script:?} {cuts:?}");
                }
            }
            let trace = duplex(role, script, [Cut::EVERY; 2]);
            assert!(trace.0 == received && trace.1 == sent, "{role:?} {script:?}");
        }
    }
}

/// Both halves at once, in one task: what was received, the messages that were sent, and how many Pendings there were.
fn duplex(
    role: Role,
    script: Script,
    [mut read_cut, mut write_cut]: [Cut; 2],
) -> (Vec<Vec<u8>>, Vec<Frame>, usize) {
    let (socket, peer) = role.socket(Config::new().with_high_water_len(64), script);
    for n in 0..9 {
        peer.send(role.frame(0x82, [n; 40]));
        peer.send(role.frame(PING, [n]));
    }
    let (mut reader, writer) = socket.split();
    let mut received = Vec::new();
    block_on(async {
        let reading = async {
            while received.len() < 9 {
                if let Some(message) = read_cut.run(reader.recv()).await {
                    received.push(message.unwrap().unwrap().as_bytes().to_vec());
                }
            }
        };
        let writing = async {
            for n in 0..9 {
                while write_cut.run(writer.feed(&[n; 40])).await.transpose().unwrap().is_none() {}
            }
            while write_cut.run(writer.flush()).await.transpose().unwrap().is_none() {}
        };
        tokio::join!(reading, writing);
        writer.flush().await.unwrap();
    });
    let mut frames = role.frames(&peer.log());
    frames.retain(|frame| frame.0 != PONG);
    (received, frames, read_cut.pendings.max(write_cut.pendings))
}

/// What the documentation of each method says of a future that is dropped: after its first poll, and before.
#[test]
fn a_dropped_future_has_queued_what_its_documentation_says() {
    for role in Role::BOTH {
        block_on(async {
            // There is no room, and the output is above the high-water mark or not.
            for is_full in [false, true] {
                let open = || {
                    let config = Config::new().with_high_water_len(10);
                    let (mut socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(0));
                    if is_full {
                        socket.queue([7; 20]).unwrap();
                    }
                    (socket, peer)
                };
                let queued = |before: usize, after: usize| after > before;
                let (mut socket, _peer) = open();
                let before = socket.queued_len();
                // Never polled: nothing at all.
                drop(socket.ping(b"x"));
                drop(socket.close(None));
                drop(socket.feed("x"));
                drop(socket.send("x"));
                drop(socket.send_fragment("x", true));
                assert_eq!(socket.queued_len(), before);
                // Polled once and pending.
                if is_full {
                    assert!(once(socket.feed("x")).await.is_none());
                    assert!(once(socket.send("x")).await.is_none());
                    assert!(once(socket.send_fragment("x", true)).await.is_none());
                    assert!(once(socket.ready()).await.is_none());
                    assert_eq!(socket.queued_len(), before, "not queued");
                } else {
                    assert!(once(socket.send("x")).await.is_none());
                    assert!(queued(before, socket.queued_len()), "queued, since there was room for it");
                }
                let (before, has_room) = (socket.queued_len(), socket.is_ready());
                assert!(once(socket.ping(b"x")).await.is_none());
                assert_eq!(queued(before, socket.queued_len()), has_room, "as a message");
                let before = socket.queued_len();
                assert!(once(socket.close(None)).await.is_none());
                assert!(queued(before, socket.queued_len()) && socket.state() == State::Closing);

                let (mut reader, writer) = open().0.split();
                let before = writer.queued_len();
                drop(writer.ping(b"x"));
                drop(writer.close(None));
                drop(writer.feed("x"));
                drop(writer.send("x"));
                drop(writer.send_fragment("x", true));
                assert_eq!(writer.queued_len(), before);
                if is_full {
                    assert!(once(writer.feed("x")).await.is_none());
                    assert!(once(writer.send("x")).await.is_none());
                    assert!(once(writer.send_fragment("x", true)).await.is_none());
                    assert!(once(writer.ready()).await.is_none());
                    assert_eq!(writer.queued_len(), before, "not queued");
                } else {
                    assert!(once(writer.send("x")).await.is_none());
                    assert!(queued(before, writer.queued_len()));
                }
                let (before, has_room) = (writer.queued_len(), writer.is_ready());
                assert!(once(writer.ping(b"x")).await.is_none());
                assert_eq!(queued(before, writer.queued_len()), has_room, "as a message");
                let before = writer.queued_len();
                assert!(once(writer.close(None)).await.is_none());
                assert!(queued(before, writer.queued_len()) && writer.state() == State::Closing);
                assert!(once(reader.recv()).await.is_none());
            }
        });
    }
}
