//! `connect` to a server that takes no connection, and the pings that every opened connection sends by itself.

use std::io::Read as _;
use std::net::TcpListener;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tidewire::blocking::{Connector, Stream, WebSocket, accept, client, connect};
use tidewire::{ClientRequest, Config, Error, TimedOut, Timestamp};

use crate::http::{accepting, request};
use support::blocking_stream::Scripted;
use support::load::watched;
use support::wire::{self, FIN, PING, Role};

/// A moment after all that a socket of this test was told, which nothing has happened by.
const NOW: Timestamp = Timestamp::from_micros(3_600_000_000);

#[track_caller]
fn assert_pings_after_20_seconds<S: Stream>(socket: WebSocket<S>, role: Role) {
    let (_stream, mut connection, _) = socket.into_parts();
    let deadline = connection.poll_timeout(NOW).expect("a deadline");
    assert_eq!(deadline.duration_since(NOW), Duration::from_secs(20));
    assert!(connection.output().is_empty());
    connection.handle_timeout(deadline).expect("it has only begun");
    connection.poll_timeout(deadline);
    let frames = wire::parse(role, connection.output().chunk());
    assert_eq!(frames.iter().map(|frame| frame.first).collect::<Vec<_>>(), [FIN | PING]);
}

#[test]
fn what_client_and_accept_open_pings_after_20_seconds() -> Result<(), Error> {
    let socket = client(accepting("", b""), &ClientRequest::new("ws://example.org/")?)?;
    assert_pings_after_20_seconds(socket, Role::Client);
    let socket = accept(Scripted::new(request("")).without_end())?;
    assert_pings_after_20_seconds(socket, Role::Server);
    Ok(())
}

#[test]
fn what_connect_opens_pings_after_20_seconds() -> Result<(), Error> {
    for has_connector in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let uri = format!("ws://{}/", listener.local_addr()?);
        let accepting = thread::spawn(move || accept(listener.accept()?.0));
        let socket =
            if has_connector { Connector::new().connect(ClientRequest::new(&uri)?) } else { connect(&uri) };
        assert_pings_after_20_seconds(socket?, Role::Client);
        let socket = accepting.join().expect("no panic")?;
        assert_pings_after_20_seconds(socket, Role::Server);
    }
    Ok(())
}

/// Other systems answer in other ways when a server takes no more connections.
#[cfg(target_os = "linux")]
#[test]
fn a_server_that_takes_no_connection_is_given_up_after_the_open_timeout() -> Result<(), Error> {
    use std::net::TcpStream;

    // The standard library does not let a program say how many may wait.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    let listener = socket.listen(1)?;
    let address = listener.local_addr()?;
    // As many as wait to be accepted, and one for which there is no room.
    let waits = Duration::from_millis(100);
    let waiting: Vec<_> =
        std::iter::from_fn(|| TcpStream::connect_timeout(&address, waits).ok()).take(100).collect();
    assert!(waiting.len() < 100);
    let config = Config::new().with_open_timeout(Duration::from_millis(50));
    let connector = Connector::new().with_config(config);
    let result = connector.connect(ClientRequest::new(&format!("ws://{address}/"))?);
    assert!(matches!(result, Err(Error::TimedOut(TimedOut::Open))), "{result:?}");
    Ok(())
}

#[test]
fn what_connect_opens_waits_as_long_as_it_is_told_and_ends() {
    watched(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let uri = format!("ws://{}/", listener.local_addr().expect("bound"));
        let accepting = thread::spawn(move || accept(listener.accept().expect("a client").0));
        let short = Duration::from_millis(100);
        let config = Config::new().with_write_timeout(short).without_keepalive();
        let request = ClientRequest::new(&uri).expect("valid");
        let mut client = Connector::new().with_config(config).connect(request).expect("open");
        let (mut server, ..) = accepting.join().expect("no panic").expect("open").into_parts();
        assert_eq!(client.recv_timeout(short).expect("open"), Poll::Pending);
        // More than the buffers of both sockets hold.
        let sent = client.send(vec![1; 32 << 20]);
        assert!(matches!(sent, Err(Error::TimedOut(TimedOut::Write))), "{sent:?}");
        assert!(client.recv().is_err());
        // The socket is kept, and the server reads the end all the same.
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).expect("an orderly end");
        assert!(!rest.is_empty());
        drop(client);
    });
}
