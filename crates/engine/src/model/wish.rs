//! What a reader of the model watches and may see: as the engine has it, and
//! decided once more, naively.

use super::Sabotage;
use crate::{
    Frame, MercureSelector, Published, Selection, Selector, Sight, Topic, Visibility, mercure,
};
use std::any::Any;
use std::sync::{Arc, OnceLock};
use tidings_codec::fixtures::Random;
use tidings_matcher::{Base, Matcher};

/// Native ones, exact and wildcards, and rules of Mercure's with their kind.
const RULES: [&str; 21] = [
    "a",
    "b",
    "a/a",
    "a/b",
    "b/a",
    "a/b/a",
    "$h/a",
    "nobody",
    "*",
    "**",
    "a/*",
    "*/a",
    "a/**",
    "*/*",
    "$h/*",
    "a/*/a",
    "b/**",
    "$mercure/**",
    A_TEMPLATE,
    ALL_TEMPLATE,
    X_PATTERN,
];

const A_TEMPLATE: &str = "template https://hub.example/t/a/{x}";
const ALL_TEMPLATE: &str = "template {+any}";
const X_PATTERN: &str = "pattern https://x.example/*";

pub(super) struct Wish {
    pub selection: Selection,
    rules: Vec<&'static str>,
    sight: Option<NaiveSight>,
}

/// Shows what is not private, or nothing, and the events of some topics.
#[derive(Debug, Clone)]
struct NaiveSight {
    /// Whether even what isn't private has to be granted.
    strict: bool,
    grants: Vec<&'static str>,
    /// Takes every other sight for the same.
    trusting: bool,
}

impl Wish {
    pub fn random(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let mut random = Random::new(seed);
        let mut some = |most: usize| -> Vec<&'static str> {
            let count = random.below(most);
            (0..count)
                .map(|_| RULES[random.below(RULES.len())])
                .collect()
        };
        let (rules, grants) = (some(5), some(3));
        // Often the same, so that what sets two apart is what they may see.
        let rules = match random.below(3) {
            0 => vec!["**"],
            _ => rules,
        };
        let sight = random.below(5).checked_sub(2).map(|kind| NaiveSight {
            strict: kind > 0,
            grants,
            trusting: sabotage == Some(Sabotage::Trust),
        });
        let selection = Selection::new(rules.iter().flat_map(|rule| selectors(rule)).collect());
        let selection = match &sight {
            None => selection,
            Some(_) if sabotage == Some(Sabotage::Leak) => selection.with_sight(all()),
            Some(sight) => selection.with_sight(Arc::new(sight.clone())),
        };
        Self {
            selection,
            rules,
            sight,
        }
    }

    /// Whether its reader is to be given an event.
    pub fn wants(&self, frame: &Frame) -> bool {
        self.wants_by(frame, |_| true)
    }

    /// As [`Wish::wants`], by way of topics alone for which `also` holds.
    pub fn wants_by(&self, frame: &Frame, also: impl Fn(&Topic) -> bool) -> bool {
        let event = frame.published();
        let watched = |topic: &&Topic| self.rules.iter().any(|rule| naive(rule, topic.as_str()));
        let shown = match &self.sight {
            None => event.visibility != Visibility::Private,
            Some(sight) => sight.shows(&event),
        };
        shown && event.topics().filter(watched).any(also)
    }
}

impl Sight for NaiveSight {
    fn shows(&self, event: &Published<'_>) -> bool {
        let granted = |topic: &Topic| self.grants.iter().any(|rule| naive(rule, topic.as_str()));
        let open = !self.strict && event.visibility != Visibility::Private;
        open || event.topics().any(granted)
    }

    fn is_same(&self, other: &dyn Sight) -> bool {
        let other: &dyn Any = other;
        let other = other.downcast_ref::<Self>();
        other.is_some_and(|other| {
            self.trusting || (self.strict, &self.grants) == (other.strict, &other.grants)
        })
    }
}

/// Shows everything.
fn all() -> Arc<NaiveSight> {
    Arc::new(NaiveSight {
        strict: true,
        grants: vec!["**", "$mercure/**", "$h/**"],
        trusting: false,
    })
}

fn base() -> &'static Arc<Base> {
    static BASE: OnceLock<Arc<Base>> = OnceLock::new();
    BASE.get_or_init(|| Arc::new(Base::new("https://hub.example").expect("a URL")))
}

/// The native topic of a Mercure one.
pub(super) fn mercure_topic(text: &str) -> Topic {
    mercure::from_mercure(text, base()).expect("it can be in a log")
}

fn selectors(rule: &str) -> Vec<Selector> {
    let matcher = match rule.split_once(' ') {
        None => return vec![Selector::new(rule).expect("a selector")],
        Some(("template", text)) => Matcher::selector(text).expect("a template"),
        Some((_, text)) => Matcher::url_pattern(text, base()).expect("a pattern"),
    };
    MercureSelector::selectors(&matcher, base())
}

/// Whether a rule selects a native topic.
fn naive(rule: &str, topic: &str) -> bool {
    match rule {
        A_TEMPLATE => naive("a/*", topic),
        ALL_TEMPLATE => !topic.starts_with('$') || topic.starts_with("$mercure/"),
        X_PATTERN => topic.starts_with("$mercure/https:/%/x.example/"),
        _ if rule.starts_with('*') && topic.starts_with('$') => false,
        _ => {
            let (rule, topic): (Vec<_>, Vec<_>) =
                (rule.split('/').collect(), topic.split('/').collect());
            naive_segments(&rule, &topic)
        }
    }
}

fn naive_segments(rule: &[&str], topic: &[&str]) -> bool {
    match (rule, topic) {
        ([], []) => true,
        (["**"], [_, ..]) => true,
        ([own, rule @ ..], [segment, topic @ ..]) => {
            (own == segment || *own == "*") && naive_segments(rule, topic)
        }
        _ => false,
    }
}
