//! Finds the session that a request is for, or opens one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::{Buf, Bytes};
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{self, HeaderValue};
use hyper::http::Extensions;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response};
use tidewire::{Config, Origins, ServerHandshake};

use crate::engine::{Query, Refusal, Session, Transport, WebSocketId};
use crate::limits::Limits;
use crate::server::handler::Handler;
use crate::server::link::Link;
use crate::server::peer::Peer;
use crate::server::{lock, random_id, response, websocket};

/// What an [`Engine`] allows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// For each session.
    pub limits: Limits,
    /// Sessions at the same time: 16,384.
    pub max_sessions: usize,
    /// Pages that may connect: those of the same origin.
    pub origins: Origins,
}

impl Default for Options {
    fn default() -> Self {
        Self { limits: Limits::default(), max_sessions: 16_384, origins: Origins::same() }
    }
}

impl Options {
    /// The defaults, for changing fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// All sessions of a path such as `/socket.io/`. Cheap to clone.
pub struct Engine<H: Handler>(Arc<Shared<H>>);

struct Shared<H: Handler> {
    handler: Arc<H>,
    options: Options,
    handshake: ServerHandshake,
    peers: Mutex<HashMap<Arc<str>, Arc<Peer<H>>>>,
}

/// What a request leads to.
enum Work<H: Handler, B, G> {
    Done(Response<Full<Bytes>>),
    Get(G),
    Post(Arc<Peer<H>>, B),
}

impl<H: Handler> Engine<H> {
    /// No sessions.
    #[must_use]
    pub fn new(handler: H, options: Options) -> Self {
        // The heartbeat of the session is one already.
        let config = Config::new().with_max_message_len(options.limits.max_payload_len).without_keepalive();
        let handshake = ServerHandshake::new(config).with_origins(options.origins.clone());
        Self(Arc::new(Shared { handler: Arc::new(handler), options, handshake, peers: Mutex::default() }))
    }

    /// What the messages go to.
    #[must_use]
    pub fn handler(&self) -> &H {
        &self.0.handler
    }

    /// Answers a request, whose path was looked at already.
    ///
    /// A GET of long-polling counts from this call on, and its answer waits for packets. Drop the future when the client goes away, as
    /// hyper does. The server must offer upgrades: `with_upgrades` of hyper's connection.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn handle<B>(&self, request: Request<B>) -> impl Future<Output = Response<Full<Bytes>>> + use<B, H>
    where
        B: Body + Unpin,
        B::Data: Buf,
    {
        let origin = request.headers().get(header::ORIGIN).cloned();
        let is_allowed = origin.as_ref().is_none_or(|origin| self.allows(origin, &request));
        let work = match *request.method() {
            _ if !is_allowed => Ok(Work::Done(response::refusal(Refusal::Forbidden))),
            Method::OPTIONS => Ok(Work::Done(response::preflight())),
            _ => self.begin(request),
        };
        async move {
            let answer = match work {
                Ok(Work::Done(response)) => Ok(response),
                Ok(Work::Get(answer)) => answer.await.map(response::text),
                Ok(Work::Post(peer, body)) => peer.post(body).await.map(response::text),
                Err(refusal) => Err(refusal),
            };
            let mut response = answer.unwrap_or_else(response::refusal);
            if let Some(origin) = origin.filter(|_| is_allowed) {
                response::allow_origin(&mut response, origin);
            }
            response
        }
    }

    fn allows<B>(&self, origin: &HeaderValue, request: &Request<B>) -> bool {
        let authority = request.uri().authority().map(hyper::http::uri::Authority::as_str);
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).or(authority);
        origin.to_str().is_ok_and(|origin| self.0.options.origins.allows(origin, host.unwrap_or_default()))
    }

    /// What is there to do, of which nothing has to wait.
    fn begin<B>(
        &self,
        mut request: Request<B>,
    ) -> Result<Work<H, B, impl Future<Output = Result<String, Refusal>> + use<B, H>>, Refusal> {
        let uri = request.uri().clone();
        let query = Query::parse(uri.query().unwrap_or_default())?;
        match (query.transport, query.sid, request.method()) {
            (Transport::WebSocket, sid, _) => self.upgrade(&mut request, sid).map(Work::Done),
            (Transport::Polling, None, &Method::GET) => {
                let now = Instant::now();
                let extensions = extensions(&mut request);
                let (peer, ()) =
                    self.open(extensions, |sid, limits| (Session::polling(sid, limits, now), ()))?;
                peer.get().map(Work::Get)
            }
            (Transport::Polling, None, _) => Err(Refusal::BadHandshakeMethod),
            (Transport::Polling, Some(sid), &Method::GET) => self.find(sid)?.get().map(Work::Get),
            (Transport::Polling, Some(sid), &Method::POST) => {
                Ok(Work::Post(self.find(sid)?, request.into_body()))
            }
            (Transport::Polling, Some(_), _) => Err(Refusal::BadRequest),
        }
    }

