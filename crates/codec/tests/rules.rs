//! The standard's rules, by number. Each stream is decoded whole, byte by
//! byte, split at every place, and by the reference decoder.

use tidings_codec::fixtures::{Told, decode_chunks, reference};
use tidings_codec::{Decoder, Event};

/// The events of `stream` as (type, data, last event ID).
#[track_caller]
fn check(stream: impl AsRef<[u8]>, expected: &[(&str, &str, &str)]) {
    let stream = stream.as_ref();
    let told = check_chunkings(stream);
    let events: Vec<_> = told
        .iter()
        .filter_map(|told| match told {
            Told::Event {
                event_type,
                data,
                last_event_id,
                ..
            } => Some((&**event_type, &**data, &**last_event_id)),
            _ => None,
        })
        .collect();
    assert_eq!(events, expected, "{}", stream.escape_ascii());
}

/// The data of the events of `stream`, all of type `message` and without ID.
#[track_caller]
fn check_data(stream: impl AsRef<[u8]>, expected: &[&str]) {
    let expected: Vec<_> = expected.iter().map(|data| ("", *data, "")).collect();
    check(stream, &expected);
}

#[track_caller]
fn check_retries(stream: impl AsRef<[u8]>, expected: &[u64]) {
    let told = check_chunkings(stream.as_ref());
    let retries: Vec<_> = told
        .iter()
        .filter_map(|told| match told {
            Told::Retry(millis) => Some(*millis),
            _ => None,
        })
        .collect();
    assert_eq!(retries, expected, "{}", stream.as_ref().escape_ascii());
}

#[track_caller]
fn check_last_event_id(stream: impl AsRef<[u8]>, expected: &str) {
    check_chunkings(stream.as_ref());
    let mut decoder = Decoder::new();
    decode_chunks(&mut decoder, [stream.as_ref()]);
    assert_eq!(decoder.last_event_id(), expected);
}

#[track_caller]
fn check_chunkings(stream: &[u8]) -> Vec<Told> {
    let decode = |chunks: &[&[u8]]| {
        let mut decoder = Decoder::new().with_comments();
        let told = decode_chunks(&mut decoder, chunks.iter().copied());
        (told, decoder.last_event_id().to_owned())
    };
    let whole = decode(&[stream]);
    assert_eq!(
        whole,
        reference::decode(stream, ""),
        "the reference differs"
    );
    let bytes: Vec<_> = stream.chunks(1).collect();
    assert_eq!(whole, decode(&bytes), "byte by byte");
    for at in 0..=stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(whole, decode(&[head, tail]), "split at {at}");
    }
    whole.0
}

#[test]
fn d1_is_utf8_whatever_else() {
    check_data("data: ok…\n\n", &["ok…"]);
    check_data(b"data: \xE9\n\n", &["\u{FFFD}"]);
}

#[test]
fn d2_one_leading_bom_is_stripped() {
    check_data("\u{FEFF}data: 1\n\n", &["1"]);
    check_data("\u{FEFF}\n\u{FEFF}data: 1\n\ndata: 2\n\n", &["2"]);
    check_data("\u{FEFF}\u{FEFF}data: 1\n\ndata: 2\n\n", &["2"]);
    check_data(
        "data: 1\n\n\u{FEFF}data: 2\n\ndata: \u{FEFF}3\n\n",
        &["1", "\u{FEFF}3"],
    );
    // Parts of one are content.
    check_data(b"\xEFdata: 1\ndata: 2\n\n", &["2"]);
    check_data(b"\xEF\xBBdata: 1\ndata: 2\n\n", &["2"]);
    check_data(b"\xEF\xBB\ndata: 2\n\n", &["2"]);
    check_data(b"\xEF\n\ndata: 2\n\n", &["2"]);
}

