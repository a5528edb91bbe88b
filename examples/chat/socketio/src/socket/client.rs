//! What one client does: the namespaces that it is in, and the acknowledgements that it owes.

use std::collections::BTreeMap;
use std::time::Instant;

use thiserror::Error;

use crate::engine::Message;
use crate::limits::Limits;
use crate::socket::acks::Acks;
use crate::socket::data::Data;
use crate::socket::decoder::Decoder;
use crate::socket::packet::{Body, InvalidPacket, Outgoing, Packet};

/// The Socket.IO side of one Engine.IO session, without I/O.
///
/// A `W` is kept for each acknowledgement that is awaited. It is handed out when that comes or the time is over, and dropped when the
/// namespace is left.
#[derive(Debug)]
pub struct Client<W> {
    limits: Limits,
    decoder: Decoder,
    namespaces: BTreeMap<String, Membership>,
    acks: Acks<W>,
    /// While it is in no namespace.
    connect_by: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Membership {
    /// It asked to join, and has no answer yet.
    Joining,
    Joined,
    /// The server put it out. What it sent before it knew is dropped.
    Removed,
}

/// What a client did.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<W> {
    /// It wants to join a namespace: [`accept`](Client::accept) or [`refuse`](Client::refuse) it.
    Connect {
        /// Which one.
        namespace: String,
        /// Who it says it is: an object in JSON.
        auth: String,
    },
    /// It sent an event.
    Message {
        /// In this namespace, which it has joined.
        namespace: String,
        /// Its name.
        name: String,
        /// Its arguments.
        data: Data,
        /// The number of the acknowledgement that it wants.
        id: Option<u64>,
    },
    /// It acknowledged an event.
    Ack {
        /// Who waited for it.
        waiter: W,
        /// The arguments.
        data: Data,
    },
    /// It left a namespace.
    Disconnect {
        /// Which one.
        namespace: String,
    },
}

/// The client is not in the namespace, or as many acknowledgements are awaited as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotConnected {
    /// It never joined, or has left.
    #[error("the client is not in the namespace")]
    Left,
    /// [`max_acks`](Limits::max_acks) are awaited.
    #[error("too many acknowledgements are awaited")]
    TooManyAcks,
}

