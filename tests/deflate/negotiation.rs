//! Offers and answers (RFC 7692 5 and 7.1), in both roles.

use support::wire::Role;
use tidewire::handshake::negotiate;
use tidewire::{
    Agreement, ClientHandshake, ClientRequest, Config, Deflate, HandshakeError, Input, ServerHandshake,
    accept_key,
};

use super::link::{take, widest};

/// What a server with these settings answers, to lines that keep the grammar.
fn answer(deflate: &Deflate, lines: &[&str]) -> Option<String> {
    negotiate::deflate(deflate, lines).expect("grammar").map(|agreement| agreement.to_string())
}

/// What a client with these settings makes of a response.
fn agreed(deflate: &Deflate, response: &str) -> Result<Option<Agreement>, HandshakeError> {
    negotiate::deflate_response(deflate, &[response])
}

#[test]
fn an_offer_is_answered_with_what_it_allows() {
    let (narrow, wide) = (Deflate::new(), widest());
    let cases = [
        // RFC 7692 7.1.2.2: never said unless it is offered, and at most what is.
        (narrow, "permessage-deflate", "permessage-deflate"),
        (
            narrow,
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=12",
        ),
        (
            narrow,
            "permessage-deflate; client_max_window_bits=10",
            "permessage-deflate; client_max_window_bits=10",
        ),
        (
            narrow,
            "permessage-deflate; client_max_window_bits=\"15\"",
            "permessage-deflate; client_max_window_bits=12",
        ),
        (wide, "permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=15"),
        // 7.1.2.1: the same or a smaller one.
        (
            narrow,
            "permessage-deflate; server_max_window_bits=15",
            "permessage-deflate; server_max_window_bits=12",
        ),
        (
            narrow,
            "permessage-deflate; server_max_window_bits=9",
            "permessage-deflate; server_max_window_bits=9",
        ),
        (
            wide,
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=8",
        ),
        // 7.1.1: what is asked for is granted.
        (
            wide,
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover",
        ),
        (
            wide,
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; client_no_context_takeover",
        ),
        (
            wide,
            "permessage-deflate;client_max_window_bits = 9 ; server_no_context_takeover;\tserver_max_window_bits=10;client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9",
        ),
        // Unasked, it tells the client what it can free and must not keep.
        (wide.with_takeover(false), "permessage-deflate", "permessage-deflate; server_no_context_takeover"),
        (
            wide.with_peer_takeover(false),
            "permessage-deflate",
            "permessage-deflate; client_no_context_takeover",
        ),
    ];
    for (deflate, offer, expected) in cases {
        assert_eq!(answer(&deflate, &[offer]).as_deref(), Some(expected), "{offer}");
    }
}

/// RFC 7692 5 and 7.1.2: each makes an offer invalid.
const INVALID: [&str; 17] = [
    "server_max_window_bits",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=08",
    "server_max_window_bits=+9",
    "server_max_window_bits=9x",
    "server_max_window_bits=99999999999999999999",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=012",
    "client_max_window_bits=-9",
    "client_max_window_bits=12; client_max_window_bits=12",
    "server_max_window_bits=12; server_max_window_bits=12",
    "server_no_context_takeover=1",
    "client_no_context_takeover=true",
    "server_no_context_takeover; server_no_context_takeover",
    "constructor",
];

#[test]
fn an_invalid_offer_is_declined_and_the_next_one_tried() {
    for parameters in INVALID {
        let invalid = format!("permessage-deflate; {parameters}");
        assert_eq!(answer(&widest(), &[&invalid]), None, "{parameters}");
        let next = format!("{invalid}, permessage-deflate; client_no_context_takeover, permessage-deflate");
        let expected = Some("permessage-deflate; client_no_context_takeover");
        assert_eq!(answer(&widest(), &[&next]).as_deref(), expected);
        // In another line too, and among extensions that nobody knows.
        assert_eq!(
            answer(&widest(), &["x-webkit-deflate-frame", &invalid, "foo; bar=1, permessage-deflate"])
                .as_deref(),
            Some("permessage-deflate")
        );
    }
    for other in ["permessage-bzip2", "deflate", "permessage-deflates", "foo; permessage-deflate"] {
        assert_eq!(answer(&widest(), &[other]), None, "{other}");
    }
    assert_eq!(answer(&widest(), &[]), None);
    let broken = negotiate::deflate(&widest(), &["permessage-deflate", "permessage-deflate; =9"]);
    assert!(matches!(broken, Err(HandshakeError::InvalidExtensions(_))));
}

