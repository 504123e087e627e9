//! A radix tree: from a text to all values whose key it begins with.

use crate::shrink_slab;
use slab::Slab;
use std::collections::BTreeSet;

/// Values under literal prefixes. Finding those of a text visits one node per
/// place where the prefixes that it begins with differ from others, whatever
/// else the tree holds.
#[derive(Debug)]
pub(super) struct Radix {
    nodes: Slab<Node>,
    root: usize,
    /// The most nodes since memory was last given back.
    peak: usize,
}

#[derive(Debug, Default)]
struct Node {
    /// What stands between the parent's key and this one's; empty at the root only.
    label: Box<[u8]>,
    /// Sorted by the first byte of the child's label.
    children: Vec<(u8, usize)>,
    values: BTreeSet<usize>,
    /// What its own values count for.
    own: usize,
    /// The most that a text counts for which begins with this node's key: what
    /// is here, and below it on one way.
    heaviest: usize,
}

impl Radix {
    pub(super) fn new() -> Self {
        let mut nodes = Slab::new();
        let root = nodes.insert(Node::default());
        Self {
            nodes,
            root,
            peak: 1,
        }
    }

    /// Puts `value`, which counts for `work`, under `key`.
    pub(super) fn insert(&mut self, key: &str, value: usize, work: usize) {
        let (mut at, mut rest) = (self.root, key.as_bytes());
        while let Some(first) = rest.first() {
            let Some(child) = self.nodes[at].child(*first) else {
                let leaf = self.nodes.insert(Node {
                    label: rest.into(),
                    ..Node::default()
                });
                self.nodes[at].set_child(leaf, *first);
                at = leaf;
                break;
            };
            let common = common(&self.nodes[child].label, rest);
            at = if common < self.nodes[child].label.len() {
                self.split(at, child, common)
            } else {
                child
            };
            rest = &rest[common..];
        }
        if self.nodes[at].values.insert(value) {
            self.nodes[at].own += work;
        }
        self.weigh(key);
    }

    /// Takes `value`, which counts for `work`, from under `key`, and gives back
    /// what nobody else needs.
    pub(super) fn remove(&mut self, key: &str, value: usize, work: usize) {
        let (mut at, mut rest) = (self.root, key.as_bytes());
        let mut path = Vec::new();
        while let Some(first) = rest.first() {
            let Some(child) = self.nodes[at].child(*first) else {
                return;
            };
            let Some(behind) = rest.strip_prefix(&*self.nodes[child].label) else {
                return;
            };
            path.push(at);
            (at, rest) = (child, behind);
        }
        if !self.nodes[at].values.remove(&value) {
            return;
        }
        self.nodes[at].own -= work;
        // A node that went may leave its parent with one child.
        for parent in path.into_iter().rev().take(2) {
            self.tidy(parent, at);
            at = parent;
        }
        self.weigh(key);
    }

    /// The most that the values count for together which one text finds.
    pub(super) fn heaviest(&self) -> usize {
        self.nodes[self.root].heaviest
    }

    /// Sums up anew along the way to `key`. A node has at most 256 children.
    fn weigh(&mut self, key: &str) {
        let (mut path, mut rest) = (vec![self.root], key.as_bytes());
        while let Some(first) = rest.first()
            && let Some(child) = self.nodes[path[path.len() - 1]].child(*first)
            && let Some(behind) = rest.strip_prefix(&*self.nodes[child].label)
        {
            path.push(child);
            rest = behind;
        }
        for at in path.into_iter().rev() {
            let node = &self.nodes[at];
            let below = node
                .children
                .iter()
                .map(|(_, child)| self.nodes[*child].heaviest);
            self.nodes[at].heaviest = node.own + below.max().unwrap_or(0);
        }
    }

