//! What a hub says of events that it can't deliver.

use crate::Event;
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt;

const GAP_EVENT: &str = "tidings:gap";

/// Events are missing from a stream: a hub has said so, in the stream itself,
/// by an event of the type `tidings:gap`.
///
/// Where events are given, such an event is one of them, and [`Event::gap_reason`]
/// recognises it; [`Notices`](crate::Notices) gives [`Notice::Gap`](crate::Notice::Gap)
/// and a stream of JSON [`Error::Gap`](crate::Error::Gap) in its place. Who
/// keeps a state that follows from events fetches it anew, then reads on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// The event that says so.
    pub event: Event,
}

impl Gap {
    /// The ID of the position from which the stream goes on. It is the last
    /// event ID by then: a reconnect doesn't hear of this gap again.
    pub fn since(&self) -> &str {
        &self.event.last_event_id
    }

    /// What `event` says, or the event if it is another.
    pub(crate) fn from_event(event: Event) -> Result<Self, Event> {
        match event.gap_reason() {
            Some(reason) => Ok(Self { reason, event }),
            None => Err(event),
        }
    }
}

/// Why events are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapReason {
    /// They were kept as long as the hub's retention allows, and no longer.
    Expired,
    /// The hub knows nothing by the ID that was to be resumed from.
    Unknown,
    /// That ID is of another log: of another hub, or of this one before its
    /// history was wiped.
    Foreign,
    /// They were found damaged in the hub's store.
    Corrupt,
    /// A reason that this version doesn't know.
    Other,
}

impl Event {
    /// Why events are missing before what comes next, if that is what this event
    /// says.
    pub fn gap_reason(&self) -> Option<GapReason> {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            reason: Cow<'a, str>,
        }
        if &*self.event_type != GAP_EVENT {
            return None;
        }
        // Whatever its data is, it says that events are missing.
        let body = serde_json::from_str(&self.data);
        Some(body.map_or(GapReason::Other, |Body { reason }| GapReason::of(&reason)))
    }
}

impl GapReason {
    fn of(name: &str) -> Self {
        match name {
            "expired" => Self::Expired,
            "unknown" => Self::Unknown,
            "foreign" => Self::Foreign,
            "corrupt" => Self::Corrupt,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("events are missing before what comes next: ")?;
        f.write_str(match self.reason {
            GapReason::Expired => "the hub has kept them as long as it may",
            GapReason::Unknown => "the hub doesn't know the ID to resume from",
            GapReason::Foreign => "the ID to resume from is of another log",
            GapReason::Corrupt => "the hub's copy of them is damaged",
            GapReason::Other => "the hub gives a reason unknown here",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(event_type: &str, data: &str, expected: Option<GapReason>) {
        let event = Event::new(event_type, data, "td-7");
        assert_eq!(event.gap_reason(), expected, "{data}");
        match Gap::from_event(event.clone()) {
            Ok(gap) => {
                assert_eq!((Some(gap.reason), gap.since()), (expected, "td-7"));
                assert_eq!(gap.event, event);
            }
            Err(same) => assert_eq!((same, expected), (event, None)),
        }
    }

    #[test]
    fn a_gap_event_is_recognised_whatever_it_says() {
        for (name, reason) in [
            ("expired", GapReason::Expired),
            ("unknown", GapReason::Unknown),
            ("foreign", GapReason::Foreign),
            ("corrupt", GapReason::Corrupt),
            ("sunspots", GapReason::Other),
            (r"exp\u0069red", GapReason::Expired),
        ] {
            let data = format!(r#"{{"reason":"{name}","since":"td-7"}}"#);
            check("tidings:gap", &data, Some(reason));
        }
        for data in ["", "{}", "[1", r#"{"reason":7}"#, "\0"] {
            check("tidings:gap", data, Some(GapReason::Other));
        }
    }

    #[test]
    fn other_events_are_no_gaps() {
        for event_type in ["message", "gap", "tidings:gap2", "Tidings:gap"] {
            check(event_type, r#"{"reason":"expired","since":"td-7"}"#, None);
        }
    }
}
