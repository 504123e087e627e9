//! The clients: each reads a number of events from a URL and looks at them.

use eventsource_client::{Client as _, ClientBuilder, SSE};
use futures_util::StreamExt;
use launchdarkly_sdk_transport::HyperTransport;
use reqwest_eventsource::EventSource;
use std::cell::OnceCell;
use std::hint::black_box;
use std::pin::Pin;
use tidings_eventsource::transport::Hyper;
use tidings_eventsource::{Builder, TokioRuntime};

type Reading = Pin<Box<dyn Future<Output = usize> + Send>>;

pub struct Client {
    pub name: &'static str,
    /// Reads that many events from a URL; gives how many there were.
    pub read: fn(&str, usize) -> Reading,
}

/// Ours is the first.
pub const CLIENTS: [Client; 3] = [
    Client {
        name: "tidings",
        read: |url, events| Box::pin(tidings(url.to_owned(), events)),
    },
    Client {
        name: "eventsource-client",
        read: |url, events| Box::pin(eventsource_client(url.to_owned(), events)),
    },
    Client {
        name: "reqwest-eventsource",
        read: |url, events| Box::pin(reqwest_eventsource(url.to_owned(), events)),
    },
];

thread_local! {
    // What reads the platform's certificates is made once.
    static HYPER: Hyper = Hyper::builder().no_proxy().build();
    static LAUNCHDARKLY: OnceCell<HyperTransport> = const { OnceCell::new() };
}

async fn tidings(url: String, events: usize) -> usize {
    let transport = HYPER.with(Hyper::clone);
    let mut stream = Builder::new(url, transport, TokioRuntime::new())
        .open()
        .expect("a URL");
    let mut seen = 0;
    while seen < events {
        let item = stream.next().await.expect("no end");
        let event = item.expect("an event");
        black_box((&event.event_type, &event.data, &event.last_event_id));
        seen += 1;
    }
    seen
}

async fn eventsource_client(url: String, events: usize) -> usize {
    let transport = LAUNCHDARKLY.with(|transport| {
        let make = || HyperTransport::new().expect("a transport");
        transport.get_or_init(make).clone()
    });
    let client = ClientBuilder::for_url(&url)
        .expect("a URL")
        .build_with_transport(transport);
    let mut stream = client.stream();
    let mut seen = 0;
    while seen < events {
        let item = stream.next().await.expect("no end");
        // It tells of the connection and of comments too.
        if let SSE::Event(event) = item.expect("an event") {
            black_box((&event.event_type, &event.data, &event.id));
            seen += 1;
        }
    }
    seen
}

async fn reqwest_eventsource(url: String, events: usize) -> usize {
    // Its `get` makes a client too.
    let mut stream = EventSource::get(url);
    let mut seen = 0;
    while seen < events {
        let item = stream.next().await.expect("no end");
        if let reqwest_eventsource::Event::Message(event) = item.expect("an event") {
            black_box((&event.event, &event.data, &event.id));
            seen += 1;
        }
    }
    seen
}
