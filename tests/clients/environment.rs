//! What a client takes from its environment, and only when it is told to: a proxy, and the roots of the system.
//!
//! The client is a process of its own, since the environment is there for a whole process.

use std::env;
use std::net::TcpStream;
use std::process::Command;

use tidewire::ClientRequest;

use crate::adapter::{Adapter, Way, echo_tcp, listen};
use crate::proxies::http_proxy;

const ADAPTER: &str = "TIDEWIRE_TEST_ADAPTER";
const SERVER: &str = "TIDEWIRE_TEST_SERVER";
/// What the client is told.
const TOLD: &str = "TIDEWIRE_TEST_TOLD";

/// The exit status says whether the client got its message back.
fn succeeds(adapter: Adapter, server: &str, told: &str, variable: (&str, &str)) -> bool {
    let mut client = Command::new(env::current_exe().expect("this program"));
    client.args(["--exact", "environment::client", "--ignored"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        client.env_remove(name).env_remove(name.to_lowercase());
    }
    client.env(variable.0, variable.1);
    client.env(ADAPTER, format!("{adapter:?}")).env(SERVER, server).env(TOLD, told);
    client.output().expect("another process").status.success()
}

/// The other process.
#[test]
#[ignore = "not a test: the other process of those below"]
fn client() {
    let (Ok(adapter), Ok(server), Ok(told)) = (env::var(ADAPTER), env::var(SERVER), env::var(TOLD)) else {
        return;
    };
    let adapter = if adapter == "Blocking" { Adapter::Blocking } else { Adapter::Tokio };
    let way = Way {
        proxy_from_env: told == "proxy",
        #[cfg(feature = "rustls-platform-verifier")]
        system_trust: told == "roots",
        ..Way::default()
    };
    let request = ClientRequest::new(&server).expect("a URI");
    adapter.talk(&way, request, &["Hello".into()]).expect("open");
}

#[test]
fn the_proxy_of_the_environment_is_taken_by_a_client_that_is_told_to() {
    for adapter in Adapter::BOTH {
        let (server, serving) = listen(|listener| {
            // The second one comes without a proxy.
            for _ in 0..2 {
                let _ = echo_tcp(listener.accept().expect("a client").0);
            }
        });
        let (port, proxying) = listen(http_proxy);
        let (server, proxy) = (format!("ws://127.0.0.1:{server}/"), format!("http://127.0.0.1:{port}"));
        assert!(succeeds(adapter, &server, "proxy", ("HTTP_PROXY", &proxy)), "{adapter:?}");
        // A proxy to which nobody came would wait for ever.
        drop(TcpStream::connect(("127.0.0.1", port)));
        assert!(proxying.join().expect("no panic").starts_with("CONNECT 127.0.0.1:"));
        // The proxy is gone.
        assert!(!succeeds(adapter, &server, "proxy", ("ALL_PROXY", &proxy)), "{adapter:?}");
        assert!(succeeds(adapter, &server, "nothing", ("ALL_PROXY", &proxy)), "{adapter:?}");
        serving.join().expect("no panic");
    }
}

/// Where the system is Linux, a variable may name its roots.
#[cfg(all(feature = "rustls-platform-verifier", target_os = "linux"))]
#[test]
fn the_roots_of_the_system_are_trusted_by_a_client_that_is_told_to() {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use tidewire::blocking;

    use crate::adapter::echo;
    use crate::tls::{Authority, server};

    let authority = Authority::new();
    let config = server(authority.certify(&["localhost"], |_| {}));
    let mut root = vec![0; 2 * authority.certificate().len()];
    let len = BASE64_STANDARD.encode_slice(authority.certificate(), &mut root).expect("room");
    let root = str::from_utf8(&root[..len]).expect("ASCII");
    let file = env::temp_dir().join(format!("tidewire-roots-{}.pem", std::process::id()));
    std::fs::write(&file, format!("-----BEGIN CERTIFICATE-----\n{root}\n-----END CERTIFICATE-----\n"))
        .expect("a file");
    let roots = ("SSL_CERT_FILE", file.to_str().expect("a path"));
    for adapter in Adapter::BOTH {
        let config = config.clone();
        let (port, serving) = listen(move |listener| {
            [(); 2].map(|()| {
                let stream = listener.accept().expect("a client").0;
                echo(blocking::TlsStream::server(stream, config.clone()).expect("TLS")).is_ok()
            })
        });
        let server = format!("wss://localhost:{port}/");
        assert!(succeeds(adapter, &server, "roots", roots), "{adapter:?}");
        // Those of Mozilla do not know it.
        assert!(!succeeds(adapter, &server, "nothing", roots), "{adapter:?}");
        serving.join().expect("no panic");
    }
    std::fs::remove_file(&file).expect("the file");
}