    /// Answers 101, unless the request is wrong. A WebSocket that the session does not want is closed after that.
    fn upgrade<B>(
        &self,
        request: &mut Request<B>,
        sid: Option<&str>,
    ) -> Result<Response<Full<Bytes>>, Refusal> {
        let (response, opening) = websocket::begin(request, &self.0.handshake);
        let Some(opening) = opening else { return Ok(response) };
        let Some(sid) = sid else {
            if lock(&self.0.peers).len() >= self.0.options.max_sessions {
                return Err(Refusal::Busy);
            }
            let (engine, extensions) = (self.clone(), extensions(request));
            tokio::spawn(async move {
                let Some(socket) = opening.open().await else { return };
                let now = Instant::now();
                if let Ok((peer, id)) =
                    engine.open(extensions, |sid, limits| Session::websocket(sid, limits, now))
                {
                    websocket::run(&peer, id, socket).await;
                }
            });
            return Ok(response);
        };
        let peer = self.find(sid)?;
        let id: Option<WebSocketId> = match peer.link.with(|session, now| session.attach(now)) {
            Ok(id) => Some(id),
            Err(Refusal::BadRequest) => None,
            Err(refusal) => return Err(refusal),
        };
        tokio::spawn(async move {
            match (opening.open().await, id) {
                (Some(socket), Some(id)) => websocket::run(&peer, id, socket).await,
                (Some(socket), None) => websocket::close(socket).await,
                (None, Some(id)) => peer.link.with(|session, now| session.detach(id, now)),
                (None, None) => {}
            }
        });
        Ok(response)
    }

    fn find(&self, sid: &str) -> Result<Arc<Peer<H>>, Refusal> {
        lock(&self.0.peers).get(sid).cloned().ok_or(Refusal::UnknownSid)
    }

    /// Opens a session, with a task that keeps its time.
    fn open<T>(
        &self,
        extensions: Extensions,
        session: impl FnOnce(&str, Limits) -> (Session, T),
    ) -> Result<(Arc<Peer<H>>, T), Refusal> {
        let sid: Arc<str> = random_id().into();
        let limits = self.0.options.limits;
        let (session, id) = session(&sid, limits);
        let peer = {
            let mut peers = lock(&self.0.peers);
            if peers.len() >= self.0.options.max_sessions {
                return Err(Refusal::Busy);
            }
            let peer =
                Arc::new(Peer::new(Link::new(session, extensions), Arc::clone(&self.0.handler), limits));
            peers.insert(Arc::clone(&sid), Arc::clone(&peer));
            peer
        };
        let (engine, kept) = (self.clone(), Arc::clone(&peer));
        tokio::spawn(async move {
            kept.keep().await;
            lock(&engine.0.peers).remove(&sid);
        });
        Ok((peer, id))
    }

    /// The session of that id.
    #[must_use]
    pub fn session(&self, sid: &str) -> Option<Link> {
        lock(&self.0.peers).get(sid).map(|peer| peer.link.clone())
    }

    /// Ends all sessions because the server stops. Those that can be told get what is queued for them, and are told.
    pub fn close_all(&self) {
        let peers: Vec<_> = lock(&self.0.peers).values().cloned().collect();
        for peer in peers {
            peer.link.with(Session::shut_down);
        }
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.0.peers).len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the server around this has put into the request.
fn extensions<B>(request: &mut Request<B>) -> Extensions {
    let mut extensions = std::mem::take(request.extensions_mut());
    // That of the server itself would keep the connection for an upgrade.
    extensions.remove::<OnUpgrade>();
    extensions
}

impl<H: Handler> Clone for Engine<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H: Handler> fmt::Debug for Engine<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Engine").field("sessions", &self.len()).finish_non_exhaustive()
    }
}
