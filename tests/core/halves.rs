//! The two halves of a connection do together what the whole does.

use bytes::Buf;
use proptest::collection::vec;
use proptest::prelude::*;
use tidewire::{
    CloseCode, Config, Connection, Ending, Input, Party, ProtocolError, Receiver, SendError, Sender, State,
    TimedOut, Timestamp, TransportAction,
};

use crate::splits::frames::cases;
use support::chunked::{Chunking, Seen, receive_all};
use support::clock::secs;
use support::wire::{self, CONTINUATION, FIN, Frame, PONG, Role, TEXT};

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
            match receiver.advance(&mut input, |reply| sender.reply(reply)) {
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
    while let Ok(Some(_)) = receiver.advance(input, |reply| sender.reply(reply)) {
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
fn a_reply_that_is_forgotten_is_lost_and_never_becomes_another() {
    for role in Role::BOTH {
        // What comes next is longer than any pong, and application data.
        for next in [wire::binary(role, [7; 300]), wire::text(role, "secret"), wire::pong(role, "other")] {
            for split in [0, 1, 5] {
                let (mut receiver, mut sender) = role.connection(Config::new()).split();
                let mut input = Input::new();
                let bytes = [wire::ping(role, "p"), next.clone()].concat();
                let (now, later) = bytes.split_at(bytes.len() - split);
                input.extend_from_slice(now);
                assert!(matches!(receiver.advance(&mut input, |_| {}), Ok(Some(_))));
                input.extend_from_slice(later);
                let mut replies = 0;
                while let Ok(Some(_)) = receiver.advance(&mut input, |reply| {
                    replies += 1;
                    sender.reply(reply);
                }) {}
                assert_eq!(
                    (replies, take_frames(role, &mut sender)),
                    (usize::from(next == wire::pong(role, "other")), vec![])
                );
            }
        }
        // The answer to a Close frame is lost as well, and so is what a broken rule asks for.
        for last in [wire::close(role, 1001, ""), wire::frame(role, FIN | TEXT, [0xFF])] {
            let (mut receiver, mut sender) = role.connection(Config::new()).split();
            let mut input = Input::new();
            input.extend_from_slice(&last);
            let _ = receiver.advance(&mut input, |_| {});
            input.extend_from_slice(&wire::ping(role, "late"));
            let _ = receiver.advance(&mut input, |_| panic!("nothing is due"));
            assert_eq!(take_frames(role, &mut sender), []);
        }
    }
}

/// What a caller of the two halves may do in any order.
#[derive(Clone, Copy, Debug)]
enum Step {
    Receive(usize),
    /// The reply is dropped.
    Forget(usize),
    Send,
    Fragment(bool),
    Ping,
    Close,
    Time(u64),
    Write(usize),
}

fn peer(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..40_usize).prop_map(Step::Receive),
        2 => (1..40_usize).prop_map(Step::Forget),
        2 => Just(Step::Send),
        2 => any::<bool>().prop_map(Step::Fragment),
        2 => Just(Step::Ping),
        1 => Just(Step::Close),
        1 => (0..30_u64).prop_map(Step::Time),
        3 => (1..200_usize).prop_map(Step::Write),
    ]
}

proptest! {
    #![proptest_config(cases(200))]

    /// Whatever is called in whatever order, the peer finds nothing wrong with the frames.
    #[test]
    fn no_order_of_calls_makes_a_frame_that_a_peer_refuses(steps in vec(any_step(), 1..60)) {
        for role in Role::BOTH {
            let (mut receiver, mut sender) = role.connection(Config::new().with_high_water_len(40)).split();
            let (mut peer, mut peer_input) = (peer(role).connection(Config::new()), Input::new());
            let bytes = [
                wire::ping(role, "one"), wire::binary(role, [7; 300]), wire::ping(role, [1; 125]), wire::text(role, "two"),
                wire::pong(role, ""), wire::ping(role, ""), wire::frame(role, TEXT, "thr"), wire::ping(role, "in it"),
                wire::frame(role, FIN | CONTINUATION, "ee"), wire::close(role, 4321, "end"),
            ].concat();
            let (mut at, mut now, mut input) = (0, 0, Input::new());
            for &step in &steps {
                match step {
                    Step::Receive(len) | Step::Forget(len) => {
                        let end = bytes.len().min(at + len);
                        input.extend_from_slice(&bytes[at..end]);
                        at = end;
                        let is_kept = matches!(step, Step::Receive(_));
                        let _ = receiver.advance(&mut input, |reply| if is_kept { sender.reply(reply) });
                    }
                    Step::Send => drop(sender.send("message")),
                    Step::Fragment(last) => drop(sender.send_fragment(&b"part"[..], last)),
                    Step::Ping => drop(sender.ping(&[7; 125])),
                    Step::Close => sender.close(CloseCode::GOING_AWAY),
                    Step::Time(secs) => {
                        now += secs;
                        let at = Timestamp::from_micros(now * 1_000_000);
                        let _ = receiver.poll_timeout(at, &mut sender);
                        let _ = receiver.handle_timeout(at, &mut sender);
                    }
                    Step::Write(len) => {
                        let len = len.min(sender.output().len());
                        peer_input.extend_from_slice(&sender.output().copy_to_bytes(len));
                    }
                }
                while let Some(event) = peer.receive(&mut peer_input).expect("valid") {
                    drop(event);
                }
            }
        }
    }
}

#[test]
fn a_close_frame_is_not_answered_when_one_was_sent_meanwhile() {
    for role in Role::BOTH {
        let (mut receiver, mut sender) = role.connection(Config::new()).split();
        let mut input = Input::new();
        input.extend_from_slice(&wire::close(role, 1001, ""));
        let advanced = receiver.advance(&mut input, |reply| {
            // The writer closes before the reply reaches it.
            sender.close(CloseCode::NORMAL);
            sender.reply(reply);
        });
        assert!(matches!(advanced, Ok(Some(_))));
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
        sender.send(&tidewire::Prepared::new(b"prepared"))?;
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
        let owed = sender.output().len();
        input.extend_from_slice(&wire::ping(role, "too late"));
        let advanced = receiver.advance(&mut input, |reply| {
            let mut other = role.connection(Config::new()).split().0;
            let _ = other.poll_timeout(at(0), &mut sender);
            assert_eq!(other.handle_timeout(at(3_600), &mut sender), Err(TimedOut::Write));
            sender.reply(reply);
        });
        assert!(matches!(advanced, Ok(Some(_))));
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
