//! What a stream says.

use crate::suite::Suite;
use serde_json::json;

/// Sends `pieces`, each in a write of its own; the client has seen the events
/// (type, data, id).
#[track_caller]
fn check_events<P: AsRef<[u8]>>(pieces: &[P], expected: &[(&str, &str, &str)]) {
    let suite = Suite::new();
    let stream = suite.open(&json!({}));
    for event_type in ["greeting", "Message", " x"] {
        suite.listen(&stream, event_type);
    }
    let mut exchange = suite.connected();
    for piece in pieces {
        exchange.send(piece);
    }
    for (event_type, data, id) in expected {
        suite.heard_event(event_type, data, id);
    }
    // Nothing else came of it.
    exchange.send("\n\ndata: the end\n\n");
    let end = suite.heard();
    assert_eq!(end["event"]["data"], "the end", "{end}");
}

#[test]
fn events_fields_and_line_ends() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = [
            "data: one",
            "",
            "data:two",
            "data: lines",
            "",
            "event: greeting",
            "data: three",
            "id: 3",
            "",
            "id: 4",
            "data",
            "",
            "data:",
            "nonsense: x",
            ": not asked",
            "",
        ]
        .join(end)
            + end;
        // Comments are reported where they come; without any here.
        let stream = stream.replace(&format!(": not asked{end}"), "");
        let expected = [
            ("message", "one", ""),
            ("message", "two\nlines", ""),
            ("greeting", "three", "3"),
            ("message", "", "4"),
            ("message", "", "4"),
        ];
        check_events(&[&stream], &expected);
        let (first, rest) = stream.split_at(stream.len() / 2);
        check_events(&[first, rest], &expected);
    }
}

#[test]
fn traps_of_the_grammar() {
    check_events(
        &["data:  two spaces\n\nid: 1\ndata: a\n\nid: x\0y\ndata: b\n\nid\ndata: c\n\n"],
        &[
            ("message", " two spaces", ""),
            ("message", "a", "1"),
            ("message", "b", "1"),
            ("message", "c", ""),
        ],
    );
    check_events(
        &[
            "event: greeting\n\ndata: unnamed\n\nevent: Message\ndata: case\n\nevent:  x\ndata: space\n\n",
        ],
        &[
            ("message", "unnamed", ""),
            ("Message", "case", ""),
            (" x", "space", ""),
        ],
    );
    check_events(
        &["id: 7\n\ndata: remembered\n\nDATA: x\ndata : x\n data: x\n\n"],
        &[("message", "remembered", "7")],
    );
}

#[test]
fn text_of_many_bytes_cut_anywhere() {
    let text = "data: ünïcödé 今日は 🎉\nid: é\nevent: greeting\n\n";
    let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    check_events(&bytes, &[("greeting", "ünïcödé 今日は 🎉", "é")]);
}

#[test]
fn a_chunked_body_cut_anywhere() {
    let suite = Suite::new();
    suite.open(&json!({}));
    let mut exchange = suite.requested();
    let headers = [
        ("Content-Type", "text/event-stream; charset=windows-1252"),
        ("Transfer-Encoding", "chunked"),
    ];
    exchange.head(200, &headers);
    for byte in "data: 今日\r\rdata: 🎉\r\n\r\n".bytes() {
        exchange.send([b"1\r\n", [byte].as_slice(), b"\r\n"].concat());
    }
    suite.heard_event("message", "今日", "");
    suite.heard_event("message", "🎉", "");
    // The end of the body is one of the stream, and comes back as any other.
    exchange.send("0\r\n\r\n");
    suite.heard_error();
    suite.requested();
}

#[test]
fn large_events_in_pieces_of_any_size() {
    let data: String = ('a'..='z').cycle().take(3 << 20).collect();
    let stream = format!("data: {data}\n\ndata: {data}\ndata: x\nid: 1\n\n");
    let pieces: Vec<&[u8]> = stream.as_bytes().chunks(77_777).collect();
    let two = format!("{data}\nx");
    check_events(&pieces, &[("message", &data, ""), ("message", &two, "1")]);
}

#[test]
fn many_events_come_in_order() {
    let suite = Suite::new();
    suite.open(&json!({}));
    let stream: String = (0..200)
        .map(|n| format!("data: {n}\nid: {n}\n\n"))
        .collect();
    suite.connected().send(stream);
    for n in 0..200 {
        let n = n.to_string();
        suite.heard_event("message", &n, &n);
    }
}

#[test]
fn bom() {
    check_events(
        &["\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n"],
        &[("message", "a", "")],
    );
    let bytes: Vec<&[u8]> = "\u{FEFF}data: a\n\n".as_bytes().chunks(1).collect();
    check_events(&bytes, &[("message", "a", "")]);
    // Each connection may begin with one.
    let suite = Suite::new();
    suite.open(&json!({}));
    for _ in 0..2 {
        let mut exchange = suite.connected();
        exchange.send("\u{FEFF}data: a\n\n");
        suite.heard_event("message", "a", "");
        exchange.end();
        suite.heard_error();
    }
}

#[test]
fn comments() {
    let suite = Suite::new();
    suite.open(&json!({}));
    suite
        .connected()
        .send(":Hello\n: one space\n:\ndata: x\n:inside\n\n");
    for comment in ["Hello", "one space", "", "inside"] {
        assert_eq!(
            suite.heard(),
            json!({ "kind": "comment", "comment": comment })
        );
    }
    suite.heard_event("message", "x", "");
}

#[test]
fn event_type_listeners() {
    let suite = Suite::new();
    let stream = suite.open(&json!({}));
    suite.listen(&stream, "greeting");
    let mut exchange = suite.connected();
    let events = "event: greeting\ndata: a\n\nevent: other\ndata: b\n\nevent: message\ndata: c\n\n";
    exchange.send(events);
    suite.heard_event("greeting", "a", "");
    suite.heard_event("message", "c", "");
    suite.listen(&stream, "other");
    exchange.send(events);
    suite.heard_event("greeting", "a", "");
    suite.heard_event("other", "b", "");
    suite.heard_event("message", "c", "");
}
