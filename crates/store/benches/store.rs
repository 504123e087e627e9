//! Measures the store on a real directory and prints the figures beside the
//! floor: the same batches as bare writes and syncs.
//!
//! `cargo bench -p tidings-store [-- DIRECTORY]`

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};
use tidings_codec::EventId;
use tidings_engine::{
    Budget, Cursor, Entry, LogId, Position, Read, Selection, Selector, Timestamp, Topic,
};
use tidings_store::{
    DirStorage, Identity, Limits, MemoryStorage, Options, Retention, Store, Writer,
};

const DATA: usize = 120;
const IN_FLIGHT: u64 = 64;
const RUN: Duration = Duration::from_secs(4);

fn main() {
    let asked = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let root = asked.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").to_owned());
    let dir = tempfile::tempdir_in(root).expect("a directory to measure in");
    println!(
        "commit of 64 requests in memory: {:.0} events/s",
        in_memory()
    );
    let floor = floor(&dir.path().join("floor"), IN_FLIGHT);
    println!("floor: write + fdatasync of 64 records: {floor:.0} records/s");
    let raw = commits(open(&dir.path().join("raw")));
    println!(
        "commit of 64 requests: {raw:.0} events/s, {:.2} of the floor",
        raw / floor
    );
    let appends = in_flight(&dir.path().join("writer"), IN_FLIGHT);
    println!(
        "Writer, 64 in flight: {appends:.0} events/s, {:.2} of the floor",
        appends / floor
    );
    for (bytes, name) in [(DATA, "events of 120 bytes"), (4, "tiny events")] {
        let path = dir.path().join(name);
        println!("\n1 GiB of {name}:");
        let events = fill(&path, bytes);
        measure_history(&path, events);
        std::fs::remove_dir_all(&path).expect("removing what was measured");
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(since.map_or(0, |d| d.as_millis() as u64))
}

fn options(segment_bytes: u64) -> Options {
    let retention = Retention {
        default: Limits::NONE,
        rules: Vec::new(),
    };
    Options {
        retention,
        segment_bytes,
        ..Options::default()
    }
}

const IDENTITY: Identity = Identity {
    log: LogId(1),
    secret: 2,
};

fn open(path: &Path) -> Store {
    let storage = Arc::new(DirStorage::open(path).expect("a directory"));
    Store::open(storage, options(16 << 20), now(), IDENTITY)
        .expect("a store")
        .0
}

fn entry(topic: &Topic, bytes: usize, n: u64) -> Entry {
    let mut fields = format!("data: {n:0bytes$}");
    fields.push('\n');
    Entry {
        kind: tidings_engine::Kind::Event,
        alternates: Box::default(),
        visibility: tidings_engine::Visibility::Native,
        topic: topic.clone(),
        time: now(),
        id: None,
        key: None,
        fields: fields.into(),
    }
}

/// Records per second of bare writes and syncs.
fn floor(path: &Path, batch: u64) -> f64 {
    let file = File::create(path).expect("a file");
    let zeros = vec![0; 1 << 20];
    let capacity = 256 << 20;
    for at in (0..capacity).step_by(zeros.len()) {
        file.write_all_at(&zeros, at).expect("space");
    }
    file.sync_all().expect("a disk");
    let bytes = vec![7; batch as usize * 192];
    let (start, mut batches) = (Instant::now(), 0);
    while start.elapsed() < RUN {
        let at = batches * bytes.len() as u64 % (capacity - bytes.len() as u64);
        file.write_all_at(&bytes, at).expect("space");
        file.sync_data().expect("a disk");
        batches += 1;
    }
    (batches * batch) as f64 / start.elapsed().as_secs_f64()
}

/// What the processor allows where no disk is waited for.
fn in_memory() -> f64 {
    let storage = Arc::new(MemoryStorage::new());
    let mut options = options(16 << 20);
    options.retention.default.bytes = Some(256 << 20);
    let store = Store::open(storage, options, now(), IDENTITY)
        .expect("a store")
        .0;
    commits(store)
}

fn commits(mut store: Store) -> f64 {
    let topic = Topic::new("bench/topic").expect("a topic");
    let (start, mut events) = (Instant::now(), 0);
    while start.elapsed() < RUN {
        let requests = (0..IN_FLIGHT)
            .map(|n| vec![entry(&topic, DATA, n)])
            .collect();
        assert!(store.commit(requests, now()).iter().all(Result::is_ok));
        events += IN_FLIGHT;
        if events % (IN_FLIGHT * 1024) == 0 {
            store.maintain(now()).expect("space");
        }
    }
    events as f64 / start.elapsed().as_secs_f64()
}

/// Appends per second with so many unanswered at any time: each answer is
/// followed by the next request, from one thread.
fn in_flight(path: &Path, in_flight: u64) -> f64 {
    let delivered = Arc::new(AtomicU64::new(0));
    let counter = delivered.clone();
    let deliver = move |frames: &[Arc<_>]| {
        counter.fetch_add(frames.len() as u64, Ordering::Relaxed);
    };
    let writer = Writer::spawn(open(path), now, deliver).expect("a thread");
    let free = Arc::new((Mutex::new(in_flight), Condvar::new()));
    let topic = Topic::new("bench/topic").expect("a topic");
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < RUN {
        let mut available = free.0.lock().expect("no panic");
        while *available == 0 {
            available = free.1.wait(available).expect("no panic");
        }
        let take = std::mem::take(&mut *available);
        drop(available);
        for _ in 0..take {
            let free = free.clone();
            let done = Box::new(move |answer: Result<Vec<_>, _>| {
                assert!(answer.is_ok());
                *free.0.lock().expect("no panic") += 1;
                free.1.notify_one();
            });
            writer
                .append(vec![entry(&topic, DATA, sent)], done)
                .expect("room in the queue");
            sent += 1;
        }
    }
    writer.shutdown();
    assert_eq!(delivered.load(Ordering::Relaxed), sent);
    sent as f64 / start.elapsed().as_secs_f64()
}

/// Fills a store with 1 GiB of segments, a thousandth of it in a narrow
/// topic, a hundredth with ids; answers how many events that are.
fn fill(path: &Path, bytes: usize) -> u64 {
    let mut store = open(path);
    let topics: Vec<_> = (0..500)
        .map(|n| Topic::new(&format!("orders/{n}")).expect("a topic"))
        .collect();
    let narrow = Topic::new("narrow").expect("a topic");
    let mut n = 0;
    let start = Instant::now();
    while store.reader().stats().bytes < 1 << 30 {
        let request = (0..1000).map(|_| {
            n += 1;
            let topic = if n % 1000 == 0 {
                &narrow
            } else {
                &topics[n as usize % 500]
            };
            let mut entry = entry(topic, bytes, n);
            if n % 100 == 0 {
                entry.id = EventId::new(format!("id-{n}")).ok();
            }
            entry
        });
        let requests = vec![request.collect()];
        assert!(store.commit(requests, now()).iter().all(Result::is_ok));
        while store.prepare().expect("space") {}
    }
    let per_second = n as f64 / start.elapsed().as_secs_f64();
    println!("  {n} events, filled with {per_second:.0} events/s");
    n
}

fn measure_history(path: &Path, events: u64) {
    let before = resident();
    let start = Instant::now();
    let store = open(path);
    println!("  open: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    println!(
        "  resident memory: {:.1} MiB, {:.1} before opening",
        resident(),
        before
    );
    let reader = store.reader();
    let selection = |s: &str| Selection::new(vec![Selector::new(s).expect("a selector")]);
    let timed = |name: &str, times: u64, f: &mut dyn FnMut(u64)| {
        let start = Instant::now();
        (0..times).for_each(&mut *f);
        let each = start.elapsed().as_secs_f64() / times as f64;
        println!("  {name}: {:.1} µs", each * 1e6);
    };
    let id = |n| EventId::new(format!("id-{n}")).expect("an id");
    let everything = selection("**");
    timed("locate a publisher's id", 2000, &mut |i| {
        let n = (i * 7919 % (events / 100) + 1) * 100;
        let found = reader.locate(&id(n), &everything).expect("a disk");
        assert_eq!(found, Some(Position(n)));
    });
    timed("locate an unknown id", 2000, &mut |i| {
        assert_eq!(
            reader
                .locate(&id(1 + i * 100), &everything)
                .expect("a disk"),
            None
        );
    });
    timed("the last 100 of a narrow topic", 200, &mut |_| {
        let cursor = reader.last_n(100, &selection("narrow")).expect("a disk");
        assert_eq!(count(&reader, cursor, "narrow", 100), 100);
    });
    let start = Instant::now();
    let from = Cursor {
        after: Position::START,
    };
    let narrow = count(&reader, from, "narrow", u64::MAX);
    assert_eq!(narrow, events / 1000);
    let each = start.elapsed().as_secs_f64() / narrow as f64;
    println!(
        "  all {narrow} of a narrow topic: {:.1} µs per event",
        each * 1e6
    );
    let start = Instant::now();
    let some = count(
        &reader,
        Cursor {
            after: Position::START,
        },
        "**",
        2_000_000,
    );
    let rate = some as f64 / start.elapsed().as_secs_f64();
    println!("  reading everything in order: {rate:.0} events/s");
    println!("  resident memory after reading: {:.1} MiB", resident());
}

fn count(reader: &tidings_store::Reader, mut cursor: Cursor, select: &str, limit: u64) -> u64 {
    let selection = Selection::new(vec![Selector::new(select).expect("a selector")]);
    let budget = Budget {
        frames: 256,
        bytes: 256 << 10,
    };
    let (mut seen, mut frames) = (0, Vec::new());
    while seen < limit {
        frames.clear();
        let read = reader
            .read(&mut cursor, &selection, budget, &mut frames)
            .expect("a disk");
        seen += frames.len() as u64;
        if read != Read::Frames {
            break;
        }
    }
    seen
}

/// Resident memory of this process, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|l| l.split_whitespace().next())
        .and_then(|n| n.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
