//! How fast the log is told who comes and goes: slowly enough that those who come
//! and go, whom nobody has to know, don't drive what others publish out of it.
//! Pure: it reads no clock.

use std::time::Duration;
use tokio::time::Instant;

/// How many bytes may be told at once: of 10,000 streams of one topic that end and
/// begin again, which are four events of about 600 bytes each.
pub const BURST_BYTES: u64 = 32 << 20;
/// How many bytes may be told in a second for as long as one likes. So a log of
/// 1 GiB lasts for more than two hours.
pub const BYTES_PER_SECOND: u64 = 128 << 10;

/// A bucket that leaks.
#[derive(Debug)]
pub struct Pace {
    /// When it is empty.
    empty_at: Instant,
}

impl Pace {
    /// Nothing has been told.
    pub fn new(now: Instant) -> Self {
        Self { empty_at: now }
    }

    /// When something may be told again: at `now` at the earliest.
    pub fn ready(&self, now: Instant) -> Instant {
        // What may be told at once has this long to leak.
        let burst = duration(BURST_BYTES);
        let full = self.empty_at.saturating_duration_since(now);
        now + full.saturating_sub(burst)
    }

    /// So many bytes have been told. That they fit isn't asked for: what has been
    /// told beyond the burst delays what comes next.
    pub fn told(&mut self, bytes: usize, now: Instant) {
        self.empty_at = self.empty_at.max(now) + duration(bytes as u64);
    }
}

fn duration(bytes: u64) -> Duration {
    Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / BYTES_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a23_presence_is_told_in_a_burst_and_then_at_a_rate() {
        let start = Instant::now();
        for batch in [600, 1 << 20, 2 * BURST_BYTES] {
            let (mut pace, mut now) = (Pace::new(start), start);
            let (mut told, mut at_once) = (0, 0);
            while told < 8 * BURST_BYTES {
                now = pace.ready(now);
                pace.told(batch as usize, now);
                told += batch;
                if now == start {
                    at_once = told;
                }
            }
            // A batch may begin within the burst and end beyond it.
            let burst = BURST_BYTES..=BURST_BYTES + batch;
            assert!(burst.contains(&at_once), "{batch}: {at_once} at once");
            let passed = (now - start).as_millis() as u64 + 1;
            let most = at_once + batch + passed * BYTES_PER_SECOND / 1000;
            assert!(told <= most, "{batch}: {told} of {most}");
            assert!(
                told + 2 * batch >= most - batch,
                "{batch}: only {told} of {most}"
            );
        }
    }

    #[test]
    fn a23_what_was_saved_up_is_a_burst_again_and_no_more() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.told(2 * BURST_BYTES as usize, start);
        assert_eq!(pace.ready(start), start + duration(BURST_BYTES));
        let later = start + Duration::from_secs(1_000_000);
        assert_eq!(pace.ready(later), later);
        pace.told(BURST_BYTES as usize + BYTES_PER_SECOND as usize, later);
        assert_eq!(pace.ready(later), later + Duration::from_secs(1));
    }
}
