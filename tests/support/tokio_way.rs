//! The ways to use a socket of the tokio adapter: by its own methods, and by the traits that it implements.

use tidewire::tokio::WebSocket;
use tidewire::{CloseCode, Error, Message};

use crate::scenario::Scenario;
use crate::tokio_stream::Stream;

type Socket = WebSocket<Stream>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Methods,
    /// `StreamExt` and `SinkExt`, halves too.
    #[cfg(feature = "futures")]
    Traits,
    /// The same, with halves made by `StreamExt::split`.
    #[cfg(feature = "futures")]
    TraitsSplit,
}

#[cfg(not(feature = "futures"))]
impl Way {
    pub const ALL: &[Self] = &[Self::Methods];

    pub fn differs_in(self, _: Scenario) -> bool {
        true
    }

    pub async fn recv(self, socket: &mut Socket) -> Result<Option<Message>, Error> {
        socket.recv().await
    }

    pub async fn send(self, socket: &mut Socket, message: &[u8]) -> Result<(), Error> {
        socket.send(message).await
    }

    pub async fn feed(self, socket: &mut Socket, message: &[u8]) -> Result<(), Error> {
        socket.feed(message).await
    }

    pub async fn flush(self, socket: &mut Socket) -> Result<(), Error> {
        socket.flush().await
    }

    pub async fn close(self, socket: &mut Socket, code: CloseCode) -> Result<(), Error> {
        socket.close(code).await
    }
}

#[cfg(feature = "futures")]
impl Way {
    pub const ALL: &[Self] = &[Self::Methods, Self::Traits, Self::TraitsSplit];

    /// True if the scenario is not the same in another way.
    pub fn differs_in(self, scenario: Scenario) -> bool {
        match self {
            Self::Methods => true,
            // The opening handshake has no traits.
            Self::Traits => {
                !matches!(scenario, Scenario::Reject | Scenario::Outdated | Scenario::AcceptInTwoSteps)
            }
            Self::TraitsSplit => scenario == Scenario::Halves,
        }
    }

    pub async fn recv(self, socket: &mut Socket) -> Result<Option<Message>, Error> {
        match self {
            Self::Methods => socket.recv().await,
            Self::Traits | Self::TraitsSplit => futures_util::StreamExt::next(socket).await.transpose(),
        }
    }

    pub async fn send(self, socket: &mut Socket, message: &[u8]) -> Result<(), Error> {
        match self {
            Self::Methods => socket.send(message).await,
            Self::Traits | Self::TraitsSplit => futures_util::SinkExt::send(socket, message.into()).await,
        }
    }

    pub async fn feed(self, socket: &mut Socket, message: &[u8]) -> Result<(), Error> {
        match self {
            Self::Methods => socket.feed(message).await,
            Self::Traits | Self::TraitsSplit => futures_util::SinkExt::feed(socket, message.into()).await,
        }
    }

    pub async fn flush(self, socket: &mut Socket) -> Result<(), Error> {
        match self {
            Self::Methods => socket.flush().await,
            Self::Traits | Self::TraitsSplit => futures_util::SinkExt::flush(socket).await,
        }
    }

    /// The trait closes with 1000, and leaves the rest to who receives.
    pub async fn close(self, socket: &mut Socket, code: CloseCode) -> Result<(), Error> {
        match self {
            Self::Methods => socket.close(code).await,
            Self::Traits | Self::TraitsSplit => futures_util::SinkExt::close(socket).await,
        }
    }
}
