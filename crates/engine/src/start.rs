//! Where a stream starts: what a request asks for, against what the log has.

use crate::control::GapReason;
use crate::since::{Place, Since};
use crate::stream::StoreRead;
use crate::{Cursor, LogId, Position, Read, Selection, Timestamp};
use tidings_codec::EventId;

/// What the decision needs to know of a log.
pub trait History {
    /// Why the log could not be read.
    type Error;

    /// The log's identity.
    fn log_id(&self) -> LogId;

    /// A cursor before everything selected that is kept.
    fn earliest(&self, selection: &Selection) -> Cursor;

    /// Everything selected after this position is kept; at or before it,
    /// something may be gone. Farther than [`History::earliest`] where some of
    /// the selected topics are kept longer than others.
    fn horizon(&self, selection: &Selection) -> Position;

    /// Where the event with a publisher's id stands: the earliest that the
    /// selection may see.
    ///
    /// # Errors
    /// The log could not be read.
    fn locate(&self, id: &EventId, selection: &Selection) -> Result<Option<Position>, Self::Error>;

    /// A cursor before everything taken in at `time` or later.
    ///
    /// # Errors
    /// The log could not be read.
    fn at_time(&self, time: Timestamp) -> Result<Cursor, Self::Error>;

    /// A cursor before the last `count` selected events.
    ///
    /// # Errors
    /// The log could not be read.
    fn last_n(&self, count: usize, selection: &Selection) -> Result<Cursor, Self::Error>;
}

/// What a request asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// `Last-Event-ID`. It wins, because an EventSource repeats its URL, and
    /// `since` with it, at every reconnect.
    pub last_event_id: Option<EventId>,
    /// `since`.
    pub since: Option<Since>,
}

/// Where to start, and why that isn't quite what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The stream gives what comes after this.
    pub cursor: Cursor,
    /// What the stream has to tell first.
    pub gap: Option<GapReason>,
}

impl Start {
    /// Passes the gap that `first`, a read of the store at its cursor, has found
    /// right behind it; answers whether there was one. Who resumes behind damage
    /// holds an id that is kept, and so this is no gap to [`Asked::start`]; a
    /// stream that can't tell of it later ([`Voice::Mercure`](crate::stream::Voice))
    /// has to know before it begins, and may ask again behind this one.
    pub fn past_gap(&mut self, first: &StoreRead) -> bool {
        let Some(Read::Gap(gap)) = first.read else {
            return false;
        };
        if first.before != self.cursor || gap.to <= self.cursor.after {
            return false;
        }
        let reason = GapReason::of_missing(gap, first.horizon);
        self.cursor = Cursor { after: gap.to };
        self.gap.get_or_insert(reason);
        true
    }
}

impl Asked {
    /// Whether this is simply "from now on", for which no history is needed.
    pub fn is_live(&self) -> bool {
        self.last_event_id.is_none() && matches!(self.since, None | Some(Since::Latest))
    }

    /// Whether the log may have to be read to find the start. What an id of the
    /// hub's own says is known without.
    pub fn needs_reading(&self, log: LogId, live: Position) -> bool {
        let by_publisher = |id: &EventId| matches!(Place::of(id, log, live), Place::Publisher);
        let by_since = match &self.since {
            Some(Since::Ago(_) | Since::Last(_)) => true,
            Some(Since::Id(id)) => by_publisher(id),
            None | Some(Since::Latest | Since::Earliest) => false,
        };
        by_since || self.last_event_id.as_ref().is_some_and(by_publisher)
    }

    /// Finds the start in a log whose events up to `live` have been delivered.
    ///
    /// An id that is unknown, expired or of another log is a gap; the stream
    /// then goes on from `since`, or else from the earliest event kept, and
    /// never repeats what the id says was seen.
    ///
    /// # Errors
    /// The log could not be read.
    pub fn start<H: History>(
        &self,
        history: &H,
        selection: &Selection,
        live: Cursor,
        now: Timestamp,
    ) -> Result<Start, H::Error> {
        let finder = Finder {
            history,
            selection,
            live,
            now,
        };
        match (&self.last_event_id, &self.since) {
            (Some(id), since) => finder.resume(id, since.as_ref()),
            (None, Some(Since::Id(id))) => finder.resume(id, None),
            (None, since) => Ok(Start {
                cursor: finder.since(since.as_ref())?,
                gap: None,
            }),
        }
    }
}

