//! What happens to the model's readers that have a stream.

use super::watcher::{Waiting, Watcher};
use super::wish::Wish;
use super::world::{LOG, World};
use super::{Sabotage, Start};
use crate::batch::{Form, Framing};
use crate::control::GapReason;
use crate::stream::{Ending, Opening, StoreRead, Terms, Voice};
use crate::{
    Batch, Budget, Cursor, Frame, Next, Position, Selector, SlowPolicy, Stream, Topic, WireId,
};

/// Of these the store may keep less than of the others.
const FORGETFUL: &str = "a/**";

impl World {
    pub fn watch(
        &mut self,
        lane: usize,
        (wish, voice): (Wish, Voice),
        start: Start,
        (slow, limit): (usize, u64),
    ) {
        let after = self.place(lane, start);
        let told = self.horizon(&wish);
        // Who never was there is told nothing of what is gone.
        let cursor = Cursor {
            after: after.max(self.expired),
        };
        let policies = [SlowPolicy::Disconnect, SlowPolicy::Gap, SlowPolicy::Latest];
        let policy = policies[slow % policies.len()];
        let mut start = crate::Start { cursor, gap: None };
        self.pass_gap(&mut start, &wish, &voice);
        let cursor = start.cursor;
        let key = self.lanes[lane].insert(wish.selection.clone(), cursor);
        let stream = Stream::new((LOG, key), opening(start, told, &voice), policy);
        let id = wire(cursor.after);
        let mut watcher = Watcher::new(lane, stream, (wish, voice), (policy, limit), id);
        watcher.excused = told;
        watcher.waiting = Waiting::new(self.lanes[lane].is_behind(key));
        self.watchers.push(watcher);
    }

    /// The stream of a watcher is asked for more, by a connection that takes
    /// `room` bytes.
    pub fn pull(&mut self, at: usize, budget: Budget, room: usize) -> Result<(), String> {
        let watcher = &mut self.watchers[at];
        let lane = &mut self.lanes[watcher.lane];
        watcher.was_full = watcher.full;
        let key = watcher.stream.key();
        let (before, too_slow) = (lane.cursor(key), watcher.is_too_slow(lane));
        let terms = Terms {
            budget,
            lag_bytes: watcher.limit,
        };
        let next = watcher.stream.next(lane, &self.tail, terms);
        let decided = matches!(
            next,
            Next::End(Ending::TooSlow) | Next::Gap(GapReason::Slow, _)
        );
        // After an answer of the store it may say something else first.
        let reads = matches!(
            next,
            Next::Events(_) | Next::Later | Next::MayEnd | Next::Idle | Next::ReadStore(_)
        );
        let answered = std::mem::take(&mut watcher.answered);
        let must = too_slow && !answered && reads && watcher.policy != SlowPolicy::Latest;
        if decided && !too_slow || must {
            return Err(format!("{next:?}, and too slow is {too_slow}"));
        }
        match next {
            Next::Block(bytes) => {
                watcher.opened = true;
                if !watcher.hear(&bytes).is_empty() {
                    return Err("a block tells of a gap".into());
                }
            }
            Next::Gap(..) if watcher.voice == Voice::Mercure => {
                return Err("it tells of a gap and has no word for it".into());
            }
            Next::Gap(reason, bytes) => {
                self.told_gap(at, reason, before, &bytes)?;
                // One that doesn't move stands before what the store answered.
                let watcher = &mut self.watchers[at];
                let key = watcher.stream.key();
                watcher.answered = answered && self.lanes[watcher.lane].cursor(key) == before;
            }
            Next::Events(batch) => {
                // The model's store knows no bytes.
                if before.is_some_and(|cursor| cursor.after >= self.tail.start()) {
                    super::world::check_budget(batch.frames(), budget)?;
                }
                self.check_ends(batch.frames())?;
                self.events(at, &batch, room);
            }
            Next::Later => self.settle(at),
            Next::ReadStore(cursor) => {
                if lane.cursor(key) != Some(cursor) {
                    return Err(format!("reads the store from {cursor:?}"));
                }
                watcher.asked = Some(cursor);
            }
            Next::Waiting if watcher.asked.is_none() => return Err("it waits for nobody".into()),
            Next::Waiting => {}
            Next::MayEnd => {
                (watcher.full, watcher.given_end) = (false, false);
                self.settle(at);
            }
            Next::Idle if watcher.given_end => {
                return Err("it was given an end and doesn't ask".into());
            }
            Next::Idle => {
                (watcher.ready, watcher.full) = (false, false);
                self.settle(at);
            }
            Next::End(ending) => {
                let tells = watcher.voice != Voice::Mercure;
                let stays = watcher.policy == SlowPolicy::Latest
                    || watcher.policy == SlowPolicy::Gap && tells;
                if ending == Ending::TooSlow && stays || ending == Ending::Gap && tells {
                    return Err("it ends against its policy".into());
                }
                let gap = self.come_back(at)?;
                if ending == Ending::Gap && gap.is_none() {
                    return Err("it ended at a gap that who resumes doesn't find".into());
                }
            }
        }
        Ok(())
    }

