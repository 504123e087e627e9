//! A ticket as text: rights, times and an id, sealed so that only the hub's key
//! opens it and nobody can change it.

use super::{LONGEST_MS, OPENS_WITHIN_MS};
use crate::Refusal;
use crate::rights::{MAX_RECORD_BYTES, Rights};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::sync::Arc;
use tidings_engine::Timestamp;
use tidings_mercure::Base;

/// What is sealed along, so that no other value sealed with the key is a ticket.
const PURPOSE: &[u8] = b"tidings ticket 1";
const ID_LEN: usize = 16;
/// Id, issued, expires; then the rights.
const HEAD_LEN: usize = ID_LEN + 8 + 8;
const TAG_LEN: usize = 16;
const MAX_SEALED: usize = NONCE_LEN + HEAD_LEN + MAX_RECORD_BYTES + TAG_LEN;

/// Names a ticket: 128 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId(pub [u8; ID_LEN]);

/// A ticket that has been opened: it is the hub's own, and its token hasn't
/// expired. Whether it may be used says [`super::UsedTickets`].
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Its name.
    pub id: TicketId,
    /// What its token grants.
    pub rights: Arc<Rights>,
    /// When it was made.
    pub issued: Timestamp,
    /// When its token expires, or the ticket of a token that never does.
    pub expires: Timestamp,
}

/// The hub's key for tickets: 256 random bits, kept in its data directory.
pub struct TicketKey(LessSafeKey);

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(..)")
    }
}

impl TicketKey {
    /// The key of these bytes; `None` only if the library has no such cipher.
    pub fn new(bytes: &[u8; 32]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, bytes).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// Seals rights into a ticket. `id` and `nonce` are random. (With this
    /// cipher a nonce that comes twice shows no more than whether two tickets
    /// are equal, RFC 8452.)
    ///
    /// # Errors
    /// If the token has expired.
    pub fn seal(
        &self,
        rights: &Rights,
        id: TicketId,
        nonce: [u8; NONCE_LEN],
        now: Timestamp,
    ) -> Result<String, Refusal> {
        if rights.has_expired(now) {
            return Err(Refusal::Expired);
        }
        let expires = Self::expiry(rights, now);
        let mut sealed = Vec::with_capacity(HEAD_LEN + 512);
        sealed.extend_from_slice(&id.0);
        sealed.extend_from_slice(&now.0.to_be_bytes());
        sealed.extend_from_slice(&expires.0.to_be_bytes());
        sealed.extend_from_slice(&rights.to_record());
        let unique = Nonce::assume_unique_for_key(nonce);
        let done = self
            .0
            .seal_in_place_append_tag(unique, Aad::from(PURPOSE), &mut sealed);
        done.map_err(|_| Refusal::Ticket)?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// Until when a ticket that is made now is good.
    pub fn expiry(rights: &Rights, now: Timestamp) -> Timestamp {
        let longest = Timestamp(now.0.saturating_add(LONGEST_MS));
        rights.expires.unwrap_or(longest)
    }

    /// Opens a ticket.
    ///
    /// # Errors
    /// If this key hasn't sealed it, or its token has expired.
    pub fn open(&self, text: &str, base: &Base, now: Timestamp) -> Result<Ticket, Refusal> {
        if text.len() > MAX_SEALED.div_ceil(3) * 4 {
            return Err(Refusal::Ticket);
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Ticket)?;
        let (nonce, sealed) = bytes.split_first_chunk_mut().ok_or(Refusal::Ticket)?;
        let unique = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place(unique, Aad::from(PURPOSE), sealed);
        let opened: &[u8] = opened.map_err(|_| Refusal::Ticket)?;
        let ticket = read(opened, base).ok_or(Refusal::Ticket)?;
        match ticket.expires <= now {
            true => Err(Refusal::TicketExpired),
            false => Ok(ticket),
        }
    }
}

impl Ticket {
    /// Whether it may still open its stream.
    pub(super) fn may_open(&self, now: Timestamp) -> bool {
        now.0 < self.issued.0.saturating_add(OPENS_WITHIN_MS)
    }
}

fn read(opened: &[u8], base: &Base) -> Option<Ticket> {
    let (id, rest) = opened.split_first_chunk()?;
    let (issued, rest) = rest.split_first_chunk()?;
    let (expires, record) = rest.split_first_chunk()?;
    Some(Ticket {
        id: TicketId(*id),
        issued: Timestamp(u64::from_be_bytes(*issued)),
        expires: Timestamp(u64::from_be_bytes(*expires)),
        rights: Arc::new(Rights::from_record(record, base).ok()?),
    })
}
