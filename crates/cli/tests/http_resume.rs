//! Where a stream starts and goes on: `since=`, `Last-Event-ID`, heartbeats,
//! gaps, readers that are slow.

use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use tidings_testkit::{
    CANARY, HubProcess, Launch, Received, Watch, check_refused, launch, wait_until,
};

const STREAM: (&str, &str) = ("Accept", "text/event-stream");

fn publish(hub: &HubProcess, path: &str, data: &str) -> String {
    let answer = hub.post(&format!("/t/{path}"), data);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// `count` events with their numbers as data; answers their ids.
fn publish_numbers(hub: &HubProcess, topic: &str, count: usize) -> Vec<String> {
    let seen = hub.publish_numbers(0..count, |_| topic);
    seen.into_iter().map(|event| event.id).collect()
}

fn data(events: &[Received]) -> Vec<&str> {
    events.iter().map(|e| &*e.data).collect()
}

/// What a stream gives up to and including the event `end`.
#[track_caller]
fn until_end(mut watch: Watch) -> Vec<String> {
    assert_eq!(watch.head().status, 200, "{:?}", watch.head());
    let mut all = Vec::new();
    loop {
        let event = watch.next().expect("an event");
        if event.data == "end" {
            return all;
        }
        all.push(match &*event.event {
            "tidings:gap" => gap_reason(&event),
            _ => event.data,
        });
    }
}

/// The reason of a gap, which must have its form.
#[track_caller]
fn gap_reason(event: &Received) -> String {
    assert_eq!(event.event, "tidings:gap", "{event:?}");
    let body: Value = serde_json::from_str(&event.data).expect("JSON");
    let reason = body["reason"].as_str().expect("a reason");
    assert_eq!(body, json!({"reason": reason, "since": event.id}));
    format!("gap:{reason}")
}

#[track_caller]
fn check_start(hub: &HubProcess, path: &str, last_event_id: Option<&str>, expected: &[&str]) {
    let watch = Watch::open(hub.address(), path, last_event_id);
    assert_eq!(until_end(watch), expected, "{path} {last_event_id:?}");
}

#[test]
fn since_in_all_its_forms() {
    let hub = launch!().start();
    let first = publish(&hub, "a?id=own-1", "1");
    let second = publish(&hub, "b", "2");
    let third = publish(&hub, "a?id=a%20%E2%80%A8b", "3");
    publish(&hub, "c", "4");
    publish(&hub, "a", "5");
    publish(&hub, "b", "end");
    let hub = &hub;
    let all = ["1", "2", "3", "5"];
    for (since, expected) in [
        ("earliest", &all[..]),
        ("1h", &all),
        ("3600000ms", &all),
        ("2w", &all),
        ("last:1", &[]),
        ("last:2", &["5"]),
        // Over the whole selection, not for each topic.
        ("last:4", &["2", "3", "5"]),
        ("last:5", &all),
        ("last:10000", &all),
        (&first, &["2", "3", "5"]),
        (&second, &["3", "5"]),
        ("a%20%E2%80%A8b", &["5"]),
        ("a+%E2%80%A8b", &["5"]),
    ] {
        check_start(
            hub,
            &format!("/events?topic=a&topic=b&since={since}"),
            None,
            expected,
        );
        check_start(
            hub,
            &format!("/events?since={since}&topic=b&topic=a&topic=a"),
            None,
            expected,
        );
    }
    for (last_event_id, expected) in [
        (&first, &["2", "3", "5"][..]),
        (&second, &["3", "5"]),
        (&third, &["5"]),
    ] {
        for since in [
            "",
            "&since=earliest",
            "&since=last:1",
            "&since=latest",
            "&since=1h",
            "&since=nobody-s",
        ] {
            // An EventSource repeats its URL, so the header must win.
            let path = format!("/events?topic=a&topic=b{since}");
            check_start(hub, &path, Some(last_event_id), expected);
        }
    }
    // Without anything, or with an empty id as reset by an event, it is from now on.
    for (path, id) in [
        ("/t/a", None),
        ("/t/a?since=latest", None),
        ("/t/a", Some("")),
        ("/t/a?since=latest", Some("")),
    ] {
        let watch = Watch::open(hub.address(), path, id).opened();
        publish(hub, "a", "end");
        assert!(until_end(watch).is_empty(), "{path} {id:?}");
    }
    check_start(hub, "/t/b?since=last:1", Some(""), &[]);
}

#[test]
fn a_duration_gives_what_came_within_it() {
    let hub = launch!().start();
    let now = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.expect("after 1970").as_millis() as u64
    };
    let begin = now();
    let mut count = 0;
    while now() < begin + 2_500 {
        publish(&hub, "a", &now().to_string());
        count += 1;
        std::thread::park_timeout(Duration::from_millis(50));
    }
    publish(&hub, "a", "end");
    let asked = now();
    let given = until_end(hub.watch("/t/a?since=1500ms"));
    let answered = now();
    let all = until_end(hub.watch("/t/a?since=earliest"));
    assert_eq!(all.len(), count);
    assert!(all.ends_with(&given));
    // The data is a moment before the hub's own time for the event.
    let times: Vec<u64> = all.iter().map(|t| t.parse().expect("a number")).collect();
    let left_out = all.len() - given.len();
    assert!(left_out > 0, "older ones are left out");
    assert!(times[left_out - 1] < answered - 1_500);
    if let Some(next) = times.get(left_out + 1) {
        assert!(*next >= asked - 1_500, "{next} {asked}");
    }
}

