//! A filter that says of most ids that a segment does not hold them.

/// A Bloom filter in blocks of one cache line, so that a look-up touches one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter(pub Vec<u8>);

pub(crate) const BLOCK: usize = 64;
const IDS_PER_BLOCK: usize = 40;
const PROBES: u32 = 6;

impl Filter {
    pub fn build(count: usize, hashes: impl Iterator<Item = u64>) -> Self {
        let mut bits = vec![0; count.div_ceil(IDS_PER_BLOCK) * BLOCK];
        for hash in hashes {
            let at = block_of(hash, (bits.len() / BLOCK) as u64) * BLOCK;
            for bit in probes(hash) {
                bits[at + bit / 8] |= 1 << (bit % 8);
            }
        }
        Self(bits)
    }

    pub fn may_hold(&self, hash: u64) -> bool {
        let blocks = (self.0.len() / BLOCK) as u64;
        let at = block_of(hash, blocks) * BLOCK;
        blocks > 0 && block_may_hold(&self.0[at..at + BLOCK], hash)
    }
}

/// Which of `blocks` blocks an id falls into.
pub(crate) fn block_of(hash: u64, blocks: u64) -> usize {
    (((hash >> 32) * blocks) >> 32) as usize
}

/// Whether the id may be in a block.
pub(crate) fn block_may_hold(block: &[u8], hash: u64) -> bool {
    probes(hash).all(|bit| block[bit / 8] & (1 << (bit % 8)) != 0)
}

fn probes(hash: u64) -> impl Iterator<Item = usize> {
    // The block is chosen by the high half; spread the low half.
    let bits = (hash & 0xffff_ffff).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..PROBES).map(move |i| (bits >> (64 - 9 * (i + 1))) as usize % (BLOCK * 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u64) -> u64 {
        let x = (n + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (x ^ (x >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb)
    }

    #[test]
    fn holds_what_was_put_in_and_little_else() {
        let filter = Filter::build(10_000, (0..10_000).map(hash));
        assert!((0..10_000).all(|n| filter.may_hold(hash(n))));
        let wrong = (10_000..110_000)
            .filter(|n| filter.may_hold(hash(*n)))
            .count();
        assert!(wrong < 3_000, "{wrong} of 100,000");
        assert!(!Filter::build(0, std::iter::empty()).may_hold(1));
    }
}
