//! What a real log says of streams that come and go, and what documents show of
//! it meanwhile.

use super::{Guard, left};
use crate::auth;
use crate::hub::Hub;
use crate::testing::{hub_on, publish};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tidings_engine::slow::SlowPolicy;
use tidings_engine::{Budget, Cursor, Limits, Position, Read};
use tidings_mercure::{Base, Matcher};
use tidings_store::MemoryStorage;

const PATIENCE: Duration = Duration::from_secs(60);

/// A hub that tells of subscriptions, with its log in `storage`.
fn hub(storage: &Arc<MemoryStorage>) -> Arc<Hub> {
    let base = Base::new("https://hub.example").expect("a URL");
    let settings = auth::Settings {
        mercure: auth::Mercure {
            subscriptions: true,
            ..auth::Mercure::default()
        },
        ..auth::Settings::open(base)
    };
    let storage = Arc::clone(storage);
    hub_on(storage, settings, Limits::default(), SlowPolicy::Disconnect)
}

fn begin(hub: &Hub, topic: &str) -> Guard {
    let begun = hub.active().begin(&[Matcher::exact(topic)], None);
    begun.expect("room").expect("a hub that tells of it")
}

async fn settle(hub: &Hub) {
    assert!(hub.active().settled(PATIENCE).await, "the log says nothing");
}

/// Someone who watches the events from a position on.
struct Watcher {
    there: BTreeSet<String>,
    cursor: Cursor,
}

impl Watcher {
    /// Who knows of nobody at the beginning of the log.
    fn new() -> Self {
        Self {
            there: BTreeSet::new(),
            cursor: Cursor {
                after: Position::START,
            },
        }
    }

    /// Reads on, up to `end`; every event has to change something.
    fn follow(&mut self, hub: &Hub, end: Position) {
        let selection = left::selection(&format!("{}/**", left::own(hub.auth().base())));
        let mut frames = Vec::new();
        while self.cursor.after < end {
            let one = Budget::frames(1);
            let read = hub
                .reader()
                .read(&mut self.cursor, &selection, one, &mut frames);
            let read = read.expect("a log that can be read");
            assert!(!matches!(read, Read::Gap(_)), "nothing is lost");
            for frame in frames.drain(..) {
                if frame.position() > end {
                    self.cursor.after = end;
                    return;
                }
                let last = left::said(&frame).expect("a document");
                let id = last.document["id"].as_str().expect("an id").to_owned();
                let changed = match last.document["active"].as_bool().expect("active") {
                    true => self.there.insert(id.clone()),
                    false => self.there.remove(&id),
                };
                assert!(changed, "{id} is told of twice, or ends before it begins");
            }
            if read == Read::CaughtUp {
                return;
            }
        }
    }
}

