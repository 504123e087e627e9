//! A hub in a program: what its handle gives.

use futures_util::StreamExt;
use http_body_util::BodyExt;
use std::time::Duration;
use tidings_server::{
    Event, EventId, GapReason, Hub, InvalidEvent, Keep, Later, Limits, OpenError, PublishError,
    Received, Since, SubscribeError, Subscription,
};

fn memory() -> Hub {
    Hub::builder().memory().open().expect("a hub")
}

/// The next events, as topic, name and data.
async fn events(from: &mut Subscription, count: usize) -> Vec<(String, String, String)> {
    let mut events = Vec::new();
    while events.len() < count {
        match from.next().await.expect("a hub that goes on") {
            Received::Event(event) => events.push((
                event.topic().to_owned(),
                event.event_type().to_owned(),
                event.data().to_owned(),
            )),
            other => panic!("{other:?} instead of an event"),
        }
    }
    events
}

fn expected(events: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let own = |(topic, name, data): &(&str, &str, &str)| {
        (topic.to_string(), name.to_string(), data.to_string())
    };
    events.iter().map(own).collect()
}

#[tokio::test]
async fn what_is_published_is_watched_from_wherever_it_is_asked_for() {
    let hub = memory();
    let mut live = hub
        .subscribe(["people", "room/*"], Since::Latest)
        .await
        .unwrap();
    let all = [
        ("people", Event::new("Ada")),
        ("room/7", Event::new("two\r\nlines").named("said")),
        ("elsewhere", Event::new("nobody watches this")),
        ("people", Event::json(&["Ada", "Grace"]).unwrap()),
    ];
    let ids = hub.publish_all(all).await.unwrap();
    assert_eq!(ids.len(), 4);
    let seen = expected(&[
        ("people", "message", "Ada"),
        ("room/7", "said", "two\nlines"),
        ("people", "message", r#"["Ada","Grace"]"#),
    ]);
    assert_eq!(events(&mut live, 3).await, seen);
    for (since, from) in [
        (Since::Earliest, 0),
        (Since::Last(2), 1),
        (Since::Id(ids[0].clone()), 1),
        (Since::Ago(60_000), 0),
    ] {
        let mut replayed = hub.subscribe(["people", "room/*"], since).await.unwrap();
        assert_eq!(events(&mut replayed, 3 - from).await, seen[from..]);
    }
}

#[tokio::test]
async fn an_id_of_the_applications_own_is_for_one_event() {
    let hub = memory();
    let event = || Event::new("paid").id("order-42");
    let first = hub.publish("orders", event()).await.unwrap();
    assert_eq!(first, EventId::new("order-42").unwrap());
    assert_eq!(hub.publish("orders", event()).await, Ok(first));
    let other = hub
        .publish("orders", Event::new("lost").id("order-42"))
        .await;
    assert_eq!(other, Err(PublishError::IdConflict));
    let page = hub.history(["orders"], Since::Earliest, 10).await.unwrap();
    assert_eq!(page.events.len(), 1);
}

fn paid() -> Event {
    Event::new("paid").named("state").key("payment 77")
}

#[tokio::test]
async fn p7_what_is_repeated_under_a_key_is_published_once() {
    let hub = memory();
    let id = hub.publish("orders/42", paid()).await.unwrap();
    assert_eq!(hub.publish("orders/42", paid()).await, Ok(id.clone()));
    let two = [("orders/42", paid()), ("orders/42", Event::new("sent"))];
    let ids = hub.publish_all(two).await.unwrap();
    assert_eq!(ids[0], id);
    // Under the same key everything else is refused, and nothing of its batch published.
    let others = [
        (
            "orders/42",
            Event::new("lost").named("state").key("payment 77"),
        ),
        ("orders/42", Event::new("paid").key("payment 77")),
        ("orders/43", paid()),
    ];
    for (topic, other) in others {
        let batch = [("orders/42", Event::new("also")), (topic, other)];
        let refused = hub.publish_all(batch).await;
        assert_eq!(refused, Err(PublishError::KeyConflict));
    }
    let other_key = Event::new("paid").named("state").key("payment 78");
    let other = hub.publish("orders/42", other_key).await.unwrap();
    let page = hub.history(["**"], Since::Earliest, 10).await.unwrap();
    let all: Vec<_> = page.events.iter().filter_map(|event| event.id()).collect();
    assert_eq!(all, [&id, &ids[1], &other]);
}

#[tokio::test]
async fn p7_a_key_is_remembered_by_a_hub_that_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Hub::builder().disk(directory.path()).open().unwrap();
    let hub = open();
    let id = hub.publish("orders", paid()).await.unwrap();
    let end = hub.close("answer", Some(paid().key("last"))).await.unwrap();
    hub.shutdown().await;
    drop(hub);
    let hub = open();
    assert_eq!(hub.publish("orders", paid()).await, Ok(id));
    let conflict = hub
        .publish("orders", Event::new("lost").key("payment 77"))
        .await;
    assert_eq!(conflict, Err(PublishError::KeyConflict));
    // What was closed under a key isn't closed again once it was opened.
    hub.publish("answer", Event::new("again").reopening())
        .await
        .unwrap();
    let closed = hub.close("answer", Some(paid().key("last"))).await;
    assert_eq!(closed, Ok(end));
    assert!(!hub.is_closed("answer"));
    let page = hub.history(["orders"], Since::Earliest, 10).await.unwrap();
    assert_eq!(page.events.len(), 1);
}

