//! [`Tunnel`]: how a proxy is asked: HTTP CONNECT (RFC 9110 9.3.6) or SOCKS 5 (RFC 1928, 1929).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::{Credentials, Kind, Proxy};
use crate::connection::timer::Deadline;
use crate::handshake::client_request::basic_auth;
use crate::handshake::head::{RawHead, Slots};
use crate::handshake::scan::Scan;
use crate::{Config, Culprit, HandshakeError, Input, Output, ProxyError, TimedOut, Timestamp, Uri};

/// Asks a proxy for a tunnel.
///
/// Exactly the proxy's answer is consumed: what follows it stays in the input.
pub(crate) struct Tunnel {
    state: State,
    output: Output,
    scan: Scan,
    config: Config,
    deadline: Deadline,
    /// What follows when SOCKS 5 has agreed on a method.
    credentials: Vec<u8>,
    request: Vec<u8>,
}

#[derive(Clone, Copy)]
enum State {
    /// The answer to CONNECT.
    Http,
    /// RFC 1928 3: the method that was chosen.
    Method,
    /// RFC 1929 2: whether the credentials are right.
    Authentication,
    /// RFC 1928 6: whether the server was reached.
    Reply,
}

impl Tunnel {
    /// To the server of `uri`, through `proxy`.
    pub(crate) fn new(proxy: &Proxy, uri: &Uri, config: Config) -> Self {
        let mut tunnel = Self {
            state: State::Http,
            output: Output::new(),
            scan: Scan::new(&config),
            config,
            deadline: Deadline::NONE,
            credentials: Vec::new(),
            request: Vec::new(),
        };
        match proxy.kind {
            Kind::Http | Kind::Https => tunnel.output = Output::of(connect_request(proxy, uri)),
            Kind::Socks5 => {
                tunnel.state = State::Method;
                tunnel.request = socks_request(uri);
                if let Some(Credentials { user, password }) = &proxy.credentials {
                    tunnel.credentials.extend([1, user.len() as u8]);
                    tunnel.credentials.extend_from_slice(user.as_bytes());
                    tunnel.credentials.push(password.len() as u8);
                    tunnel.credentials.extend_from_slice(password.as_bytes());
                }
                // RFC 1928 3: no authentication, or that of RFC 1929.
                let methods: &[u8] = if tunnel.credentials.is_empty() { &[5, 1, 0] } else { &[5, 2, 0, 2] };
                tunnel.output = Output::of(methods.into());
            }
        }
        tunnel
    }

    pub(crate) fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    pub(crate) fn poll_timeout(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.deadline.poll(now, self.config.open_timeout())
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp) -> Result<(), TimedOut> {
        let is_late = self.poll_timeout(now).is_some() && self.deadline.is_due(now);
        if is_late { Err(TimedOut::Open) } else { Ok(()) }
    }

    /// Reads what the proxy answers; `Some` when the tunnel is open.
    pub(crate) fn receive(&mut self, input: &mut Input) -> Result<Option<()>, ProxyError> {
        loop {
            let progress = match self.state {
                State::Http => self.receive_http(input)?,
                State::Method => self.receive_method(input)?,
                State::Authentication => self.receive_authentication(input)?,
                State::Reply => receive_reply(input)?,
            };
            match progress {
                Progress::Next(state) => self.state = state,
                Progress::Open => return Ok(Some(())),
                Progress::Starved if input.is_eof() => return Err(ProxyError::UnexpectedEof),
                Progress::Starved => return Ok(None),
            }
        }
    }

    fn receive_http(&mut self, input: &mut Input) -> Result<Progress, ProxyError> {
        let read = |head: RawHead<'_>| head.into_response(&mut Slots::new()).map(|(_, status, _)| status);
        match self.scan.receive(input, read) {
            // RFC 9110 9.3.6: any 2xx opens the tunnel, whatever the head says of a body.
            Ok(Some(200..=299)) => Ok(Progress::Open),
            // RFC 9110 15.2: another head follows.
            Ok(Some(100..=199)) => Ok(Progress::Next(State::Http)),
            // RFC 9110 15.5.8. Tinyproxy says 401 to a wrong password, and no server has answered yet that could say so.
            Ok(Some(401 | 407)) => Err(ProxyError::AuthenticationRequired),
            Ok(Some(status)) => Err(ProxyError::Refused(status)),
            Ok(None) => Ok(Progress::Starved),
            Err(HandshakeError::UnexpectedEof) => Err(ProxyError::UnexpectedEof),
            Err(error) => Err(ProxyError::InvalidAnswer(Culprit::text(format!("{error}")))),
        }
    }

