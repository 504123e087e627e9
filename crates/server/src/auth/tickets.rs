//! Tickets: what stands in the query for a token.

use super::vault::{Name, Vault, VaultError};
use super::{Auth, Refused, Standing, Use, Who};
use crate::hub::now;
use crate::native;
use http::{Method, request};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidings_auth::ticket::{OPENS_WITHIN_MS, StreamId, Ticket, TicketId, TicketKey, UsedTickets};
use tidings_auth::{Face, Refusal};

/// The most tickets that are in use at once: 33 bytes each in their file, and
/// some hundred in memory.
const MAX_USED: usize = 100_000;

/// The hub's tickets.
pub struct Tickets {
    key: TicketKey,
    used: Arc<Mutex<UsedTickets>>,
}

/// A ticket as its holder is given it.
#[derive(Serialize)]
pub struct Given {
    /// What goes into `?ticket=`.
    pub ticket: String,
    /// Within how many seconds it opens its stream.
    pub opens_within: u64,
    /// When it is good for nothing more, in whole seconds since the Unix epoch.
    pub expires: u64,
}

/// What makes a ticket one of its own.
pub struct Random {
    id: [u8; 16],
    nonce: [u8; 12],
}

impl Random {
    /// From the system.
    ///
    /// # Errors
    /// If that has none to give.
    pub fn new() -> Result<Self, getrandom::Error> {
        let (mut id, mut nonce) = ([0; 16], [0; 12]);
        getrandom::fill(&mut id)?;
        getrandom::fill(&mut nonce)?;
        Ok(Self { id, nonce })
    }
}

impl Tickets {
    /// With what the data directory keeps, or for as long as the hub runs.
    ///
    /// # Errors
    /// A key that can't be read. A table that can't is as none: then tickets of
    /// before only resume.
    pub fn open(vault: Option<&Vault>) -> Result<Self, VaultError> {
        let used = match vault {
            None => None,
            Some(vault) => kept(vault)?,
        };
        Ok(Self {
            key: key(vault)?,
            used: Arc::new(Mutex::new(
                used.unwrap_or_else(|| UsedTickets::new(MAX_USED, now())),
            )),
        })
    }

    /// Keeps which tickets are in use, for a hub that starts again. To be called
    /// when no stream begins any more.
    ///
    /// # Errors
    /// If it can't be written; then tickets only resume after the restart.
    pub fn keep(&self, vault: &Vault) -> Result<(), VaultError> {
        let table = {
            let mut used = self.used();
            used.expire(now());
            used.encode()
        };
        vault.write(Name::UsedTickets, &table)
    }

    /// Uses a ticket, and answers beside what came of it which stream has to
    /// end. `find` finds a stream by its name.
    fn present(
        &self,
        ticket: &Ticket,
        resumes: bool,
        stream: StreamId,
        find: impl FnOnce(StreamId) -> Option<Arc<Standing>>,
    ) -> (Result<Option<StreamId>, Refusal>, Option<StreamId>) {
        // What is found may be held by nobody else any more, and takes its own
        // ticket back when it goes: it has to outlive the lock.
        let mut found = None;
        let mut table = self.used();
        let present = table.stream(ticket.id);
        let is_carried = |id| {
            found = find(id);
            let standing = found.as_ref();
            standing.is_some_and(|standing| standing.over(now()).is_none())
        };
        let used = table.present(ticket, resumes, stream, now(), is_carried);
        drop(table);
        let ends = match &used {
            Ok(replaced) => *replaced,
            Err(Refusal::TicketContested) => present,
            Err(_) => None,
        };
        (used, ends)
    }

    fn used(&self) -> MutexGuard<'_, UsedTickets> {
        lock(&self.used)
    }
}

