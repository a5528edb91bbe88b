//! A caller that was busy beyond a deadline and has no budget left: what lies in the socket counts first.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tidewire::tokio::{WebSocket, accept, client_with};
use tidewire::{ClientRequest, CloseCode, Config, Event, Input};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::advance;

use support::tokio_stream::block_on;
use support::tokio_wire::{PING, PONG, Role, split_frame};

const INTERVAL: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(15);
const LONG: Duration = Duration::from_secs(1000);

fn config() -> Config {
    Config::new().with_keepalive(INTERVAL, TIMEOUT)
}

/// Without keepalive.
fn quiet() -> Config {
    Config::new().without_keepalive()
}

/// A socket over a pipe that respects the budget of a task, as TCP does.
fn socket(role: Role, config: Config, capacity: usize) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (near, far) = tokio::io::duplex(capacity);
    (WebSocket::from_parts(near, role.connection(config), Input::new()), far)
}

/// Polls once in a task whose budget is used up.
async fn poll_exhausted<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    let (sender, mut channel) = mpsc::unbounded_channel();
    (0..1000).for_each(|n| sender.send(n).unwrap());
    poll_fn(|cx| {
        while channel.poll_recv(cx).is_ready() {}
        assert!(!channel.is_empty(), "there is no budget");
        Poll::Ready(future.as_mut().poll(cx))
    })
    .await
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Waits in `future`, lets `peer` act, is busy for very long, and polls without budget.
async fn late<F: Future>(future: F, peer: impl AsyncFnOnce()) -> F::Output {
    let mut future = pin!(future);
    assert!(poll_once(future.as_mut()).await.is_pending());
    peer().await;
    advance(LONG).await;
    match poll_exhausted(future.as_mut()).await {
        Poll::Ready(output) => output,
        Poll::Pending => future.await,
    }
}

/// Reads the ping and answers it.
async fn answer(role: Role, far: &mut DuplexStream) {
    let mut bytes = vec![0; 100];
    let len = far.read(&mut bytes).await.unwrap();
    let (ping, _, _) = split_frame(&bytes[..len]).unwrap();
    assert_eq!(ping.0, PING);
    far.write_all(&role.frame(PONG, ping.1)).await.unwrap();
}

#[test]
fn a_pong_that_lies_in_the_socket_counts_before_its_deadline() {
    for role in Role::BOTH {
        for is_split in [false, true] {
            block_on(async {
                let (mut socket, mut far) = socket(role, config(), 1024);
                let mut bytes = role.frame(0x81, "one");
                let answering = async || {
                    advance(INTERVAL).await;
                };
                // The ping is written in the poll after its time has come.
                if is_split {
                    let (mut reader, _writer) = socket.split();
                    {
                        let mut receiving = pin!(reader.recv_ref());
                        assert!(poll_once(receiving.as_mut()).await.is_pending());
                        answering().await;
                        assert!(poll_once(receiving.as_mut()).await.is_pending());
                    }
                    let event = late(reader.recv_ref(), async || answer(role, &mut far).await).await;
                    assert!(matches!(event, Ok(Some(Event::Pong(_)))), "{role:?}: {event:?}");
                    far.write_all(&bytes).await.unwrap();
                    assert_eq!(reader.recv().await.unwrap(), Some("one".into()));
                } else {
                    assert!(poll_once(pin!(socket.recv())).await.is_pending());
                    answering().await;
                    assert!(poll_once(pin!(socket.recv())).await.is_pending());
                    bytes.splice(0..0, role.frame(0x81, "zero"));
                    let message = late(socket.recv(), async || {
                        answer(role, &mut far).await;
                        far.write_all(&bytes).await.unwrap();
                    });
                    assert_eq!(message.await.unwrap(), Some("zero".into()), "{role:?}");
                    assert_eq!(poll_fn(|cx| socket.poll_recv(cx)).await.unwrap(), Some("one".into()));
                }
            });
        }
    }
}

