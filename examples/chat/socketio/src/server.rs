//! Sessions over HTTP requests and WebSockets, for hyper, axum, or any other server on hyper's requests.
//!
//! An [`Engine`] answers requests and has a [`Handler`] for the messages. [`Sockets`] is the handler that speaks Socket.IO, to an
//! [`Application`].

mod acknowledge;
mod body;
mod client_file;
mod engine;
mod handler;
mod link;
mod peer;
mod response;
mod socket;
mod sockets;
mod websocket;

pub use acknowledge::AckError;
pub use client_file::client_file;
pub use engine::{Engine, Options};
pub use handler::Handler;
pub use link::Link;
pub use socket::{Acknowledge, Socket};
pub use sockets::{Application, Incoming, Refused, Sockets};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a panic of a handler left behind is as whole as before: each change is made by one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An id that nobody can guess: 120 random bits.
///
/// # Panics
/// If the operating system has no random numbers.
fn random_id() -> String {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    let mut bytes = [0; 15];
    getrandom::fill(&mut bytes).expect("random numbers of the operating system");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
