//! What both adapters have beyond receiving and sending: `pair`, `accept_with`, and errors for people.

use std::future::poll_fn;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::task::Poll;
use std::thread;

use tidewire::{
    ClientRequest, CloseCode, CloseFrame, Config, Error, Message, Outgoing, Prepared, ProtocolError,
    ProxyError, SendError, ServerHandshake, State, TimedOut, blocking, tokio as asynchronous,
};

use crate::adapter::{block_on, from_std};
use crate::raw::ends;

fn accept_with_subprotocols(offered: &[&str]) -> [Option<String>; 2] {
    let mut request = ClientRequest::new("ws://localhost/").expect("valid");
    for name in offered {
        request = request.with_subprotocol(name).expect("a token");
    }
    let handshake = || {
        let handshake = ServerHandshake::new(Config::new().with_max_message_len(4));
        handshake.with_subprotocols(&["v2", "v1"]).expect("tokens")
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let client = |request: ClientRequest| {
        thread::spawn(move || {
            let mut socket = blocking::client(TcpStream::connect(address)?, &request)?;
            socket.send("too long")?;
            let ended = socket.recv();
            assert!(
                matches!(ended, Err(Error::ClosedByPeer(close)) if close.code() == CloseCode::MESSAGE_TOO_BIG)
            );
            Ok::<_, Error>(socket.subprotocol().map(str::to_owned))
        })
    };
    let accept = || listener.accept().expect("a client").0;
    let is_too_long =
        |error| matches!(error, Err(Error::Protocol(ProtocolError::MessageTooLong { len: 8, max: 4 })));

    let talking = client(request.clone());
    let mut socket = blocking::accept_with(accept(), handshake()).expect("open");
    assert!(is_too_long(socket.recv()));
    let first = socket.subprotocol().map(str::to_owned);
    assert_eq!(talking.join().expect("no panic").expect("open"), first);

    let talking = client(request);
    let second = block_on(async {
        let stream = from_std(accept()).expect("a socket");
        let mut socket = asynchronous::accept_with(stream, handshake()).await.expect("open");
        assert!(is_too_long(socket.recv().await));
        // Halves tell the same.
        let (reader, writer) = socket.split();
        assert_eq!(reader.subprotocol(), writer.subprotocol());
        reader.subprotocol().map(str::to_owned)
    });
    assert_eq!(talking.join().expect("no panic").expect("open"), second);
    [first, second]
}

#[test]
fn a_server_states_its_limits_and_subprotocols_in_one_step() {
    ends(|| {
        for (offered, chosen) in
            [(&["v1", "v2"][..], Some("v2")), (&["v1"], Some("v1")), (&["v3"], None), (&[], None)]
        {
            assert_eq!(accept_with_subprotocols(offered), [chosen; 2].map(|name| name.map(str::to_owned)));
        }
    });
}

#[test]
fn a_pair_in_memory_is_a_connection_like_any_other() {
    // Longer than what the link holds.
    let long = vec![7; 300_000];
    ends({
        let long = long.clone();
        move || {
            let (mut client, mut server) = blocking::pair(Config::new());
            let serving = thread::spawn(move || {
                while let Some(message) = server.recv()? {
                    server.send(message)?;
                }
                Ok::<_, Error>(server.ending())
            });
            client.send(&long).expect("open");
            assert_eq!(client.recv().expect("open"), Some(Message::from(long)));
            client.close((CloseCode::GOING_AWAY, "done")).expect("clean");
            let ending = serving.join().expect("no panic").expect("clean").expect("closed");
            assert!(ending.is_clean() && ending.received().is_some_and(|close| close.reason() == "done"));

            // An end that is dropped is the end of the transport.
            let (mut client, server) = blocking::pair(Config::new());
            drop(server);
            assert!(matches!(client.recv(), Err(Error::Protocol(ProtocolError::UnexpectedEof))));
            assert!(client.send("anybody?").is_err());
        }
    });
    block_on(async {
        let (mut client, mut server) = asynchronous::pair(Config::new());
        let serving = async {
            while let Some(message) = server.recv().await? {
                server.send(message).await?;
            }
            Ok::<_, Error>(server.ending())
        };
        let asking = async {
            client.send(&long).await?;
            assert_eq!(client.recv().await?, Some(Message::from(&*long)));
            client.close((CloseCode::GOING_AWAY, "done")).await
        };
        let (served, asked) = tokio::join!(serving, asking);
        asked.expect("clean");
        assert!(served.expect("clean").expect("closed").is_clean());

        let (mut client, server) = asynchronous::pair(Config::new());
        drop(server);
        assert!(matches!(client.recv().await, Err(Error::Protocol(ProtocolError::UnexpectedEof))));
    });
}

#[test]
fn a_prepared_message_goes_to_every_peer_without_waiting() {
    let news = Prepared::new("news");
    ends({
        let news = news.clone();
        move || {
            let (mut client, mut server) = blocking::pair(Config::new());
            server.queue(&news).expect("room");
            server.send(&news).expect("open");
            assert_eq!(client.recv().expect("open"), Some("news".into()));
            assert_eq!(client.recv().expect("open"), Some("news".into()));
        }
    });
    block_on(async {
        let mut room = Vec::new();
        let mut readers = Vec::new();
        let mut clients = Vec::new();
        for _ in 0..5 {
            let (client, server) = asynchronous::pair(Config::new());
            let (mut reader, writer) = server.split();
            room.push(writer);
            readers.push(tokio::spawn(async move { reader.recv().await }));
            clients.push(client);
        }
        drop(clients.remove(2));
        assert!(readers.remove(2).await.expect("no panic").is_err());
        room.retain(|peer| peer.queue(&news).is_ok());
        assert_eq!(room.len(), 4, "who is gone leaves the room");
        for client in &mut clients {
            assert_eq!(client.recv().await.expect("open"), Some("news".into()));
        }
        assert!(room.iter().all(|peer| peer.state() == State::Open));
    });
}

/// A message that looks at its writer while it is made.
struct Curious<W>(W);

impl From<Curious<&blocking::Writer<blocking::PairStream>>> for Outgoing<'_> {
    fn from(Curious(writer): Curious<&blocking::Writer<blocking::PairStream>>) -> Self {
        format!("{} bytes wait", writer.queued_len()).into()
    }
}

