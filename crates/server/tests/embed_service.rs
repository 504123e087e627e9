//! A hub mounted in applications: axum, hyper, and who may do what there.

#[path = "embed_service/http2.rs"]
mod http2;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::request::Parts;
use http::{Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};
use tidings_server::{Access, Body, Event, Hub, PublishError, Routes, Service, Since};
use tidings_testkit::{Http, Watch, check_problem};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// An application that serves.
struct Served {
    address: SocketAddr,
    hub: Hub,
    runtime: Runtime,
}

impl Served {
    /// An application that `app` makes of a hub, served by axum.
    fn axum(app: impl FnOnce(&Hub) -> Router) -> Self {
        Self::of(app, |listener, app| async {
            axum::serve(listener, app).await.expect("a server");
        })
    }

    /// A service alone, served by hyper.
    fn hyper(service: impl FnOnce(&Hub) -> Service) -> Self {
        Self::of(service, |listener, service| async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = TowerToHyperService::new(service.clone());
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let connection = builder.serve_connection(TokioIo::new(socket), service);
                    // Whoever asks may close it as they like.
                    let _ = connection.await;
                });
            }
        })
    }

    /// The same as [`Served::axum`], over HTTP/2 alone: whoever speaks anything else
    /// is not answered.
    fn http2(app: impl FnOnce(&Hub) -> Router) -> Self {
        Self::of(app, |listener, app| async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = TowerToHyperService::new(app.clone());
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new()).http2_only();
                    let connection = builder.serve_connection(TokioIo::new(socket), service);
                    let _ = connection.await;
                });
            }
        })
    }

    fn of<A, F>(app: impl FnOnce(&Hub) -> A, serve: impl FnOnce(TcpListener, A) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Runtime::new().expect("a runtime");
        let _entered = runtime.enter();
        let hub = Hub::builder().presence_grace(Duration::from_millis(50));
        let hub = hub.drain_window(Duration::ZERO).open().expect("a hub");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = app(&hub);
        runtime.spawn(serve(listener, app));
        drop(_entered);
        Self {
            address,
            hub,
            runtime,
        }
    }

    fn publish(&self, topic: &str, data: &str) -> String {
        let published = self.hub.publish(topic, Event::new(data));
        let id = self.runtime.block_on(published).expect("an event");
        id.as_str().to_owned()
    }

    fn http(&self) -> Http {
        Http::connect(self.address)
    }

    fn watch(&self, path: &str, headers: &[(&str, &str)]) -> Watch {
        let mut http = self.http();
        let headers = [&[("Accept", "text/event-stream")], headers].concat();
        http.send_request("GET", path, &headers, b"").expect("sent");
        Watch::answered(http).expect("an answer").opened()
    }
}

fn data(watch: &mut Watch, count: usize) -> Vec<String> {
    let events = watch.events(count);
    events.into_iter().map(|event| event.data).collect()
}

/// Who they are stands in a header, which decides what they may.
fn by_header(hub: &Hub) -> Service {
    let access = |head: &Parts| {
        let user = head.headers.get("x-user").cloned();
        async move {
            match user.as_ref().and_then(|user| user.to_str().ok()) {
                Some("ada") => Access::nothing()
                    .identity("ada")
                    .watch(["room/*"])
                    .publish_topic("room/ada"),
                Some("operator") => Access::nothing().admin(),
                Some("star") => Access::nothing().watch_topic("*").publish_topic("*"),
                Some("later") => Access::later(),
                Some("gone") => Access::refuse(StatusCode::UNAUTHORIZED),
                _ => Access::nothing().watch(["news"]),
            }
        }
    };
    let routes = Routes::default() | Routes::ADMIN | Routes::HEALTH;
    hub.service().authorize(access).routes(routes).build()
}

const ADA: (&str, &str) = ("X-User", "ada");

