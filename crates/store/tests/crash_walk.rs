//! The crash walk: a mixed workload, stopped at every one of its operations,
//! with several ways of losing what was not synced; then recovered, in part
//! crashed again while recovering, checked against a model, and gone on with.

mod common;

use common::*;
use std::sync::Arc;
use tidings_engine::{Entry, Frame, Position, Timestamp, Visibility};
use tidings_store::storage::crash::{CrashStorage, Faults, Seeded};
use tidings_store::{Appended, Health, Limits, Options, Reader, Retention, Store};

const STEPS: u64 = 70;
const HOUR: u64 = 3_600_000;
const HUB_AGE: u64 = 6 * HOUR;
/// When all but the first start happens.
const LATER: Timestamp = Timestamp(NOW.0 + HUB_AGE);
/// How many events are kept.
const KEPT: usize = 60;

fn options() -> Options {
    Options {
        segment_bytes: 8 * 1024,
        retention: Retention {
            default: Limits {
                bytes: Some(64 * 1024 * 16),
                events: Some(KEPT as u64),
                // Less than the age of the hub, more than that of any event:
                // nothing expires by age, whatever a crash leaves.
                age_ms: Some(HUB_AGE / 2),
            },
            rules: Vec::new(),
        },
        ..Options::default()
    }
}

/// What publishers know.
#[derive(Default, Clone)]
struct Model {
    acked: Vec<(Position, Entry)>,
    /// Requests that were never answered.
    unknown: Vec<Vec<Entry>>,
    /// The number of the next event.
    next: u64,
}

enum Action {
    Append(Vec<Vec<Entry>>),
    Maintain,
    Reopen,
}

impl Model {
    fn plan(&mut self, random: &mut Seeded) -> Action {
        match random.below(10) {
            0 => Action::Reopen,
            1 | 2 => Action::Maintain,
            _ => {
                let requests = (0..1 + random.below(3)).map(|_| self.request(random));
                Action::Append(requests.collect())
            }
        }
    }

    fn request(&mut self, random: &mut Seeded) -> Vec<Entry> {
        (0..1 + random.below(3))
            .map(|_| self.entry(random))
            .collect()
    }

    fn entry(&mut self, random: &mut Seeded) -> Entry {
        self.next += 1;
        let n = self.next;
        let topic = ["news", "orders/1", "orders/2"][random.below(3) as usize];
        let size = [3, 40, 600, 1700][random.below(4) as usize];
        let mut entry = match random.below(3) {
            0 => with_id(topic, n, &format!("id-{n}")),
            1 => with_key(topic, n, n.into(), n),
            _ => event(topic, n),
        };
        entry.time = LATER;
        entry.fields = format!("data: {n} {}\n", "x".repeat(size)).into();
        match random.below(6) {
            0 => as_published(entry, &["else/1", "orders/1"], Visibility::Private),
            1 => {
                entry.id = with_id(topic, n, "again").id;
                as_published(entry, &["else/2"], Visibility::Public)
            }
            _ => entry,
        }
    }

    fn acknowledge(&mut self, request: &[Entry], appended: &[Appended]) {
        for (entry, appended) in request.iter().zip(appended) {
            if !appended.duplicate {
                self.acked.push((appended.position, entry.clone()));
            }
        }
    }

