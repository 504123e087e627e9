//! Our client, as the checks see it.

use super::client::InProcess;
use std::sync::mpsc::Sender;
use std::time::Duration;
use tidings_eventsource::protocol::Policy;
use tidings_eventsource::transport::{Hyper, HyperBuilder};
use tidings_eventsource::{Builder, TokioRuntime};
use tidings_testkit::Received;

/// Watches over HTTP/1.1 without TLS, with it over what is negotiated.
pub fn negotiated(url: String) -> InProcess {
    watching(url, Hyper::builder())
}

/// Watches over HTTP/2.
pub fn http2(url: String) -> InProcess {
    watching(url, Hyper::builder().http2_prior_knowledge())
}

/// Watches with these options of the transport.
pub fn watching(url: String, transport: HyperBuilder) -> InProcess {
    let transport = transport.no_proxy().build();
    InProcess::start("tidings-eventsource", |sender| {
        watch(url, transport, sender)
    })
}

async fn watch(url: String, transport: Hyper, sender: Sender<Received>) {
    let mut policy = Policy::resilient();
    // Some servers don't give one, and a test waits for it several times.
    policy.reconnection_time = Duration::from_millis(100);
    let mut stream = Builder::new(url, transport, TokioRuntime::new())
        .policy(policy)
        .open()
        .expect("a request that can be sent");
    while let Some(event) = stream.next().await {
        let event = event.expect("no error that isn't mended");
        let received = Received {
            event: event.event_type.to_string(),
            data: event.data,
            id: event.last_event_id.to_string(),
        };
        if sender.send(received).is_err() {
            return;
        }
    }
}
