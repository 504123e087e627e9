//! Who asks, and what the hub's configuration lets them do. The decisions
//! themselves are the crate `tidings-auth`'s; this is where they are given
//! what they need: keys, the clock, and what a request presents.

mod refused;
mod revoked;
mod tickets;
mod who;

pub use refused::Refused;
pub use who::Who;

use crate::hub::now;
use http::{Method, header, request};
use refused::{Lines, Refusals};
use revoked::Revoked;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tidings_auth::presented::{Options, Parts, Presented};
use tidings_auth::{Face, Policy, Refusal, Revocations, Verdict, Verifier, origin};
use tidings_engine::Selection;
use tidings_mercure::Base;
use tidings_mercure::document::Metadata;

/// What a hub's configuration says of who may do what.
#[derive(Debug)]
pub struct Settings {
    /// Where it is reached from outside.
    pub base: Arc<Base>,
    /// What verifies tokens; `None` for a hub without keys.
    pub verifier: Option<Verifier>,
    /// Whether a token may stand in the query: there is a legacy key.
    pub query_token: bool,
    /// The issuers that keys are configured for.
    pub issuers: Vec<String>,
    /// The native topics that may be watched without a token.
    pub anonymous: Selection,
    /// Cookies that hold a token, from the first to the last.
    pub cookies: Vec<String>,
    /// Origins of pages that may publish by cookie, besides the hub's own.
    pub origins: Vec<String>,
    /// Of the Mercure face.
    pub mercure: Mercure,
    /// Whether the hub can be reached from this machine alone, so that its log
    /// may say why each token is refused.
    pub local: bool,
}

/// Settings of the Mercure face.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mercure {
    /// Whoever has no token may watch public events.
    pub anonymous: bool,
    /// The subscription API and its events are there.
    pub subscriptions: bool,
    /// How long a stream lives at most.
    pub lifetime: Option<Duration>,
}

impl Settings {
    /// Of a hub without keys: everyone who reaches it may do everything.
    pub fn open(base: Base) -> Self {
        let Options { cookies, .. } = Options::default();
        Self {
            base: Arc::new(base),
            verifier: None,
            query_token: false,
            issuers: Vec::new(),
            anonymous: Selection::new(Vec::new()),
            cookies,
            origins: Vec::new(),
            mercure: Mercure::default(),
            local: true,
        }
    }
}

/// Who may do what at one hub.
pub struct Auth {
    settings: Settings,
    verifier: Option<RwLock<Verifier>>,
    /// The hub's own origin, as browsers write it.
    own_origin: String,
    /// Where the metadata of the protected resource stand.
    metadata: Arc<str>,
    revoked: Revoked,
    lines: Lines,
}

impl Auth {
    /// Nothing is revoked yet.
    pub fn new(mut settings: Settings) -> Self {
        let verifier = settings.verifier.take().map(RwLock::new);
        Self {
            verifier,
            own_origin: settings.base.hub().origin().ascii_serialization(),
            metadata: Metadata::url(&settings.base).into(),
            revoked: Revoked::default(),
            lines: Lines::new(settings.local),
            settings,
        }
    }

    /// The hub's own URLs.
    pub fn base(&self) -> &Arc<Base> {
        &self.settings.base
    }

    /// Whether the hub has no keys: everyone who reaches it may do everything,
    /// tokens aren't looked at, and streams need no standing.
    pub fn is_open(&self) -> bool {
        self.verifier.is_none()
    }

    /// The native topics that may be watched without a token.
    pub fn anonymous(&self) -> &Selection {
        &self.settings.anonymous
    }

    /// Settings of the Mercure face.
    pub fn mercure(&self) -> &Mercure {
        &self.settings.mercure
    }

    /// The issuers that keys are configured for.
    pub fn issuers(&self) -> &[String] {
        &self.settings.issuers
    }

    /// What is revoked at this moment. What stands for longer than a decision
    /// keeps the snapshot it began with.
    pub fn revocations(&self) -> Arc<Revocations> {
        self.revoked.snapshot()
    }

    /// Counts the changes of [`Self::revocations`].
    pub fn generation(&self) -> u64 {
        self.revoked.generation()
    }

    /// What [`tidings_auth::authorize`] is to decide by.
    pub fn policy<'a>(&'a self, revocations: &'a Revocations) -> Policy<'a> {
        Policy {
            open: self.is_open(),
            anonymous: &self.settings.anonymous,
            mercure_anonymous: self.settings.mercure.anonymous,
            revocations,
        }
    }

    /// Who makes a request: finds what it presents and verifies it. A token
    /// that isn't good is refused; nobody becomes anonymous in silence. A cookie
    /// that is to change something has to come from a page that may.
    ///
    /// # Errors
    /// [`Refused`], which is counted and logged.
    pub async fn caller(&self, head: &request::Parts, face: Face) -> Result<Who, Refused> {
        let who = self.verified(head, face).await;
        who.map_err(|refusal| self.refuse(refusal))
    }

    /// A refusal on its way to the wire: counts it, and tells the operator.
    pub fn refuse(&self, refusal: Refusal) -> Refused {
        self.lines.say(refusal);
        Refused::new(refusal, Arc::clone(&self.metadata))
    }

    /// How many refusals there were, by reason.
    pub fn refused(&self) -> &Refusals {
        self.lines.counted()
    }

    async fn verified(&self, head: &request::Parts, face: Face) -> Result<Who, Refusal> {
        let Some(verifier) = &self.verifier else {
            return Ok(Who::Anonymous);
        };
        let presented = self.presented(head, face)?;
        let token = match &presented {
            Presented::Nothing => return Ok(Who::Anonymous),
            Presented::Ticket(ticket) => return tickets::open(self, ticket, head),
            Presented::Cookie(token) => {
                self.check_origin(head)?;
                token
            }
            Presented::Bearer(token) | Presented::Query(token) => token,
        };
        let verdict = {
            let verifier = verifier.read().unwrap_or_else(PoisonError::into_inner);
            verifier.verify(token, now())
        };
        match verdict {
            Verdict::Verified(rights) => Ok(Who::Holder(rights)),
            Verdict::Refused(refusal) => Err(refusal),
            Verdict::NeedsKeys(_) => Err(Refusal::UnknownKey),
        }
    }

    fn presented(&self, head: &request::Parts, face: Face) -> Result<Presented, Refusal> {
        let values = |name| {
            let values = head.headers.get_all(name).iter();
            values.map(|value| value.as_bytes()).collect::<Vec<_>>()
        };
        let parts = Parts {
            authorization: &values(header::AUTHORIZATION),
            cookie: &values(header::COOKIE),
            query: head.uri.query().unwrap_or_default(),
        };
        let options = Options {
            cookies: self.settings.cookies.clone(),
            query_token: self.settings.query_token,
            cookie_yields: face == Face::Mercure,
        };
        Presented::find(parts, &options)
    }

    /// A browser sends cookies on its own: what changes something by one has to
    /// come from a page that may.
    fn check_origin(&self, head: &request::Parts) -> Result<(), Refusal> {
        let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&head.method)
            || head.method.as_str() == "QUERY";
        if reads {
            return Ok(());
        }
        let values = |name| {
            let values = head.headers.get_all(name).iter();
            values.map(|value| value.as_bytes()).collect::<Vec<_>>()
        };
        let (origin, referer) = (values(header::ORIGIN), values(header::REFERER));
        origin::check(&origin, &referer, &self.own_origin, &self.settings.origins)
    }
}
