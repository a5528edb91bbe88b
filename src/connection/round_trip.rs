//! [`RoundTrip`]: how long the peer takes to answer a ping (RFC 6455 5.5.2 and 5.5.3).

use core::num::NonZero;
use core::time::Duration;

use crate::Timestamp;

/// The measurement from the moment when a ping is written to its pong.
///
/// Neither sending nor receiving knows the time, so both moments are noted when somebody next tells it.
#[derive(Default)]
pub(crate) struct RoundTrip {
    /// Stands for the payload of the ping, which may be 125 bytes long.
    digest: u32,
    stage: Stage,
    /// In microseconds, rounded up to one.
    last: Option<NonZero<u32>>,
    /// The latest moment that was told.
    told: Timestamp,
}

#[derive(Clone, Copy, Default)]
enum Stage {
    #[default]
    Idle,
    /// A ping is queued, and will be written when the transport has accepted so many bytes.
    Queued(u64),
    /// As before, and a write that includes it has begun: it may be on its way, although nobody knows how much went.
    #[cfg(feature = "blocking")]
    Leaving(u64),
    /// It is on its way since then.
    Pinged(Timestamp),
    /// Its pong has arrived.
    Answered(Timestamp),
}

impl RoundTrip {
    /// Begins with a ping that is queued and ends at the position `end` of the output.
    pub(crate) fn begin(&mut self, payload: &[u8], end: u64) {
        self.digest = digest(payload);
        self.stage = Stage::Queued(end);
    }

    /// A payload unlike that of the last ping.
    pub(crate) fn next_payload(&self) -> [u8; 4] {
        self.digest.to_be_bytes()
    }

    /// A pong has come, perhaps the one that answers. The transport has accepted `written` bytes.
    pub(crate) fn end(&mut self, payload: &[u8], written: u64) {
        let sent_at = match self.stage {
            Stage::Pinged(sent_at) => sent_at,
            // Nobody told the time between the ping and its pong.
            Stage::Queued(end) if end <= written => self.told,
            #[cfg(feature = "blocking")]
            Stage::Leaving(_) => self.told,
            _ => return,
        };
        if digest(payload) == self.digest {
            self.stage = Stage::Answered(sent_at);
        }
    }

    /// True while it waits to be told the time.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn is_measuring(&self) -> bool {
        !matches!(self.stage, Stage::Idle | Stage::Pinged(_))
    }

    /// A write up to the position `end` begins.
    #[cfg(feature = "blocking")]
    pub(crate) fn leave(&mut self, now: Timestamp, end: u64) {
        if let Stage::Queued(ping_end) = self.stage
            && ping_end <= end
        {
            self.told = self.told.max(now);
            self.stage = Stage::Leaving(ping_end);
        }
    }

    /// That write has ended, and it is known how much went.
    #[cfg(feature = "blocking")]
    pub(crate) fn settle(&mut self) {
        if let Stage::Leaving(end) = self.stage {
            self.stage = Stage::Queued(end);
        }
    }

    /// True while a ping waits to be written.
    #[cfg(feature = "tokio")]
    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        !matches!(self.stage, Stage::Idle | Stage::Pinged(_) | Stage::Answered(_))
    }

    /// A write that began at that moment has made it `written` bytes.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn wrote(&mut self, began: Timestamp, written: u64) {
        if let Stage::Queued(end) = self.stage
            && end <= written
        {
            self.stage = Stage::Pinged(began);
        }
    }

    /// Tells the time to what began or ended since the last time, when the transport has accepted `written` bytes.
    pub(crate) fn measure(&mut self, now: Timestamp, written: u64) {
        self.told = self.told.max(now);
        match self.stage {
            Stage::Queued(end) if end <= written => self.stage = Stage::Pinged(now),
            Stage::Answered(sent_at) => {
                let micros = now.duration_since(sent_at).as_micros();
                self.last = NonZero::new(u32::try_from(micros).unwrap_or(u32::MAX).max(1));
                self.stage = Stage::Idle;
            }
            #[cfg(feature = "blocking")]
            Stage::Leaving(_) => {}
            Stage::Idle | Stage::Queued(_) | Stage::Pinged(_) => {}
        }
    }

    /// The latest moment that was told.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn told(&self) -> Timestamp {
        self.told
    }

    /// How long the last one took that ended.
    pub(crate) fn last(&self) -> Option<Duration> {
        self.last.map(|micros| Duration::from_micros(micros.get().into()))
    }
}

/// FNV-1a: enough to tell the last ping from an older one.
fn digest(payload: &[u8]) -> u32 {
    payload.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
