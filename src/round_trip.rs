//! [`RoundTrip`]: how long the peer takes to answer a ping (RFC 6455 5.5.2 and 5.5.3).

use core::num::NonZero;
use core::time::Duration;

use crate::Timestamp;

/// The measurement from the last ping to its pong.
///
/// Neither sending nor receiving knows the time, so both moments are noted when somebody next tells it.
#[derive(Default)]
pub(crate) struct RoundTrip {
    /// Stands for the payload of the ping, which may be 125 bytes long.
    digest: u32,
    stage: Stage,
    /// In microseconds, rounded up to one.
    last: Option<NonZero<u32>>,
}

#[derive(Clone, Copy, Default)]
enum Stage {
    #[default]
    Idle,
    /// A ping is on its way, since then if it is known.
    Pinged(Option<Timestamp>),
    /// Its pong has arrived.
    Answered(Timestamp),
}

impl RoundTrip {
    /// Begins with a ping that is queued.
    pub(crate) fn begin(&mut self, payload: &[u8]) {
        self.ping(payload, None);
    }

    /// Begins with a ping unlike the last one, and returns its payload.
    pub(crate) fn begin_keepalive(&mut self, now: Timestamp) -> [u8; 4] {
        let payload = self.digest.to_be_bytes();
        self.ping(&payload, Some(now));
        payload
    }

    fn ping(&mut self, payload: &[u8], sent_at: Option<Timestamp>) {
        self.digest = digest(payload);
        self.stage = Stage::Pinged(sent_at);
    }

    /// A pong has come, perhaps the one that answers.
    pub(crate) fn end(&mut self, payload: &[u8]) {
        if let Stage::Pinged(Some(sent_at)) = self.stage
            && digest(payload) == self.digest
        {
            self.stage = Stage::Answered(sent_at);
        }
    }

    /// True while it waits to be told the time.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn is_measuring(&self) -> bool {
        matches!(self.stage, Stage::Pinged(None) | Stage::Answered(_))
    }

    /// Tells the time to what began or ended since the last time.
    pub(crate) fn measure(&mut self, now: Timestamp) {
        match self.stage {
            Stage::Pinged(None) => self.stage = Stage::Pinged(Some(now)),
            Stage::Answered(sent_at) => {
                let micros = now.duration_since(sent_at).as_micros();
                self.last = NonZero::new(u32::try_from(micros).unwrap_or(u32::MAX).max(1));
                self.stage = Stage::Idle;
            }
            Stage::Idle | Stage::Pinged(Some(_)) => {}
        }
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
