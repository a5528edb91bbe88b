//! [`Tls`]: the settings of `rustls` that a client uses.

use std::io;
use std::string::ToString as _;
use std::sync::{Arc, OnceLock};
use std::vec;

use rustls::pki_types::{InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::Error;

/// A connector's TLS; the default trusts the roots of Mozilla.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls(Option<Arc<ClientConfig>>);

impl Tls {
    pub(crate) fn set(&mut self, config: Arc<ClientConfig>) {
        self.0 = Some(Arc::new(with_http_1(&config)));
    }

    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        match &self.0 {
            Some(config) => Ok(Arc::clone(config)),
            None => default_config(),
        }
    }
}

/// The upgrade exists in HTTP/1.1 alone, so nothing else is offered (RFC 7301).
fn with_http_1(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// One for all connectors: it is made once, and remembers sessions.
fn default_config() -> Result<Arc<ClientConfig>, Error> {
    static DEFAULT: OnceLock<Arc<ClientConfig>> = OnceLock::new();

    if let Some(config) = DEFAULT.get() {
        return Ok(Arc::clone(config));
    }
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    let config = builder()?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::clone(DEFAULT.get_or_init(|| Arc::new(with_http_1(&config)))))
}

/// The name that the certificate has to be valid for.
pub(crate) fn server_name(host: &str) -> Result<ServerName<'static>, Error> {
    let name = ServerName::try_from(host.to_string());
    name.map_err(|error: InvalidDnsNameError| Error::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))
}

/// Tells a failure of TLS from one of the transport.
pub(crate) fn tls_failed(error: io::Error) -> Error {
    match error.get_ref() {
        Some(inner) if inner.is::<rustls::Error>() => Error::Tls(error),
        _ => error.into(),
    }
}

/// With the provider named: where a program has two of them, or none, `rustls` cannot choose.
fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.map_err(|error| Error::Tls(io::Error::other(error)))
}

/// Settings that trust what the system trusts.
#[cfg(feature = "rustls-platform-verifier")]
pub(crate) fn system_config() -> Result<Arc<ClientConfig>, Error> {
    use rustls_platform_verifier::BuilderVerifierExt as _;

    let builder = builder()?.with_platform_verifier();
    let builder = builder.map_err(|error| Error::Tls(io::Error::other(error)))?;
    Ok(Arc::new(builder.with_no_client_auth()))
}
