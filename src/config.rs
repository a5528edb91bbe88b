//! [`Config`]: limits and timers, all with defaults.

use core::time::Duration;

#[cfg(feature = "deflate")]
pub(crate) mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "config/no_deflate.rs"]
pub(crate) mod deflate;

use deflate::Deflate;

/// Limits and timers of one connection.
///
/// Lengths are bytes. Every limit for what the peer sends is inclusive: what is as long as the limit passes. Durations are
/// kept in whole milliseconds, rounded up, and at most 49 days; `None` or zero turns a timer off. No setter panics.
///
/// ```
/// use core::time::Duration;
/// use tidewire::Config;
///
/// let config = Config::new().with_max_message_len(1 << 20).with_close_timeout(Duration::from_secs(3));
/// assert_eq!(config.max_message_len(), 1 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    max_head_len: usize,
    max_headers: usize,
    max_frame_len: Option<usize>,
    max_message_len: usize,
    high_water_len: usize,
    max_output_len: usize,
    parts: bool,
    pub(crate) deflate: Option<Deflate>,
    pub(crate) timing: Timing,
    open_timeout: Period,
}

/// The timers of an open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Timing {
    pub(crate) ping_interval: Period,
    pub(crate) pong_timeout: Period,
    pub(crate) write_timeout: Period,
    pub(crate) close_timeout: Period,
    pub(crate) min_progress: u32,
}

/// A duration in whole milliseconds; zero stands for "never".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Period(u32);

impl Period {
    const NEVER: Self = Self(0);

    const fn from_secs(secs: u32) -> Self {
        Self(secs * 1000)
    }

    fn new(duration: Option<Duration>) -> Self {
        let Some(duration) = duration else { return Self::NEVER };
        let millis = duration.as_nanos().div_ceil(1_000_000);
        Self(u32::try_from(millis).unwrap_or(u32::MAX))
    }

    pub(crate) fn duration(self) -> Option<Duration> {
        (self != Self::NEVER).then(|| Duration::from_millis(self.0.into()))
    }
}

