//! What tests of the hub's parts share.

use crate::auth::{self, Admitted, Auth, Standing, Who, Wish};
use crate::config::{Config, File};
use crate::hub::{Hub, Settings, now, threads};
use crate::own::OwnWatch;
use crate::places::Place;
use crate::presence;
use crate::sys::Transport;
use crate::watch::Watch;
use http::{Request, Version};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tidings_auth::mint::SigningKey;
use tidings_auth::{Algorithm, Face};
use tidings_engine::slow::{SlowPolicy, SlowRules};
use tidings_engine::start::Start;
use tidings_engine::{
    Cursor, Event, Form, Limits, LogId, Position, Selection, Selector, Timestamp, Topic, Voice,
};
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

/// What `who` is given of a stream of these topics, and what may end it.
pub fn admit(hub: &Hub, who: &Who, topics: &[&str]) -> (Admitted, Arc<Standing>) {
    let selectors = topics
        .iter()
        .map(|text| Selector::new(text).expect("a selector"));
    let wish = Wish {
        face: Face::Native,
        selection: Selection::new(selectors.collect()),
        connection: None,
        lifetime: None,
    };
    let admitted = hub.auth().stand(who, wish).expect("admitted");
    let standing = admitted.standing.clone().expect("a token has a standing");
    (admitted, standing)
}

/// The same holder, whose token expires then.
pub fn until(who: &Who, expires: Timestamp) -> Who {
    let mut rights = who.rights().expect("a holder").as_ref().clone();
    rights.expires = Some(expires);
    Who::Holder(Arc::new(rights))
}

/// A stream, over such HTTP, of what was admitted, from behind `after` on; with what is
/// watched of the hub's own log. And its connection's place.
pub fn watch(
    (hub, version): (&Arc<Hub>, Version),
    admitted: Admitted,
    after: Position,
    own: Option<OwnWatch>,
) -> (Watch, Place) {
    let place = hub.places().connect([127, 0, 0, 1].into());
    let watch = Watch {
        selection: admitted.selection,
        standing: admitted.standing,
        start: Start {
            cursor: Cursor { after },
            gap: None,
        },
        told: Position::START,
        form: Form::Plain,
        voice: Voice::default(),
        permit: hub.places().watch(Some(&place)).expect("a place"),
        active: None,
        presence: None,
        own,
        transport: Transport::Http(version),
    };
    (watch, place)
}

/// How rights end between the look at them and what is shown by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// They are revoked.
    Revoked,
    /// Their token expires.
    Expires,
}

/// A stream of `a` that asks who is there, whose rights end after they were looked at
/// and before the snapshot is taken; and whether it was.
pub async fn overtaken(hub: &Arc<Hub>, ends: Ends) -> (Admitted, OwnWatch, Arc<AtomicBool>) {
    let claims = serde_json::json!({
        "sub": "ann", "tidings": { "subscribe": ["a"], "presence": { "name": "Ann" } }
    });
    let who = holder(hub, claims).await;
    let (admitted, standing) = admit(hub, &who, &["a"]);
    let topic = Selection::new(vec![Selector::new("a").expect("a selector")]);
    let guard = hub.presence().listen(&topic);
    let snapshots = guard.snapshots();
    let taken = Arc::<AtomicBool>::default();
    let resync = {
        let taken = Arc::clone(&taken);
        move |from| {
            let _listens = &guard;
            assert!(standing.over(now()).is_none(), "they had not ended");
            match ends {
                Ends::Revoked => standing.end(),
                Ends::Expires => standing.expire(),
            }
            taken.store(true, Ordering::SeqCst);
            let part = snapshots(from);
            assert!(!part.blocks.is_empty(), "a snapshot");
            part
        }
    };
    let told = Selector::new("$presence/a").expect("a selector");
    let own = Selection::new(vec![told]);
    let own = OwnWatch::new(hub.own(), own, Some(Arc::new(resync)));
    (admitted, own, taken)
}
