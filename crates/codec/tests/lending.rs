//! What is lent out of the chunk, and what has to be copied.

use tidings_codec::{Decoder, Event, Item};

/// Whether the data of the one event of `stream` is lent out of it.
fn is_in_chunk(stream: &str) -> bool {
    let mut decoder = Decoder::new();
    let mut bytes = stream.as_bytes();
    let mut in_chunk = None;
    while let Some(item) = decoder.next(&mut bytes) {
        if let Item::Event(Event { data, .. }) = item {
            let chunk = stream.as_bytes().as_ptr_range();
            assert_eq!(in_chunk.replace(chunk.contains(&data.as_ptr())), None);
        }
    }
    in_chunk.expect("an event")
}

#[test]
fn single_line_data_is_lent_out_of_the_chunk() {
    for stream in [
        "data: a\n\n",
        "data:a\r\n\r\n",
        "data: 世界\r\r",
        "event: e\nid: 1\ndata: a\n\n",
        "retry: 1\ndata: a\nid: 1\nunknown\n:comment\n\n",
    ] {
        assert!(is_in_chunk(stream), "{stream:?}");
    }
}

#[test]
fn data_of_several_lines_is_joined_in_a_buffer() {
    assert!(!is_in_chunk("data: a\ndata: b\n\n"));
}

#[test]
fn lending_takes_no_memory() {
    let mut decoder = Decoder::new();
    let stream = b"data: {}\n\n".repeat(1000);
    let mut bytes = &stream[..];
    while decoder.next(&mut bytes).is_some() {}
    assert_eq!(decoder.buffer_capacity(), 0);
}
