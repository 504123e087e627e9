//! What fuzz targets need: files of any content, read by the same code as
//! always.

use crate::format::{Identity, Salt, record, segment};
use crate::storage::Storage;
use crate::{Limits, MemoryStorage, Options, Retention, Store};
use std::sync::Arc;
use tidings_engine::{Budget, Cursor, LogId, Position, Read, Selection, Timestamp};

/// The log that fuzzed files belong to.
pub const LOG: LogId = LogId(1);
pub(crate) const IDENTITY: Identity = Identity {
    log: LOG,
    secret: 2,
};

/// Parses `bytes` as a record at the place where a segment's first stands,
/// and as a segment's header.
pub fn parse(bytes: &[u8]) {
    let salt = Salt::new(IDENTITY, Position(1));
    if let Some(head) = record::Head::parse(salt, crate::format::DATA_START, bytes)
        && let Some(record) = head.record(bytes)
    {
        assert!(record.fields.len() as u64 <= head.len);
        let publication = record.publication();
        let _ = publication.and_then(|publication| record.to_entry(publication));
    }
    if let Some(copy) = bytes.first_chunk::<{ segment::LEN }>() {
        let _ = segment::decode(copy);
    }
    let _ = crate::format::meta::decode(bytes);
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
    tidings_engine::Entry {
        alternates: Box::default(),
        visibility: tidings_engine::Visibility::Native,
        topic: tidings_engine::Topic::new("fuzz").expect("a topic"),
        time: Timestamp(1),
        id: None,
        key: None,
        fields: format!("data: {n}\n").into(),
    }
}

fn check(store: &Store) {
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
            .read(&mut cursor, &Selection::everything(), budget, &mut frames);
        for frame in frames {
            assert!(frame.position() > last, "out of order");
            last = frame.position();
            assert_eq!(frame.topic().as_str(), "fuzz");
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