impl From<Curious<&asynchronous::Writer<tokio::io::DuplexStream>>> for Outgoing<'_> {
    fn from(Curious(writer): Curious<&asynchronous::Writer<tokio::io::DuplexStream>>) -> Self {
        format!("{} bytes wait", writer.queued_len()).into()
    }
}

#[test]
fn a_message_is_made_before_anything_is_locked() {
    let expected = ["0 bytes wait"; 5];
    let received = ends(move || {
        let (mut client, server) = blocking::pair(Config::new());
        let (_reader, writer) = server.split();
        for send in [blocking::Writer::send, blocking::Writer::feed] {
            send(&writer, Curious(&writer)).expect("open");
            writer.flush().expect("open");
        }
        writer.queue(Curious(&writer)).expect("room");
        writer.flush().expect("open");
        writer.queue_fragment(Curious(&writer), true).expect("room");
        writer.flush().expect("open");
        writer.send_fragment(Curious(&writer), true).expect("open");
        expected.map(|_| client.recv().expect("open").expect("a message"))
    });
    assert_eq!(received, expected);
    block_on(async {
        let (mut client, server) = asynchronous::pair(Config::new());
        let (_reader, writer) = server.split();
        writer.send(Curious(&writer)).await.expect("open");
        writer.feed(Curious(&writer)).await.expect("open");
        writer.flush().await.expect("open");
        writer.queue(Curious(&writer)).expect("room");
        writer.flush().await.expect("open");
        writer.queue_fragment(Curious(&writer), true).expect("room");
        writer.flush().await.expect("open");
        writer.send_fragment(Curious(&writer), true).await.expect("open");
        for expected in expected {
            assert_eq!(client.recv().await.expect("open").expect("a message"), *expected);
        }
    });
}

