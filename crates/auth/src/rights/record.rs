//! Rights written down, for tickets.

use super::grants::Grants;
use super::{Payload, Rights};
use crate::key::Signer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidings_engine::Timestamp;
use tidings_mercure::{Base, Dialect};

/// The longest record, in bytes: that of every token that is verified fits.
pub const MAX_RECORD_BYTES: usize = 4 * crate::token::MAX_BYTES;

/// What was read is no record of rights, or holds a pattern that isn't
/// understood any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidRecord;

type Written = Vec<(char, String)>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    publish: Written,
    subscribe: Written,
    /// A list of one, if something is: what is shown may be `null`.
    #[serde(default)]
    shown: Vec<Value>,
    payloads: Vec<(Written, Value)>,
    subject: Option<String>,
    issuer: Option<String>,
    token_id: Option<String>,
    expires: Option<u64>,
    issued: Option<u64>,
    signer: Option<Signer>,
}

impl Rights {
    /// Writes them down, but for `admin`: a ticket stands in a URL, and opens
    /// streams.
    pub fn to_record(&self) -> Vec<u8> {
        let payload = |payload: &Payload| (payload.of.written(), payload.value.clone());
        let record = Record {
            publish: self.publish.written(),
            subscribe: self.subscribe.written(),
            shown: self.shown.iter().cloned().collect(),
            payloads: self.payloads.iter().map(payload).collect(),
            subject: self.subject.clone(),
            issuer: self.issuer.clone(),
            token_id: self.token_id.clone(),
            expires: self.expires.map(|at| at.0),
            issued: self.issued.map(|at| at.0),
            signer: self.signer.clone(),
        };
        serde_json::to_vec(&record).unwrap_or_default()
    }

    /// Reads what [`Self::to_record`] wrote.
    ///
    /// # Errors
    /// [`InvalidRecord`].
    pub fn from_record(bytes: &[u8], base: &Base) -> Result<Self, InvalidRecord> {
        let record: Record = serde_json::from_slice(bytes).map_err(|_| InvalidRecord)?;
        let grants = |list: &Written| Grants::from_written(list, base).ok_or(InvalidRecord);
        let payload = |(of, value): (Written, Value)| {
            let of = grants(&of)?;
            Ok(Payload { of, value })
        };
        Ok(Self {
            publish: grants(&record.publish)?,
            subscribe: grants(&record.subscribe)?,
            admin: false,
            // Nobody publishes by a ticket, and a request to watch tells its own.
            dialect: Dialect::default(),
            shown: record.shown.into_iter().next(),
            payloads: record
                .payloads
                .into_iter()
                .map(payload)
                .collect::<Result<_, _>>()?,
            subject: record.subject,
            issuer: record.issuer,
            token_id: record.token_id,
            expires: record.expires.map(Timestamp),
            issued: record.issued.map(Timestamp),
            signer: record.signer,
            by_application: false,
        })
    }
}
