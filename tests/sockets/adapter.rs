//! What the tests do with either adapter.

use std::net::TcpStream;

use tidewire::{
    ClientRequest, CloseCode, Config, Error, Message, Origins, ServerHandshake, blocking,
    tokio as asynchronous,
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Adapter {
    Blocking,
    Tokio,
}

impl Adapter {
    pub(crate) const BOTH: [Self; 2] = [Self::Blocking, Self::Tokio];

    /// Accepts a client and receives until the end.
    pub(crate) fn serve(self, stream: TcpStream, config: Config) -> Result<(), Error> {
        self.serve_after(stream, config, None)
    }

    /// Accepts a client, queues a message if there is one, and receives until the end.
    pub(crate) fn serve_after(
        self,
        stream: TcpStream,
        config: Config,
        message: Option<Message>,
    ) -> Result<(), Error> {
        let handshake = ServerHandshake::new(config);
        match self {
            Self::Blocking => {
                let mut socket = blocking::Incoming::receive(stream, handshake)?.accept(None, &[])?;
                if let Some(message) = message {
                    socket.queue(message)?;
                }
                while socket.recv_ref()?.is_some() {}
                Ok(())
            }
            Self::Tokio => block_on(async {
                let incoming = asynchronous::Incoming::receive(from_std(stream)?, handshake).await?;
                let mut socket = incoming.accept(None, &[]).await?;
                if let Some(message) = message {
                    socket.queue(message)?;
                }
                while socket.recv_ref().await?.is_some() {}
                Ok(())
            }),
        }
    }

    /// Accepts a client and sends it a message.
    pub(crate) fn send(self, stream: TcpStream, config: Config, message: Message) -> Result<(), Error> {
        let handshake = ServerHandshake::new(config);
        match self {
            Self::Blocking => {
                let mut socket = blocking::Incoming::receive(stream, handshake)?.accept(None, &[])?;
                socket.send(message)
            }
            Self::Tokio => block_on(async {
                let incoming = asynchronous::Incoming::receive(from_std(stream)?, handshake).await?;
                incoming.accept(None, &[]).await?.send(message).await
            }),
        }
    }

    /// Accepts a client and closes the connection.
    pub(crate) fn close(self, stream: TcpStream, config: Config) -> Result<(), Error> {
        let handshake = ServerHandshake::new(config);
        match self {
            Self::Blocking => {
                let mut socket = blocking::Incoming::receive(stream, handshake)?.accept(None, &[])?;
                socket.close(CloseCode::NORMAL)
            }
            Self::Tokio => block_on(async {
                let incoming = asynchronous::Incoming::receive(from_std(stream)?, handshake).await?;
                incoming.accept(None, &[]).await?.close(CloseCode::NORMAL).await
            }),
        }
    }

    /// Lets the application reject a request.
    pub(crate) fn reject(self, stream: TcpStream, status: u16, body: &[u8]) -> Result<(), Error> {
        let handshake = ServerHandshake::new(Config::new()).with_origins(Origins::any());
        match self {
            Self::Blocking => blocking::Incoming::receive(stream, handshake)?.reject(status, &[], body),
            Self::Tokio => block_on(async {
                let incoming = asynchronous::Incoming::receive(from_std(stream)?, handshake).await?;
                incoming.reject(status, &[], body).await
            }),
        }
    }

    /// Connects, says hello and closes; returns the answer.
    pub(crate) fn connect(self, uri: &str) -> Result<Option<Message>, Error> {
        self.connect_with(ClientRequest::new(uri)?, Config::new())
    }

    pub(crate) fn connect_with(
        self,
        request: ClientRequest,
        config: Config,
    ) -> Result<Option<Message>, Error> {
        match self {
            Self::Blocking => {
                let mut socket = blocking::Connector::new().with_config(config).connect(request)?;
                socket.send("Hello")?;
                let answer = socket.recv()?;
                socket.close(None)?;
                Ok(answer)
            }
            Self::Tokio => block_on(async {
                let connector = asynchronous::Connector::new().with_config(config);
                let mut socket = connector.connect(request).await?;
                socket.send("Hello").await?;
                let answer = socket.recv().await?;
                socket.close(None).await?;
                Ok(answer)
            }),
        }
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

pub(crate) fn from_std(stream: TcpStream) -> std::io::Result<tokio::net::TcpStream> {
    stream.set_nonblocking(true)?;
    tokio::net::TcpStream::from_std(stream)
}
