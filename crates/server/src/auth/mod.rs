//! Who asks, and what the hub's configuration lets them do. The decisions
//! themselves are the crate `tidings-auth`'s; this is where they are given
//! what they need: keys, the clock, and what a request presents.

mod fetch;
mod kept;
mod keyring;
mod keys;
mod refused;
mod revoke;
mod revoked;
mod settings;
mod standing;
mod tickets;
mod vault;
mod view;
mod who;

pub use kept::Kept;
pub use keyring::Keyring;
pub use keys::{Keys, check};
pub use refused::Refused;
pub use revoke::RevokeError;
pub use settings::{Mercure, Settings};
pub use standing::{Admitted, ConnectionId, Over, Standing, Standings, Wish};
pub use tickets::Random as TicketRandom;
pub use vault::{Vault, VaultError};
pub use who::{Use, Who};

use crate::config::ConfigErrors;
use crate::http::method::is_query;
use crate::hub::now;
use http::{HeaderMap, HeaderName, Method, Uri, header, request};
use refused::{Lines, Refusals};
use standing::Strangers;
use std::sync::Arc;
use tidings_auth::presented::{Parts, Presented, QUERY_PARAMETER, TICKET_PARAMETER};
use tidings_auth::{Face, Policy, Refusal, Revocations, Rights, administer, origin};
use tidings_mercure::Base;
use tidings_mercure::document::Metadata;
use url::form_urlencoded;
use view::Rules;

/// Who may do what at one hub.
pub struct Auth {
    settings: Settings,
    /// The hub's own origin, as browsers write it.
    own_origin: String,
    /// Where the metadata of the protected resource stand.
    metadata: Arc<str>,
    kept: Kept,
    rules: Arc<Rules>,
    strangers: Strangers,
    standings: Arc<Standings>,
    lines: Lines,
}

impl Auth {
    /// With what is kept from before. Must be called within a tokio runtime, if
    /// there are keys.
    pub fn new(settings: Settings, kept: Kept) -> Self {
        let rules = Arc::new(Rules {
            base: Arc::clone(&settings.base),
            open: settings.keyring.is_none() && !settings.application,
            anonymous: settings.anonymous.clone(),
            mercure_anonymous: settings.mercure.anonymous,
        });
        let standings = Arc::<Standings>::default();
        if let Some(keyring) = &settings.keyring {
            tokio::spawn(keyring::end_unvouched(keyring, &standings));
        }
        Self {
            own_origin: settings.base.hub().origin().ascii_serialization(),
            metadata: Metadata::url(&settings.base).into(),
            kept,
            strangers: Strangers::new(&rules),
            rules,
            standings,
            lines: Lines::new(settings.local),
            settings,
        }
    }

    /// The hub's own URLs.
    pub fn base(&self) -> &Arc<Base> {
        &self.settings.base
    }

    /// Whether the hub has no keys, and no application decides: everyone who reaches it may do everything,
    /// tokens aren't looked at, and streams need no standing.
    pub fn is_open(&self) -> bool {
        self.rules.open
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
        self.kept.revoked.snapshot()
    }

    /// What [`tidings_auth::authorize`] is to decide by.
    pub fn policy<'a>(&'a self, revocations: &'a Revocations) -> Policy<'a> {
        self.rules.policy(revocations)
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

    /// Writes down what has to be for a hub that starts again.
    pub fn close(&self) {
        self.kept.close();
    }

    /// Reads the files of the keys again; `None` if there are no keys. Answers
    /// what deserves a second thought.
    ///
    /// # Errors
    /// What is wrong with which key; then nothing has changed.
    pub fn reload(&self) -> Option<Result<Vec<String>, ConfigErrors>> {
        let keyring = self.settings.keyring.as_ref()?;
        Some(keyring.reload())
    }

    /// Whether the key that verified the token of these rights is still there.
    pub fn vouches(&self, rights: &Rights) -> bool {
        let keyring = self.settings.keyring.as_ref();
        keyring.is_none_or(|keyring| keyring.vouches(rights))
    }

    /// Whether the query presents a token or a ticket: then no page may tell
    /// the URL to another.
    pub fn is_in_query(&self, uri: &Uri) -> bool {
        let Some(query) = uri.query().filter(|_| !self.is_open()) else {
            return false;
        };
        let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
        names.any(|name| name == TICKET_PARAMETER || name == QUERY_PARAMETER)
    }

    /// Lets an operator pass to what is theirs: metrics, the admin API. On a hub
    /// without keys everyone is one.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn administer(&self, who: &Who) -> Result<(), Refused> {
        let revocations = self.revocations();
        let decision = administer(who.caller(), &self.policy(&revocations), now());
        decision.map_err(|refusal| self.refuse(refusal))
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
        let Some(keyring) = &self.settings.keyring else {
            // Whom the application has named, if the hub is in one.
            let named = head.extensions.get::<Who>();
            return Ok(named.cloned().unwrap_or(Who::Anonymous));
        };
        let presented = self.presented(head)?;
        let token = match &presented {
            Presented::Nothing => return Ok(Who::Anonymous),
            Presented::Ticket(ticket) => {
                let who = tickets::open(self, ticket, head, face)?;
                let is_gone = |rights: &Arc<Rights>| !keyring.vouches(rights);
                return match who.rights().is_some_and(is_gone) {
                    true => Err(Refusal::Unvouched),
                    false => Ok(who),
                };
            }
            Presented::Cookie(token) => {
                self.check_origin(head)?;
                token
            }
            Presented::Query(token) => {
                let rights = keyring.verify(token).await?;
                return match rights.may_stand_in_query() {
                    true => Ok(Who::Holder(rights)),
                    false => Err(Refusal::QueryToken),
                };
            }
            Presented::Bearer(token) => token,
        };
        keyring.verify(token).await.map(Who::Holder)
    }

    fn presented(&self, head: &request::Parts) -> Result<Presented, Refusal> {
        let parts = Parts {
            authorization: &values(&head.headers, header::AUTHORIZATION),
            cookie: &values(&head.headers, header::COOKIE),
            query: head.uri.query().unwrap_or_default(),
        };
        Presented::find(parts, &self.settings.presented)
    }

    /// A browser sends cookies on its own: what changes something by one has to
    /// come from a page that may.
    fn check_origin(&self, head: &request::Parts) -> Result<(), Refusal> {
        if [Method::GET, Method::HEAD, Method::OPTIONS].contains(&head.method)
            || is_query(&head.method)
        {
            return Ok(());
        }
        let origin = values(&head.headers, header::ORIGIN);
        let referer = values(&head.headers, header::REFERER);
        origin::check(&origin, &referer, &self.own_origin, &self.settings.origins)
    }
}

/// All values of a header, as they came.
fn values(headers: &HeaderMap, name: HeaderName) -> Vec<&[u8]> {
    let values = headers.get_all(name).iter();
    values.map(|value| value.as_bytes()).collect()
}
