//! The programs, started, and a client that writes its bytes by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server that runs until this is dropped, or this process ends.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        // A server that several tests share is never dropped. The shell sees the end of its input then, and ends it.
        let mut child = Command::new("sh")
            .args(["-c", "\"$@\" & read -r line; kill $!; wait", "sh", program, "--addr", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        output.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on ").expect("an address");
        Self { address: address.parse().expect("an address"), child }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A response: the status, the headers in lower case, and the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// The headers that the handshake decides over.
const HEADERS: [&str; 7] = [
    "allow",
    "content-type",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "upgrade",
];

impl Answer {
    /// With those headers alone.
    pub fn new<'h>(status: u16, headers: impl Iterator<Item = (&'h str, &'h str)>, body: &[u8]) -> Self {
        let mut headers: Vec<_> = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .filter(|(name, _)| HEADERS.contains(&&**name))
            .collect();
        headers.sort();
        Self { status, headers, body: body.to_vec() }
    }

    /// Reads a response of HTTP/1.1; what follows it is returned, too. `None` if it is not complete.
    pub fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let head_len = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
        let (head, rest) = bytes.split_at(head_len);
        let head = std::str::from_utf8(head).expect("text");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        let headers = || head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let len = headers().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let len = len.map_or(0, |(_, len)| len.trim().parse().expect("a number"));
        // An answer to HEAD may tell a length that no body has.
        let body = rest.get(..len).or_else(|| rest.is_empty().then_some(rest))?;
        Some((Self::new(status, headers(), body), &rest[body.len()..]))
    }
}

/// Writes `bytes`, in one packet if they are few, and reads until there is a response and `extra` bytes, or the server ends.
pub fn exchange(address: SocketAddr, bytes: &[u8], end: bool, extra: usize) -> Option<(Answer, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).expect("connected");
    // No answer takes so long: it is a failure.
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    // The server may refuse before it has read everything, and is gone then.
    let _ = stream.write_all(bytes);
    if end {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if let Some((answer, rest)) = Answer::parse(&read)
            && (answer.status != 101 || rest.len() >= extra)
        {
            return Some((answer, rest.to_vec()));
        }
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => read.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}: {}", String::from_utf8_lossy(bytes)),
        }
    }
    Answer::parse(&read).map(|(answer, rest)| (answer, rest.to_vec()))
}
