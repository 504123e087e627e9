//! What a visitor of the application may do at its hub.

use crate::auth::Who;
use crate::http::{Code, Problem};
use http::StatusCode;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use tidings_auth::Refusal;
use tidings_auth::rights::Given;
use tidings_engine::{Limits, Selector, Timestamp, Topic};

/// What a visitor may do, as the application decides it for each request.
/// [`Access::nothing`] until something is granted.
///
/// A stream holds on to it: what is granted, the identity and what is shown take
/// [`Limits::standing_bytes`](crate::Limits::standing_bytes) in memory at most (64 KiB
/// if that is 0: room for 600 topics), or nothing is granted, and the log says why
/// (`tracing`, at the level of errors). For more topics there are patterns.
///
/// A stream keeps what it began with: whoever loses a right in the middle of one
/// keeps what that stream shows until it ends, by [`Access::until`] at the latest.
/// It comes back by itself, and is asked again.
#[derive(Clone)]
pub struct Access(Verdict);

#[derive(Clone)]
enum Verdict {
    Granted(Box<Given>),
    Refused(StatusCode),
    Later,
}

impl Access {
    /// Nothing: whatever is asked for is answered by `403`.
    pub fn nothing() -> Self {
        Self(Verdict::Granted(Box::default()))
    }

    /// Everything: to publish and watch all topics, what is the operator's too.
    pub fn everything() -> Self {
        Self::nothing().with(|given| {
            given.everything = true;
            given.admin = true;
        })
    }

    /// The request is answered with this status and a problem document, whatever
    /// it asks for: `401` for somebody who has to sign in. It ends an
    /// `EventSource` for good.
    pub fn refuse(status: StatusCode) -> Self {
        Self(Verdict::Refused(status))
    }

    /// It can't be decided now: who asks for a stream is told to come back, by a
    /// stream that ends at once; others are answered by `503`.
    pub fn later() -> Self {
        Self(Verdict::Later)
    }

    /// The same, and to watch these topics and patterns, their history and who
    /// is present included. `*` in them is a pattern: text that comes from outside
    /// goes to [`Access::watch_topic`].
    #[must_use]
    pub fn watch<S: AsRef<str>>(self, selectors: impl IntoIterator<Item = S>) -> Self {
        self.with(|given| given.subscribe.extend(valid(selectors)))
    }

    /// The same, and to watch this topic. It is no pattern, whatever stands in it.
    #[must_use]
    pub fn watch_topic(self, topic: &str) -> Self {
        self.with(|given| given.subscribe.extend(exact(topic)))
    }

    /// The same, and to publish to these topics and patterns.
    /// `*` in them is a pattern: text that comes from outside goes to
    /// [`Access::publish_topic`].
    #[must_use]
    pub fn publish<S: AsRef<str>>(self, selectors: impl IntoIterator<Item = S>) -> Self {
        self.with(|given| given.publish.extend(valid(selectors)))
    }

    /// The same, and to publish to this topic. It is no pattern, whatever stands
    /// in it.
    #[must_use]
    pub fn publish_topic(self, topic: &str) -> Self {
        self.with(|given| given.publish.extend(exact(topic)))
    }

    /// The same, and what is the operator's: metrics, the admin API, `$sys`. No
    /// topic comes with it.
    #[must_use]
    pub fn admin(self) -> Self {
        self.with(|given| given.admin = true)
    }

    /// The same, of somebody: streams of one identity are one member where it is
    /// told who is present, and an `Idempotency-Key` is its publisher's own. The
    /// text itself is shown to nobody.
    #[must_use]
    pub fn identity(self, identity: impl Into<String>) -> Self {
        let identity = identity.into();
        self.with(|given| given.subject = Some(identity))
    }

    /// The same, and this is what others are shown of them where it is told who is
    /// present: at most 4 KiB as JSON, or nothing is granted.
    #[must_use]
    pub fn shown(self, shown: serde_json::Value) -> Self {
        self.with(|given| given.shown = Some(shown))
    }

    /// The same until then: streams end, and come back to be decided anew.
    #[must_use]
    pub fn until(self, end: SystemTime) -> Self {
        let since_epoch = end.duration_since(SystemTime::UNIX_EPOCH);
        let millis =
            since_epoch.map_or(0, |end| u64::try_from(end.as_millis()).unwrap_or(u64::MAX));
        self.with(|given| given.expires = Some(Timestamp(millis)))
    }

    fn with(mut self, change: impl FnOnce(&mut Given)) -> Self {
        if let Verdict::Granted(given) = &mut self.0 {
            change(given);
        }
        self
    }

    /// Whoever asks, to everything that decides.
    pub(in crate::embed) fn decide(self, limits: &Limits) -> Result<Who, Unheard> {
        let most = limits.standing_bytes;
        match self.0 {
            Verdict::Granted(given) => match given.into_rights(most) {
                Ok(rights) => Ok(Who::Holder(Arc::new(rights))),
                Err(refusal) => {
                    match refusal {
                        Refusal::TooMany => tracing::error!(
                            most,
                            "what a visitor is granted takes more than limits.standing_bytes: \
                             grant patterns instead of topics, or raise it"
                        ),
                        _ => {
                            tracing::error!("what is to be shown of a visitor is longer than 4 KiB")
                        }
                    }
                    Ok(Who::Anonymous)
                }
            },
            Verdict::Refused(status) => {
                let detail = "the application refuses this request";
                let problem = Problem::new(Code::NotGranted, detail).with_status(status);
                Err(Unheard::Never(problem))
            }
            Verdict::Later => Err(Unheard::Later),
        }
    }
}

/// Somebody whose request isn't looked at.
pub(in crate::embed) enum Unheard {
    /// With this answer.
    Never(Problem),
    /// Now.
    Later,
}

impl fmt::Debug for Access {
    /// Not what is granted to whom.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

/// Those that are selectors. The others grant nothing, and the operator is told.
fn valid<S: AsRef<str>>(selectors: impl IntoIterator<Item = S>) -> Vec<Selector> {
    let selectors = selectors.into_iter();
    let selectors = selectors.map(|text| Selector::new(text.as_ref()));
    let told = selectors.filter_map(|selector| {
        let tell = |reason: &_| tracing::error!(%reason, "a grant has no selector");
        selector.inspect_err(tell).ok()
    });
    told.collect()
}

fn exact(topic: &str) -> Option<Selector> {
    let tell = |reason: &_| tracing::error!(%reason, "a grant has no topic");
    let topic = Topic::new(topic).inspect_err(tell);
    topic.ok().map(Selector::Exact)
}
