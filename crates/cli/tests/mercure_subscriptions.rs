//! Active subscriptions of the Mercure face: their documents and their events, in
//! both dialects. The numbers are those of the conformance rules.

mod presence;

use presence::{
    Known, SUBSCRIPTIONS, Shared, ask, cursor, details, document, encode, listed, new, old, short,
    telling, watch, with,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tidings_testkit::token::bearer;
use tidings_testkit::{HubProcess, Watch, check_problem, launch};

fn hub() -> HubProcess {
    telling(launch!()).start()
}

/// Of the next event, which is of 0.x.
#[track_caller]
fn old_event(watch: &mut Watch) -> (Value, String) {
    let event = watch.next().expect("an event");
    assert_eq!(event.event, "message");
    (serde_json::from_str(&event.data).expect("JSON"), event.id)
}

#[test]
fn presence_1_3_4_6_15_events_and_documents_of_0_x() {
    let hub = hub();
    let (all, template) = (old(&["*"], None), "https://example.com/{id}");
    let selector = encode(&format!("{SUBSCRIPTIONS}{{/topic}}{{/subscriber}}"));
    let mut presence = watch(&hub, &format!("topic={selector}"), &all, None);
    // Whoever watches is told of itself.
    let (own, _) = old_event(&mut presence);
    let watched = format!("{SUBSCRIPTIONS}{{/topic}}{{/subscriber}}");
    assert_eq!(
        (&own["topic"], &own["active"]),
        (&watched.into(), &true.into())
    );
    let query = format!("topic={}&topic=news", encode(template));
    let stream = watch(&hub, &query, &old(&["*"], Some(json!({ "a": 1 }))), None);
    let mut begun = [old_event(&mut presence), old_event(&mut presence)];
    begun.sort_by_key(|(document, _)| document["topic"].to_string());
    let subscriber = begun[0].0["subscriber"]
        .as_str()
        .expect("a name")
        .to_owned();
    assert!(subscriber.starts_with("urn:uuid:"), "{subscriber}");
    let topics = [template, "news"];
    for ((document, _), topic) in begun.iter().zip(topics) {
        let id = format!("{SUBSCRIPTIONS}/{}/{}", encode(topic), encode(&subscriber));
        assert!(!id.contains("%25"), "{id}");
        let expected = json!({
            "@context": "https://mercure.rocks/", "id": id, "type": "Subscription",
            "topic": topic, "subscriber": subscriber, "active": true, "payload": { "a": 1 },
        });
        assert_eq!(*document, expected);
        let answer = ask(&hub, &id, &all);
        assert_eq!(answer.header("content-type"), Some("application/ld+json"));
        let mut single = answer.json();
        let last = single
            .as_object_mut()
            .and_then(|own| own.remove("lastEventID"));
        assert_eq!(single, expected);
        assert!(
            begun
                .iter()
                .any(|(_, id)| last.as_ref().is_some_and(|last| last == id))
        );
    }
    drop(stream);
    for _ in 0..2 {
        let (ended, _) = old_event(&mut presence);
        assert_eq!(
            (&ended["active"], &ended["subscriber"]),
            (&false.into(), &subscriber.clone().into())
        );
        let answer = ask(&hub, ended["id"].as_str().expect("an id"), &all);
        check_problem(&answer, 404, "not-found");
    }
}

#[test]
fn presence_2_5_16_events_and_documents_of_1_0() {
    let hub = hub();
    let all = new(&["*"]);
    let mut known = Known::fetch(&hub, &all);
    let own = known.next();
    assert_eq!(own["match_type"], "urlpattern");
    let granted = [
        ("a", Some(json!(1))),
        ("b", Some(json!({ "two": [2] }))),
        ("/:x", None),
    ];
    let pattern = encode("https://example.com/:id");
    let query = format!("match=b&match_urlpattern={pattern}&match=a&match=*");
    let stream = watch(&hub, &query, &with(details(&granted)), None);
    let mut begun: Vec<Value> = (0..4).map(|_| known.next()).collect();
    begun.sort_by_key(|document| document["match"].to_string());
    let subscriber = begun[0]["subscriber"].as_str().expect("a name").to_owned();
    let expected = [
        ("exact", "*", None),
        ("exact", "a", Some(json!(1))),
        ("exact", "b", Some(json!({ "two": [2] }))),
        ("urlpattern", "https://example.com/:id", None),
    ];
    for (document, (kind, matcher, payload)) in begun.iter().zip(expected) {
        let id = format!(
            "{SUBSCRIPTIONS}/{kind}/{}/{}",
            encode(matcher),
            encode(&subscriber)
        );
        assert!(!id.contains("%25"), "{id}");
        let mut expected = json!({
            "id": id, "type": "subscription", "match_type": kind, "match": matcher,
            "subscriber": subscriber, "active": true,
        });
        if let Some(payload) = payload {
            expected["payload"] = payload;
        }
        assert_eq!(*document, expected);
        assert_eq!(presence::document(&hub, &id, &all), expected);
        let of_matcher = format!("{SUBSCRIPTIONS}/{kind}/{}", encode(matcher));
        let collection = presence::document(&hub, &of_matcher, &all);
        let listed: Vec<Value> = listed(&collection).into_values().collect();
        assert_eq!(
            (&collection["id"], listed),
            (&of_matcher.into(), vec![expected])
        );
    }
    drop(stream);
    for _ in 0..4 {
        assert_eq!(known.next()["active"], false);
    }
}

#[test]
fn presence_8_to_11_14_17_collections_in_both_shapes() {
    let hub = hub();
    let _streams = [
        watch(&hub, "topic=a", &old(&["*"], None), None),
        watch(&hub, "match=a", &new(&["*"]), None),
        watch(&hub, "topic=%2F%7Bid%7D", &old(&["*"], None), None),
        watch(&hub, "match_urlpattern=%2F:id", &new(&["*"]), None),
    ];
    let (v0, v1) = (old(&["*"], None), new(&["*"]));
    let shapes = |token: &str, accept: &str| {
        let headers = [("Authorization", token), ("Accept", accept)];
        hub.http().request("GET", SUBSCRIPTIONS, &headers, b"")
    };
    // The token decides, unless only the other's type is wanted.
    for (token, accept, is_new) in [
        (&v0, "*/*", false),
        (&v0, "application/json, text/plain, */*", false),
        (&v0, "application/json", true),
        (&v1, "*/*", true),
        (&v1, "application/ld+json", false),
        (&v1, "text/html", true),
    ] {
        let answer = shapes(token, accept);
        let collection = answer.json();
        let kinds = ["application/ld+json", "application/json"];
        let kind = kinds[usize::from(is_new)];
        assert_eq!(answer.header("content-type"), Some(kind), "{accept}");
        assert_eq!(
            answer.header("cache-control"),
            Some("private, max-age=0, must-revalidate")
        );
        assert!(answer.headers("vary").contains("Authorization"));
        let last = cursor(&answer);
        let listed = listed(&collection);
        let subscribers: std::collections::BTreeSet<_> = listed
            .values()
            .map(|own| own["subscriber"].to_string())
            .collect();
        // A template is of 0.x, a pattern of 1.0, a topic of both.
        assert_eq!((listed.len(), subscribers.len()), (3, 3), "{collection}");
        match is_new {
            true => {
                assert_eq!(collection["type"], "subscriptions");
                assert_eq!(collection["lastEventID"], Value::Null);
                let link = answer.header("link").expect("a link");
                assert!(
                    link.contains(r#"; type="mercure"; content-type="application/json""#),
                    "{link}"
                );
            }
            false => {
                assert_eq!(collection["type"], "Subscriptions");
                assert_eq!(collection["@context"], "https://mercure.rocks/");
                assert_eq!(collection["lastEventID"], last.as_str());
            }
        }
        let tag = answer.header("etag").expect("a tag").to_owned();
        let headers = [
            ("Authorization", &**token),
            ("Accept", accept),
            ("If-None-Match", &tag),
        ];
        let again = hub.http().request("GET", SUBSCRIPTIONS, &headers, b"");
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), Some(&*tag));
        let head = hub
            .http()
            .request("HEAD", SUBSCRIPTIONS, &headers[..2], b"");
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("etag"), Some(&*tag));
    }
    for (path, count) in [("a", 2), ("%2F%7Bid%7D", 1), ("nobody", 0)] {
        let found = document(&hub, &format!("{SUBSCRIPTIONS}/{path}"), &v0);
        assert_eq!(found["type"], "Subscriptions");
        assert_eq!(listed(&found).len(), count, "{found}");
    }
    let empty = document(&hub, &format!("{SUBSCRIPTIONS}/exact/nobody"), &v1);
    assert_eq!(listed(&empty).len(), 0);
    let stale = shapes(&v1, "*/*").header("etag").expect("a tag").to_owned();
    let _another = watch(&hub, "match=b", &v1, None);
    let headers = [("Authorization", &*v1), ("If-None-Match", &*stale)];
    let changed = hub.http().request("GET", SUBSCRIPTIONS, &headers, b"");
    assert_eq!((changed.status, listed(&changed.json()).len()), (200, 4));
}

