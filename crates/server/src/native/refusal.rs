//! "Not now" for a watcher, in the one form that doesn't end an EventSource for
//! good: `200`, a reconnection time, and the end (WHATWG HTML, server-sent
//! events, "processing model": any other status fails the connection).

use super::may_watch;
use super::watch::event_stream;
use crate::auth::{Refused, Who};
use crate::http::{Problem, Reply, ReplyBody, respond};
use crate::hub::Hub;
use crate::occasional::Occasional;
use crate::places::{NoPlace, Place};
use crate::presence::Attendance;
use crate::watch::Watch;
use http::{Version, header, request};
use std::time::Instant;
use tidings_engine::control;
use tidings_engine::presence::Full;

/// Why a watcher is told to come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoftRefusal {
    /// There is no place for its stream.
    NoPlace(NoPlace),
    /// The hub is stopping.
    Draining,
    /// The history couldn't be read.
    Storage,
    /// What its token needs to be verified isn't there yet, or there are too
    /// many tickets.
    Token,
    /// There are as many active subscriptions as the hub keeps in memory.
    Active,
    /// It would have members, for whom there is no room.
    Presence(Full),
}

impl SoftRefusal {
    /// The reason as it stands in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoPlace(NoPlace::Subscriptions) => "subscriptions",
            Self::NoPlace(NoPlace::Address) => "address",
            Self::NoPlace(NoPlace::Connections) => "connections",
            Self::NoPlace(NoPlace::Patterns) => "patterns",
            Self::Draining => "draining",
            Self::Storage => "storage",
            Self::Token => "token",
            Self::Active => "active",
            Self::Presence(Full::Everybody) => "presence",
            Self::Presence(Full::Address) => "presence_of_address",
        }
    }
}

/// The log lines of a hub that has no place for watchers.
#[derive(Debug, Default)]
pub struct NoPlaceLines {
    subscriptions: Occasional,
    address: Occasional,
    connections: Occasional,
    patterns: Occasional,
    presence: Occasional,
}

impl NoPlaceLines {
    fn count_presence(&self, reason: Full, hub: &Hub) {
        if let Some(times) = self.presence.count(Instant::now()) {
            let limit = hub.settings().limits.presence_bytes;
            let whose = match reason {
                Full::Everybody => "those who are present",
                Full::Address => "those who are present from one address, who may take half,",
            };
            tracing::warn!(
                times,
                limit,
                "watchers who ask for presence are told to come back later, and others aren't \
                 listed: {whose} take as much as limits.presence_bytes allows; raise it, or name \
                 fewer topics in presence.topics"
            );
        }
    }

    fn count(&self, reason: NoPlace, hub: &Hub) {
        let limits = &hub.settings().limits;
        let now = Instant::now();
        match reason {
            NoPlace::Subscriptions => {
                if let Some(times) = self.subscriptions.count(now) {
                    let limit = limits.subscriptions;
                    tracing::warn!(
                        times,
                        limit,
                        "watchers are told to come back later: there are as many streams as \
                         limits.subscriptions allows"
                    );
                }
            }
            NoPlace::Address => {
                if let Some(times) = self.address.count(now) {
                    let limit = limits.subscriptions_per_address;
                    tracing::warn!(
                        times,
                        limit,
                        "watchers are told to come back later: one address has as many streams as \
                         limits.subscriptions_per_address allows; set it to \"none\" if it is a \
                         proxy's"
                    );
                }
            }
            NoPlace::Patterns => {
                if let Some(times) = self.patterns.count(now) {
                    let limit = limits.pattern_bytes;
                    tracing::warn!(
                        times,
                        limit,
                        "watchers are told to come back later: the patterns of Mercure's streams \
                         take as much memory, or time for each topic, as \
                         limits.pattern_bytes allows"
                    );
                }
            }
            NoPlace::Connections => {
                if let Some(times) = self.connections.count(now) {
                    let limit = limits.connections;
                    tracing::warn!(
                        times,
                        limit,
                        "watchers are told to come back later: as many connections watch as \
                         limits.connections leaves room for"
                    );
                }
            }
        }
    }
}

/// The answer to a refused request: soft, if it asks for a stream that it may
/// have in a while.
///
/// # Errors
/// The problem to answer with, if not.
pub fn refuse(hub: &Hub, head: &request::Parts, refused: Refused) -> Result<Reply, Problem> {
    match refused.is_transient() && may_watch(head) {
        true => Ok(soft_refusal(hub, head.version, SoftRefusal::Token)),
        false => Err(refused.into()),
    }
}

/// Has `who` present by a stream that was granted on the connection at `place`, as
/// far as there is room: whoever asks for presence comes back later without, all
/// others have their stream and aren't listed.
///
/// # Errors
/// [`SoftRefusal::Presence`].
pub fn attend(
    hub: &Hub,
    watch: &mut Watch,
    who: &Who,
    attendance: &Attendance,
    place: Option<&Place>,
) -> Result<(), SoftRefusal> {
    match hub.presence().attend(watch, who, attendance, place) {
        Err(full) if !attendance.is_asked_for() => {
            hub.metrics().unlisted.inc();
            hub.no_place_lines().count_presence(full, hub);
            Ok(())
        }
        present => present.map_err(SoftRefusal::Presence),
    }
}

/// The answer, counted and logged. The connection ends too: a hub that is full
/// needs it for somebody else.
pub fn soft_refusal(hub: &Hub, version: Version, reason: SoftRefusal) -> Reply {
    hub.metrics().count_soft_refusal(reason);
    match reason {
        SoftRefusal::NoPlace(reason) => hub.no_place_lines().count(reason, hub),
        SoftRefusal::Presence(reason) => hub.no_place_lines().count_presence(reason, hub),
        _ => {}
    }
    let body = control::retry(hub.jittered_retry());
    let mut reply = event_stream(version, ReplyBody::Whole(Some(body)));
    respond::set(&mut reply, header::CONNECTION, "close");
    reply
}
