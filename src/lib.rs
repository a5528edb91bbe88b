//! tidewire
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod frame;
pub mod handshake;
pub mod mask;

#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub mod blocking;
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub mod tokio;

mod close;
mod config;
mod connection;
mod error;
mod input;
mod message;
#[cfg(any(feature = "blocking", feature = "tokio"))]
mod opening;
mod outgoing;
mod output;
#[cfg(any(feature = "blocking", feature = "tokio"))]
mod pool;
mod receiver;
mod sender;
mod timer;
mod utf8;

pub use close::{CloseCode, CloseFrame};
pub use config::Config;
pub use connection::{Closure, Connection, Party, State, Transport};
#[cfg(any(feature = "blocking", feature = "tokio"))]
pub use error::Error;
pub use error::{HandshakeError, InvalidRequest, InvalidResponse, ProtocolError, SendError, TimedOut};
pub use handshake::negotiate::Origins;
pub use handshake::{ClientHandshake, ClientRequest, Request, Response, ServerHandshake, Uri, accept_key};
pub use input::Input;
pub use message::{Event, Message, Payload, Text};
pub use outgoing::{Outgoing, Prepared};
pub use output::Output;
pub use receiver::{Ready, Receiver, Reply};
pub use sender::Sender;
pub use timer::Timestamp;
