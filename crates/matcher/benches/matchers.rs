//! What it costs to find who watches a Mercure topic.
//! `cargo bench -p tidings-matcher`

mod cpu_time;

use cpu_time::CpuTime;
use criterion::{BatchSize, BenchmarkId, criterion_group, criterion_main};
use peak_alloc::PeakAlloc;
use std::hint::black_box;
use std::time::Duration;
use tidings_matcher::Base;
use tidings_matcher::{Index, Matcher, Subject};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

type Criterion = criterion::Criterion<CpuTime>;

const COUNTS: [u32; 4] = [100, 1_000, 10_000, 100_000];

/// A kind of matcher: its name, and the one for a number.
type Shape = (&'static str, fn(u32, &Base) -> Matcher);

const SHAPES: [Shape; 3] = [
    ("exact", |i, _| {
        Matcher::exact(&format!("https://example.com/books/{i}/cover"))
    }),
    ("templates", |i, _| {
        let text = format!("https://example.com/books/{i}/{{part}}");
        Matcher::selector(&text).expect("a template")
    }),
    ("URL patterns", |i, base| {
        let text = format!("https://example.com/books/{i}/:part");
        Matcher::url_pattern(&text, base).expect("a pattern")
    }),
];

fn base() -> Base {
    Base::new("https://example.com").expect("a URL")
}

fn index(shape: Shape, count: u32, base: &Base) -> Index<u32> {
    let mut index = Index::new();
    for i in 0..count {
        index.insert(&shape.1(i, base), i);
    }
    index
}

/// Numbers without a pattern of their own, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Events on random topics of which nothing is remembered; each is watched
/// once. The time must not grow with the patterns.
fn one_match(c: &mut Criterion) {
    let base = base();
    for shape in SHAPES {
        let mut group = c.benchmark_group(format!("one match among {}", shape.0));
        for count in COUNTS {
            let mut index = index(shape, count, &base);
            let mut numbers = Numbers(0x9E37_79B9);
            let mut new_topic = || {
                let number = numbers.next();
                let part = match shape.0 {
                    "exact" => "cover".to_owned(),
                    _ => format!("p{}", number >> 32),
                };
                format!(
                    "https://example.com/books/{}/{part}",
                    number % u64::from(count)
                )
            };
            group.bench_function(BenchmarkId::from_parameter(count), |b| {
                b.iter_batched_ref(
                    // Drawn beforehand: only the search is measured.
                    &mut new_topic,
                    |topic| search(&mut index, topic, &base),
                    BatchSize::SmallInput,
                );
            });
        }
        group.finish();
    }
}

/// The same topics again and again.
fn remembered(c: &mut Criterion) {
    let base = base();
    let mut group = c.benchmark_group("a remembered topic among templates");
    for count in COUNTS {
        let mut index = index(SHAPES[1], count, &base);
        let topics: Vec<String> = (0..64)
            .map(|i| format!("https://example.com/books/{i}/cover"))
            .collect();
        let mut at = 0;
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| {
                at = (at + 1) % topics.len();
                search(&mut index, &topics[at], &base);
            });
        });
    }
    group.finish();
}

