//! Any messages between clients and servers that agreed on anything, in any turn: what was sent is what is received, whole and in parts, and
//! no connection sees the window of another one.
#![no_main]

use std::collections::VecDeque;

use arbitrary::Arbitrary;
use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use tidewire::handshake::negotiate;
use tidewire::{Config, Connection, Deflate, Event, Input, Message, Outgoing, Prepared};
use tidewire_fuzz::drain;

#[derive(Arbitrary, Debug)]
struct Script {
    /// The client's wishes and the server's, for each pair.
    pairs: [(Wishes, Wishes); 3],
    calls: Vec<Call>,
}

#[derive(Arbitrary, Debug)]
struct Wishes {
    level: u8,
    window_bits: u8,
    peer_window_bits: Option<u8>,
    takeover: bool,
    peer_takeover: bool,
    min_len: u8,
    parts: bool,
}

impl Wishes {
    fn deflate(&self) -> Deflate {
        let deflate = Deflate::new()
            .with_level(1 + self.level % 9)
            .with_window_bits(8 + self.window_bits % 8)
            .with_takeover(self.takeover)
            .with_peer_takeover(self.peer_takeover)
            .with_min_len(self.min_len.into());
        match self.peer_window_bits {
            Some(bits) => deflate.with_peer_window_bits(8 + bits % 8),
            None => deflate,
        }
    }

    fn config(&self) -> Config {
        Config::new().with_parts(self.parts).with_max_output_len(usize::MAX)
    }
}

#[derive(Arbitrary, Debug)]
struct Call {
    pair: u8,
    from_server: bool,
    action: Action,
}

#[derive(Arbitrary, Debug)]
enum Action {
    Send(Content, Option<bool>),
    /// To every end that may send a message, from the same side.
    Broadcast(Content, Option<bool>),
    Fragment(Content, Option<bool>, bool),
    /// So many bytes go to the peer.
    Write(u16),
    /// The same, and the peer receives what has arrived.
    Deliver,
    Ping,
    Release,
}

#[derive(Arbitrary, Debug)]
struct Content {
    form: u8,
    seed: u8,
    len: u16,
}

impl Content {
    fn message(&self) -> Message {
        let len = if self.form & 0x40 != 0 { usize::from(self.len) } else { usize::from(self.len % 2000) };
        let seed = usize::from(self.seed);
        let bytes = (0..len).map(|n| match self.form % 4 {
            // Something that repeats itself over messages, a run, a period that only a large window holds, and noise.
            0 => b"{\"name\":\"value\",\"number\":"[(n + seed) % 25],
            1 => self.seed,
            2 => ((n % (300 + 100 * seed)).wrapping_mul(2_654_435_761) >> 24) as u8,
            _ => ((n + seed) * (n + 7)).wrapping_mul(0x9E37_79B9).to_be_bytes()[4],
        });
        if self.form & 0x80 != 0 {
            Message::Text(bytes.map(char::from).collect())
        } else {
            Message::Binary(bytes.collect::<Vec<_>>().into())
        }
    }
}

fuzz_target!(|script: Script| {
    let mut pairs = script.pairs.each_ref().map(|(client, server)| Pair::new(client, server));
    for call in script.calls.iter().take(64) {
        let from = usize::from(call.from_server);
        let pair = &mut pairs[usize::from(call.pair) % 3];
        match &call.action {
            Action::Send(content, wish) => pair.ends[from].send(content.message(), *wish),
            Action::Broadcast(content, wish) => {
                let message = content.message();
                let prepared = Prepared::new(outgoing(&message, *wish));
                for pair in &mut pairs {
                    pair.ends[from].send_prepared(&message, &prepared);
                }
            }
            Action::Fragment(content, wish, last) => {
                pair.ends[from].send_fragment(content.message(), *wish, *last);
            }
            Action::Write(len) => pair.write(from, (*len).into()),
            Action::Deliver => pair.deliver(from),
            Action::Ping => pair.ends[from].connection.ping(b"?").expect("open"),
            Action::Release => {
                pair.ends[from].connection.release();
                pair.ends[from].input.shrink();
            }
        }
    }
    for mut pair in pairs {
        for from in [0, 1] {
            pair.ends[from].finish();
            pair.deliver(from);
            assert!(pair.ends[from].sent.is_empty(), "something was not received");
        }
    }
});

fn outgoing(message: &Message, wish: Option<bool>) -> Outgoing<'_> {
    let message = Outgoing::from(message);
    match wish {
        Some(wish) => message.with_compression(wish),
        None => message,
    }
}

