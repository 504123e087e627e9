//! Who is connected to a topic, for the application.

use super::{Hub, Later, SubscribeError, wish};
use crate::hub;
use crate::own::Part;
use crate::presence;
use crate::pulled::{Pulled, Said};
use crate::watch;
use bytes::Bytes;
use futures_core::Stream;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};
use tidings_engine::presence as engine;
use tidings_engine::start::Asked;
use tidings_engine::topic::InvalidTopic;
use tidings_engine::{Selection, Selector, Topic};

/// Who is at a topic at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presence {
    /// How many people are there, however many streams each has.
    pub count: usize,
    /// Who they are, in no order; `None` if they are more than are
    /// [listed](super::Builder::presence_list).
    pub members: Option<Vec<Member>>,
}

/// Somebody who is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Names them for as long as the hub runs, at every topic; it tells nothing of
    /// their [identity](super::Access::identity).
    pub id: String,
    /// Since when they are there, to the millisecond.
    pub since: SystemTime,
    /// What is [shown](super::Access::shown) of them, as JSON.
    pub shown: Option<String>,
}

impl From<engine::Snapshot> for Presence {
    fn from(snapshot: engine::Snapshot) -> Self {
        let member = |own: &engine::Member| Member {
            id: own.person.id.to_string(),
            since: SystemTime::UNIX_EPOCH + Duration::from_millis(own.since.0),
            shown: own.person.data.as_deref().map(str::to_owned),
        };
        let members = snapshot.members;
        Self {
            count: snapshot.count,
            members: members.map(|members| members.iter().map(member).collect()),
        }
    }
}

/// Why it can't be told who is at a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceError {
    /// The topic is none.
    Topic(InvalidTopic),
    /// Of the hub's own topics, and of those of more than 4,000 bytes, no presence
    /// is kept.
    NotKept,
    /// It can't be followed now; later it can.
    Later(Later),
}

impl fmt::Display for PresenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(reason) => reason.fmt(f),
            Self::NotKept => f.write_str("no presence is kept of this topic"),
            Self::Later(later) => SubscribeError::Later(*later).fmt(f),
        }
    }
}

impl std::error::Error for PresenceError {}

/// Who is at a topic: how it is now, then how it is after each change. Changes
/// that come faster than this is read are one.
pub struct PresenceChanges {
    hub: Arc<hub::Hub>,
    topic: Topic,
    changes: Pulled,
    last: Option<Presence>,
}

impl Stream for PresenceChanges {
    type Item = Presence;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Presence>> {
        loop {
            if self.last.is_some() {
                match ready!(self.changes.poll_said(cx)) {
                    None => return Poll::Ready(None),
                    Some(Said::Own(_) | Said::Anew(_)) => {}
                    Some(Said::Block(_) | Said::Gap(..) | Said::Events(_)) => continue,
                }
            }
            let now = Presence::from(self.hub.presence().members(&self.topic));
            if self.last.as_ref() != Some(&now) {
                self.last = Some(now.clone());
                return Poll::Ready(Some(now));
            }
        }
    }
}

impl fmt::Debug for PresenceChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceChanges").finish_non_exhaustive()
    }
}

impl Hub {
    /// Who is at a topic: the visitors whose streams name it (patterns make nobody
    /// present) and of whom the application has said who they are, in
    /// [`Hub::event_stream_for`] or a [service](Hub::service). Somebody whose last
    /// stream has ended stays for the [grace](super::Builder::presence_grace).
    ///
    /// # Errors
    /// [`PresenceError`].
    pub fn presence(&self, topic: &str) -> Result<Presence, PresenceError> {
        let topic = self.kept_topic(topic)?;
        Ok(self.shared.hub.presence().members(&topic).into())
    }

    /// Follows who is at a topic.
    ///
    /// ```
    /// use futures_util::StreamExt;
    /// # use http::Request;
    /// # use tidings_server::{Access, Hub, Since};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let hub = Hub::builder().open()?;
    /// # let (request, ()) = Request::get("/connect").body(())?.into_parts();
    /// let mut room = hub.presence_changes("room/7").await?;
    /// assert_eq!(room.next().await.unwrap().count, 0);
    /// let ada = Access::nothing().identity("ada").shown("Ada".into()).watch_topic("room/7");
    /// let stream = hub.event_stream_for(ada, &request, ["room/7"], Since::Latest).await;
    /// let now = room.next().await.unwrap();
    /// assert_eq!(now.members.unwrap()[0].shown.as_deref(), Some("\"Ada\""));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`PresenceError`].
    pub async fn presence_changes(&self, topic: &str) -> Result<PresenceChanges, PresenceError> {
        let topic = self.kept_topic(topic)?;
        let told = presence::told_at(&topic).ok_or(PresenceError::NotKept)?;
        let hub = &self.shared.hub;
        let exact = |topic| Selection::new(vec![Selector::Exact(topic)]);
        let told = exact(told).with_sight(Arc::clone(&self.shared.sight));
        let granted = watch::grant(hub, None, wish(told, Asked::default())).await;
        let later = |refusal| match SubscribeError::of(refusal) {
            SubscribeError::Later(later) => PresenceError::Later(later),
            _ => PresenceError::NotKept,
        };
        let mut watch = granted.map_err(later)?;
        watch.presence = Some(hub.presence().listen(&exact(topic.clone())));
        if let Some(own) = &mut watch.own {
            // Whatever was lost, it is looked at anew.
            own.resync = Some(Arc::new(|_| Part {
                blocks: Bytes::from_static(b":\n\n"),
                next: None,
            }));
        }
        Ok(PresenceChanges {
            hub: Arc::clone(hub),
            topic,
            changes: Pulled::without_heartbeats(Arc::clone(hub), *watch),
            last: None,
        })
    }

    fn kept_topic(&self, topic: &str) -> Result<Topic, PresenceError> {
        let topic = Topic::new(topic).map_err(PresenceError::Topic)?;
        match self.shared.hub.presence().is_kept(&topic) {
            true => Ok(topic),
            false => Err(PresenceError::NotKept),
        }
    }
}
