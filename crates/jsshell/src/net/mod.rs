//! Where the realm meets the network, and `tidings-eventsource`.

mod cookies;
mod cors;
mod eventsource;
mod fetch;
mod fetching;
mod script;
mod stream_source;

use crate::host::Host;
use crate::options::{Options, Resolve};
use rquickjs::{Ctx, Object};
use std::sync::Arc;
use std::time::Duration;
use tidings_eventsource::transport::{Hyper, Jar, Transport, WithCookies};
use url::Url;

const PATIENCE: Duration = Duration::from_secs(60);

/// What all requests of the realm share.
pub struct Network {
    location: Url,
    resolve: Vec<Resolve>,
    cookies: Jar,
    /// How long a script may take to come.
    patience: Duration,
    transport: Arc<dyn Transport>,
}

impl Network {
    /// The network as a page at the options' location sees it.
    pub fn new(options: &Options) -> Self {
        let (resolve, cookies) = (options.resolve.clone(), Jar::new());
        let transport = transport(&resolve, &cookies);
        Self {
            location: options.location.clone(),
            resolve,
            cookies,
            patience: options
                .timeout
                .map_or(PATIENCE, |timeout| timeout.min(PATIENCE)),
            transport,
        }
    }

    /// Where the page is.
    pub fn location(&self) -> &Url {
        &self.location
    }

    /// Another transport with the same cookies, for another event loop: to that
    /// which opened them belong the connections of each.
    fn another_transport(&self) -> Arc<dyn Transport> {
        transport(&self.resolve, &self.cookies)
    }
}

/// Straight to the servers, whatever proxies the environment has.
fn transport(resolve: &[Resolve], cookies: &Jar) -> Arc<dyn Transport> {
    let mut transport = Hyper::builder().no_proxy();
    for Resolve { host, address } in resolve {
        transport = transport.resolve(host, *address);
    }
    Arc::new(WithCookies::new(transport.build(), cookies.clone()))
}

/// The functions of `native` that need the network.
pub fn install<'js>(
    ctx: &Ctx<'js>,
    native: &Object<'js>,
    host: &Arc<Host>,
) -> rquickjs::Result<()> {
    cookies::install(ctx, native, host)?;
    eventsource::install(ctx, native, host)?;
    stream_source::install(ctx, native, host)?;
    fetch::install(ctx, native, host)?;
    script::install(ctx, native, host)
}
