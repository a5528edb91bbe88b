//! Any calls on two connections, over a link that cuts the bytes anew, while time passes: what was sent is what is received,
//! the newest ping is answered, and both tell the same end.
#![no_main]

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use tidewire::{
    CloseCode, CloseFrame, Config, Connection, Input, Message, Party, Prepared, SendError, State, TimedOut,
    Timestamp, TransportAction,
};
use tidewire_fuzz::{Heap, Seen};

const MAX_MESSAGE_LEN: usize = 1 << 17;
const MAX_OUTPUT_LEN: usize = 1 << 18;
/// The longest header.
const MAX_HEADER_LEN: usize = 14;
/// A pong, a keepalive ping and a Close frame, which the limit does not hold back.
const MAX_REPLIES_LEN: usize = 3 * (MAX_HEADER_LEN + 125);
/// What two connections may have grown to: an output and an input that took a whole one, and longest messages, each doubled.
const MAX_STORAGE_LEN: usize = 2 * (2 * MAX_OUTPUT_LEN + 2 * MAX_OUTPUT_LEN + 4 * MAX_MESSAGE_LEN);

#[derive(Arbitrary, Debug)]
struct Call {
    side: bool,
    action: Action,
}

#[derive(Arbitrary, Debug)]
enum Action {
    Send(Content),
    SendPrepared(Content),
    SendFragment(Content, bool),
    Ping(u8),
    Close(Option<u16>, u8),
    /// So many bytes of the output go to the peer's input.
    Write(u16),
    WriteAll,
    /// One event, or everything.
    Receive(bool),
    Wait(u16),
    Release,
    SplitAndReunite,
    Cut,
}

#[derive(Arbitrary, Debug)]
struct Content {
    is_text: bool,
    is_owned: bool,
    is_long: bool,
    len: u8,
    fill: u8,
}

impl Content {
    fn message(&self) -> Message {
        let factor = match (self.is_long, self.fill % 8) {
            (false, _) => 1,
            (true, 0) => 300,
            (true, _) => 70,
        };
        let len = usize::from(self.len) * factor;
        if self.is_text {
            // Characters of one to four bytes.
            let characters = "aé€😀".chars().cycle().skip(self.fill.into());
            Message::Text(characters.take(len / 4).collect())
        } else {
            Message::Binary(vec![self.fill; len].into())
        }
    }
}

fuzz_target!(|data: (u8, Vec<Call>)| {
    let heap = Heap::new();
    let (flags, calls) = data;
    let mut pair = Pair::new(flags);
    for call in &calls {
        pair.call(call);
        // Whatever is on its way is in the output of one end or the input of the other, and remembered here.
        let sent_len: usize = pair.ends.iter().map(|end| end.sent_len).sum();
        heap.assert_at_most(MAX_STORAGE_LEN + 4 * sent_len + 512 * calls.len());
    }
    pair.finish();
});

struct Pair {
    /// The client and the server.
    ends: [End; 2],
    now: Timestamp,
}

impl Pair {
    fn new(flags: u8) -> Self {
        let mut config =
            Config::new().with_max_message_len(MAX_MESSAGE_LEN).with_max_output_len(MAX_OUTPUT_LEN);
        if flags & 1 != 0 {
            config = config.with_high_water_len(50);
        }
        let with_keepalive = config.with_keepalive(Duration::from_secs(20), Duration::from_secs(20));
        let config_for = |flag| if flags & flag != 0 { with_keepalive } else { config };
        let client = Connection::client(config_for(2), [7; 32]);
        let ends = [client, Connection::server(config_for(4))].map(End::new);
        Self { ends, now: Timestamp::default() }
    }

    fn call(&mut self, call: &Call) {
        let side = usize::from(call.side);
        let end = &mut self.ends[side];
        match &call.action {
            Action::Send(content) => end.send(content, false),
            Action::SendPrepared(content) => end.send(content, true),
            Action::SendFragment(content, is_last) => end.send_fragment(content, *is_last),
            Action::Ping(len) => end.ping((*len).into()),
            Action::Close(code, len) => end.close(*code, (*len).into()),
            Action::Write(len) => self.write(side, (*len).into()),
            Action::WriteAll => self.write(side, usize::MAX),
            Action::Receive(all) => while self.receive(side) && *all {},
            Action::Wait(millis) => self.wait(Duration::from_millis((*millis).into())),
            Action::Release => {
                end.connection.release();
                end.input.shrink();
            }
            Action::SplitAndReunite => end.split_and_reunite(),
            Action::Cut => self.cut(side),
        }
        for end in &mut self.ends {
            assert!(end.connection.output().len() <= MAX_OUTPUT_LEN + MAX_REPLIES_LEN);
        }
    }

    /// The end at `side`, and its peer.
    fn end_and_peer(&mut self, side: usize) -> (&mut End, &mut End) {
        let [client, server] = &mut self.ends;
        if side == 0 { (client, server) } else { (server, client) }
    }

