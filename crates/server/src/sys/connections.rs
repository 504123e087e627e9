//! `$sys/connections`: the streams there are, those who lag most first.

use super::LISTED;
use super::room::Room;
use super::survey::{self, Survey, Told};
use crate::hub::{Hub, now};
use crate::live::Turn;
use serde::Serialize;
use tidings_engine::Timestamp;

/// The members of the document, in order.
#[derive(Debug, Serialize)]
pub struct Connections {
    /// Milliseconds since the Unix epoch.
    time: u64,
    /// How many streams there are.
    count: usize,
    connections: Vec<Told>,
    /// Whether there are others.
    more: bool,
}

/// As it is now; for a request in its `turn`.
pub async fn of(hub: &Hub, turn: Option<Turn>) -> Connections {
    document(survey::of(hub, LISTED, turn).await, now())
}

/// Of `survey`. Topics for which it has no room are among those that a stream has more
/// of.
pub(super) fn document(mut survey: Survey, now: Timestamp) -> Connections {
    let mut room = Room::new();
    for told in &mut survey.most {
        let before = told.topics.len();
        told.topics.retain(|topic| room.takes(topic));
        told.more_topics += before - told.topics.len();
    }
    Connections {
        time: now.0,
        count: survey.streams,
        more: survey.streams > survey.most.len(),
        connections: survey.most,
    }
}
