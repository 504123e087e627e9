//! Part (f) of the catalogue of bad input: what can be wrong with the files.

mod common;

use common::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidings_engine::{LogId, Position, Topic, Visibility};
use tidings_store::{
    Limits, MemoryStorage, OpenError, Options, Reader, Retention, Storage, Store, What,
};

/// The content of a directory.
type Image = BTreeMap<String, Vec<u8>>;

fn storage_of(image: &Image) -> Arc<MemoryStorage> {
    let storage = Arc::new(MemoryStorage::new());
    for (name, bytes) in image {
        storage.create(name).unwrap().write_at(0, bytes).unwrap();
    }
    storage
}

/// 8 KiB segments: 4 KiB of records each.
fn tiny() -> Options {
    Options {
        segment_bytes: 8 * 1024,
        ..small()
    }
}

/// A store of `events` events in several topics, each appended alone.
fn sample(events: u64) -> (Image, Vec<Seen>) {
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, tiny()).0;
    for n in 1..=events {
        let topic = ["a", "b/1", "b/2"][(n % 3) as usize];
        let entry = with_id(topic, n, &format!("id-{n}"));
        let entry = match n % 6 {
            0 => as_published(entry, &["b/1", "c"], Visibility::Private),
            1 => as_published(entry, &["c/d", "b/2", "a"], Visibility::Public),
            _ => entry,
        };
        append(&mut store, vec![entry]);
    }
    let seen = read_all(&store.reader(), "**");
    drop(store);
    (image_of_all(&*storage), seen)
}

fn log_names(image: &Image) -> Vec<String> {
    image
        .keys()
        .filter(|name| name.ends_with(".log"))
        .cloned()
        .collect()
}

fn first_of(log: &str) -> u64 {
    log.strip_suffix(".log").unwrap().parse().unwrap()
}

/// What is seen is `whole` with gaps: nothing false, nothing missing without
/// a gap over it. Narrow selections agree, and appending goes on behind.
fn check_damaged(image: &Image, whole: &[Seen], what: &str) -> (Arc<MemoryStorage>, Vec<Seen>) {
    let storage = storage_of(image);
    let opened = Store::open(storage.clone(), tiny(), NOW, fresh(LogId(99)));
    let (mut store, _) = opened.unwrap_or_else(|e| panic!("{what}: {e}"));
    let seen = read_all(&store.reader(), "**");
    check_covered(&seen, whole, what);
    for narrow in ["a", "b/*", "b/1 a", "c", "*/d"] {
        let of: Vec<Seen> = whole
            .iter()
            .filter(|s| is_selected(s, narrow))
            .cloned()
            .collect();
        check_covered(
            &read_all(&store.reader(), narrow),
            &of,
            &format!("{what}, {narrow}"),
        );
    }
    let before = store.reader().last();
    let appended = append(&mut store, vec![event("new", 1)]);
    assert!(appended[0].position > before, "{what}");
    assert!(positions(&read_all(&store.reader(), "new")).ends_with(&[appended[0].position.0]));
    (storage, seen)
}

fn is_selected(seen: &Seen, select: &str) -> bool {
    let Seen::Event(_, topic, _) = seen else {
        return false;
    };
    let mut topics = topic.split(' ').map(|text| Topic::new(text).unwrap());
    topics.any(|topic| selection(select).matches(&topic))
}

fn check_covered(seen: &[Seen], whole: &[Seen], what: &str) {
    let mut expected = whole.iter();
    let mut gap_to = Position::START;
    for item in seen {
        match item {
            Seen::Gap(to) => gap_to = *to,
            Seen::Event(at, ..) => loop {
                let next = expected
                    .next()
                    .unwrap_or_else(|| panic!("{what}: {at:?} is false"));
                if next == item {
                    break;
                }
                let Seen::Event(skipped, ..) = next else {
                    unreachable!()
                };
                assert!(
                    *skipped <= gap_to,
                    "{what}: {skipped:?} skipped without a gap"
                );
            },
        }
    }
    for rest in expected {
        let Seen::Event(skipped, ..) = rest else {
            unreachable!()
        };
        assert!(
            *skipped <= gap_to,
            "{what}: {skipped:?} missing without a gap"
        );
    }
}

