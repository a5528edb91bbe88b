//! Both adapters over real TCP sockets, where closing at the wrong moment makes the kernel send a reset that destroys the last
//! words on their way.

mod broken_rules;
mod connecting;
#[cfg(feature = "tracing")]
mod events;
mod refused_requests;
mod short_deadlines;
mod slow_ends;
mod surface;
#[cfg(feature = "http")]
mod upgraded;

mod adapter;
mod raw;
