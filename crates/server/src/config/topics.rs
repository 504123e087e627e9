//! `[[retention.topics]]` and `[[stream.topics]]`: what holds for some topics.

use super::rules::Rule;
use super::tables::Keys;
use super::value::{ByteSize, Limit, Setting};
use std::time::Duration;
use tidings_engine::Selector;
use tidings_engine::slow::SlowPolicy;

/// Retention of the topics that a selector matches. An age or a number that
/// isn't given is that of `[retention]`.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicRetention {
    /// A topic or a pattern.
    pub selector: Selector,
    /// The greatest age of their events.
    pub age: Option<Limit<Duration>>,
    /// The size on disk of their events, together; without it they have no
    /// bound of their own, only that of the whole log.
    pub bytes: Option<Limit<ByteSize>>,
    /// The number of their events, together.
    pub events: Option<Limit<u64>>,
}

impl Rule for TopicRetention {
    const ARRAY: &'static str = "retention.topics";
    const WANTED: &'static str = "a table such as { selector = \"orders/**\", age = \"30d\" }";
    const NOTHING: &'static str = "no bound is given: write age, bytes or events";

    fn selector(&self) -> &Selector {
        &self.selector
    }

    fn write(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("age", self.age.as_ref().map(Setting::to_toml)),
            ("bytes", self.bytes.as_ref().map(Setting::to_toml)),
            ("events", self.events.as_ref().map(Setting::to_toml)),
        ]
    }

    fn read(selector: Selector, keys: &mut Keys<'_>) -> Self {
        Self {
            selector,
            age: keys.take("age"),
            bytes: keys.take("bytes"),
            events: keys.take("events"),
        }
    }
}

/// What becomes of slow watchers of the topics that a selector matches.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicStream {
    /// A topic or a pattern.
    pub selector: Selector,
    /// What becomes of a watcher that can't keep up; that of `[stream]` if it
    /// isn't given.
    pub slow: Option<SlowPolicy>,
}

impl Rule for TopicStream {
    const ARRAY: &'static str = "stream.topics";
    const WANTED: &'static str = "a table such as { selector = \"cursors/*\", slow = \"latest\" }";
    const NOTHING: &'static str = "nothing is said of these topics: write slow";

    fn selector(&self) -> &Selector {
        &self.selector
    }

    fn write(&self) -> Vec<(&'static str, Option<String>)> {
        vec![("slow", self.slow.as_ref().map(Setting::to_toml))]
    }

    fn read(selector: Selector, keys: &mut Keys<'_>) -> Self {
        Self {
            selector,
            slow: keys.take("slow"),
        }
    }
}