#[test]
fn presence_7_12_13_who_may_ask_and_watch() {
    let hub = hub();
    let path = format!("{SUBSCRIPTIONS}/exact/a");
    let check = |path: &str, token: &str, status: u16, code: &str| {
        let answer = ask(&hub, path, token);
        match status {
            200 => assert_eq!(answer.status, 200, "{}", answer.text()),
            _ => check_problem(&answer, status, code),
        }
    };
    check_problem(&hub.get(&path), 401, "token-needed");
    check_problem(&hub.get(SUBSCRIPTIONS), 401, "token-needed");
    check(&path, "Bearer x", 401, "invalid-token");
    check(&path, &new(&["/a", "a"]), 403, "not-granted");
    check(SUBSCRIPTIONS, &new(&[&path]), 403, "not-granted");
    check(SUBSCRIPTIONS, &old(&[&path], None), 401, "token-needed");
    check(
        &format!("{SUBSCRIPTIONS}/a"),
        &old(&[&path], None),
        401,
        "token-needed",
    );
    check(&path, &new(&[&path]), 200, "");
    check(&format!("{path}?a=b"), &new(&[&path]), 200, "");
    // However it is spelled: as the document's id, or as it was asked for.
    check(
        &format!("{SUBSCRIPTIONS}/exact/%61"),
        &new(&[&path]),
        200,
        "",
    );
    let spelled = format!("{SUBSCRIPTIONS}/exact/a:b");
    check(&spelled, &new(&[&spelled]), 200, "");
    check(
        &spelled,
        &new(&[&format!("{SUBSCRIPTIONS}/exact/a%3Ab")]),
        200,
        "",
    );
    check(
        &format!("{path}/urn%3Auuid%3Anobody"),
        &new(&["*"]),
        404,
        "not-found",
    );
    check(
        &format!("{path}/nobody/more"),
        &new(&["*"]),
        404,
        "not-found",
    );
    let posted = hub
        .http()
        .request("POST", &path, &[("Authorization", &new(&["*"]))], b"");
    check_problem(&posted, 405, "method-not-allowed");
    // Without a grant for them, no event arrives, live or from history.
    let mut known = Known::fetch(&hub, &new(&["*"]));
    let few = new(&["/a", "https://hub.example/t/news"]);
    let mut stranger = watch(&hub, "match=*", &few, Some("earliest"));
    known.until_there("*");
    let _stream = watch(&hub, "match=b", &few, None);
    known.until_there("b");
    publish(&hub, "end");
    assert_eq!(
        stranger.next().map(|event| event.data),
        Some("end".to_owned())
    );
}

