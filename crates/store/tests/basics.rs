//! Append, read, reopen.

mod common;

use common::*;
use std::sync::Arc;
use tidings_engine::{Cursor, Position, Read};
use tidings_store::{MemoryStorage, Store, Writer};

#[test]
fn what_is_appended_is_read_and_survives_reopening() {
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, small()).0;
    for n in 0..500 {
        append(&mut store, vec![event("news", n)]);
        append(&mut store, vec![event("orders/1", n), event("orders/2", n)]);
    }
    let before = read_all(&store.reader(), "**");
    assert_eq!(before.len(), 1500);
    assert!(store.reader().stats().segments > 2);
    drop(store);
    let (store, recovery) = open(&storage, small());
    assert_eq!(recovery.findings, []);
    assert_eq!(read_all(&store.reader(), "**"), before);
    assert_eq!(read_all(&store.reader(), "news").len(), 500);
    assert_eq!(read_all(&store.reader(), "orders/*").len(), 1000);
}

#[test]
fn the_writer_answers_and_delivers_in_order() {
    let storage = Arc::new(MemoryStorage::new());
    let store = open(&storage, small()).0;
    let reader = store.reader();
    let (sender, delivered) = std::sync::mpsc::channel();
    let deliver = move |frames: &[Arc<tidings_engine::Frame>]| {
        for frame in frames {
            sender.send(frame.position()).unwrap();
        }
    };
    let writer = Writer::spawn(store, || NOW, deliver).unwrap();
    for n in 0..1000 {
        writer
            .append(vec![event("news", n)], Box::new(|r| assert!(r.is_ok())))
            .unwrap();
    }
    writer.shutdown();
    let positions: Vec<Position> = delivered.iter().collect();
    assert_eq!(positions, (1..=1000).map(Position).collect::<Vec<_>>());
    assert!(
        writer
            .append(vec![event("news", 1)], Box::new(|_| {}))
            .is_err()
    );
    let mut cursor = Cursor {
        after: Position(1000),
    };
    let read = reader.read(&mut cursor, &selection("**"), BUDGET, &mut Vec::new());
    assert_eq!(read.unwrap(), Read::CaughtUp);
}

#[test]
fn a_fresh_store_is_empty() {
    let storage = Arc::new(MemoryStorage::new());
    let (store, recovery) = open(&storage, small());
    assert!(recovery.created);
    assert_eq!(store.reader().last(), Position::START);
    assert_eq!(read_all(&store.reader(), "**"), []);
    let _: &Store = &store;
}
