//! Engine.IO 4: one ordered channel of text and binary messages over long-polling, a WebSocket, or first one and then the other.
//!
//! A [`Session`] holds all of it and has no I/O: it is told what the client did and what time it is, and asked what to send.

mod heartbeat;
mod packet;
mod payload;
mod queue;
mod request;
mod session;

pub use packet::{Encoded, InvalidPacket, Message, Packet};
pub use payload::packets;
pub use request::{Query, Refusal, Transport};
pub use session::{Channel, CloseReason, SendError, Session, WebSocketId};
