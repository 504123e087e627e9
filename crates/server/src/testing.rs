//! What tests of the hub's parts share.

use crate::auth::{self, Auth, Who};
use crate::config::{Config, File};
use crate::hub::{Hub, Settings, now, threads};
use crate::presence;
use http::Request;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tidings_auth::mint::SigningKey;
use tidings_auth::{Algorithm, Face};
use tidings_engine::slow::{SlowPolicy, SlowRules};
use tidings_engine::{Event, Limits, LogId, Topic};
use tidings_mercure::Base;
use tidings_store::{Identity, MemoryStorage, Store};

const URL: &str = "http://localhost:8080";
const SECRET: &str = "dNq2m-vX81_kWb04pRtZ7yLcG5hJ3sFa";

/// A hub with nothing in its log, which is in memory. Must be called within a
/// tokio runtime.
pub fn hub(limits: Limits, slow: SlowPolicy) -> Arc<Hub> {
    let settings = auth::Settings::open(Base::new(URL).expect("a URL"));
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
        lanes: threads(),
        presence: presence::Settings::default(),
        limits,
    };
    let auth = Auth::new(auth, auth::Kept::open(None).expect("no files"));
    Hub::start(store, settings, auth).expect("threads")
}

/// A hub with a key, for tokens that [`token`] makes, and topics that anyone may
/// watch.
pub fn closed_hub(limits: Limits, anonymous: &[&str]) -> Arc<Hub> {
    let text = format!(
        "public_url = \"{URL}\"\n[auth]\nanonymous = {anonymous:?}\n\
         [[auth.keys]]\nalgorithms = [\"HS256\"]\nsecret = \"{SECRET}\"\n"
    );
    let file = File {
        name: "test.toml".to_owned(),
        text,
    };
    let config = Config::load(Some(&file), [], &[]).expect("a configuration");
    let keys = auth::Keys::read(&config.auth).expect("keys");
    let settings = auth::Settings::new(&config, keys, &[]);
    let storage = Arc::new(MemoryStorage::new());
    hub_on(storage, settings, limits, SlowPolicy::default())
}

/// A token for [`closed_hub`] with these claims, which is good for an hour.
pub fn token(mut claims: Value) -> String {
    claims["aud"] = URL.into();
    claims["exp"] = (now().0 / 1000 + 3600).into();
    let claims = claims.as_object().expect("an object");
    let key = SigningKey::from_secret(SECRET.as_bytes(), Algorithm::HS256).expect("a key");
    key.mint(claims, "JWT", None).expect("a token")
}

/// Who holds such a token.
pub async fn holder(hub: &Hub, claims: Value) -> Who {
    let bearer = format!("Bearer {}", token(claims));
    let request = Request::get("/events").header("authorization", bearer);
    let (head, ()) = request.body(()).expect("a request").into_parts();
    let who = hub.auth().caller(&head, Face::Native).await;
    who.expect("a good token")
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
    hub.publish(vec![entry], &Who::Anonymous)
        .await
        .expect("a log that takes it");
}
