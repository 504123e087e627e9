//! Which patterns a topic was found to match, for a while.

use std::collections::HashMap;

/// A pattern in its slot; a slot's later occupants have other stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) slot: usize,
    pub(super) stamp: u64,
}

/// What is remembered of a topic.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// How many patterns had ever been added when this was true.
    pub(super) seen: u64,
    pub(super) hits: Box<[Id]>,
}

/// Entries by topic. The key is the topic and nothing else: a text joined of
/// a pattern and a topic could be read in two ways (CVE-2026-39972).
///
/// There are two generations: when the young one is full it becomes the old
/// one, which is forgotten. What is asked for again stays young.
#[derive(Debug, Default)]
pub(super) struct Memo {
    young: HashMap<Box<str>, Entry>,
    old: HashMap<Box<str>, Entry>,
    young_bytes: usize,
}

/// What a generation may take, in bytes.
pub(super) const GENERATION_BYTES: usize = 512 * 1024;
/// What an entry takes beside its topic and its hits, in bytes, rounded up.
const ENTRY_BYTES: usize = 96;

impl Memo {
    /// What is remembered of `topic`, kept for longer from now on.
    pub(super) fn get(&mut self, topic: &str) -> Option<&Entry> {
        if !self.young.contains_key(topic) {
            let (topic, entry) = self.old.remove_entry(topic)?;
            self.put(topic, entry);
        }
        self.young.get(topic)
    }

    /// Remembers `entry`, unless it alone would drive much else out.
    pub(super) fn put(&mut self, topic: Box<str>, entry: Entry) {
        let bytes = ENTRY_BYTES + topic.len() + size_of_val(&*entry.hits);
        if bytes > GENERATION_BYTES / 8 {
            self.young.remove(&topic);
            return;
        }
        if self.young_bytes + bytes > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        // A replaced entry stays counted until its generation goes: the bound
        // is never passed.
        self.young_bytes += bytes;
        self.young.insert(topic, entry);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(hits: usize) -> Entry {
        Entry {
            seen: 0,
            hits: vec![Id { slot: 0, stamp: 0 }; hits].into(),
        }
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_asked_for() {
        let mut memo = Memo::default();
        for i in 0..100_000 {
            memo.put(i.to_string().into(), entry(0));
            assert!(memo.get("0").is_some(), "forgotten at {i}");
        }
        assert!(memo.get("1").is_none());
        assert!(memo.get("99999").is_some());
        assert!(memo.len() <= 2 * GENERATION_BYTES / ENTRY_BYTES);
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let mut memo = Memo::default();
        memo.put("a".into(), entry(1));
        memo.put("a".into(), entry(GENERATION_BYTES / 8));
        assert!(memo.get("a").is_none());
    }
}