#[test]
fn d2_bom_state_is_per_connection() {
    let mut decoder = Decoder::new();
    let stream = "\u{FEFF}data: 1\n\n".as_bytes();
    for _ in 0..3 {
        assert_eq!(decode_chunks(&mut decoder, stream.chunks(1)).len(), 1);
        decoder.reset();
    }
    decode_chunks(&mut decoder, [&b"\xEF\xBB"[..]]);
    decoder.reset();
    assert_eq!(decode_chunks(&mut decoder, [stream]).len(), 1);
}

#[test]
fn d3_maximal_subparts_become_replacement_characters() {
    for (bytes, text) in [
        (&b"\xE2\x82A"[..], "\u{FFFD}A"),
        (b"\xED\xA0\x80", "\u{FFFD}\u{FFFD}\u{FFFD}"),
        (b"\xF0\x9F\x8C", "\u{FFFD}"),
        (b"\xF4\x90\x80\x80", "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
        (b"\xC0\xAF", "\u{FFFD}\u{FFFD}"),
        (b"\xE0\x80\xAF", "\u{FFFD}\u{FFFD}\u{FFFD}"),
        (b"\xFF\xFE", "\u{FFFD}\u{FFFD}"),
        (b"\x80a\xBF", "\u{FFFD}a\u{FFFD}"),
        (b"\xF0\x9F\x8C\x8A", "🌊"),
    ] {
        let stream = |field: &[u8]| [field, bytes, b"\ndata\n\n"].concat();
        check([b"data: ", bytes, b"\n\n"].concat(), &[("", text, "")]);
        check(stream(b"event: "), &[(text, "", "")]);
        check(stream(b"id: "), &[("", "", text)]);
        let told = check_chunkings(&stream(b": "));
        assert_eq!(told[0], Told::Comment(text.to_owned()));
        assert_eq!(text, String::from_utf8_lossy(bytes));
    }
}

#[test]
fn d3_an_ill_formed_sequence_ends_at_the_line() {
    check_data(b"data: \xE2\x82\ndata: \xAC\n\n", &["\u{FFFD}\n\u{FFFD}"]);
}

#[test]
fn d4_lines_end_at_crlf_lf_cr_only() {
    check_data("data: a\rdata: b\ndata: c\r\n\n", &["a\nb\nc"]);
    let content = "\u{85}\u{2028}\u{2029}\u{B}\u{C}\u{1C}";
    check_data(format!("data: {content}x\n\n"), &[&format!("{content}x")]);
}

#[test]
fn d5_an_event_is_given_at_the_cr_that_ends_it() {
    for ending in ["\r\r", "\r\n\r", "\n\r", "\n\n"] {
        let stream = format!("data: 1{ending}");
        check_data(&stream, &["1"]);
        let mut decoder = Decoder::new();
        let told = decode_chunks(&mut decoder, stream.as_bytes().chunks(1));
        assert_eq!(told.len(), 1, "{}", ending.escape_debug());
    }
}

#[test]
fn d5_a_lf_after_that_cr_is_swallowed() {
    check_data("data: 1\r\r\ndata: 2\r\n\r\n", &["1", "2"]);
    // The second LF is a blank line of its own: nothing to dispatch.
    check_data("data: 1\r\r\n\ndata: 2\n\n", &["1", "2"]);
    // A CR inside an event, its LF in the next chunk: not a blank line.
    check_data("data: 1\r\ndata: 2\r\n\r\n", &["1\n2"]);
}

#[test]
fn d6_what_is_incomplete_at_the_end_is_dropped() {
    check_data("data: 1\n\ndata: 2", &["1"]);
    check_data("data: 1\n\ndata: 2\n", &["1"]);
    check_last_event_id("id: 1\n\nid: 2\ndata: x\n", "1");
    check_last_event_id("id: 1\n\nid: 2", "1");
}

#[test]
fn d6_reset_forgets_the_incomplete_and_keeps_the_last_event_id() {
    let mut decoder = Decoder::new();
    for cut in [
        "id: 2",
        "id: 2\n",
        "id: 2\ndata: x\n",
        "data: x\nid: 2\nev",
        "data: x",
    ] {
        decode_chunks(&mut decoder, [&b"id: 1\n\n"[..], cut.as_bytes()]);
        assert!(decoder.is_mid_event(), "{cut:?}");
        decoder.reset();
        assert!(!decoder.is_mid_event());
        assert_eq!(decoder.last_event_id(), "1");
        let told = decode_chunks(&mut decoder, [&b"\ndata: y\n\n"[..]]);
        let expected = reference::decode(b"\ndata: y\n\n", "1").0;
        assert_eq!(told, expected, "nothing is left of {cut:?}");
        decoder.reset();
    }
}

#[test]
fn f1_comments_are_ignored() {
    check_data(":c\ndata: 1\n: data: 2\n:\n::\n\n", &["1"]);
}

#[test]
fn f1_comments_are_told_to_who_asks() {
    let stream = b":a\n: b\n:  c\n:\ndata: 1\n:d\n\n";
    let texts = check_chunkings(stream)
        .into_iter()
        .filter_map(|told| match told {
            Told::Comment(text) => Some(text),
            _ => None,
        });
    assert_eq!(texts.collect::<Vec<_>>(), ["a", "b", " c", "", "d"]);
    let told = decode_chunks(&mut Decoder::new(), [&stream[..]]);
    assert_eq!(told.len(), 1, "only the event");
}

#[test]
fn f2_one_space_is_stripped_and_no_tab() {
    check_data(
        "data:1\n\ndata: 2\n\ndata:  3\n\ndata:\t4\n\n",
        &["1", "2", " 3", "\t4"],
    );
    check_data("data: a:b: c\n\ndata::\n\n", &["a:b: c", ":"]);
}

#[test]
fn f3_a_line_without_colon_is_a_name() {
    check_data("data\n\n", &[""]);
    check("id: 1\nevent: x\ndata: a\nevent\nid\n\n", &[("", "a", "")]);
    check_retries("retry\n\n", &[]);
}

#[test]
fn f4_names_are_exact() {
    for name in [
        "Data",
        "DATA",
        " data",
        "data ",
        "data\0",
        "dat",
        "datas",
        "\u{FEFF}data",
        "ddata",
    ] {
        check_data(format!("data: 1\n{name}: x\n{name}\n\n"), &["1"]);
    }
    check(
        "Id: 1\nEVENT: x\nRetry: 1\nids: 2\ndata\n\n",
        &[("", "", "")],
    );
}

#[test]
fn f5_event_sets_the_type_and_resets_it() {
    check(
        "event: a\ndata: 1\n\ndata: 2\n\n",
        &[("a", "1", ""), ("", "2", "")],
    );
    check("event: a\nevent: b\ndata\n\n", &[("b", "", "")]);
    check("event: a\nevent:\ndata\n\n", &[("", "", "")]);
    check("data: 1\nevent: late\n\n", &[("late", "1", "")]);
}

#[test]
fn f6_data_lines_are_joined() {
    check_data("data: 1\ndata: 2\n\n", &["1\n2"]);
    check_data("data\ndata\n\n", &["\n"]);
    check_data("data:\ndata: x\ndata:\n\n", &["\nx\n"]);
    check("data: 1\nid: 7\ndata: 2\n\n", &[("", "1\n2", "7")]);
}

#[test]
fn f7_id_with_nul_is_ignored() {
    check("id: 1\nid: 2\0\ndata\n\n", &[("", "", "1")]);
    check("id: 1\n\nid: \0\ndata\n\n", &[("", "", "1")]);
    check("id: 1\nid:\ndata\n\n", &[("", "", "")]);
}

#[test]
fn f7_the_block_knows_its_own_id() {
    let told = check_chunkings(b"id: 1\ndata\n\ndata\n\nid\ndata\n\nid: \0\ndata\n\n");
    let ids: Vec<_> = told
        .iter()
        .map(|told| match told {
            Told::Event { id, .. } => id.as_deref(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, [Some("1"), None, Some(""), None]);
}

#[test]
fn f8_retry_is_ascii_digits_and_takes_effect_at_once() {
    check_retries("retry: 10\n", &[10]);
    check_retries("retry: 10\nretry:0020\n\n", &[10, 20]);
    check_retries(
        "retry: 1 \nretry: +1\nretry: 1e3\nretry:\nretry: ٣\nretry:  1\n\n",
        &[],
    );
    let max = u64::MAX;
    check_retries(
        format!("retry: {max}\nretry: 18446744073709551616\n"),
        &[max, max],
    );
    check_retries(format!("retry: {}7\n", "0".repeat(50)), &[7]);
}

#[test]
fn f8_an_event_carries_the_last_retry_of_its_block() {
    let told = check_chunkings(b"retry: 1\n\nretry: 2\nretry: 3\nretry: x\ndata\n\ndata\n\n");
    let retries: Vec<_> = told
        .iter()
        .filter_map(|told| match told {
            Told::Event { retry, .. } => Some(*retry),
            _ => None,
        })
        .collect();
    assert_eq!(retries, [Some(3), None]);
}

#[test]
fn f1_a_comment_inside_an_event_leaves_it_alone() {
    // The buffers of one event are used again for the next.
    let stream = "data: a\ndata: b\n\nevent: e\ndata: c\n:x\ndata: d\n:\u{FF}\n\ndata: e\n\n";
    check(
        stream,
        &[("", "a\nb", ""), ("e", "c\nd", ""), ("", "e", "")],
    );
    let long = "x".repeat(1000);
    let stream = format!("event: {long}\ndata: {long}\n{stream}{stream}");
    let first = format!("{long}\na\nb");
    let rest = [("e", "c\nd", ""), ("", "e", "")];
    check(
        &stream,
        &[
            &[(&*long, &*first, "")],
            &rest[..],
            &[("", "a\nb", "")],
            &rest,
        ]
        .concat(),
    );
}

#[test]
fn f9_anything_else_is_ignored() {
    check_data("foo: 1\nfoo\n\0\ndata: 2\nx:data: 3\n\n", &["2"]);
}

#[test]
fn f10_nul_is_legal_in_data_and_type() {
    check("event: \0e\ndata: \0d\n\n", &[("\0e", "\0d", "")]);
}

#[test]
fn b1_every_blank_line_commits_the_id() {
    check_last_event_id("id: 1\n\n", "1");
    check("id: 1\n\ndata: x\n\n", &[("", "x", "1")]);
    check(
        "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\ndata: d\n\n",
        &[("", "a", "1"), ("", "b", "1"), ("", "c", ""), ("", "d", "")],
    );
    check_last_event_id("id: 1\n\nid: 2\nid: 3\n\n:\n\n", "3");
}

#[test]
fn b2_without_data_there_is_no_event() {
    check("event: a\n\ndata: 1\n\n", &[("", "1", "")]);
    check_data("\n\n\n", &[]);
    check_data("data:\n\n", &[""]);
}

#[test]
fn b3_one_trailing_lf_is_dropped() {
    check_data("data: a\ndata:\ndata:\n\n", &["a\n\n"]);
}

#[test]
fn b4_the_type_defaults_to_message() {
    let mut event = Event {
        event_type: "",
        data: "",
        last_event_id: "",
        id: None,
        retry: None,
    };
    assert_eq!(event.type_or_message(), "message");
    event.event_type = "a";
    assert_eq!(event.type_or_message(), "a");
}

#[test]
fn t6_a_seeded_last_event_id_is_inherited() {
    let mut decoder = Decoder::new();
    decoder.set_last_event_id(&tidings_codec::EventId::new("5").unwrap());
    let stream = b"data: x\n\n";
    let told = decode_chunks(&mut decoder, [&stream[..]]);
    assert_eq!(told, reference::decode(stream, "5").0);
}
