//! permessage-deflate (RFC 7692): [`Deflate`] says what one side wishes, [`Agreement`] what both settled on.

use core::fmt;

/// The name under which the extension is negotiated (RFC 7692 9).
pub(crate) const NAME: &str = "permessage-deflate";

/// The windows that can be agreed on, as powers of two (RFC 7692 7.1.2).
pub(crate) const WINDOW_BITS: core::ops::RangeInclusive<u8> = 8..=15;

/// The settings of permessage-deflate (RFC 7692), for [`Config::with_deflate`](crate::Config::with_deflate). Off unless set there.
///
/// The defaults suit servers with many connections: a window of 4 KiB each way where the peer can limit its own, so that a connection
/// keeps at most 8 KiB between messages. No setter panics: what is out of range counts as the nearest value in it.
///
/// # Secrets
/// Who sees the length of a compressed message learns something about its content. If one window holds both a secret and text that an
/// attacker can choose, the attacker can find the secret out byte by byte (CRIME, BREACH). Send such a message with
/// [`Outgoing::with_compression(false)`](crate::Outgoing::with_compression), or turn the [takeover](Self::with_takeover) off and keep
/// the two in different messages.
///
/// ```
/// use tidewire::{Config, Deflate};
///
/// let config = Config::new().with_deflate(Deflate::new().with_level(1));
/// assert_eq!(config.deflate().map(|deflate| deflate.window_bits()), Some(12));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deflate {
    level: u8,
    window_bits: u8,
    peer_window_bits: Option<u8>,
    takeover: bool,
    peer_takeover: bool,
    min_len: u32,
}

impl Deflate {
    /// The defaults: level 3, a window of 12 bits, takeover both ways, and messages from 64 bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            level: 3,
            window_bits: 12,
            peer_window_bits: None,
            takeover: true,
            peer_takeover: true,
            min_len: 64,
        }
    }

    /// How hard to compress, 3 by default: 1 takes a third of the time, 6 a quarter more for a few per cent, and 9 is the most.
    #[must_use]
    pub const fn with_level(mut self, level: u8) -> Self {
        self.level = clamp(level, 1, 9);
        self
    }

    /// The window of what this side sends, 12 by default: it looks for repetitions in the last `2^bits` bytes, 8 to 15 bits.
    ///
    /// The peer may ask for less. With takeover the connection keeps that much.
    #[must_use]
    pub const fn with_window_bits(mut self, bits: u8) -> Self {
        self.window_bits = clamp(bits, *WINDOW_BITS.start(), *WINDOW_BITS.end());
        self
    }

    /// The window that the peer is held to, 8 to 15 bits. With takeover the connection keeps `2^bits` bytes of what it received.
    ///
    /// By default a server asks clients for 12 bits, and a client lets the server have 15. A client that cannot limit its window, as some
    /// browsers, uses 15 whatever is set here. A server that cannot limit its own must decline a client's offer that asks for it.
    #[must_use]
    pub const fn with_peer_window_bits(mut self, bits: u8) -> Self {
        self.peer_window_bits = Some(clamp(bits, *WINDOW_BITS.start(), *WINDOW_BITS.end()));
        self
    }

    /// Whether what this side sends may refer to its former messages, on by default. Off, nothing is kept between messages, and short ones
    /// compress worse.
    #[must_use]
    pub const fn with_takeover(mut self, takeover: bool) -> Self {
        self.takeover = takeover;
        self
    }

    /// Whether the peer's messages may refer to its former ones, on by default. Off, nothing of them is kept.
    #[must_use]
    pub const fn with_peer_takeover(mut self, takeover: bool) -> Self {
        self.peer_takeover = takeover;
        self
    }

    /// The shortest message that is compressed, 64 bytes by default: below that there is little to gain.
    ///
    /// [`Outgoing::with_compression`](crate::Outgoing::with_compression) decides for a single message.
    #[must_use]
    pub const fn with_min_len(mut self, len: usize) -> Self {
        self.min_len = if len > u32::MAX as usize { u32::MAX } else { len as u32 };
        self
    }

    /// See [`with_level`](Self::with_level).
    #[must_use]
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// See [`with_window_bits`](Self::with_window_bits).
    #[must_use]
    pub const fn window_bits(&self) -> u8 {
        self.window_bits
    }

    /// See [`with_peer_window_bits`](Self::with_peer_window_bits); `None` for the role's default.
    #[must_use]
    pub const fn peer_window_bits(&self) -> Option<u8> {
        self.peer_window_bits
    }

    /// See [`with_takeover`](Self::with_takeover).
    #[must_use]
    pub const fn takeover(&self) -> bool {
        self.takeover
    }

    /// See [`with_peer_takeover`](Self::with_peer_takeover).
    #[must_use]
    pub const fn peer_takeover(&self) -> bool {
        self.peer_takeover
    }

    /// See [`with_min_len`](Self::with_min_len).
    #[must_use]
    pub const fn min_len(&self) -> usize {
        self.min_len as usize
    }
}

impl Default for Deflate {
    fn default() -> Self {
        Self::new()
    }
}

const fn clamp(value: u8, min: u8, max: u8) -> u8 {
    if value < min {
        min
    } else if value > max {
        max
    } else {
        value
    }
}

/// What both sides agreed on (RFC 7692 7.1): the parameters in the server's answer, which is what it displays.
///
/// A connection that was opened by this crate has the right one. For another library's handshake,
/// [`negotiate`](crate::handshake::negotiate) makes it, and [`Connection::with_agreement`](crate::Connection::with_agreement) takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Agreement {
    /// What this side wished for its own messages.
    pub(crate) own: Own,
    pub(crate) server_no_context_takeover: bool,
    pub(crate) client_no_context_takeover: bool,
    pub(crate) server_max_window_bits: Option<u8>,
    pub(crate) client_max_window_bits: Option<u8>,
}

/// What the peer has no say in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Own {
    pub(crate) level: u8,
    pub(crate) window_bits: u8,
    pub(crate) takeover: bool,
    pub(crate) min_len: u32,
}

impl From<&Deflate> for Own {
    fn from(deflate: &Deflate) -> Self {
        let Deflate { level, window_bits, takeover, min_len, .. } = *deflate;
        Self { level, window_bits, takeover, min_len }
    }
}

impl Agreement {
    /// True if the server compresses each message on its own (RFC 7692 7.1.1.1).
    #[must_use]
    pub const fn server_no_context_takeover(&self) -> bool {
        self.server_no_context_takeover
    }

    /// True if the client compresses each message on its own (RFC 7692 7.1.1.2).
    #[must_use]
    pub const fn client_no_context_takeover(&self) -> bool {
        self.client_no_context_takeover
    }

    /// The largest window of the server, 8 to 15 bits (RFC 7692 7.1.2.1).
    #[must_use]
    pub const fn server_max_window_bits(&self) -> u8 {
        window_bits(self.server_max_window_bits)
    }

    /// The largest window of the client, 8 to 15 bits (RFC 7692 7.1.2.2).
    #[must_use]
    pub const fn client_max_window_bits(&self) -> u8 {
        window_bits(self.client_max_window_bits)
    }
}

/// RFC 7692 7.1.2: without the parameter the window may be as large as there is.
const fn window_bits(parameter: Option<u8>) -> u8 {
    match parameter {
        Some(bits) => bits,
        None => *WINDOW_BITS.end(),
    }
}

/// The value of `Sec-WebSocket-Extensions` in the server's answer.
impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        if let Some(bits) = self.client_max_window_bits {
            write!(f, "; client_max_window_bits={bits}")?;
        }
        Ok(())
    }
}
