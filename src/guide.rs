//! The guide: one page for each task, with code to copy. The short answer comes first.
//!
//! Begin here:
//!
//! - [First server](first_server): accept connections and answer messages.
//! - [First client](first_client): connect, send, receive and close.
//! - [Broadcast](broadcast): send one message to many peers.
//! - [From the echo server to a chat](chat): a whole program, step by step.
//!
//! A server that others can reach:
//!
//! - [Authentication and origins](authentication): who may connect, and from which web pages.
//! - [Behind a proxy](behind_a_proxy): what nginx has to pass on, and for how long.
//! - [TLS](tls): `wss://`, and whom to trust.
//! - [Frameworks](frameworks): a request that an HTTP library has read.
//! - [Limits](limits): connections, messages per second, and the memory of all outputs.
//!
//! A program that runs for long:
//!
//! - [Timeouts and keepalive](timeouts): what happens when a peer is slow or gone.
//! - [Large messages](large_messages): limits, and messages in parts.
//! - [Compression](compression): permessage-deflate, what it costs and keeps.
//! - [Closing](closing): how a connection ends.
//! - [Shutting down](shutting_down): how a server ends, and loses nobody.
//! - [Metrics and events](operating): what to count, and what a subscriber of `tracing` hears.
//! - [Testing your program](testing): two ends in memory, and time that you control.
//!
//! A client in the real network:
//!
//! - [Through a proxy](proxies): HTTP CONNECT and SOCKS 5.
//! - [Connecting again](reconnecting): a client that follows a server for days.
//!
//! Other ways in:
//!
//! - [Without tokio](without_tokio): threads and blocking sockets.
//! - [Sans-IO](sans_io): the core alone, for another runtime or none.
//! - [Coming from tokio-tungstenite](from_tungstenite): what is called what, and what differs.
// It exists only for rustdoc: the pages are compiled as tests, and cost a program nothing.

/// Declares a page. Its code is compiled where the features are on that it needs.
macro_rules! pages {
    ($($name:ident: $file:literal, $features:meta;)*) => {$(
        #[cfg_attr(any(not(doctest), $features), doc = include_str!(concat!("../docs/guide/", $file)))]
        pub mod $name {}
    )*};
}

pages! {
    first_server: "first-server.md", feature = "tokio";
    first_client: "first-client.md", feature = "tokio";
    chat: "chat.md", feature = "tokio";
    broadcast: "broadcast.md", all(feature = "tokio", feature = "blocking");
    authentication: "authentication.md", feature = "tokio";
    behind_a_proxy: "behind-a-proxy.md", feature = "tokio";
    tls: "tls.md", all(feature = "tokio", feature = "blocking", feature = "rustls");
    proxies: "proxies.md", feature = "tokio";
    reconnecting: "reconnecting.md", feature = "tokio";
    frameworks: "frameworks.md", all(feature = "tokio", feature = "http");
    timeouts: "timeouts.md", all(feature = "tokio", feature = "blocking");
    large_messages: "large-messages.md", feature = "tokio";
    compression: "compression.md", all(feature = "tokio", feature = "deflate");
    closing: "closing.md", feature = "tokio";
    shutting_down: "shutting-down.md", feature = "tokio";
    limits: "limits.md", feature = "tokio";
    operating: "operating.md", all(feature = "tokio", feature = "tracing");
    testing: "testing.md", all(feature = "tokio", feature = "blocking");
    without_tokio: "without-tokio.md", feature = "blocking";
    sans_io: "sans-io.md", feature = "std";
    from_tungstenite: "from-tungstenite.md", feature = "tokio";
}

/// The code in README.md is compiled, too.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
mod readme {}
