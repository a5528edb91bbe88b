//! Close frames: what may be sent is echoed as it is, and what may not has its own error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidewire::{CloseCode, CloseFrame, Config, Connection, Event, Input, ProtocolError};
use tidewire_fuzz::{Data, Model, Seen, drain, frame};

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let key = data.key();
    let payload = data.slice(125);
    receive(key, payload);
    if let [a, b, reason @ ..] = payload {
        send(u16::from_be_bytes([*a, *b]), &String::from_utf8_lossy(&[reason, data.0].concat()));
    }
});

/// A server receives `payload` in a Close frame.
fn receive(key: [u8; 4], payload: &[u8]) {
    let wire = frame(0x88, Some(key), payload);
    let expected = Model::new(true, &Config::new(), &wire, false);
    let mut server = Connection::server(Config::new());
    let mut input = Input::new();
    input.extend_from_slice(&wire);
    let received = server.receive(&mut input).map(|event| event.map(Seen::from));
    let closure = server.ending().expect("closed either way");
    match received {
        Ok(event) => {
            assert_eq!((expected.error, expected.events), (None, Vec::from_iter(event)));
            assert_eq!(drain(server.output()), frame(0x88, None, payload));
            assert!(closure.is_clean());
            assert_eq!(closure.sent().map_or(1005, u16::from), closure.code());
        }
        Err(error) => {
            use ProtocolError as E;
            assert!(matches!(error, E::InvalidCloseBody | E::InvalidCloseCode(_) | E::InvalidCloseReason));
            assert_eq!((Some(error), Vec::new()), (expected.error, expected.events));
            let code = error.close_code().expect("a peer to tell");
            let body = [&u16::from(code).to_be_bytes(), error.to_string().as_bytes()].concat();
            assert_eq!(drain(server.output()), frame(0x88, None, &body));
            assert_eq!((closure.code(), closure.is_clean(), closure.sent()), (1006, false, Some(code)));
        }
    }
}

/// A client closes with `code` and `reason`; the server sees both, or as much of the reason as fits.
fn send(code: u16, reason: &str) {
    let Some(code) = CloseCode::new(code) else { return };
    let mut client = Connection::client(Config::new(), [7; 32]);
    client.close(CloseFrame::new(code, reason));
    let mut input = Input::new();
    input.extend_from_slice(&drain(client.output()));
    let mut server = Connection::server(Config::new());
    match server.receive(&mut input) {
        Ok(Some(Event::Close(Some(frame)))) => {
            assert_eq!(frame.code(), code);
            let cut = frame.reason().len();
            assert!(
                reason.starts_with(frame.reason()) && (cut == reason.len() || (120..=123).contains(&cut))
            );
        }
        other => panic!("{other:?} instead of the Close frame"),
    }
}
