//! Streams of HTTP/1.1 that leave whoever read their request: as the first
//! request of a connection or a later one, and those that stay.

use tidings_testkit::{Answer, Http, HubProcess, Watch, launch};

const STREAM: (&str, &str) = ("Accept", "text/event-stream");

fn ask(http: &mut Http, path: &str) -> Answer {
    http.send_request("GET", path, &[STREAM], b"")
        .expect("sent");
    http.answer_head().expect("an answer")
}

/// The stream that has begun on `http` gets what is published.
#[track_caller]
fn check_stream(hub: &HubProcess, http: Http, data: &str) {
    let mut watch = Watch::answered(http).expect("a stream").opened();
    assert_eq!(hub.post("/t/a", data).status, 200);
    assert_eq!(watch.next().expect("an event").data, data);
}

/// A stream that a lane carries is the last of its connection, and says so.
#[test]
fn a_stream_is_the_last_answer_of_its_connection() {
    let hub = launch!("TIDINGS_CORS_ORIGINS" = "https://good.example").start();
    let mut http = hub.http();
    let headers = [STREAM, ("Origin", "https://good.example")];
    http.send_request("GET", "/t/a", &headers, b"")
        .expect("sent");
    let head = http.answer_head().expect("an answer");
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store, no-transform"),
        ("x-accel-buffering", "no"),
        ("x-content-type-options", "nosniff"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("vary", "Accept, Origin"),
        ("access-control-allow-origin", "https://good.example"),
        ("access-control-allow-credentials", "true"),
    ] {
        assert_eq!(head.headers(name), value, "{name}");
    }
    assert_eq!(head.status, 200);
    assert!(
        head.header("date")
            .is_some_and(|date| date.ends_with(" GMT"))
    );
    assert!(head.header("content-length").is_none());
}

#[test]
fn a_stream_may_be_a_later_request() {
    let hub = launch!().start();
    for before in 0..4 {
        let mut http = hub.http();
        for n in 0..before {
            let answer = match n % 2 {
                0 => http.request("POST", "/t/b", &[], b"x"),
                _ => http.request("GET", "/livez", &[], b""),
            };
            assert_eq!(answer.status, 200);
        }
        http.send_request("GET", "/t/a", &[STREAM], b"")
            .expect("sent");
        check_stream(&hub, http, &format!("behind {before}"));
    }
}

/// Sent at once with requests before it: their answers come first.
#[test]
fn c11_a_stream_behind_pipelined_requests() {
    let hub = launch!().start();
    for before in [1, 2, 100] {
        let mut http = hub.http();
        let post = format!(
            "POST /t/b HTTP/1.1\r\nHost: {}\r\nContent-Length: 1\r\n\r\nx",
            hub.address()
        );
        let get = format!(
            "GET /t/a HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n",
            hub.address()
        );
        http.send(format!("{}{get}", post.repeat(before)).as_bytes())
            .expect("sent");
        for _ in 0..before {
            assert_eq!(http.answer(false).expect("an answer").status, 200);
        }
        check_stream(&hub, http, &format!("behind {before}"));
    }
}

/// What is no stream after all leaves the connection to further requests.
#[test]
fn a_request_for_a_stream_may_be_refused_and_followed_by_another() {
    let hub = launch!().start();
    let mut http = hub.http();
    for _ in 0..3 {
        for (path, status) in [
            ("/t/a?envelope=xml", 400),
            ("/events", 400),
            ("/t/%zz", 400),
        ] {
            let mut answer = ask(&mut http, path);
            http.read_body(&mut answer).expect("a body");
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
            assert_eq!(answer.header("connection"), None, "{path}");
        }
        assert_eq!(http.request("POST", "/t/a", &[], b"x").status, 200);
    }
    http.send_request("GET", "/t/a", &[STREAM], b"")
        .expect("sent");
    check_stream(&hub, http, "at last");
}

/// Bytes behind the request are a request of their own: it stays where it is
/// answered in its turn, so the connection isn't the stream's alone.
#[test]
fn a_stream_with_something_behind_it_stays() {
    let hub = launch!().start();
    let mut http = hub.http();
    let get = format!("GET /t/a HTTP/1.1\r\nHost: {}\r\n\r\n", hub.address());
    http.send(get.repeat(2).as_bytes()).expect("sent");
    let head = http.answer_head().expect("an answer");
    assert_eq!((head.status, head.header("connection")), (200, None));
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    http.chunk().expect("the opening block");
    hub.wait_for_metric("tidings_subscribers", 1);
    drop(http);
    hub.wait_for_metric("tidings_subscribers", 0);
}

#[test]
fn places_come_back_when_watchers_go() {
    let hub = launch!().start();
    let files = hub.open_files();
    for _ in 0..3 {
        let watchers: Vec<_> = (0..50).map(|_| hub.watch("/t/a").opened()).collect();
        hub.wait_for_metric("tidings_subscribers", 50);
        drop(watchers);
        hub.wait_for_metric("tidings_subscribers", 0);
    }
    // One of them asks for the metric.
    tidings_testkit::wait_until("their sockets are closed", || hub.open_files() <= files + 1);
}
