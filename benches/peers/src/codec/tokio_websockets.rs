//! tokio-websockets.

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio_websockets::{ClientBuilder, Config, Message, ServerBuilder};

use super::{Batch, Contender, Role, Tally, feeding, receiving};
use crate::pipe::{Pipe, Sink};
use crate::table::{Column, Kind};
use crate::wire::READ_LEN;

pub(super) struct TokioWebSockets;

impl Contender for TokioWebSockets {
    fn column(&self) -> Column {
        Column { name: "tokio-websockets", kind: Kind::Peer }
    }

    fn setup(&self) -> &'static str {
        "its vector code is always on; masking keys from `fastrand`, its fastest source; `next`; `feed` with a flush threshold \
         of 64 KiB, then `flush`; it reads into 8 KiB"
    }

    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally> {
        let socket = ServerBuilder::new().serve(Pipe::source(batch.wire.clone()));
        receiving(socket, batch.count, async |socket, tally| {
            let message = socket.next().await.expect("an open connection").expect("valid frames");
            if message.is_text() || message.is_binary() {
                tally.add(message.as_payload());
            }
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        let (config, pipe) = (Config::default().flush_threshold(READ_LEN), Pipe::sink(sink));
        let socket = match role {
            Role::Server => ServerBuilder::new().config(config).serve(pipe),
            Role::Client => ClientBuilder::new().config(config).take_over(pipe),
        };
        feeding(socket, count, move || Message::binary(payload.clone()))
    }
}
