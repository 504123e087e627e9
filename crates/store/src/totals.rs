//! How much of each class a segment holds. An event counts once in each class
//! that one of its topics has: it is served, and its segment kept, while one of
//! these classes serves it. (See [`crate::retention`].)

use crate::index::{IndexFile, Joint, LiveIndex};
use crate::options::{Class, Retention};
use std::io;
use tidings_engine::Topic;

/// Events and bytes of one class in one segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub events: u64,
    pub bytes: u64,
}

/// Counts an event of these topics, whose record is so long.
pub(crate) fn count<'t>(
    totals: &mut [Total],
    retention: &Retention,
    topics: impl Iterator<Item = &'t Topic>,
    bytes: u64,
) {
    retention.each_class(topics, |class| {
        totals[class].events += 1;
        totals[class].bytes += bytes;
    });
}

/// The totals of a segment, out of its index file.
pub(crate) fn of_index(index: &IndexFile, retention: &Retention) -> io::Result<Vec<Total>> {
    let mut tally = Tally::new(retention);
    if retention.rules.is_empty() {
        tally.totals[0] = Total {
            events: index.head().records,
            bytes: index.head().end,
        };
        return Ok(tally.totals);
    }
    index.each_topic(|entry| {
        let topic = Topic::new(&entry.name);
        tally.add_topic(topic.as_ref().ok(), entry.postings, entry.bytes);
    })?;
    index.each_joint(|joint| tally.add_joint(joint))?;
    Ok(tally.totals)
}

/// The totals of a segment, out of its index in memory.
pub(crate) fn of_live(live: &LiveIndex, retention: &Retention) -> Vec<Total> {
    let mut tally = Tally::new(retention);
    for (topic, postings) in &live.topics {
        tally.add_topic(Some(topic), postings.offsets.len() as u64, postings.bytes);
    }
    live.joints()
        .iter()
        .for_each(|joint| tally.add_joint(joint));
    tally.totals
}

/// Counts by topics, and takes back what that counted twice.
struct Tally<'r> {
    retention: &'r Retention,
    totals: Vec<Total>,
    /// Of each topic, in the order of the index.
    classes: Vec<Option<Class>>,
}

impl<'r> Tally<'r> {
    fn new(retention: &'r Retention) -> Self {
        Self {
            retention,
            totals: vec![Total::default(); retention.classes()],
            classes: Vec::new(),
        }
    }

    fn add_topic(&mut self, topic: Option<&Topic>, events: u64, bytes: u64) {
        let class = topic.map(|topic| self.retention.class(topic));
        self.classes.push(class);
        if let Some(class) = class {
            let total = &mut self.totals[class];
            total.events += events;
            total.bytes += bytes;
        }
    }

    /// Of a record whose topics are all added.
    fn add_joint(&mut self, joint: &Joint) {
        let numbers = joint.topics.iter().map(|number| *number as usize);
        let classes = numbers.filter_map(|number| self.classes.get(number).copied().flatten());
        let mut classes: Vec<Class> = classes.collect();
        classes.sort_unstable();
        for pair in classes.windows(2).filter(|pair| pair[0] == pair[1]) {
            let total = &mut self.totals[pair[0]];
            total.events = total.events.saturating_sub(1);
            total.bytes = total.bytes.saturating_sub(joint.bytes);
        }
    }
}
