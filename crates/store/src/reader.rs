//! Reading the log at a cursor.

use crate::catalog::Shared;
use crate::error::{Finding, StoreError};
use crate::reading::Reading;
use std::sync::Arc;
use tidings_engine::{Budget, Cursor, Frame, LogId, Position, Read, Selection, Timestamp, Topic};

/// Reads a log while it is appended to, from any thread. Sees only what is
/// durable.
#[derive(Clone)]
pub struct Reader {
    pub(crate) shared: Arc<Shared>,
}

/// What the log takes and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Length of all segments and their indexes, in bytes.
    pub bytes: u64,
    /// Number of segments.
    pub segments: usize,
    /// Number of events on disk, expired ones included.
    pub events: u64,
    /// When the oldest event on disk was taken in.
    pub oldest: Option<Timestamp>,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The identity of the log.
    pub fn log_id(&self) -> LogId {
        self.shared.identity.log
    }

    /// The last durable position; that before the first event if there is none.
    pub fn last(&self) -> Position {
        self.shared.catalog().last()
    }

    /// The oldest position that may still be there.
    pub fn first(&self) -> Position {
        self.shared.catalog().base().next()
    }

    /// Where reading from the earliest kept event of the selection begins.
    pub fn earliest(&self, selection: &Selection) -> Cursor {
        let classes = self.shared.retention.classes_of(selection);
        Cursor {
            after: self.shared.catalog().earliest(&classes),
        }
    }

    /// Events of the selection at or below this position may be gone. Equal
    /// to [`Reader::earliest`] unless the selection spans topics with
    /// different limits: then a cursor between both gets what is kept,
    /// without a gap from [`Reader::read`], and who resumes there should be
    /// told.
    pub fn horizon(&self, selection: &Selection) -> Position {
        let classes = self.shared.retention.classes_of(selection);
        self.shared.catalog().horizon(&classes)
    }

    /// Where a topic ended, if it is closed. An end that has expired counts no more,
    /// nor do those before the newest
    /// [`CLOSED_TOPICS`](tidings_engine::limits::CLOSED_TOPICS).
    pub fn end_of(&self, topic: &Topic) -> Option<Position> {
        self.shared.closed().end_of(topic)
    }

    /// Where the last of a selection's topics ended, if they are all exact and all
    /// closed: then nothing comes behind that.
    pub fn end_of_all(&self, selection: &Selection) -> Option<Position> {
        let mut last = Position::START;
        for topic in selection.exact_topics()? {
            last = last.max(self.end_of(topic)?);
        }
        Some(last)
    }

    /// What the log takes and holds.
    pub fn stats(&self) -> Stats {
        let catalog = self.shared.catalog();
        let active = &catalog.active;
        let oldest = catalog
            .sealed
            .iter()
            .map(|s| (s.last >= s.first, s.first_time));
        let newest = (active.index.records > 0, Timestamp(active.index.first_time));
        let mut times = oldest.chain([newest]).filter(|(any, _)| *any);
        let sealed = catalog.sealed.iter().map(|s| s.records);
        Stats {
            bytes: catalog
                .sealed
                .iter()
                .map(|s| s.disk_with_index())
                .sum::<u64>()
                + active.capacity,
            segments: catalog.sealed.len() + 1,
            events: sealed.sum::<u64>() + active.index.records,
            oldest: times.next().map(|(_, time)| time),
        }
    }

    /// What was found damaged, cut or rebuilt since the last call; see
    /// [`crate::Store::take_findings`].
    pub fn take_findings(&self) -> Vec<Finding> {
        self.shared.findings.take()
    }

    /// Appends to `out` what the selection has behind the cursor, in order,
    /// and moves the cursor. [`Read::Gap`] if events there are gone: expired,
    /// damaged or missing. One read passes over a bounded part of the log that
    /// isn't selected, or isn't shown, and then answers [`Read::Frames`] with
    /// none given.
    ///
    /// # Errors
    /// Of the storage. The cursor then stands behind what was given.
    pub fn read(
        &self,
        cursor: &mut Cursor,
        selection: &Selection,
        budget: Budget,
        out: &mut Vec<Arc<Frame>>,
    ) -> Result<Read, StoreError> {
        Reading::new(&self.shared, selection, budget, out).run(cursor)
    }
}
