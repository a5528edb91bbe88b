//! fastwebsockets.

use bytes::Bytes;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role as Side, WebSocket};

use super::{Batch, Contender, Role, Tally, receiving};
use crate::pipe::{Pipe, Sink, run};
use crate::table::{Column, Kind};

pub(super) struct FastWebSockets;

impl Contender for FastWebSockets {
    fn column(&self) -> Column {
        Column { name: "fastwebsockets", kind: Kind::Peer }
    }

    fn setup(&self) -> &'static str {
        "feature `simd`; `FragmentCollector::read_frame`, since it hands out whole messages, as in its examples; `write_frame` \
         of a borrowed payload, which writes each frame at once: it has no batches, and reads into 8 KiB"
    }

    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally> {
        let pipe = Pipe::source(batch.wire.clone());
        let socket = FragmentCollector::new(WebSocket::after_handshake(pipe, Side::Server));
        receiving(socket, batch.count, async |socket, tally| {
            let frame = socket.read_frame().await.expect("valid frames");
            if matches!(frame.opcode, OpCode::Text | OpCode::Binary) {
                tally.add(&frame.payload);
            }
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        let mut socket =
            WebSocket::after_handshake(Pipe::sink(sink), role.choose(Side::Server, Side::Client));
        Box::new(move || {
            run(async {
                for _ in 0..count {
                    let frame = Frame::binary(Payload::Borrowed(&payload));
                    socket.write_frame(frame).await.expect("an open connection");
                }
            });
        })
    }
}
