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
    /// As rights that take `most` bytes at most, which
    /// [`authorize`](crate::authorize()) decides by as by those of a token.
    ///
    /// # Errors
    /// [`Refusal::Rights`] if what is shown is too long, [`Refusal::TooMany`] if all
    /// together takes more.
    pub fn into_rights(self, most: usize) -> Result<Rights, Refusal> {
        if self.bytes() > most {
            return Err(Refusal::TooMany);
        }
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

    /// What the rights take in memory, rounded up.
    fn bytes(&self) -> usize {
        let selectors = self.publish.iter().chain(&self.subscribe);
        let selectors = selectors.map(|selector| SELECTOR_BYTES + selector.as_str().len());
        let subject = self.subject.as_ref().map_or(0, String::len);
        FIXED_BYTES + subject + selectors.sum::<usize>() + self.shown.as_ref().map_or(0, held)
    }
}

/// The rights themselves, and what stands for everything.
const FIXED_BYTES: usize = size_of::<Rights>() + 2 * SELECTOR_BYTES + 64;
/// A selector beside its text, which is allocated for itself.
const SELECTOR_BYTES: usize = size_of::<Selector>() + 32;
/// An object beside its entries, of which the map allocates some at once.
const OBJECT_BYTES: usize = 12 * ENTRY_BYTES;
const ENTRY_BYTES: usize = size_of::<String>() + size_of::<Value>();

/// What a value takes beside its own place: short JSON can be many small objects.
fn held(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len() + 16,
        Value::Array(all) => {
            let all = all.iter().map(|own| size_of::<Value>() + held(own));
            all.sum::<usize>() + 16
        }
        Value::Object(all) => {
            let all = all
                .iter()
                .map(|(key, own)| 2 * ENTRY_BYTES + key.len() + 16 + held(own));
            all.sum::<usize>() + OBJECT_BYTES
        }
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
    use super::super::{MAX_BYTES, MAX_PAYLOAD_BYTES, MIN_BYTES};
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
        let rights = given.into_rights(MAX_BYTES).unwrap();
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
        let may_watch = |given: Given| given.into_rights(MAX_BYTES).unwrap().may_watch();
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
        let rights = shown(MAX_PAYLOAD_BYTES - 2).into_rights(MAX_BYTES).unwrap();
        assert!(rights.payload("b", &base).is_some());
        let refused = shown(MAX_PAYLOAD_BYTES - 1).into_rights(MAX_BYTES);
        assert_eq!(refused.map(|_| ()), Err(Refusal::Rights));
    }

    fn check_bytes(given: Given, refused: bool) {
        let rights = given.into_rights(MAX_BYTES).map(drop);
        let expected = if refused {
            Err(Refusal::TooMany)
        } else {
            Ok(())
        };
        assert_eq!(rights, expected);
    }

    #[test]
    fn what_rights_take_is_bounded_together() {
        let topics = |count: usize| {
            let topic = |number| Selector::new(&format!("inbox/of/user/{number:08}")).unwrap();
            (0..count).map(topic).collect::<Vec<_>>()
        };
        let watch = |count| Given {
            subscribe: topics(count),
            ..Given::default()
        };
        check_bytes(watch(500), false);
        check_bytes(watch(2000), true);
        let both = Given {
            publish: topics(600),
            ..watch(600)
        };
        check_bytes(both, true);
        let subject = |length: usize| Given {
            subject: Some("x".repeat(length)),
            ..Given::default()
        };
        check_bytes(subject(1000), false);
        check_bytes(subject(MAX_BYTES), true);
        let shown = |shown| Given {
            shown: Some(shown),
            ..Given::default()
        };
        check_bytes(shown(json!({"name": "Ada", "roles": ["a", "b"]})), false);
        // However little an application allows, something can be granted.
        let small = Given {
            everything: true,
            publish: topics(5),
            shown: Some(json!({"name": "Ada"})),
            ..subject(100)
        };
        assert!(small.into_rights(MIN_BYTES).is_ok());
        // 3,500 bytes as JSON, each seven of which are a map.
        check_bytes(shown(json!(vec![json!({"": 0}); 500])), true);
    }
}
