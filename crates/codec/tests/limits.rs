//! Limits: what goes beyond them is told, skipped up to the next blank line,
//! and doesn't end the stream. Row d8 of the catalogue of bad input.
//!
//! What they cost in memory is measured in `memory.rs`.

use tidings_codec::fixtures::{Random, Told, cut, decode_chunks, hostile};
use tidings_codec::{Decoder, Excess, Limits, TooLarge};

const LIMITS: Limits = Limits {
    max_event: 20,
    max_id: 6,
};

/// Decodes with small limits, whole and split at every place, and gives the
/// items in short: data, `retry N`, or what was too large and where.
#[track_caller]
fn check(stream: impl AsRef<[u8]>, expected: &[&str]) {
    check_with(LIMITS, stream.as_ref(), expected);
}

#[track_caller]
fn check_with(limits: Limits, stream: &[u8], expected: &[&str]) {
    let decode = |chunks: &[&[u8]]| {
        let mut decoder = Decoder::with_limits(limits).with_comments();
        let told = decode_chunks(&mut decoder, chunks.iter().copied());
        (told, decoder.last_event_id().to_owned())
    };
    let whole = decode(&[stream]);
    let told: Vec<_> = whole.0.iter().map(brief).collect();
    assert_eq!(told, expected, "{}", stream.escape_ascii());
    assert_eq!(whole, decode(&stream.chunks(1).collect::<Vec<_>>()));
    for at in 0..stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(whole, decode(&[head, tail]), "split at {at}");
    }
}

fn brief(told: &Told) -> String {
    match told {
        Told::Event { data, .. } => data.clone(),
        Told::Retry(millis) => format!("retry {millis}"),
        Told::Comment(text) => format!(":{text}"),
        Told::TooLarge(TooLarge { excess, at, .. }) => format!("{excess:?} at {at}"),
    }
}

#[test]
fn d8_data_at_the_limit_passes_and_beyond_it_does_not() {
    let (at_limit, beyond) = ("x".repeat(20), "x".repeat(21));
    check(
        format!("data: {at_limit}\n\ndata: a\n\n"),
        &[&at_limit, "a"],
    );
    check(
        format!("data: {beyond}\n\ndata: a\n\n"),
        &["Event at 0", "a"],
    );
    check(
        format!("data: a\n\ndata: {beyond}\n\ndata: b\n\n"),
        &["a", "Event at 9", "b"],
    );
}

#[test]
fn d8_lines_and_type_count_together() {
    let ten = "x".repeat(10);
    let joined = format!("{ten}\nxxxxxxxxx");
    check(format!("data: {ten}\ndata: xxxxxxxxx\n\n"), &[&joined]);
    check(format!("data: {ten}\ndata: {ten}\n\n"), &["Event at 0"]);
    check(format!("data: {ten}\nevent: {ten}\n\n"), &[&ten]);
    check(format!("event: {ten}\ndata: {ten}\n\n"), &[&ten]);
    check(format!("event: {ten}\ndata: {ten}x\n\n"), &["Event at 0"]);
    check(format!("data: {ten}x\nevent: {ten}\n\n"), &["Event at 0"]);
    check(
        format!("event: {}\n\ndata: a\n\n", "x".repeat(21)),
        &["Event at 0", "a"],
    );
    // A type that is replaced doesn't count.
    check(
        format!("event: {ten}{ten}\nevent: y\ndata: {ten}\n\n"),
        &[&ten],
    );
}

#[test]
fn d8_empty_data_lines_count_their_line_ends() {
    check("data\n".repeat(21) + "\n", &["\n".repeat(20).as_str()]);
    check("data\n".repeat(22) + "\ndata: a\n\n", &["Event at 0", "a"]);
}

#[test]
fn d8_text_counts_as_decoded() {
    let stream = |bad: usize| [b"id: 1\ndata: ", &vec![0xFF; bad][..], b"\n\n"].concat();
    check(stream(6), &["\u{FFFD}".repeat(6).as_str()]);
    check(stream(7), &["Event at 0"]);
    let typed = |bad: usize| [b"event: ", &vec![0xFF; bad][..], b"\ndata: xx\n\n"].concat();
    check(typed(6), &["xx"]);
    check(typed(7), &["Event at 0"]);
    // Each is small enough, and were both before the type became text.
    check(
        b"event: \xFF\xFF\xFF\xFF\xFF\xFF\ndata: xxx\n\n",
        &["Event at 0"],
    );
    check(
        [typed(7), b"data: a\n\n".to_vec()].concat(),
        &["Event at 0", "a"],
    );
    let with_id = |bad: usize| [b"id: ", &vec![0xFF; bad][..], b"\ndata: a\n\n"].concat();
    check(with_id(2), &["a"]);
    check(with_id(3), &["Id at 0"]);
}