#[test]
fn a8_starts_that_are_none() {
    let hub = launch!().start();
    let long = "x".repeat(257);
    for since in [
        "",
        "now",
        "last:",
        "last:0",
        "last:10001",
        "last:-1",
        "last:%2B1",
        "1h30m",
        &long,
        "a%0Ab",
        "a%00",
        "a%C2%85",
        "99999999999999999999h",
    ] {
        let path = format!("/t/a?since={since}");
        check_refused(&hub, ("GET", &path, &[STREAM], b""), 400, "invalid-cursor");
        check_refused(
            &hub,
            ("GET", &path, &[("Accept", "application/json")], b""),
            400,
            "invalid-cursor",
        );
    }
    check_refused(
        &hub,
        ("GET", "/t/a?since=%FF", &[STREAM], b""),
        400,
        "bad-request",
    );
    check_refused(
        &hub,
        ("GET", "/t/a?since=1h&since=2h", &[STREAM], b""),
        400,
        "bad-request",
    );
}

#[test]
fn a8_last_event_ids_that_are_none() {
    let hub = launch!().start();
    let long = "x".repeat(257);
    let header = |value: &'static str| ("Last-Event-ID", value);
    let refused = |headers: &[(&str, &str)]| {
        check_refused(
            &hub,
            ("GET", "/t/a?since=earliest", headers, b""),
            400,
            "invalid-cursor",
        );
    };
    refused(&[STREAM, ("Last-Event-ID", &long)]);
    refused(&[STREAM, header(CANARY), header("b")]);
    refused(&[STREAM, header("a"), header("a")]);
    refused(&[STREAM, header("a"), header("")]);
    // Bytes that no str holds.
    for value in [&b"\xff"[..], b"a\xc0\xaf", b"\xed\xa0\x80"] {
        let mut http = hub.http();
        let head = format!(
            "GET /t/a HTTP/1.1\r\nHost: {}\r\nLast-Event-ID: ",
            hub.address()
        );
        http.send(&[head.as_bytes(), value, b"\r\n\r\n"].concat())
            .expect("sent");
        let mut answer = http.answer_head().expect("an answer");
        assert_eq!(answer.status, 400, "{value:?}");
        http.read_body(&mut answer).expect("a body");
        tidings_testkit::check_problem(&answer, 400, "invalid-cursor");
    }
    for value in ["a\rb", "a\0b", "a\r\n b", "\u{7f}"] {
        let mut http = hub.http();
        let _ = http.send_request("GET", "/t/a", &[("Last-Event-ID", value)], b"");
        assert_eq!(
            http.answer_head().expect("an answer").status,
            400,
            "{value:?}"
        );
    }
}