    fn receive_method(&mut self, input: &mut Input) -> Result<Progress, ProxyError> {
        let Some(answer) = take(input, 2) else { return Ok(Progress::Starved) };
        match answer[..] {
            [5, 0] => {
                self.output.push(&self.request);
                Ok(Progress::Next(State::Reply))
            }
            [5, 2] if !self.credentials.is_empty() => {
                self.output.push(&self.credentials);
                Ok(Progress::Next(State::Authentication))
            }
            [5, 2 | 0xFF] => Err(ProxyError::AuthenticationRequired),
            _ => Err(invalid(&answer)),
        }
    }

    fn receive_authentication(&mut self, input: &mut Input) -> Result<Progress, ProxyError> {
        let Some(answer) = take(input, 2) else { return Ok(Progress::Starved) };
        match answer[..] {
            [1, 0] => {
                self.output.push(&self.request);
                Ok(Progress::Next(State::Reply))
            }
            // RFC 1929 2: any other status is a refusal.
            [1, _] => Err(ProxyError::AuthenticationRequired),
            _ => Err(invalid(&answer)),
        }
    }
}

/// How far a step came.
enum Progress {
    Next(State),
    Open,
    /// More has to arrive.
    Starved,
}

/// RFC 1928 6: a code, and an address that nobody needs.
fn receive_reply(input: &mut Input) -> Result<Progress, ProxyError> {
    let unread = input.unread();
    match unread {
        [5, 0, ..] | [5] | [] => {}
        [5, code, ..] => return Err(ProxyError::Unreachable(*code)),
        [first, ..] => return Err(invalid(&[*first])),
    }
    let len = match unread[3.min(unread.len())..] {
        [1, ..] => 4 + 4 + 2,
        [3, len, ..] => 4 + 1 + usize::from(len) + 2,
        [4, ..] => 4 + 16 + 2,
        [] | [3] => return Ok(Progress::Starved),
        // However much follows, the same is shown.
        [_, ..] => return Err(invalid(&unread[..4])),
    };
    Ok(if take(input, len).is_some() { Progress::Open } else { Progress::Starved })
}

/// RFC 9110 9.3.6.
fn connect_request(proxy: &Proxy, uri: &Uri) -> Vec<u8> {
    let target = target(uri);
    let authorization = proxy.credentials.as_ref().and_then(|Credentials { user, password }| {
        Some(format!("Proxy-Authorization: {}\r\n", basic_auth(user, password)?))
    });
    let authorization = authorization.unwrap_or_default();
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n").into_bytes()
}

/// The host and, in any case, the port.
fn target(uri: &Uri) -> String {
    let (open, close) = if uri.host().contains(':') { ("[", "]") } else { ("", "") };
    format!("{open}{}{close}:{}", uri.host(), uri.port())
}

/// RFC 1928 4: CONNECT to a name or an address.
fn socks_request(uri: &Uri) -> Vec<u8> {
    let mut request = Vec::from([5, 1, 0]);
    match uri.host().parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend(address.octets());
        }
        Err(_) => {
            // A longer name is in no DNS: the proxy will not find what is left of it.
            let name = &uri.host().as_bytes()[..uri.host().len().min(255)];
            request.extend([3, name.len() as u8]);
            request.extend_from_slice(name);
        }
    }
    request.extend(uri.port().to_be_bytes());
    request
}

fn take(input: &mut Input, len: usize) -> Option<Vec<u8>> {
    let taken = input.unread().get(..len)?.to_vec();
    input.consume(len);
    Some(taken)
}

