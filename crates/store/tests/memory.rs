//! What the store holds in memory stays bounded.

mod common;

use common::*;
use std::sync::Arc;
use tidings_engine::{Entry, IdempotencyKey};
use tidings_store::{MemoryStorage, Options};

/// Events that are as small as can be beside what is indexed of them.
#[test]
fn a_segment_of_small_events_ends_before_its_index_takes_much_memory() {
    const EVENTS: u64 = 60_000;
    let options = Options {
        segment_bytes: 64 << 20,
        ..small()
    };
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, options.clone()).0;
    for request in 0..EVENTS / 1000 {
        let entry = |n: u64| Entry {
            key: Some(IdempotencyKey {
                key: n.into(),
                request: 1,
            }),
            ..with_id(&format!("user/{n}"), 1, &n.to_string())
        };
        let numbers = request * 1000..(request + 1) * 1000;
        append(&mut store, numbers.map(entry).collect());
    }
    let stats = store.reader().stats();
    assert!((2..=8).contains(&stats.segments), "{stats:?}");
    // Segments that were left early don't count for what they don't hold.
    let sealed = stats.bytes - (64 << 20);
    assert!(sealed < EVENTS * 400, "{stats:?}");
    let check = |store: &tidings_store::Store| {
        assert_eq!(
            positions(&read_all(&store.reader(), "**")).len() as u64,
            EVENTS
        );
        assert_eq!(positions(&read_all(&store.reader(), "user/7")), [8]);
    };
    check(&store);
    drop(store);
    let (store, recovery) = open(&storage, options);
    assert_eq!(recovery.findings, []);
    check(&store);
}
