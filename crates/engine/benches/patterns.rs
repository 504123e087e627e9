//! What an event costs a lane whose subscribers watch by patterns, Mercure's
//! among them: index and subscriptions together.
//! `cargo bench -p tidings-engine --bench patterns`

#[path = "../../matcher/benches/cpu_time/mod.rs"]
mod cpu_time;

use cpu_time::CpuTime;
use criterion::{BatchSize, BenchmarkId, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tidings_engine::{
    Budget, Cursor, Entry, Frame, LogId, MercureSelector, Position, Selection, Selector,
    Subscriptions, Tail, Timestamp, Topic, Visibility,
};
use tidings_matcher::{Base, Matcher};

type Criterion = criterion::Criterion<CpuTime>;

const COUNTS: [u64; 4] = [100, 1_000, 10_000, 100_000];

/// A kind of pattern: its name, and the one with a number, which matches what is
/// two segments below.
type Shape = (&'static str, fn(u64, &Arc<Base>) -> Vec<Selector>);

const SHAPES: [Shape; 3] = [
    ("patterns", |i, _| {
        vec![Selector::new(&format!("books/{i}/*")).expect("a pattern")]
    }),
    ("templates", |i, base| {
        template(&format!("https://example.com/t/books/{i}/{{part}}"), base)
    }),
    ("URL patterns", |i, base| {
        let text = format!("https://example.com/t/books/{i}/:part");
        let matcher = Matcher::url_pattern(&text, base).expect("a pattern");
        MercureSelector::selectors(&matcher, base)
    }),
];

fn template(text: &str, base: &Arc<Base>) -> Vec<Selector> {
    let matcher = Matcher::selector(text).expect("a template");
    MercureSelector::selectors(&matcher, base)
}

fn base() -> Arc<Base> {
    Arc::new(Base::new("https://example.com").expect("a URL"))
}

fn frame(position: u64, topic: &str) -> Arc<Frame> {
    let entry = Entry {
        kind: tidings_engine::Kind::Event,
        topic: Topic::new(topic).expect("a topic"),
        alternates: Box::default(),
        visibility: Visibility::Public,
        time: Timestamp(0),
        id: None,
        key: None,
        fields: "data: 42\n".into(),
    };
    Arc::new(Frame::new(LogId(1), Position(position), entry))
}

/// A lane with a subscription for each selection.
fn lane(selections: impl Iterator<Item = Vec<Selector>>) -> Subscriptions {
    let mut lane = Subscriptions::new(Position::START);
    let start = Cursor {
        after: Position::START,
    };
    for selectors in selections {
        lane.insert(Selection::new(selectors), start);
    }
    lane
}

/// The lane goes over an event on a topic of which nothing is remembered, and
/// those that are reported take it.
fn advance(
    b: &mut criterion::Bencher<'_, CpuTime>,
    lane: &mut Subscriptions,
    name: impl Fn(u64) -> String,
) {
    let (mut number, mut ready) = (lane.end().0, Vec::new());
    b.iter_batched_ref(
        || {
            number += 1;
            frame(number, &name(number))
        },
        |frame| {
            lane.advance(black_box(frame), &mut ready);
            for key in ready.drain(..) {
                let after = frame.position();
                lane.set_cursor(key, Cursor { after });
            }
        },
        BatchSize::SmallInput,
    );
}

/// A number without a pattern of its own, the same in every run (SplitMix64).
fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^ (z >> 27)
}

/// One of more and more distinct patterns matches: the time must not grow with
/// them.
fn one_match(c: &mut Criterion) {
    let base = base();
    for shape in SHAPES {
        let mut group = c.benchmark_group(format!("an event for one among {}", shape.0));
        for count in COUNTS {
            let mut lane = lane((0..count).map(|i| shape.1(i, &base)));
            group.bench_function(BenchmarkId::from_parameter(count), |b| {
                advance(b, &mut lane, |number| {
                    format!("books/{}/p{number}", scramble(number) % count)
                });
            });
        }
        group.finish();
    }
}

/// One of a hundred patterns matches: the time grows with the matches.
fn more_matches(c: &mut Criterion) {
    let base = base();
    let mut group = c.benchmark_group("an event for one in a hundred templates");
    for count in COUNTS {
        let all = (0..count).map(|i| match i % 100 {
            0 => template(&format!("https://example.com/t/news/{{x{i}}}"), &base),
            _ => SHAPES[1].1(i, &base),
        });
        let mut lane = lane(all);
        group.throughput(criterion::Throughput::Elements(count / 100));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            advance(b, &mut lane, |number| format!("news/{number}"));
        });
    }
    group.finish();
}

/// A read of the tail that finds nothing: it stops after so much work.
fn fruitless_read(c: &mut Criterion) {
    let base = base();
    let url_pattern = |text: &str| {
        let matcher = Matcher::url_pattern(text, &base).expect("a pattern");
        MercureSelector::selectors(&matcher, &base)
    };
    let many = |each: fn(u64, &Arc<Base>) -> Vec<Selector>| {
        (0..100).flat_map(|i| each(i, &base)).collect::<Vec<_>>()
    };
    // In no order: each place leads to another state of a program.
    let letters = (0..4_000).map(|i| {
        if scramble(i).is_multiple_of(3) {
            'a'
        } else {
            'b'
        }
    });
    let long: String = letters.collect();
    let counted = format!("https://example.com/t/{}", "{x:9999}".repeat(24));
    let mut group = c.benchmark_group("a read that finds nothing");
    for (name, selectors, path) in [
        (
            "a pattern",
            vec![Selector::new("books/*/x").expect("one")],
            "books/a",
        ),
        ("100 patterns", many(SHAPES[0].1), "books/a/b"),
        (
            "a template",
            template("https://example.com/t/books/{x}/y", &base),
            "books/a/b",
        ),
        ("100 templates", many(SHAPES[1].1), "books/a/b"),
        ("a URL pattern", url_pattern("/t/books/:a/x"), "books/a/b"),
        ("100 URL patterns", many(SHAPES[2].1), "books/a/b"),
        ("a program", url_pattern("/t/books/(\\d+)/:x"), "books/a/b"),
        (
            "a hostile template",
            template(&counted, &base),
            &format!("{long}!"),
        ),
        (
            "a hostile program",
            url_pattern("/t/([ab]*a[ab]{40}c)"),
            &long,
        ),
    ] {
        let mut tail = Tail::new(usize::MAX, Position::START);
        for number in 1..=20_000 {
            tail.push(frame(number, &format!("{path}{}", number % 10)));
        }
        let selection = Selection::new(selectors);
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut cursor = Cursor {
                    after: Position::START,
                };
                let mut out = Vec::new();
                tail.read(&mut cursor, &selection, Budget::ALL, &mut out);
                assert!(out.is_empty(), "{name}");
                cursor
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = criterion::Criterion::default()
        .with_measurement(CpuTime)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
        .sample_size(20);
    targets = one_match, more_matches, fruitless_read
}
criterion_main!(benches);
