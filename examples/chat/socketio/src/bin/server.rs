//! A server for trying it out, and for the protocols' own test suites: an echo at `/engine.io/`, events at `/socket.io/`, and a page at `/`
//! where all who look at it chat.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chat_socketio::engine::{CloseReason, Encoded, Message, SendError};
use chat_socketio::server::{
    Application, Engine, Handler, Incoming, Link, Options, Refused, Socket, Sockets, client_file,
};
use chat_socketio::socket::{Data, Outgoing};
use http_body_util::Full;
use hyper::body::Incoming as Body;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use lexopt::ValueExt;
use tidewire::Origins;
use tokio::net::{TcpListener, TcpStream};

const HELP: &str = "\
Engine.IO 4 at /engine.io/ (an echo), Socket.IO 5 at /socket.io/, and a page at /

Usage: server [OPTIONS]

  --port PORT             the port on 127.0.0.1 and ::1, or 0 for any [default: 3000]
  --ping-interval MS      from a pong to the next ping [default: 25000]
  --ping-timeout MS       from a ping to its pong [default: 20000]
  --connect-timeout MS    how long a client may be in no namespace [default: 45000]
  --any-origin            pages of any origin may connect
";

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
struct Server {
    echo: Engine<Echo>,
    sockets: Engine<Sockets<Demo>>,
}

/// Sends each message back.
struct Echo;

impl Handler for Echo {
    type Connection = Link;

    fn open(&self, link: &Link) -> Link {
        link.clone()
    }

    fn message(&self, link: &mut Link, message: Message<'_>) -> Result<(), CloseReason> {
        match link.send(&[Encoded::from(message)]) {
            Err(SendError::Full) => Err(CloseReason::TooSlow),
            _ => Ok(()),
        }
    }

    fn close(&self, _: &mut Link, _: CloseReason) {}
}

/// What the test suites expect, and a chat for all.
#[derive(Default)]
struct Demo {
    sockets: Mutex<HashMap<String, Socket>>,
}

impl Demo {
    fn chat(&self, data: &Data) {
        let message = Outgoing::event("/", "chat message", data);
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.values() {
            if socket.send(&message) == Err(SendError::Full) {
                socket.close();
            }
        }
    }
}

impl Application for Demo {
    fn connect(&self, socket: &Socket, auth: &str) -> Result<(), Refused> {
        match socket.namespace() {
            "/" | "/custom" => Ok(()),
            "/members" if auth.contains("\"member\"") => Ok(()),
            "/members" => Err(Refused::with_data("Members only", &["ask", "us"]).unwrap_or_default()),
            _ => Err(Refused::default()),
        }
    }

    fn connected(&self, socket: &Socket, auth: &str) {
        if socket.namespace() == "/" {
            let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
            sockets.insert(socket.id().into(), socket.clone());
        }
        let auth = serde_json::from_str::<serde_json::Value>(auth).unwrap_or_default();
        let data = Data::new(&[auth]).unwrap_or_default();
        let socket = socket.clone();
        tokio::spawn(async move {
            // The clients of the test suites miss a message that is in one read with another.
            tokio::time::sleep(Duration::from_millis(10)).await;
            answer(&socket, socket.emit("auth", &data));
        });
    }

    fn event(&self, socket: &Socket, event: Incoming) {
        let Incoming { name, data, ack, .. } = event;
        match (name.as_str(), ack) {
            ("message", _) => answer(socket, socket.emit("message-back", &data)),
            ("message-with-ack", Some(ack)) => answer(socket, ack.send(&data)),
            ("chat message", _) => self.chat(&data),
            // Asks back: how long the client may take, and whether it did.
            ("ask-me", Some(ack)) => {
                let (socket, millis) = (socket.clone(), data.parse::<(u64,)>().map_or(0, |(millis,)| millis));
                tokio::spawn(async move {
                    let answered = socket.emit_with_ack("ask", &data, Duration::from_millis(millis)).await;
                    let report = match answered {
                        Ok(data) => data,
                        Err(error) => Data::new(&[error.to_string()]).unwrap_or_default(),
                    };
                    answer(&socket, ack.send(&report));
                });
            }
            ("leave-me", _) => socket.disconnect(),
            ("close-me", _) => socket.close(),
            _ => {}
        }
    }

    fn disconnected(&self, socket: &Socket, _: Option<CloseReason>) {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).remove(socket.id());
    }
}

/// A client that does not read its answers is not kept.
fn answer(socket: &Socket, sent: Result<(), SendError>) {
    if sent == Err(SendError::Full) {
        socket.close();
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

/// A request counts from this call on, also if its client goes away before the answer is asked for.
fn route(server: &Server, request: Request<Body>) -> Answer {
    match request.uri().path() {
        "/" => Box::pin(ready(Ok(page()))),
        "/engine.io/" | "/engine.io" => {
            let answer = server.echo.handle(request);
            Box::pin(async { Ok(answer.await) })
        }
        "/socket.io/" | "/socket.io" => {
            let answer = server.sockets.handle(request);
            Box::pin(async { Ok(answer.await) })
        }
        path => Box::pin(ready(Ok(client_file(path).unwrap_or_else(not_found)))),
    }
}

fn not_found() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("Not found\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn page() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(include_str!("../../page/index.html")));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

async fn serve(server: Server, stream: TcpStream) {
    let service = service_fn(move |request| route(&server, request));
    // An error concerns this client alone: it has gone, or does not speak HTTP.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

async fn accept(server: Server, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Packets are small and wait for each other.
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(server.clone(), stream));
            }
            // Out of file descriptors, for one: the next may succeed.
            Err(error) => {
                eprintln!("{error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let Some((port, options)) = arguments()? else { return Ok(()) };
    let limits = options.limits;
    let server = Server {
        echo: Engine::new(Echo, options.clone()),
        sockets: Engine::new(Sockets::new(Demo::default(), limits), options),
    };
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    let address = listener.local_addr()?;
    // `localhost` may be either.
    if let Ok(listener) = TcpListener::bind(("::1", address.port())).await {
        tokio::spawn(accept(server.clone(), listener));
    }
    println!("http://localhost:{}/", address.port());
    tokio::select! {
        () = accept(server.clone(), listener) => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    server.echo.close_all();
    server.sockets.close_all();
    // Time for the last packets.
    for _ in 0..20 {
        if server.echo.is_empty() && server.sockets.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn arguments() -> Result<Option<(u16, Options)>, Error> {
    let (mut port, mut options) = (3000, Options::new());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("port") => port = parser.value()?.parse()?,
            lexopt::Arg::Long("ping-interval") => options.limits.ping_interval = millis(&mut parser)?,
            lexopt::Arg::Long("ping-timeout") => options.limits.ping_timeout = millis(&mut parser)?,
            lexopt::Arg::Long("connect-timeout") => options.limits.connect_timeout = millis(&mut parser)?,
            lexopt::Arg::Long("any-origin") => options.origins = Origins::any(),
            lexopt::Arg::Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    Ok(Some((port, options)))
}

fn millis(parser: &mut lexopt::Parser) -> Result<Duration, Error> {
    Ok(Duration::from_millis(parser.value()?.parse()?))
}
