//! From a topic to whoever watches it, at a cost that grows with the matches.

use crate::memo::{Entry, Id, Memo};
use crate::radix::Radix;
use crate::{Matcher, Subject, shrink_map, shrink_slab};
use slab::Slab;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// Which keys watch a topic. Exact matchers are found by hash, templates and
/// URL patterns by the longest literal they begin with; what they matched is
/// remembered for a while, within a bound in bytes.
///
/// The cost of [`Index::matches`] grows with the patterns whose literal
/// beginning a topic has, not with those that there are; so a pattern without
/// one (`{scheme}://a`, `*://a/b`) costs every topic that isn't remembered.
/// Equal matchers of many keys are one.
#[derive(Debug)]
pub struct Index<K> {
    any: BTreeSet<K>,
    exact: HashMap<Arc<str>, BTreeSet<K>>,
    patterns: Slab<Watched<K>>,
    /// The most patterns since memory was last given back.
    peak: usize,
    /// Where a pattern stands: by kind and text, see [`Matcher`].
    slots: HashMap<Matcher, usize>,
    templates: Radix,
    url_patterns: Radix,
    memo: Memo,
    /// What was held against topics so far, see [`Index::work`].
    work: u64,
    /// How many patterns were ever added.
    added: u64,
    /// The last of them: what remembered topics have not been held against.
    recent: VecDeque<Id>,
}

/// A template or URL pattern and who watches it.
#[derive(Debug)]
struct Watched<K> {
    matcher: Matcher,
    stamp: u64,
    keys: BTreeSet<K>,
}

/// After so many new patterns a remembered topic is looked up afresh.
const RECENT: usize = 32;

impl<K: Copy + Ord> Default for Index<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Copy + Ord> Index<K> {
    /// An index in which nobody watches anything.
    pub fn new() -> Self {
        Self {
            any: BTreeSet::new(),
            exact: HashMap::new(),
            patterns: Slab::new(),
            peak: 0,
            slots: HashMap::new(),
            templates: Radix::new(),
            url_patterns: Radix::new(),
            memo: Memo::default(),
            work: 0,
            added: 0,
            recent: VecDeque::new(),
        }
    }

    /// Lets `key` watch what `matcher` matches, in addition to what it watches;
    /// answers whether it didn't yet.
    pub fn insert(&mut self, matcher: &Matcher, key: K) -> bool {
        match matcher {
            Matcher::Any => self.any.insert(key),
            Matcher::Exact(text) => self.exact.entry(text.clone()).or_default().insert(key),
            pattern => {
                let slot = match self.slots.get(pattern) {
                    Some(slot) => *slot,
                    None => self.add_pattern(pattern),
                };
                self.patterns[slot].keys.insert(key)
            }
        }
    }

    /// Lets `key` watch what `matcher` matches no longer, and gives back the
    /// memory that nobody else needs. Answers whether it did.
    pub fn remove(&mut self, matcher: &Matcher, key: K) -> bool {
        match matcher {
            Matcher::Any => self.any.remove(&key),
            Matcher::Exact(text) => {
                let Some(keys) = self.exact.get_mut(text) else {
                    return false;
                };
                let removed = keys.remove(&key);
                if keys.is_empty() {
                    self.exact.remove(text);
                    shrink_map(&mut self.exact);
                }
                removed
            }
            pattern => {
                let Some(slot) = self.slots.get(pattern).copied() else {
                    return false;
                };
                let removed = self.patterns[slot].keys.remove(&key);
                if self.patterns[slot].keys.is_empty() {
                    self.drop_pattern(slot);
                }
                removed
            }
        }
    }

