//! What was published, and an opinion of its own of what may have expired:
//! generous, but without asking the store.

use super::plan::{FORGETFUL_TOPIC, Keep};
use crate::{Closed, Moment, Outcome, Published};

/// The recorder of publishers.
#[derive(Default)]
pub struct Ledger {
    attempts: Vec<Published>,
    events: Vec<Kept>,
    /// Attempts to close a topic.
    closed: Vec<Closed>,
    /// The attempts that were one request, each.
    requests: Vec<Vec<usize>>,
    /// Upper bounds since the beginning of the world.
    pub sums: Sums,
}

/// What passed, at most.
#[derive(Clone, Copy, Default)]
pub struct Sums {
    /// The last position of the log.
    pub end: u64,
    /// The bytes that events took on disk.
    pub bytes: u64,
    /// By how much events aged, in milliseconds.
    pub aged_ms: u64,
}

/// An event and the sums when it was first called for.
struct Kept {
    publisher: u32,
    number: u64,
    topic: String,
    called: Sums,
    position: Option<u64>,
    expires: Option<Moment>,
}

impl Ledger {
    /// Notes the attempts of one request; see [`Ledger::call`].
    pub fn request(&mut self, attempts: impl Iterator<Item = Published>) -> Vec<usize> {
        let records: Vec<usize> = attempts.map(|attempt| self.call(attempt)).collect();
        self.requests.push(records.clone());
        records
    }

    /// The data of what was published together.
    pub fn batches(&self) -> impl Iterator<Item = Vec<&str>> {
        let data = |record: &usize| self.attempts[*record].data.as_str();
        self.requests
            .iter()
            .map(move |records| records.iter().map(data).collect())
    }

    /// Notes an attempt, whose outcome is unknown so far, and names it.
    fn call(&mut self, attempt: Published) -> usize {
        let known =
            |kept: &Kept| (kept.publisher, kept.number) == (attempt.publisher, attempt.number);
        if !self.events.iter().any(known) {
            self.events.push(Kept {
                publisher: attempt.publisher,
                number: attempt.number,
                topic: attempt.topic.clone(),
                called: self.sums,
                position: None,
                expires: None,
            });
        }
        self.attempts.push(attempt);
        self.attempts.len() - 1
    }

    pub fn acked(&mut self, attempt: usize, id: String, position: u64, at: Moment) {
        let attempt = &mut self.attempts[attempt];
        attempt.outcome = Outcome::Acked { id, at };
        let of = (attempt.publisher, attempt.number);
        if let Some(kept) = self
            .events
            .iter_mut()
            .find(|kept| (kept.publisher, kept.number) == of)
        {
            kept.position = Some(position);
        }
    }

    /// Notes an attempt to close a topic, and names it.
    pub fn close(&mut self, topic: &str) -> usize {
        self.closed.push(Closed {
            topic: topic.into(),
            outcome: Outcome::Unknown,
            lasts: false,
        });
        self.closed.len() - 1
    }

    /// What the hub said to an attempt to close a topic.
    pub fn close_answered(&mut self, attempt: usize, outcome: Outcome) {
        self.closed[attempt].outcome = outcome;
    }

    pub fn refused(&mut self, attempt: usize) {
        self.attempts[attempt].outcome = Outcome::Refused;
    }

    /// Notes what may have expired at the next look of the store's.
    pub fn expire(&mut self, keep: Keep, now: Moment) {
        let sums = self.sums;
        for kept in self.events.iter_mut().filter(|kept| kept.expires.is_none()) {
            if may_expire(keep, sums, kept.called, kept.position, &kept.topic) {
                kept.expires = Some(now);
            }
        }
    }

    /// Whether what was called for at `called` is certainly still kept.
    pub fn is_kept(&self, keep: Keep, called: Sums) -> bool {
        !may_expire(keep, self.sums, called, None, FORGETFUL_TOPIC)
    }

    /// What was published, and what closed; `keep` says what of that may be gone.
    pub fn into_history(self, keep: Keep) -> (Vec<Published>, Vec<Closed>) {
        let (mut attempts, mut closed) = (self.attempts, self.closed);
        closed
            .iter_mut()
            .for_each(|one| one.lasts = keep == Keep::All);
        for attempt in &mut attempts {
            let of = (attempt.publisher, attempt.number);
            let kept = self
                .events
                .iter()
                .find(|kept| (kept.publisher, kept.number) == of);
            attempt.expires = kept.and_then(|kept| kept.expires);
        }
        (attempts, closed)
    }
}

fn may_expire(keep: Keep, now: Sums, called: Sums, position: Option<u64>, topic: &str) -> bool {
    // An event stands behind what was there when it was called for.
    let position = position.unwrap_or(called.end + 1);
    match keep {
        Keep::All => false,
        Keep::Events(count) => now.end.saturating_sub(position) >= count,
        Keep::OneTopic(count) => {
            topic == FORGETFUL_TOPIC && now.end.saturating_sub(position) >= count
        }
        Keep::Bytes(bytes) => now.bytes - called.bytes >= bytes,
        Keep::Age(ms) => now.aged_ms - called.aged_ms > ms,
    }
}