#[test]
fn a_close_frame_that_lies_in_the_socket_counts_before_its_deadline() {
    for role in Role::BOTH {
        block_on(async {
            let answering = async |far: &mut DuplexStream| {
                far.write_all(&role.close_frame(1000, "")).await.unwrap();
                far.shutdown().await.unwrap();
            };
            let (mut whole, mut far) = socket(role, quiet(), 1024);
            late(whole.close(CloseCode::NORMAL), async || answering(&mut far).await).await.unwrap();
            assert!(whole.ending().unwrap().is_clean());

            let (mut whole, mut far) = socket(role, quiet(), 1024);
            whole.queue_close(CloseCode::NORMAL);
            assert_eq!(late(whole.recv(), async || answering(&mut far).await).await.unwrap(), None);

            let (whole, mut far) = socket(role, quiet(), 1024);
            let (mut reader, writer) = whole.split();
            writer.close(CloseCode::NORMAL).await.unwrap();
            assert_eq!(late(reader.recv(), async || answering(&mut far).await).await.unwrap(), None);
        });
    }
}

#[test]
fn room_in_the_socket_counts_before_the_write_deadline() {
    #[derive(Clone, Copy, Debug)]
    enum Method {
        Recv,
        Flush,
        Ready,
        Send,
        Close,
        PollClose,
        Reader,
    }
    use Method::{Close, Flush, PollClose, Reader, Ready, Recv, Send};

    for role in Role::BOTH {
        for method in [Recv, Flush, Ready, Send, Close, PollClose, Reader] {
            block_on(async {
                let (mut socket, mut far) = socket(role, quiet().with_high_water_len(10), 64);
                socket.queue([7; 100]).unwrap();
                let reading = async |far: &mut DuplexStream| {
                    far.read_exact(&mut [0; 64]).await.unwrap();
                    if matches!(method, Recv | Reader) {
                        return;
                    }
                    if let Close = method {
                        far.write_all(&role.close_frame(1000, "")).await.unwrap();
                        far.shutdown().await.unwrap();
                    }
                };
                let mut peer = async || reading(&mut far).await;
                match method {
                    // There is nothing to read, so this goes on waiting.
                    Recv => {
                        let mut receiving = pin!(socket.recv());
                        assert!(poll_once(receiving.as_mut()).await.is_pending());
                        peer().await;
                        advance(LONG).await;
                        let received = poll_exhausted(receiving.as_mut()).await;
                        assert!(received.is_pending(), "{role:?}: {received:?}");
                        let received = poll_once(receiving.as_mut()).await;
                        assert!(received.is_pending(), "{role:?}: {received:?}");
                    }
                    Reader => {
                        let (mut reader, _writer) = socket.split();
                        let mut receiving = pin!(reader.recv());
                        assert!(poll_once(receiving.as_mut()).await.is_pending());
                        peer().await;
                        advance(LONG).await;
                        let received = poll_exhausted(receiving.as_mut()).await;
                        assert!(received.is_pending(), "{role:?}: {received:?}");
                        let received = poll_once(receiving.as_mut()).await;
                        assert!(received.is_pending(), "{role:?}: {received:?}");
                    }
                    Flush => late(socket.flush(), peer).await.unwrap(),
                    Ready => late(socket.ready(), peer).await.unwrap(),
                    Send => late(socket.send("x"), peer).await.unwrap(),
                    PollClose => late(poll_fn(|cx| socket.poll_close(cx)), peer).await.unwrap(),
                    Close => late(socket.close(CloseCode::NORMAL), peer).await.unwrap(),
                }
            });
        }
    }
}

#[test]
fn a_head_that_lies_in_the_socket_counts_before_the_open_deadline() {
    let request = ClientRequest::new("ws://example.org/").unwrap();
    block_on(async {
        // The server's side is late.
        let (near, far) = tokio::io::duplex(4096);
        let mut connecting = pin!(client_with(far, &request, quiet().with_open_timeout(None)));
        let accepted = late(accept(near), async || {
            assert!(poll_once(connecting.as_mut()).await.is_pending());
        });
        let mut server = accepted.await.unwrap();
        let (connected, flushed) = tokio::join!(connecting, server.flush());
        flushed.unwrap();
        let mut far = connected.unwrap();
        far.send("hello").await.unwrap();
        assert_eq!(server.recv().await.unwrap(), Some("hello".into()));

        // The client's.
        let (near, far) = tokio::io::duplex(4096);
        let mut server = None;
        let connected = late(client_with(near, &request, Config::new()), async || {
            server = Some(accept(far).await.unwrap());
            let server = server.as_mut().unwrap();
            server.send("hello").await.unwrap();
        });
        assert_eq!(connected.await.unwrap().recv().await.unwrap(), Some("hello".into()));
    });
}