fn events(seen: &[Seen]) -> usize {
    positions(seen).len()
}

#[test]
fn f1_last_segment_truncated_at_every_byte() {
    let (image, whole) = sample(70);
    let last = log_names(&image).pop().unwrap();
    let full = image[&last].len();
    for len in (0..full).step_by(7).chain(4000..4600) {
        let mut cut = image.clone();
        cut.get_mut(&last).unwrap().truncate(len);
        let what = format!("cut to {len} bytes");
        let (storage, seen) = check_damaged(&cut, &whole, &what);
        assert!(events(&seen) < 70 || len > 4096, "{what}");
        // What was decided stays decided.
        let (store, recovery) = open(&storage, tiny());
        assert_eq!(recovery.findings, [], "{what}");
        drop(store);
    }
}

#[test]
fn f2_zero_filled_and_random_tails() {
    let (image, whole) = sample(70);
    let last = log_names(&image).pop().unwrap();
    let bytes = &image[&last];
    let end = bytes.iter().rposition(|b| *b != 0).unwrap() + 1;
    let mut random = tidings_store::storage::crash::Seeded::new(7);
    for keep in (4096..end).step_by(5) {
        let mut zeroed = image.clone();
        zeroed.get_mut(&last).unwrap()[keep..].fill(0);
        // Zeros look like nothing was written: a prefix is left, no more is known.
        let (store, _) = open(&storage_of(&zeroed), tiny());
        let seen = read_all(&store.reader(), "**");
        assert_eq!(seen, whole[..seen.len()], "zeros from byte {keep}");
        let longest_record = 80;
        let in_last = whole.len() as u64 + 1 - first_of(&last);
        let left = seen.len() as u64 + 1 - first_of(&last);
        let lost = (in_last - left) * 56;
        assert!(
            lost <= (end - keep + longest_record) as u64,
            "zeros from byte {keep}"
        );
        let mut noisy = image.clone();
        noisy.get_mut(&last).unwrap()[keep..].fill_with(|| random.draw() as u8);
        check_damaged(&noisy, &whole, &format!("noise from byte {keep}"));
    }
    // Noise behind intact records costs none of them.
    let mut noisy = image.clone();
    let from = end.next_multiple_of(8);
    noisy.get_mut(&last).unwrap()[from..].fill_with(|| random.draw() as u8);
    let (_, seen) = check_damaged(&noisy, &whole, "noise behind");
    assert_eq!(events(&seen), 70);
}

/// Flips bits of one file; at most `cost` events may be lost by each.
fn flip(image: &Image, whole: &[Seen], name: &str, step: usize, cost: usize) {
    for at in (0..image[name].len()).step_by(step) {
        {
            let bit = at % 8;
            let mut flipped = image.clone();
            flipped.get_mut(name).unwrap()[at] ^= 1 << bit;
            let what = format!("{name}: byte {at}, bit {bit}");
            let (_, seen) = check_damaged(&flipped, whole, &what);
            assert!(
                events(&seen) + cost >= whole.len(),
                "{what}: {} left",
                events(&seen)
            );
        }
    }
}

#[test]
fn f1_f3_every_truncation_and_every_bit_flip_of_a_small_store() {
    let (image, whole) = sample(8);
    let log = log_names(&image)[0].clone();
    let bytes = &image[&log];
    let used = bytes.iter().rposition(|b| *b != 0).unwrap() + 10;
    for len in (0..4096).step_by(64).chain(4096..used) {
        let mut cut = image.clone();
        cut.get_mut(&log).unwrap().truncate(len);
        check_damaged(&cut, &whole, &format!("cut to {len} bytes"));
    }
    let headers = (0..128).chain(2048..2048 + 128);
    for at in headers.chain(4096..used) {
        for bit in 0..8 {
            let mut flipped = image.clone();
            flipped.get_mut(&log).unwrap()[at] ^= 1 << bit;
            let what = format!("byte {at}, bit {bit}");
            let (_, seen) = check_damaged(&flipped, &whole, &what);
            assert!(events(&seen) + 1 >= whole.len(), "{what}");
        }
    }
}

