//! WebSocket (RFC 6455): a sans-IO core that holds the whole protocol, with thin [`blocking`] and [`tokio`] adapters.
//!
//! The core turns bytes into events and messages into bytes. It does no I/O, reads no clock and draws no randomness. It runs the opening
//! handshake, frames, masking, fragmentation, UTF-8 validation, pings, the closing handshake, and every deadline. An adapter moves the bytes.
//!
//! The [`guide`] has a page for each task, such as a [first server](guide::first_server), a [broadcast](guide::broadcast) or a
//! [shutdown](guide::shutting_down).
//!
//! # An echo server, three times
//!
//! With tokio, feature `tokio`:
//!
//! ```no_run
//! # #[cfg(feature = "tokio")] mod example {
//! use tokio::net::{TcpListener, TcpStream};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), tidewire::Error> {
//!     let listener = TcpListener::bind("127.0.0.1:9001").await?;
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         tokio::spawn(async move {
//!             if let Err(error) = serve(stream).await {
//!                 eprintln!("{error}");
//!             }
//!         });
//!     }
//! }
//!
//! async fn serve(stream: TcpStream) -> Result<(), tidewire::Error> {
//!     let mut socket = tidewire::tokio::accept(stream).await?;
//!     while let Some(message) = socket.recv().await? {
//!         socket.feed(message).await?;
//!     }
//!     Ok(())
//! }
//! # }
//! ```
//!
//! With threads, feature `blocking`:
//!
//! ```no_run
//! # #[cfg(feature = "blocking")] mod example {
//! use std::net::{TcpListener, TcpStream};
//!
//! fn main() -> Result<(), tidewire::Error> {
//!     for stream in TcpListener::bind("127.0.0.1:9001")?.incoming() {
//!         let stream = stream?;
//!         std::thread::spawn(move || {
//!             if let Err(error) = serve(stream) {
//!                 eprintln!("{error}");
//!             }
//!         });
//!     }
//!     Ok(())
//! }
//!
//! fn serve(stream: TcpStream) -> Result<(), tidewire::Error> {
//!     let mut socket = tidewire::blocking::accept(stream)?;
//!     while let Some(message) = socket.recv()? {
//!         socket.feed(message)?;
//!     }
//!     Ok(())
//! }
//! # }
//! ```
//!
//! With the core alone, over whatever reads and writes bytes. The opening handshake is done already: [`ServerHandshake`] does it in the same
//! manner. [`Connection::poll_timeout`] adds deadlines, as the guide on [sans-IO](guide::sans_io) shows.
//!
//! ```
//! use std::io::{Read, Write};
//! use tidewire::{Connection, Event, Input, TransportAction};
//!
//! fn echo(mut stream: impl Read + Write, mut connection: Connection) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut input = Input::new();
//!     loop {
//!         // After an error there are no more events, and the output tells the peer.
//!         while let Ok(Some(event)) = connection.receive(&mut input) {
//!             match event {
//!                 Event::Text(text) => connection.send(text)?,
//!                 Event::Binary(payload) => connection.send(payload)?,
//!                 _ => {}
//!             }
//!         }
//!         let output = connection.output();
//!         while !output.is_empty() {
//!             let written = stream.write(output.chunk())?;
//!             output.advance(written);
//!         }
//!         if connection.transport_action() == TransportAction::Close {
//!             return Ok(());
//!         }
//!         match stream.read(input.space())? {
//!             0 => input.set_eof(),
//!             len => input.filled(len),
//!         }
//!     }
//! }
//! ```
//!
//! # Map
//!
//! The adapters, for most programs:
//!
//! - [`connect`](tokio::connect) and [`accept`](tokio::accept) open a [`WebSocket`](tokio::WebSocket) with the defaults.
//!   [`Connector`](tokio::Connector), [`accept_with`](tokio::accept_with) and [`Incoming`](tokio::Incoming) take settings of your own.
//! - A `WebSocket` [splits](tokio::WebSocket::split) into a [`Reader`](tokio::Reader) and a [`Writer`](tokio::Writer), which is cloned for
//!   everyone who sends. A [`Queue`] is lent beside an event.
//! - [`Error`] is why an operation failed. [`pair`](tokio::pair) makes two connected ends in memory, for tests.
//! - [`blocking`] has the same names.
//!
//! The core:
//!
//! - [`Connection`] is the protocol after the opening handshake. It [receives](Connection::receive) from an [`Input`] and owes an
//!   [`Output`]. It [splits](Connection::split) into a [`Receiver`] and a [`Sender`].
//! - [`Event`] lends what the peer sent, as [`Text`] and [`Payload`], or in [`Part`]s where [`Config::with_parts`] asks for it.
//!   [`Message`] owns it. [`Outgoing`] is anything that can be sent, and [`Prepared`] is encoded once and sent to many.
//! - [`CloseBody`] is what `close` takes: a [`CloseCode`], a code and a reason, a [`CloseFrame`], or nothing. [`Ending`] tells how a
//!   connection ended.
//! - [`ServerHandshake`] leads to a [`Request`], which is accepted or rejected. [`ClientHandshake`] turns a [`ClientRequest`] into a
//!   connection and a [`Response`]. [`handshake::negotiate`] has their rules on plain strings, for HTTP frameworks.
//! - [`Deflate`] has the settings of compression, and [`Agreement`] what both sides settled on.
//! - [`Traffic`] counts what went in one direction.
//! - [`Config`] has the limits and timers, [`Timestamp`] the moments that the caller's clock tells.
//! - [`Proxy`] stands between a client and its server, and [`Backoff`] tells how long to wait between two tries to reach it.
//! - Errors are named by blame. [`ProtocolError`] and [`HandshakeError`] are the peer's, and [`TimedOut`] tells that it was too slow.
//!   [`SendError`], [`InvalidRequest`], [`InvalidResponse`], [`InvalidOrigin`] and [`InvalidCloseCode`] are the caller's.
//! - [`frame`] and [`mask`] are the wire level, for those who need only that.
//!
//! # Where to look
//!
//! | to | see |
//! |---|---|
//! | set a limit or a timeout | [`Config`], and the guide on [timeouts](guide::timeouts) and [large messages](guide::large_messages) |
//! | look at a request before accepting it | [`Incoming`](tokio::Incoming), and the guide on [authentication](guide::authentication) |
//! | let web pages of other sites connect | [`Origins`] |
//! | send to many peers | [`Prepared`], and the guide on [broadcast](guide::broadcast) |
//! | receive without a copy | [`recv_ref`](tokio::WebSocket::recv_ref) |
//! | send many small messages | [`feed`](tokio::WebSocket::feed) or [`queue`](tokio::WebSocket::queue): they leave in one write |
//! | compress messages | [`Config::with_deflate`], and the guide on [compression](guide::compression) |
//! | know why a connection ended | [`ending`](tokio::WebSocket::ending), and the guide on [closing](guide::closing) |
//! | speak `wss` | the feature `rustls`, and the guide on [TLS](guide::tls) |
//! | get out through a proxy | [`Connector::with_proxy`](tokio::Connector::with_proxy), and the guide on [proxies](guide::proxies) |
//! | count messages and bytes | [`received`](tokio::WebSocket::received), [`sent`](tokio::WebSocket::sent), and the guide on [metrics](guide::operating) |
//! | use a socket as a `Stream` or a `Sink` | the feature `futures` |
//! | follow a server for days | [`Reconnecting`](tokio::Reconnecting), and the guide on [connecting again](guide::reconnecting) |
//!
//! # Untrusted input
//!
//! All of it is.
//!
//! - Limits are checked at a frame's header, before any of its payload is kept.
//! - Memory grows with the bytes that arrived, never with a length that was announced.
//! - A text message is validated as it arrives, and fails at its first wrong byte.
//! - A peer that floods with pings and never reads costs the high-water mark and no more.
//! - A [`ProtocolError`] is final: the same error comes back for ever, and no byte is processed after it.
//! - There is no `unsafe` in this crate.
//!
//! Browsers let any page connect to any server with the user's cookies. So a server refuses the pages of other origins unless it is told
//! otherwise: see [`Origins`].
//!
//! Authentication, authorisation and limits per address are the application's, and so is TLS of servers.
//!
//! # Performance
//!
//! A complete small frame is unmasked in place and lent: no allocation, no copy, no clock. Many sends leave in one write. A large owned payload
//! of a server leaves without being copied. An idle connection holds nothing on the heap but the seed of a client's masking keys.
//!
//! # Features
//!
//! - `std` (default): the standard library; without it the core needs `alloc` only.
//! - `blocking`: [`blocking`], for sockets and threads.
//! - `tokio`: [`tokio`], the same names, asynchronous.
//! - `http`: a server's handshake for requests that an HTTP library has read, as [`http`](https://docs.rs/http)'s types; see the guide on
//!   [frameworks](guide::frameworks).
//! - `futures`: `Stream` and `Sink` for the sockets and halves of [`tokio`].
//! - `tracing`: events for operators; see the guide on [metrics and events](guide::operating).
//! - `deflate`: permessage-deflate (RFC 7692), for the core and both adapters; see the guide on [compression](guide::compression).
//! - `rustls`: TLS for clients, with the roots of Mozilla; `rustls-platform-verifier`: with the system's trust.
//! - `simd`: masking and UTF-8 validation with the widest vectors that the processor has. The program finds out which when it runs.

#![forbid(unsafe_code)]
// The lints of Cargo.toml hold everywhere; these only here, since tests and examples have `std`.
#![warn(clippy::std_instead_of_core, clippy::alloc_instead_of_core)]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod handshake;

#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub mod blocking;
#[cfg(any(doc, doctest))]
pub mod guide;
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub mod tokio;

#[cfg(any(feature = "blocking", feature = "tokio"))]
mod adapter;
mod config;
mod connect;
mod connection;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod wire;

#[cfg(any(feature = "blocking", feature = "tokio"))]
pub use adapter::{Queue, ReuniteError};
/// A payload that is shared rather than copied: the type of the crate `bytes`.
pub use bytes::Bytes;
pub use config::Config;
#[cfg(feature = "deflate")]
#[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
pub use config::deflate::{Agreement, Deflate};
pub use connect::backoff::Backoff;
#[cfg(any(feature = "blocking", feature = "tokio"))]
pub use connect::proxy::Proxy;
pub use connection::Connection;
pub use connection::event::{Event, Part, Payload, Ready, Reply, Text};
pub use connection::input::Input;
pub use connection::message::Message;
pub use connection::outgoing::{Outgoing, Prepared};
pub use connection::output::Output;
pub use connection::receiver::Receiver;
pub use connection::sender::Sender;
pub use connection::state::{Ending, Party, State, TransportAction};
pub use connection::timer::Timestamp;
pub use connection::traffic::Traffic;
pub use error::{
    Culprit, HandshakeError, InvalidCloseCode, InvalidOrigin, InvalidRequest, InvalidResponse, ProtocolError,
    SendError, TimedOut,
};
#[cfg(any(feature = "blocking", feature = "tokio"))]
pub use error::{Error, ProxyError};
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use handshake::Accepted;
pub use handshake::negotiate::Origins;
pub use handshake::{
    ClientHandshake, ClientRequest, Request, Response, ServerHandshake, UnsendableAnswer, Uri, accept_key,
};
pub use wire::close::{CloseBody, CloseCode, CloseFrame};
pub use wire::{frame, mask};
