//! The two halves of a connection do together what the whole does.

use bytes::Buf;
use tidewire::{
    CloseCode, Config, Connection, Ending, Input, Party, ProtocolError, Receiver, SendError, Sender, State,
    TimedOut, Timestamp, TransportAction,
};

use crate::clock::secs;
use crate::scenario::{Chunking, Seen, receive_all};
use crate::wire::{self, CONTINUATION, FIN, Frame, PONG, Role, TEXT};

/// Everything that a connection and its halves can be asked for.
#[derive(Debug, PartialEq)]
struct Facts {
    events: Vec<Seen>,
    error: Option<ProtocolError>,
    output: Vec<Frame>,
    state: State,
    closure: Option<Ending>,
    transport: TransportAction,
}

fn receive_in_halves(role: Role, bytes: &[u8], chunking: Chunking) -> Facts {
    let (mut receiver, mut sender) = role.connection(Config::new()).split();
    let (mut input, mut events, mut error) = (Input::new(), Vec::new(), None);
    for chunk in chunking.chunks(bytes) {
        input.extend_from_slice(chunk);
        loop {
            let result = receiver.advance(&mut input);
            if let Some(reply) = receiver.take_reply(&input) {
                sender.reply(reply);
            }
            match result {
                Ok(Some(ready)) => events.push(Seen::from(input.lend(ready))),
                Ok(None) => break,
                Err(cause) => {
                    error = Some(cause);
                    break;
                }
            }
        }
    }
    let output = take_frames(role, &mut sender);
    Facts {
        events,
        error,
        output,
        state: receiver.state(&sender),
        closure: receiver.ending(&sender),
        transport: receiver.transport_action(&sender),
    }
}

fn take_frames(role: Role, sender: &mut Sender) -> Vec<Frame> {
    let output = sender.output();
    wire::parse(role, &output.copy_to_bytes(output.remaining()))
}

/// Receives all of `bytes` and hands the replies over at once.
fn receive(receiver: &mut Receiver, sender: &mut Sender, input: &mut Input, bytes: &[u8]) -> usize {
    input.extend_from_slice(bytes);
    let mut events = 0;
    while let Ok(Some(_)) = receiver.advance(input) {
        if let Some(reply) = receiver.take_reply(input) {
            sender.reply(reply);
        }
        events += 1;
    }
    events
}

#[test]
fn do_what_the_whole_does() {
    for role in Role::BOTH {
        let busy = [
            wire::text(role, "one"),
            wire::ping(role, "p"),
            wire::frame(role, TEXT, "tw"),
            wire::pong(role, ""),
            wire::frame(role, FIN | CONTINUATION, "o"),
        ]
        .concat();
        let ends = [
            Vec::new(),
            wire::close(role, 1001, "bye"),
            wire::frame(role, FIN | TEXT, [0xFF]),
            wire::close(role, 1005, ""),
            vec![0xFF, 0xFF],
        ];
        for end in ends {
            let bytes = [busy.clone(), end].concat();
            let whole = receive_all(role, &bytes);
            let whole = Facts {
                events: whole.events,
                error: whole.error,
                output: whole.output,
                state: whole.state,
                closure: whole.closure,
                transport: whole.transport,
            };
            let splits = (1..bytes.len()).map(Chunking::SplitAt);
            for chunking in [Chunking::Whole, Chunking::ByteByByte].into_iter().chain(splits) {
                assert_eq!(receive_in_halves(role, &bytes, chunking), whole, "{role:?}, {chunking:?}");
            }
        }
    }
}

#[test]
fn a_reply_is_handed_out_once() {
    for role in Role::BOTH {
        let (mut receiver, mut sender) = role.connection(Config::new()).split();
        let mut input = Input::new();
        assert!(receiver.take_reply(&input).is_none());
        input.extend_from_slice(&wire::ping(role, "p"));
        assert!(matches!(receiver.advance(&mut input), Ok(Some(_))));
        sender.reply(receiver.take_reply(&input).expect("a pong is due"));
        assert!(receiver.take_reply(&input).is_none());
        assert_eq!(take_frames(role, &mut sender), [Frame::new(FIN | PONG, "p")]);
        // Messages ask for nothing.
        input.extend_from_slice(&wire::text(role, "m"));
        assert!(matches!(receiver.advance(&mut input), Ok(Some(_))));
        assert!(receiver.take_reply(&input).is_none());
    }
}

