//! What becomes of a stream whose reader can't keep up.

use crate::{Selection, Selector, Topic};

/// What a hub does for a reader that is slower than its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SlowPolicy {
    /// The stream ends, so that the reader comes back and resumes where it was.
    #[default]
    Disconnect,
    /// The events in between are left out, and the stream says so.
    Gap,
    /// Of what waits, each topic's newest event is given.
    Latest,
}

impl SlowPolicy {
    /// The word for it in settings and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::Gap => "gap",
            Self::Latest => "latest",
        }
    }
}

/// Which policy holds for which topics: that of the first rule whose selector
/// matches, or else the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlowRules {
    rules: Box<[(Selector, SlowPolicy)]>,
    default: SlowPolicy,
}

impl SlowRules {
    /// Rules in the order in which they are asked, and what holds without one.
    pub fn new(
        rules: impl IntoIterator<Item = (Selector, SlowPolicy)>,
        default: SlowPolicy,
    ) -> Self {
        Self {
            rules: rules.into_iter().collect(),
            default,
        }
    }

    /// The policy of a topic.
    pub fn of_topic(&self, topic: &Topic) -> SlowPolicy {
        let rule = self.rules.iter().find(|(rule, _)| rule.matches(topic));
        rule.map_or(self.default, |(_, policy)| *policy)
    }

    /// The policy of a subscription: the one that holds for every topic it can
    /// ever watch. Where several would, or that can't be said for certain, it is
    /// [`SlowPolicy::Disconnect`], which loses nothing.
    pub fn policy(&self, selection: &Selection) -> SlowPolicy {
        if self.rules.is_empty() {
            return self.default;
        }
        let mut policies = selection
            .selectors()
            .iter()
            .map(|selector| self.of_selector(selector));
        let first = policies.next().unwrap_or(Some(self.default));
        match first {
            Some(first) if policies.all(|policy| policy == Some(first)) => first,
            _ => SlowPolicy::Disconnect,
        }
    }

    /// The one policy of all topics that `selector` watches; `None` if there may
    /// be several. A rule that takes a part of them decides for that part only.
    fn of_selector(&self, selector: &Selector) -> Option<SlowPolicy> {
        let mut of_parts = None;
        let mut agrees = |policy| *of_parts.get_or_insert(policy) == policy;
        for (rule, policy) in &self.rules {
            let whole = rule.covers(selector);
            if (whole || rule.overlaps(selector)) && !agrees(*policy) {
                return None;
            }
            if whole {
                return Some(*policy);
            }
        }
        agrees(self.default).then_some(self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::SlowPolicy::{Disconnect, Gap, Latest};
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn selector(text: &str) -> Selector {
        Selector::new(text).unwrap()
    }

    fn rules(given: &[(&str, SlowPolicy)], default: SlowPolicy) -> SlowRules {
        let given = given.iter().map(|(text, policy)| (selector(text), *policy));
        SlowRules::new(given, default)
    }

    fn selection(texts: &str) -> Selection {
        Selection::new(texts.split_whitespace().map(selector).collect())
    }

    #[test]
    fn one_policy_for_all_that_a_subscription_watches() {
        let of = rules(
            &[
                ("cursors/me", Disconnect),
                ("cursors/*", Latest),
                ("prices/eu/*", Gap),
                ("prices/**", Latest),
                ("$stats/**", Gap),
            ],
            Gap,
        );
        let check = |texts: &str, expected| {
            assert_eq!(of.policy(&selection(texts)), expected, "{texts}");
        };
        check("", Gap);
        check("news", Gap);
        check("news other/**", Gap);
        check("cursors/you", Latest);
        check("cursors/me", Disconnect);
        check("cursors/you/too", Gap);
        // The first rule takes one topic of the pattern away.
        check("cursors/*", Disconnect);
        check("cursors/**", Disconnect);
        check("cursors/you cursors/them", Latest);
        check("cursors/you prices/us/x", Latest);
        check("cursors/you news", Disconnect);
        check("prices/us/*", Latest);
        check("prices/eu/*", Gap);
        check("prices/eu/* news", Gap);
        check("prices/eu/*/x", Latest);
        check("prices/*", Latest);
        check("prices/**", Disconnect);
        check("prices/*/*", Disconnect);
        // It goes beyond what a rule covers.
        check("*", Gap);
        check("**", Disconnect);
        check("*/x", Disconnect);
        // Reserved topics are matched by who spells them only.
        check("$stats/a", Gap);
        check("$stats/*", Gap);
        check("$other/*", Gap);
    }

    #[test]
    fn rules_that_agree_with_what_is_left_decide_nothing() {
        let of = rules(&[("a/x", Latest), ("a/*", Latest)], Latest);
        for texts in ["a/*", "a/**", "**", "a/x b"] {
            assert_eq!(of.policy(&selection(texts)), Latest, "{texts}");
        }
        assert_eq!(rules(&[], Gap).policy(&selection("** a b/*")), Gap);
    }

    proptest! {
        /// Whatever is said of a subscription holds for each topic that it
        /// watches; and where all selectors are topics, nothing is given away.
        #[test]
        fn no_topic_of_a_subscription_has_another_policy(
            rules in vec((any_selector(), any_policy()), 0..5),
            default in any_policy(),
            selectors in vec(any_selector(), 1..4),
        ) {
            let of = SlowRules::new(rules, default);
            let selection = Selection::new(selectors);
            let policy = of.policy(&selection);
            let topics = all_topics();
            let watched = topics.iter().filter(|topic| selection.matches(topic));
            let mut policies: Vec<_> = watched.map(|topic| of.of_topic(topic)).collect();
            policies.dedup();
            if policy != Disconnect {
                prop_assert!(policies.iter().all(|own| *own == policy));
            }
            let (_, patterns) = selection.parts();
            if let ([own], []) = (&policies[..], patterns) {
                prop_assert_eq!(policy, *own);
            }
        }
    }

    const SEGMENTS: [&str; 4] = ["a", "b", "c", "$r"];

    fn all_topics() -> Vec<Topic> {
        let mut paths: Vec<String> = SEGMENTS.iter().map(ToString::to_string).collect();
        let mut start = 0;
        for _ in 0..2 {
            let end = paths.len();
            for n in start..end {
                let longer = SEGMENTS
                    .iter()
                    .map(|segment| format!("{}/{segment}", paths[n]));
                paths.extend(longer.collect::<Vec<_>>());
            }
            start = end;
        }
        paths.iter().map(|path| Topic::new(path).unwrap()).collect()
    }

    fn any_selector() -> impl Strategy<Value = Selector> {
        let segment = prop_oneof![Just("*"), select(&SEGMENTS[..])];
        (vec(segment, 1..4), any::<bool>()).prop_map(|(mut segments, rest)| {
            if rest {
                *segments.last_mut().unwrap() = "**";
            }
            selector(&segments.join("/"))
        })
    }

    fn any_policy() -> impl Strategy<Value = SlowPolicy> {
        select(&[Disconnect, Gap, Latest][..])
    }
}
