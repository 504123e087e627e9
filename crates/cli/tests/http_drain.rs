//! How a hub ends: SIGTERM, streams that end over a window, a second signal.

use rustix::process::Signal;
use std::time::{Duration, Instant};
use tidings_testkit::{Http, HubProcess, PATIENCE, Watch, launch};

const STREAM: (&str, &str) = ("Accept", "text/event-stream");

/// Sends a signal and waits until the hub has begun to end.
fn begin_drain(hub: &HubProcess, signal: Signal) {
    hub.signal(signal);
    hub.wait_for_log("draining");
}

/// The reconnection time at the end of a stream, which must end well.
#[track_caller]
fn farewell(watch: &mut Watch) -> u64 {
    assert_eq!(watch.try_next().expect("an end, not a cut"), None);
    let text = String::from_utf8_lossy(watch.raw()).into_owned();
    let last = text.trim_end().lines().last().expect("a line");
    let retry = last
        .strip_prefix("retry: ")
        .expect("a reconnection time at the end");
    let retry = retry.parse().expect("a number");
    assert!((2_000..=6_000).contains(&retry), "{retry} ms");
    retry
}

#[test]
fn streams_end_one_by_one_each_with_its_own_retry() {
    const WINDOW: Duration = Duration::from_secs(3);
    let mut hub = launch!("TIDINGS_DRAIN_WINDOW" = "3s").start();
    let watches: Vec<Watch> = (0..40)
        .map(|n| {
            hub.watch(["/t/a", "/events?topic=a", "/t/a?envelope=json"][n % 3])
                .opened()
        })
        .collect();
    let began = Instant::now();
    begin_drain(&hub, Signal::TERM);
    let readers: Vec<_> = watches
        .into_iter()
        .map(|mut watch| std::thread::spawn(move || (farewell(&mut watch), began.elapsed())))
        .collect();
    let ends: Vec<(u64, Duration)> = readers
        .into_iter()
        .map(|r| r.join().expect("a reader"))
        .collect();
    assert_eq!(hub.wait(PATIENCE).code(), Some(0));
    let mut retries: Vec<u64> = ends.iter().map(|(retry, _)| *retry).collect();
    retries.sort_unstable();
    retries.dedup();
    assert!(retries.len() > 30, "each has its own: {retries:?}");
    // Not all at the beginning, so that they don't all come back at once.
    let late = ends.iter().filter(|(_, at)| *at > WINDOW / 10).count();
    assert!(late > 10, "{ends:?}");
}

#[test]
fn what_a_draining_hub_answers() {
    let mut hub = launch!("TIDINGS_DRAIN_WINDOW" = "5s").start();
    // Connections that were there before.
    let mut connections: Vec<_> = (0..6).map(|_| hub.http()).collect();
    let mut watch = hub.watch("/t/a").opened();
    let mut publisher = hub.http();
    let headers = [("Content-Length", "10"), ("Idempotency-Key", "k")];
    publisher
        .send_request("POST", "/t/a", &headers, b"01234")
        .expect("sent");
    let mut stream = hub.http();
    let headers = [
        ("Content-Type", "text/event-stream"),
        ("Transfer-Encoding", "chunked"),
    ];
    stream
        .send_request("POST", "/t/a", &headers, b"")
        .expect("sent");
    stream.send_chunk(b"data: before\n\n").expect("sent");
    assert_eq!(watch.next().expect("an event").data, "before");
    begin_drain(&hub, Signal::TERM);

    for path in ["/readyz", "/healthz"] {
        let mut http = connections.pop().expect("a connection");
        let answer = http.request("GET", path, &[], b"");
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(answer.json()["draining"], true);
    }
    let mut http = connections.pop().expect("a connection");
    assert_eq!(http.request("GET", "/livez", &[], b"").status, 200);
    // A new stream: never a refusal that would end an EventSource for ever.
    for path in ["/t/a", "/events?topic=a&since=earliest"] {
        let mut http = connections.pop().expect("a connection");
        http.send_request("GET", path, &[STREAM], b"")
            .expect("sent");
        let mut watch = Watch::answered(http).expect("an answer");
        assert_eq!(watch.head().status, 200);
        assert_eq!(
            watch.head().header("content-type"),
            Some("text/event-stream")
        );
        farewell(&mut watch);
    }
    // Publishing goes on where it can, and who watches still gets it.
    publisher.send(b"56789").expect("sent");
    assert_eq!(publisher.answer(false).expect("an answer").status, 200);
    let late = connections
        .pop()
        .expect("a connection")
        .request("POST", "/t/a", &[], b"late");
    assert_eq!(late.status, 200, "{}", late.text());
    let mut seen: Vec<String> = std::iter::from_fn(|| watch.next())
        .map(|e| e.data)
        .collect();
    assert!(
        ["0123456789", "late"].starts_with(&seen.iter().map(String::as_str).collect::<Vec<_>>())
    );
    let _ = stream.send_chunk(b"data: after\n\n");
    assert_eq!(hub.wait(PATIENCE).code(), Some(0));
    // Nobody new was let in, and whoever comes back has lost nothing.
    let last = watch.last_event_id().to_owned();
    let hub = hub.kill().start();
    let mut watch = hub.resume("/t/a", &last);
    while seen.len() < 2 {
        seen.push(watch.next().expect("an event").data);
    }
    assert_eq!(seen, ["0123456789", "late"]);
}

