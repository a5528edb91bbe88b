//! [`Reconnecting`]: a client that connects again when its connection has ended.

use core::fmt;
use core::pin::Pin;
use std::boxed::Box;
use std::sync::{Mutex, PoisonError};

use ::tokio::time::{Instant, sleep_until};

use super::{ClientStream, Connector, WebSocket};
use crate::adapter::retry::{Retry, reason};
use crate::{Backoff, ClientRequest, Error};

/// A client that connects again and again: see [`Connector::reconnecting`].
///
/// ```no_run
/// # async fn example() -> Result<(), tidewire::Error> {
/// use tidewire::ClientRequest;
/// use tidewire::tokio::Connector;
///
/// let mut feed = Connector::new().reconnecting(ClientRequest::new("ws://example.com/feed")?);
/// while let Some(socket) = feed.next().await? {
///     // The server knows nothing of the connection before.
///     if socket.send("subscribe").await.is_err() {
///         continue;
///     }
///     while let Ok(Some(message)) = socket.recv().await {
///         println!("{message:?}");
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Reconnecting {
    connector: Connector,
    request: ClientRequest,
    retry: Retry,
    /// The connection, and since when it lives.
    socket: Option<(WebSocket<ClientStream>, Instant)>,
    /// When to connect again.
    next_at: Option<Instant>,
    /// A try to connect that is under way.
    connecting: Option<Connecting>,
    last_error: Option<Error>,
    is_over: bool,
}

impl Reconnecting {
    pub(super) fn new(connector: Connector, request: ClientRequest) -> Self {
        Self {
            connector,
            request,
            retry: Retry::new(),
            socket: None,
            next_at: None,
            connecting: None,
            last_error: None,
            is_over: false,
        }
    }

    /// How long to wait between two tries.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.retry.backoff = backoff;
        self
    }

    /// Decides after which errors to connect again.
    ///
    /// Without this it is after failures of the network, timeouts, the statuses 429, 500, 502, 503 and 504, and the close codes 1001, 1006,
    /// 1011, 1012 and 1013. It is not after other statuses and codes, or after a certificate that is not valid.
    #[must_use]
    pub fn with_retry(mut self, is_retried: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.retry.set_hook(is_retried);
        self
    }

    /// Why the last connection, or the last try to make one, has failed; `None` before the first failure.
    #[must_use]
    pub fn last_error(&self) -> Option<&Error> {
        self.last_error.as_ref()
    }

    /// The next connection, when the last one has ended: at first at once, and then after a delay of the [`Backoff`].
    ///
    /// While the last one is still open, it is returned again. `None` follows a connection that was closed with 1000, without a code, or by this
    /// side.
    ///
    /// # Errors
    /// What is not retried: see [`with_retry`](Self::with_retry). After that comes `None`.
    ///
    /// # Cancel safety
    /// Cancel safe: another call goes on where this one was, with the delay and with a try to connect.
    pub async fn next(&mut self) -> Result<Option<&mut WebSocket<ClientStream>>, Error> {
        self.leave_last().await?;
        while self.socket.is_none() && !self.is_over {
            if let Some(at) = self.next_at {
                sleep_until(at).await;
                self.next_at = None;
            }
            let (connector, request) = (&self.connector, &self.request);
            let connecting =
                self.connecting.get_or_insert_with(|| Connecting::new(connector.connect(request.clone())));
            let connected = connecting.future().await;
            self.connecting = None;
            match connected {
                Ok(socket) => self.socket = Some((socket, Instant::now())),
                Err(error) => self.wait_after(error)?,
            }
        }
        Ok(self.socket.as_mut().map(|(socket, _)| socket))
    }

    /// Drops the last connection if it is not open any more, and finds out how it ended.
    async fn leave_last(&mut self) -> Result<(), Error> {
        let Some((socket, since)) = &mut self.socket else { return Ok(()) };
        if socket.is_open() {
            return Ok(());
        }
        let received = loop {
            match socket.recv().await {
                // Nobody wants it any more.
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let reason = reason(received, socket.ending());
        self.retry.backoff.ended(since.elapsed());
        self.socket = None;
        match reason {
            Some(error) => self.wait_after(error),
            None => {
                self.is_over = true;
                Ok(())
            }
        }
    }

    fn wait_after(&mut self, error: Error) -> Result<(), Error> {
        match self.retry.after(&error) {
            Some(delay) => {
                self.next_at = Some(Instant::now() + delay);
                self.last_error = Some(error);
                Ok(())
            }
            None => {
                self.is_over = true;
                Err(error)
            }
        }
    }
}

type Connected = Result<WebSocket<ClientStream>, Error>;

/// A try to connect. The lock, which nobody waits for, makes it `Sync`.
struct Connecting(Mutex<Pin<Box<dyn Future<Output = Connected> + Send>>>);

impl Connecting {
    fn new(future: impl Future<Output = Connected> + Send + 'static) -> Self {
        Self(Mutex::new(Box::pin(future)))
    }

    fn future(&mut self) -> Pin<&mut (dyn Future<Output = Connected> + Send)> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut()
    }
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}