#[test]
fn the_application_decides_for_each_topic_and_who_is_refused_sees_no_event() {
    let app = Served::axum(|hub| Router::new().fallback_service(by_header(hub)));
    let mut http = app.http();
    // Publishing.
    let published = http.request("POST", "/t/room/ada", &[ADA], b"hello");
    assert_eq!(
        (published.status, &*published.json()["topic"].to_string()),
        (200, "\"room/ada\"")
    );
    for (user, topic) in [
        ("ada", "room/bob"),
        ("ada", "news"),
        ("bob", "room/ada"),
        ("star", "x"),
    ] {
        let path = format!("/t/{topic}");
        let refused = http.request("POST", &path, &[("X-User", user)], b"no");
        check_problem(&refused, 403, "not-granted");
    }
    let one = br#"[{"topic":"room/ada","data":"x"},{"topic":"news","data":"y"}]"#;
    let json = ("Content-Type", "application/json");
    check_problem(
        &http.request("POST", "/events", &[ADA, json], one),
        403,
        "not-granted",
    );
    // Watching, live and from before.
    for (user, path) in [
        ("ada", "/t/news"),
        ("ada", "/t/**"),
        ("ada", "/events?topic=room/ada&topic=news"),
        ("bob", "/t/room/ada?since=earliest"),
        ("star", "/t/room/ada"),
        ("star", "/t/*"),
        ("operator", "/t/news"),
    ] {
        let user = ("X-User", user);
        let stream = ("Accept", "text/event-stream");
        check_problem(
            &http.request("GET", path, &[user, stream], b""),
            403,
            "not-granted",
        );
        let page = ("Accept", "application/json");
        check_problem(
            &http.request("GET", path, &[user, page], b""),
            403,
            "not-granted",
        );
    }
    app.publish("news", "for everybody");
    app.publish("room/bob", "for rooms");
    let mut news = app.watch("/t/news?since=earliest", &[]);
    let mut rooms = app.watch("/t/room/*?since=earliest", &[ADA]);
    app.publish("news", "last");
    app.publish("room/ada", "last");
    assert_eq!(data(&mut news, 2), ["for everybody", "last"]);
    assert_eq!(data(&mut rooms, 3), ["hello", "for rooms", "last"]);
    // What is the operator's, and what is nobody's.
    assert_eq!(
        http.request("GET", "/metrics", &[("X-User", "operator")], b"")
            .status,
        200
    );
    check_problem(
        &http.request("GET", "/metrics", &[ADA], b""),
        403,
        "not-granted",
    );
    assert_eq!(
        http.request("GET", "/livez", &[("X-User", "gone")], b"")
            .status,
        200
    );
    check_problem(&http.request("GET", "/tickets", &[], b""), 404, "not-found");
}

#[test]
fn who_is_refused_for_good_and_who_is_for_now() {
    let app = Served::axum(|hub| Router::new().fallback_service(by_header(hub)));
    let mut http = app.http();
    let gone = http.request("GET", "/t/news", &[("X-User", "gone")], b"");
    check_problem(&gone, 401, "not-granted");
    // An EventSource comes back after this, and only after this.
    let stream = ("Accept", "text/event-stream");
    let later = app
        .http()
        .request("GET", "/t/news", &[("X-User", "later"), stream], b"");
    assert_eq!(
        (later.status, later.header("content-type")),
        (200, Some("text/event-stream"))
    );
    assert!(later.text().starts_with("retry: "), "{}", later.text());
    let later = http.request("POST", "/t/news", &[("X-User", "later")], b"x");
    check_problem(&later, 503, "busy");
}

#[test]
fn a_right_that_ends_ends_its_stream() {
    let app = Served::axum(|hub| {
        let access = |_: &Parts| async {
            let end = SystemTime::now() + Duration::from_millis(300);
            Access::nothing().watch(["a"]).until(end)
        };
        Router::new().fallback_service(hub.service().authorize(access).build())
    });
    let mut watch = app.watch("/t/a", &[]);
    app.publish("a", "seen");
    assert_eq!(data(&mut watch, 1), ["seen"]);
    let rest = watch.try_next().expect("a regular end");
    assert_eq!(rest, None);
    assert!(watch.retry().is_some());
}

