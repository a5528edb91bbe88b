//! Every type and every future may move between threads, which the compiler checks; nothing here runs.

#![allow(dead_code, reason = "to compile is the test")]

use tidewire::tokio::{
    self as adapter, ClientStream, Connector, Incoming, Reader, Reconnecting, WebSocket, Writer,
};
use tidewire::{ClientRequest, CloseCode, Config, Message, ServerHandshake};
use tokio::io::DuplexStream;
use tokio::net::TcpStream;

fn is_send<T: Send>(_: T) {}

fn type_is_send<T: Send + Sync + Unpin>() {}

const _: fn() = || {
    type_is_send::<WebSocket<TcpStream>>();
    type_is_send::<Reader<TcpStream>>();
    type_is_send::<Writer<TcpStream>>();
    type_is_send::<Incoming<TcpStream>>();
    type_is_send::<ClientStream>();
    type_is_send::<Connector>();
    type_is_send::<Reconnecting>();
};

fn opening(stream: fn() -> DuplexStream, request: &ClientRequest, handshake: fn() -> ServerHandshake) {
    is_send(adapter::connect("ws://example.org/"));
    is_send(adapter::client(stream(), request));
    is_send(adapter::client_with(stream(), request, Config::new()));
    is_send(adapter::accept(stream()));
    is_send(Incoming::receive(stream(), handshake()));
}

fn clients(connector: &Connector, request: ClientRequest, feed: &mut Reconnecting) {
    is_send(connector.connect(request));
    is_send(feed.next());
}

fn incoming(accepted: Incoming<DuplexStream>, rejected: Incoming<DuplexStream>) {
    is_send(accepted.accept(Some("chat"), &[("Server", "tides")]));
    is_send(rejected.reject(404, &[("Server", "tides")], b"no such place"));
}

fn socket(socket: &mut WebSocket<DuplexStream>, message: Message) {
    is_send(socket.recv());
    is_send(socket.recv_ref());
    is_send(socket.ready());
    is_send(socket.feed("text"));
    is_send(socket.feed(&message));
    is_send(socket.send(vec![0]));
    is_send(socket.send(message));
    is_send(socket.flush());
    is_send(socket.ping(b"ping"));
    is_send(socket.close(CloseCode::NORMAL));
    is_send(socket.close(None));
}

fn halves(reader: &mut Reader<DuplexStream>, writer: &mut Writer<DuplexStream>, message: Message) {
    is_send(reader.recv());
    is_send(reader.recv_ref());
    is_send(writer.ready());
    is_send(writer.feed(&message));
    is_send(writer.send(message));
    is_send(writer.flush());
    is_send(writer.ping(b"ping"));
    is_send(writer.close(CloseCode::NORMAL));
}

/// An event may be held while something else is awaited.
fn events(socket: &mut WebSocket<DuplexStream>, reader: &mut Reader<DuplexStream>) {
    is_send(async {
        let lent = socket.recv_ref().await;
        tokio::task::yield_now().await;
        drop(lent);
        let lent = reader.recv_ref().await;
        tokio::task::yield_now().await;
        drop(lent);
    });
}

/// Only what the stream itself can do is asked of it.
fn any_stream<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send>(
    socket: &mut WebSocket<S>,
    reader: &mut Reader<S>,
    writer: &mut Writer<S>,
) {
    is_send(socket.recv());
    is_send(socket.send("text"));
    is_send(socket.close(None));
    is_send(reader.recv());
    is_send(writer.send("text"));
    is_send(writer.close(None));
}
