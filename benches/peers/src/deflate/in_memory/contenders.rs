//! The crates, and the engine alone.

use ::tidewire::tokio::WebSocket;
use ::tidewire::{Connection, Event, Input};
use bytes::BytesMut;
use futures_util::{SinkExt as _, StreamExt as _};
use sockudo_ws::{CompressedProtocol, CompressedWebSocketStream, Config, Message};
use yawc::{DeflatePool, Frame, OpCode, Options, Role};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush};

use super::Contender;
use crate::bare;
use crate::codec::Tally;
use crate::deflate::settings::{self, LEVEL, Takeover, WINDOW_BITS};
use crate::deflate::text::Text;
use crate::pipe::{Pipe, Sink, run};
use crate::table::{Column, Kind};
use crate::wire::{self, READ_LEN, TEXT};

/// In the order of the report's columns.
pub(super) fn all() -> Vec<Box<dyn Contender>> {
    vec![
        Box::new(Engine),
        Box::new(Core),
        Box::new(Lent),
        Box::new(Yawc { pool: DeflatePool::new(1) }),
        Box::new(Sockudo),
        Box::new(SockudoCore),
    ]
}

struct Engine;

/// RFC 7692 6: what tells a compressed message.
const RSV1: u8 = 0x40;

/// RFC 7692 7.2.1: the end of a compressed message, which is not sent.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

impl Contender for Engine {
    fn column(&self) -> Column {
        Column { name: "zlib-rs", kind: Kind::Floor }
    }

    fn setup(&self) -> &'static str {
        "the engine that all of them use, two of it per connection: one call for each message, into a buffer that is long enough; without \
         takeover a `reset` before each message; headers and unmasking by hand, simdutf8"
    }

    fn receiver(&self, mut pipe: Pipe, takeover: Takeover) -> Box<dyn FnMut(&mut Tally)> {
        let mut engine = Inflate::new(false, WINDOW_BITS);
        let (mut frame, mut text) = (Vec::new(), vec![0; 2 * READ_LEN]);
        Box::new(move |tally| {
            frame.clear();
            frame.extend_from_slice(pipe.next(READ_LEN));
            let (header_len, len, key) = bare::parse(&frame).expect("a whole frame");
            bare::xor(&mut frame[header_len..][..len], key);
            frame.extend_from_slice(&TAIL);
            if !takeover.is_on() {
                engine.reset(false);
            }
            let before = engine.total_out();
            let inflated = engine.decompress(&frame[header_len..], &mut text, InflateFlush::SyncFlush);
            inflated.expect("valid DEFLATE");
            let text = &text[..(engine.total_out() - before) as usize];
            tally.add(simdutf8::basic::from_utf8(text).expect("valid UTF-8").as_bytes());
        })
    }

    fn sender(&self, sink: Sink, takeover: Takeover) -> Box<dyn FnMut(&Text)> {
        let mut engine = Deflate::new_with_config(DeflateConfig {
            level: LEVEL.into(),
            window_bits: -i32::from(WINDOW_BITS),
            // As tidewire.
            mem_level: 5,
            ..DeflateConfig::default()
        });
        let mut compressed = vec![0; 2 * READ_LEN];
        Box::new(move |text| {
            if !takeover.is_on() {
                engine.reset();
            }
            let before = engine.total_out();
            let deflated = engine.compress(text.text.as_bytes(), &mut compressed, DeflateFlush::SyncFlush);
            deflated.expect("a valid stream");
            let len = (engine.total_out() - before) as usize - TAIL.len();
            let (header, header_len) = wire::header(TEXT | RSV1, len, None);
            sink.write(&header[..header_len]);
            sink.write(&compressed[..len]);
        })
    }
}

struct Core;

impl Contender for Core {
    fn column(&self) -> Column {
        Column { name: "tidewire core", kind: Kind::Own }
    }

    fn setup(&self) -> &'static str {
        "`Deflate::new()`: level 3 and 12 bits are its defaults; `Connection::with_agreement`; `receive` from an `Input`, `send` of a \
         borrowed text, the `Output` written chunk by chunk"
    }

    fn receiver(&self, mut pipe: Pipe, takeover: Takeover) -> Box<dyn FnMut(&mut Tally)> {
        let (mut connection, mut input) = (settings::agreed(Connection::server, takeover), Input::new());
        Box::new(move |tally| {
            loop {
                let space = input.space();
                let read = pipe.next(space.len());
                space[..read.len()].copy_from_slice(read);
                input.filled(read.len());
                if let Some(Event::Text(text)) = connection.receive(&mut input).expect("valid frames") {
                    return tally.add(text.as_bytes());
                }
            }
        })
    }

    fn sender(&self, sink: Sink, takeover: Takeover) -> Box<dyn FnMut(&Text)> {
        let mut connection = settings::agreed(Connection::server, takeover);
        Box::new(move |text| {
            connection.send(&text.text).expect("room");
            let output = connection.output();
            while !output.is_empty() {
                let chunk = output.chunk();
                let len = chunk.len();
                sink.write(chunk);
                output.advance(len);
            }
        })
    }
}

struct Lent;

fn web_socket(pipe: Pipe, takeover: Takeover) -> WebSocket<Pipe> {
    WebSocket::from_parts(pipe, settings::agreed(Connection::server, takeover), Input::new())
}

impl Contender for Lent {
    fn column(&self) -> Column {
        Column { name: "tidewire lent", kind: Kind::Own }
    }

