//! A record: one event. The only parser of it; recovery, reading and the
//! rebuilding of an index all come through here.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–3 | length of the whole record, a multiple of 8 |
//! | 4–7 | checksum of the other bytes of the head (0–47) and their place |
//! | 8–15 | position |
//! | 16–23 | time the hub took it in, milliseconds since the epoch |
//! | 24–31 | age clock, milliseconds; never falls from record to record |
//! | 32–35 | /8: where the group of records begins that was written with it |
//! | 36–39 | length of the fields |
//! | 40–41 | length of the topic |
//! | 42–43 | length of the publisher's id |
//! | 44 | bit 0: has an id; bit 1: has an idempotency key; bit 2: last of its request; bits 3–4: how it was published, 0 natively, 1 publicly, 2 privately; bits 5–6: what it does to its topics, 0 nothing, 1 it opens them again, 2 it closes its only one |
//! | 45–46 | number of alternate topics |
//! | 47 | 0xA5 |
//! | 48– | idempotency key (16) and request hash (8), if any; topic; id; fields; per alternate topic its length (2) and its text; zeros |
//! | last 5 | checksum (4) that continues the head's over the body; 0xA5 |
//!
//! Head and record begin and end with bytes that aren't zero, so a sector's
//! share of them that is all zeros, or a zero at the end, was never written.
//!
//! In version 1 of the format, all was published natively and without alternate
//! topics: bits 3–4 and bytes 45–46 are zeros in its records, which therefore
//! read as they did. So do those of version 2, in which no topic was closed: bits
//! 5–6 are zeros.
//!
//! A group is written only after the group before it is durable. A damaged
//! place is therefore known to have been durable once if a record of a later
//! group follows it. The head has a checksum of its own so that the length of
//! a record with a damaged body can be trusted.

use super::flags::{kind_bits, kind_of, visibility_bits, visibility_of};
use super::{ALIGN, Salt, put_u32, put_u64, u16_at, u32_at, u64_at};
use bytes::Bytes;
use tidings_codec::EventId;
use tidings_engine::{
    Entry, IdempotencyKey, Kind, Position, Published, Timestamp, Topic, Visibility,
};

/// The length of the head, in bytes.
pub const HEAD: usize = 48;
const KEY: usize = 24;
/// Checksum and mark.
const SUM: usize = 5;
const MARK: u8 = 0xa5;
const MARK_AT: usize = HEAD - 1;
const HAS_ID: u8 = 1;
const HAS_KEY: u8 = 2;
const ENDS_REQUEST: u8 = 4;
/// What says how long an alternate topic is, in bytes.
const ALTERNATE_HEAD: usize = 2;
/// The length of the smallest record, in bytes.
pub const MIN: u64 = (HEAD + 1 + SUM).next_multiple_of(ALIGN as usize) as u64;

/// The fixed part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Length of the whole record, in bytes.
    pub len: u64,
    /// Where it stands in the log.
    pub position: Position,
    /// When the hub took it in.
    pub time: Timestamp,
    /// Age clock, in milliseconds.
    pub tick: u64,
    /// Where its group begins, in bytes.
    pub group: u64,
    /// Whether it is the last of its request.
    pub ends_request: bool,
    /// How it was published.
    pub visibility: Visibility,
    /// What it does to its topics.
    pub kind: Kind,
    /// How many topics it has besides the canonical one.
    pub alternates: usize,
    sum: u32,
    fields: usize,
    topic: usize,
    id: Option<usize>,
    has_key: bool,
}

/// An intact record, borrowed from a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The fixed part.
    pub head: Head,
    /// The idempotency key.
    pub key: Option<IdempotencyKey>,
    /// The topic as text.
    pub topic: &'a str,
    /// The publisher's own id.
    pub id: Option<&'a str>,
    /// The `event`, `retry` and `data` lines.
    pub fields: &'a [u8],
    /// Its alternate topics, as they stand in the record.
    alternates: &'a [u8],
}

/// Where and how the event of a record was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Its canonical topic.
    pub topic: Topic,
    /// Its other topics.
    pub alternates: Box<[Topic]>,
    /// To whom it is shown.
    pub visibility: Visibility,
}

impl Publication {
    /// The same, as selections ask for it.
    pub fn as_published(&self) -> Published<'_> {
        Published {
            topic: &self.topic,
            alternates: &self.alternates,
            visibility: self.visibility,
        }
    }
}

