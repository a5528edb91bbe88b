//! [`Response`]: what a server answered, and the body of a refusal.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use httparse::Status;

use super::head::{Head, Headers};
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
            None => Some(http_date(value)?.saturating_sub(since_epoch)),
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

/// RFC 9110 5.6.7: a date in the form that is to be sent, as in "Sun, 06 Nov 1994 08:49:37 GMT", since 1970.
fn http_date(text: &[u8]) -> Option<Duration> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

    let text = core::str::from_utf8(text).ok()?;
    let [_, day, month, year, time, "GMT"] =
        <[&str; 6]>::try_from(text.split(' ').collect::<Vec<_>>()).ok()?
    else {
        return None;
    };
    let [hour, minute, second] = <[&str; 3]>::try_from(time.split(':').collect::<Vec<_>>()).ok()?;
    let digits = |text: &str, len, max| {
        let value = number(text.as_bytes()).filter(|_| text.len() == len)?;
        (value <= max).then_some(value)
    };
    let month = MONTHS.iter().position(|name| *name == month)? as u64;
    let (day, year) = (digits(day, 2, 31)?, digits(year, 4, 9999)?);
    // Days since March of the year 0, since a leap day is the last of its year then.
    let (years, months) = if month < 2 { (year.checked_sub(1)?, month + 10) } else { (year, month - 2) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day;
    // The first of January 1970.
    let days = days.checked_sub(719_469)?;
    let secs = digits(hour, 2, 23)? * 3600 + digits(minute, 2, 59)? * 60 + digits(second, 2, 60)?;
    Some(Duration::from_secs(days * 86_400 + secs))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_in_its_only_form() {
        for (text, secs) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
            ("Mon, 30 Nov 2026 10:07:39 GMT", 1_796_033_259),
            ("Fri, 31 Dec 9999 23:59:60 GMT", 253_402_300_800),
        ] {
            assert_eq!(http_date(text.as_bytes()), Some(Duration::from_secs(secs)), "{text}");
        }
        for text in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
        ] {
            assert_eq!(http_date(text.as_bytes()), None, "{text}");
        }
    }
}
