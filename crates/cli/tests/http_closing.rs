//! Closing topics over HTTP: what publishers and watchers of a topic that has ended
//! are told.

use serde_json::{Value, json};
use tidings_testkit::{
    Answer, CANARY, HubProcess, Received, Watch, check_problem, check_refused, launch, token,
};

const STREAM: (&str, &str) = ("Accept", "text/event-stream");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");
const EVENTS: (&str, &str) = ("Content-Type", "text/event-stream");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const END_EVENT: &str = "tidings:end";

type Headers<'a> = &'a [(&'a str, &'a str)];

#[track_caller]
fn ask(hub: &HubProcess, method: &str, path: &str, headers: Headers<'_>, body: &str) -> Value {
    let answer = hub.http().request(method, path, headers, body.as_bytes());
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
    answer.json()
}

#[track_caller]
fn publish(hub: &HubProcess, path: &str, data: &str) -> Value {
    ask(hub, "POST", path, &[], data)
}

/// Closes a topic; answers the id of its end.
#[track_caller]
fn close(hub: &HubProcess, topic: &str) -> String {
    let answer = ask(hub, "DELETE", &format!("/t/{topic}"), &[], "");
    let end = answer["end_id"].as_str().expect("an id").to_owned();
    let expected = json!({ "id": end, "end_id": end, "closed": true, "topic": topic });
    assert_eq!(answer, expected);
    end
}

/// All that a stream gives until it ends, as (type, data).
fn to_the_end(watch: &mut Watch) -> Vec<(String, String)> {
    let mut all = Vec::new();
    while let Some(Received { event, data, .. }) = watch.try_next().expect("an end") {
        all.push((event, data));
    }
    all
}

