//! tungstenite over `Read + Write`.

use bytes::Bytes;
use tungstenite::Message;
use tungstenite::protocol::{Role as Side, WebSocket, WebSocketConfig};

use super::{Batch, Contender, Role, Tally};
use crate::pipe::{Pipe, Sink};
use crate::table::{Column, Kind};
use crate::wire::READ_LEN;

pub(super) struct Tungstenite;

/// It clears the read buffer before every read: a longer one than is ever filled costs.
fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(READ_LEN)
}

impl Contender for Tungstenite {
    fn column(&self) -> Column {
        Column { name: "tungstenite", kind: Kind::Peer }
    }

    fn setup(&self) -> &'static str {
        "`WebSocket` over `Read + Write`; a read buffer of 64 KiB, which it clears before every read; `read`; `write`, then `flush`"
    }

    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally> {
        let (pipe, count) = (Pipe::source(batch.wire.clone()), batch.count);
        let mut socket = WebSocket::from_raw_socket(pipe, Side::Server, Some(config()));
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
        let mut socket = WebSocket::from_raw_socket(Pipe::sink(sink), side, Some(config()));
        Box::new(move || {
            (0..count).for_each(|_| socket.write(Message::Binary(payload.clone())).expect("room"));
            socket.flush().expect("an open connection");
        })
    }
}
