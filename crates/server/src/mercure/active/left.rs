//! What a hub that was killed left behind: subscriptions of which the log says
//! that they began, and that nobody will end. The next start ends them, before it
//! tells of its own, so that who watches from before the kill is left with nobody
//! who isn't there.

use super::Shared;
use super::announce::append_always;
use crate::hub::now;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidings_codec::EventType;
use tidings_engine::{
    Budget, Cursor, Entry, Event, Frame, Published, Read, Selection, Selector, Sight, Topic,
    Visibility,
};
use tidings_mercure::{Base, native};
use tidings_store::{AppendError, Reader, StoreError, Writer};

/// On this topic a start says that what was left behind has been ended, so that the
/// next one reads from here. It has no name on the Mercure face.
const STARTED: &str = "$tidings/started";
/// How many are ended with one request.
const ENDED_AT_ONCE: usize = 256;
/// What is read at once.
const READ: Budget = Budget {
    frames: 1024,
    bytes: 256 * 1024,
};

/// Ends what was left behind.
///
/// # Errors
/// The log takes nothing any more until the hub is started again.
pub async fn end(shared: &Arc<Shared>, writer: &Writer, reader: Reader) -> Result<(), AppendError> {
    let base = Arc::clone(&shared.base);
    let found = tokio::task::spawn_blocking(move || find(&reader, &base)).await;
    let left = match found {
        Ok(Ok(left)) => left,
        Ok(Err(error)) => {
            tracing::error!(%error, "the log can't be read; subscriptions that were cut off stay active for who watches them");
            return Ok(());
        }
        Err(_) => return Ok(()),
    };
    if !left.is_empty() {
        let subscriptions = left.len();
        tracing::info!(
            subscriptions,
            "ending what a hub that was killed left active"
        );
    }
    let mut entries: Vec<Entry> = left.into_iter().filter_map(ended).collect();
    entries.extend(
        Topic::new(STARTED)
            .ok()
            .map(|topic| entry(topic, None, String::new())),
    );
    for entries in entries.chunks(ENDED_AT_ONCE) {
        append_always(shared, writer, || entries.to_vec()).await?;
    }
    Ok(())
}

/// The last word about a subscription, and whether that has a name.
pub(super) struct Last {
    event_type: Option<EventType>,
    pub(super) document: Map<String, Value>,
}

/// The subscriptions that are still active, as far as the log says.
fn find(reader: &Reader, base: &Base) -> Result<BTreeMap<Topic, Last>, StoreError> {
    let selection = selection(&format!("{}/**", own(base)));
    let mut cursor = begin(reader, &selection)?;
    let (mut left, mut frames) = (BTreeMap::new(), Vec::new());
    loop {
        match reader.read(&mut cursor, &selection, READ, &mut frames)? {
            Read::Frames => {}
            Read::CaughtUp => return Ok(left),
            Read::Gap(hole) => cursor.after = hole.to,
        }
        for frame in frames.drain(..) {
            let topic = frame.published().topic;
            match said(&frame) {
                Some(last) if last.document.get("active") == Some(&Value::Bool(true)) => {
                    left.insert(topic.clone(), last);
                }
                _ => drop(left.remove(topic)),
            }
        }
    }
}

/// Behind what has been ended already. If what says that is gone, which needn't be
/// kept for as long as the subscriptions are, at the earliest of those.
fn begin(reader: &Reader, subscriptions: &Selection) -> Result<Cursor, StoreError> {
    let (started, mut frames) = (selection(STARTED), Vec::new());
    let cursor = reader.last_n(1, &started)?;
    reader.read(
        &mut cursor.clone(),
        &started,
        Budget::frames(1),
        &mut frames,
    )?;
    Ok(match frames.is_empty() {
        true => reader.earliest(subscriptions),
        false => cursor,
    })
}

/// The native name of the path that all subscriptions are below.
pub(super) fn own(base: &Base) -> String {
    let path = format!("{}/subscriptions", base.hub().path());
    native::from_mercure(&path, base).map_or_else(String::new, |topic| topic.to_string())
}

pub(super) fn selection(selector: &str) -> Selection {
    let selectors = Selector::new(selector).into_iter().collect();
    Selection::new(selectors).with_sight(Arc::new(Own))
}

/// The hub's own events are private, and it may see them.
#[derive(Debug)]
struct Own;

impl Sight for Own {
    fn shows(&self, _: &Published<'_>) -> bool {
        true
    }

    fn is_same(&self, other: &dyn Sight) -> bool {
        (other as &dyn std::any::Any).is::<Self>()
    }
}

pub(super) fn said(frame: &Frame) -> Option<Last> {
    let mut said: Value = serde_json::from_str(frame.to_json()).ok()?;
    let event_type = said["event"].as_str().filter(|name| *name != "message");
    let event_type = event_type.map(EventType::new).transpose().ok()?;
    let document = said["data"].take();
    let document = serde_json::from_str(document.as_str()?).ok()?;
    Some(Last {
        event_type,
        document,
    })
}

fn ended((topic, mut last): (Topic, Last)) -> Option<Entry> {
    *last.document.get_mut("active")? = Value::Bool(false);
    let data = Value::Object(last.document).to_string();
    Some(entry(topic, last.event_type, data))
}

fn entry(topic: Topic, event_type: Option<EventType>, data: String) -> Entry {
    let event = Event {
        topic,
        alternates: Box::default(),
        visibility: Visibility::Private,
        event_type,
        id: None,
        retry: None,
        data: data.into(),
    };
    event.into_entry(now(), None)
}