#[test]
fn f3_bit_flips_in_a_sealed_segment_cost_one_event() {
    let (image, whole) = sample(100);
    flip(&image, &whole, &log_names(&image)[0], 3, 1);
}

#[test]
fn f3_bit_flips_in_the_last_segment_cost_one_event() {
    let (image, whole) = sample(70);
    flip(&image, &whole, &log_names(&image).pop().unwrap(), 3, 1);
}

#[test]
fn f3_bit_flips_in_an_index_and_in_the_description_cost_nothing() {
    let (image, whole) = sample(100);
    let index = image.keys().find(|name| name.ends_with(".idx")).unwrap();
    flip(&image, &whole, index, 3, 0);
    flip(&image, &whole, "store.meta", 1, 0);
}

#[test]
fn f3_damage_is_reported_with_file_and_place_and_only_once() {
    let (mut image, whole) = sample(100);
    let first = log_names(&image)[0].clone();
    let at = 4096 + 700;
    image.get_mut(&first).unwrap()[at] ^= 1;
    let storage = storage_of(&image);
    let (store, _) = open(&storage, tiny());
    let seen = read_all(&store.reader(), "**");
    assert_eq!(events(&seen), whole.len() - 1);
    read_all(&store.reader(), "**");
    let findings = store.take_findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].file.contains(&first) && findings[0].offset <= at as u64);
    assert!(matches!(findings[0].what, What::Hole { to, .. } if to > at as u64));
}

#[test]
fn f3_a_damaged_index_is_made_anew_by_maintenance() {
    let (mut image, whole) = sample(100);
    let index = image
        .keys()
        .find(|name| name.ends_with(".idx"))
        .unwrap()
        .clone();
    let intact = image[&index].clone();
    let middle = intact.len() / 2;
    image.get_mut(&index).unwrap()[middle] ^= 1;
    let storage = storage_of(&image);
    let (mut store, _) = open(&storage, tiny());
    for topic in ["a", "b/1", "b/2"] {
        read_all(&store.reader(), topic);
    }
    let everything = selection("**").with_sight(Arc::new(Seer::All));
    for n in 1..=100 {
        let id = tidings_codec::EventId::new(format!("id-{n}")).unwrap();
        assert_eq!(
            store.reader().locate(&id, &everything).unwrap(),
            Some(Position(n))
        );
    }
    store.maintain(NOW).unwrap();
    assert_eq!(read_all(&store.reader(), "**"), whole);
    assert_eq!(image_of(&*storage, &index), intact);
}

#[test]
fn f4_length_fields_of_any_value_allocate_nothing() {
    let (image, whole) = sample(70);
    let last = log_names(&image).pop().unwrap();
    for length in [0u32, 1, 8, 48, u32::MAX, u32::MAX - 7, 1 << 31] {
        let mut wrong = image.clone();
        wrong.get_mut(&last).unwrap()[4096..4100].copy_from_slice(&length.to_le_bytes());
        let (_, seen) = check_damaged(&wrong, &whole, &format!("length {length}"));
        assert_eq!(events(&seen), 69);
    }
}

#[test]
fn f5_missing_segments_are_declared() {
    let (image, whole) = sample(250);
    let names = log_names(&image);
    assert!(names.len() > 4);
    for (n, name) in names.iter().enumerate() {
        let mut without = image.clone();
        without.remove(name);
        let storage = storage_of(&without);
        let (store, recovery) = open(&storage, tiny());
        // Without the first one, the log just begins later.
        assert_eq!(
            !recovery.findings.is_empty(),
            n > 0,
            "{name}: {:?}",
            recovery.findings
        );
        check_damaged(&without, &whole, &format!("without {name}"));
        drop(store);
    }
}

#[test]
fn f5_swapped_and_doubled_segments_are_set_aside() {
    let (image, whole) = sample(250);
    let names = log_names(&image);
    let mut swapped = image.clone();
    swapped.insert(names[1].clone(), image[&names[2]].clone());
    swapped.insert(names[2].clone(), image[&names[1]].clone());
    let (storage, seen) = check_damaged(&swapped, &whole, "swapped");
    assert!(events(&seen) < 250);
    assert!(
        storage
            .list()
            .unwrap()
            .contains(&format!("{}.damaged", names[1]))
    );
    let mut doubled = image.clone();
    let copy = format!("{:020}.log", 99_999);
    doubled.insert(copy.clone(), image[&names[2]].clone());
    let (storage, seen) = check_damaged(&doubled, &whole, "doubled");
    assert_eq!(events(&seen), 250);
    assert!(storage.list().unwrap().contains(&format!("{copy}.damaged")));
}