#[tokio::test]
async fn an_event_that_breaks_a_rule_is_refused_with_its_reason() {
    let small = Limits {
        event_data_bytes: 100,
        ..Limits::default()
    };
    let hub = Hub::builder().limits(small).open().unwrap();
    let published = async |topic: &str, event: Event| hub.publish(topic, event).await.unwrap_err();
    let fine = || Event::new("x");
    assert!(matches!(
        published("", fine()).await,
        PublishError::Topic(_)
    ));
    assert!(matches!(
        published("a/*", fine()).await,
        PublishError::Topic(_)
    ));
    assert_eq!(
        published("$sys/stats", fine()).await,
        PublishError::Reserved
    );
    let invalid = [
        fine().named("a\nb"),
        fine().named("tidings:gap"),
        fine().named(""),
        fine().id("a\rb"),
        fine().id("10m"),
        fine().retry(Duration::from_millis(99)),
        fine().retry(Duration::from_secs(3601)),
        fine().key(""),
        fine().key("a\nb"),
        fine().key("ключ"),
        fine().key("x".repeat(256)),
        Event::new("x".repeat(101)),
    ];
    for event in invalid {
        let refused = published("a", event.clone()).await;
        assert!(
            matches!(refused, PublishError::Invalid(_)),
            "{event:?}: {refused:?}"
        );
    }
    let large = published("a", Event::new("x".repeat(101))).await;
    assert!(matches!(
        large,
        PublishError::Invalid(InvalidEvent::TooLarge(_))
    ));
    hub.publish("fine", fine().key("~".repeat(255)))
        .await
        .expect("the longest key");
    // All or none.
    let both = hub.publish_all([("a", fine()), ("b", fine().id(""))]).await;
    assert!(matches!(
        both,
        Err(PublishError::Invalid(InvalidEvent::Id(_)))
    ));
    let page = hub.history(["**"], Since::Earliest, 10).await.unwrap();
    assert_eq!(page.events.len(), 1);
}

#[tokio::test]
async fn what_cant_be_watched_is_refused_with_its_reason() {
    let limits = Limits {
        subscriptions: 1,
        selectors_per_subscription: 2,
        ..Limits::default()
    };
    let hub = Hub::builder().limits(limits).open().unwrap();
    let refused = async |selectors: &[&str]| {
        let asked = hub.subscribe(selectors, Since::Latest).await;
        asked.map(drop).unwrap_err()
    };
    assert_eq!(refused(&[]).await, SubscribeError::Nothing);
    assert_eq!(
        refused(&["a", "b", "c"]).await,
        SubscribeError::TooMany { max: 2 }
    );
    assert!(matches!(
        refused(&["a//b"]).await,
        SubscribeError::Selector(_)
    ));
    let held = hub.subscribe(["a"], Since::Latest).await.unwrap();
    assert_eq!(refused(&["a"]).await, SubscribeError::Later(Later::Full));
    drop(held);
    hub.subscribe(["a"], Since::Latest)
        .await
        .expect("its place is free again");
}

