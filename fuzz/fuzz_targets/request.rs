//! Whatever request a client agrees to make, a server understands: the same target, host, headers and subprotocols.
#![no_main]

use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use tidewire::{ClientHandshake, ClientRequest, Config, Input, InvalidRequest, Origins, ServerHandshake};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    check_credentials(text.lines().next().unwrap_or_default());
    let Ok(request) = Wanted::new(text).request() else { return };
    let config = Config::new().with_max_head_len(1 << 20).with_max_headers(1024);
    let mut client = ClientHandshake::new(config, &request, [3; 16], [7; 32]);
    let mut input = Input::new();
    input.extend_from_slice(client.output().chunk());

    let mut server = ServerHandshake::new(config).with_origins(Origins::any());
    let received = server.receive(&mut input).expect("a valid request").expect("a complete request");
    assert_eq!(input.unread(), b"");
    assert_eq!(received.target(), request.uri().resource_name());
    assert_eq!(received.host(), request.uri().authority());
    let wanted = Wanted::new(text);
    assert_eq!(received.subprotocols().collect::<Vec<_>>(), wanted.subprotocols);
    let own = ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"];
    let cookies = received.headers().filter(|(name, _)| *name == "Cookie").map(|(_, value)| value.to_vec());
    let others = received
        .headers()
        .filter(|(name, _)| !own.contains(name) && !["Sec-WebSocket-Protocol", "Cookie"].contains(name));
    let others: Vec<_> = others.map(|(name, value)| (name, str::from_utf8(value).expect("UTF-8"))).collect();
    // RFC 6265 5.4: all cookies stand in one header.
    let (wanted_cookies, wanted_others): (Vec<_>, Vec<_>) =
        wanted.headers.iter().partition(|(name, _)| name.eq_ignore_ascii_case("Cookie"));
    let joined = wanted_cookies.iter().fold(String::new(), |all, (_, value)| match &*all {
        "" => value.to_string(),
        all => format!("{all}; {value}"),
    });
    let joined = Some(joined).filter(|all| !all.is_empty());
    let joined = joined.map(|all| all.trim_matches([' ', '\t']).as_bytes().to_vec());
    assert_eq!(cookies.collect::<Vec<_>>(), Vec::from_iter(joined));
    // RFC 9112 5.1: whitespace around a value is not part of it.
    let trimmed = wanted_others.iter().map(|(name, value)| (*name, value.trim_matches([' ', '\t'])));
    assert_eq!(others, trimmed.collect::<Vec<_>>());

    let mut accepted = received.accept(wanted.subprotocols.first().copied(), &[]).expect("an offered one");
    input.extend_from_slice(accepted.output().chunk());
    let (_, response) = client.receive(&mut input).expect("a valid response").expect("a complete response");
    assert_eq!(response.subprotocol(), wanted.subprotocols.first().copied());
});

/// A user name and a password of the URI are in one header, and nowhere else.
fn check_credentials(uri: &str) {
    if let Ok(request) = ClientRequest::new_with_userinfo(uri) {
        assert!(!request.uri().authority().contains('@'));
        let mut client = ClientHandshake::new(Config::new(), &request, [3; 16], [7; 32]);
        let output = client.output();
        let lines = output.chunk().split(|&byte| byte == b'\n');
        let count = lines.filter(|line| line.starts_with(b"Authorization: Basic ")).count();
        assert_eq!(count, usize::from(ClientRequest::new(uri).is_err()));
    }
}

/// A URI in the first line; then a header in each line with a colon, and a subprotocol in each other.
struct Wanted<'t> {
    uri: &'t str,
    headers: Vec<(&'t str, &'t str)>,
    subprotocols: Vec<&'t str>,
}

impl<'t> Wanted<'t> {
    fn new(text: &'t str) -> Self {
        let mut lines = text.split('\n');
        let uri = lines.next().unwrap_or_default();
        let (headers, subprotocols): (Vec<_>, _) = lines.take(100).partition(|line| line.contains(':'));
        let headers = headers.iter().filter_map(|line| line.split_once(':')).collect();
        Self { uri, headers, subprotocols }
    }

    fn request(&self) -> Result<ClientRequest, InvalidRequest> {
        let request = ClientRequest::new(self.uri)?;
        let add_header =
            |request: ClientRequest, (name, value): &(&str, &str)| request.with_header(name, value);
        let request = self.headers.iter().try_fold(request, add_header)?;
        self.subprotocols.iter().try_fold(request, |request, name| request.with_subprotocol(name))
    }
}