#[test]
fn a8_what_an_id_of_another_hub_may_be_is_only_unknown() {
    let hub = launch!().start();
    for id in [
        "é".repeat(128).as_str(),
        "a\tb",
        "a\u{85}b",
        "earliest",
        "10m",
    ] {
        let gap = hub.resume("/t/a", id).next().expect("an event");
        assert_eq!(gap_reason(&gap), "gap:unknown");
    }
}

/// An id of another log with the same position.
fn foreign(id: &str) -> String {
    let last_of_log = "td-0123456789abc".len() - 1;
    let other = if &id[last_of_log..=last_of_log] == "0" {
        "1"
    } else {
        "0"
    };
    format!("{}{other}{}", &id[..last_of_log], &id[last_of_log + 1..])
}

/// An id of the same log that was not given yet.
fn future(id: &str) -> String {
    format!("{}000", id)
}

#[test]
fn a7_an_id_that_says_nothing_is_a_gap_and_what_is_kept_follows() {
    let hub = launch!().start();
    let ids = publish_numbers(&hub, "a", 3);
    publish(&hub, "other?id=in-other", "x");
    publish(&hub, "a", "end");
    for (id, reason) in [
        ("nobody-s".to_owned(), "unknown"),
        ("in-other".to_owned(), "unknown"),
        ("td-".to_owned(), "unknown"),
        (future(&ids[2]), "unknown"),
        (foreign(&ids[1]), "foreign"),
    ] {
        let reason = format!("gap:{reason}");
        let gap = &*reason;
        check_start(&hub, "/t/a", Some(&id), &[gap, "0", "1", "2"]);
        check_start(
            &hub,
            "/t/a?since=earliest",
            Some(&id),
            &[gap, "0", "1", "2"],
        );
        check_start(&hub, "/t/a?since=last:2", Some(&id), &[gap, "2"]);
        check_start(
            &hub,
            &format!("/t/a?since={}", ids[1]),
            Some(&id),
            &[gap, "2"],
        );
        check_start(
            &hub,
            &format!("/t/a?since={id}"),
            None,
            &[gap, "0", "1", "2"],
        );
        check_start(
            &hub,
            "/t/a?since=nobody-s-either",
            Some(&id),
            &[gap, "0", "1", "2"],
        );
        // Who resumes from the gap's id hears of it once, and nothing twice.
        let gap = hub.resume("/t/a?since=last:2", &id).next().expect("a gap");
        check_start(&hub, "/t/a?since=last:2", Some(&gap.id), &["2"]);
        // `latest` goes on from now.
        let mut watch = hub.resume("/t/b?since=latest", &id);
        let gap = watch.next().expect("a gap");
        publish(&hub, "b", "end");
        assert!(until_end(watch).is_empty());
        check_start(&hub, "/t/b?since=latest", Some(&gap.id), &[]);
    }
}

#[test]
fn a7_an_expired_id_is_a_gap_that_is_told_once() {
    let hub = launch!("TIDINGS_RETENTION_EVENTS" = "5").start();
    let ids = publish_numbers(&hub, "a", 20);
    publish(&hub, "a?id=late", "late");
    publish(&hub, "a", "end");
    // Three of the numbers are kept, and the two behind them.
    wait_until("the oldest have expired", || {
        until_end(hub.watch("/t/a?since=earliest")).len() == 4
    });
    let kept = ["17", "18", "19", "late"];
    check_start(&hub, "/t/a?since=earliest", None, &kept);
    check_start(&hub, "/t/a?since=1h", None, &kept);
    check_start(&hub, "/t/a?since=last:100", None, &kept);
    check_start(&hub, "/t/a", Some(&ids[16]), &kept);
    check_start(&hub, "/t/a", Some("late"), &[]);
    let told = [&["gap:expired"][..], &kept].concat();
    check_start(&hub, "/t/a", Some(&ids[15]), &told);
    check_start(&hub, "/t/a", Some(&ids[0]), &told);
    check_start(&hub, &format!("/t/a?since={}", ids[0]), None, &told);
    check_start(
        &hub,
        "/t/a?since=last:2",
        Some(&ids[0]),
        &["gap:expired", "late"],
    );
    let gap = hub.resume("/t/a", &ids[3]).next().expect("a gap");
    check_start(&hub, "/t/a", Some(&gap.id), &kept);
    // It is the same after a restart.
    let hub = hub.kill().start();
    check_start(&hub, "/t/a", Some(&ids[0]), &told);
    check_start(&hub, "/t/a", Some(&gap.id), &kept);
    assert_eq!(hub.metric("tidings_gaps_total{reason=\"expired\"}"), 1);
}

