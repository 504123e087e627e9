//! Who gets a place, who has to go, and whom it is given to next.

use super::*;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use tidings_mercure::Base;

const FAR: &str = "192.0.2.1";

/// Places for so many connections beyond the reserve, and streams.
fn places(connections: usize, subscriptions: usize, per_address: Option<usize>) -> Arc<Places> {
    Places::new(&Limits {
        connections: connections + SPARE_CONNECTIONS,
        subscriptions,
        subscriptions_per_address: per_address,
        ..Limits::default()
    })
}

fn connect(places: &Arc<Places>, peer: &str) -> Place {
    places.connect(peer.parse().unwrap())
}

/// When whoever is idle now has been so for long enough.
fn later() -> Instant {
    Instant::now() + GRACE
}

fn connect_later(places: &Arc<Places>) -> Place {
    places.connect_at(FAR.parse().unwrap(), later())
}

fn is_ready(future: impl Future<Output = ()>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(future).poll(&mut context).is_ready()
}

/// Which of these were told to leave, by number.
fn sent_away(all: &[Place]) -> Vec<usize> {
    let leaves = |(n, place): (usize, &Place)| is_ready(place.sent_away()).then_some(n);
    all.iter().enumerate().filter_map(leaves).collect()
}

/// With two places beyond the reserve: a crowd of idle connections in which
/// those of `busy` have asked, and as many newcomers as it takes.
#[track_caller]
fn check_crowd(busy: &[usize], newcomers: usize, expected: &[usize]) {
    let places = places(2, 2, None);
    let mut all: Vec<Place> = (0..2).map(|_| connect(&places, FAR)).collect();
    let asking: Vec<Asking> = busy.iter().map(|n| all[*n].ask()).collect();
    all.extend((0..newcomers).map(|_| connect_later(&places)));
    assert_eq!(sent_away(&all), expected);
    assert_eq!(places.sent_away(), expected.len() as u64);
    assert_eq!(places.connections(), 2 + newcomers);
    drop((asking, all));
    assert_eq!(places.connections(), 0);
    assert!(places.state().silent.is_empty() && places.state().kept.is_empty());
}

#[test]
fn f21_the_longest_idle_makes_room_when_only_the_reserve_is_left() {
    check_crowd(&[], 0, &[]);
    check_crowd(&[], 1, &[0]);
    check_crowd(&[], 2, &[0, 1]);
    check_crowd(&[0], 1, &[1]);
    check_crowd(&[0, 1], 1, &[]);
    // Newcomers have time to say what they want.
    check_crowd(&[1], 2, &[0]);
    check_crowd(&[], 9, &[0, 1]);
}

#[test]
fn who_never_asked_goes_before_who_asked_long_ago() {
    let places = places(4, 1, None);
    let mut all: Vec<Place> = (0..4).map(|_| connect(&places, FAR)).collect();
    for n in [2, 0] {
        drop(all[n].ask());
    }
    let mut check = |expected: &[usize]| {
        all.push(connect_later(&places));
        assert_eq!(sent_away(&all), expected);
    };
    check(&[1]);
    check(&[1, 3]);
    // Those that came meanwhile have their time; of the others, 2 asked first.
    check(&[1, 2, 3]);
    check(&[0, 1, 2, 3]);
    check(&[0, 1, 2, 3]);
}

#[test]
fn a_connection_is_idle_when_its_last_answer_is_given() {
    let places = places(1, 1, None);
    let place = connect(&places, FAR);
    let (first, second) = (place.ask(), place.ask());
    drop(first);
    assert!(!places.make_room_at(later()));
    drop(second);
    assert!(places.make_room_at(later()));
    assert!(is_ready(place.sent_away()));
    // Who is told already isn't told for somebody else again.
    drop(place.ask());
    assert!(!places.make_room_at(later()));
}

#[test]
fn f21_the_system_is_short_of_descriptors() {
    let places = places(100, 1, None);
    let all = [connect(&places, FAR), connect(&places, FAR)];
    let asking = all[0].ask();
    assert!(!places.make_room(), "nobody has been idle for long");
    assert!(places.make_room_at(later()));
    assert!(!places.make_room_at(later()));
    assert_eq!(sent_away(&all), [1]);
    drop(asking);
    assert!(places.make_room_at(later()));
}

#[tokio::test]
async fn who_waits_for_a_place_gets_the_first_that_is_free() {
    let places = places(1, 1, None);
    let mut all: Vec<Place> = (0..=SPARE_CONNECTIONS)
        .map(|_| connect(&places, FAR))
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut room = pin!(places.room());
    assert!(room.as_mut().poll(&mut context).is_pending());
    all.pop();
    assert!(room.as_mut().poll(&mut context).is_ready());
}

#[test]
fn a10_streams_are_bounded_per_hub_and_per_address() {
    let places = places(100, 5, Some(2));
    let check = |peer: &str, expected: Result<(), NoPlace>| {
        let watching = places.watch(Some(&connect(&places, peer)));
        assert_eq!(
            watching.as_ref().map(drop).map_err(|why| *why),
            expected,
            "{peer}"
        );
        watching.ok()
    };
    let held = [check(FAR, Ok(())), check("::ffff:192.0.2.1", Ok(()))];
    check(FAR, Err(NoPlace::Address));
    let other = [
        check("2001:db8::1", Ok(())),
        check("2001:db8:0:0:ffff::2", Ok(())),
    ];
    check("2001:db8::3", Err(NoPlace::Address));
    drop(check("2001:db8:0:1::1", Ok(())));
    drop(other);
    // Nobody is counted on loopback.
    let local: Vec<_> = ["127.0.0.1", "::1", "127.9.9.9"]
        .map(|peer| check(peer, Ok(())))
        .into();
    check("127.0.0.1", Err(NoPlace::Subscriptions));
    check(FAR, Err(NoPlace::Subscriptions));
    drop(local);
    drop(held);
    drop(check(FAR, Ok(())));
    let state = places.state();
    assert_eq!(
        (state.subscriptions, state.watching, state.connections),
        (0, 0, 0)
    );
    assert!(state.by_address.is_empty());
}

