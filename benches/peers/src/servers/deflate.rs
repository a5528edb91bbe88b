//! Servers that agree on compression, and echo or broadcast.

use super::broadcast::in_room;
use super::{RAW_TOKIO, Role, Server, TIDEWIRE_PLAIN, on_tokio, raw, server, streams, tidewire};
use crate::table::Kind;

/// In the order of the report's columns.
pub(super) const SERVERS: &[Server] = &[
    server(
        Kind::Floor,
        RAW_TOKIO,
        Role::Deflate,
        |listener, setting| on_tokio(listener, setting, raw::tokio),
        "sends the compressed bytes back",
    ),
    server(
        Kind::Own,
        "tidewire lent",
        Role::Deflate,
        |listener, setting| on_tokio(listener, setting, tidewire::deflate_lent),
        "`Config::with_deflate` with the defaults",
    ),
    server(
        Kind::Own,
        "tidewire owned",
        Role::Deflate,
        |listener, setting| on_tokio(listener, setting, tidewire::deflate_owned),
        "the same",
    ),
    server(
        Kind::Peer,
        "yawc",
        Role::Deflate,
        |listener, setting| on_tokio(listener, setting, streams::yawc_deflate),
        "`from_stream_with_extensions`, `with_compression_level(3)`, a `DeflatePool` of two, which serves connections without takeover",
    ),
    server(
        Kind::Peer,
        "sockudo-ws",
        Role::Deflate,
        |listener, setting| {
            sockudo_ws::init_clock();
            on_tokio(listener, setting, streams::sockudo_deflate)
        },
        "`CompressedWebSocketStream::server` with a `DeflateConfig`, after an opening handshake by hand, since that of its server \
         knows no extensions",
    ),
    server(
        Kind::Floor,
        RAW_TOKIO,
        Role::DeflateBroadcast,
        |listener, setting| in_room(listener, setting, raw::halves, raw::publish, raw::subscribe),
        "writes the compressed bytes that it has read to one connection after the other",
    ),
    server(
        Kind::Floor,
        TIDEWIRE_PLAIN,
        Role::DeflateBroadcast,
        |listener, setting| {
            in_room(listener, setting, tidewire::halves, tidewire::publish_queued, tidewire::subscribe)
        },
        "`tidewire queued` without compression, of the same texts",
    ),
    server(
        Kind::Own,
        "tidewire queued",
        Role::DeflateBroadcast,
        |listener, setting| {
            in_room(
                listener,
                setting,
                tidewire::deflate_halves,
                tidewire::publish_queued,
                tidewire::subscribe,
            )
        },
        "`queue` of a `Prepared`, which is compressed once, into each `Writer`; the readers write",
    ),
    server(
        Kind::Own,
        "tidewire sent",
        Role::DeflateBroadcast,
        |listener, setting| {
            in_room(listener, setting, tidewire::deflate_halves, tidewire::publish_sent, tidewire::subscribe)
        },
        "the same, with `send`",
    ),
    server(
        Kind::Peer,
        "yawc",
        Role::DeflateBroadcast,
        |listener, setting| {
            let publish = |from, room| streams::publish(from, room, streams::yawc_data);
            in_room(listener, setting, streams::yawc_deflate_halves, publish, streams::subscribe)
        },
        "`StreamExt::split`; a task and an unbounded channel for each, messages share their payload; what is in the channel is fed, \
         then the sink is flushed",
    ),
    server(
        Kind::Peer,
        "sockudo-ws",
        Role::DeflateBroadcast,
        |listener, setting| {
            sockudo_ws::init_clock();
            let open = streams::sockudo_deflate_halves;
            in_room(
                listener,
                setting,
                open,
                streams::publish_sockudo_deflate,
                streams::subscribe_sockudo_deflate,
            )
        },
        "`split`; a task and an unbounded channel for each, as its `PubSub` has; `send` of each message, since its writer has no `feed`",
    ),
];
