//! What is to become of a request: which of its entries are new, which repeat what
//! stands there, and whether their topics take them.

use crate::closed::{Changes, State, TopicHash};
use crate::error::AppendError;
use crate::group::{self, Admitted, Group, Verdict};
use crate::store::{Request, Store};
use crate::window::KeyUse;
use tidings_engine::{Entry, Kind};

impl Store {
    /// Decides per entry. A repetition is known as one before it is asked whether
    /// its topics are closed: who repeats what was taken is answered as before.
    pub(crate) fn admit(&self, request: &Request, group: &Group) -> Result<Admitted, AppendError> {
        let mut admitted = Admitted {
            verdicts: Vec::with_capacity(request.len()),
            changes: Changes::default(),
            openers: Vec::new(),
        };
        let mut new = group.new_count();
        for (index, entry) in request.iter().enumerate() {
            let staged = group.find(request, &admitted.verdicts, entry);
            let known = match staged {
                Some(found) => Some(found.map_err(|conflict| conflict.at(index))?),
                None => self.find_durable(entry, index)?,
            };
            let verdict = match known {
                Some(known) => known,
                None => self.ask_topics(entry, (index, new), group, &mut admitted)?,
            };
            new += usize::from(verdict == Verdict::New);
            admitted.verdicts.push(verdict);
        }
        Ok(admitted)
    }

    fn find_durable(&self, entry: &Entry, index: usize) -> Result<Option<Verdict>, AppendError> {
        if let Some(key) = &entry.key {
            match self.window.find(key) {
                KeyUse::Same(position) => return Ok(Some(Verdict::Durable(position))),
                KeyUse::Other => return Err(AppendError::KeyConflict { index }),
                KeyUse::Unknown => {}
            }
        }
        let Some(id) = group::own_id(entry) else {
            return Ok(None);
        };
        let found = self.reader().find_own(&entry.topic, id);
        match found.map_err(|_| AppendError::Unavailable)? {
            None => Ok(None),
            Some((position, found)) if group::says_the_same(&found, entry) => {
                Ok(Some(Verdict::Durable(position)))
            }
            Some(_) => Err(AppendError::IdConflict { index }),
        }
    }

    /// Whether the topics of an entry take it, which would be the group's new entry
    /// of this number. The end of a topic that has ended is that one.
    fn ask_topics(
        &self,
        entry: &Entry,
        (index, number): (usize, usize),
        group: &Group,
        admitted: &mut Admitted,
    ) -> Result<Verdict, AppendError> {
        let all_open = self.shared.closed().is_empty()
            && group.changes().is_empty()
            && admitted.changes.is_empty();
        if all_open && entry.kind != Kind::End {
            return Ok(Verdict::New);
        }
        let key = self.shared.closed().key();
        if entry.kind == Kind::End {
            let topic = key.hash(&entry.topic);
            return Ok(match self.state(topic, group, &admitted.changes) {
                State::Durable(position) => Verdict::Durable(position),
                State::Staged(number) => Verdict::Staged(number),
                State::Open => {
                    admitted.changes.close(topic, number);
                    Verdict::New
                }
            });
        }
        let topics = entry.published().topics().map(|topic| key.hash(topic));
        let closed: Vec<TopicHash> = topics
            .filter(|topic| self.state(*topic, group, &admitted.changes) != State::Open)
            .collect();
        if closed.is_empty() {
            return Ok(Verdict::New);
        }
        if entry.kind == Kind::Event {
            return Err(AppendError::TopicClosed { index });
        }
        admitted.openers.push(index);
        closed
            .into_iter()
            .for_each(|topic| admitted.changes.open(topic));
        Ok(Verdict::New)
    }

    /// How a topic stands behind what the request and the group do before.
    fn state(&self, topic: TopicHash, group: &Group, own: &Changes) -> State {
        let staged = own.state(topic).or_else(|| group.changes().state(topic));
        staged.unwrap_or_else(|| {
            let end = self.shared.closed().end(topic);
            end.map_or(State::Open, State::Durable)
        })
    }
}