/// Beside the application's own routes, below a prefix, and twice.
#[test]
fn several_hubs_are_mounted_in_one_application() {
    let app = Served::axum(|hub| {
        let other = Hub::builder().open().expect("another hub");
        let open = |hub: &Hub| hub.service().open().build();
        Router::new()
            .route("/hello", get(|| async { "the application's own" }))
            .nest_service("/one", open(hub))
            .nest_service("/other", open(&other))
    });
    let mut http = app.http();
    assert_eq!(
        http.request("GET", "/hello", &[], b"").text(),
        "the application's own"
    );
    let (mut one, mut other) = (app.watch("/one/t/a", &[]), app.watch("/other/t/a", &[]));
    for (path, body) in [("/one/t/a", "of one"), ("/other/t/a", "of the other")] {
        assert_eq!(http.request("POST", path, &[], body.as_bytes()).status, 200);
    }
    assert_eq!(data(&mut one, 1), ["of one"]);
    assert_eq!(data(&mut other, 1), ["of the other"]);
    assert_eq!(http.request("GET", "/t/a", &[], b"").status, 404);
}

#[test]
fn a_service_on_hyper_alone() {
    let app = Served::hyper(|hub| hub.service().open().routes(Routes::WATCH).build());
    let id = app.publish("a", "one");
    let mut watch = app.watch("/t/a", &[("Last-Event-ID", &id)]);
    app.publish("a", "two");
    assert_eq!(data(&mut watch, 1), ["two"]);
    let mut http = app.http();
    check_problem(
        &http.request("POST", "/t/a", &[], b"x"),
        405,
        "method-not-allowed",
    );
    let head = http.request("HEAD", "/t/a", &[("Accept", "text/event-stream")], b"");
    assert_eq!(head.header("cache-control"), Some("no-store, no-transform"));
}

const PAGE: (&str, &str) = ("Origin", "https://app.example");
const STRANGER: (&str, &str) = ("Origin", "https://evil.example");

#[test]
fn a_page_of_another_origin_with_credentials() {
    let app = Served::axum(|hub| {
        let access = |head: &Parts| {
            let known = head
                .headers
                .get("cookie")
                .is_some_and(|own| own == "session=ada");
            async move {
                match known {
                    true => Access::everything(),
                    false => Access::nothing(),
                }
            }
        };
        let service = hub.service().authorize(access).cors([PAGE.1]).build();
        Router::new().fallback_service(service)
    });
    let cookie = ("Cookie", "session=ada");
    let mut http = app.http();
    let asked = [
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type"),
    ];
    let preflight = http.request("OPTIONS", "/t/a", &[&[PAGE], &asked[..]].concat(), b"");
    assert_eq!(preflight.status, 204);
    assert_eq!(
        preflight.header("access-control-allow-origin"),
        Some(PAGE.1)
    );
    assert_eq!(
        preflight.header("access-control-allow-credentials"),
        Some("true")
    );
    let methods = preflight
        .header("access-control-allow-methods")
        .unwrap_or_default();
    assert!(methods.contains("POST"), "{methods}");
    let foreign = http.request("OPTIONS", "/t/a", &[&[STRANGER], &asked[..]].concat(), b"");
    assert_eq!(foreign.header("access-control-allow-origin"), None);

    let mut watch = app.watch("/t/a", &[PAGE, cookie]);
    assert_eq!(
        watch.head().header("access-control-allow-origin"),
        Some(PAGE.1)
    );
    assert_eq!(
        watch.head().header("access-control-allow-credentials"),
        Some("true")
    );
    let published = http.request("POST", "/t/a", &[PAGE, cookie], b"by a page");
    assert_eq!(published.status, 200);
    assert_eq!(data(&mut watch, 1), ["by a page"]);
    // Without the cookie the application refuses; another page is refused with it.
    check_problem(
        &http.request("POST", "/t/a", &[PAGE], b"x"),
        403,
        "not-granted",
    );
    let refused = http.request("POST", "/t/a", &[STRANGER, cookie], b"x");
    check_problem(&refused, 403, "origin-not-allowed");
    assert_eq!(refused.header("access-control-allow-origin"), None);
    let read = http.request("GET", "/t/a", &[STRANGER, cookie], b"");
    check_problem(&read, 403, "origin-not-allowed");
}

