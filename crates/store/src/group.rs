//! Requests on their way into the log together.

use crate::closed::Changes;
use crate::error::AppendError;
use crate::format::record;
use crate::index::LiveIndex;
use crate::store::{Answer, Appended, Request, wire_id};
use std::collections::HashMap;
use std::sync::Arc;
use tidings_codec::EventId;
use tidings_engine::{Entry, Frame, Kind, LogId, Position, Topic};

/// What is to become of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is appended.
    New,
    /// It stands there already, durable.
    Durable(Position),
    /// It is the same as the n-th new entry of the group.
    Staged(usize),
}

/// Why an entry is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflict {
    Id,
    Key,
}

impl Conflict {
    pub fn at(self, index: usize) -> AppendError {
        match self {
            Self::Id => AppendError::IdConflict { index },
            Self::Key => AppendError::KeyConflict { index },
        }
    }
}

/// Requests with their verdicts. Its new entries are numbered through.
#[derive(Debug, Default)]
pub(crate) struct Group {
    requests: Vec<(usize, Request, Vec<Verdict>)>,
    new: usize,
    bytes: u64,
    memory: usize,
    by_key: HashMap<u128, (u64, usize)>,
    by_id: HashMap<(Topic, EventId), (usize, usize, usize)>,
    changes: Changes,
}

/// What is to become of a request.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Of each entry.
    pub verdicts: Vec<Verdict>,
    /// What it does to topics.
    pub changes: Changes,
    /// Which entries open a topic that is closed.
    pub openers: Vec<usize>,
}

impl Group {
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// How many bytes of records it takes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many new entries it has.
    pub fn new_count(&self) -> usize {
        self.new
    }

    /// What it does to topics.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// How much of the index's memory its alternates take at most, in bytes.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Whether `entry` repeats a new one of the group, or of its own
    /// `request` as far as it has `verdicts`.
    pub fn find(
        &self,
        request: &Request,
        verdicts: &[Verdict],
        entry: &Entry,
    ) -> Option<Result<Verdict, Conflict>> {
        if let Some(key) = &entry.key
            && let Some((request, number)) = self.by_key.get(&key.key)
        {
            let same = *request == key.request;
            return Some(if same {
                Ok(Verdict::Staged(*number))
            } else {
                Err(Conflict::Key)
            });
        }
        if let Some(id) = own_id(entry)
            && let Some((at, index, number)) = self.by_id.get(&(entry.topic.clone(), id.clone()))
        {
            let same = says_the_same(&self.requests[*at].1[*index], entry);
            return Some(if same {
                Ok(Verdict::Staged(*number))
            } else {
                Err(Conflict::Id)
            });
        }
        let mut number = self.new;
        for (earlier, verdict) in request.iter().zip(verdicts) {
            if *verdict != Verdict::New {
                continue;
            }
            if let Some(found) = compare(earlier, entry) {
                return Some(found.map(|()| Verdict::Staged(number)));
            }
            number += 1;
        }
        None
    }

    pub fn push(&mut self, number: usize, mut request: Request, admitted: Admitted) {
        let Admitted {
            verdicts,
            changes,
            openers,
        } = admitted;
        // Who may open a topic mostly doesn't: the log is to name those that did.
        for (index, entry) in request.iter_mut().enumerate() {
            if entry.kind == Kind::Reopening && openers.binary_search(&index).is_err() {
                entry.kind = Kind::Event;
            }
        }
        self.changes.add(changes);
        for (index, (entry, verdict)) in request.iter().zip(&verdicts).enumerate() {
            if *verdict != Verdict::New {
                continue;
            }
            if let Some(key) = &entry.key {
                self.by_key.insert(key.key, (key.request, self.new));
            }
            if let Some(id) = own_id(entry) {
                let place = (self.requests.len(), index, self.new);
                self.by_id.insert((entry.topic.clone(), id.clone()), place);
            }
            self.new += 1;
            self.bytes += record::encoded_len(entry).unwrap_or(0);
            self.memory += memory_of(entry);
        }
        self.requests.push((number, request, verdicts));
    }

    /// What is appended, in order; and whether it is the last of its request.
    pub fn new_entries(&self) -> impl Iterator<Item = (&Entry, bool)> {
        self.requests.iter().flat_map(|(_, request, verdicts)| {
            let last = verdicts.iter().rposition(|v| *v == Verdict::New);
            let entries = request.iter().zip(verdicts).enumerate();
            entries
                .filter(|(_, (_, verdict))| **verdict == Verdict::New)
                .map(move |(index, (entry, _))| (entry, Some(index) == last))
        })
    }

    /// Answers all requests; the first new entry stands at `first`.
    pub fn answer(self, first: Position, log: LogId, answers: &mut [Answer]) {
        let mut next = first;
        for (number, request, verdicts) in self.requests {
            let mut appended = Vec::with_capacity(request.len());
            for (entry, verdict) in request.into_iter().zip(verdicts) {
                let (position, duplicate) = match verdict {
                    Verdict::New => (next, false),
                    Verdict::Durable(position) => (position, true),
                    Verdict::Staged(n) => (Position(first.0 + n as u64), true),
                };
                let id = wire_id(log, position, entry.id.as_ref());
                let frame = (!duplicate).then(|| {
                    next = next.next();
                    Arc::new(Frame::new(log, position, entry))
                });
                appended.push(Appended {
                    position,
                    id,
                    duplicate,
                    frame,
                });
            }
            answers[number] = Some(Ok(appended));
        }
    }

    /// Refuses all requests.
    pub fn refuse(self, error: AppendError, answers: &mut [Answer]) {
        for (number, ..) in self.requests {
            answers[number] = Some(Err(error));
        }
    }
}

/// Whether `entry` repeats `earlier`.
fn compare(earlier: &Entry, entry: &Entry) -> Option<Result<(), Conflict>> {
    if let (Some(a), Some(b)) = (&earlier.key, &entry.key)
        && a.key == b.key
    {
        return Some(if a.request == b.request {
            Ok(())
        } else {
            Err(Conflict::Key)
        });
    }
    let id = own_id(entry);
    if id.is_some() && own_id(earlier) == id && earlier.topic == entry.topic {
        let same = says_the_same(earlier, entry);
        return Some(if same { Ok(()) } else { Err(Conflict::Id) });
    }
    None
}

/// The id that makes an entry one with others of its topic. By Mercure, an id may
/// name any number of events, and never one that was published natively.
pub(crate) fn own_id(entry: &Entry) -> Option<&EventId> {
    entry
        .id
        .as_ref()
        .filter(|_| !entry.visibility.is_of_mercure())
}

/// Whether two entries of one id are the same event.
pub(crate) fn says_the_same(a: &Entry, b: &Entry) -> bool {
    a.fields == b.fields && a.alternates == b.alternates
}

/// How much of the index's memory the alternates of an entry take at most, in bytes.
pub(crate) fn memory_of(entry: &Entry) -> usize {
    LiveIndex::memory_of(&entry.alternates)
}
