//! Hostile streams, by their row in the catalogue of bad input; its part (d)
//! is about readers. Rows about connections are the business of other crates.

use tidings_codec::fixtures::{Random, Told, cut, decode_chunks, hostile, reference};
use tidings_codec::{Decoder, Event, EventId, EventType, Item};

/// 200 bytes with everything in it: a byte order mark, all three line ends,
/// all fields, comments, several scripts, ill-formed UTF-8.
const CORPUS: &[u8; 200] = b"\xEF\xBB\xBF:h\r\nid: 1\revent: k\xC3\xA9y\ndata: \xE4\xB8\x96\xE7\x95\x8C\rdata:\r\ndata: x\r\r\nretry: 2500\n\ndata\n\n\
    id: 2\0\nid: \xF0\x9F\x8C\x8A\ndata: \xE2\x82A\xED\xA0\x80\n\n\
    DATA\n data: no\ndat\nevent:\ndata:  two\r\n\r\n:\n\nid\n\n\
    data: a\n\ndata: \xEF\xBB\xBFb\n\nevent: last\nid: 9\ndata: end.";

fn decode<'b>(chunks: impl IntoIterator<Item = &'b [u8]>) -> (Vec<Told>, String) {
    let mut decoder = Decoder::new().with_comments();
    let told = decode_chunks(&mut decoder, chunks);
    (told, decoder.last_event_id().to_owned())
}

fn data(stream: &[u8]) -> Vec<String> {
    let told = decode([stream]).0;
    assert_eq!(told, decode(stream.chunks(1)).0);
    told.into_iter()
        .filter_map(|told| match told {
            Told::Event { data, .. } => Some(data),
            _ => None,
        })
        .collect()
}

#[test]
fn d1_line_ends_mixed_and_cut_give_no_extra_event() {
    let stream = b"data: 1\r\n\r\ndata: 2\n\ndata: 3\r\rdata: 4\n\rdata: 5\r\n\n";
    let expected = ["1", "2", "3", "4", "5"];
    assert_eq!(data(stream), expected);
    for at in 0..stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(
            decode([head, tail]).0.len(),
            expected.len(),
            "split at {at}"
        );
    }
}

#[test]
fn d2_bom_only_at_the_very_start() {
    assert_eq!(data(b"\xEF\xBB\xBFdata: 1\n\n"), ["1"]);
    assert_eq!(data(b"data: 1\n\n\xEF\xBB\xBFdata: 2\n\n"), ["1"]);
}

#[test]
fn d3_every_chunking_of_a_corpus_gives_the_same() {
    let expected = reference::decode(CORPUS, "");
    assert!(expected.0.len() >= 9, "the corpus says much");
    assert_eq!(decode([&CORPUS[..]]), expected);
    for size in 1..CORPUS.len() {
        assert_eq!(decode(CORPUS.chunks(size)), expected, "chunks of {size}");
    }
    for first in 0..=CORPUS.len() {
        for second in first..=CORPUS.len() {
            let chunks = [&CORPUS[..first], &CORPUS[first..second], &CORPUS[second..]];
            assert_eq!(decode(chunks), expected, "cut at {first} and {second}");
        }
    }
}

#[test]
fn d3_hostile_streams_in_random_chunkings_match_the_reference() {
    for seed in 0..4000 {
        let mut random = Random::new(seed);
        let len = random.below(400);
        let stream = hostile(random.bits(), len);
        let expected = reference::decode(&stream, "");
        assert_eq!(decode([&stream[..]]), expected, "seed {seed}, whole");
        for max in [1, 3, 20, 200] {
            let chunks = cut(&mut random, &stream, max);
            assert_eq!(decode(chunks), expected, "seed {seed}, up to {max} at once");
        }
    }
}

#[test]
fn d3_stopping_between_items_loses_nothing() {
    let expected = reference::decode(CORPUS, "").0;
    let mut decoder = Decoder::new().with_comments();
    let mut told = Vec::new();
    let mut rest = &CORPUS[..];
    // One item a call, the rest handed back as a new slice each time.
    loop {
        let mut bytes = rest;
        match decoder.next(&mut bytes) {
            Some(item) => told.push(Told::from(item)),
            None => break,
        }
        rest = bytes;
    }
    assert_eq!(told, expected);
}

#[test]
fn d4_ids_with_nul_empty_and_without_data() {
    assert_eq!(decode([&b"id: 1\n\nid: 2\0\n\n"[..]]).1, "1");
    assert_eq!(decode([&b"id: 1\n\nid:\n\n"[..]]).1, "");
    assert_eq!(decode([&b"id: 1\n\n"[..]]).1, "1");
}

#[test]
fn d5_odd_retries() {
    let retries = |value: &str| decode([format!("retry: {value}\n\n").as_bytes()]).0;
    for value in ["10s", "-1", "٣", "", "1.5", "0x10", " 5"] {
        assert_eq!(retries(value), [], "{value:?}");
    }
    // The clamp to what is worth waiting for is the reader's.
    assert_eq!(retries("99999999999999999999"), [Told::Retry(u64::MAX)]);
}

#[test]
fn d6_odd_fields() {
    let stream = b"data\ndata:\ndata:  two\n:comment\nunknown: x\nDATA: y\n\n";
    assert_eq!(data(stream), ["\n\n two"]);
}

#[test]
fn d7_eof_mid_event_discards() {
    let (told, last_event_id) = decode([&b"id: 1\ndata: a\n\nid: 2\ndata: b\n"[..]]);
    assert_eq!(told.len(), 1);
    assert_eq!(last_event_id, "1");
}

#[test]
fn d9_bad_utf8_as_std_decodes_it() {
    for seed in 0..2000 {
        let mut random = Random::new(seed);
        let len = random.below(40);
        let bytes: Vec<u8> = (0..len)
            .map(|_| {
                *random.pick(&[
                    &0x41, &0x80, &0xBF, &0xC2, &0xE2, &0xED, &0xF0, &0xF4, &0x9F, &0xFF,
                ])
            })
            .collect();
        let stream = [b"data: ", &bytes[..], b"\n\n"].concat();
        assert_eq!(
            data(&stream),
            [String::from_utf8_lossy(&bytes)],
            "seed {seed}"
        );
    }
}

#[test]
fn d15_repeated_and_falling_ids_are_surfaced() {
    let mut decoder = Decoder::new();
    let mut bytes = &b"id: 2\ndata\n\nid: 2\ndata\n\nid: 1\ndata\n\nid: other-log\ndata\n\n"[..];
    let mut ids = Vec::new();
    while let Some(item) = decoder.next(&mut bytes) {
        match item {
            Item::Event(Event { id: Some(id), .. }) => ids.push(id.to_owned()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ids, ["2", "2", "1", "other-log"]);
}

#[test]
fn d17_a_last_event_id_never_holds_line_breaks_or_nul() {
    for seed in 0..2000 {
        let stream = hostile(seed, 300);
        for told in decode([&stream[..]]).0 {
            if let Told::Event { last_event_id, .. } = told {
                assert!(EventId::new(last_event_id).is_ok(), "seed {seed}");
            }
        }
    }
    assert_eq!(decode(["id: …\n\n".as_bytes()]).1, "…");
    assert!(EventType::new("a\rb").is_err());
}