    pub fn beat(&mut self, at: usize) -> Result<(), String> {
        let watcher = &mut self.watchers[at];
        let lane = &self.lanes[watcher.lane];
        let bytes = watcher.stream.heartbeat(lane);
        watcher.hear(&bytes);
        if self.setup.sabotage == Some(Sabotage::StateAhead) {
            watcher.mishear(wire(Position(lane.end().0 + 1)));
        }
        let key = watcher.stream.key();
        let stands = lane.cursor(key).map_or(Position::START, |c| c.after);
        if watcher.opened && !watcher.full && watcher.known() < stands {
            return Err(format!("a heartbeat doesn't state {}", stands.0));
        }
        Ok(())
    }

    pub fn read_store_for(&mut self, at: usize, frames: usize, fails: bool) {
        let watcher = &self.watchers[at];
        let (Some(before), None) = (watcher.asked, &watcher.answer) else {
            return;
        };
        let (mut cursor, mut out) = (before, Vec::new());
        let wish = &watcher.wish;
        let read = self.read_store(&mut cursor, wish, frames, &mut out);
        out.retain(|frame| !self.is_forgotten(frame, wish));
        let horizon = self.horizon(wish);
        self.watchers[at].answer = Some(StoreRead {
            before,
            cursor,
            frames: out,
            read: (!fails).then_some(read),
            horizon,
        });
    }

    pub fn hand_over(&mut self, at: usize) {
        let watcher = &mut self.watchers[at];
        if let Some(done) = watcher.answer.take() {
            (watcher.asked, watcher.answered) = (None, true);
            watcher.horizon = done.horizon;
            watcher.stream.answer(done);
        }
    }

    /// A watcher loses its connection, and resumes from the id that it has;
    /// answers the gap that its start has.
    pub fn come_back(&mut self, at: usize) -> Result<Option<GapReason>, String> {
        let watcher = &mut self.watchers[at];
        let (number, key) = (watcher.lane, watcher.stream.key());
        self.lanes[number].remove(key);
        self.gone.push((number, key));
        let known = watcher.known();
        let (voice, policy) = (watcher.voice.clone(), watcher.policy);
        let wish = &self.watchers[at].wish;
        let told = self.horizon(wish);
        let mut start = crate::Start {
            cursor: Cursor {
                after: known.max(self.expired),
            },
            gap: (known < told).then_some(GapReason::Expired),
        };
        self.pass_gap(&mut start, wish, &voice);
        let key = self.lanes[number].insert(wish.selection.clone(), start.cursor);
        let stream = Stream::new((LOG, key), opening(start, told, &voice), policy);
        let watcher = &mut self.watchers[at];
        watcher.come_back(stream);
        watcher.excused = watcher.excused.max(told);
        watcher.waiting = Waiting::new(self.lanes[number].is_behind(key));
        if let (Voice::Mercure, Some(reason)) = (voice, start.gap) {
            self.heard_by_head(at, reason, (known, start.cursor.after))?;
        }
        Ok(start.gap)
    }

    /// The head of the response says what the voice can't.
    fn heard_by_head(
        &mut self,
        at: usize,
        reason: GapReason,
        (known, to): (Position, Position),
    ) -> Result<(), String> {
        let watcher = &self.watchers[at];
        match reason {
            // What is right behind is passed, too.
            GapReason::Expired if known < watcher.excused => {}
            reason => watcher.check_gap(self, reason, to)?,
        }
        if self.setup.sabotage != Some(Sabotage::SilentHead) {
            self.watchers[at].gaps.push((known, to, false));
        }
        Ok(())
    }

    /// What whoever makes the head of a response does for a voice that can't tell
    /// of a gap later.
    fn pass_gap(&self, start: &mut crate::Start, wish: &Wish, voice: &Voice) {
        if *voice != Voice::Mercure || start.cursor.after >= self.tail.start() {
            return;
        }
        let mut cursor = start.cursor;
        let read = self.read_store(&mut cursor, wish, 1, &mut Vec::new());
        start.past_gap(&StoreRead {
            before: start.cursor,
            cursor,
            frames: Vec::new(),
            read: Some(read),
            horizon: self.horizon(wish),
        });
    }

    pub fn watch_to_end(&mut self, at: usize) -> Result<(), String> {
        let budget = Budget {
            frames: 3,
            bytes: 1_000,
        };
        for _ in 0..8 * self.log.len() + 64 {
            self.pull(at, budget, usize::MAX)?;
            self.check_watcher(at)?;
            self.read_store_for(at, 3, false);
            self.hand_over(at);
            if !self.watchers[at].ready {
                return self.beat(at);
            }
        }
        Err("a stream never ends".into())
    }

    pub fn check_watcher(&mut self, at: usize) -> Result<(), String> {
        let mut watcher = self.watchers.swap_remove(at);
        let what = watcher.check(self, &self.lanes[watcher.lane]);
        let who = (watcher.stream.key(), watcher.policy);
        self.watchers.push(watcher);
        let last = self.watchers.len() - 1;
        self.watchers.swap(at, last);
        what.map_err(|what| format!("{who:?}: {what}"))
    }