impl<W> Client<W> {
    /// A client that has to join a namespace in time.
    #[must_use]
    pub fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            decoder: Decoder::new(limits),
            namespaces: BTreeMap::new(),
            acks: Acks::new(),
            connect_by: Some(now + limits.connect_timeout),
        }
    }

    /// The next message of the session; what it means.
    ///
    /// # Errors
    /// [`InvalidPacket`]. The session has to be closed.
    pub fn receive(&mut self, message: Message<'_>, now: Instant) -> Result<Option<Event<W>>, InvalidPacket> {
        let Some(Packet { namespace, body }) = self.decoder.decode(message)? else { return Ok(None) };
        match (body, self.namespaces.get(&namespace)) {
            (Body::Connect(auth), None | Some(Membership::Removed)) => {
                self.namespaces.insert(namespace.clone(), Membership::Joining);
                if self.namespaces.len() > self.limits.max_namespaces {
                    return Err(InvalidPacket::TooManyNamespaces);
                }
                Ok(Some(Event::Connect { namespace, auth }))
            }
            (Body::Connect(_), Some(_)) | (_, None | Some(Membership::Joining)) => {
                Err(InvalidPacket::Namespace)
            }
            (Body::Disconnect, Some(membership)) => {
                let had_joined = *membership == Membership::Joined;
                self.leave(&namespace, None, now);
                Ok(had_joined.then_some(Event::Disconnect { namespace }))
            }
            (_, Some(Membership::Removed)) => Ok(None),
            (Body::Event { name, data, id }, Some(Membership::Joined)) => {
                Ok(Some(Event::Message { namespace, name, data, id }))
            }
            // One that comes late, or twice, is nobody's.
            (Body::Ack { id, data }, Some(Membership::Joined)) => {
                Ok(self.acks.take(&namespace, id).map(|waiter| Event::Ack { waiter, data }))
            }
        }
    }

    /// Lets the client in, with an id of its own in this namespace. `None` if it no longer waits for that.
    ///
    /// A client that gets a `pid` sends the last text that ended an event when it connects again.
    pub fn accept(&mut self, namespace: &str, sid: &str, pid: Option<&str>) -> Option<Outgoing> {
        let membership = self.joining(namespace)?;
        *membership = Membership::Joined;
        self.connect_by = None;
        Some(Outgoing::connect(namespace, sid, pid))
    }

    /// Does not let the client in; `payload`, an object in JSON, says why. `None` if it no longer waits for that.
    pub fn refuse(&mut self, namespace: &str, payload: &str) -> Option<Outgoing> {
        self.joining(namespace)?;
        self.namespaces.remove(namespace);
        Some(Outgoing::connect_error(namespace, payload))
    }

    fn joining(&mut self, namespace: &str) -> Option<&mut Membership> {
        self.namespaces.get_mut(namespace).filter(|membership| **membership == Membership::Joining)
    }

    /// Puts the client out of a namespace; `None` if it is not in there.
    pub fn disconnect(&mut self, namespace: &str, now: Instant) -> Option<Outgoing> {
        if !self.is_in(namespace) {
            return None;
        }
        self.leave(namespace, Some(Membership::Removed), now);
        Some(Outgoing::disconnect(namespace))
    }

    fn leave(&mut self, namespace: &str, membership: Option<Membership>, now: Instant) {
        match membership {
            Some(membership) => self.namespaces.insert(namespace.into(), membership),
            None => self.namespaces.remove(namespace),
        };
        self.acks.leave(namespace);
        if self.joined().next().is_none() && self.connect_by.is_none() {
            self.connect_by = Some(now + self.limits.connect_timeout);
        }
    }

    /// An event for this client that it is to acknowledge until `deadline`; its number and the packet.
    ///
    /// # Errors
    /// [`NotConnected`].
    pub fn event_with_ack(
        &mut self,
        namespace: &str,
        name: &str,
        data: &Data,
        deadline: Instant,
        waiter: W,
    ) -> Result<(u64, Outgoing), NotConnected> {
        if !self.is_in(namespace) {
            return Err(NotConnected::Left);
        }
        if self.acks.len() >= self.limits.max_acks {
            return Err(NotConnected::TooManyAcks);
        }
        let id = self.acks.insert(namespace, deadline, waiter);
        Ok((id, Outgoing::numbered_event(namespace, name, data, Some(id))))
    }

    /// Nobody waits for this acknowledgement any more.
    pub fn forget_ack(&mut self, id: u64) -> Option<W> {
        self.acks.remove(id)
    }

    /// The acknowledgement of an event of the client.
    #[must_use]
    pub fn ack(namespace: &str, id: u64, data: &Data) -> Outgoing {
        Outgoing::ack(namespace, id, data)
    }

    /// True if the client is in the namespace.
    #[must_use]
    pub fn is_in(&self, namespace: &str) -> bool {
        self.namespaces.get(namespace) == Some(&Membership::Joined)
    }

    /// The namespaces that the client is in.
    pub fn joined(&self) -> impl Iterator<Item = &str> {
        let joined = self.namespaces.iter().filter(|(_, membership)| **membership == Membership::Joined);
        joined.map(|(namespace, _)| namespace.as_str())
    }

    /// When [`take_expired`](Self::take_expired) and [`is_idle`](Self::is_idle) are to be asked again.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.acks.deadline().into_iter().chain(self.connect_by).min()
    }

    /// Who waited too long for an acknowledgement; to be called until there is none.
    pub fn take_expired(&mut self, now: Instant) -> Option<W> {
        self.acks.take_expired(now)
    }

    /// True if the client has been in no namespace for too long: the session is to be closed.
    #[must_use]
    pub fn is_idle(&self, now: Instant) -> bool {
        self.connect_by.is_some_and(|deadline| deadline <= now)
    }
}

#[cfg(test)]
mod tests;
