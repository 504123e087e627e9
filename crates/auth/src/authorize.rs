//! The one question that every path asks: publishing, live delivery, replay,
//! pages of history and presence, on either face. There is no difference
//! between live and replayed events here, so there can be none elsewhere.

use crate::Refusal;
use crate::names::TopicName;
use crate::revocation::Revocations;
use crate::rights::Rights;
use crate::rights::grants::Grants;
use tidings_engine::{Selection, Selector, Timestamp, Topic, Visibility, own};
use tidings_mercure::Base;

/// Allowed, or refused for one reason.
pub type Decision = Result<(), Refusal>;

/// Who asks. A request that presents a token which isn't good is refused; it is
/// never asked for as [`Caller::Anonymous`].
#[derive(Debug, Clone, Copy)]
pub enum Caller<'a> {
    /// Nobody is named.
    Anonymous,
    /// Who holds a token with these rights.
    Token(&'a Rights),
}

/// A face of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Face {
    /// `/t/...` and `/events`.
    Native,
    /// `/.well-known/mercure`.
    Mercure,
}

/// What is to be done with an event, or with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// To publish an event: private or not, the same right is needed.
    Publish,
    /// To be given an event, live or from history.
    Receive {
        /// Through which face.
        face: Face,
        /// How it was published.
        visibility: Visibility,
    },
    /// To see who is connected to a topic.
    Presence,
}

/// What the hub's configuration says. [`Policy::closed`] is the default.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// A hub without keys that lets everyone who reaches it publish and watch.
    /// Private events stay with those who hold a grant, so with nobody.
    pub open: bool,
    /// The native topics that may be watched without a token.
    pub anonymous: &'a Selection,
    /// Mercure's directive `anonymous`: its face may be used without a token,
    /// and shows public events.
    pub mercure_anonymous: bool,
    /// What has been revoked.
    pub revocations: &'a Revocations,
}

impl<'a> Policy<'a> {
    /// A hub with keys that opens nothing to those without a token.
    pub fn closed(anonymous: &'a Selection, revocations: &'a Revocations) -> Self {
        Self {
            open: false,
            anonymous,
            mercure_anonymous: false,
            revocations,
        }
    }
}

/// Decides. `topics` are all topics of the event, the canonical one and its
/// alternates: publishing needs a grant on each, receiving on one. What the hub
/// tells of itself ([`own::SYS`]) is decided as by [`administer`], whatever is
/// granted on topics or open to all.
///
/// # Errors
/// Everything that no rule allows, with the reason.
pub fn authorize(
    caller: Caller<'_>,
    action: Action,
    topics: &[TopicName<'_>],
    policy: &Policy<'_>,
    now: Timestamp,
) -> Decision {
    let token = standing(caller, policy, now)?;
    if topics.is_empty() {
        return Err(Refusal::NoTopic);
    }
    // What tells who is present is seen by those who may see who is present.
    if let (Action::Receive { .. }, [told]) = (action, topics)
        && let Some(at) = told.present_at()
    {
        return authorize(caller, Action::Presence, &[at], policy, now);
    }
    if action != Action::Publish && topics.iter().any(TopicName::is_sys) {
        return operate(token, policy);
    }
    let by = |grants: fn(&Rights) -> &Grants, topic: &TopicName<'_>| {
        token.is_some_and(|rights| {
            grants(rights).grant(topic) && !policy.revocations.withdraw(rights, topic, now)
        })
    };
    let may_watch = |topic: &TopicName<'_>| by(|rights| &rights.subscribe, topic);
    let refusal = match (token, action) {
        (None, _) => Refusal::Anonymous,
        (Some(_), Action::Publish) => Refusal::PublishNotGranted,
        (Some(_), _) => Refusal::SubscribeNotGranted,
    };
    let allowed = match action {
        Action::Publish => {
            if topics.iter().any(TopicName::is_reserved) {
                return Err(Refusal::Reserved);
            }
            let may_publish = |topic: &TopicName<'_>| by(|rights| &rights.publish, topic);
            policy.open || topics.iter().all(may_publish)
        }
        Action::Presence => policy.open || topics.iter().all(may_watch),
        Action::Receive { face, visibility } => {
            // What is shown to all costs no look at what is granted.
            is_shown(topics, visibility, face, policy) && may_see(face, token, policy)
                || topics.iter().any(may_watch)
        }
    };
    if allowed { Ok(()) } else { Err(refusal) }
}

/// Decides about what is the operator's: the admin API and metrics. A hub
/// without keys has no tokens to tell its operator by.
///
/// # Errors
/// A missing token, one that doesn't count any more, or one without the claim.
pub fn administer(caller: Caller<'_>, policy: &Policy<'_>, now: Timestamp) -> Decision {
    operate(standing(caller, policy, now)?, policy)
}

