//! The committing side: appends groups of requests, rolls segments.

use crate::catalog::{Active, Sealed, Shared};
use crate::clock::AgeClock;
use crate::error::{AppendError, Finding};
use crate::format::record::{self, Head, Place};
use crate::group::{self, Group, Verdict};
use crate::index::LiveIndex;
use crate::options::Options;
use crate::reader::Reader;
use crate::retention::Ledger;
use crate::spare::Spare;
use crate::totals;
use crate::window::KeyWindow;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use tidings_codec::EventId;
use tidings_engine::{Entry, Frame, LogId, Position, Timestamp, Topic, WireId, published};

/// What is published together: all of it is appended, or nothing.
pub type Request = Vec<Entry>;

/// What became of an entry.
#[derive(Debug, Clone)]
pub struct Appended {
    /// Where it stands.
    pub position: Position,
    /// Its id on the wire.
    pub id: EventId,
    /// Whether it was there before: nothing was appended for this entry.
    pub duplicate: bool,
    /// Its bytes; `None` for a duplicate.
    pub frame: Option<Arc<Frame>>,
}

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It takes events.
    Healthy,
    /// The disk is full; it takes events again once there is space.
    Full,
    /// The disk failed with this error. Reading goes on; nothing is appended
    /// until the store is opened again.
    ///
    /// Going on in a new segment is not tried: after a failed sync the kernel
    /// may hold pages that the disk doesn't, so what was acknowledged can't
    /// be verified by reading it back.
    Failed(String),
}

/// The one owner of a log's files. Appends; hands out [`Reader`]s.
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: Options,
    pub(crate) clock: AgeClock,
    /// What the age clock said when it was last saved, in milliseconds.
    pub(crate) saved_tick: u64,
    pub(crate) window: KeyWindow,
    pub(crate) health: Health,
    /// How far a write that failed may have reached, in bytes.
    pub(crate) soiled_to: Option<u64>,
    pub(crate) spare: Spare,
    /// Segments that are served no more and whose files are to be removed,
    /// oldest first.
    pub(crate) dropped: VecDeque<Arc<Sealed>>,
    pub(crate) ledgers: Vec<Ledger>,
}

impl Store {
    /// The longest request, in bytes of records. Far above what a request
    /// over a network may hold; keeps every byte of a segment addressable.
    const MAX_REQUEST: u64 = 1 << 30;

    /// The identity of the log.
    pub fn log_id(&self) -> LogId {
        self.shared.identity.log
    }

    /// A reader of the log; clones share what they cache.
    pub fn reader(&self) -> Reader {
        Reader::new(self.shared.clone())
    }

    /// How the store is.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// What was found damaged, cut or rebuilt since the last call, oldest
    /// first; at most 1,024 are kept.
    pub fn take_findings(&self) -> Vec<Finding> {
        self.shared.findings.take()
    }

    /// Appends requests with one write and one sync, as far as they fit the
    /// segment; answers in their order once all of it is durable. A duplicate
    /// of something that is durable or in this call is answered with it.
    pub fn commit(
        &mut self,
        requests: Vec<Request>,
        now: Timestamp,
    ) -> Vec<Result<Vec<Appended>, AppendError>> {
        self.clock.advance(now.0);
        self.window.expire(now.0);
        let mut answers: Vec<_> = requests.iter().map(|_| None).collect();
        let mut group = Group::default();
        for (number, request) in requests.into_iter().enumerate() {
            if matches!(self.health, Health::Failed(_)) {
                answers[number] = Some(Err(AppendError::Failed));
                continue;
            }
            if let Err(error) = self.stage(number, request, &mut group, &mut answers) {
                answers[number] = Some(Err(error));
            }
        }
        self.flush(&mut group, &mut answers);
        let answers = answers.into_iter();
        answers
            .map(|a| a.unwrap_or(Err(AppendError::Failed)))
            .collect()
    }

    /// Adds a request to the group; first writes the group if both don't fit.
    fn stage(
        &mut self,
        number: usize,
        mut request: Request,
        group: &mut Group,
        answers: &mut [Answer],
    ) -> Result<(), AppendError> {
        let bytes = self.measure(&request)?;
        request.iter_mut().for_each(without_doubles);
        let mut admitted = self.admit(&request, group)?;
        let memory: usize = request.iter().map(group::memory_of).sum();
        let fits = |store: &Self, group: &Group| {
            let catalog = store.shared.catalog();
            let index = &catalog.active.index;
            let memory = index.memory + group.memory() + memory;
            // However many topics one request has, some segment must take it.
            let is_alone = index.memory == 0 && group.is_empty();
            index.memory < LiveIndex::MAX_MEMORY
                && (memory <= LiveIndex::MAX_MEMORY || is_alone)
                && index.end + group.bytes() + bytes <= catalog.active.capacity
        };
        if !fits(self, group) {
            self.flush(group, answers);
            if matches!(self.health, Health::Failed(_)) {
                return Err(AppendError::Failed);
            }
            // Duplicates of what was just flushed (or failed) read otherwise now.
            admitted = self.admit(&request, group)?;
            if admitted.verdicts.contains(&Verdict::New) && !fits(self, group) {
                self.roll(bytes).map_err(|error| self.refusal(&error))?;
            }
        }
        group.push(number, request, admitted);
        Ok(())
    }