/// More and more patterns that match: the time grows with these.
fn many_matches(c: &mut Criterion) {
    let base = base();
    let mut group = c.benchmark_group("matches among 10,000 templates");
    for matching in [1, 10, 100, 1_000] {
        let mut index = index(SHAPES[1], 10_000 - matching, &base);
        for i in 0..matching {
            let text = format!("https://example.com/news/{{x{i}}}");
            let matcher = Matcher::selector(&text).expect("a template");
            index.insert(&matcher, 10_000 + i);
        }
        let mut number = 0u64;
        group.bench_function(BenchmarkId::from_parameter(matching), |b| {
            b.iter_batched_ref(
                || {
                    number += 1;
                    format!("https://example.com/news/{number}")
                },
                |topic| search(&mut index, topic, &base),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// What the index can't help with: patterns that begin with no literal.
fn without_a_literal(c: &mut Criterion) {
    let base = base();
    let mut group = c.benchmark_group("one match among templates without a literal beginning");
    for count in [100, 1_000, 10_000] {
        let shape: Shape = ("", |i, _| {
            Matcher::selector(&format!("{{+any}}/books/{i}")).expect("a template")
        });
        let mut index = index(shape, count, &base);
        let mut number = 0u64;
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter_batched_ref(
                || {
                    number += 1;
                    format!("https://host{number}.example.com/books/42")
                },
                |topic| search(&mut index, topic, &base),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Without an index: a walk through all matchers.
fn walk(c: &mut Criterion) {
    let base = base();
    let mut group = c.benchmark_group("a walk through all templates");
    for count in [100, 1_000, 10_000, 100_000] {
        let all: Vec<Matcher> = (0..count).map(|i| SHAPES[1].1(i, &base)).collect();
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| {
                let topic = Subject::new(black_box("https://example.com/books/42/cover"), &base);
                all.iter().filter(|matcher| matcher.matches(&topic)).count()
            });
        });
    }
    group.finish();
}

/// The dearest matches that the bounds leave possible.
fn hostile(c: &mut Criterion) {
    let base = base();
    let long = "a".repeat(4_000);
    let variables = "{+x}".repeat(24);
    let named = format!("{{?{}}}", ["a*"; 24].join(","));
    let counted = "{x:9999}".repeat(24);
    let literals = format!("{{x}}{}", "a".repeat(160)).repeat(23) + "{x}";
    let mut group = c.benchmark_group("one hostile match");
    for (name, text, topic) in [
        ("24 reserved variables", &variables, format!("/{long}!é")),
        (
            "24 exploded pairs",
            &named,
            format!("?{}!", "a=a&".repeat(1_000)),
        ),
        ("24 prefixes", &counted, format!("{long}!")),
        ("long literals", &literals, format!("{long}!")),
    ] {
        let matcher = Matcher::selector(text).expect("a template");
        group.bench_function(name, |b| {
            b.iter(|| matcher.matches(&Subject::new(black_box(&topic), &base)));
        });
    }
    // Letters in no order: each place leads to another state of the program.
    let mut numbers = Numbers(0x9E37_79B9);
    let path: String = (0..4_000)
        .map(|_| {
            if numbers.next().is_multiple_of(3) {
                'a'
            } else {
                'b'
            }
        })
        .collect();
    let topic = format!("/{path}");
    for text in [
        "/((?:a|aa|b)*c)",
        "/((?:[ab]*a[ab]{12})+c?)",
        "/([ab]*a[ab]{40}c)",
        "/((?:[ab]*a[ab]{8}|[ab]*b[ab]{9})+c)",
    ] {
        let matcher = Matcher::url_pattern(text, &base).expect("a pattern");
        // It is read as a URL anew each time, as for an event.
        group.bench_function(text, |b| {
            b.iter(|| matcher.matches(&Subject::new(black_box(&topic), &base)));
        });
    }
    group.finish();
}

fn search(index: &mut Index<u32>, topic: &str, base: &Base) {
    index.matches(&[Subject::new(black_box(topic), base)], |key| {
        black_box(key);
    });
}

/// Not a time: what a watched pattern costs in memory.
fn memory(_: &mut Criterion) {
    let base = base();
    let two: Shape = ("URL patterns with two groups", |i, base| {
        let text = format!("https://example.com/books/{i}/:part/:page");
        Matcher::url_pattern(&text, base).expect("a pattern")
    });
    for shape in [SHAPES[0], SHAPES[1], SHAPES[2], two] {
        let before = ALLOCATOR.current_usage();
        let index = index(shape, 10_000, &base);
        let each = (ALLOCATOR.current_usage() - before) / 10_000;
        println!("{}: {each} bytes each, 10,000 watched", shape.0);
        drop(index);
    }
}

criterion_group! {
    name = benches;
    config = criterion::Criterion::default()
        .with_measurement(CpuTime)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
        .sample_size(20);
    targets = memory, one_match, remembered, many_matches, without_a_literal, walk, hostile
}
criterion_main!(benches);
