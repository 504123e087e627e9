//! Events with several topics, and those that not everybody may see: what they
//! are found by, what they cost, when they expire, and under which ids.

mod common;

use common::watched::{Ask, Watch, Watched};
use common::*;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidings_codec::EventId;
use tidings_engine::{Cursor, Entry, Position, Read, Selection, Selector, Topic, Visibility};
use tidings_store::{AppendError, Limits, MemoryStorage, Options, Reader, Retention, Store};

fn seen_by(select: &str, sight: Seer) -> Selection {
    selection(select).with_sight(Arc::new(sight))
}

fn id(text: &str) -> EventId {
    EventId::new(text).unwrap()
}

/// Whether each of a request's entries was there already, or why it was refused.
fn duplicates(store: &mut Store, request: Vec<Entry>) -> Result<Vec<bool>, AppendError> {
    let answer = store.commit(vec![request], NOW).remove(0)?;
    Ok(answer.into_iter().map(|a| a.duplicate).collect())
}

#[test]
fn mercures_ids_may_repeat_and_native_ones_still_name_one_event() {
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, small()).0;
    let native = |n| with_id("a", n, "x");
    let of_mercure = |n, visibility| as_published(native(n), &[], visibility);
    for visibility in [Visibility::Public, Visibility::Private] {
        let request = vec![of_mercure(1, visibility), of_mercure(1, visibility)];
        assert_eq!(duplicates(&mut store, request.clone()), Ok(vec![false; 2]));
        assert_eq!(duplicates(&mut store, request), Ok(vec![false; 2]));
    }
    let conflict = Err(AppendError::IdConflict { index: 1 });
    let group = vec![of_mercure(2, Visibility::Public), native(1), native(1)];
    assert_eq!(duplicates(&mut store, group), Ok(vec![false, false, true]));
    for _ in 0..2 {
        let again = vec![native(1), of_mercure(1, Visibility::Public)];
        assert_eq!(duplicates(&mut store, again), Ok(vec![true, false]));
        let other = vec![event("b", 1), native(2)];
        assert_eq!(duplicates(&mut store, other), conflict);
        drop(store);
        store = open(&storage, small()).0;
    }
}

#[test]
fn an_idempotency_key_is_known_whoever_published() {
    let mut store = open(&Arc::new(MemoryStorage::new()), small()).0;
    for (key, visibility) in [(1, Visibility::Public), (2, Visibility::Native)] {
        let entry = |n, request| as_published(with_key("a", n, key, request), &["b"], visibility);
        assert_eq!(duplicates(&mut store, vec![entry(1, 7)]), Ok(vec![false]));
        assert_eq!(duplicates(&mut store, vec![entry(1, 7)]), Ok(vec![true]));
        let conflict = Err(AppendError::KeyConflict { index: 0 });
        assert_eq!(duplicates(&mut store, vec![entry(2, 8)]), conflict);
    }
}

#[test]
fn the_same_topic_twice_is_kept_once() {
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, small()).0;
    let doubled = Entry {
        alternates: ["b", "a", "b", "c"].map(|t| Topic::new(t).unwrap()).into(),
        ..event("a", 1)
    };
    append(&mut store, vec![doubled]);
    let check = |reader: &Reader| {
        for topic in ["a", "b", "c", "**"] {
            let seen = read_all(reader, topic);
            assert!(matches!(&seen[..], [Seen::Event(_, told, _)] if told == "a b c"));
        }
    };
    check(&store.reader());
    drop(store);
    let (store, recovery) = open(&storage, small());
    assert_eq!(recovery.findings, []);
    check(&store.reader());
}

#[test]
fn a7_a12_ids_that_only_others_have_are_unknown() {
    let mut store = open(&Arc::new(MemoryStorage::new()), small()).0;
    let private = |n, of: &str| as_published(with_id("a", n, "x"), &[of], Visibility::Private);
    append(&mut store, vec![private(1, "user/1"), private(2, "user/2")]);
    let public = as_published(with_id("b", 3, "x"), &[], Visibility::Public);
    append(&mut store, vec![public, private(4, "user/1")]);
    let reader = store.reader();
    let check = |selection: &Selection, expected: Option<u64>| {
        let found = reader.locate(&id("x"), selection).unwrap();
        assert_eq!(found, expected.map(Position), "{selection:?}");
        assert_eq!(reader.locate(&id("nobody's"), selection).unwrap(), None);
    };
    check(&selection("**"), Some(3));
    check(&selection("a"), None);
    check(&selection("user/*"), None);
    check(&seen_by("a", Seer::Of("user/1")), Some(1));
    check(&seen_by("a", Seer::Of("user/2")), Some(2));
    check(&seen_by("user/2", Seer::Of("user/1")), None);
    check(&seen_by("**", Seer::Public), Some(3));
}