#[test]
fn f5_an_older_copy_of_a_segment_is_declared_where_it_is_short() {
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, tiny()).0;
    for n in 1..=5 {
        append(&mut store, vec![event("a", n)]);
    }
    let old = image_of_all(&*storage);
    for n in 6..=200 {
        append(&mut store, vec![event("a", n)]);
    }
    let whole = read_all(&store.reader(), "**");
    drop(store);
    let mut restored = image_of_all(&*storage);
    let first = log_names(&restored)[0].clone();
    restored.insert(first.clone(), old[&first].clone());
    let (_, seen) = check_damaged(&restored, &whole, "older copy");
    assert!(matches!(seen[5], Seen::Gap(_)), "{:?}", seen[5]);
}

#[test]
fn f6_indexes_that_are_missing_older_newer_or_of_another_store_are_rebuilt() {
    let (image, whole) = sample(250);
    let (other, _) = {
        let storage = Arc::new(MemoryStorage::new());
        let opened = Store::open(storage.clone(), tiny(), NOW, fresh(LogId(4242)));
        let mut store = opened.unwrap().0;
        for n in 1..=250 {
            append(&mut store, vec![event("z", n)]);
        }
        (image_of_all(&*storage), store)
    };
    let indexes: Vec<_> = image
        .keys()
        .filter(|n| n.ends_with(".idx"))
        .cloned()
        .collect();
    type Make<'a> = Box<dyn Fn(usize) -> Option<Vec<u8>> + 'a>;
    let wrong: [(&str, Make<'_>); 5] = [
        ("missing", Box::new(|_| None)),
        ("empty", Box::new(|_| Some(Vec::new()))),
        (
            "another segment's",
            Box::new(|n| Some(image[&indexes[(n + 1) % 3]].clone())),
        ),
        (
            "another store's",
            Box::new(|_| other.values().nth(1).cloned()),
        ),
        (
            "cut",
            Box::new(|n| Some(image[&indexes[n]][..4096].to_vec())),
        ),
    ];
    for (kind, make) in wrong {
        let mut damaged = image.clone();
        for (n, index) in indexes.iter().enumerate() {
            match make(n) {
                Some(bytes) => damaged.insert(index.clone(), bytes),
                None => damaged.remove(index),
            };
        }
        let (storage, seen) = check_damaged(&damaged, &whole, kind);
        assert_eq!(seen, whole, "{kind}");
        drop(storage);
    }
}

#[test]
fn f6_a_segment_of_another_log_is_refused() {
    let (mut image, _) = sample(50);
    let storage = Arc::new(MemoryStorage::new());
    let mut store = Store::open(storage.clone(), tiny(), NOW, fresh(LogId(4242)))
        .unwrap()
        .0;
    append(&mut store, vec![event("z", 1)]);
    let other = image_of_all(&*storage);
    let foreign = format!("{:020}.log", 7777);
    image.insert(foreign.clone(), other[&format!("{:020}.log", 1)].clone());
    let opened = Store::open(storage_of(&image), tiny(), NOW, fresh(LOG));
    let error = opened.err().expect("refused");
    assert!(matches!(error, OpenError::Foreign { .. }));
    assert!(error.to_string().contains(&foreign), "{error}");
}

#[test]
fn f8_a_future_version_is_refused_and_left_alone() {
    const LATER: u32 = tidings_store::format::VERSION + 1;
    let (image, _) = sample(50);
    for name in ["store.meta", &log_names(&image)[0]] {
        let mut future = image.clone();
        let bytes = future.get_mut(name).unwrap();
        let copies: &[usize] = if name == "store.meta" {
            &[0]
        } else {
            &[0, 2048]
        };
        let len = if name == "store.meta" { 64 } else { 128 };
        for at in copies {
            let copy = &mut bytes[*at..at + len];
            copy[8..12].copy_from_slice(&LATER.to_le_bytes());
            let sum = crc32c::crc32c_append(crc32c::crc32c(&copy[..12]), &copy[16..]);
            copy[12..16].copy_from_slice(&sum.to_le_bytes());
        }
        let storage = storage_of(&future);
        let error = Store::open(storage.clone(), tiny(), NOW, fresh(LOG))
            .err()
            .expect("refused");
        assert!(
            matches!(error, OpenError::Version { found: LATER, .. }),
            "{error}"
        );
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(image_of_all(&*storage), future);
    }
}

#[test]
fn f10_many_events_and_many_segments() {
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, tiny()).0;
    for n in 0..1_000 {
        append(
            &mut store,
            (0..55).map(|i| event("e", n * 55 + i)).collect(),
        );
    }
    assert!(store.reader().stats().segments > 900);
    drop(store);
    let (store, recovery) = open(&storage, tiny());
    assert_eq!(recovery.findings, []);
    assert_eq!(store.reader().last(), Position(55_000));
    let cursor = store.reader().last_n(3, &selection("e")).unwrap();
    assert_eq!(cursor.after, Position(54_997));
}

