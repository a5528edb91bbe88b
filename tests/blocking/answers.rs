//! Pings, pongs and Close frames: answered without help, and reported as events.

use std::time::Duration;

use tidewire::blocking::WebSocket;
use tidewire::{CloseCode, Config, Error, Event, Input, SendError};

use support::blocking_stream::Scripted;
use support::wire::{self, CLOSE, FIN, Frame, PING, PONG, Role};

#[test]
fn control_frames_are_events_and_their_replies_leave_at_once() -> Result<(), Error> {
    for role in Role::BOTH {
        let incoming = [
            wire::ping(role, "a ping"),
            wire::pong(role, "unasked"),
            wire::text(role, "text"),
            wire::close(role, 4000, "enough"),
        ];
        let stream = Scripted::new(incoming.concat());
        let mut socket = WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new());
        let written = |stream: &Scripted| wire::parse(role, &stream.take_written());
        assert!(matches!(socket.recv_ref()?, Some((Event::Ping(b"a ping"), _))));
        assert_eq!(written(&stream), [Frame::new(FIN | PONG, "a ping")]);
        assert!(matches!(socket.recv_ref()?, Some((Event::Pong(b"unasked"), _))));
        assert!(matches!(socket.recv_ref()?, Some((Event::Text(text), _)) if &*text == "text"));
        assert!(written(&stream).is_empty());
        match socket.recv_ref()? {
            Some((Event::Close(Some(frame)), _)) => {
                assert_eq!((frame.code(), frame.reason()), (CloseCode::new(4000).expect("valid"), "enough"));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(written(&stream), [Frame::new(FIN | CLOSE, wire::close_body(4000, "enough"))]);
        // The code says that something is wrong, so it is no normal end.
        for _ in 0..3 {
            assert!(
                matches!(socket.recv_ref(), Err(Error::ClosedByPeer(close)) if close.reason() == "enough")
            );
            assert!(matches!(socket.recv(), Err(Error::ClosedByPeer(close)) if close.reason() == "enough"));
            socket.close(None)?;
        }
    }
    Ok(())
}

#[test]
fn ten_pings_in_one_read_get_ten_pongs() -> Result<(), Error> {
    for role in Role::BOTH {
        let pings: Vec<_> = (0..10).map(|i| wire::ping(role, [i])).collect();
        let incoming = [pings.concat(), wire::text(role, "done")].concat();
        let stream = Scripted::new(incoming);
        let mut socket = WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new());
        assert_eq!(socket.recv()?, Some("done".into()));
        let expected: Vec<_> = (0..10).map(|i| Frame::new(FIN | PONG, [i])).collect();
        assert_eq!(wire::parse(role, &stream.take_written()), expected);
    }
    Ok(())
}

#[test]
fn a_ping_is_sent_at_once_and_its_pong_tells_the_round_trip_time() -> Result<(), Error> {
    for role in Role::BOTH {
        let stream = Scripted::new([]).without_end();
        let mut socket = WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new());
        assert_eq!(socket.round_trip_time(), None);
        socket.ping(b"are you there")?;
        assert_eq!(wire::parse(role, &stream.take_written()), [Frame::new(FIN | PING, "are you there")]);
        std::thread::sleep(Duration::from_millis(2));
        let pongs = [wire::pong(role, "another"), wire::pong(role, "are you there")];
        stream.arrive(&pongs.concat());
        assert!(matches!(socket.recv_ref()?, Some((Event::Pong(b"another"), _))));
        assert_eq!(socket.round_trip_time(), None);
        assert!(matches!(socket.recv_ref()?, Some((Event::Pong(b"are you there"), _))));
        assert!(socket.round_trip_time().is_some_and(|time| time >= Duration::from_millis(1)));
        assert!(matches!(socket.ping(&[0; 126]), Err(Error::Send(SendError::PingTooLong))));
        assert!(stream.take_written().is_empty());
    }
    Ok(())
}
