//! Both adapters over real TCP sockets, where closing at the wrong moment makes the kernel send a reset that destroys the last
//! words on their way.
#![cfg(all(feature = "blocking", feature = "tokio"))]

mod broken_rules;
mod connecting;
mod keepalive;
mod refused_requests;
mod slow_ends;
mod surface;

mod adapter;
mod raw;
#[path = "../core/wire.rs"]
#[allow(dead_code)]
mod wire;
