//! `wss`: certificates, versions, ends of every kind, and deadlines, with a CA of the tests' own.

use std::error::Error as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

use tidewire::{
    ClientRequest, CloseCode, Config, Error, HandshakeError, ProtocolError, ServerHandshake, TimedOut,
    blocking,
};

use crate::adapter::{Adapter, Way, echo, listen};

/// A CA, and what it vouches for.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA"))
    }

    /// A certificate for these names, changed as `change` wants it, and its key.
    pub(crate) fn certify(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let names = names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).expect("a key"))
    }

    /// Its own certificate, as DER.
    #[cfg(feature = "rustls-platform-verifier")]
    pub(crate) fn certificate(&self) -> &[u8] {
        self.0.der()
    }

    /// Its own certificate, as roots.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a CA");
        roots
    }

    /// A client that trusts it.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        self.client_with(rustls::ALL_VERSIONS)
    }

    pub(crate) fn client_with(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let roots = self.roots();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
        let mut config = builder.expect("versions").with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

pub(crate) fn server(
    (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(rustls::ALL_VERSIONS);
    let config = builder.expect("versions").with_no_client_auth().with_single_cert(vec![certificate], key);
    let mut config = config.expect("a key that fits");
    // It would rather speak HTTP/2, and nobody asks for that.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

pub(crate) fn way(tls: Arc<ClientConfig>) -> Way {
    Way { tls: Some(tls), ..Way::default() }
}

pub(crate) fn request(host: &str, port: u16) -> ClientRequest {
    ClientRequest::new(&format!("wss://{host}:{port}/")).expect("a URI")
}

/// A TLS server for one client, which sends everything back.
fn echo_server(config: Arc<ServerConfig>) -> (u16, thread::JoinHandle<Result<(), Error>>) {
    listen(move |listener| echo(blocking::TlsStream::server(listener.accept()?.0, config)?))
}

#[test]
fn a_client_talks_over_tls_1_2_and_1_3_to_names_and_addresses() {
    let authority = Authority::new();
    let config = server(authority.certify(&["localhost", "127.0.0.1"], |_| {}));
    let messages = ["Hello".into(), "\u{20ac}".repeat(400_000).into(), vec![7; 1 << 20].into()];
    for adapter in Adapter::BOTH {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            for host in ["localhost", "127.0.0.1"] {
                let (port, serving) = echo_server(config.clone());
                let client = authority.client_with(&[version]);
                let is_secure = adapter.talk(&way(client), request(host, port), &messages);
                assert!(is_secure.expect("open"), "{adapter:?}, {version:?}, {host}");
                serving.join().expect("no panic").expect("open");
            }
        }
    }
}

#[test]
fn a_certificate_that_is_not_valid_fails_and_nothing_is_sent_without_tls() {
    let (authority, other) = (Authority::new(), Authority::new());
    let expired = |params: &mut CertificateParams| {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    };
    let self_signed = {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".into()]).expect("names");
        let certificate = params.self_signed(&key).expect("a certificate");
        (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).expect("a key"))
    };
    let certificates = [
        ("expired", authority.certify(&["localhost"], expired)),
        ("wrong host", authority.certify(&["example.com", "127.0.0.2"], |_| {})),
        ("unknown issuer", other.certify(&["localhost"], |_| {})),
        ("self-signed", self_signed),
    ];
    for (what, certificate) in certificates {
        let config = server(certificate);
        for adapter in Adapter::BOTH {
            for tls in [Some(authority.client()), None] {
                let (port, serving) = echo_server(config.clone());
                let way = Way { tls, ..Way::default() };
                let error = adapter.talk(&way, request("localhost", port), &[]).expect_err(what);
                let Error::Tls(cause) = &error else { panic!("{what}, {adapter:?}: {error:?}") };
                let cause = cause.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
                assert!(matches!(cause, Some(rustls::Error::InvalidCertificate(_))), "{what}: {cause:?}");
                // The server saw no request.
                assert!(serving.join().expect("no panic").is_err());
            }
        }
    }
}

#[test]
fn tls_and_plain_text_do_not_meet() {
    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    for adapter in Adapter::BOTH {
        // A client of TLS at a plain port.
        let (port, serving) = listen(|listener| echo(listener.accept()?.0));
        let error = adapter.talk(&way(authority.client()), request("localhost", port), &[]);
        let error = error.expect_err("no TLS");
        assert!(matches!(error, Error::Tls(_) | Error::Io(_)), "{error:?}");
        let refused = serving.join().expect("no panic").expect_err("no HTTP");
        assert!(matches!(refused, Error::Handshake(HandshakeError::UnexpectedTls)), "{refused:?}");
        // A plain client at a port of TLS.
        let (port, serving) = echo_server(config.clone());
        let plain = ClientRequest::new(&format!("ws://localhost:{port}/")).expect("a URI");
        let error = adapter.talk(&Way::default(), plain, &[]).expect_err("no plain text");
        assert!(matches!(error, Error::Handshake(_) | Error::Io(_)), "{error:?}");
        assert!(serving.join().expect("no panic").is_err());
    }
}

#[test]
fn http_1_is_offered_whatever_the_settings_say() {
    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    for adapter in Adapter::BOTH {
        let config = config.clone();
        let (port, serving) = listen(move |listener| {
            let mut tcp = listener.accept().expect("a client").0;
            let mut tls = rustls::ServerConnection::new(config).expect("settings");
            while tls.is_handshaking() {
                tls.complete_io(&mut tcp).expect("a client");
            }
            let protocol = tls.alpn_protocol().map(<[u8]>::to_vec);
            let mut stream = rustls::StreamOwned::new(tls, tcp);
            let mut head = [0; 3];
            stream.read_exact(&mut head).expect("a request");
            stream
                .write_all(b"HTTP/1.1 503 x\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy")
                .expect("a client");
            stream.conn.send_close_notify();
            stream.flush().expect("a client");
            (protocol, head)
        });
        let error = adapter.talk(&way(authority.client()), request("localhost", port), &[]).expect_err("503");
        let Error::Handshake(HandshakeError::Refused(response)) = error else { panic!("{error:?}") };
        assert_eq!((response.status(), response.body()), (503, &b"busy"[..]));
        assert_eq!(response.retry_after(Duration::ZERO), Some(Duration::from_secs(7)));
        assert_eq!(serving.join().expect("no panic"), (Some(b"http/1.1".to_vec()), *b"GET"));
    }
}

/// A server that ends TCP without a word of TLS, after a Close frame or in the middle.
#[test]
fn an_end_without_close_notify_counts_as_an_end_of_the_transport() {
    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    for adapter in Adapter::BOTH {
        for closes in [true, false] {
            let config = config.clone();
            let (port, serving) = listen(move |listener| {
                let tcp = listener.accept().expect("a client").0;
                let cut = tcp.try_clone().expect("a socket");
                let stream = blocking::TlsStream::server(tcp, config).expect("settings");
                let mut socket = blocking::accept(stream).expect("open");
                socket.send("first").expect("open");
                if closes {
                    // The client answers, and then TCP ends.
                    while let Ok(Some(_)) = socket.recv_ref() {}
                }
                // The client may have done so already.
                let _ = cut.shutdown(std::net::Shutdown::Both);
            });
            let way = way(authority.client());
            let ended = if closes {
                // Its own close is answered.
                adapter.talk(&way, request("localhost", port), &[]).map(|_| ())
            } else {
                receive_all(adapter, &way, request("localhost", port))
            };
            if closes {
                ended.expect("a clean close");
            } else {
                let error = ended.expect_err("no close");
                let is_eof = matches!(&error, Error::Io(_) | Error::Protocol(ProtocolError::UnexpectedEof));
                assert!(is_eof, "{adapter:?}: {error:?}");
            }
            serving.join().expect("no panic");
        }
    }
}

fn receive_all(adapter: Adapter, way: &Way, request: ClientRequest) -> Result<(), Error> {
    let tls = way.tls.clone().expect("settings");
    match adapter {
        Adapter::Blocking => {
            let mut socket = blocking::Connector::new().with_tls(tls).connect(request)?;
            while socket.recv()?.is_some() {}
            Ok(())
        }
        Adapter::Tokio => crate::adapter::block_on(async {
            let mut socket = tidewire::tokio::Connector::new().with_tls(tls).connect(request).await?;
            while socket.recv().await?.is_some() {}
            Ok(())
        }),
    }
}

#[test]
fn both_directions_work_side_by_side_in_threads() {
    const COUNT: usize = 60;

    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    let (port, serving) = echo_server(config);
    let connector = blocking::Connector::new().with_tls(authority.client());
    let socket = connector.connect(request("localhost", port)).expect("open");
    let (mut reader, writer) = socket.split();
    let start = Arc::new(Barrier::new(3));
    let senders: Vec<_> = (0..2)
        .map(|n| {
            let (writer, start) = (writer.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                for len in 0..COUNT {
                    writer.send(vec![n; len * 4000 + 1]).expect("open");
                }
            })
        })
        .collect();
    start.wait();
    // Far more is under way than any buffer holds: who sends while nobody reads would wait for ever.
    let mut lens = [Vec::new(), Vec::new()];
    for _ in 0..2 * COUNT {
        let message = reader.recv().expect("open").expect("more");
        let payload = message.as_bytes();
        lens[usize::from(payload[0])].push(payload.len());
    }
    for lens in lens {
        assert!(lens.is_sorted() && lens.len() == COUNT);
    }
    for sender in senders {
        sender.join().expect("no panic");
    }
    let mut socket = reader.reunite(writer).expect("one connection");
    socket.close(CloseCode::NORMAL).expect("open");
    serving.join().expect("no panic").expect("open");
}

