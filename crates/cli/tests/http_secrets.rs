//! What anybody sends stands in no log, at any level (promise P26).

use tidings_testkit::{CANARY, HubProcess, Launch, Watch, launch};

/// Targets with the canary wherever something can be said.
fn targets(c: &str) -> [String; 21] {
    [
        format!("/t/{c}"),
        format!("/t/{c}?event={c}&id={c}"),
        format!("/t/{c}?event=tidings:{c}"),
        format!("/t/{c}?id=td-{c}"),
        format!("/t/{c}?id=%0A{c}"),
        format!("/t/{c}?retry={c}"),
        format!("/t/{c}?since={c}"),
        format!("/t/{c}?since=last:{c}"),
        format!("/t/{c}?{c}=%zz"),
        format!("/t/{c}?envelope={c}&keep={c}&limit={c}"),
        format!("/t/{c}*"),
        format!("/t/${c}"),
        format!("/t/%FF{c}"),
        format!("/events?topic={c}"),
        format!("/events?topic={c}&topic=/{c}"),
        format!("/{c}?{c}"),
        format!("/?{c}"),
        format!("/readyz?{c}"),
        format!("/metrics?{c}"),
        format!("http://{c}.example/{c}"),
        format!("/t/{c}?{}", c.repeat(20_000)),
    ]
}

/// Requests with the canary wherever something can be said. Good ones, and bad
/// ones of each kind.
fn sing(hub: &HubProcess) {
    let c = CANARY;
    let list = format!("{c}, {c};q={c}");
    let long = c.repeat(30);
    let headers: Vec<Vec<(&str, &str)>> = vec![
        vec![],
        vec![("Idempotency-Key", c)],
        vec![("Idempotency-Key", &long)],
        vec![("Last-Event-ID", c)],
        vec![("Last-Event-ID", &long)],
        vec![("Accept", &list)],
        vec![("Accept", "application/json")],
        vec![("Host", c)],
        vec![("Host", "a b kanarienvogel")],
        vec![("Origin", c)],
        vec![("Cookie", c), ("Authorization", c), ("Origin", c)],
        vec![("Authorization", "Bearer kanarienvogel")],
        vec![("Content-Type", c)],
        vec![("Content-Type", "application/json")],
        vec![("Content-Type", "application/x-ndjson")],
        vec![("Content-Type", "text/event-stream")],
        vec![("Content-Encoding", c)],
        vec![("Expect", c)],
        vec![("X-Forwarded-For", c)],
        vec![(c, c)],
        vec![("kanarienvogel kanarienvogel", c)],
        vec![("Transfer-Encoding", c)],
        vec![("Content-Length", c)],
    ];
    let body = format!("{{\"{c}\":\"{c}\"}}\n\ndata: {c}\nid: {c}\n\n{c}");
    for path in &targets(c) {
        for headers in &headers {
            for method in ["GET", "POST", c] {
                let body = if method == "POST" {
                    body.as_bytes()
                } else {
                    b""
                };
                let mut http = hub.http();
                let _ = http.send_request(method, path, headers, body);
                // An answer, or a close; a stream has no end to wait for.
                if let Ok(mut answer) = http.answer_head()
                    && answer.header("content-type") != Some("text/event-stream")
                {
                    http.read_body(&mut answer).expect("a body");
                    let refused = answer.status >= 400;
                    assert!(
                        !refused || !answer.text().contains(c),
                        "{method} {path} {headers:?}: {}",
                        answer.text()
                    );
                }
            }
        }
    }
    sing_nonsense(hub);
}

/// With the canary in what is no request.
fn sing_nonsense(hub: &HubProcess) {
    let c = CANARY;
    for nonsense in [
        format!("{c}\r\n\r\n"),
        format!("GET {c} {c}\r\n\r\n"),
        format!("GET / HTTP/9.{c}\r\n\r\n"),
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{c}{c}{c}"),
        format!("\u{16}\u{3}\u{1}{c}"),
    ] {
        let mut http = hub.http();
        http.send(nonsense.as_bytes()).expect("sent");
        let _ = http.finish_sending();
        let answer = http.read_to_close().unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&answer).contains(c),
            "{nonsense:?}"
        );
    }
}

#[track_caller]
fn check_log_is_silent(launch: &Launch) {
    let hub = launch.start();
    let mut watch = hub
        .watch(&format!("/t/{CANARY}?since=earliest&envelope=json"))
        .opened();
    sing(&hub);
    assert!(
        watch.next().expect("an event").data.contains(CANARY),
        "it did get there"
    );
    // What is resumed, what is cut, what is ended.
    let _ = hub.resume(&format!("/t/{CANARY}"), CANARY).next();
    Watch::open(hub.address(), &format!("/t/{CANARY}"), Some(CANARY))
        .into_http()
        .reset()
        .expect("reset");
    let (status, log) = hub.finish();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("draining"), "the log was read: {log}");
    let telling = log.lines().find(|line| line.contains(CANARY));
    assert_eq!(telling, None);
    assert!(log.lines().count() < 200, "nobody can fill a log: {log}");
}

#[test]
fn p26_logs_at_info_hold_nothing_that_was_sent() {
    check_log_is_silent(&launch!("TIDINGS_DRAIN_WINDOW" = "0s"));
}

#[test]
fn p26_logs_at_trace_hold_nothing_that_was_sent() {
    let launch = launch!("TIDINGS_DRAIN_WINDOW" = "0s", "TIDINGS_LOG_LEVEL" = "trace");
    let hub = launch.start();
    sing(&hub);
    let (_, log) = hub.finish();
    assert!(log.contains("draining"), "the log was read: {log}");
    assert_eq!(log.lines().find(|line| line.contains(CANARY)), None);
    let text = launch.env("TIDINGS_LOG_FORMAT", "text").start();
    sing(&text);
    let (_, log) = text.finish();
    assert_eq!(log.lines().find(|line| line.contains(CANARY)), None);
}