struct Finder<'a, H> {
    history: &'a H,
    selection: &'a Selection,
    live: Cursor,
    now: Timestamp,
}

/// What an id turns out to be.
enum Found {
    /// Everything after it is kept.
    Kept(Position),
    /// It is of this log, but something after it may be gone.
    Expired(Position),
    /// Nobody can say what came after it.
    Lost(GapReason),
}

impl<H: History> Finder<'_, H> {
    fn resume(&self, id: &EventId, since: Option<&Since>) -> Result<Start, H::Error> {
        let (reason, seen) = match self.find(id)? {
            Found::Kept(after) => {
                return Ok(Start {
                    cursor: Cursor { after },
                    gap: None,
                });
            }
            Found::Expired(seen) => (GapReason::Expired, seen),
            Found::Lost(reason) => (reason, Position::START),
        };
        let fallback = match since {
            None => self.earliest(),
            Some(Since::Id(other)) => match self.find(other)? {
                Found::Kept(after) => Cursor { after },
                Found::Expired(_) | Found::Lost(_) => self.earliest(),
            },
            Some(since) => self.since(Some(since))?,
        };
        Ok(Start {
            cursor: fallback.max(Cursor { after: seen }),
            gap: Some(reason),
        })
    }

    fn find(&self, id: &EventId) -> Result<Found, H::Error> {
        let position = match Place::of(id, self.history.log_id(), self.live.after) {
            Place::At(position) => position,
            Place::Future => return Ok(Found::Lost(GapReason::Unknown)),
            Place::Foreign => return Ok(Found::Lost(GapReason::Foreign)),
            Place::Publisher => match self.history.locate(id, self.selection)? {
                Some(position) => position,
                None => return Ok(Found::Lost(GapReason::Unknown)),
            },
        };
        if position < self.history.horizon(self.selection) {
            return Ok(Found::Expired(position));
        }
        Ok(Found::Kept(position))
    }

    /// A start that nobody has to have been at before: no gap comes of it.
    fn since(&self, since: Option<&Since>) -> Result<Cursor, H::Error> {
        let cursor = match since {
            None | Some(Since::Latest) => self.live,
            Some(Since::Earliest | Since::Id(_)) => self.earliest(),
            Some(Since::Ago(millis)) => self
                .history
                .at_time(Timestamp(self.now.0.saturating_sub(*millis)))?,
            Some(Since::Last(count)) => self.history.last_n(*count as usize, self.selection)?,
        };
        Ok(cursor.max(self.earliest()))
    }

    fn earliest(&self) -> Cursor {
        self.history.earliest(self.selection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WireId;
    use std::cell::Cell;
    use std::convert::Infallible;

    /// Positions 11 to 20 are kept, 11 and 12 perhaps not all of them; event
    /// `n` came at time `n`; the publisher
    /// of 5 and of 15 called them `five` and `fifteen`.
    #[derive(Default)]
    struct Log {
        /// Whether it had to be read.
        read: Cell<bool>,
    }

    const LOG: LogId = LogId(7);
    const LIVE: Cursor = Cursor {
        after: Position(20),
    };

    impl History for Log {
        type Error = Infallible;

        fn log_id(&self) -> LogId {
            LOG
        }

        fn earliest(&self, _: &Selection) -> Cursor {
            Cursor {
                after: Position(10),
            }
        }

        fn horizon(&self, _: &Selection) -> Position {
            Position(12)
        }

        fn locate(&self, id: &EventId, _: &Selection) -> Result<Option<Position>, Infallible> {
            self.read.set(true);
            Ok(match id.as_str() {
                "five" => Some(Position(5)),
                "fifteen" => Some(Position(15)),
                _ => None,
            })
        }

        fn at_time(&self, time: Timestamp) -> Result<Cursor, Infallible> {
            self.read.set(true);
            Ok(Cursor {
                after: Position(time.0.saturating_sub(1).min(20)),
            })
        }

        fn last_n(&self, count: usize, _: &Selection) -> Result<Cursor, Infallible> {
            self.read.set(true);
            Ok(Cursor {
                after: Position(20_u64.saturating_sub(count as u64)),
            })
        }
    }

    fn own(log: LogId, position: u64) -> String {
        WireId {
            log,
            position: Position(position),
        }
        .to_string()
    }

    fn check(last_event_id: Option<&str>, since: Option<&str>, after: u64, gap: Option<GapReason>) {
        let asked = Asked {
            last_event_id: last_event_id.map(|id| EventId::new(id).unwrap()),
            since: since.map(|since| Since::parse(since).unwrap()),
        };
        let log = Log::default();
        let start = asked
            .start(&log, &Selection::everything(), LIVE, Timestamp(21))
            .unwrap();
        let expect = Start {
            cursor: Cursor {
                after: Position(after),
            },
            gap,
        };
        assert_eq!(start, expect, "{last_event_id:?} {since:?}");
        assert!(
            !log.read.get() || asked.needs_reading(LOG, LIVE.after),
            "{last_event_id:?} {since:?} is not known without reading"
        );
    }

    #[test]
    fn first_connections_never_have_a_gap_unless_they_name_an_id() {
        check(None, None, 20, None);
        check(None, Some("latest"), 20, None);
        check(None, Some("earliest"), 10, None);
        check(None, Some("last:3"), 17, None);
        check(None, Some("last:100"), 10, None);
        check(None, Some("5ms"), 15, None);
        check(None, Some("1h"), 10, None);
        check(None, Some(&own(LOG, 12)), 12, None);
        check(None, Some("fifteen"), 15, None);
        check(None, Some("nobody's"), 10, Some(GapReason::Unknown));
    }

    #[test]
    fn a_gap_right_behind_the_start_is_passed() {
        let check = |before: u64, read: Option<Read>, horizon: u64, expected: Option<Start>| {
            let mut start = Start {
                cursor: LIVE,
                gap: None,
            };
            let [cursor, horizon] = [before, horizon].map(Position);
            let first = StoreRead {
                before: Cursor { after: cursor },
                cursor: Cursor { after: cursor },
                frames: vec![],
                read: read.clone(),
                horizon,
            };
            let was = start;
            assert_eq!(start.past_gap(&first), expected.is_some(), "{read:?}");
            assert_eq!(start, expected.unwrap_or(was), "{read:?}");
        };
        let gap = |to| Some(Read::Gap(crate::Gap { to: Position(to) }));
        let behind = |after, reason| {
            Some(Start {
                cursor: Cursor {
                    after: Position(after),
                },
                gap: Some(reason),
            })
        };
        check(20, gap(25), 0, behind(25, GapReason::Corrupt));
        check(20, gap(25), 25, behind(25, GapReason::Expired));
        // Of elsewhere, none, or one that leads nowhere.
        check(19, gap(25), 0, None);
        check(20, gap(20), 0, None);
        check(20, Some(Read::Frames), 0, None);
        check(20, Some(Read::CaughtUp), 0, None);
        check(20, None, 0, None);
    }

    #[test]
    fn last_event_id_wins() {
        for since in [None, Some("earliest"), Some("last:5"), Some("fifteen")] {
            check(Some(&own(LOG, 12)), since, 12, None);
            check(Some(&own(LOG, 20)), since, 20, None);
            check(Some("fifteen"), since, 15, None);
        }
        check(None, Some(&own(LOG, 11)), 11, Some(GapReason::Expired));
    }

    #[test]
    fn a7_lost_ids_are_gaps_and_go_on_from_since_or_the_earliest() {
        for (id, reason) in [
            (own(LOG, 9), GapReason::Expired),
            (own(LOG, 0), GapReason::Expired),
            ("five".into(), GapReason::Expired),
            (own(LOG, 21), GapReason::Unknown),
            (own(LogId(8), 15), GapReason::Foreign),
            ("nobody's".into(), GapReason::Unknown),
        ] {
            check(Some(&id), None, 10, Some(reason));
            check(Some(&id), Some("earliest"), 10, Some(reason));
            check(Some(&id), Some("last:2"), 18, Some(reason));
            check(Some(&id), Some("latest"), 20, Some(reason));
            check(Some(&id), Some("fifteen"), 15, Some(reason));
            check(Some(&id), Some("nobody's either"), 10, Some(reason));
        }
    }
}
