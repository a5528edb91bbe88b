//! What is lent beside an event can queue and nothing else: whatever is done with it, the stream stays one of whole frames.

use tidewire::{Config, Event, SendError};

use support::blocking_stream::Scripted;
use support::wire::{self, BINARY, CLOSE, CONTINUATION, FIN, Frame, PING, PONG, Role, TEXT};

#[test]
fn a_queue_lent_in_the_middle_of_a_frame_adds_whole_frames_behind_it() {
    for role in Role::BOTH {
        for room in [0, 1, 3, 100, 1007] {
            let stream = Scripted::new([wire::ping(role, "ping"), wire::pong(role, "pong")].concat());
            let stream = stream.without_end().with_room(room);
            let mut socket = tidewire::blocking::WebSocket::from_parts(
                stream.clone(),
                role.connection(Config::new()),
                tidewire::Input::new(),
            );
            socket.queue(&[7; 1000]).expect("open");
            // The stream takes a part of the frame, and the pong waits.
            let Ok(Some((Event::Ping(b"ping"), mut queue))) = socket.recv_ref() else { panic!("no ping") };
            assert_eq!(stream.state().written.len(), room);
            assert!(queue.is_ready());
            queue.ping(b"other").expect("open");
            queue.queue_fragment("frag", false).expect("open");
            assert_eq!(queue.queue("whole"), Err(SendError::UnfinishedMessage));
            assert_eq!(queue.queue_fragment(b"ment", true), Err(SendError::MixedFragments));
            let Ok(Some((Event::Pong(b"pong"), mut queue))) = socket.recv_ref() else { panic!("no pong") };
            assert_eq!(queue.ping(&[0; 126]), Err(SendError::PingTooLong));
            queue.queue_fragment("ment", true).expect("open");
            queue.queue(vec![8; 100_000]).expect("open");
            assert!(!queue.is_ready());
            queue.close(None);
            queue.close(None);
            assert_eq!(queue.queue("late"), Err(SendError::Closed));
            stream.give_room(usize::MAX);
            socket.flush().expect("room");
            let expected = [
                Frame::new(FIN | BINARY, [7; 1000]),
                Frame::new(FIN | PONG, "ping"),
                Frame::new(FIN | PING, "other"),
                Frame::new(TEXT, "frag"),
                Frame::new(FIN | CONTINUATION, "ment"),
                Frame::new(FIN | BINARY, vec![8; 100_000]),
                Frame::new(FIN | CLOSE, ""),
            ];
            assert_eq!(wire::parse(role, &stream.take_written()), expected, "{role:?}, {room}");
        }
    }
}

#[test]
fn an_output_that_is_full_refuses_a_queue_and_stays_whole() {
    for role in Role::BOTH {
        let stream = Scripted::new(wire::text(role, "go").repeat(3)).without_end().with_room(5);
        let config = Config::new().with_high_water_len(100).with_max_output_len(1000);
        let mut socket = tidewire::blocking::WebSocket::from_parts(
            stream.clone(),
            role.connection(config),
            tidewire::Input::new(),
        );
        let mut queued = 0;
        for _ in 0..3 {
            let (_, mut queue) = socket.recv_ref().expect("open").expect("open");
            while queue.queue(&[1; 90]).is_ok() {
                queued += 1;
            }
            assert_eq!(queue.queue(&[1; 90]), Err(SendError::OutputFull));
            assert_eq!(queue.ping(b""), Err(SendError::OutputFull));
        }
        stream.give_room(usize::MAX);
        socket.flush().expect("room");
        assert_eq!(wire::parse(role, &stream.take_written()).len(), queued);
    }
}
