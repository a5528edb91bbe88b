//! Connections and their halves can move to other threads, and be shared where `&mut` is not needed: checked by the compiler.

use std::net::TcpStream;

use tidewire::Error;
use tidewire::blocking::{Incoming, Reader, Untimed, WebSocket, Writer};

const fn is_send_and_sync<T: Send + Sync>() {}

const _: () = {
    is_send_and_sync::<WebSocket<TcpStream>>();
    is_send_and_sync::<Reader<TcpStream>>();
    is_send_and_sync::<Writer<TcpStream>>();
    is_send_and_sync::<Incoming<TcpStream>>();
    is_send_and_sync::<Untimed<TcpStream>>();
    is_send_and_sync::<Error>();
};