    /// How many bytes of records the request takes.
    fn measure(&self, request: &Request) -> Result<u64, AppendError> {
        let mut total = 0;
        for (index, entry) in request.iter().enumerate() {
            let id = entry.id.as_ref().map_or(0, |id| id.as_str().len());
            let topics = entry.published().topics();
            let topics: usize = topics.map(|topic| topic.as_str().len()).sum();
            let size = topics + id + entry.fields.len();
            match record::encoded_len(entry) {
                Some(len) if size <= self.options.max_entry_bytes => total += len,
                _ => return Err(AppendError::TooLarge { index }),
            }
            if total > Self::MAX_REQUEST {
                return Err(AppendError::TooLarge { index });
            }
        }
        Ok(total)
    }

    /// Writes and syncs the group, then shows it to readers and answers.
    fn flush(&mut self, group: &mut Group, answers: &mut [Answer]) {
        let group = std::mem::take(group);
        if group.is_empty() {
            return;
        }
        let (buffer, last) = self.encode(&group);
        let written = if buffer.is_empty() {
            Ok(())
        } else {
            self.write(&buffer)
        };
        if let Err(error) = written {
            let error = self.fault(&error);
            return group.refuse(error, answers);
        }
        if !buffer.is_empty() {
            self.health = Health::Healthy;
            self.publish(&buffer, &group);
        }
        let log = self.shared.identity.log;
        group.answer(Position(last.0 + 1), log, answers);
    }

    /// The group's records, and the last position before them.
    fn encode(&self, group: &Group) -> (Vec<u8>, Position) {
        let catalog = self.shared.catalog();
        let index = &catalog.active.index;
        let (salt, start, last) = (index.salt, index.end, index.last);
        let tick = self.clock.tick().max(index.last_tick);
        drop(catalog);
        let mut buffer = Vec::with_capacity(group.bytes() as usize);
        for (n, (entry, ends_request)) in group.new_entries().enumerate() {
            let place = Place {
                salt,
                at: start + buffer.len() as u64,
                group: start,
                position: Position(last.0 + 1 + n as u64),
                tick,
                ends_request,
            };
            record::encode(&mut buffer, entry, &place);
        }
        (buffer, last)
    }

    /// One write, one sync.
    fn write(&mut self, buffer: &[u8]) -> io::Result<()> {
        let (file, end) = {
            let catalog = self.shared.catalog();
            (catalog.active.file.clone(), catalog.active.index.end)
        };
        if let Some(to) = self.soiled_to {
            // What a failed write left must not follow what is written now:
            // it might read as records that nobody was promised.
            file.zero(end, to)?;
            self.sync(&*file)?;
            self.soiled_to = None;
        }
        if let Err(error) = file.write_at(end, buffer) {
            self.soiled_to = Some(end + buffer.len() as u64);
            return Err(error);
        }
        self.sync(&*file)
    }

    /// A failed sync is final, whatever the error says.
    fn sync(&mut self, file: &dyn crate::storage::StorageFile) -> io::Result<()> {
        file.sync_data().inspect_err(|error| {
            self.health = Health::Failed(format!("sync of the active segment: {error}"));
        })
    }

    /// Makes durable records visible.
    fn publish(&mut self, buffer: &[u8], group: &Group) {
        let mut catalog = self.shared.catalog_mut();
        let Active { index, totals, .. } = &mut catalog.active;
        let start = index.end;
        let mut rest = buffer;
        for (entry, _) in group.new_entries() {
            let at = start + (buffer.len() - rest.len()) as u64;
            let head = Head::parse(index.salt, at, rest).expect("encoded just now");
            let record = head.view(rest).expect("encoded just now");
            index.add(&record, entry.published().topics(), at);
            let topics = entry.published().topics();
            totals::count(totals, &self.shared.retention, topics, head.len);
            self.shared.note_closing(entry, head.position);
            if let Some(key) = index.keys.last().filter(|_| record.key.is_some()) {
                self.window.insert(*key);
            }
            rest = &rest[head.len as usize..];
        }
    }

    /// What an error means that touched nothing of the log: for who appends,
    /// no more than that it may be tried again.
    fn refusal(&mut self, error: &io::Error) -> AppendError {
        if matches!(self.health, Health::Failed(_)) || is_full(error) {
            return self.fault(error);
        }
        AppendError::Unavailable
    }

    /// Notes what an error of writing records means for the store, and for
    /// who appends.
    fn fault(&mut self, error: &io::Error) -> AppendError {
        if matches!(self.health, Health::Failed(_)) {
            return AppendError::Failed;
        }
        if is_full(error) {
            self.health = Health::Full;
            return AppendError::Full;
        }
        self.health = Health::Failed(error.to_string());
        AppendError::Failed
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.clock.tick() > self.saved_tick {
            // What is lost is an hour at most.
            let _ = self.save_clock();
        }
    }
}

/// What is read back is to be what was written, and alternates that are the same
/// would be taken for damage.
fn without_doubles(entry: &mut Entry) {
    let topics = entry.published().topics().map(Topic::as_str);
    if !entry.alternates.is_empty() && record::has_doubles(topics) {
        let alternates = std::mem::take(&mut entry.alternates);
        entry.alternates = published::alternates(&entry.topic, alternates);
    }
}

pub(crate) type Answer = Option<Result<Vec<Appended>, AppendError>>;

/// Whether an error says that there is no space (for now).
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull, WriteZero};
    matches!(
        error.kind(),
        StorageFull | QuotaExceeded | FileTooLarge | WriteZero
    )
}

/// The id of an entry that stands at `position`.
pub(crate) fn wire_id(log: LogId, position: Position, own: Option<&EventId>) -> EventId {
    own.cloned()
        .unwrap_or_else(|| WireId { log, position }.to_event_id())
}
