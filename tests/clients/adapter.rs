//! What the tests do with either adapter.

use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use tidewire::{
    ClientRequest, Config, Error, Message, Origins, Proxy, ServerHandshake, blocking, tokio as asynchronous,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapter {
    Blocking,
    Tokio,
}

/// How a client is to connect.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    pub(crate) config: Option<Config>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) redirects: u32,
    /// The proxy that the environment names.
    pub(crate) proxy_from_env: bool,
    /// The roots of the system.
    #[cfg(feature = "rustls-platform-verifier")]
    pub(crate) system_trust: bool,
    #[cfg(feature = "rustls")]
    pub(crate) tls: Option<std::sync::Arc<rustls::ClientConfig>>,
}

impl Adapter {
    pub(crate) const BOTH: [Self; 2] = [Self::Blocking, Self::Tokio];

    /// Connects, sends messages, gets them back, and closes. Returns whether the stream was secure.
    pub(crate) fn talk(self, way: &Way, request: ClientRequest, messages: &[Message]) -> Result<bool, Error> {
        match self {
            Self::Blocking => {
                let mut connector = blocking::Connector::new()
                    .with_config(way.config.unwrap_or_default())
                    .with_max_redirects(way.redirects);
                if let Some(proxy) = &way.proxy {
                    connector = connector.with_proxy(proxy.clone());
                }
                if way.proxy_from_env {
                    connector = connector.with_proxy_from_env();
                }
                #[cfg(feature = "rustls-platform-verifier")]
                if way.system_trust {
                    connector = connector.with_system_trust()?;
                }
                #[cfg(feature = "rustls")]
                if let Some(tls) = &way.tls {
                    connector = connector.with_tls(tls.clone());
                }
                let mut socket = connector.connect(request)?;
                for message in messages {
                    socket.send(message)?;
                    assert_eq!(socket.recv()?.as_ref(), Some(message));
                }
                let is_secure = socket.get_ref().is_secure();
                socket.close(None)?;
                Ok(is_secure)
            }
            Self::Tokio => block_on(async {
                let mut connector = asynchronous::Connector::new()
                    .with_config(way.config.unwrap_or_default())
                    .with_max_redirects(way.redirects);
                if let Some(proxy) = &way.proxy {
                    connector = connector.with_proxy(proxy.clone());
                }
                if way.proxy_from_env {
                    connector = connector.with_proxy_from_env();
                }
                #[cfg(feature = "rustls-platform-verifier")]
                if way.system_trust {
                    connector = connector.with_system_trust()?;
                }
                #[cfg(feature = "rustls")]
                if let Some(tls) = &way.tls {
                    connector = connector.with_tls(tls.clone());
                }
                let mut socket = connector.connect(request).await?;
                for message in messages {
                    socket.send(message).await?;
                    assert_eq!(socket.recv().await?.as_ref(), Some(message));
                }
                let is_secure = socket.get_ref().is_secure();
                socket.close(None).await?;
                Ok(is_secure)
            }),
        }
    }
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

/// A port, and whoever comes there.
pub(crate) fn listen<R: Send + 'static>(
    serve: impl FnOnce(TcpListener) -> R + Send + 'static,
) -> (u16, JoinHandle<R>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    (port, thread::spawn(move || serve(listener)))
}

/// Accepts one client over a stream and sends everything back.
pub(crate) fn echo<S: blocking::Stream>(stream: S) -> Result<(), Error> {
    let handshake = ServerHandshake::new(Config::new()).with_origins(Origins::any());
    let mut socket = blocking::accept_with(stream, handshake)?;
    while let Some(message) = socket.recv()? {
        socket.send(message)?;
    }
    Ok(())
}

pub(crate) fn echo_tcp(stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    echo(stream)
}