#[test]
fn a_close_frame_is_not_answered_when_one_was_sent_meanwhile() {
    for role in Role::BOTH {
        let (mut receiver, mut sender) = role.connection(Config::new()).split();
        let mut input = Input::new();
        input.extend_from_slice(&wire::close(role, 1001, ""));
        assert!(matches!(receiver.advance(&mut input), Ok(Some(_))));
        // The writer closes before the reply reaches it.
        sender.close(CloseCode::NORMAL);
        sender.reply(receiver.take_reply(&input).expect("an answer is due"));
        let expected = Frame::new(0x88, wire::close_body(1000, ""));
        assert_eq!(take_frames(role, &mut sender), [expected]);
        let closure = receiver.ending(&sender).expect("closed");
        assert_eq!((closure.initiator(), closure.code(), closure.is_clean()), (Party::Local, 1001, true));
    }
}

#[test]
fn the_sender_sends_while_the_receiver_receives() -> Result<(), SendError> {
    for role in Role::BOTH {
        let (mut receiver, mut sender) = role.connection(Config::new()).split();
        let mut input = Input::new();
        sender.send_fragment("a", false)?;
        assert_eq!(receive(&mut receiver, &mut sender, &mut input, &wire::ping(role, "1")), 1);
        sender.send_fragment("b", true)?;
        sender.send_prepared(&tidewire::Prepared::new(b"prepared"))?;
        sender.ping(b"ours")?;
        assert!(sender.is_ready());
        let queued_len = sender.queued_len();
        assert_eq!(queued_len, sender.output().len());
        let expected = [
            Frame::new(TEXT, "a"),
            Frame::new(FIN | PONG, "1"),
            Frame::new(FIN, "b"),
            Frame::new(0x82, "prepared"),
            Frame::new(0x89, "ours"),
        ];
        assert_eq!(take_frames(role, &mut sender), expected);
    }
    Ok(())
}

#[test]
fn the_deadlines_are_the_receivers() {
    for role in Role::BOTH {
        let at = |seconds: u64| Timestamp::from(secs(seconds));
        let config = Config::new().with_keepalive(secs(10), secs(4)).with_close_timeout(secs(5));
        let (mut receiver, mut sender) = role.connection(config).split();
        assert_eq!(receiver.poll_timeout(at(0), &mut sender), Some(at(10)));
        assert_eq!(receiver.handle_timeout(at(10), &mut sender), Ok(()));
        assert_eq!(take_frames(role, &mut sender)[0].first, 0x89);
        assert_eq!(receiver.poll_timeout(at(10), &mut sender), Some(at(14)));
        // Closing arms the close deadline at the next poll.
        sender.close(None);
        take_frames(role, &mut sender);
        assert_eq!(receiver.poll_timeout(at(11), &mut sender), Some(at(16)));
        assert_eq!(receiver.handle_timeout(at(16), &mut sender), Err(TimedOut::Close));
        assert_eq!(receiver.timed_out(), Some(TimedOut::Close));
        assert_eq!(receiver.transport_action(&sender), TransportAction::Close);
    }
}

#[test]
fn a_ping_is_not_answered_once_the_peer_was_given_up() {
    for role in Role::BOTH {
        let at = |seconds: u64| Timestamp::from(secs(seconds));
        let (mut receiver, mut sender) = role.connection(Config::new().with_write_timeout(secs(3))).split();
        let mut input = Input::new();
        sender.send("unread").expect("room");
        assert_eq!(receiver.poll_timeout(at(0), &mut sender), Some(at(3)));
        input.extend_from_slice(&wire::ping(role, "too late"));
        assert!(matches!(receiver.advance(&mut input), Ok(Some(_))));
        assert_eq!(receiver.handle_timeout(at(3), &mut sender), Err(TimedOut::Write));
        let owed = sender.output().len();
        if let Some(reply) = receiver.take_reply(&input) {
            sender.reply(reply);
        }
        assert_eq!(sender.output().len(), owed);
    }
}

#[test]
fn are_reunited_in_the_middle_of_a_message() {
    for role in Role::BOTH {
        let (mut receiver, mut sender) = role.connection(Config::new()).split();
        let mut input = Input::new();
        sender.send_fragment(b"x", false).expect("room");
        assert_eq!(receive(&mut receiver, &mut sender, &mut input, &wire::frame(role, TEXT, "fir")), 0);
        let mut whole = Connection::reunite(receiver, sender);
        assert_eq!(whole.send(b"y"), Err(SendError::UnfinishedMessage));
        input.extend_from_slice(&wire::frame(role, FIN | CONTINUATION, "st"));
        let event = whole.receive(&mut input).expect("valid").expect("a message");
        assert_eq!(Seen::from(event), Seen::text("first"));
    }
}
