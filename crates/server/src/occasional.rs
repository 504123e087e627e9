//! Log lines that a crowd can cause: said at most every few seconds, with how
//! often it came to it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often one such line is said at most.
const INTERVAL: Duration = Duration::from_secs(5);

/// One line's account.
#[derive(Debug, Default)]
pub struct Occasional(Mutex<Account>);

#[derive(Debug, Default)]
struct Account {
    said: Option<Instant>,
    times: u64,
}

impl Occasional {
    /// It has come to it once more at `now`. If the line is to be said: how often
    /// it came to it since it was last said, this time included.
    pub fn count(&self, now: Instant) -> Option<u64> {
        let mut account = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        account.times += 1;
        let due = account
            .said
            .is_none_or(|said| now.saturating_duration_since(said) >= INTERVAL);
        due.then(|| {
            account.said = Some(now);
            std::mem::take(&mut account.times)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_at_once_and_then_now_and_then() {
        let line = Occasional::default();
        let start = Instant::now();
        let after = |millis| line.count(start + Duration::from_millis(millis));
        assert_eq!(after(0), Some(1));
        assert_eq!(after(1), None);
        assert_eq!(after(4_999), None);
        assert_eq!(after(5_000), Some(3));
        assert_eq!(after(9_999), None);
        assert_eq!(after(60_000), Some(2));
    }
}
