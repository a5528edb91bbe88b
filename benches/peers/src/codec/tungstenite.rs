//! tungstenite over `Read + Write`.

use bytes::Bytes;
use tungstenite::Message;
use tungstenite::protocol::{Role as Side, WebSocket};

use super::{Batch, Contender, Role, Tally};
use crate::pipe::{Pipe, Sink};
use crate::report::{Column, Kind};

pub(super) struct Tungstenite;

impl Contender for Tungstenite {
    fn column(&self) -> Column {
        Column { name: "tungstenite", kind: Kind::Peer }
    }

    fn setup(&self) -> &'static str {
        "`WebSocket` over `Read + Write` with its defaults, buffers of 128 KiB; `read`; `write`, then `flush`"
    }

    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally> {
        let (pipe, count) = (Pipe::source(batch.wire.clone()), batch.count);
        let mut socket = WebSocket::from_raw_socket(pipe, Side::Server, None);
        Box::new(move || {
            let mut tally = Tally::default();
            while tally.messages < count {
                match socket.read().expect("valid frames") {
                    Message::Text(text) => tally.add(text.as_bytes()),
                    Message::Binary(payload) => tally.add(&payload),
                    _ => {}
                }
            }
            tally
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        let side = role.choose(Side::Server, Side::Client);
        let mut socket = WebSocket::from_raw_socket(Pipe::sink(sink), side, None);
        Box::new(move || {
            (0..count).for_each(|_| socket.write(Message::Binary(payload.clone())).expect("room"));
            socket.flush().expect("an open connection");
        })
    }
}