#[test]
fn d8_lines_of_no_event_are_limited_too() {
    let x = |count| "x".repeat(count);
    check(format!("{}\ndata: a\n\n", x(20)), &["a"]);
    check(
        format!("{}\ndata: a\n\ndata: b\n\n", x(21)),
        &["Line at 0", "b"],
    );
    check(
        format!("data: a\n:{}\n\ndata: b\n\n", x(20)),
        &["Line at 0", "b"],
    );
    check(
        format!("data: a\n:{}\n\n", x(19)),
        &[&format!(":{}", x(19)), "a"],
    );
    check(format!("retry: {}1\n\n", "0".repeat(12)), &["retry 1"]);
    check(format!("retry: {}1\n\n", "0".repeat(13)), &["Line at 0"]);
    check(format!("\n{}\n\n", x(21)), &["Line at 1"]);
    // Nobody asked for comments: the same limit.
    let mut decoder = Decoder::with_limits(LIMITS);
    let stream = format!(":{}\n", x(20));
    assert_eq!(decode_chunks(&mut decoder, [stream.as_bytes()]).len(), 1);
}

#[test]
fn d8_ids_have_a_limit_of_their_own() {
    check("id: 123456\ndata: a\n\n", &["a"]);
    check(
        "id: 1\n\nid: 1234567\ndata: a\n\ndata: b\n\n",
        &["Id at 7", "b"],
    );
}

#[test]
fn d8_an_id_too_large_leaves_the_last_event_id_alone() {
    let stream = b"id: 1\n\nid: 2\nid: 1234567\ndata: a\n\n";
    check(stream, &["Id at 7"]);
    let mut decoder = Decoder::with_limits(LIMITS);
    decode_chunks(&mut decoder, [&stream[..]]);
    assert_eq!(decoder.last_event_id(), "1");
}

#[test]
fn d8_limits_below_the_names_of_fields() {
    let limits = Limits {
        max_event: 3,
        max_id: 0,
    };
    check_with(limits, b"data: abc\n\nid\ndata: a\n\n", &["abc", "a"]);
    check_with(limits, b"ret\n\ndata: a\n\n", &["a"]);
    check_with(limits, b"retr\n\ndata: a\n\n", &["Line at 0", "a"]);
    check_with(limits, b"retry\n\ndata: a\n\n", &["Line at 0", "a"]);
    check_with(limits, b"retry:1\n\ndata: a\n\n", &["Line at 0", "a"]);
    check_with(
        limits,
        b"\xEF\xBB\xEF\xBB\n\ndata: a\n\n",
        &["Line at 0", "a"],
    );
}

#[test]
fn d8_a_block_is_told_once_and_keeps_its_id_and_retry() {
    let long = "x".repeat(30);
    let stream = format!(
        "data: {long}\nid: 7\nevent: {long}\nretry: 5\n{long}\n:c\ndata: {long}\ndata: y\n\ndata: a\n\n"
    );
    check(&stream, &["Event at 0", "retry 5", ":c", "a"]);
    let mut decoder = Decoder::with_limits(LIMITS);
    decode_chunks(&mut decoder, [stream.as_bytes()]);
    assert_eq!(
        decoder.last_event_id(),
        "7",
        "who resumes doesn't get it again"
    );
}

#[test]
fn d8_positions_count_line_ends_and_the_bom() {
    let long = "x".repeat(30);
    check(format!("\u{FEFF}data: {long}\n\n"), &["Event at 0"]);
    check(format!("\u{FEFF}\r\ndata: {long}\n\n"), &["Event at 5"]);
    check(
        format!("data: a\r\n\r\ndata: {long}\r\r\ndata: {long}\r\r"),
        &["a", "Event at 11", "Event at 50"],
    );
}

#[test]
fn d8_a_limit_error_says_what_and_where() {
    let too_large = TooLarge {
        excess: Excess::Event,
        limit: 20,
        at: 9,
    };
    assert_eq!(
        too_large.to_string(),
        "an event is larger than the limit of 20 bytes; \
         the block that begins at byte 9 of the stream was skipped"
    );
}

#[test]
fn d8_hostile_streams_with_small_limits_are_the_same_in_any_chunking() {
    for seed in 0..4000 {
        let mut random = Random::new(seed);
        let limits = Limits {
            max_event: random.below(40),
            max_id: random.below(8),
        };
        let stream = hostile(random.bits(), 300);
        let decode = |chunks: Vec<&[u8]>| {
            let mut decoder = Decoder::with_limits(limits);
            let told = decode_chunks(&mut decoder, chunks);
            (told, decoder.last_event_id().to_owned())
        };
        let whole = decode(vec![&stream]);
        for max in [1, 3, 20, 100] {
            let chunks = cut(&mut random, &stream, max);
            assert_eq!(
                whole,
                decode(chunks),
                "seed {seed}, {limits:?}, up to {max}"
            );
        }
    }
}
