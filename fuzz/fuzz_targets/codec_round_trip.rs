//! What was encoded is read back, and nothing else.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidings_codec::fixtures::{Told, decode_chunks};
use tidings_codec::{Block, Decoder, EventId, EventType, encoded_data_len, put_comment, put_data};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    comment: &'a str,
    event_type: Option<&'a str>,
    id: Option<&'a str>,
    retry: Option<u64>,
    data: Option<&'a str>,
}

fuzz_target!(|input: Input<'_>| {
    // Values that could inject a field can't be constructed.
    let event_type = input.event_type.and_then(|text| EventType::new(text).ok());
    let id = input.id.and_then(|text| EventId::new(text).ok());
    let block = Block {
        event_type: event_type.as_ref(),
        retry: input.retry,
        data: input.data,
        id: id.as_ref(),
    };
    let mut stream = Vec::new();
    put_comment(&mut stream, input.comment);
    block.put(&mut stream);

    let mut decoder = Decoder::new();
    let told = decode_chunks(&mut decoder, [&stream[..]]);
    let id = id.as_ref().map(|id| id.as_str().to_owned());
    let event = input.data.map(|data| Told::Event {
        event_type: event_type.as_ref().map_or("", EventType::as_str).to_owned(),
        data: data.replace("\r\n", "\n").replace('\r', "\n"),
        last_event_id: id.clone().unwrap_or_default(),
        id: id.clone(),
        retry: input.retry,
    });
    let expected: Vec<_> = input
        .retry
        .map(Told::Retry)
        .into_iter()
        .chain(event)
        .collect();
    assert_eq!(told, expected);
    assert_eq!(decoder.last_event_id(), id.unwrap_or_default());

    if let Some(data) = input.data {
        let mut encoded = Vec::new();
        put_data(&mut encoded, data);
        assert_eq!(encoded.len(), encoded_data_len(data));
    }
});
