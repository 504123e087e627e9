//! What the hub tells of itself: `$sys/stats`, `$sys/topics` and `$sys/connections`
//! in its own log, and the same as pages of the admin API. Each document is a pure
//! function of what was read; nothing is read while nobody watches.

mod admin;
mod connections;
mod process;
mod room;
mod stats;
mod survey;
mod topics;

pub use admin::Route;
pub use survey::{Carried, Streams, Survey, Told, Transport, take_survey, topics};
pub use topics::Counting;

use crate::always::always;
use crate::hub::{Hub, now};
use crate::own::Own;
use serde::Serialize;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tidings_codec::EventType;
use tidings_engine::Topic;
use tidings_engine::own::SYS;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// How often numbers are told.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many intervals there are between lists.
const LISTS: u64 = 2;
/// How soon the first who watches is told: its stream has begun by then.
const SOON: Duration = Duration::from_millis(200);
/// For how many intervals topics are counted on when nobody watches any more: who
/// reloads a page finds what was counted.
const LINGER: u64 = 60;
/// How many streams, or topics, a list has at most.
const LISTED: usize = 100;

/// Tells of the hub for as long as there is one, also after a panic. `begun` says that
/// somebody has begun to watch its own log, or that the hub is gone.
pub async fn tell(hub: Weak<Hub>, begun: Arc<Notify>) {
    let begin = move || run(Weak::clone(&hub), Arc::clone(&begun));
    always("telling of the hub", begin).await;
}

async fn run(hub: Weak<Hub>, begun: Arc<Notify>) {
    let all = ["stats", "topics", "connections"].map(Document::new);
    let [stats, topics, connections] = &all;
    let (mut round, mut unwatched) = (0, LINGER);
    let mut next = Instant::now();
    loop {
        let Some(hub) = hub.upgrade() else { return };
        let watched = all.each_ref().map(|own| hub.own().is_watched(&own.topic));
        if watched.contains(&true) {
            unwatched = 0;
        } else if unwatched >= LINGER {
            hub.counting().stop();
            drop(hub);
            begun.notified().await;
            sleep(SOON).await;
            (round, next, unwatched) = (0, Instant::now(), LINGER - 1);
            continue;
        } else {
            unwatched += 1;
        }
        if watched[1] {
            hub.counting().start();
        }
        if watched[0] {
            stats.say(hub.own(), &stats::of(&hub).await);
        }
        if round % LISTS == 0 {
            if watched[1] {
                topics.say(hub.own(), &hub.counting().document(now()));
            }
            if watched[2] {
                connections.say(hub.own(), &connections::of(&hub, None).await);
            }
        }
        round += 1;
        drop(hub);
        // One that comes late doesn't make the next come early.
        next = (next + INTERVAL).max(Instant::now());
        sleep_until(next).await;
    }
}

/// A document that is told: its topic, and its events' type.
struct Document {
    topic: Topic,
    event_type: EventType,
}

impl Document {
    fn new(name: &str) -> Self {
        Self {
            topic: Topic::new(&format!("{SYS}/{name}")).expect("a topic"),
            event_type: EventType::new(name).expect("no line break in it"),
        }
    }

    fn say(&self, own: &Own, document: &impl Serialize) {
        let text = serde_json::to_string(document).expect("numbers and strings are JSON");
        own.say(&self.topic, Some(&self.event_type), &text);
    }
}
