//! [`pair`]: two ends of a connection in memory, to test a program without a network.

use ::tokio::io::{DuplexStream, duplex};

use super::WebSocket;
use crate::adapter::{PAIR_LEN, pair_connections};
use crate::{Config, Input};

/// A client and a server that are connected in memory, without an opening handshake.
///
/// Each direction holds 64 KiB, as a socket does, and the deadlines are those of `config`. The masking keys are the same each time: this is
/// for tests.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use tidewire::{Config, tokio::pair};
///
/// let (mut client, mut server) = pair(Config::new());
/// client.send("Hello").await?;
/// assert_eq!(server.recv().await?, Some("Hello".into()));
/// # Ok::<(), tidewire::Error>(()) })?;
/// # Ok::<(), tidewire::Error>(())
/// ```
#[must_use]
pub fn pair(config: Config) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (near, far) = duplex(PAIR_LEN);
    let (client, server) = pair_connections(config);
    (WebSocket::from_parts(near, client, Input::new()), WebSocket::from_parts(far, server, Input::new()))
}
