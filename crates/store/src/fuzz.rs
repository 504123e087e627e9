//! What fuzz targets need: files of any content, read by the same code as
//! always.

use crate::format::{ALIGN, DATA_START, Identity, Salt, record, segment};
use crate::storage::Storage;
use crate::{Limits, MemoryStorage, Options, Retention, Store};
use std::sync::Arc;
use tidings_engine::{
    Budget, Cursor, LogId, Position, Read, Selection, Selector, Timestamp, Topic, Visibility,
};

/// The log that fuzzed files belong to.
pub const LOG: LogId = LogId(1);
pub(crate) const IDENTITY: Identity = Identity {
    log: LOG,
    secret: 2,
};

/// Parses `bytes` as a record at the place where a segment's first stands, as
/// they are and with checksums that hold; as a segment's header; and as the
/// description of a store.
pub fn parse(bytes: &[u8]) {
    let (salt, at) = (Salt::new(IDENTITY, Position(1)), DATA_START);
    parse_record(salt, at, bytes);
    let whole = bytes.len() / ALIGN as usize * ALIGN as usize;
    if whole as u64 >= record::MIN {
        let mut sealed = bytes[..whole].to_vec();
        record::seal_again(salt, at, &mut sealed);
        parse_record(salt, at, &sealed);
    }
    if let Some(copy) = bytes.first_chunk::<{ segment::LEN }>() {
        let _ = segment::decode(copy);
    }
    let _ = crate::format::meta::decode(bytes);
}

/// What parses as a record comes back the same when it is written again.
fn parse_record(salt: Salt, at: u64, bytes: &[u8]) {
    let Some(head) = record::Head::parse(salt, at, bytes) else {
        return;
    };
    let Some(found) = head.record(bytes) else {
        return;
    };
    assert!(found.fields.len() as u64 <= head.len);
    assert_eq!(found.topics().count(), 1 + head.alternates);
    let Some(entry) = found.publication().and_then(|p| found.to_entry(p)) else {
        return;
    };
    let place = record::Place {
        salt,
        at,
        group: head.group,
        position: head.position,
        tick: head.tick,
        ends_request: head.ends_request,
    };
    let mut again = Vec::new();
    record::encode(&mut again, &entry, &place);
    let head = record::Head::parse(salt, at, &again).expect("encoded just now");
    let found = head.record(&again).expect("encoded just now");
    let publication = found.publication().expect("as before");
    assert_eq!(found.to_entry(publication), Some(entry));
}

/// Opens a store of some events after overwriting a part of one of its
/// files: the first byte chooses the file, the next three the place, the rest
/// is written. Whatever is then read was published, in order, and appending
/// goes on.
pub fn overwrite(input: &[u8]) {
    let Some((&[which, a, b, c], bytes)) = input.split_first_chunk::<4>() else {
        return;
    };
    let storage = Arc::new(MemoryStorage::new());
    let retention = Retention {
        default: Limits::NONE,
        rules: Vec::new(),
    };
    let options = Options {
        segment_bytes: 8192,
        retention,
        ..Options::default()
    };
    let now = Timestamp(1);
    let open = || Store::open(storage.clone(), options.clone(), now, IDENTITY);
    let Ok((mut store, _)) = open() else {
        return;
    };
    for n in 0..100u32 {
        let answers = store.commit(vec![vec![entry(n)]], now);
        assert!(answers.iter().all(Result::is_ok));
    }
    drop(store);
    let names = storage.list().unwrap_or_default();
    let name = &names[usize::from(which) % names.len()];
    let Ok(file) = storage.open(name) else {
        return;
    };
    let size = file.size().unwrap_or(0).max(1);
    let at = u64::from(u32::from_le_bytes([a, b, c, 0])) % size;
    let bytes = &bytes[..bytes.len().min((size - at) as usize)];
    let _ = file.write_at(at, bytes);
    // A version that isn't ours may be refused; nothing may panic.
    let Ok((mut store, _)) = open() else {
        return;
    };
    check(&store);
    assert!(
        store
            .commit(vec![vec![entry(1000)]], now)
            .iter()
            .all(Result::is_ok)
    );
    check(&store);
}

fn entry(n: u32) -> tidings_engine::Entry {
    let alternates = ["fuzz/1", "fuzz/2"].map(|text| Topic::new(text).expect("a topic"));
    let (alternates, visibility) = match n % 3 {
        0 => (alternates.into(), Visibility::Public),
        _ => (Box::default(), Visibility::Native),
    };
    tidings_engine::Entry {
        kind: tidings_engine::Kind::Event,
        alternates,
        visibility,
        topic: Topic::new("fuzz").expect("a topic"),
        time: Timestamp(1),
        id: None,
        key: None,
        fields: format!("data: {n}\n").into(),
    }
}

fn check(store: &Store) {
    check_selection(store, &Selection::everything());
    let alternate = Topic::new("fuzz/2").expect("a topic");
    check_selection(store, &Selection::new(vec![Selector::Exact(alternate)]));
}

fn check_selection(store: &Store, selection: &Selection) {
    let (mut cursor, mut last) = (
        Cursor {
            after: Position::START,
        },
        Position::START,
    );
    let budget = Budget {
        frames: 10,
        bytes: 1000,
    };
    loop {
        let mut frames = Vec::new();
        let read = store
            .reader()
            .read(&mut cursor, selection, budget, &mut frames);
        for frame in frames {
            assert!(frame.position() > last, "out of order");
            last = frame.position();
            assert_eq!(frame.topic().as_str(), "fuzz");
            assert!(selection.watches(&frame.published()));
            let is_public = frame.published().visibility == Visibility::Public;
            assert_eq!(
                frame.published().alternates.len(),
                2 * usize::from(is_public)
            );
        }
        match read {
            Ok(Read::Frames) => {}
            Ok(Read::Gap(gap)) => {
                assert!(gap.to > cursor.after, "a gap that leads nowhere");
                cursor.after = gap.to;
            }
            Ok(Read::CaughtUp) | Err(_) => return,
        }
    }
}
