//! Frames of HTTP/2 that cost their sender nothing and the hub its time. What
//! opens or ends streams is bounded by `h2`; pings, settings and what it passes
//! over in silence are not.

use super::frames::{CONTINUATION, DATA, Frame, GOAWAY, HEADERS, RST_STREAM, WINDOW_UPDATE};
use std::time::Duration;

/// What a frame that carries nothing takes of its peer's patience: 100 a second
/// may come. Pings that measure a path or keep it alive are a few a second;
/// after a bulk of data some stacks send dozens.
const IDLE_FRAME: Duration = Duration::from_millis(10);
/// And in a burst 1,000.
const IDLE_BURST: Duration = Duration::from_secs(10);
/// What a WINDOW_UPDATE takes: 1,000 a second may come, 10,000 in a burst,
/// and two for each frame of data that was sent.
const WINDOW_FRAME: Duration = Duration::from_millis(1);
const WINDOW_BURST: Duration = Duration::from_secs(10);
const WINDOWS_PER_DATA: u32 = 2;

/// Counts what a peer sends that carries nothing.
#[derive(Debug, Default)]
pub struct Flood {
    idle: Bucket,
    windows: Bucket,
}

impl Flood {
    /// Whether the peer may send this frame at `now`, a time since some moment.
    pub fn allows(&mut self, frame: Frame, now: Duration) -> bool {
        match frame.kind {
            DATA | HEADERS | CONTINUATION | RST_STREAM | GOAWAY => true,
            WINDOW_UPDATE => self.windows.pour(WINDOW_FRAME, WINDOW_BURST, now),
            // PING and SETTINGS, with the answers to ours; PRIORITY; what
            // nobody knows.
            _ => self.idle.pour(IDLE_FRAME, IDLE_BURST, now),
        }
    }

    /// The peer was sent this frame.
    pub fn sent(&mut self, frame: Frame) {
        if frame.kind == DATA {
            self.windows
                .drain(WINDOW_FRAME * WINDOWS_PER_DATA, WINDOW_BURST);
        }
    }
}

/// A bucket that leaks: its level is the time that it takes to run empty.
#[derive(Debug, Default)]
struct Bucket {
    level: Duration,
    /// What may be poured in before the level rises.
    credit: Duration,
    at: Duration,
}

impl Bucket {
    /// Whether so much more has room.
    fn pour(&mut self, more: Duration, room: Duration, now: Duration) -> bool {
        let leaked = now.saturating_sub(self.at);
        self.at = now.max(self.at);
        let paid = more.min(self.credit);
        self.credit -= paid;
        self.level = self.level.saturating_sub(leaked) + (more - paid);
        self.level <= room
    }

    /// Takes so much out. What it doesn't hold is credit for what comes later,
    /// up to `most`.
    fn drain(&mut self, less: Duration, most: Duration) {
        let rest = less.saturating_sub(self.level);
        self.level = self.level.saturating_sub(less);
        self.credit = (self.credit + rest).min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8) -> Frame {
        Frame {
            len: 8,
            kind,
            flags,
            stream: 0,
        }
    }

    /// How many of these may come, one every `every`, up to a million.
    fn allowed(kind: u8, flags: u8, every: Duration) -> u32 {
        let mut flood = Flood::default();
        (0..1_000_000)
            .take_while(|n| flood.allows(frame(kind, flags), every * *n))
            .count() as u32
    }

    #[test]
    fn c17_frames_that_carry_nothing_have_a_rate() {
        const ALL: u32 = 1_000_000;
        let ms = Duration::from_millis;
        // PRIORITY, SETTINGS, PING, with and without ACK, and one of no type.
        for kind in [2, 4, 6, 77] {
            for flags in [0, 1] {
                assert_eq!(allowed(kind, flags, ms(0)), 1000, "{kind}");
                assert_eq!(allowed(kind, flags, ms(10)), ALL, "{kind}");
                assert!(allowed(kind, flags, ms(5)) <= 2000, "{kind}");
            }
        }
        assert_eq!(allowed(WINDOW_UPDATE, 0, ms(0)), 10_000);
        assert_eq!(allowed(WINDOW_UPDATE, 0, ms(1)), ALL);
        for kind in [DATA, HEADERS, RST_STREAM, CONTINUATION] {
            assert_eq!(allowed(kind, 0, ms(0)), ALL, "{kind}");
        }
    }

    #[test]
    fn c17_windows_may_be_updated_for_what_was_sent() {
        let mut flood = Flood::default();
        for _ in 0..100_000 {
            flood.sent(frame(DATA, 0));
            for _ in 0..2 {
                assert!(flood.allows(frame(WINDOW_UPDATE, 0), Duration::ZERO));
            }
        }
    }

    #[test]
    fn c17_updates_may_come_late_and_together() {
        let mut flood = Flood::default();
        for _ in 0..100_000 {
            flood.sent(frame(DATA, 0));
        }
        let update = || flood.allows(frame(WINDOW_UPDATE, 0), Duration::ZERO);
        // A burst that was paid for, and one that wasn't.
        assert_eq!(
            std::iter::repeat_with(update).take_while(|ok| *ok).count(),
            20_000
        );
    }
}
