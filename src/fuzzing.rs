//! The machines of the connecting side that only the fuzz targets reach by name. Nothing here is promised.

use crate::connect::{proxy, redirect};
use crate::{ClientRequest, Config, Input, Output, Proxy, ProxyError, Response, Uri};

/// Asks a proxy for a tunnel.
#[allow(missing_debug_implementations)]
pub struct Tunnel(proxy::Tunnel);

impl Tunnel {
    /// To the server of `uri`, through `proxy`.
    #[must_use]
    pub fn new(proxy: &Proxy, uri: &Uri, config: Config) -> Self {
        Self(proxy::Tunnel::new(proxy, uri, config))
    }

    /// What the proxy is to be sent.
    pub fn output(&mut self) -> &mut Output {
        self.0.output()
    }

    /// Reads what the proxy answers; `Some` when the tunnel is open.
    ///
    /// # Errors
    /// Any [`ProxyError`].
    pub fn receive(&mut self, input: &mut Input) -> Result<Option<()>, ProxyError> {
        self.0.receive(input)
    }
}

/// The request to make after a response that redirects.
#[must_use]
pub fn redirected(request: &ClientRequest, response: &Response) -> Option<ClientRequest> {
    redirect::redirected(request, response)
}