fn invalid(answer: &[u8]) -> ProxyError {
    ProxyError::InvalidAnswer(Culprit::text(answer))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;
    use core::time::Duration;
    use std::vec;

    use super::*;

    /// What comes of an answer, however it is cut, with what the client said meanwhile and what is left behind the answer.
    fn asked(
        proxy: &str,
        uri: &str,
        answer: &[u8],
        then_eof: bool,
    ) -> (Result<Option<()>, ProxyError>, Vec<u8>, Vec<u8>) {
        let (proxy, uri) = (proxy.parse().expect("a proxy"), uri.parse().expect("a URI"));
        let run = |chunks: &mut dyn Iterator<Item = &[u8]>| {
            let mut tunnel = Tunnel::new(&proxy, &uri, Config::new());
            let mut input = Input::new();
            let (mut said, mut result) = (Vec::new(), Ok(None));
            let mut step = |input: &mut Input, result: &mut Result<Option<()>, ProxyError>| {
                if *result == Ok(None) {
                    *result = tunnel.receive(input);
                }
                let output = tunnel.output();
                said.extend_from_slice(output.chunk());
                output.advance(output.len());
            };
            step(&mut input, &mut result);
            for chunk in chunks {
                input.extend_from_slice(chunk);
                step(&mut input, &mut result);
            }
            if then_eof {
                input.set_eof();
                step(&mut input, &mut result);
            }
            (result, said, input.unread().to_vec())
        };
        let whole = run(&mut [answer].into_iter());
        assert_eq!(run(&mut answer.chunks(1)), whole);
        for at in 0..answer.len() {
            let (start, end) = answer.split_at(at);
            assert_eq!(run(&mut [start, end].into_iter()), whole);
        }
        whole
    }

    #[test]
    fn an_http_proxy_opens_a_tunnel_with_any_2xx_and_what_follows_is_kept() {
        for (answer, rest) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", ""),
            ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nVia: x\r\n\r\nhello", "hello"),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\n\r\n\x16\x03", "\x16\x03"),
        ] {
            let (result, said, left) = asked("http://p", "wss://example.com/x", answer.as_bytes(), false);
            assert_eq!((result, &left[..]), (Ok(Some(())), rest.as_bytes()));
            assert_eq!(said, b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
        }
        let (_, said, _) = asked("https://ada:p%3Aw@p", "ws://[::1]:8080/", b"", false);
        let expected = "CONNECT [::1]:8080 HTTP/1.1\r\nHost: [::1]:8080\r\nProxy-Authorization: Basic YWRhOnA6dw==\r\n\r\n";
        assert_eq!(said, expected.as_bytes());
    }

    #[test]
    fn an_http_proxy_that_opens_none_says_why() {
        let endless = "HTTP/1.1 200 x\r\nA: ".to_string() + &"x".repeat(20_000);
        for (answer, is_eof, error) in [
            (
                "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n\r\n",
                false,
                Some(ProxyError::AuthenticationRequired),
            ),
            ("HTTP/1.1 502 Bad Gateway\r\n\r\n", false, Some(ProxyError::Refused(502))),
            ("HTTP/1.1 302 x\r\nLocation: /\r\n\r\n", false, Some(ProxyError::Refused(302))),
            ("HTTP/1.1 200 x\r\n", true, Some(ProxyError::UnexpectedEof)),
            ("", true, Some(ProxyError::UnexpectedEof)),
            ("SSH-2.0-OpenSSH\r\n\r\n", false, None),
            ("\x05\0\r\n\r\n", false, None),
        ] {
            let (result, ..) = asked("http://p", "ws://h/", answer.as_bytes(), is_eof);
            let found = result.expect_err(answer);
            match error {
                Some(error) => assert_eq!(found, error),
                None => assert!(matches!(found, ProxyError::InvalidAnswer(_)), "{found:?}"),
            }
        }
        let mut tunnel = Tunnel::new(
            &"http://p".parse().expect("a proxy"),
            &"ws://h/".parse().expect("a URI"),
            Config::new(),
        );
        let mut input = Input::new();
        input.extend_from_slice(endless.as_bytes());
        assert!(matches!(tunnel.receive(&mut input), Err(ProxyError::InvalidAnswer(_))));
    }

    #[test]
    fn a_proxy_has_the_open_timeout_and_no_less() {
        let (proxy, uri) = ("http://p".parse().expect("a proxy"), "ws://h/".parse().expect("a URI"));
        let config = Config::new().with_open_timeout(Duration::from_secs(3));
        let mut tunnel = Tunnel::new(&proxy, &uri, config);
        let at = |millis: u64| Timestamp::from_micros(1000 * millis);
        assert_eq!(tunnel.poll_timeout(at(100)), Some(at(3100)));
        assert_eq!(tunnel.handle_timeout(at(3099)), Ok(()));
        assert_eq!(tunnel.handle_timeout(at(3100)), Err(TimedOut::Open));
        let mut patient = Tunnel::new(&proxy, &uri, Config::new().with_open_timeout(None));
        assert_eq!(
            (patient.poll_timeout(at(0)), patient.handle_timeout(at(u64::MAX / 1000))),
            (None, Ok(()))
        );
    }

    #[test]
    fn a_socks_proxy_is_told_the_name_and_what_follows_its_reply_is_kept() {
        let to_name = [&[5, 1, 0, 3, 11][..], b"example.com", &[1, 187]].concat();
        for (bound, len) in
            [(&[1, 1, 2, 3, 4, 0, 80][..], 0), (&[3, 3, b'a', b'.', b'b', 0, 80], 3), (&[4; 19], 1)]
        {
            let answer = [&[5, 0, 5, 0, 0][..], bound, &vec![7; len]].concat();
            let (result, said, left) = asked("socks5://p", "wss://example.com/", &answer, false);
            assert_eq!((result, left), (Ok(Some(())), vec![7; len]));
            assert_eq!(said, [&[5, 1, 0][..], &to_name].concat());
        }
        // With a user name: RFC 1929.
        let answer = [5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let (result, said, _) = asked("socks5h://ada:pw@p", "wss://example.com/", &answer, false);
        assert_eq!(result, Ok(Some(())));
        assert_eq!(said, [&[5, 2, 0, 2, 1, 3][..], b"ada", &[2], b"pw", &to_name].concat());
        // Addresses are no names.
        let (_, said, _) = asked("socks5://p", "ws://1.2.3.4:5/", &[5, 0], false);
        assert_eq!(said[3..], [5, 1, 0, 1, 1, 2, 3, 4, 0, 5]);
        let (_, said, _) = asked("socks5://p", "ws://[::1]:5/", &[5, 0], false);
        assert_eq!(said[3..], [&[5, 1, 0, 4][..], &[0; 15], &[1, 0, 5]].concat());
    }

    #[test]
    fn a_socks_proxy_that_opens_none_says_why() {
        for (proxy, answer, is_eof, error) in [
            ("socks5://p", &[5, 0xFF][..], false, Some(ProxyError::AuthenticationRequired)),
            ("socks5://p", &[5, 2], false, Some(ProxyError::AuthenticationRequired)),
            ("socks5://a:b@p", &[5, 2, 1, 1], false, Some(ProxyError::AuthenticationRequired)),
            ("socks5://p", &[5, 0, 5, 5], false, Some(ProxyError::Unreachable(5))),
            ("socks5://p", &[5, 0, 5, 200], false, Some(ProxyError::Unreachable(200))),
            ("socks5://p", &[5, 0, 5, 0, 0, 1], true, Some(ProxyError::UnexpectedEof)),
            ("socks5://p", &[], true, Some(ProxyError::UnexpectedEof)),
            ("socks5://p", b"HTTP/1.1 400 x", false, None),
            ("socks5://p", &[5, 0, 4, 0], false, None),
            ("socks5://p", &[5, 0, 5, 0, 0, 9], false, None),
            ("socks5://p", &[5, 0, 5, 0, 0, 9, 0, 0, 0], false, None),
            ("socks5://a:b@p", &[5, 2, 7, 0], false, None),
        ] {
            let (result, ..) = asked(proxy, "ws://h/", answer, is_eof);
            let found = result.expect_err("an error");
            match error {
                Some(error) => assert_eq!(found, error),
                None => assert!(matches!(found, ProxyError::InvalidAnswer(_)), "{found:?}"),
            }
        }
        assert_eq!(
            ProxyError::Unreachable(5).to_string(),
            "the proxy did not reach the server: connection refused"
        );
    }
}
