//! What everyone sees: the list, and who is connected.

use serde::Serialize;
use serde_json::value::RawValue;
use std::error::Error;
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use tidings_server::{Event, Hub, Presence};
use tokio::sync::Mutex;

/// Where it is published.
pub const TOPIC: &str = "people";

#[derive(Clone)]
pub struct App {
    pub hub: Hub,
    shown: Arc<Mutex<Shown>>,
}

#[derive(Default)]
pub struct Shown {
    pub people: Vec<Person>,
    pub connected: Connected,
}

#[derive(Clone, Serialize)]
pub struct Person {
    pub id: usize,
    pub name: String,
}

#[derive(Default, Serialize)]
pub struct Connected {
    count: usize,
    /// Nobody, if they are too many to be listed.
    clients: Vec<Client>,
}

#[derive(Serialize)]
struct Client {
    id: String,
    name: Option<Box<RawValue>>,
    /// In milliseconds since 1970.
    since: u128,
}

impl App {
    pub fn new(hub: Hub) -> Self {
        let shown = Arc::default();
        Self { hub, shown }
    }

    /// Changes what everyone sees, and tells them.
    pub async fn change<T>(
        &self,
        change: impl FnOnce(&mut Shown) -> T,
    ) -> Result<T, Box<dyn Error + Send + Sync>> {
        // Held until it is published, so that changes are told in their order.
        let mut shown = self.shown.lock().await;
        let changed = change(&mut shown);
        // Always both, so that the last two events are all that a newcomer needs.
        let people = Event::json(&shown.people)?;
        let connected = Event::json(&shown.connected)?.named("client");
        self.hub
            .publish_all([(TOPIC, people), (TOPIC, connected)])
            .await?;
        Ok(changed)
    }
}

impl From<Presence> for Connected {
    fn from(presence: Presence) -> Self {
        let members = presence.members.into_iter().flatten();
        let clients = members.map(|member| Client {
            id: member.id,
            name: member
                .shown
                .and_then(|json| RawValue::from_string(json).ok()),
            since: member
                .since
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_millis(),
        });
        let mut clients: Vec<Client> = clients.collect();
        clients.sort_by_key(|client| client.since);
        Self {
            count: presence.count,
            clients,
        }
    }
}
