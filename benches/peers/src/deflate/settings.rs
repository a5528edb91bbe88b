//! What compression is set to: the same level and windows for everybody.

use sockudo_ws::{DeflateConfig, DeflateWindowBits};
use tidewire::handshake::negotiate;
use tidewire::{Agreement, Config, Connection, Deflate};
use yawc::{CompressionLevel, DeflatePool};

/// tidewire's default.
pub(crate) const LEVEL: u8 = 3;
pub(crate) const WINDOW_BITS: u8 = 12;

/// Whether a message may refer to former ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takeover {
    On,
    Off,
}

impl Takeover {
    pub(crate) fn is_on(self) -> bool {
        self == Self::On
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::On => "takeover",
            Self::Off => "none",
        }
    }

    /// What a client offers, and what a server answers to it.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::On => "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
            Self::Off => {
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; \
                 client_max_window_bits=12"
            }
        }
    }

    /// What the head of a request offers.
    pub(crate) fn offered(head: &[u8]) -> Self {
        let off = b"no_context_takeover";
        if head.windows(off.len()).any(|bytes| bytes == off) { Self::Off } else { Self::On }
    }
}

pub(crate) fn tidewire() -> Deflate {
    Deflate::new().with_level(LEVEL).with_window_bits(WINDOW_BITS)
}

/// A connection of tidewire that has agreed on compression.
pub(super) fn agreed(connection: impl FnOnce(Config) -> Connection, takeover: Takeover) -> Connection {
    connection(Config::new()).with_agreement(agreement(takeover))
}

fn agreement(takeover: Takeover) -> Agreement {
    let agreement = negotiate::deflate(&tidewire(), &[takeover.extension()]);
    agreement.expect("a valid offer").expect("an offer that can be kept")
}

/// On top of other options. `pool` has engines for connections without takeover.
pub(crate) fn yawc(options: yawc::Options, pool: &DeflatePool) -> yawc::Options {
    options.with_compression_level(CompressionLevel::new(LEVEL.into())).with_deflate_pool(pool.clone())
}

pub(crate) fn sockudo(takeover: Takeover) -> DeflateConfig {
    DeflateConfig {
        server_max_window_bits: DeflateWindowBits::Bits12,
        client_max_window_bits: DeflateWindowBits::Bits12,
        server_no_context_takeover: !takeover.is_on(),
        client_no_context_takeover: !takeover.is_on(),
        compression_level: LEVEL.into(),
        compression_threshold: 0,
    }
}
