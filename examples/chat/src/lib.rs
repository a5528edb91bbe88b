//! A chat over WebSocket: the library behind the program `chat`, for its tests and its load.
//!
//! Imports go one way: `rooms` knows nothing of the rest. `cluster`, `space`, `guest` and `socketio` know the rooms, and `server` knows all.

pub mod cluster;
pub mod gate;
pub mod guest;
pub mod journal;
pub mod link;
pub mod listener;
pub mod login;
pub mod pace;
pub mod pages;
pub mod protocol;
pub mod rooms;
mod routes;
pub mod server;
mod socketio;
pub mod space;
pub mod upgrade;
