//! What a subscriber of `tracing` hears of both adapters: each event, with its fields, and nothing of messages.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tidewire::{
    ClientRequest, Config, Connection, Error, Input, Message, ServerHandshake, blocking,
    tokio as asynchronous,
};

use crate::adapter::{Adapter, block_on, from_std};
use crate::raw::{ends, open, pair, request};
use support::subscriber::{listen, listen_with};
use support::wire::{self, Role};

const SHORT: Duration = Duration::from_millis(20);

const OPENED: &str = "DEBUG opened role=server";

/// What a server tells of a client that acts on a thread of its own.
fn served<T: Send + 'static>(
    client: impl FnOnce(TcpStream) -> T + Send + 'static,
    serve: impl FnOnce(TcpStream) + Send + 'static,
) -> Vec<String> {
    ends(|| {
        let (near, far) = pair();
        let client = thread::spawn(move || client(near));
        let ((), lines) = listen(|| serve(far));
        client.join().expect("no panic");
        lines
    })
}

/// Says this and listens to the end.
fn say(bytes: Vec<u8>) -> impl FnOnce(TcpStream) {
    move |mut stream| {
        open(&mut stream);
        stream.write_all(&bytes).expect("open");
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

/// Says nothing, and keeps the stream until the other side ends it.
fn be_silent(mut stream: TcpStream) {
    open(&mut stream);
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn a_connection_is_opened_and_closed_and_its_messages_cause_nothing() {
    for adapter in Adapter::BOTH {
        let messages = (0..100).flat_map(|_| {
            [
                wire::text(Role::Server, "message"),
                wire::frame(Role::Server, wire::BINARY, "frag"),
                wire::ping(Role::Server, "ping"),
                wire::frame(Role::Server, wire::FIN | wire::CONTINUATION, "ment"),
            ]
            .concat()
        });
        let bytes = messages.chain(wire::close(Role::Server, 1001, "secret"));
        let lines = served(say(bytes.collect()), move |stream| {
            adapter.serve_after(stream, Config::new(), Some("message".into())).expect("an orderly end");
        });
        let closed = "DEBUG closed role=server code=1001 sent=1001 initiator=peer clean=true";
        assert_eq!(lines, [OPENED, closed], "{adapter:?}");
    }
}

#[test]
fn a_client_tells_its_subprotocol_and_who_closed() {
    for adapter in Adapter::BOTH {
        let lines = ends(move || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let uri = format!("ws://{}/?token=secret", listener.local_addr().expect("bound"));
            let server = thread::spawn(move || {
                let handshake =
                    ServerHandshake::new(Config::new()).with_subprotocols(&["v2"]).expect("a token");
                let mut socket = blocking::accept_with(listener.accept()?.0, handshake)?;
                while let Some(message) = socket.recv()? {
                    socket.send(message)?;
                }
                Ok::<_, Error>(())
            });
            let request = ClientRequest::new(&uri).and_then(|request| request.with_subprotocol("v2"));
            let request = request.and_then(|request| request.with_bearer_token("secret")).expect("valid");
            let (answer, lines) = listen(|| adapter.connect_with(request, Config::new()));
            assert_eq!(answer.expect("open"), Some("Hello".into()));
            server.join().expect("no panic").expect("an orderly end");
            lines
        });
        let closed = "DEBUG closed role=client code=1005 initiator=local clean=true";
        assert_eq!(lines, ["DEBUG opened role=client subprotocol=v2", closed], "{adapter:?}");
    }
}

#[test]
fn a_refused_request_is_told_with_its_status_and_the_rule_and_without_its_text() {
    let requests = [
        (request("Origin: https://secret.example\r\n"), "status=403 reason=origin not allowed"),
        (
            b"GET /?secret HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            "status=426 reason=this is a WebSocket server: Upgrade must be websocket",
        ),
        (b"secret\r\n\r\n".to_vec(), "status=400 reason=malformed HTTP head"),
    ];
    for adapter in Adapter::BOTH {
        for (bytes, fields) in &requests {
            let bytes = bytes.clone();
            let ask = move |mut stream: TcpStream| {
                stream.write_all(&bytes).expect("open");
                let _ = stream.read_to_end(&mut Vec::new());
            };
            let lines = served(ask, move |stream| {
                adapter.serve(stream, Config::new()).expect_err("refused");
            });
            assert_eq!(lines, [format!("INFO refused role=server {fields}")], "{adapter:?}");
        }
    }
}

#[test]
fn a_request_that_the_application_rejects_is_told() {
    for adapter in Adapter::BOTH {
        for (status, fields) in
            [(404, "status=404 reason=rejected"), (101, "status=500 reason=invalid response")]
        {
            let ask = |mut stream: TcpStream| {
                stream.write_all(&request("")).expect("open");
                let _ = stream.read_to_end(&mut Vec::new());
            };
            let lines = served(ask, move |stream| {
                assert_eq!(adapter.reject(stream, status, b"secret").is_err(), status == 101);
            });
            assert_eq!(lines, [format!("INFO refused role=server {fields}")], "{adapter:?}");
        }
    }
}

#[test]
fn a_client_tells_that_it_was_refused_or_found_nobody() {
    for adapter in Adapter::BOTH {
        let lines = ends(move || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let uri = format!("ws://{}/", listener.local_addr().expect("bound"));
            let server = thread::spawn(move || {
                let stream = listener.accept().expect("a client").0;
                Adapter::Blocking.reject(stream, 401, b"secret").expect("rejected");
            });
            let (refused, mut lines) = listen(|| adapter.connect(&uri));
            refused.expect_err("refused");
            server.join().expect("no panic");
            // Nobody listens any more.
            let (failed, more) = listen(|| adapter.connect(&uri));
            failed.expect_err("nobody is there");
            lines.extend(more);
            lines
        });
        assert_eq!(
            lines,
            [
                "INFO refused role=client status=401 reason=answer other than 101",
                "DEBUG failed role=client reason=connection refused"
            ],
            "{adapter:?}"
        );
    }
}

#[test]
fn a_deadline_that_passes_is_told_once_with_its_name() {
    let closed = |sent: &str, reason| {
        format!("INFO closed role=server code=1006{sent} initiator=peer clean=false reason={reason}")
    };
    let no_answer = "the peer does not answer";
    let no_close = "INFO closed role=server code=1006 sent=1000 initiator=local clean=false \
                    reason=the closing handshake took too long";
    for adapter in Adapter::BOTH {
        let open = served(
            |mut stream| stream.read_to_end(&mut Vec::new()),
            move |stream| {
                adapter.serve(stream, Config::new().with_open_timeout(SHORT)).expect_err("too late");
            },
        );
        assert_eq!(open, ["INFO timed out role=server which=open"], "{adapter:?}");

        let keepalive = served(be_silent, move |stream| {
            adapter.serve(stream, Config::new().with_keepalive(SHORT, SHORT)).expect_err("too late");
        });
        let told = "INFO timed out role=server which=keepalive";
        assert_eq!(keepalive, [OPENED, told, &closed("", no_answer)], "{adapter:?}");

        let close = served(be_silent, move |stream| {
            adapter.close(stream, Config::new().with_close_timeout(SHORT)).expect_err("too late");
        });
        assert_eq!(close, [OPENED, "INFO timed out role=server which=close", no_close], "{adapter:?}");
    }
}

#[test]
fn a_write_that_nobody_takes_is_told_whether_the_program_reads_or_not() {
    let config = Config::new().with_write_timeout(SHORT);
    let long = || Message::from(vec![0; 24 << 20]);
    // It opens and reads nothing, until the socket is gone.
    let be_frozen = |mut stream: TcpStream| {
        open(&mut stream);
        stream.peek(&mut [0]).expect("something is there");
        thread::sleep(SHORT);
        stream
    };
    for adapter in Adapter::BOTH {
        let sends = served(be_frozen, move |stream| {
            adapter.send(stream, config, long()).expect_err("too late");
        });
        let told = "INFO timed out role=server which=write";
        let dropped = "INFO closed role=server code=1006 initiator=local clean=false reason=dropped";
        assert_eq!(sends, [OPENED, told, dropped], "{adapter:?}");

        let reads = served(be_frozen, move |stream| {
            adapter.serve_after(stream, config, Some(long())).expect_err("too late");
        });
        let closed =
            "INFO closed role=server code=1006 initiator=peer clean=false reason=the peer does not read";
        assert_eq!(reads, [OPENED, told, closed], "{adapter:?}");
    }
}

#[test]
fn a_connection_that_fails_is_told_with_the_code_that_was_sent_and_the_rule() {
    let cases = [
        (
            wire::frame(Role::Server, 0x83, "secret"),
            "code=1006 sent=1002 initiator=peer clean=false reason=reserved opcode 0x3",
        ),
        (wire::close(Role::Server, 1008, "secret"), "code=1008 sent=1008 initiator=peer clean=true"),
    ];
    for adapter in Adapter::BOTH {
        for (bytes, fields) in &cases {
            let lines = served(say(bytes.clone()), move |stream| {
                adapter.serve(stream, Config::new()).expect_err("a refusal");
            });
            let level = if fields.contains("clean=true") { "DEBUG" } else { "INFO" };
            assert_eq!(lines, [OPENED.into(), format!("{level} closed role=server {fields}")], "{adapter:?}");
        }
        let lines = served(
            |mut stream| open(&mut stream),
            move |stream| {
                adapter.serve(stream, Config::new()).expect_err("no Close frame");
            },
        );
        let closed = "INFO closed role=server code=1006 initiator=peer clean=false \
                      reason=the transport ended without a close frame";
        assert_eq!(lines, [OPENED, closed], "{adapter:?}");

        // What it leaves unread makes the end of TCP a reset.
        let lines = served(
            |mut stream| {
                open(&mut stream);
                stream.peek(&mut [0]).expect("something is there");
            },
            move |stream| {
                adapter.serve_after(stream, Config::new(), Some("unread".into())).expect_err("a reset");
            },
        );
        let closed = "INFO closed role=server code=1006 initiator=peer clean=false reason=connection reset";
        assert_eq!(lines, [OPENED, closed], "{adapter:?}");
    }
}

/// Takes a connection through everything that changes hands, and then drops it.
fn pass_on(adapter: Adapter, stream: TcpStream) {
    let server = Connection::server(Config::new());
    match adapter {
        Adapter::Blocking => {
            let socket = blocking::WebSocket::from_parts(stream, server, Input::new());
            let (reader, writer) = socket.split();
            let socket = reader.reunite(writer).expect("halves of one socket");
            let (stream, connection, input) = socket.into_parts();
            drop(blocking::WebSocket::from_parts(stream, connection, input));
        }
        Adapter::Tokio => block_on(async {
            let stream = from_std(stream).expect("a socket");
            let socket = asynchronous::WebSocket::from_parts(stream, server, Input::new());
            let (reader, writer) = socket.split();
            let socket = reader.reunite(writer).expect("halves of one socket");
            let (stream, connection, input) = socket.into_parts();
            drop(asynchronous::WebSocket::from_parts(stream, connection, input));
        }),
    }
}

#[test]
fn what_changes_hands_is_opened_where_it_is_put_together_and_closed_where_it_is_dropped() {
    for adapter in Adapter::BOTH {
        let (_client, server) = pair();
        let ((), lines) = listen(|| pass_on(adapter, server));
        let dropped = "INFO closed role=server code=1006 initiator=local clean=false reason=dropped";
        assert_eq!(lines, [OPENED, OPENED, dropped], "{adapter:?}");
    }
}

/// A writer of either adapter.
type SendNews = Box<dyn Fn() + Send>;

#[test]
fn a_subscriber_may_send_what_it_hears_to_the_peer_that_it_hears_of() {
    for adapter in Adapter::BOTH {
        let lines = ends(move || {
            let (mut client, server) = pair();
            client.write_all(&wire::close(Role::Server, 1000, "")).expect("open");
            let sends = Arc::<Mutex<Option<SendNews>>>::default();
            let hook = {
                let sends = Arc::clone(&sends);
                move |_: &str| {
                    if let Some(send) = &*sends.lock().expect("no panic") {
                        send();
                    }
                }
            };
            let connection = Connection::server(Config::new());
            let client = thread::spawn(move || client.read_to_end(&mut Vec::new()).map(drop));
            let ((), lines) = listen_with(hook, || match adapter {
                Adapter::Blocking => {
                    let (mut reader, writer) =
                        blocking::WebSocket::from_parts(server, connection, Input::new()).split();
                    *sends.lock().expect("no panic") = Some(Box::new(move || {
                        let _ = writer.queue("news");
                    }));
                    assert_eq!(reader.recv().expect("an orderly end"), None);
                }
                Adapter::Tokio => block_on(async {
                    let server = from_std(server).expect("a socket");
                    let (mut reader, writer) =
                        asynchronous::WebSocket::from_parts(server, connection, Input::new()).split();
                    *sends.lock().expect("no panic") = Some(Box::new(move || {
                        let _ = writer.queue("news");
                    }));
                    assert_eq!(reader.recv().await.expect("an orderly end"), None);
                }),
            });
            client.join().expect("no panic").expect("an orderly end");
            // A writer may emit what its own drop causes.
            drop(sends.lock().expect("no panic").take());
            lines
        });
        let closed = "DEBUG closed role=server code=1000 sent=1000 initiator=peer clean=true";
        assert_eq!(lines, [OPENED, closed], "{adapter:?}");
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_told_as_it_was_agreed_on() {
    for adapter in Adapter::BOTH {
        let ask = |mut stream: TcpStream| {
            let offer = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n";
            stream.write_all(&request(offer)).expect("open");
        };
        let lines = served(ask, move |stream| {
            let config = Config::new().with_deflate(tidewire::Deflate::new());
            adapter.serve(stream, config).expect_err("no Close frame");
        });
        let opened = "DEBUG opened role=server compression=permessage-deflate; server_no_context_takeover";
        assert!(lines[0].starts_with(opened), "{lines:?}");
    }
}
