//! The same bytes for this library and for tungstenite: the same events, answers and kind of failure, but for the differences
//! named here. What was received is then sent by each to the other.
#![no_main]

use std::io::{self, Read, Write};

use libfuzzer_sys::fuzz_target;
use tidewire::{CloseCode, CloseFrame, Config, Connection, ProtocolError};
use tidewire_fuzz::{Cuts, Data, Model, Outcome, Run, Seen, connection, drain, flag};
use tungstenite::error::{CapacityError, ProtocolError as Theirs};
use tungstenite::protocol::{self, Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

/// Limits of a frame and a message: small ones, and such that lengths of eight bytes are below.
const LIMITS: [(usize, usize); 2] = [(70_000, 100_000), (300, 400)];

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let (flags, cuts) = (data.byte(), data.cuts());
    let is_server = data.byte() & 1 != 0;
    let limits = LIMITS[usize::from(flags & flag::SMALL_LIMITS != 0)];
    let mut bytes = data.stream(is_server);
    let receive = |bytes: &[u8]| {
        let config = Config::new().with_max_frame_len(limits.0).with_max_message_len(limits.1);
        Run { is_server, config, bytes }.receive(cuts, flags & flag::EOF)
    };
    let mut ours = receive(&bytes);
    if ours.error.is_some_and(|error| error != ProtocolError::UnexpectedEof) {
        // Known difference: tungstenite looks at a header when it is complete, and at a payload when the frame is.
        bytes = complete(&bytes, limits.0).into();
    }
    if matches!(ours.error, Some(ProtocolError::NonMinimalLength | ProtocolError::ControlFrameTooLong)) {
        // Known difference: tungstenite reads lengths in more bytes than they need.
        ours = receive(&minimal(&bytes));
    }
    let eof = ours.error == Some(ProtocolError::UnexpectedEof);
    let theirs = Tungstenite::receive(is_server, limits, &bytes, cuts, eof);
    compare(is_server, limits, &ours, &theirs);
    exchange(is_server, &ours.events);
});

/// What tungstenite made of all the bytes.
#[derive(Debug)]
struct Tungstenite {
    events: Vec<Seen>,
    error: Option<Error>,
    output: Vec<u8>,
}

impl Tungstenite {
    fn receive(is_server: bool, limits: (usize, usize), bytes: &[u8], cuts: Cuts<'_>, eof: bool) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .max_frame_size(Some(limits.0))
            .max_message_size(Some(limits.1));
        let stream = Stream::new(cuts.of(bytes), eof);
        let mut socket = WebSocket::from_raw_socket(stream, role(is_server), Some(config));
        let (mut events, mut error) = (Vec::new(), None);
        while !matches!(events.last(), Some(Seen::Close(_))) {
            match socket.read() {
                Ok(message) => events.push(seen(message)),
                Err(Error::Io(stop)) if stop.kind() == io::ErrorKind::WouldBlock => break,
                Err(stop) => {
                    error = Some(stop);
                    break;
                }
            }
        }
        match socket.flush() {
            Ok(()) | Err(Error::ConnectionClosed) => {}
            Err(error) => panic!("{error}"),
        }
        Self { events, error, output: socket.into_inner().written }
    }
}

/// What `output` tells the peer.
fn replies(is_server: bool, output: &[u8]) -> Vec<Seen> {
    let replies = Model::new(!is_server, &Config::new(), output, false);
    assert_eq!(replies.error, None, "in {output:?}");
    replies.events
}

fn role(is_server: bool) -> Role {
    if is_server { Role::Server } else { Role::Client }
}

fn seen(message: Message) -> Seen {
    match message {
        Message::Text(text) => Seen::Text(text.as_str().into()),
        Message::Binary(payload) => Seen::Binary(payload.into()),
        Message::Ping(payload) => Seen::Ping(payload.into()),
        Message::Pong(payload) => Seen::Pong(payload.into()),
        Message::Close(frame) => {
            Seen::Close(frame.map(|frame| (frame.code.into(), frame.reason.as_str().into())))
        }
        Message::Frame(frame) => panic!("{frame} was read"),
    }
}

/// Known difference: tungstenite receives a code that must not be sent as this, and answers with it.
fn violation() -> Seen {
    Seen::Close(Some((1002, "Protocol violation".into())))
}

/// Known difference: tungstenite does not know 1014, which was registered after the RFC.
fn with_their_codes(seen: &Seen) -> Seen {
    match seen {
        Seen::Close(Some((1014, _))) => violation(),
        other => other.clone(),
    }
}