#[test]
fn a_client_offers_what_it_wishes() {
    let offers = [
        (Deflate::new(), "permessage-deflate; client_max_window_bits"),
        (
            Deflate::new().with_peer_window_bits(9).with_takeover(false).with_peer_takeover(false),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits",
        ),
        (Deflate::new().with_peer_window_bits(15), "permessage-deflate; client_max_window_bits"),
    ];
    for (deflate, offer) in offers {
        assert_eq!(negotiate::deflate_offer(&deflate), offer);
        assert!(negotiate::deflate(&widest(), &[offer]).expect("grammar").is_some());
    }
}

#[test]
fn a_response_that_fits_the_offer_is_taken_at_its_word() {
    let fine = [
        (Deflate::new(), "permessage-deflate", (15, 15, false, false)),
        (Deflate::new(), "permessage-deflate; client_max_window_bits=8", (15, 8, false, false)),
        // Unasked, and allowed (RFC 7692 7.1.1.1, 7.1.1.2, 7.1.2.1).
        (Deflate::new(), "permessage-deflate; server_max_window_bits=10", (10, 15, false, false)),
        (
            Deflate::new(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            (15, 15, true, true),
        ),
        (
            Deflate::new().with_peer_window_bits(12),
            "permessage-deflate; server_max_window_bits=9",
            (9, 15, false, false),
        ),
        (
            Deflate::new().with_peer_window_bits(12),
            "permessage-deflate; server_max_window_bits=12",
            (12, 15, false, false),
        ),
        (
            Deflate::new().with_peer_takeover(false),
            "permessage-deflate; server_no_context_takeover",
            (15, 15, true, false),
        ),
    ];
    for (deflate, response, expected) in fine {
        let agreement = agreed(&deflate, response).expect("fits").expect("an agreement");
        let found = (
            agreement.server_max_window_bits(),
            agreement.client_max_window_bits(),
            agreement.server_no_context_takeover(),
            agreement.client_no_context_takeover(),
        );
        assert_eq!(found, expected, "{response}");
        assert_eq!(agreement.to_string(), response);
    }
    assert_eq!(negotiate::deflate_response(&Deflate::new(), &[]), Ok(None));
}

#[test]
fn a_response_that_does_not_fit_the_offer_fails_the_client() {
    let narrow = Deflate::new().with_peer_window_bits(10);
    let strict = Deflate::new().with_peer_takeover(false);
    let mut unfit: Vec<(Deflate, String)> = INVALID
        .iter()
        .map(|parameters| (Deflate::new(), format!("permessage-deflate; {parameters}")))
        .collect();
    for (deflate, response) in [
        // RFC 7692 7.1.2.2: with a value.
        (Deflate::new(), "permessage-deflate; client_max_window_bits"),
        // 7.1.2.1: what was asked for is granted and named.
        (narrow, "permessage-deflate"),
        (narrow, "permessage-deflate; server_max_window_bits=11"),
        // 7.1.1.1.
        (strict, "permessage-deflate"),
        // One extension, and the one that was offered.
        (Deflate::new(), "permessage-deflate, permessage-deflate"),
        (Deflate::new(), "permessage-deflate, foo"),
        (Deflate::new(), "permessage-bzip2"),
    ] {
        unfit.push((deflate, response.into()));
    }
    for (deflate, response) in unfit {
        let error = agreed(&deflate, &response);
        assert!(matches!(error, Err(HandshakeError::UnexpectedExtension(_))), "{response}: {error:?}");
    }
    for broken in ["", ",", "permessage-deflate;", "permessage-deflate; a=\""] {
        assert!(
            matches!(agreed(&Deflate::new(), broken), Err(HandshakeError::InvalidExtensions(_))),
            "{broken}"
        );
    }
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// A server's answer to a request with these lines, and whether its connection has agreed.
fn served(config: Config, lines: &str) -> (String, Option<Agreement>) {
    let mut input = Input::new();
    input.extend_from_slice(format!("{REQUEST}{lines}\r\n").as_bytes());
    let request = ServerHandshake::new(config).receive(&mut input).expect("valid").expect("complete");
    let agreement = request.agreement();
    let mut connection = request.accept(None, &[("X-After", "yes")]).expect("sendable");
    assert_eq!(connection.agreement(), agreement);
    (String::from_utf8(take(&mut connection)).expect("ASCII"), agreement)
}

#[test]
fn a_server_answers_in_its_handshake() {
    let config = Config::new().with_deflate(Deflate::new());
    let lines = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n\
        Sec-WebSocket-Extensions: foo, permessage-deflate; client_max_window_bits\r\n";
    let (answer, agreement) = served(config, lines);
    let line =
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12\r\nX-After: yes\r\n\r\n";
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with(line), "{answer}");
    assert_eq!(agreement.map(|agreement| agreement.client_max_window_bits()), Some(12));
    // Nothing is agreed on unless both want it, and no empty header is sent.
    for (config, lines) in [
        (Config::new(), lines),
        (config, ""),
        (config, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n"),
    ] {
        let (answer, agreement) = served(config, lines);
        assert_eq!((answer.contains("Extensions"), agreement), (false, None));
    }
}

#[test]
fn a_client_offers_in_its_handshake_and_checks_the_answer() {
    let config = Config::new().with_deflate(Deflate::new());
    let request = ClientRequest::new("ws://a/").expect("a URI");
    let open = |config: Config, line: &str| {
        let mut handshake = ClientHandshake::new(config, &request, *b"the sample nonce", [7; 32]);
        let head = String::from_utf8(handshake.output().chunk().to_vec()).expect("ASCII");
        let accept = accept_key("dGhlIHNhbXBsZSBub25jZQ==");
        let mut input = Input::new();
        let response = format!(
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{line}\r\n"
        );
        input.extend_from_slice(response.as_bytes());
        (
            head,
            handshake.receive(&mut input).map(|opened| opened.map(|(connection, _)| connection.agreement())),
        )
    };
    let (head, agreed) =
        open(config, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10\r\n");
    assert!(
        head.contains("\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"),
        "{head}"
    );
    let agreement = agreed.expect("fits").expect("complete").expect("an agreement");
    assert_eq!((agreement.client_max_window_bits(), agreement.server_max_window_bits()), (10, 15));
    assert_eq!(open(config, "").1, Ok(Some(None)));
    let (_, failed) =
        open(config, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99\r\n");
    assert!(matches!(failed, Err(HandshakeError::UnexpectedExtension(_))));
    // Who offers nothing gets nothing.
    let (head, failed) = open(Config::new(), "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    assert!(!head.contains("Extensions"));
    assert!(matches!(failed, Err(HandshakeError::UnexpectedExtension(_))));
}

#[test]
fn each_side_does_what_its_own_parameters_say() {
    use support::deflate::json;
    use support::wire::parse;

    // RFC 7692 7.1.1: `client_*` governs what the client sends, `server_*` what the server does.
    for role in Role::BOTH {
        for (offer, shrinks) in [
            ("permessage-deflate; client_no_context_takeover", role == Role::Server),
            ("permessage-deflate; server_no_context_takeover", role == Role::Client),
        ] {
            let agreement = negotiate::deflate(&widest(), &[offer]).expect("grammar").expect("an agreement");
            let mut connection = role.connection(Config::new()).with_agreement(agreement);
            let lens = [0, 1].map(|_| {
                connection.send(&json(1, 1000)).expect("open");
                parse(role, &take(&mut connection))[0].payload.len()
            });
            assert_eq!(lens[1] < lens[0] / 2, shrinks, "{role:?}, {offer}: {lens:?}");
        }
    }
}

#[test]
fn settings_are_kept_within_what_there_is() {
    let least =
        Deflate::new().with_level(0).with_window_bits(0).with_peer_window_bits(1).with_min_len(usize::MAX);
    assert_eq!((least.level(), least.window_bits(), least.peer_window_bits()), (1, 8, Some(8)));
    assert_eq!(least.min_len(), u32::MAX as usize);
    assert_eq!(least.with_min_len(u32::MAX as usize - 1).min_len(), u32::MAX as usize - 1);
    // One more than a setting has room for.
    assert_eq!(least.with_min_len((u32::MAX as usize).saturating_add(1)).min_len(), u32::MAX as usize);
    let most = Deflate::new().with_level(200).with_window_bits(200).with_peer_window_bits(200);
    assert_eq!((most.level(), most.window_bits(), most.peer_window_bits()), (9, 15, Some(15)));
    assert!(!Deflate::new().with_takeover(false).takeover() && Deflate::new().peer_takeover());
    assert_eq!(Config::new().deflate(), None);
    assert_eq!(Config::new().with_deflate(least).deflate(), Some(least));
}