#[test]
fn what_has_no_fields_to_show_shows_its_name() {
    let ((first, other), mut shown) = (blocking::pair(Config::new()), Vec::new());
    let ((reader, writer), (_other_reader, other_writer)) = (first.split(), other.split());
    shown.push((format!("{writer:?}"), "Writer"));
    shown.push((format!("{:?}", reader.reunite(other_writer).expect_err("another's")), "ReuniteError"));
    let (first, other) = block_on(async { asynchronous::pair(Config::new()) });
    let ((reader, writer), (_other_reader, other_writer)) = (first.split(), other.split());
    shown.push((format!("{writer:?}"), "Writer"));
    shown.push((format!("{:?}", reader.reunite(other_writer).expect_err("another's")), "ReuniteError"));

    let (mut client, mut server) = blocking::pair(Config::new());
    client.send("Hello").expect("open");
    let (_, queue) = server.recv_ref().expect("open").expect("a message");
    shown.push((format!("{queue:?}"), "Queue { queued_len: 0 }"));

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let request = ClientRequest::new(&format!("ws://{address}/")).expect("a URI");
    let accepting = thread::spawn(move || blocking::accept(listener.accept()?.0));
    block_on(async {
        let socket = asynchronous::connect(&format!("ws://{address}/")).await.expect("open");
        let stream = format!("{:?}", socket.get_ref());
        assert_eq!(stream, format!("ClientStream {{ peer: Some({address:?}), is_secure: false }}"));
        let mut feed = asynchronous::Connector::new().reconnecting(request);
        assert!(format!("{feed:?}").contains("retry: Retry { backoff: "), "{feed:?}");
        // A try that is given up after one poll is under way.
        {
            let mut next = pin!(feed.next());
            assert!(poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending())).await);
        }
        assert!(format!("{feed:?}").contains("connecting: Some(Connecting { .. })"), "{feed:?}");
    });
    accepting.join().expect("no panic").expect("open");
    for (line, start) in shown {
        assert!(line.starts_with(start), "{line}");
    }
}

/// RFC 1928 6.
#[test]
fn what_a_socks_proxy_answers_is_told_in_words() {
    let words = [
        "general failure",
        "not allowed",
        "network unreachable",
        "host unreachable",
        "refused",
        "time to live",
        "command",
        "type of address",
        "unknown",
    ];
    for (code, words) in (1..).zip(words) {
        let sentence = ProxyError::Unreachable(code).to_string();
        assert!(sentence.contains(words), "{code}: {sentence}");
    }
}

/// Every sentence of an error stands once in its chain.
#[test]
fn an_error_says_everything_once() {
    let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "nobody there");
    let close = CloseFrame::new(CloseCode::POLICY_VIOLATION, "not you");
    let errors: [(Error, &str); 8] = [
        (refused.into(), "nobody there"),
        (ProtocolError::UnmaskedFrame.into(), "the connection has failed: unmasked frame from a client"),
        (
            Error::ClosedByPeer(close),
            "the peer closed the connection with 1008 (policy violation): \"not you\"",
        ),
        (SendError::Closed.into(), "the connection is closing or closed"),
        (TimedOut::Write.into(), "the peer does not read"),
        (Error::TlsNeeded, "wss needs the feature `rustls`, or a TLS stream that is passed to `client`"),
        (ProxyError::Refused(502).into(), "the proxy refused with status 502"),
        (Error::Tls(io::Error::other("expired")), "TLS failed: expired"),
    ];
    for (error, sentence) in errors {
        assert_eq!(error.to_string(), sentence);
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            assert!(!sentence.contains(&cause.to_string()), "{sentence}: {cause}");
            source = cause.source();
        }
    }
    assert!(size_of::<Error>() <= 32, "{}", size_of::<Error>());
}
