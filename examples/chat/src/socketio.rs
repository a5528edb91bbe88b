//! [`SocketIo`]: Socket.IO's clients are guests of the same rooms.
//!
//! A client is in the lobby from the beginning. The namespace `/` is the front page's; the others are called by their names.
//!
//! | the client emits | and means |
//! |---|---|
//! | `chat message`, text | say it in the lobby |
//! | `chat message`, text, `{ to, id }` | say it to another [`Channel`]; with a number of its own, by which it is recognised when it is sent again |
//! | `join`, room; `join`, room, position | join a room, and get what was said since |
//! | `leave`, room | leave it |
//!
//! Each may end with an acknowledgement, which gets [`ack`](Reply::Ack), `done`, or [`refused`](Reply::Refused) with the reason. Without one, a
//! refusal is an event. The server tells by itself: `welcome`, `joined`, `chat message`, `left`, `came` and `went`.
//!
//! `auth` may hold `offset`, the text at the end of the last event, and `client`, what the client calls itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chat_socketio::Limits;
use chat_socketio::engine::{CloseReason, Query, SendError};
use chat_socketio::server::{
    self as sessions, Acknowledge, Application, Engine, Incoming, Options, Refused, Socket, Sockets,
};
use chat_socketio::socket::Data;
use hyper::upgrade::OnUpgrade;
use serde::Serialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use crate::guest::HELLO_TIMEOUT;
use crate::login::Login;
use crate::pace::Pace;
use crate::protocol::{Reply, Subject};
use crate::rooms::{Name, Person, Refusal};
use crate::server::Settings;
use crate::space::{Receipt, Space};
use visitor::{Seat, Visitor};
use wish::{Auth, Wish};

mod visitor;
mod wish;

pub(crate) use visitor::Holding;

/// All Socket.IO clients.
#[derive(Clone, Debug)]
pub(crate) struct SocketIo {
    engine: Engine<Sockets<Guests>>,
    pace: Arc<Pace>,
}

impl SocketIo {
    pub(crate) fn new(spaces: &BTreeMap<Name, Arc<Space>>, settings: &Settings, pace: Arc<Pace>) -> Self {
        let mut limits = Limits::new();
        limits.max_payload_len = settings.socket().max_message_len();
        (limits.ping_interval, limits.ping_timeout) = (settings.keepalive, settings.keepalive / 2);
        limits.connect_timeout = HELLO_TIMEOUT;
        let mut options = Options::new();
        (options.limits, options.max_sessions) = (limits, settings.max_connections);
        options.origins = settings.origins.clone();
        let first = settings.namespaces.first();
        let path = |name: &Name| if Some(name) == first { "/".into() } else { format!("/{name}") };
        let spaces = spaces.iter().map(|(name, space)| (path(name), Arc::clone(space))).collect();
        Self { engine: Engine::new(Sockets::new(Guests { spaces }, limits), options), pace }
    }

    /// Answers a request of somebody who has logged in. `admit` is asked for a place when a session begins.
    pub(crate) async fn handle(
        &self,
        mut request: Request<Body>,
        login: Login,
        admit: impl FnOnce() -> Option<Holding>,
    ) -> Response {
        let sid = Query::parse(request.uri().query().unwrap_or_default()).ok().and_then(|query| query.sid);
        let session = sid.map(|sid| self.engine.session(sid));
        let extensions = request.extensions_mut();
        // The session keeps what is left here, and needs no more.
        let upgrade = extensions.remove::<OnUpgrade>();
        extensions.clear();
        upgrade.map(|upgrade| extensions.insert(upgrade));
        match session {
            Some(Some(session))
                if !Visitor::of_session(&session).is_some_and(|visitor| visitor.is(&login)) =>
            {
                return (StatusCode::FORBIDDEN, "the session is of another login\n").into_response();
            }
            Some(_) => {}
            None => {
                let Some(holding) = admit() else {
                    return (StatusCode::TOO_MANY_REQUESTS, "too many connections from your address\n")
                        .into_response();
                };
                let visitor = Visitor::new(login, Arc::clone(&self.pace), holding);
                visitor.map(|visitor| extensions.insert(Arc::new(visitor)));
            }
        }
        self.engine.handle(request).await.map(Body::new)
    }

    /// Tells all that the server goes.
    pub(crate) fn close_all(&self) {
        self.engine.close_all();
    }
}

/// The stock client.
pub(crate) async fn client_file(uri: Uri) -> Response {
    sessions::client_file(uri.path())
        .map_or_else(|| StatusCode::NOT_FOUND.into_response(), |file| file.map(Body::new))
}

/// The rooms, as an application of Socket.IO.
struct Guests {
    spaces: BTreeMap<String, Arc<Space>>,
}

