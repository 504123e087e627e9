//! From a topic to whoever watches it, at a cost that grows with the matches.

use crate::mercure::to_mercure;
use crate::{MercureSelector, Published, Selection, Selector, Topic, shrink_map, shrink_slab};
use slab::Slab;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tidings_matcher::{self as matcher, Base, Subject};

/// Which keys watch a topic. Exact topics are found by hash, patterns by a
/// trie over their segments, Mercure's rules by an [index](matcher::Index) of
/// their own.
///
/// [`Index::matches`] visits, beside what it reports, one node of the trie per
/// segment and way of reading the topic as wildcards: `a/b` can follow `a/b`,
/// `a/*`, `*/b` and `*/*`, as far as somebody watches such patterns. It never
/// depends on how many other patterns there are. What Mercure's rules cost is
/// said at their index.
#[derive(Debug)]
pub struct Index<K> {
    exact: HashMap<Topic, Keys<K>>,
    nodes: Slab<Node<K>>,
    root: usize,
    /// The most nodes since memory was last given back.
    peak: usize,
    /// Once somebody watches by a rule of Mercure's.
    mercure: Option<Box<Mercure<K>>>,
}

/// Who watches by rules of Mercure's.
#[derive(Debug)]
struct Mercure<K> {
    base: Arc<Base>,
    index: matcher::Index<K>,
    /// How many rules of keys there are.
    count: usize,
}

/// One segment of patterns; the path from the root spells a pattern.
#[derive(Debug)]
struct Node<K> {
    literals: HashMap<Box<str>, usize>,
    /// The child for a segment `*`.
    any: Option<usize>,
    /// Who watches the pattern that ends here.
    here: Keys<K>,
    /// Who watches the pattern that goes on with a last `**`.
    rest: Keys<K>,
}

/// Keys in order. Most topics have one watcher, which needs no allocation.
#[derive(Debug)]
enum Keys<K> {
    None,
    One(K),
    Many(BTreeSet<K>),
}

impl<K: Copy + Ord> Default for Index<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Copy + Ord> Index<K> {
    /// An index in which nobody watches anything.
    pub fn new() -> Self {
        let mut nodes = Slab::new();
        let root = nodes.insert(Node::new());
        Self {
            exact: HashMap::new(),
            nodes,
            root,
            peak: 1,
            mercure: None,
        }
    }

    /// Lets `key` watch `selection`, in addition to what it watches.
    pub fn insert(&mut self, selection: &Selection, key: K) {
        for selector in selection.selectors() {
            match selector {
                Selector::Exact(topic) => self
                    .exact
                    .entry(topic.clone())
                    .or_insert(Keys::None)
                    .insert(key),
                Selector::Pattern(pattern) => self.insert_pattern(pattern.as_str(), key),
                Selector::Mercure(own) => self.insert_mercure(own, key),
            }
        }
    }

    /// Lets `key` watch `selection` no longer, and gives back the memory that
    /// nobody else needs. What `key` doesn't watch is left out.
    pub fn remove(&mut self, selection: &Selection, key: K) {
        for selector in selection.selectors() {
            match selector {
                Selector::Exact(topic) => self.remove_exact(topic, key),
                Selector::Pattern(pattern) => self.remove_pattern(pattern.as_str(), key),
                Selector::Mercure(own) => self.remove_mercure(own, key),
            }
        }
    }

    /// Reports each key that watches one of an event's topics, once, in no
    /// promised order.
    pub fn matches(&mut self, event: &Published<'_>, mut report: impl FnMut(K)) {
        let mut all = Vec::new();
        if let Some(mercure) = &mut self.mercure {
            mercure.matches(event, |key| all.push(key));
        }
        let mut found: Vec<&Keys<K>> = Vec::new();
        for topic in event.topics() {
            found.extend(self.exact.get(topic));
            self.visit_patterns(topic, |keys| found.push(keys));
        }
        match (found.as_slice(), all.is_empty()) {
            ([keys], true) => return keys.for_each(&mut report),
            ([], _) => return all.into_iter().for_each(report),
            _ => {}
        }
        // A key may stand in several sets, if several of its selectors match.
        for keys in found {
            keys.for_each(|key| all.push(key));
        }
        // The stable sort merges sorted runs, which is what there is here.
        all.sort();
        all.dedup();
        all.into_iter().for_each(report);
    }