    /// Reports each key that watches one of an event's `topics`, once, in no
    /// promised order.
    pub fn matches(&mut self, topics: &[Subject<'_>], mut report: impl FnMut(K)) {
        let mut hits = Vec::new();
        for topic in topics {
            self.find_patterns(topic, &mut hits);
        }
        let mut found: Vec<&BTreeSet<K>> = Vec::new();
        if !self.any.is_empty() {
            found.push(&self.any);
        }
        found.extend(topics.iter().filter_map(|topic| self.exact.get(topic.text)));
        found.extend(hits.iter().map(|id| &self.patterns[id.slot].keys));
        if let [keys] = found[..] {
            keys.iter().copied().for_each(report);
            return;
        }
        // A key may stand in several sets, if several of its matchers match.
        let mut all: Vec<K> = found.into_iter().flatten().copied().collect();
        all.sort();
        all.dedup();
        all.into_iter().for_each(&mut report);
    }

    /// How many patterns `topic` is held against when nothing is remembered of
    /// it: the cost of [`Index::matches`] beside the keys it reports.
    pub fn candidates(&self, topic: &Subject<'_>) -> usize {
        let mut count = 0;
        self.visit_candidates(topic, |_| count += 1);
        count
    }

    /// What [`Index::matches`] has taken so far, at most, beside the keys it
    /// reported: the [`Matcher::work`] of what topics were held against, as often
    /// as 64 bytes of topic begin.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// How many exact topics, distinct patterns and tree nodes are held (the
    /// two roots are always).
    pub fn size(&self) -> (usize, usize, usize) {
        let nodes = self.templates.size() + self.url_patterns.size();
        (self.exact.len(), self.patterns.len(), nodes)
    }

    /// Appends the patterns that match `topic`.
    fn find_patterns(&mut self, topic: &Subject<'_>, hits: &mut Vec<Id>) {
        if self.patterns.is_empty() {
            return;
        }
        let begin = hits.len();
        let Some(entry) = self.memo.get(topic.text) else {
            self.search(topic, hits);
            self.remember(topic, &hits[begin..]);
            return;
        };
        let missing = usize::try_from(self.added - entry.seen).unwrap_or(usize::MAX);
        let patterns = &self.patterns;
        let alive = |id: &&Id| is_alive(patterns, **id);
        hits.extend(entry.hits.iter().filter(alive));
        if missing == 0 {
            return;
        }
        if missing > self.recent.len() {
            hits.truncate(begin);
            self.search(topic, hits);
        } else {
            let new = self.recent.iter().rev().take(missing).filter(alive);
            for id in new {
                let matcher = &patterns[id.slot].matcher;
                self.work += work_of(matcher, topic);
                if matcher.matches(topic) {
                    hits.push(*id);
                }
            }
        }
        self.remember(topic, &hits[begin..]);
    }

    fn search(&mut self, topic: &Subject<'_>, hits: &mut Vec<Id>) {
        let mut work = 0;
        self.visit_candidates(topic, |slot| {
            let pattern = &self.patterns[slot];
            work += work_of(&pattern.matcher, topic);
            if pattern.matcher.matches(topic) {
                hits.push(Id {
                    slot,
                    stamp: pattern.stamp,
                });
            }
        });
        self.work += work;
    }

    fn remember(&mut self, topic: &Subject<'_>, hits: &[Id]) {
        let entry = Entry {
            seen: self.added,
            hits: hits.into(),
        };
        self.memo.put(topic.text.into(), entry);
    }

    fn visit_candidates(&self, topic: &Subject<'_>, mut found: impl FnMut(usize)) {
        self.templates.visit(topic.text, &mut found);
        // To read a topic as a URL costs more than to look here.
        if self.url_patterns.holds_any()
            && let Some(url) = topic.url()
        {
            self.url_patterns.visit(url.key(), found);
        }
    }

    fn add_pattern(&mut self, matcher: &Matcher) -> usize {
        self.added += 1;
        let stamp = self.added;
        let slot = self.patterns.insert(Watched {
            matcher: matcher.clone(),
            stamp,
            keys: BTreeSet::new(),
        });
        self.slots.insert(matcher.clone(), slot);
        let work = matcher.work();
        self.edit_tree(matcher, |tree, prefix| tree.insert(prefix, slot, work));
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(Id { slot, stamp });
        slot
    }

    fn drop_pattern(&mut self, slot: usize) {
        self.peak = self.peak.max(self.patterns.len());
        let Watched { matcher, .. } = self.patterns.remove(slot);
        self.slots.remove(&matcher);
        shrink_map(&mut self.slots);
        let work = matcher.work();
        self.edit_tree(&matcher, |tree, prefix| tree.remove(prefix, slot, work));
        shrink_slab(&mut self.patterns, &mut self.peak);
    }

    fn edit_tree(&mut self, matcher: &Matcher, edit: impl FnOnce(&mut Radix, &str)) {
        match matcher {
            Matcher::Template(template) => edit(&mut self.templates, template.prefix()),
            Matcher::UrlPattern(pattern) => edit(&mut self.url_patterns, pattern.prefix()),
            Matcher::Any | Matcher::Exact(_) => unreachable!("it stands in no tree"),
        }
    }
}

fn work_of(matcher: &Matcher, topic: &Subject<'_>) -> u64 {
    (matcher.work() * (1 + topic.text.len() / 64)) as u64
}

fn is_alive<K>(patterns: &Slab<Watched<K>>, id: Id) -> bool {
    patterns
        .get(id.slot)
        .is_some_and(|pattern| pattern.stamp == id.stamp)
}
