//! Connections that have agreed, and messages made by hand for them.

use bytes::Buf;
use support::wire::{BINARY, CONTINUATION, FIN, Role, TEXT, frame};
use tidewire::handshake::negotiate;
use tidewire::{Agreement, Config, Connection, Deflate};

pub(crate) const RSV1: u8 = 0x40;

/// Takes whatever is offered.
pub(crate) fn widest() -> Deflate {
    Deflate::new().with_window_bits(15).with_peer_window_bits(15)
}

/// What a server with these settings agrees to.
pub(crate) fn agreed_with(deflate: &Deflate, offer: &str) -> Agreement {
    negotiate::deflate(deflate, &[offer]).expect("grammar").expect("an agreement")
}

pub(crate) fn agreed(offer: &str) -> Agreement {
    agreed_with(&widest(), offer)
}

/// Turns compression on, for a scenario.
pub(crate) fn agree(connection: &mut Connection, agreement: Agreement) {
    let plain = core::mem::replace(connection, Connection::server(Config::new()));
    *connection = plain.with_agreement(agreement);
}

/// The frames of a compressed message, cut at these lengths.
pub(crate) fn compressed(to: Role, kind: u8, payload: &[u8], cuts: &[usize]) -> Vec<u8> {
    assert!(matches!(kind, TEXT | BINARY));
    let mut rest = payload;
    let mut bytes = Vec::new();
    for (n, &len) in cuts.iter().chain([&usize::MAX]).enumerate() {
        let (now, later) = rest.split_at(len.min(rest.len()));
        let fin = if n == cuts.len() { FIN } else { 0 };
        bytes.extend(frame(to, fin | if n == 0 { RSV1 | kind } else { CONTINUATION }, now));
        rest = later;
    }
    bytes
}

/// All that is owed.
pub(crate) fn take(connection: &mut Connection) -> Vec<u8> {
    let output = connection.output();
    output.copy_to_bytes(output.remaining()).into()
}
