//! What tests of the hub's parts share.

use crate::auth::{self, Auth};
use crate::config::Config;
use crate::hub::{Hub, Settings, now};
use std::sync::Arc;
use std::time::Duration;
use tidings_engine::slow::{SlowPolicy, SlowRules};
use tidings_engine::{Event, Limits, LogId, Topic};
use tidings_mercure::Base;
use tidings_store::{Identity, MemoryStorage, Store};

/// A hub with nothing in its log, which is in memory. Must be called within a
/// tokio runtime.
pub fn hub(limits: Limits, slow: SlowPolicy) -> Arc<Hub> {
    let base = Base::new("http://localhost:8080").expect("a URL");
    let settings = auth::Settings::open(base);
    hub_on(Arc::new(MemoryStorage::new()), settings, limits, slow)
}

/// A hub with its log in `storage`. Must be called within a tokio runtime.
pub fn hub_on(
    storage: Arc<MemoryStorage>,
    auth: auth::Settings,
    limits: Limits,
    slow: SlowPolicy,
) -> Arc<Hub> {
    let identity = Identity {
        log: LogId(1),
        secret: 2,
    };
    let options = Config::default().store_options();
    let (store, _) = Store::open(storage, options, now(), identity).expect("a store");
    let settings = Settings {
        publish_timeout: Duration::from_secs(60),
        drain_window: Duration::from_millis(500),
        open: false,
        slow: SlowRules::new([], slow),
        limits,
    };
    let auth = Auth::new(auth, auth::Kept::open(None).expect("no files"));
    Hub::start(store, settings, auth).expect("threads")
}

/// Publishes an event.
pub async fn publish(hub: &Hub, topic: &str, data: &str) {
    let event = Event {
        alternates: Box::default(),
        visibility: tidings_engine::Visibility::Native,
        topic: Topic::new(topic).expect("a topic"),
        event_type: None,
        id: None,
        retry: None,
        data: data.into(),
    };
    let entry = event.into_entry(now(), None);
    hub.publish(vec![entry]).await.expect("a log that takes it");
}
