//! What the hub tells of itself: `$sys` topics, which are live and never stored, and
//! the admin API; on a hub that is open.

use serde_json::{Value, json};
use tidings_testkit::{Answer, HubProcess, Received, Watch, check_refused, launch, wait_until};

const PAGE: (&str, &str) = ("Accept", "application/json");

/// Watches over HTTP/1.1, which a lane carries, and over HTTP/1.0, where the stream is
/// pulled.
fn watches(hub: &HubProcess, path: &str) -> [Watch; 2] {
    let mut http = hub.http();
    let host = hub.address();
    http.send(format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes())
        .expect("sent");
    let pulled = Watch::answered(http).expect("an answer");
    [hub.watch(path).opened(), pulled.opened()]
}

fn document(event: &Received) -> Value {
    serde_json::from_str(&event.data).expect("JSON")
}

/// The next document of a kind.
fn next(watch: &mut Watch, kind: &str) -> Value {
    let event = watch.find(|event| event.event == kind);
    document(&event.expect("the stream goes on"))
}

fn get(hub: &HubProcess, path: &str) -> Answer {
    hub.http().request("GET", path, &[PAGE], b"")
}

/// The names of an object's members.
fn members(value: &Value) -> Vec<&str> {
    let members = value.as_object().expect("an object").keys();
    let mut names: Vec<_> = members.map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[track_caller]
fn check_members(value: &Value, expect: &str) {
    let mut expect: Vec<_> = expect.split(' ').collect();
    expect.sort_unstable();
    assert_eq!(members(value), expect, "{value}");
}

#[test]
fn the_hub_tells_its_numbers() {
    let hub = launch!().start();
    for mut watch in watches(&hub, "/t/$sys/stats") {
        let known = watch.last_event_id().to_owned();
        let first = next(&mut watch, "stats");
        check_members(
            &first,
            "time uptime version subscribers connections published deliveries delivered_bytes \
             lag_bytes lagging slow gaps rss_bytes cpu_seconds tail_bytes store_bytes store_events \
             own_bytes",
        );
        let published = first["published"].as_u64().expect("a number");
        for n in 0..3 {
            assert_eq!(hub.post("/t/news", n.to_string()).status, 200);
        }
        let later = watch
            .by_ref()
            .map(|event| document(&event))
            .find(|stats| stats["published"] == published + 3)
            .expect("the stream goes on");
        assert_eq!(later["store_events"], later["published"]);
        assert!(later["subscribers"].as_u64() >= Some(1), "{later}");
        assert!(later["connections"].as_u64() >= Some(1), "{later}");
        assert!(later["rss_bytes"].as_u64() > Some(1 << 20), "{later}");
        assert!(later["cpu_seconds"].is_number(), "{later}");
        assert_eq!(later["version"], env!("CARGO_PKG_VERSION"));
        assert!(later["time"].as_u64() > first["time"].as_u64());
        // None of it has an id: where the stream resumes in the log stays as it was.
        let raw = String::from_utf8(watch.raw().to_vec()).expect("UTF-8");
        let ids = raw.lines().filter(|line| line.starts_with("id:")).count();
        assert_eq!((ids, watch.last_event_id()), (1, &*known), "{raw}");
    }
}

#[test]
fn the_hub_tells_where_something_is_published() {
    let hub = launch!().start();
    let [mut lane, mut pulled] = watches(&hub, "/events?topic=$sys/topics&topic=$sys/stats");
    for watch in [&mut lane, &mut pulled] {
        check_members(&next(watch, "topics"), "time count topics more approximate");
    }
    for topic in ["news", "news", "a/b", "news"] {
        assert_eq!(hub.post(&format!("/t/{topic}"), "x").status, 200);
    }
    for watch in [&mut lane, &mut pulled] {
        let told = loop {
            let told = next(watch, "topics");
            if told["count"] == 2 {
                break told;
            }
        };
        let topics = told["topics"].as_array().expect("a list");
        let of = |topic: &str| topics.iter().find(|own| own["topic"] == topic).expect("it");
        check_members(of("news"), "topic events rate bytes_rate last");
        assert_eq!(of("news")["events"], 3);
        assert_eq!(of("a/b")["events"], 1);
        assert_eq!(told["more"], false);
    }
}

#[test]
fn the_hub_tells_of_its_streams() {
    let hub = launch!().start();
    let [mut lane, mut pulled] = watches(
        &hub,
        "/events?topic=a&topic=b&topic=c&topic=$sys/connections",
    );
    let news = hub.watch("/t/news?since=earliest").opened();
    for _ in 0..4 {
        assert_eq!(hub.post("/t/news", "x").status, 200);
    }
    for watch in [&mut lane, &mut pulled] {
        let told = loop {
            let told = next(watch, "connections");
            check_members(&told, "time count connections more");
            let given = |own: &Value| own["topics"][0] == "news" && own["given"] == 4;
            let all = told["connections"].as_array().expect("a list");
            if all.iter().any(given) {
                break told;
            }
        };
        assert_eq!(told["count"], 3, "{told}");
        check_streams(&told);
    }
    let page = get(&hub, "/admin/connections");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    check_members(&page.json(), "time count connections more");
    check_streams(&page.json());
    drop(news);
    wait_until("who is gone is told no more", || {
        get(&hub, "/admin/connections").json()["count"] == 2
    });
}

/// Two that watch four topics, and one that watches the news.
fn check_streams(told: &Value) {
    let all = told["connections"].as_array().expect("a list");
    let mut transports = Vec::new();
    for own in all {
        check_members(
            own,
            "id peer transport secure since topics more_topics lag_bytes given",
        );
        assert_eq!(
            (&own["peer"], &own["secure"]),
            (&json!("127.0.0.1"), &json!(false))
        );
        assert!(own["since"].as_u64() <= told["time"].as_u64(), "{told}");
        let transport = own["transport"].as_str().expect("text");
        if own["topics"] == json!(["news"]) {
            assert_eq!((transport, &own["more_topics"]), ("http/1.1", &json!(0)));
        } else {
            assert_eq!(own["topics"], json!(["a", "b", "c"]), "{told}");
            assert_eq!(own["more_topics"], 1, "{told}");
            transports.push(transport);
        }
    }
    transports.sort_unstable();
    assert_eq!(transports, ["http/1.0", "http/1.1"], "{told}");
    let ids: std::collections::HashSet<_> = all.iter().map(|own| own["id"].as_str()).collect();
    assert_eq!(ids.len(), all.len(), "{told}");
}

#[test]
fn envelopes_name_the_topic_and_have_no_id() {
    let hub = launch!().start();
    for mut watch in watches(&hub, "/events?topic=$sys/**&topic=news&envelope=json") {
        assert_eq!(hub.post("/t/news", "x").status, 200);
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < 4 {
            let event = watch.next().expect("an event");
            assert_eq!(event.event, "message");
            let envelope = document(&event);
            check_members(&envelope, "topic event id time data");
            let topic = envelope["topic"].as_str().expect("a topic").to_owned();
            match topic.strip_prefix("$sys/") {
                Some(name) => {
                    assert_eq!(
                        (&envelope["event"], &envelope["id"]),
                        (&json!(name), &Value::Null)
                    );
                    let data = envelope["data"].as_str().expect("text");
                    let data: Value = serde_json::from_str(data).expect("JSON");
                    assert!(data["time"].is_u64(), "{data}");
                }
                None => assert!(envelope["id"].is_string(), "{envelope}"),
            }
            seen.insert(topic);
        }
        let expect = ["$sys/connections", "$sys/stats", "$sys/topics", "news"];
        assert!(seen.iter().eq(expect), "{seen:?}");
    }
}

#[test]
fn patterns_that_dont_spell_it_never_match() {
    let hub = launch!("TIDINGS_PUBLIC_URL" = "https://hub.example").start();
    let base = "https%3A%2F%2Fhub.example";
    let paths = [
        "/t/*".to_owned(),
        "/t/**".to_owned(),
        "/events?topic=*/stats&topic=*/*&topic=**".to_owned(),
        "/.well-known/mercure?topic=*".to_owned(),
        "/.well-known/mercure?topic=%7B%2Bx%7D".to_owned(),
        format!("/.well-known/mercure?topic={base}%2Ft%2F%7B%2Bx%7D"),
        format!("/.well-known/mercure?topic={base}%2Ft%2F%24sys%2Fstats"),
        "/.well-known/mercure?topic=%24sys%2Fstats".to_owned(),
    ];
    let mut others: Vec<_> = paths.iter().map(|path| hub.watch(path)).collect();
    let [mut lane, mut pulled] = watches(&hub, "/t/$sys/**");
    for kind in ["stats", "topics", "connections", "stats"] {
        next(&mut lane, kind);
        next(&mut pulled, kind);
    }
    // Whatever they would have been given before this would come before it.
    assert_eq!(hub.post("/t/x/y", "end").status, 200);
    assert_eq!(hub.post("/t/z", "end").status, 200);
    for (watch, path) in others.iter_mut().zip(&paths) {
        assert_eq!(watch.head().status, 200, "{path}");
        let silent = path.ends_with("stats");
        if !silent {
            assert_eq!(watch.next().expect("an event").data, "end", "{path}");
        }
        let raw = String::from_utf8_lossy(watch.raw()).into_owned();
        assert!(
            !raw.contains("uptime") && !raw.contains("\"count\""),
            "{path}: {raw}"
        );
    }
}

#[test]
fn nothing_of_it_is_stored_or_resumed() {
    let hub = launch!().start();
    assert_eq!(hub.post("/t/news", "1").status, 200);
    let mut watch = hub.watch("/t/$sys/stats").opened();
    next(&mut watch, "stats");
    for path in [
        "/t/$sys/stats",
        "/t/$sys/**?since=earliest",
        "/t/$sys/stats?since=10m",
        "/events?topic=$sys/stats&topic=$sys/topics&since=last:5",
    ] {
        let page = get(&hub, path).json();
        assert_eq!(page["events"], json!([]), "{path}");
        assert_eq!(
            (&page["more"], &page["gap"]),
            (&json!(false), &Value::Null),
            "{path}"
        );
    }
    // Beside others, they are given what there is of those.
    let page = get(&hub, "/events?topic=$sys/stats&topic=news").json();
    assert_eq!(page["events"].as_array().map(Vec::len), Some(1), "{page}");
    // Whatever they resume from: an id of the log, of another, of nobody.
    let at = watch.last_event_id().to_owned();
    for id in [&*at, "td-0000000000000-7", "nobody's"] {
        let mut again = hub.resume("/t/$sys/stats", id);
        let first = again.next().expect("an event");
        assert_eq!(first.event, "stats", "{id}: no gap, and nothing of before");
    }
    // A stream of both resumes where it was in the log.
    let mut both = hub.resume("/events?topic=$sys/stats&topic=news", &at);
    assert_eq!(hub.post("/t/news", "2").status, 200);
    let news = both
        .find(|event| event.event == "message")
        .expect("an event");
    assert_eq!(news.data, "2");
    drop(hub);
}

#[test]
fn nobody_but_the_hub_says_it() {
    let hub = launch!().start();
    for topic in ["$sys/stats", "$sys", "$presence/news"] {
        let path = format!("/t/{topic}");
        for (method, kind) in [
            ("POST", "text/plain"),
            ("POST", "application/x-ndjson"),
            ("PUT", "application/x-ndjson"),
        ] {
            let headers = [("Content-Type", kind)];
            let request = (method, &*path, &headers[..], &b"{}"[..]);
            check_refused(&hub, request, 403, "reserved-topic");
        }
        let event = json!({ "topic": topic, "data": "x" }).to_string();
        let headers = [("Content-Type", "application/json")];
        let request = ("POST", "/events", &headers[..], event.as_bytes());
        check_refused(&hub, request, 403, "reserved-topic");
    }
    for path in ["/t/$presence/news", "/events?topic=news&topic=$presence/**"] {
        let request = ("GET", path, &[][..], &b""[..]);
        check_refused(&hub, request, 400, "invalid-topic");
    }
}

#[test]
fn the_log_s_topics_are_told_a_page_at_a_time() {
    let hub = launch!().start();
    let publish = |topic: &str, data: &str| {
        let answer = hub.post(&format!("/t/{topic}"), data);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["id"].as_str().expect("an id").to_owned()
    };
    for n in 0..25 {
        publish(&format!("orders/{n:02}"), "x");
    }
    publish("news", "1");
    let last = publish("news", "2");
    publish("done", "x");
    let closed = hub.http().request("DELETE", "/t/done", &[], b"");
    assert_eq!(closed.status, 200, "{}", closed.text());
    let end = closed.json()["id"].clone();
    let page = get(&hub, "/admin/topics?limit=2").json();
    let expect = json!({
        "topics": [
            { "topic": "done", "events": 2, "last": end, "closed": true },
            { "topic": "news", "events": 2, "last": last, "closed": false },
        ],
        "next": "news",
    });
    assert_eq!(page, expect);
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(
            &hub,
            &format!("/admin/topics?limit=10&prefix=orders/{after}"),
        )
        .json();
        let topics = page["topics"].as_array().expect("a list");
        found.extend(
            topics
                .iter()
                .map(|own| own["topic"].as_str().expect("text").to_owned()),
        );
        match page["next"].as_str() {
            None => break,
            Some(next) => after = format!("&after={next}"),
        }
    }
    let expect: Vec<_> = (0..25).map(|n| format!("orders/{n:02}")).collect();
    assert_eq!(found, expect);
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=1&limit=2",
        "prefix=%ff",
    ] {
        let path = format!("/admin/topics?{query}");
        check_refused(&hub, ("GET", &path, &[], b""), 400, "bad-request");
    }
    for path in ["/admin/topics", "/admin/connections"] {
        check_refused(&hub, ("POST", path, &[], b""), 405, "method-not-allowed");
        assert_eq!(hub.http().request("HEAD", path, &[], b"").status, 200);
    }
    check_refused(&hub, ("GET", "/admin/other", &[], b""), 404, "not-found");
}