/// Whether somebody whose token counts, if there is one, is an operator.
fn operate(token: Option<&Rights>, policy: &Policy<'_>) -> Decision {
    match token {
        _ if policy.open => Ok(()),
        None => Err(Refusal::Anonymous),
        Some(rights) if rights.admin => Ok(()),
        Some(_) => Err(Refusal::NotAdmin),
    }
}

/// Whether somebody holds a token that counts at this moment, whatever it
/// grants.
///
/// # Errors
/// A missing token, or one that doesn't count any more.
pub fn identify(caller: Caller<'_>, policy: &Policy<'_>, now: Timestamp) -> Decision {
    let token = standing(caller, policy, now)?;
    token.map(drop).ok_or(Refusal::Anonymous)
}

/// The rights of a token that counts at this moment. One that doesn't any more
/// is refused, also for what nobody would need a token for.
fn standing<'a>(
    caller: Caller<'a>,
    policy: &Policy<'_>,
    now: Timestamp,
) -> Result<Option<&'a Rights>, Refusal> {
    match caller {
        Caller::Anonymous => Ok(None),
        Caller::Token(rights) if rights.has_expired(now) => Err(Refusal::Expired),
        Caller::Token(rights) if policy.revocations.revoke(rights, now) => Err(Refusal::Revoked),
        Caller::Token(rights) => Ok(Some(rights)),
    }
}

/// Whether an event is shown to all who may use a face.
fn is_shown(
    topics: &[TopicName<'_>],
    visibility: Visibility,
    face: Face,
    policy: &Policy<'_>,
) -> bool {
    let opened = || {
        let mut native = topics.iter().filter_map(TopicName::as_native);
        policy.open || native.any(|topic| policy.anonymous.matches(topic))
    };
    match (visibility, face) {
        (Visibility::Private, _) => false,
        (Visibility::Public, Face::Mercure) => true,
        (Visibility::Public, Face::Native) | (Visibility::Native, _) => opened(),
    }
}

/// Whether a watcher may use a face without a grant.
fn may_see(face: Face, token: Option<&Rights>, policy: &Policy<'_>) -> bool {
    match face {
        Face::Native => true,
        Face::Mercure => {
            policy.open || policy.mercure_anonymous || token.is_some_and(Rights::may_watch)
        }
    }
}

/// What a watcher asks for when a stream, or a page of history, begins.
#[derive(Debug, Clone, Copy)]
pub enum Admission<'a> {
    /// The native face: each of these selectors has to be granted as a whole,
    /// so that nobody takes part of an answer for all of it.
    Native(&'a Selection, &'a Base),
    /// The Mercure face: whatever is asked for; routing grants nothing. A token
    /// has to be of a key that is for watching ([`Rights::may_watch`]).
    Mercure,
}

impl Admission<'_> {
    /// Whether the stream may begin. What it is given is still decided event by
    /// event, by [`authorize`].
    ///
    /// # Errors
    /// A token that doesn't count any more, a missing one, or a selector that
    /// isn't granted.
    pub fn check(self, caller: Caller<'_>, policy: &Policy<'_>, now: Timestamp) -> Decision {
        let token = standing(caller, policy, now)?;
        match self {
            Self::Mercure if may_see(Face::Mercure, token, policy) => Ok(()),
            Self::Mercure => Err(match token {
                None => Refusal::Anonymous,
                Some(_) => Refusal::SubscribeNotGranted,
            }),
            Self::Native(asked, base) => {
                if asked.selectors().is_empty() {
                    return Err(Refusal::NoTopic);
                }
                let mut asked = asked.selectors().iter();
                asked.try_for_each(|selector| match selector {
                    Selector::Exact(topic) => exact(topic, base, caller, policy, now),
                    Selector::Pattern(_) | Selector::Mercure(_) => pattern(selector, token, policy),
                })
            }
        }
    }
}

fn exact(
    topic: &Topic,
    base: &Base,
    caller: Caller<'_>,
    policy: &Policy<'_>,
    now: Timestamp,
) -> Decision {
    let action = Action::Receive {
        face: Face::Native,
        visibility: Visibility::Native,
    };
    let topic = [TopicName::native(topic, base)];
    authorize(caller, action, &topic, policy, now)
}

fn pattern(selector: &Selector, token: Option<&Rights>, policy: &Policy<'_>) -> Decision {
    if own::is_sys(selector.as_str()) {
        return operate(token, policy);
    }
    let mut opened = policy.anonymous.selectors().iter();
    let granted = token.is_some_and(|rights| rights.subscribe.cover(selector));
    if policy.open || granted || opened.any(|own| own.covers(selector)) {
        return Ok(());
    }
    Err(match token {
        None => Refusal::Anonymous,
        Some(_) => Refusal::SubscribeNotGranted,
    })
}
