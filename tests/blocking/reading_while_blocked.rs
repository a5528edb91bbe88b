//! `recv` goes on reading while its own output finds no room: two that only answer do not block each other.

use std::time::Duration;

use tidewire::blocking::WebSocket;
use tidewire::{Config, Error, Event, Input, Message};

use support::blocking_stream::Scripted;
use support::wire::{self, FIN, Frame, PONG, Role};

#[test]
fn messages_arrive_while_the_output_is_blocked() -> Result<(), Error> {
    for role in Role::BOTH {
        // The replies and half of a message find room.
        for room in [0, 1, 500] {
            let messages: Vec<_> = (0..20).map(|i| wire::binary(role, [i; 100])).collect();
            let incoming = [messages.concat(), wire::close(role, 1000, "")].concat();
            let stream = Scripted::new(incoming).with_lens(300, 64).with_room(room);
            let mut socket =
                WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new());
            socket.queue(&[9; 1000])?;
            for i in 0..20 {
                assert_eq!(socket.recv()?, Some(Message::from(vec![i; 100])));
            }
            assert_eq!(stream.state().written.len(), room);
            stream.give_room(usize::MAX);
            assert_eq!(socket.recv()?, None);
            let frames = wire::parse(role, &stream.take_written());
            assert_eq!(frames.len(), 2, "the message and the Close frame");
            assert_eq!(frames[0].payload, [9; 1000]);
        }
    }
    Ok(())
}

#[test]
fn a_pong_that_found_no_room_leaves_when_there_is_some() -> Result<(), Error> {
    for role in Role::BOTH {
        let stream = Scripted::new(wire::ping(role, "p")).without_end().with_room(0);
        let mut socket = WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new());
        assert!(matches!(socket.recv_ref()?, Some((Event::Ping(b"p"), _))));
        assert!(stream.take_written().is_empty());
        // The peer speaks again when it has the pong, so `recv` must write while it waits to read.
        let stream = stream.with_peer(move |_| wire::text(role, "at last"));
        let handle = stream.clone();
        let helper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            handle.give_room(usize::MAX);
        });
        assert_eq!(socket.recv()?, Some("at last".into()));
        helper.join().expect("no panic");
        assert_eq!(wire::parse(role, &stream.take_written()), [Frame::new(FIN | PONG, "p")]);
    }
    Ok(())
}