struct Pair {
    /// The client and the server.
    ends: [End; 2],
}

impl Pair {
    fn new(client: &Wishes, server: &Wishes) -> Self {
        let (ours, theirs) = (client.deflate(), server.deflate());
        let offer = negotiate::deflate_offer(&ours);
        let served = negotiate::deflate(&theirs, &[&offer]).expect("grammar").expect("a valid offer");
        let answer = served.to_string();
        let agreed = negotiate::deflate_response(&ours, &[&answer]).expect("fits").expect("an agreement");
        let client = Connection::client(client.config(), [7; 32]).with_agreement(agreed);
        let server = Connection::server(server.config()).with_agreement(served);
        Self { ends: [client, server].map(End::new) }
    }

    fn write(&mut self, from: usize, len: usize) {
        let output = self.ends[from].connection.output();
        let bytes = output.copy_to_bytes(len.min(output.remaining()));
        self.ends[1 - from].input.extend_from_slice(&bytes);
    }

    /// The peer receives all that was sent.
    fn deliver(&mut self, from: usize) {
        let bytes = drain(self.ends[from].connection.output());
        let [client, server] = &mut self.ends;
        let (end, peer) = if from == 0 { (client, server) } else { (server, client) };
        peer.input.extend_from_slice(&bytes);
        while let Some(event) = peer.connection.receive(&mut peer.input).expect("a valid stream") {
            let (is_text, bytes, is_last) = match &event {
                Event::Text(text) => (true, text.as_bytes(), true),
                Event::Binary(payload) => (false, &**payload, true),
                Event::TextPart(part) => (true, part.as_bytes(), part.is_last()),
                Event::BinaryPart(part) => (false, &**part, part.is_last()),
                _ => continue,
            };
            peer.received.extend_from_slice(bytes);
            // Parts may come of a message whose end was not sent yet.
            let expected = end.sent.front().or(end.unfinished.as_ref()).expect("a message that was sent");
            assert_eq!(is_text, expected.is_text());
            assert!(expected.as_bytes().starts_with(&peer.received), "another message");
            if is_last {
                assert_eq!(peer.received.len(), expected.len());
                peer.received.clear();
                end.sent.pop_front();
            }
        }
        assert_eq!(peer.input.unread(), b"", "all of it was sent");
    }
}

struct End {
    connection: Connection,
    input: Input,
    /// What was sent and is not received yet.
    sent: VecDeque<Message>,
    /// The message that is being sent in fragments.
    unfinished: Option<Message>,
    /// The parts of a message so far.
    received: Vec<u8>,
}

impl End {
    fn new(connection: Connection) -> Self {
        let (input, sent) = (Input::new(), VecDeque::new());
        Self { connection, input, sent, unfinished: None, received: Vec::new() }
    }

    fn send(&mut self, message: Message, wish: Option<bool>) {
        if self.may_send() {
            self.connection.send(outgoing(&message, wish)).expect("open");
            self.sent.push_back(message);
        }
    }

    fn send_prepared(&mut self, message: &Message, prepared: &Prepared) {
        if self.may_send() {
            self.connection.send(prepared).expect("open");
            self.sent.push_back(message.clone());
        }
    }

    fn send_fragment(&mut self, part: Message, wish: Option<bool>, last: bool) {
        let part = match (&self.unfinished, part) {
            (Some(Message::Text(_)), Message::Binary(_)) => Message::Text("text".into()),
            (Some(Message::Binary(_)), Message::Text(_)) => Message::Binary(b"binary"[..].into()),
            (_, part) => part,
        };
        if self.unfinished.is_none() && !self.may_send() {
            return;
        }
        self.connection.send_fragment(outgoing(&part, wish), last).expect("open");
        let message = match (self.unfinished.take(), part) {
            (Some(Message::Text(message)), Message::Text(part)) => Message::Text(message + &part),
            (Some(Message::Binary(message)), Message::Binary(part)) => [message, part].concat().into(),
            (_, part) => part,
        };
        if last {
            self.sent.push_back(message);
        } else {
            self.unfinished = Some(message);
        }
    }

    /// No message is under way, and there is room.
    fn may_send(&mut self) -> bool {
        self.unfinished.is_none() && self.connection.output().len() < 1 << 19
    }

    /// Ends a message that is under way.
    fn finish(&mut self) {
        if let Some(message) = &self.unfinished {
            let end = if message.is_text() {
                Message::Text(String::new())
            } else {
                Message::Binary(b""[..].into())
            };
            self.send_fragment(end, None, true);
        }
    }
}
