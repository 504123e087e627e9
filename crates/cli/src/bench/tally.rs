//! What the subscribers have received: how much, how late, and what was wrong.

use super::payload::Told;
use hdrhistogram::Histogram;

/// How late an event can be to be told apart from later ones, in microseconds.
const LATEST: u64 = 600_000_000;

/// How the events are spread over publishers and topics.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// How many publishers there are.
    pub publishers: usize,
    /// How many topics; a publisher's event `n` goes to topic `n % topics`.
    pub topics: u64,
    /// How many events each publisher sends.
    pub each: u64,
}

impl Spread {
    /// How many events of one publisher go to `topic`.
    fn of_topic(self, topic: u64) -> u64 {
        (self.each + self.topics - 1 - topic) / self.topics
    }
}

/// What one subscriber has received of each publisher.
#[derive(Debug)]
pub struct Received {
    topic: u64,
    next: Box<[u64]>,
}

/// What all of them have.
#[derive(Debug)]
pub struct Tally {
    spread: Spread,
    /// Events of this run, each subscriber's first copy.
    pub deliveries: u64,
    /// Bytes of the streams, over HTTP/1.1 with the heads and chunks around them.
    pub bytes: u64,
    /// Events that a subscriber had before.
    pub duplicates: u64,
    /// Events that came after a later one.
    pub disorder: u64,
    /// Events of another topic or run.
    pub foreign: u64,
    /// When the last came, in nanoseconds since the run began.
    pub last: u64,
    /// From publish, or when a paced publisher was to publish, to receipt, in
    /// microseconds.
    pub latency: Histogram<u64>,
    /// What was sent before counts from then on, in nanoseconds since the run began.
    since: u64,
}

impl Received {
    /// A subscriber of topic number `topic`.
    pub fn new(spread: Spread, topic: u64) -> Self {
        Self {
            topic,
            next: vec![topic; spread.publishers].into(),
        }
    }
}

impl Tally {
    /// Nothing yet. Nobody was there to receive anything before `since`, in
    /// nanoseconds since the run began.
    pub fn new(spread: Spread, since: u64) -> Self {
        let latency = Histogram::new_with_max(LATEST, 3).expect("three digits can be kept");
        Self {
            spread,
            deliveries: 0,
            bytes: 0,
            duplicates: 0,
            disorder: 0,
            foreign: 0,
            last: 0,
            latency,
            since,
        }
    }

    /// Counts an event that came at `now`. What is skipped counts as lost; if
    /// it comes later, as out of order too.
    pub fn count(&mut self, subscriber: &mut Received, told: Told, now: u64) {
        let Spread { topics, each, .. } = self.spread;
        let Some(next) = subscriber.next.get_mut(told.publisher) else {
            self.foreign += 1;
            return;
        };
        if told.number % topics != subscriber.topic || told.number >= each {
            self.foreign += 1;
        } else if told.number + topics == *next {
            self.duplicates += 1;
        } else if told.number < *next {
            // A second copy of an older one, or an old one that came late:
            // only keeping all numbers could tell, and neither may be.
            self.disorder += 1;
        } else {
            *next = told.number + topics;
            self.deliveries += 1;
            self.last = self.last.max(now);
            self.latency
                .saturating_record(now.saturating_sub(told.sent.max(self.since)) / 1000);
        }
    }

    /// How many events `subscribers` of topics 0, 1, 2 … in turn should get.
    pub fn expected(&self, subscribers: u64) -> u64 {
        let Spread {
            publishers, topics, ..
        } = self.spread;
        let of_topic = |topic| {
            let watching = (subscribers + topics - 1 - topic) / topics;
            watching * self.spread.of_topic(topic)
        };
        (0..topics).map(of_topic).sum::<u64>() * publishers as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(topics: u64, topic: u64, numbers: &[u64], expect: [u64; 4]) {
        let spread = Spread {
            publishers: 2,
            topics,
            each: 10,
        };
        let mut tally = Tally::new(spread, 0);
        let mut received = Received::new(spread, topic);
        for number in numbers {
            let told = Told {
                publisher: 1,
                number: *number,
                sent: 1_000_000,
            };
            tally.count(&mut received, told, 3_000_000);
        }
        let got = [
            tally.deliveries,
            tally.duplicates,
            tally.disorder,
            tally.foreign,
        ];
        assert_eq!(got, expect, "{numbers:?}");
        assert_eq!(tally.latency.len(), tally.deliveries);
    }

    #[test]
    fn what_is_wrong_is_counted_as_what_it_is() {
        check(1, 0, &[0, 1, 2, 3], [4, 0, 0, 0]);
        check(1, 0, &[0, 1, 1, 2], [3, 1, 0, 0]);
        check(1, 0, &[0, 2, 1, 3], [3, 0, 1, 0]);
        check(1, 0, &[0, 3, 10, 11], [2, 0, 0, 2]);
        check(3, 1, &[1, 4, 7], [3, 0, 0, 0]);
        check(3, 1, &[1, 2, 4, 4], [2, 1, 0, 1]);
    }

    #[track_caller]
    fn check_expected(topics: u64, each: u64, subscribers: u64, expect: u64) {
        let spread = Spread {
            publishers: 2,
            topics,
            each,
        };
        let expected = Tally::new(spread, 0).expected(subscribers);
        assert_eq!(expected, expect * 2);
        // The same, one by one.
        let deliveries = (0..subscribers)
            .map(|subscriber| {
                let mine = |number: &u64| number % topics == subscriber % topics;
                (0..each).filter(mine).count() as u64
            })
            .sum::<u64>();
        assert_eq!(expected, deliveries * 2);
    }

    #[test]
    fn nobody_is_late_for_what_was_sent_before_it_came() {
        let spread = Spread {
            publishers: 1,
            topics: 1,
            each: 2,
        };
        // In microseconds: since when, sent, received; how late.
        for (since, sent, now, late) in [(0, 2, 8, 6), (5, 2, 8, 3), (5, 7, 9, 2)] {
            let mut tally = Tally::new(spread, since * 1000);
            let told = Told {
                publisher: 0,
                number: 0,
                sent: sent * 1000,
            };
            tally.count(&mut Received::new(spread, 0), told, now * 1000);
            assert_eq!(tally.latency.max(), late, "{since} {sent} {now}");
        }
    }

    #[test]
    fn what_is_expected() {
        check_expected(1, 10, 5, 50);
        check_expected(3, 10, 5, 17);
        check_expected(10, 10, 10, 10);
        check_expected(4, 2, 3, 2);
        check_expected(20, 10, 5, 5);
    }
}
