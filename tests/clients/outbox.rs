//! A client that sends until it is told that what it sent was kept, whatever happens to the network and the server.

use std::collections::VecDeque;
use std::io::Read;
use std::net::{Shutdown, TcpListener};
use std::time::Duration;

use tidewire::{Backoff, ClientRequest, CloseCode, Config, Error, Message, blocking, tokio as asynchronous};

use crate::adapter::{Adapter, block_on};

const MESSAGES: usize = 20;

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The process dies, with what it has not told the client.
    Cut,
    /// It dies, and the next one does not listen at once.
    Away,
    /// The cable is pulled: what the client sends is swallowed, and nothing comes back.
    Silence,
    /// It says that it restarts.
    Restart,
}

const ENDS: [End; 8] =
    [End::Cut, End::Silence, End::Away, End::Restart, End::Silence, End::Cut, End::Away, End::Restart];

/// Keeps what clients send, two messages on each connection; the second is kept and not acknowledged. Returns what was kept.
fn serve(mut listener: TcpListener) -> Vec<String> {
    let address = listener.local_addr().expect("bound");
    let mut kept = Vec::new();
    let mut ends = ENDS.iter().peekable();
    'connections: loop {
        let stream = listener.accept().expect("a client").0;
        let mut raw = stream.try_clone().expect("a socket");
        // A client on a busy machine may take this side for dead, and come again.
        let Ok(mut socket) = blocking::accept(stream) else { continue };
        let Ok(Some(first)) = socket.recv() else { continue };
        assert_eq!(first.as_text(), Some("subscribe"));
        let end = ends.peek();
        for turn in 0.. {
            let Ok(received) = socket.recv() else { continue 'connections };
            let Some(Message::Text(text)) = received else { return kept };
            // RFC 6455 has no acknowledgements: a client that heard of none sends again.
            if !kept.contains(&text) {
                kept.push(text.clone());
            }
            if end.is_some() && turn == 1 {
                break;
            }
            let _ = socket.send(text);
        }
        match ends.next().expect("a connection that is to end") {
            End::Cut => {
                let _ = raw.shutdown(Shutdown::Both);
            }
            End::Away => {
                drop((socket, raw, listener));
                listener = TcpListener::bind(address).expect("the same port");
            }
            // Until the client has given it up.
            End::Silence => while raw.read(&mut [0; 512]).is_ok_and(|len| len > 0) {},
            End::Restart => {
                let _ = socket.close(CloseCode::SERVICE_RESTART);
            }
        }
    }
}

fn request(listener: &TcpListener) -> ClientRequest {
    let port = listener.local_addr().expect("bound").port();
    ClientRequest::new(&format!("ws://127.0.0.1:{port}/")).expect("a URI")
}

/// A dead peer is noticed soon, and tried again at once.
fn settings() -> (Config, Backoff) {
    let soon = Duration::from_millis(200);
    let hasty = Backoff::new().with_max_first(Duration::ZERO).with_delays(Duration::ZERO, Duration::ZERO);
    (Config::new().with_keepalive(soon, soon), hasty)
}

/// The messages that are to be sent, and how often a connection was made.
struct Outbox {
    unacknowledged: VecDeque<String>,
    connections: usize,
}

impl Outbox {
    fn new() -> Self {
        Self { unacknowledged: (0..MESSAGES).map(|n| format!("message {n}")).collect(), connections: 0 }
    }

    fn acknowledge(&mut self, message: Option<Message>) -> Option<()> {
        let message = message?;
        self.unacknowledged.retain(|sent| message.as_text() != Some(sent));
        Some(())
    }
}

fn send_all(request: ClientRequest) -> Result<Outbox, Error> {
    let (config, backoff) = settings();
    let mut feed = blocking::Connector::new().with_config(config).reconnecting(request).with_backoff(backoff);
    let mut outbox = Outbox::new();
    while let Some(socket) = feed.next()? {
        outbox.connections += 1;
        let _ = socket.send("subscribe");
        while let Some(message) = outbox.unacknowledged.front() {
            if socket.send(message.clone()).is_err() {
                break;
            }
            let Ok(answer) = socket.recv() else { break };
            if outbox.acknowledge(answer).is_none() {
                break;
            }
        }
        if outbox.unacknowledged.is_empty() {
            socket.close(None)?;
        }
    }
    Ok(outbox)
}

async fn send_all_async(request: ClientRequest) -> Result<Outbox, Error> {
    let (config, backoff) = settings();
    let mut feed =
        asynchronous::Connector::new().with_config(config).reconnecting(request).with_backoff(backoff);
    let mut outbox = Outbox::new();
    while let Some(socket) = feed.next().await? {
        outbox.connections += 1;
        let _ = socket.send("subscribe").await;
        while let Some(message) = outbox.unacknowledged.front() {
            if socket.send(message.clone()).await.is_err() {
                break;
            }
            let Ok(answer) = socket.recv().await else { break };
            if outbox.acknowledge(answer).is_none() {
                break;
            }
        }
        if outbox.unacknowledged.is_empty() {
            socket.close(None).await?;
        }
    }
    Ok(outbox)
}

#[test]
fn no_acknowledged_message_is_lost_and_every_message_arrives_once() {
    for adapter in Adapter::BOTH {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let request = request(&listener);
        let serving = std::thread::spawn(move || serve(listener));
        let outbox = match adapter {
            Adapter::Blocking => send_all(request),
            Adapter::Tokio => block_on(send_all_async(request)),
        };
        assert!(outbox.expect("closed by the client").connections > ENDS.len(), "{adapter:?}");
        let kept = serving.join().expect("no panic");
        assert_eq!(kept, (0..MESSAGES).map(|n| format!("message {n}")).collect::<Vec<_>>(), "{adapter:?}");
    }
}
