//! yawc.

use bytes::Bytes;
use yawc::{Frame, OpCode, Options, Role as Side, WebSocket};

use super::{Batch, Contender, Role, Tally, feeding, receiving};
use crate::pipe::{Pipe, Sink};
use crate::table::{Column, Kind};
use crate::wire::READ_LEN;

pub(super) struct Yawc;

fn web_socket(pipe: Pipe, side: Side) -> WebSocket<Pipe> {
    let options = Options::default()
        .with_utf8()
        .with_limits(16 << 20, 64 << 20)
        .with_read_buffer_capacity(2 * READ_LEN)
        .with_backpressure_boundary(READ_LEN);
    WebSocket::from_stream(pipe, side, options).expect("options without extensions")
}

impl Contender for Yawc {
    fn column(&self) -> Column {
        Column { name: "yawc", kind: Kind::Peer }
    }

    fn setup(&self) -> &'static str {
        "feature `simd`; `with_utf8`, since it validates no text otherwise; a read buffer of 128 KiB and a backpressure boundary \
         of 64 KiB, as in its own benchmarks; `next_frame`; `feed`, then `flush`"
    }

    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally> {
        let socket = web_socket(Pipe::source(batch.wire.clone()), Side::Server);
        receiving(socket, batch.count, async |socket, tally| {
            let frame = socket.next_frame().await.expect("valid frames");
            if matches!(frame.opcode(), OpCode::Text | OpCode::Binary) {
                tally.add(frame.payload());
            }
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        let socket = web_socket(Pipe::sink(sink), role.choose(Side::Server, Side::Client));
        feeding(socket, count, move || Frame::binary(payload.clone()))
    }
}
