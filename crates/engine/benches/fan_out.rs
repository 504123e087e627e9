//! What it costs to find who watches a topic, and to read the tail.
//! `cargo bench -p tidings-engine`

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use tidings_engine::{
    Budget, Cursor, Event, Frame, Index, LogId, Position, Published, Selection, Selector,
    Subscriptions, Tail, Timestamp, Topic,
};

fn selection(text: &str) -> Selection {
    Selection::new(vec![Selector::new(text).expect("a selector")])
}

fn frame(position: u64, topic: &Topic) -> Arc<Frame> {
    let event = Event {
        alternates: Box::default(),
        visibility: tidings_engine::Visibility::Native,
        topic: topic.clone(),
        event_type: None,
        id: None,
        retry: None,
        data: "x".repeat(120).into(),
    };
    let entry = event.into_entry(Timestamp(0), None);
    Arc::new(Frame::new(LogId(1), Position(position), entry))
}

/// One match among more and more patterns: the time must not grow with them.
fn patterns(c: &mut Criterion) {
    let mut group = c.benchmark_group("one match among patterns");
    for count in [100, 1_000, 10_000, 100_000] {
        let mut index = Index::new();
        for i in 0..count {
            index.insert(&selection(&format!("orders/{i}/*")), i);
        }
        let topic = Topic::new("orders/42/state").expect("a topic");
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            let event = Published::natively(&topic);
            b.iter(|| index.matches(black_box(&event), |key| _ = black_box(key)));
        });
    }
    group.finish();
}

/// A topic with more and more watchers: the time grows with these.
fn watchers(c: &mut Criterion) {
    let mut group = c.benchmark_group("watchers of one topic");
    for count in [1u32, 100, 10_000] {
        let mut index = Index::new();
        (0..count).for_each(|i| index.insert(&selection("news"), i));
        let topic = Topic::new("news").expect("a topic");
        group.throughput(criterion::Throughput::Elements(count.into()));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            let event = Published::natively(&topic);
            b.iter(|| index.matches(black_box(&event), |key| _ = black_box(key)));
        });
    }
    group.finish();
}

/// An event goes to all subscriptions of a lane: match, read, catch up.
fn deliver(c: &mut Criterion) {
    let mut group = c.benchmark_group("one event to subscriptions");
    for count in [1u64, 100, 10_000] {
        let topic = Topic::new("news").expect("a topic");
        let mut tail = Tail::new(1 << 20, Position::START);
        let mut lane = Subscriptions::new(Position::START);
        for _ in 0..count {
            lane.insert(
                selection("news"),
                Cursor {
                    after: Position::START,
                },
            );
        }
        let (mut position, mut ready) = (0, Vec::new());
        let budget = Budget {
            frames: 64,
            bytes: 1 << 16,
        };
        group.throughput(criterion::Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| {
                position += 1;
                tail.push(frame(position, &topic));
                lane.follow(&tail, Budget::ALL, &mut ready);
                for key in ready.drain(..) {
                    black_box(lane.read(key, &tail, budget));
                }
            });
        });
    }
    group.finish();
}

/// A watcher of a rare topic reads a busy tail from its start.
fn narrow(c: &mut Criterion) {
    let (busy, rare) = (
        Topic::new("busy").expect("a topic"),
        Topic::new("rare").expect("a topic"),
    );
    let mut tail = Tail::new(usize::MAX, Position::START);
    for position in 1..=100_000 {
        tail.push(frame(
            position,
            if position % 10_000 == 0 { &rare } else { &busy },
        ));
    }
    let selection = selection("rare");
    let budget = Budget {
        frames: 64,
        bytes: 1 << 20,
    };
    let mut out = Vec::new();
    c.bench_function("10 of 100,000 frames", |b| {
        b.iter(|| {
            let mut cursor = Cursor {
                after: Position::START,
            };
            tail.read(&mut cursor, black_box(&selection), budget, &mut out);
            out.clear();
        });
    });
}

criterion_group!(benches, patterns, watchers, deliver, narrow);
criterion_main!(benches);
