//! Where a later run goes on: the last event ID, kept outside the process.
//!
//! What is kept is never ahead of what is handled. An event counts as handled
//! when the next one is asked for, or, with
//! [`Builder::commit_by_hand`](crate::Builder::commit_by_hand), when
//! [`Handle::commit`](crate::Handle::commit) says so. A process that dies in
//! between gets that event once more from the next run: at least once, never
//! not at all.
//!
//! Blocks without data move the ID too (B1): a hub says by them that everything
//! up to there is behind the stream. That is kept as soon as no event before it
//! is unhandled.

mod file;

pub use file::{FileIds, FileIdsError};

use crate::event::Place;
use crate::{BoxError, Error, Event, Text};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps the last event ID of one stream.
///
/// [`FileIds`] keeps it in a file. A database that is written by the same
/// transaction as what events cause makes "at least once" into "exactly once":
/// write [`Event::last_event_id`] there, and give it to
/// [`Builder::last_event_id`](crate::Builder::last_event_id) at the next run,
/// without an `IdStore`.
pub trait IdStore: Send + 'static {
    /// The ID to resume after; `None` if none was ever saved. Called once, by
    /// [`Builder::open`](crate::Builder::open), and may block.
    ///
    /// # Errors
    /// Those of the store; the stream isn't opened then, as it would begin at
    /// the wrong place.
    fn load(&mut self) -> Result<Option<String>, BoxError>;

    /// Takes an ID to keep. It holds no CR, LF and NUL, and is empty if the
    /// server has reset it. Called while the stream is polled, for up to every
    /// event, so it must not block for long: what is slow is done elsewhere,
    /// and of several IDs only the last one matters.
    ///
    /// # Errors
    /// Those of the store, also of an earlier call if they are known only now.
    fn save(&mut self, id: &str) -> Result<(), BoxError>;

    /// Waits until the last ID is kept. Called when the stream ends or is dropped.
    ///
    /// # Errors
    /// As for [`IdStore::save`].
    fn flush(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
}

const OF_ANOTHER: &str = "the event is of another stream; commit it with that stream's handle";

/// How far the events of one stream are handled, and the store that is told.
pub(crate) struct Resume {
    by_hand: bool,
    inner: Mutex<Inner>,
}

struct Inner {
    store: Box<dyn IdStore>,
    /// The number of the stream, once it has given an event.
    stream: u64,
    /// The number of the last event that was given.
    given: u64,
    /// The number of the last event that is known to be handled.
    handled: u64,
    /// The last event ID behind the last event that was given.
    reached: Text,
    saved: Text,
}

impl Resume {
    /// `saved` is what the store has given.
    pub(crate) fn new(store: Box<dyn IdStore>, by_hand: bool, saved: Text) -> Self {
        Self {
            by_hand,
            inner: Mutex::new(Inner {
                store,
                stream: 0,
                given: 0,
                handled: 0,
                reached: saved.clone(),
                saved,
            }),
        }
    }

    /// This event is about to be given.
    pub(crate) fn give(&self, event: &Event) {
        let mut inner = self.lock();
        (inner.stream, inner.given) = (event.place.stream, event.place.number);
        inner.reached = event.last_event_id.clone();
    }

    /// Whoever reads asks for more.
    pub(crate) fn asked(&self, reached: &Text) -> Result<(), Error> {
        let mut inner = self.lock();
        if !self.by_hand {
            inner.handled = inner.given;
        }
        inner.reach(reached)
    }

    /// All that was read is told, and the last event ID is this by now.
    pub(crate) fn reach(&self, reached: &Text) -> Result<(), Error> {
        self.lock().reach(reached)
    }

    /// This event and all before it are handled.
    pub(crate) fn commit(&self, event: &Event) -> Result<(), Error> {
        let mut inner = self.lock();
        if event.place == Place::NONE {
            return Ok(());
        }
        if event.place.stream != inner.stream {
            return Err(Error::Ids(OF_ANOTHER.into()));
        }
        if event.place.number <= inner.handled {
            return Ok(());
        }
        inner.handled = event.place.number;
        let id = if inner.handled == inner.given {
            inner.reached.clone()
        } else {
            event.last_event_id.clone()
        };
        inner.save(&id)
    }

    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.lock().store.flush().map_err(Error::Ids)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A store that has panicked is asked again.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn reach(&mut self, reached: &Text) -> Result<(), Error> {
        if self.reached != *reached {
            self.reached = reached.clone();
        }
        if self.handled < self.given {
            return Ok(());
        }
        self.save(reached)
    }

    fn save(&mut self, id: &Text) -> Result<(), Error> {
        if self.saved == *id {
            return Ok(());
        }
        // Also if it fails: it is told once, and tried again with the next ID.
        self.saved = id.clone();
        self.store.save(id).map_err(Error::Ids)
    }
}

