//! fastwebsockets.

use bytes::Bytes;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role as Side, WebSocket};

use super::{Batch, Contender, Role, Tally};
use crate::pipe::{Pipe, Sink, run};
use crate::report::{Column, Kind};

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
        let (pipe, count) = (Pipe::source(batch.wire.clone()), batch.count);
        let mut socket = FragmentCollector::new(WebSocket::after_handshake(pipe, Side::Server));
        Box::new(move || {
            run(async {
                let mut tally = Tally::default();
                while tally.messages < count {
                    let frame = socket.read_frame().await.expect("valid frames");
                    if matches!(frame.opcode, OpCode::Text | OpCode::Binary) {
                        tally.add(&frame.payload);
                    }
                }
                tally
            })
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        let side = match role {
            Role::Server => Side::Server,
            Role::Client => Side::Client,
        };
        let mut socket = WebSocket::after_handshake(Pipe::sink(sink), side);
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
