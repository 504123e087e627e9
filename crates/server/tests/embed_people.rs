//! A hub in a program: closing, and who is there.

use futures_util::{FutureExt, StreamExt};
use http::request::Parts;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use std::time::Duration;
use tidings_server::{
    Access, Body, Event, Hub, Limits, Presence, PresenceChanges, PresenceError, PublishError,
    Received, Since,
};

fn request(path: &str, last_event_id: Option<&str>) -> Parts {
    let mut request = Request::get(path).header("accept", "text/event-stream");
    if let Some(id) = last_event_id {
        request = request.header("last-event-id", id);
    }
    request.body(()).expect("a request").into_parts().0
}

/// What a body gives until `text` was in it.
async fn text_until(body: &mut Body, text: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(text) {
        let frame = body
            .frame()
            .await
            .unwrap_or_else(|| panic!("the end behind {seen:?}"));
        let data = frame
            .unwrap()
            .into_data()
            .expect("a stream has no trailers");
        seen.push_str(std::str::from_utf8(&data).unwrap());
    }
    seen
}

#[tokio::test]
async fn a_closed_topic_ends_its_streams_and_answers_204() {
    let hub = Hub::builder().open().unwrap();
    let first = hub.publish("answer", Event::new("Hello")).await.unwrap();
    let live = hub.subscribe(["answer"], Since::Earliest).await.unwrap();
    let pattern = hub.subscribe(["*"], Since::Earliest).await.unwrap();
    let mut stream = hub
        .event_stream(&request("/", None), ["answer"], Since::Latest)
        .await
        .into_body();
    text_until(&mut stream, "id: ").await;
    let end = hub
        .close("answer", Some(Event::new("world")))
        .await
        .unwrap();
    assert!(hub.is_closed("answer") && !hub.is_closed("other") && !hub.is_closed("//"));
    let all: Vec<Received> = live.collect().await;
    let names = all.into_iter().filter_map(Received::event);
    let names: Vec<String> = names.map(|event| event.event_type().to_owned()).collect();
    assert_eq!(names, ["message", "message", "tidings:end"]);
    let rest = text_until(&mut stream, "retry: ").await;
    assert!(
        rest.contains("data: world\n") && rest.contains("event: tidings:end\n"),
        "{rest}"
    );
    assert!(stream.frame().await.is_none());
    // A pattern goes on.
    let seen: Vec<Received> = pattern.take(3).collect().await;
    assert_eq!(seen.len(), 3);

    let again = async |id: Option<&str>, since| {
        let request = request("/", id);
        hub.event_stream(&request, ["answer"], since).await.status()
    };
    assert_eq!(
        again(Some(end.as_str()), Since::Earliest).await,
        StatusCode::NO_CONTENT
    );
    assert_eq!(again(None, Since::Latest).await, StatusCode::NO_CONTENT);
    assert_eq!(
        again(Some(first.as_str()), Since::Latest).await,
        StatusCode::OK
    );

    // Closing again changes nothing; publishing opens it only if it is meant to.
    assert_eq!(hub.close("answer", None).await, Ok(end));
    let refused = hub.publish("answer", Event::new("late")).await;
    assert_eq!(refused, Err(PublishError::TopicClosed));
    hub.publish("answer", Event::new("again").reopening())
        .await
        .unwrap();
    assert!(!hub.is_closed("answer"));
    assert_eq!(hub.close("$sys", None).await, Err(PublishError::Reserved));
}

/// The next state, and whether nothing else has changed.
async fn next(changes: &mut PresenceChanges) -> Presence {
    changes.next().await.expect("a hub that goes on")
}

fn shown(presence: &Presence) -> Vec<&str> {
    let members = presence.members.as_deref().expect("a list");
    let mut shown: Vec<&str> = members
        .iter()
        .filter_map(|own| own.shown.as_deref())
        .collect();
    shown.sort_unstable();
    shown
}

fn visitor(name: &str) -> Access {
    let access = Access::nothing()
        .identity(name)
        .shown(name.to_uppercase().into());
    access.watch(["room/*"])
}