impl fmt::Debug for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resume")
            .field("by_hand", &self.by_hand)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Remembers what it was told, and refuses the ID "full".
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<String>>>);

    impl IdStore for Memory {
        fn load(&mut self) -> Result<Option<String>, BoxError> {
            Ok(None)
        }

        fn save(&mut self, id: &str) -> Result<(), BoxError> {
            if id == "full" {
                return Err("the disk is full".into());
            }
            let shown = if id.is_empty() { "none" } else { id };
            self.0.lock().unwrap().push(shown.to_owned());
            Ok(())
        }
    }

    /// What happens to a stream.
    enum Step {
        /// An event is given: its number and the last event ID.
        Give(u64, &'static str),
        /// The reader asks for more.
        Ask,
        /// All is read up to here.
        Reach(&'static str),
        /// The event with this number and last event ID is committed.
        Commit(u64, &'static str),
        /// So is an event that isn't of this stream.
        CommitOther(Place),
    }
    use Step::{Ask, Commit, CommitOther, Give, Reach};

    const STREAM: u64 = 7;

    fn event(number: u64, id: &str) -> Event {
        let mut event = Event::new("message", "", id);
        let stream = STREAM;
        event.place = Place { stream, number };
        event
    }

    /// After each step, what it has saved.
    fn check(by_hand: bool, steps: &[(Step, &str)]) {
        let store = Memory::default();
        let resume = Resume::new(Box::new(store.clone()), by_hand, "0".into());
        let mut last = Text::from("0");
        for (at, (step, expected)) in steps.iter().enumerate() {
            let result = match step {
                Give(number, id) => {
                    last.set(id);
                    resume.give(&event(*number, id));
                    Ok(())
                }
                Ask => resume.asked(&last),
                Reach(id) => {
                    last.set(id);
                    resume.reach(&last)
                }
                Commit(number, id) => resume.commit(&event(*number, id)),
                CommitOther(place) => {
                    let mut event = Event::new("message", "", "other");
                    event.place = *place;
                    resume.commit(&event)
                }
            };
            let mut saved = std::mem::take(&mut *store.0.lock().unwrap());
            if let Err(error) = result {
                assert!(error.is_passing());
                saved.push(error.to_string());
            }
            assert_eq!(saved.join(", "), *expected, "step {at}");
        }
    }

    #[test]
    fn an_event_is_handled_when_the_next_is_asked_for() {
        check(
            false,
            &[
                (Ask, ""),
                (Give(1, "1"), ""),
                (Ask, "1"),
                (Give(2, "1"), ""),
                (Ask, ""),
                (Give(3, "3"), ""),
                // Before it is asked, nothing moves.
                (Reach("3"), ""),
                (Ask, "3"),
                (Reach("3"), ""),
            ],
        );
    }

    #[test]
    fn b1_a_block_without_data_moves_it_when_nothing_is_unhandled() {
        check(
            false,
            &[
                (Reach("a"), "a"),
                (Give(1, "b"), ""),
                (Reach("c"), ""),
                (Ask, "c"),
                (Reach(""), "none"),
            ],
        );
        check(
            true,
            &[
                (Reach("a"), "a"),
                (Give(1, "b"), ""),
                (Ask, ""),
                (Reach("c"), ""),
                // All up to "c" is behind the stream.
                (Commit(1, "b"), "c"),
                (Reach("d"), "d"),
            ],
        );
    }

    #[test]
    fn by_hand_only_what_is_committed_counts() {
        check(
            true,
            &[
                (Give(1, "1"), ""),
                (Ask, ""),
                (Give(2, "2"), ""),
                // Shares the ID before it, and is another event all the same.
                (Give(3, "2"), ""),
                (Ask, ""),
                (Commit(1, "1"), "1"),
                (Commit(2, "2"), "2"),
                (Reach("9"), ""),
                (Commit(1, "1"), ""),
                (Commit(3, "2"), "9"),
                (Reach("9"), ""),
            ],
        );
    }

    #[test]
    fn an_event_of_another_stream_moves_nothing() {
        let refused = format!("the last event ID can't be kept: {OF_ANOTHER}");
        let other = |number| {
            let stream = STREAM + 1;
            CommitOther(Place { stream, number })
        };
        check(
            true,
            &[
                (other(1), &refused),
                (Give(1, "1"), ""),
                (Give(2, "2"), ""),
                (other(1), &refused),
                (other(2), &refused),
                (other(3), &refused),
                (CommitOther(Place::NONE), ""),
                (Reach("2"), ""),
                (Commit(1, "1"), "1"),
            ],
        );
    }

    #[test]
    fn a_failure_is_told_once_and_the_next_id_saved() {
        let full = "the last event ID can't be kept: the disk is full";
        check(
            false,
            &[
                (Give(1, "full"), ""),
                (Ask, full),
                (Ask, ""),
                (Give(2, "2"), ""),
                (Ask, "2"),
            ],
        );
    }

    #[test]
    fn d15_ids_that_go_back_are_saved_as_they_come() {
        check(
            false,
            &[
                (Give(1, "5"), ""),
                (Ask, "5"),
                (Give(2, "5"), ""),
                (Ask, ""),
                (Give(3, "4"), ""),
                (Ask, "4"),
                (Give(4, ""), ""),
                (Ask, "none"),
            ],
        );
    }
}
