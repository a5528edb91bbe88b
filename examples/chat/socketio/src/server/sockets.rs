//! Socket.IO over Engine.IO: sockets for an application.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde::Serialize;
use serde_json::json;

use crate::engine::{CloseReason, Message, SendError};
use crate::limits::Limits;
use crate::server::acknowledge::{AckError, Waiter};
use crate::server::handler::Handler;
use crate::server::link::Link;
use crate::server::socket::{Acknowledge, Session, Socket};
use crate::server::{lock, random_id};
use crate::socket::{Client, Data, Event, Outgoing};

/// A program that speaks Socket.IO. The calls for one client come one after the other, and should be short.
pub trait Application: Send + Sync + 'static {
    /// Whether a client may join a namespace: a middleware. `auth` is an object in JSON.
    ///
    /// # Errors
    /// What the client is told.
    fn connect(&self, socket: &Socket, auth: &str) -> Result<(), Refused>;

    /// Whether the last argument of each event is a text that says where it stands, or is no text.
    ///
    /// The official client remembers the last such text. It sends it as `offset` in its `auth` when it connects again.
    fn has_offsets(&self) -> bool {
        false
    }

    /// The client has joined, and knows.
    fn connected(&self, _socket: &Socket, _auth: &str) {}

    /// An event came.
    fn event(&self, socket: &Socket, event: Incoming);

    /// The client has left the namespace; the last call for this socket. `None` if the session goes on.
    fn disconnected(&self, _socket: &Socket, _reason: Option<CloseReason>) {}
}

/// An event of a client.
#[derive(Debug)]
#[non_exhaustive]
pub struct Incoming {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub data: Data,
    /// It is to be acknowledged.
    pub ack: Option<Acknowledge>,
}

/// Why a client may not join a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(String);

impl Refused {
    /// A sentence for the client: the `message` of its `connect_error`.
    #[must_use]
    pub fn new(message: &str) -> Self {
        Self(json!({ "message": message }).to_string())
    }

    /// With the `data` of its `connect_error`.
    ///
    /// # Errors
    /// When `data` is not JSON.
    pub fn with_data(message: &str, data: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self(json!({ "message": message, "data": serde_json::to_value(data)? }).to_string()))
    }
}

/// No such namespace.
impl Default for Refused {
    fn default() -> Self {
        Self::new("Invalid namespace")
    }
}

/// The handler that speaks Socket.IO.
#[derive(Debug)]
pub struct Sockets<A> {
    application: A,
    limits: Limits,
}

/// What it keeps for a session.
#[allow(missing_debug_implementations)]
pub struct Connection {
    session: Arc<Session>,
    sockets: BTreeMap<String, Socket>,
}

impl<A: Application> Sockets<A> {
    /// For the sessions of one [`Engine`](crate::server::Engine) with these limits.
    pub fn new(application: A, limits: Limits) -> Self {
        Self { application, limits }
    }

    /// The program.
    pub fn application(&self) -> &A {
        &self.application
    }

    fn connect(&self, connection: &mut Connection, namespace: String, auth: &str) -> Result<(), CloseReason> {
        let session = &connection.session;
        let socket = Socket::new(Arc::clone(session), namespace.clone(), random_id());
        match self.application.connect(&socket, auth) {
            Ok(()) => {
                // The client takes a new one as a sign that the server has forgotten it, and still sends its offset.
                let pid = self.application.has_offsets().then(|| socket.id());
                let reply = lock(&session.client).accept(&namespace, socket.id(), pid);
                reply_with(session, reply)?;
                connection.sockets.insert(namespace, socket.clone());
                self.application.connected(&socket, auth);
                Ok(())
            }
            Err(Refused(payload)) => {
                let reply = lock(&session.client).refuse(&namespace, &payload);
                reply_with(session, reply)
            }
        }
    }

    fn event(&self, connection: &mut Connection, event: Event<Waiter>) -> Result<(), CloseReason> {
        match event {
            Event::Connect { namespace, auth } => return self.connect(connection, namespace, &auth),
            Event::Message { namespace, name, data, id } => {
                if let Some(socket) = connection.sockets.get(&namespace) {
                    let ack = id.map(|id| Acknowledge { socket: socket.clone(), id });
                    self.application.event(socket, Incoming { name, data, ack });
                }
            }
            // Whoever has given up waiting needs no answer.
            Event::Ack { waiter, data } => _ = waiter.send(Ok(data)),
            Event::Disconnect { namespace } => {
                if let Some(socket) = connection.sockets.remove(&namespace) {
                    self.application.disconnected(&socket, None);
                }
            }
        }
        Ok(())
    }

    /// Tells the application of sockets that it put out itself.
    fn sweep(&self, connection: &mut Connection) {
        let Connection { session, sockets } = connection;
        if session.is_stale.swap(false, Ordering::AcqRel) {
            let is_out = |namespace: &&String| !lock(&session.client).is_in(namespace);
            let out: Vec<_> = sockets.keys().filter(is_out).cloned().collect();
            for socket in out.iter().filter_map(|namespace| sockets.remove(namespace)) {
                self.application.disconnected(&socket, None);
            }
        }
    }
}

/// A client that does not read what it asked for is not kept.
fn reply_with(session: &Session, reply: Option<Outgoing>) -> Result<(), CloseReason> {
    match reply.map(|reply| session.link.send(reply.packets())) {
        Some(Err(SendError::Full)) => Err(CloseReason::TooSlow),
        _ => Ok(()),
    }
}

impl<A: Application> Handler for Sockets<A> {
    type Connection = Connection;

    fn open(&self, link: &Link) -> Connection {
        let client = Mutex::new(Client::new(self.limits, Instant::now()));
        let session = Session { link: link.clone(), client, is_stale: AtomicBool::new(false) };
        Connection { session: Arc::new(session), sockets: BTreeMap::new() }
    }

    fn message(&self, connection: &mut Connection, message: Message<'_>) -> Result<(), CloseReason> {
        self.sweep(connection);
        let event = lock(&connection.session.client).receive(message, Instant::now());
        match event {
            Ok(Some(event)) => self.event(connection, event),
            Ok(None) => Ok(()),
            Err(_) => Err(CloseReason::Violation),
        }
    }

    fn poll_timeout(&self, connection: &Connection) -> Option<Instant> {
        lock(&connection.session.client).poll_timeout()
    }

    fn handle_timeout(&self, connection: &mut Connection, now: Instant) {
        self.sweep(connection);
        let mut client = lock(&connection.session.client);
        while let Some(waiter) = client.take_expired(now) {
            // Whoever has given up waiting needs no answer.
            let _ = waiter.send(Err(AckError::TimedOut));
        }
        let is_idle = client.is_idle(now);
        drop(client);
        if is_idle {
            connection.session.link.close(CloseReason::ConnectTimeout);
        }
    }

    fn close(&self, connection: &mut Connection, reason: CloseReason) {
        self.sweep(connection);
        // Nobody waits for an acknowledgement of a client that is gone.
        let left: Vec<_> = lock(&connection.session.client).joined().map(String::from).collect();
        for namespace in left {
            let _ = lock(&connection.session.client).disconnect(&namespace, Instant::now());
        }
        for socket in std::mem::take(&mut connection.sockets).into_values() {
            self.application.disconnected(&socket, Some(reason));
        }
    }
}