    /// Reports the values of every key that `text` begins with.
    pub(super) fn visit(&self, text: &str, mut found: impl FnMut(usize)) {
        let (mut at, mut rest) = (self.root, text.as_bytes());
        loop {
            let node = &self.nodes[at];
            node.values.iter().copied().for_each(&mut found);
            let child = rest.first().and_then(|first| node.child(*first));
            let Some(child) = child else {
                return;
            };
            let Some(behind) = rest.strip_prefix(&*self.nodes[child].label) else {
                return;
            };
            (at, rest) = (child, behind);
        }
    }

    /// Whether any value is held.
    pub(super) fn holds_any(&self) -> bool {
        let root = &self.nodes[self.root];
        !root.values.is_empty() || !root.children.is_empty()
    }

    /// How many nodes there are, the root included.
    pub(super) fn size(&self) -> usize {
        self.nodes.len()
    }

    /// Puts a node between `parent` and `child` that has the first `common`
    /// bytes of the child's label; answers it.
    fn split(&mut self, parent: usize, child: usize, common: usize) -> usize {
        let label = std::mem::take(&mut self.nodes[child].label);
        let (upper, lower) = label.split_at(common);
        self.nodes[child].label = lower.into();
        let middle = self.nodes.insert(Node {
            label: upper.into(),
            children: vec![(lower[0], child)],
            ..Node::default()
        });
        self.nodes[parent].set_child(middle, upper[0]);
        middle
    }

    /// Removes `at`, a child of `parent`, if it holds nothing, and joins it
    /// with its child if that is all it has.
    fn tidy(&mut self, parent: usize, at: usize) {
        let node = &self.nodes[at];
        if !node.values.is_empty() || node.children.len() > 1 {
            return;
        }
        self.peak = self.peak.max(self.nodes.len());
        let node = self.nodes.remove(at);
        match node.children.first() {
            Some((_, child)) => {
                let lower = &mut self.nodes[*child].label;
                *lower = [&node.label[..], lower].concat().into();
                self.nodes[parent].set_child(*child, node.label[0]);
            }
            None => self.nodes[parent].remove_child(node.label[0]),
        }
        shrink_slab(&mut self.nodes, &mut self.peak);
    }
}

impl Node {
    fn child(&self, first: u8) -> Option<usize> {
        let at = self
            .children
            .binary_search_by_key(&first, |(byte, _)| *byte);
        at.ok().map(|at| self.children[at].1)
    }

    fn set_child(&mut self, child: usize, first: u8) {
        match self
            .children
            .binary_search_by_key(&first, |(byte, _)| *byte)
        {
            Ok(at) => self.children[at].1 = child,
            Err(at) => self.children.insert(at, (first, child)),
        }
    }

    fn remove_child(&mut self, first: u8) {
        self.children.retain(|(byte, _)| *byte != first);
    }
}

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> impl Strategy<Value = Vec<(bool, String, usize)>> {
        prop::collection::vec((any::<bool>(), "[abé]{0,5}", 0..4usize), 0..40)
    }

    proptest! {
        #[test]
        fn it_answers_what_a_list_does(steps in keys(), text in "[abé]{0,8}") {
            let mut radix = Radix::new();
            let mut list: Vec<(String, usize)> = Vec::new();
            for (put, key, value) in steps {
                let entry = (key, value);
                if put {
                    radix.insert(&entry.0, value, value);
                    list.push(entry);
                } else {
                    radix.remove(&entry.0, value, value);
                    list.retain(|other| *other != entry);
                }
                let mut found = Vec::new();
                radix.visit(&text, |value| found.push(value));
                found.sort_unstable();
                let mut expected: Vec<_> =
                    list.iter().filter(|(key, _)| text.starts_with(key.as_str())).collect();
                expected.sort_unstable();
                expected.dedup();
                let mut expected: Vec<_> = expected.into_iter().map(|(_, value)| *value).collect();
                expected.sort_unstable();
                prop_assert_eq!(&found, &expected);
            }
            for (key, value) in list {
                radix.remove(&key, value, value);
            }
            prop_assert_eq!(radix.size(), 1);
        }
    }
}
