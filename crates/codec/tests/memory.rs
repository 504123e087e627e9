//! Memory, as the allocator sees it. One test, so that nothing else in the
//! process allocates meanwhile. Row d8 of the catalogue of bad input.

use peak_alloc::PeakAlloc;
use tidings_codec::{Decoder, Event, Item, Limits, TooLarge};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const LIMITS: Limits = Limits {
    max_event: 256 << 10,
    max_id: 4 << 10,
};
/// As promised with [`Limits`].
const MOST: usize = 2 * LIMITS.max_event + 4 * LIMITS.max_id + 1024;

#[derive(Debug, Default, PartialEq)]
struct Count {
    events: usize,
    too_large: usize,
}

/// Feeds `times` × `piece` between `head` and `tail`, in 16 KiB chunks or
/// byte by byte, and gives what came of it.
fn feed(head: &[u8], piece: &[u8], times: usize, tail: &[u8], bytewise: bool) -> Count {
    let chunk = piece.repeat((16 << 10) / piece.len());
    let middle = (times * piece.len()).div_ceil(chunk.len());
    let mut decoder = Decoder::with_limits(LIMITS).with_comments();
    let mut count = Count::default();
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let mut one = |mut bytes: &[u8]| {
        while let Some(item) = decoder.next(&mut bytes) {
            match item {
                Item::Event(Event { .. }) => count.events += 1,
                Item::TooLarge(TooLarge { .. }) => count.too_large += 1,
                Item::Retry(_) | Item::Comment(_) => {}
            }
        }
    };
    let chunks = std::iter::once(head)
        .chain(std::iter::repeat_n(&chunk[..], middle))
        .chain([tail]);
    for chunk in chunks {
        if bytewise {
            chunk.chunks(1).for_each(&mut one);
        } else {
            one(chunk);
        }
    }
    let peak = ALLOCATOR.peak_usage() - before;
    assert!(peak <= MOST, "{peak} bytes for {}", head.escape_ascii());
    count
}

fn check(head: &[u8], piece: &[u8], times: usize, expected: Count) {
    for bytewise in [false, true] {
        let count = feed(head, piece, times, b"\n\ndata: next\n\n", bytewise);
        assert_eq!(
            count,
            expected,
            "{} bytewise {bytewise}",
            head.escape_ascii()
        );
    }
}

const SKIPPED: Count = Count {
    events: 1,
    too_large: 1,
};
const GIVEN: Count = Count {
    events: 2,
    too_large: 0,
};

#[test]
fn d8_memory_stays_within_the_limits() {
    let beyond = 3 * LIMITS.max_event;
    for head in [
        &b"data: "[..],
        b"event: ",
        b"id: ",
        b"retry: ",
        b": ",
        b"unknown: ",
        b"",
    ] {
        check(head, b"x", beyond, SKIPPED);
    }
    check(b"", b"data:\n", beyond, SKIPPED);
    check(b"", b"data: x\ndata: y\n", beyond / 8, SKIPPED);
    check(b"data: ", b"\xFF", beyond, SKIPPED);
    // Within the limit, but not once it is text.
    check(b"data: ", b"\xFF", 225 << 10, SKIPPED);
    check(b": ", b"\xFF", 225 << 10, SKIPPED);
    check(b"data: ", b"\xFF", 75 << 10, GIVEN);
    check(b"data: ", b"x", 250 << 10, GIVEN);
    check(b"data:\nevent: ", b"x", 250 << 10, GIVEN);
    // Replaced or ignored, however often.
    check(b"data\n", b"event: some type\n", beyond / 16, GIVEN);
    check(b"data\n", b"id: some id\n", beyond / 16, GIVEN);
    check(b"data\n", b"retry: 1\n:\n:\n", beyond / 16, GIVEN);
    memory_shrinks_after_a_burst();
}

fn memory_shrinks_after_a_burst() {
    let mut decoder = Decoder::with_limits(LIMITS);
    let mut feed = |mut bytes: &[u8]| {
        let mut events = 0;
        while let Some(item) = decoder.next(&mut bytes) {
            assert!(matches!(item, Item::Event(_)));
            events += 1;
        }
        (events, decoder.buffer_capacity())
    };
    let big = [b"data: ", &vec![b'x'; LIMITS.max_event][..], b"\n\n"].concat();
    for _ in 0..3 {
        let (head, tail) = big.split_at(1000);
        feed(head);
        let (events, capacity) = feed(tail);
        assert_eq!(events, 1);
        assert!(capacity >= LIMITS.max_event);
    }
    // Lent from the chunk, the small ones use no buffer at all.
    let (events, capacity) = feed(&b"data: small\n\n".repeat(100));
    assert_eq!(events, 100);
    assert!(capacity <= 64 << 10, "{capacity} bytes kept");
}
