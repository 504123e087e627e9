//! What a matcher says that it takes in memory, against the allocator.

use peak_alloc::PeakAlloc;
use std::sync::Barrier;
use tidings_matcher::{Base, Matcher, Subject};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const COUNT: usize = 200;

const THREADS: usize = 9;

/// No more than is said, used or not, and not less than a `part`th of it.
fn check(name: &str, part: usize, new: impl Fn(usize, &Base) -> Matcher) {
    let base = Base::new("https://example.com").unwrap();
    let mut all = Vec::with_capacity(COUNT);
    let before = ALLOCATOR.current_usage();
    all.extend((0..COUNT).map(|number| new(number, &base)));
    // Programs take more once they have run, and could for each thread that runs
    // them at the same time.
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        let run = || {
            for matcher in &all {
                barrier.wait();
                use_some(matcher, &base);
            }
        };
        (0..THREADS).for_each(|_| drop(scope.spawn(run)));
    });
    let taken = ALLOCATOR.current_usage() - before;
    let said: usize = all.iter().map(Matcher::memory).sum();
    assert!(taken <= said, "{name}: {taken} of {said}");
    assert!(taken * part >= said, "{name}: {taken} of {said}");
}

fn use_some(matcher: &Matcher, base: &Base) {
    // Long and varied, so that a program comes to many of its states.
    let varied: String = (0..4_000u32)
        .map(|n| match n.wrapping_mul(2_654_435_761) >> 29 {
            0..3 => 'a',
            3..6 => 'b',
            _ => 'c',
        })
        .collect();
    let varied = format!("/{varied}");
    for topic in [
        "https://example.com/books/1/a/b",
        "/x/aaabbb",
        "urn:1",
        &varied,
    ] {
        matcher.matches(&Subject::new(topic, base));
    }
}

/// One test: the allocator counts for the whole process.
#[test]
fn a_matcher_takes_no_more_than_it_says() {
    check("exact", 4, |i, _| {
        Matcher::exact(&format!("https://example.com/books/{i}"))
    });
    check("template", 4, |i, _| {
        Matcher::selector(&format!("https://example.com/books/{i}/{{part}}")).unwrap()
    });
    check("long template", 4, |i, _| {
        let variables: Vec<String> = (0..24).map(|n| format!("/{{variable{i}{n}}}")).collect();
        Matcher::selector(&variables.concat()).unwrap()
    });
    check("URL pattern", 4, |i, base| {
        Matcher::url_pattern(&format!("https://example.com/books/{i}/:part"), base).unwrap()
    });
    check("one program", 20, |i, base| {
        Matcher::url_pattern(&format!("/books{i}/:part/:page"), base).unwrap()
    });
    check("used programs", 20, |_, base| {
        Matcher::url_pattern("*://(example).com/(books|x)/([a-b]+)*", base).unwrap()
    });
    check("large programs", 20, |_, base| {
        Matcher::url_pattern("*://*/([abc]*a[abc]{40}c)", base).unwrap()
    });
}