fn messages(data: &[&str], topic: &str) -> Vec<(String, String)> {
    let messages = data.iter().map(|data| ("message".into(), (*data).into()));
    let end = (END_EVENT.into(), format!(r#"{{"topic":"{topic}"}}"#));
    messages.chain([end]).collect()
}

/// The head of the answer to who wants to watch.
fn asks_to_watch(hub: &HubProcess, method: &str, path: &str, id: Option<&str>) -> Answer {
    let mut http = hub.http();
    let mut headers = vec![STREAM];
    headers.extend(id.map(|id| ("Last-Event-ID", id)));
    http.send_request(method, path, &headers, b"")
        .expect("sent");
    http.answer_head().expect("an answer")
}

#[test]
fn who_watches_is_given_the_rest_the_end_and_the_end_of_the_stream() {
    let hub = launch!().start();
    publish(&hub, "/t/a", "1");
    let mut live = hub.watch("/t/a").opened();
    let mut replayed = hub.watch("/t/a?since=earliest").opened();
    let mut pattern = hub.watch("/t/*?since=earliest").opened();
    let answer = publish(&hub, "/t/a?close=1&event=message", "2");
    assert_eq!(to_the_end(&mut live), messages(&["2"], "a"));
    assert_eq!(live.last_event_id(), answer["end_id"]);
    assert!(live.retry().is_some(), "when to come back");
    assert_eq!(to_the_end(&mut replayed), messages(&["1", "2"], "a"));
    // A pattern may be given other topics yet.
    let given = pattern.events(3);
    assert_eq!(given[2].event, END_EVENT);
    publish(&hub, "/t/b", "3");
    assert_eq!(pattern.events(1)[0].data, "3");
    // Who comes later and is behind the end.
    let mut late = hub.watch("/t/a?since=earliest");
    assert_eq!(to_the_end(&mut late), messages(&["1", "2"], "a"));
    let mut late = hub.resume("/t/a", answer["id"].as_str().expect("an id"));
    assert_eq!(to_the_end(&mut late), messages(&[], "a"));
    let mut enveloped = hub.watch("/t/a?since=last:1&envelope=json");
    let [(event, data)] = &to_the_end(&mut enveloped)[..] else {
        panic!("one event");
    };
    let data: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(
        (event.as_str(), &data["event"]),
        ("message", &END_EVENT.into())
    );
    assert_eq!(data["data"], r#"{"topic":"a"}"#);
}

#[test]
fn presence_ends_with_its_topics_and_what_the_hub_says_of_itself_goes_on() {
    let hub = launch!().start();
    let mut present = hub.watch("/t/a?presence=1&as=ann").opened();
    let mut operator = hub.watch("/events?topic=a&topic=$sys/stats").opened();
    close(&hub, "a");
    let given = to_the_end(&mut present);
    let names: Vec<&str> = given.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(names.last(), Some(&END_EVENT), "{names:?}");
    while operator.events(1)[0].event != END_EVENT {}
    operator.events(2);
}

#[test]
fn a_stream_of_several_topics_ends_when_all_are_closed() {
    let hub = launch!().start();
    let mut watch = hub.watch("/events?topic=a&topic=b").opened();
    close(&hub, "a");
    assert_eq!(watch.events(1)[0].event, END_EVENT);
    publish(&hub, "/t/b", "on");
    assert_eq!(watch.events(1)[0].data, "on");
    // One that was opened again has not ended for this one either.
    publish(&hub, "/t/a?reopen=1", "again");
    assert_eq!(watch.events(1)[0].data, "again");
    close(&hub, "b");
    assert_eq!(watch.events(1)[0].event, END_EVENT);
    publish(&hub, "/t/a", "last");
    assert_eq!(watch.events(1)[0].data, "last");
    close(&hub, "a");
    assert_eq!(to_the_end(&mut watch), messages(&[], "a"));
}

#[test]
fn who_has_everything_up_to_the_end_is_answered_204() {
    let hub = launch!().start();
    let first = publish(&hub, "/t/a", "1");
    let end = close(&hub, "a");
    let later = publish(&hub, "/t/open", "2");
    let last = close(&hub, "b");
    let [first, later] = [&first["id"], &later["id"]].map(|id| id.as_str().expect("an id"));
    for (path, id, status) in [
        ("/t/a", None, 204),
        ("/t/a?since=latest", None, 204),
        ("/t/a?since=last:1", None, 200),
        ("/t/a?since=earliest", None, 200),
        ("/t/a?since=1h", None, 200),
        ("/t/a?envelope=json&connection=1", None, 204),
        // Who is there ends with the topic, how the hub is doesn't.
        ("/t/a?presence=1&as=ann", None, 204),
        ("/events?topic=a&topic=$sys/stats", None, 200),
        // Whatever the URL says, an EventSource comes back with the id.
        ("/t/a?since=earliest", Some(&*end), 204),
        ("/t/a", Some(&*end), 204),
        ("/t/a", Some(later), 204),
        ("/t/a", Some(first), 200),
        ("/t/a", Some("nobody's"), 200),
        ("/t/a", Some("td-0000000000000-7"), 200),
        ("/events?topic=a&topic=b", None, 204),
        ("/events?topic=a&topic=b", Some(&*last), 204),
        ("/events?topic=a&topic=b", Some(&*end), 200),
        ("/events?topic=a&topic=open", None, 200),
        ("/events?topic=a&topic=never", None, 200),
        ("/events?topic=a&topic=*", None, 200),
        ("/t/*", None, 200),
        ("/t/**", None, 200),
        ("/t/open", None, 200),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = asks_to_watch(&hub, method, path, id);
            assert_eq!(answer.status, status, "{method} {path} {id:?}");
            let is_stream = answer.header("content-type") == Some("text/event-stream");
            assert_eq!(is_stream, status == 200, "{method} {path}");
            assert!(
                answer
                    .header("cache-control")
                    .is_some_and(|c| c.contains("no-store"))
            );
        }
    }
    // A page of history is one all the same.
    let page = ask(
        &hub,
        "GET",
        "/t/a?since=earliest",
        &[("Accept", "application/json")],
        "",
    );
    assert_eq!(page["events"][1]["event"], END_EVENT);
    assert_eq!(page["events"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_closed_topic_refuses_publishers_until_one_opens_it() {
    let hub = launch!("TIDINGS_PUBLIC_URL" = token::PUBLIC_URL).start();
    let topics = json!({ "topic": "a", "data": "x" }).to_string();
    let batch = json!([{ "topic": "b", "data": "x" }, { "topic": "a", "data": "x" }]).to_string();
    for (method, path, headers, body, published) in [
        ("POST", "/t/a", &[][..], "x", None),
        ("POST", "/t/a?close=1", &[], "x", None),
        ("POST", "/t/a", &[NDJSON], "{\"data\":\"x\"}\n", Some(0)),
        ("PUT", "/t/a", &[EVENTS], "data: x\n\n", Some(0)),
        ("POST", "/events", &[JSON], &topics, None),
        ("POST", "/events", &[JSON], &batch, None),
        (
            "POST",
            "/events",
            &[NDJSON],
            "{\"topic\":\"b\",\"data\":\"x\"}\n{\"topic\":\"a\",\"data\":\"x\"}\n",
            Some(1),
        ),
    ] {
        let what = format!("{method} {path}: {body}");
        close(&hub, "a");
        let answer = hub.http().request(method, path, headers, body.as_bytes());
        check_problem(&answer, 409, "topic-closed");
        assert_eq!(answer.json()["published"].as_u64(), published, "{what}");
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}reopen=1");
        ask(&hub, method, &path, headers, body);
        if path.contains("close") {
            assert_eq!(
                asks_to_watch(&hub, "GET", "/t/a", None).status,
                204,
                "{what}"
            );
        } else {
            publish(&hub, "/t/a", "open");
        }
    }
    // By Mercure, which has no word for it; an alternate topic counts as any.
    close(&hub, "a");
    let url = format!("{}/t/a", token::PUBLIC_URL);
    for form in [
        format!("topic={url}&data=x"),
        format!("topic=urn:x&topic={url}&data=x"),
    ] {
        let answer = hub
            .http()
            .request("POST", "/.well-known/mercure", &[FORM], form.as_bytes());
        check_problem(&answer, 409, "topic-closed");
    }
}

#[test]
fn those_who_come_after_a_reopening_are_not_given_the_end_before_it() {
    let hub = launch!().start();
    publish(&hub, "/t/a", "1");
    let end = close(&hub, "a");
    publish(&hub, "/t/a?reopen=1", "2");
    let mut watch = hub.watch("/t/a?since=earliest").opened();
    let given: Vec<String> = watch.events(2).into_iter().map(|e| e.data).collect();
    assert_eq!(given, ["1", "2"]);
    // Who has the end goes on behind it.
    let mut resumed = hub.resume("/t/a", &end).opened();
    assert_eq!(resumed.events(1)[0].data, "2");
    close(&hub, "a");
    assert_eq!(to_the_end(&mut watch), messages(&[], "a"));
    assert_eq!(to_the_end(&mut resumed), messages(&[], "a"));
}

#[test]
fn to_close_again_and_to_repeat_is_answered_as_before() {
    let hub = launch!().start();
    let key = [("Idempotency-Key", "k")];
    let path = "/t/a?close=1";
    let answer = ask(&hub, "POST", path, &key, "last");
    assert_ne!(answer["id"], answer["end_id"]);
    assert_eq!(close(&hub, "a"), answer["end_id"]);
    assert_eq!(publish(&hub, path, "")["end_id"], answer["end_id"]);
    assert_eq!(ask(&hub, "POST", path, &key, "last"), answer);
    publish(&hub, "/t/a?reopen=1", "again");
    assert_eq!(ask(&hub, "POST", path, &key, "last"), answer);
    // That closed nothing: it was a repetition.
    publish(&hub, "/t/a", "open");
    assert_ne!(close(&hub, "a"), answer["end_id"]);
    let key = [("Idempotency-Key", "deleted")];
    let deleted = ask(&hub, "DELETE", "/t/c", &key, "");
    publish(&hub, "/t/c?reopen=1", "again");
    assert_eq!(ask(&hub, "DELETE", "/t/c", &key, ""), deleted);
    publish(&hub, "/t/c", "open");
    assert_ne!(close(&hub, "c"), deleted["end_id"]);
    let once = publish(&hub, "/t/b?id=mine", "x");
    close(&hub, "b");
    assert_eq!(publish(&hub, "/t/b?id=mine", "x"), once);
}

#[test]
fn a_last_event_is_one_that_says_anything() {
    let hub = launch!().start();
    for (topic, query, body, expected) in [
        ("a", "", "", vec![]),
        ("b", "", "x", vec![("message", "x")]),
        ("c", "&event=done", "", vec![("done", "")]),
        ("d", "&id=mine", "", vec![("message", "")]),
    ] {
        publish(&hub, &format!("/t/{topic}?close=1{query}"), body);
        let mut watch = hub.watch(&format!("/t/{topic}?since=earliest"));
        let mut all = to_the_end(&mut watch);
        assert_eq!(
            all.pop().map(|(event, _)| event).as_deref(),
            Some(END_EVENT)
        );
        let all: Vec<_> = all.iter().map(|(e, d)| (e.as_str(), d.as_str())).collect();
        assert_eq!(all, expected, "{topic}");
    }
}

#[test]
fn a_streamed_body_closes_where_it_ends_and_not_where_it_breaks_off() {
    let hub = launch!().start();
    let upload = |path: &str| {
        let mut http = hub.http();
        let headers = [EVENTS, ("Transfer-Encoding", "chunked")];
        http.send_request("POST", path, &headers, b"")
            .expect("sent");
        http.send_chunk(b"data: 1\n\ndata: 2\n\n").expect("sent");
        http
    };
    let mut watch = hub.watch("/t/a?since=earliest");
    let mut http = upload("/t/a?close=1");
    watch.events(2);
    let answer = http.end_chunks();
    assert_eq!(to_the_end(&mut watch), messages(&[], "a"));
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(
        (&answer["published"], &answer["closed"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(answer["end_id"], watch.last_event_id());
    assert_ne!(answer["end_id"], answer["last_id"]);

    // The connection is lost, or an event is none: the topic stays open.
    let mut watch = hub.watch("/t/b?since=earliest");
    drop(upload("/t/b?close=1"));
    watch.events(2);
    let mut broken = upload("/t/b?close=1");
    broken.send_chunk(b"data: 3\n").expect("sent");
    check_problem(&broken.end_chunks(), 400, "invalid-event");
    watch.events(2);
    publish(&hub, "/t/b", "open");
    assert_eq!(watch.events(1)[0].data, "open");
    // An empty one closes what it closes.
    let answer = ask(&hub, "POST", "/t/b?close=1", &[NDJSON], "");
    assert_eq!(
        (&answer["published"], &answer["closed"]),
        (&json!(0), &json!(true))
    );
}

#[test]
fn b4_what_closes_nothing_is_refused() {
    let hub = launch!().start();
    for (method, path, headers, body, status, code) in [
        ("DELETE", "/t/$sys/x", &[][..], "", 403, "reserved-topic"),
        ("DELETE", "/t/a//b", &[], "", 400, "invalid-topic"),
        ("DELETE", "/t/*", &[], "", 400, "invalid-topic"),
        ("DELETE", "/t/a", &[], CANARY, 400, "bad-request"),
        (
            "DELETE",
            "/events?topic=a",
            &[],
            "",
            405,
            "method-not-allowed",
        ),
        ("POST", "/t/a?close=2", &[], "x", 400, "bad-request"),
        ("POST", "/t/a?close", &[], "x", 400, "bad-request"),
        ("POST", "/t/a?close=1&close=1", &[], "x", 400, "bad-request"),
        ("POST", "/t/a?reopen=yes", &[], "x", 400, "bad-request"),
        ("POST", "/events?close=1", &[JSON], "[]", 400, "bad-request"),
        (
            "POST",
            "/events?reopen=0",
            &[JSON],
            "[]",
            400,
            "bad-request",
        ),
        (
            "POST",
            "/t/a?event=tidings:end",
            &[],
            "x",
            400,
            "invalid-event",
        ),
    ] {
        check_refused(&hub, (method, path, headers, body.as_bytes()), status, code);
    }
    assert_eq!(asks_to_watch(&hub, "GET", "/t/a", None).status, 200);
}

#[test]
fn f1_what_was_closed_stays_closed_over_kill_9() {
    let hub = launch!().start();
    publish(&hub, "/t/a", "1");
    let end = close(&hub, "a");
    close(&hub, "b");
    publish(&hub, "/t/b?reopen=1", "2");
    let hub = hub.kill().start();
    assert_eq!(asks_to_watch(&hub, "GET", "/t/a", None).status, 204);
    assert_eq!(asks_to_watch(&hub, "GET", "/t/a", Some(&end)).status, 204);
    assert_eq!(close(&hub, "a"), end);
    check_problem(&hub.post("/t/a", "x"), 409, "topic-closed");
    publish(&hub, "/t/b", "3");
    let mut watch = hub.watch("/t/a?since=earliest");
    assert_eq!(to_the_end(&mut watch), messages(&["1"], "a"));
}

#[test]
fn rights_are_asked_before_anything_is_said_of_a_topic() {
    let hub = launch!().closed().start();
    let token = |publish: &[&str], subscribe: &[&str]| {
        token::bearer(json!({ "tidings": { "publish": publish, "subscribe": subscribe } }))
    };
    let (all, other) = (token(&["**"], &["**"]), token(&["b"], &["b"]));
    let with = |method: &str, path: &str, token: &str| {
        let mut http = hub.http();
        let headers = [STREAM, ("Authorization", token)];
        http.send_request(method, path, &headers, b"")
            .expect("sent");
        http.answer_head().expect("an answer").status
    };
    assert_eq!(with("DELETE", "/t/a", &other), 403);
    assert_eq!(with("GET", "/t/a", &all), 200);
    assert_eq!(with("DELETE", "/t/a", &all), 200);
    assert_eq!(with("GET", "/t/a", &all), 204);
    for method in ["GET", "HEAD"] {
        assert_eq!(with(method, "/t/a", &other), 403);
        assert_eq!(asks_to_watch(&hub, method, "/t/a", None).status, 401);
    }
    assert_eq!(with("DELETE", "/t/b", &other), 200);
    assert_eq!(with("GET", "/t/b", &other), 204);
}
