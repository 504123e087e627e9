//! The end of the log, in memory, bounded in bytes.

use crate::{Budget, Cursor, Frame, Gap, Position, Read, Selection, Selector, Topic};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

/// The last frames of the log. It holds *every* event of the log in
/// `start()..end()`, so a reader whose cursor is at or after [`Tail::start`]
/// misses nothing by reading here; for an older cursor [`Tail::read`] answers
/// [`Read::Gap`], and the caller turns to the store.
///
/// Bound: the costs of its frames add up to at most `max_bytes`, except that
/// the newest frame always stays, however large: otherwise whoever is caught
/// up could never read it here. Encoded envelopes come on top
/// (see [`Limits::worst_case_bytes`](crate::Limits::worst_case_bytes)).
#[derive(Debug)]
pub struct Tail {
    max_bytes: usize,
    scan_work: usize,
    bytes: usize,
    start: Position,
    end: Position,
    frames: VecDeque<Arc<Frame>>,
    /// The serial of `frames[0]`. A serial is a frame's number since the tail
    /// was made: unlike positions, serials have no holes.
    first_serial: u64,
    /// Each topic's frames, so that a narrow selection does not pay for the rest
    /// of the log.
    topics: HashMap<Topic, List>,
}

/// The frames that one topic has here.
#[derive(Debug, Default)]
struct List {
    /// Their serials, rising.
    serials: VecDeque<u64>,
    /// For how many of them it is not the canonical one.
    as_alternate: usize,
}

/// What a place in a topic's list costs, with room for its growth.
const LIST_ENTRY: usize = 2 * 8;

/// What a frame costs beside [`Frame::cost`]: the counters of its `Arc` and its
/// place in the queue, with room for its growth.
const FRAME_OVERHEAD: usize = 16 + 2 * 8;

/// What a topic costs beside its text while it has frames here: its map entry
/// (with room for growth) and the smallest list. The text, as the frame that
/// brought it may be gone before the entry is.
const TOPIC_OVERHEAD: usize = 2 * size_of::<(Topic, List)>() + 4 * 8;

/// How much one read may look at without giving anything, in the units of
/// [`Selection::work`]: about a millisecond's worth at most.
const SCAN_WORK: usize = 16 * 1024;

/// Among so many of a topic's last frames its newest is looked for, where some are
/// hidden.
const NEWEST_AMONG: usize = 64;

/// Up to this many frames, looking at each costs less than looking up lists.
const SCAN_AT_ONCE: usize = 32;

impl Tail {
    /// An empty tail of a log that ends at `end`.
    pub fn new(max_bytes: usize, end: Position) -> Self {
        Self {
            max_bytes,
            scan_work: SCAN_WORK,
            bytes: 0,
            start: end,
            end,
            frames: VecDeque::new(),
            first_serial: 0,
            topics: HashMap::new(),
        }
    }

    /// Lets one read look at more or less before it answers with nothing
    /// given, in the units of [`Selection::work`].
    #[must_use]
    pub fn with_scan_work(mut self, scan_work: usize) -> Self {
        self.scan_work = scan_work.max(1);
        self
    }

    /// Appends the log's next event and drops the oldest ones that the bound
    /// has no room for. The position may be farther than one from the last:
    /// then the log holds nothing in between.
    ///
    /// Answers `false`, and changes nothing, if the position is not after
    /// [`Tail::end`]: the frame is here already.
    pub fn push(&mut self, frame: Arc<Frame>) -> bool {
        if frame.position() <= self.end {
            return false;
        }
        self.end = frame.position();
        self.bytes += cost(&frame);
        let serial = self.first_serial + self.frames.len() as u64;
        for topic in frame.published().topics() {
            let list = self.topics.entry(topic.clone()).or_insert_with(|| {
                self.bytes += TOPIC_OVERHEAD + topic.as_str().len();
                List::default()
            });
            list.serials.push_back(serial);
            list.as_alternate += usize::from(topic != frame.topic());
        }
        self.frames.push_back(frame);
        while self.bytes > self.max_bytes && self.frames.len() > 1 {
            self.drop_first();
        }
        true
    }

    /// The place before the first event held: a cursor before this is a gap.
    pub fn start(&self) -> Position {
        self.start
    }

    /// The last position of the log.
    pub fn end(&self) -> Position {
        self.end
    }

    /// The oldest frame held.
    pub fn first(&self) -> Option<&Arc<Frame>> {
        self.frames.front()
    }

    /// The newest frame held.
    pub fn last(&self) -> Option<&Arc<Frame>> {
        self.frames.back()
    }

