//! What is told of who comes and goes, case by case.

use super::*;
use serde_json::{Value, json};

const NEWS: &str = "news";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn rules() -> Rules {
    Rules {
        grace: ms(10_000),
        list: 3,
        list_bytes: LIST_BYTES,
        interval: ms(1000),
        bytes: 1 << 20,
    }
}

fn person(id: u128, called: &str) -> Arc<Person> {
    Arc::new(Person {
        id: MemberId(id),
        lasts: true,
        called: Some(called.into()),
        data: None,
    })
}

fn news() -> Topic {
    Topic::new(NEWS).expect("a topic")
}

fn at_news(person: &Arc<Person>) -> [(Topic, Arc<Person>); 1] {
    [(news(), Arc::clone(person))]
}

/// A roster, one topic, and what is told of it to somebody who listens.
struct Told {
    roster: Roster,
}

impl Told {
    fn new(rules: Rules) -> Self {
        let mut roster = Roster::new(rules);
        roster.listen(&news());
        Self { roster }
    }

    fn begin(&mut self, person: &Arc<Person>, at: u64) {
        let now = (ms(at), Timestamp(at));
        let begun = self.roster.begin(&at_news(person), None, now);
        begun.expect("there is room");
    }

    fn end(&mut self, person: &Person, retry: Option<Duration>, at: u64) {
        self.roster.end(person.id, [&news()], retry, ms(at));
    }

    /// What is told up to a moment, each with the moment: `joined`, `left` and
    /// `members`, as far as they are there, and the ids alone.
    #[track_caller]
    fn check(&mut self, until: u64, expected: &[(u64, Value)]) {
        let mut told = Vec::new();
        while let Some(due) = self.roster.due().filter(|due| *due <= ms(until)) {
            for account in self.roster.take(8, due) {
                told.push((due.as_millis() as u64, short(&account.to_json())));
            }
        }
        assert_eq!(told, expected);
    }
}

/// An account without its topic and its number, members by what they are called.
fn short(data: &str) -> Value {
    let mut read: Value = serde_json::from_str(data).expect("JSON");
    let own = read.as_object_mut().expect("an object");
    own.remove("topic");
    own.remove("seq");
    for list in ["joined", "members"] {
        if let Some(Value::Array(list)) = own.get_mut(list) {
            list.iter_mut()
                .for_each(|member| *member = member["as"].clone());
        }
    }
    read
}

fn lists(count: u64, joined: &[&str], left: &[u128]) -> Value {
    let left: Vec<_> = left.iter().map(|id| MemberId(*id).to_string()).collect();
    json!({ "count": count, "joined": joined, "left": left })
}

#[test]
fn two_streams_of_one_person_are_one_member_and_a_reload_is_no_change() {
    let (mut told, ann) = (Told::new(rules()), person(1, "ann"));
    told.begin(&ann, 0);
    told.begin(&ann, 10);
    told.check(1000, &[(50, lists(1, &["ann"], &[]))]);
    // A closed tab, and a reload within the grace, say nothing.
    told.end(&ann, None, 2000);
    told.end(&ann, None, 3000);
    told.begin(&ann, 12_999);
    told.check(40_000, &[]);
    assert_eq!(told.roster.snapshot(&news(), ms(40_000)).count, 1);
    // The grace is over with its last moment.
    told.end(&ann, None, 50_000);
    told.check(59_999, &[]);
    told.check(70_000, &[(60_050, lists(0, &[], &[1]))]);
    assert_eq!(told.roster.members(), 0);
    told.roster.ignore(&news());
    assert_eq!(told.roster.bytes(), 0);
}

#[test]
fn whom_the_hub_asked_to_come_back_stays_until_then_and_the_grace() {
    let (mut told, ann) = (Told::new(rules()), person(1, "ann"));
    told.begin(&ann, 0);
    told.begin(&ann, 0);
    told.check(1000, &[(50, lists(1, &["ann"], &[]))]);
    told.end(&ann, Some(ms(60_000)), 1000);
    // The other one ends by itself: that doesn't take back what was promised.
    told.end(&ann, None, 2000);
    told.check(70_999, &[]);
    told.check(80_000, &[(71_050, lists(0, &[], &[1]))]);
}

#[test]
fn who_can_not_come_back_as_the_same_leaves_at_once() {
    let mut told = Told::new(rules());
    let stranger = Arc::new(Person {
        lasts: false,
        ..(*person(1, "x")).clone()
    });
    told.begin(&stranger, 0);
    told.check(1000, &[(50, lists(1, &["x"], &[]))]);
    told.end(&stranger, Some(ms(60_000)), 1000);
    told.check(2000, &[(1050, lists(0, &[], &[1]))]);
}

#[test]
fn who_came_and_went_unseen_is_not_told_of_and_who_was_seen_is() {
    let hasty = Rules {
        grace: Duration::ZERO,
        ..rules()
    };
    let (mut told, ann) = (Told::new(hasty), person(1, "ann"));
    told.begin(&ann, 0);
    told.end(&ann, None, 10);
    told.check(1000, &[]);
    told.begin(&ann, 1000);
    assert_eq!(told.roster.snapshot(&news(), ms(1001)).count, 1);
    told.end(&ann, None, 1010);
    told.check(2000, &[(1050, lists(0, &[], &[1]))]);
}

