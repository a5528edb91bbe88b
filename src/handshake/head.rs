//! The heads of HTTP/1.1 messages: parsed once when they are complete, and kept as they were sent.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::MaybeUninit;

use httparse::{ParserConfig, Status};

use super::{elements, is_same};
use crate::{Culprit, HandshakeError};

/// A complete head that is not parsed yet.
pub(crate) struct RawHead<'i> {
    bytes: &'i [u8],
    lines: usize,
}

impl<'i> RawHead<'i> {
    pub(super) fn new(bytes: &'i [u8], lines: usize) -> Self {
        Self { bytes, lines }
    }

    /// Reads a request: the method, the request-target, and the headers.
    pub(super) fn into_request<'s>(
        self,
        slots: &'s mut Slots<'i>,
    ) -> Result<(&'i str, &'i str, Headers<'s, 'i>), HandshakeError> {
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(self.bytes, slots.of(self.lines)) {
            Ok(Status::Complete(len)) if len == self.bytes.len() => {}
            Err(httparse::Error::Version) => return Err(self.wrong_request_version()),
            _ => return Err(malformed(self.bytes)),
        }
        // RFC 6455 4.2.1: an HTTP/1.1 or higher request.
        if request.version != Some(1) {
            return Err(self.wrong_request_version());
        }
        let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
        Ok((method, target, Headers { bytes: self.bytes, all: request.headers }))
    }

    /// Reads a response: the minor HTTP version, the status code, and the headers.
    pub(crate) fn into_response<'s>(
        self,
        slots: &'s mut Slots<'i>,
    ) -> Result<(u8, u16, Headers<'s, 'i>), HandshakeError> {
        let mut response = httparse::Response::new(&mut []);
        let config = ParserConfig::default();
        match config.parse_response_with_uninit_headers(&mut response, self.bytes, slots.of(self.lines)) {
            Ok(Status::Complete(len)) if len == self.bytes.len() => {}
            Err(httparse::Error::Version) => return Err(self.wrong_response_version()),
            _ => return Err(malformed(self.bytes)),
        }
        // RFC 9112 4: a space follows the status code even where no reason does. Some servers leave it out, which harms nobody.
        let (Some(version), Some(status @ 100..)) = (response.version, response.code) else {
            return Err(malformed(self.bytes));
        };
        Ok((version, status, Headers { bytes: self.bytes, all: response.headers }))
    }

    fn wrong_request_version(&self) -> HandshakeError {
        match self.words()[..] {
            [_, _, version] => self.wrong_version(version),
            _ => malformed(self.bytes),
        }
    }

    fn wrong_response_version(&self) -> HandshakeError {
        match self.words()[..] {
            [version, _, ..] => self.wrong_version(version),
            _ => malformed(self.bytes),
        }
    }

    /// What is wrong if `word` is another version, or none.
    fn wrong_version(&self, word: &[u8]) -> HandshakeError {
        // RFC 9112 2.3: the form of a version, whatever its numbers.
        match word {
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                HandshakeError::UnsupportedHttpVersion(Culprit::text(word))
            }
            _ => malformed(self.bytes),
        }
    }

    /// The words of the first line, up to the fourth.
    fn words(&self) -> Vec<&'i [u8]> {
        let line = self.bytes.split(|&byte| byte == b'\r').next().unwrap_or_default();
        line.splitn(4, |&byte| byte == b' ').collect()
    }
}

/// What is wrong with bytes that are no head.
pub(super) fn malformed(bytes: &[u8]) -> HandshakeError {
    // RFC 8446 5.1: a record begins with its type, here an alert or a handshake, and the major version 3.
    if let [0x15 | 0x16, 3, ..] = bytes {
        return HandshakeError::UnexpectedTls;
    }
    // The query of a request-target often holds a secret.
    let mut parts = bytes.split(|byte| matches!(byte, b'\r' | b'\n' | b'\0' | b'?'));
    HandshakeError::MalformedHead(Culprit::text(parts.next().unwrap_or_default()))
}