    /// What the frames held cost, in bytes, as the bound counts them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many frames are held.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether no frame is held.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// All frames after `cursor`, oldest first; a [`Gap`] if some may be missing.
    ///
    /// # Errors
    /// [`Gap`] if the cursor is before [`Tail::start`].
    pub fn after(&self, cursor: Cursor) -> Result<impl ExactSizeIterator<Item = &Arc<Frame>>, Gap> {
        if cursor.after < self.start {
            return Err(Gap { to: self.start });
        }
        Ok(self.frames.range(self.index_after(cursor.after)..))
    }

    /// Appends to `out` the selected frames after `cursor`, oldest first, as
    /// far as `budget` allows, and moves the cursor.
    ///
    /// A selection of exact topics costs what it is given plus a look-up per
    /// topic. Ends of topics that were opened again are passed over. Patterns have to look at the frames in between; one read looks
    /// at a bounded number of them and may then answer [`Read::Frames`] with
    /// none given: the caller reads again, now or after others had their turn.
    pub fn read(
        &self,
        cursor: &mut Cursor,
        selection: &Selection,
        budget: Budget,
        out: &mut Vec<Arc<Frame>>,
    ) -> Read {
        self.read_which(Which::All, cursor, selection, budget, out)
    }

    /// As [`Tail::read`], but passes over frames that a later one of the same
    /// canonical topic follows, which the selection watches too. Alternates don't
    /// count: several things that share one each have a newest event.
    pub fn read_newest(
        &self,
        cursor: &mut Cursor,
        selection: &Selection,
        budget: Budget,
        out: &mut Vec<Arc<Frame>>,
    ) -> Read {
        self.read_which(Which::Newest, cursor, selection, budget, out)
    }

    /// Whether a later event of the frame's canonical topic is held that the
    /// selection watches. If many newer ones are hidden from it, that may stay
    /// unnoticed.
    pub fn has_newer(&self, selection: &Selection, frame: &Frame) -> bool {
        self.has_newer_counting(selection, frame, &mut 0)
    }

    /// Whether `frame` closes its topic and a later event of the topic is held, by
    /// which it was opened again: then it is passed over.
    pub fn is_reopened(&self, frame: &Frame) -> bool {
        let last = || self.topics.get(frame.topic())?.serials.back().copied();
        frame.is_end() && last().is_some_and(|last| self.frame(last).position() > frame.position())
    }

    fn has_newer_counting(&self, selection: &Selection, frame: &Frame, work: &mut usize) -> bool {
        let list = self.topics.get(frame.topic());
        let newest = list.and_then(|list| self.newest(frame.topic(), list, selection, work));
        newest.is_some_and(|serial| self.frame(serial).position() > frame.position())
    }

    /// The serial of the newest frame that has `topic` as its canonical one and
    /// that the selection watches, if it is among the last few; and what it took
    /// to find out. The end of a topic is not what it was about: its last event
    /// stays the newest.
    fn newest(
        &self,
        topic: &Topic,
        list: &List,
        selection: &Selection,
        work: &mut usize,
    ) -> Option<u64> {
        let mut last = list.serials.iter().copied().rev().take(NEWEST_AMONG);
        last.find(|serial| {
            let frame = self.frame(*serial);
            let event = frame.published();
            *work += selection.work(&event);
            event.topic == topic && !frame.is_end() && selection.watches(&event)
        })
    }

    fn frame(&self, serial: u64) -> &Arc<Frame> {
        &self.frames[(serial - self.first_serial) as usize]
    }

    fn read_which(
        &self,
        which: Which,
        cursor: &mut Cursor,
        selection: &Selection,
        budget: Budget,
        out: &mut Vec<Arc<Frame>>,
    ) -> Read {
        if cursor.after < self.start {
            return Read::Gap(Gap { to: self.start });
        }
        if cursor.after >= self.end {
            return Read::CaughtUp;
        }
        let given_before = out.len();
        let from = self.index_after(cursor.after);
        let (exact, patterns) = selection.parts();
        let pending = self.frames.len() - from;
        let reached = if patterns.is_empty() && pending > SCAN_AT_ONCE.max(exact.len()) {
            self.read_lists(which, from, selection, budget, out)
        } else {
            self.read_scanning(which, from, selection, budget, out)
        };
        cursor.after = reached.unwrap_or(self.end);
        if reached.is_none() && out.len() == given_before {
            Read::CaughtUp
        } else {
            Read::Frames
        }
    }

