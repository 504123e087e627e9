use super::Listeners;
use crate::InvalidRequest;
use crate::protocol::{Cors, Credentials, Options, Policy};
use tidings_codec::Limits;
use url::{Origin, Url};

/// How an [`EventSource`](super::EventSource) is made: the dictionary of the
/// standard (A1), and what a browser knows from the page.
#[derive(Debug, Clone)]
pub struct EventSourceInit {
    /// `withCredentials` (A1, R1): whether cookies go to other origins too. It
    /// means something where `origin` is set.
    pub with_credentials: bool,
    /// What a relative URL is resolved against, as a browser does with that of
    /// the page. `None`: the URL must be absolute.
    pub base: Option<Url>,
    /// The origin of the page. Set, a server of another origin must allow the
    /// page to read its stream (R9), and gets cookies only with
    /// `with_credentials` (R1). `None`: nobody's page, so no checks, and cookies
    /// go wherever the transport's jar, if it has one, says.
    pub origin: Option<Origin>,
    /// [`Policy::standard`] unless set: what browsers do. With one where the end
    /// of a body is the end of the stream, that closes without an event.
    pub policy: Policy,
    /// Bounds of what a server may make us hold. The standard has none.
    pub limits: Limits,
    /// Who listens from the start. Listeners that are added to an EventSource
    /// that runs on another thread already may miss what happens at once, like
    /// the `error` of a refused connection; these can't.
    pub listeners: Listeners,
}

impl Default for EventSourceInit {
    fn default() -> Self {
        Self {
            with_credentials: false,
            base: None,
            origin: None,
            policy: Policy::standard(),
            limits: Limits::default(),
            listeners: Listeners::new(),
        }
    }
}

impl EventSourceInit {
    /// A1: the URL against the base; an empty one is the base itself.
    pub(super) fn resolve(&self, url: &str) -> Result<Url, InvalidRequest> {
        let parsed = Url::options().base_url(self.base.as_ref()).parse(url);
        parsed.map_err(|_| InvalidRequest::Url)
    }

    pub(super) fn options(&self, url: Url, seed: u64) -> Options {
        let credentials = if self.with_credentials {
            Credentials::Include
        } else {
            Credentials::SameOrigin
        };
        let cors = self.origin.clone().map(|origin| Cors {
            origin,
            credentials,
        });
        Options {
            limits: self.limits,
            cors,
            seed,
            ..Options::new(url, self.policy)
        }
    }
}