/// More lines than browsers and proxies send.
const USUAL_LINES: usize = 32;

/// Where the headers of a head go while they are checked: on the stack, unless there are unusually many.
pub(crate) struct Slots<'i> {
    few: [MaybeUninit<httparse::Header<'i>>; USUAL_LINES],
    many: Vec<MaybeUninit<httparse::Header<'i>>>,
}

impl<'i> Slots<'i> {
    pub(crate) const fn new() -> Self {
        Self { few: [const { MaybeUninit::uninit() }; USUAL_LINES], many: Vec::new() }
    }

    fn of(&mut self, lines: usize) -> &mut [MaybeUninit<httparse::Header<'i>>] {
        if lines <= USUAL_LINES {
            &mut self.few
        } else {
            self.many.resize_with(lines, MaybeUninit::uninit);
            &mut self.many
        }
    }
}

/// The headers of a head while they are checked.
pub(crate) struct Headers<'s, 'i> {
    bytes: &'i [u8],
    all: &'s [httparse::Header<'i>],
}

/// A header that may stand once is repeated.
pub(super) struct Repeated;

/// An element of a list breaks its grammar.
#[derive(PartialEq, Eq)]
pub(super) struct Malformed;

impl<'s, 'i> Headers<'s, 'i> {
    /// Headers that another parser has read, and the head to keep.
    #[cfg(feature = "http")]
    pub(super) fn new(bytes: &'i [u8], all: &'s [httparse::Header<'i>]) -> Self {
        Self { bytes, all }
    }

    /// The values of a header, whose name is compared without regard to case.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'i [u8]> + Clone {
        let named = self.all.iter().filter(move |header| is_same(header.name.as_bytes(), name.as_bytes()));
        named.map(|header| header.value)
    }

    /// The value of a header that must not be repeated.
    pub(super) fn single(&self, name: &str) -> Result<Option<&'i [u8]>, Repeated> {
        let mut values = self.values(name);
        let value = values.next();
        if values.next().is_none() { Ok(value) } else { Err(Repeated) }
    }

    /// What a header holds, for an error.
    pub(super) fn culprit(&self, name: &str) -> Culprit {
        Culprit::lines(self.values(name))
    }

    /// The value of a header that stands once and is text.
    pub(super) fn single_text(&self, name: &str) -> Option<&'i str> {
        core::str::from_utf8(self.single(name).ok()??).ok()
    }

    /// True if `wanted`, whatever its case, is in the list that a header holds, of which each element must be valid.
    pub(super) fn lists(
        &self,
        name: &str,
        wanted: &str,
        is_valid: impl Fn(&[u8]) -> bool,
    ) -> Result<bool, Malformed> {
        let mut found = false;
        let mut check = |element: &[u8]| {
            found |= is_same(element, wanted.as_bytes());
            is_valid(element)
        };
        if self.values(name).all(|line| elements(line).all(&mut check)) { Ok(found) } else { Err(Malformed) }
    }

    /// The head, to keep.
    pub(super) fn head(&self) -> Head {
        Head(self.bytes.into())
    }
}

/// A valid head, as it was sent: its lines tell where its headers are.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Head(Box<[u8]>);

impl Head {
    /// All headers in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields().map(|(name, value)| (core::str::from_utf8(name).unwrap_or_default(), value))
    }

    /// The values of a header, whose name is compared without regard to case.
    pub(super) fn values<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        let named = self.fields().filter(move |(other, _)| is_same(other, name.as_bytes()));
        named.map(|(_, value)| value)
    }

    /// The first value of a header, if it is text.
    pub(super) fn value_text(&self, name: &str) -> Option<&str> {
        core::str::from_utf8(self.values(name).next()?).ok()
    }

    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        // The parser has found a colon in each line but the first and the empty one, and no line that goes on in the next.
        self.0.split(|&byte| byte == b'\n').skip(1).filter_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            Some((&line[..colon], line[colon + 1..].trim_ascii()))
        })
    }
}
