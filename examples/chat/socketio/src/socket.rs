//! Socket.IO 5: namespaces, events, acknowledgements and attachments, in the messages of an Engine.IO session.
//!
//! A [`Client`] is told what arrived, and says what it means. What is to be sent is [`Outgoing`], encoded once for any number of clients.

mod acks;
mod client;
mod data;
mod decoder;
mod json;
mod packet;

pub use client::{Client, Event, NotConnected};
pub use data::{Data, InvalidData};
pub use decoder::Decoder;
pub use json::InvalidJson;
pub use packet::{Body, InvalidPacket, Outgoing, Packet};
