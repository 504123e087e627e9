//! How much of the log one read, or one search, passes over: what isn't for its
//! selection costs time too, and may be nearly all there is.

use tidings_engine::{Selection, Selector};

/// What may still be passed over, in bytes of records read in order; whatever else
/// takes time counts for as many as are read in that time.
#[derive(Debug)]
pub(crate) struct Work {
    left: u64,
    /// What holding one topic against the selection counts for.
    per_topic: u64,
    /// What holding the selection against an index counts for.
    per_index: u64,
}

impl Work {
    /// A page of an index, or a record by itself.
    const PAGE: u64 = 1024;
    /// A pattern; a rule of Mercure's; what of a selection is seen.
    const PATTERN: u64 = 32;
    const MERCURE: u64 = 512;
    const SIGHT: u64 = 192;
    /// A topic of an index that is held against a pattern.
    const LOOK: u64 = 64;

    /// About `bytes` of the log, for a selection.
    pub fn new(bytes: u64, selection: &Selection) -> Self {
        let selectors = selection.selectors();
        let each = selectors.iter().map(|selector| match selector {
            Selector::Exact(_) => 0,
            Selector::Pattern(_) => Self::PATTERN,
            Selector::Mercure(_) => Self::MERCURE,
        });
        Self {
            left: bytes,
            per_topic: Self::SIGHT + each.sum::<u64>(),
            per_index: Self::PAGE * selectors.len() as u64,
        }
    }

    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    /// A record of so many bytes and topics was passed over.
    pub fn pass(&mut self, bytes: u64, topics: usize) {
        let cost = self.per_topic.saturating_mul(topics as u64);
        self.spend(bytes.saturating_add(cost));
    }

    /// A record that was read by itself.
    pub fn pass_alone(&mut self, bytes: u64, topics: usize) {
        self.spend(Self::PAGE);
        self.pass(bytes, topics);
    }

    /// The index of a segment was asked, for which so many topics were looked at.
    pub fn ask(&mut self, looked: u64) {
        self.spend(self.per_index.saturating_add(looked * Self::LOOK));
    }

    fn spend(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
    }
}
