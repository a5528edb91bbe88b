//! Any lines of `Sec-WebSocket-Extensions` for both roles and any settings: what is agreed on obeys RFC 7692 7.1, and the other side takes it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidewire::handshake::negotiate::{self, Extension};
use tidewire::{Agreement, Deflate, HandshakeError};
use tidewire_fuzz::Data;

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let (ours, theirs) = (settings(&mut data), settings(&mut data));
    let is_made = data.byte() & 1 != 0;
    let made;
    let text = if is_made {
        made = data.0.iter().map(|&byte| PIECES[usize::from(byte) % PIECES.len()]).collect::<String>();
        made.as_str()
    } else {
        let Ok(text) = str::from_utf8(data.0) else { return };
        text
    };
    let lines: Vec<_> = text.split('\n').collect();
    check_server(&ours, &lines);
    check_client(&ours, &lines);
    check_both(&ours, &theirs);
});

/// What lines are made of.
const PIECES: [&str; 24] = [
    "permessage-deflate",
    "permessage-deflate; ",
    ", permessage-deflate; ",
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
    "server_max_window_bits=",
    "client_max_window_bits=",
    "=",
    "; ",
    ", ",
    "\n",
    "\"",
    "0",
    "1",
    "8",
    "9",
    "10",
    "12",
    "15",
    "16",
    "\\",
    "x",
];

fn settings(data: &mut Data<'_>) -> Deflate {
    let (bits, flags) = (data.byte(), data.byte());
    let deflate = Deflate::new()
        .with_window_bits(8 + bits % 8)
        .with_takeover(flags & 1 != 0)
        .with_peer_takeover(flags & 2 != 0);
    if flags & 4 != 0 { deflate.with_peer_window_bits(8 + bits / 8 % 8) } else { deflate }
}

/// RFC 7692 7.1 once more, naively.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parameters {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_bits: Option<u8>,
    client_bits: Option<Option<u8>>,
}

impl Parameters {
    /// `None` if it is another extension, or invalid.
    fn read(extension: &Extension<'_>) -> Option<Self> {
        let parameters: Vec<_> = extension.parameters().collect();
        let names: Vec<_> = parameters.iter().map(|(name, _)| *name).collect();
        let is_repeated = (1..names.len()).any(|n| names[..n].contains(&names[n]));
        if extension.name() != "permessage-deflate" || is_repeated {
            return None;
        }
        let mut read = Self::default();
        for (name, value) in &parameters {
            let bits = match value.as_deref() {
                None => None,
                Some(value) => Some(8 + BITS.iter().position(|bits| *bits == value)? as u8),
            };
            match (*name, bits) {
                ("server_no_context_takeover", None) => read.server_no_takeover = true,
                ("client_no_context_takeover", None) => read.client_no_takeover = true,
                ("server_max_window_bits", Some(bits)) => read.server_bits = Some(bits),
                ("client_max_window_bits", bits) => read.client_bits = Some(bits),
                _ => return None,
            }
        }
        Some(read)
    }

    fn of(agreement: &Agreement) -> Self {
        let header = agreement.to_string();
        let extensions: Result<Vec<_>, _> = negotiate::extensions(&header).collect();
        let [extension] = &extensions.expect("grammar")[..] else { panic!("{header} is not one") };
        let read = Self::read(extension).expect("valid parameters");
        // What it tells is what it says.
        assert_eq!(agreement.server_no_context_takeover(), read.server_no_takeover);
        assert_eq!(agreement.client_no_context_takeover(), read.client_no_takeover);
        assert_eq!(agreement.server_max_window_bits(), read.server_bits.unwrap_or(15));
        let client_bits = read.client_bits.map(|bits| bits.expect("RFC 7692 7.1.2.2: with a value"));
        assert_eq!(agreement.client_max_window_bits(), client_bits.unwrap_or(15));
        read
    }
}

const BITS: [&str; 8] = ["8", "9", "10", "11", "12", "13", "14", "15"];