    fn setup(&self) -> &'static str {
        "the same in the tokio adapter; `recv_ref`; `queue` of a borrowed text, then `flush`"
    }

    fn receiver(&self, pipe: Pipe, takeover: Takeover) -> Box<dyn FnMut(&mut Tally)> {
        let mut socket = web_socket(pipe, takeover);
        Box::new(move |tally| {
            let (event, _) = run(socket.recv_ref()).expect("valid frames").expect("an open connection");
            if let Event::Text(text) = event {
                tally.add(text.as_bytes());
            }
        })
    }

    fn sender(&self, sink: Sink, takeover: Takeover) -> Box<dyn FnMut(&Text)> {
        let mut socket = web_socket(Pipe::sink(sink), takeover);
        Box::new(move |text| {
            socket.queue(&text.text).expect("room");
            run(socket.flush()).expect("an open connection");
        })
    }
}

struct Yawc {
    pool: DeflatePool,
}

impl Yawc {
    fn web_socket(&self, pipe: Pipe, takeover: Takeover) -> yawc::WebSocket<Pipe> {
        let options = Options::default()
            .with_utf8()
            .with_limits(16 << 20, 64 << 20)
            .with_read_buffer_capacity(2 * READ_LEN)
            .with_backpressure_boundary(READ_LEN);
        let options = settings::yawc(options, &self.pool);
        let extension = Some(takeover.extension());
        yawc::WebSocket::from_stream_with_extensions(pipe, Role::Server, extension, options)
            .expect("an extension that it knows")
    }
}

impl Contender for Yawc {
    fn column(&self) -> Column {
        Column { name: "yawc", kind: Kind::Peer }
    }

    fn setup(&self) -> &'static str {
        "features `simd` and `zlib`; `from_stream_with_extensions`, `with_compression_level(3)`, no threshold; a `DeflatePool` of one for \
         connections without takeover, which knows no other; memory level 8, which cannot be set; all else as in the section on the \
         codec"
    }

    fn receiver(&self, pipe: Pipe, takeover: Takeover) -> Box<dyn FnMut(&mut Tally)> {
        let mut socket = self.web_socket(pipe, takeover);
        Box::new(move |tally| {
            let frame = run(socket.next_frame()).expect("valid frames");
            if frame.opcode() == OpCode::Text {
                tally.add(frame.payload());
            }
        })
    }

    fn sender(&self, sink: Sink, takeover: Takeover) -> Box<dyn FnMut(&Text)> {
        let mut socket = self.web_socket(Pipe::sink(sink), takeover);
        Box::new(move |text| {
            run(socket.send(Frame::text(text.shared.clone()))).expect("an open connection");
        })
    }
}

struct Sockudo;

fn compressed_stream(pipe: Pipe, takeover: Takeover) -> CompressedWebSocketStream<Pipe> {
    let config = Config::builder().auto_ping(false).idle_timeout(0).build();
    CompressedWebSocketStream::server(pipe, config, settings::sockudo(takeover))
}

/// Takes a text.
fn add(tally: &mut Tally, message: &Message) {
    if let Message::Text(payload) = message {
        tally.add(payload);
    }
}

impl Contender for Sockudo {
    fn column(&self) -> Column {
        Column { name: "sockudo-ws", kind: Kind::Peer }
    }

    fn setup(&self) -> &'static str {
        "features `simd`, `fastrand` and `permessage-deflate`; `CompressedWebSocketStream` with a `DeflateConfig` of level 3, 12 bits and no \
         threshold, without pings and idle timeout; memory level 8, which cannot be set; its pool, `Compression::Shared`, has neither \
         windows of 12 bits nor takeover"
    }

    fn receiver(&self, pipe: Pipe, takeover: Takeover) -> Box<dyn FnMut(&mut Tally)> {
        let mut socket = compressed_stream(pipe, takeover);
        Box::new(move |tally| {
            add(tally, &run(socket.next()).expect("an open connection").expect("valid frames"));
        })
    }

    fn sender(&self, sink: Sink, takeover: Takeover) -> Box<dyn FnMut(&Text)> {
        let mut socket = compressed_stream(Pipe::sink(sink), takeover);
        Box::new(move |text| {
            run(socket.send(Message::Text(text.shared.clone()))).expect("an open connection");
        })
    }
}

struct SockudoCore;

fn protocol(takeover: Takeover) -> CompressedProtocol {
    let config = Config::default();
    CompressedProtocol::server(config.max_frame_size, config.max_message_size, settings::sockudo(takeover))
}

impl Contender for SockudoCore {
    fn column(&self) -> Column {
        Column { name: "sockudo-ws core", kind: Kind::Peer }
    }

    fn setup(&self) -> &'static str {
        "the same settings; `CompressedProtocol::process_into` from a `BytesMut`, `encode_message` into another"
    }

    fn receiver(&self, mut pipe: Pipe, takeover: Takeover) -> Box<dyn FnMut(&mut Tally)> {
        let (mut protocol, mut buffer, mut messages) = (protocol(takeover), BytesMut::new(), Vec::new());
        Box::new(move |tally| {
            buffer.reserve(READ_LEN);
            buffer.extend_from_slice(pipe.next(READ_LEN));
            protocol.process_into(&mut buffer, &mut messages).expect("valid frames");
            messages.drain(..).for_each(|message| add(tally, &message));
        })
    }

    fn sender(&self, sink: Sink, takeover: Takeover) -> Box<dyn FnMut(&Text)> {
        let (mut protocol, mut buffer) = (protocol(takeover), BytesMut::new());
        Box::new(move |text| {
            protocol.encode_message(&Message::Text(text.shared.clone()), &mut buffer).expect("room");
            sink.write(&buffer);
            buffer.clear();
        })
    }
}
