//! A server with limits: connections in all and per address, messages per second and connection, and the memory of all outputs.

mod admission;
mod room;

use std::net::IpAddr;
use std::time::Duration;

pub use governor::Quota;
use governor::RateLimiter;
use tidewire::tokio::{Incoming, Reader, Writer, accept_with};
use tidewire::{CloseCode, Config, Error, Event, Prepared, ServerHandshake};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use crate::admission::Admission;
use crate::room::Room;

/// How many refusals are written at once. Beyond that, a connection is dropped without an answer.
const REFUSALS: usize = 64;

/// The header of a message, a Close frame and a ping, which are queued whatever the limit.
const CONTROL_LEN: usize = 300;

/// What peers can ask for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// At once, in all.
    pub connections: usize,
    /// At once, from each IPv4 address and each IPv6 network of 64 bits.
    pub connections_per_address: usize,
    /// Of each connection. Pings count as well.
    pub messages: Quota,
    /// The longest message, in bytes.
    pub message_len: usize,
    /// What all outputs hold together, in bytes.
    pub outputs_len: usize,
}

impl Limits {
    /// Each connection has the same share of all outputs. That leaves nothing to count and nobody to choose, and holds whatever happens.
    fn config(&self) -> Option<Config> {
        let share = self.outputs_len.checked_div(self.connections)?;
        // Below the limit any message is accepted.
        let max_output_len = share.checked_sub(self.message_len + CONTROL_LEN)?;
        let config = Config::new().with_max_message_len(self.message_len).with_max_output_len(max_output_len);
        // The limit is never below this mark, and pongs fill an output up to it.
        Some(config.with_high_water_len(max_output_len).with_open_timeout(Duration::from_secs(5)))
    }
}

/// A room in which everybody hears everybody.
pub struct Server<S: AsyncRead + AsyncWrite + Unpin> {
    limits: Limits,
    config: Config,
    admission: Admission,
    refusals: Semaphore,
    room: Room<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Server<S> {
    /// # Errors
    /// When a connection's share of all outputs is shorter than a message.
    pub fn new(limits: Limits) -> Result<Self, &'static str> {
        let config = limits.config().ok_or("`outputs_len` has no room for a message on each connection")?;
        Ok(Self {
            limits,
            config,
            admission: Admission::new(limits.connections, limits.connections_per_address),
            refusals: Semaphore::new(REFUSALS),
            room: Room::default(),
        })
    }

    /// Serves a peer to its end, or refuses it.
    ///
    /// # Errors
    /// As [`tidewire::tokio::accept`] and [`Reader::recv`].
    pub async fn serve(&self, stream: S, address: IpAddr) -> Result<(), Error> {
        // For as long as the connection lasts.
        let _place = match self.admission.admit(address) {
            Ok(place) => place,
            Err(reason) => return self.refuse(stream, reason).await,
        };
        let (reader, writer) = accept_with(stream, ServerHandshake::new(self.config)).await?.split();
        let _seat = self.room.join(writer.clone());
        self.receive(reader, writer).await
    }

    async fn receive(&self, mut reader: Reader<S>, writer: Writer<S>) -> Result<(), Error> {
        let bucket = RateLimiter::direct(self.limits.messages);
        while let Some(event) = reader.recv_ref().await? {
            if bucket.check().is_err() {
                // What it has sent meanwhile is not told to anybody. It has the close timeout to go.
                writer.queue_close((CloseCode::POLICY_VIOLATION, "too many messages"));
                while reader.recv_ref().await?.is_some() {}
                return Ok(());
            }
            match event {
                Event::Text(text) => self.room.tell(&Prepared::new(text)),
                Event::Binary(payload) => self.room.tell(&Prepared::new(payload)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Answers 503 (RFC 9110 15.6.4).
    async fn refuse(&self, stream: S, reason: &str) -> Result<(), Error> {
        // A crowd that is refused must not cost what one does that is let in.
        let Ok(_permit) = self.refusals.try_acquire() else { return Ok(()) };
        let incoming = Incoming::receive(stream, ServerHandshake::new(self.config)).await?;
        incoming.reject(503, &[("Retry-After", "10")], reason.as_bytes()).await
    }

    /// What waits to be written, in bytes, to all peers together.
    pub fn queued_len(&self) -> usize {
        self.room.queued_len()
    }
}
