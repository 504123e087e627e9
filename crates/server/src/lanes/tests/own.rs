//! What streams of a lane are given of the hub's own log.

use super::*;
use crate::own::{OwnWatch, Part, Resync};
use std::sync::Mutex;
use tidings_codec::EventType;
use tidings_engine::Topic;
use tidings_engine::limits::OWN_LOG_BYTES;

fn say(hub: &Hub, topic: &str, data: &str) {
    let kind = EventType::new("stats").unwrap();
    hub.own()
        .say(&Topic::new(topic).unwrap(), Some(&kind), data);
}

/// Watches `selectors`, some of the own log, and what that is told anew.
async fn watch(hub: &Arc<Hub>, selectors: &[&str], resync: Option<Resync>) -> Peer {
    let (log, own) = selection(selectors).split();
    let own = OwnWatch::new(hub.own(), own, resync);
    let admitted = Admitted {
        selection: log,
        standing: None,
    };
    let mut peer = Peer::carry_with(hub, admitted, hub.live().end(), Some(own)).await;
    peer.until(|peer| peer.retries > 0).await;
    peer
}

#[tokio::test(flavor = "multi_thread")]
async fn both_logs_come_in_their_order_and_the_last_event_id_is_of_the_one() {
    let hub = hub(Limits::default(), SlowPolicy::default());
    let mut peer = watch(&hub, &["a", "$sys/test"], None).await;
    let other = watch(&hub, &["a"], None).await;
    let (published, said) = (numbers(0..200, 4), numbers(1_000..1_200, 4));
    for (published, said) in published.iter().zip(&said) {
        say(&hub, "$sys/test", said);
        publish(&hub, "a", published).await;
        say(&hub, "$presence/a", "not watched");
    }
    peer.until(|peer| peer.events.len() >= 400).await;
    let of = |kind: &str| -> Vec<String> {
        let own = peer.events.iter().filter(|event| event.0 == kind);
        own.map(|(_, data)| data.clone()).collect()
    };
    assert_eq!(of(""), published);
    assert_eq!(of("stats"), said);
    assert_eq!(peer.position(), hub.live().end());
    assert_eq!(peer.events.len(), 400);
    // What nobody watches isn't even kept.
    assert!(!hub.own().is_watched(&Topic::new("$presence/a").unwrap()));
    drop((peer, other));
    eventually("nobody watches any more", || {
        !hub.own().is_watched(&Topic::new("$sys/test").unwrap())
    })
    .await;
    let before = hub.own().tail().end();
    say(&hub, "$sys/test", "to nobody");
    assert_eq!(hub.own().tail().end(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_still_begins_anew_and_misses_nothing_of_the_log() {
    let limits = Limits {
        lag_bytes: 1 << 30,
        ..Limits::default()
    };
    let hub = hub(limits, SlowPolicy::Disconnect);
    let told = Arc::new(Mutex::new(0));
    let resync: Resync = {
        let told = Arc::clone(&told);
        Arc::new(move |_| {
            let mut told = told.lock().unwrap();
            *told += 1;
            Part {
                blocks: format!("event: anew\ndata: {told}\n\n").into(),
                next: None,
            }
        })
    };
    let mut peer = watch(&hub, &["a", "$sys/test"], Some(resync)).await;
    peer.until(|peer| !peer.events.is_empty()).await;
    assert_eq!(peer.events, [("anew".to_owned(), "1".to_owned())]);
    // More than socket, kernel and the own log hold.
    let data = numbers(0..4_000, 10_000);
    const { assert!(40_000_000 > 3 * OWN_LOG_BYTES) };
    for (data, number) in data.iter().zip(0..) {
        say(&hub, "$sys/test", data);
        if number % 100 == 0 {
            publish(&hub, "a", &number.to_string()).await;
        }
    }
    assert!(hub.own().tail().bytes() <= OWN_LOG_BYTES);
    let count = |peer: &Peer, kind: &str| peer.events.iter().filter(|own| own.0 == kind).count();
    peer.until(|peer| count(peer, "anew") >= 2 && count(peer, "") == 40)
        .await;
    // What comes now comes to it.
    say(&hub, "$sys/test", "end");
    peer.until(|peer| peer.data().contains(&"end")).await;
    let own: Vec<_> = peer.events.iter().filter(|own| own.0 == "stats").collect();
    assert!(own.len() < 4_000, "all of it came");
    assert!(own.is_sorted() && !peer.ended);
    let anew: Vec<_> = peer.events.iter().filter(|own| own.0 == "anew").collect();
    assert!(anew.len() >= 2 && anew.is_sorted(), "{anew:?}");
    // Where it begins anew, nothing of before comes behind.
    let log: Vec<_> = peer.events.iter().filter(|own| own.0.is_empty()).collect();
    assert_eq!(log.len(), 40, "nothing of the log is lost");
    assert_eq!(*told.lock().unwrap(), anew.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_log_makes_the_other_wait() {
    let hub = hub(Limits::default(), SlowPolicy::default());
    // A long history, that it replays while the own log goes on.
    publish_all(&hub, "a", &numbers(0..400, 10_000)).await;
    let (log, own) = selection(&["a", "$sys/test"]).split();
    let own = OwnWatch::new(
        hub.own(),
        own,
        Some(Arc::new(|_| Part {
            blocks: "event: anew\ndata\n\n".into(),
            next: None,
        })),
    );
    let admitted = Admitted {
        selection: log,
        standing: None,
    };
    let mut peer = Peer::carry_with(&hub, admitted, Position::START, Some(own)).await;
    peer.until(|peer| peer.events.len() >= 401).await;
    let anew = peer.events.iter().position(|own| own.0 == "anew");
    assert!(anew.is_some_and(|at| at < 300), "{anew:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_states_the_position_however_much_the_own_log_says() {
    let limits = Limits {
        heartbeat: Duration::from_millis(300),
        ..Limits::default()
    };
    let hub = hub(limits, SlowPolicy::default());
    let mut peer = watch(&hub, &["a", "$sys/test"], None).await;
    publish(&hub, "b", "nothing that is watched").await;
    let saying = {
        let hub = Arc::clone(&hub);
        tokio::spawn(async move {
            loop {
                say(&hub, "$sys/test", "x");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let end = hub.live().end();
    peer.until(|peer| peer.position() == end).await;
    assert!(!peer.ended && peer.data().contains(&"x"));
    saying.abort();
}
