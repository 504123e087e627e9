//! The encoder's rules, by number, and the round trip.

use tidings_codec::fixtures::{Random, Told, decode_chunks, reference};
use tidings_codec::{
    Block, Decoder, EventId, EventType, InvalidField, encoded_data_len, put_comment, put_data,
    put_event_type, put_id, put_retry,
};

#[track_caller]
fn check_data(data: &str, encoded: &str, read_back: &str) {
    let mut out = Vec::new();
    put_data(&mut out, data);
    assert_eq!(
        out.escape_ascii().to_string(),
        encoded.as_bytes().escape_ascii().to_string()
    );
    assert_eq!(encoded_data_len(data), out.len());
    out.push(b'\n');
    match &decode_chunks(&mut Decoder::new(), [&out[..]])[..] {
        [Told::Event { data, .. }] => assert_eq!(data, read_back),
        other => panic!("{other:?}"),
    }
}

#[test]
fn e1_one_line_a_field() {
    let mut out = Vec::new();
    put_event_type(&mut out, &EventType::new("kind").unwrap());
    put_id(&mut out, &EventId::new("7").unwrap());
    put_comment(&mut out, "note");
    assert_eq!(out, b"event: kind\nid: 7\n: note\n");
}

#[test]
fn e2_one_data_line_per_line_of_any_ending() {
    check_data(
        "a\nb\rc\r\nd",
        "data: a\ndata: b\ndata: c\ndata: d\n",
        "a\nb\nc\nd",
    );
    check_data("a\n", "data: a\ndata: \n", "a\n");
    check_data("\n\n", "data: \ndata: \ndata: \n", "\n\n");
    check_data("\r\r\n\n\r", &"data: \n".repeat(5), "\n\n\n\n");
}

#[test]
fn e3_nothing_can_inject_a_field() {
    for (value, reason) in [
        ("a\nb", InvalidField::LineBreak),
        ("a\rb", InvalidField::LineBreak),
        ("\r\n", InvalidField::LineBreak),
        ("a\0", InvalidField::Nul),
    ] {
        assert_eq!(EventId::new(value), Err(reason));
        assert_eq!(EventType::new(value), Err(reason));
    }
    let mut out = Vec::new();
    put_comment(&mut out, "a\ndata: b\r\rdata: c\r\ndata: d\n\n");
    assert_eq!(decode_chunks(&mut Decoder::new(), [&out[..]]), []);
    assert!(
        out.split(|b| *b == b'\n')
            .all(|line| line.is_empty() || line[0] == b':')
    );
    assert!(!out.contains(&b'\r'));
}

#[test]
fn e4_a_leading_space_survives() {
    check_data(" a\n  b", "data:  a\ndata:   b\n", " a\n  b");
}

#[test]
fn e5_retry_is_digits() {
    for millis in [0, 9, 10, 1500, u64::MAX] {
        let mut out = Vec::new();
        put_retry(&mut out, millis);
        assert_eq!(out, format!("retry: {millis}\n").into_bytes());
    }
}

#[test]
fn e6_no_bom_is_put_and_one_in_the_data_survives() {
    check_data("\u{FEFF}x", "data: \u{FEFF}x\n", "\u{FEFF}x");
}

#[test]
fn e7_empty_data_is_an_event() {
    check_data("", "data: \n", "");
}

#[test]
fn b9_data_round_trips_and_its_size_is_counted_as_encoded() {
    for (data, read_back) in [
        ("\r", "\n"),
        ("a\rb", "a\nb"),
        ("a\r\nb", "a\nb"),
        ("event: x", "event: x"),
        (": c", ": c"),
    ] {
        let mut out = Vec::new();
        put_data(&mut out, data);
        check_data(data, std::str::from_utf8(&out).unwrap(), read_back);
    }
    let mebibyte = "\n".repeat(1 << 20);
    assert_eq!(encoded_data_len(&mebibyte), 7 * ((1 << 20) + 1));
}

#[test]
fn decode_of_encode_is_the_event() {
    let pieces = [
        "a",
        " ",
        ":",
        "\n",
        "\r",
        "\r\n",
        "data: x",
        "é世🌊",
        "\u{FEFF}",
        "\0",
        "\u{2028}",
    ];
    for seed in 0..4000 {
        let mut random = Random::new(seed);
        let mut text = |allowed: &[&str], max: usize| -> String {
            (0..random.below(max))
                .map(|_| random.pick(allowed))
                .collect()
        };
        let data = text(&pieces, 12);
        let inline = ["a", " ", ":", "data: x", "é世🌊", "\u{FEFF}", "\u{2028}"];
        let event_type = EventType::new(text(&inline, 4)).unwrap();
        let id = EventId::new(text(&inline, 4)).unwrap();
        let with = random.bits();
        let block = Block {
            event_type: (with & 1 != 0).then_some(&event_type),
            retry: (with & 2 != 0).then_some(with >> (with % 64)),
            data: (with & 4 != 0).then_some(&data),
            id: (with & 8 != 0).then_some(&id),
        };
        let mut out = Vec::new();
        block.put(&mut out);
        let mut decoder = Decoder::new();
        let told = decode_chunks(&mut decoder, [&out[..]]);
        assert_eq!(told, told_of(&block), "seed {seed}");
        assert_eq!(told, reference::decode(&out, "").0, "seed {seed}");
        let last_event_id = block.id.map_or("", EventId::as_str);
        assert_eq!(decoder.last_event_id(), last_event_id, "seed {seed}");
    }
}

/// What a reader is to be told of `block`.
fn told_of(block: &Block<'_>) -> Vec<Told> {
    let retry = block.retry.map(Told::Retry);
    let event = block.data.map(|data| Told::Event {
        event_type: block.event_type.map_or("", EventType::as_str).to_owned(),
        data: data.replace("\r\n", "\n").replace('\r', "\n"),
        last_event_id: block.id.map_or("", EventId::as_str).to_owned(),
        id: block.id.map(|id| id.as_str().to_owned()),
        retry: block.retry,
    });
    retry.into_iter().chain(event).collect()
}
