//! What the writer knows of what is there without looking: which keys were used of
//! late, and which topics are closed.

use super::Opening;
use crate::catalog::{Active, Sealed};
use crate::closed::{Closed, HashKey};
use crate::format::segment_name;
use crate::index::{Closing, IndexFile, KeyEntry, LiveIndex};
use crate::options::Horizons;
use crate::roll::index_extent;
use crate::window::KeyWindow;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use tidings_engine::Position;

impl Opening {
    pub(super) fn window(&self, sealed: &VecDeque<Arc<Sealed>>, active: &Active) -> KeyWindow {
        let bounds = self.options.idempotency;
        let mut window = KeyWindow::new(bounds);
        let mut parts = vec![active.index.keys.clone()];
        let mut known = active.index.keys.len();
        for segment in sealed.iter().rev() {
            if known >= bounds.count {
                break;
            }
            let keys = segment
                .index()
                .map(|index| index.last_keys(bounds.count - known));
            // An index that can't be read is made anew from the records.
            let keys = keys
                .and_then(Result::ok)
                .unwrap_or_else(|| self.scan_keys(segment));
            known += keys.len();
            parts.push(keys);
        }
        parts
            .into_iter()
            .rev()
            .flatten()
            .for_each(|key| window.restore(key));
        window
    }

    /// Which topics are closed: those whose last record is an end. That a topic was
    /// used behind its end is asked of the names of topics in each index, not of
    /// records: the record of a reopening may be damaged, and none says that the end
    /// had expired under the retention of then.
    pub(super) fn closed(&self, sealed: &VecDeque<Arc<Sealed>>, active: &Active) -> Closed {
        let retention = &self.options.retention;
        let none = Arc::new(Horizons(vec![Position::START; retention.classes()]));
        let mut closed = Closed::new(HashKey::new(self.identity), Position::START, none);
        for segment in sealed {
            let listed = segment
                .index()
                .map(|index| self.follow(&mut closed, &index));
            if !matches!(listed, Some(Ok(())))
                && let Ok(live) = self.scan(segment)
            {
                self.follow_live(&mut closed, &live);
            }
        }
        self.follow_live(&mut closed, &active.index);
        closed
    }

    /// Takes in the next segment. What an error leaves out is taken in by
    /// [`Self::follow_live`].
    fn follow(&self, closed: &mut Closed, index: &IndexFile) -> io::Result<()> {
        if !closed.is_empty() {
            index.each_topic(|entry| closed.note_use(&entry.name))?;
        }
        self.note(closed, &index.closings()?);
        Ok(())
    }

    fn follow_live(&self, closed: &mut Closed, live: &LiveIndex) {
        if !closed.is_empty() {
            (live.topics.keys()).for_each(|topic| closed.note_use(topic.as_str()));
        }
        self.note(closed, &live.closings);
    }

    fn note(&self, closed: &mut Closed, closings: &[Closing]) {
        let retention = &self.options.retention;
        for Closing {
            topic,
            position,
            ends,
        } in closings
        {
            closed.note(topic, *position, *ends, retention);
        }
    }

    fn scan_keys(&self, segment: &Sealed) -> Vec<KeyEntry> {
        self.scan(segment).map(|live| live.keys).unwrap_or_default()
    }

    /// Makes the index of a segment from its records, as far as these can be read.
    fn scan(&self, segment: &Sealed) -> io::Result<LiveIndex> {
        segment.set_index(None);
        let (salt, first) = (segment.salt, segment.first);
        let file = self.storage.open(&segment_name(first))?;
        index_extent(&*file, salt, first, segment.end, segment.last)
    }
}
