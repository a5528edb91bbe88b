//! Tunnels through proxies that are made here: HTTP CONNECT and SOCKS 5.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use tidewire::{ClientRequest, Config, Error, Proxy, ProxyError, TimedOut};

use crate::adapter::{Adapter, Way, echo_tcp, listen};

/// Moves bytes both ways until both ends are reached.
fn splice(near: TcpStream, far: TcpStream) {
    fn pump(mut from: TcpStream, mut to: TcpStream) {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    }
    let (from, to) = (near.try_clone().expect("a socket"), far.try_clone().expect("a socket"));
    let back = thread::spawn(move || pump(from, to));
    pump(far, near);
    let _ = back.join();
}

fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("more");
        bytes.push(byte[0]);
    }
    bytes
}

fn take(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).expect("more");
    bytes
}

/// An HTTP proxy for one client: what it was asked.
pub(crate) fn http_proxy(listener: TcpListener) -> String {
    let mut near = listener.accept().expect("a client").0;
    let head = String::from_utf8(read_until(&mut near, b"\r\n\r\n")).expect("ASCII");
    let target = head.split(' ').nth(1).expect("a target").to_owned();
    let far = TcpStream::connect(target).expect("the server");
    near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").expect("a client");
    splice(near, far);
    head
}

/// A SOCKS proxy for one client, with a password: what it was asked to reach.
fn socks_proxy(listener: TcpListener) -> String {
    let mut near = listener.accept().expect("a client").0;
    assert_eq!(take(&mut near, 4), [5, 2, 0, 2]);
    near.write_all(&[5, 2]).expect("a client");
    assert_eq!(take(&mut near, 9), [&[1, 3][..], b"ada", &[3], b"p w"].concat()[..9]);
    near.write_all(&[1, 0]).expect("a client");
    assert_eq!(take(&mut near, 3), [5, 1, 0]);
    let host = match take(&mut near, 1)[0] {
        1 => take(&mut near, 4).iter().map(u8::to_string).collect::<Vec<_>>().join("."),
        3 => {
            let len = take(&mut near, 1)[0];
            String::from_utf8(take(&mut near, len.into())).expect("a name")
        }
        other => panic!("an address of type {other}"),
    };
    let port = take(&mut near, 2);
    let port = u16::from_be_bytes([port[0], port[1]]);
    let far = TcpStream::connect((host.as_str(), port)).expect("the server");
    near.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).expect("a client");
    splice(near, far);
    host
}

fn way(proxy: &str) -> Way {
    Way { proxy: Some(proxy.parse::<Proxy>().expect("a proxy")), ..Way::default() }
}

#[test]
fn a_client_talks_through_a_proxy() {
    let messages = ["Hello".into(), vec![7; 300_000].into()];
    for adapter in Adapter::BOTH {
        for host in ["127.0.0.1", "localhost"] {
            let (server, serving) = listen(|listener| echo_tcp(listener.accept().expect("a client").0));
            let request = || ClientRequest::new(&format!("ws://{host}:{server}/")).expect("a URI");
            let (port, proxying) = listen(http_proxy);
            let is_secure = adapter.talk(&way(&format!("http://a:b@127.0.0.1:{port}")), request(), &messages);
            assert!(!is_secure.expect("open"));
            let head = proxying.join().expect("no panic");
            assert!(head.starts_with(&format!("CONNECT {host}:{server} HTTP/1.1\r\n")), "{head}");
            assert!(head.contains("\r\nProxy-Authorization: Basic YTpi\r\n"), "{head}");
            serving.join().expect("no panic").expect("open");

            let (server, serving) = listen(|listener| echo_tcp(listener.accept().expect("a client").0));
            let request = ClientRequest::new(&format!("ws://{host}:{server}/")).expect("a URI");
            let (port, proxying) = listen(socks_proxy);
            let way = way(&format!("socks5h://ada:p%20w@127.0.0.1:{port}"));
            adapter.talk(&way, request, &messages).expect("open");
            // The name was the proxy's to resolve.
            assert_eq!(proxying.join().expect("no panic"), host);
            serving.join().expect("no panic").expect("open");
        }
    }
}

#[test]
fn a_proxy_that_opens_no_tunnel_is_an_error_of_its_own() {
    for adapter in Adapter::BOTH {
        for (answer, expected) in [
            ("HTTP/1.1 407 x\r\n\r\n", ProxyError::AuthenticationRequired),
            ("HTTP/1.1 401 x\r\n\r\n", ProxyError::AuthenticationRequired),
            ("HTTP/1.1 403 x\r\n\r\n", ProxyError::Refused(403)),
            ("HTTP/1.1 200", ProxyError::UnexpectedEof),
        ] {
            let (port, proxying) = listen(move |listener| {
                let mut near = listener.accept().expect("a client").0;
                read_until(&mut near, b"\r\n\r\n");
                near.write_all(answer.as_bytes()).expect("a client");
            });
            let request = ClientRequest::new("ws://nowhere.invalid/").expect("a URI");
            let error = adapter.talk(&way(&format!("http://127.0.0.1:{port}")), request, &[]);
            let error = error.expect_err("no tunnel");
            assert!(matches!(&error, Error::Proxy(found) if *found == expected), "{adapter:?}: {error:?}");
            proxying.join().expect("no panic");
        }
    }
}

#[test]
fn the_open_timeout_covers_a_proxy_that_dribbles() {
    for adapter in Adapter::BOTH {
        let (port, proxying) = listen(move |listener| {
            let mut near = listener.accept().expect("a client").0;
            // A byte now and then, until the client has had enough.
            while near.write_all(b"H").is_ok() {
                thread::sleep(std::time::Duration::from_millis(20));
            }
        });
        let config = Config::new().with_open_timeout(std::time::Duration::from_millis(300));
        let way = Way { config: Some(config), ..way(&format!("http://127.0.0.1:{port}")) };
        let request = ClientRequest::new("ws://nowhere.invalid/").expect("a URI");
        let error = adapter.talk(&way, request, &[]).expect_err("too late");
        assert!(
            matches!(error, Error::TimedOut(TimedOut::Open) | Error::Proxy(ProxyError::InvalidAnswer(_))),
            "{error:?}"
        );
        proxying.join().expect("no panic");
    }
}

#[test]
fn a_proxy_that_cannot_be_reached_is_named() {
    for adapter in Adapter::BOTH {
        for (proxy, named) in [
            ("socks5://127.0.0.1:1", "the proxy 127.0.0.1 at port 1: 127.0.0.1:1: "),
            ("http://proxy.invalid", "the proxy proxy.invalid at port 80: "),
        ] {
            let request = ClientRequest::new("ws://nowhere.invalid/").expect("a URI");
            let error = adapter.talk(&way(proxy), request, &[]).expect_err("nobody").to_string();
            let start = format!("cannot connect to nowhere.invalid at port 80: cannot connect to {named}");
            assert!(error.starts_with(&start), "{adapter:?}: {error}");
        }
    }
}
