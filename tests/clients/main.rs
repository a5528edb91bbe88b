//! What lies between a client and its server, in both adapters: TLS, proxies, redirects, addresses.

mod adapter;
mod answers;
mod cancelled;
mod deadlines;
mod environment;
mod outbox;
mod proxies;
mod reconnecting;
mod redirects;
mod requests;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(feature = "rustls")]
mod tls_scripted;
#[cfg(feature = "rustls")]
mod tls_streams;
#[cfg(feature = "rustls")]
mod tls_tokio;
