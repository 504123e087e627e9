//! Publish requests that come behind one another on a connection: admitted
//! together, answered and kept in order.

use tidings_testkit::{HubProcess, check_problem, launch};

fn post(hub: &HubProcess, topic: &str, query: &str, body: &str) -> String {
    format!(
        "POST /t/{topic}{query} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
        hub.address(),
        body.len()
    )
}

#[test]
fn c11_a_thousand_are_answered_and_kept_in_order() {
    let hub = launch!().start();
    // Small, beyond what is read ahead, and none.
    let body = |n: usize| match n % 100 {
        33 => "x".repeat(100_000),
        66 => String::new(),
        _ => format!("body {n}"),
    };
    let (mut watch, mut http) = (hub.watch("/t/a").opened(), hub.http());
    let mut sending = http.socket().try_clone().expect("a socket");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let all: String = (0..1000)
                .map(|n| post(&hub, "a", &format!("?id=n{n}"), &body(n)))
                .collect();
            std::io::Write::write_all(&mut sending, all.as_bytes()).expect("sent");
        });
        scope.spawn(move || {
            for n in 0..1000 {
                let event = watch.next().expect("an event");
                assert_eq!(event.id, format!("n{n}"));
                assert!(event.data == body(n), "{n}: {:.30}", event.data);
            }
        });
        for n in 0..1000 {
            let answer = http.answer(false).expect("an answer");
            assert_eq!(answer.json()["id"], format!("n{n}"), "{}", answer.text());
        }
    });
}

/// A request in their midst is refused: those before it are kept, those behind
/// it are too, if the connection goes on, and never if it ends.
#[test]
fn c11_a_refusal_among_them() {
    let hub = launch!().start();
    let fine = |n: usize| post(&hub, "a", &format!("?id=n{n}"), "x");
    let behind = |n: usize| post(&hub, "behind", &format!("?id=n{n}"), "x");
    let host = format!("Host: {}", hub.address());
    for (refused, status, code, ends) in [
        (post(&hub, "$a", "", "x"), 403, "reserved-topic", false),
        (
            post(&hub, "a", "?retry=x", "x"),
            400,
            "invalid-event",
            false,
        ),
        (
            fine(0).replace("\r\n\r\nx", "\r\n\r\ny"),
            409,
            "id-conflict",
            false,
        ),
        (
            fine(0).replace(&host, "Host: a b@c/"),
            400,
            "bad-request",
            true,
        ),
        (
            fine(0).replace(&host, "Content-Encoding: br"),
            400,
            "bad-request",
            true,
        ),
        (fine(0).replace("POST", "post"), 400, "bad-request", true),
    ] {
        let mut http = hub.http();
        let before: String = (0..3).map(fine).collect();
        let after: String = (0..3).map(behind).collect();
        http.send(format!("{before}{refused}{after}").as_bytes())
            .expect("sent");
        for n in 0..3 {
            let answer = http.answer(false).expect("an answer");
            assert_eq!(answer.json()["id"], format!("n{n}"), "{}", answer.text());
        }
        check_problem(&http.answer(false).expect("an answer"), status, code);
        if ends {
            assert!(
                http.read_to_close().unwrap_or_default().is_empty(),
                "{code}"
            );
        } else {
            for _ in 0..3 {
                assert_eq!(http.answer(false).expect("an answer").status, 200);
            }
        }
    }
    // Three ids, however often: an id is one event.
    let json = [("Accept", "application/json")];
    for (topic, count) in [("a", 3), ("behind", 3)] {
        let answer = hub
            .http()
            .request("GET", &format!("/t/{topic}"), &json, b"");
        let events = answer.json()["events"].as_array().map(Vec::len);
        assert_eq!(events, Some(count), "{}", answer.text());
    }
}

/// Whoever closes behind the last of them gets all answers.
#[test]
fn c11_the_last_of_them_may_say_so() {
    let hub = launch!().start();
    let mut http = hub.http();
    let posts: Vec<String> = (0..10)
        .map(|n| post(&hub, "a", "", &n.to_string()))
        .collect();
    let last = posts[9].replace("Content-Length", "Connection: close\r\nContent-Length");
    http.send(format!("{}{last}", posts[..9].concat()).as_bytes())
        .expect("sent");
    for n in 0..10 {
        let answer = http.answer(false).expect("an answer");
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
        let says_close = answer.header("connection") == Some("close");
        assert_eq!(says_close, n == 9, "{n}");
    }
    assert!(http.read_to_close().expect("a close").is_empty());
}