fn compare(is_server: bool, limits: (usize, usize), ours: &Outcome, theirs: &Tungstenite) {
    let mut events: Vec<_> = ours.events.iter().map(with_their_codes).collect();
    let mut owed: Vec<_> = replies(is_server, &ours.output).iter().map(with_their_codes).collect();
    match (ours.error, &theirs.error) {
        (Some(ProtocolError::InvalidCloseCode(_)), None) => {
            events.push(violation());
            owed.pop();
            owed.push(violation());
        }
        (Some(error), Some(other)) => {
            assert!(is_same(limits.0, error, other), "{error:?} and {other:?}");
            // Known difference: tungstenite does not tell the peer what was wrong.
            owed.truncate(owed.len() - usize::from(error.close_code().is_some()));
        }
        (error, other) => assert!(error.is_none() && other.is_none(), "{error:?} and {other:?}"),
    }
    assert_eq!(events, theirs.events);
    assert_eq!(owed, replies(is_server, &theirs.output));
}

/// True if both errors tell of the same violation, or of two violations in one frame that are looked at in another order.
fn is_same(max_frame_len: usize, ours: ProtocolError, theirs: &Error) -> bool {
    use ProtocolError as O;
    let is_reserved_bit = matches!(ours, O::ReservedBit(_));
    let is_control_header = matches!(ours, O::FragmentedControlFrame | O::ControlFrameTooLong);
    match theirs {
        Error::Protocol(theirs) => match theirs {
            Theirs::InvalidOpcode(opcode) => ours == O::ReservedOpCode(*opcode),
            // Known difference: control frames are looked at after all these.
            Theirs::UnmaskedFrameFromClient => {
                ours == O::UnmaskedFrame || is_reserved_bit || is_control_header
            }
            Theirs::NonZeroReservedBits => is_reserved_bit || is_control_header,
            Theirs::MaskedFrameFromServer => ours == O::MaskedFrame || is_control_header,
            Theirs::FragmentedControlFrame => ours == O::FragmentedControlFrame,
            Theirs::ControlFrameTooBig => ours == O::ControlFrameTooLong,
            Theirs::UnexpectedContinueFrame => ours == O::UnexpectedContinuation,
            Theirs::ExpectedFragment(_) => ours == O::UnfinishedMessage,
            Theirs::InvalidCloseSequence => ours == O::InvalidCloseBody,
            Theirs::ResetWithoutClosingHandshake => ours == O::UnexpectedEof,
            _ => false,
        },
        // Known difference: the limit of a frame comes before all but its opcode.
        Error::Capacity(CapacityError::MessageTooLong { max_size, .. }) if *max_size == max_frame_len => {
            let is_header = matches!(
                ours,
                O::LengthOutOfRange
                    | O::ReservedBit(_)
                    | O::UnmaskedFrame
                    | O::MaskedFrame
                    | O::UnexpectedContinuation
                    | O::UnfinishedMessage
            );
            matches!(ours, O::FrameTooLong { .. }) || is_header || is_control_header
        }
        Error::Capacity(CapacityError::MessageTooLong { .. }) => matches!(ours, O::MessageTooLong { .. }),
        // Known difference: of a Close frame the reason is looked at before the code.
        Error::Utf8(_) => {
            matches!(ours, O::InvalidUtf8 | O::InvalidCloseReason | O::InvalidCloseCode(_))
        }
        _ => false,
    }
}

/// Where the parts of a frame are, naively.
struct Frame {
    header_len: usize,
    payload_len: usize,
}

impl Frame {
    /// The frame at the start of `bytes`; what is missing of its header counts as 0xFF.
    fn at(bytes: &[u8]) -> Self {
        let byte = |index| bytes.get(index).copied().unwrap_or(0xFF);
        let short = byte(1) & 0x7F;
        let len_len = [0, 2, 8][usize::from(short.saturating_sub(125))];
        let len = (2..2 + len_len).fold(0, |len, index| len << 8 | usize::from(byte(index)));
        let key_len = if byte(1) & 0x80 != 0 { 4 } else { 0 };
        Self { header_len: 2 + len_len + key_len, payload_len: if len_len == 0 { short.into() } else { len } }
    }

    fn len(&self) -> usize {
        self.header_len.saturating_add(self.payload_len)
    }
}