    /// How many keys [`Index::matches`] reports, and in how many steps they were counted:
    /// a set of keys that no other one meets is counted in one, and where several meet,
    /// each key that isn't in the largest of them is a step. What Mercure's rules take
    /// ([`Index::work`]) is in it, also where none of them matches.
    pub fn count(&mut self, event: &Published<'_>) -> (usize, usize) {
        let mut others = Vec::new();
        let before = self.work();
        if let Some(mercure) = &mut self.mercure {
            mercure.matches(event, |key| others.push(key));
        }
        let taken = self.work().saturating_sub(before);
        let mut steps = usize::try_from(taken).unwrap_or(usize::MAX);
        let mut found: Vec<&Keys<K>> = Vec::new();
        for topic in event.topics() {
            found.extend(self.exact.get(topic));
            steps = steps.saturating_add(self.visit_patterns(topic, |keys| found.push(keys)));
        }
        let largest = (0..found.len()).max_by_key(|at| found[*at].len());
        let largest = largest.map_or(&Keys::None, |at| found.swap_remove(at));
        for keys in found {
            keys.for_each(|key| others.push(key));
        }
        steps = steps.saturating_add(others.len());
        others.retain(|key| !largest.contains(*key));
        others.sort();
        others.dedup();
        (largest.len() + others.len(), steps)
    }

    /// How many nodes [`Index::matches`] visits for `topic`, the root
    /// included: its cost beside the keys it reports.
    pub fn visited_nodes(&self, topic: &Topic) -> usize {
        self.visit_patterns(topic, |_| {})
    }

    /// What Mercure's rules have taken so far, see [`matcher::Index::work`]. Begins
    /// anew after a time in which nobody watched by one.
    pub fn work(&self) -> u64 {
        self.mercure.as_ref().map_or(0, |own| own.index.work())
    }

    /// How many exact topics and trie nodes are held (the root is always).
    pub fn size(&self) -> (usize, usize) {
        (self.exact.len(), self.nodes.len())
    }

    /// Reports the sets of keys whose pattern matches; answers the number of
    /// nodes visited. A stack instead of recursion, as a topic may have
    /// thousands of segments.
    fn visit_patterns<'a>(&'a self, topic: &Topic, mut found: impl FnMut(&'a Keys<K>)) -> usize {
        let mut visited = 0;
        let mut stack = vec![(self.root, Some(topic.as_str()))];
        while let Some((at, path)) = stack.pop() {
            visited += 1;
            let node = &self.nodes[at];
            let Some(path) = path else {
                node.here.if_any(&mut found);
                continue;
            };
            // At the root a reserved topic follows literals only: see `Selector::matches`.
            let wildcards = at != self.root || !topic.is_reserved();
            let (segment, rest) = match path.split_once('/') {
                Some((segment, rest)) => (segment, Some(rest)),
                None => (path, None),
            };
            if wildcards {
                node.rest.if_any(&mut found);
                stack.extend(node.any.map(|child| (child, rest)));
            }
            stack.extend(node.literals.get(segment).map(|child| (*child, rest)));
        }
        visited
    }

    fn insert_pattern(&mut self, pattern: &str, key: K) {
        let mut at = self.root;
        for segment in pattern.split('/') {
            if segment == "**" {
                self.nodes[at].rest.insert(key);
                return;
            }
            at = match self.nodes[at].child(segment) {
                Some(child) => child,
                None => {
                    let child = self.nodes.insert(Node::new());
                    self.nodes[at].set_child(segment, child);
                    child
                }
            };
        }
        self.nodes[at].here.insert(key);
        self.peak = self.peak.max(self.nodes.len());
    }

    fn insert_mercure(&mut self, own: &MercureSelector, key: K) {
        let mercure = self.mercure.get_or_insert_with(|| {
            Box::new(Mercure {
                base: Arc::clone(own.base()),
                index: matcher::Index::new(),
                count: 0,
            })
        });
        mercure.count += usize::from(mercure.index.insert(own.matcher(), key));
    }

