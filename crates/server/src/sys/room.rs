//! What the texts of a document may take. Topics are whole or left out, as whoever is
//! told of one may go and watch it.

/// A text of at most so many bytes always fits.
const SHORT: usize = 256;
/// What longer ones may take in one document, together, in bytes.
const LONG_BYTES: usize = 16 << 10;

/// The room that a document has for long texts: whoever watches or publishes by topics
/// of thousands of bytes makes it no longer than that, and so what else is said in the
/// own log stays there for those who are slow.
#[derive(Debug)]
pub struct Room {
    left: usize,
}

impl Room {
    /// That of one document.
    pub fn new() -> Self {
        Self { left: LONG_BYTES }
    }

    /// Whether `text` fits; it takes its room then.
    pub fn takes(&mut self, text: &str) -> bool {
        let bytes = text.len();
        if bytes <= SHORT {
            return true;
        }
        let fits = bytes <= self.left;
        self.left -= if fits { bytes } else { 0 };
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::own::{Own, OwnWatch};
    use crate::sys::survey::{Survey, Told, Transport};
    use crate::sys::{Counting, Document, INTERVAL, LISTED, LISTS, connections};
    use http::Version;
    use std::sync::Arc;
    use std::time::Duration;
    use tidings_engine::presence::LIST_BYTES;
    use tidings_engine::{
        Event, Frame, Limits, LogId, Position, Selection, Selector, Timestamp, Topic, Visibility,
    };

    #[test]
    fn short_texts_always_fit_and_long_ones_share() {
        let mut room = Room::new();
        let (short, long) = ("x".repeat(SHORT), "x".repeat(LONG_BYTES / 4));
        for _ in 0..1000 {
            assert!(room.takes(&short));
        }
        let took = (0..10).filter(|_| room.takes(&long)).count();
        assert_eq!(took, 4);
        assert!(!room.takes(&"x".repeat(SHORT + 1)) && room.takes(&short));
    }

    /// A topic of so many bytes, each of which JSON writes as two.
    fn topic(number: usize, bytes: usize) -> Topic {
        let text = format!("{number}/");
        let quotes = "\"".repeat(bytes - text.len());
        Topic::new(&(text + &quotes)).unwrap()
    }

    /// Something is published at topics, of which every second is as long as they get.
    fn publish(counting: &Counting) {
        for number in 0..4 * LISTED {
            let bytes = [SHORT, Topic::MAX_BYTES][number % 2];
            let event = Event {
                topic: topic(number, bytes),
                alternates: Box::default(),
                visibility: Visibility::Native,
                event_type: None,
                id: None,
                retry: None,
                data: "x".into(),
            };
            let entry = event.into_entry(Timestamp(u64::MAX / 2), None);
            let frame = Frame::new(LogId(1), Position(1), entry);
            counting.count(&[Arc::new(frame)]);
        }
    }

    /// Streams that watch such topics.
    fn streams() -> Survey {
        let told = |number| Told {
            id: format!("l{number}-{}", u64::MAX),
            peer: Some([u16::MAX; 8].into()),
            transport: Transport::Http(Version::HTTP_11),
            secure: false,
            since: u64::MAX,
            topics: [SHORT, Topic::MAX_BYTES, SHORT]
                .map(|bytes| topic(number, bytes).as_str().to_owned())
                .into(),
            more_topics: 997,
            lag_bytes: u64::MAX,
            given: u64::MAX,
        };
        Survey {
            streams: LISTED,
            most: (0..LISTED).map(told).collect(),
            ..Survey::default()
        }
    }

    #[test]
    fn a_document_tells_how_much_more_there_is() {
        let document = connections::document(streams(), Timestamp(1));
        let read = serde_json::to_value(&document).unwrap();
        for (number, told) in (0..).zip(read["connections"].as_array().unwrap()) {
            let topics = told["topics"].as_array().unwrap().len();
            assert_eq!(
                topics,
                if number < LONG_BYTES / Topic::MAX_BYTES {
                    3
                } else {
                    2
                }
            );
            assert_eq!(told["more_topics"], 1000 - topics);
        }
        let counting = Counting::default();
        counting.start();
        publish(&counting);
        let read = serde_json::to_value(counting.document(Timestamp(1))).unwrap();
        assert_eq!((&read["count"], &read["more"]), (&400.into(), &true.into()));
        assert_eq!(read["topics"].as_array().map(Vec::len), Some(LISTED));
    }

    #[test]
    fn who_comes_and_goes_stays_in_the_own_log_for_those_who_are_slow() {
        let own = Arc::new(Own::new(Box::default()));
        let all = ["$sys/**", "$presence/**"].map(|text| Selector::new(text).unwrap());
        let _watch = OwnWatch::new(&own, Selection::new(all.into()), None);
        // As much of presence as is told of one topic at once.
        let account = "x".repeat(LIST_BYTES);
        own.say(&Topic::new("$presence/news").unwrap(), None, &account);
        let said = own.tail().end();
        let (topics, streams_told) = (Document::new("topics"), Document::new("connections"));
        let counting = Counting::default();
        counting.start();
        // By then a stream that takes nothing has been cut off.
        let stall = Limits::default().stall;
        let round = INTERVAL * u32::try_from(LISTS).unwrap();
        let mut passed = Duration::ZERO;
        while passed <= stall {
            publish(&counting);
            topics.say(&own, &counting.document(Timestamp(u64::MAX / 2)));
            streams_told.say(&own, &connections::document(streams(), Timestamp(u64::MAX)));
            passed += round;
        }
        let tail = own.tail();
        assert_eq!(tail.first().map(|frame| frame.position()), Some(said));
        assert!(tail.bytes() > 1 << 20, "{}", tail.bytes());
    }
}