fn events(n: u64) -> Limits {
    Limits {
        events: Some(n),
        ..Limits::NONE
    }
}

/// An event under `few` and under `many` has expired from the one and is there
/// under the other; it counts in both, once, and its segment stays.
#[test]
fn an_event_expires_from_each_of_its_topics_by_itself() {
    let rule = |text, n| (Selector::new(text).unwrap(), events(n));
    let options = Options {
        segment_bytes: 8 * 1024,
        retention: Retention {
            default: events(5),
            rules: vec![rule("few/**", 3), rule("many/**", 500)],
        },
        ..Options::default()
    };
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, options.clone()).0;
    let both = ["few/b", "many/a", "many/b"];
    append(
        &mut store,
        vec![as_published(event("few/a", 0), &both, Visibility::Public)],
    );
    for n in 1..300 {
        append(&mut store, vec![event("other", n), event("few/a", n)]);
        while store.maintain(NOW).unwrap() {}
    }
    for _ in 0..2 {
        let reader = store.reader();
        let check = |select: &str, expected: &[u64]| {
            let from = reader.earliest(&selection(select)).after;
            let seen = read_from(&reader, from, select, BUDGET);
            assert_eq!(positions(&seen), expected, "{select}");
            let last = reader.last_n(expected.len(), &selection(select)).unwrap();
            assert_eq!(
                positions(&read_from(&reader, last.after, select, BUDGET)),
                expected
            );
        };
        check("few/a", &[595, 597, 599]);
        check("few/b", &[]);
        check("many/a", &[1]);
        check("many/*", &[1]);
        check("few/a many/b", &[1, 595, 597, 599]);
        check("other", &[590, 592, 594, 596, 598]);
        assert_eq!(reader.first(), Position(1));
        // Who resumes where some of it is gone is told, and only then.
        let horizon = |select: &str| reader.horizon(&selection(select)).0;
        assert_eq!((horizon("few/b"), horizon("many/b")), (593, 0));
        assert_eq!(horizon("few/a many/b"), 593);
        // Other spellings of these URLs are topics under the default.
        assert_eq!(horizon("https://hub.example/t/many/{x}"), horizon("other"));
        // Read again from index files.
        drop(store);
        store = open(&storage, options.clone()).0;
        while store.maintain(NOW).unwrap() {}
    }
    // More under `many` than are kept take it away.
    for n in 0..501 {
        append(&mut store, vec![event("many/a", n)]);
    }
    while store.maintain(NOW).unwrap() {}
    assert!(store.reader().first() > Position(100));
}

#[test]
fn a_mebibyte_of_alternates_is_found_by_each() {
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, small()).0;
    let longest = |n: usize| Topic::new(&format!("{n:0>4}/{}", "x".repeat(4091))).unwrap();
    let entry = Entry {
        alternates: (0..999).map(longest).collect(),
        visibility: Visibility::Public,
        ..event("a", 1)
    };
    append(&mut store, vec![event("a", 0), entry.clone()]);
    append(&mut store, vec![event("a", 2)]);
    for _ in 0..2 {
        for n in [0, 500, 998] {
            let topic = longest(n);
            let seen = read_all(&store.reader(), topic.as_str());
            assert_eq!(positions(&seen), [2], "{n}");
        }
        assert_eq!(positions(&read_all(&store.reader(), "0007/*")), [2]);
        drop(store);
        store = open(&storage, small()).0;
    }
    let too_long = Entry {
        fields: vec![b'x'; 128 << 10].into(),
        ..entry
    };
    let refused = Err(AppendError::TooLarge { index: 0 });
    assert_eq!(duplicates(&mut store, vec![too_long]), refused);
}

