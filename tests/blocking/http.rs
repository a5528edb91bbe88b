//! Opening handshakes as bytes.

use tidewire::accept_key;

use support::blocking_stream::Scripted;

/// A valid request with further header lines.
pub(crate) fn request(lines: &str) -> String {
    format!(
        "GET /chat?room=1 HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n"
    )
}

/// The response to a request with `key`, with further header lines.
pub(crate) fn response(key: &str, lines: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{lines}\r\n",
        accept_key(key)
    )
}

/// The response to [`request`].
pub(crate) fn response_to_request(lines: &str) -> String {
    response("dGhlIHNhbXBsZSBub25jZQ==", lines)
}

/// A stream to a server that accepts, with further header lines, and sends `frames` along with its response.
pub(crate) fn accepting(lines: &'static str, frames: &[u8]) -> Scripted {
    let frames = frames.to_vec();
    let mut request = Vec::new();
    Scripted::new([]).without_end().with_peer(move |written| {
        let was_complete = key(&request).is_some();
        request.extend_from_slice(written);
        match key(&request) {
            Some(key) if !was_complete => [response(key, lines).as_bytes(), &frames].concat(),
            _ => Vec::new(),
        }
    })
}

/// A stream to a server that gives this answer, whatever it is asked, and ends.
pub(crate) fn answering(answer: &str) -> Scripted {
    Scripted::new(answer)
}

/// The key of a request that is complete.
pub(crate) fn key(request: &[u8]) -> Option<&str> {
    let head = str::from_utf8(request).ok()?.split_once("\r\n\r\n")?.0;
    head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
}

/// The status, the head and the body of an answer; panics unless it is complete and there is nothing else.
pub(crate) fn parse_answer(answer: &[u8]) -> (u16, String, String) {
    let answer = str::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a complete head");
    let status = head.strip_prefix("HTTP/1.1 ").expect("HTTP/1.1")[..3].parse().expect("a status");
    let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    assert_eq!(len, body.len().to_string());
    (status, head.to_owned(), body.to_owned())
}
