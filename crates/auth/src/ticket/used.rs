//! Which tickets have opened their stream, and which stream that is.

use super::sealed::{Ticket, TicketId};
use super::{CALM_MS, CONTESTS};
use crate::Refusal;
use std::collections::BTreeMap;
use tidings_engine::Timestamp;

/// Names a stream of the hub, in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// The tickets that are in use, at most so many.
#[derive(Debug)]
pub struct UsedTickets {
    capacity: usize,
    used: BTreeMap<TicketId, Used>,
    /// Of tickets made before this moment it isn't known whether they have
    /// opened a stream: the hub started later, or forgot some for lack of
    /// room. Such a ticket only resumes.
    known_since: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Used {
    issued: Timestamp,
    expires: Timestamp,
    stream: Option<StreamId>,
    /// It has opened this stream, and resumed none.
    opened: bool,
    standing: Standing,
}

/// Whether a ticket is still good for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Its contests are forgiven at that moment.
    CalmFrom(Timestamp),
    /// Two hold it: it is good for nothing more.
    Spoilt,
}

const ENTRY_LEN: usize = 16 + 8 + 8 + 1;

impl UsedTickets {
    /// A table for at most `capacity` tickets, of a hub that starts at `now`
    /// and doesn't know what was used before.
    pub fn new(capacity: usize, now: Timestamp) -> Self {
        Self {
            capacity: capacity.max(1),
            used: BTreeMap::new(),
            known_since: now,
        }
    }

    /// Uses a ticket for a stream: the first time within a minute of its making
    /// and without a cursor, or to resume, with a `Last-Event-ID`. Answers the
    /// stream that it replaces, which has to end. `is_carried` says of that one
    /// whether it is still there.
    ///
    /// # Errors
    /// If the time to open has passed, if it has opened its stream and this is
    /// no resume, or if too many tickets were opened within a minute. After
    /// [`Refusal::TicketContested`] its present stream ([`Self::stream`]) has to
    /// end too: nobody knows whose it is.
    pub fn present(
        &mut self,
        ticket: &Ticket,
        resumes: bool,
        stream: StreamId,
        now: Timestamp,
        is_carried: impl FnOnce(StreamId) -> bool,
    ) -> Result<Option<StreamId>, Refusal> {
        if ticket.expires <= now {
            return Err(Refusal::TicketExpired);
        }
        if let Some(used) = self.used.get_mut(&ticket.id) {
            if !resumes {
                return Err(Refusal::TicketUsed);
            }
            let contested = used.stream.is_some_and(is_carried);
            used.standing.resume(contested, now)?;
            used.opened = false;
            return Ok(used.stream.replace(stream));
        }
        let unknown = ticket.issued < self.known_since;
        match (ticket.may_open(now), unknown && resumes) {
            (_, true) => {}
            (true, false) if unknown => return Err(Refusal::TicketUsed),
            (true, false) => {}
            (false, false) => return Err(Refusal::TicketExpired),
        }
        self.make_room(now)?;
        let used = Used {
            issued: ticket.issued,
            expires: ticket.expires,
            stream: Some(stream),
            opened: !resumes,
            standing: Standing::CalmFrom(now),
        };
        self.used.insert(ticket.id, used);
        Ok(None)
    }

    /// Nobody was given anything of `stream`: if the ticket has opened it, it
    /// hasn't opened any.
    pub fn take_back(&mut self, ticket: TicketId, stream: StreamId) {
        let used = self.used.get(&ticket);
        if used.is_some_and(|used| used.opened && used.stream == Some(stream)) {
            self.used.remove(&ticket);
        }
    }

    /// The stream that a ticket was last used for.
    pub fn stream(&self, ticket: TicketId) -> Option<StreamId> {
        self.used.get(&ticket)?.stream
    }

    /// Drops the tickets that have expired.
    pub fn expire(&mut self, now: Timestamp) {
        self.used.retain(|_, used| used.expires > now);
    }

    /// How many tickets are in use.
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// The table as bytes, for a hub that stops and starts again.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.known_since.0.to_be_bytes().to_vec();
        for (id, used) in &self.used {
            bytes.extend_from_slice(&id.0);
            bytes.extend_from_slice(&used.issued.0.to_be_bytes());
            bytes.extend_from_slice(&used.expires.0.to_be_bytes());
            bytes.push(u8::from(used.standing == Standing::Spoilt));
        }
        bytes
    }

    /// Reads what [`Self::encode`] wrote; `None` if it isn't that. The streams
    /// have ended with the hub that held them.
    pub fn decode(bytes: &[u8], capacity: usize, now: Timestamp) -> Option<Self> {
        let (since, entries) = bytes.split_first_chunk()?;
        if !entries.len().is_multiple_of(ENTRY_LEN) {
            return None;
        }
        let mut table = Self::new(capacity, Timestamp(u64::from_be_bytes(*since)));
        for entry in entries.chunks_exact(ENTRY_LEN) {
            let (id, rest) = entry.split_first_chunk()?;
            let (issued, rest) = rest.split_first_chunk()?;
            let (expires, rest) = rest.split_first_chunk()?;
            let used = Used {
                issued: Timestamp(u64::from_be_bytes(*issued)),
                expires: Timestamp(u64::from_be_bytes(*expires)),
                stream: None,
                opened: false,
                standing: match rest {
                    [0] => Standing::CalmFrom(now),
                    [1] => Standing::Spoilt,
                    _ => return None,
                },
            };
            if used.expires > now {
                table.used.insert(TicketId(*id), used);
            }
        }
        while table.used.len() > table.capacity {
            table.forget_oldest();
        }
        Some(table)
    }

    /// Room for one more. A ticket that could still open a stream is never
    /// forgotten: it could open a second one.
    fn make_room(&mut self, now: Timestamp) -> Result<(), Refusal> {
        if self.used.len() < self.capacity {
            return Ok(());
        }
        self.expire(now);
        if self.used.len() < self.capacity {
            return Ok(());
        }
        let oldest = self.used.values().map(|used| used.issued).min();
        let settled = oldest.is_some_and(|at| at.0.saturating_add(super::OPENS_WITHIN_MS) <= now.0);
        if !settled {
            return Err(Refusal::TicketsFull);
        }
        self.forget_oldest();
        Ok(())
    }

    fn forget_oldest(&mut self) {
        let oldest = self.used.iter().min_by_key(|(_, used)| used.issued);
        let Some((id, issued)) = oldest.map(|(id, used)| (*id, used.issued)) else {
            return;
        };
        self.used.remove(&id);
        self.known_since = self.known_since.max(Timestamp(issued.0.saturating_add(1)));
    }
}

impl Standing {
    /// One more resume; `contested` if it takes the stream from somebody.
    fn resume(&mut self, contested: bool, now: Timestamp) -> Result<(), Refusal> {
        let Self::CalmFrom(calm) = *self else {
            return Err(Refusal::TicketContested);
        };
        if !contested {
            return Ok(());
        }
        let calm = calm.0.max(now.0).saturating_add(CALM_MS);
        if calm > now.0.saturating_add(CONTESTS * CALM_MS) {
            *self = Self::Spoilt;
            return Err(Refusal::TicketContested);
        }
        *self = Self::CalmFrom(Timestamp(calm));
        Ok(())
    }
}
