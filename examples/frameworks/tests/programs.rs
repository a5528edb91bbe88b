//! The programs as their users meet them: over HTTP/1.1, HTTP/2 and TLS, with what they do besides.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{Server, exchange};
use tests_support::handshake::{REQUEST, with};
use tests_support::wire::{self, Role};
use tidewire::tokio::{WebSocket, client, client_with};
use tidewire::{ClientRequest, CloseCode, Config};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, client::TlsStream};

const HYPER: &str = env!("CARGO_BIN_EXE_hyper_server");
const AXUM: &str = env!("CARGO_BIN_EXE_axum_server");
const TLS: &str = env!("CARGO_BIN_EXE_tls_server");
const MIO: &str = env!("CARGO_BIN_EXE_mio_server");

/// A certificate for `localhost` as a file, which nobody else has issued, and what a client needs to trust it.
fn certificate(name: &str) -> (PathBuf, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.pem"));
    std::fs::write(&file, made.cert.pem() + &made.signing_key.serialize_pem()).expect("written");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("valid");
    (file, roots)
}

/// A stream of TLS that agrees on this version of HTTP.
async fn connect_tls(
    address: SocketAddr,
    roots: RootCertStore,
    protocol: &[u8],
) -> TlsStream<tokio::net::TcpStream> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = tokio::net::TcpStream::connect(address).await.expect("connected");
    let name = "localhost".try_into().expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("trusted");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
    stream
}

async fn echo<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(mut socket: WebSocket<S>) {
    for text in ["Hello".to_owned(), String::new(), "tide".repeat(100_000)] {
        socket.send(text.as_str()).await.expect("sent");
        assert_eq!(socket.recv().await.expect("open"), Some(text.into()));
    }
    socket.close(CloseCode::NORMAL).await.expect("closed in order");
}

#[test]
fn the_client_of_hyper_speaks_with_both_servers_over_http_2() {
    for (server, path) in [(Server::start(HYPER, &[]), "/any"), (Server::start(AXUM, &[]), "/chat")] {
        let uri = format!("http://{}{path}", server.address);
        let client = env!("CARGO_BIN_EXE_hyper_client");
        let output = Command::new(client).args([&uri, "one", "two"]).output().expect("run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "one\ntwo\n");
        // A path where there is no WebSocket.
        if path == "/chat" {
            let output = Command::new(client).arg(uri.replace("/chat", "/")).output().expect("run");
            assert!(!output.status.success());
            assert!(String::from_utf8_lossy(&output.stderr).contains("405"), "{output:?}");
        }
    }
}

#[test]
fn hyper_gives_up_a_client_that_asks_for_nothing() {
    let server = Server::start(HYPER, &[]);
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let streams = [&b""[..], b"P", &settings[..10], settings].map(|bytes| {
        let mut stream = TcpStream::connect(server.address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        stream.write_all(bytes).expect("written");
        stream
    });
    for mut stream in streams {
        stream.read_to_end(&mut Vec::new()).expect("an end");
    }
}

#[test]
fn axum_has_ordinary_routes_and_state() {
    let server = Server::start(AXUM, &[]);
    let get = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        let (answer, _) = exchange(server.address, request.as_bytes(), false, 0).expect("an answer");
        (answer.status, String::from_utf8(answer.body).expect("text"))
    };
    assert_eq!(get("/"), (200, "WebSocket is at /chat\n".into()));
    assert_eq!(get("/count"), (200, "0\n".into()));
    let bytes =
        [with(REQUEST, "").as_bytes(), &wire::text(Role::Server, "a"), &wire::text(Role::Server, "b")]
            .concat();
    let (answer, echoes) = exchange(server.address, &bytes, false, 6).expect("an answer");
    assert_eq!(answer.status, 101);
    assert_eq!(echoes, b"\x81\x01a\x81\x01b");
    assert_eq!(get("/count"), (200, "2\n".into()));
    assert_eq!(get("/nowhere").0, 404);
}

#[test]
fn pages_of_an_origin_that_is_told_may_connect() {
    for program in [HYPER, AXUM] {
        let server = Server::start(program, &["--origin", "https://app.example"]);
        for (origin, status) in [("https://app.example", 101), ("http://server.example.com", 403)] {
            let head = with(REQUEST, &format!("Origin: {origin}\r\n"));
            let (answer, _) = exchange(server.address, head.as_bytes(), false, 0).expect("an answer");
            assert_eq!(answer.status, status, "{program} {origin}");
        }
    }
}

#[tokio::test]
async fn the_tls_server_echoes() {
    let (file, roots) = certificate("tls_server");
    let server = Server::start(TLS, &["--pem", file.to_str().expect("text")]);
    let stream = connect_tls(server.address, roots, b"http/1.1").await;
    echo(client(stream, &ClientRequest::new("wss://localhost/").expect("valid")).await.expect("open")).await;
}

#[tokio::test]
async fn hyper_echoes_behind_tls_over_http_1_1() {
    let (file, roots) = certificate("hyper_http_1_1");
    let server = Server::start(HYPER, &["--pem", file.to_str().expect("text")]);
    let stream = connect_tls(server.address, roots, b"http/1.1").await;
    let config = Config::new().with_deflate(tidewire::Deflate::new());
    let request = ClientRequest::new("wss://localhost/").expect("valid");
    let socket = client_with(stream, &request, config).await.expect("open");
    assert!(socket.agreement().is_some());
    echo(socket).await;
}

/// A stream of HTTP/2 on which the client speaks before it has the server's answer.
async fn connect_h2<S>(stream: S, first: Vec<u8>) -> (h2::SendStream<Bytes>, h2::RecvStream)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut requests, mut connection) = h2::client::handshake(stream).await.expect("open");
    let probe = hyper::Request::head("https://localhost/").body(()).expect("valid");
    let (answered, _) = requests.send_request(probe, true).expect("sent");
    tokio::select! {
        ended = &mut connection => panic!("{ended:?}"),
        answered = answered => drop(answered.expect("an answer")),
    }
    tokio::spawn(connection);
    let request = hyper::Request::connect("https://localhost/chat")
        .version(hyper::Version::HTTP_2)
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(())
        .expect("valid");
    let mut requests = requests.ready().await.expect("open");
    let (answered, mut sender) = requests.send_request(request, false).expect("sent");
    sender.send_data(first.into(), false).expect("sent");
    let response = answered.await.expect("an answer");
    assert_eq!(response.status(), 200);
    (sender, response.into_body())
}

