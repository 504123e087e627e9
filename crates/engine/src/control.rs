//! What a stream says beside its events, as bytes: where it starts, that it
//! lives, when to come back, and what is missing.

use crate::{Gap, Position, WireId};
use bytes::Bytes;
use tidings_codec::{Block, EventType, put_comment, put_id, put_retry};

/// What the types of the hub's own events begin with; a publisher's can't.
pub const OWN_EVENTS: &str = "tidings:";

/// The type of the event that tells of a gap.
pub const GAP_EVENT: &str = "tidings:gap";

/// The type of the event that names a connection.
pub const CONNECTION_EVENT: &str = "tidings:connection";

/// The type of the events that tell who is at a topic.
pub const PRESENCE_EVENT: &str = "tidings:presence";

/// Why events are missing from a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum GapReason {
    /// They were kept for as long as retention allows, and no longer.
    Expired,
    /// Nothing with the id to resume from is known: it was never given, has
    /// expired, or is not for this subscription.
    Unknown,
    /// The id to resume from is of another log: another hub, or this one
    /// before its history was wiped.
    Foreign,
    /// They were found damaged in the store.
    Corrupt,
    /// The reader was slower than the events, and the topic's policy is to go
    /// on with what is new.
    Slow,
}

impl GapReason {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::Expired,
        Self::Unknown,
        Self::Foreign,
        Self::Corrupt,
        Self::Slow,
    ];

    /// Why a store whose events up to `horizon` may have expired misses those
    /// of `gap`.
    pub fn of_missing(gap: Gap, horizon: Position) -> Self {
        if horizon >= gap.to {
            Self::Expired
        } else {
            Self::Corrupt
        }
    }

    /// The reason as the gap event says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Foreign => "foreign",
            Self::Corrupt => "corrupt",
            Self::Slow => "slow",
        }
    }
}

/// Begins a stream: its reconnection time in milliseconds, a comment, so that
/// proxies pass the head on, and `start`, the position from which it goes on.
/// A reader remembers the id although there is no event (rule B1), so that a
/// connection lost before its first event resumes there.
pub fn opening(retry_ms: u64, start: WireId) -> Bytes {
    let mut out = Vec::new();
    put_retry(&mut out, retry_ms);
    put_comment(&mut out, "tidings");
    put_id(&mut out, &start.to_event_id());
    end_block(out)
}