/// The extensions in the lines, up to the first error.
fn read<'l>(lines: &[&'l str]) -> (Vec<(Option<Parameters>, Extension<'l>)>, bool) {
    let mut all = Vec::new();
    for line in lines {
        for extension in negotiate::extensions(line) {
            let Ok(extension) = extension else { return (all, false) };
            all.push((Parameters::read(&extension), extension));
        }
    }
    (all, true)
}

fn check_server(deflate: &Deflate, lines: &[&str]) {
    let agreed = negotiate::deflate(deflate, lines);
    let (read, is_valid) = read(lines);
    if !is_valid {
        return assert!(matches!(agreed, Err(HandshakeError::InvalidExtensions(_))), "{agreed:?}");
    }
    let offer = read.iter().find_map(|(parameters, _)| *parameters);
    let agreed = agreed.expect("grammar");
    assert_eq!(agreed.is_some(), offer.is_some());
    let (Some(agreed), Some(offer)) = (agreed, offer) else { return };
    let answer = Parameters::of(&agreed);
    // 7.1.1: what is asked for is granted.
    assert_eq!(answer.server_no_takeover, offer.server_no_takeover || !deflate.takeover());
    assert_eq!(answer.client_no_takeover, offer.client_no_takeover || !deflate.peer_takeover());
    // 7.1.2.1: at most what is offered.
    assert_eq!(answer.server_bits, offer.server_bits.map(|bits| bits.min(deflate.window_bits())));
    // 7.1.2.2: at most what is offered, and never unasked.
    let max = deflate.peer_window_bits().unwrap_or(12);
    assert_eq!(answer.client_bits, offer.client_bits.map(|bits| Some(bits.unwrap_or(15).min(max))));

    // A client that made this offer takes the answer.
    let client = Deflate::new()
        .with_peer_window_bits(offer.server_bits.unwrap_or(15))
        .with_takeover(!offer.client_no_takeover)
        .with_peer_takeover(!offer.server_no_takeover);
    // With 15 bits it offers no window, and may be told one all the same.
    let response = negotiate::deflate_response(&client, &[&agreed.to_string()]);
    let response = response.expect("a response that fits").expect("an agreement");
    assert_eq!(Parameters::of(&response), answer);
}

fn check_client(deflate: &Deflate, lines: &[&str]) {
    let agreed = negotiate::deflate_response(deflate, lines);
    let (read, is_valid) = read(lines);
    let fits = |parameters: &Option<Parameters>| {
        let Some(parameters) = parameters else { return false };
        let max = deflate.peer_window_bits().filter(|bits| *bits < 15);
        let is_narrow = max.is_none_or(|max| parameters.server_bits.is_some_and(|bits| bits <= max));
        let resets = deflate.peer_takeover() || parameters.server_no_takeover;
        is_narrow && resets && parameters.client_bits != Some(None)
    };
    let unfit = read.iter().enumerate().find(|(n, (parameters, _))| *n > 0 || !fits(parameters));
    match (&agreed, unfit, &read[..]) {
        (Err(HandshakeError::UnexpectedExtension(_)), Some(_), _) => {}
        (Err(HandshakeError::InvalidExtensions(_)), None, _) if !is_valid => {}
        // The header is there, and there is nothing in it.
        (Err(HandshakeError::InvalidExtensions(_)), None, []) => {}
        (Ok(Some(agreed)), None, [(Some(parameters), _)]) if is_valid => {
            assert_eq!(Parameters::of(agreed), *parameters);
        }
        other => panic!("{other:?}"),
    }
}

/// A client and a server with any settings agree on the same.
fn check_both(client: &Deflate, server: &Deflate) {
    let offer = negotiate::deflate_offer(client);
    let served = negotiate::deflate(server, &[&offer]).expect("grammar").expect("an offer that is valid");
    let answer = served.to_string();
    let agreed = negotiate::deflate_response(client, &[&answer]).expect("fits").expect("an agreement");
    assert_eq!(Parameters::of(&served), Parameters::of(&agreed));
    assert_eq!(answer, agreed.to_string());
}
