//! An echo server on axum 0.8: an extractor for WebSocket, beside ordinary routes, with state.
//!
//! ```text
//! cargo run --bin axum_server -- --addr 127.0.0.1:9001 [--origin ORIGIN]
//! ```
//!
//! `/chat` is WebSocket, over HTTP/1.1 and HTTP/2. `/count` tells how many messages came. The origin is that of other pages that may
//! connect.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{FromRequest, Request, State};
use axum::http::Response;
use axum::routing::{any, get};
use axum::serve::ListenerExt;
use hyper::ext::Protocol;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use lexopt::{Arg::Long, ValueExt};
use tidewire::tokio::WebSocket;
use tidewire::{Config, Deflate, Error, Input, Origins, ServerHandshake};
use tokio::net::TcpListener;

type App = Arc<Shared>;

struct Shared {
    handshake: ServerHandshake,
    messages: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (address, origins) = arguments()?;
    let handshake = ServerHandshake::new(Config::new().with_deflate(Deflate::new())).with_origins(origins);
    let app: App = Arc::new(Shared { handshake, messages: AtomicU64::new(0) });
    let router = Router::new()
        .route("/", get(async || "WebSocket is at /chat\n"))
        .route("/count", get(count))
        // `any`, because HTTP/2 opens WebSocket with CONNECT. Other methods are refused by the handshake.
        .route("/chat", any(chat))
        .with_state(app);
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    // A short message does not wait for the acknowledgement of the one before it.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    // Upgrades and extended CONNECT are on.
    Ok(axum::serve(listener, router).await?)
}

/// The address, and from where pages may connect.
fn arguments() -> Result<(String, Origins), Box<dyn std::error::Error>> {
    let (mut address, mut origins) = ("127.0.0.1:9001".to_owned(), Origins::same());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("addr") => address = parser.value()?.parse()?,
            Long("origin") => origins = Origins::list(&[parser.value()?.string()?])?,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok((address, origins))
}

async fn count(State(app): State<App>) -> String {
    format!("{}\n", app.messages.load(Ordering::Relaxed))
}

/// A handler: it may look at `upgrade.request`, and refuse with a response of its own.
async fn chat(State(app): State<App>, upgrade: Upgrade) -> Result<Response<String>, Response<String>> {
    upgrade.serve(async move |socket| {
        if let Err(error) = echo(socket, &app).await {
            eprintln!("{error}");
        }
    })
}

async fn echo(mut socket: Socket, app: &Shared) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        app.messages.fetch_add(1, Ordering::Relaxed);
        socket.feed(message).await?;
    }
    Ok(())
}

/// The extractor: a valid request for WebSocket, not answered yet. It is a handler's last argument.
struct Upgrade {
    request: tidewire::Request,
    upgraded: OnUpgrade,
}

type Socket = WebSocket<TokioIo<Upgraded>>;

impl FromRequest<App> for Upgrade {
    type Rejection = Response<String>;

    async fn from_request(mut request: Request, app: &App) -> Result<Self, Self::Rejection> {
        let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
        let asked = app.handshake.receive_http(&request, protocol)?;
        Ok(Self { request: asked, upgraded: hyper::upgrade::on(&mut request) })
    }
}

impl Upgrade {
    /// Accepts the request, and runs `serve` once the response is sent.
    fn serve<F>(
        self,
        serve: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Result<Response<String>, Response<String>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (response, accepted) = self.request.accept_http(self.request.subprotocol())?;
        tokio::spawn(async move {
            match self.upgraded.await {
                // It hands out what hyper has read already.
                Ok(upgraded) => {
                    serve(WebSocket::from_accepted(TokioIo::new(upgraded), accepted, Input::new())).await
                }
                Err(error) => eprintln!("{error}"),
            }
        });
        Ok(response.map(|()| String::new()))
    }
}
