//! Bad streams and bad servers by number, d1 to d17, as the machine meets them.
//! d13 and d18 are the transport's, d8's memory is the decoder's; d5, d10, d11,
//! d12, d14 and d16 are in `waits`, `redirects`, `rules` and `silences`.

use crate::world::*;
use http::HeaderValue;
use tidings_codec::Limits;
use tidings_eventsource::protocol::State;

/// The events of one stream that stays open.
#[track_caller]
fn check_events(pieces: &[&[u8]], expected: &[&str]) {
    let answer = pieces
        .iter()
        .fold(stream(), |answer, piece| answer.send(piece));
    let mut world = World::new(standard(), [answer]);
    let expected: Vec<String> = expected.iter().map(|line| format!("0 {line}")).collect();
    assert_eq!(world.run().trace[2..], expected);
    assert_eq!(world.machine.state(), State::Open);
}

#[test]
fn d1_a_cr_at_a_chunk_s_end_and_its_lf_in_the_next() {
    check_events(
        &[b"data:1\r", b"\n\r", b"\ndata:2\r\r", b"\n\n"],
        &["message \"1\"", "message \"2\""],
    );
}

#[test]
fn d2_a_byte_order_mark_in_pieces() {
    check_events(&[b"\xEF", b"\xBB", b"\xBFdata:1\n\n"], &["message \"1\""]);
    check_events(&[b"data:1\n\n\xEF\xBB\xBFdata:2\n\n"], &["message \"1\""]);
}

#[test]
fn d3_every_chunking_gives_the_same() {
    let corpus: &[u8] = "\u{FEFF}retry:5\r\n\r\n:hi\rid:1…\ndata:ä\ndata:\u{1F600}\r\n\n\
        event:add\rdata: {\"a\":1}\r\rid\ndata\n\nretry:x\ndata:last\n\nid:9\n\ndata:lost"
        .as_bytes();
    let run = |pieces: &[&[u8]]| {
        let answer = pieces
            .iter()
            .fold(stream(), |answer, piece| answer.send(piece));
        let mut world = World::new(standard(), [answer.end(), silence()]);
        world.run();
        world.trace
    };
    let whole = run(&[corpus]);
    assert_eq!(whole.len(), 9, "{whole:#?}");
    assert!(whole.last().unwrap().ends_with("after 9"));
    for size in 1..corpus.len() {
        assert_eq!(
            run(&corpus.chunks(size).collect::<Vec<_>>()),
            whole,
            "size {size}"
        );
        let (head, tail) = corpus.split_at(size);
        assert_eq!(run(&[head, tail]), whole, "cut at {size}");
    }
}

#[test]
fn d4_ids_with_nul_empty_ones_and_those_without_data() {
    for (body, resumes) in [
        ("id:1\ndata\n\nid:2\0\ndata\n\n", Some("1")),
        ("id:1\ndata\n\nid:\ndata\n\n", None),
        ("id:1\ndata\n\nid:3\n\n", Some("3")),
    ] {
        let mut world = World::new(standard(), [stream().send(body).end(), silence()]);
        world.run();
        let sent = world.requests[1].headers.get("last-event-id");
        assert_eq!(sent.map(|id| id.to_str().unwrap()), resumes, "{body:?}");
    }
}

#[test]
fn d6_fields() {
    check_events(
        &[b"data\ndata\n\n:comment\n\nDATA:x\n\ndata:  two\n\nfoo:1\n\ndata:\ndata:\ndata:\n\n"],
        &["message \"\\n\"", "message \" two\"", "message \"\\n\\n\""],
    );
}

#[test]
fn d7_eof_mid_event_discards() {
    for body in ["id:2\ndata:lost", "id:2\ndata:lost\n", "id:2\n", "id:2"] {
        let body = format!("id:1\ndata:1\n\n{body}");
        let mut world = World::new(
            standard(),
            [stream().send(body).end(), stream().send("\n\n")],
        );
        world.run();
        assert_eq!(world.requests[1].headers["last-event-id"], "1");
        let events = world
            .trace
            .iter()
            .filter(|line| line.contains("message"))
            .count();
        assert_eq!(events, 1, "{:#?}", world.trace);
    }
}

#[test]
fn d8_an_event_beyond_the_limit_is_told_and_the_stream_goes_on() {
    let mut options = standard();
    options.limits = Limits {
        max_event: 8,
        max_id: 4,
    };
    let body = "data:123456789\nid:1\n\ndata:ok\n\nid:12345\ndata:ok\n\n";
    let mut world = World::new(options, [stream().send(body).end(), silence()]);
    let skipped = "the block that begins at byte";
    assert_trace(
        world.run(),
        &[
            "0 GET http://a.test/",
            "0 open http://a.test/",
            &format!(
                "0 an event is larger than the limit of 8 bytes; {skipped} 0 of the stream was skipped"
            ),
            "0 message \"ok\" id \"1\"",
            &format!(
                "0 an event's id is larger than the limit of 4 bytes; {skipped} 30 of the stream was skipped"
            ),
            "0 reconnecting in 3000: the server ended the stream",
            "3000 GET http://a.test/ after 1",
        ],
    );
}

#[test]
fn d9_what_is_not_utf8_becomes_u_fffd() {
    check_events(
        &[b"data:\xC0\xAF\xED\xA0\x80\xE2\x82\n\nid:\xFF\ndata\n\n"],
        &[
            "message \"\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\"",
            "message \"\" id \"\u{FFFD}\"",
        ],
    );
}

#[test]
fn d15_ids_that_repeat_or_go_back_are_told_as_they_are() {
    let body = "id:b-2\ndata:1\n\nid:b-2\ndata:1\n\nid:b-1\ndata:0\n\nid:c-9\ndata:9\n\n";
    let answer = || stream().send(body).end();
    let mut world = World::new(standard(), [answer(), answer(), silence()]);
    world.run();
    let ids: Vec<&str> = world
        .trace
        .iter()
        .filter_map(|line| line.split_once(" id ").map(|(_, id)| id))
        .collect();
    assert_eq!(ids, ["\"b-2\"", "\"b-2\"", "\"b-1\"", "\"c-9\""].repeat(2));
    // The same end twice is no reason to ask sooner, or again.
    assert_eq!(world.requests.len(), 3);
    assert_eq!(world.requests[2].headers["last-event-id"], "c-9");
    assert_eq!(world.now.as_millis(), 24 * 60 * 60 * 1000);
}

#[test]
fn d17_an_id_goes_out_as_the_bytes_it_came_in() {
    for id in [
        "…",
        "日本\u{1F600}",
        "\u{80}\u{9F}",
        " x ",
        "a:b,c;d\"e",
        "\u{FFFD}",
    ] {
        let server = [
            stream().send(format!("id: {id}\ndata\n\n")).end(),
            silence(),
        ];
        let mut world = World::new(standard(), server);
        world.run();
        let sent: &HeaderValue = &world.requests[1].headers["last-event-id"];
        assert_eq!(sent.as_bytes(), id.as_bytes());
    }
    // CR and LF end the line: they can't be part of an ID.
    let body = "id:1\rX-Evil: 1\ndata\n\n";
    let mut world = World::new(standard(), [stream().send(body).end(), silence()]);
    world.run();
    assert_eq!(world.requests[1].headers["last-event-id"], "1");
    assert!(!world.requests[1].headers.contains_key("x-evil"));
}
