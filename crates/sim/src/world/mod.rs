//! The world: publishers, a hub on a disk, and watchers, in one thread, from
//! one seed. See [`run`].

mod audit;
mod hub;
mod ledger;
mod plan;
mod publisher;
mod stream;
mod watcher;

use crate::{History, Moment};
use fastrand::Rng;
use hub::Hub;
use ledger::Ledger;
pub use plan::{Keep, Odds, Plan};
use publisher::Publisher;
use std::sync::Arc;
use tidings_engine::since::Since;
use tidings_engine::{LogId, Timestamp};
use tidings_store::storage::crash::{CrashStorage, Faults};
use tidings_store::{Health, Storage};
use watcher::Watcher;

/// What came of a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What publishers and watchers saw.
    pub history: History,
    /// What else was wrong: it never came to rest (I8), or a batch was torn.
    pub complaints: Vec<String>,
    /// How much happened.
    pub counts: Counts,
}

/// How often something happened in a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Starts of the hub.
    pub starts: usize,
    /// Starts that the disk didn't allow.
    pub failed_starts: usize,
    /// Times the power went.
    pub power_cuts: usize,
    /// Times the hub was killed.
    pub kills: usize,
    /// Connections that were lost, hub's ends not counted.
    pub lost_connections: usize,
    /// Streams that ended because their readers were too slow.
    pub too_slow: usize,
    /// Streams that the hub ended because it drains.
    pub drained: usize,
    /// How often a watcher was told that nothing will come.
    pub told_over: usize,
}

struct World {
    rng: Rng,
    plan: Plan,
    /// Milliseconds since the world began, and what the wall clock says.
    now_ms: u64,
    wall_ms: u64,
    moment: Moment,
    disk: CrashStorage,
    faults: Faults,
    hub: Option<Hub>,
    publishers: Vec<Publisher>,
    watchers: Vec<Watcher>,
    ledger: Ledger,
    counts: Counts,
}

/// The wall clock when the world begins: some day in 2025.
const BEGIN_MS: u64 = 1_750_000_000_000;
const HOUR_MS: u64 = 3_600_000;
const TEN_YEARS_MS: u64 = 10 * 365 * 24 * HOUR_MS;
/// A jump of the clock ages events by at most an hour while the store is
/// open and a day while it is closed.
const JUMP_AGES_MS: u64 = 25 * HOUR_MS;
/// The least that an index takes.
const INDEX_BYTES: u64 = 4_096;
/// More than any watcher of a world can be told.
const MOST_STEPS: usize = 20_000;
/// How many rounds a world may take to come to rest.
const REST_ROUNDS: usize = 4_000;

/// Lets the world of a seed run to its end. The same seed gives the same run.
pub fn run(seed: u64) -> Run {
    let mut rng = Rng::with_seed(seed);
    let plan = Plan::new(&mut rng);
    let mut world = World::new(rng, plan);
    for _ in 0..world.plan.steps {
        world.step();
    }
    let mut complaints: Vec<String> = world.rest().into_iter().collect();
    let whole_log = world.audit(&mut complaints);
    let mut counts = world.counts;
    for watcher in &world.watchers {
        counts.too_slow += watcher.too_slow;
        counts.drained += watcher.drained;
        counts.told_over += watcher.told_over;
    }
    let watched = world.watchers.into_iter().map(Watcher::into_chain);
    let (published, closed) = world.ledger.into_history(world.plan.keep);
    let history = History {
        published,
        closed,
        chains: watched.chain(whole_log).collect(),
    };
    Run {
        history,
        complaints,
        counts,
    }
}

impl World {
    fn new(mut rng: Rng, plan: Plan) -> Self {
        let allowed = (plan.allows_retries(), plan.allows_own_ids());
        let publishers = (0..plan.publishers)
            .map(|number| Publisher::new(number, allowed))
            .collect();
        let disk = CrashStorage::new(rng.u64(..), Faults::default());
        Self {
            rng,
            plan,
            now_ms: 0,
            wall_ms: BEGIN_MS,
            moment: Moment(0),
            disk,
            faults: Faults::default(),
            hub: None,
            publishers,
            watchers: Vec::new(),
            ledger: Ledger::default(),
            counts: Counts::default(),
        }
    }

