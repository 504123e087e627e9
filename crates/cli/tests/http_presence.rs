//! Who is connected to a topic: `GET /presence`, and `presence=1` in the stream.

mod auth;

use auth::{Headers, PROTOCOLS, Protocol, Watcher};
use rustix::process::Signal;
use serde_json::{Value, json};
use tidings_testkit::{Answer, CANARY, HubProcess, Launch, check_problem, launch, wait_until};

const HTTP1: Protocol = Protocol::Http1;

/// An open hub that forgets nobody while a test runs.
fn patient() -> Launch {
    launch!("TIDINGS_PRESENCE_GRACE" = "10m")
}

/// An open hub where whoever goes has left.
fn hasty() -> Launch {
    launch!("TIDINGS_PRESENCE_GRACE" = "0s")
}

fn watch(hub: &HubProcess, path: &str) -> Watcher {
    Watcher::open(hub, HTTP1, path, &[])
}

/// Who is at a topic, on an open hub.
#[track_caller]
fn page(hub: &HubProcess, topic: &str) -> Value {
    let answer = hub.get(&format!("/presence?topic={topic}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The next event, which has to be of presence.
#[track_caller]
fn account(watcher: &mut Watcher) -> Value {
    let (name, data) = watcher.next().expect("an event");
    assert_eq!(name, "tidings:presence", "{data}");
    serde_json::from_str(&data).expect("JSON")
}

/// What members of a list are called.
fn called(members: &Value) -> Vec<&str> {
    let members = members.as_array().expect("a list").iter();
    let mut called: Vec<_> = members.filter_map(|own| own["as"].as_str()).collect();
    called.sort_unstable();
    called
}

/// Checks that the next account is of these, and nothing else.
#[track_caller]
fn expect(watcher: &mut Watcher, joined: &[&str], left: &[&Value]) -> Value {
    let own = account(watcher);
    assert_eq!(called(&own["joined"]), joined, "{own}");
    let gone: Vec<_> = own["left"].as_array().expect("a list").iter().collect();
    assert_eq!(gone, left, "{own}");
    own
}

#[test]
fn a_page_shows_people_and_counts_streams() {
    let hub = patient().start();
    let nobody = json!({ "topic": "news", "seq": 0, "count": 0, "watchers": 0, "members": [] });
    assert_eq!(page(&hub, "news"), nobody);
    let streams = [
        Watcher::open(&hub, HTTP1, "/t/news?as=Ann", &[]),
        Watcher::open(
            &hub,
            Protocol::Http2,
            "/events?topic=news&topic=a/b&as=Ann",
            &[],
        ),
        Watcher::open(&hub, Protocol::Http2, "/t/news?as=B%C3%B6b", &[]),
        // Nobody knows who these are.
        watch(&hub, "/t/news"),
        watch(&hub, "/t/**"),
    ];
    let own = page(&hub, "news");
    assert_eq!((&own["count"], &own["watchers"]), (&json!(2), &json!(5)));
    assert_eq!(called(&own["members"]), ["Ann", "Böb"]);
    for member in own["members"].as_array().expect("a list") {
        let id = member["id"].as_str().expect("an id");
        assert_eq!(id.len(), 22, "{id}");
        let since = member["since"].as_str().expect("a time");
        assert!(since.len() == 24 && since.ends_with('Z'), "{since}");
        assert_eq!(member.as_object().map(|own| own.len()), Some(3), "{member}");
    }
    let both = page(&hub, "news&topic=a/b&topic=c&topic=news");
    let both = both["topics"].as_array().expect("topics");
    let numbers = |own: &Value| {
        (
            own["topic"].clone(),
            own["count"].clone(),
            own["watchers"].clone(),
        )
    };
    let found: Vec<_> = both.iter().map(numbers).collect();
    let expected = [("news", 2, 5), ("a/b", 1, 2), ("c", 0, 1)]
        .map(|(topic, count, watchers)| (json!(topic), json!(count), json!(watchers)));
    assert_eq!(found, expected);
    assert_eq!(hub.metric("tidings_presence_members"), 3);
    drop(streams);
    wait_until("no stream watches", || page(&hub, "news")["watchers"] == 0);
    // They may come back.
    assert_eq!(page(&hub, "news")["count"], 2);
}

#[test]
fn snapshots_of_many_topics_are_given_one_after_the_other_and_each_with_its_list() {
    const TOPICS: usize = 30;
    let hub = patient().start();
    let topics: String = (0..TOPICS).map(|n| format!("topic=t{n:02}&")).collect();
    let members: Vec<_> = (0..30)
        .map(|n| {
            let name = format!("{n:0>120}");
            watch(&hub, &format!("/events?{topics}as={name}"))
        })
        .collect();
    for protocol in PROTOCOLS {
        let path = format!("/events?{topics}presence=1");
        let mut told = Watcher::open(&hub, protocol, &path, &[]);
        let lists: Vec<Value> = (0..TOPICS).map(|_| account(&mut told)).collect();
        assert!(lists.iter().map(|own| own.to_string().len()).sum::<usize>() > 150_000);
        for (n, own) in lists.iter().enumerate() {
            assert_eq!(own["topic"], format!("t{n:02}"), "{protocol:?}");
            assert_eq!(called(&own["members"]).len(), members.len(), "{protocol:?}");
        }
    }
}

#[test]
fn presence_is_in_the_stream_a_snapshot_first() {
    for protocol in PROTOCOLS {
        let hub = hasty().start();
        let ann = watch(&hub, "/t/news?as=Ann");
        let path = "/t/news?presence=1&as=Eve&envelope=json";
        let mut eve = Watcher::open(&hub, protocol, path, &[]);
        let start = eve.last_event_id().to_owned();
        let snapshot = account(&mut eve);
        assert_eq!(called(&snapshot["members"]), ["Ann", "Eve"], "{protocol:?}");
        assert_eq!(
            (&snapshot["topic"], &snapshot["count"]),
            (&"news".into(), &2.into())
        );
        let bob = watch(&hub, "/t/news?as=Bob");
        let joined = expect(&mut eve, &["Bob"], &[]);
        assert_eq!(joined["count"], 3);
        assert!(
            joined["seq"].as_u64() > snapshot["seq"].as_u64(),
            "{joined}"
        );
        let of_ann = snapshot["members"].as_array().expect("a list").iter();
        let of_ann = of_ann.clone().find(|own| own["as"] == "Ann").expect("Ann");
        drop(ann);
        assert_eq!(expect(&mut eve, &[], &[&of_ann["id"]])["count"], 2);
        drop(bob);
        assert_eq!(
            expect(&mut eve, &[], &[&joined["joined"][0]["id"]])["count"],
            1
        );
        // Where the stream stands in the log has nothing to do with it.
        assert_eq!(eve.last_event_id(), start, "{protocol:?}");
        assert_eq!(hub.post("/t/news", "x").status, 200);
        let (name, data) = eve.next().expect("an event");
        assert!(
            name == "message" && data.contains("\"data\":\"x\""),
            "{name}: {data}"
        );
    }
}

#[test]
fn a_closed_tab_and_a_reload_are_no_change() {
    for protocol in PROTOCOLS {
        let hub = hasty().start();
        let mut eve = watch(&hub, "/t/news?presence=1");
        assert_eq!(account(&mut eve)["count"], 1);
        let tab = || Watcher::open(&hub, protocol, "/t/news?as=Ann", &[]);
        let (first, second) = (tab(), tab());
        expect(&mut eve, &["Ann"], &[]);
        drop(first);
        wait_until("the tab is gone", || page(&hub, "news")["watchers"] == 2);
        let bob = watch(&hub, "/t/news?as=Bob");
        expect(&mut eve, &["Bob"], &[]);
        drop((second, bob));

        let hub = patient().start();
        let mut eve = watch(&hub, "/t/news?presence=1");
        account(&mut eve);
        let tab = || Watcher::open(&hub, protocol, "/t/news?as=Ann", &[]);
        drop(tab());
        expect(&mut eve, &["Ann"], &[]);
        wait_until("the page is gone", || page(&hub, "news")["watchers"] == 1);
        let _again = tab();
        let _bob = watch(&hub, "/t/news?as=Bob");
        expect(&mut eve, &["Bob"], &[]);
    }
}

#[test]
fn who_is_cut_off_leaves_like_who_goes() {
    let hub = hasty().start();
    let mut eve = watch(&hub, "/t/news?presence=1");
    account(&mut eve);
    let mut http = hub.http();
    let path = "/t/news?as=Ann";
    http.send_request("GET", path, &[("Accept", "text/event-stream")], b"")
        .expect("sent");
    let joined = expect(&mut eve, &["Ann"], &[]);
    http.reset().expect("a reset");
    expect(&mut eve, &[], &[&joined["joined"][0]["id"]]);
}

#[test]
fn a_crowd_is_counted() {
    let hub = hasty().env("TIDINGS_PRESENCE_LIST", "2");
    let hub = hub.env("TIDINGS_PRESENCE_INTERVAL", "100ms").start();
    let mut eve = watch(&hub, "/t/news?presence=1");
    assert_eq!(
        account(&mut eve)["members"].as_array().map(Vec::len),
        Some(1)
    );
    let crowd: Vec<_> = (0..5)
        .map(|n| watch(&hub, &format!("/t/news?as={n}")))
        .collect();
    let mut last = account(&mut eve);
    while last["count"] != 6 {
        last = account(&mut eve);
    }
    assert!(last["joined"].is_u64() && last["left"].is_u64(), "{last}");
    let own = page(&hub, "news");
    assert_eq!((&own["count"], &own["members"]), (&json!(6), &Value::Null));
    let mut other = watch(&hub, "/t/news?presence=1");
    assert_eq!(account(&mut other)["members"], Value::Null);
    drop((crowd, other));
    // Few enough to be listed.
    while last["members"].is_null() || last["count"] != 1 {
        last = account(&mut eve);
    }
    assert_eq!(last["members"].as_array().map(Vec::len), Some(1), "{last}");
}

/// `presence` and `as` as they can't be, and topics that nobody can be at.
#[test]
fn what_can_not_be_asked_of_presence() {
    let hub = launch!("TIDINGS_PRESENCE_TOPICS" = "**,$mercure/**").start();
    let long = "x".repeat(129);
    for (query, code) in [
        ("presence=2", "bad-request"),
        ("presence=", "bad-request"),
        ("presence=1&presence=1", "bad-request"),
        ("as=", "bad-request"),
        (&*format!("as={long}"), "bad-request"),
        (&*format!("as={CANARY}%0Adata:"), "bad-request"),
        ("as=%00", "bad-request"),
        ("as=%C2%85", "bad-request"),
        ("as=%FF", "bad-request"),
        ("as=a&as=b", "bad-request"),
        ("topic=*&presence=1", "invalid-topic"),
        ("topic=a/**&as=Ann", "invalid-topic"),
        ("topic=$mercure/x&presence=1", "invalid-topic"),
        (
            &*format!("topic={}&presence=1", "x".repeat(4090)),
            "invalid-topic",
        ),
    ] {
        let headers = [("Accept", "text/event-stream")];
        let path = format!("/events?topic=news&{query}");
        let answer = hub.http().request("GET", &path, &headers, b"");
        check_problem(&answer, 400, code);
    }
    let many = "topic=a&".repeat(10) + &(0..101).map(|n| format!("topic={n}&")).collect::<String>();
    for query in [
        "",
        "topic=",
        "topic=a/*",
        "topic=$sys/stats",
        "topic=a//b",
        &*many,
    ] {
        let answer = hub.get(&format!("/presence?{query}"));
        check_problem(&answer, 400, "invalid-topic");
    }
    let longest = watch(&hub, &format!("/t/news?as={}", "x".repeat(128)));
    assert_eq!(page(&hub, "news")["count"], 1);
    drop(longest);
}

#[test]
fn presence_is_kept_of_configured_topics_alone() {
    let hub = launch!("TIDINGS_PRESENCE_TOPICS" = "rooms/*").start();
    let _ann = watch(&hub, "/t/rooms/1?as=Ann");
    assert_eq!(page(&hub, "rooms/1")["count"], 1);
    let headers = [("Accept", "text/event-stream")];
    for path in [
        "/t/news?as=Ann",
        "/t/news?presence=1",
        "/presence?topic=news",
    ] {
        let answer = hub.http().request("GET", path, &headers, b"");
        check_problem(&answer, 400, "invalid-topic");
    }
}

#[test]
fn the_resource_answers_as_others_do() {
    let hub = launch!("TIDINGS_CORS_ORIGINS" = "https://app.example").start();
    let ask = |method: &str, headers: Headers<'_>| -> Answer {
        let mut http = hub.http();
        http.send_request(method, "/presence?topic=news", headers, b"")
            .expect("sent");
        http.answer(method == "HEAD").expect("an answer")
    };
    let got = ask("GET", &[("Origin", "https://app.example")]);
    assert_eq!(got.header("cache-control"), Some("no-store"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    let allowed = got.header("access-control-allow-origin");
    assert_eq!(allowed, Some("https://app.example"));
    let head = ask("HEAD", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(ask("OPTIONS", &[]).status, 204);
    let refused = ask("DELETE", &[]);
    check_problem(&refused, 405, "method-not-allowed");
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
}

#[test]
fn a23_who_has_no_room_is_told_to_come_back_and_who_is_nobody_is_not() {
    let hub = patient()
        .env("TIDINGS_LIMITS_PRESENCE_BYTES", "64KiB")
        .start();
    let topics = |from: usize| -> String {
        let topics = (from..from + 25).map(|n| format!("topic=t{n}&"));
        topics.collect()
    };
    let watchers = [0, 25].map(|from| {
        let path = format!("/events?{}as={from}", topics(from));
        watch(&hub, &path)
    });
    let full = format!("/events?{}as=Eve", topics(50));
    let mut refused = Watcher::ask(&hub, HTTP1, &full, &[]);
    assert!(refused.status == 200 && refused.next().is_none());
    hub.wait_for_log("limits.presence_bytes");
    let reasons = "tidings_soft_refusals_total{reason=\"presence\"}";
    assert_eq!(hub.metric(reasons), 1);
    // Neither who is nobody, nor who is there already.
    watch(&hub, &format!("/events?{}", topics(50)));
    watch(&hub, &format!("/events?{}as=0", topics(0)));
    drop(watchers);
}

#[test]
fn a_draining_hub_keeps_those_whom_it_sends_away() {
    for protocol in PROTOCOLS {
        let hub = hasty().env("TIDINGS_DRAIN_WINDOW", "5s");
        let hub = hub.env("TIDINGS_STREAM_RETRY", "20m").start();
        let mut ann = Watcher::open(&hub, protocol, "/t/news?as=Ann", &[]);
        // Of these some stay longer, and the hub with them.
        let others = [(); 9].map(|()| watch(&hub, "/t/other"));
        hub.signal(Signal::TERM);
        assert_eq!(ann.next(), None, "{protocol:?}");
        drop(ann);
        wait_until("the stream is gone", || page(&hub, "news")["watchers"] == 0);
        assert_eq!(page(&hub, "news")["count"], 1, "{protocol:?}");
        drop(others);
    }
}

#[test]
fn a_hub_that_starts_again_knows_nobody_and_names_everybody_anew() {
    let hub = patient().start();
    let mut eve = watch(&hub, "/t/news?presence=1&as=Eve");
    let before = account(&mut eve);
    let resumes = eve.last_event_id().to_owned();
    let hub = hub.kill().start();
    assert_eq!(page(&hub, "news")["count"], 0);
    let headers = [("last-event-id", &*resumes)];
    let mut eve = Watcher::open(&hub, HTTP1, "/t/news?presence=1&as=Eve", &headers);
    let after = account(&mut eve);
    assert_eq!(called(&after["members"]), ["Eve"]);
    assert_ne!(before["members"][0]["id"], after["members"][0]["id"]);
}

#[test]
fn who_watches_a_closed_topic_is_told_to_stop_also_with_presence() {
    let hub = patient().start();
    let mut eve = watch(&hub, "/t/news?presence=1");
    account(&mut eve);
    let closed = hub.http().request("DELETE", "/t/news", &[], b"");
    assert_eq!(closed.status, 200, "{}", closed.text());
    let names: Vec<_> = std::iter::from_fn(|| eve.next())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["tidings:end"]);
    let again = Watcher::ask(&hub, HTTP1, "/t/news?presence=1", &[]);
    assert_eq!(again.status, 204);
}
