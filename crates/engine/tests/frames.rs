//! The forms of an event: plain, envelope, chunk.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use tidings_codec::fixtures::{Told, decode_chunks};
use tidings_codec::{Decoder, EventId, EventType, Item};
use tidings_engine::{Entry, Event, Frame, LogId, Position, Timestamp, Topic};

const TIME: Timestamp = Timestamp(1_769_903_999_007);

fn frame(event_type: Option<&str>, id: Option<&str>, retry: Option<u64>, data: &str) -> Frame {
    let event = Event {
        alternates: Box::default(),
        visibility: tidings_engine::Visibility::Native,
        topic: Topic::new("orders/\"42\"").unwrap(),
        event_type: event_type.map(|text| EventType::new(text).unwrap()),
        id: id.map(|text| EventId::new(text).unwrap()),
        retry,
        data: data.into(),
    };
    Frame::new(LogId(7), Position(42), event.into_entry(TIME, None))
}

/// What a reader makes of a block: type, data, id, retry of its one event.
fn read(block: &[u8]) -> (String, String, String, Option<u64>) {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    let mut rest = block;
    while let Some(item) = decoder.next(&mut rest) {
        if let Item::Event(event) = item {
            events.push((
                event.event_type.to_owned(),
                event.data.to_owned(),
                event.last_event_id.to_owned(),
                event.retry,
            ));
        }
    }
    assert!(!decoder.is_mid_event());
    assert_eq!(events.len(), 1, "{:?}", String::from_utf8_lossy(block));
    events.remove(0)
}

fn check_chunk(chunk: &[u8], payload: &[u8]) {
    let expected = [
        format!("{:x}\r\n", payload.len()).as_bytes(),
        payload,
        b"\r\n",
    ]
    .concat();
    assert_eq!(chunk, expected);
}

fn check(frame: &Frame, event: &str, id: &str, retry: Option<u64>, data: &str) {
    let plain = read(&frame.payload());
    let name = if event == "message" { "" } else { event };
    assert_eq!(plain, (name.into(), data.into(), id.into(), retry));
    check_chunk(&frame.chunk(), &frame.payload());
    assert_eq!(frame.payload_len(), frame.payload().len());

    let (envelope_type, json, envelope_id, envelope_retry) = read(&frame.envelope());
    assert_eq!((envelope_type.as_str(), envelope_id.as_str()), ("", id));
    assert_eq!(envelope_retry, retry);
    check_chunk(&frame.envelope_chunk(), &frame.envelope());
    assert_eq!(json, frame.to_json());
    let value: Value = serde_json::from_str(&json).unwrap();
    let expected = json!({
        "topic": "orders/\"42\"", "event": event, "id": id,
        "time": "2026-01-31T23:59:59.007Z", "data": data,
    });
    assert_eq!(value, expected);
}

#[test]
fn b9_data_in_both_forms() {
    const OWN: &str = "td-0000000000007-42";
    for (data, on_the_wire) in [
        ("", ""),
        ("hello", "hello"),
        ("\r", "\n"),
        ("\n\n", "\n\n"),
        ("a\rb", "a\nb"),
        ("a\r\nb", "a\nb"),
        ("\u{FEFF}x", "\u{FEFF}x"),
        ("event: x", "event: x"),
        (": c", ": c"),
        (" two", " two"),
        ("a\0b\u{1}\u{7f}", "a\0b\u{1}\u{7f}"),
        ("\"\\/<>\u{2028}😀", "\"\\/<>\u{2028}😀"),
        (r#"{"a":[1,2]}"#, r#"{"a":[1,2]}"#),
    ] {
        check(
            &frame(None, None, None, data),
            "message",
            OWN,
            None,
            on_the_wire,
        );
        let full = frame(Some("état"), Some("é\u{2028}1"), Some(1_500), data);
        check(&full, "état", "é\u{2028}1", Some(1_500), on_the_wire);
    }
}

#[test]
fn members_stand_in_order_on_one_line() {
    let frame = frame(Some("n"), Some("i"), None, "a\nb");
    let json = r#"{"topic":"orders/\"42\"","event":"n","id":"i","time":"2026-01-31T23:59:59.007Z","data":"a\nb"}"#;
    assert_eq!(frame.to_json(), json);
    assert_eq!(
        &frame.envelope()[..],
        format!("data: {json}\nid: i\n\n").as_bytes()
    );
}

#[test]
fn each_form_is_encoded_once_and_shared() {
    let frame = frame(None, None, None, "x");
    let address = |bytes: bytes::Bytes| bytes.as_ptr();
    assert_eq!(address(frame.payload()), address(frame.payload()));
    assert_eq!(address(frame.envelope()), address(frame.envelope()));
    assert_eq!(frame.to_json().as_ptr(), frame.to_json().as_ptr());
}

/// The store gives back what it was given; were it something else, nothing
/// may panic.
#[test]
fn fields_that_are_no_event_do_not_panic() {
    for fields in [
        &b""[..],
        b"event: x\n",
        b"\xff\xfe",
        b"data: a\n\ndata: b\n",
        b"\n\n",
    ] {
        let entry = Entry {
            kind: tidings_engine::Kind::Event,
            alternates: Box::default(),
            visibility: tidings_engine::Visibility::Native,
            topic: Topic::new("t").unwrap(),
            time: TIME,
            id: None,
            key: None,
            fields: fields.to_vec().into(),
        };
        let frame = Frame::new(LogId(1), Position(1), entry);
        assert!(serde_json::from_str::<Value>(frame.to_json()).is_ok());
    }
}

proptest! {
    /// A run of frames, in both forms, cut anywhere, reads as the events.
    #[test]
    fn streams_of_frames_read_back(
        events in prop::collection::vec(("[a-z]{0,3}", ".{0,20}", prop::option::of(100u64..1000)), 1..6),
    ) {
        let frames: Vec<Arc<Frame>> = events
            .iter()
            .map(|(name, data, retry)| {
                let name = Some(name.as_str()).filter(|name| !name.is_empty());
                Arc::new(frame(name, None, *retry, data))
            })
            .collect();
        for envelope in [false, true] {
            let block = |frame: &Arc<Frame>| if envelope { frame.envelope() } else { frame.payload() };
            let stream: Vec<u8> = frames.iter().flat_map(|frame| block(frame).to_vec()).collect();
            let bytewise = decode_chunks(&mut Decoder::new(), stream.chunks(1));
            let whole = decode_chunks(&mut Decoder::new(), [&stream[..]]);
            prop_assert_eq!(&bytewise, &whole);
            let dispatched = whole.iter().filter(|told| matches!(told, Told::Event { .. })).count();
            prop_assert_eq!(dispatched, frames.len());
        }
        for (frame, (name, data, retry)) in frames.iter().zip(&events) {
            let name = if name.is_empty() { "message" } else { name };
            let data = data.replace("\r\n", "\n").replace('\r', "\n");
            check(frame, name, "td-0000000000007-42", *retry, &data);
        }
    }
}
