//! What the core does, one behaviour per module, for both roles and under every chunking of the bytes.
#![allow(
    clippy::needless_borrows_for_generic_args,
    reason = "borrowed and owned payloads are sent in different ways"
)]

mod link;
mod model;

mod close_bodies;
mod closing_handshake;
mod config_saturates;
mod control_frames;
mod conversations;
mod debug_output;
mod end_of_transport;
mod fragmentation;
mod halves;
mod input_storage;
mod keepalive;
mod lent_and_owned;
mod limits;
mod malformed_headers;
mod masking_keys;
mod misuse;
mod output_in_parts;
mod payload_lengths;
mod pings_are_answered;
mod properties;
mod rfc_examples;
mod sending;
mod sizes;
mod slow_peers;
mod splits;
mod strict;
mod text_is_utf8;
mod traffic;
mod values;