    /// Moves up to `len` bytes of output to the peer.
    fn write(&mut self, side: usize, mut len: usize) {
        let (end, peer) = self.end_and_peer(side);
        let output = end.connection.output();
        let mut slices = [IoSlice::new(&[]); 4];
        let count = output.chunks_vectored(&mut slices);
        let vectored = slices[..count].iter().map(|slice| &**slice).collect::<Vec<_>>().concat();
        assert_eq!(vectored.is_empty(), output.is_empty());
        let mut written = Vec::new();
        while len > 0 && output.has_remaining() {
            let chunk = output.chunk();
            let chunk = &chunk[..chunk.len().min(len)];
            assert!(!chunk.is_empty());
            written.extend_from_slice(chunk);
            len -= chunk.len();
            output.advance(chunk.len());
        }
        assert!(written.starts_with(&vectored) || vectored.starts_with(&written));
        if !end.is_cut {
            peer.input.extend_from_slice(&written);
        }
    }

    /// Receives an event; false if there is none.
    fn receive(&mut self, side: usize) -> bool {
        let (end, peer) = self.end_and_peer(side);
        let event = match end.connection.receive(&mut end.input) {
            Ok(Some(event)) => Seen::from(event),
            Ok(None) => return false,
            Err(error) => {
                assert!(end.input.is_eof(), "{error} without a cause");
                return false;
            }
        };
        match event {
            // Pongs may be left out, but not invented.
            Seen::Pong(payload) => {
                let ping = peer.pings.iter().position(|ping| *ping == payload).expect("a ping for the pong");
                peer.pings.drain(..=ping);
                peer.newest_ping.take_if(|ping| *ping == payload);
                return true;
            }
            Seen::Ping(ref payload) => {
                end.pings.push_back(payload.clone());
                end.newest_ping = Some(payload.clone());
                if peer.sent.front() != Some(&event) {
                    assert_eq!(payload.len(), 4, "a ping that is neither ours nor for keepalive");
                    return true;
                }
            }
            Seen::Close(_) if !end.has_closed => {
                end.remember(event.clone());
                end.has_closed = true;
            }
            _ => {}
        }
        peer.sent_len -= event.payload_len();
        assert_eq!(Some(event), peer.sent.pop_front());
        true
    }

    fn wait(&mut self, duration: Duration) {
        let deadlines = self.ends.each_mut().map(|end| end.connection.poll_timeout(self.now));
        self.now = self.now + duration;
        let is_quiet = self.is_whole() && self.ends.iter_mut().all(End::is_quiet);
        for (side, deadline) in deadlines.into_iter().enumerate() {
            if self.ends[side].handle_timeout(self.now, deadline) {
                // With nothing on its way every ping was answered, and every Close frame.
                assert!(!is_quiet, "{:?} without a cause", self.ends[side].timed_out);
                self.cut(side);
            }
        }
    }

    /// The transport from `side` to its peer ends.
    fn cut(&mut self, side: usize) {
        let (end, peer) = self.end_and_peer(side);
        end.is_cut = true;
        peer.input.set_eof();
    }

    /// Delivers everything, closes, and lets time pass until it is over.
    fn finish(mut self) {
        self.settle();
        if self.is_whole() {
            assert!(self.ends.iter().all(|end| end.sent.is_empty()), "something was not received");
            let are_open = self.ends.iter().all(|end| end.connection.state() == State::Open);
            let are_answered = self.ends.iter().all(|end| end.newest_ping.is_none());
            assert!(are_answered || !are_open, "the newest ping is not answered");
        }
        self.ends[0].close(Some(1000), 0);
        self.settle();
        if self.is_whole() {
            let [client, server] = self.ends.each_ref().map(|end| end.connection.ending().expect("an end"));
            assert!(client.is_clean() && server.is_clean());
            let sent = [&client, &server].map(|closure| closure.sent().map_or(1005, u16::from));
            assert_eq!([server.code(), client.code()], sent);
            assert!([client, server].iter().any(|closure| closure.initiator() == Party::Local));
        }
        for _ in 0..10 {
            for side in [0, 1] {
                match self.ends[side].connection.transport_action() {
                    TransportAction::Close | TransportAction::ShutdownWrite => self.cut(side),
                    TransportAction::KeepOpen | TransportAction::AwaitEof => {}
                }
            }
            self.settle();
            self.wait(Duration::from_secs(60));
        }
        for end in &self.ends {
            assert_eq!(end.connection.transport_action(), TransportAction::Close);
            assert!(end.connection.is_closed() && end.connection.ending().is_some());
        }
    }

    /// Delivers until nothing is left.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            for side in [0, 1] {
                self.write(side, usize::MAX);
                while self.receive(1 - side) {}
            }
            if self.ends.iter_mut().all(|end| end.connection.output().is_empty()) {
                return;
            }
        }
        panic!("two connections that never come to rest");
    }

    /// Nothing was cut off.
    fn is_whole(&self) -> bool {
        self.ends.iter().all(|end| !end.is_cut)
    }
}