/// The ids of a document, and its position.
fn document(hub: &Hub) -> (BTreeSet<String>, Position) {
    let view = hub.active().view(None).expect("a hub that tells");
    let base = hub.auth().base();
    let ids = view.subscribers.iter().flat_map(|own| {
        own.entries(true, tidings_engine::Timestamp(1), base)
            .map(|entry| tidings_mercure::native::to_mercure(&entry.topic, base).expect("a name"))
    });
    (ids.collect(), view.at)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_are_what_the_log_says_up_to_their_position() {
    let seed = fastrand::u64(..);
    let hub = hub(&Arc::default());
    settle(&hub).await;
    let comers: Vec<_> = (0..3)
        .map(|n| {
            let (hub, mut random) = (Arc::clone(&hub), fastrand::Rng::with_seed(seed ^ n));
            tokio::spawn(async move {
                let mut there = Vec::new();
                for round in 0..1500 {
                    // Long enough that many are told of before they end.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    match random.u8(0..4) {
                        0 if !there.is_empty() => {
                            drop(there.swap_remove(random.usize(..there.len())));
                        }
                        1 => publish(&hub, "news", "something else").await,
                        _ => there.push(begin(&hub, &format!("{n}/{round}"))),
                    }
                }
                there
            })
        })
        .collect();
    let (mut watcher, mut looked) = (Watcher::new(), 0);
    while !comers.iter().all(|comer| comer.is_finished()) {
        let (ids, at) = document(&hub);
        watcher.follow(&hub, at);
        assert_eq!(watcher.there, ids, "seed {seed}, at {at:?}");
        looked += 1;
        tokio::task::yield_now().await;
    }
    let mut there = Vec::new();
    for comer in comers {
        there.extend(comer.await.expect("no panic"));
    }
    settle(&hub).await;
    let (ids, at) = document(&hub);
    watcher.follow(&hub, at);
    assert_eq!(watcher.there, ids, "seed {seed}");
    // Each has a document in both dialects.
    assert_eq!(
        ids.len(),
        2 * there.len(),
        "seed {seed}, looked {looked} times"
    );
    drop(there);
    settle(&hub).await;
    watcher.follow(&hub, document(&hub).1);
    assert!(watcher.there.is_empty(), "seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_comes_at_once_waits_for_nothing() {
    const CROWD: usize = 10_000;
    let hub = hub(&Arc::default());
    settle(&hub).await;
    let before = hub.live().end();
    // Nothing here is awaited: the log may be asleep for all they care.
    let crowd: Vec<Guard> = (0..CROWD)
        .map(|n| begin(&hub, &format!("{}", n % 7)))
        .collect();
    settle(&hub).await;
    let (ids, at) = document(&hub);
    assert_eq!(ids.len(), 2 * CROWD);
    assert_eq!(at.0 - before.0, 2 * CROWD as u64);
    drop(crowd);
    settle(&hub).await;
    assert!(document(&hub).0.is_empty());
    assert_eq!(hub.live().end().0 - before.0, 4 * CROWD as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_kill_leaves_behind_is_ended_by_the_next_start() {
    let storage = Arc::default();
    let mut left = Vec::new();
    let mut watcher = Watcher::new();
    for run in 0..4 {
        let hub = hub(&storage);
        settle(&hub).await;
        watcher.follow(&hub, hub.live().end());
        assert!(watcher.there.is_empty(), "run {run}: {:?}", watcher.there);
        assert!(document(&hub).0.is_empty());
        let ended = begin(&hub, "ended");
        // Runs without anybody have nothing to end.
        left.extend((0..run * 300).map(|n| begin(&hub, &format!("left/{run}/{n}"))));
        settle(&hub).await;
        drop(ended);
        settle(&hub).await;
        let (ids, at) = document(&hub);
        watcher.follow(&hub, at);
        assert_eq!(watcher.there, ids);
        assert_eq!(ids.len(), 2 * run * 300);
        // As a kill: what ends from here on isn't in the log.
        hub.writer().shutdown();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_log_does_not_say_is_not_shown() {
    let hub = hub(&Arc::default());
    let there = begin(&hub, "there");
    settle(&hub).await;
    let before = document(&hub);
    assert_eq!(before.0.len(), 2);
    // From here on the log takes nothing, and streams come and go all the same.
    hub.writer().shutdown();
    let came = begin(&hub, "came");
    drop(there);
    assert!(!hub.active().settled(Duration::ZERO).await);
    assert_eq!(document(&hub), before);
    drop(came);
    assert_eq!(document(&hub), before);
}

#[tokio::test]
async fn a_hub_that_does_not_tell_has_nothing() {
    let hub = crate::testing::hub(Limits::default(), SlowPolicy::Disconnect);
    let begun = hub.active().begin(&[Matcher::Any], None).expect("no bound");
    assert!(begun.is_none());
    assert!(!hub.active().are_told());
    assert!(hub.active().settled(Duration::ZERO).await);
    assert!(hub.active().view(None).is_none());
    assert_eq!(hub.live().end(), Position::START);
}
