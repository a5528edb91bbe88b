//! Opening a connection: either role's handshake, what it settles, and the functions that read the same in both adapters.

use std::boxed::Box;
use std::io;

use crate::{
    ClientHandshake, ClientRequest, Config, Connection, Error, HandshakeError, Input, Output, Request,
    Response, ServerHandshake, TimedOut, Timestamp,
};

/// An opening handshake, whatever the role.
pub(crate) trait Opening {
    /// What it leads to.
    type Opened;

    fn output(&mut self) -> &mut Output;
    fn receive(&mut self, input: &mut Input) -> Result<Option<Self::Opened>, HandshakeError>;
    fn poll_timeout(&mut self, now: Timestamp) -> Option<Timestamp>;
    fn handle_timeout(&mut self, now: Timestamp) -> Result<(), TimedOut>;
}

macro_rules! impl_opening {
    ($handshake:ty, $opened:ty) => {
        impl Opening for $handshake {
            type Opened = $opened;

            fn output(&mut self) -> &mut Output {
                self.output()
            }

            fn receive(&mut self, input: &mut Input) -> Result<Option<$opened>, HandshakeError> {
                self.receive(input)
            }

            fn poll_timeout(&mut self, now: Timestamp) -> Option<Timestamp> {
                self.poll_timeout(now)
            }

            fn handle_timeout(&mut self, now: Timestamp) -> Result<(), TimedOut> {
                self.handle_timeout(now)
            }
        }
    };
}

impl_opening!(ClientHandshake, (Connection, Response));
impl_opening!(ServerHandshake, Request);

/// What is kept of the opening handshake.
#[derive(Debug)]
pub(crate) enum Negotiated {
    /// By the server: the subprotocol that was chosen.
    Server(Box<str>),
    /// By the client.
    Client(Response),
}

impl Negotiated {
    pub(crate) fn subprotocol(&self) -> Option<&str> {
        match self {
            Self::Server(subprotocol) => Some(subprotocol),
            Self::Client(response) => response.subprotocol(),
        }
    }

    pub(crate) fn response(&self) -> Option<&Response> {
        match self {
            Self::Server(_) => None,
            Self::Client(response) => Some(response),
        }
    }
}

/// A client's request for a URI that needs no TLS.
pub(crate) fn plain_request(uri: &str) -> Result<ClientRequest, Error> {
    let request = ClientRequest::new(uri)?;
    if request.uri().is_secure() { Err(Error::TlsNeeded) } else { Ok(request) }
}

/// A client's handshake for `request`, with nonce and seed from the operating system.
pub(crate) fn client_handshake(request: &ClientRequest, config: Config) -> io::Result<ClientHandshake> {
    let mut nonce = [0; 16];
    let mut seed = [0; 32];
    for random in [&mut nonce[..], &mut seed[..]] {
        getrandom::fill(random).map_err(io::Error::other)?;
    }
    Ok(ClientHandshake::new(config, request, nonce, seed))
}

