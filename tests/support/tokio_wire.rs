//! Frames as the peer of a socket sends them, and sockets taken at their word.

use tidewire::tokio::WebSocket;
use tidewire::{Config, Input};

use crate::tokio_stream::{Peer, Script, Stream, scripted};
use crate::wire;
pub use crate::wire::Role;

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8A;

impl Role {
    /// An open socket over a scripted stream. Its masking keys are the same every time.
    pub fn socket(self, config: Config, script: Script) -> (WebSocket<Stream>, Peer) {
        let (stream, peer) = scripted(script);
        (WebSocket::from_parts(stream, self.connection(config), Input::new()), peer)
    }

    /// A frame to a socket of this role.
    pub fn frame(self, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
        wire::frame(self, first, payload)
    }

    /// A Close frame to a socket of this role.
    pub fn close_frame(self, code: u16, reason: &str) -> Vec<u8> {
        self.frame(CLOSE, close_body(code, reason))
    }

    /// Takes apart what a socket of this role wrote: nothing but whole frames.
    pub fn frames(self, bytes: &[u8]) -> Vec<Frame> {
        let (frames, rest) = self.whole_frames(bytes);
        assert!(rest.is_empty(), "half a frame: {rest:02x?}");
        frames
    }

    /// Takes apart what a socket of this role wrote, and returns what is left over.
    pub fn whole_frames(self, mut bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
        let mut frames = Vec::new();
        while let Some((frame, is_masked, rest)) = split_frame(bytes) {
            assert_eq!(is_masked, self == Self::Client, "a client masks, a server does not");
            frames.push(frame);
            bytes = rest;
        }
        (frames, bytes)
    }
}

/// The first byte of a frame and its payload, unmasked.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(pub u8, pub Vec<u8>);

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#04x}({} bytes: {:.24})", self.0, self.1.len(), self.1.escape_ascii().to_string())
    }
}

pub fn frame(first: u8, payload: impl AsRef<[u8]>) -> Frame {
    Frame(first, payload.as_ref().into())
}

pub fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// The first frame in `bytes`, whether it is masked, and what follows.
pub fn split_frame(bytes: &[u8]) -> Option<(Frame, bool, &[u8])> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (len, rest) = match second & 0x7f {
        126 => rest.split_first_chunk().map(|(len, rest)| (u64::from(u16::from_be_bytes(*len)), rest))?,
        127 => rest.split_first_chunk().map(|(len, rest)| (u64::from_be_bytes(*len), rest))?,
        len => (u64::from(len), rest),
    };
    let is_masked = second & 0x80 != 0;
    let (key, rest) = if is_masked { rest.split_first_chunk()? } else { (&[0; 4], rest) };
    let (payload, rest) = rest.split_at_checked(len as usize)?;
    let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Some((Frame(first, payload), is_masked, rest))
}