#[tokio::test]
async fn pages_of_history_join_without_a_seam() {
    let hub = memory();
    for number in 0..25 {
        let topic = if number % 2 == 0 { "even" } else { "odd" };
        hub.publish(topic, Event::new(number.to_string()))
            .await
            .unwrap();
    }
    let (mut since, mut seen) = (Since::Earliest, Vec::new());
    loop {
        let page = hub.history(["even", "odd"], since, 7).await.unwrap();
        assert!(page.events.len() <= 7 && page.gap.is_none());
        seen.extend(page.events.iter().map(|event| event.data().to_owned()));
        since = page.next;
        if !page.more {
            break;
        }
    }
    let all: Vec<String> = (0..25).map(|number: u32| number.to_string()).collect();
    assert_eq!(seen, all);
    // And a subscription goes on where they end.
    let mut live = hub.subscribe(["odd"], since).await.unwrap();
    hub.publish("odd", Event::new("25")).await.unwrap();
    assert_eq!(
        events(&mut live, 1).await,
        expected(&[("odd", "message", "25")])
    );
}

#[tokio::test]
async fn a_reader_slower_than_retention_is_told_of_a_gap_and_goes_on() {
    // Memory has room for an event or two.
    let limits = Limits {
        event_data_bytes: 100,
        event_wire_bytes: 600,
        tail_bytes: 600,
        ..Limits::default()
    };
    let builder = Hub::builder()
        .keep(Keep::everything().events(3))
        .limits(limits);
    let hub = builder.open().unwrap();
    let id = hub.publish("a", Event::new("first")).await.unwrap();
    for number in 0..10 {
        hub.publish("a", Event::new(number.to_string()))
            .await
            .unwrap();
    }
    // What is beyond the bounds is dropped now and then.
    while hub
        .history(["a"], Since::Earliest, 100)
        .await
        .unwrap()
        .events
        .len()
        > 3
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut late = hub.subscribe(["a"], Since::Id(id)).await.unwrap();
    let gap = late.next().await.unwrap();
    assert!(matches!(gap, Received::Gap(GapReason::Expired)), "{gap:?}");
    let kept = ["7", "8", "9"].map(|data| ("a", "message", data));
    assert_eq!(events(&mut late, 3).await, expected(&kept));
}

/// What a body gives until `text` was in it.
async fn text_until(body: &mut tidings_server::Body, text: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(text) {
        let frame = body.frame().await.expect("more of the body").unwrap();
        let data = frame.into_data().expect("a stream has no trailers");
        seen.push_str(std::str::from_utf8(&data).unwrap());
    }
    seen
}

#[tokio::test]
async fn a_subscription_that_was_read_goes_on_as_a_body_without_loss() {
    let hub = memory();
    for data in ["one", "two", "three"] {
        hub.publish("a", Event::new(data).id(data)).await.unwrap();
    }
    let mut read = hub.subscribe(["a"], Since::Earliest).await.unwrap();
    assert_eq!(
        events(&mut read, 1).await,
        expected(&[("a", "message", "one")])
    );
    let mut body = read.into_body();
    hub.publish("a", Event::new("four").id("four"))
        .await
        .unwrap();
    let text = text_until(&mut body, "id: four\n\n").await;
    let block = |data: &str| format!("data: {data}\nid: {data}\n\n");
    assert_eq!(text, ["two", "three", "four"].map(block).concat());
}

#[tokio::test]
async fn a_hub_on_a_disk_has_what_it_had_when_it_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Hub::builder().disk(directory.path()).open();
    let hub = open().unwrap();
    let id = hub.publish("a", Event::new("kept")).await.unwrap();
    assert!(
        matches!(open(), Err(OpenError::Directory(_))),
        "two hubs have one directory"
    );
    hub.shutdown().await;
    assert_eq!(
        hub.publish("a", Event::new("late")).await,
        Err(PublishError::ShutDown)
    );
    drop(hub);
    let hub = open().unwrap();
    hub.publish("a", Event::new("new")).await.unwrap();
    let mut all = hub.subscribe(["a"], Since::Earliest).await.unwrap();
    let both = [("a", "message", "kept"), ("a", "message", "new")];
    assert_eq!(events(&mut all, 2).await, expected(&both));
    let mut resumed = hub.subscribe(["a"], Since::Id(id)).await.unwrap();
    assert_eq!(events(&mut resumed, 1).await, expected(&both[1..]));
}