impl Auth {
    /// Makes a ticket for whoever holds a token, of random bytes.
    ///
    /// # Errors
    /// [`Refused`]: without a token that counts there is none.
    pub fn give_ticket(&self, who: &Who, random: &Random) -> Result<Given, Refused> {
        let rights = self.identified(who)?;
        let now = now();
        let id = TicketId(random.id);
        let sealed = self.kept.tickets.key.seal(rights, id, random.nonce, now);
        Ok(Given {
            ticket: sealed.map_err(|refusal| self.refuse(refusal))?,
            opens_within: OPENS_WITHIN_MS / 1000,
            expires: TicketKey::expiry(rights, now).0 / 1000,
        })
    }

    /// Uses a ticket for a stream that has its standing and is about to begin,
    /// and ends the one that this replaces.
    ///
    /// # Errors
    /// A ticket that has opened its stream, and isn't to resume it; or one that
    /// two take from each other, which ends the stream of the other too.
    pub(super) fn present(
        &self,
        ticket: &Ticket,
        what_for: Use,
        stream: StreamId,
    ) -> Result<Opened, Refusal> {
        let standings = self.standings();
        let resumes = what_for == Use::Resumes;
        let tickets = &self.kept.tickets;
        let (used, ends) = tickets.present(ticket, resumes, stream, |id| standings.find(id));
        if let Some(standing) = ends.and_then(|id| standings.find(id)) {
            standing.end();
        }
        used.map(|_| Opened {
            table: Arc::clone(&self.kept.tickets.used),
            ticket: ticket.id,
            stream,
        })
    }
}

/// A ticket that has been used for a stream.
pub struct Opened {
    table: Arc<Mutex<UsedTickets>>,
    ticket: TicketId,
    stream: StreamId,
}

impl Opened {
    /// The stream has come to nothing before a byte of it was given.
    pub fn take_back(&self) {
        lock(&self.table).take_back(self.ticket, self.stream);
    }
}

/// Opens the ticket that a request presents.
///
/// # Errors
/// A request for anything but an event stream, by GET; a ticket that this hub
/// didn't make, or whose time is over. Whether it has been used is found out
/// when its stream begins.
pub fn open(auth: &Auth, ticket: &str, head: &request::Parts, face: Face) -> Result<Who, Refusal> {
    let opens_stream = match face {
        Face::Native => native::may_watch(head),
        Face::Mercure => crate::mercure::may_watch(head),
    };
    if head.method != Method::GET || !opens_stream {
        return Err(Refusal::TicketElsewhere);
    }
    let ticket = auth.kept.tickets.key.open(ticket, auth.base(), now())?;
    let cursor = head.headers.get("last-event-id");
    let what_for = match cursor.is_some_and(|cursor| !cursor.is_empty()) {
        true => Use::Resumes,
        false => Use::Opens,
    };
    Ok(Who::Ticket(ticket.into(), what_for))
}

fn lock(table: &Mutex<UsedTickets>) -> MutexGuard<'_, UsedTickets> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The key of the data directory, which is made if it is missing; without one,
/// a key for as long as the hub runs.
fn key(vault: Option<&Vault>) -> Result<TicketKey, VaultError> {
    if let Some(vault) = vault
        && let Some(bytes) = vault.read(Name::TicketKey)?
    {
        let bytes = bytes
            .first_chunk()
            .filter(|chunk| chunk.len() == bytes.len());
        let key = bytes.and_then(TicketKey::new);
        return key.ok_or_else(|| vault.damaged(Name::TicketKey));
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .expect("a system that has randomness: the log's identity is made of it");
    if let Some(vault) = vault {
        vault.write(Name::TicketKey, &bytes)?;
    }
    Ok(TicketKey::new(&bytes).expect("a library with AES-256-GCM-SIV"))
}

/// The table that a hub has kept when it stopped. It is for one start: after a
/// crash it would not know which tickets were used since.
fn kept(vault: &Vault) -> Result<Option<UsedTickets>, VaultError> {
    let read = vault.read(Name::UsedTickets);
    vault.remove(Name::UsedTickets)?;
    let table = match read {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => UsedTickets::decode(&bytes, MAX_USED, now()),
        Err(error) => {
            tracing::warn!(%error, "tickets that have opened no stream yet are refused");
            None
        }
    };
    Ok(table)
}

#[cfg(test)]
mod tests;
