//! TLS for threads over streams that read and write in every way there is, and with peers that do what they should not.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tidewire::blocking::{self, Stream, TlsStream};
use tidewire::{ClientRequest, Error, HandshakeError};

use crate::adapter::{Adapter, Way, echo, listen};
use crate::tls::{Authority, request, server, way};

/// A socket that reads and writes little at once, and often nothing.
struct Fitful {
    tcp: TcpStream,
    read_len: usize,
    write_len: usize,
    /// What the first of `every` calls comes to.
    fails_with: ErrorKind,
    every: usize,
    calls: AtomicUsize,
}

impl Fitful {
    fn fails(&self) -> io::Result<()> {
        let fails = self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.every);
        if fails { Err(self.fails_with.into()) } else { Ok(()) }
    }
}

impl Read for &Fitful {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.fails()?;
        let len = space.len().min(self.read_len);
        (&self.tcp).read(&mut space[..len])
    }
}

impl Write for &Fitful {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.fails()?;
        (&self.tcp).write(&bytes[..bytes.len().min(self.write_len)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for &Fitful {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.tcp.shutdown(Shutdown::Write)
    }
}

#[test]
fn nothing_is_lost_or_sent_twice_whatever_the_stream_below_does() {
    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    // A stream that says often that it has waited, and has not, is an error.
    for (fails_with, every, lens) in [
        (ErrorKind::WouldBlock, 5, &[(300, 300), (300, 100_000), (100_000, 300)][..]),
        (ErrorKind::Interrupted, 2, &[(1, 1), (1, 100_000), (100_000, 1), (7, 300)]),
        (ErrorKind::Interrupted, 3, &[(1, 1), (100_000, 100_000)]),
    ] {
        for &(read_len, write_len) in lens {
            let fitful = move |tcp: TcpStream| {
                tcp.set_nodelay(true).expect("a socket");
                Fitful { tcp, read_len, write_len, fails_with, every, calls: AtomicUsize::new(0) }
            };
            let config = config.clone();
            let (port, serving) = listen(move |listener| {
                echo(TlsStream::server(fitful(listener.accept().expect("a client").0), config)?)
            });
            let tcp = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
            let name = ServerName::try_from("localhost").expect("a name");
            let stream = TlsStream::client(fitful(tcp), name, authority.client()).expect("settings");
            let request = request("localhost", port);
            let case = (read_len, write_len, fails_with, every);
            let talk = || -> Result<(), Error> {
                let mut socket = blocking::client(stream, &request)?;
                for len in [0, 1, 125, 3000, 5000] {
                    let message = vec![len as u8; len];
                    socket.send(&message[..])?;
                    assert_eq!(socket.recv()?, Some(message.into()), "{case:?}");
                }
                socket.close(None)
            };
            talk().unwrap_or_else(|error| panic!("{case:?}: {error:?}"));
            serving.join().expect("no panic").expect("open");
        }
    }
}

/// A server by `rustls` alone, when its handshake is done.
fn raw(tcp: TcpStream, config: Arc<ServerConfig>) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
    let mut tcp = tcp;
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        if let Err(error) = tls.complete_io(&mut tcp) {
            // The client is to read the alert, which a reset would take away.
            let _ = tcp.shutdown(Shutdown::Write);
            let _ = tcp.read_to_end(&mut Vec::new());
            return Err(error);
        }
    }
    Ok(StreamOwned::new(tls, tcp))
}

fn read_head(stream: &mut impl Read) -> usize {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    head.len()
}

/// Runs a client that might never come back.
fn within_10_s(adapter: Adapter, way: Way, request: ClientRequest) -> Result<bool, Error> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(adapter.talk(&way, request, &[])));
    receiver.recv_timeout(Duration::from_secs(10)).expect("it ends")
}

/// RFC 8446 6.1: data behind the closure alert is ignored.
#[test]
fn what_follows_close_notify_is_ignored() {
    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    for adapter in Adapter::BOTH {
        for len in [1, 5000, 15_000] {
            let config = config.clone();
            let (port, serving) = listen(move |listener| {
                let mut stream = raw(listener.accept().expect("a client").0, config).expect("a client");
                read_head(&mut stream);
                stream.conn.send_close_notify();
                let mut bytes = Vec::new();
                stream.conn.write_tls(&mut bytes).expect("memory");
                bytes.resize(bytes.len() + len, 7);
                stream.sock.write_all(&bytes).expect("a client");
                stream.sock.shutdown(Shutdown::Write).expect("a client");
                let _ = stream.sock.read_to_end(&mut Vec::new());
            });
            let error = within_10_s(adapter, way(authority.client()), request("localhost", port));
            let error = error.expect_err("no answer");
            assert!(matches!(error, Error::Handshake(HandshakeError::NoAnswer)), "{adapter:?}: {error:?}");
            serving.join().expect("no panic");
        }
    }
}

