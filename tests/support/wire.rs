//! Frames as bytes, built and taken apart by hand: the crate's own encoder is not trusted with its own test.

use tidewire::{Config, Connection};

pub const FIN: u8 = 0x80;
pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

/// The masking key of RFC 6455 5.7.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The role of the connection under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Client,
    Server,
}

impl Role {
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    pub fn connection(self, config: Config) -> Connection {
        match self {
            Self::Client => Connection::client(config, [7; 32]),
            Self::Server => Connection::server(config),
        }
    }

    /// RFC 6455 5.1: what goes to a server is masked, what goes to a client is not.
    pub fn key(self) -> Option<[u8; 4]> {
        (self == Self::Server).then_some(KEY)
    }
}

/// A payload length in one of its three forms, minimal or not.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    Short(u8),
    Two(u16),
    Eight(u64),
}

impl Length {
    pub fn minimal(len: usize) -> Self {
        match len {
            0..=125 => Self::Short(len as u8),
            126..=65535 => Self::Two(len as u16),
            _ => Self::Eight(len as u64),
        }
    }
}

pub fn header(first: u8, length: Length, key: Option<[u8; 4]>) -> Vec<u8> {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match length {
        Length::Short(len) => bytes.push(mask_bit | len),
        Length::Two(len) => {
            bytes.push(mask_bit | 126);
            bytes.extend(len.to_be_bytes());
        }
        Length::Eight(len) => {
            bytes.push(mask_bit | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    bytes.extend(key.iter().flatten());
    bytes
}

/// RFC 6455 5.3: octet i of the payload XOR octet i mod 4 of the key.
pub fn masked(payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let key = key.unwrap_or_default();
    payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
}

/// A frame as the peer of `to` sends it: `first` is its first byte, flags and opcode.
pub fn frame(to: Role, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = header(first, Length::minimal(payload.len()), to.key());
    bytes.extend(masked(payload, to.key()));
    bytes
}

pub fn text(to: Role, text: &str) -> Vec<u8> {
    frame(to, FIN | TEXT, text)
}

pub fn binary(to: Role, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(to, FIN | BINARY, payload)
}

pub fn ping(to: Role, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(to, FIN | PING, payload)
}

pub fn pong(to: Role, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(to, FIN | PONG, payload)
}

pub fn close(to: Role, code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    frame(to, FIN | CLOSE, close_body(code, reason))
}

pub fn close_body(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_ref()].concat()
}

/// A frame taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Flags and opcode.
    pub first: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn new(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { first, payload: payload.as_ref().to_vec() }
    }
}

/// Takes whole frames apart, with their masking keys; panics unless they are what `from` may send, in its minimal form.
pub fn parse_with_keys(from: Role, mut bytes: &[u8]) -> Vec<(Frame, Option<[u8; 4]>)> {
    fn take<'b>(bytes: &mut &'b [u8], len: usize) -> &'b [u8] {
        let (taken, rest) = bytes.split_at_checked(len).expect("a whole frame");
        *bytes = rest;
        taken
    }
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let start = take(&mut bytes, 2);
        let len = match start[1] & 0x7F {
            126 => take(&mut bytes, 2).iter().fold(0, |len, &byte| len << 8 | usize::from(byte)),
            127 => take(&mut bytes, 8).iter().fold(0, |len, &byte| len << 8 | usize::from(byte)),
            len => usize::from(len),
        };
        assert_eq!(start[1] & 0x80 != 0, from == Role::Client, "RFC 6455 5.1: masked by clients only");
        let key = (from == Role::Client).then(|| take(&mut bytes, 4).try_into().expect("four bytes"));
        let payload = masked(take(&mut bytes, len), key);
        let form = header(start[0], Length::minimal(len), key);
        assert_eq!(start, &form[..2], "RFC 6455 5.2: the minimal form of the length");
        frames.push((Frame { first: start[0], payload }, key));
    }
    frames
}

pub fn parse(from: Role, bytes: &[u8]) -> Vec<Frame> {
    parse_with_keys(from, bytes).into_iter().map(|(frame, _)| frame).collect()
}

/// Bytes that look like noise and are the same every time.
pub fn noise(len: usize) -> Vec<u8> {
    let mut rng = Rng::new(len as u64);
    (0..len).map(|_| rng.next() as u8).collect()
}

/// xorshift64*: repeatable, and good enough to cut bytes into chunks.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32
    }

    /// A number from 1 to `max`, small ones more often.
    pub fn len(&mut self, max: usize) -> usize {
        let bits = self.next() % (max.ilog2() as u64 + 1);
        (1 + self.next() as usize % (2 << bits)).min(max)
    }
}