/// For whoever opens a connection, or is about to: on top of `open`, `WebSocket::new` and the fields of `Incoming`.
///
/// Each adapter passes `opening` for what a public function returns and `body` for how; the tokio adapter also the words that its
/// functions have beyond those of the blocking one.
macro_rules! opening_functions {
    ([$($bound:tt)+], $opening:ident, $body:ident $(, $async:ident, $dot:tt $await:ident, $cancel_safety:literal)?) => {
        /// Opens a connection as the client over any stream, with the defaults of [`Config`] and keepalive on.
        ///
        /// # Errors
        /// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut).
        $(
            #[doc = ""]
            #[doc = $cancel_safety]
            #[doc = "Dropping the future drops the stream."]
        )?
        pub fn client<S>(stream: S, request: &ClientRequest) -> $opening!(WebSocket<S>)
        where
            S: $($bound)+,
        {
            client_with(stream, request, Config::new())
        }

        /// As [`client`], with limits and timers of your own.
        ///
        /// # Errors
        /// As [`client`].
        $(
            #[doc = ""]
            #[doc = $cancel_safety]
            #[doc = "As [`client`]."]
        )?
        pub fn client_with<S>(
            mut stream: S,
            request: &ClientRequest,
            config: Config,
        ) -> $opening!(WebSocket<S>)
        where
            S: $($bound)+,
        {
            $body!({
                let mut handshake = client_handshake(request, config)?;
                let mut inlet = Inlet::new();
                let (connection, response) = open(&mut stream, &mut handshake, &mut inlet)$($dot $await)??;
                Ok(WebSocket::new(stream, connection, inlet, Some(Negotiated::Client(response))))
            })
        }

        /// Opens a connection as the server over any stream, with the defaults of [`Config`] and keepalive on: requests from a web page of another
        /// origin are refused, no subprotocol is chosen, and the request is forgotten. [`Incoming`] shows it and leaves the rest to you.
        ///
        /// Turn `TCP_NODELAY` on for TCP, as [`connect`] does.
        ///
        /// # Errors
        /// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut); the client has got the HTTP answer then.
        $(
            #[doc = ""]
            #[doc = $cancel_safety]
            #[doc = "Dropping the future drops the stream."]
        )?
        pub fn accept<S>(stream: S) -> $opening!(WebSocket<S>)
        where
            S: $($bound)+,
        {
            $body!({
                let handshake = ServerHandshake::new(Config::new());
                let incoming = receive_request(stream, handshake)$($dot $await)??;
                accept_request(incoming, None, &[])$($dot $await)?
            })
        }

        $($async)? fn receive_request<S: $($bound)+>(
            mut stream: S,
            mut handshake: ServerHandshake,
        ) -> Result<Incoming<S>, Error> {
            let mut inlet = Inlet::new();
            match open(&mut stream, &mut handshake, &mut inlet)$($dot $await)? {
                Ok(request) => Ok(Incoming { stream, inlet, request }),
                Err(error) => {
                    refuse(stream, handshake.into_refusal(), inlet)$($dot $await)?;
                    Err(error)
                }
            }
        }

        $($async)? fn accept_request<S: $($bound)+>(
            Incoming { stream, inlet, request }: Incoming<S>,
            subprotocol: Option<&str>,
            headers: &[(&str, &str)],
        ) -> Result<WebSocket<S>, Error> {
            let connection = match request.accept(subprotocol, headers) {
                Ok(connection) => connection,
                Err(unsendable) => {
                    let reason = unsendable.reason().clone();
                    refuse(stream, unsendable.into_refusal(), inlet)$($dot $await)?;
                    return Err(reason.into());
                }
            };
            let negotiated = subprotocol.map(|name| Negotiated::Server(name.into()));
            let mut socket = WebSocket::new(stream, connection, inlet, negotiated);
            socket.flush()$($dot $await)??;
            Ok(socket)
        }

        impl<S: $($bound)+> Incoming<S> {
            /// Receives the request. What breaks a rule, or comes from an origin that is not allowed, has got its HTTP answer when this fails.
            ///
            /// # Errors
            /// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut).
            $(
                #[doc = ""]
                #[doc = $cancel_safety]
                #[doc = "Dropping the future drops the stream."]
            )?
            pub fn receive(stream: S, handshake: ServerHandshake) -> $opening!(Self) {
                $body!({ receive_request(stream, handshake)$($dot $await)? })
            }

            /// The request.
            #[must_use]
            pub fn request(&self) -> &Request {
                &self.request
            }

            /// The stream.
            #[must_use]
            pub fn get_ref(&self) -> &S {
                &self.stream
            }

            /// Accepts the request: `subprotocol` is one of those that the client offers, and `headers` are added to the answer.
            ///
            /// # Errors
            /// [`InvalidResponse`](Error::InvalidResponse), after which the client has got 500; [`Io`](Error::Io).
            $(
                #[doc = ""]
                #[doc = $cancel_safety]
                #[doc = "Dropping the future drops the stream."]
            )?
            pub fn accept(
                self,
                subprotocol: Option<&str>,
                headers: &[(&str, &str)],
            ) -> $opening!(WebSocket<S>) {
                $body!({ accept_request(self, subprotocol, headers)$($dot $await)? })
            }

            /// Rejects the request with an HTTP answer, and closes the stream so that the client gets to read it.
            ///
            /// # Errors
            /// [`InvalidResponse`](Error::InvalidResponse), after which the client has got 500.
            $(
                #[doc = ""]
                #[doc = $cancel_safety]
                #[doc = "Dropping the future drops the stream."]
            )?
            pub fn reject(
                self,
                status: u16,
                headers: &[(&str, &str)],
                body: &[u8],
            ) -> $opening!(()) {
                $body!({
                    let (connection, result) = match self.request.reject(status, headers, body) {
                        Ok(connection) => (connection, Ok(())),
                        Err(unsendable) => {
                            let reason = unsendable.reason().clone();
                            (unsendable.into_refusal(), Err(reason.into()))
                        }
                    };
                    refuse(self.stream, connection, self.inlet)$($dot $await)?;
                    result
                })
            }
        }

        /// Delivers the HTTP answer that `connection` holds and waits until the client has had time to read it.
        $($async)? fn refuse<S: $($bound)+>(stream: S, connection: Connection, inlet: Inlet) {
            // The client may be gone; there is nobody else to tell.
            let _ = WebSocket::new(stream, connection, inlet, None).recv_ref()$($dot $await)?;
        }
    };
}

pub(crate) use opening_functions;
