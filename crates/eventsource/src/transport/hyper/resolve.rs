use crate::transport::{TransportError, TransportErrorKind};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;
use tower_service::Service;

/// Finds the addresses of hosts: those that were given, or else the system's.
#[derive(Clone)]
pub(super) struct Resolver {
    given: Arc<[Given]>,
    system: GaiResolver,
}

/// The address of a host, or of all names below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    host: String,
    below: bool,
    address: IpAddr,
}

impl Given {
    /// `host` may begin with `*.`, which stands for one label or more.
    pub(super) fn new(host: &str, address: IpAddr) -> Self {
        let (host, below) = match host.strip_prefix("*.") {
            Some(host) => (host, true),
            None => (host, false),
        };
        Self {
            host: host.trim_end_matches('.').to_ascii_lowercase(),
            below,
            address,
        }
    }

    fn matches(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match host.strip_suffix(&self.host) {
            Some("") => !self.below,
            Some(labels) => self.below && labels.len() > 1 && labels.ends_with('.'),
            None => false,
        }
    }
}

impl Resolver {
    /// Of several that match a host, the first of `given` holds.
    pub(super) fn new(given: Vec<Given>) -> Self {
        Self {
            given: given.into(),
            system: GaiResolver::new(),
        }
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, TransportError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        if let Some(given) = self.given.iter().find(|one| one.matches(name.as_str())) {
            // The port is the URL's; the connector puts it in.
            let addresses = vec![SocketAddr::new(given.address, 0)];
            return Box::pin(async { Ok(addresses.into_iter()) });
        }
        let looking = self.system.call(name);
        Box::pin(async {
            let found = looking
                .await
                .map_err(|error| TransportError::new(TransportErrorKind::Resolve, error))?;
            Ok(found.collect::<Vec<_>>().into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn names_match() {
        let check = |pattern, host, expected| {
            let given = Given::new(pattern, Ipv4Addr::LOCALHOST.into());
            assert_eq!(given.matches(host), expected, "{pattern} {host}");
        };
        check("a.test", "a.test", true);
        check("A.Test", "a.tesT.", true);
        check("a.test", "b.a.test", false);
        check("a.test", "ba.test", false);
        check("*.a.test", "b.a.test", true);
        check("*.a.test", "c.b.a.test", true);
        check("*.a.test", "a.test", false);
        check("*.a.test", "ba.test", false);
        check("*.a.test", ".a.test", false);
        check("a.test", "test", false);
    }
}