#[tokio::test]
async fn several_streams_of_one_visitor_are_one_member() {
    let grace = Duration::from_millis(50);
    let hub = Hub::builder()
        .presence_grace(grace)
        .presence_list(2)
        .open()
        .unwrap();
    let mut changes = hub.presence_changes("room/7").await.unwrap();
    assert_eq!(next(&mut changes).await.count, 0);
    let enter_as = async |access: Access| {
        let request = request("/room", None);
        let stream = hub
            .event_stream_for(access, &request, ["room/7"], Since::Latest)
            .await;
        assert_eq!(stream.status(), StatusCode::OK);
        let mut body = stream.into_body();
        text_until(&mut body, "id: ").await;
        body
    };
    let enter = async |name: &str| enter_as(visitor(name)).await;
    // Who is not named is not there.
    let _stranger = enter_as(Access::nothing().watch(["room/*"])).await;
    let (tab, other_tab) = (enter("ada").await, enter("ada").await);
    let now = next(&mut changes).await;
    assert_eq!((now.count, shown(&now)), (1, vec!["\"ADA\""]));
    assert_eq!(hub.presence("room/7").unwrap(), now);
    let grace_in = enter("grace").await;
    let now = next(&mut changes).await;
    assert_eq!((now.count, shown(&now)), (2, vec!["\"ADA\"", "\"GRACE\""]));
    // Nobody leaves with one of two streams; who leaves with the last is missed later.
    drop(tab);
    drop(grace_in);
    let now = next(&mut changes).await;
    assert_eq!((now.count, shown(&now)), (1, vec!["\"ADA\""]));
    // More than are listed are counted.
    let crowd = [enter("b").await, enter("c").await, enter("d").await];
    let mut now = next(&mut changes).await;
    while now.count < 4 {
        now = next(&mut changes).await;
    }
    assert_eq!(now.members, None);
    drop((other_tab, crowd));
    while now.count > 0 {
        now = next(&mut changes).await;
    }
    assert!(
        changes.next().now_or_never().is_none(),
        "nothing else changes"
    );
}

#[tokio::test]
async fn what_the_visitor_may_decides_what_the_stream_gives() {
    let hub = Hub::builder().open().unwrap();
    hub.publish("room/7", Event::new("for ada")).await.unwrap();
    hub.publish("secret", Event::new("for nobody"))
        .await
        .unwrap();
    let ask = async |access: Access, selectors: &[&str], path: &str| {
        hub.event_stream_for(access, &request(path, None), selectors, Since::Earliest)
            .await
    };
    for (access, selectors) in [
        (visitor("ada"), &["room/7", "secret"][..]),
        (visitor("ada"), &["**"]),
        (Access::nothing(), &["room/7"]),
    ] {
        let refused = ask(access, selectors, "/").await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    }
    let gone = ask(Access::refuse(StatusCode::UNAUTHORIZED), &["room/7"], "/").await;
    assert_eq!(gone.status(), StatusCode::UNAUTHORIZED);
    let later = ask(Access::later(), &["room/7"], "/").await;
    assert_eq!(later.status(), StatusCode::OK);
    let later = later.into_body().collect().await.unwrap().to_bytes();
    assert!(later.starts_with(b"retry: "));
    // The query is heard as at the hub's own paths.
    let stream = ask(visitor("ada"), &["room/7"], "/?envelope=json&presence=1").await;
    let mut body = stream.into_body();
    let mut text = text_until(&mut body, "for ada").await;
    // Which of them comes first isn't said.
    if !text.contains("event: tidings:presence\n") {
        text += &text_until(&mut body, "event: tidings:presence\n").await;
    }
    assert!(
        text.contains(r#"data: {"topic":"room/7","event":"message""#),
        "{text}"
    );
    let pattern = ask(visitor("ada"), &["room/*"], "/?presence=1").await;
    assert_eq!(pattern.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_visitor_who_is_granted_more_than_a_stream_may_hold_is_granted_nothing() {
    let limits = Limits {
        standing_bytes: 20_000,
        ..Limits::default()
    };
    let check = async |limits: Limits, topics: usize, expected: StatusCode| {
        let hub = Hub::builder().limits(limits).open().unwrap();
        let topics = (0..topics).map(|number| format!("inbox/{number}"));
        let access = Access::nothing().watch(topics);
        let answer = hub
            .event_stream_for(access, &request("/", None), ["inbox/1"], Since::Latest)
            .await;
        assert_eq!(answer.status(), expected);
    };
    check(limits.clone(), 200, StatusCode::OK).await;
    // However small the bound, something can be granted.
    let least = Limits {
        standing_bytes: 1,
        ..limits.clone()
    };
    check(least, 10, StatusCode::OK).await;
    check(limits, 700, StatusCode::FORBIDDEN).await;
    check(Limits::default(), 600, StatusCode::OK).await;
    check(Limits::default(), 2_000, StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn presence_that_is_not_kept() {
    let hub = Hub::builder().open().unwrap();
    assert!(matches!(hub.presence("a/*"), Err(PresenceError::Topic(_))));
    assert_eq!(hub.presence("$sys/stats"), Err(PresenceError::NotKept));
    let changes = hub.presence_changes("$sys/stats").await;
    assert_eq!(changes.map(drop), Err(PresenceError::NotKept));
}
