//! Other people's Rust clients watch our hub. Both remember an id only with an
//! event that has data (against rule B1): what is published between a connection
//! that is lost before its first event and the next one is lost to them. So that
//! isn't tested of them.

mod interop;

use eventsource_client::{Client as _, ClientBuilder, ReconnectOptions, SSE};
use futures_util::StreamExt;
use interop::client::InProcess;
use interop::hub::check_watches;
use launchdarkly_sdk_transport::HyperTransport;
use reqwest_eventsource::{Event, EventSource};
use std::sync::mpsc::Sender;
use std::time::Duration;
use tidings_testkit::Received;

#[test]
fn rust_eventsource_client() {
    check_watches(|url| {
        let url = url.to_owned();
        InProcess::start("eventsource-client", |sender| {
            eventsource_client(url, sender)
        })
    });
}

async fn eventsource_client(url: String, sender: Sender<Received>) {
    let reconnect = ReconnectOptions::reconnect(true)
        .retry_initial(true)
        .delay(Duration::from_millis(100))
        .delay_max(Duration::from_millis(500));
    let client = ClientBuilder::for_url(&url)
        .expect("a URL")
        .reconnect(reconnect.build())
        .build_with_transport(HyperTransport::new().expect("a transport"));
    let mut stream = client.stream();
    let mut last_event_id = String::new();
    while let Some(item) = stream.next().await {
        // An error is that of a connection, after which it makes another.
        let Ok(SSE::Event(event)) = item else {
            continue;
        };
        last_event_id = event.id.unwrap_or(last_event_id);
        let received = Received {
            event: event.event_type,
            data: event.data,
            id: last_event_id.clone(),
        };
        if sender.send(received).is_err() {
            return;
        }
    }
}

#[test]
fn rust_reqwest_eventsource() {
    check_watches(|url| {
        let url = url.to_owned();
        InProcess::start("reqwest-eventsource", |sender| {
            reqwest_eventsource(url, sender)
        })
    });
}

async fn reqwest_eventsource(url: String, sender: Sender<Received>) {
    let mut source = EventSource::get(url);
    while let Some(item) = source.next().await {
        match item {
            Ok(Event::Message(event)) => {
                let received = Received {
                    event: event.event,
                    data: event.data,
                    id: event.id,
                };
                if sender.send(received).is_err() {
                    return;
                }
            }
            Ok(Event::Open) => {}
            Err(error) => eprintln!("{error}"),
        }
    }
}