/// What stands beside an entry in its record.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The segment's salt.
    pub salt: Salt,
    /// Where the record begins in the segment, in bytes.
    pub at: u64,
    /// Where its group begins, in bytes.
    pub group: u64,
    /// Its position.
    pub position: Position,
    /// Age clock, in milliseconds.
    pub tick: u64,
    /// Whether it is the last of its request.
    pub ends_request: bool,
}

/// How long the record of an entry is, in bytes; `None` if a part of it is
/// too long for the format.
pub fn encoded_len(entry: &Entry) -> Option<u64> {
    let id = entry.id.as_ref().map_or(0, |id| id.as_str().len());
    u16::try_from(id).ok()?;
    u16::try_from(entry.topic.as_str().len()).ok()?;
    u16::try_from(entry.alternates.len()).ok()?;
    let key = if entry.key.is_some() { KEY } else { 0 };
    let mut body = key + entry.topic.as_str().len() + id;
    for alternate in &entry.alternates {
        let len = u16::try_from(alternate.as_str().len()).ok()?;
        body += ALTERNATE_HEAD + usize::from(len);
    }
    let len = (HEAD + body + SUM) as u64 + entry.fields.len() as u64;
    let len = len.next_multiple_of(ALIGN);
    u32::try_from(len).ok().map(u64::from)
}

