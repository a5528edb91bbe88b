//! TLS under tokio: futures that are given up at every point, and a peer that does not read.

use std::future::poll_fn;
use std::io::Read;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tidewire::tokio::{Connector, accept_with, client};
use tidewire::{ClientRequest, Config, Error, Message, Origins, ServerHandshake, TimedOut, blocking};
use tokio::io::AsyncWrite as _;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::adapter::{block_on, listen};
use crate::tls::{Authority, request, server};

/// Gives a future up that is pending for the `n`th time.
async fn up_to<F: Future>(n: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            polls += 1;
            if polls == n { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await
}

#[test]
fn no_message_is_lost_when_a_future_is_given_up_over_tls() {
    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    let messages: Vec<Message> = vec!["Hello".into(), vec![7; 300].into(), "".into(), vec![8; 70].into()];
    for n in 1..40 {
        let talk = async {
            // A few bytes at a time. With fewer the handshake of rustls stands still: it reads nothing while it has six bytes to write.
            let (near, far) = tokio::io::duplex(8);
            let acceptor = TlsAcceptor::from(config.clone());
            let serving = tokio::spawn(async move {
                let stream = acceptor.accept(far).await?;
                let handshake = ServerHandshake::new(Config::new()).with_origins(Origins::any());
                let mut socket = accept_with(stream, handshake).await?;
                while let Some(message) = up_to_the_end(n, &mut socket).await? {
                    socket.send(message).await?;
                }
                Ok::<_, Error>(())
            });
            let name = ServerName::try_from("localhost").expect("a name");
            let stream = TlsConnector::from(authority.client()).connect(name, near).await.expect("open");
            let request = ClientRequest::new("wss://localhost/").expect("a URI");
            let mut socket = client(stream, &request).await.expect("open");
            for message in &messages {
                // A message that is queued leaves with whatever is polled next.
                if let Some(sent) = up_to(n, socket.send(message)).await {
                    sent.expect("open");
                }
                let received = up_to_the_end(n, &mut socket).await.expect("open");
                assert_eq!(received.as_ref(), Some(message), "{n}");
            }
            while up_to(n, socket.close(None)).await.is_none() {
                tokio::task::yield_now().await;
            }
            assert!(up_to_the_end(n, &mut socket).await.expect("closed").is_none());
            drop(socket);
            serving.await.expect("no panic").expect("open");
        };
        let in_time = block_on(async { tokio::time::timeout(Duration::from_secs(20), talk).await });
        in_time.unwrap_or_else(|_| panic!("it stands still, {n}"));
    }
}

/// Receives with as many futures as it takes.
async fn up_to_the_end<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    n: usize,
    socket: &mut tidewire::tokio::WebSocket<S>,
) -> Result<Option<Message>, Error> {
    loop {
        if let Some(received) = up_to(n, socket.recv()).await {
            return received;
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_peer_that_does_not_read_is_given_up_over_tls() {
    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    let (port, serving) = listen(move |listener| {
        let tcp = listener.accept().expect("a client").0;
        let mut rest = tcp.try_clone().expect("a socket");
        let stream = blocking::TlsStream::server(tcp, config).expect("settings");
        let socket = blocking::accept(stream).expect("open");
        std::thread::sleep(Duration::from_secs(2));
        // Nothing of TLS any more: only until the client is gone.
        let _ = rest.read_to_end(&mut Vec::new());
        drop(socket);
    });
    block_on(async {
        let config = Config::new().with_write_timeout(Duration::from_millis(300));
        let connector = Connector::new().with_config(config).with_tls(authority.client());
        let mut socket = connector.connect(request("localhost", port)).await.expect("open");
        let error = loop {
            if let Err(error) = socket.send(vec![7; 1 << 20]).await {
                break error;
            }
        };
        assert!(matches!(error, Error::TimedOut(TimedOut::Write)), "{error:?}");
    });
    serving.join().expect("no panic");
}

/// What TLS has taken waits while the socket has no room, and a flush says so.
#[test]
fn a_flush_waits_for_what_tls_has_taken() {
    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    let (port, serving) = listen(move |listener| {
        let stream = blocking::TlsStream::server(listener.accept().expect("a client").0, config);
        blocking::accept(stream.expect("settings")).expect("open")
    });
    block_on(async {
        let connector = Connector::new().with_tls(authority.client());
        let socket = connector.connect(request("localhost", port)).await.expect("open");
        // It is open and reads nothing more.
        let _server = serving.join().expect("no panic");
        let (mut stream, ..) = socket.into_parts();
        poll_fn(|cx| {
            while Pin::new(&mut stream)
                .poll_write(cx, &[7; 16 << 10])
                .map(|taken| taken.expect("open"))
                .is_ready()
            {}
            assert!(Pin::new(&mut stream).poll_flush(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    });
}
