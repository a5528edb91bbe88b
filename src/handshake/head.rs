//! The heads of HTTP/1.1 messages: found as their bytes arrive, and parsed once when they are complete.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use httparse::Status;

use super::elements;
use crate::{Config, HandshakeError, Input};

/// Looks for the end of a head, at each byte once.
pub(super) struct Scan {
    /// How many bytes may still follow those that were looked at.
    budget: usize,
    max_headers: usize,
    /// How many of the input's bytes were looked at.
    position: usize,
    /// The complete lines so far, the first one included.
    lines: usize,
    /// The line under way is empty so far.
    line_is_empty: bool,
    after_cr: bool,
}

impl Scan {
    pub(super) fn new(config: &Config) -> Self {
        Self::with_budget(config.max_head_len(), config.max_headers())
    }

    fn with_budget(budget: usize, max_headers: usize) -> Self {
        Self { budget, max_headers, position: 0, lines: 0, line_is_empty: true, after_cr: false }
    }

    /// Takes a complete head out of `input`, and nothing of what follows it.
    pub(super) fn receive(&mut self, input: &mut Input) -> Result<Option<RawHead>, HandshakeError> {
        let unread = input.unread();
        for &byte in unread.get(self.position..).unwrap_or_default() {
            if self.push(byte)? {
                let bytes = unread[..self.position].into();
                input.consume(self.position);
                let head = RawHead { bytes, lines: self.lines };
                // Whatever head comes next shares the limit.
                *self = Self::with_budget(self.budget, self.max_headers);
                return Ok(Some(head));
            }
        }
        if input.is_eof() { Err(HandshakeError::UnexpectedEof) } else { Ok(None) }
    }

    /// Looks at the next byte; true if it ends the head.
    fn push(&mut self, byte: u8) -> Result<bool, HandshakeError> {
        self.budget = self.budget.checked_sub(1).ok_or(HandshakeError::HeadTooLong)?;
        self.position += 1;
        match (self.after_cr, byte) {
            (true, b'\n') if self.line_is_empty => return Ok(true),
            (true, b'\n') => {
                self.lines += 1;
                (self.line_is_empty, self.after_cr) = (true, false);
                // The first line is no header.
                if self.lines - 1 > self.max_headers {
                    return Err(HandshakeError::TooManyHeaders);
                }
            }
            // CR and LF stand only together.
            (true, _) | (_, b'\n' | b'\0') => return Err(HandshakeError::MalformedHead),
            (false, b'\r') => self.after_cr = true,
            (false, _) => self.line_is_empty = false,
        }
        Ok(false)
    }
}

/// A complete head that is not parsed yet.
pub(super) struct RawHead {
    bytes: Box<[u8]>,
    lines: usize,
}

impl RawHead {
    /// Reads a request: the head, and the request-target.
    pub(super) fn into_request(self) -> Result<(Head, String), HandshakeError> {
        let mut slots = self.slots();
        let mut request = httparse::Request::new(&mut slots);
        match request.parse(&self.bytes) {
            Ok(Status::Complete(len)) if len == self.bytes.len() => {}
            Err(httparse::Error::Version) if matches!(self.words()[..], [_, _, word] if is_version(word)) => {
                return Err(HandshakeError::UnsupportedHttpVersion);
            }
            _ => return Err(HandshakeError::MalformedHead),
        }
        // RFC 6455 4.2.1: an HTTP/1.1 or higher GET request.
        if request.version != Some(1) {
            return Err(HandshakeError::UnsupportedHttpVersion);
        }
        if request.method != Some("GET") {
            return Err(HandshakeError::MethodNotGet);
        }
        let target = request.path.unwrap_or_default().into();
        let fields = self.fields(request.headers);
        Ok((Head { bytes: self.bytes, fields }, target))
    }

    /// Reads a response: the head, the minor HTTP version, and the status code.
    pub(super) fn into_response(self) -> Result<(Head, u8, u16), HandshakeError> {
        let mut slots = self.slots();
        let mut response = httparse::Response::new(&mut slots);
        match response.parse(&self.bytes) {
            Ok(Status::Complete(len)) if len == self.bytes.len() => {}
            Err(httparse::Error::Version) if matches!(self.words()[..], [word, _, ..] if is_version(word)) => {
                return Err(HandshakeError::UnsupportedHttpVersion);
            }
            _ => return Err(HandshakeError::MalformedHead),
        }
        // RFC 9112 4: a space follows the status code even where no reason follows that; the parser does not insist.
        let (Some(version), Some(status @ 100..), Some(b' ')) =
            (response.version, response.code, self.bytes.get("HTTP/1.1 101".len()))
        else {
            return Err(HandshakeError::MalformedHead);
        };
        let fields = self.fields(response.headers);
        Ok((Head { bytes: self.bytes, fields }, version, status))
    }

    fn slots<'b>(&self) -> Vec<httparse::Header<'b>> {
        vec![httparse::EMPTY_HEADER; self.lines]
    }

    /// The words of the first line, up to the fourth.
    fn words(&self) -> Vec<&[u8]> {
        let line = self.bytes.split(|&byte| byte == b'\r').next().unwrap_or_default();
        line.splitn(4, |&byte| byte == b' ').collect()
    }

    fn fields(&self, headers: &[httparse::Header<'_>]) -> Box<[Field]> {
        let start = self.bytes.as_ptr().addr();
        let range = |part: &[u8]| {
            let from = part.as_ptr().addr() - start;
            from..from + part.len()
        };
        headers
            .iter()
            .map(|header| Field { name: range(header.name.as_bytes()), value: range(header.value) })
            .collect()
    }
}

/// True for the form of an HTTP version (RFC 9112 2.3), whatever its numbers.
fn is_version(word: &[u8]) -> bool {
    matches!(word, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// The headers of a message.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Head {
    bytes: Box<[u8]>,
    fields: Box<[Field]>,
}

/// Where a header lies in its head.
#[derive(Clone, PartialEq, Eq)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

/// A header that may stand once is repeated, or is not text.
pub(super) struct NotSingle;

impl Head {
    /// All headers in order, as they were sent.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|field| {
            let name = core::str::from_utf8(&self.bytes[field.name.clone()]).unwrap_or_default();
            (name, &self.bytes[field.value.clone()])
        })
    }

    /// The values of a header, whose name is compared without regard to case.
    pub(super) fn values<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The values of a header that may be repeated; `None` if one of them is not text.
    pub(super) fn lines(&self, name: &str) -> Option<Vec<&str>> {
        self.values(name).map(|value| core::str::from_utf8(value).ok()).collect()
    }

    /// The value of a header that must not be repeated.
    pub(super) fn single(&self, name: &str) -> Result<Option<&str>, NotSingle> {
        match self.lines(name).as_deref() {
            Some([]) => Ok(None),
            Some([value]) => Ok(Some(value)),
            _ => Err(NotSingle),
        }
    }

    /// True if `wanted`, whatever its case, is in the list that a header holds, and all of that is valid.
    pub(super) fn lists(&self, name: &str, wanted: &str, is_valid: fn(&str) -> bool) -> bool {
        let lines = self.lines(name).unwrap_or_default();
        elements(lines.iter().copied()).all(is_valid)
            && elements(lines).any(|element| element.eq_ignore_ascii_case(wanted))
    }
}