    /// Looks at each frame. Answers where it stopped, `None` at the end.
    fn read_scanning(
        &self,
        which: Which,
        from: usize,
        selection: &Selection,
        budget: Budget,
        out: &mut Vec<Arc<Frame>>,
    ) -> Option<Position> {
        let mut spent = Spent::default();
        let mut work = 0;
        for frame in self.frames.range(from..) {
            if work >= self.scan_work {
                return Some(before(frame));
            }
            let event = frame.published();
            work += selection.work(&event);
            let given = selection.watches(&event)
                && !self.is_reopened(frame)
                && (which == Which::All || !self.has_newer_counting(selection, frame, &mut work));
            if !given {
                continue;
            }
            if !spent.take(frame, budget) {
                return Some(before(frame));
            }
            out.push(Arc::clone(frame));
        }
        None
    }

    /// Merges the lists of the selected topics. Answers where it stopped,
    /// `None` at the end.
    fn read_lists(
        &self,
        which: Which,
        from: usize,
        selection: &Selection,
        budget: Budget,
        out: &mut Vec<Arc<Frame>>,
    ) -> Option<Position> {
        let from = self.first_serial + from as u64;
        let mut work = 0;
        let mut lists = Vec::new();
        let mut heads = BinaryHeap::new();
        for selector in selection.selectors() {
            let Selector::Exact(topic) = selector else {
                continue;
            };
            let Some(list) = self.topics.get(topic) else {
                continue;
            };
            if list.serials.back() < Some(&from) {
                continue;
            }
            let first = match which {
                Which::Newest if list.as_alternate == 0 && work < self.scan_work => self
                    .newest(topic, list, selection, &mut work)
                    .map_or(from, |serial| serial.max(from)),
                // Where others have it as an alternate, they have their own newest.
                Which::All | Which::Newest => from,
            };
            let begin = list.serials.partition_point(|serial| *serial < first);
            let mut rest = list.serials.range(begin..);
            if let Some(serial) = rest.next() {
                heads.push(Reverse((*serial, lists.len())));
                lists.push(rest);
            }
        }
        let mut spent = Spent::default();
        let mut last = None;
        while let Some(Reverse((serial, list))) = heads.pop() {
            if let Some(next) = lists[list].next() {
                heads.push(Reverse((*next, list)));
            }
            // It stands in the lists of all its topics.
            if last == Some(serial) {
                continue;
            }
            let frame = self.frame(serial);
            // Whatever it took to find the lists: a read comes past one frame.
            if last.replace(serial).is_some() && work >= self.scan_work {
                return Some(before(frame));
            }
            let event = frame.published();
            let given = selection.shows(&event)
                && !self.is_reopened(frame)
                && (which == Which::All || !self.has_newer_counting(selection, frame, &mut work));
            if !given {
                work += selection.work(&event);
                continue;
            }
            if !spent.take(frame, budget) {
                return Some(before(frame));
            }
            out.push(Arc::clone(frame));
        }
        None
    }

    fn index_after(&self, position: Position) -> usize {
        self.frames
            .partition_point(|frame| frame.position() <= position)
    }

    fn drop_first(&mut self) {
        let Some(frame) = self.frames.pop_front() else {
            return;
        };
        self.start = frame.position();
        self.first_serial += 1;
        self.bytes -= cost(&frame);
        for topic in frame.published().topics() {
            self.drop_first_of(topic, topic != frame.topic());
        }
    }

    fn drop_first_of(&mut self, topic: &Topic, as_alternate: bool) {
        let Some(list) = self.topics.get_mut(topic) else {
            return;
        };
        list.as_alternate -= usize::from(as_alternate);
        let serials = &mut list.serials;
        serials.pop_front();
        if serials.is_empty() {
            self.topics.remove(topic);
            self.bytes -= TOPIC_OVERHEAD + topic.as_str().len();
            crate::shrink_map(&mut self.topics);
        } else if serials.capacity() > 4 * serials.len() + 16 {
            serials.shrink_to(2 * serials.len());
        }
    }
}

/// Which of the selected frames a read gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    /// Each topic's last.
    Newest,
}

/// What a frame costs here, in bytes, beside what its topics do.
fn cost(frame: &Frame) -> usize {
    frame.cost() + FRAME_OVERHEAD + frame.published().topics().count() * LIST_ENTRY
}

/// The place before a frame: nothing selected lies between it and the frame.
fn before(frame: &Frame) -> Position {
    Position(frame.position().0 - 1)
}

/// What a read has given so far.
#[derive(Default)]
struct Spent {
    frames: usize,
    bytes: usize,
}

impl Spent {
    /// Whether `frame` may still be given; the first always may.
    fn take(&mut self, frame: &Frame, budget: Budget) -> bool {
        if self.frames > 0 && (self.frames >= budget.frames || self.bytes >= budget.bytes) {
            return false;
        }
        self.frames += 1;
        self.bytes += frame.payload_len();
        true
    }
}