#[test]
fn a7_another_hub_or_a_wiped_one_is_foreign() {
    let hub = launch!("TIDINGS_STORE" = "memory").start();
    let id = publish(&hub, "a", "1");
    let hub = hub.kill().start();
    publish(&hub, "a", "2");
    publish(&hub, "a", "end");
    check_start(&hub, "/t/a", Some(&id), &["gap:foreign", "2"]);
}

#[test]
fn heartbeats_state_how_far_a_quiet_topic_has_come() {
    let hub = launch!("TIDINGS_STREAM_HEARTBEAT" = "1s").start();
    let mut watch = hub.watch("/t/quiet").opened();
    let opening = watch.last_event_id().to_owned();
    let busy = publish_numbers(&hub, "busy", 500);
    let stated = watch.moved_from(&opening);
    assert_eq!(&stated, busy.last().expect("an id"));
    // A heartbeat is a comment, and without news nothing but that.
    let beats = String::from_utf8(watch.raw().to_vec()).expect("UTF-8");
    assert!(
        beats
            .split("\n\n")
            .skip(1)
            .all(|b| b.is_empty() || b.starts_with(':')),
        "{beats}"
    );
    drop(watch);
    publish_numbers(&hub, "busy", 500);
    publish(&hub, "quiet", "missed");
    publish(&hub, "quiet", "end");
    let hub = hub.kill().start();
    check_start(&hub, "/t/quiet", Some(&stated), &["missed"]);
    check_start(&hub, "/t/quiet", Some(&opening), &["missed"]);
    // Exactly there: no busy event before it comes again.
    let next = hub.resume("/t/busy", &stated).events(500);
    assert_eq!((&*next[0].data, &*next[499].data), ("0", "499"));
}

#[test]
fn a_connection_lost_before_its_first_event_resumes_exactly() {
    let hub = launch!().start();
    publish(&hub, "a", "before");
    let opening = hub.watch("/t/a").opened().last_event_id().to_owned();
    publish(&hub, "a", "missed");
    publish(&hub, "a", "end");
    check_start(&hub, "/t/a", Some(&opening), &["missed"]);
    let hub = hub.kill().start();
    check_start(&hub, "/t/a", Some(&opening), &["missed"]);
}

/// A watcher that loses its connection at random, and a hub that does its life:
/// together the pieces are everything, once and in order.
#[test]
fn a_chain_of_lost_connections_has_every_event_once_and_in_order() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = seed;
    let mut below = move |limit: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    };
    let hub = launch!(
        "TIDINGS_LIMITS_TAIL_BYTES" = "16KiB",
        "TIDINGS_LIMITS_EVENT_WIRE_BYTES" = "4KiB",
        "TIDINGS_LIMITS_EVENT_DATA_BYTES" = "1KiB",
        "TIDINGS_DRAIN_WINDOW" = "0s"
    )
    .start();
    let address = hub.address();
    let total = 600;
    let publisher = std::thread::spawn(move || {
        let mut hub: HubProcess = hub;
        for n in 0..total {
            if n % 200 == 100 {
                let launch: Launch = if n == 100 {
                    hub.kill()
                } else {
                    hub.terminate();
                    hub.wait(tidings_testkit::PATIENCE);
                    hub.kill()
                };
                hub = launch.start();
            }
            let noise = "x".repeat(200);
            publish(&hub, "noise", &noise);
            publish(&hub, "chain", &n.to_string());
        }
        hub
    });
    let (mut got, mut last): (Vec<String>, Option<String>) = (Vec::new(), None);
    while got.len() < total {
        let Ok(mut watch) = Watch::try_open(address, "/t/chain?since=earliest", last.as_deref())
        else {
            // The hub is being restarted.
            std::thread::park_timeout(Duration::from_millis(5));
            continue;
        };
        for _ in 0..=below(40) {
            if got.len() == total {
                break;
            }
            let Some(event) = watch.next() else { break };
            assert_eq!(event.event, "message", "{event:?}");
            got.push(event.data);
        }
        if !watch.last_event_id().is_empty() {
            last = Some(watch.last_event_id().to_owned());
        }
    }
    let expected: Vec<String> = (0..total).map(|n| n.to_string()).collect();
    assert_eq!(got, expected, "seed {seed}");
    drop(publisher.join().expect("a publisher"));
}

