//! A refusal on its way to the wire: what the operator is told of it, and what
//! whoever asked is.

use crate::http::{Code, Problem};
use crate::occasional::Occasional;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use std::sync::Arc;
use std::time::Instant;
use tidings_auth::{Answer, Refusal};

/// A refusal that has been counted and logged. As a [`Problem`] it is what RFC
/// 6750 section 3.1 asks for; the Mercure face of 0.x differs
/// ([`Self::in_0x`]).
#[derive(Debug, Clone)]
pub struct Refused {
    refusal: Refusal,
    metadata: Arc<str>,
    old: bool,
}

impl Refused {
    pub(super) fn new(refusal: Refusal, metadata: Arc<str>) -> Self {
        Self {
            refusal,
            metadata,
            old: false,
        }
    }

    /// The one reason.
    #[cfg(test)]
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// Whether the same request may be granted in a while. Who asked for an
    /// event stream is told so by one that ends at once.
    pub fn is_transient(&self) -> bool {
        self.refusal.answer() == Answer::Later
    }

    /// As Mercure 0.x says it: 401 where the token doesn't grant what is asked.
    #[must_use]
    pub fn in_0x(self) -> Self {
        Self { old: true, ..self }
    }

    /// `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1).
    fn challenge(&self) -> String {
        let mut challenge = format!("Bearer resource_metadata=\"{}\"", self.metadata);
        let answer = self.refusal.answer();
        if let Some(error) = answer.error() {
            challenge.push_str(&format!(", error=\"{error}\""));
        }
        if let Answer::Forbidden(scope) = answer {
            challenge.push_str(&format!(", scope=\"{}\"", scope.name()));
        }
        challenge
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        // All faults of a token look alike from outside.
        let (code, detail) = match refused.refusal.answer() {
            Answer::BadRequest => (Code::BadRequest, refused.refusal.to_string()),
            Answer::TokenNeeded => (
                Code::TokenNeeded,
                "a token is needed, such as Authorization: Bearer ...".to_owned(),
            ),
            Answer::InvalidToken => (
                Code::InvalidToken,
                "the token isn't good here; its issuer or the hub's operator can say why \
                 (tidings token inspect)"
                    .to_owned(),
            ),
            Answer::Forbidden(_) if refused.old => (Code::TokenNeeded, refused.refusal.to_string()),
            Answer::Forbidden(_) => (Code::NotGranted, refused.refusal.to_string()),
            Answer::Never if refused.refusal == Refusal::CrossSite => {
                (Code::OriginNotAllowed, refused.refusal.to_string())
            }
            Answer::Never => (Code::ReservedTopic, refused.refusal.to_string()),
            Answer::Later => (Code::Busy, refused.refusal.to_string()),
        };
        let challenges = !matches!(refused.refusal.answer(), Answer::Never | Answer::Later)
            && refused.refusal != Refusal::NoTopic;
        let problem = Self::new(code, detail);
        match challenges {
            true => problem.challenging(refused.challenge()),
            false => problem,
        }
    }
}

/// Refusals by reason.
pub type Refusals = Family<[(&'static str, &'static str); 1], Counter>;

/// What the log says of refusals, and how many there were.
pub struct Lines {
    local: bool,
    said: Vec<Occasional>,
    counted: Refusals,
}

impl Lines {
    pub fn new(local: bool) -> Self {
        Self {
            local,
            said: Refusal::ALL.iter().map(|_| Occasional::default()).collect(),
            counted: Family::default(),
        }
    }

    /// One line for each reason, at most every few seconds; on a hub that
    /// others can reach it would be theirs to fill.
    pub fn say(&self, refusal: Refusal) {
        let reason = refusal.label();
        self.counted.get_or_create(&[("reason", reason)]).inc();
        let place = Refusal::ALL.iter().position(|own| *own == refusal);
        let line = place.and_then(|place| self.said.get(place));
        let Some(times) = line.and_then(|line| line.count(Instant::now())) else {
            return;
        };
        match self.local {
            true => tracing::warn!(reason, times, "a request was refused: {refusal}"),
            false => tracing::debug!(reason, times, "a request was refused: {refusal}"),
        }
    }

    /// For the metrics.
    pub fn counted(&self) -> &Refusals {
        &self.counted
    }
}