    fn step(&mut self) {
        self.pass_time();
        self.moment.0 += 1;
        if self.hub.is_none() {
            self.start_hub();
        }
        self.misfortune();
        match self.rng.u8(0..16) {
            0..3 => self.publish(),
            3 | 4 => self.commit(),
            5 | 6 => self.deliver(),
            7 => self.answer(),
            8 => self.maintain(),
            9 | 10 => self.follow(),
            _ => self.watch(),
        }
        if self.disk.has_crashed() {
            self.lose_power();
        }
    }

    fn pass_time(&mut self) {
        // Hours never pass between a publisher's call and the writer's work.
        let busy = self.hub.as_ref().is_some_and(Hub::has_waiting);
        let ms = match (self.plan.keep, self.rng.u8(..)) {
            (Keep::Age(_), 0..4) if !busy => self.rng.u64(0..12) * HOUR_MS,
            _ => self.rng.u64(0..50),
        };
        self.now_ms += ms;
        self.wall_ms += ms;
        self.ledger.sums.aged_ms += ms;
    }

    fn wall(&self) -> Timestamp {
        Timestamp(self.wall_ms)
    }

    fn happens(&mut self, odds: usize) -> bool {
        self.rng.usize(0..1_000) < odds
    }

    fn misfortune(&mut self) {
        let odds = self.plan.odds.clone();
        if self.happens(odds.lost_connection) && !self.watchers.is_empty() {
            let unlucky = self.rng.usize(0..self.watchers.len());
            self.watchers[unlucky].lose(self.hub.as_mut(), &mut self.rng, self.moment);
            self.counts.lost_connections += 1;
        }
        if self.happens(odds.kill) {
            self.kill();
        }
        if self.happens(odds.power_cut) {
            self.lose_power();
        }
        if self.happens(odds.power_cut_within) {
            self.faults.crash_at = Some(self.disk.operations() + self.rng.u64(0..8));
            self.disk.set_faults(self.faults.clone());
        }
        if self.happens(odds.full_disk) {
            self.faults.space = match self.faults.space {
                None => Some(self.disk_use() + self.rng.u64(0..3_000)),
                Some(_) => None,
            };
            self.disk.set_faults(self.faults.clone());
        }
        if self.happens(odds.clock_jump) {
            self.jump_clock();
        }
        if self.happens(odds.late_answer) {
            let impatient = self.rng.usize(0..self.publishers.len());
            self.publishers[impatient].impatient();
        }
    }

    fn jump_clock(&mut self) {
        if self.rng.bool() && self.wall_ms > TEN_YEARS_MS {
            self.wall_ms -= TEN_YEARS_MS;
        } else {
            self.wall_ms += TEN_YEARS_MS;
            self.ledger.sums.aged_ms += JUMP_AGES_MS;
        }
    }

    fn disk_use(&self) -> u64 {
        let names = self.disk.list().unwrap_or_default();
        names
            .iter()
            .filter_map(|name| self.disk.open(name).ok()?.size().ok())
            .sum()
    }

    /// The process ends; what it wrote is still with the kernel.
    fn kill(&mut self) {
        if self.hub.is_none() {
            return;
        }
        self.counts.kills += 1;
        self.end_hub();
        self.new_faults();
        self.disk = self.disk.restart(self.rng.u64(..), self.faults.clone());
    }

    /// The machine ends; of what wasn't synced anything may be left.
    fn lose_power(&mut self) {
        self.counts.power_cuts += 1;
        self.end_hub();
        self.new_faults();
        self.disk = self.disk.reboot(self.rng.u64(..), self.faults.clone());
    }