#[test]
fn f21_connections_that_watch_leave_the_reserve() {
    let places = places(2, 100, None);
    let mut all: Vec<Place> = (0..2).map(|_| connect(&places, FAR)).collect();
    let first = places.watch(Some(&all[0])).unwrap();
    let second = places.watch(Some(&all[1])).unwrap();
    all.extend((0..2).map(|_| connect(&places, FAR)));
    assert_eq!(
        places.watch(Some(&all[2])).unwrap_err(),
        NoPlace::Connections
    );
    // A connection that watches already may watch more: that takes no descriptor.
    let more = places.watch(Some(&all[1])).unwrap();
    drop(second);
    assert_eq!(
        places.watch(Some(&all[2])).unwrap_err(),
        NoPlace::Connections
    );
    drop(more);
    let third = places.watch(Some(&all[2])).unwrap();
    // What watches is not idle.
    while places.make_room_at(later()) {}
    assert_eq!(sent_away(&all), [1, 3]);
    // The place lasts as long as the stream, without its connection's task.
    drop(all);
    assert_eq!(places.connections(), 2);
    drop((first, third));
    assert_eq!(places.connections(), 0);
}

/// Places are given back exactly as often as they are taken, whatever ends in
/// whatever order, on several threads.
#[test]
fn every_place_is_given_back() {
    let places = places(8, 6, Some(3));
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    std::thread::scope(|scope| {
        for n in 0..4 {
            let places = &places;
            scope.spawn(move || churn(places, seed + n));
        }
    });
    let state = places.state();
    assert_eq!(
        (state.subscriptions, state.watching, state.connections),
        (0, 0, 0)
    );
    assert!(state.by_address.is_empty());
    assert!(state.silent.is_empty() && state.kept.is_empty());
}

fn churn(places: &Arc<Places>, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut open, mut asking, mut watching) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5_000 {
        match random.u8(..6) {
            0 => open.push(connect(places, &format!("192.0.2.{}", random.u8(..3)))),
            1 => open.push(connect_later(places)),
            2 if !open.is_empty() => asking.push(random.choice(&open).map(Place::ask)),
            3 if !open.is_empty() => watching.extend(places.watch(random.choice(&open)).ok()),
            4 if !asking.is_empty() => drop(asking.swap_remove(random.usize(..asking.len()))),
            5 if !watching.is_empty() => drop(watching.swap_remove(random.usize(..watching.len()))),
            _ => open.retain(|_| random.bool()),
        }
        assert!(places.state().subscriptions <= 6);
    }
}

#[test]
fn the_patterns_of_all_streams_take_what_they_may_and_give_it_back() {
    let [a, b] = ["/a/{x}", "/b/{x}"].map(|text| Matcher::selector(text).expect("a template"));
    let places = Places::new(&Limits {
        pattern_bytes: 2 * a.memory(),
        ..Limits::default()
    });
    let mut one = places.watch(None).expect("a place");
    let mut other = places.watch(None).expect("a place");
    assert_eq!(one.take_patterns(std::slice::from_ref(&a)), Ok(()));
    let two = [a.clone(), b.clone()];
    assert_eq!(other.take_patterns(&two), Err(NoPlace::Patterns));
    // Each has compiled it for itself.
    assert_eq!(other.take_patterns(&[a]), Ok(()));
    assert_eq!(
        other.take_patterns(std::slice::from_ref(&b)),
        Err(NoPlace::Patterns)
    );
    assert_eq!(
        other.take_patterns(&[Matcher::Any, Matcher::exact("/a")]),
        Ok(())
    );
    drop(one);
    assert_eq!(other.take_patterns(&[b]), Ok(()));
}

#[test]
fn what_a_topic_costs_at_worst_is_bounded_over_all_streams() {
    let limits = Limits::default();
    let places = Places::new(&limits);
    let base = Base::new("https://example.com").expect("a base");
    let new = |begin: &str, number: usize| {
        let text = format!("{begin}([ab]*a[ab]{{40}}c{number})");
        Matcher::url_pattern(&text, &base).expect("a URL pattern")
    };
    let most = limits.pattern_work() / new("*://*/", 0).work();
    let mut all = Vec::new();
    let mut take = |matcher: Matcher| {
        let mut one = places.watch(None).expect("a place");
        let taken = one.take_patterns(&[matcher]);
        all.push(one);
        taken
    };
    for number in 0..most {
        assert_eq!(take(new("*://*/", number)), Ok(()), "{number}");
    }
    assert_eq!(take(new("*://*/", most)), Err(NoPlace::Patterns));
    assert_eq!(take(new("/a/", 0)), Err(NoPlace::Patterns));
    // Who asks for the same as another costs no topic anything.
    assert_eq!(take(new("*://*/", 0)), Ok(()));
    drop(all);
    // No topic meets two of these.
    let mut one = places.watch(None).expect("a place");
    for number in 0..3 * most {
        assert_eq!(one.take_patterns(&[new(&format!("/{number}/"), 0)]), Ok(()));
    }
}