/// Appends the record of `entry`, which must fit ([`encoded_len`]).
pub fn encode(out: &mut Vec<u8>, entry: &Entry, place: &Place) {
    let len = encoded_len(entry).expect("checked when the entry was admitted");
    let mut head = [0; HEAD];
    put_u32(&mut head, 0, len as u32);
    put_u64(&mut head, 8, place.position.0);
    put_u64(&mut head, 16, entry.time.0);
    put_u64(&mut head, 24, place.tick);
    put_u32(&mut head, 32, (place.group / ALIGN) as u32);
    put_u32(&mut head, 36, entry.fields.len() as u32);
    let id = entry.id.as_ref().map(EventId::as_str);
    head[40..42].copy_from_slice(&(entry.topic.as_str().len() as u16).to_le_bytes());
    head[42..44].copy_from_slice(&(id.map_or(0, str::len) as u16).to_le_bytes());
    head[44] = if id.is_some() { HAS_ID } else { 0 }
        | if entry.key.is_some() { HAS_KEY } else { 0 }
        | if place.ends_request { ENDS_REQUEST } else { 0 }
        | visibility_bits(entry.visibility)
        | kind_bits(entry.kind);
    head[45..47].copy_from_slice(&(entry.alternates.len() as u16).to_le_bytes());
    head[MARK_AT] = MARK;
    let sum = head_checksum(place.salt, place.at, &head);
    put_u32(&mut head, 4, sum);

    let begin = out.len();
    out.extend_from_slice(&head);
    if let Some(key) = entry.key {
        out.extend_from_slice(&key.key.to_le_bytes());
        out.extend_from_slice(&key.request.to_le_bytes());
    }
    out.extend_from_slice(entry.topic.as_str().as_bytes());
    out.extend_from_slice(id.unwrap_or_default().as_bytes());
    out.extend_from_slice(&entry.fields);
    for alternate in &entry.alternates {
        let text = alternate.as_str();
        out.extend_from_slice(&(text.len() as u16).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out.resize(begin + len as usize - SUM, 0);
    let sum = crc32c::crc32c_append(sum, &out[begin + HEAD..]);
    out.extend_from_slice(&sum.to_le_bytes());
    out.push(MARK);
}

impl Head {
    /// Reads the head of a record at byte `at` of a segment; `None` unless
    /// its checksum holds and its lengths agree. `bytes` must hold at least
    /// [`HEAD`] bytes.
    pub fn parse(salt: Salt, at: u64, bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEAD)?;
        let sum = u32_at(bytes, 4);
        let len = u64::from(u32_at(bytes, 0));
        // The cheap tests first: resynchronisation asks this of every place.
        if len < MIN
            || len % ALIGN != 0
            || bytes[MARK_AT] != MARK
            || sum != head_checksum(salt, at, bytes)
        {
            return None;
        }
        let flags = bytes[44];
        let id = usize::from(u16_at(bytes, 42));
        let head = Self {
            len,
            position: Position(u64_at(bytes, 8)),
            time: Timestamp(u64_at(bytes, 16)),
            tick: u64_at(bytes, 24),
            group: u64::from(u32_at(bytes, 32)) * ALIGN,
            ends_request: flags & ENDS_REQUEST != 0,
            visibility: visibility_of(flags)?,
            kind: kind_of(flags)?,
            sum,
            fields: u32_at(bytes, 36) as usize,
            topic: usize::from(u16_at(bytes, 40)),
            id: (flags & HAS_ID != 0).then_some(id),
            has_key: flags & HAS_KEY != 0,
            alternates: u16_at(bytes, 45).into(),
        };
        let key = if head.has_key { KEY } else { 0 };
        let used = (HEAD + key + head.topic + id + SUM) as u64 + head.fields as u64;
        // How long alternates are, only the body says.
        let least = (head.alternates * (ALTERNATE_HEAD + 1)) as u64;
        let agrees = match least {
            0 => used.next_multiple_of(ALIGN) == len,
            least => used + least <= len,
        };
        let closes_one = head.kind != Kind::End || head.alternates == 0;
        (agrees && closes_one && head.group <= at).then_some(head)
    }

    /// Reads the rest of the record whose bytes are `bytes`; `None` unless
    /// the checksum holds and the texts are texts.
    pub fn record<'a>(&self, bytes: &'a [u8]) -> Option<Record<'a>> {
        let bytes = bytes.get(..self.len as usize)?;
        let body_end = bytes.len() - SUM;
        let sum = crc32c::crc32c_append(self.sum, &bytes[HEAD..body_end]);
        if sum != u32_at(bytes, body_end) || bytes[body_end + 4] != MARK {
            return None;
        }
        self.view(bytes)
    }

    /// Like [`Head::record`], for bytes that it has accepted before.
    pub fn view<'a>(&self, bytes: &'a [u8]) -> Option<Record<'a>> {
        let body = bytes.get(HEAD..self.len as usize - SUM)?;
        let (key, body) = if self.has_key {
            let key = u128::from_le_bytes(body.get(..16)?.try_into().ok()?);
            let request = u64_at(body.get(..KEY)?, 16);
            (Some(IdempotencyKey { key, request }), &body[KEY..])
        } else {
            (None, body)
        };
        let id_end = self.topic + self.id.unwrap_or(0);
        let id = body.get(self.topic..id_end)?;
        let fields = body.get(id_end..id_end + self.fields)?;
        let alternates = &body[id_end + self.fields..];
        self.check_alternates(alternates)?;
        Some(Record {
            head: *self,
            key,
            topic: std::str::from_utf8(body.get(..self.topic)?).ok()?,
            id: match self.id {
                Some(_) => Some(std::str::from_utf8(id).ok()?),
                None => None,
            },
            fields,
            alternates,
        })
    }

    /// Whether `rest` begins with the alternates, and less than [`ALIGN`] bytes
    /// follow.
    fn check_alternates(&self, mut rest: &[u8]) -> Option<()> {
        for _ in 0..self.alternates {
            let text;
            (text, rest) = split_alternate(rest)?;
            std::str::from_utf8(text).ok()?;
        }
        (rest.len() < ALIGN as usize).then_some(())
    }
}

/// The text of the first alternate, and what follows it.
fn split_alternate(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_at_checked(ALTERNATE_HEAD)?;
    rest.split_at_checked(u16_at(len, 0).into())
}

/// Whether a topic is among these twice.
pub fn has_doubles<'a>(topics: impl Iterator<Item = &'a str>) -> bool {
    let mut topics: Vec<&str> = topics.collect();
    topics.sort_unstable();
    topics.windows(2).any(|pair| pair[0] == pair[1])
}

impl<'a> Record<'a> {
    /// All its topics as text, the canonical one first.
    pub fn topics(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut rest = self.alternates;
        let alternates = (0..self.head.alternates).map_while(move |_| {
            let text;
            (text, rest) = split_alternate(rest)?;
            std::str::from_utf8(text).ok()
        });
        std::iter::once(self.topic).chain(alternates)
    }

    /// Where and how it was published; `None` if one of its topics is none, or
    /// two are the same.
    pub fn publication(&self) -> Option<Publication> {
        if self.head.alternates > 0 && has_doubles(self.topics()) {
            return None;
        }
        let alternates = self.topics().skip(1).map(Topic::new);
        Some(Publication {
            topic: Topic::new(self.topic).ok()?,
            alternates: alternates.collect::<Result<_, _>>().ok()?,
            visibility: self.head.visibility,
        })
    }

