//! Closing a topic: its last event, if there is one, and behind it its end, both or
//! neither. Whether it is closed already, the store knows alone.

use crate::hub::Hub;
use crate::native::{Key, entry};
use crate::own::outlives_topics;
use crate::start;
use std::sync::Arc;
use tidings_engine::start::Asked;
use tidings_engine::{Entry, Event, Kind, Selection, Topic, closing};
use tidings_store::Appended;

/// What became of a topic that was to be closed.
#[derive(Debug)]
pub struct Closed {
    /// Its last event, if it was to have one.
    pub last: Option<Appended>,
    /// Its end. Of a topic that was closed before, it is the end that it had:
    /// a duplicate.
    pub end: Appended,
}

impl Hub {
    /// Whether nothing comes for a watcher of `selection` who asks for this: its
    /// topics are exact and all closed, and it has everything up to their ends.
    ///
    /// Who isn't at the end has their start looked for again by
    /// [`watch::grant`](crate::watch::grant): this one was found before the horizon that
    /// their stream begins with, so what expires between the two would not be told.
    pub async fn has_ended(self: &Arc<Self>, selection: &Selection, asked: &Asked) -> bool {
        if !self.may_have_ended(selection) {
            return false;
        }
        let (selection, _) = selection.clone().split();
        let Ok(start) = start::find(self, asked.clone(), &selection).await else {
            return false;
        };
        // Only now: what was opened again meanwhile goes on.
        let end = self.reader().end_of_all(&selection);
        start.gap.is_none() && end.is_some_and(|end| start.cursor.after >= end)
    }

    /// Whether it may be so: of whoever asks for something else it isn't, whatever
    /// they have.
    pub fn may_have_ended(&self, selection: &Selection) -> bool {
        let (selection, own) = selection.clone().split();
        !outlives_topics(&own) && self.reader().end_of_all(&selection).is_some()
    }
}

impl Closed {
    /// What the store answered to [`entries`].
    pub fn of(mut appended: Vec<Appended>) -> Option<Self> {
        let end = appended.pop()?;
        Some(Self {
            last: appended.pop(),
            end,
        })
    }
}

/// What closes a topic: `last`, which does `kind` to it, and its end. A repetition
/// under `key` is answered as the first was, also if the topic was opened since.
pub fn entries(topic: Topic, last: Option<Event>, kind: Kind, key: Option<&Key>) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(2);
    entries.extend(last.map(|last| entry(last, key, 0).of_kind(kind)));
    let number = entries.len() as u64;
    entries.push(end(topic, key, number));
    entries
}

/// The end of a topic, as the event of this number of a request.
pub fn end(topic: Topic, key: Option<&Key>, number: u64) -> Entry {
    entry(closing::end(topic), key, number).of_kind(Kind::End)
}
