//! tokio-websockets.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_websockets::{ClientBuilder, Config, Message, ServerBuilder, WebSocketStream};

use super::{Batch, Contender, Role, Tally};
use crate::pipe::{Pipe, Sink, run};
use crate::report::{Column, Kind};
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
        let (pipe, count) = (Pipe::source(batch.wire.clone()), batch.count);
        let mut socket = ServerBuilder::new().serve(pipe);
        Box::new(move || {
            run(async {
                let mut tally = Tally::default();
                while tally.messages < count {
                    let message = socket.next().await.expect("an open connection").expect("valid frames");
                    if message.is_text() || message.is_binary() {
                        tally.add(message.as_payload());
                    }
                }
                tally
            })
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        let config = Config::default().flush_threshold(READ_LEN);
        let pipe = Pipe::sink(sink);
        let mut socket: WebSocketStream<Pipe> = match role {
            Role::Server => ServerBuilder::new().config(config).serve(pipe),
            Role::Client => ClientBuilder::new().config(config).take_over(pipe),
        };
        Box::new(move || {
            run(async {
                for _ in 0..count {
                    socket.feed(Message::binary(payload.clone())).await.expect("an open connection");
                }
                socket.flush().await.expect("an open connection");
            });
        })
    }
}
