//! How fast something may be said: a burst at once, and from then on at a rate.
//! Times are those since a moment of the caller's choice.

use std::time::Duration;

/// A bucket that leaks.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    burst_bytes: u64,
    bytes_per_second: u64,
    /// When it is empty.
    empty_at: Duration,
}

impl Pace {
    /// Nothing has been told. So many bytes may be told at once, and so many in a
    /// second, at least one, for as long as one likes.
    pub const fn new(burst_bytes: u64, bytes_per_second: u64) -> Self {
        Self {
            burst_bytes,
            bytes_per_second,
            empty_at: Duration::ZERO,
        }
    }

    /// When something may be told again: at `now` at the earliest.
    pub fn ready(&self, now: Duration) -> Duration {
        // What may be told at once has this long to leak.
        let burst = self.duration(self.burst_bytes);
        let full = self.empty_at.saturating_sub(now);
        now + full.saturating_sub(burst)
    }

    /// So many bytes have been told. That they fit isn't asked for: what has been
    /// told beyond the burst delays what comes next.
    pub fn told(&mut self, bytes: usize, now: Duration) {
        self.empty_at = self.empty_at.max(now) + self.duration(bytes as u64);
    }

    fn duration(&self, bytes: u64) -> Duration {
        Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / self.bytes_per_second.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST_BYTES: u64 = 32 << 20;
    const BYTES_PER_SECOND: u64 = 128 << 10;
    const NEW: Pace = Pace::new(BURST_BYTES, BYTES_PER_SECOND);

    #[test]
    fn a23_what_is_told_is_a_burst_and_then_at_a_rate() {
        let start = Duration::from_secs(7);
        for batch in [600, 1 << 20, 2 * BURST_BYTES] {
            let (mut pace, mut now) = (NEW, start);
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
        let start = Duration::ZERO;
        let mut pace = NEW;
        pace.told(2 * BURST_BYTES as usize, start);
        assert_eq!(pace.ready(start), start + pace.duration(BURST_BYTES));
        let later = start + Duration::from_secs(1_000_000);
        assert_eq!(pace.ready(later), later);
        pace.told(BURST_BYTES as usize + BYTES_PER_SECOND as usize, later);
        assert_eq!(pace.ready(later), later + Duration::from_secs(1));
    }
}
