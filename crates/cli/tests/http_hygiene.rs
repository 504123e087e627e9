//! Connections that say nothing, break off, or never end: nobody holds what
//! others need. The slow ones wait at the same time.

use std::io::ErrorKind;
use std::time::Duration;
use tidings_testkit::{Http, Watch, check_problem, launch, wait_until};

const STREAM: (&str, &str) = ("Accept", "text/event-stream");

/// Longer than anything that is to be closed may last.
const LONG: Duration = Duration::from_secs(60);

/// Reads until the hub closes.
fn closed(http: &mut Http) -> Vec<u8> {
    http.socket()
        .set_read_timeout(Some(LONG))
        .expect("a socket option");
    match http.read_to_close() {
        Ok(bytes) => bytes,
        Err(error) => {
            assert_eq!(
                error.kind(),
                ErrorKind::ConnectionReset,
                "still open: {error}"
            );
            Vec::new()
        }
    }
}

#[test]
fn c13_connections_that_never_ask_are_closed() {
    let hub = launch!().start();
    let before = hub.open_files();
    let host = hub.address();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let beginnings: [Vec<u8>; 8] = [
        b"".to_vec(),
        b"G".to_vec(),
        b"GET /t/a HTTP/1.1\r\n".to_vec(),
        format!("GET /t/a HTTP/1.1\r\nHost: {host}\r\nX-Long: ").into_bytes(),
        format!("POST /t/a HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n").into_bytes(),
        preface[..3].to_vec(),
        preface[..16].to_vec(),
        // A whole HTTP/2 greeting, and then no request.
        [&preface[..], &settings].concat(),
    ];
    std::thread::scope(|scope| {
        for beginning in &beginnings {
            let mut http = hub.http();
            scope.spawn(move || {
                http.send(beginning).expect("sent");
                closed(&mut http);
            });
        }
        // A head that arrives byte by byte is no better.
        let mut http = hub.http();
        scope.spawn(move || {
            http.socket()
                .set_read_timeout(Some(Duration::from_millis(300)))
                .expect("a socket option");
            for byte in format!("GET /t/a HTTP/1.1\r\nX: {}", "x".repeat(200)).as_bytes() {
                if http.send(&[*byte]).is_err() {
                    return;
                }
                match http.read_some() {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // Closed, perhaps with an answer before.
                    _ => return,
                }
            }
            panic!("still open");
        });
    });
    wait_until("its descriptors are free again", || {
        hub.open_files() <= before
    });
    assert_eq!(hub.get("/readyz").status, 200);
}

#[test]
fn b23_a_body_that_dribbles_is_408() {
    let hub = launch!().start();
    std::thread::scope(|scope| {
        for framing in [("Content-Length", "1000"), ("Transfer-Encoding", "chunked")] {
            for dribbles in [true, false] {
                let hub = &hub;
                scope.spawn(move || {
                    let mut http = hub.http();
                    http.send_request("POST", "/t/a", &[framing], b"")
                        .expect("sent");
                    let chunked = framing.1 == "chunked";
                    let wait = if dribbles {
                        Duration::from_millis(500)
                    } else {
                        LONG
                    };
                    http.socket()
                        .set_read_timeout(Some(wait))
                        .expect("a socket option");
                    for _ in 0..120 {
                        let _ = if chunked {
                            http.send_chunk(b"x")
                        } else {
                            http.send(b"x")
                        };
                        let mut first = [0];
                        match http.socket().peek(&mut first) {
                            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                            _ => break,
                        }
                    }
                    let answer = http.answer(false).expect("an answer");
                    check_problem(&answer, 408, "body-timeout");
                    assert_eq!(answer.header("connection"), Some("close"));
                    closed(&mut http);
                });
            }
        }
    });
    assert_eq!(hub.metric("tidings_events_published_total"), 0);
}

#[test]
fn a23_connections_that_are_reset_leave_nothing() {
    let hub = launch!().start();
    // What the hub opens once for its own use, it has opened by then.
    drop(hub.watch("/t/a").opened());
    hub.wait_for_metric("tidings_subscribers", 0);
    let before = hub.open_files();
    for n in 0..1_000 {
        let mut http = hub.http();
        match n % 5 {
            0 => {}
            1 => http.send(b"GET /t/a HT").expect("sent"),
            2 => http
                .send_request("POST", "/t/a", &[("Content-Length", "9")], b"x")
                .expect("sent"),
            3 => http
                .send_request("GET", "/t/a", &[STREAM], b"")
                .expect("sent"),
            _ => {
                http.send_request("GET", "/t/a?since=earliest", &[STREAM], b"")
                    .expect("sent");
                drop(
                    Watch::answered(http)
                        .expect("an answer")
                        .opened()
                        .into_http()
                        .reset(),
                );
                continue;
            }
        }
        http.reset().expect("reset");
    }
    // Nothing is published that would show the hub by a failed write that they are gone.
    hub.wait_for_metric("tidings_subscribers", 0);
    wait_until("its descriptors are free again", || {
        hub.open_files() <= before
    });
    assert_eq!(hub.post("/t/a", "x").status, 200);
}

#[test]
fn a21_a_watcher_that_says_it_will_send_no_more() {
    let hub = launch!().start();
    let before = hub.open_files();
    for _ in 0..20 {
        let mut watch = hub.watch("/t/a").opened();
        watch.http().finish_sending().expect("a FIN");
        // It stays or it ends; either way nothing is left of it in the end.
        assert_eq!(hub.post("/t/a", "x").status, 200);
        if let Some(event) = watch.next() {
            assert_eq!(event.data, "x");
        }
    }
    hub.wait_for_metric("tidings_subscribers", 0);
    wait_until("its descriptors are free again", || {
        hub.open_files() <= before
    });
}

#[test]
fn a22_a_watcher_that_talks_on_is_not_listened_to() {
    let hub = launch!("TIDINGS_STREAM_HEARTBEAT" = "1s").start();
    let before = hub.resident_kib();
    let mut watches: Vec<Watch> = (0..20).map(|_| hub.watch("/t/a").opened()).collect();
    let garbage = vec![b'\n'; 1 << 20];
    for watch in &mut watches {
        let socket = watch.http().socket();
        socket
            .set_write_timeout(Some(Duration::from_millis(100)))
            .expect("a socket option");
        // As much as the sockets take.
        let _ = watch.http().send(&garbage);
    }
    assert_eq!(hub.post("/t/a", "x").status, 200);
    for watch in &mut watches {
        if let Some(event) = watch.next() {
            assert_eq!(event.data, "x");
        }
    }
    let grown = hub.resident_kib().saturating_sub(before);
    assert!(grown < 20 * 1024, "{grown} KiB for 20 MiB of garbage");
    drop(watches);
    // The heartbeat finds out that they are gone.
    hub.wait_for_metric("tidings_subscribers", 0);
}