    /// The entry that was appended, published there; `None` if its id isn't one.
    pub fn to_entry(&self, publication: Publication) -> Option<Entry> {
        Some(Entry {
            topic: publication.topic,
            alternates: publication.alternates,
            visibility: publication.visibility,
            kind: self.head.kind,
            time: self.head.time,
            id: match self.id {
                Some(id) => Some(EventId::new(id).ok()?),
                None => None,
            },
            key: self.key,
            fields: Bytes::copy_from_slice(self.fields),
        })
    }
}

/// Gives the bytes of a record, whatever they say, the length that they have and
/// checksums that hold, so that tests get past these. They must be some.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn seal_again(salt: Salt, at: u64, bytes: &mut [u8]) {
    let (len, end) = (bytes.len() as u32, bytes.len() - SUM);
    put_u32(bytes, 0, len);
    bytes[MARK_AT] = MARK;
    let sum = head_checksum(salt, at, bytes);
    put_u32(bytes, 4, sum);
    let sum = crc32c::crc32c_append(sum, &bytes[HEAD..end]);
    put_u32(bytes, end, sum);
    bytes[end + 4] = MARK;
}

fn head_checksum(salt: Salt, at: u64, head: &[u8]) -> u32 {
    crc32c::crc32c_append(salt.checksum(at, &head[..4]), &head[8..HEAD])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Identity;
    use crate::format::flags::{KIND_AT, VISIBILITY_AT};
    use tidings_engine::LogId;

    fn identity(log: u64) -> Identity {
        let log = LogId(log);
        Identity { log, secret: 9 }
    }

    /// An event with all that a record can have, natively published or not.
    fn samples() -> [(Entry, Place, Vec<u8>); 2] {
        let native = Entry {
            kind: Kind::Event,
            alternates: Box::default(),
            visibility: Visibility::Native,
            topic: Topic::new("orders/42").unwrap(),
            time: Timestamp(1_700_000_000_000),
            id: Some(EventId::new("a-1").unwrap()),
            key: Some(IdempotencyKey { key: 7, request: 8 }),
            fields: Bytes::from_static(b"data: hello\n"),
        };
        let private = Entry {
            alternates: ["a", "b/c"].map(|text| Topic::new(text).unwrap()).into(),
            visibility: Visibility::Private,
            kind: Kind::Reopening,
            ..native.clone()
        };
        [native, private].map(|entry| {
            let bytes = encoded(&entry);
            (entry, place(), bytes)
        })
    }

    fn place() -> Place {
        Place {
            salt: Salt::new(identity(5), Position(3)),
            at: 4096,
            group: 4096,
            position: Position(3),
            tick: 99,
            ends_request: true,
        }
    }

    fn encoded(entry: &Entry) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&mut bytes, entry, &place());
        bytes
    }

    fn parse(place: &Place, bytes: &[u8]) -> Option<Entry> {
        let head = Head::parse(place.salt, place.at, bytes)?;
        let record = head.record(bytes)?;
        record.to_entry(record.publication()?)
    }

    #[test]
    fn round_trip() {
        for (entry, place, bytes) in samples() {
            assert_eq!(bytes.len() as u64, encoded_len(&entry).unwrap());
            let head = Head::parse(place.salt, place.at, &bytes).unwrap();
            assert_eq!(
                (head.position, head.tick, head.group),
                (Position(3), 99, 4096)
            );
            assert!(head.ends_request);
            assert_eq!(parse(&place, &bytes), Some(entry));
        }
    }

    #[test]
    fn every_number_of_alternates_and_every_visibility_comes_back() {
        let longest = |n: usize| Topic::new(&format!("{n}/{:0>1$}", "", 4090)).unwrap();
        let short = |n: usize| Topic::new(&"x".repeat(n + 1)).unwrap();
        for visibility in [Visibility::Native, Visibility::Public, Visibility::Private] {
            for count in (0..20).chain([999]) {
                for alternate in [longest, short] {
                    let entry = Entry {
                        alternates: (0..count).map(alternate).collect(),
                        visibility,
                        ..samples()[0].0.clone()
                    };
                    let bytes = encoded(&entry);
                    assert_eq!(bytes.len() as u64, encoded_len(&entry).unwrap());
                    assert_eq!(parse(&place(), &bytes), Some(entry), "{count}");
                }
            }
        }
    }

    #[test]
    fn every_kind_comes_back() {
        for kind in [Kind::Event, Kind::Reopening, Kind::End] {
            let entry = Entry {
                kind,
                ..samples()[0].0.clone()
            };
            assert_eq!(parse(&place(), &encoded(&entry)), Some(entry), "{kind:?}");
        }
    }

    /// The bytes of a record of version 1, which nothing writes any more.
    #[test]
    fn records_of_version_1_read_as_before() {
        let hex = "68000000a8ce164203000000000000000068e5cf8b01000063000000000000000002\
                   00000c00000009000300070000a50700000000000000000000000000000008000000\
                   000000006f72646572732f3432612d31646174613a2068656c6c6f0a00000027294d\
                   09a5";
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        assert_eq!(parse(&place(), &bytes), Some(samples()[0].0.clone()));
    }

    /// Changes a record and makes its checksums right again.
    fn forged(bytes: &[u8], change: impl Fn(&mut [u8])) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        change(&mut bytes);
        seal_again(place().salt, place().at, &mut bytes);
        bytes
    }

    fn check_forged(what: &str, change: impl Fn(&mut [u8])) {
        let [_, (_, place, bytes)] = samples();
        assert_eq!(parse(&place, &forged(&bytes, change)), None, "{what}");
    }

    #[test]
    fn f3_alternates_that_are_none_are_damage() {
        let [_, (entry, place, bytes)] = samples();
        assert_eq!(parse(&place, &forged(&bytes, |_| {})), Some(entry.clone()));
        // Where the first alternate's length stands.
        let at = bytes.len() - SUM - {
            let used: usize = entry.alternates.iter().map(|a| 2 + a.as_str().len()).sum();
            let all = HEAD + KEY + "orders/42a-1".len() + entry.fields.len() + used + SUM;
            used + bytes.len() - all
        };
        assert_eq!(&bytes[at..at + 8], b"\x01\0a\x03\0b/c");
        check_forged("one too many", |b| b[45] = 3);
        check_forged("one too few", |b| b[45] = 1);
        check_forged("more than fit", |b| b[46] = 0xff);
        check_forged("none", |b| b[45] = 0);
        check_forged("no visibility", |b| b[44] |= 3 << VISIBILITY_AT);
        check_forged("no kind", |b| b[44] |= 3 << KIND_AT);
        check_forged("the end of several topics", |b| b[44] ^= 3 << KIND_AT);
        check_forged("longer than the record", |b| b[at + 3] = 0xff);
        check_forged("much longer", |b| b[at + 4] = 0xff);
        check_forged("shorter", |b| b[at + 3] = 2);
        check_forged("no UTF-8", |b| b[at + 2] = 0xff);
        check_forged("no topic", |b| b[at + 2] = b'*');
        check_forged("an empty segment", |b| b[at + 5] = b'/');
        for alternates in [["a", "a"], ["a", "orders/42"]] {
            let doubled = Entry {
                alternates: alternates.map(|text| Topic::new(text).unwrap()).into(),
                ..entry.clone()
            };
            assert_eq!(parse(&place, &encoded(&doubled)), None, "{alternates:?}");
        }
    }

    #[test]
    fn f3_every_bit_flip_of_a_record_is_seen() {
        for (_, place, bytes) in samples() {
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(parse(&place, &damaged), None, "bit {bit}");
            }
        }
    }

    #[test]
    fn f1_every_truncation_of_a_record_is_seen() {
        for (_, place, bytes) in samples() {
            for len in 0..bytes.len() {
                assert_eq!(parse(&place, &bytes[..len]), None, "{len} bytes");
            }
        }
    }

    #[test]
    fn f5_a_record_counts_only_in_its_own_place_and_segment() {
        for (_, place, bytes) in samples() {
            let moved = Place { at: 8192, ..place };
            assert_eq!(parse(&moved, &bytes), None);
            let salt = Salt::new(identity(5), Position(4));
            assert_eq!(parse(&Place { salt, ..place }, &bytes), None);
        }
    }

    #[test]
    fn f2_zeros_are_no_record() {
        assert!(Head::parse(Salt::new(identity(0), Position(0)), 0, &[0; 4096]).is_none());
    }
}
