use super::callback::Callback;
use super::parameters::{Command, Parameters};
use http::Method;
use serde_json::json;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidings_eventsource::protocol::{Backoff, IdleTimeout, Policy};
use tidings_eventsource::transport::Hyper;
use tidings_eventsource::{
    BoxError, Builder, Error, EventStream, Gap, Handle, Notice, Notices, TokioRuntime,
};
use tokio::task::JoinHandle;

/// The types that are reported beside `message`, as those of an EventSource
/// that has listeners for them.
type Types = Arc<Mutex<HashSet<String>>>;

/// A stream that a suite drives. Dropping it closes it.
pub struct Driven {
    handle: Handle,
    types: Types,
    task: JoinHandle<()>,
}

impl Driven {
    /// Opens a stream and reports what it sees.
    pub fn open(parameters: Parameters) -> Result<Self, BoxError> {
        let transport = Hyper::new();
        let callback = Callback::new(transport.clone(), &parameters.callback_url)?;
        let types = Types::default();
        println!("stream: {}", parameters.tag);
        let notices = connect(parameters, transport)?.notices();
        Ok(Self {
            handle: notices.handle(),
            types: types.clone(),
            task: tokio::spawn(report(notices, callback, types)),
        })
    }

    /// Does what the suite asks for.
    pub fn command(&self, command: Command) {
        match command {
            Command::Restart => self.handle.restart(),
            Command::Listen { listen } => {
                let mut types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
                types.insert(listen.event_type);
            }
        }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        // Not by its handle: what was read already must not be reported either.
        self.task.abort();
    }
}

fn connect(parameters: Parameters, transport: Hyper) -> Result<EventStream, BoxError> {
    let mut builder = Builder::new(parameters.stream_url, transport, TokioRuntime::new())
        .policy(policy(parameters.initial_delay_ms))
        .idle_timeout(match parameters.read_timeout_ms {
            Some(millis) => IdleTimeout::After(Duration::from_millis(millis)),
            None => IdleTimeout::Never,
        })
        .comments(true);
    if let Some(body) = parameters.body {
        builder = builder.body("text/plain; charset=utf-8", body);
    }
    if let Some(method) = parameters.method {
        builder = builder.method(Method::from_bytes(method.as_bytes())?);
    }
    for (name, value) in parameters.headers {
        builder = builder.header(&name, value);
    }
    if let Some(id) = parameters.last_event_id {
        builder = builder.last_event_id(&id);
    }
    Ok(builder.open()?)
}

/// Tries again what a backend would, but waits as an EventSource does, without
/// jitter and as short as it is told: suites look at when a client comes back.
fn policy(initial_delay_ms: Option<u64>) -> Policy {
    let standard = Policy::standard();
    let mut policy = Policy::resilient();
    policy.retry_range = standard.retry_range;
    policy.backoff = Backoff::Standard {
        ceiling: Duration::from_secs(30),
    };
    if let Some(millis) = initial_delay_ms {
        policy.reconnection_time = Duration::from_millis(millis);
    }
    policy
}

/// Reports everything a listener would see, until the stream is over.
async fn report(mut notices: Notices, mut callback: Callback, types: Types) {
    while let Some(notice) = notices.next().await {
        let said = match notice {
            Ok(Notice::Event(event) | Notice::Gap(Gap { event, .. })) => {
                let listens = event.event_type == "message" || {
                    let types = types.lock().unwrap_or_else(PoisonError::into_inner);
                    types.contains(event.event_type.as_str())
                };
                if !listens {
                    continue;
                }
                let (event_type, id) = (event.event_type.as_str(), event.last_event_id.as_str());
                let event = json!({ "type": event_type, "data": event.data, "id": id });
                json!({ "kind": "event", "event": event })
            }
            Ok(Notice::Comment(text)) => json!({ "kind": "comment", "comment": text }),
            // Who asked for it needs not be told.
            Ok(Notice::Reconnecting {
                cause: Error::Restarted,
                ..
            }) => continue,
            Ok(Notice::Reconnecting { cause: error, .. }) | Err(error) => {
                json!({ "kind": "error", "error": error.to_string() })
            }
            Ok(_) => continue,
        };
        callback.say(&said).await;
    }
}
