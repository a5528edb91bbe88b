//! Any requests, WebSockets and pauses for a session of Engine.IO: what was sent comes out once and in order, over whichever transport.
#![no_main]

use std::task::Poll;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use chat_socketio::Limits;
use chat_socketio::engine::{Channel, Encoded, Message, Packet, Session, WebSocketId, packets};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Call {
    Send,
    Get,
    PollGet,
    CancelGet,
    Post(Vec<Received>),
    Attach,
    PollWebSocket(u8),
    Receive(u8, Received),
    Detach(u8),
    Pass(u16),
    Close,
}

#[derive(Arbitrary, Debug)]
enum Received {
    Close,
    Ping,
    Probe,
    Pong,
    Text,
    Binary,
    Upgrade,
    Noop,
    Open,
}

impl Received {
    fn packet(&self) -> Packet<'static> {
        match self {
            Self::Close => Packet::Close,
            Self::Ping => Packet::Ping(""),
            Self::Probe => Packet::Ping("probe"),
            Self::Pong => Packet::Pong(""),
            Self::Text => Packet::Message(Message::Text("text")),
            Self::Binary => Packet::Message(Message::Binary(vec![1].into())),
            Self::Upgrade => Packet::Upgrade,
            Self::Noop => Packet::Noop,
            Self::Open => Packet::Open(""),
        }
    }
}

struct Model {
    session: Session,
    now: Instant,
    ids: Vec<WebSocketId>,
    /// Messages that were sent, and that came out.
    sent: u32,
    delivered: u32,
    has_ended: bool,
}

fuzz_target!(|input: (bool, Vec<Call>)| {
    let (is_websocket, calls) = input;
    let now = Instant::now();
    let mut limits = Limits::new();
    limits.max_queued_len = 10_000;
    let (session, ids) = if is_websocket {
        let (session, id) = Session::websocket("sid", limits, now);
        (session, vec![id])
    } else {
        (Session::polling("sid", limits, now), Vec::new())
    };
    let mut model = Model { session, now, ids, sent: 0, delivered: 0, has_ended: false };
    for call in &calls {
        model.call(call);
        model.check();
    }
});

impl Model {
    fn call(&mut self, call: &Call) {
        let Self { session, now, .. } = self;
        match call {
            Call::Send => {
                if session.send(&[Encoded::message(&self.sent.to_string())]).is_ok() {
                    self.sent += 1;
                }
            }
            Call::Get => _ = session.get(*now),
            Call::PollGet if session.is_get_ready() => match session.poll_get() {
                Poll::Ready(Ok(payload)) => {
                    for packet in packets(&payload) {
                        self.delivered(packet.expect("valid"));
                    }
                }
                Poll::Ready(Err(_)) => {}
                Poll::Pending => panic!("ready"),
            },
            Call::PollGet => {}
            Call::CancelGet => session.cancel_get(*now),
            Call::Post(received) => {
                if session.post(*now).is_ok() {
                    for received in received {
                        let _ = session.receive(Channel::Polling, received.packet(), *now);
                    }
                    session.end_post();
                }
            }
            Call::Attach => {
                if let Ok(id) = session.attach(*now) {
                    self.ids.push(id);
                }
            }
            Call::PollWebSocket(index) => {
                let Some(id) = self.id(*index) else { return };
                if let Poll::Ready(Some(packet)) = self.session.poll_websocket(id) {
                    let Encoded::Text(text) = packet else { panic!("binary") };
                    self.delivered(Packet::decode(&text).expect("valid"));
                }
            }
            Call::Receive(index, received) => {
                let Some(id) = self.id(*index) else { return };
                let _ = self.session.receive(Channel::WebSocket(id), received.packet(), self.now);
            }
            Call::Detach(index) => {
                let Some(id) = self.id(*index) else { return };
                self.session.detach(id, self.now);
            }
            Call::Pass(millis) => {
                *now += Duration::from_millis((*millis).into());
                session.handle_timeout(*now);
            }
            Call::Close => session.close(chat_socketio::engine::CloseReason::Server, *now),
        }
    }

    fn id(&self, index: u8) -> Option<WebSocketId> {
        self.ids.get(usize::from(index) % self.ids.len().max(1)).copied()
    }

    fn delivered(&mut self, packet: Packet<'_>) {
        if let Packet::Message(Message::Text(text)) = packet {
            assert_eq!(text, self.delivered.to_string());
            self.delivered += 1;
        }
    }

    fn check(&mut self) {
        assert!(self.delivered <= self.sent);
        if self.has_ended {
            assert!(self.session.close_reason().is_some());
            assert!(self.session.send(&[]).is_err());
        }
        self.has_ended = self.session.close_reason().is_some();
        // Time does not stand still: after what is due there is nothing due.
        self.session.handle_timeout(self.now);
        assert!(self.session.poll_timeout().is_none_or(|deadline| deadline > self.now));
        if !self.has_ended {
            assert!(self.session.is_known());
        }
    }
}
