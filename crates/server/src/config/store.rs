//! The store's options as the configuration gives them.

use super::{ByteSize, Config, Limit, TopicRetention};
use std::time::Duration;
use tidings_engine::limits::{ID_BYTES, TOPICS_BYTES};
use tidings_store::{Idempotency, Limits, Options, Retention};

impl Config {
    /// How the hub's store behaves.
    pub fn store_options(&self) -> Options {
        let kept = &self.retention;
        Options {
            retention: Retention {
                default: limits(kept.age, kept.bytes, kept.events),
                rules: kept
                    .topics
                    .iter()
                    .map(|rule| (rule.selector.clone(), self.rule(rule)))
                    .collect(),
            },
            idempotency: Idempotency {
                age_ms: millis(self.publish.idempotency_age),
                count: self.publish.idempotency_count,
            },
            max_entry_bytes: self.limits.event_wire_bytes.as_usize() + TOPICS_BYTES + ID_BYTES,
            queue_bytes: self.limits.publish_queue_bytes.0,
            ..Options::default()
        }
    }

    /// A rule's age and count are those of `[retention]` where it gives none.
    /// Its bytes aren't: they would come on top of those of `[retention]`, as
    /// often as there are rules.
    fn rule(&self, rule: &TopicRetention) -> Limits {
        limits(
            rule.age.unwrap_or(self.retention.age),
            rule.bytes.unwrap_or(Limit::Unlimited),
            rule.events.unwrap_or(self.retention.events),
        )
    }
}

fn limits(age: Limit<Duration>, bytes: Limit<ByteSize>, events: Limit<u64>) -> Limits {
    Limits {
        age_ms: age.at_most().map(millis),
        bytes: bytes.at_most().map(|size| size.0),
        events: events.at_most(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::File;
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_store() {
        let options = Config::default().store_options();
        let max_entry_bytes = (2 << 20) + (256 << 10) + 256;
        let expected = Options {
            max_entry_bytes,
            ..Options::default()
        };
        assert_eq!(options, expected);
    }

    #[test]
    fn rules_inherit_age_and_count_but_not_bytes() {
        let text = "[retention]\nage = \"1d\"\nbytes = \"1GiB\"\nevents = 5\n\
                    [[retention.topics]]\nselector = \"a/**\"\nage = \"none\"\n\
                    [[retention.topics]]\nselector = \"b\"\nbytes = \"3MiB\"\nevents = 7\n";
        let file = File {
            name: "tidings.toml".to_owned(),
            text: text.to_owned(),
        };
        let retention = Config::load(Some(&file), [], &[])
            .unwrap()
            .store_options()
            .retention;
        let day = 86_400_000;
        let of = |age_ms, bytes, events| Limits {
            age_ms,
            bytes,
            events,
        };
        assert_eq!(retention.default, of(Some(day), Some(1 << 30), Some(5)));
        let rules: Vec<_> = retention
            .rules
            .iter()
            .map(|(s, l)| (s.as_str(), *l))
            .collect();
        assert_eq!(
            rules,
            [
                ("a/**", of(None, None, Some(5))),
                ("b", of(Some(day), Some(3 << 20), Some(7))),
            ]
        );
    }
}