/// To the native topic `news`.
#[track_caller]
fn publish(hub: &HubProcess, data: &str) {
    let publisher = bearer(json!({ "tidings": { "publish": ["**"] } }));
    let headers = [("Authorization", &*publisher)];
    let answer = hub
        .http()
        .request("POST", "/t/news", &headers, data.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_hub_that_does_not_tell() {
    let hub = telling(launch!())
        .env("TIDINGS_MERCURE_SUBSCRIPTIONS", "false")
        .start();
    let all = new(&["*"]);
    let mut presence = watch(&hub, "match=*", &all, Some("earliest")).opened();
    check_problem(&ask(&hub, SUBSCRIPTIONS, &all), 404, "not-found");
    let one = format!("{SUBSCRIPTIONS}/exact/a");
    check_problem(&ask(&hub, &one, &all), 404, "not-found");
    drop(watch(&hub, "match=a", &all, None));
    publish(&hub, "end");
    assert_eq!(
        presence.next().map(|event| event.data),
        Some("end".to_owned())
    );
}

#[test]
fn streams_of_both_protocols_end_in_every_way() {
    let hub = hub();
    let all = new(&["*"]);
    let mut known = Known::fetch(&hub, &all);
    let shared = Shared::connect(&hub);
    // A connection that is closed, one that is reset, a stream that is reset.
    let closed = watch(&hub, "match=closed", &all, None);
    let reset = watch(&hub, "match=reset", &all, None);
    let stream = shared.watch("match=stream", &all);
    for topic in ["closed", "reset", "stream"] {
        known.until_there(topic);
    }
    let now = document(&hub, SUBSCRIPTIONS, &all);
    assert_eq!(listed(&now), known.there);
    drop(closed);
    known.until_gone("closed");
    reset.into_http().reset().expect("a socket");
    known.until_gone("reset");
    drop(stream);
    known.until_gone("stream");
    // A connection with several streams.
    let _streams: Vec<_> = (0..20).map(|_| shared.watch("match=many", &all)).collect();
    while known
        .there
        .values()
        .filter(|own| own["match"] == "many")
        .count()
        < 20
    {
        known.next();
    }
    drop(_streams);
    drop(shared);
    known.until_gone("many");
    assert_eq!(listed(&document(&hub, SUBSCRIPTIONS, &all)), known.there);
}

#[test]
fn a_token_that_ends_ends_its_subscriptions() {
    let hub = hub();
    let all = new(&["*"]);
    let mut known = Known::fetch(&hub, &all);
    let shared = Shared::connect(&hub);
    let mut lane = watch(&hub, "match=lane", &short(5), None);
    let mut pulled = shared.watch("match=pulled", &short(5));
    known.until_there("lane");
    known.until_there("pulled");
    known.until_gone("lane");
    known.until_gone("pulled");
    while lane.next().is_some() {}
    assert!(shared.ends(&mut pulled));
}

#[test]
fn a_token_that_is_revoked_ends_its_subscriptions() {
    let hub = hub();
    let all = new(&["*"]);
    let mut known = Known::fetch(&hub, &all);
    let shared = Shared::connect(&hub);
    let mut claims = details(&[("*", None)]);
    claims["jti"] = "lost".into();
    let lost = with(claims);
    let mut lane = watch(&hub, "match=lane", &lost, None);
    let mut pulled = shared.watch("match=pulled", &lost);
    known.until_there("lane");
    known.until_there("pulled");
    let admin = bearer(json!({ "tidings": { "admin": true } }));
    let headers = [
        ("Authorization", &*admin),
        ("Content-Type", "application/json"),
    ];
    let revoked = hub
        .http()
        .request("POST", "/admin/revocations", &headers, br#"{"jti":"lost"}"#);
    assert!(revoked.status < 300, "{}", revoked.text());
    known.until_gone("lane");
    known.until_gone("pulled");
    while lane.next().is_some() {}
    assert!(shared.ends(&mut pulled));
}

/// Who watches across the end of a hub is told of everyone who went with it.
fn check_across(hub: HubProcess, end: impl FnOnce(HubProcess) -> tidings_testkit::Launch) {
    let all = new(&["*"]);
    let mut known = Known::fetch(&hub, &all);
    let shared = Shared::connect(&hub);
    let _lane = watch(&hub, "match=lane&match=other", &all, None);
    let _pulled = shared.watch("match=pulled", &all);
    for topic in ["lane", "other", "pulled"] {
        known.until_there(topic);
    }
    let launch = end(hub);
    // What came before it ended.
    while let Ok(Some(event)) = known.watch.try_next() {
        known.apply(&event);
    }
    let after = known.watch.last_event_id().to_owned();
    let hub = launch.start();
    let nobody = document(&hub, SUBSCRIPTIONS, &all);
    assert_eq!(listed(&nobody).len(), 0, "{nobody}");
    let pattern = encode(&format!("{SUBSCRIPTIONS}/:match_type/:match/:subscriber"));
    let query = format!("match_urlpattern={pattern}");
    known.watch = watch(&hub, &query, &all, Some(&after));
    let own = loop {
        let document = known.next();
        if document["active"] == true {
            break document["id"].as_str().expect("an id").to_owned();
        }
    };
    let left: Vec<&String> = known.there.keys().collect();
    assert_eq!(left, [&own]);
}

#[test]
fn a_hub_that_drains_says_who_went() {
    check_across(hub(), |mut hub| {
        hub.signal(Signal::TERM);
        hub.wait(tidings_testkit::PATIENCE);
        hub.launch_again()
    });
}

#[test]
fn a_hub_that_was_killed_says_who_went_when_it_comes_back() {
    check_across(hub(), HubProcess::kill);
}

#[test]
fn presence_11_collection_and_events_are_one_history_while_200_come_and_go() {
    let seed = fastrand::u64(..);
    let hub = hub();
    let all = new(&["*"]);
    let churn = |number: u64| {
        let mut random = fastrand::Rng::with_seed(seed ^ number);
        let shared = Shared::connect(&hub);
        let (mut lanes, mut pulled) = (Vec::new(), Vec::new());
        // Of a hundred places, each taken and left several times.
        for _ in 0..250 {
            let topic = random.u8(0..9);
            match random.u8(0..5) {
                0 if !lanes.is_empty() => drop(lanes.swap_remove(random.usize(..lanes.len()))),
                1 if !pulled.is_empty() => drop(pulled.swap_remove(random.usize(..pulled.len()))),
                2 => lanes.push(watch(&hub, &format!("match={topic}&match=all"), &all, None)),
                _ => pulled.push(shared.watch(&format!("match={topic}"), &all)),
            }
        }
        (lanes, pulled, shared)
    };
    let early = Known::fetch(&hub, &all);
    let (kept, late) = std::thread::scope(|scope| {
        let churns = [1, 2].map(|number| {
            let churn = &churn;
            scope.spawn(move || churn(number))
        });
        // In the middle of it, others fetch and watch on.
        let late: Vec<Known> = (0..5).map(|_| Known::fetch(&hub, &all)).collect();
        (churns.map(|churn| churn.join().expect("no panic")), late)
    });
    let known = late.into_iter().chain([early]);
    let mut known: Vec<Known> = known.collect();
    // At whatever moment a document is asked for, it is what the events say.
    for own in &mut known {
        let answer = ask(&hub, SUBSCRIPTIONS, &all);
        let at = cursor(&answer);
        while own.watch.last_event_id() != at {
            own.next();
        }
        assert_eq!(own.there, listed(&answer.json()), "seed {seed}");
    }
    // What was left before may be noticed a little later.
    let kept_streams = kept.iter();
    let there = kept_streams.map(|(lanes, pulled, _)| 2 * lanes.len() + pulled.len());
    let there = there.sum::<usize>() + known.len();
    for own in &mut known {
        while own.there.len() != there {
            own.next();
        }
        let truth = listed(&document(&hub, SUBSCRIPTIONS, &all));
        assert_eq!(own.there, truth, "seed {seed}");
    }
}