/// `bytes` and what the last frame lacks; without its payload, if that is longer than `max_frame_len`.
fn complete(bytes: &[u8], max_frame_len: usize) -> Vec<u8> {
    let (mut all, mut at) = (bytes.to_vec(), 0);
    while at < bytes.len() {
        let frame = Frame::at(&all[at..]);
        let header_end = at + frame.header_len;
        all.resize(all.len().max(header_end), 0xFF);
        if frame.payload_len > max_frame_len {
            break;
        }
        at = header_end + frame.payload_len;
        all.resize(all.len().max(at), 0);
    }
    all
}

/// `bytes` with all lengths in their minimal form.
fn minimal(bytes: &[u8]) -> Vec<u8> {
    let (mut all, mut rest) = (Vec::new(), bytes);
    while rest.len() >= 2 {
        let frame = Frame::at(rest);
        if rest.len() < frame.header_len {
            break;
        }
        let key = if rest[1] & 0x80 != 0 { &rest[frame.header_len - 4..frame.header_len] } else { &[] };
        let masked = rest[1] & 0x80;
        all.push(rest[0]);
        match frame.payload_len {
            len @ ..126 => all.push(masked | len as u8),
            len @ ..0x1_0000 => all.extend([masked | 126, (len >> 8) as u8, len as u8]),
            len => {
                all.push(masked | 127);
                all.extend((len as u64).to_be_bytes());
            }
        }
        all.extend(key);
        let end = rest.len().min(frame.len());
        all.extend(&rest[frame.header_len..end]);
        rest = &rest[end..];
    }
    all.extend(rest);
    all
}

/// Sends `events` from one library to the other, in both directions.
fn exchange(is_server: bool, events: &[Seen]) {
    let sent: Vec<_> = events.iter().filter(|event| !matches!(event, Seen::Pong(_))).cloned().collect();
    let mut connection = connection(is_server, Config::new());
    sent.iter().for_each(|event| send(&mut connection, event));
    let limits = (usize::MAX, usize::MAX);
    let received = Tungstenite::receive(!is_server, limits, &drain(connection.output()), Cuts::WHOLE, false);
    assert!(received.error.is_none(), "{:?}", received.error);
    assert_eq!(received.events, sent.iter().map(with_their_codes).collect::<Vec<_>>());

    let mut socket = WebSocket::from_raw_socket(Stream::new([], false), role(!is_server), None);
    for event in events {
        socket.send(message(event)).expect("an open connection");
    }
    let bytes = socket.into_inner().written;
    let received = Run { is_server, config: Config::new(), bytes: &bytes }.receive(Cuts::WHOLE, 0);
    assert_eq!((received.error, &received.events[..]), (None, events));
}

/// Sends `event`; a message that is longer than one byte goes in two fragments.
fn send(connection: &mut Connection, event: &Seen) {
    let result = match event {
        Seen::Text(text) => match (1..text.len()).find(|&index| text.is_char_boundary(index)) {
            None => connection.send(text),
            Some(index) => connection
                .send_fragment(&text[..index], false)
                .and_then(|()| connection.send_fragment(&text[index..], true)),
        },
        Seen::Binary(payload) => connection.send(payload),
        Seen::Ping(payload) => connection.ping(payload),
        Seen::Pong(_) => Ok(()),
        Seen::Close(frame) => {
            connection.close(frame.as_ref().map(|(code, reason)| {
                CloseFrame::new(CloseCode::new(*code).expect("it was received"), reason)
            }));
            Ok(())
        }
    };
    result.expect("an open connection, with room");
}

fn message(event: &Seen) -> Message {
    match event.clone() {
        Seen::Text(text) => Message::Text(text.into()),
        Seen::Binary(payload) => Message::Binary(payload.into()),
        Seen::Ping(payload) => Message::Ping(payload.into()),
        Seen::Pong(payload) => Message::Pong(payload.into()),
        Seen::Close(frame) => Message::Close(
            frame.map(|(code, reason)| protocol::CloseFrame { code: code.into(), reason: reason.into() }),
        ),
    }
}

/// A transport in memory: a read gives one chunk at most.
struct Stream<'d> {
    /// In reverse order.
    chunks: Vec<&'d [u8]>,
    eof: bool,
    written: Vec<u8>,
}

impl<'d> Stream<'d> {
    fn new(chunks: impl IntoIterator<Item = &'d [u8]>, eof: bool) -> Self {
        let mut chunks: Vec<_> = chunks.into_iter().collect();
        chunks.reverse();
        Self { chunks, eof, written: Vec::new() }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.chunks.pop() {
            Some(mut chunk) => {
                let len = chunk.read(buffer)?;
                self.chunks.extend((!chunk.is_empty()).then_some(chunk));
                Ok(len)
            }
            None if self.eof => Ok(0),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
