//! What a user of the core feels: masking, receiving and sending frames, an echo between two connections in memory, and the opening
//! handshake.
//!
//! ```text
//! cargo bench --bench codec
//! ```

use bytes::Buf as _;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use tidewire::{ClientHandshake, ClientRequest, Config, Connection, Event, Input, Output, ServerHandshake};

const LENGTHS: [usize; 9] = [0, 16, 125, 126, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20];

/// The payload of a batch: enough frames to fill a read of 64 KiB, or one long one.
fn frames_per_batch(len: usize) -> usize {
    ((64 << 10) / (len + 14)).max(1)
}

fn main() {
    divan::main();
}

#[divan::bench(args = LENGTHS)]
fn mask(bencher: Bencher<'_, '_>, len: usize) {
    let mut payload = vec![7; len];
    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| tidewire::mask::apply(black_box(&mut payload), black_box([1, 2, 3, 4])));
}

#[divan::bench(args = LENGTHS)]
fn receive_binary(bencher: Bencher<'_, '_>, len: usize) {
    receive(bencher, len, |client| client.send(vec![7; len]).expect("open"));
}

#[divan::bench(args = LENGTHS)]
fn receive_ascii(bencher: Bencher<'_, '_>, len: usize) {
    receive(bencher, len, |client| client.send("a".repeat(len)).expect("open"));
}

#[divan::bench(args = LENGTHS)]
fn receive_multi_byte(bencher: Bencher<'_, '_>, len: usize) {
    receive(bencher, len, |client| client.send("é".repeat(len / 2)).expect("open"));
}

/// Receives batches of frames as a server, fed by reads of at most 64 KiB.
fn receive(bencher: Bencher<'_, '_>, len: usize, send: impl Fn(&mut Connection)) {
    let count = frames_per_batch(len);
    let mut client = Connection::client(Config::new(), [7; 32]);
    for _ in 0..count {
        send(&mut client);
    }
    let output = client.output();
    let bytes = output.copy_to_bytes(output.remaining());
    let mut server = Connection::server(Config::new());
    let mut input = Input::new();
    bencher.counter(BytesCount::new(len * count)).bench_local(|| {
        let mut received = 0;
        for read in bytes.chunks(64 << 10) {
            input.extend_from_slice(read);
            while let Some(event) = server.receive(&mut input).expect("valid") {
                received += matches!(black_box(event), Event::Text(_) | Event::Binary(_)) as usize;
            }
        }
        assert_eq!(received, count);
    });
}

#[divan::bench(args = LENGTHS)]
fn send_as_server(bencher: Bencher<'_, '_>, len: usize) {
    send(bencher, len, Connection::server(Config::new()));
}

#[divan::bench(args = LENGTHS)]
fn send_as_client(bencher: Bencher<'_, '_>, len: usize) {
    send(bencher, len, Connection::client(Config::new(), [7; 32]));
}

fn send(bencher: Bencher<'_, '_>, len: usize, mut connection: Connection) {
    let count = frames_per_batch(len);
    let payload = vec![7; len];
    bencher.counter(BytesCount::new(len * count)).bench_local(|| {
        for _ in 0..count {
            connection.send(black_box(&payload)).expect("room");
        }
        let output = connection.output();
        output.advance(black_box(output.remaining()));
    });
}

#[divan::bench(args = LENGTHS)]
fn echo(bencher: Bencher<'_, '_>, len: usize) {
    let payload = vec![7; len];
    let mut client = Connection::client(Config::new(), [7; 32]);
    let mut server = Connection::server(Config::new());
    let (mut to_server, mut to_client) = (Input::new(), Input::new());
    bencher.counter(BytesCount::new(len)).bench_local(|| {
        client.send(&payload).expect("room");
        transfer(client.output(), &mut to_server);
        let Ok(Some(Event::Binary(payload))) = server.receive(&mut to_server) else { panic!("no message") };
        server.send(payload).expect("room");
        transfer(server.output(), &mut to_client);
        let Ok(Some(Event::Binary(payload))) = client.receive(&mut to_client) else { panic!("no echo") };
        assert_eq!(payload.len(), len);
    });
}

/// Both sides of the opening handshake.
#[divan::bench]
fn handshake(bencher: Bencher<'_, '_>) {
    let request = ClientRequest::new("ws://localhost/chat").expect("a URI");
    let (mut to_server, mut to_client) = (Input::new(), Input::new());
    bencher.bench_local(|| {
        let mut client = ClientHandshake::new(Config::new(), black_box(&request), [7; 16], [7; 32]);
        let mut server = ServerHandshake::new(Config::new());
        transfer(client.output(), &mut to_server);
        let request = server.receive(&mut to_server).expect("valid").expect("whole");
        let mut server = request.accept(None, &[]).expect("acceptable");
        transfer(server.output(), &mut to_client);
        let opened = client.receive(&mut to_client).expect("valid").expect("whole");
        (server, opened)
    });
}

fn transfer(output: &mut Output, to: &mut Input) {
    while output.has_remaining() {
        let chunk = output.chunk();
        let len = chunk.len();
        to.extend_from_slice(chunk);
        output.advance(len);
    }
}