    fn new_faults(&mut self) {
        self.faults = Faults {
            space: self.faults.space,
            ..Faults::default()
        };
        if self.plan.odds.failing_syncs && self.rng.bool() {
            self.faults.fail_syncs = (0..3).map(|_| self.rng.u64(0..20)).collect();
        }
    }

    fn end_hub(&mut self) {
        self.hub = None;
        for watcher in &mut self.watchers {
            watcher.lose(None, &mut self.rng, self.moment);
        }
        for publisher in &mut self.publishers {
            publisher.unanswered();
        }
    }

    fn start_hub(&mut self) {
        self.note_expiry();
        let hub = Hub::start(
            Arc::new(self.disk.clone()),
            self.plan.options(),
            self.wall(),
            LogId(self.rng.u64(..)),
            (self.plan.lanes, self.plan.tail_bytes),
        );
        // A segment may have been ended early, and another that was torn be
        // left: each takes its whole length, and an index.
        self.ledger.sums.bytes += 2 * (self.plan.segment_bytes + INDEX_BYTES);
        match hub {
            Ok(hub) => {
                self.counts.starts += 1;
                self.hub = Some(hub);
            }
            Err(_) => self.counts.failed_starts += 1,
        }
        // It has seen what may have come to light just now.
        self.see_end();
        self.note_expiry();
    }

    /// A hub whose disk failed is of no use to publishers.
    fn restart_if_failed(&mut self) {
        let failed = |hub: &Hub| matches!(hub.store.health(), Health::Failed(_));
        if self.hub.as_ref().is_some_and(failed) {
            self.kill();
        }
    }

    fn see_end(&mut self) {
        if let Some(hub) = &self.hub {
            self.ledger.sums.end = self.ledger.sums.end.max(hub.reader.last().0);
        }
    }

    /// To be called before the store may look at the time or the sizes.
    fn note_expiry(&mut self) {
        self.ledger.expire(self.at_least_kept(), self.moment);
    }

    /// Segments that are spare, begun and full count for bytes too.
    fn at_least_kept(&self) -> Keep {
        match self.plan.keep {
            Keep::Bytes(bytes) => Keep::Bytes(bytes.saturating_sub(4 * self.plan.segment_bytes)),
            keep => keep,
        }
    }

    fn publish(&mut self) {
        let publisher = self.rng.usize(0..self.publishers.len());
        self.let_stale_calls_be(publisher);
        let clock = (self.now_ms, self.wall());
        let Some(hub) = &mut self.hub else { return };
        self.publishers[publisher].step(
            hub,
            &mut self.ledger,
            &mut self.rng,
            clock,
            &mut self.moment,
        );
    }

    /// A retry is recognised only within a time, and while the event is kept.
    fn let_stale_calls_be(&mut self, publisher: usize) {
        let keep = self.at_least_kept();
        let publisher = &mut self.publishers[publisher];
        let Some((called, since)) = publisher.call_since() else {
            return;
        };
        let in_time = self.now_ms - since < self.plan.retry_within_ms();
        if !in_time || !self.ledger.is_kept(keep, called) {
            publisher.give_up();
        }
    }

    fn commit(&mut self) {
        let (now, most) = (self.wall(), self.rng.usize(1..6));
        let Some(hub) = &mut self.hub else { return };
        let payload = hub.commit(most, now);
        // With their part of an index, which is no smaller than a page.
        self.ledger.sums.bytes += 3 * payload;
        self.see_end();
    }

    fn deliver(&mut self) {
        if let Some(hub) = &mut self.hub {
            hub.deliver();
        }
    }

    fn answer(&mut self) {
        let Some(hub) = &mut self.hub else { return };
        if let Some((ticket, answer)) = hub.answers.pop_front() {
            self.publishers[ticket.0].hear(ticket, answer, &mut self.ledger, &mut self.moment);
        }
    }

    fn maintain(&mut self) {
        self.note_expiry();
        let now = self.wall();
        if let Some(hub) = &mut self.hub {
            // What fails is tried again next time.
            let _ = hub.store.maintain(now);
        }
        if self.rng.u8(0..4) == 0 {
            self.restart_if_failed();
        }
    }