#[test]
fn a_crowd_is_counted_and_listed_again_when_it_is_none() {
    let mut told = Told::new(rules());
    let people: Vec<_> = ["a", "b", "c", "d", "e"]
        .iter()
        .zip(1..)
        .map(|(name, id)| person(id, name))
        .collect();
    for (own, at) in people[..3].iter().zip([0, 1, 2]) {
        told.begin(own, at);
    }
    told.check(1000, &[(50, lists(3, &["a", "b", "c"], &[]))]);
    told.begin(&people[3], 1000);
    let crowd = json!({ "count": 4, "joined": 1, "left": 0 });
    told.check(1060, &[(1050, crowd)]);
    let snapshot = told.roster.snapshot(&news(), ms(1060));
    assert_eq!((snapshot.count, snapshot.members), (4, None));
    told.begin(&people[4], 1060);
    // Once in an interval.
    let crowd = json!({ "count": 5, "joined": 1, "left": 0 });
    told.check(2060, &[(2050, crowd)]);
    told.end(&people[0], None, 3000);
    told.end(&people[1], None, 4000);
    let left = json!({ "count": 4, "joined": 0, "left": 1 });
    let members = json!({ "count": 3, "members": ["c", "d", "e"] });
    told.check(20_000, &[(13_050, left), (14_050, members)]);
}

#[test]
fn what_somebody_shows_is_replaced_by_what_they_bring_with_their_newest_stream() {
    let mut told = Told::new(rules());
    told.begin(&person(1, "ann"), 0);
    told.check(100, &[(50, lists(1, &["ann"], &[]))]);
    told.begin(&person(1, "Ann"), 200);
    told.check(300, &[(250, lists(1, &["Ann"], &[]))]);
    let before = told.roster.bytes();
    told.begin(&person(1, "Ann with a long name"), 400);
    assert_eq!(
        told.roster.bytes(),
        before + "Ann with a long name".len() - 3
    );
}

#[test]
fn a23_who_comes_and_goes_without_end_is_told_of_at_a_pace() {
    let hasty = Rules {
        grace: Duration::ZERO,
        list: 1000,
        ..rules()
    };
    let mut told = Told::new(hasty);
    let (mut bytes, mut lists, mut counts) = (0, 0, 0);
    for at in 0..60_000 {
        for id in 0..2 {
            // JSON writes each byte as two.
            let own = person(u128::from(at) * 2 + id, &"\"".repeat(128));
            told.begin(&own, at);
            // So that both are told of.
            told.roster.snapshot(&news(), ms(at));
            told.end(&own, None, at);
        }
        for account in told.roster.take(8, ms(at)) {
            bytes += account.to_json().len();
            match account.to_json().contains("\"left\":[") {
                true => lists += 1,
                false => counts += 1,
            }
        }
    }
    assert!(lists > 1 && counts > 1, "{lists} lists, {counts} counts");
    // A burst, and for a minute the rate; the last one may go beyond it.
    let most = (128 << 10) + 60 * (32 << 10) + LIST_BYTES;
    assert!(bytes <= most, "{bytes} of {most} bytes");
}

#[test]
fn a23_members_take_what_they_may_and_no_more() {
    let bounded = Rules {
        bytes: 10_000,
        ..rules()
    };
    let mut roster = Roster::new(bounded);
    let now = (ms(0), Timestamp(0));
    let fill = |roster: &mut Roster, first: u128, payer| {
        let mut begun = (first..).map(|id| roster.begin(&at_news(&person(id, "a")), payer, now));
        let refused = begun.by_ref().find_map(Result::err);
        refused.expect("not without end")
    };
    let (one, other) = (Some(Payer(1)), Some(Payer(2)));
    assert_eq!(fill(&mut roster, 0, one), Full::Address);
    assert!(roster.bytes() <= 5000, "{}", roster.bytes());
    assert_eq!(fill(&mut roster, 100, other), Full::Address);
    assert_eq!(fill(&mut roster, 200, None), Full::Everybody);
    assert!(roster.bytes() <= 10_000, "{}", roster.bytes());
    // A second stream of somebody who is there takes nothing.
    let held = roster.bytes();
    let again = roster.begin(&at_news(&person(0, "a")), one, now);
    assert_eq!(again, Ok(()));
    assert_eq!(roster.bytes(), held);
    // All topics, or none.
    let long = Topic::new(&"x".repeat(4000)).expect("a topic");
    let new = person(999, "a");
    let at = [(news(), Arc::clone(&new)), (long.clone(), new)];
    let refused = roster.begin(&at, None, now);
    assert_eq!((refused, roster.bytes()), (Err(Full::Everybody), held));
    assert_eq!(roster.snapshot(&long, ms(0)).count, 0);
}

#[test]
fn a_page_says_how_many_watch() {
    let mut roster = Roster::new(rules());
    let snapshot = roster.snapshot(&news(), ms(0));
    let page = |watchers| {
        let page: Value = serde_json::from_str(&snapshot.to_page(watchers)).expect("JSON");
        page["watchers"].clone()
    };
    assert_eq!(page(Some(7)), json!(7));
    assert_eq!(page(None), Value::Null);
    let read: Value = serde_json::from_str(&snapshot.to_json()).expect("JSON");
    let nobody = json!({ "topic": "news", "seq": 0, "count": 0, "members": [] });
    assert_eq!(read, nobody);
}
