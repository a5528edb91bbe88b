//! A chat over WebSocket: the library behind the program `chat`, for its tests and its load.

pub mod journal;
pub mod rooms;
