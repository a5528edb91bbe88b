//! The opening handshake in both roles, and what comes with it.

use tidewire::blocking::{Incoming, accept, client};
use tidewire::{ClientRequest, Config, Error, HandshakeError, Origins, ServerHandshake};

use crate::http::{accepting, answering, parse_answer, request, response_to_request};
use support::blocking_stream::Scripted;
use support::kind::kind;
use support::wire::{self, Role};

const LENS: [(usize, usize); 4] = [(usize::MAX, usize::MAX), (1, 1), (3, 64), (64, 3)];

#[test]
fn a_server_opens_a_connection_and_loses_no_early_frame() -> Result<(), Error> {
    for (read_len, write_len) in LENS {
        let early = [
            wire::text(Role::Server, "early"),
            wire::ping(Role::Server, "p"),
            wire::binary(Role::Server, [7; 300]),
        ];
        let incoming = [request("").into_bytes(), early.concat(), wire::close(Role::Server, 1000, "")];
        let stream = Scripted::new(incoming.concat()).with_lens(read_len, write_len);
        let mut socket = accept(stream.clone())?;
        assert_eq!(stream.take_written(), response_to_request("").into_bytes());
        assert!(socket.response().is_none() && socket.subprotocol().is_none());
        assert_eq!(socket.recv()?, Some("early".into()));
        assert_eq!(socket.recv()?, Some(vec![7; 300].into()));
        assert_eq!(socket.recv()?, None);
        let replies = [wire::pong(Role::Client, "p"), wire::close(Role::Client, 1000, "")].concat();
        assert_eq!(stream.take_written(), replies);
    }
    Ok(())
}

#[test]
fn a_client_opens_a_connection_and_loses_no_early_frame() -> Result<(), Error> {
    for (read_len, write_len) in LENS {
        let early = [wire::text(Role::Client, "early"), wire::close(Role::Client, 1001, "bye")].concat();
        let stream =
            accepting("Sec-WebSocket-Protocol: b\r\nX: 1\r\n", &early).with_lens(read_len, write_len);
        let request = ClientRequest::new("ws://example.org/chat")?;
        let request = request.with_subprotocol("a")?.with_subprotocol("b")?.with_header("Cookie", "c=1")?;
        let mut socket = client(stream.clone(), &request)?;
        let written = String::from_utf8(stream.take_written()).expect("text");
        assert!(written.starts_with("GET /chat HTTP/1.1\r\nHost: example.org\r\n"));
        assert!(written.ends_with("\r\n\r\n") && written.contains("\r\nCookie: c=1\r\n"));
        assert_eq!(socket.subprotocol(), Some("b"));
        let response = socket.response().map(|response| (response.status(), response.header("x")));
        assert_eq!(response, Some((101, Some("1"))));
        assert_eq!(socket.recv()?, Some("early".into()));
        stream.end();
        assert_eq!(socket.recv()?, None);
        assert_eq!(socket.ending().map(|closure| closure.code()), Some(1001));
    }
    Ok(())
}

#[test]
fn what_is_incoming_can_be_looked_at_and_accepted() -> Result<(), Error> {
    let lines = "Sec-WebSocket-Protocol: v1, v2\r\nOrigin: http://elsewhere.org\r\n";
    let stream = Scripted::new(request(lines));
    let handshake = ServerHandshake::new(Config::new()).with_origins(Origins::any());
    let incoming = Incoming::receive(stream.clone(), handshake)?;
    assert_eq!(incoming.request().origin(), Some("http://elsewhere.org"));
    assert!(stream.take_written().is_empty(), "nothing is answered yet");
    assert_eq!(incoming.get_ref().state().read, request(lines).len());
    let subprotocol = incoming.request().choose_subprotocol(&["v2", "v1"]);
    let socket = incoming.accept(subprotocol, &[("Server", "tides")])?;
    assert_eq!(socket.subprotocol(), Some("v2"));
    let response = response_to_request("Sec-WebSocket-Protocol: v2\r\nServer: tides\r\n");
    assert_eq!(stream.take_written(), response.into_bytes());
    Ok(())
}

#[test]
fn for_an_answer_that_must_not_be_given_the_client_gets_500() -> Result<(), Error> {
    let incoming = |stream: &Scripted| Incoming::receive(stream.clone(), ServerHandshake::new(Config::new()));
    type Answer = fn(Incoming<Scripted>) -> Result<(), Error>;
    let answers: [(Answer, &str); 5] = [
        (|incoming| incoming.accept(Some("v9"), &[]).map(drop), "UnofferedSubprotocol"),
        (|incoming| incoming.accept(None, &[("A B", "")]).map(drop), "InvalidHeaderName"),
        (|incoming| incoming.accept(None, &[("A", "\r\n")]).map(drop), "InvalidHeaderValue"),
        (|incoming| incoming.reject(101, &[], b""), "InvalidStatus"),
        (|incoming| incoming.reject(403, &[("Upgrade", "x")], b""), "ReservedHeader"),
    ];
    for (answer, expected) in answers {
        let stream = Scripted::new(request(""));
        let result = answer(incoming(&stream)?);
        assert!(
            matches!(&result, Err(Error::InvalidResponse(error)) if kind(error) == expected),
            "{result:?}"
        );
        let (status, _, body) = parse_answer(&stream.take_written());
        assert_eq!((status, body.as_str()), (500, "the server failed to answer\n"));
    }
    Ok(())
}

#[test]
fn a_client_is_told_how_a_server_refused() -> Result<(), Error> {
    let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\nX: y\r\n\r\nnowhere";
    for (read_len, write_len) in LENS {
        let stream = answering(answer).with_lens(read_len, write_len);
        match client(stream, &ClientRequest::new("ws://example.org/")?) {
            Err(Error::Handshake(HandshakeError::Refused(response))) => {
                assert_eq!((response.status(), response.body()), (404, &b"nowhere"[..]));
                assert_eq!(response.header("x"), Some("y"));
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

#[test]
fn an_end_during_the_handshake_is_an_error_of_it() -> Result<(), Error> {
    let complete = request("");
    for len in [0, 1, 17, complete.len() - 1] {
        let stream = Scripted::new(&complete.as_bytes()[..len]);
        let result = accept(stream.clone());
        assert!(matches!(result, Err(Error::Handshake(HandshakeError::UnexpectedEof))), "{result:?}");
        assert!(stream.take_written().is_empty());
        let result = client(answering("HTTP/1.1 101 Sw"), &ClientRequest::new("ws://example.org/")?);
        assert!(matches!(result, Err(Error::Handshake(HandshakeError::UnexpectedEof))), "{result:?}");
    }
    Ok(())
}
