//! `connect` to a server that takes no connection, and the pings that every opened connection sends by itself.

use std::time::Duration;

use tidewire::tokio::{Connector, WebSocket, accept, client, connect};
use tidewire::{ClientRequest, Config, Connection, Error, Event, TimedOut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, pause};

use support::tokio_stream::{Fault, Script, block_on, ends, scripted};

/// A connection that sends nothing by itself takes the place of the other end.
fn quiet<S: AsyncRead + AsyncWrite + Unpin>(socket: WebSocket<S>, is_client: bool) -> WebSocket<S> {
    let config = Config::new().without_keepalive();
    let connection = if is_client { Connection::client(config, [7; 32]) } else { Connection::server(config) };
    let (stream, _, input) = socket.into_parts();
    WebSocket::from_parts(stream, connection, input)
}

/// Waits until `other` receives a ping of `socket`, to which nothing else happens.
async fn pings<S, T>(mut socket: WebSocket<S>, mut other: WebSocket<T>) -> Duration
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let begun = Instant::now();
    tokio::select! {
        received = socket.recv() => panic!("{received:?}"),
        event = ends(other.recv_ref()) => assert!(matches!(event, Ok(Some((Event::Ping(_), _)))), "{event:?}"),
    }
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn what_client_and_accept_open_pings_after_20_seconds() {
    for is_client in [false, true] {
        let (near, far) = tokio::io::duplex(1 << 10);
        let request = ClientRequest::new("ws://example.org/").unwrap();
        let (client, server) = tokio::join!(client(near, &request), accept(far));
        let (client, server) = (client.unwrap(), server.unwrap());
        let after = if is_client {
            pings(client, quiet(server, false)).await
        } else {
            pings(server, quiet(client, true)).await
        };
        assert_eq!(after, Duration::from_secs(20), "client: {is_client}");
    }
}

#[test]
fn what_connect_opens_pings_after_20_seconds() {
    for has_connector in [false, true] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let uri = format!("ws://{}/", listener.local_addr().unwrap());
            let connecting = async {
                if has_connector {
                    Connector::new().connect(ClientRequest::new(&uri)?).await
                } else {
                    connect(&uri).await
                }
            };
            let accepting = async { accept(listener.accept().await?.0).await };
            let (client, server) = tokio::join!(connecting, accepting);
            pause();
            let after = pings(client.unwrap(), quiet(server.unwrap(), false)).await;
            // The timer is not finer than a millisecond.
            assert!(after.abs_diff(Duration::from_secs(20)) < Duration::from_secs(1), "{after:?}");
        });
    }
}

/// Other systems answer in other ways when a server takes no more connections.
#[cfg(target_os = "linux")]
#[test]
fn a_server_that_takes_no_connection_is_given_up_after_the_open_timeout() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        // As many as wait to be accepted, and one for which there is no room.
        let waits = Duration::from_millis(100);
        let waiting: Vec<_> =
            std::iter::from_fn(|| std::net::TcpStream::connect_timeout(&address, waits).ok())
                .take(100)
                .collect();
        assert!(waiting.len() < 100);
        pause();
        let request = ClientRequest::new(&format!("ws://{address}/")).unwrap();
        let limit = Duration::from_secs(7);
        let connector = Connector::new().with_config(Config::new().with_open_timeout(limit));
        let begun = Instant::now();
        let result = connector.connect(request).await;
        assert!(matches!(result, Err(Error::TimedOut(TimedOut::Open))), "{result:?}");
        assert!(begun.elapsed().abs_diff(limit) < Duration::from_secs(1), "{:?}", begun.elapsed());
    });
}

#[test]
fn what_connect_opened_is_shut_at_the_end_even_if_it_is_kept() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("ws://{}/", listener.local_addr().unwrap());
        let accepting = async { accept(listener.accept().await?.0).await };
        let (client, server) = tokio::join!(connect(&uri), accepting);
        let (mut client, (mut server, ..)) = (client.unwrap(), server.unwrap().into_parts());
        // It writes several pieces at once, as the socket below it does.
        assert!(client.get_ref().is_write_vectored());
        // A Close frame without a code, and the answer to it; then either side ends.
        server.write_all(&[0x88, 0]).await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(client.recv().await.unwrap(), None);
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer[..2], [0x88, 0x80]);
        drop(client);
    });
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error_of_accept() {
    let request = "GET / HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    for fault in [Fault::Error, Fault::Reset, Fault::WriteZero] {
        // The request is read, and the next operation is the write of the answer.
        let (stream, peer) = scripted(Script::SMOOTH.with_fault(2, fault));
        peer.send(request);
        let accepted = block_on(accept(stream));
        assert!(matches!(accepted, Err(Error::Io(_))), "{fault:?}: {accepted:?}");
    }
}
