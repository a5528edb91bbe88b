//! What a peer asks for beyond the limits costs the others nothing. Streams are in memory, and time is paused: it goes on when nobody has
//! anything to do.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tidewire::tokio::{WebSocket, client};
use tidewire::{ClientRequest, CloseCode, Error};
use tidewire_limits::{Limits, Quota, Server};
use tokio::io::{DuplexStream, duplex};
use tokio::time::{sleep, timeout};

const KIB: usize = 1 << 10;

/// A burst of five, and then hardly any more.
fn limits() -> Limits {
    let five = NonZeroU32::new(5).expect("not zero");
    let messages = Quota::with_period(Duration::from_secs(1 << 20)).expect("not zero").allow_burst(five);
    Limits {
        connections: 10,
        connections_per_address: 2,
        messages,
        message_len: 4 * KIB,
        outputs_len: 320 * KIB,
    }
}

struct Peers {
    server: Arc<Server<DuplexStream>>,
    count: u8,
}

impl Peers {
    fn new(limits: Limits) -> Self {
        Self { server: Arc::new(Server::new(limits).expect("limits that fit")), count: 0 }
    }

    /// Connects from an address of its own.
    async fn connect(&mut self) -> WebSocket<DuplexStream> {
        self.count += 1;
        self.connect_from(self.count).await.expect("accepted")
    }

    async fn connect_from(&self, host: u8) -> Result<WebSocket<DuplexStream>, Error> {
        let (near, far) = duplex(KIB);
        let server = Arc::clone(&self.server);
        tokio::spawn(async move { server.serve(far, IpAddr::V4(Ipv4Addr::new(192, 0, 2, host))).await });
        client(near, &ClientRequest::new("ws://localhost/")?).await
    }
}

/// Until nobody has anything to do.
async fn all_rest() {
    sleep(Duration::from_millis(1)).await;
}

/// Status, `Retry-After` and body of a refusal.
fn refusal(result: Result<WebSocket<DuplexStream>, Error>) -> (u16, String, String) {
    use tidewire::HandshakeError::Refused;
    match result {
        Err(Error::Handshake(Refused(response))) => {
            let body = String::from_utf8(response.body().to_vec()).expect("text");
            (response.status(), response.header("Retry-After").expect("a header").to_owned(), body)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_limit_of_an_address_get_503_until_one_ends() {
    let peers = Peers::new(limits());
    let mut first = peers.connect_from(1).await.expect("accepted");
    let _second = peers.connect_from(1).await.expect("accepted");
    let third = refusal(peers.connect_from(1).await);
    assert_eq!(third, (503, "10".into(), "too many connections from this address\n".into()));
    let _other = peers.connect_from(2).await.expect("accepted");
    first.close(CloseCode::NORMAL).await.expect("an orderly end");
    all_rest().await;
    peers.connect_from(1).await.expect("accepted");
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_limit_of_the_server_get_503() {
    let mut peers = Peers::new(limits());
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(peers.connect().await);
    }
    assert_eq!(refusal(peers.connect_from(99).await), (503, "10".into(), "the server is full\n".into()));
    // A peer that is gone without a word leaves its place as well.
    open.pop();
    all_rest().await;
    peers.connect_from(99).await.expect("accepted");
}

#[tokio::test(start_paused = true)]
async fn a_flooder_is_closed_and_the_others_go_on() {
    let mut peers = Peers::new(limits());
    let (mut listener, mut flooder, mut talker) =
        (peers.connect().await, peers.connect().await, peers.connect().await);
    let flood = async {
        for number in 0..1000 {
            // Which fails when the server has had enough.
            if flooder.send(format!("flood {number}")).await.is_err() {
                break;
            }
        }
        while let Ok(Some(_)) = flooder.recv().await {}
        flooder.recv().await
    };
    let ended = timeout(Duration::from_secs(60), flood).await.expect("an end");
    match ended {
        Err(Error::ClosedByPeer(frame)) => {
            assert_eq!((frame.code(), frame.reason()), (CloseCode::POLICY_VIOLATION, "too many messages"));
        }
        other => panic!("{other:?}"),
    }
    for number in 0..5 {
        talker.send(format!("talk {number}")).await.expect("open");
    }
    // The burst of the one, then that of the other, and nothing else.
    for (name, number) in ["flood", "talk"].iter().flat_map(|name| (0..5).map(move |number| (name, number))) {
        let message = listener.recv().await.expect("open").expect("not the end");
        assert_eq!(message, format!("{name} {number}"));
    }
    assert!(timeout(Duration::from_secs(1), listener.recv()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn all_outputs_together_stay_within_their_bound() {
    let many = Quota::per_second(NonZeroU32::MAX);
    let limits = Limits { messages: many, ..limits() };
    let mut peers = Peers::new(limits);
    let (mut talker, mut listener) = (peers.connect().await, peers.connect().await);
    let mut frozen = Vec::new();
    for _ in 0..8 {
        frozen.push(peers.connect().await);
    }
    let mut most = 0;
    for number in 0..100 {
        let text = format!("{number:<width$}", width = limits.message_len);
        talker.send(&text).await.expect("open");
        assert_eq!(listener.recv().await.expect("open"), Some(text.as_str().into()));
        assert_eq!(talker.recv().await.expect("open"), Some(text.as_str().into()));
        let queued_len = peers.server.queued_len();
        assert!(queued_len <= limits.outputs_len, "{queued_len} after message {number}");
        most = most.max(queued_len);
    }
    // The eight had their shares, but for less than a message.
    assert!(most > (limits.outputs_len / 10 - limits.message_len) * 8, "{most}");
    // Nobody waits for them for ever.
    sleep(Duration::from_secs(120)).await;
    assert_eq!(peers.server.queued_len(), 0);
}

#[test]
fn limits_that_leave_no_room_for_a_message_are_refused() {
    let new = |limits| Server::<DuplexStream>::new(limits).is_ok();
    assert!(new(limits()));
    assert!(!new(Limits { outputs_len: 10 * KIB, ..limits() }));
    assert!(!new(Limits { connections: 0, ..limits() }));
}