impl fmt::Debug for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.spaces.keys()).finish()
    }
}

impl Application for Guests {
    fn has_offsets(&self) -> bool {
        true
    }

    fn connect(&self, socket: &Socket, auth: &str) -> Result<(), Refused> {
        let Some(visitor) = Visitor::of(socket) else { return Err(Refused::new("log in first")) };
        if let Err(wait) = visitor.take() {
            if wait.is_none() {
                socket.close();
            }
            return Err(Refused::new(&Refusal::TooFast.to_string()));
        }
        if !self.spaces.contains_key(socket.namespace()) {
            return Err(Refused::default());
        }
        if Auth::parse(auth).is_none() {
            return Err(Refused::new("the client or the offset is none of this protocol"));
        }
        Ok(())
    }

    fn connected(&self, socket: &Socket, auth: &str) {
        let Some(visitor) = Visitor::of(socket) else { return };
        let Some(space) = self.spaces.get(socket.namespace()) else { return };
        let Person { name, is_moderator } = visitor.person();
        emit(socket, "welcome", &json!({ "user": name, "moderator": is_moderator }));
        let auth = Auth::parse(auth).unwrap_or_default();
        let refuse =
            |room, refusal| emit(socket, "refused", &refused(Subject { room, id: None }, refusal, None));
        match Seat::take(space, socket, visitor.person(), auth, |room, refusal| refuse(Some(room), refusal)) {
            Ok(seat) => visitor.sit(socket.namespace(), seat),
            Err(refusal) => {
                refuse(None, refusal);
                socket.close();
            }
        }
    }

    fn event(&self, socket: &Socket, event: Incoming) {
        let Some(visitor) = Visitor::of(socket) else { return };
        let Some(space) = self.spaces.get(socket.namespace()) else { return };
        let wish = Wish::parse(&event.name, &event.data);
        let subject = wish.as_ref().map(Wish::subject).unwrap_or_default();
        let turn = visitor.turn();
        let done = match (visitor.take(), wish, &turn) {
            (Ok(()), Some(_), None) => Err((Refusal::TooFast, Some(Duration::from_secs(1)))),
            (Ok(()), Some(wish), _) => {
                visitor.act(socket.namespace(), wish).map_err(|refusal| (refusal, None))
            }
            (Ok(()), None, _) => Err((Refusal::Malformed, None)),
            (Err(Some(wait)), ..) => Err((Refusal::TooFast, Some(wait))),
            (Err(None), ..) => return socket.close(),
        };
        match (done, event.ack) {
            (Ok(Some(said)), Some(ack)) => {
                tokio::spawn(acknowledge(socket.clone(), ack, Arc::clone(space), said, turn));
            }
            (Ok(None), Some(ack)) => answer(socket, ack, &json!({ "type": "done" })),
            (Ok(_), None) => {}
            (Err((refusal, wait)), Some(ack)) => answer(socket, ack, &refused(subject, refusal, wait)),
            (Err((refusal, wait)), None) => emit(socket, "refused", &refused(subject, refusal, wait)),
        }
    }

    fn disconnected(&self, socket: &Socket, _: Option<CloseReason>) {
        if let Some(visitor) = Visitor::of(socket) {
            visitor.stand_up(socket.namespace());
        }
    }
}

/// Acknowledges a message, once other processes have it too.
async fn acknowledge(
    socket: Socket,
    ack: Acknowledge,
    space: Arc<Space>,
    (id, receipt): (u64, Receipt),
    _turn: Option<OwnedSemaphorePermit>,
) {
    space.published(&receipt).await;
    let Receipt { origin, seq, reached } = receipt;
    answer(&socket, ack, &to_json(&Reply::Ack { id, origin: &origin, seq, reached }));
}

fn answer(socket: &Socket, ack: Acknowledge, answer: &serde_json::Value) {
    close_if_full(socket, ack.send(&Data::new(&(answer,)).unwrap_or_default()));
}

fn refused(subject: Subject, reason: Refusal, wait: Option<Duration>) -> serde_json::Value {
    let wait = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1));
    to_json(&Reply::Refused { subject, reason, text: reason.to_string(), wait })
}

fn to_json(message: &impl Serialize) -> serde_json::Value {
    // As `encode`.
    serde_json::to_value(message).unwrap_or_default()
}

fn emit(socket: &Socket, name: &str, argument: &serde_json::Value) {
    close_if_full(socket, socket.emit(name, &Data::new(&(argument,)).unwrap_or_default()));
}

/// A client that does not read its answers is not kept.
fn close_if_full(socket: &Socket, sent: Result<(), SendError>) {
    if sent == Err(SendError::Full) {
        socket.close();
    }
}