/// The reconnection time that a stream of a hub is told, in milliseconds.
async fn told_retry(hub: &Hub) -> u64 {
    let stream = hub.subscribe(["a"], Since::Latest).await.unwrap();
    let text = text_until(&mut stream.into_body(), "retry: ").await;
    let (_, rest) = text.split_once("retry: ").unwrap();
    rest.lines().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn streams_are_told_the_reconnection_time_of_the_hub() {
    let millis = Duration::from_millis;
    let longest = millis(20 * 60_000);
    let open = |retry: Duration| Hub::builder().retry(retry).limits(Limits::default()).open();
    for (retry, whole) in [
        (millis(100), 100),
        (Duration::from_micros(100_999), 100),
        (millis(7_000), 7_000),
        (longest, 1_200_000),
        (longest + Duration::from_micros(999), 1_200_000),
    ] {
        let hub = open(retry).unwrap();
        let told = told_retry(&hub).await;
        assert!((whole..=3 * whole).contains(&told), "{told} for {retry:?}");
    }
    for retry in [
        Duration::ZERO,
        Duration::from_micros(99_999),
        longest + millis(1),
        Duration::MAX,
    ] {
        let refused = open(retry).map(drop);
        assert!(matches!(refused, Err(OpenError::Limits(_))), "{retry:?}");
        let reason = refused.unwrap_err().to_string();
        assert!(reason.contains(": retry "), "{reason}");
    }
}

#[tokio::test]
async fn what_rights_take_is_among_what_streams_take() {
    let worst = |standing_bytes| {
        let limits = Limits {
            standing_bytes,
            memory_bytes: Some(1),
            ..Limits::default()
        };
        let refused = Hub::builder().limits(limits).open().map(drop);
        refused.unwrap_err().to_string()
    };
    for (given, counted) in [
        (0, 65536),
        (1, 4096),
        (4095, 4096),
        (4096, 4096),
        (5000, 5000),
    ] {
        let (worst, rights) = (worst(given), format!(" + {counted} of rights)"));
        assert!(worst.contains(&rights), "{rights} in: {worst}");
    }
}

#[tokio::test]
async fn every_stream_ends_with_the_hub() {
    let hub = Hub::builder().memory();
    let hub = hub.drain_window(Duration::from_millis(150)).open().unwrap();
    let mut idle = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let stream = hub.subscribe(["a"], Since::Latest).await.unwrap();
        idle.spawn(stream.into_body().collect());
    }
    hub.shutdown().await;
    let ended = tokio::time::timeout(Duration::from_secs(60), idle.join_all());
    assert_eq!(ended.await.expect("all of them").len(), 50);
}

#[tokio::test]
async fn several_hubs_in_one_process_know_nothing_of_each_other() {
    let (one, other) = (memory(), memory());
    let id = one.publish("a", Event::new("of one")).await.unwrap();
    other
        .publish("a", Event::new("of the other"))
        .await
        .unwrap();
    let mut of_one = one.subscribe(["a"], Since::Earliest).await.unwrap();
    assert_eq!(
        events(&mut of_one, 1).await,
        expected(&[("a", "message", "of one")])
    );
    // An id of another log is known to be one.
    let mut foreign = other.subscribe(["a"], Since::Id(id)).await.unwrap();
    let gap = foreign.next().await.unwrap();
    assert!(matches!(gap, Received::Gap(GapReason::Foreign)), "{gap:?}");
    drop(one);
    other.publish("a", Event::new("still there")).await.unwrap();
}

#[tokio::test]
async fn streams_end_with_the_hub() {
    let hub = Hub::builder().drain_window(Duration::ZERO).open().unwrap();
    let mut stream = hub.subscribe(["a"], Since::Latest).await.unwrap();
    let mut body = hub
        .subscribe(["a"], Since::Latest)
        .await
        .unwrap()
        .into_body();
    text_until(&mut body, "id: ").await;
    hub.publish("a", Event::new("last")).await.unwrap();
    assert_eq!(
        events(&mut stream, 1).await,
        expected(&[("a", "message", "last")])
    );
    drop(hub);
    assert!(stream.next().await.is_none());
    let rest = text_until(&mut body, "retry: ").await;
    assert!(body.frame().await.is_none(), "more behind {rest:?}");
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let opened = Hub::builder().open();
    assert!(matches!(opened, Err(OpenError::NoRuntime)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let opened = Hub::builder().open();
    assert!(matches!(opened, Err(OpenError::NoTimers)));
}