    /// The log holds all that was acknowledged and is kept, nothing that was
    /// not published, each at most once, in order, requests whole, no gap.
    fn check(&self, reader: &Reader, may_be_gone: Position, what: &str) {
        let seen = read_all(reader, "**");
        let from = reader.earliest(&selection("**")).after;
        assert!(
            from <= may_be_gone,
            "{what}: dropped to {from:?}, expected {may_be_gone:?}"
        );
        let mut events = Vec::new();
        for (i, seen) in seen.iter().enumerate() {
            match seen {
                Seen::Gap(to) => assert!(i == 0 && *to == from, "{what}: a gap to {to:?}"),
                Seen::Event(position, topic, payload) => events.push((*position, topic, payload)),
            }
        }
        assert!(events.is_sorted_by(|a, b| a.0 < b.0), "{what}: order");
        let find = |position: Position| events.binary_search_by_key(&position, |e| e.0).ok();
        for (position, entry) in self.acked.iter().filter(|(p, _)| *p > from) {
            let at = find(*position).unwrap_or_else(|| panic!("{what}: {position:?} is lost"));
            assert_eq!(
                *events[at].2,
                payload(*position, entry),
                "{what}: {position:?}"
            );
            assert_eq!(
                *events[at].1,
                told(&entry.published()),
                "{what}: {position:?}"
            );
        }
        for alternate in ["else/1", "else/2"] {
            let having = |e: &&(Position, &String, _)| e.1.split(' ').any(|t| t == alternate);
            let by_all: Vec<u64> = events.iter().filter(having).map(|e| e.0.0).collect();
            assert_eq!(
                positions(&read_all(reader, alternate)),
                by_all,
                "{what}: {alternate}"
            );
        }
        let acked = |position: Position| self.acked.iter().any(|(p, _)| *p == position);
        let mut copies = vec![Vec::new(); self.unknown.len()];
        for (position, _, payload_seen) in events.iter().filter(|e| !acked(e.0)) {
            let of = self.unknown.iter().enumerate().find_map(|(i, request)| {
                let n = request
                    .iter()
                    .position(|e| payload(*position, e) == **payload_seen)?;
                Some((i, n))
            });
            let (i, n) = of.unwrap_or_else(|| panic!("{what}: {position:?} was never published"));
            copies[i].push(n);
        }
        // What is gone is gone because so many newer ones were kept.
        let appended = self.acked.len() + copies.iter().map(Vec::len).sum::<usize>();
        let kept = KEPT.min(appended);
        assert!(
            events.len() >= kept,
            "{what}: {} of {kept} kept",
            events.len()
        );
        for (copies, request) in copies.iter().zip(&self.unknown) {
            let whole: Vec<usize> = (0..request.len()).collect();
            assert!(
                copies.is_empty() || *copies == whole,
                "{what}: {copies:?} of a request"
            );
        }
    }
}

fn payload(position: Position, entry: &Entry) -> bytes::Bytes {
    Frame::new(LOG, position, entry.clone()).payload()
}

fn open_on(disk: &CrashStorage) -> Option<Store> {
    open_at(disk, LATER)
}

fn open_at(disk: &CrashStorage, now: Timestamp) -> Option<Store> {
    let opened = Store::open(Arc::new(disk.clone()), options(), now, fresh(LOG));
    match opened {
        Ok((store, _)) => Some(store),
        Err(error) => {
            assert!(disk.has_crashed(), "{error}");
            None
        }
    }
}

/// Runs the workload until it ends or the machine stops. After each step,
/// `progress` gets the last position that may be gone.
fn run(disk: &CrashStorage, seed: u64, progress: &mut Vec<Position>) -> Model {
    let mut model = Model::default();
    let mut random = Seeded::new(seed);
    let Some(mut store) = open_at(disk, NOW) else {
        return model;
    };
    for hours in 1..=HUB_AGE / HOUR {
        let _ = store.maintain(Timestamp(NOW.0 + hours * HOUR));
    }
    for _ in 0..STEPS {
        match model.plan(&mut random) {
            Action::Append(requests) => {
                let answers = store.commit(requests.clone(), LATER);
                for (request, answer) in requests.into_iter().zip(answers) {
                    match answer {
                        Ok(appended) => model.acknowledge(&request, &appended),
                        Err(_) => model.unknown.push(request),
                    }
                }
            }
            Action::Maintain => while store.maintain(LATER).unwrap_or(false) {},
            Action::Reopen => {
                drop(store);
                match open_on(disk) {
                    Some(opened) => store = opened,
                    None => return model,
                }
            }
        }
        if disk.has_crashed() {
            return model;
        }
        progress.push(store.reader().earliest(&selection("**")).after);
    }
    model
}

