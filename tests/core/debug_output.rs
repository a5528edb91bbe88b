//! `Debug` of a message shows how it begins; that of a connection shows where it is, and nothing that passed.

use tidewire::{CloseCode, CloseFrame, Config, Event, Input, Message, Outgoing, Prepared};

use support::clock::{Clocked, secs};
use support::wire::{self, BINARY, CONTINUATION, FIN, Role, TEXT};

fn connection(role: Role, status: &str, output_len: usize, closed: &str) -> String {
    let is_server = role == Role::Server;
    format!(
        "Connection {{ receiver: Receiver {{ is_server: {is_server}, status: \"{status}\", .. }}, \
         sender: Sender {{ is_server: {is_server}, output_len: {output_len}, closed: {closed}, .. }} }}"
    )
}

#[test]
fn a_connection_shows_its_role_and_where_it_is() {
    for role in Role::BOTH {
        let key_len = if role == Role::Client { 4 } else { 0 };
        let mut it = Clocked::new(role, Config::new().with_write_timeout(secs(3)));
        assert_eq!(format!("{:?}", it.connection), connection(role, "open", 0, "None"));
        it.connection.send("secret").expect("room");
        assert_eq!(format!("{:?}", it.connection), connection(role, "open", 8 + key_len, "None"));
        it.deadline();
        it.at(3.0).expect_err("nothing was written");
        let ended = connection(role, "ended", 8 + key_len, "Some(Failed(None))");
        assert_eq!(format!("{:?}", it.connection), ended);

        let mut it = Clocked::new(role, Config::new());
        it.connection.close(CloseCode::GOING_AWAY);
        let closing = connection(role, "open", 4 + key_len, "Some(First(Some(CloseCode(1001))))");
        assert_eq!(format!("{:?}", it.connection), closing);

        let mut it = Clocked::new(role, Config::new());
        it.receive(&wire::close(role, 1000, "secret"));
        let closed = connection(role, "closed", 10 + key_len, "Some(Echoed(Some(CloseCode(1000))))");
        assert_eq!(format!("{:?}", it.connection), closed);

        let mut it = Clocked::new(role, Config::new());
        it.receive(&wire::frame(role, FIN | TEXT, [0xFF]));
        it.write();
        let failed = connection(role, "failed", 0, "Some(Failed(Some(CloseCode(1007))))");
        assert_eq!(format!("{:?}", it.connection), failed);
    }
}

#[test]
fn an_input_shows_how_much_is_in_it() {
    for role in Role::BOTH {
        for opcode in [TEXT, BINARY] {
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            let nothing = "Input { unread_len: 0, message_len: 0, storage_len: 0, eof: false }";
            assert_eq!(format!("{input:?}"), nothing);
            input.extend_from_slice(&wire::frame(role, opcode, "secret"));
            input.extend_from_slice(&wire::frame(role, FIN | CONTINUATION, "!")[..1]);
            assert!(matches!(connection.receive(&mut input), Ok(None)));
            input.set_eof();
            let some = "Input { unread_len: 1, message_len: 6, storage_len: 65536, eof: true }";
            assert_eq!(format!("{input:?}"), some);
        }
    }
}

#[test]
fn an_output_shows_how_much_is_owed() {
    let mut server = Role::Server.connection(Config::new());
    server.send("secret").expect("room");
    server.send(vec![0; 10_000]).expect("room");
    assert_eq!(format!("{:?}", server.output()), "Output { len: 10012 }");
}