#[test]
fn who_comes_while_the_hub_drains_is_told_to_come_later() {
    let mut hub = launch!("TIDINGS_DRAIN_WINDOW" = "5s").start();
    let watches: Vec<Watch> = (0..20).map(|_| hub.watch("/t/a").opened()).collect();
    begin_drain(&hub, Signal::INT);
    // A port that is closed would say the same, but a proxy answers it with 502.
    for _ in 0..3 {
        let mut http = hub.http();
        let answer = http.request("GET", "/readyz", &[], b"");
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(http.read_to_close().expect("a close").is_empty());
        let mut watch = hub.watch("/t/a");
        assert_eq!(watch.head().status, 200);
        farewell(&mut watch);
    }
    assert_eq!(hub.post("/t/a", "late").status, 200);
    drop(watches);
    assert_eq!(hub.wait(PATIENCE).code(), Some(0));
    assert!(Http::try_connect(hub.address()).is_err());
}

#[test]
fn a_second_signal_ends_at_once() {
    for (first, second) in [
        (Signal::TERM, Signal::TERM),
        (Signal::INT, Signal::INT),
        (Signal::TERM, Signal::INT),
    ] {
        let mut hub = launch!("TIDINGS_DRAIN_WINDOW" = "1h").start();
        let id = hub.post("/t/a", "kept").json()["id"].clone();
        let mut watch = hub.watch("/t/a").opened();
        begin_drain(&hub, first);
        hub.signal(second);
        assert_eq!(hub.wait(PATIENCE).code(), Some(0));
        assert_eq!(watch.next(), None);
        let hub = hub.kill().start();
        assert_eq!(hub.watch("/t/a?since=earliest").events(1)[0].id, id);
    }
}

#[test]
fn without_streams_or_without_a_window_it_ends_at_once() {
    for (window, watched) in [("1h", false), ("0s", true)] {
        let mut hub = launch!("TIDINGS_DRAIN_WINDOW" = window).start();
        let mut watch = watched.then(|| hub.watch("/t/a").opened());
        let mut kept = hub.http();
        assert_eq!(kept.request("GET", "/readyz", &[], b"").status, 200);
        hub.terminate();
        assert_eq!(hub.wait(PATIENCE).code(), Some(0), "{window}");
        if let Some(watch) = &mut watch {
            farewell(watch);
        }
    }
}

#[test]
fn watchers_that_do_not_read_keep_no_hub() {
    let mut hub = launch!("TIDINGS_DRAIN_WINDOW" = "1s").start();
    let _slow: Vec<Watch> = (0..3)
        .map(|_| {
            let mut watch = hub.watch("/t/a").opened();
            watch.http().receive_buffer(4096).expect("a socket option");
            watch
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(hub.post("/t/a", vec![b'x'; 1 << 20]).status, 200);
    }
    let silent = hub.http();
    hub.terminate();
    assert_eq!(hub.wait(PATIENCE).code(), Some(0));
    drop(silent);
}