struct End {
    connection: Connection,
    input: Input,
    /// The message that is being sent in fragments.
    unfinished: Option<Message>,
    /// What was sent and is not received yet: messages, pings and a Close frame.
    sent: VecDeque<Seen>,
    sent_len: usize,
    /// The pings that were received and are not known to be answered.
    pings: VecDeque<Vec<u8>>,
    /// The last ping, until it is answered.
    newest_ping: Option<Vec<u8>>,
    /// How many pings were sent, so that their payloads differ.
    ping_count: u8,
    /// A Close frame was sent.
    has_closed: bool,
    timed_out: Option<TimedOut>,
    is_cut: bool,
}

impl End {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            input: Input::new(),
            unfinished: None,
            sent: VecDeque::new(),
            sent_len: 0,
            pings: VecDeque::new(),
            newest_ping: None,
            ping_count: 0,
            has_closed: false,
            timed_out: None,
            is_cut: false,
        }
    }

    fn send(&mut self, content: &Content, prepared: bool) {
        let message = content.message();
        let expected = self.expect(message.len(), self.unfinished.is_some(), SendError::UnfinishedMessage);
        let result = if prepared {
            self.connection.send(&Prepared::new(&message))
        } else if content.is_owned {
            self.connection.send(message.clone())
        } else {
            self.connection.send(&message)
        };
        assert_eq!(result, expected);
        if result.is_ok() {
            self.remember(message.into());
        }
    }

    fn send_fragment(&mut self, content: &Content, is_last: bool) {
        let part = content.message();
        let so_far = self.unfinished.as_ref().map_or(0, Message::len);
        if so_far + part.len() > MAX_MESSAGE_LEN {
            return;
        }
        let is_other =
            self.unfinished.as_ref().is_some_and(|message| message.as_text().is_some() != content.is_text);
        let expected = self.expect(part.len(), is_other, SendError::MixedFragments);
        let result = if content.is_owned {
            self.connection.send_fragment(part.clone(), is_last)
        } else {
            self.connection.send_fragment(&part, is_last)
        };
        assert_eq!(result, expected);
        if result.is_err() {
            return;
        }
        let message = match (self.unfinished.take(), part) {
            (Some(Message::Text(message)), Message::Text(part)) => Message::Text(message + &part),
            (Some(Message::Binary(message)), Message::Binary(part)) => [message, part].concat().into(),
            (_, part) => part,
        };
        if is_last {
            self.remember(message.into());
        } else {
            self.unfinished = Some(message);
        }
    }

    fn ping(&mut self, len: usize) {
        self.ping_count = self.ping_count.wrapping_add(1);
        let payload = vec![self.ping_count; len];
        let expected =
            if len > 125 { Err(SendError::PingTooLong) } else { self.expect(len, false, SendError::Closed) };
        let result = self.connection.ping(&payload);
        assert_eq!(result, expected);
        if result.is_ok() {
            self.remember(Seen::Ping(payload));
        }
    }

    fn close(&mut self, code: Option<u16>, reason_len: usize) {
        let frame = code.and_then(CloseCode::new).map(|code| CloseFrame::new(code, &"é".repeat(reason_len)));
        let seen = frame.as_ref().map(|frame| (frame.code().into(), frame.reason().into()));
        let closes = self.connection.state() == State::Open;
        self.connection.close(frame);
        assert_ne!(self.connection.state(), State::Open);
        if closes {
            self.has_closed = true;
            self.remember(Seen::Close(seen));
        }
    }

    /// What sending `len` bytes should come to.
    fn expect(&mut self, len: usize, is_wrong: bool, error: SendError) -> Result<(), SendError> {
        if self.connection.state() != State::Open {
            Err(SendError::Closed)
        } else if self.connection.output().len() + len + MAX_HEADER_LEN > MAX_OUTPUT_LEN {
            Err(SendError::OutputFull)
        } else if is_wrong {
            Err(error)
        } else {
            Ok(())
        }
    }

    fn remember(&mut self, seen: Seen) {
        self.sent_len += seen.payload_len();
        self.sent.push_back(seen);
    }

    fn is_quiet(&mut self) -> bool {
        self.connection.output().is_empty() && self.input.unread().is_empty()
    }

    fn split_and_reunite(&mut self) {
        let placeholder = Connection::server(Config::new());
        let (receiver, sender) = std::mem::replace(&mut self.connection, placeholder).split();
        self.connection = Connection::reunite(receiver, sender);
    }

    /// True if the peer is given up; `deadline` is what was known of before.
    fn handle_timeout(&mut self, now: Timestamp, deadline: Option<Timestamp>) -> bool {
        let action = self.connection.transport_action();
        let result = self.connection.handle_timeout(now);
        if self.connection.transport_action() != action {
            assert!(deadline.is_some_and(|deadline| deadline <= now), "a deadline that nobody was told");
        }
        if let Some(timed_out) = self.timed_out {
            assert_eq!(result, Err(timed_out), "a timeout is sticky");
        }
        self.timed_out = result.err();
        assert_eq!(self.connection.timed_out(), self.timed_out);
        self.timed_out.is_some()
    }
}