/// Names the connection, before anything else: a `tidings:connection` event with
/// the data `{"id":"…"}`. `id` is of letters and digits, which nothing has to
/// escape. The block has no `id:` line: the reader's last event ID stays what it
/// was until the stream has said where it starts.
pub fn connection(id: &str) -> Bytes {
    debug_assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let mut out = Vec::new();
    put_own(&mut out, CONNECTION_EVENT, &format!(r#"{{"id":"{id}"}}"#));
    out.into()
}

/// Tells who is at a topic: appends a `tidings:presence` event with `data`, JSON on
/// one line. It has no `id:` line either.
pub fn put_presence(out: &mut Vec<u8>, data: &str) {
    put_own(out, PRESENCE_EVENT, data);
}

/// Appends an event of the hub's own without an id.
fn put_own(out: &mut Vec<u8>, event_type: &str, data: &str) {
    let event_type = EventType::new(event_type).expect("no line break in it");
    Block {
        event_type: Some(&event_type),
        data: Some(data),
        id: None,
        retry: None,
    }
    .put(out);
}

/// Shows that the stream lives, and if `reached` is given, that everything up
/// to there is behind it.
pub fn heartbeat(reached: Option<WireId>) -> Bytes {
    let mut out = Vec::new();
    put_comment(&mut out, "");
    if let Some(reached) = reached {
        put_id(&mut out, &reached.to_event_id());
    }
    end_block(out)
}

/// Sets the reconnection time, in milliseconds; with the end of the stream
/// behind it, this asks the reader to come back then.
pub fn retry(retry_ms: u64) -> Bytes {
    let mut out = Vec::new();
    put_retry(&mut out, retry_ms);
    end_block(out)
}

/// Tells in the stream itself, where an EventSource can see it, that events
/// are missing: a `tidings:gap` event with the data
/// `{"reason":"expired","since":"td-…"}`. `since` is the position from which
/// the stream goes on, and also the event's id: who resumes doesn't hear of
/// the same gap again.
pub fn gap(reason: GapReason, since: WireId) -> Bytes {
    let event_type = EventType::new(GAP_EVENT).expect("no line break in it");
    // An id of the hub's holds nothing that JSON would have to escape.
    let data = format!(r#"{{"reason":"{}","since":"{since}"}}"#, reason.as_str());
    let mut out = Vec::new();
    Block {
        event_type: Some(&event_type),
        data: Some(&data),
        id: Some(&since.to_event_id()),
        retry: None,
    }
    .put(&mut out);
    out.into()
}

fn end_block(mut out: Vec<u8>) -> Bytes {
    out.push(b'\n');
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogId;
    use tidings_codec::{Decoder, Item};

    const ID: WireId = WireId {
        log: LogId(7),
        position: Position(42),
    };

    /// What a reader makes of `bytes`: events as (type, data), the
    /// reconnection times, and the last event ID.
    fn read(bytes: &[u8]) -> (Vec<(String, String)>, Vec<u64>, String) {
        let mut decoder = Decoder::new();
        let (mut events, mut retries) = (Vec::new(), Vec::new());
        let mut rest = bytes;
        while let Some(item) = decoder.next(&mut rest) {
            match item {
                Item::Event(event) => events.push((event.event_type.into(), event.data.into())),
                Item::Retry(ms) => retries.push(ms),
                other => panic!("{other:?}"),
            }
        }
        assert!(!decoder.is_mid_event(), "the block is complete");
        (events, retries, decoder.last_event_id().to_owned())
    }

    #[test]
    fn opening_sets_id_and_retry_without_an_event() {
        let bytes = opening(2_345, ID);
        assert_eq!(read(&bytes), (vec![], vec![2_345], ID.to_string()));
        assert!(bytes.windows(2).any(|line| line == b"\n:"), "a comment");
    }

    #[test]
    fn heartbeat_states_the_position_only_if_given() {
        assert_eq!(&heartbeat(None)[..], b": \n\n");
        assert_eq!(read(&heartbeat(None)), (vec![], vec![], String::new()));
        assert_eq!(read(&heartbeat(Some(ID))), (vec![], vec![], ID.to_string()));
    }

    #[test]
    fn retry_alone() {
        assert_eq!(&retry(500)[..], b"retry: 500\n\n");
    }

    #[test]
    fn connection_is_an_event_without_an_id() {
        let id = "00f7";
        let events = vec![(CONNECTION_EVENT.into(), format!(r#"{{"id":"{id}"}}"#))];
        assert_eq!(read(&connection(id)), (events, vec![], String::new()));
        assert!(CONNECTION_EVENT.starts_with(OWN_EVENTS));
    }

    #[test]
    fn gap_is_an_event_whose_id_goes_on() {
        for (reason, name) in [
            (GapReason::Expired, "expired"),
            (GapReason::Unknown, "unknown"),
            (GapReason::Foreign, "foreign"),
            (GapReason::Corrupt, "corrupt"),
            (GapReason::Slow, "slow"),
        ] {
            let (events, retries, id) = read(&gap(reason, ID));
            let [(event_type, data)] = &events[..] else {
                panic!("one event, not {events:?}");
            };
            assert_eq!(event_type, GAP_EVENT);
            assert!(event_type.starts_with(OWN_EVENTS));
            let body: serde_json::Value = serde_json::from_str(data).unwrap();
            let expected = serde_json::json!({"reason": name, "since": ID.to_string()});
            assert_eq!(body, expected);
            assert_eq!((retries, id), (vec![], ID.to_string()));
        }
    }
}
