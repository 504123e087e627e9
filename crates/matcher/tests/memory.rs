//! What a matcher says that it takes in memory, against the allocator.

use peak_alloc::PeakAlloc;
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
    // Programs take more once they have run, and could for each thread that they
    // run on.
    std::thread::scope(|scope| {
        let run = || {
            for _ in 0..THREADS {
                all.iter().for_each(|matcher| use_once(matcher, &base));
            }
        };
        (0..THREADS).for_each(|_| drop(scope.spawn(run)));
    });
    let taken = ALLOCATOR.current_usage() - before;
    let said: usize = all.iter().map(Matcher::memory).sum();
    assert!(taken <= said, "{name}: {taken} of {said}");
    assert!(taken * part >= said, "{name}: {taken} of {said}");
}

fn use_once(matcher: &Matcher, base: &Base) {
    for topic in ["https://example.com/books/1/a/b", "/x/aaabbb", "urn:1"] {
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
}