/// Recovers, possibly crashing while it does, and checks.
fn recover(crashed: &CrashStorage, model: &Model, gone: Position, seed: u64, what: &str) {
    let mut random = Seeded::new(seed ^ 0xabcd);
    let killed = random.below(3) == 0;
    let again = (random.below(2) == 0).then(|| random.below(12));
    let faults = Faults {
        crash_at: again,
        ..Faults::default()
    };
    let mut disk = if killed {
        crashed.restart(seed, faults)
    } else {
        crashed.reboot(seed, faults)
    };
    let mut store = open_on(&disk);
    if store.is_none() || disk.has_crashed() {
        disk = disk.reboot(seed + 1, Faults::default());
        store = open_on(&disk);
    }
    disk.set_faults(Faults::default());
    let mut store = store.unwrap_or_else(|| panic!("{what}: can't be opened"));
    let _ = store.maintain(LATER);
    // Maintenance may be where it stopped: what it dropped is gone.
    let gone = gone.max(
        store
            .reader()
            .earliest(&selection("**"))
            .after
            .min(gone_by_count(&store)),
    );
    model.check(&store.reader(), gone, what);

    // What was shown once stays, even if the power fails now.
    let shown = read_all(&store.reader(), "**");
    drop(store);
    let disk = disk.reboot(seed + 2, Faults::default());
    let mut store = open_on(&disk).expect("no fault");
    assert_eq!(
        read_all(&store.reader(), "**"),
        shown,
        "{what}: shown, then gone"
    );

    let mut model = model.clone();
    retry_unknown(&mut store, &mut model, what);
    for n in 0..3 {
        let request = [n, n + 100].map(|n| Entry {
            time: LATER,
            ..event("after", n)
        });
        let request = request.to_vec();
        model.acknowledge(&request, &append_later(&mut store, request.clone()));
    }
    let gone = store.reader().earliest(&selection("**")).after;
    model.check(&store.reader(), gone.max(gone_by_count(&store)), what);
    drop(store);
    let disk = disk.reboot(seed + 3, Faults::default());
    let store = open_on(&disk).expect("no fault");
    model.check(&store.reader(), gone_by_count(&store), what);
}

fn append_later(store: &mut Store, request: Vec<Entry>) -> Vec<Appended> {
    store.commit(vec![request], LATER).remove(0).unwrap()
}

/// With at most 60 events kept, everything before the last 60 may go.
fn gone_by_count(store: &Store) -> Position {
    Position(store.reader().last().0)
}

/// A publisher that got no answer asks again: keys and ids make it once.
fn retry_unknown(store: &mut Store, model: &mut Model, what: &str) {
    for request in std::mem::take(&mut model.unknown) {
        let before = read_all(&store.reader(), "**");
        let is_named = |e: &Entry| e.id.is_some() && !e.visibility.is_of_mercure();
        let safe = request.iter().all(|e| is_named(e) || e.key.is_some());
        if !safe {
            model.unknown.push(request);
            continue;
        }
        let appended = append_later(store, request.clone());
        let duplicates = appended.iter().filter(|a| a.duplicate).count();
        assert!(
            duplicates == 0 || duplicates == request.len(),
            "{what}: half a request was kept"
        );
        for (entry, appended) in request.iter().zip(&appended) {
            let there = before.iter().any(|seen| match seen {
                Seen::Event(p, _, bytes) => *p == appended.position && *bytes == payload(*p, entry),
                Seen::Gap(_) => false,
            });
            assert_eq!(there, appended.duplicate, "{what}: retry of {entry:?}");
            model.acked.push((appended.position, entry.clone()));
        }
    }
}

