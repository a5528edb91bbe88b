//! `Reconnecting::next` that is given up in each of its phases, as a `select` does it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tidewire::tokio::Connector;
use tidewire::{Backoff, ClientRequest, blocking};
use tokio::time::timeout;

use crate::adapter::{block_on, listen};

const SHORT: Duration = Duration::from_millis(20);

fn request(port: u16) -> ClientRequest {
    ClientRequest::new(&format!("ws://127.0.0.1:{port}/")).expect("a URI")
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return;
        }
        head.push(byte[0]);
    }
}

#[test]
fn a_try_that_is_under_way_goes_on_in_the_next_call() {
    let count = Arc::new(AtomicUsize::new(0));
    let accepted = Arc::clone(&count);
    let (port, _) = listen(move |listener| {
        for stream in listener.incoming() {
            accepted.fetch_add(1, Ordering::SeqCst);
            // Longer than any call lasts.
            thread::spawn(move || {
                thread::sleep(10 * SHORT);
                let mut socket = blocking::accept(stream.expect("a client"))?;
                socket.send("first")?;
                socket.recv()
            });
        }
    });
    block_on(async {
        let mut feed = Connector::new().reconnecting(request(port));
        let start = Instant::now();
        let socket = loop {
            assert!(start.elapsed() < 100 * SHORT, "no call comes far enough");
            if timeout(SHORT, feed.next()).await.is_ok() {
                break feed.next().await.expect("open").expect("a connection");
            }
        };
        assert_eq!(socket.recv().await.expect("open"), Some("first".into()));
        assert_eq!(count.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_delay_is_waited_for_across_calls() {
    let count = Arc::new(AtomicUsize::new(0));
    let accepted = Arc::clone(&count);
    let (port, _) = listen(move |listener: TcpListener| {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            accepted.fetch_add(1, Ordering::SeqCst);
            read_head(&mut stream);
            let answer = b"HTTP/1.1 503 x\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(answer);
        }
    });
    block_on(async {
        let backoff =
            Backoff::new().with_max_first(Duration::ZERO).with_delays(Duration::ZERO, Duration::ZERO);
        let mut feed = Connector::new().reconnecting(request(port)).with_backoff(backoff);
        let start = Instant::now();
        while start.elapsed() < 30 * SHORT {
            assert!(timeout(SHORT, feed.next()).await.is_err());
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert!(feed.last_error().is_some());
        let second = async {
            while count.load(Ordering::SeqCst) < 2 {
                let _ = timeout(SHORT, feed.next()).await;
            }
        };
        timeout(Duration::from_secs(5), second).await.expect("a second passes");
        assert!(start.elapsed() >= Duration::from_secs(1));
    });
}

/// The end of the last connection is found out across calls as well, and what came before it is discarded once.
#[test]
fn a_connection_that_ends_slowly_is_left_across_calls() {
    let (port, serving) = listen(|listener| {
        let mut socket = blocking::accept(listener.accept().expect("a client").0).expect("open");
        // The client closes, and the answer takes its time.
        thread::sleep(10 * SHORT);
        while let Ok(Some(_)) = socket.recv() {}
    });
    block_on(async {
        let mut feed = Connector::new().reconnecting(request(port));
        let socket = feed.next().await.expect("open").expect("a connection");
        let _ = timeout(SHORT, socket.close(None)).await;
        let start = Instant::now();
        let last = loop {
            assert!(start.elapsed() < Duration::from_secs(10));
            if let Ok(next) = timeout(SHORT, feed.next()).await {
                break next;
            }
        };
        assert!(last.expect("its own close").is_none());
    });
    serving.join().expect("no panic");
}

#[test]
fn a_delay_without_end_is_no_panic() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("bound").port()
    };
    let backoff = || Backoff::new().with_max_first(Duration::ZERO).with_delays(Duration::MAX, Duration::MAX);
    block_on(async {
        let mut feed = Connector::new().reconnecting(request(port)).with_backoff(backoff());
        assert!(timeout(10 * SHORT, feed.next()).await.is_err());
        assert!(feed.last_error().is_some());
    });
    let waiting = thread::spawn(move || {
        let mut feed = blocking::Connector::new().reconnecting(request(port)).with_backoff(backoff());
        feed.next().map(drop)
    });
    thread::sleep(10 * SHORT);
    assert!(!waiting.is_finished());
}

#[test]
fn a_future_of_next_is_short() {
    let mut feed = Connector::new().reconnecting(request(1));
    let len = size_of_val(&feed.next());
    assert!(len < 512, "{len}");
}
