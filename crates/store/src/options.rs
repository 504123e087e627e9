//! What an operator can set.

use crate::format::{DATA_START, record};
use tidings_engine::{Position, Selection, Selector, Topic};

/// How a store behaves. Every field has a bound or a default that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The length of a segment file, in bytes. Retention drops whole
    /// segments, and a start scans one. Made smaller where the retention
    /// allows few bytes.
    pub segment_bytes: u64,
    /// What is kept.
    pub retention: Retention,
    /// How long repetitions are recognised.
    pub idempotency: Idempotency,
    /// The longest entry (topics, id and fields together), in bytes.
    pub max_entry_bytes: usize,
    /// How much memory the filters of publisher ids may take, in bytes;
    /// those of the oldest segments stay on disk beyond it.
    pub filter_bytes: usize,
    /// How much may wait to be written, in bytes of records.
    pub queue_bytes: u64,
}

/// The window in which a repeated idempotency key is recognised: while both
/// bounds hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idempotency {
    /// How old the first use may be, in milliseconds.
    pub age_ms: u64,
    /// Among how many of the last keys it must be.
    pub count: usize,
}

/// What is kept. The first rule whose selector watches a topic covers it;
/// the default covers what no rule does.
///
/// An event with several topics counts under the limits of each of them, and
/// expires from each by itself: it is there for who watches `a` as long as the
/// rule of `a` keeps it, whatever becomes of it under `b`.
///
/// Whole segments are dropped from the old end of the log, so events of a
/// rule that keeps longer than the default occupy the segments they share
/// with others until both may go; and the bytes of all limits together bound
/// the disk, whatever the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// For topics that no rule covers.
    pub default: Limits,
    /// In order of precedence.
    pub rules: Vec<(Selector, Limits)>,
}

/// Bounds on what is kept; events beyond any of them are served no more.
/// `None` is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The greatest age, in milliseconds.
    pub age_ms: Option<u64>,
    /// The greatest number of events.
    pub events: Option<u64>,
    /// The greatest number of bytes on disk.
    pub bytes: Option<u64>,
}

impl Limits {
    /// No bounds.
    pub const NONE: Self = Self {
        age_ms: None,
        events: None,
        bytes: None,
    };
}

impl Default for Retention {
    /// 1 GiB and 7 days.
    fn default() -> Self {
        Self {
            default: Limits {
                age_ms: Some(7 * 24 * 3_600_000),
                events: None,
                bytes: Some(1 << 30),
            },
            rules: Vec::new(),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            retention: Retention::default(),
            idempotency: Idempotency {
                age_ms: 600_000,
                count: 100_000,
            },
            max_entry_bytes: 4 << 20,
            filter_bytes: 16 << 20,
            queue_bytes: 64 << 20,
        }
    }
}

impl Options {
    /// Offsets are stored in 32 bits, in units of 8 bytes.
    pub(crate) const MAX_SEGMENT: u64 = 8 << 30;
    const MIN_SEGMENT: u64 = DATA_START + 16 * record::MIN;
    /// How many segments the allowed bytes should at least be divided into.
    const MIN_SEGMENTS: u64 = 16;
    const MIN_DIVIDED_SEGMENT: u64 = 16 * 1024;

    /// The length of a segment that the retention leaves room for.
    pub(crate) fn effective_segment_bytes(&self) -> u64 {
        let wanted = self
            .segment_bytes
            .clamp(Self::MIN_SEGMENT, Self::MAX_SEGMENT);
        let bytes = match self.retention.total_bytes() {
            Some(total) => wanted.min((total / Self::MIN_SEGMENTS).max(Self::MIN_DIVIDED_SEGMENT)),
            None => wanted,
        };
        bytes.next_multiple_of(4096)
    }
}

/// Which limits cover a topic: a rule's number, or the number of rules for
/// the default.
pub(crate) type Class = usize;

impl Retention {
    /// What all limits allow on disk together; `None` without a bound.
    pub fn total_bytes(&self) -> Option<u64> {
        let default = self.default.bytes?;
        let rules = self.rules.iter().filter_map(|(_, limits)| limits.bytes);
        Some(rules.fold(default, u64::saturating_add))
    }

    pub(crate) fn class(&self, topic: &Topic) -> Class {
        let rule = self
            .rules
            .iter()
            .position(|(selector, _)| selector.matches(topic));
        rule.unwrap_or(self.rules.len())
    }

    /// Calls `f` with each class that one of an event's topics has, once.
    pub(crate) fn each_class<'t>(
        &self,
        mut topics: impl Iterator<Item = &'t Topic>,
        mut f: impl FnMut(Class),
    ) {
        let Some(canonical) = topics.next().filter(|_| !self.rules.is_empty()) else {
            return f(self.rules.len());
        };
        let alternates: Vec<Class> = topics.map(|topic| self.class(topic)).collect();
        let first = self.class(canonical);
        f(first);
        if alternates.iter().any(|class| *class != first) {
            let mut is_counted = vec![false; self.classes()];
            is_counted[first] = true;
            for class in alternates {
                if !std::mem::replace(&mut is_counted[class], true) {
                    f(class);
                }
            }
        }
    }

    pub(crate) fn classes(&self) -> usize {
        self.rules.len() + 1
    }

    pub(crate) fn limits(&self, class: Class) -> Limits {
        self.rules
            .get(class)
            .map_or(self.default, |(_, limits)| *limits)
    }

    /// The classes that a selection's topics can belong to.
    pub(crate) fn classes_of(&self, selection: &Selection) -> Vec<Class> {
        let mut classes = vec![false; self.classes()];
        for selector in selection.selectors() {
            self.mark_classes(selector, &mut classes);
        }
        (0..classes.len()).filter(|class| classes[*class]).collect()
    }

    fn mark_classes(&self, selector: &Selector, classes: &mut [bool]) {
        for (class, (rule, _)) in self.rules.iter().enumerate() {
            classes[class] |= rule.overlaps(selector);
            if rule.covers(selector) {
                return;
            }
        }
        classes[self.rules.len()] = true;
    }
}

/// Per class, the last position that is served no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Horizons(pub Vec<Position>);

impl Horizons {
    pub fn serves(&self, class: Class, position: Position) -> bool {
        position > self.0[class]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_has_the_classes_its_topics_can_have() {
        let limits = Limits::NONE;
        let selector = |s: &str| Selector::new(s).unwrap();
        let retention = Retention {
            default: limits,
            rules: vec![(selector("a/**"), limits), (selector("*/x"), limits)],
        };
        for (text, want) in [
            ("a/1", vec![0]),
            ("a/*", vec![0]),
            ("b/x", vec![1]),
            ("b/*", vec![1, 2]),
            ("**", vec![0, 1, 2]),
            ("c", vec![2]),
        ] {
            let selection = Selection::new(vec![selector(text)]);
            assert_eq!(retention.classes_of(&selection), want, "{text}");
        }
    }

    #[test]
    fn few_allowed_bytes_make_small_segments() {
        let mut options = Options::default();
        assert_eq!(options.effective_segment_bytes(), 16 << 20);
        options.retention.default.bytes = Some(1 << 20);
        assert_eq!(options.effective_segment_bytes(), 64 << 10);
    }
}
