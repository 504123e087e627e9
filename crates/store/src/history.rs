//! The store as the decision where a stream starts sees it.

use crate::error::StoreError;
use crate::reader::Reader;
use tidings_codec::EventId;
use tidings_engine::start::History;
use tidings_engine::{Cursor, LogId, Position, Selection, Timestamp};

impl History for Reader {
    type Error = StoreError;

    fn log_id(&self) -> LogId {
        self.log_id()
    }

    fn earliest(&self, selection: &Selection) -> Cursor {
        self.earliest(selection)
    }

    fn horizon(&self, selection: &Selection) -> Position {
        self.horizon(selection)
    }

    fn locate(&self, id: &EventId, selection: &Selection) -> Result<Option<Position>, StoreError> {
        self.locate(id, selection)
    }

    fn at_time(&self, time: Timestamp) -> Result<Cursor, StoreError> {
        self.at_time(time)
    }

    fn last_n(&self, count: usize, selection: &Selection) -> Result<Cursor, StoreError> {
        self.last_n(count, selection)
    }
}
