//! What those who are there may take in memory.

use std::collections::HashMap;

/// Who answers for a membership: an address, in whatever way the caller writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Payer(pub u128);

/// There is no room for one more member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// All together take as much as they may.
    Everybody,
    /// Those of one address do.
    Address,
}

/// Counts what is held, in bytes.
#[derive(Debug)]
pub(super) struct Ledger {
    most: usize,
    held: usize,
    by_payer: HashMap<Payer, usize>,
}

impl Ledger {
    /// Of at most `most` bytes, and half of that for one payer.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            held: 0,
            by_payer: HashMap::new(),
        }
    }

    /// Takes room.
    ///
    /// # Errors
    /// [`Full`]; then none was taken.
    pub fn take(&mut self, bytes: usize, payer: Option<Payer>) -> Result<(), Full> {
        if bytes == 0 {
            return Ok(());
        }
        let own = payer.and_then(|payer| self.by_payer.get(&payer));
        let own = own.copied().unwrap_or_default();
        if payer.is_some() && bytes > (self.most / 2).saturating_sub(own) {
            return Err(Full::Address);
        }
        if bytes > self.most.saturating_sub(self.held) {
            return Err(Full::Everybody);
        }
        if let Some(payer) = payer {
            self.by_payer.insert(payer, own + bytes);
        }
        self.held += bytes;
        Ok(())
    }

    /// Gives back what was taken.
    pub fn give_back(&mut self, bytes: usize, payer: Option<Payer>) {
        self.held -= bytes;
        let Some(payer) = payer else { return };
        if let Some(own) = self.by_payer.get_mut(&payer) {
            *own -= bytes;
            if *own == 0 {
                self.by_payer.remove(&payer);
                crate::shrink_map(&mut self.by_payer);
            }
        }
    }

    /// How much is held.
    pub fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_payer_takes_half_at_most_and_what_is_refused_takes_nothing() {
        let mut ledger = Ledger::new(100);
        let (one, other) = (Some(Payer(1)), Some(Payer(2)));
        assert_eq!(ledger.take(51, one), Err(Full::Address));
        assert_eq!(ledger.take(50, one), Ok(()));
        assert_eq!(ledger.take(1, one), Err(Full::Address));
        assert_eq!(ledger.take(0, one), Ok(()));
        assert_eq!(ledger.take(40, other), Ok(()));
        assert_eq!(ledger.take(11, None), Err(Full::Everybody));
        assert_eq!(ledger.take(10, None), Ok(()));
        assert_eq!(ledger.held(), 100);
        ledger.give_back(50, one);
        ledger.give_back(10, None);
        assert_eq!(ledger.take(50, one), Ok(()));
        ledger.give_back(50, one);
        ledger.give_back(40, other);
        assert_eq!((ledger.held(), ledger.by_payer.len()), (0, 0));
    }
}