#[tokio::test]
async fn frames_that_follow_an_extended_connect_at_once_arrive() {
    let (file, roots) = certificate("hyper_http_2");
    let secure = Server::start(HYPER, &["--pem", file.to_str().expect("text")]);
    let axum = Server::start(AXUM, &[]);
    let early = [wire::text(Role::Server, "early"), wire::close(Role::Server, 1000, "")].concat();
    let echoes = [wire::text(Role::Client, "early"), wire::close(Role::Client, 1000, "")].concat();
    let plain = tokio::net::TcpStream::connect(axum.address).await.expect("connected");
    for (mut sender, mut body) in [
        connect_h2(connect_tls(secure.address, roots, b"h2").await, early.clone()).await,
        connect_h2(plain, early).await,
    ] {
        let mut received = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.expect("open");
            body.flow_control().release_capacity(data.len()).expect("received");
            received.extend_from_slice(&data);
        }
        assert_eq!(received, echoes);
        sender.send_data(Bytes::new(), true).expect("sent");
    }
}

/// A request of HTTP/2 in bytes, all of it literal.
fn raw_h2_request(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    // HEADERS on stream 1, with END_HEADERS.
    bytes.extend_from_slice(&[0, 0, block.len() as u8, 1, 4, 0, 0, 0, 1]);
    bytes.extend_from_slice(&block);
    bytes
}

/// The type of the first frame that the server sends on stream 1.
fn answer_of_h2(address: SocketAddr, headers: &[(&str, &str)]) -> u8 {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.write_all(&raw_h2_request(headers)).expect("written");
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("a frame");
        let [_, high, low, kind, _, id @ ..] = head;
        stream.read_exact(&mut vec![0; usize::from(high) << 8 | usize::from(low)]).expect("a payload");
        if id == [0, 0, 0, 1] {
            return kind;
        }
    }
}