/// Publishes `count` events of 50 KiB as one stream, numbered.
fn publish_large(hub: &HubProcess, topic: &str, count: usize) {
    let filler = "x".repeat(50 * 1024);
    let body: String = (0..count)
        .map(|n| format!("data: {n} {filler}\n\n"))
        .collect();
    let headers = [("Content-Type", "text/event-stream")];
    let path = format!("/t/{topic}");
    let answer = hub.http().request("POST", &path, &headers, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn number(event: &Received) -> usize {
    let text = event.data.split(' ').next().expect("a number");
    text.parse().expect("a number")
}

/// A watcher whose socket takes little.
fn slow_watcher(hub: &HubProcess, path: &str) -> Watch {
    let mut watch = hub.watch(path).opened();
    // Less, and the kernel's probes of a closed window set the pace.
    watch
        .http()
        .receive_buffer(64 * 1024)
        .expect("a socket option");
    watch
}

/// More than the sockets between hold, by far.
const LARGE: usize = 300;

#[test]
fn a22_a_watcher_that_reads_slowly_gets_everything_in_order() {
    let hub = launch!(
        "TIDINGS_LIMITS_TAIL_BYTES" = "64KiB",
        "TIDINGS_LIMITS_EVENT_WIRE_BYTES" = "64KiB",
        "TIDINGS_LIMITS_EVENT_DATA_BYTES" = "60KiB",
        "TIDINGS_LIMITS_LAG" = "1GiB",
        "TIDINGS_STREAM_HEARTBEAT" = "1s"
    )
    .start();
    let mut slow = slow_watcher(&hub, "/t/large");
    let mut other = hub.watch("/t/small").opened();
    publish_large(&hub, "large", LARGE);
    // It costs only itself.
    publish(&hub, "small", "x");
    assert_eq!(data(&other.events(1)), ["x"]);
    let numbers: Vec<usize> = slow.events(LARGE).iter().map(number).collect();
    assert!(numbers.into_iter().eq(0..LARGE), "all of them, in order");
    publish(&hub, "large", "end");
    assert!(until_end(slow).is_empty());
}

#[test]
fn a22_a_watcher_that_retention_overtakes_is_told() {
    let hub = launch!(
        "TIDINGS_LIMITS_TAIL_BYTES" = "64KiB",
        "TIDINGS_LIMITS_EVENT_WIRE_BYTES" = "64KiB",
        "TIDINGS_LIMITS_EVENT_DATA_BYTES" = "60KiB",
        "TIDINGS_LIMITS_LAG" = "1GiB",
        "TIDINGS_RETENTION_EVENTS" = "10"
    )
    .start();
    let mut slow = slow_watcher(&hub, "/t/large");
    publish_large(&hub, "large", LARGE);
    wait_until("the oldest have expired", || {
        let page = hub.http().request(
            "GET",
            "/t/large?limit=1",
            &[("Accept", "application/json")],
            b"",
        );
        page.json()["events"][0]["data"]
            .as_str()
            .is_some_and(|data| data.starts_with("290 "))
    });
    let (mut next, mut gaps) = (0, 0);
    while next < LARGE {
        let event = slow.next().expect("an event");
        if event.event == "tidings:gap" {
            assert_eq!(gap_reason(&event), "gap:expired");
            gaps += 1;
            // Who resumes from here gets what follows here.
            let follows = hub.resume("/t/large", &event.id).next().expect("an event");
            assert!(number(&follows) > next, "the gap stands for something");
            next = number(&follows);
            continue;
        }
        assert_eq!(
            number(&event),
            next,
            "nothing is missing unsaid, nothing doubled"
        );
        next += 1;
    }
    assert_eq!(gaps, 1);
}
