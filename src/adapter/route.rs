//! [`Route`]: how a client gets to its server, the same in both adapters.

use core::time::Duration;
use std::env;

#[cfg(feature = "rustls")]
use super::tls::Tls;
use crate::connect::redirect::redirected;
use crate::{ClientRequest, Config, Error, HandshakeError, Proxy, TimedOut, Uri};

/// Tells a failure of TLS from one of the transport.
pub(crate) fn tls_failed(error: Error) -> Error {
    match error {
        #[cfg(feature = "rustls")]
        Error::Io(error) => super::tls::tls_failed(error),
        error => error,
    }
}

/// What a connector was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    pub(crate) config: Config,
    proxy: ProxyChoice,
    pub(crate) max_redirects: u32,
    #[cfg(feature = "rustls")]
    pub(crate) tls: Tls,
}

#[derive(Clone, Debug, Default)]
enum ProxyChoice {
    #[default]
    None,
    Given(Proxy),
    /// Whatever the environment says.
    Environment,
}

impl Route {
    pub(crate) fn set_proxy(&mut self, proxy: Proxy) {
        self.proxy = ProxyChoice::Given(proxy);
    }

    pub(crate) fn set_proxy_from_env(&mut self) {
        self.proxy = ProxyChoice::Environment;
    }

    /// The proxy for this URI.
    pub(crate) fn proxy(&self, uri: &Uri) -> Result<Option<Proxy>, Error> {
        match &self.proxy {
            ProxyChoice::None => Ok(None),
            ProxyChoice::Given(proxy) => Ok(Some(proxy.clone())),
            // A value that is not text is none.
            ProxyChoice::Environment => Ok(Proxy::from_env(uri, |name| env::var(name).ok())?),
        }
    }

    /// Fails where TLS is needed and there is none, before anything is resolved.
    pub(crate) fn check(&self, uri: &Uri, proxy: Option<&Proxy>) -> Result<(), Error> {
        let needs_tls = uri.is_secure() || proxy.is_some_and(Proxy::is_secure);
        if needs_tls && !cfg!(feature = "rustls") { Err(Error::TlsNeeded) } else { Ok(()) }
    }

    /// The settings for a step of the opening, when `elapsed` of the time for all of them is over.
    pub(crate) fn config_after(&self, elapsed: Duration) -> Config {
        self.config.with_open_timeout(super::rest_of(self.config.open_timeout(), elapsed))
    }

    /// Fails when the time for all steps together is over: each step gets a moment at least, and there may be many.
    pub(crate) fn check_time(&self, elapsed: Duration) -> Result<(), Error> {
        let is_late = self.config.open_timeout().is_some_and(|limit| elapsed >= limit);
        if is_late { Err(TimedOut::Open.into()) } else { Ok(()) }
    }

    /// The request that is to follow `error`, if that is a redirect and one more is allowed.
    pub(crate) fn redirect(
        &self,
        request: &ClientRequest,
        error: &Error,
        count: u32,
    ) -> Option<ClientRequest> {
        match error {
            Error::Handshake(HandshakeError::Refused(response)) if count < self.max_redirects => {
                redirected(request, response)
            }
            _ => None,
        }
    }
}