#[test]
fn f11_a_roll_without_its_index_or_with_leftovers_is_completed() {
    let (image, whole) = sample(250);
    let mut left = image.clone();
    let index = left.keys().rfind(|n| n.ends_with(".idx")).unwrap().clone();
    let bytes = left.remove(&index).unwrap();
    left.insert(format!("{index}.tmp"), bytes[..100].to_vec());
    left.insert("spare.tmp".into(), vec![1; 100]);
    left.insert("store.meta.tmp".into(), vec![2; 3]);
    left.insert(format!("{:020}.idx", 5555), vec![3; 4096]);
    let (storage, seen) = check_damaged(&left, &whole, "leftovers");
    assert_eq!(seen, whole);
    let names = storage.list().unwrap();
    assert!(!names.iter().any(|n| n.ends_with(".tmp")), "{names:?}");
    assert!(!names.contains(&format!("{:020}.idx", 5555)));
    assert!(names.contains(&index));
}

#[test]
fn a_reader_in_a_dropped_segment_gets_a_gap() {
    let options = Options {
        retention: Retention {
            default: Limits {
                events: Some(20),
                ..Limits::NONE
            },
            rules: Vec::new(),
        },
        ..tiny()
    };
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, options).0;
    for n in 1..=300 {
        append(&mut store, vec![event("a", n)]);
    }
    let reader: Reader = store.reader();
    store.maintain(NOW).unwrap();
    let seen = read_all(&reader, "a");
    assert_eq!(seen[0], Seen::Gap(Position(280)));
    assert_eq!(positions(&seen), (281..=300).collect::<Vec<_>>());
    assert!(reader.first() > Position(200));
}

#[test]
fn f2_a_request_that_a_crash_cut_is_gone_as_a_whole() {
    let (mut image, whole) = sample(5);
    let last = log_names(&image).pop().unwrap();
    let begin = |image: &Image| {
        let used = image[&last].iter().rposition(|b| *b != 0).unwrap() + 1;
        used.next_multiple_of(8)
    };
    let from = begin(&image);
    {
        let storage = storage_of(&image);
        let mut store = open(&storage, tiny()).0;
        append(&mut store, (0..4).map(|n| event("request", n)).collect());
        drop(store);
        image = image_of_all(&*storage);
    }
    let to = begin(&image);
    for keep in from..=to {
        let mut cut = image.clone();
        cut.get_mut(&last).unwrap()[keep..].fill(0);
        let (store, recovery) = open(&storage_of(&cut), tiny());
        let seen = read_all(&store.reader(), "**");
        let complete = keep == to;
        assert_eq!(
            events(&seen),
            if complete { 9 } else { 5 },
            "cut at {keep} of {from}..{to}"
        );
        assert_eq!(seen[..5], whole[..]);
        assert_eq!(
            recovery.findings.is_empty(),
            complete || keep == from,
            "{keep}"
        );
    }
}
