//! Other people's publishers and applications, made for Mercure's hub, use ours.

mod interop;

use interop::client::Client;
use interop::stranger::Stranger;
use interop::{directory, python};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use tidings_testkit::{HubProcess, Received, Watch, launch};

const KEY: &str = "a secret that publishers and subscribers share";
const HUB: &str = "/.well-known/mercure";

fn hub() -> HubProcess {
    launch!(
        "MERCURE_PUBLISHER_JWT_KEY" = KEY,
        "MERCURE_SUBSCRIBER_JWT_KEY" = KEY,
        "MERCURE_EXTRA_DIRECTIVES" = "anonymous\nsubscriptions",
    )
    .start()
}

/// Events as its publishers are told them, all of one topic.
fn events(topic: &str) -> Vec<Value> {
    vec![
        json!({"topics": [topic], "data": "plain"}),
        json!({"topics": [topic], "data": "a blank line\n\n  and blanks; & = + %", "id": "urn:x:1"}),
        json!({"topics": [topic], "data": "größe 🦀", "type": "added", "retry": 2000}),
        json!({"topics": [topic], "data": "secret", "private": true}),
        json!({"topics": [topic], "data": "{\"n\": 1}", "id": "id-[\"2\"]", "type": "json"}),
    ]
}

/// What is to be seen of an event that was given this id.
fn seen(event: &Value, id: &str) -> Received {
    Received {
        event: event["type"].as_str().unwrap_or("message").to_owned(),
        data: event["data"].as_str().unwrap_or_default().to_owned(),
        id: id.to_owned(),
    }
}

/// The stranger writes the id of each event, and the watchers see what they may.
#[track_caller]
fn check_published(
    stranger: &Stranger,
    events: &[Value],
    mut granted: Watch,
    mut anonymous: Watch,
) {
    for event in events {
        let Value::String(id) = stranger.json() else {
            panic!("{} wrote no id", stranger.name());
        };
        if let Some(own) = event["id"].as_str() {
            assert_eq!(id, own);
        }
        let expected = seen(event, &id);
        assert_eq!(granted.next(), Some(expected.clone()));
        if event["private"] != true {
            assert_eq!(anonymous.next(), Some(expected));
        }
    }
}

fn script(python: &Path, name: &str, arguments: &[&str]) -> Stranger {
    let mut command = Command::new(python);
    command
        .arg(directory().join("clients").join(name))
        .args(arguments);
    Stranger::start(name, &mut command)
}

#[test]
fn pypi_mercure_publisher() {
    let Some(python) = python() else { return };
    let hub = hub();
    let topic = "https://example.com/books/1";
    let mut all = events(topic);
    all.push(json!({"topics": ["https://example.com/other", topic], "data": "of two topics"}));
    let watched = format!("{HUB}?topic=https://example.com/books/%7Bid%7D");
    let token = tidings_testkit::token::signed(
        json!({"mercure": {"subscribe": ["*"]}, "exp": null, "aud": null}),
        KEY.as_bytes(),
        "JWT",
    );
    let granted = hub.watch(&format!("{watched}&authorization={token}"));
    let anonymous = hub.watch(&watched);
    assert_eq!((granted.head().status, anonymous.head().status), (200, 200));
    let url = format!("http://{}{HUB}", hub.address());
    let told = Value::from(all.clone()).to_string();
    let stranger = script(&python, "mercure_publisher_client.py", &[&url, KEY, &told]);
    check_published(&stranger, &all, granted, anonymous);
}

#[test]
fn pypi_flask_mercure_sse() {
    let Some(python) = python() else { return };
    let hub = hub();
    // It doesn't encode the slashes of what it asks the subscription API for.
    let topic = "books";
    let all = events(topic);
    let url = format!("http://{}{HUB}", hub.address());
    let told = Value::from(all.clone()).to_string();
    let arguments = [&*url, KEY, topic, &told];
    let stranger = script(&python, "flask_mercure_sse_client.py", &arguments);
    let Value::String(given) = stranger.json() else {
        panic!("no URL for a page");
    };
    let path = given.strip_prefix(&format!("http://{}", hub.address()));
    // Of whom it asks for a payload, which who has no token has not.
    let anonymous = hub.watch(&format!("{HUB}?topic=*"));
    let granted = hub.watch(path.expect("a URL of the hub"));
    assert_eq!((granted.head().status, anonymous.head().status), (200, 200));
    assert_eq!(stranger.json(), Value::Bool(true), "who watches, by name");
    check_published(&stranger, &all, granted, anonymous);
}
