//! An echo server on hyper 1: HTTP/1.1 and HTTP/2 on one port, with or without TLS, and a page beside it.
//!
//! ```text
//! cargo run --bin hyper_server -- --addr 127.0.0.1:9001 [--pem FILE] [--origin ORIGIN]
//! ```
//!
//! The file has a certificate chain and its key. With it, browsers open WebSocket over HTTP/2. The origin is that of other pages that
//! may connect.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::header::UPGRADE;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::{Builder, upgrade::downcast};
use lexopt::{Arg::Long, ValueExt};
use tidewire::tokio::WebSocket;
use tidewire::{Accepted, Config, Deflate, Error, Input, Origins, ServerHandshake};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long a client may take for a head, or for the handshake of TLS.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a client of HTTP/2 is asked whether it is there. It has 20 s to answer.
const PING_INTERVAL: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (address, tls, origins) = arguments()?;
    let handshake = ServerHandshake::new(Config::new().with_deflate(Deflate::new())).with_origins(origins);
    // One judges all requests.
    let handshake = Arc::new(handshake);
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: some will come free.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        // A short message does not wait for the acknowledgement of the one before it.
        let _ = stream.set_nodelay(true);
        let (handshake, tls) = (handshake.clone(), tls.clone());
        tokio::spawn(async move {
            let served = match tls {
                None => serve(stream, handshake).await,
                Some(tls) => match timeout(OPEN_TIMEOUT, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(stream, handshake).await,
                    Ok(Err(error)) => Err(error.into()),
                    Err(late) => Err(late.into()),
                },
            };
            if let Err(error) = served {
                eprintln!("{error}");
            }
        });
    }
}

/// The address, TLS if there is any, and from where pages may connect.
fn arguments() -> Result<(String, Option<TlsAcceptor>, Origins), Box<dyn std::error::Error>> {
    let (mut address, mut tls, mut origins) = ("127.0.0.1:9001".to_owned(), None, Origins::same());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("addr") => address = parser.value()?.parse()?,
            Long("pem") => tls = Some(acceptor(&parser.value()?.string()?)?),
            Long("origin") => origins = Origins::list(&[parser.value()?.string()?])?,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok((address, tls, origins))
}

fn acceptor(file: &str) -> Result<TlsAcceptor, Box<dyn std::error::Error>> {
    let chain = CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(file)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // The client chooses the version of HTTP.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves the requests of one client.
async fn serve<S>(
    stream: S,
    handshake: Arc<ServerHandshake>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let has_asked = Notify::new();
    let answer = |request| {
        let handshake = handshake.clone();
        has_asked.notify_one();
        async move {
            let response = match is_for_page(&request) {
                true => Response::new(include_str!("page.html").to_owned()),
                // Both are responses: one that opens the connection, and one that refuses it.
                false => upgrade::<S>(request, &handshake).unwrap_or_else(|refusal| refusal),
            };
            Ok::<_, Infallible>(response)
        }
    };
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(OPEN_TIMEOUT);
    // RFC 8441 3: tell clients that they may open WebSocket.
    server.http2().enable_connect_protocol();
    // A client that is silent later is pinged.
    server.http2().timer(TokioTimer::new()).keep_alive_interval(Some(PING_INTERVAL));
    let serving = server.serve_connection_with_upgrades(TokioIo::new(stream), service_fn(answer));
    let mut serving = pin!(serving);
    tokio::select! {
        served = &mut serving => return served,
        () = has_asked.notified() => {}
        // HTTP/2 has no other bound for its first request.
        () = sleep(OPEN_TIMEOUT) => return Err("no request in time".into()),
    }
    serving.await
}

fn is_for_page(request: &Request<Incoming>) -> bool {
    request.method() == Method::GET && request.uri().path() == "/" && !request.headers().contains_key(UPGRADE)
}

/// The response to a request for WebSocket. Once it is sent, the connection is served.
fn upgrade<S>(
    request: Request<Incoming>,
    handshake: &ServerHandshake,
) -> Result<Response<String>, Response<String>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
    let asked = handshake.receive_http(&request, protocol)?;
    let (response, accepted) = asked.accept_http(asked.subprotocol())?;
    eprintln!("{} over {:?}", asked.path().escape_debug(), request.version());
    tokio::spawn(async move {
        let served = match hyper::upgrade::on(request).await {
            Ok(upgraded) => open::<S>(upgraded, accepted).await,
            // The client went away before the response was sent.
            Err(error) => Err(io::Error::other(error).into()),
        };
        if let Err(error) = served {
            eprintln!("{error}");
        }
    });
    Ok(response.map(|()| String::new()))
}

/// Goes on with the stream `S` itself, and with what hyper has read of it already.
async fn open<S>(upgraded: Upgraded, accepted: Accepted) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut input = Input::new();
    match downcast::<TokioIo<S>>(upgraded) {
        Ok(parts) => {
            input.extend_from_slice(&parts.read_buf);
            echo(WebSocket::from_accepted(parts.io.into_inner(), accepted, input)).await
        }
        // A stream of HTTP/2 is hyper's own.
        Err(upgraded) => echo(WebSocket::from_accepted(TokioIo::new(upgraded), accepted, input)).await,
    }
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocket<S>) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}