    fn follow(&mut self) {
        let (lane, most) = (self.rng.usize(0..self.plan.lanes), self.rng.usize(1..6));
        if let Some(hub) = &mut self.hub {
            hub.follow(lane, most, &mut self.watchers);
        }
    }

    fn watch(&mut self) {
        if self.watchers.len() < self.plan.watchers && self.rng.u8(0..8) == 0 {
            let since = self.invent_since();
            self.watchers.push(Watcher::new(&mut self.rng, since));
        }
        if self.watchers.is_empty() {
            return;
        }
        let watcher = self.rng.usize(0..self.watchers.len());
        let now = self.wall();
        if let Some(hub) = &mut self.hub {
            self.watchers[watcher].step(hub, &mut self.rng, now, self.moment);
        }
    }

    /// Where an id may turn out to be lost, who asked for the last few events
    /// or for a time span is given just these, behind a gap over what is kept:
    /// that was asked for.
    fn invent_since(&mut self) -> Option<Since> {
        match self.rng.u8(0..8) {
            0..3 => None,
            3..6 => Some(Since::Earliest),
            6 if self.plan.keeps_every_id() => Some(Since::Last(self.rng.u32(1..20))),
            7 if self.plan.keeps_every_id() => Some(Since::Ago(self.rng.u64(0..10_000))),
            _ => Some(Since::Earliest),
        }
    }

    /// All faults are over. Publishers get their answers, watchers get
    /// everything; why not, if that doesn't happen.
    fn rest(&mut self) -> Option<String> {
        self.plan.odds.failing_syncs = false;
        self.faults = Faults::default();
        self.disk.set_faults(Faults::default());
        self.restart_if_failed();
        if self.hub.is_none() {
            self.start_hub();
        }
        if self.hub.is_none() {
            return Some("the hub doesn't start on a disk without faults".into());
        }
        for round in 0..REST_ROUNDS {
            let settled = self.settle_publishers();
            let hub = self.hub.as_mut()?;
            let followed = (0..self.plan.lanes).all(|lane| hub.follow(lane, 3, &mut self.watchers));
            let (now, moment) = (Timestamp(self.wall_ms), self.moment);
            let mut quiet = true;
            for watcher in &mut self.watchers {
                quiet &= watcher.finish(hub, &mut self.rng, now, moment);
            }
            if settled && followed && quiet && round > 0 {
                return None;
            }
            if self
                .watchers
                .iter()
                .any(|watcher| watcher.steps() > MOST_STEPS)
            {
                return Some("a watcher is told things without end".into());
            }
        }
        Some(format!("it doesn't come to rest in {REST_ROUNDS} rounds"))
    }

    /// The log as one more chain, if it can be read.
    fn audit(&mut self, complaints: &mut Vec<String>) -> Option<crate::Chain> {
        self.note_expiry();
        let chain = audit::whole_log(self.hub.as_ref()?, self.moment);
        let chain = chain.map_err(|error| complaints.push(error)).ok()?;
        // Of what expires, a batch's first events go first.
        if self.plan.keep == Keep::All {
            complaints.extend(audit::torn_batches(&chain, &self.ledger));
        }
        Some(chain)
    }

    fn settle_publishers(&mut self) -> bool {
        self.moment.0 += 1;
        self.commit();
        self.deliver();
        self.answer();
        for publisher in 0..self.publishers.len() {
            self.let_stale_calls_be(publisher);
            if !self.publishers[publisher].is_idle() {
                let clock = (self.now_ms, self.wall());
                if let Some(hub) = &mut self.hub {
                    self.publishers[publisher].step(
                        hub,
                        &mut self.ledger,
                        &mut self.rng,
                        clock,
                        &mut self.moment,
                    );
                }
            }
        }
        let hub_idle = self.hub.as_ref().is_some_and(Hub::is_idle);
        hub_idle && self.publishers.iter().all(Publisher::is_idle)
    }
}
