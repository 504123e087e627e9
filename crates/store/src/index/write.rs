//! Writing an index file.
//!
//! The content, which stands in checksummed pages ([`super::page`]), begins
//! with a head of [`HEAD`] bytes:
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–7 | `TIDINDEX` |
//! | 8–15 | format version |
//! | 16–23 | log identity |
//! | 24–31, 32–39 | first and last position |
//! | 40–47 | where the records end in the segment, in bytes |
//! | 48–55 | number of records |
//! | 56–63, 64–71 | time of the first record; greatest time |
//! | 72–79 | age clock of the last record |
//! | 80–239 | per section: begin (8), entries (8) |
//!
//! In version 1 of the format, records have one topic each; the head ends before
//! the section that tells of others. In version 2 no topic is closed; it ends before
//! the last section.
//!
//! | section | entry, in bytes |
//! | --- | --- |
//! | sparse | position 8, byte 8, greatest time before 8, age clock 8 |
//! | topics, sorted | name: begin in names 4, length 4; first posting 4, postings 4; bytes of records 8 |
//! | names | 1 |
//! | postings | byte of a record /8: 4 |
//! | ids, sorted | hash 8, hash of topic 4, byte of the record /8: 4 |
//! | keys | key 16, request 8, position 8, time 8 |
//! | holes | position before 8, last position 8 |
//! | filter over ids | block of 64 |
//! | records with several topics | 4: per record its length /8, how many topics, and their numbers |
//! | what closes topics and opens them again, the first event behind an end among it | position 8, number of the topic 4, 1 if it closes it 4 |

use super::filter::{BLOCK, Filter};
use super::live::LiveIndex;
use super::page;
use crate::format::{ALIGN, VERSION, put_u64};
use std::collections::HashMap;
use tidings_engine::LogId;

/// The length of the head, in bytes.
pub(crate) const HEAD: usize = SECTIONS_AT + 16 * SECTIONS;
pub(crate) const MAGIC: &[u8; 8] = b"TIDINDEX";
/// Where the table of sections stands in the head.
pub(crate) const SECTIONS_AT: usize = 80;
pub(crate) const SPARSE: usize = 0;
pub(crate) const TOPICS: usize = 1;
pub(crate) const NAMES: usize = 2;
pub(crate) const POSTINGS: usize = 3;
pub(crate) const IDS: usize = 4;
pub(crate) const KEYS: usize = 5;
pub(crate) const HOLES: usize = 6;
pub(crate) const FILTER: usize = 7;
pub(crate) const JOINTS: usize = 8;
pub(crate) const CLOSINGS: usize = 9;
pub(crate) const SECTIONS: usize = 10;
/// How many sections version 1 has.
pub(crate) const SECTIONS_OF_1: usize = 8;
/// How many version 2 has.
pub(crate) const SECTIONS_OF_2: usize = 9;
/// The length of an entry of each section, in bytes.
pub(crate) const ENTRY: [usize; SECTIONS] = [32, 24, 1, 4, 16, 40, 16, BLOCK, 4, 16];

/// The bytes of the index file of a segment.
pub(crate) fn encode(log: LogId, live: &LiveIndex) -> Vec<u8> {
    let mut out = vec![0; HEAD];
    out[..8].copy_from_slice(MAGIC);
    let numbers = [
        VERSION.into(),
        log.0,
        live.first.0,
        live.last.0,
        live.end,
        live.records,
        live.first_time,
        live.max_time,
        live.last_tick,
    ];
    for (i, number) in numbers.into_iter().enumerate() {
        put_u64(&mut out, 8 + 8 * i, number);
    }
    put_sparse(&mut out, live);
    put_topics(&mut out, live);
    section(&mut out, IDS, |out| {
        for (id, topic, offset) in &live.ids {
            put(
                out,
                &[
                    &id.to_le_bytes(),
                    &topic.to_le_bytes(),
                    &offset.to_le_bytes(),
                ],
            );
        }
    });
    section(&mut out, KEYS, |out| {
        for entry in &live.keys {
            put(
                out,
                &[
                    &entry.key.key.to_le_bytes(),
                    &entry.key.request.to_le_bytes(),
                ],
            );
            put(
                out,
                &[&entry.position.0.to_le_bytes(), &entry.time.to_le_bytes()],
            );
        }
    });
    section(&mut out, HOLES, |out| {
        for hole in &live.holes {
            put(
                out,
                &[&hole.after.0.to_le_bytes(), &hole.to.0.to_le_bytes()],
            );
        }
    });
    let filter = Filter::build(live.ids.len(), live.ids.iter().map(|(id, ..)| *id));
    section(&mut out, FILTER, |out| out.extend_from_slice(&filter.0));
    section(&mut out, JOINTS, |out| {
        for joint in live.joints() {
            let head = [(joint.bytes / ALIGN) as u32, joint.topics.len() as u32];
            for number in head.into_iter().chain(joint.topics) {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
    });
    put_closings(&mut out, live);
    page::paginate(live.salt, &out)
}

fn put_sparse(out: &mut Vec<u8>, live: &LiveIndex) {
    section(out, SPARSE, |out| {
        for s in &live.sparse {
            for number in [s.position.0, s.at, s.time_before, s.tick] {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
    });
}

fn put_topics(out: &mut Vec<u8>, live: &LiveIndex) {
    section(out, TOPICS, |out| {
        let (mut name, mut posting) = (0u32, 0u32);
        for (topic, postings) in &live.topics {
            let (len, count) = (topic.as_str().len() as u32, postings.offsets.len() as u32);
            for number in [name, len, posting, count] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            out.extend_from_slice(&postings.bytes.to_le_bytes());
            name += len;
            posting += count;
        }
    });
    section(out, NAMES, |out| {
        for topic in live.topics.keys() {
            out.extend_from_slice(topic.as_str().as_bytes());
        }
    });
    section(out, POSTINGS, |out| {
        for offset in live.topics.values().flat_map(|p| &p.offsets) {
            out.extend_from_slice(&offset.to_le_bytes());
        }
    });
}

fn put_closings(out: &mut Vec<u8>, live: &LiveIndex) {
    let mut numbers = HashMap::new();
    if !live.closings.is_empty() {
        numbers.extend(live.topics.keys().zip(0u32..));
    }
    section(out, CLOSINGS, |out| {
        for closing in &live.closings {
            let number = numbers[&closing.topic];
            let position = closing.position.0.to_le_bytes();
            let ends = u32::from(closing.ends).to_le_bytes();
            put(out, &[&position, &number.to_le_bytes(), &ends]);
        }
    });
}

fn section(out: &mut Vec<u8>, number: usize, fill: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    fill(out);
    let entries = (out.len() - begin) / ENTRY[number];
    put_u64(out, SECTIONS_AT + 16 * number, begin as u64);
    put_u64(out, SECTIONS_AT + 16 * number + 8, entries as u64);
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}
