//! Peers made of sockets and bytes only, and what finds a thread that hangs.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use support::wire::{self, Frame, Role};

/// A valid request with further header lines.
pub(crate) fn request(lines: &str) -> Vec<u8> {
    format!(
        "GET / HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n"
    )
    .into_bytes()
}

/// A client's socket and the server's.
pub(crate) fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("a listener");
    let server = listener.accept().expect("a client").0;
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("TCP");
    }
    (client, server)
}

/// What a peer heard that wrote first and listened then.
pub(crate) struct Heard {
    pub(crate) bytes: Vec<u8>,
    /// The peer could write all that it wanted to.
    pub(crate) wrote_all: bool,
    /// The end was an orderly one.
    pub(crate) has_ended: bool,
}

impl Heard {
    /// What follows the head of the HTTP answer.
    pub(crate) fn after_head(&self) -> &[u8] {
        let end = self.bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a whole head");
        &self.bytes[end + 4..]
    }
}

/// Writes `start` and then zeros until these are `zeros_len` or writing fails; then reads to the end.
pub(crate) fn write_then_listen(mut stream: TcpStream, start: &[u8], zeros_len: usize) -> Heard {
    let zeros = [0; 32 << 10];
    let mut wrote_all = stream.write_all(start).is_ok();
    let mut left = zeros_len;
    while wrote_all && left > 0 {
        let len = left.min(zeros.len());
        wrote_all = stream.write_all(&zeros[..len]).is_ok();
        left -= len;
    }
    let mut bytes = Vec::new();
    let result = loop {
        match stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => break result,
        }
    };
    Heard { bytes, wrote_all, has_ended: result.is_ok() }
}

/// Sends the request and reads the head of the answer.
pub(crate) fn open(stream: &mut TcpStream) {
    stream.write_all(&request("")).expect("open");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
}

/// Reads a server's frame with a short header; `None` at the end.
pub(crate) fn read_frame(stream: &mut TcpStream) -> Option<Frame> {
    let mut header = [0; 2];
    stream.read_exact(&mut header).ok()?;
    let mut payload = vec![0; usize::from(header[1])];
    stream.read_exact(&mut payload).ok()?;
    wire::parse(Role::Server, &[&header[..], &payload].concat()).pop()
}

/// Runs `test` on a thread of its own, and panics if it hangs or panics.
pub(crate) fn ends<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        let _ = done.send(test());
    });
    match is_done.recv_timeout(Duration::from_secs(60)) {
        Ok(result) => result,
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("it sends its result"),
        },
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
    }
}
