//! A server's opening handshake: the same however the request is cut, an answer to everything, and nothing lost behind the head.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidewire::{Config, HandshakeError, Input, Origins, Request, ServerHandshake, accept_key};
use tidewire_fuzz::{Cuts, Data, Heap, Lines, drain};

const MAX_HEAD_LEN: usize = 1024;

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let (flags, cuts) = (data.byte(), data.cuts());
    let (any_origin, eof) = (flags & 1 != 0, flags & 2 != 0);
    let run = Run { origins: if any_origin { Origins::any() } else { Origins::same() }, eof, bytes: data.0 };
    assert_eq!(run.handshake(cuts), run.handshake(Cuts::WHOLE));
});

struct Run<'d> {
    origins: Origins,
    eof: bool,
    bytes: &'d [u8],
}

impl Run<'_> {
    /// What there is to see of the outcome.
    fn handshake(&self, cuts: Cuts<'_>) -> (Option<HandshakeError>, Vec<String>, Vec<u8>) {
        let heap = Heap::new();
        // Small limits are reached more often.
        let config = Config::new().with_max_head_len(MAX_HEAD_LEN).with_max_headers(12);
        let mut handshake = ServerHandshake::new(config).with_origins(self.origins.clone());
        let (mut input, mut request, mut error) = (Input::new(), None, None);
        let last = self.eof.then_some(&[][..]);
        for (index, chunk) in cuts.of(self.bytes).chain(last).enumerate() {
            if chunk.is_empty() {
                input.set_eof();
            }
            input.extend_from_slice(chunk);
            let had_outcome = request.is_some() || error.is_some();
            match handshake.receive(&mut input) {
                Ok(None) => assert!(error.is_none(), "an error is sticky, also in read {index}"),
                Ok(Some(_)) if had_outcome => panic!("one request at most"),
                Ok(found) => request = found,
                Err(next) => assert_eq!(*error.get_or_insert(next.clone()), next),
            }
            // What has arrived, and the head once more with what is read from it.
            heap.assert_at_most(Heap::READ_LEN + 2 * self.bytes.len() + 3 * MAX_HEAD_LEN + Heap::LITTLE_LEN);
        }
        let output = drain(handshake.output());
        match (request, error) {
            (Some(request), error) => {
                assert!(output.is_empty());
                self.check_accepted(&request, &input);
                (error, fields(&request), accept(request))
            }
            (None, Some(error)) => {
                check_answer(&error, &output);
                (Some(error), Vec::new(), output)
            }
            (None, None) => (None, Vec::new(), output),
        }
    }

    /// Exactly the head is consumed, and there is nothing to read differently in it (RFC 6455 4.2.1).
    fn check_accepted(&self, request: &Request, input: &Input) {
        // RFC 9112 2.2: one empty line may be before the request line.
        let bytes = self.bytes.strip_prefix(b"\r\n").unwrap_or(self.bytes);
        let head_len = bytes.windows(4).position(|end| end == b"\r\n\r\n").expect("the end of a head") + 4;
        let (head, rest) = bytes.split_at(head_len);
        assert_eq!(input.unread(), rest);
        let lines = Lines::new(head);
        assert_eq!(request.headers().collect::<Vec<_>>(), lines.headers);
        let target = lines.first.strip_prefix(b"GET ").and_then(|line| line.strip_suffix(b" HTTP/1.1"));
        let target = str::from_utf8(target.expect("a GET of HTTP/1.1")).expect("UTF-8");
        // RFC 9112 3.2.2: the host of an absolute URI is the one that counts.
        let host = if target.starts_with('/') { lines.single("Host") } else { request.host() };
        let resource_name = match target.split_once("://").filter(|_| !target.starts_with('/')) {
            Some((_, rest)) => rest.strip_prefix(host).expect("the host"),
            None => target,
        };
        // RFC 6455 3: a path is at least "/", and a query is not empty.
        let (path, query) = resource_name.split_once('?').unwrap_or((resource_name, ""));
        let path = if path.is_empty() { "/" } else { path };
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        assert_eq!((request.host(), request.path()), (host, path));
        assert_eq!(request.target(), format!("{path}{query}"));
        assert!(lines.lists("Upgrade", "websocket") && lines.lists("Connection", "Upgrade"));
        assert_eq!(lines.single("Sec-WebSocket-Version"), "13");
        assert_eq!(lines.single("Sec-WebSocket-Key").len(), 24);
        // A body would be taken for frames, or by a proxy for another request.
        assert!(lines.values("Content-Length").all(|len| len == "0"));
        assert_eq!(lines.values("Transfer-Encoding").count(), 0);
        let origin = lines.values("Origin").collect::<Vec<_>>();
        assert!(origin.len() <= 1);
        assert!(origin.iter().all(|origin| self.origins.allows(origin, request.host())));
    }
}

fn fields(request: &Request) -> Vec<String> {
    assert!(request.target().starts_with('/') && request.target().starts_with(request.path()));
    let facts = [request.target(), request.host(), request.origin().unwrap_or("none")].map(String::from);
    let headers = request.headers().map(|(name, value)| format!("{name}: {value:?}"));
    facts.into_iter().chain(request.subprotocols().map(String::from)).chain(headers).collect()
}

/// Accepts with the first subprotocol, if there is one, and returns the answer.
fn accept(request: Request) -> Vec<u8> {
    let subprotocol = request.subprotocols().next().map(str::to_owned);
    let key = request.header("Sec-WebSocket-Key").expect("a key").to_owned();
    let mut connection = request.accept(subprotocol.as_deref(), &[]).expect("a subprotocol that is offered");
    assert!(!connection.is_closed());
    let answer = drain(connection.output());
    let subprotocol = subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
    let expected = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{}\r\n",
        accept_key(&key),
        subprotocol.unwrap_or_default(),
    );
    assert_eq!(str::from_utf8(&answer), Ok(&*expected));
    answer
}

/// Whatever is wrong has a status, and the whole answer is there: fixed text, nothing of the request.
fn check_answer(error: &HandshakeError, output: &[u8]) {
    let Some(status) = error.status() else {
        assert_eq!((error, output), (&HandshakeError::UnexpectedEof, &[][..]));
        return;
    };
    assert!([400, 403, 405, 414, 426, 431, 505].contains(&status), "{error:?}");
    let output = str::from_utf8(output).expect("text");
    let (head, body) = output.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")));
    // RFC 9110 9.3.2: HEAD alone is answered without a body.
    let is_whole = head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())) && !body.is_empty();
    assert!(is_whole || (status == 405 && body.is_empty()));
    assert_eq!(head.contains("\r\nUpgrade: websocket"), status == 426);
    let is_version =
        matches!(error, HandshakeError::UnsupportedVersion(_) | HandshakeError::InvalidVersion(_));
    assert_eq!(head.contains("\r\nSec-WebSocket-Version: 13"), is_version);
}
