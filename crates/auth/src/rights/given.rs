//! Rights that no token grants: an application that the hub is embedded in
//! decides by itself who may do what.

use super::Rights;
use super::grants::Grants;
use crate::Refusal;
use serde_json::Value;
use tidings_engine::{Selector, Timestamp};

/// What an application grants. Nothing by default.
#[derive(Clone, Default)]
pub struct Given {
    /// Where may be published.
    pub publish: Vec<Selector>,
    /// What may be watched.
    pub subscribe: Vec<Selector>,
    /// Everything may be published and watched, by any name on either face.
    pub everything: bool,
    /// See [`Rights::admin`].
    pub admin: bool,
    /// Who it is: several streams of one subject are one person's.
    pub subject: Option<String>,
    /// What others are shown of them: at most [`MAX_PAYLOAD_BYTES`](super::MAX_PAYLOAD_BYTES) as JSON.
    pub shown: Option<Value>,
    /// From then on nothing is granted.
    pub expires: Option<Timestamp>,
}

impl Given {
    /// As rights, which [`authorize`](crate::authorize()) decides by as by those of a
    /// token.
    ///
    /// # Errors
    /// [`Refusal::Rights`] if what is shown is too long.
    pub fn into_rights(self) -> Result<Rights, Refusal> {
        let mut rights = Rights {
            admin: self.admin,
            subject: self.subject,
            expires: self.expires,
            by_application: true,
            ..Rights::default()
        };
        rights.publish.add_native(self.publish);
        rights.subscribe.add_native(self.subscribe);
        if self.everything {
            rights.publish.join(all());
            rights.subscribe.join(all());
        }
        if let Some(shown) = &self.shown {
            rights.show(shown)?;
        }
        Ok(rights)
    }
}

/// Every topic, by its native name and by any of Mercure's.
fn all() -> Grants {
    let mut all = Grants::everything();
    all.add_native(Selector::new("**").into_iter().collect());
    all
}

#[cfg(test)]
mod tests {
    use super::super::MAX_PAYLOAD_BYTES;
    use super::*;
    use crate::{Base, TopicName};
    use serde_json::json;
    use tidings_engine::Topic;

    fn base() -> Base {
        Base::new("https://hub.example").unwrap()
    }

    fn selectors(texts: &[&str]) -> Vec<Selector> {
        let selector = |text: &&str| Selector::new(text).unwrap();
        texts.iter().map(selector).collect()
    }

    fn check(given: Given, topic: &str, (publish, subscribe): (bool, bool)) {
        let rights = given.into_rights().unwrap();
        let (base, topic) = (base(), Topic::new(topic).unwrap());
        let name = TopicName::native(&topic, &base);
        assert_eq!(rights.publish.grant(&name), publish, "to publish {topic}");
        assert_eq!(rights.subscribe.grant(&name), subscribe, "to watch {topic}");
    }

    #[test]
    fn what_is_given_is_granted_and_nothing_else() {
        let given = || Given {
            publish: selectors(&["a"]),
            subscribe: selectors(&["a/*", "b"]),
            ..Given::default()
        };
        check(given(), "a", (true, false));
        check(given(), "a/x", (false, true));
        check(given(), "b", (false, true));
        check(given(), "c", (false, false));
        check(Given::default(), "a", (false, false));
        let everything = Given {
            everything: true,
            ..Given::default()
        };
        check(everything, "any/thing", (true, true));
    }

    #[test]
    fn watching_by_mercure_needs_something_to_watch() {
        let may_watch = |given: Given| given.into_rights().unwrap().may_watch();
        assert!(!may_watch(Given::default()));
        let subscribe = selectors(&["b"]);
        assert!(may_watch(Given {
            subscribe,
            ..Given::default()
        }));
    }

    #[test]
    fn what_is_shown_is_bounded() {
        let shown = |length: usize| Given {
            shown: Some(json!("x".repeat(length))),
            ..Given::default()
        };
        let base = base();
        let rights = shown(MAX_PAYLOAD_BYTES - 2).into_rights().unwrap();
        assert!(rights.payload("b", &base).is_some());
        let refused = shown(MAX_PAYLOAD_BYTES - 1).into_rights();
        assert_eq!(refused.map(|_| ()), Err(Refusal::Rights));
    }
}