    /// Tells naive counts what a lane has come to: all up to its position if
    /// the tail reached back, `seen` says from where.
    pub fn count_for_watchers(&mut self, number: usize, seen: Position, jumped: bool) {
        let lane = &self.lanes[number];
        let mut new = Vec::new();
        if !jumped {
            new.extend_from_slice(self.between(seen, lane.end()));
        }
        for watcher in self.watchers.iter_mut().filter(|w| w.lane == number) {
            watcher.waiting.exact &= !jumped;
            let cursor = lane.cursor(watcher.stream.key());
            let stands = cursor.map_or(Position::START, |c| c.after);
            new.iter()
                .filter(|frame| frame.position() > stands)
                .filter(|frame| watcher.wish.wants(frame))
                .for_each(|frame| watcher.waiting.come(frame));
        }
    }

    /// Up to here something of a selection may be gone.
    fn horizon(&self, wish: &Wish) -> Position {
        let forgetful = Selector::new(FORGETFUL).expect("a selector");
        let mut selectors = wish.selection.selectors().iter();
        match selectors.any(|own| own.overlaps(&forgetful)) {
            true => self.expired.max(self.forgotten),
            false => self.expired,
        }
    }

    /// Whether it is kept for none of the topics by which it is watched.
    fn is_forgotten(&self, frame: &Frame, wish: &Wish) -> bool {
        let forgetful = Selector::new(FORGETFUL).expect("a selector");
        let kept = |topic: &Topic| !forgetful.matches(topic);
        frame.position() <= self.forgotten && !wish.wants_by(frame, kept)
    }

    /// Whether the store has it no more.
    pub fn is_lost(&self, frame: &Frame, wish: &Wish) -> bool {
        frame.position() <= self.expired
            || self.is_damaged(frame.position())
            || self.is_forgotten(frame, wish)
    }

    fn told_gap(
        &mut self,
        at: usize,
        reason: GapReason,
        before: Option<Cursor>,
        bytes: &[u8],
    ) -> Result<(), String> {
        let watcher = &mut self.watchers[at];
        let was = watcher.known();
        let gaps = watcher.hear(bytes);
        watcher.opened = true;
        let [to] = gaps[..] else {
            return Err(format!("one gap is told as {gaps:?}"));
        };
        if to < was {
            return Err(format!("a gap goes back from {} to {}", was.0, to.0));
        }
        self.watchers[at].check_gap(self, reason, to)?;
        let watcher = &mut self.watchers[at];
        watcher.excused = watcher.excused.max(watcher.horizon);
        let after = before.map_or(was, |cursor| cursor.after);
        if self.setup.sabotage != Some(Sabotage::HideGap) {
            let slow = reason == GapReason::Slow;
            watcher.gaps.push((after, to, slow));
        }
        if to > after {
            watcher.waiting.passed_over();
        }
        self.settle(at);
        Ok(())
    }

    /// A connection takes `room` bytes of a batch, keeps the rest of one frame
    /// and hands the others back.
    fn events(&mut self, at: usize, batch: &Batch, room: usize) {
        self.watchers[at].waiting.given(batch.frames());
        self.settle(at);
        let watcher = &mut self.watchers[at];
        let lane = &mut self.lanes[watcher.lane];
        let bytes = batch.bytes(Form::Plain, Framing::Bare);
        let from = watcher.received.len();
        let exact = watcher.wish.selection.exact_topics().is_some();
        let asks = exact && watcher.voice != Voice::Mercure;
        watcher.given_end |= asks && batch.has_end();
        if room >= bytes.len() {
            watcher.hear(&bytes);
        } else {
            let (rest, kept) = batch.rest(Form::Plain, Framing::Bare, room);
            watcher.hear(&bytes[..room]);
            watcher.hear(&rest);
            if self.setup.sabotage == Some(Sabotage::ForgetBack) {
                watcher.stream.was_full();
            } else {
                watcher.stream.give_back(lane, batch, kept);
                let (end, frames) = (lane.end(), batch.frames()[kept..].iter());
                let came = frames.filter(|frame| frame.position() <= end);
                came.for_each(|frame| watcher.waiting.come(frame));
            }
            watcher.full = true;
        }
        match self.setup.sabotage {
            Some(Sabotage::LoseNewest) if watcher.policy == SlowPolicy::Latest => {
                watcher.received.pop();
            }
            _ => super::reader::spoil(&mut watcher.received, from, &mut self.setup.sabotage),
        }
    }

    /// Who is caught up waits for nothing.
    fn settle(&mut self, at: usize) {
        let watcher = &mut self.watchers[at];
        if !self.lanes[watcher.lane].is_behind(watcher.stream.key()) {
            watcher.waiting.caught_up();
        }
    }
}

fn opening(start: crate::Start, told: Position, voice: &Voice) -> Opening {
    Opening {
        start,
        told,
        retry_ms: 1_000,
        voice: voice.clone(),
    }
}

fn wire(position: Position) -> WireId {
    WireId { log: LOG, position }
}
