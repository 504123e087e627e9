//! The model's world: log, store, tail, lanes and readers.

use super::reader::{Answer, Reader};
use super::watcher::Watcher;
use super::wish::{Wish, mercure_topic};
use super::{Op, Setup, Start, range};
use crate::closing::{self, Kind};
use crate::published::alternates;
use crate::stream::Voice;
use crate::{
    Budget, Cursor, Event, Frame, Gap, LogId, Position, Read, SubscriptionKey, Subscriptions, Tail,
    Timestamp, Topic, Visibility,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use tidings_codec::fixtures::Random;

pub(super) const LOG: LogId = LogId(1);
const LANES: usize = 2;
/// Enough to cross each other, and not so many that a run takes long.
const MAX_READERS: usize = 24;

/// Native ones, the hub's own, and Mercure's, by their names there.
const TOPICS: [&str; 11] = [
    "a",
    "b",
    "a/a",
    "a/b",
    "b/a",
    "b/b",
    "a/b/a",
    "$h/a",
    "b/c/d/e",
    "https://x.example/a",
    "urn:x",
];

pub(super) struct World {
    pub(super) setup: Setup,
    /// Every event there ever was: the truth.
    pub(super) log: Vec<Arc<Frame>>,
    /// The store keeps what comes after this ...
    pub(super) expired: Position,
    /// ... except these.
    damaged: BTreeSet<Position>,
    /// For those that have a stream, it keeps of some topics only what comes
    /// after this.
    pub(super) forgotten: Position,
    pub(super) tail: Tail,
    pub(super) lanes: Vec<Subscriptions>,
    readers: Vec<Reader>,
    pub(super) watchers: Vec<Watcher>,
    pub(super) gone: Vec<(usize, SubscriptionKey)>,
}

impl World {
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            log: Vec::new(),
            expired: Position::START,
            damaged: BTreeSet::new(),
            forgotten: Position::START,
            tail: Tail::new(setup.tail_bytes, Position::START).with_scan_work(setup.scan_work),
            lanes: (0..LANES)
                .map(|_| Subscriptions::new(Position::START))
                .collect(),
            readers: Vec::new(),
            watchers: Vec::new(),
            gone: Vec::new(),
        }
    }

    pub fn apply(&mut self, op: Op) -> Result<(), String> {
        match op {
            Op::Append {
                count,
                topic,
                published,
                bytes,
                skip,
            } => {
                let each = |i: usize| (topic + i, published.wrapping_mul(2 * i as u64 + 1));
                (0..count).for_each(|i| self.append(each(i), bytes, skip));
            }
            Op::Deliver { count } => self.deliver(count),
            Op::Follow { lane, count } => return self.follow(lane % LANES, count),
            Op::Subscribe {
                lane,
                selection,
                start,
            } if self.readers.len() < MAX_READERS => {
                self.subscribe(lane % LANES, selection, start);
            }
            Op::Subscribe { .. } => {}
            Op::Watch {
                lane,
                selection,
                start,
                slow,
                limit,
                mercure,
            } if self.watchers.len() < MAX_READERS => {
                let wish = Wish::random(selection, self.setup.sabotage);
                let voice = match mercure {
                    true => Voice::Mercure,
                    false => Voice::default(),
                };
                self.watch(lane % LANES, (wish, voice), start, (slow, limit));
            }
            Op::Watch { .. } => {}
            Op::Expire { count } => self.expired = self.place_after(self.expired, count),
            Op::Forget { count } => self.forgotten = self.place_after(self.forgotten, count),
            Op::Damage { event } => {
                let at = event % self.log.len().max(1);
                self.damaged
                    .extend(self.log.get(at).map(|frame| frame.position()));
            }
            Op::Read { reader, .. }
            | Op::AskStore { reader, .. }
            | Op::Answer { reader }
            | Op::Leave { reader } => {
                if let Some(at) = reader.checked_rem(self.readers.len()) {
                    return self.apply_to_reader(op, at);
                }
            }
            Op::Pull { reader, .. }
            | Op::Beat { reader }
            | Op::ReadStore { reader, .. }
            | Op::HandOver { reader }
            | Op::ComeBack { reader } => {
                if let Some(at) = reader.checked_rem(self.watchers.len()) {
                    return self.apply_to_watcher(op, at);
                }
            }
        }
        Ok(())
    }

    fn apply_to_reader(&mut self, op: Op, at: usize) -> Result<(), String> {
        match op {
            Op::Read { frames, bytes, .. } => return self.read(at, Budget { frames, bytes }),
            Op::AskStore { frames, .. } => self.ask_store(at, frames),
            Op::Answer { .. } => return self.answer(at),
            _ => return self.leave(at),
        }
        Ok(())
    }

    fn apply_to_watcher(&mut self, op: Op, at: usize) -> Result<(), String> {
        match op {
            Op::Pull {
                frames,
                bytes,
                room,
                ..
            } => return self.pull(at, Budget { frames, bytes }, room),
            Op::Beat { .. } => return self.beat(at),
            Op::ReadStore { frames, fails, .. } => self.read_store_for(at, frames, fails),
            Op::HandOver { .. } => self.hand_over(at),
            _ => self.come_back(at).map(|_| ())?,
        }
        Ok(())
    }

    /// Whether all invariants hold.
    pub fn check(&mut self) -> Result<(), String> {
        self.check_tail()?;
        for reader in &mut self.readers {
            let lane = &self.lanes[reader.lane];
            let cursor = lane
                .cursor(reader.key)
                .ok_or_else(|| format!("{:?} has no cursor", reader.key))?;
            reader.check(&self.log, cursor)?;
            if lane.is_behind(reader.key) && !reader.ready {
                return Err(format!("{:?} is behind and was not told", reader.key));
            }
            if lane.lag(reader.key) != lane.end().0.saturating_sub(cursor.after.0) {
                return Err(format!("{:?} has a wrong lag", reader.key));
            }
        }
        (0..self.watchers.len()).try_for_each(|at| self.check_watcher(at))?;
        for (number, lane) in self.lanes.iter().enumerate() {
            let readers = self.readers.iter().filter(|reader| reader.lane == number);
            let watchers = self.watchers.iter().filter(|one| one.lane == number);
            if lane.len() != readers.count() + watchers.count() {
                return Err("a lane holds other subscriptions than it was given".into());
            }
        }
        Ok(())
    }

    /// Lets everything that is under way come to its end; then everybody must
    /// have everything.
    pub fn finish(&mut self) -> Result<(), String> {
        self.deliver(usize::MAX);
        let end = self.tail.end();
        for lane in 0..LANES {
            self.follow(lane, usize::MAX)?;
            if self.lanes[lane].end() != end {
                return Err("a lane doesn't reach the end of the tail".into());
            }
        }
        for at in 0..self.readers.len() {
            self.read_to_end(at)?;
        }
        for at in 0..self.watchers.len() {
            self.watch_to_end(at)?;
        }
        self.check()?;
        for watcher in &self.watchers {
            if watcher.known() != end {
                return Err(format!("a watcher ends at {}", watcher.known().0));
            }
        }
        for reader in &self.readers {
            let cursor = self.lanes[reader.lane].cursor(reader.key);
            if cursor != Some(Cursor { after: end }) {
                return Err(format!("{:?} ends at {cursor:?}", reader.key));
            }
        }
        self.leave_all()
    }

    fn end(&self) -> Position {
        self.log
            .last()
            .map_or(Position::START, |frame| frame.position())
    }

    fn append(&mut self, (topic, published): (usize, u64), bytes: usize, skip: u64) {
        let topic = nth_topic(topic);
        let mut random = Random::new(published);
        let others = [0, 0, 0, 1, 3][random.below(5)];
        let others: Vec<Topic> = (0..others).map(|_| nth_topic(random.below(64))).collect();
        let visibilities = [Visibility::Native, Visibility::Public, Visibility::Private];
        let event = Event {
            alternates: alternates(&topic, others),
            visibility: visibilities[random.below(3)],
            topic,
            event_type: None,
            id: None,
            retry: None,
            data: "x".repeat(bytes).into(),
        };
        let position = Position(self.end().0 + 1 + skip);
        let ends = random.below(16) == 0 && !self.is_closed(&event.topic);
        let entry = match ends {
            true => closing::end(event.topic)
                .into_entry(Timestamp(0), None)
                .of_kind(Kind::End),
            // To a topic that is closed it is what opens it.
            false => event.into_entry(Timestamp(0), None),
        };
        self.log.push(Arc::new(Frame::new(LOG, position, entry)));
    }

    /// Whether the last event of a topic is its end.
    fn is_closed(&self, topic: &Topic) -> bool {
        let mut latest = self.log.iter().rev();
        let last = latest.find(|frame| frame.published().topics().any(|own| own == topic));
        last.is_some_and(|last| last.is_end())
    }

    /// Whether a frame is the end of a topic that has another event behind it, within
    /// these.
    pub(super) fn is_reopened(&self, frame: &Frame, from: Position, to: Position) -> bool {
        let has_it = |later: &Arc<Frame>| {
            let event = later.published();
            event.topics().any(|topic| topic == frame.topic())
        };
        let after = frame.position().max(from);
        frame.is_end() && self.between(after, to).iter().any(has_it)
    }

    /// Nobody is given an end that what the tail holds has reopened.
    pub(super) fn check_ends(&self, frames: &[Arc<Frame>]) -> Result<(), String> {
        let (from, to) = (self.tail.start(), self.tail.end());
        match frames
            .iter()
            .find(|frame| self.is_reopened(frame, from, to))
        {
            None => Ok(()),
            Some(end) => Err(format!("{} was reopened", end.position().0)),
        }
    }

    fn deliver(&mut self, count: usize) {
        let end = self.tail.end();
        for frame in self.log[self.index_after(end)..].iter().take(count) {
            self.tail.push(Arc::clone(frame));
        }
    }

    fn follow(&mut self, lane: usize, count: usize) -> Result<(), String> {
        let mut ready = Vec::new();
        let seen = self.lanes[lane].end();
        let jumped = self.tail.after(Cursor { after: seen }).is_err();
        let lane_at_end = self.lanes[lane]
            .follow(&self.tail, Budget::frames(count), &mut ready)
            .at_end;
        if lane_at_end != (self.lanes[lane].end() == self.tail.end()) {
            return Err("the lane is wrong about being at the end".into());
        }
        self.count_for_watchers(lane, seen, jumped);
        for key in ready {
            let mut watchers = self.watchers.iter_mut();
            let watcher = watchers.find(|one| one.lane == lane && one.stream.key() == key);
            if let Some(watcher) = watcher {
                watcher.ready = true;
                continue;
            }
            let mut readers = self.readers.iter_mut();
            let reader = readers
                .find(|reader| reader.lane == lane && reader.key == key)
                .ok_or_else(|| format!("{key:?} is ready and doesn't exist"))?;
            if reader.ready {
                return Err(format!("{key:?} was told twice"));
            }
            reader.ready = true;
        }
        Ok(())
    }

    fn subscribe(&mut self, lane: usize, selection: u64, start: Start) {
        let after = self.place(lane, start);
        let wish = Wish::random(selection, self.setup.sabotage);
        let key = self.lanes[lane].insert(wish.selection.clone(), Cursor { after });
        let mut reader = Reader::new(lane, key, wish, after);
        // A caught-up reader stands where its lane does; nothing lies between.
        reader.ready = self.lanes[lane].is_behind(key);
        self.readers.push(reader);
    }

    pub(super) fn place(&self, lane: usize, start: Start) -> Position {
        let end = self.end();
        match start {
            Start::LogEnd => end,
            Start::TailEnd => self.tail.end(),
            Start::LaneEnd => self.lanes[lane].end(),
            Start::Anywhere(number) => Position(number % (end.0 + 1)),
        }
    }

    /// Where the `count`th event after `position` stands.
    fn place_after(&self, position: Position, count: usize) -> Position {
        let from = self.index_after(position);
        let last = self.log[from..].iter().take(count).next_back();
        last.map_or(position, |frame| frame.position())
    }

    fn index_after(&self, position: Position) -> usize {
        self.log
            .partition_point(|frame| frame.position() <= position)
    }

    /// The events after one position, up to another.
    pub(super) fn between(&self, after: Position, to: Position) -> &[Arc<Frame>] {
        &self.log[self.index_after(after)..self.index_after(to.max(after))]
    }

    /// Whether there is a later event of the same canonical topic for which
    /// `wanted` holds; the store may be ahead of the tail.
    pub(super) fn has_newer(&self, frame: &Frame, wanted: impl Fn(&Frame) -> bool) -> bool {
        let mut later = self.between(frame.position(), self.end()).iter();
        later.any(|later| later.topic() == frame.topic() && wanted(later))
    }

    pub(super) fn is_damaged(&self, position: Position) -> bool {
        self.damaged.contains(&position)
    }

    fn read(&mut self, at: usize, budget: Budget) -> Result<(), String> {
        let reader = &mut self.readers[at];
        let lane = &mut self.lanes[reader.lane];
        let before = lane.cursor(reader.key);
        let (read, batch) = lane.read(reader.key, &self.tail, budget);
        let frames = batch.frames();
        let after = lane.cursor(reader.key);
        check_budget(frames, budget)?;
        let as_promised = match read {
            Read::Frames => after > before,
            Read::CaughtUp => frames.is_empty() && !lane.is_behind(reader.key),
            Read::Gap(gap) => frames.is_empty() && after == before && gap.to == self.tail.start(),
        };
        if !as_promised {
            return Err(format!(
                "{read:?} with {} frames, from {before:?} to {after:?}",
                frames.len()
            ));
        }
        reader.needs_store = matches!(read, Read::Gap(_));
        reader.ready = lane.is_behind(reader.key);
        reader.take(frames, &mut self.setup.sabotage);
        self.check_ends(batch.frames())
    }

    fn ask_store(&mut self, at: usize, max_frames: usize) {
        let reader = &self.readers[at];
        if !reader.needs_store || reader.answer.is_some() {
            return;
        }
        let Some(mut cursor) = self.lanes[reader.lane].cursor(reader.key) else {
            return;
        };
        let mut frames = Vec::new();
        let read = self.read_store(&mut cursor, &reader.wish, max_frames, &mut frames);
        self.readers[at].answer = Some(Answer {
            cursor,
            frames,
            read,
        });
    }

    /// The store that is a `Vec`.
    pub(super) fn read_store(
        &self,
        cursor: &mut Cursor,
        wish: &Wish,
        max_frames: usize,
        out: &mut Vec<Arc<Frame>>,
    ) -> Read {
        if cursor.after < self.expired {
            return Read::Gap(Gap { to: self.expired });
        }
        let start = cursor.after;
        for frame in &self.log[self.index_after(start)..] {
            if out.len() >= max_frames {
                return Read::Frames;
            }
            let to = frame.position();
            match (self.damaged.contains(&to), cursor.after == start) {
                (true, true) => return Read::Gap(Gap { to }),
                (true, false) => return Read::Frames,
                (false, _) => cursor.after = to,
            }
            if wish.wants(frame) && !self.is_reopened(frame, Position::START, self.end()) {
                out.push(Arc::clone(frame));
            }
        }
        if out.is_empty() {
            Read::CaughtUp
        } else {
            Read::Frames
        }
    }

    fn answer(&mut self, at: usize) -> Result<(), String> {
        let reader = &mut self.readers[at];
        let Some(answer) = reader.answer.take() else {
            return Ok(());
        };
        let lane = &mut self.lanes[reader.lane];
        let before = lane.cursor(reader.key).map_or(Position::START, |c| c.after);
        let cursor = match answer.read {
            Read::Gap(gap) => Cursor { after: gap.to },
            Read::Frames | Read::CaughtUp => answer.cursor,
        };
        if !lane.set_cursor(reader.key, cursor) {
            return Err(format!("the answer up to {} came too late", cursor.after.0));
        }
        if let Read::Gap(gap) = answer.read {
            let lost = gap.to <= self.expired || self.damaged.contains(&gap.to);
            if !lost {
                return Err(format!("nothing of {} is lost", range(before, gap.to)));
            }
            reader.declare_gap(before, gap.to);
        }
        reader.needs_store = false;
        reader.ready = lane.is_behind(reader.key);
        reader.take(&answer.frames, &mut self.setup.sabotage);
        Ok(())
    }

    fn read_to_end(&mut self, at: usize) -> Result<(), String> {
        let budget = Budget {
            frames: 3,
            bytes: 1_000,
        };
        // Each turn passes at least one event, or asks and is answered.
        for _ in 0..4 * self.log.len() + 8 {
            let reader = &self.readers[at];
            if !self.lanes[reader.lane].is_behind(reader.key) {
                return Ok(());
            }
            self.answer(at)?;
            self.read(at, budget)?;
            self.ask_store(at, 3);
            self.answer(at)?;
        }
        Err(format!("{:?} never ends", self.readers[at].key))
    }

    fn leave(&mut self, at: usize) -> Result<(), String> {
        let reader = self.readers.swap_remove(at);
        if !self.lanes[reader.lane].remove(reader.key) {
            return Err(format!("{:?} could not be removed", reader.key));
        }
        self.gone.push((reader.lane, reader.key));
        let budget = Budget {
            frames: 1,
            bytes: 1,
        };
        let end = Cursor { after: self.end() };
        for (lane, key) in &self.gone {
            let lane = &mut self.lanes[*lane];
            let (read, batch) = lane.read(*key, &self.tail, budget);
            let silent = read == Read::CaughtUp
                && batch.is_empty()
                && !lane.set_cursor(*key, end)
                && lane.cursor(*key).is_none()
                && lane.selection(*key).is_none()
                && !lane.is_behind(*key)
                && lane.lag(*key) == 0
                && !lane.remove(*key);
            if !silent {
                return Err(format!("{key:?} was removed and still acts"));
            }
        }
        Ok(())
    }

    fn leave_all(&mut self) -> Result<(), String> {
        while !self.readers.is_empty() {
            self.leave(0)?;
        }
        for watcher in std::mem::take(&mut self.watchers) {
            self.lanes[watcher.lane].remove(watcher.stream.key());
        }
        if self.lanes.iter().all(Subscriptions::is_empty) {
            Ok(())
        } else {
            Err("a lane keeps subscriptions that were removed".into())
        }
    }

    fn check_tail(&self) -> Result<(), String> {
        let tail = &self.tail;
        if tail.bytes() > self.setup.tail_bytes && tail.len() > 1 {
            return Err(format!("the tail has {} bytes", tail.bytes()));
        }
        if tail.is_empty() && tail.bytes() != 0 {
            return Err("an empty tail has bytes".into());
        }
        let truth = self.between(tail.start(), tail.end());
        let start = Cursor {
            after: tail.start(),
        };
        let held = tail.after(start).map_err(|gap| format!("{gap:?}"))?;
        let same = |(own, frame): (&Arc<Frame>, &Arc<Frame>)| Arc::ptr_eq(own, frame);
        if held.len() == truth.len() && truth.iter().zip(held).all(same) {
            Ok(())
        } else {
            Err("the tail doesn't hold what it says".into())
        }
    }
}

pub(super) fn check_budget(frames: &[Arc<Frame>], budget: Budget) -> Result<(), String> {
    let before_last: usize = frames
        .iter()
        .rev()
        .skip(1)
        .map(|frame| frame.payload_len())
        .sum();
    let too_many = frames.len() > budget.frames.max(1);
    let too_large = frames.len() > 1 && before_last >= budget.bytes;
    if too_many || too_large {
        return Err(format!("{} frames for {budget:?}", frames.len()));
    }
    Ok(())
}

fn nth_topic(number: usize) -> Topic {
    let text = TOPICS[number % TOPICS.len()];
    match text.contains(':') {
        true => mercure_topic(text),
        false => Topic::new(text).expect("a valid topic"),
    }
}