/// A segment ends before the index of alternates takes much memory, however few
/// bytes they have on disk.
#[test]
fn alternates_are_counted_in_what_the_index_takes() {
    let options = Options {
        segment_bytes: 64 << 20,
        ..small()
    };
    let mut store = open(&Arc::new(MemoryStorage::new()), options).0;
    let entry = |n: u64| {
        let texts: Vec<String> = (0..500).map(|k| format!("{n:x}.{k:x}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        as_published(event("a", n), &texts, Visibility::Public)
    };
    // One commit: it is divided too.
    let requests = (0..400).map(|n| vec![entry(n)]).collect();
    assert!(store.commit(requests, NOW).iter().all(Result::is_ok));
    let stats = store.reader().stats();
    assert_eq!(stats.events, 400);
    // 200,000 topics of some 150 bytes, at most 8 MiB in each.
    assert!((3..=8).contains(&stats.segments), "{stats:?}");
    // One request is never divided, and takes the segment that it needs.
    append(&mut store, (1000..1400).map(entry).collect());
    assert_eq!(positions(&read_all(&store.reader(), "3e8.1f3")), [401]);
}

/// Counts the bytes that are read.
#[derive(Default)]
struct Counting(AtomicU64);

impl Watch for Counting {
    fn ask(&self, _: &str, what: &Ask<'_>) -> io::Result<()> {
        if let Ask::Read { len, .. } = what {
            self.0.fetch_add(*len as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// About 16 MiB in 16 segments: private events of one id, of which each
/// thousandth is also elsewhere.
fn history() -> (Arc<Watched<Counting>>, Store) {
    let storage = Arc::new(Watched::<Counting>::default());
    let options = Options {
        segment_bytes: 1 << 20,
        ..small()
    };
    let mut store = open(&storage, options).0;
    for n in 0..8_000u64 {
        let entry = Entry {
            fields: vec![b'x'; 2000].into(),
            ..with_id("wide", n, "always")
        };
        let others: &[&str] = match n % 1000 {
            500 => &["narrow/a", "$mercure/https:/%/o.example/books/1"],
            _ => &[],
        };
        append(
            &mut store,
            vec![as_published(entry, others, Visibility::Private)],
        );
    }
    storage.0.store(0, Ordering::Relaxed);
    (storage, store)
}

#[test]
fn what_is_found_by_an_alternate_does_not_cost_the_whole_log() {
    let (storage, store) = history();
    for narrow in [
        "narrow/a",
        "narrow/*",
        "*/a",
        "https://o.example/books/{id}",
        "https://hub.example/t/narrow/{+x}",
    ] {
        assert_eq!(positions(&read_all(&store.reader(), narrow)).len(), 8);
        let read = storage.0.swap(0, Ordering::Relaxed);
        assert!(read < 1 << 20, "{narrow}: {read} bytes");
    }
}

/// Whoever may see nothing of it is through with it in bounded steps.
#[test]
fn one_read_of_what_is_hidden_is_bounded_and_gets_on() {
    let (storage, store) = history();
    let reader = store.reader();
    let rules = (0..100).map(|n| format!("https://hub.example/t/w{{a}}e{{b{n}}}"));
    let dear = rules.collect::<Vec<_>>().join(" ");
    for (select, least) in [("wide", 2), ("**", 2), (dear.as_str(), 10)] {
        let (selection, mut reads) = (selection(select), 0);
        let mut cursor = Cursor {
            after: Position::START,
        };
        loop {
            let (before, mut out) = (cursor, Vec::new());
            let read = reader
                .read(&mut cursor, &selection, BUDGET, &mut out)
                .unwrap();
            assert!(out.is_empty());
            reads += 1;
            let bytes = storage.0.swap(0, Ordering::Relaxed);
            assert!(bytes < 12 << 20, "{select}: {bytes} bytes");
            if read == Read::CaughtUp {
                break;
            }
            assert_eq!(read, Read::Frames);
            assert!(before < cursor, "{select}: stands still");
        }
        assert!((least..2000).contains(&reads), "{select}: {reads} reads");
        assert_eq!(cursor.after, Position(8000));
    }
}

#[test]
fn a_search_among_what_is_hidden_is_bounded() {
    let (storage, mut store) = history();
    let reader = store.reader();
    let took = || storage.0.swap(0, Ordering::Relaxed);
    assert_eq!(
        reader.locate(&id("always"), &selection("wide")).unwrap(),
        None
    );
    assert!(took() < 80 << 20);
    // Nothing may be seen: all there is then begins where the log does.
    let last = reader.last_n(3, &selection("wide")).unwrap();
    assert_eq!(last.after, Position::START);
    assert!(took() < 80 << 20);
    let last = reader
        .last_n(3, &seen_by("wide", Seer::Of("narrow/a")))
        .unwrap();
    assert_eq!(last.after, Position(5500));
    took();
    // A native event is told apart from them without a look at each.
    let native = || vec![with_id("wide", 1, "always")];
    assert_eq!(duplicates(&mut store, native()), Ok(vec![false]));
    assert_eq!(duplicates(&mut store, native()), Ok(vec![true]));
    let read = took();
    assert!(read < 1 << 20, "{read} bytes");
}