#[test]
fn events_show_how_they_begin_and_replies_their_kinds() {
    for role in Role::BOTH {
        let bytes = [
            wire::text(role, "it's \"é\"\n"),
            wire::text(role, &"é".repeat(500)),
            wire::binary(role, b"\x00\xFFa"),
            wire::binary(role, vec![b's'; 40_000]),
            wire::ping(role, "ping"),
            wire::pong(role, [b'\n'; 125]),
            wire::close(role, 1000, "done"),
        ];
        let shown = [
            (r#"Text("it's \"é\"\n")"#.to_owned(), None),
            (format!("Text(\"{}…\" 1000 bytes)", "é".repeat(64)), None),
            (r#"Binary(b"\x00\xffa")"#.to_owned(), None),
            (format!("Binary(b\"{}…\" 40000 bytes)", "s".repeat(64)), None),
            ("Ping(b\"ping\")".to_owned(), Some("Reply::Ping")),
            (format!("Pong(b\"{}…\" 125 bytes)", r"\n".repeat(64)), Some("Reply::Pong")),
            (
                "Close(Some(CloseFrame { code: CloseCode(1000), reason: \"done\" }))".to_owned(),
                Some("Reply::Close"),
            ),
        ];
        let (mut receiver, _) = role.connection(Config::new()).split();
        let mut input = Input::new();
        for (bytes, (event, reply)) in bytes.iter().zip(shown) {
            input.extend_from_slice(bytes);
            let mut due = None;
            let advanced = receiver.advance(&mut input, |reply| due = Some(format!("{reply:?}")));
            let ready = advanced.expect("valid").expect("complete");
            assert_eq!((format!("{:?}", input.lend(ready)), due.as_deref()), (event, reply));
        }
        let (mut receiver, _) = role.connection(Config::new()).split();
        input.extend_from_slice(&[0xFF, 0xFF]);
        let mut due = String::new();
        receiver.advance(&mut input, |reply| due = format!("{reply:?}")).expect_err("reserved");
        assert_eq!(due, "Reply::Failed");
    }
}

#[test]
fn parts_show_how_they_begin_and_whether_they_are_the_last() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new().with_parts(true)), Input::new());
        let long = format!("BinaryPart(b\"{}…\" 70 bytes, is_last: true)", "x".repeat(64));
        for (bytes, shown) in [
            (wire::frame(role, TEXT, "a"), "TextPart(\"a\", is_last: false)"),
            (wire::frame(role, FIN | CONTINUATION, ""), "TextPart(\"\", is_last: true)"),
            (wire::binary(role, [b'x'; 70]), &long),
        ] {
            input.extend_from_slice(&bytes);
            let event = connection.receive(&mut input).expect("valid").expect("complete");
            assert_eq!(format!("{event:?}"), shown);
            let part = match event {
                Event::TextPart(part) => format!("Text{part:?}"),
                Event::BinaryPart(part) => format!("Binary{part:?}"),
                other => panic!("{other:?}"),
            };
            assert_eq!(part, shown);
        }
    }
}

#[test]
fn messages_show_how_they_begin() {
    let (text, binary) = (Message::from("text"), Message::from(b"data\0"));
    assert_eq!(format!("{text:?} {binary:?}"), r#"Text("text") Binary(b"data\x00")"#);
    let (text, binary) = (Outgoing::from("text"), Outgoing::from(b"data\0"));
    assert_eq!(format!("{text:?} {binary:?}"), r#"Outgoing::Text("text") Outgoing::Binary(b"data\x00")"#);
    let (text, binary) = (Prepared::new("text"), Prepared::new(b"data\0"));
    assert_eq!(format!("{text:?} {binary:?}"), r#"Prepared::Text("text") Prepared::Binary(b"data\x00")"#);
    let (text, binary) = (Message::from("a".repeat(1000)), Message::from(vec![0; 70_000]));
    assert_eq!(format!("{text:?}"), format!("Text(\"{}…\" 1000 bytes)", "a".repeat(64)));
    assert_eq!(format!("{binary:?}"), format!("Binary(b\"{}…\" 70000 bytes)", r"\x00".repeat(64)));
}

#[test]
fn an_empty_close_frame_and_a_code_are_shown_as_they_are() {
    assert_eq!(format!("{:?}", Event::Close(None)), "Close(None)");
    let frame = CloseFrame::new(CloseCode::NORMAL, "done");
    assert_eq!(format!("{frame:?}"), "CloseFrame { code: CloseCode(1000), reason: \"done\" }");
}