    fn remove_mercure(&mut self, own: &MercureSelector, key: K) {
        if let Some(mercure) = &mut self.mercure {
            mercure.count -= usize::from(mercure.index.remove(own.matcher(), key));
            if mercure.count == 0 {
                self.mercure = None;
            }
        }
    }

    fn remove_exact(&mut self, topic: &Topic, key: K) {
        let Some(keys) = self.exact.get_mut(topic) else {
            return;
        };
        keys.remove(key);
        if keys.is_empty() {
            self.exact.remove(topic);
            shrink_map(&mut self.exact);
        }
    }

    fn remove_pattern(&mut self, pattern: &str, key: K) {
        let mut at = self.root;
        let mut path = Vec::new();
        let mut rest = false;
        for segment in pattern.split('/') {
            rest = segment == "**";
            if rest {
                break;
            }
            let Some(child) = self.nodes[at].child(segment) else {
                return;
            };
            path.push((at, segment));
            at = child;
        }
        let node = &mut self.nodes[at];
        let keys = if rest { &mut node.rest } else { &mut node.here };
        keys.remove(key);
        self.prune(path, at);
    }

    /// Removes `at` and its parents as long as they are empty.
    fn prune(&mut self, mut path: Vec<(usize, &str)>, mut at: usize) {
        while let Some((parent, segment)) = path.pop() {
            if !self.nodes[at].is_empty() {
                break;
            }
            self.nodes.remove(at);
            self.nodes[parent].remove_child(segment);
            at = parent;
        }
        shrink_slab(&mut self.nodes, &mut self.peak);
    }
}

impl<K: Copy + Ord> Mercure<K> {
    fn matches(&mut self, event: &Published<'_>, report: impl FnMut(K)) {
        let base = &self.base;
        let names: Vec<String> = event
            .topics()
            .filter_map(|topic| to_mercure(topic, base))
            .collect();
        let subjects: Vec<Subject<'_>> =
            names.iter().map(|name| Subject::new(name, base)).collect();
        self.index.matches(&subjects, report);
    }
}

impl<K> Node<K> {
    fn new() -> Self {
        Self {
            literals: HashMap::new(),
            any: None,
            here: Keys::None,
            rest: Keys::None,
        }
    }

    fn child(&self, segment: &str) -> Option<usize> {
        match segment {
            "*" => self.any,
            literal => self.literals.get(literal).copied(),
        }
    }

    fn set_child(&mut self, segment: &str, child: usize) {
        match segment {
            "*" => self.any = Some(child),
            literal => {
                self.literals.insert(literal.into(), child);
            }
        }
    }

    fn remove_child(&mut self, segment: &str) {
        match segment {
            "*" => self.any = None,
            literal => {
                self.literals.remove(literal);
                shrink_map(&mut self.literals);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.literals.is_empty()
            && self.any.is_none()
            && self.here.is_empty()
            && self.rest.is_empty()
    }
}

impl<K> Keys<K> {
    fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    fn if_any<'a>(&'a self, found: &mut impl FnMut(&'a Self)) {
        if !self.is_empty() {
            found(self);
        }
    }
}

impl<K: Copy + Ord> Keys<K> {
    fn insert(&mut self, key: K) {
        match self {
            Self::None => *self = Self::One(key),
            Self::One(own) if *own == key => {}
            Self::One(own) => *self = Self::Many(BTreeSet::from([*own, key])),
            Self::Many(keys) => {
                keys.insert(key);
            }
        }
    }

    fn remove(&mut self, key: K) {
        match self {
            Self::None => {}
            Self::One(own) => {
                if *own == key {
                    *self = Self::None;
                }
            }
            Self::Many(keys) => {
                keys.remove(&key);
                // At least two stood here, so at least one is left.
                if let (1, Some(last)) = (keys.len(), keys.first()) {
                    *self = Self::One(*last);
                }
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(keys) => keys.len(),
        }
    }

    fn contains(&self, key: K) -> bool {
        match self {
            Self::None => false,
            Self::One(own) => *own == key,
            Self::Many(keys) => keys.contains(&key),
        }
    }

    fn for_each(&self, mut report: impl FnMut(K)) {
        match self {
            Self::None => {}
            Self::One(key) => report(*key),
            Self::Many(keys) => keys.iter().copied().for_each(report),
        }
    }
}