#[test]
fn headers_of_http_1_1_are_malformed_in_http_2_and_refused_by_the_library() {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;

    let connect = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/chat"),
        (":authority", "h"),
        ("sec-websocket-version", "13"),
    ];
    for server in [Server::start(HYPER, &[]), Server::start(AXUM, &[])] {
        assert_eq!(answer_of_h2(server.address, &connect), HEADERS);
        for wrong in [("connection", "Upgrade"), ("upgrade", "websocket"), ("transfer-encoding", "chunked")] {
            let headers = [&connect[..], &[wrong]].concat();
            assert_eq!(answer_of_h2(server.address, &headers), RST_STREAM, "{wrong:?}");
        }
        // RFC 8441 4: these stand in every extended CONNECT.
        for missing in [":scheme", ":path"] {
            let headers: Vec<_> = connect.into_iter().filter(|(name, _)| *name != missing).collect();
            assert_eq!(answer_of_h2(server.address, &headers), RST_STREAM, "{missing}");
        }
    }
}

#[test]
fn mio_answers_heads_and_frames_in_whatever_pieces_they_come() {
    let server = Server::start(MIO, &[]);
    let request = with(REQUEST, "");
    let bytes = [request.as_bytes(), &wire::text(Role::Server, "early")].concat();
    let (answer, rest) = exchange(server.address, &bytes, false, 7).expect("an answer");
    assert_eq!((answer.status, &*rest), (101, &b"\x81\x05early"[..]));
    let (answer, _) =
        exchange(server.address, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", false, 0).expect("an answer");
    assert_eq!(answer.status, 426);
    // All connections at once, each byte on its own.
    let bytes = [&bytes[..], &wire::close(Role::Server, 1000, "bye")].concat();
    let mut streams: Vec<_> =
        (0..50).map(|_| TcpStream::connect(server.address).expect("connected")).collect();
    for &byte in &bytes {
        for stream in &mut streams {
            stream.write_all(&[byte]).expect("written");
        }
    }
    for mut stream in streams {
        let mut received = Vec::new();
        stream.read_to_end(&mut received).expect("an orderly end");
        assert!(received.ends_with(
            &[wire::text(Role::Client, "early"), wire::close(Role::Client, 1000, "bye")].concat()
        ));
    }
}

#[tokio::test]
async fn mio_echoes_what_is_longer_than_any_buffer_to_a_client_that_reads_late() {
    let server = Server::start(MIO, &[]);
    let stream = tokio::net::TcpStream::connect(server.address).await.expect("connected");
    let socket = client(stream, &ClientRequest::new("ws://localhost/").expect("valid")).await.expect("open");
    let (mut reader, writer) = socket.split();
    let message = "tide".repeat(1 << 18);
    let sent = message.clone();
    let sender = tokio::spawn(async move {
        for _ in 0..20 {
            writer.send(sent.as_str()).await.expect("sent");
        }
        writer
    });
    for _ in 0..20 {
        assert_eq!(reader.recv().await.expect("open"), Some(message.as_str().into()));
    }
    sender.await.expect("no panic").close(CloseCode::NORMAL).await.expect("open");
    assert_eq!(reader.recv().await.expect("closed in order"), None);
}

#[test]
fn mio_answers_all_of_a_burst_although_nothing_follows_it() {
    let server = Server::start(MIO, &[]);
    let message = "a message of more than a few bytes";
    let burst = wire::text(Role::Server, message).repeat(20_000);
    let mut stream = TcpStream::connect(server.address).expect("connected");
    let mut writer = stream.try_clone().expect("a handle");
    let bytes = [with(REQUEST, "").as_bytes(), &burst].concat();
    let writing = std::thread::spawn(move || writer.write_all(&bytes).expect("written"));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.extend_from_slice(&byte);
    }
    let mut echoes = vec![0; wire::text(Role::Client, message).len() * 20_000];
    stream.read_exact(&mut echoes).expect("all echoes");
    assert!(echoes == wire::text(Role::Client, message).repeat(20_000));
    writing.join().expect("no panic");
}

#[test]
fn mio_gives_up_a_client_that_says_nothing() {
    let server = Server::start(MIO, &[]);
    let mut stream = TcpStream::connect(server.address).expect("connected");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an orderly end");
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    // And goes on with the others.
    let (answer, _) = exchange(server.address, with(REQUEST, "").as_bytes(), false, 0).expect("an answer");
    assert_eq!(answer.status, 101);
}

#[test]
fn the_guide_shows_the_extractor_that_is_tested() {
    let program = include_str!("../src/bin/axum_server.rs");
    let extractor = &program[program.find("/// The extractor").expect("there")..];
    assert!(include_str!("../../../docs/guide/frameworks.md").contains(extractor));
}
