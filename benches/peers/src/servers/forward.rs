//! Servers that send what arrives on one connection to its partner, on one task per direction.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;

use super::{
    Failure, Outcome, RAW_TOKIO, Role, Server, Setting, lock, on_tokio, raw, server, streams, tidewire,
};
use crate::table::Kind;

/// In the order of the report's columns.
pub(super) const SERVERS: &[Server] = &[
    server(
        Kind::Floor,
        RAW_TOKIO,
        Role::Forward,
        |listener, setting| in_pairs(listener, setting, raw::halves, raw::pass_on),
        "`into_split`; writes what it has read, with one buffer of 64 KiB per thread",
    ),
    server(
        Kind::Own,
        "tidewire lent",
        Role::Forward,
        |listener, setting| in_pairs(listener, setting, tidewire::halves, tidewire::pass_on_lent),
        "`split`; `recv_ref`, then `feed` of the lent event to the other `Writer`, whose reader writes",
    ),
    server(
        Kind::Own,
        "tidewire owned",
        Role::Forward,
        |listener, setting| in_pairs(listener, setting, tidewire::halves, tidewire::pass_on_owned),
        "the same with `recv`",
    ),
    server(
        Kind::Peer,
        "tungstenite",
        Role::Forward,
        |listener, setting| {
            let pass_on = |from, to| streams::pass_on(from, to, streams::tungstenite_data);
            in_pairs(listener, setting, streams::tungstenite_halves, pass_on)
        },
        "`StreamExt::split`; messages are fed while there are more in the stream's buffer, then the other sink is flushed",
    ),
    server(
        Kind::Peer,
        "tokio-websockets",
        Role::Forward,
        |listener, setting| {
            let pass_on = |from, to| streams::pass_on(from, to, streams::tokio_websockets_data);
            in_pairs(listener, setting, streams::tokio_websockets_halves, pass_on)
        },
        "the same",
    ),
    server(
        Kind::Peer,
        "yawc",
        Role::Forward,
        |listener, setting| {
            let pass_on = |from, to| streams::pass_on(from, to, streams::yawc_data);
            in_pairs(listener, setting, streams::yawc_halves, pass_on)
        },
        "the same",
    ),
    server(
        Kind::Peer,
        "sockudo-ws",
        Role::Forward,
        |listener, setting| {
            sockudo_ws::init_clock();
            in_pairs(listener, setting, streams::sockudo_halves, streams::pass_on_sockudo)
        },
        "`split`; `next` and `send`, which writes each message at once: its writer has no `feed`",
    ),
];

/// Pairs connections as they come. `open` makes two halves of a stream, `pass_on` sends what it receives from one half to the other.
fn in_pairs<R, W, O, P>(
    listener: TcpListener,
    setting: Setting,
    open: fn(TcpStream, Setting) -> O,
    pass_on: fn(R, W) -> P,
) -> io::Result<()>
where
    R: Send + 'static,
    W: Send + 'static,
    O: Future<Output = Result<(R, W), Failure>> + Send + 'static,
    P: Future<Output = Outcome> + Send + 'static,
{
    let waiting = Arc::new(Mutex::new(None));
    on_tokio(listener, setting, move |stream, setting| {
        let waiting = Arc::clone(&waiting);
        async move {
            let (reader, writer) = open(stream, setting).await?;
            let partner = lock(&waiting).take();
            let Some((other_reader, other_writer)) = partner else {
                *lock(&waiting) = Some((reader, writer));
                return Ok(());
            };
            tokio::spawn(async move { drop(pass_on(other_reader, writer).await) });
            pass_on(reader, other_writer).await
        }
    })
}
