//! permessage-deflate (RFC 7692): negotiation, both directions, bounds, and what it keeps.

mod bounds;
mod examples;
mod link;
mod negotiation;
mod prepared;
mod receiving;
mod sending;
mod sockets;
