//! The names of a topic on both faces, as rights see them.

mod common;

use common::{BASE, mercure, native};
use tidings_auth::TopicName;

fn names<'a>(topic: &'a TopicName<'_>) -> (Option<&'a str>, Option<&'a str>) {
    (
        topic.as_native().map(|topic| topic.as_str()),
        topic.as_mercure(),
    )
}

#[test]
fn a_topic_has_the_same_names_from_whichever_face_it_comes() {
    for (path, url) in [
        ("news", "https://hub.example/t/news"),
        ("a b/caf\u{e9}", "https://hub.example/t/a%20b/caf%C3%A9"),
        ("$mercure/raw", "raw"),
        ("$mercure/https:/%/a.example/1", "https://a.example/1"),
    ] {
        assert_eq!(names(&native(path)), (Some(path), Some(url)));
        assert_eq!(names(&mercure(url)), (Some(path), Some(url)));
    }
    // The hub's own has no name there, and what looks like one is another's.
    assert_eq!(names(&native("$hub/x")), (Some("$hub/x"), None));
    let url = "https://hub.example/t/$hub/x";
    let other = "$mercure/https:/%/hub.example/t/$hub/x";
    assert_eq!(names(&mercure(url)), (Some(other), Some(url)));
    // What the log can't keep has no native name.
    assert_eq!(names(&mercure("a\nb")), (None, Some("a\nb")));
}

#[test]
fn other_spellings_are_other_topics() {
    for url in [
        "https://hub.example/t/%6Eews",
        "https://hub.example/t/a%2Fb",
        "https://hub.example/t/../t/news",
        "https://HUB.example/t/news",
        "https://hub.example:443/t/news",
        "/t/news",
    ] {
        let topic = mercure(url);
        let native = topic.as_native().map(|topic| topic.as_str().to_owned());
        assert!(
            native.is_some_and(|path| path.starts_with("$mercure/")),
            "{url}"
        );
    }
}

/// Mercure #1259 and row b10: however it is spelled, and whatever its host.
#[test]
fn b10_mercure_1259_topics_that_only_the_hub_publishes_to() {
    for topic in [
        "*",
        "/.well-known/mercure",
        "/.well-known/mercure/subscriptions/a/b",
        "https://hub.example/.well-known/mercure",
        "https://other.example/.well-known/mercure/subscriptions",
        "https://hub.example./.well-known/mercure",
        "HTTPS://HUB.EXAMPLE/.well-known/mercure",
        "https://hub.example/.well-known/%6Dercure",
        "https://hub.example//.well-known//mercure",
        "https://hub.example/./.well-known/./mercure",
        "https://hub.example/a/%2e%2e/.well-known/mercure",
        "https://hub.example/.Well-Known/MERCURE",
        "https://hub.example/t/$hub",
        "https://hub.example/t/$hub/x",
    ] {
        assert!(mercure(topic).is_reserved(), "{topic:?}");
    }
    for topic in [
        "news",
        "https://hub.example/t/news",
        "https://books.example/1",
        "urn:uuid:5f0d",
    ] {
        assert!(!mercure(topic).is_reserved(), "{topic:?}");
    }
    // Natively nobody publishes to what stands for Mercure's topics either.
    for topic in ["$hub/x", "$mercure/raw"] {
        assert!(native(topic).is_reserved(), "{topic:?}");
    }
    assert!(!native("mercure").is_reserved());
    assert_eq!(BASE.hub().path(), "/.well-known/mercure");
}