#[test]
fn a_server_that_leaves_the_handshake_is_no_network_without_end() {
    let authority = Authority::new();
    for adapter in Adapter::BOTH {
        let (port, serving) = listen(move |listener| {
            let mut tcp = listener.accept().expect("a client").0;
            // All of the client's first record, so that nothing unread resets the connection.
            let mut header = [0; 5];
            tcp.read_exact(&mut header).expect("a record");
            let len = u16::from_be_bytes([header[3], header[4]]);
            tcp.read_exact(&mut vec![0; len.into()]).expect("a record");
        });
        let error = within_10_s(adapter, way(authority.client()), request("localhost", port));
        let error = error.expect_err("no server");
        assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof), "{error:?}");
        serving.join().expect("no panic");
    }
}

/// TLS 1.3 tells a client only behind the handshake that its certificate is wanted: RFC 8446 4.4.2.4.
#[test]
fn a_certificate_that_the_server_misses_is_a_failure_of_tls() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify(&["localhost"], |_| {});
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(authority.roots()), Arc::clone(&provider))
            .build()
            .expect("roots");
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key)
        .expect("a key that fits");
    let config = Arc::new(config);
    for adapter in Adapter::BOTH {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let config = config.clone();
            let (port, serving) =
                listen(move |listener| raw(listener.accept().expect("a client").0, config).map(drop));
            let client = authority.client_with(&[version]);
            let error = within_10_s(adapter, way(client), request("localhost", port));
            let error = error.expect_err("no certificate");
            assert!(matches!(error, Error::Tls(_)), "{adapter:?}, {version:?}: {error:?}");
            assert!(serving.join().expect("no panic").is_err());
        }
    }
}

#[test]
fn a_request_longer_than_any_buffer_of_tls_arrives() {
    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    for adapter in Adapter::BOTH {
        let config = config.clone();
        let (port, serving) = listen(move |listener| {
            let mut stream = raw(listener.accept().expect("a client").0, config).expect("a client");
            let len = read_head(&mut stream);
            stream.write_all(b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n").expect("a client");
            stream.conn.send_close_notify();
            stream.flush().expect("a client");
            len
        });
        let long = "x".repeat(200_000);
        let request = request("localhost", port).with_header("X-Long", &long).expect("valid");
        let error = within_10_s(adapter, way(authority.client()), request).expect_err("503");
        assert!(matches!(error, Error::Handshake(HandshakeError::Refused(_))), "{adapter:?}: {error:?}");
        assert!(serving.join().expect("no panic") > 200_000);
    }
}

/// A server that renews its keys now and then, and wants the client to do so as well.
struct Renewing {
    stream: StreamOwned<ServerConnection, TcpStream>,
    writes: usize,
}

impl Read for Renewing {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.stream.read(space)
    }
}

impl Write for Renewing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        if self.writes.is_multiple_of(5) {
            self.stream.conn.refresh_traffic_keys().map_err(io::Error::other)?;
        }
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[test]
fn keys_may_be_renewed_while_both_directions_are_busy() {
    const COUNT: usize = 60;

    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    let (port, serving) = listen(move |listener| {
        let stream = raw(listener.accept().expect("a client").0, config).expect("a client");
        echo(blocking::Untimed(Renewing { stream, writes: 0 }))
    });
    let connector = blocking::Connector::new().with_tls(authority.client_with(&[&rustls::version::TLS13]));
    let socket = connector.connect(request("localhost", port)).expect("open");
    let (mut reader, writer) = socket.split();
    let sending = {
        let writer = writer.clone();
        thread::spawn(move || (0..COUNT).try_for_each(|n| writer.send(vec![n as u8; n * 500])))
    };
    for n in 0..COUNT {
        assert_eq!(reader.recv().expect("open"), Some(vec![n as u8; n * 500].into()));
    }
    sending.join().expect("no panic").expect("open");
    reader.reunite(writer).expect("one connection").close(None).expect("open");
    serving.join().expect("no panic").expect("open");
}
