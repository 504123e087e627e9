//! The checker: a pure function from what was seen to what was broken.

mod chain;
mod ends;
mod events;
#[cfg(test)]
mod model;
mod order;
#[cfg(test)]
mod tests;
mod watched;

use crate::History;
use events::Events;
use std::fmt;

/// A promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// What was acknowledged is delivered in each chain that watches it, or
    /// covered by a gap that was declared and that there was a reason for.
    I1NoLoss,
    /// No event twice in a chain.
    I2NoDuplicate,
    /// Each publisher's order; what was acknowledged comes before what was
    /// called for later; positions rise.
    I3Order,
    /// There is one order that all chains keep to, and an event whose outcome
    /// was unknown is there for all or for none.
    I4Agreement,
    /// What is delivered was published and is selected: equal in topic, type,
    /// data and id.
    I5NoPhantom,
    /// What was refused is not delivered, and an event that was retried has
    /// one copy, under one id, as has every id.
    I7HonestAck,
    /// Who watches a topic is given its end, and nothing of it behind that but what
    /// opened it again.
    I11Ends,
    /// The history contradicts itself; whoever recorded it is to blame.
    Recorder,
}

/// A promise that was broken, and by which records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub invariant: Invariant,
    /// In which chain, by its number in [`History::chains`].
    pub chain: Option<usize>,
    /// What happened, naming the events.
    pub what: String,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I1NoLoss => "I1 (no loss)",
            Self::I2NoDuplicate => "I2 (no duplicate)",
            Self::I3Order => "I3 (order)",
            Self::I4Agreement => "I4 (agreement)",
            Self::I5NoPhantom => "I5 (no phantom)",
            Self::I7HonestAck => "I7 (honest answers)",
            Self::I11Ends => "I11 (ends)",
            Self::Recorder => "the recorder",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.invariant)?;
        if let Some(chain) = self.chain {
            write!(f, "chain {chain}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// Everything that is broken in a history; nothing if all promises are kept.
/// The time it takes grows with the records, and with chains × events.
pub fn check(history: &History) -> Vec<Violation> {
    let mut found = Found::default();
    let events = Events::join(history, &mut found);
    let walks: Vec<_> = history
        .chains
        .iter()
        .enumerate()
        .map(|(number, chain)| chain::walk(&events, number, chain, &mut found))
        .collect();
    order::check(&events, &walks, &mut found);
    for walk in &walks {
        watched::check(&events, walk, &mut found);
        ends::check(history, &events, walk, &mut found);
    }
    found.violations
}

/// What has been found so far.
#[derive(Debug, Default)]
struct Found {
    violations: Vec<Violation>,
}

impl Found {
    fn report(&mut self, invariant: Invariant, chain: Option<usize>, what: String) {
        self.violations.push(Violation {
            invariant,
            chain,
            what,
        });
    }
}