#[test]
fn deadlines_hold_over_tls() {
    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    for adapter in Adapter::BOTH {
        // Nobody answers, or somebody with a byte now and then.
        for dribbles in [false, true] {
            let (port, serving) = listen(move |listener| {
                let mut tcp = listener.accept().expect("a client").0;
                if dribbles {
                    // A record of TLS that never ends.
                    let _ = tcp.write_all(&[22, 3, 3, 0x40, 0]);
                    while tcp.write_all(&[0]).is_ok() {
                        thread::sleep(Duration::from_millis(20));
                    }
                } else {
                    let _ = tcp.read_to_end(&mut Vec::new());
                }
            });
            let short = Config::new().with_open_timeout(Duration::from_millis(300));
            let way = Way { config: Some(short), ..way(authority.client()) };
            let error = adapter.talk(&way, request("localhost", port), &[]).expect_err("late");
            assert!(matches!(error, Error::TimedOut(TimedOut::Open)), "{adapter:?}, {dribbles}: {error:?}");
            serving.join().expect("no panic");
        }
    }
    // A peer that does not read.
    let (port, serving) = listen(move |listener| {
        let stream = blocking::TlsStream::server(listener.accept()?.0, config)?;
        let short = Config::new().with_write_timeout(Duration::from_millis(300));
        let mut socket = blocking::accept_with(stream, ServerHandshake::new(short))?;
        loop {
            socket.send(vec![7; 1 << 20])?;
        }
        #[allow(unreachable_code, reason = "the type of what is returned")]
        Ok::<(), Error>(())
    });
    let tcp = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = blocking::TlsStream::client(tcp, name, authority.client()).expect("settings");
    let socket = blocking::client(stream, &request("localhost", port)).expect("open");
    let error = serving.join().expect("no panic").expect_err("nobody reads");
    assert!(matches!(error, Error::TimedOut(TimedOut::Write)), "{error:?}");
    assert!(error.source().is_none() || !error.to_string().is_empty());
    drop(socket);
}