async fn connect(State(hub): State<Hub>, request: Parts) -> Response<Body> {
    hub.event_stream(&request, ["people", "room/*"], Since::Last(1))
        .await
}

/// What an application answers by itself resumes as the hub's own streams do.
#[test]
fn a_handler_of_the_applications_own_resumes() {
    let app = Served::axum(|hub| {
        let connect = get(connect).post(connect);
        Router::new()
            .route("/connect", connect)
            .with_state(hub.clone())
    });
    app.publish("people", "none");
    let id = app.publish("people", "Ada");
    let mut first = app.watch("/connect", &[]);
    assert_eq!(
        first.head().header("content-type"),
        Some("text/event-stream")
    );
    assert_eq!(data(&mut first, 1), ["Ada"]);
    app.publish("room/7", "hello");
    app.publish("elsewhere", "for nobody");
    app.publish("people", "Ada, Grace");
    assert_eq!(data(&mut first, 2), ["hello", "Ada, Grace"]);
    let mut resumed = app.watch("/connect", &[("Last-Event-ID", &id)]);
    assert_eq!(data(&mut resumed, 2), ["hello", "Ada, Grace"]);
    let foreign = Watch::try_open(app.address, "/connect", Some("td-0000000000000-7"));
    let gap = foreign.expect("an answer").events(1).remove(0);
    assert_eq!(gap.event, "tidings:gap");
    let mut http = app.http();
    let long = "x".repeat(300);
    let refused = http.request("GET", "/connect", &[("Last-Event-ID", &long)], b"");
    check_problem(&refused, 400, "invalid-cursor");
    let head = http.request("HEAD", "/connect", &[], b"");
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, Some("text/event-stream"))
    );
}

/// What comes in pieces is published as it comes, through whatever body type.
#[test]
fn a_stream_of_events_is_published_through_the_application() {
    let app = Served::axum(|hub| Router::new().fallback_service(hub.service().open().build()));
    let mut watch = app.watch("/t/answer", &[]);
    let mut http = app.http();
    let headers = [
        ("Content-Type", "text/event-stream"),
        ("Transfer-Encoding", "chunked"),
    ];
    http.send_request("POST", "/t/answer", &headers, b"")
        .unwrap();
    http.send_chunk(b"data: one\n\nda").unwrap();
    assert_eq!(data(&mut watch, 1), ["one"]);
    http.send_chunk(b"ta: two\n\n").unwrap();
    assert_eq!(data(&mut watch, 1), ["two"]);
    let answer = http.end_chunks();
    assert_eq!(
        (answer.status, &answer.json()["published"]),
        (200, &2.into())
    );
}

/// A key of a visitor is not the application's, though they name themselves alike.
#[test]
fn p7_visitors_meet_no_key_of_the_applications_own() {
    const TOPIC: &str = "room/ada";
    let by_name = Served::axum(|hub| Router::new().fallback_service(by_header(hub)));
    let open = Served::axum(|hub| Router::new().fallback_service(hub.service().open().build()));
    for served in [&by_name, &open] {
        let publish = |data: &str| {
            let event = Event::new(data).key("k");
            let published = served.hub.publish(TOPIC, event);
            served.runtime.block_on(published)
        };
        let ask = |data: &str| {
            let key = ("Idempotency-Key", "k");
            let path = format!("/t/{TOPIC}");
            served
                .http()
                .request("POST", &path, &[ADA, key], data.as_bytes())
        };
        let id = publish("of the application").expect("an event");
        let other = ask("of a visitor");
        assert_eq!(other.status, 200, "{}", other.text());
        check_problem(&ask("another"), 422, "key-conflict");
        assert_eq!(publish("of the application"), Ok(id));
        assert_eq!(publish("of a visitor"), Err(PublishError::KeyConflict));
    }
}
