//! Our client, as the checks see it.

use super::client::{Client, InProcess};
use super::stranger::Stranger;
use super::table;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidings_eventsource::event_source::{DomEvent, Listeners};
use tidings_eventsource::protocol::{Backoff, Policy};
use tidings_eventsource::transport::{Hyper, HyperBuilder};
use tidings_eventsource::{Builder, EventSource, EventSourceInit, EventStream, TokioRuntime};
use tidings_testkit::Received;

/// A stream of ours.
#[derive(Debug)]
pub struct Ours {
    client: InProcess,
    retries: Receiver<Duration>,
}

impl Ours {
    /// The reconnection times that events have brought since this was asked last.
    pub fn retries(&self) -> Vec<Duration> {
        self.retries.try_iter().collect()
    }
}

impl Client for Ours {
    fn name(&self) -> &str {
        self.client.name()
    }

    fn event(&mut self) -> Received {
        self.client.event()
    }
}

/// Watches over HTTP/1.1 without TLS, with it over what is negotiated.
pub fn negotiated(url: &str) -> Ours {
    watching(url, Hyper::builder())
}

/// Watches over HTTP/2.
pub fn http2(url: &str) -> Ours {
    watching(url, Hyper::builder().http2_prior_knowledge())
}

/// Watches with these options of the transport.
pub fn watching(url: &str, transport: HyperBuilder) -> Ours {
    let transport = transport.no_proxy().build();
    let mut policy = Policy::resilient();
    // Some servers don't give one, and a test waits for it several times.
    policy.reconnection_time = Duration::from_millis(100);
    // A connection that brought an event was good, however soon it was cut: the
    // waits would grow beyond what a test waits for.
    policy.backoff = Backoff::Jitter {
        ceiling: Duration::from_secs(5),
        stable: Duration::ZERO,
    };
    let stream = Builder::new(url, transport, TokioRuntime::new())
        .policy(policy)
        .open()
        .expect("a request that can be sent");
    let (give, retries) = channel();
    let client = InProcess::start("EventStream", |sender| watch(stream, sender, give));
    Ours { client, retries }
}

async fn watch(mut stream: EventStream, sender: Sender<Received>, retries: Sender<Duration>) {
    while let Some(event) = stream.next().await {
        let event = event.expect("no error that isn't mended");
        let received = Received {
            event: event.event_type.to_string(),
            data: event.data,
            id: event.last_event_id.to_string(),
        };
        let told = event.retry.map_or(Ok(()), |time| retries.send(time));
        if told.is_err() || sender.send(received).is_err() {
            return;
        }
    }
}

/// Watches with the standard's object, by the standard's rules.
pub fn event_source(url: &str) -> InProcess {
    let url = url.to_owned();
    InProcess::start("EventSource", |sender| listen(url, sender))
}

/// Watches with `tidings listen`.
pub fn tool(url: &str) -> Stranger {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.args(["listen", "--json", url]);
    Stranger::start("tidings listen", &mut command)
}

async fn listen(url: String, sender: Sender<Received>) {
    // A `Sender` is for one thread at a time, a listener for any.
    let sender = Arc::new(Mutex::new(sender));
    let mut listeners = Listeners::new();
    for event_type in table::types() {
        let sender = Arc::clone(&sender);
        listeners = listeners.on(event_type, move |source, event| {
            let given = received(event);
            if sender
                .lock()
                .is_ok_and(|sender| sender.send(given).is_err())
            {
                source.close();
            }
        });
    }
    let init = EventSourceInit {
        listeners,
        ..EventSourceInit::default()
    };
    let transport = Hyper::builder().no_proxy().build();
    let source = EventSource::over(&url, init, Arc::new(transport)).expect("a URL");
    source.closed().await;
}

fn received(event: &DomEvent) -> Received {
    let message = event.message().expect("an event of the stream");
    Received {
        event: event.event_type().to_owned(),
        data: message.data.to_string(),
        id: message.last_event_id.to_string(),
    }
}
