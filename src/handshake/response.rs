//! [`Response`]: what a server answered, and the body of a refusal.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use httparse::Status;

use super::head::{Head, Headers};
use super::http_date::http_date;
use super::{elements, trim};
use crate::{HandshakeError, Input};

/// How much of a refusal's body is kept: enough for a message, whatever the server sends.
const MAX_BODY_LEN: usize = 4 << 10;

/// The longest line with the size of a chunk that is read.
const MAX_SIZE_LINE_LEN: usize = 64;

/// A server's HTTP answer to the opening handshake (RFC 6455 4.1).
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    head: Head,
    body: Vec<u8>,
}

impl Response {
    pub(super) fn new(status: u16, headers: &Headers<'_, '_>) -> Self {
        Self { status, head: headers.head(), body: Vec::new() }
    }

    /// The status code: 101 if the connection is open.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The subprotocol in use, one of those that the client offered.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.header("Sec-WebSocket-Protocol").filter(|_| self.status == 101)
    }

    /// The first header with this name, which is compared without regard to case.
    ///
    /// `None` also if it is not UTF-8: [`headers`](Self::headers) tells the bytes.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.value_text(name)
    }

    /// All headers in order, their values as bytes.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.head.iter()
    }

    /// How long the server asks to wait before another try (RFC 9110 10.2.3): the header `Retry-After`, if there is a valid one.
    ///
    /// It may name a date. `since_epoch` is the time now, as `SystemTime::now().duration_since(UNIX_EPOCH)` tells it.
    ///
    /// ```
    /// # fn example(response: &tidewire::Response) -> Option<std::time::Duration> {
    /// use std::time::SystemTime;
    ///
    /// let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    /// response.retry_after(now)
    /// # }
    /// ```
    #[must_use]
    pub fn retry_after(&self, since_epoch: Duration) -> Option<Duration> {
        let value = trim(self.head.values("Retry-After").next()?);
        match number(value) {
            Some(secs) => Some(Duration::from_secs(secs)),
            None => Some(http_date(value, since_epoch)?.saturating_sub(since_epoch)),
        }
    }

    /// The body of a refusal, of which at most 4 KiB are kept; a chunked one is decoded.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Without the values of the headers, which often hold secrets, and without the body.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// A refusal whose body is being read.
pub(super) struct Refusal {
    response: Response,
    is_chunked: bool,
    next: Part,
}

/// What of a body comes next (RFC 9112 6 and 7).
enum Part {
    /// So many bytes of the body, or of a chunk.
    Data(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    ChunkSize,
    Nothing,
}

impl Refusal {
    pub(super) fn new(status: u16, headers: &Headers<'_, '_>) -> Result<Self, HandshakeError> {
        let codings = headers.values("Transfer-Encoding").flat_map(elements);
        let is_chunked = codings.last().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        let has_coding = headers.values("Transfer-Encoding").next().is_some();
        let next = match status {
            // RFC 9110 15: these have no body.
            204 | 304 => Part::Nothing,
            _ if is_chunked => Part::ChunkSize,
            // RFC 9112 6.3: whatever comes until the server ends the transport.
            _ if has_coding => Part::Data(u64::MAX),
            _ => Part::Data(content_length(headers)?.unwrap_or(u64::MAX)),
        };
        Ok(Self { response: Response::new(status, headers), is_chunked, next })
    }

    /// Reads what has arrived; true when the body is complete, ends early, or is as long as what is kept.
    pub(super) fn receive(&mut self, input: &mut Input) -> bool {
        while let Some(next) = self.read(input) {
            self.next = next;
            if matches!(self.next, Part::Nothing) {
                return true;
            }
        }
        input.is_eof()
    }

    pub(super) fn into_response(self) -> Response {
        self.response
    }

    /// Reads one part and returns what comes after it; `None` if more must arrive.
    fn read(&mut self, input: &mut Input) -> Option<Part> {
        let unread = input.unread();
        let (len, next) = match (&self.next, unread) {
            (Part::Nothing, _) => (0, Part::Nothing),
            (Part::Data(0), _) if self.is_chunked => (0, Part::ChunkEnd),
            (Part::Data(0), _) => (0, Part::Nothing),
            (Part::Data(_), []) => return None,
            (Part::Data(left), _) => {
                let room = MAX_BODY_LEN - self.response.body.len();
                let len = unread.len().min(room).min(usize::try_from(*left).unwrap_or(usize::MAX));
                self.response.body.extend_from_slice(&unread[..len]);
                (len, if len == room { Part::Nothing } else { Part::Data(left - len as u64) })
            }
            (Part::ChunkEnd, [b'\r', b'\n', ..]) => (2, Part::ChunkSize),
            (Part::ChunkEnd, [] | [b'\r']) => return None,
            (Part::ChunkEnd, _) => (0, Part::Nothing),
            (Part::ChunkSize, _) => {
                match httparse::parse_chunk_size(&unread[..unread.len().min(MAX_SIZE_LINE_LEN)]) {
                    Ok(Status::Complete((len, size @ 1..))) => (len, Part::Data(size)),
                    Ok(Status::Partial) if unread.len() < MAX_SIZE_LINE_LEN => return None,
                    _ => (0, Part::Nothing),
                }
            }
        };
        input.consume(len);
        Some(next)
    }
}

/// RFC 9112 6.3: the length of a body. A response in which it is no number, or different ones, is discarded.
fn content_length(headers: &Headers<'_, '_>) -> Result<Option<u64>, HandshakeError> {
    let invalid = || HandshakeError::InvalidContentLength(headers.culprit("Content-Length"));
    let mut found = None;
    for digits in headers.values("Content-Length").flat_map(|line| line.split(|&byte| byte == b',')) {
        let len = number(trim(digits)).ok_or_else(invalid)?;
        if *found.get_or_insert(len) != len {
            return Err(invalid());
        }
    }
    Ok(found)
}

/// RFC 9110 8.6: one or more digits; a number that is too large counts as the largest.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |number: u64, digit: &u8| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(digits.iter().fold(0, add))
}