fn walk(seed: u64, tears: u64) {
    let calm = CrashStorage::new(seed, Faults::default());
    let mut progress = Vec::new();
    let model = run(&calm, seed, &mut progress);
    assert!(model.unknown.is_empty() && model.acked.len() > 80);
    assert!(
        progress.last().is_some_and(|p| p.0 > 0),
        "retention took part"
    );
    let gone = *progress.last().expect("steps");
    for n in 0..calm.operations() {
        for tear in 0..tears {
            let seed_of_tear = seed ^ (n << 8) ^ tear;
            let what = format!("seed {seed}, operation {n}, tear {tear}");
            let faults = Faults {
                crash_at: Some(n),
                ..Faults::default()
            };
            let disk = CrashStorage::new(seed, faults);
            let model = run(&disk, seed, &mut Vec::new());
            assert!(disk.has_crashed(), "{what}");
            recover(&disk, &model, gone, seed_of_tear, &what);
        }
    }
}

#[test]
fn every_operation_of_a_mixed_workload_may_be_the_last_1() {
    walk(1, 3);
}

#[test]
fn every_operation_of_a_mixed_workload_may_be_the_last_2() {
    walk(2, 3);
}

#[test]
fn f4_every_sync_may_fail() {
    let seed = 3;
    for n in 0.. {
        let what = format!("seed {seed}, failed sync {n}");
        let faults = Faults {
            fail_syncs: vec![n],
            ..Faults::default()
        };
        let disk = CrashStorage::new(seed, faults);
        let Ok((mut store, _)) = Store::open(Arc::new(disk.clone()), options(), NOW, fresh(LOG))
        else {
            assert!(disk.syncs() > n, "{what}");
            continue;
        };
        let (mut model, mut random) = (Model::default(), Seeded::new(seed));
        let mut failed = false;
        for _ in 0..STEPS {
            if let Action::Append(requests) = model.plan(&mut random) {
                for (request, answer) in requests
                    .clone()
                    .into_iter()
                    .zip(store.commit(requests, NOW))
                {
                    match answer {
                        Ok(appended) => {
                            assert!(!failed, "{what}: acknowledged after a failed sync");
                            model.acknowledge(&request, &appended);
                        }
                        Err(_) => model.unknown.push(request),
                    }
                }
                failed |= matches!(store.health(), Health::Failed(_));
            } else {
                let _ = store.maintain(NOW);
            }
        }
        if disk.syncs() <= n {
            assert!(n > 40, "only {n} syncs");
            break;
        }
        let anything = Position(u64::MAX);
        // Reading goes on and shows only what was acknowledged.
        let unknown = std::mem::take(&mut model.unknown);
        model.check(&store.reader(), anything, &what);
        model.unknown = unknown;
        drop(store);
        // A process that starts on the same page cache must not trust it.
        let disk = disk.restart(seed + n, Faults::default());
        let store = open_on(&disk).expect("no fault");
        model.check(&store.reader(), anything, &what);
        let shown = read_all(&store.reader(), "**");
        drop(store);
        let store = open_on(&disk.reboot(seed + n, Faults::default())).expect("no fault");
        assert_eq!(
            read_all(&store.reader(), "**"),
            shown,
            "{what}: shown, then gone"
        );
    }
}

#[test]
fn f12_a_workload_with_the_clock_going_back_keeps_its_order() {
    let disk = CrashStorage::new(9, Faults::default());
    let mut store = open_on(&disk).expect("no fault");
    for n in 0..40 {
        let entry = Entry {
            time: Timestamp(NOW.0 - n * 1000),
            ..event("news", n)
        };
        store
            .commit(vec![vec![entry]], Timestamp(NOW.0 - n * 1000))
            .remove(0)
            .unwrap();
    }
    assert_eq!(
        positions(&read_all(&store.reader(), "news")),
        (1..=40).collect::<Vec<_>>()
    );
}
