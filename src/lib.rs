//! tidewire
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

pub mod frame;
#[cfg(any())]
pub mod handshake;
pub mod mask;

mod close;
mod config;
mod connection;
mod error;
mod input;
mod message;
mod outgoing;
mod output;
mod receiver;
mod sender;
mod timer;
mod utf8;

pub use close::{CloseCode, CloseFrame};
pub use config::Config;
pub use connection::{Closure, Connection, Party, State, Transport};
pub use error::{ProtocolError, SendError, TimedOut};
pub use input::Input;
pub use message::{Event, Message, Payload, Text};
pub use outgoing::{Outgoing, Prepared};
pub use output::Output;
pub use receiver::{Ready, Receiver, Reply};
pub use sender::Sender;
pub use timer::Timestamp;