impl Config {
    /// The defaults, keepalive included. The adapters run the timers. A user of the core does so with
    /// [`poll_timeout`](crate::Connection::poll_timeout).
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_head_len: 16 << 10,
            max_headers: 100,
            max_frame_len: None,
            max_message_len: 64 << 20,
            high_water_len: 64 << 10,
            max_output_len: 1 << 20,
            parts: false,
            deflate: None,
            timing: Timing {
                ping_interval: Period::from_secs(20),
                pong_timeout: Period::from_secs(20),
                write_timeout: Period::from_secs(30),
                close_timeout: Period::from_secs(10),
                min_progress: 1 << 10,
            },
            open_timeout: Period::from_secs(10),
        }
    }

    /// The longest HTTP head that is read, 16 KiB by default: enough for large cookies, and what servers commonly allow.
    #[must_use]
    pub const fn with_max_head_len(mut self, len: usize) -> Self {
        self.max_head_len = len;
        self
    }

    /// The most header lines that a head may have, 100 by default and at most 1024.
    #[must_use]
    pub const fn with_max_headers(mut self, count: usize) -> Self {
        self.max_headers = match count {
            ..=1024 => count,
            _ => 1024,
        };
        self
    }

    /// The longest payload of one frame from the peer. There is no such limit by default: that for messages holds for frames too.
    ///
    /// Set one only for peers that have to send long messages in fragments.
    #[must_use]
    pub const fn with_max_frame_len(mut self, len: usize) -> Self {
        self.max_frame_len = Some(len);
        self
    }

    /// The longest message from the peer, all fragments together, 64 MiB by default.
    #[must_use]
    pub const fn with_max_message_len(mut self, len: usize) -> Self {
        self.max_message_len = len;
        self
    }

    /// Whether messages are delivered in parts, as they arrive, and not whole; off by default.
    ///
    /// Each message is then a number of [`TextPart`](crate::Event::TextPart) or [`BinaryPart`](crate::Event::BinaryPart) events, and takes no more memory
    /// than one read however long it is. The message limit still holds: raise it for what is to pass.
    #[must_use]
    pub const fn with_parts(mut self, parts: bool) -> Self {
        self.parts = parts;
        self
    }

    /// Offers permessage-deflate (RFC 7692) as a client, and agrees to it as a server. Off by default.
    ///
    /// What an attacker can choose must not be compressed together with what he must not know: see [`Deflate`].
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub const fn with_deflate(mut self, deflate: Deflate) -> Self {
        self.deflate = Some(deflate);
        self
    }

    /// The high-water mark of the output, 64 KiB by default.
    ///
    /// From there on [`is_ready`](crate::Connection::is_ready) is false, `ready` waits, and only the newest pong is kept (RFC 6455 5.5.3).
    #[must_use]
    pub const fn with_high_water_len(mut self, len: usize) -> Self {
        self.high_water_len = len;
        self
    }

    /// How much may be queued already when more is, 1 MiB by default.
    ///
    /// Below this limit a message of any length is accepted. So at most this much and one message are held. From there on `queue` and the
    /// core's `send` fail with [`OutputFull`](crate::SendError::OutputFull).
    ///
    /// Raise it where several long messages may be queued for one peer at once. A limit below the high-water mark counts as that mark.
    #[must_use]
    pub const fn with_max_output_len(mut self, len: usize) -> Self {
        self.max_output_len = len;
        self
    }

    /// How long the opening handshake may take, 10 s by default.
    #[must_use]
    pub fn with_open_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.open_timeout = Period::new(timeout.into());
        self
    }

    /// How long the peer may take to answer a Close frame, and then to end the transport, 10 s by default.
    ///
    /// It counts from the moment when the Close frame is written. Until then the write timeout watches over a peer that does not read.
    /// After the closing handshake a client waits at most 2 s for the server to end the transport.
    #[must_use]
    pub fn with_close_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timing.close_timeout = Period::new(timeout.into());
        self
    }

    /// How long a peer may take to read some of the output, 30 s by default. Then it counts as gone.
    ///
    /// It must take at least [`min_progress`](Self::with_min_progress) of the waiting output within this time, or all of it.
    #[must_use]
    pub fn with_write_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timing.write_timeout = Period::new(timeout.into());
        self
    }

    /// A ping every `interval`, and how long the peer has to show life after it: 20 s each by default.
    ///
    /// A complete frame shows life. So does a payload that progressed by [`min_progress`](Self::with_min_progress).
    ///
    /// The next ping waits until the last one has been answered or has timed out. With a `timeout` of zero a peer is never given up. With an
    /// `interval` of zero there are no pings.
    #[must_use]
    pub fn with_keepalive(mut self, interval: Duration, timeout: Duration) -> Self {
        self.timing.ping_interval = Period::new(Some(interval));
        self.timing.pong_timeout = Period::new(Some(timeout));
        self
    }

    /// No keepalive: a peer that is silent, or gone without a word, is never given up.
    #[must_use]
    pub const fn without_keepalive(mut self) -> Self {
        self.timing.ping_interval = Period::NEVER;
        self
    }

    /// How many bytes count as progress, 1 KiB by default: a peer that sends or reads a byte now and then is not alive.
    ///
    /// So much of an unfinished frame must arrive after a keepalive ping, and so much output be accepted within the write timeout.
    /// Zero means 1.
    #[must_use]
    pub fn with_min_progress(mut self, len: usize) -> Self {
        self.timing.min_progress = u32::try_from(len).unwrap_or(u32::MAX).max(1);
        self
    }

    /// See [`with_max_head_len`](Self::with_max_head_len).
    #[must_use]
    pub const fn max_head_len(&self) -> usize {
        self.max_head_len
    }

    /// See [`with_max_headers`](Self::with_max_headers).
    #[must_use]
    pub const fn max_headers(&self) -> usize {
        self.max_headers
    }

    /// See [`with_max_frame_len`](Self::with_max_frame_len).
    #[must_use]
    pub const fn max_frame_len(&self) -> Option<usize> {
        self.max_frame_len
    }

    /// See [`with_max_message_len`](Self::with_max_message_len).
    #[must_use]
    pub const fn max_message_len(&self) -> usize {
        self.max_message_len
    }

    /// See [`with_parts`](Self::with_parts).
    #[must_use]
    pub const fn parts(&self) -> bool {
        self.parts
    }

    /// See [`with_deflate`](Self::with_deflate); `None` while it is off.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub const fn deflate(&self) -> Option<Deflate> {
        self.deflate
    }

    /// See [`with_high_water_len`](Self::with_high_water_len).
    #[must_use]
    pub const fn high_water_len(&self) -> usize {
        self.high_water_len
    }

    /// See [`with_max_output_len`](Self::with_max_output_len): never less than the high-water mark.
    #[must_use]
    pub const fn max_output_len(&self) -> usize {
        if self.max_output_len < self.high_water_len { self.high_water_len } else { self.max_output_len }
    }

    /// See [`with_open_timeout`](Self::with_open_timeout).
    #[must_use]
    pub fn open_timeout(&self) -> Option<Duration> {
        self.open_timeout.duration()
    }

    /// See [`with_close_timeout`](Self::with_close_timeout).
    #[must_use]
    pub fn close_timeout(&self) -> Option<Duration> {
        self.timing.close_timeout.duration()
    }

    /// See [`with_write_timeout`](Self::with_write_timeout).
    #[must_use]
    pub fn write_timeout(&self) -> Option<Duration> {
        self.timing.write_timeout.duration()
    }

    /// The interval and the timeout of [`with_keepalive`](Self::with_keepalive); `None` when it is off.
    #[must_use]
    pub fn keepalive(&self) -> Option<(Duration, Duration)> {
        Some((self.timing.ping_interval.duration()?, self.timing.pong_timeout.duration().unwrap_or_default()))
    }

    /// See [`with_min_progress`](Self::with_min_progress).
    #[must_use]
    pub const fn min_progress(&self) -> usize {
        self.timing.min_progress as usize
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
