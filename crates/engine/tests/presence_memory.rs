//! What members of presence are said to take in memory, against the allocator.

use peak_alloc::PeakAlloc;
use std::sync::Arc;
use std::time::Duration;
use tidings_engine::presence::{LIST_BYTES, MemberId, Person, Roster, Rules};
use tidings_engine::{Timestamp, Topic};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const COUNT: usize = 2_000;

/// No more than is said, whatever becomes of the members, and not less than a
/// `part`th of it while they are there.
fn check(name: &str, part: usize, member: impl Fn(usize) -> (Topic, Arc<Person>)) {
    let mut roster = Roster::new(Rules {
        grace: Duration::from_secs(10),
        list: 1000,
        list_bytes: LIST_BYTES,
        interval: Duration::from_secs(1),
        bytes: usize::MAX,
    });
    let now = Duration::ZERO;
    let before = ALLOCATOR.current_usage();
    let taken = |roster: &Roster| {
        let (taken, said) = (ALLOCATOR.current_usage() - before, roster.bytes());
        assert!(taken <= said, "{name}: {taken} of {said}");
        (taken, said)
    };
    for number in 0..COUNT {
        // Whoever asks to be told is there, too.
        let (topic, person) = member(number);
        let begun = roster.begin(&[(topic.clone(), person)], None, (now, Timestamp(0)));
        begun.expect("there is room");
        roster.listen(&topic);
    }
    let (there, said) = taken(&roster);
    assert!(there * part >= said, "{name}: {there} of {said}");
    // All of them are about to leave.
    for number in 0..COUNT {
        let (topic, person) = member(number);
        roster.end(person.id, [&topic], None, now);
    }
    taken(&roster);
    while let Some(due) = roster.due() {
        roster.take(usize::MAX, due);
    }
    assert_eq!(roster.members(), 0, "{name}");
    for number in 0..COUNT {
        roster.ignore(&member(number).0);
    }
    let left = ALLOCATOR.current_usage() - before;
    assert!(left < 64 * 1024, "{name}: {left} bytes are left of nobody");
}

fn person(number: usize, called: &str, data: usize) -> Arc<Person> {
    Arc::new(Person {
        id: MemberId((number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
        lasts: true,
        called: (!called.is_empty()).then(|| called.into()),
        data: (data > 0).then(|| "1".repeat(data).into()),
    })
}

/// One test: the allocator counts for the whole process.
#[test]
fn members_take_no_more_than_is_said() {
    let news = Topic::new("news").expect("a topic");
    check("one topic", 4, |number| {
        (news.clone(), person(number, "", 0))
    });
    check("named", 4, |number| {
        (news.clone(), person(number, &"x".repeat(128), 0))
    });
    check("claims", 4, |number| {
        (news.clone(), person(number, "", 4096))
    });
    let topic = |number: usize| Topic::new(&format!("rooms/{number}")).expect("a topic");
    check("topics of their own", 4, |number| {
        (topic(number), person(number, "Ann", 0))
    });
    check("one person at all", 4, |number| {
        (topic(number), person(1, "Ann", 0))
    });
    check("pairs", 4, |number| {
        (topic(number / 2), person(number, "Ann", 0))
    });
    let long = |number: usize| Topic::new(&format!("{number:04000}")).expect("a topic");
    check("long topics", 4, |number| {
        (long(number), person(number, "", 0))
    });
}
