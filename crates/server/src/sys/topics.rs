//! `$sys/topics`: where something is published.

use super::LISTED;
use super::room::Room;
use crate::hub::now;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidings_engine::{Frame, Timestamp, Topic};

/// How many topics are counted. When there are more, those that had least since the
/// last document are forgotten.
const MAX_TOPICS: usize = 4096;

/// Counts by topic, while somebody watches.
#[derive(Debug, Default)]
pub struct Counting {
    on: AtomicBool,
    table: Mutex<Table>,
}

impl Counting {
    /// Begins to count, if it hasn't.
    pub fn start(&self) {
        if !self.on.swap(true, Ordering::Relaxed) {
            *self.table() = Table::new(now());
        }
    }

    /// Stops, and forgets all.
    pub fn stop(&self) {
        if self.on.swap(false, Ordering::Relaxed) {
            *self.table() = Table::default();
        }
    }

    /// Counts what has just become durable: at no cost, unless it was started.
    pub fn count(&self, frames: &[Arc<Frame>]) {
        if !self.on.load(Ordering::Relaxed) {
            return;
        }
        let mut table = self.table();
        for frame in frames {
            table.count(frame.topic(), frame.payload_len(), frame.time());
        }
    }

    /// What was counted; rates begin anew.
    pub fn document(&self, now: Timestamp) -> Topics {
        self.table().document(now)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The members of the document, in order.
#[derive(Debug, Serialize)]
pub struct Topics {
    /// Milliseconds since the Unix epoch.
    time: u64,
    /// How many topics had events since counting began.
    count: usize,
    /// The busiest of them, as far as there is room for their names.
    topics: Vec<Busy>,
    /// Whether there are others.
    more: bool,
    /// Whether topics were forgotten, so that `count` says too little, and `events` of
    /// a topic that came back begins anew.
    approximate: bool,
}

#[derive(Debug, Serialize)]
struct Busy {
    topic: String,
    /// Since counting began.
    events: u64,
    /// Events a second, and bytes of event stream a second, since the last document.
    rate: f64,
    bytes_rate: f64,
    /// When the last came, in milliseconds since the Unix epoch.
    last: u64,
}

/// What was counted.
#[derive(Debug, Default)]
struct Table {
    topics: HashMap<Topic, Count>,
    since: Timestamp,
    forgot: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    events: u64,
    /// Since the last document.
    recent: u64,
    recent_bytes: u64,
    last: Timestamp,
}

impl Table {
    fn new(since: Timestamp) -> Self {
        Self {
            since,
            ..Self::default()
        }
    }

    fn count(&mut self, topic: &Topic, bytes: usize, time: Timestamp) {
        if self.topics.len() >= MAX_TOPICS && !self.topics.contains_key(topic) {
            self.forget();
        }
        // A topic is cloned only when it is new.
        let count = match self.topics.get_mut(topic) {
            Some(count) => count,
            None => self.topics.entry(topic.clone()).or_default(),
        };
        count.events += 1;
        count.recent += 1;
        count.recent_bytes += bytes as u64;
        count.last = time;
    }

    /// Makes room for as many as it keeps: so it costs little for each that comes.
    fn forget(&mut self) {
        let rank = |count: &Count| (count.recent, count.last, count.events);
        let mut ranks: Vec<_> = self.topics.values().map(rank).collect();
        let (_, middle, _) = ranks.select_nth_unstable(MAX_TOPICS / 2);
        let middle = *middle;
        self.topics.retain(|_, count| rank(count) > middle);
        self.forgot = true;
    }

    fn document(&mut self, now: Timestamp) -> Topics {
        let seconds = now.0.saturating_sub(self.since.0).max(1) as f64 / 1000.0;
        let rate = |count: u64| (count as f64 / seconds * 1000.0).round() / 1000.0;
        let mut busiest: Vec<_> = self
            .topics
            .iter()
            .map(|(topic, own)| (topic.clone(), *own))
            .collect();
        busiest.sort_by(|(a, own), (b, other)| {
            let key = |count: &Count| (count.recent, count.last, count.events);
            key(other).cmp(&key(own)).then_with(|| a.cmp(b))
        });
        let mut room = Room::new();
        busiest.retain(|(topic, _)| room.takes(topic.as_str()));
        busiest.truncate(LISTED);
        let topics = busiest.iter().map(|(topic, own)| Busy {
            topic: topic.as_str().to_owned(),
            events: own.events,
            rate: rate(own.recent),
            bytes_rate: rate(own.recent_bytes),
            last: own.last.0,
        });
        let document = Topics {
            time: now.0,
            count: self.topics.len(),
            topics: topics.collect(),
            more: self.topics.len() > busiest.len() || self.forgot,
            approximate: self.forgot,
        };
        for count in self.topics.values_mut() {
            (count.recent, count.recent_bytes) = (0, 0);
        }
        self.since = now;
        document
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> Topic {
        Topic::new(text).unwrap()
    }

    fn names(document: &Topics) -> Vec<&str> {
        document.topics.iter().map(|own| &*own.topic).collect()
    }

    #[test]
    fn the_busiest_come_first_and_rates_are_of_the_time_between() {
        let mut table = Table::new(Timestamp(10_000));
        for n in 0..6 {
            table.count(&topic("news"), 50, Timestamp(10_100 + n));
        }
        table.count(&topic("a"), 7, Timestamp(10_200));
        let document = table.document(Timestamp(12_000));
        let text = serde_json::to_string(&document).unwrap();
        let news = r#"{"topic":"news","events":6,"rate":3.0,"bytes_rate":150.0,"last":10105}"#;
        let a = r#"{"topic":"a","events":1,"rate":0.5,"bytes_rate":3.5,"last":10200}"#;
        assert_eq!(
            text,
            format!(
                r#"{{"time":12000,"count":2,"topics":[{news},{a}],"more":false,"approximate":false}}"#
            )
        );
        table.count(&topic("a"), 7, Timestamp(12_500));
        let document = table.document(Timestamp(13_000));
        assert_eq!(names(&document), ["a", "news"]);
        assert_eq!(document.topics[0].events, 2);
        assert_eq!(document.topics[1].rate, 0.0);
    }

    #[test]
    fn many_topics_take_bounded_room_and_the_busy_ones_stay() {
        let mut table = Table::new(Timestamp(0));
        for n in 0..50_000_u64 {
            table.count(&topic(&format!("t/{n}")), 1, Timestamp(n));
            if n % 10 == 0 {
                table.count(&topic("busy"), 1, Timestamp(n));
            }
            assert!(table.topics.len() <= MAX_TOPICS);
        }
        let document = table.document(Timestamp(60_000));
        assert_eq!(names(&document)[0], "busy");
        assert_eq!(document.topics[0].events, 5_000);
        assert_eq!(document.topics.len(), LISTED);
        assert!(document.more && document.approximate);
    }

    #[test]
    fn topics_that_are_all_alike_make_room_too() {
        let mut table = Table::new(Timestamp(0));
        for n in 0..MAX_TOPICS + 1 {
            table.count(&topic(&format!("t/{n}")), 1, Timestamp(0));
        }
        assert!(table.topics.len() <= MAX_TOPICS && table.topics.contains_key("t/4096"));
    }

    #[test]
    fn nothing_is_counted_before_it_is_started_and_after_it_is_stopped() {
        let counting = Counting::default();
        let frame = |n| {
            let event = tidings_engine::Event {
                topic: topic("a"),
                alternates: Box::default(),
                visibility: tidings_engine::Visibility::Native,
                event_type: None,
                id: None,
                retry: None,
                data: "x".into(),
            };
            let entry = event.into_entry(Timestamp(n), None);
            let log = tidings_engine::LogId(1);
            vec![Arc::new(Frame::new(
                log,
                tidings_engine::Position(n),
                entry,
            ))]
        };
        counting.count(&frame(1));
        counting.start();
        counting.count(&frame(2));
        counting.start();
        assert_eq!(counting.document(Timestamp(9)).topics[0].events, 1);
        counting.stop();
        counting.count(&frame(3));
        assert_eq!(counting.document(Timestamp(9)).count, 0);
    }
}
