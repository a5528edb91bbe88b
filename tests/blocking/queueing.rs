//! `queue`, `ready`, `feed`, `send`, `flush` and `queued_len`: what is written when.

use tidewire::blocking::WebSocket;
use tidewire::{Config, Error, Input, Prepared, SendError};

use support::blocking_stream::Scripted;
use support::wire::{self, CONTINUATION, FIN, Frame, Role, TEXT};

fn open(role: Role, config: Config) -> (Scripted, WebSocket<Scripted>) {
    let stream = Scripted::new([]).with_lens(usize::MAX, 100);
    (stream.clone(), WebSocket::from_parts(stream, role.connection(config), Input::new()))
}

#[test]
fn what_is_queued_is_written_by_a_flush() -> Result<(), Error> {
    for role in Role::BOTH {
        let (stream, mut socket) = open(role, Config::new());
        socket.queue("one")?;
        socket.feed("two")?;
        assert!(stream.take_written().is_empty());
        // RFC 6455 5.1: a client's frames have a masking key.
        let frame_len = if role == Role::Client { 2 + 4 + 3 } else { 2 + 3 };
        assert_eq!(socket.queued_len(), 2 * frame_len);
        socket.flush()?;
        assert_eq!(socket.queued_len(), 0);
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 2);
        let calls = stream.state().calls.len();
        socket.flush()?;
        assert_eq!(stream.state().calls.len(), calls, "there is nothing to do");
    }
    Ok(())
}

#[test]
fn ready_writes_down_to_the_high_water_mark_and_no_further() -> Result<(), Error> {
    for role in Role::BOTH {
        let (stream, mut socket) = open(role, Config::new().with_high_water_len(1000));
        socket.queue(&[1; 3000])?;
        let queued = socket.queued_len();
        socket.ready()?;
        assert!((900..1000).contains(&socket.queued_len()), "{}", socket.queued_len());
        assert_eq!(stream.state().written.len(), queued - socket.queued_len());
        socket.feed("next")?;
        socket.send("last")?;
        assert_eq!(socket.queued_len(), 0);
        let frames = wire::parse(role, &stream.take_written());
        let payloads: Vec<_> = frames.iter().map(|frame| frame.payload.as_slice()).collect();
        assert_eq!(payloads, [&[1; 3000][..], b"next", b"last"]);
    }
    Ok(())
}

#[test]
fn recv_writes_what_is_queued_before_it_waits() {
    for role in Role::BOTH {
        let (stream, mut socket) = open(role, Config::new());
        socket.queue("queued").expect("open");
        assert!(matches!(socket.recv(), Err(Error::Protocol(_))), "the end without a Close frame");
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 1);
    }
}

#[test]
fn a_message_beyond_the_limit_of_the_output_is_refused_and_nothing_is_queued() -> Result<(), Error> {
    for role in Role::BOTH {
        let config = Config::new().with_max_output_len(1000).with_high_water_len(500);
        let (stream, mut socket) = open(role, config);
        socket.queue(&[1; 400])?;
        socket.queue(&[1; 900])?;
        let queued = socket.queued_len();
        for _ in 0..3 {
            assert_eq!(socket.queue(&[2; 100]), Err(SendError::OutputFull));
        }
        assert_eq!(socket.queued_len(), queued);
        // What may wait makes room.
        socket.ping(b"?")?;
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 3);
        socket.queue(&[1; 900])?;
        socket.queue(&[1; 900])?;
        assert_eq!(socket.queue("more"), Err(SendError::OutputFull));
        socket.send(&[2; 5000])?;
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 3);
    }
    Ok(())
}

#[test]
fn fragments_and_prepared_messages_are_queued_like_any_other() -> Result<(), Error> {
    for role in Role::BOTH {
        let (stream, mut socket) = open(role, Config::new());
        socket.queue_fragment("frag", false)?;
        assert!(matches!(socket.send("whole"), Err(Error::Send(SendError::UnfinishedMessage))));
        socket.queue_fragment("ment", true)?;
        socket.queue(&Prepared::new("prepared"))?;
        socket.flush()?;
        let expected = [
            Frame::new(TEXT, "frag"),
            Frame::new(FIN | CONTINUATION, "ment"),
            Frame::new(FIN | TEXT, "prepared"),
        ];
        assert_eq!(wire::parse(role, &stream.take_written()), expected);
    }
    Ok(())
}
