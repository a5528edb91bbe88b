//! The WebSocket of a session: messages in, packets out.

use std::task::Poll;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tidewire::tokio::{WebSocket, Writer};
use tidewire::{Accepted, CloseCode, Error, Input, Message, ServerHandshake};

use crate::engine::{self, Channel, CloseReason, Encoded, Packet, Refusal, WebSocketId};
use crate::server::handler::Handler;
use crate::server::link::Link;
use crate::server::peer::Peer;
use crate::server::response;

pub(crate) type Socket = WebSocket<TokioIo<Upgraded>>;

/// A WebSocket that is there once its response was sent.
pub(crate) struct Opening {
    upgrade: OnUpgrade,
    accepted: Accepted,
}

/// The response to an opening handshake, and what comes of it: nothing if the request is wrong.
pub(crate) fn begin<B>(
    request: &mut Request<B>,
    handshake: &ServerHandshake,
) -> (Response<Full<Bytes>>, Option<Opening>) {
    // Clients know this one, and would not know what to do with 426.
    if !request.headers().contains_key(header::UPGRADE) {
        return (response::refusal(Refusal::BadRequest), None);
    }
    let received = match handshake.receive_http(request, None) {
        Ok(received) => received,
        Err(error) => return (Response::<String>::from(error).map(Full::from), None),
    };
    let Ok((response, accepted)) = received.accept_http(None) else {
        return (response::refusal(Refusal::BadRequest), None);
    };
    let opening = Opening { upgrade: hyper::upgrade::on(request), accepted };
    (response.map(|()| Full::default()), Some(opening))
}

impl Opening {
    /// `None` if the client goes away before.
    pub(crate) async fn open(self) -> Option<Socket> {
        let stream = TokioIo::new(self.upgrade.await.ok()?);
        Some(WebSocket::from_accepted(stream, self.accepted, Input::new()))
    }
}

/// Moves packets until the WebSocket or the session ends.
pub(crate) async fn run<H: Handler>(peer: &Peer<H>, id: WebSocketId, socket: Socket) {
    let (mut reader, writer) = socket.split();
    let receive = async {
        while let Ok(Some(message)) = reader.recv().await {
            receive(peer, id, message);
        }
    };
    let is_over = tokio::select! {
        () = receive => true,
        result = deliver(&peer.link, id, &writer) => result.is_err(),
    };
    peer.link.with(|session, now| session.detach(id, now));
    peer.link.wake_websocket();
    if !is_over {
        writer.queue_close(CloseCode::NORMAL);
        while let Ok(Some(_)) = reader.recv().await {}
    }
}

/// Closes a WebSocket that belongs to no session.
pub(crate) async fn close(mut socket: Socket) {
    // Whether the peer answers is its own business.
    let _ = socket.close(CloseCode::NORMAL).await;
}

fn receive<H: Handler>(peer: &Peer<H>, id: WebSocketId, message: Message) {
    let packet = match message.as_text() {
        Some(text) => Packet::decode(text),
        None => Ok(Packet::Message(engine::Message::Binary(message.clone().into_bytes()))),
    };
    // What is refused has ended the session, and the other half sees that.
    match packet {
        Ok(packet) => _ = peer.receive(Channel::WebSocket(id), packet),
        Err(_) => peer.link.fail(CloseReason::Violation),
    }
}

/// Sends what is queued, and waits for more, until the session is done with this WebSocket.
async fn deliver(link: &Link, id: WebSocketId, writer: &Writer<TokioIo<Upgraded>>) -> Result<(), Error> {
    loop {
        while let Poll::Ready(packet) = link.with(|session, _| session.poll_websocket(id)) {
            match packet {
                Some(Encoded::Text(text)) => writer.feed(text).await?,
                Some(Encoded::Binary(payload)) => writer.feed(payload).await?,
                None => return writer.flush().await,
            }
        }
        writer.flush().await?;
        link.websocket_woken().await;
    }
}
